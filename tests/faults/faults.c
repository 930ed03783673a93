/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions that may fail: see faults.h.  A row here needs its name in
 * meson.build's list, and the other way round; imports_check.py sees to it
 * that what the library imports is in either that list or its own list of
 * what cannot fail.
 */
#include "faults.h"

#include "base/region.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct {
    int is_armed, for_good, error;
    fault_kind kind;
    long n, seen;
    const char *first;
} faults;

void faults_arm(fault_kind kind, long n, int error, int for_good)
{
    faults.kind = kind;
    faults.n = n;
    faults.error = error;
    faults.for_good = for_good;
    faults.seen = 0;
    faults.first = NULL;
    __atomic_store_n(&faults.is_armed, 1, __ATOMIC_RELEASE);
}

long faults_disarm(void)
{
    __atomic_store_n(&faults.is_armed, 0, __ATOMIC_RELEASE);
    return __atomic_load_n(&faults.seen, __ATOMIC_RELAXED);
}

const char *faults_first(void)
{
    return faults.first;
}

/* Counts a call; what it fails with, or 0. */
static int fault(fault_kind kind, const char *name)
{
    if (!__atomic_load_n(&faults.is_armed, __ATOMIC_ACQUIRE) || kind != faults.kind)
        return 0;
    long number = __atomic_add_fetch(&faults.seen, 1, __ATOMIC_RELAXED);
    if (faults.n == 0 || (faults.for_good ? number < faults.n : number != faults.n))
        return 0;
    if (number == faults.n)
        faults.first = name;
    return faults.error;
}

/* A short write is no error of any other function. */
static int system_fault(const char *name)
{
    int error = fault(FAULT_SYSTEM, name);
    return error == FAULT_SHORT ? 0 : error;
}

