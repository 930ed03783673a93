/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Perfetto's timeline file, `.pftrace`: a protobuf Trace of TrackEvent
 * packets.  Here are the events; pftrace_tracks.c has what stands around
 * them.
 *
 * One packet sequence for the process and one for each thread.  A sequence
 * begins with its defaults (clock, track) and interns a site's text in the
 * packet that uses it first; it begins anew every CHUNK slices, so that
 * damage to a file costs no more than that.
 *
 * Times are CLOCK_MONOTONIC.  Where two are equal, only the order of packets
 * shows the nesting.
 */
#include "pftrace_tracks.h"
#include "event_walk.h"
#include "writer.h"

#include "../base/error.h"

#include <stdio.h>
#include <stdlib.h>

enum { CHUNK = 1 << 16 };
enum { MOST_ARGUMENTS = 8, MOST_FLOWS = 256 }; /* of one event; how many more there were is said */

/* What is interned of a site on the sequence at hand. */
enum { IS_EVENT_NAME = 1, IS_ARGUMENT_NAME = 2 };

/* The interned number of a site's text is its own plus 1, whatever it is used for. */
static void intern_event(profi_pftrace *p, uint32_t site)
{
    const profi_events_site *text = &p->events->sites[site];
    if (p->interned[site] & IS_EVENT_NAME)
        return;
    p->interned[site] |= IS_EVENT_NAME;
    profi_put_number(&p->piece, NAME_IID, site + 1);
    profi_put_text(&p->piece, NAME_TEXT, text->name);
    profi_put_message(&p->part, INTERNED_NAMES, &p->piece);
    if (text->file != NULL) {
        profi_put_number(&p->piece, SOURCE_IID, site + 1);
        profi_put_text(&p->piece, SOURCE_FILE, text->file);
        profi_put_number(&p->piece, SOURCE_LINE, text->line);
        profi_put_message(&p->part, INTERNED_SOURCES, &p->piece);
    }
}

static void intern_argument(profi_pftrace *p, uint32_t site)
{
    if (p->interned[site] & IS_ARGUMENT_NAME)
        return;
    p->interned[site] |= IS_ARGUMENT_NAME;
    profi_put_number(&p->piece, NAME_IID, site + 1);
    profi_put_text(&p->piece, NAME_TEXT, p->events->sites[site].name);
    profi_put_message(&p->part, INTERNED_ANNOTATIONS, &p->piece);
}

/* Interns what an event names first. */
static void intern(profi_pftrace *p, const profi_slice *slice)
{
    unsigned arguments = 0;
    intern_event(p, slice->site);
    for (size_t i = 0; i < slice->detail_count && arguments < MOST_ARGUMENTS; i++)
        if (profi_detail_is_argument(&slice->details[i])) {
            intern_argument(p, slice->details[i].name);
            arguments++;
        }
    if (p->part.used != 0)
        profi_put_message(&p->packet, PACKET_INTERNED, &p->part);
}

static void put_argument(profi_pftrace *p, const profi_detail *detail)
{
    profi_put_number(&p->piece, ANNOTATION_NAME_IID, detail->name + 1);
    if (detail->kind == PROFI_ARG_INT)
        profi_put_number(&p->piece, ANNOTATION_INT, (uint64_t)detail->value.integer);
    else if (detail->kind == PROFI_ARG_DOUBLE)
        profi_put_double(&p->piece, ANNOTATION_DOUBLE, detail->value.number);
    else
        profi_put_text(&p->piece, ANNOTATION_TEXT, detail->value.text);
    profi_put_message(&p->part, EVENT_ANNOTATION, &p->piece);
}

static void put_count(profi_pftrace *p, const char *name, uint64_t count)
{
    if (count != 0)
        profi_pftrace_annotate(p, name, count);
}

/* A number of its own as one, a trace id of 128 bits as W3C writes it. */
static void put_request(profi_pftrace *p, const profi_request_id *id)
{
    char hex[33];
    profi_put_text(&p->piece, ANNOTATION_NAME, "request");
    snprintf(hex, sizeof(hex), "%016llx%016llx", (unsigned long long)id->high, (unsigned long long)id->low);
    if (id->high == 0)
        profi_put_number(&p->piece, ANNOTATION_UINT, id->low);
    else
        profi_put_text(&p->piece, ANNOTATION_TEXT, hex);
    profi_put_message(&p->part, EVENT_ANNOTATION, &p->piece);
}

static void put_details(profi_pftrace *p, const profi_slice *slice)
{
    uint64_t arguments = 0, flows = 0;
    for (size_t i = 0; i < slice->detail_count; i++) {
        const profi_detail *detail = &slice->details[i];
        if (profi_detail_is_argument(detail)) {
            if (arguments++ < MOST_ARGUMENTS)
                put_argument(p, detail);
        } else if (flows++ < MOST_FLOWS) {
            profi_put_fixed64(&p->part, detail->kind == PROFI_FLOW_LAST ? EVENT_LAST_FLOW : EVENT_FLOW, detail->value.flow);
        }
    }
    put_count(p, "arguments left out", arguments > MOST_ARGUMENTS ? arguments - MOST_ARGUMENTS : 0);
    put_count(p, "flows left out", flows > MOST_FLOWS ? flows - MOST_FLOWS : 0);
    if (slice->request != NULL)
        put_request(p, slice->request);
}

