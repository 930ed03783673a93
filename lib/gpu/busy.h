/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long something was busy: the union of intervals, of which several may
 * overlap, never their sum.
 *
 * The latest intervals are kept apart, so that one that comes late finds what
 * of it has been counted.  One that begins before them is cut there, and from
 * then on the sum is a lower bound.
 */
#ifndef PROFI_GPU_BUSY_H
#define PROFI_GPU_BUSY_H

#include "../base/base.h"

enum { PROFI_BUSY_KEPT = 24 };

typedef struct profi_busy {
    uint64_t sum;     /* of all that is covered */
    uint64_t settled; /* what begins before this was cut */
    uint32_t is_bound, count;
    struct { uint64_t start, end; } kept[PROFI_BUSY_KEPT]; /* apart from each other, by time */
} profi_busy;

void profi_busy_add(profi_busy *busy, uint64_t start, uint64_t end);

#endif
