/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Utilisation: values that are sampled at a stated rate while the recorder
 * runs, such as a GPU's power or the CPU time of the process.
 *
 *     row: one named value, summed up        source: what reads some rows
 *     CPU process          %       \_ probe/cpu.c
 *     CPU machine          %       /
 *     GPU 0 power          W       \_ gpu/nvml.c
 *     GPU 0 temperature    C       /
 *
 * One thread samples and writes (api/sampler.c); snapshots, of any thread,
 * copy.  Both take one lock, for some instructions: no source is read under it.
 * A sample counts when all of it has been taken, so that a snapshot has rows of
 * the same samples.
 */
#ifndef PROFI_USAGE_H
#define PROFI_USAGE_H

#include "base.h"

enum { PROFI_USAGES = 320 };

typedef struct profi_usage {
    char name[48];
    const char *unit;       /* static: "%", "bytes", "W", "MHz", "C" */
    char of[160];           /* "process", "machine", or which device: clean text */
    char reason[160];       /* of the last reading that failed, or why there can be none; "": all went well */
    uint64_t count;         /* samples with a value, which the figures below are of */
    uint64_t failed_count;  /* samples without one, though one was to be had */
    uint64_t bits;          /* of a value that is a set: what was in it in any sample */
    double last, sum, max;
    double limit;           /* what it can be at most; 0: nothing is known */
    int is_fresh, has_failed; /* in the sample at hand, which is in none of the figures before it is complete */
} profi_usage;

/* How the sampling goes. */
typedef struct profi_usage_state {
    uint64_t every_ms;      /* 0: nobody asked for it */
    uint64_t count;         /* samples that were taken */
    uint64_t missed_count;  /* those that were due while another was being taken, or while the machine was busy */
    uint64_t took_ns;       /* that taking them took */
    uint64_t began_ns;      /* of the one that is being taken, on CLOCK_MONOTONIC; 0: none is */
} profi_usage_state;

/* ---- for sources, on the sampling thread ---- */

/* The row of this name and owner, made if need be; NULL where there is no room, which the others below ignore. */
PROFI_PRINTF(3, 4) profi_usage *profi_usage_add(const char *of, const char *unit, const char *name_format, ...);
void profi_usage_value(profi_usage *row, double value);
void profi_usage_limit(profi_usage *row, double limit);

/* No value this time. */
PROFI_PRINTF(2, 3) void profi_usage_failed(profi_usage *row, const char *reason, ...);

/* There will be none: it is no sample that failed. */
PROFI_PRINTF(2, 3) void profi_usage_unavailable(profi_usage *row, const char *reason, ...);

/*
 * A row of a set: `bits` in this sample, 100 % where any of `counted` is among
 * them.  Each bit that was ever in it has a row of its own, with the share of
 * the samples; `names` has those of the bits, up to NULL.
 */
void profi_usage_set(profi_usage *row, uint64_t bits, uint64_t counted, const char *const *names);

/* ---- for who samples ---- */

void profi_usage_began(uint64_t every_ms, uint64_t now_ns);
/* The sample is complete. */
void profi_usage_ended(uint64_t took_ns, uint64_t missed_count);

/* The value of a row in the sample at hand; 0: it has none. */
int profi_usage_fresh(unsigned row, double *value);

/* ---- for anybody ---- */

unsigned profi_usage_count(void);
void profi_usage_copy(unsigned row, profi_usage *into);
profi_usage_state profi_usage_state_now(void);

/* Around a fork, and in the child, which has sampled nothing. */
void profi_usage_lock(void);
void profi_usage_unlock(void);
void profi_usage_forget(void);

#endif