/* Defines the wrapper of a function that returns `failed` and sets errno. */
#define WRAP(result, name, failed, parameters, arguments) \
    result __real_##name parameters;                      \
    result __wrap_##name parameters;                      \
    result __wrap_##name parameters                       \
    {                                                     \
        int error = system_fault(#name);                  \
        if (error != 0) {                                 \
            errno = error;                                \
            return failed;                                \
        }                                                 \
        return __real_##name arguments;                   \
    }

/* Of one that returns an errno value. */
#define WRAP_RETURNING(name, parameters, arguments)                  \
    int __real_##name parameters;                                    \
    int __wrap_##name parameters;                                    \
    int __wrap_##name parameters                                     \
    {                                                                \
        int error = system_fault(#name);                             \
        return error != 0 ? error : __real_##name arguments;         \
    }

/* Of one that allocates. */
#define WRAP_HEAP(result, name, parameters, arguments)      \
    result __real_##name parameters;                        \
    result __wrap_##name parameters;                        \
    result __wrap_##name parameters                         \
    {                                                       \
        if (fault(FAULT_HEAP, #name) != 0) {                \
            errno = ENOMEM;                                 \
            return NULL;                                    \
        }                                                   \
        return __real_##name arguments;                     \
    }

WRAP_HEAP(void *, malloc, (size_t bytes), (bytes))
WRAP_HEAP(void *, calloc, (size_t count, size_t bytes), (count, bytes))
WRAP_HEAP(void *, realloc, (void *block, size_t bytes), (block, bytes))
WRAP_HEAP(void *, reallocarray, (void *block, size_t count, size_t bytes), (block, count, bytes))
WRAP_HEAP(char *, strdup, (const char *text), (text))
WRAP_HEAP(char *, strndup, (const char *text, size_t bytes), (text, bytes))

int __real_regcomp(regex_t *expression, const char *text, int flags);
int __wrap_regcomp(regex_t *expression, const char *text, int flags);
int __wrap_regcomp(regex_t *expression, const char *text, int flags)
{
    return fault(FAULT_HEAP, "regcomp") != 0 ? REG_ESPACE : __real_regcomp(expression, text, flags);
}

void *__real_profi_region_alloc(size_t bytes, profi_region_use use);
void *__wrap_profi_region_alloc(size_t bytes, profi_region_use use);
void *__wrap_profi_region_alloc(size_t bytes, profi_region_use use)
{
    return fault(FAULT_REGION, "profi_region_alloc") != 0 ? NULL : __real_profi_region_alloc(bytes, use);
}

WRAP(int, stat64, -1, (const char *path, struct stat *status), (path, status))
WRAP(int, fstat64, -1, (int fd, struct stat *status), (fd, status))
WRAP(int, fstatat64, -1, (int folder, const char *path, struct stat *status, int flags), (folder, path, status, flags))
WRAP(ssize_t, read, -1, (int fd, void *data, size_t bytes), (fd, data, bytes))
WRAP(ssize_t, pread64, -1, (int fd, void *data, size_t bytes, off_t at), (fd, data, bytes, at))
WRAP(int, fsync, -1, (int fd), (fd))
WRAP(int, mkdir, -1, (const char *path, mode_t mode), (path, mode))
WRAP(char *, mkdtemp, NULL, (char *path), (path))
WRAP(int, rmdir, -1, (const char *path), (path))
WRAP(int, unlinkat, -1, (int folder, const char *path, int flags), (folder, path, flags))
WRAP(int, renameat, -1, (int from_folder, const char *from, int to_folder, const char *to), (from_folder, from, to_folder, to))
WRAP(int, renameat2, -1, (int from_folder, const char *from, int to_folder, const char *to, unsigned flags),
     (from_folder, from, to_folder, to, flags))
WRAP(int, linkat, -1, (int from_folder, const char *from, int to_folder, const char *to, int flags),
     (from_folder, from, to_folder, to, flags))
WRAP(void *, mmap64, MAP_FAILED, (void *at, size_t bytes, int protection, int flags, int fd, off_t offset),
     (at, bytes, protection, flags, fd, offset))
WRAP(void *, mremap, MAP_FAILED, (void *at, size_t old_bytes, size_t bytes, int flags), (at, old_bytes, bytes, flags))
WRAP(int, mkostemp64, -1, (char *path, int flags), (path, flags))
WRAP_RETURNING(posix_fallocate64, (int fd, off_t from, off_t bytes), (fd, from, bytes))
WRAP(int, getrusage, -1, (__rusage_who_t who, struct rusage *usage), (who, usage))
WRAP(char *, realpath, NULL, (const char *path, char *resolved), (path, resolved))
WRAP(int, gethostname, -1, (char *name, size_t bytes), (name, bytes))
WRAP(DIR *, fdopendir, NULL, (int fd), (fd))
WRAP(struct dirent *, readdir64, NULL, (DIR *folder), (folder))
WRAP(int, nanosleep, -1, (const struct timespec *duration, struct timespec *left), (duration, left))
WRAP(int, sem_init, -1, (sem_t *semaphore, int is_shared, unsigned value), (semaphore, is_shared, value))
WRAP(int, sigaction, -1, (int number, const struct sigaction *action, struct sigaction *old), (number, action, old))
WRAP_RETURNING(pthread_create, (pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument),
               (thread, attributes, run, argument))
WRAP_RETURNING(pthread_key_create, (pthread_key_t *key, void (*destroy)(void *)), (key, destroy))
/* clang puts a sanitizer's runtime into the program, where its calls are wrapped too; it does not live without its key. */
#if defined(__clang__)
int __real_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value)
{
    return __real_pthread_setspecific(key, value);
}
#else
WRAP_RETURNING(pthread_setspecific, (pthread_key_t key, const void *value), (key, value))
#endif
WRAP_RETURNING(pthread_setname_np, (pthread_t thread, const char *name), (thread, name))

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
    int error = system_fault("open");
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    errno = error != 0 ? error : errno;
    return error != 0 ? -1 : __real_open64(path, flags, mode);
}

int __real_openat64(int folder, const char *path, int flags, ...);
int __wrap_openat64(int folder, const char *path, int flags, ...);
int __wrap_openat64(int folder, const char *path, int flags, ...)
{
    int error = system_fault("openat");
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    errno = error != 0 ? error : errno;
    return error != 0 ? -1 : __real_openat64(folder, path, flags, mode);
}

/* Linux has closed the descriptor also when it reports an error. */
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
    int error = system_fault("close"), result = __real_close(fd);
    errno = error != 0 ? error : errno;
    return error != 0 ? -1 : result;
}

ssize_t __real_write(int fd, const void *data, size_t bytes);
ssize_t __wrap_write(int fd, const void *data, size_t bytes);
ssize_t __wrap_write(int fd, const void *data, size_t bytes)
{
    int error = fault(FAULT_SYSTEM, "write");
    if (error == FAULT_SHORT)
        return __real_write(fd, data, (bytes + 1) / 2);
    errno = error != 0 ? error : errno;
    return error != 0 ? -1 : __real_write(fd, data, bytes);
}
