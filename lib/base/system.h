/* SPDX-License-Identifier: Apache-2.0 */
/* Small things of the operating system that several files need. */
#ifndef PROFI_SYSTEM_H
#define PROFI_SYSTEM_H

#include "base.h"

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

/* Reads a small file, such as one of /proc, as text; 0 when it cannot be had or is empty. */
int profi_read_text(const char *path, char *text, size_t room);

/*
 * Writes all bytes.  A pipe without a reader or a file at its size limit
 * gives an error and not the signal that would end the host.  Returns 0 or
 * an errno value.
 */
int profi_write_all(int fd, const void *data, size_t bytes);

#endif
