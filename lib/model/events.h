/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event stream as format/ and api/ see it: what the rings held at one
 * moment, in nanoseconds, thread by thread in the order of starts, a scope
 * before those inside it.  What is as large as the stream lies in spools, so
 * that a stream may be larger than memory.
 *
 * What a thread has issued is held, or lost because the rings had no room:
 * held + lost = issued, exactly, for each thread and in all.  Scopes that are
 * open are not in it, unless it is of a process that is no more, or opened for
 * a dump: then they stand among the others, and what is older than the dump's
 * window, or has gone to the stream of the run, is left out and counted:
 * held + before + streamed + lost = issued.  Of threads that have ended it is
 * known in all only how many went there: where some were lost as well, which
 * thread's they were may be told wrong, and their sums are right.
 */
#ifndef PROFI_EVENTS_H
#define PROFI_EVENTS_H

#include "../base/base.h"
#include "../base/clock.h"
#include "../base/spool.h"
#include "../base/stream.h"
#include "../base/texts.h"
#include "open_stacks.h"

typedef struct profi_events_site {
    const char *name, *file; /* live as long as the events; file may be NULL */
    uint32_t line;
    uint32_t is_counter;     /* some event is a value of it */
    uint32_t process;        /* of a counter: whose values it has */
    const char *unit;        /* likewise: what they count, or NULL */
} profi_events_site;

/* A recording is of one process, a file may have more. */
typedef struct profi_events_process {
    int64_t pid;      /* 0: not known */
    const char *name; /* lives as long as the events */
} profi_events_process;

typedef struct profi_events_thread {
    uint64_t number; /* from 1, in order of first use */
    int32_t tid;     /* 0: not known, or, of one that has ended, a later one's by now */
    char name[64];   /* cleaned; "thread <number>" where it is not known */
    uint64_t held, lost;
    uint64_t filtered;      /* scopes too short to be issued, as far as it is known */
    uint64_t first, count;  /* its events in `cells`: those held, but for spans; and what is open, where that is shown */
    uint64_t before;        /* of a dump: left out, for they ended before its window */
    uint64_t streamed;      /* of a dump: not here, for they are in the stream */
    uint64_t open_count;    /* of `count`, those that have not ended */
    uint32_t process;
} profi_events_thread;

#define PROFI_STILL_OPEN UINT64_MAX /* as the end of a slice */

/*
 * Spans begin on one thread and end on any, so they lie on lanes of their
 * own: of those of one track no two overlap on a lane.
 */
typedef struct profi_events_lane {
    uint32_t track;        /* the site that names it: that of its spans, but for work that was done elsewhere */
    uint32_t number;       /* of its track's lanes, from 0 */
    uint64_t first, count; /* in `cells` */
    uint32_t process;
} profi_events_lane;

typedef enum profi_slice_kind {
    PROFI_SLICE_SCOPE,
    PROFI_SLICE_SPAN,
    PROFI_SLICE_INSTANT,
    PROFI_SLICE_COUNTER
} profi_slice_kind;

/* What belongs to an event beside its name and times. */
typedef enum profi_detail_kind {
    PROFI_ARG_INT,
    PROFI_ARG_DOUBLE,
    PROFI_ARG_TEXT,
    PROFI_FLOW_HERE, /* it is one of the stations of a flow */
    PROFI_FLOW_LAST  /* the last of them */
} profi_detail_kind;

typedef struct profi_detail {
    profi_detail_kind kind;
    uint32_t name; /* an argument's: in `sites` */
    union {
        int64_t integer;
        double number;
        const char *text; /* cleaned */
        uint64_t flow;
    } value;
} profi_detail;

/* An argument; else a station of a flow. */
static inline int profi_detail_is_argument(const profi_detail *detail) { return detail->kind <= PROFI_ARG_TEXT; }

typedef struct profi_request_id {
    uint64_t low, high;
} profi_request_id;

typedef struct profi_slice {
    profi_slice_kind kind;
    uint32_t site;
    uint32_t depth; /* how many scopes of this thread it lies in */
    uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC; equal for what has no duration; the end may be PROFI_STILL_OPEN */
    double value;              /* a counter's */
    const profi_detail *details;
    size_t detail_count;
    const profi_request_id *request; /* under which it happened, or NULL */
} profi_slice;

/* Beside the cell of an event, where any of its thread has details or a request. */
typedef struct profi_extra {
    uint32_t first_detail, detail_count;
    uint32_t request; /* its index in `requests` plus 1; 0: none */
} profi_extra;

