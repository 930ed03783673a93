/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event stream made of a file: slices begin and end, track by track, and
 * become the cells that a thread's ring would have held, in nanoseconds.  So
 * what nests and orders a recording does the same for a file of anybody.
 *
 * Events of a track come in the order of their times, those of several tracks
 * mixed as they like; where a file's producer does not promise that, the
 * events are held until all of them are there.  What is as large as the file
 * lies in spools.
 */
#ifndef PROFI_EVENTS_BUILD_H
#define PROFI_EVENTS_BUILD_H

#include "events.h"

#include "../base/number_map.h"

/* A slice that has begun. */
typedef struct profi_build_open {
    uint64_t start;
    uint32_t site;
    profi_extra extra;
} profi_build_open;

/* A thread, or whatever else has slices that lie in each other or follow each other. */
typedef struct profi_build_track {
    uint32_t process;
    int32_t tid;      /* 0: it is no thread, or which is not known */
    const char *name; /* NULL: not known */
    uint64_t lost;    /* events of it that the file says it does not have */
    int is_lane;      /* the file says that it is one of spans */
    /* The builder's: */
    profi_build_open *open; /* the innermost last */
    size_t open_count, open_room;
    uint64_t count, last_ns;
    uint64_t next;    /* where its next cell goes, when they are put together */
    uint64_t held_ns; /* of the latest of its events that are held */
    int is_disordered; /* one that is held is earlier than one before it */
    uint32_t site;    /* of its first slice */
    uint32_t is_mixed; /* not all of its events are of that site, */
    uint32_t is_nested; /* or outermost slices */
    uint32_t request; /* of its last event: as profi_extra.request */
} profi_build_track;

typedef struct profi_events_builder {
    profi_events *events;
    profi_build_track *tracks; /* the reader may set the first fields at any time */
    size_t track_count, track_room, process_room, request_room;
    uint32_t *site_table; /* numbers of sites, open addressing */
    uint32_t site_table_size, site_room;
    profi_spool track_spool; /* of each cell, its track */
    uint64_t cell_count;
    uint64_t last_ns;        /* of any event */
    profi_number_map pids;   /* of processes that were added: how many with a number */
    profi_spool held_spool;  /* events that wait: see profi_build_hold() */
    uint64_t held_count;
    int is_holding;
    int error; /* sticky: an errno value, asked for once, at the end */
} profi_events_builder;

/* Arguments and flows of an event, and its request. */
typedef struct profi_build_details {
    const profi_detail *details;
    size_t count;
    const profi_request_id *request; /* or NULL */
} profi_build_details;

/* Begins; profi_build_finish() says whether that went well.  While there is an error the others do nothing. */
void profi_build_init(profi_events_builder *builder);

/* A text of the stream's own, cleaned; NULL when memory is spent. */
const char *profi_build_text(profi_events_builder *builder, const void *text, size_t bytes);

/* The site with this key, texts that profi_build_text() gave, added if need be. */
uint32_t profi_build_site(profi_events_builder *builder, const char *name, const char *file, uint32_t line);

/* A site that no other event finds: a counter's. */
uint32_t profi_build_counter_site(profi_events_builder *builder, const char *name);

uint32_t profi_build_process(profi_events_builder *builder, int64_t pid, const char *name);

/*
 * What must be added to the numbers of a process and its threads, of one more
 * file: 0, unless a process of another has that number.
 */
int32_t profi_build_process_offset(const profi_events_builder *builder, int64_t pid);

/*
 * What must be added to the times of one more file, of which `moment` is one
 * moment on several clocks, so that they lie on the clock of the first.
 */
int64_t profi_build_clock_offset(const profi_events_builder *builder, const profi_clock_moment *moment);

/* A new track, of process 0. */
uint32_t profi_build_track_new(profi_events_builder *builder);

void profi_build_begin(profi_events_builder *builder, uint32_t track, uint64_t ns, uint32_t site,
                       const profi_build_details *details);
/* Ends the innermost; what is given here belongs to it too.  Without one, it is counted as stray. */
void profi_build_end(profi_events_builder *builder, uint32_t track, uint64_t ns, const profi_build_details *details);
/* Both, of a slice that says at once when it ends. */
void profi_build_whole(profi_events_builder *builder, uint32_t track, uint64_t ns, uint64_t end_ns, uint32_t site,
                       const profi_build_details *details);
void profi_build_instant(profi_events_builder *builder, uint32_t track, uint64_t ns, uint32_t site,
                         const profi_build_details *details);
void profi_build_value(profi_events_builder *builder, uint32_t track, uint64_t ns, uint32_t site, double value);

/*
 * From here on events may come in any order, until profi_build_release() puts
 * those of each track into the order of their times; events of one time stay
 * in the order in which they came.
 */
void profi_build_hold(profi_events_builder *builder);
void profi_build_release(profi_events_builder *builder);

/*
 * Hands the stream over: slices that have not ended stay so.  `what` names
 * the source in a message.  The builder is empty then, whatever is returned.
 */
prof_status profi_build_finish(profi_events_builder *builder, const char *what, profi_events **events, prof_error *err);

/* Drops everything; fine on an empty one. */
void profi_build_fini(profi_events_builder *builder);

/* An event as it comes: of a counter, `value` has the bits of the number. */
typedef struct profi_build_event {
    uint64_t ns, value;
    uint32_t track, site;
    profi_extra extra;
    enum { PROFI_BUILD_BEGIN, PROFI_BUILD_END, PROFI_BUILD_INSTANT, PROFI_BUILD_VALUE } kind;
} profi_build_event;

/* For events_hold.c: takes an event that is not held any more. */
void profi_build_take(profi_events_builder *builder, const profi_build_event *event);
/* For events_build.c: keeps an event until all are there. */
void profi_build_keep(profi_events_builder *builder, const profi_build_event *event);

/* For profi_build_finish(): puts the cells of each track together, in events_layout.c; 0, or an errno value. */
int profi_build_lay_out(profi_events_builder *builder);

#endif
