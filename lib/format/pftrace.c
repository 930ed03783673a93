/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Perfetto's timeline file, `.pftrace`: a protobuf Trace of TrackEvent
 * packets.
 *
 * One packet sequence for the process and one for each thread.  A sequence
 * begins with its defaults (clock, track) and interns a site's text in the
 * packet that uses it first; it begins anew every CHUNK slices, so that
 * damage to a file costs no more than that.  A thread has a thread track;
 * one whose id is not known, or another's by now, a track of the process.  Spans have tracks of
 * their own, and so have counters.
 *
 * Times are CLOCK_MONOTONIC.  Where two are equal, only the order of packets
 * shows the nesting.
 */
#include "pftrace.h"
#include "protobuf.h"
#include "writer.h"

#include "../base/array.h"
#include "../base/error.h"
#include "../base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1 << 16, BATCH = 256, PROCESS_SEQUENCE = 1 };
enum { MOST_ARGUMENTS = 8, MOST_FLOWS = 256 }; /* of one event; how many more there were is said */

/* What is interned of a site on the sequence at hand. */
enum { IS_EVENT_NAME = 1, IS_ARGUMENT_NAME = 2 };

typedef struct pftrace {
    const profi_events *events;
    profi_output *out;
    profi_message packet, part, piece; /* one inside the other */
    unsigned char *interned;        /* by site: IS_… */
    uint64_t first_uuid;            /* the first process's */
    uint64_t track_uuid, sequence;  /* of the thread at hand */
    uint64_t last_ns;               /* on its track time does not go back, whatever the clocks of two cores say */
    uint64_t *open_ends;            /* of the slices that are open */
    size_t open_count, open_room;
    profi_slice batch[BATCH];
} pftrace;

static void write_packet(pftrace *p)
{
    profi_write_message(p->out, TRACE_PACKET, &p->packet);
}

/* ---- what stands before the slices ---- */

static void put_clock(pftrace *p, uint64_t clock, uint64_t ns)
{
    profi_put_number(&p->piece, CLOCK_ID, clock);
    profi_put_number(&p->piece, CLOCK_TIMESTAMP, ns);
    profi_put_message(&p->part, SNAPSHOT_CLOCKS, &p->piece);
}

static void write_clocks(pftrace *p)
{
    put_clock(p, CLOCK_IS_MONOTONIC, p->events->taken.monotonic_ns);
    if (p->events->taken.boot_ns != 0) /* of a file that did not say, they are not known */
        put_clock(p, CLOCK_IS_BOOTTIME, p->events->taken.boot_ns);
    if (p->events->taken.unix_ns != 0)
        put_clock(p, CLOCK_IS_REALTIME, p->events->taken.unix_ns);
    profi_put_number(&p->part, SNAPSHOT_PRIMARY, CLOCK_IS_MONOTONIC);
    profi_put_number(&p->packet, PACKET_SEQUENCE, PROCESS_SEQUENCE);
    profi_put_message(&p->packet, PACKET_CLOCK_SNAPSHOT, &p->part);
    write_packet(p);
}

static uint64_t process_uuid(const pftrace *p, uint32_t process)
{
    return process == 0 ? p->first_uuid : profi_mix64(p->first_uuid + ((uint64_t)process << 32));
}

static void write_processes(pftrace *p)
{
    for (uint32_t i = 0; i < p->events->process_count; i++) {
        profi_put_number(&p->part, TRACK_UUID, process_uuid(p, i));
        profi_put_number(&p->piece, PROCESS_PID, (uint64_t)p->events->processes[i].pid);
        profi_put_text(&p->piece, PROCESS_NAME, p->events->processes[i].name);
        profi_put_message(&p->part, TRACK_PROCESS, &p->piece);
        profi_put_number(&p->packet, PACKET_SEQUENCE, PROCESS_SEQUENCE);
        profi_put_message(&p->packet, PACKET_TRACK, &p->part);
        write_packet(p);
    }
}

/* A track of events that follow each other: what it is called, and where its events stand. */
typedef struct track {
    const profi_events_thread *thread; /* NULL: a lane of spans */
    const char *name;
    uint64_t first, count;
    uint32_t process;
} track;

static void put_track(pftrace *p, const track *t)
{
    profi_put_number(&p->part, TRACK_UUID, p->track_uuid);
    profi_put_number(&p->part, TRACK_PARENT, process_uuid(p, t->process));
    if (t->thread != NULL && t->thread->tid != 0) {
        profi_put_number(&p->piece, THREAD_PID, (uint64_t)p->events->processes[t->process].pid);
        profi_put_number(&p->piece, THREAD_TID, (uint64_t)t->thread->tid);
        profi_put_text(&p->piece, THREAD_NAME, t->name);
        profi_put_message(&p->part, TRACK_THREAD, &p->piece);
    } else {
        profi_put_text(&p->part, TRACK_NAME, t->name);
    }
    profi_put_message(&p->packet, PACKET_TRACK, &p->part);
}