/* Of what was read from a file: whose it is, and what is not as it should be. */
typedef struct profi_events_notes {
    const char *producer;     /* what the file says of it, or NULL */
    uint64_t packets;         /* of any kind */
    uint64_t other_packets;   /* of them, of producers whose events are none of these */
    uint64_t without_clock;   /* events left out: their clock's relation to the others is not known */
    uint64_t without_names;   /* events left out: the packets that they refer to are missing */
    uint64_t not_understood;  /* events left out: of kinds that are not read */
    uint64_t stray_ends;      /* ends of slices that did not begin */
    uint64_t unfinished;      /* slices that did not end */
    uint64_t disordered;      /* events earlier than the one before on their track, in a file that promises order: they are as late as it */
    uint64_t torn_bytes;      /* behind the last whole packet */
    int has_no_end;           /* of a stream: its last record is not there */
} profi_events_notes;

struct prof_inline_cell;
typedef struct profi_events {
    const char *run_name; /* owned; the first process's */
    int64_t pid;          /* likewise */
    profi_events_process *processes;
    uint32_t process_count;
    profi_clock_moment taken; /* nothing in it is later */
    profi_events_notes notes; /* all zero for a recording */
    profi_events_site *sites;
    uint32_t site_count;
    profi_events_thread *threads; /* by number; those that have issued anything, as far as they are known */
    uint32_t thread_count;
    profi_events_lane *lanes; /* by track, then number */
    size_t lane_count;
    uint64_t issued, held, lost;
    uint64_t lost_of_unknown; /* of `lost`: by threads that have ended and of which nothing is held */
    uint64_t filtered;        /* scopes too short to be issued */
    uint64_t before, streamed; /* of a dump */
    uint64_t streamed_of_unknown; /* of `streamed`: as lost_of_unknown */
    const profi_open_stacks *stacks; /* of a dump: what was open, and why it is made; else NULL; the caller's */
    profi_clock_scale scale;
    struct prof_inline_cell *cells; /* in cell_spool, and so on */
    uint32_t *depths;    /* one for each cell */
    profi_extra *extras; /* likewise; NULL when there is none */
    profi_spool cell_spool, depth_spool, extra_spool, detail_spool;
    profi_detail *details;
    size_t detail_count;
    profi_request_id *requests;
    size_t request_count;
    profi_texts texts;
} profi_events;

/* What a stream is made of. */
typedef struct profi_events_source {
    const char *run_name; /* copied */
    int64_t pid;
    profi_clock_moment taken;
    profi_clock_scale scale;
    struct profi_rings_view *rings; /* its lists get another order */
    const profi_events_site *sites; /* by the ids in the cells; copied, their texts live as long as the events */
    uint32_t site_count;
    const profi_open_stacks *stacks; /* for a dump, else NULL: taken before the rings were read */
    uint64_t since;             /* for a dump: what ended before this tick is left out */
    const struct profi_open_cell *opens; /* scopes that were open, by thread, the innermost first; NULL: none */
    size_t open_count;
} profi_events_source;
prof_status profi_events_make(const profi_events_source *source, profi_events **events, prof_error *err);

/*
 * The same where events are streamed to a file: `copy`, and before it what
 * the first `bytes` bytes of the stream `fd` have.
 */
struct profi_events_copy;
prof_status profi_events_open_streamed(const char *run_name, struct profi_events_copy *copy, int fd, uint64_t bytes,
                                       profi_events **events, prof_error *err);

/* Whether bytes begin as what a process streams; and the events of such a file or pipe, up to its end. */
int profi_events_is_tape(const unsigned char *data, size_t bytes);
prof_status profi_events_of_tape(profi_stream *stream, const char *what, profi_events **events, prof_error *err);

/* The stream of a process that is no more. */
struct profi_dead;
prof_status profi_events_of_dead(struct profi_dead *dead, profi_events **events, prof_error *err);

/*
 * Takes the stream from the rings, while threads go on recording.  issued is 0
 * where no ring is kept.  What was streamed to a pipe counts as lost.
 */
prof_status profi_events_open(const char *run_name, profi_events **events, prof_error *err);
void profi_events_close(profi_events *events); /* NULL is accepted */

/*
 * The same for a dump: with the scopes that were open when `stacks` was taken
 * a moment ago and the rings copied, but for those that have ended since and
 * those that are not timed; without what had ended more than window_ns before that, 0: with all
 * that is held.
 */
prof_status profi_events_open_dump(const profi_open_stacks *stacks, uint64_t window_ns, struct profi_events_copy *copy,
                                   profi_events **events, prof_error *err);

/*
 * The next batch of `count` slices that stand from `first` on, a thread's or
 * a lane's: those from the one with index `from` on.  Returns how many were
 * stored, 0 at the end.  Where two slices have equal times, their order and
 * depth tell which lies in which.  Where the clocks of two cores disagree, a
 * slice may overlap its neighbours by as much.
 */
size_t profi_events_read(const profi_events *events, uint64_t first, uint64_t count, uint64_t from, profi_slice *slices,
                         size_t room);

#endif
