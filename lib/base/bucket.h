/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grid of every histogram: 16 buckets an octave, one formula for ticks
 * and for nanoseconds, for every duration below 2^64 - 16.
 *
 *     x = d + 16;  s = 59 - clz(x);  index = 16 s + (x >> s)
 *
 * Durations below 16 have a bucket each; above, a bucket is at most 1/16 of
 * its lower edge wide.  Indices 0 to 15 are never used.
 */
#ifndef PROFI_BUCKET_H
#define PROFI_BUCKET_H

#include "base.h"
#include <profcore/inline.h>

enum { PROFI_BUCKET_FIRST = 16, PROFI_BUCKET_COUNT = 976 };

static inline unsigned profi_bucket_of(uint64_t duration)
{
    return prof_inline_bucket_(duration); /* programs that inline the hot path count by it, too */
}

/* The longest duration of a bucket, from PROFI_BUCKET_FIRST on. */
static inline uint64_t profi_bucket_upper(unsigned index)
{
    unsigned shift = (index >> 4) - 1;
    return ((((uint64_t)(index & 15) + 17) << shift) - 1) - 16;
}

#endif
