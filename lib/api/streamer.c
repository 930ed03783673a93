/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that streams, and where to: see streamer.h. */
#include "streamer.h"

#include "private_file.h"

#include "../base/error.h"
#include "../base/outlet.h"
#include "../base/publish.h"
#include "../base/system.h"
#include "../record/record.h"
#include "../record/tape.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SHORTEST_PAUSE_NS = 500000, LONGEST_PAUSE_NS = 50000000, LONGEST_WAIT_MS = 50 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all that follows */
static int is_open, is_pipe;
static profi_private_file file;
static int fd = -1;           /* of the file */
static uint64_t bytes;        /* of whole records in it */
static profi_outlet outlet;   /* the pipe */
static profi_tape stream;
static char *buffer;          /* records on their way: [sent, used) are still to be written */
static size_t sent, used, room;

/* Where a stream stands. */
typedef enum progress {
    NOTHING, /* is to be written */
    MORE,    /* may follow at once */
    FULL,    /* is what it goes to */
    OVER
} progress;

static int add_to_buffer(void *unused, const void *data, size_t count)
{
    (void)unused;
    if (room - used < count) {
        size_t larger = (used + count) * 2;
        char *moved = realloc(buffer, larger);
        if (moved == NULL)
            return ENOMEM;
        buffer = moved;
        room = larger;
    }
    memcpy(buffer + used, data, count);
    used += count;
    return 0;
}

/* The host may close descriptors it does not know, and give the number to a file of its own. */
static int write_to_file(size_t *written)
{
    *written = 0;
    return profi_private_file_is(&file, fd) ? profi_write_some(fd, buffer + sent, used - sent, written) : EBADF;
}

/* Writes what is in the buffer, or as much of it as there is room for. */
static int empty_buffer(void)
{
    size_t written;
    int error = is_pipe ? profi_outlet_write(&outlet, buffer + sent, used - sent, &written) : write_to_file(&written);
    sent += written;
    if (sent == used) {
        bytes += used;
        sent = used = 0;
    }
    return error;
}

static void end_stream(int error)
{
    prof_error why = PROF_ERROR_INIT;
    if (is_pipe && error == EPIPE)
        profi_notice("the stream of events ends here, and the rings go on: its reader has gone");
    else {
        profi_fail_errno(&why, error, "cannot write %s%.300s%s", is_pipe ? "the stream" : "\"", is_pipe ? "" : file.path,
                         is_pipe ? "" : "\"");
        profi_notice("the stream of events ends here, and the rings go on: %s", why.message);
    }
    profi_tape_drop(&stream);
    if (is_pipe)
        profi_outlet_close(&outlet); /* nobody is to wait for more */
    is_open = 0;
}

/* The next step, under the lock: brings on what is in the buffer, and puts more there where that is nothing. */
static progress step(void)
{
    int any = 1, error = 0;
    if (!is_open)
        return OVER;
    if (used == 0)
        error = profi_tape_step(&stream, &any);
    if (error == 0 && !any)
        return NOTHING;
    if (error == 0)
        error = empty_buffer();
    if (error == EAGAIN)
        return FULL;
    if (error != 0)
        end_stream(error);
    return error == 0 ? MORE : OVER;
}

/* The same for who does not hold it; *wait_for receives what to wait for where it is FULL. */
static progress take_step(int *wait_for)
{
    pthread_mutex_lock(&lock);
    progress now = step();
    *wait_for = is_pipe ? outlet.fd : -1;
    pthread_mutex_unlock(&lock);
    return now;
}

/* As often as there is something to do: the pause follows how fast chunks fill. */
static void *streamer_main(void *unused)
{
    long pause_ns = SHORTEST_PAUSE_NS;
    (void)unused;
    while (!profi_threads_are_alone()) {
        unsigned count = 0;
        int wait_for;
        progress now;
        while ((now = take_step(&wait_for)) == MORE)
            count++;
        if (now == OVER)
            return NULL;
        if (now == FULL) {
            profi_outlet_wait(wait_for, LONGEST_WAIT_MS);
            continue;
        }
        pause_ns = count > 1 ? pause_ns / 2 : count == 0 ? pause_ns * 2 : pause_ns;
        pause_ns = pause_ns < SHORTEST_PAUSE_NS ? SHORTEST_PAUSE_NS : pause_ns > LONGEST_PAUSE_NS ? LONGEST_PAUSE_NS : pause_ns;
        const struct timespec pause = { 0, pause_ns };
        nanosleep(&pause, NULL);
    }
    return NULL;
}

