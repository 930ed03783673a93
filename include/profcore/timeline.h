/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timelines that were written: single events of any program, read from a
 * file, looked at, merged, written in other formats, and made into tables.
 *
 *     prof_timeline *timeline;
 *     if (prof_timeline_read_file("service_1747928899.pftrace", &timeline, &err) == PROF_OK) {
 *         prof_timeline_write_file(timeline, "chrome", "service.trace.json", &err);
 *         prof_timeline_close(timeline);
 *     }
 *
 * A timeline may be larger than memory: what does not fit lies in a file in
 * $TMPDIR that has no name.
 */
#ifndef PROFCORE_TIMELINE_H
#define PROFCORE_TIMELINE_H

#include <profcore/events.h>
#include <profcore/snapshot.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct prof_timeline prof_timeline;

/*
 * Gives the next bytes of a file that is read from front to back, at most
 * `room` of them: how many there are, 0 at the end, or an errno value below 0.
 */
typedef int64_t (*prof_read_callback)(void *user, void *data, size_t room);

/* A file to read; it never grows. */
typedef struct prof_timeline_source {
    prof_read_callback read;
    void *user;       /* passed on */
    const char *what; /* what messages call it, such as the file's name; NULL: "the data" */
} prof_timeline_source;

/*
 * Reads timelines: a "pftrace", ours or any with Perfetto's TrackEvents.
 * Which format it is shows in its content.
 * What a program streams (PROFCORE_STREAM) is read as well, alone, until its
 * end or the end of the file.
 *
 * Of several, one is made.  Each has its processes, also where two have the
 * same number: then the later has a higher one.  Files of one boot of one
 * machine share its clock; others are moved by their real time, which is as
 * exact as the machines' clocks agree.
 *
 *   sources   `count` of them, at least one.
 *   timeline  Receives it; close it with prof_timeline_close().
 *   returns   PROF_OK, also where events had to be left out or a file ends in
 *             the middle, which prof_timeline_about() counts; PROF_E_FORMAT for
 *             what is no timeline, or damaged, with the place;
 *             PROF_E_UNSUPPORTED for a stream among several; PROF_E_IO also
 *             where $TMPDIR has no room; PROF_E_LIMIT; PROF_E_INVALID;
 *             PROF_E_NO_MEMORY.
 *   threads   Any.
 *   memory    Up to 64 MiB for each of a few arrays; what is larger lies in $TMPDIR.
 *   since     0.1
 */
PROF_API prof_status prof_timeline_read(const prof_timeline_source *sources, size_t count, prof_timeline **timeline,
                                        prof_error *err);

/* Reads one regular file, of any size; otherwise as prof_timeline_read(); since 0.1. */
PROF_API prof_status prof_timeline_read_file(const char *path, prof_timeline **timeline, prof_error *err);

/* Whether what begins with these bytes looks like a timeline that can be read; 64 bytes are enough to tell; since 0.1. */
PROF_API int prof_timeline_looks_like(const void *data, size_t bytes);

/* Frees a timeline and all text read from it; NULL is accepted; since 0.1. */
PROF_API void prof_timeline_close(prof_timeline *timeline);

/* What a timeline holds, and what is not as it should be.  Text belongs to the timeline. */
typedef struct prof_timeline_about {
    uint32_t size;            /* sizeof(prof_timeline_about) */
    uint32_t process_count;
    const char *producer;     /* "profcore", or NULL: another, or several */
    uint64_t track_count;     /* threads, and what else has slices of its own */
    uint64_t event_count;     /* that it holds */
    uint64_t lost_count;      /* that the recording no longer had, as far as the file says */
    uint64_t first_ns;        /* of its clock, mostly CLOCK_MONOTONIC: its first event, */
    uint64_t last_ns;         /* and its last moment */
    uint64_t last_unix_ns;    /* the same moment in real time; 0: not known */
    uint64_t unfinished;      /* slices that had not ended */
    uint64_t stray_ends;      /* ends of slices that did not begin; left out */
    uint64_t disordered;      /* of our own, damaged: events earlier than the one before on their track; taken for as late as it */
    uint64_t without_clock;   /* events left out: nothing relates their clock to the others */
    uint64_t without_names;   /* events left out: packets that they refer to are missing */
    uint64_t not_understood;  /* events and arguments left out: of kinds that are not read */
    uint64_t other_packets;   /* of other producers, such as the kernel's scheduler; left out */
    uint64_t torn_bytes;      /* behind the last whole packet or record */
    uint64_t has_no_end;      /* 1: a stream that lacks its end: the program was killed, goes on, or ended before all was read */
} prof_timeline_about;

#define PROF_TIMELINE_ABOUT_INIT \
    { (uint32_t)sizeof(prof_timeline_about), 0u, NULL, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u }

/*
 * Says what a timeline holds.
 *
 *   about     Its size field set (PROF_TIMELINE_ABOUT_INIT).
 *   returns   PROF_OK; PROF_E_INVALID.
 *   since     0.1
 */
PROF_API prof_status prof_timeline_about_get(const prof_timeline *timeline, prof_timeline_about *about, prof_error *err);

typedef struct prof_timeline_process {
    uint32_t size, reserved; /* sizeof(prof_timeline_process) */
    int64_t pid;             /* 0: not known */
    const char *name;
} prof_timeline_process;

#define PROF_TIMELINE_PROCESS_INIT { (uint32_t)sizeof(prof_timeline_process), 0u, 0, NULL }

