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
typedef struct profi_pftrace_sequence {
    uint64_t state;         /* in which interned numbers hold: anew each time they are cleared; 0: there is none */
    uint64_t default_track, default_clock; /* 0: none */
    uint64_t legacy_track;  /* the thread that a legacy packet says it is; 0: none */
    uint64_t legacy_us;     /* from which the next legacy time is told */
    int64_t legacy_pid;
} profi_pftrace_sequence;

/* What an interned number stands for. */
typedef struct profi_pftrace_interned {
    const char *text; /* NULL: a source location without a file */
    uint32_t line;
} profi_pftrace_interned;

/* A clock's relation to the timeline's. */
typedef struct profi_pftrace_clock {
    uint64_t at, timeline_ns; /* the same moment on both, the clock's in nanoseconds */
    uint64_t unit_ns;
    uint64_t last;            /* of an incremental one, in nanoseconds */
    int is_incremental;
} profi_pftrace_clock;

/* What descriptors say of a track, and what has become of it. */
typedef struct profi_pftrace_track {
    uint64_t uuid, parent; /* 0: none */
    const char *name, *thread_name, *unit; /* NULL: not known */
    int64_t pid;           /* 0: none said so */
    int32_t tid;
    int is_process, is_counter, is_incremental;
    int is_lane; /* it is shown as one with those of its name */
    uint64_t lost;
    double multiplier, last;
    uint32_t built, site;  /* the builder's track, a counter's site; UINT32_MAX: none yet */
} profi_pftrace_track;

typedef struct profi_pftrace_process {
    int64_t pid;
    const char *name;
    uint32_t built; /* the builder's process */
    int32_t offset; /* that it has, and its threads, beside their numbers */
} profi_pftrace_process;

typedef struct profi_pftrace_reader {
    profi_events_builder *builder;
    profi_number_map sequence_map, interned_map, clock_map, track_map, process_map;
    profi_pftrace_sequence *sequences;
    profi_pftrace_interned *interned;
    profi_pftrace_clock *clocks;
    profi_pftrace_track *tracks;
    profi_pftrace_process *processes;
    size_t sequence_count, sequence_room, interned_count, interned_room, clock_count, clock_room, track_count, track_room,
        process_count, process_room;
    uint64_t last_state;
    profi_clock_moment taken; /* the last moment that the file has on several clocks */
    int64_t offset;           /* that its times are moved by, to lie beside those of the files before */
    int is_ours;             /* we have written it */
    uint64_t timeline_clock; /* whose nanoseconds the events have; 0: no snapshot has said how clocks relate */
} profi_pftrace_reader;

/* A process's or a thread's number: those that no system gives are not known. */
static inline int32_t profi_pftrace_id_of(const profi_field *field)
{
    return field->value <= INT32_MAX ? (int32_t)field->value : 0;
}

/* Which of a sequence's numbers. */
enum { IS_NAME, IS_ANNOTATION, IS_SOURCE, IS_TEXT, INTERNED_KINDS };

/* A field's text, kept by the builder; NULL where it is none. */
const char *profi_pftrace_text(profi_events_builder *builder, const profi_field *field);

/* The entries of these, made if need be; NULL when memory is spent, which the builder then knows. */
profi_pftrace_sequence *profi_pftrace_sequence_of(profi_pftrace_reader *r, uint64_t id);
profi_pftrace_track *profi_pftrace_track_of(profi_pftrace_reader *r, uint64_t uuid);

void profi_pftrace_intern(profi_pftrace_reader *r, const profi_pftrace_sequence *sequence, profi_wire data);
/* NULL where nothing was interned under this number. */
const profi_pftrace_interned *profi_pftrace_interned_of(const profi_pftrace_reader *r, const profi_pftrace_sequence *sequence,
                                                        unsigned kind, uint64_t iid);

void profi_pftrace_add_clocks(profi_pftrace_reader *r, uint64_t sequence, profi_wire snapshot);
/* A packet's time on the timeline; 0 where its clock is not known. */
int profi_pftrace_time_of(profi_pftrace_reader *r, uint64_t sequence, uint64_t clock, uint64_t value, uint64_t *ns);

void profi_pftrace_describe_track(profi_pftrace_reader *r, profi_wire descriptor);
void profi_pftrace_describe_process(profi_pftrace_reader *r, profi_pftrace_track *track, profi_wire descriptor);
void profi_pftrace_describe_thread(profi_pftrace_reader *r, profi_pftrace_track *track, profi_wire descriptor);

/* Gives the builder's tracks their names and processes, now that all descriptors are there. */
void profi_pftrace_settle_tracks(profi_pftrace_reader *r);

void profi_pftrace_reader_fini(profi_pftrace_reader *r);

/* ---- one event: pftrace_event.c ---- */

enum { PROFI_PFTRACE_MOST_DETAILS = 512 };

/* What is kept of one event. */
typedef struct profi_pftrace_event {
    uint64_t ns;
    unsigned type;
    uint64_t track;
    int has_track, is_loss;
    int is_whole; /* it ends `duration` nanoseconds after its time */
    uint64_t duration;
    const char *name, *file;
    uint32_t line;
    double value;
    uint64_t lost;
    profi_request_id request;
    profi_build_details details;
    profi_detail room[PROFI_PFTRACE_MOST_DETAILS];
} profi_pftrace_event;

/* A file that is being read. */
typedef struct profi_pftrace_reading {
    profi_pftrace_reader state;
    profi_events_builder *builder;
    profi_events_notes *notes;
    profi_pftrace_sequence *sequence;
    uint64_t sequence_id;
    profi_pftrace_event event;
} profi_pftrace_reading;

/* A packet with an event: when it says that this was, and the event. */
typedef struct profi_pftrace_packet {
    uint64_t timestamp, clock, flags;
    int has_timestamp;
    profi_field event;
} profi_pftrace_packet;
void profi_pftrace_read_event(profi_pftrace_reading *r, const profi_pftrace_packet *packet);

/* The track of a thread that only its numbers name. */
uint64_t profi_pftrace_thread_uuid(int64_t pid, int32_t tid);

#endif