static void begin_event(profi_pftrace *p, uint64_t ns)
{
    profi_put_number(&p->packet, PACKET_TIMESTAMP, ns);
    profi_put_number(&p->packet, PACKET_SEQUENCE, p->sequence);
    profi_put_number(&p->packet, PACKET_FLAGS, FLAG_NEEDS);
}

static void write_event(profi_pftrace *p, const profi_slice *slice, unsigned type)
{
    begin_event(p, slice->start_ns);
    intern(p, slice);
    profi_put_number(&p->part, EVENT_TYPE, type);
    profi_put_number(&p->part, EVENT_NAME_IID, slice->site + 1);
    if (p->events->sites[slice->site].file != NULL)
        profi_put_number(&p->part, EVENT_SOURCE_IID, slice->site + 1);
    put_details(p, slice);
    if (slice->end_ns == PROFI_STILL_OPEN && p->events->taken.monotonic_ns > slice->start_ns)
        profi_pftrace_annotate(p, "age_ns", p->events->taken.monotonic_ns - slice->start_ns);
    profi_put_message(&p->packet, PACKET_EVENT, &p->part);
    profi_pftrace_write_packet(p);
}

static void write_value(profi_pftrace *p, const profi_slice *slice)
{
    begin_event(p, slice->start_ns);
    profi_put_number(&p->part, EVENT_TYPE, TYPE_COUNTER);
    profi_put_number(&p->part, EVENT_TRACK, profi_pftrace_counter_uuid(p, slice->site));
    profi_put_double(&p->part, EVENT_VALUE, slice->value);
    profi_put_message(&p->packet, PACKET_EVENT, &p->part);
    profi_pftrace_write_packet(p);
}

/* ---- a track, as event_walk.c goes along it ---- */

static void start_track(void *user, const profi_walk_track *track, uint64_t ns)
{
    profi_pftrace_begin_sequence(user, track);
    if (track->thread != NULL)
        profi_pftrace_write_missing(user, track->thread, ns);
}

static void go_on(void *user, const profi_walk_track *track, uint64_t number)
{
    if (number != 0 && number % CHUNK == 0)
        profi_pftrace_begin_sequence(user, track);
}

static void write_begin(void *user, const profi_slice *slice)
{
    profi_pftrace_write_marks(user, slice->start_ns);
    write_event(user, slice, TYPE_BEGIN);
}

/* One that has not ended stays so. */
static void write_end(void *user, uint32_t site, uint64_t ns, int is_open)
{
    profi_pftrace *p = user;
    (void)site;
    if (is_open)
        return;
    profi_pftrace_write_marks(p, ns);
    begin_event(p, ns);
    profi_put_number(&p->part, EVENT_TYPE, TYPE_END);
    profi_put_message(&p->packet, PACKET_EVENT, &p->part);
    profi_pftrace_write_packet(p);
}

static void write_point(void *user, const profi_slice *slice)
{
    profi_pftrace_write_marks(user, slice->start_ns);
    if (slice->kind == PROFI_SLICE_COUNTER)
        write_value(user, slice);
    else
        write_event(user, slice, TYPE_INSTANT);
}

/* 0 when memory is spent. */
static int write_tracks(profi_pftrace *p)
{
    const profi_events *events = p->events;
    const profi_walker walker = { events, p, start_track, go_on, write_begin, write_end, write_point };
    int ok = 1;
    for (uint32_t i = 0; i < events->thread_count && ok; i++) {
        const profi_walk_track track = profi_walk_thread(&events->threads[i]);
        p->sequence = PROFI_PFTRACE_PROCESS_SEQUENCE + 1 + (uint64_t)i;
        p->track_uuid = profi_pftrace_thread_track_uuid(p, track.thread->number);
        p->thread = track.thread->number;
        p->marked_ns = 0;
        ok = profi_walk(&walker, &track);
        profi_pftrace_write_marks(p, UINT64_MAX);
    }
    p->thread = 0;
    for (size_t i = 0; i < events->lane_count && ok; i++) {
        const profi_walk_track track = profi_walk_lane(&events->lanes[i]);
        p->sequence = PROFI_PFTRACE_PROCESS_SEQUENCE + 1 + (uint64_t)events->thread_count + i;
        p->track_uuid = profi_pftrace_lane_uuid(p, track.lane);
        ok = profi_walk(&walker, &track);
    }
    return ok;
}

prof_status profi_write_pftrace(const profi_events *events, profi_output *out, prof_error *err)
{
    profi_pftrace *p = calloc(1, sizeof(*p));
    int ok = p != NULL && (p->interned = malloc((size_t)events->site_count + 1)) != NULL;
    if (ok) {
        p->events = events;
        p->out = out;
        profi_pftrace_write_head(p);
        ok = write_tracks(p);
        profi_pftrace_write_tail(p);
        free(p->interned);
    }
    free(p);
    return ok ? PROF_OK : profi_fail(err, PROF_E_NO_MEMORY, "no memory to write \"pftrace\"");
}