/* Begins a track's sequence, or begins it anew: whoever reads on from here needs nothing that came before. */
static void begin_sequence(pftrace *p, const track *t)
{
    memset(p->interned, 0, p->events->site_count);
    profi_put_number(&p->packet, PACKET_SEQUENCE, p->sequence);
    profi_put_number(&p->packet, PACKET_FLAGS, FLAG_CLEARED);
    profi_put_number(&p->part, DEFAULTS_CLOCK, CLOCK_IS_MONOTONIC);
    profi_put_number(&p->piece, EVENT_TRACK, p->track_uuid);
    profi_put_message(&p->part, DEFAULTS_EVENT, &p->piece);
    profi_put_message(&p->packet, PACKET_DEFAULTS, &p->part);
    put_track(p, t);
    write_packet(p);
}

/* A counter belongs to the process, whichever thread gave a value. */
static uint64_t counter_uuid(const pftrace *p, uint32_t site) { return profi_mix64(~p->first_uuid + site); }

static void write_counter_tracks(pftrace *p)
{
    for (uint32_t site = 0; site < p->events->site_count; site++) {
        if (!p->events->sites[site].is_counter)
            continue;
        profi_put_number(&p->part, TRACK_UUID, counter_uuid(p, site));
        profi_put_number(&p->part, TRACK_PARENT, process_uuid(p, p->events->sites[site].process));
        profi_put_text(&p->part, TRACK_NAME, p->events->sites[site].name);
        if (p->events->sites[site].unit != NULL)
            profi_put_text(&p->piece, COUNTER_UNIT_NAME, p->events->sites[site].unit);
        profi_put_message(&p->part, TRACK_COUNTER, &p->piece);
        profi_put_number(&p->packet, PACKET_SEQUENCE, PROCESS_SEQUENCE);
        profi_put_message(&p->packet, PACKET_TRACK, &p->part);
        write_packet(p);
    }
}

static void annotate_number(pftrace *p, const char *name, uint64_t number)
{
    profi_put_text(&p->piece, ANNOTATION_NAME, name);
    profi_put_number(&p->piece, ANNOTATION_UINT, number);
    profi_put_message(&p->part, EVENT_ANNOTATION, &p->piece);
}

static void annotate_text(pftrace *p, const char *name, const char *text)
{
    char cut[512];
    profi_text_cut(cut, sizeof(cut), text);
    profi_put_text(&p->piece, ANNOTATION_NAME, name);
    profi_put_text(&p->piece, ANNOTATION_TEXT, cut);
    profi_put_message(&p->part, EVENT_ANNOTATION, &p->piece);
}

/* Between these two what the instant says beside its name. */
static void begin_instant(pftrace *p, uint64_t sequence, uint64_t uuid, uint64_t ns, const char *name)
{
    profi_put_number(&p->packet, PACKET_TIMESTAMP, ns);
    profi_put_number(&p->packet, PACKET_CLOCK, CLOCK_IS_MONOTONIC);
    profi_put_number(&p->packet, PACKET_SEQUENCE, sequence);
    profi_put_number(&p->part, EVENT_TYPE, TYPE_INSTANT);
    profi_put_number(&p->part, EVENT_TRACK, uuid);
    profi_put_text(&p->part, EVENT_NAME, name);
}

static void end_instant(pftrace *p)
{
    profi_put_message(&p->packet, PACKET_EVENT, &p->part);
    write_packet(p);
}

/* Says on a track how many events are missing there. */
static void write_loss(pftrace *p, uint64_t sequence, uint64_t uuid, uint64_t ns, uint64_t lost)
{
    char name[64];
    snprintf(name, sizeof(name), "<profcore: %llu events lost>", (unsigned long long)lost);
    begin_instant(p, sequence, uuid, ns, name);
    annotate_number(p, "lost", lost);
    end_instant(p);
}

/* Says of a thread how many events a dump has left out, for they are older than its window. */
static void write_before(pftrace *p, uint64_t ns, uint64_t before)
{
    char name[80];
    snprintf(name, sizeof(name), "<profcore: %llu events before the dump's window>", (unsigned long long)before);
    begin_instant(p, p->sequence, p->track_uuid, ns, name);
    annotate_number(p, "before", before);
    end_instant(p);
}

/* Says on a track how many events are not missing but elsewhere. */
static void write_streamed(pftrace *p, uint64_t sequence, uint64_t uuid, uint64_t ns, uint64_t streamed)
{
    char name[80];
    snprintf(name, sizeof(name), "<profcore: %llu events are in the stream>", (unsigned long long)streamed);
    begin_instant(p, sequence, uuid, ns, name);
    annotate_number(p, "streamed", streamed);
    end_instant(p);
}

