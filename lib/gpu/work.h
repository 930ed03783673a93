/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a GPU did, and which scopes asked for it.
 *
 *     launch, on the program's thread         record, later, from the driver
 *     correlation id ──▶ open scopes   ◀────  correlation id, start, end, …
 *
 * A launch notes the sites of the scopes that are open on its thread, and
 * their path, in a table of the latest ones; a record finds them there by its
 * id, is added to the figures of each of their sites and of each path that
 * leads there, and becomes a span on the track of its stream.  What finds none
 * is counted as unattributed.
 *
 * Knows no driver: records come from wherever there are any.
 */
#ifndef PROFI_GPU_WORK_H
#define PROFI_GPU_WORK_H

#include "../base/base.h"

/* The last is no work of the GPU: a thread of the program waits for it. */
typedef enum profi_gpu_kind { PROFI_GPU_KERNEL, PROFI_GPU_COPY, PROFI_GPU_SET, PROFI_GPU_WAIT, PROFI_GPU_KINDS } profi_gpu_kind;

/* Where from and where to a copy goes. */
typedef enum profi_gpu_way {
    PROFI_GPU_TO_DEVICE,
    PROFI_GPU_TO_HOST,
    PROFI_GPU_ON_DEVICE, /* or from one to another */
    PROFI_GPU_OTHER_WAY,
    PROFI_GPU_WAYS
} profi_gpu_way;

typedef struct profi_gpu_record {
    profi_gpu_kind kind;
    profi_gpu_way way; /* of a copy */
    uint32_t device, stream, correlation;
    uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC */
    uint64_t bytes;            /* of copies and sets */
    uint64_t graph_node;       /* in a graph: which of its nodes; 0: in none, or not known */
    const char *name;          /* of a kernel; lives as long as the process, or NULL */
} profi_gpu_record;

/* Allocates the tables; 0 when memory is spent.  Once; later calls do nothing. */
int profi_gpu_work_open(void);

/* The calling thread launches something, or, where nothing is started, waits.  Takes no lock. */
void profi_gpu_work_launched(uint32_t correlation, int starts_work);

/* How many of these started work, since the library was loaded. */
uint64_t profi_gpu_work_launches(void);

/* Takes a record, from any thread; it counts when those at hand are settled. */
void profi_gpu_work_add(const profi_gpu_record *record);

/* Counts what has come, in the order of its starts, and makes spans of it on the calling thread. */
void profi_gpu_work_settle(void);

/* Tracing goes on after a pause: for estimates of what was missed. */
void profi_gpu_work_window(void);

/* What a driver says that tracing has cost, and what launches and settling have cost here, in nanoseconds so far. */
void profi_gpu_work_overhead(uint64_t ns);
uint64_t profi_gpu_work_cost_ns(void);

/* Records that a driver has thrown away, or given to somebody else. */
void profi_gpu_work_dropped(uint64_t count);

/* What was done for the calls of one site, or of one path of sites, and below them. */
typedef struct profi_gpu_figures {
    uint32_t of;                        /* the site's id, or the path's number: see profi_work_path_of() */
    uint64_t launches;                  /* of which anything has come back */
    uint64_t counts[PROFI_GPU_KINDS];
    uint64_t ns[PROFI_GPU_KINDS];       /* each summed, overlaps counted twice */
    uint64_t bytes[PROFI_GPU_WAYS];     /* copied */
    uint64_t busy_ns, self_busy_ns;     /* the union; and of what these scopes launched themselves */
    double busy_squares;                /* of what each window of tracing added to busy_ns, summed */
    uint32_t is_bound;                  /* busy may have been longer */
    uint64_t queue_ns, queue_max_ns;    /* from a launch to its first work, of all launches; and the longest */
    uint64_t call_count;                /* of a site: calls that work has come back for */
    uint64_t done_ns, done_max_ns;      /* likewise: from a call's begin to the end of its last work, summed, and the longest */
} profi_gpu_figures;

typedef struct profi_gpu_totals {
    uint64_t counts[PROFI_GPU_KINDS];
    uint64_t attributed, unattributed; /* work in scopes, and in none that is known */
    uint64_t cut;                      /* launches in more functions than are noted: the outer ones lack their work */
    uint64_t unplaced;                 /* of `attributed`, work for whose path there was no memory */
    uint64_t dropped;                  /* by the driver, for want of room here, or to another tool: in no other figure */
    uint64_t busy_ns;                  /* of all devices together */
    uint32_t is_bound;
} profi_gpu_totals;

/* What has been settled, all of one moment. */
typedef struct profi_gpu_copy {
    profi_gpu_totals totals;
    profi_gpu_figures *sites, *paths; /* owned */
    size_t site_count, path_count;
} profi_gpu_copy;

/* 0 when memory is spent, and then nothing is to be freed. */
int profi_gpu_work_copy(profi_gpu_copy *copy);
void profi_gpu_copy_fini(profi_gpu_copy *copy);

/* Around a fork; the child begins with nothing. */
void profi_gpu_work_lock(void);
void profi_gpu_work_unlock(void);
void profi_gpu_work_forget(void);

#endif
