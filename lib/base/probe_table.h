/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table through which scopes reach what measures them besides the
 * clock.  A probe is one row: the site flag that asks for it and two
 * functions.  record/ calls them without knowing what they read; probe/ and
 * gpu/ fill them in without knowing what a scope is.
 */
#ifndef PROFI_PROBE_TABLE_H
#define PROFI_PROBE_TABLE_H

#include "base.h"

enum { PROFI_PROBE_RSS, PROFI_PROBE_COUNT };

/* A gauge that a probe read: `peak` is the highest value known, exact or a lower bound. */
typedef struct profi_reading {
    uint64_t value;      /* now */
    uint64_t high_water; /* highest since the process began, or 0 where that is not known */
} profi_reading;

/*
 * What a probe keeps for one node.  One writer, the thread that owns the
 * node; a snapshot reads it by relaxed access and may see one call's figures
 * half added, which the next snapshot mends.
 */
typedef struct profi_gauge {
    /* of the open call; not for other threads */
    uint64_t begin_value, begin_high_water;
    uint32_t begin_valid, reserved;
    /* of all calls */
    uint64_t call_count; /* calls measured at both ends */
    int64_t growth;      /* sum of end - begin */
    uint64_t peak;       /* highest value known in any call */
    uint32_t peak_is_bound; /* the truth may be higher */
    uint32_t failed;        /* a read failed: some calls are not in here */
} profi_gauge;

typedef struct profi_probe {
    uint32_t site_flag;
    /* Reads the gauge; 0 when it cannot be had.  Runs on the caller's thread, inside a scope's begin or end. */
    int (*read)(profi_reading *reading);
} profi_probe;

/* Row i is the probe PROFI_PROBE_i; a row without `read` is not there in this process. */
extern profi_probe profi_probe_table[PROFI_PROBE_COUNT];

/* A scope begins, and ends. */
void profi_gauge_begin(const profi_probe *probe, profi_gauge *gauge);
void profi_gauge_end(const profi_probe *probe, profi_gauge *gauge);

/* Adds what `from` measured to `into`: two nodes become one. */
void profi_gauge_merge(profi_gauge *into, const profi_gauge *from);

#endif
