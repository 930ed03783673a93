/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The figures of each site and of each path of sites that launched work, as
 * work.c adds records to them, in the order of their starts.  For a site
 * busy time is the union of what all its calls asked for, wherever they were
 * made; for a path of those that were made there.  Neither follows from the
 * other, so both are kept.
 *
 * Knows no threads: work.c has the lock.
 */
#ifndef PROFI_GPU_WORK_ROWS_H
#define PROFI_GPU_WORK_ROWS_H

#include "../base/clock.h"
#include "work.h"

enum { PROFI_GPU_SCOPES_MOST = 32 };

/*
 * A launch.  Written by the thread that launches; who reads it looks at `id`
 * before and after.
 */
typedef struct profi_gpu_launch {
    uint64_t id;   /* plus 1; 0: being written */
    uint64_t tick;
    uint32_t count;              /* scopes */
    uint32_t path;               /* of them all */
    uint16_t is_cut, is_seen;    /* there were more; a record has come, the reader's own */
    uint32_t sites[PROFI_GPU_SCOPES_MOST]; /* from the innermost */
    uint64_t starts[PROFI_GPU_SCOPES_MOST];
} profi_gpu_launch;

/* Adds a record to each site and path of its launch; what is missing for want of memory. */
enum { PROFI_GPU_HAS_NO_SITE = 1, PROFI_GPU_HAS_NO_PATH = 2 };
unsigned profi_gpu_rows_add(const profi_gpu_record *record, const profi_gpu_launch *from, int is_first, const profi_clock_scale *as_of);

/* See profi_gpu_work_window(). */
void profi_gpu_rows_window(void);

/* Copies all of them; NULL where memory is spent. */
void profi_gpu_rows_copy(profi_gpu_copy *copy, const profi_clock_scale *as_of);
void profi_gpu_rows_forget(void);

#endif
