/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See pftrace_tracks.h.  A thread has a thread track; one whose id is not
 * known, or another's by now, has a track of the process.  Spans have tracks
 * of their own, and so have counters.  Lanes of one track are to be shown as
 * one, which also tells the reader that they are lanes; threads are not.
 */
#include "pftrace_tracks.h"
#include "writer.h"

#include "../base/text.h"

#include <stdio.h>
#include <string.h>

void profi_pftrace_write_packet(profi_pftrace *p)
{
    profi_write_message(p->out, TRACE_PACKET, &p->packet);
}

/* ---- clocks and processes ---- */

static void put_clock(profi_pftrace *p, uint64_t clock, uint64_t ns)
{
    profi_put_number(&p->piece, CLOCK_ID, clock);
    profi_put_number(&p->piece, CLOCK_TIMESTAMP, ns);
    profi_put_message(&p->part, SNAPSHOT_CLOCKS, &p->piece);
}

static void write_clocks(profi_pftrace *p)
{
    put_clock(p, CLOCK_IS_MONOTONIC, p->events->taken.monotonic_ns);
    if (p->events->taken.boot_ns != 0) /* of a file that did not say, they are not known */
        put_clock(p, CLOCK_IS_BOOTTIME, p->events->taken.boot_ns);
    if (p->events->taken.unix_ns != 0)
        put_clock(p, CLOCK_IS_REALTIME, p->events->taken.unix_ns);
    profi_put_number(&p->part, SNAPSHOT_PRIMARY, CLOCK_IS_MONOTONIC);
    profi_put_number(&p->packet, PACKET_SEQUENCE, PROFI_PFTRACE_PROCESS_SEQUENCE);
    profi_put_message(&p->packet, PACKET_CLOCK_SNAPSHOT, &p->part);
    profi_pftrace_write_packet(p);
}

static uint64_t process_uuid(const profi_pftrace *p, uint32_t process)
{
    return process == 0 ? p->first_uuid : profi_mix64(p->first_uuid + ((uint64_t)process << 32));
}

static void write_processes(profi_pftrace *p)
{
    for (uint32_t i = 0; i < p->events->process_count; i++) {
        profi_put_number(&p->part, TRACK_UUID, process_uuid(p, i));
        profi_put_number(&p->piece, PROCESS_PID, (uint64_t)p->events->processes[i].pid);
        profi_put_text(&p->piece, PROCESS_NAME, p->events->processes[i].name);
        profi_put_message(&p->part, TRACK_PROCESS, &p->piece);
        profi_put_number(&p->packet, PACKET_SEQUENCE, PROFI_PFTRACE_PROCESS_SEQUENCE);
        profi_put_message(&p->packet, PACKET_TRACK, &p->part);
        profi_pftrace_write_packet(p);
    }
}

/* ---- a track ---- */

uint64_t profi_pftrace_thread_track_uuid(const profi_pftrace *p, uint64_t number) { return profi_mix64(p->first_uuid + number); }

uint64_t profi_pftrace_lane_uuid(const profi_pftrace *p, const profi_events_lane *lane)
{
    return profi_mix64(p->first_uuid ^ profi_mix64((uint64_t)lane->track << 32 | lane->number));
}

static void put_track(profi_pftrace *p, const profi_walk_track *t)
{
    uint32_t process = t->thread != NULL ? t->thread->process : t->lane->process;
    const char *name = t->thread != NULL ? t->thread->name : p->events->sites[t->lane->track].name;
    profi_put_number(&p->part, TRACK_UUID, p->track_uuid);
    profi_put_number(&p->part, TRACK_PARENT, process_uuid(p, process));
    if (t->thread != NULL && t->thread->tid != 0) {
        profi_put_number(&p->piece, THREAD_PID, (uint64_t)p->events->processes[process].pid);
        profi_put_number(&p->piece, THREAD_TID, (uint64_t)t->thread->tid);
        profi_put_text(&p->piece, THREAD_NAME, name);
        profi_put_message(&p->part, TRACK_THREAD, &p->piece);
    } else {
        profi_put_text(&p->part, TRACK_NAME, name);
        profi_put_number(&p->part, TRACK_MERGE, t->thread != NULL ? MERGE_NONE : MERGE_BY_NAME);
    }
    profi_put_message(&p->packet, PACKET_TRACK, &p->part);
}

