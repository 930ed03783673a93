/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A preload that stands between the library and the kernel at each step of a
 * save, and there does what the environment says:
 *
 *     EXITS_KILL=n          ends the process by SIGKILL at the n-th step; of a write, half is done
 *     EXITS_CLOSE=n         after the n-th step the host closes descriptors 3 to 1023 and opens files of its own,
 *                           host_<number>, on the first 60 of them
 *     EXITS_STUCK_MS=t, EXITS_STUCK=n   the n-th fsync takes t ms; 0: each
 *     EXITS_LINKS=1         a file system that cannot rename without replacing
 *
 * Steps are the main thread's, from its first openat() on, which is a save's first draft.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { HOST_FILES = 60, HOST_FIRST = 3, HOST_LAST = 1023 };

static const char host_text[] = "4711 4711 the host's own bytes\n";
static struct stat host_files[HOST_FILES];
static int host_fds[HOST_FILES]; /* mostly from HOST_FIRST on: another thread of ours may open a file at that moment */
static long steps, syncs;
static int is_taken;
extern int exits_is_stuck;
int exits_is_stuck; /* for the program: an fsync takes its time */

static long setting(const char *name)
{
    const char *text = getenv(name);
    return text != NULL ? atol(text) : -1;
}

#define REAL(name) (__extension__(__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Files of the host on numbers that were ours.  They begin as /proc/self/statm does. */
static void take_descriptors(void)
{
    pthread_mutex_t *reading = dlsym(RTLD_DEFAULT, "exits_reading");
    pthread_mutex_lock(reading);
    for (int fd = HOST_FIRST; fd <= HOST_LAST; fd++)
        REAL(close)(fd);
    for (int i = 0; i < HOST_FILES; i++) {
        char name[32];
        snprintf(name, sizeof(name), "host_%d", i + HOST_FIRST);
        int fd = REAL(open)(name, O_RDWR | O_CREAT | O_EXCL, 0600);
        host_fds[i] = fd;
        if (fd < 0 || REAL(write)(fd, host_text, sizeof(host_text) - 1) < 0 || fstat(fd, &host_files[i]) != 0)
            printf("the host could not open %s\n", name);
    }
    pthread_mutex_unlock(reading);
    __atomic_store_n(&is_taken, 1, __ATOMIC_RELEASE);
}

/* For the program: how many of its descriptors are not what it opened; -1 before it did. */
int exits_host_lost(void);
int exits_host_lost(void)
{
    int lost = 0;
    for (int i = 0; i < HOST_FILES && is_taken; i++) {
        struct stat now;
        lost += fstat(host_fds[i], &now) != 0 || now.st_ino != host_files[i].st_ino ||
                now.st_dev != host_files[i].st_dev || now.st_size != (off_t)sizeof(host_text) - 1;
    }
    return is_taken ? lost : -1;
}

static int is_last_step(int begins)
{
    if (gettid() != getpid() || (!begins && steps == 0))
        return 0;
    return ++steps == setting("EXITS_KILL");
}

static void before(int begins)
{
    if (is_last_step(begins))
        kill(getpid(), SIGKILL);
}

static void after(void)
{
    if (gettid() == getpid() && steps == setting("EXITS_CLOSE") && !is_taken)
        take_descriptors();
}

int openat64(int folder, const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    before(1);
    int fd = REAL(openat64)(folder, path, flags, mode);
    after();
    return fd;
}

int open64(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    int is_ours = strncmp(path, "/proc/", 6) != 0;
    if (is_ours)
        before(0);
    int fd = REAL(open64)(path, flags, mode);
    if (is_ours)
        after();
    return fd;
}

ssize_t write(int fd, const void *data, size_t bytes)
{
    if (is_last_step(0)) {
        REAL(write)(fd, data, bytes / 2);
        kill(getpid(), SIGKILL);
    }
    ssize_t result = REAL(write)(fd, data, bytes);
    after();
    return result;
}

int fsync(int fd)
{
    before(0);
    long stuck_ms = setting("EXITS_STUCK_MS"), which = setting("EXITS_STUCK");
    long number = __atomic_add_fetch(&syncs, 1, __ATOMIC_RELAXED);
    if (stuck_ms > 0 && (which == 0 || which == number)) {
        struct timespec left = { stuck_ms / 1000, stuck_ms % 1000 * 1000000 };
        __atomic_store_n(&exits_is_stuck, 1, __ATOMIC_RELEASE);
        while (nanosleep(&left, &left) != 0)
            ;
    }
    int result = REAL(fsync)(fd);
    after();
    return result;
}

int close(int fd)
{
    before(0);
    int result = REAL(close)(fd);
    after();
    return result;
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    before(0);
    int result = REAL(renameat)(from_folder, from, to_folder, to);
    after();
    return result;
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    before(0);
    int result = -1;
    if (setting("EXITS_LINKS") > 0)
        errno = EINVAL;
    else
        result = REAL(renameat2)(from_folder, from, to_folder, to, flags);
    after();
    return result;
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
    before(0);
    int result = REAL(linkat)(from_folder, from, to_folder, to, flags);
    after();
    return result;
}

int unlinkat(int folder, const char *path, int flags)
{
    before(0);
    int result = REAL(unlinkat)(folder, path, flags);
    after();
    return result;
}
