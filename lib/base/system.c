/* SPDX-License-Identifier: Apache-2.0 */
/* See system.h. */
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/*
 * The type too: up to glibc 2.36 at least, a cancellation that was sent while
 * it was enabled is acted upon after it has been disabled, if the type is
 * still asynchronous.
 */
int profi_cancel_defer(void)
{
    int type = PTHREAD_CANCEL_DEFERRED, state = PTHREAD_CANCEL_ENABLE;
    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    return (type == PTHREAD_CANCEL_ASYNCHRONOUS ? 1 : 0) | (state == PTHREAD_CANCEL_DISABLE ? 2 : 0);
}

void profi_cancel_restore(int before)
{
    pthread_setcancelstate(before & 2 ? PTHREAD_CANCEL_DISABLE : PTHREAD_CANCEL_ENABLE, NULL);
    pthread_setcanceltype(before & 1 ? PTHREAD_CANCEL_ASYNCHRONOUS : PTHREAD_CANCEL_DEFERRED, NULL);
}

static uint32_t spawned;  /* threads of ours; never more than there are */
static time_t looked_s;   /* when one of them last looked for others */
static uint32_t is_alone; /* there are none */

static __thread int is_ours __attribute__((tls_model("initial-exec")));

int profi_thread_is_ours(void) { return is_ours; }

static void *thread_main(void *run)
{
    is_ours = 1;
    ((void *(*)(void *))(uintptr_t)run)(NULL);
    __atomic_fetch_sub(&spawned, 1u, __ATOMIC_RELAXED);
    return NULL;
}

int profi_thread_spawn(void *(*run)(void *), const char *name)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, callers;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &callers); /* inherited */
    int error = pthread_create(&thread, &attributes, thread_main, (void *)(uintptr_t)run);
    pthread_sigmask(SIG_SETMASK, &callers, NULL);
    pthread_attr_destroy(&attributes);
    if (error != 0)
        return error;
    pthread_setname_np(thread, name);
    __atomic_fetch_add(&spawned, 1u, __ATOMIC_RELAXED);
    return 0;
}

prof_status profi_thread_spawn_waiting(sem_t *wake, void *(*run)(void *), const char *name, const char *task, prof_error *err)
{
    if (sem_init(wake, 0, 0) != 0)
        return profi_fail_errno(err, errno, "cannot make a semaphore");
    int error = profi_thread_spawn(run, name);
    return error == 0 ? PROF_OK : profi_fail_errno(err, error, "cannot start the thread that %s", task);
}

/* Whether the main thread has ended, which the kernel keeps till the process ends, and all that are left are ours. */
static int are_alone(void)
{
    char path[64], text[1024], state = '\0';
    unsigned threads = 0;
    snprintf(path, sizeof(path), "/proc/self/task/%ld/stat", (long)getpid()); /* the whole process's would sum up all threads */
    const char *name_end = profi_read_text(path, text, sizeof(text)) ? strrchr(text, ')') : NULL;
    return name_end != NULL &&
           sscanf(name_end + 1, " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %u", &state, &threads) == 2 &&
           state == 'Z' && threads == PROFI_GET(spawned) + 1;
}

/* The answer stands for the rest of this second, whichever thread it was that looked, or for good: nobody comes back. */
int profi_threads_are_alone(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (PROFI_GET(is_alone) == 0 && now.tv_sec != __atomic_exchange_n(&looked_s, now.tv_sec, __ATOMIC_RELAXED) && are_alone())
        PROFI_PUT(is_alone, 1u);
    return PROFI_GET(is_alone) != 0;
}

profi_wake profi_thread_sleep(sem_t *wake, const struct timespec *due)
{
    for (;;) {
        struct timespec look;
        if (profi_threads_are_alone())
            return PROFI_WAKE_ALONE;
        clock_gettime(CLOCK_MONOTONIC, &look);
        look.tv_sec++;
        int is_due_first = due != NULL && (due->tv_sec < look.tv_sec || (due->tv_sec == look.tv_sec && due->tv_nsec <= look.tv_nsec));
        if (sem_clockwait(wake, CLOCK_MONOTONIC, is_due_first ? due : &look) == 0)
            return PROFI_WAKE_POSTED;
        if (errno == ETIMEDOUT && is_due_first)
            return PROFI_WAKE_DUE;
    }
}

profi_wake profi_thread_sleep_until(sem_t *wake, uint64_t due_ns)
{
    const struct timespec due = { (time_t)(due_ns / 1000000000), (long)(due_ns % 1000000000) };
    return profi_thread_sleep(wake, due_ns != 0 ? &due : NULL);
}

void profi_threads_forget(void)
{
    spawned = is_alone = 0;
}

int profi_fd_above_standard(int fd)
{
    int above = fd >= 0 && fd <= STDERR_FILENO ? fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : -1;
    if (above < 0)
        return fd;
    close(fd);
    return above;
}

int profi_read_text(const char *path, char *text, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd >= 0 ? read(fd, text, room - 1) : -1;
    if (fd >= 0)
        close(fd);
    text[bytes > 0 ? bytes : 0] = '\0';
    return bytes > 0;
}

/* What a write may raise is blocked meanwhile, and taken back; what was pending before is the host's. */
typedef struct held_signals {
    sigset_t pending, callers;
} held_signals;

static void hold_signals(held_signals *held)
{
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGPIPE);
    sigaddset(&ours, SIGXFSZ);
    sigpending(&held->pending);
    pthread_sigmask(SIG_BLOCK, &ours, &held->callers);
}

static void release_signals(const held_signals *held, int error)
{
    static const struct timespec at_once = { 0, 0 };
    int raised = error == EPIPE ? SIGPIPE : error == EFBIG ? SIGXFSZ : 0;
    if (raised != 0 && !sigismember(&held->pending, raised)) {
        sigset_t one;
        sigemptyset(&one);
        sigaddset(&one, raised);
        while (sigtimedwait(&one, NULL, &at_once) < 0 && errno == EINTR)
            ;
    }
    pthread_sigmask(SIG_SETMASK, &held->callers, NULL);
}

static int write_in_pieces(int fd, const char *data, size_t bytes, size_t *done)
{
    while (*done < bytes) {
        ssize_t written = write(fd, data + *done, bytes - *done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? errno : EIO;
        *done += (size_t)written;
    }
    return 0;
}

int profi_write_some(int fd, const void *data, size_t bytes, size_t *written)
{
    held_signals held;
    *written = 0;
    hold_signals(&held);
    int error = write_in_pieces(fd, data, bytes, written);
    release_signals(&held, error);
    return error;
}

int profi_write_all(int fd, const void *data, size_t bytes)
{
    size_t written;
    return profi_write_some(fd, data, bytes, &written);
}