/* Reads a process, below process_count: PROF_OK or PROF_E_INVALID; since 0.1. */
PROF_API prof_status prof_timeline_process_get(const prof_timeline *timeline, uint32_t process, prof_timeline_process *row,
                                               prof_error *err);

/* A thread, or what else has slices that follow or enclose each other. */
typedef struct prof_timeline_track {
    uint32_t size;        /* sizeof(prof_timeline_track) */
    uint32_t process;
    int64_t tid;          /* 0: it is no thread; or which is not known, or the system gave it to another */
    const char *name;
    uint64_t slice_count; /* also instants and values */
    uint64_t lost_count;
} prof_timeline_track;

#define PROF_TIMELINE_TRACK_INIT { (uint32_t)sizeof(prof_timeline_track), 0u, 0, NULL, 0u, 0u }

/* Reads a track, below track_count: PROF_OK or PROF_E_INVALID; since 0.1. */
PROF_API prof_status prof_timeline_track_get(const prof_timeline *timeline, uint64_t track, prof_timeline_track *row,
                                             prof_error *err);

#define PROF_SLICE_SCOPE 0u
#define PROF_SLICE_SPAN 1u
#define PROF_SLICE_INSTANT 2u
#define PROF_SLICE_VALUE 3u

typedef struct prof_timeline_slice {
    uint32_t size;           /* sizeof(prof_timeline_slice) */
    uint32_t kind;           /* PROF_SLICE_… */
    const char *name, *file; /* file may be NULL */
    uint32_t line, depth;
    uint64_t start_ns;
    uint64_t end_ns;         /* UINT64_MAX: it had not ended */
    double value;            /* of a value */
    uint64_t argument_count;
    prof_request request;    /* for which it happened; all zero: none is named */
} prof_timeline_slice;

#define PROF_TIMELINE_SLICE_INIT { (uint32_t)sizeof(prof_timeline_slice), 0u, NULL, NULL, 0u, 0u, 0u, 0u, 0.0, 0u, { 0u, 0u } }

/*
 * Reads one slice of a track, in the order of starts, a scope before those
 * inside it.
 *
 *   index     Below the track's slice_count.
 *   slice     Its size field set (PROF_TIMELINE_SLICE_INIT).
 *   returns   PROF_OK; PROF_E_INVALID.
 *   since     0.1
 */
PROF_API prof_status prof_timeline_slice_get(const prof_timeline *timeline, uint64_t track, uint64_t index,
                                             prof_timeline_slice *slice, prof_error *err);

typedef struct prof_timeline_argument {
    uint32_t size;    /* sizeof(prof_timeline_argument) */
    uint32_t type;    /* PROF_ARG_…: which of the three it is */
    const char *name;
    int64_t integer;
    double number;
    const char *text;
} prof_timeline_argument;

#define PROF_TIMELINE_ARGUMENT_INIT { (uint32_t)sizeof(prof_timeline_argument), 0u, NULL, 0, 0.0, NULL }

/* Reads an argument of a slice, below its argument_count: PROF_OK or PROF_E_INVALID; since 0.1. */
PROF_API prof_status prof_timeline_argument_get(const prof_timeline *timeline, uint64_t track, uint64_t index,
                                                uint64_t argument, prof_timeline_argument *row, prof_error *err);

/*
 * Makes a snapshot of a timeline: a table of its scopes, with callers, call
 * paths, extremes, histograms and counters.  If the recording lost nothing and
 * timed every scope, its calls and times are those of the run's own.  What
 * was lost counts as lost calls; a scope that had not ended is an open call.
 *
 *   snapshot  Receives it, independent of the timeline.
 *   returns   PROF_OK; PROF_E_LIMIT when its durations do not add up in 64
 *             bits; PROF_E_INVALID; PROF_E_NO_MEMORY.
 *   since     0.1
 */
PROF_API prof_status prof_timeline_snapshot(const prof_timeline *timeline, prof_snapshot **snapshot, prof_error *err);

/*
 * Gives a snapshot the slowest request of a timeline, for the page that
 * "html" writes: its slices with their threads, at most 4,000 of them, the
 * longest.  Where no event names a request, a single call with all below it.
 *
 *   snapshot  Of the same run, such as the one above or its .json; what it
 *             had of another timeline before is replaced.
 *   returns   PROF_OK, also where the timeline has no slice; PROF_E_INVALID;
 *             PROF_E_NO_MEMORY: it has none then.
 *   threads   Nobody else uses the snapshot meanwhile.
 *   since     0.1
 */
PROF_API prof_status prof_timeline_add_slowest(const prof_timeline *timeline, prof_snapshot *snapshot, prof_error *err);

/*
 * Writes a timeline as "pftrace" (Perfetto's TrackEvent), "chrome" (Chrome's
 * trace events) or "nvtxt" (for Nsight Systems).
 *
 *   returns   PROF_OK; PROF_E_INVALID for an unknown format; PROF_E_UNSUPPORTED
 *             for one that is made of a snapshot; PROF_E_NO_MEMORY; PROF_E_IO.
 *   since     0.1
 */
PROF_API prof_status prof_timeline_write(const prof_timeline *timeline, const char *format, prof_write_callback write,
                                         void *user, prof_error *err);

/* Writes a timeline to a file: whole, or not at all; as prof_snapshot_write_file(); since 0.1. */
PROF_API prof_status prof_timeline_write_file(const prof_timeline *timeline, const char *format, const char *path,
                                              prof_error *err);

#ifdef __cplusplus
}
#endif
#endif
