/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small file of the system that is read again and again on a descriptor
 * that is kept: to open it costs several times what it takes to read it.
 *
 * Before each use the descriptor is checked to be the file that was opened,
 * by this process: a host may close it and reuse the number, and a forked
 * child would go on reading its parent's /proc/self.
 */
#ifndef PROFI_KEPT_FILE_H
#define PROFI_KEPT_FILE_H

#include "base.h"

#include <pthread.h>
#include <sys/types.h>

/* Changed under `lock` only. */
typedef struct profi_kept_file {
    pthread_mutex_t lock;
    int fd;
    pid_t owner;
    uint64_t device, inode;
} profi_kept_file;

#define PROFI_KEPT_FILE_INIT { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 }

/* Reads the file as text, as profi_read_text() does.  `path` is the same in every call. */
int profi_kept_file_read(profi_kept_file *file, const char *path, char *text, size_t room);

#endif
