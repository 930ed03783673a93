/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that recording keeps lives in one region of address space with a cap:
 * nodes, histograms, names, tables.  What is freed is kept for the same kind
 * and size, so threads that come and go leave the region as it was.
 *
 * Never called on the hot path.  Every allocation may fail, and zeroes what
 * it gives.  Any thread; one short lock.
 */
#ifndef PROFI_REGION_H
#define PROFI_REGION_H

#include "base.h"
#include <profcore/prof.h>

#define PROFI_REGION_DEFAULT_BYTES ((uint64_t)64 << 20)
#define PROFI_REGION_SMALLEST_BYTES ((uint64_t)1 << 20)
#define PROFI_REGION_LARGEST_BYTES ((uint64_t)1 << 40)

/*
 * What a piece is for, as far as a limit or a fork depends on it: histograms
 * take at most a quarter, rings at most half, and what is for sites stays in
 * a forked child, to whose own data it belongs.
 */
typedef enum profi_region_use {
    PROFI_REGION_TREE,
    PROFI_REGION_HISTOGRAM,
    PROFI_REGION_RING,
    PROFI_REGION_SITE,
    PROFI_REGION_USES
} profi_region_use;

/* Reserves the region; one that exists already stays as it is. */
prof_status profi_region_open(uint64_t limit_bytes, prof_error *err);

/*
 * The same in a file of ours, which is reserved on the disk in full: what is
 * in it outlives a kill.  It begins with a profi_region_head and the
 * caller's own data, head_bytes in all.  Sites lie elsewhere.
 */
typedef struct profi_region_head {
    uint64_t base, limit; /* where the file was mapped, and its bytes */
    uint64_t next;        /* no piece lies behind */
} profi_region_head;
prof_status profi_region_open_file(int fd, uint64_t limit_bytes, size_t head_bytes, prof_error *err);

/* Its beginning; NULL where the region is in no file. */
void *profi_region_file_head(void);

/*
 * In a forked child of such a process, whose file it is not: new memory takes
 * its place, at the same address and empty but for sites.  0 where the region
 * is in no file, and nothing has changed; -1 when there is no memory: none of
 * what was there may be touched then, and no piece is to be had.
 */
int profi_region_renew(void);

/* Zeroed memory, aligned to 64 bytes from 64 bytes on, else to 16; NULL when the cap is reached. */
void *profi_region_alloc(size_t bytes, profi_region_use use);

/* Gives a piece back; `bytes` and `use` as in profi_region_alloc().  NULL is accepted. */
void profi_region_free(void *piece, size_t bytes, profi_region_use use);

/* The cap, 0 before profi_region_open(); and what is handed out of it. */
uint64_t profi_region_limit(void);
uint64_t profi_region_used(void);

/* Around fork(), so that the child finds the region in order. */
void profi_region_lock(void);
void profi_region_unlock(void);

#endif