/* Under the lock: nothing is written any more. */
static void close_stream(void)
{
    profi_tape_drop(&stream);
    if (is_pipe)
        profi_outlet_close(&outlet);
    else if (profi_private_file_is(&file, fd))
        close(fd);
    fd = -1;
    is_open = 0;
    free(buffer);
    buffer = NULL;
    sent = used = room = 0;
}

static prof_status open_stream(const profi_config *config, prof_error *err)
{
    is_pipe = config->stream[0] != '\0';
    prof_status status = is_pipe ? profi_outlet_open(&outlet, config->stream, err)
                                 : profi_private_file_make(&file, config, "stream", &fd, err);
    if (status != PROF_OK)
        return status;
    is_open = 1;
    int error = profi_tape_begin(&stream, add_to_buffer, NULL, config->name);
    if (error == 0 && !is_pipe)
        error = empty_buffer();
    if (error == 0)
        error = profi_thread_spawn(streamer_main, "profcore-stream");
    if (error == 0)
        return PROF_OK;
    close_stream();
    if (!is_pipe)
        profi_private_file_remove(&file);
    return is_pipe ? profi_fail_errno(err, error, "cannot stream to %.300s", config->stream)
                   : profi_fail_errno(err, error, "cannot stream to \"%.300s\"", config->directory);
}

prof_status profi_streamer_start(const profi_config *config, prof_error *err)
{
    static int is_started;
    if (is_started)
        return PROF_OK;
    pthread_mutex_lock(&lock);
    prof_status status = open_stream(config, err);
    pthread_mutex_unlock(&lock);
    is_started = status == PROF_OK;
    return status;
}

/* Under the lock: the rings, between two steps.  A chunk that is on its way is still there, one that has arrived is not. */
static prof_status take_events(profi_events_copy *copy, prof_error *err)
{
    if (used == 0)
        profi_tape_settle(&stream);
    return profi_events_take(copy, err);
}

prof_status profi_streamer_events(const char *run_name, profi_events **events, prof_error *err)
{
    profi_events_copy copy;
    pthread_mutex_lock(&lock);
    int has_file = file.path[0] != '\0';
    prof_status status = has_file ? take_events(&copy, err) : PROF_OK;
    uint64_t so_far = bytes;
    pthread_mutex_unlock(&lock);
    if (!has_file)
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

/* Waits until the file has taken what is being written, but not for ever: a file system may hang. */
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
    prof_status status = is_locked ? take_events(&copy, err) : profi_events_take(&copy, err);
    if (is_locked)
        pthread_mutex_unlock(&lock);
    if (status != PROF_OK)
        return status;
    status = profi_events_open_dump(stacks, window_ns, &copy, events, err);
    profi_events_copy_fini(&copy);
    return status;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* From now on the rest is to be written; 0 where there is no stream, or no memory for it. */
static int ask_for_rest(int is_last)
{
    int error = 0;
    pthread_mutex_lock(&lock);
    int is_wanted = is_open;
    if (is_wanted)
        error = profi_tape_rest(&stream, is_last);
    pthread_mutex_unlock(&lock);
    if (error != 0)
        profi_notice("the stream of events lacks its end: no memory for a copy of the event rings");
    return is_wanted && error == 0;
}

/* Writes all that there is, as the thread does beside it; NOTHING or OVER, or what kept it from that. */
static progress write_rest(void)
{
    const int64_t due = now_ms() + PROFI_STREAMER_PATIENCE_MS;
    int wait_for;
    progress now;
    while ((now = take_step(&wait_for)) == MORE || now == FULL) {
        int64_t left = due - now_ms();
        if (left <= 0 || (now == FULL && wait_for < 0)) /* nobody has opened the FIFO */
            break;
        if (now == FULL)
            profi_outlet_wait(wait_for, left < LONGEST_WAIT_MS ? (int)left : LONGEST_WAIT_MS);
    }
    return now;
}

void profi_streamer_flush(void)
{
    if (is_pipe && ask_for_rest(0))
        write_rest();
}

void profi_streamer_finish(int is_saved)
{
    if ((!is_pipe && is_saved) || !ask_for_rest(1))
        return;
    progress end = write_rest();
    if (end != NOTHING && end != OVER)
        profi_notice("the stream of events ends before its end: what reads it has not kept up");
}

void profi_streamer_end(int is_saved)
{
    pthread_mutex_lock(&lock);
    close_stream();
    pthread_mutex_unlock(&lock);
    if (is_pipe)
        return;
    if (is_saved)
        profi_private_file_remove(&file);
    else
        profi_private_file_keep(&file);
}

void profi_streamer_lock(void)
{
    pthread_mutex_lock(&lock);
}

void profi_streamer_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void profi_streamer_forget(void)
{
    stream.chunk = NULL; /* the rings are new, too */
    close_stream();
    file.path[0] = '\0';
}
