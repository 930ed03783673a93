/* SPDX-License-Identifier: Apache-2.0 */
/* Making one thread's part of the event stream: shared by events.c, events_dump.c and events_thread.c only. */
#ifndef PROFI_EVENTS_THREAD_H
#define PROFI_EVENTS_THREAD_H

#include "../record/ring.h"
#include "events.h"
#include <profcore/inline.h>

/* A span, until it has its lane. */
typedef struct profi_span_held {
    prof_inline_cell cell;
    profi_extra extra;
    uint32_t lane; /* of its site's */
} profi_span_held;

/* A detail that waits for its event. */
typedef struct profi_detail_waiting {
    uint32_t level;
    uint64_t tick; /* when it was given: its scope had begun */
    profi_detail detail;
} profi_detail_waiting;

/* What is being made of the rings' cells, thread by thread, cell by cell. */
typedef struct profi_events_maker {
    profi_events *events;
    size_t request_room;
    uint64_t cell_count; /* in events->cells so far */
    profi_span_held *spans;
    size_t span_count, span_room;
    profi_detail_waiting *waiting; /* the deepest last */
    size_t waiting_count, waiting_room;
    uint32_t request; /* in force: as profi_extra.request */
    char text[128];   /* a text whose bytes come in several cells: of text_bytes, text_used are there */
    uint64_t text_bytes, text_used;
    int is_memory_spent;
    uint64_t since; /* of a dump */
    uint64_t exited_streamed; /* events of threads that have ended, so far of none of those that are made */
    const struct profi_open_cell *opens, *opens_end; /* those of the threads that are not made yet */
} profi_events_maker;

/* When an event began; of what has no duration, its time. */
static inline uint64_t profi_events_start_of(const prof_inline_cell *cell)
{
    return profi_event_kind(cell->what) == PROFI_EVENT_COUNTER ? cell->end : cell->start;
}

/* Cells follow that do not go on where those before ended. */
void profi_events_gap(profi_events_maker *maker);

/* The next cell of the thread; returns whether it is an event. */
int profi_events_cell(profi_events_maker *maker, const prof_inline_cell *cell);

/* Adds one to events->details; 0 where there is no room. */
int profi_events_add_detail(profi_events *events, const profi_detail *detail);

/* For a dump, when all cells of a thread are there, its spans from first_span on: leaves out what ended before its window. */
void profi_events_cut_window(profi_events_maker *maker, profi_events_thread *thread, size_t first_span);

/*
 * For a dump: how many of a live thread's open scopes, innermost first, are of no
 * use by now, since they had ended when its events were read.
 */
size_t profi_events_ended_since(const profi_events_maker *maker, const profi_events_thread *thread,
                                const struct profi_open_cell *opens, size_t count);

/*
 * Brings a thread's events, which stand in the order of their ends, into the
 * order of their starts, and fills in their depths.  `scratch` may be used
 * again for the next.  0, or an errno value.
 */
int profi_events_order(const profi_events *events, uint64_t first, uint64_t count, profi_spool *scratch);

/* Gives the spans their lanes, and their place behind all other cells; 0 when memory is spent. */
int profi_events_place_spans(profi_events_maker *maker);

void profi_events_maker_fini(profi_events_maker *maker);

#endif
