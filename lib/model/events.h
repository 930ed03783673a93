/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event stream as format/ and api/ see it: what the rings held at one
 * moment, in nanoseconds, thread by thread in the order of starts, a scope
 * before those inside it.
 *
 * What a thread has issued is held, or lost because the rings had no room:
 * held + lost = issued, exactly, for each thread and in all.  Scopes that are
 * open are not in it.
 */
#ifndef PROFI_EVENTS_H
#define PROFI_EVENTS_H

#include "../base/base.h"
#include "../base/clock.h"

typedef struct profi_events_site {
    const char *name, *file; /* live as long as the process; file may be NULL */
    uint32_t line;
} profi_events_site;

typedef struct profi_events_thread {
    uint64_t number; /* from 1, in order of first use */
    int32_t tid;     /* 0: it has ended */
    char name[64];   /* cleaned; "thread <number>" where it is not known */
    uint64_t held, lost;
    uint64_t first;  /* of its events, in what `source` holds */
} profi_events_thread;

typedef struct profi_slice {
    uint32_t site;
    uint32_t depth; /* how many scopes of this thread it lies in */
    uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC */
} profi_slice;

typedef struct profi_events {
    const char *run_name; /* owned */
    int64_t pid;
    profi_clock_moment taken;
    profi_events_site *sites;
    uint32_t site_count;
    profi_events_thread *threads; /* by number; those that have issued anything, as far as they are known */
    uint32_t thread_count;
    uint64_t issued, held, lost;
    uint64_t lost_of_unknown; /* of `lost`: by threads that have ended and of which nothing is held */
    profi_clock_scale scale;
    struct profi_event *source;
} profi_events;

/* Takes the stream from the rings, while threads go on recording.  issued is 0 where no ring is kept. */
prof_status profi_events_open(const char *run_name, profi_events **events, prof_error *err);
void profi_events_close(profi_events *events); /* NULL is accepted */

/*
 * The next batch of a thread's slices, from the one with this index on:
 * returns how many were stored, 0 at the end.  Where two slices have equal
 * times, their order and depth tell which lies in which.  Where the clocks of
 * two cores disagree, a slice may overlap its neighbours by as much.
 */
size_t profi_events_read(const profi_events *events, uint32_t thread, uint64_t from, profi_slice *slices, size_t room);

#endif
