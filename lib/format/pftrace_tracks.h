/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A .pftrace that is being written, and what stands around its events: the
 * clocks, who the processes and tracks are, and what is missing.  Shared by
 * pftrace.c and pftrace_tracks.c only.
 */
#ifndef PROFI_PFTRACE_TRACKS_H
#define PROFI_PFTRACE_TRACKS_H

#include "event_walk.h"
#include "pftrace.h"
#include "protobuf.h"

enum { PROFI_PFTRACE_PROCESS_SEQUENCE = 1 };

typedef struct profi_pftrace {
    const profi_events *events;
    profi_output *out;
    profi_message packet, part, piece; /* one inside the other */
    unsigned char *interned;        /* by site: what is, on the sequence at hand */
    uint64_t first_uuid;            /* the first process's */
    uint64_t track_uuid, sequence;  /* of the thread at hand, */
    uint64_t thread, marked_ns;     /* its number, 0: none; and until when its marks have been written */
} profi_pftrace;

void profi_pftrace_write_packet(profi_pftrace *p);
void profi_pftrace_annotate(profi_pftrace *p, const char *name, uint64_t number);

uint64_t profi_pftrace_thread_track_uuid(const profi_pftrace *p, uint64_t number);
uint64_t profi_pftrace_lane_uuid(const profi_pftrace *p, const profi_events_lane *lane);
/* A counter belongs to the process, whichever thread gave a value. */
uint64_t profi_pftrace_counter_uuid(const profi_pftrace *p, uint32_t site);

/* What stands before all tracks, and behind them. */
void profi_pftrace_write_head(profi_pftrace *p);
void profi_pftrace_write_tail(profi_pftrace *p);

/* Begins a track's sequence, or begins it anew: whoever reads on from here needs nothing that came before. */
void profi_pftrace_begin_sequence(profi_pftrace *p, const profi_walk_track *track);

/* At the beginning of a thread's track: how many events it lost, how many a dump has left out, and how many are in the stream. */
void profi_pftrace_write_missing(profi_pftrace *p, const profi_events_thread *thread, uint64_t ns);

/* Before what stands on a thread's track at that time, and with UINT64_MAX at its end: what was slow there, and made a dump. */
void profi_pftrace_write_marks(profi_pftrace *p, uint64_t ns);

#endif
