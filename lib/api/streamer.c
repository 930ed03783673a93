/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that streams, and its file: see streamer.h. */
#include "streamer.h"

#include "private_file.h"

#include "../base/error.h"
#include "../base/publish.h"
#include "../base/system.h"
#include "../record/record.h"
#include "../record/tape.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SHORTEST_PAUSE_NS = 500000, LONGEST_PAUSE_NS = 50000000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* a chunk on its way to the file */
static profi_private_file file;
static int fd = -1;          /* -1: there is no stream */
static uint64_t bytes;       /* whole records in the file */
static uint64_t unfinished;  /* and those of the record that is being written */
static profi_tape stream;

/* The host may close descriptors it does not know, and give the number to a file of its own. */
static int write_to_file(void *unused, const void *data, size_t count)
{
    (void)unused;
    if (!profi_private_file_is(&file, fd))
        return EBADF;
    int error = profi_write_all(fd, data, count);
    unfinished += error == 0 ? count : 0;
    return error;
}

/* Brings one chunk to the file; 1 where there was one, 0 where none is full, -1 where the file takes no more. */
static int step(void)
{
    int any = 0, error = 0;
    pthread_mutex_lock(&lock);
    if (fd >= 0) {
        unfinished = 0;
        error = profi_tape_step(&stream, &any);
        bytes += error == 0 ? unfinished : 0;
    }
    if (error != 0) {
        prof_error why = PROF_ERROR_INIT;
        profi_fail_errno(&why, error, "cannot write \"%.300s\"", file.path);
        profi_notice("the stream of events ends here, and the rings go on: %s", why.message);
    }
    int result = error != 0 || fd < 0 ? -1 : any;
    pthread_mutex_unlock(&lock);
    return result;
}

/* As often as there is something to do: the pause follows how fast chunks fill. */
static void *streamer_main(void *unused)
{
    long pause_ns = SHORTEST_PAUSE_NS;
    (void)unused;
    while (!profi_threads_are_alone()) {
        unsigned count = 0;
        int result;
        while ((result = step()) == 1)
            count++;
        if (result < 0)
            return NULL;
        pause_ns = count > 1 ? pause_ns / 2 : count == 0 ? pause_ns * 2 : pause_ns;
        pause_ns = pause_ns < SHORTEST_PAUSE_NS ? SHORTEST_PAUSE_NS : pause_ns > LONGEST_PAUSE_NS ? LONGEST_PAUSE_NS : pause_ns;
        const struct timespec pause = { 0, pause_ns };
        nanosleep(&pause, NULL);
    }
    return NULL;
}

prof_status profi_streamer_start(const profi_config *config, prof_error *err)
{
    static int is_started;
    if (is_started)
        return PROF_OK;
    is_started = 1;
    prof_status status = profi_private_file_make(&file, config, "stream", &fd, err);
    if (status != PROF_OK)
        return status;
    int error = profi_tape_begin(&stream, write_to_file, NULL, config->name);
    bytes = unfinished;
    if (error == 0)
        error = profi_thread_spawn(streamer_main, "profcore-stream");
    if (error == 0)
        return PROF_OK;
    close(fd);
    fd = -1;
    profi_private_file_remove(&file);
    return profi_fail_errno(err, error, "cannot stream to \"%.300s\"", config->directory);
}

prof_status profi_streamer_events(const char *run_name, profi_events **events, prof_error *err)
{
    profi_events_copy copy;
    pthread_mutex_lock(&lock);
    int has_stream = file.path[0] != '\0';
    uint64_t so_far = bytes;
    prof_status status = has_stream ? profi_events_take(&copy, err) : PROF_OK;
    pthread_mutex_unlock(&lock);
    if (!has_stream)
        return profi_events_open(run_name, events, err);
    if (status != PROF_OK)
        return status;
    int in = open(file.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (in >= 0 && profi_private_file_is(&file, in))
        status = profi_events_open_streamed(run_name, &copy, in, so_far, events, err);
    else
        status = profi_fail_errno(err, in < 0 ? errno : EBADF, "cannot read \"%.300s\"", file.path);
    if (in >= 0)
        close(in);
    profi_events_copy_fini(&copy);
    return status;
}

/* Waits until no chunk is on its way to the file, but not for ever: a file system may hang. */
static int lock_for_a_while(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1;
    return pthread_mutex_timedlock(&lock, &until) == 0;
}

prof_status profi_streamer_dump_events(const profi_open_stacks *stacks, uint64_t window_ns, profi_events **events,
                                       prof_error *err)
{
    profi_events_copy copy;
    int is_locked = lock_for_a_while();
    prof_status status = profi_events_take(&copy, err);
    if (is_locked)
        pthread_mutex_unlock(&lock);
    if (status != PROF_OK)
        return status;
    status = profi_events_open_dump(stacks, window_ns, &copy, events, err);
    profi_events_copy_fini(&copy);
    return status;
}

void profi_streamer_end(int is_saved)
{
    pthread_mutex_lock(&lock);
    if (profi_private_file_is(&file, fd))
        close(fd);
    fd = -1;
    pthread_mutex_unlock(&lock);
    if (is_saved)
        profi_private_file_remove(&file);
    else
        profi_private_file_keep(&file);
}

void profi_streamer_forget(void)
{
    static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
    lock = unlocked; /* the thread that held it is the parent's */
    if (fd >= 0 && profi_private_file_is(&file, fd))
        close(fd);
    fd = -1;
    file.path[0] = '\0';
}