/* All of these, at the beginning of a track. */
static void write_missing(pftrace *p, const profi_events_thread *thread, uint64_t ns)
{
    if (thread != NULL && thread->lost != 0)
        write_loss(p, p->sequence, p->track_uuid, ns, thread->lost);
    if (thread != NULL && thread->before != 0)
        write_before(p, ns, thread->before);
    if (thread != NULL && thread->streamed != 0)
        write_streamed(p, p->sequence, p->track_uuid, ns, thread->streamed);
}

static uint64_t thread_uuid(const pftrace *p, uint64_t number) { return profi_mix64(p->first_uuid + number); }

static void write_mark(pftrace *p, const profi_mark *mark, uint64_t uuid)
{
    char name[256], scope[200];
    profi_text_cut(scope, sizeof(scope), mark->name != NULL ? mark->name : "");
    if (mark->name != NULL)
        snprintf(name, sizeof(name), "<profcore: %s is slow>", scope);
    else
        snprintf(name, sizeof(name), "<profcore: dump, %s>", mark->trigger);
    begin_instant(p, PROCESS_SEQUENCE, uuid, mark->ns, name);
    annotate_text(p, "trigger", mark->trigger);
    if (mark->reason != NULL)
        annotate_text(p, "reason", mark->reason);
    if (mark->name != NULL) {
        annotate_text(p, "scope", mark->name);
        annotate_number(p, "limit_ns", mark->limit_ns);
        annotate_number(p, "age_ns", mark->age_ns);
    }
    annotate_number(p, "skipped_before", p->events->stacks->skipped);
    end_instant(p);
}

/* Of a dump: what made it, on the process's track; and each scope that was slow then, on its thread's. */
static void write_marks(pftrace *p)
{
    const profi_open_stacks *stacks = p->events->stacks;
    for (size_t i = 0; stacks != NULL && i < stacks->mark_count; i++) {
        if (i == 0)
            write_mark(p, &stacks->marks[i], p->first_uuid);
        if (stacks->marks[i].thread != 0)
            write_mark(p, &stacks->marks[i], thread_uuid(p, stacks->marks[i].thread));
    }
}

/* ---- events ---- */

/* The interned number of a site's text is its own plus 1, whatever it is used for. */
static void intern_event(pftrace *p, uint32_t site)
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

static void intern_argument(pftrace *p, uint32_t site)
{
    if (p->interned[site] & IS_ARGUMENT_NAME)
        return;
    p->interned[site] |= IS_ARGUMENT_NAME;
    profi_put_number(&p->piece, NAME_IID, site + 1);
    profi_put_text(&p->piece, NAME_TEXT, p->events->sites[site].name);
    profi_put_message(&p->part, INTERNED_ANNOTATIONS, &p->piece);
}

/* Interns what an event names first. */
static void intern(pftrace *p, const profi_slice *slice)
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

static void put_argument(pftrace *p, const profi_detail *detail)
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

static void put_count(pftrace *p, const char *name, uint64_t count)
{
    if (count != 0)
        annotate_number(p, name, count);
}

/* A number of its own as one, a trace id of 128 bits as W3C writes it. */
static void put_request(pftrace *p, const profi_request_id *id)
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

static void put_details(pftrace *p, const profi_slice *slice)
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

static void begin_event(pftrace *p, uint64_t ns)
{
    p->last_ns = profi_max_u64(p->last_ns, ns);
    profi_put_number(&p->packet, PACKET_TIMESTAMP, p->last_ns);
    profi_put_number(&p->packet, PACKET_SEQUENCE, p->sequence);
    profi_put_number(&p->packet, PACKET_FLAGS, FLAG_NEEDS);
}

static void write_event(pftrace *p, const profi_slice *slice, unsigned type)
{
    begin_event(p, slice->start_ns);
    intern(p, slice);
    profi_put_number(&p->part, EVENT_TYPE, type);
    profi_put_number(&p->part, EVENT_NAME_IID, slice->site + 1);
    if (p->events->sites[slice->site].file != NULL)
        profi_put_number(&p->part, EVENT_SOURCE_IID, slice->site + 1);
    put_details(p, slice);
    if (slice->end_ns == PROFI_STILL_OPEN && p->events->taken.monotonic_ns > slice->start_ns)
        annotate_number(p, "age_ns", p->events->taken.monotonic_ns - slice->start_ns);
    profi_put_message(&p->packet, PACKET_EVENT, &p->part);
    write_packet(p);
}