void profi_pftrace_begin_sequence(profi_pftrace *p, const profi_walk_track *track)
{
    memset(p->interned, 0, p->events->site_count);
    profi_put_number(&p->packet, PACKET_SEQUENCE, p->sequence);
    profi_put_number(&p->packet, PACKET_FLAGS, FLAG_CLEARED);
    profi_put_number(&p->part, DEFAULTS_CLOCK, CLOCK_IS_MONOTONIC);
    profi_put_number(&p->piece, EVENT_TRACK, p->track_uuid);
    profi_put_message(&p->part, DEFAULTS_EVENT, &p->piece);
    profi_put_message(&p->packet, PACKET_DEFAULTS, &p->part);
    put_track(p, track);
    profi_pftrace_write_packet(p);
}

uint64_t profi_pftrace_counter_uuid(const profi_pftrace *p, uint32_t site) { return profi_mix64(~p->first_uuid + site); }

static void write_counter_tracks(profi_pftrace *p)
{
    for (uint32_t site = 0; site < p->events->site_count; site++) {
        if (!p->events->sites[site].is_counter)
            continue;
        profi_put_number(&p->part, TRACK_UUID, profi_pftrace_counter_uuid(p, site));
        profi_put_number(&p->part, TRACK_PARENT, process_uuid(p, p->events->sites[site].process));
        profi_put_text(&p->part, TRACK_NAME, p->events->sites[site].name);
        if (p->events->sites[site].unit != NULL)
            profi_put_text(&p->piece, COUNTER_UNIT_NAME, p->events->sites[site].unit);
        profi_put_message(&p->part, TRACK_COUNTER, &p->piece);
        profi_put_number(&p->packet, PACKET_SEQUENCE, PROFI_PFTRACE_PROCESS_SEQUENCE);
        profi_put_message(&p->packet, PACKET_TRACK, &p->part);
        profi_pftrace_write_packet(p);
    }
}

/* ---- what is missing, and what made a dump: instants ---- */

void profi_pftrace_annotate(profi_pftrace *p, const char *name, uint64_t number)
{
    profi_put_text(&p->piece, ANNOTATION_NAME, name);
    profi_put_number(&p->piece, ANNOTATION_UINT, number);
    profi_put_message(&p->part, EVENT_ANNOTATION, &p->piece);
}

static void annotate_text(profi_pftrace *p, const char *name, const char *text)
{
    char cut[512];
    profi_text_cut(cut, sizeof(cut), text);
    profi_put_text(&p->piece, ANNOTATION_NAME, name);
    profi_put_text(&p->piece, ANNOTATION_TEXT, cut);
    profi_put_message(&p->part, EVENT_ANNOTATION, &p->piece);
}

/* Between these two what the instant says beside its name. */
static void begin_instant(profi_pftrace *p, uint64_t sequence, uint64_t uuid, uint64_t ns, const char *name)
{
    profi_put_number(&p->packet, PACKET_TIMESTAMP, ns);
    profi_put_number(&p->packet, PACKET_CLOCK, CLOCK_IS_MONOTONIC);
    profi_put_number(&p->packet, PACKET_SEQUENCE, sequence);
    profi_put_number(&p->part, EVENT_TYPE, TYPE_INSTANT);
    profi_put_number(&p->part, EVENT_TRACK, uuid);
    profi_put_text(&p->part, EVENT_NAME, name);
}

static void end_instant(profi_pftrace *p)
{
    profi_put_message(&p->packet, PACKET_EVENT, &p->part);
    profi_pftrace_write_packet(p);
}

