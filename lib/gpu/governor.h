/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps what tracing costs within a budget: a share of the time since it
 * began, and a little more to begin with, so that short runs are traced
 * throughout.  Who has spent more pauses until that much has been saved.
 */
#ifndef PROFI_GPU_GOVERNOR_H
#define PROFI_GPU_GOVERNOR_H

#include "../base/base.h"

typedef struct profi_governor {
    double share;          /* of the time of one processor; 1 or more: no bound */
    uint64_t begun_ns;     /* when tracing began; 0: it has not */
    uint64_t changed_ns;   /* when it last went on or paused */
    uint64_t stopped_ns;   /* when tracing ended, where it has; else 0 */
    uint64_t traced_ns, paused_ns; /* until then */
    uint32_t is_paused;
    uint32_t windows;      /* times that it went on */
} profi_governor;

/*
 * Decides at `now_ns` whether to trace on, given what tracing has cost since
 * it began; returns when to ask again, `every_ns` later at the latest.
 */
uint64_t profi_governor_decide(profi_governor *governor, uint64_t now_ns, uint64_t cost_ns, uint64_t every_ns);

/* Tracing ends, and begins anew: what lies between is no time at all. */
void profi_governor_stop(profi_governor *governor, uint64_t now_ns);
void profi_governor_begin(profi_governor *governor, uint64_t now_ns);

/* How long it has traced by now, and how long that was in all. */
uint64_t profi_governor_traced_ns(const profi_governor *governor, uint64_t now_ns);
uint64_t profi_governor_elapsed_ns(const profi_governor *governor, uint64_t now_ns);

#endif