static void write_value(pftrace *p, const profi_slice *slice)
{
    begin_event(p, slice->start_ns);
    profi_put_number(&p->part, EVENT_TYPE, TYPE_COUNTER);
    profi_put_number(&p->part, EVENT_TRACK, counter_uuid(p, slice->site));
    profi_put_double(&p->part, EVENT_VALUE, slice->value);
    profi_put_message(&p->packet, PACKET_EVENT, &p->part);
    write_packet(p);
}

static void write_end(pftrace *p, uint64_t ns)
{
    begin_event(p, ns);
    profi_put_number(&p->part, EVENT_TYPE, TYPE_END);
    profi_put_message(&p->packet, PACKET_EVENT, &p->part);
    write_packet(p);
}

/* Ends the slices that the next one, at this depth, does not lie in; one that had not ended stays so. */
static void close_down_to(pftrace *p, size_t depth)
{
    while (p->open_count > depth)
        if (p->open_ends[--p->open_count] != PROFI_STILL_OPEN)
            write_end(p, p->open_ends[p->open_count]);
}

/* 0 when memory is spent. */
static int write_slice(pftrace *p, const profi_slice *slice)
{
    close_down_to(p, slice->depth);
    if (slice->kind == PROFI_SLICE_COUNTER) {
        write_value(p, slice);
    } else if (slice->kind == PROFI_SLICE_INSTANT) {
        write_event(p, slice, TYPE_INSTANT);
    } else {
        if (!profi_array_grow(&p->open_ends, &p->open_room, p->open_count, sizeof(*p->open_ends)))
            return 0;
        write_event(p, slice, TYPE_BEGIN);
        p->open_ends[p->open_count++] = slice->end_ns;
    }
    return 1;
}

static int write_track(pftrace *p, const track *t)
{
    uint64_t done = 0;
    size_t count;
    p->last_ns = 0;
    begin_sequence(p, t);
    while ((count = profi_events_read(p->events, t->first, t->count, done, p->batch, BATCH)) != 0) {
        if (done == 0)
            write_missing(p, t->thread, p->batch[0].start_ns);
        if (done != 0 && done % CHUNK == 0)
            begin_sequence(p, t);
        for (size_t i = 0; i < count; i++)
            if (!write_slice(p, &p->batch[i]))
                return 0;
        done += count;
    }
    close_down_to(p, 0);
    if (done == 0)
        write_missing(p, t->thread, p->events->taken.monotonic_ns);
    return 1;
}

static int write_threads(pftrace *p)
{
    for (uint32_t i = 0; i < p->events->thread_count; i++) {
        const profi_events_thread *thread = &p->events->threads[i];
        const track t = { thread, thread->name, thread->first, thread->count, thread->process };
        p->sequence = PROCESS_SEQUENCE + 1 + (uint64_t)i;
        p->track_uuid = thread_uuid(p, thread->number);
        if (!write_track(p, &t))
            return 0;
    }
    return 1;
}

static int write_lanes(pftrace *p)
{
    for (size_t i = 0; i < p->events->lane_count; i++) {
        const profi_events_lane *lane = &p->events->lanes[i];
        const track t = { NULL, p->events->sites[lane->site].name, lane->first, lane->count, lane->process };
        p->sequence = PROCESS_SEQUENCE + 1 + (uint64_t)p->events->thread_count + i;
        p->track_uuid = profi_mix64(p->first_uuid ^ profi_mix64((uint64_t)lane->site << 32 | lane->number));
        if (!write_track(p, &t))
            return 0;
    }
    return 1;
}

prof_status profi_write_pftrace(const profi_events *events, profi_output *out, prof_error *err)
{
    pftrace *p = calloc(1, sizeof(*p));
    int ok = p != NULL && (p->interned = malloc((size_t)events->site_count + 1)) != NULL;
    if (ok) {
        p->events = events;
        p->out = out;
        p->first_uuid = profi_mix64(events->taken.unix_ns ^ profi_mix64((uint64_t)events->pid));
        profi_output_text(out, PROFI_PFTRACE_START);
        write_clocks(p);
        write_processes(p);
        write_counter_tracks(p);
        ok = write_threads(p) && write_lanes(p);
        if (events->lost_of_unknown != 0)
            write_loss(p, PROCESS_SEQUENCE, p->first_uuid, events->taken.monotonic_ns, events->lost_of_unknown);
        if (events->streamed_of_unknown != 0)
            write_streamed(p, PROCESS_SEQUENCE, p->first_uuid, events->taken.monotonic_ns, events->streamed_of_unknown);
        write_marks(p);
        free(p->open_ends);
        free(p->interned);
    }
    free(p);
    return ok ? PROF_OK : profi_fail(err, PROF_E_NO_MEMORY, "no memory to write \"pftrace\"");
}
