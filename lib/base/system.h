/* SPDX-License-Identifier: Apache-2.0 */
/* Small things of the operating system that several files need. */
#ifndef PROFI_SYSTEM_H
#define PROFI_SYSTEM_H

#include "error.h"

#include <semaphore.h>
#include <time.h>

/*
 * Puts off the cancellation of the calling thread: what holds a lock, a
 * descriptor or memory must not be left half way.  Returns what
 * profi_cancel_restore() takes.
 */
int profi_cancel_defer(void);
void profi_cancel_restore(int before);

/* The same for the rest of a function, whichever way it returns: its first line. */
#define PROFI_NO_CANCELLATION \
    int no_cancellation __attribute__((cleanup(profi_cancel_restore_at), unused)) = profi_cancel_defer()
static inline void profi_cancel_restore_at(const int *before) { profi_cancel_restore(*before); }

/*
 * Starts a detached thread that the host's signals are not delivered to;
 * `name` is at most 15 bytes.  0, or an errno value.
 */
int profi_thread_spawn(void *(*run)(void *), const char *name);

/* Whether the calling thread is one of these. */
int profi_thread_is_ours(void);

/* The same for a thread that sleeps on a semaphore, which is made first; `task` is what it does, for the message. */
prof_status profi_thread_spawn_waiting(sem_t *wake, void *(*run)(void *), const char *name, const char *task, prof_error *err);

/*
 * Whether all threads of the program are gone, its main thread by
 * pthread_exit().  Such a process ends with its last thread, and ours must
 * not be what keeps it: each asks this about once a second, and then returns.
 */
int profi_threads_are_alone(void);

/*
 * Sleeps until somebody posts `wake`, or until it is `due` on CLOCK_MONOTONIC
 * (NULL: never), or such a thread is to return.
 */
typedef enum profi_wake { PROFI_WAKE_POSTED, PROFI_WAKE_DUE, PROFI_WAKE_ALONE } profi_wake;
profi_wake profi_thread_sleep(sem_t *wake, const struct timespec *due);

/* The same, due at so many nanoseconds of that clock; 0: never. */
profi_wake profi_thread_sleep_until(sem_t *wake, uint64_t due_ns);

/* In a forked child: the threads are the parent's. */
void profi_threads_forget(void);

/*
 * A descriptor that is kept, above 0, 1 and 2: a program that has closed those
 * expects that what it opens next, or what is printed, gets their numbers.
 * The descriptor itself where there is no other; errors (-1) pass through.
 */
int profi_fd_above_standard(int fd);

/* Reads a small file, such as one of /proc, as text; 0 when it cannot be had or is empty. */
int profi_read_text(const char *path, char *text, size_t room);

/*
 * Writes all bytes.  A pipe without a reader or a file at its size limit
 * gives an error and not the signal that would end the host.  Returns 0 or
 * an errno value.
 */
int profi_write_all(int fd, const void *data, size_t bytes);

/* The same, and *written receives how many bytes were, also where it fails: EAGAIN of a pipe without room among them. */
int profi_write_some(int fd, const void *data, size_t bytes, size_t *written);

#endif
