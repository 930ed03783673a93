/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Storage for more than memory should hold: a small spool lies in memory, a
 * large one in an unlinked file in $TMPDIR (/tmp), mapped, whose pages the
 * system writes out when it needs the memory.  Its disk space is reserved, so
 * that a full disk is an error here and no signal later.
 */
#ifndef PROFI_SPOOL_H
#define PROFI_SPOOL_H

#include "base.h"

/* All zero is an empty one. */
typedef struct profi_spool {
    void *data;
    size_t room; /* bytes */
    int file;    /* descriptor plus 1; 0: it lies in memory */
} profi_spool;

/* In bytes; what is larger lies in a file.  Tests lower it. */
extern size_t profi_spool_most_in_memory;

/* Makes room for at least so many bytes; `data` may move.  0, or an errno value, and the spool is as it was. */
int profi_spool_reserve(profi_spool *spool, size_t bytes);

void profi_spool_fini(profi_spool *spool);

#endif
