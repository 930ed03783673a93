/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the layers above may ask of record/: to open, to count, and for a
 * copy of everything.  They never see a node.
 */
#ifndef PROFI_RECORD_H
#define PROFI_RECORD_H

#include "../base/bucket.h"
#include "../base/clock.h"
#include "../base/listener.h"
#include "../base/probe_table.h"
#include "ring.h"
#include <profcore/prof.h>

/* Reserves the region, of which event rings may take half, and fixes the clock.  Once; later calls do nothing. */
prof_status profi_record_open(uint64_t memory_bytes, int keeps_events, profi_clock_choice clock, prof_error *err);

/*
 * In crash-safe mode, before profi_record_open(): all that is recorded lies in
 * a file of `memory_bytes`, of which profi_dead_read() makes sense when the
 * process is no more.  The descriptor may be closed afterwards.  A forked
 * child has memory of its own, and no file.
 */
prof_status profi_record_open_file(int fd, uint64_t memory_bytes, profi_clock_choice clock, const char *name, prof_error *err);

/* What such a file says of the run. */
void profi_record_describe(const char *name, uint64_t start_tick, double scope_cost_ticks);

/*
 * When the library is loaded: makes fork() safe, before those above register
 * handlers of their own, and takes the key that tells of threads' ends.  An
 * early key is a low one, for which a thread's first scope allocates nothing,
 * so that it may be in a signal handler.
 */
void profi_record_load(void);

/*
 * What each thread calls when it records its first scope, with 1, and when it
 * ends, with 0; NULL: nothing.  It may be in a signal handler.
 */
void profi_record_thread_hook(void (*hook)(int is_beginning));

/*
 * Who is told of all scopes from now on: see listener.h.  Before the first is
 * let through; for good, and so in forked children.
 */
void profi_record_listen(const profi_listener *listener);

/* How a call of a site with PROF_SITE_GPU_SYNC waits before it ends; NULL: there is nothing to wait for. */
void profi_record_gpu_wait(void (*wait)(void));

/* Lets scopes through, or not: prof_active and its hidden twin. */
void profi_record_enable(int on);

/* The sum over all threads and what has no thread; `size` is set. */
void profi_record_stats(prof_stats *stats);

/*
 * What scopes cost here: the ticks that the fastest of several rounds of
 * begin and end took on this thread, into storage of their own; `calls`
 * receives how many pairs a round has.  While recording, one caller at a time.
 */
uint64_t profi_record_scope_cost(uint32_t *calls);

/* Finds or makes a site by its text; NULL when memory is spent.  After profi_record_open(). */
prof_site *profi_record_site(const char *name, size_t name_bytes, const char *file, uint32_t line, uint32_t flags);

/* A counter's value on the timeline, and nowhere else: one of ours, on a thread of ours. */
void profi_counter_event(prof_site *site, double value);

/* The same of a past moment: on a thread without scopes, in the order of time.  And some that are lost. */
void profi_counter_event_at(prof_site *site, double value, uint64_t tick);
void profi_counter_events_lost(uint64_t count);

/* A site as a reader sees it; the address lives as long as the process. */
typedef struct profi_site_view {
    const char *name, *file, *unit; /* file and unit may be NULL */
    uint32_t line, flags;
    uint64_t probes; /* rows of the probe table, as bits */
} profi_site_view;

/* How many sites there are by now, and each by its id, below that. */
uint32_t profi_record_site_count(void);
profi_site_view profi_record_site_view(uint32_t id);

/* The name that the system has for a live thread; "" where it has none any more. */
void profi_record_thread_name(int32_t tid, char name[16]);

#define PROFI_NO_PARENT UINT32_MAX

/* Of a sampled site's calls on one path, how many are timed before sampling begins. */
enum { PROFI_SAMPLE_WARM = 32 };

/* One node; a parent stands before its children. */
typedef struct profi_node_copy {
    uint32_t site;       /* index into sites */
    uint32_t parent;     /* index into nodes, or PROFI_NO_PARENT: outermost in its thread */
    uint32_t is_open;    /* a call is running */
    uint32_t has_histogram; /* 0: memory for it was spent */
    uint64_t calls, total, min, max; /* ended calls; ticks */
    uint64_t open_start; /* ticks, where is_open */
    uint64_t items;
    uint32_t is_estimate;     /* total is, for all calls */
    uint32_t is_sampled;      /* of all calls some were timed: see profi_sample */
    uint64_t first_calls, sampled_calls, sampled_total;
    double sampled_squares;
    size_t first_measure; /* index into measures: one for each of its site's probes */
} profi_node_copy;

typedef struct profi_thread_copy {
    int32_t tid;
    uint32_t exited; /* 1: not a thread but what exited threads left */
    uint64_t calls, lost, repaired, unmatched;
    char name[16];
} profi_thread_copy;

/* Of a thread of ours nobody needs to know then. */
static inline int profi_thread_copy_is_empty(const profi_thread_copy *copy)
{
    return (copy->calls | copy->lost | copy->repaired | copy->unmatched) == 0;
}

/* A bucket of a site, of one thread. */
typedef struct profi_bucket_copy {
    uint32_t site;
    uint16_t index;
    uint16_t is_of_spans; /* not of calls */
    uint64_t count;
} profi_bucket_copy;

/* A counter of one thread; also of a site that has no node. */
typedef struct profi_counter_copy {
    uint32_t site;
    uint64_t count, not_finite_count, last_tick;
    double last, sum, min, max;
} profi_counter_copy;

/* The spans of a site that one thread ended; ticks. */
typedef struct profi_span_copy {
    uint32_t site;
    uint32_t has_histogram; /* 0: memory for it was spent */
    uint64_t count, total, min, max;
} profi_span_copy;

typedef struct profi_record_copy {
    profi_site_view *sites;
    size_t site_count;
    profi_node_copy *nodes;
    size_t node_count;
    profi_thread_copy *threads;
    size_t thread_count;
    profi_bucket_copy *buckets;
    size_t bucket_count;
    profi_measure *measures;
    size_t measure_count;
    profi_counter_copy *counters;
    size_t counter_count;
    profi_span_copy *spans;
    size_t span_count;
    uint64_t lost_values;      /* of counters, and events beside scopes */
    uint64_t probe_ticks;      /* that reading probes took, on all threads */
    uint64_t kept_ticks;       /* that telling single calls apart took */
    uint64_t backward;         /* scopes for which the clock went back */
    uint64_t now;              /* ticks, read before all the rest */
    prof_stats stats;
} profi_record_copy;

/*
 * Copies all that was recorded while the threads go on.  A thread that
 * begins its first scope or a new path meanwhile does not wait; one that
 * exits does.
 */
prof_status profi_record_take(profi_record_copy *copy, prof_error *err);
void profi_record_copy_fini(profi_record_copy *copy);

typedef struct profi_events_copy {
    profi_rings_view rings; /* a live thread's name is "" where it has ended since */
    profi_site_view *sites; /* by the ids in the events */
    size_t site_count;
} profi_events_copy;

/* Copies what the event rings hold, on the same terms; nothing is there when none are kept. */
prof_status profi_events_take(profi_events_copy *copy, prof_error *err);
void profi_events_copy_fini(profi_events_copy *copy);

#endif