/* Says on a track how many events are not there, `key`, and in `why` what became of them. */
static void write_missing(profi_pftrace *p, uint64_t sequence, uint64_t uuid, uint64_t ns, const char *key, const char *why,
                          uint64_t count)
{
    char name[80];
    snprintf(name, sizeof(name), "<profcore: %llu events %s>", (unsigned long long)count, why);
    begin_instant(p, sequence, uuid, ns, name);
    profi_pftrace_annotate(p, key, count);
    end_instant(p);
}

static void write_loss(profi_pftrace *p, uint64_t sequence, uint64_t uuid, uint64_t ns, uint64_t lost)
{
    write_missing(p, sequence, uuid, ns, "lost", "lost", lost);
}

/* They are not missing but elsewhere. */
static void write_streamed(profi_pftrace *p, uint64_t sequence, uint64_t uuid, uint64_t ns, uint64_t streamed)
{
    write_missing(p, sequence, uuid, ns, "streamed", "are in the stream", streamed);
}

void profi_pftrace_write_missing(profi_pftrace *p, const profi_events_thread *thread, uint64_t ns)
{
    if (thread->lost != 0)
        write_loss(p, p->sequence, p->track_uuid, ns, thread->lost);
    if (thread->before != 0)
        write_missing(p, p->sequence, p->track_uuid, ns, "before", "before the dump's window", thread->before);
    if (thread->streamed != 0)
        write_streamed(p, p->sequence, p->track_uuid, ns, thread->streamed);
}

static void write_mark(profi_pftrace *p, const profi_mark *mark, uint64_t uuid)
{
    char name[256], scope[200];
    profi_text_cut(scope, sizeof(scope), mark->name != NULL ? mark->name : "");
    if (mark->name != NULL)
        snprintf(name, sizeof(name), "<profcore: %s is slow>", scope);
    else
        snprintf(name, sizeof(name), "<profcore: dump, %s>", mark->trigger);
    begin_instant(p, PROFI_PFTRACE_PROCESS_SEQUENCE, uuid, mark->ns, name);
    annotate_text(p, "trigger", mark->trigger);
    if (mark->reason != NULL)
        annotate_text(p, "reason", mark->reason);
    if (mark->name != NULL) {
        annotate_text(p, "scope", mark->name);
        profi_pftrace_annotate(p, "limit_ns", mark->limit_ns);
        profi_pftrace_annotate(p, "age_ns", mark->age_ns);
    }
    profi_pftrace_annotate(p, "skipped_before", p->events->stacks->skipped);
    end_instant(p);
}

void profi_pftrace_write_marks(profi_pftrace *p, uint64_t ns)
{
    const profi_open_stacks *stacks = p->events->stacks;
    for (size_t i = 0; stacks != NULL && p->thread != 0 && i < stacks->mark_count; i++) {
        const profi_mark *mark = &stacks->marks[i];
        if (mark->thread == p->thread && mark->ns >= p->marked_ns && mark->ns < ns)
            write_mark(p, mark, p->track_uuid);
    }
    p->marked_ns = profi_max_u64(p->marked_ns, ns);
}

/* ---- all of it ---- */

void profi_pftrace_write_head(profi_pftrace *p)
{
    p->first_uuid = profi_mix64(p->events->taken.unix_ns ^ profi_mix64((uint64_t)p->events->pid));
    profi_output_text(p->out, PROFI_PFTRACE_START);
    write_clocks(p);
    write_processes(p);
    write_counter_tracks(p);
}

void profi_pftrace_write_tail(profi_pftrace *p)
{
    const profi_events *events = p->events;
    if (events->stacks != NULL && events->stacks->mark_count != 0)
        write_mark(p, &events->stacks->marks[0], p->first_uuid); /* it came before the dump was taken */
    if (events->lost_of_unknown != 0)
        write_loss(p, PROFI_PFTRACE_PROCESS_SEQUENCE, p->first_uuid, events->taken.monotonic_ns, events->lost_of_unknown);
    if (events->streamed_of_unknown != 0)
        write_streamed(p, PROFI_PFTRACE_PROCESS_SEQUENCE, p->first_uuid, events->taken.monotonic_ns, events->streamed_of_unknown);
}
