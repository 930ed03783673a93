/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slowest request of an event stream, for a page that shows where its
 * time went: a bounded excerpt that belongs to a snapshot.
 *
 * Where events name the requests that they happened for, a request is all of
 * these, on whatever thread, from its first beginning to its last end.  Where
 * none does, it is a single call with all below it on its thread, or a span:
 * the longest of those that there are more of than threads, since what a
 * thread is in all its life is no request; or of those that there are two of;
 * or the longest of all.  With it comes the work that flows lead to, such as
 * the kernels that it launched on a GPU, which may last longer than it.
 */
#ifndef PROFI_SLOWEST_H
#define PROFI_SLOWEST_H

#include "events.h"
#include "snapshot.h"

enum { PROFI_SLOWEST_SLICES = 4000 };

typedef struct profi_slowest_slice {
    uint32_t track, site; /* in the lists of the excerpt */
    uint32_t depth;       /* on its track, from 0 */
    profi_slice_kind kind;
    int is_open;          /* it had not ended: its duration is that up to the stream's last moment */
    uint64_t start_ns;    /* after the request's beginning */
    uint64_t duration_ns;
} profi_slowest_slice;

typedef struct profi_slowest_site {
    const char *name, *file; /* the snapshot's */
    uint32_t line;
} profi_slowest_site;

typedef struct profi_slowest_track {
    const char *name; /* the snapshot's */
    int32_t tid;      /* 0: it is no thread, or has ended */
    uint32_t least_depth;
} profi_slowest_track;

typedef struct profi_slowest {
    uint64_t number_of;        /* how many there are that it is the slowest of */
    int has_request;
    profi_request_id request;
    uint64_t duration_ns;
    uint64_t start_unix_ns;    /* 0: not known */
    uint32_t site;             /* its longest slice's */
    uint64_t left_out;         /* of its slices, the shortest */
    uint64_t lost;             /* events of the stream, some of which may be its own */
    profi_slowest_slice *slices; /* track by track, in the order of starts */
    size_t slice_count, slice_room;
    profi_slowest_site *sites;
    size_t site_count, site_room;
    profi_slowest_track *tracks;
    size_t track_count, track_room;
} profi_slowest;

/*
 * Finds it and gives it to the snapshot of the same run, which owns it; where
 * the stream has no slice, there is none.  PROF_E_NO_MEMORY leaves the snapshot
 * without.
 */
prof_status profi_slowest_find(const profi_events *events, prof_snapshot *snapshot, prof_error *err);

void profi_slowest_close(profi_slowest *slowest); /* NULL is accepted */

#endif
