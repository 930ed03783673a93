/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a reader of .pftrace files keeps between packets: what each sequence
 * has interned and said by default, how clocks relate, and who tracks are.
 * Shared by pftrace_reader.c, pftrace_event.c and pftrace_state.c only.
 */
#ifndef PROFI_PFTRACE_STATE_H
#define PROFI_PFTRACE_STATE_H

#include "pftrace.h"
#include "protobuf.h"

#include "../base/number_map.h"
#include "../model/events_build.h"

/* A packet sequence. */
typedef struct pftrace_sequence {
    uint64_t state;         /* in which interned numbers hold: anew each time they are cleared; 0: there is none */
    uint64_t default_track, default_clock; /* 0: none */
    uint64_t legacy_track;  /* the thread that a legacy packet says it is; 0: none */
    uint64_t legacy_us;     /* from which the next legacy time is told */
    int64_t legacy_pid;
} pftrace_sequence;

/* What an interned number stands for. */
typedef struct pftrace_interned {
    const char *text; /* NULL: a source location without a file */
    uint32_t line;
} pftrace_interned;

/* A clock's relation to the timeline's. */
typedef struct pftrace_clock {
    uint64_t at, timeline_ns; /* the same moment on both, the clock's in nanoseconds */
    uint64_t unit_ns;
    uint64_t last;            /* of an incremental one, in nanoseconds */
    int is_incremental;
} pftrace_clock;

/* What descriptors say of a track, and what has become of it. */
typedef struct pftrace_track {
    uint64_t uuid, parent; /* 0: none */
    const char *name, *thread_name, *unit; /* NULL: not known */
    int64_t pid;           /* 0: none said so */
    int32_t tid;
    int is_process, is_counter, is_incremental;
    uint64_t lost;
    double multiplier, last;
    uint32_t built, site;  /* the builder's track, a counter's site; UINT32_MAX: none yet */
} pftrace_track;

typedef struct pftrace_process {
    int64_t pid;
    const char *name;
    uint32_t built; /* the builder's process */
    int32_t offset; /* that it has, and its threads, beside their numbers */
} pftrace_process;

typedef struct pftrace_reader {
    profi_events_builder *builder;
    profi_number_map sequence_map, interned_map, clock_map, track_map, process_map;
    pftrace_sequence *sequences;
    pftrace_interned *interned;
    pftrace_clock *clocks;
    pftrace_track *tracks;
    pftrace_process *processes;
    size_t sequence_count, sequence_room, interned_count, interned_room, clock_count, clock_room, track_count, track_room,
        process_count, process_room;
    uint64_t last_state;
    profi_clock_moment taken; /* the last moment that the file has on several clocks */
    int64_t offset;           /* that its times are moved by, to lie beside those of the files before */
    uint64_t timeline_clock; /* whose nanoseconds the events have; 0: no snapshot has said how clocks relate */
} pftrace_reader;

/* A process's or a thread's number: those that no system gives are not known. */
static inline int32_t pftrace_id_of(const profi_field *field)
{
    return field->value <= INT32_MAX ? (int32_t)field->value : 0;
}

/* Which of a sequence's numbers. */
enum { IS_NAME, IS_ANNOTATION, IS_SOURCE, IS_TEXT, INTERNED_KINDS };

/* The entries of these, made if need be; NULL when memory is spent, which the builder then knows. */
pftrace_sequence *pftrace_sequence_of(pftrace_reader *r, uint64_t id);
pftrace_track *pftrace_track_of(pftrace_reader *r, uint64_t uuid);

void pftrace_intern(pftrace_reader *r, const pftrace_sequence *sequence, profi_wire data);
/* NULL where nothing was interned under this number. */
const pftrace_interned *pftrace_interned_of(const pftrace_reader *r, const pftrace_sequence *sequence, unsigned kind, uint64_t iid);

void pftrace_add_clocks(pftrace_reader *r, uint64_t sequence, profi_wire snapshot);
/* A packet's time on the timeline; 0 where its clock is not known. */
int pftrace_time_of(pftrace_reader *r, uint64_t sequence, uint64_t clock, uint64_t value, uint64_t *ns);

void pftrace_describe_track(pftrace_reader *r, profi_wire descriptor);
void pftrace_describe_process(pftrace_reader *r, pftrace_track *track, profi_wire descriptor);
void pftrace_describe_thread(pftrace_reader *r, pftrace_track *track, profi_wire descriptor);

/* Gives the builder's tracks their names and processes, now that all descriptors are there. */
void pftrace_settle_tracks(pftrace_reader *r);

void pftrace_reader_fini(pftrace_reader *r);

/* ---- one event: pftrace_event.c ---- */

enum { PFTRACE_MOST_DETAILS = 512 };

/* What is kept of one event. */
typedef struct pftrace_event {
    uint64_t ns;
    unsigned type;
    uint64_t track;
    int has_track, is_loss;
    const char *name, *file;
    uint32_t line;
    double value;
    uint64_t lost;
    profi_request_id request;
    profi_build_details details;
    profi_detail room[PFTRACE_MOST_DETAILS];
} pftrace_event;

/* A file that is being read. */
typedef struct pftrace_reading {
    pftrace_reader state;
    profi_events_builder *builder;
    profi_events_notes *notes;
    pftrace_sequence *sequence;
    uint64_t sequence_id;
    pftrace_event event;
} pftrace_reading;

/* A packet with an event: when it says that this was, and the event. */
typedef struct pftrace_packet {
    uint64_t timestamp, clock, flags;
    int has_timestamp;
    profi_field event;
} pftrace_packet;
void pftrace_read_event(pftrace_reading *r, const pftrace_packet *packet);

/* The track of a thread that only its numbers name. */
uint64_t pftrace_thread_uuid(int64_t pid, int32_t tid);

#endif
