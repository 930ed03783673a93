/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chrome's trace events, `.trace.json`: a JSON object with an array of
 * events, one a line, for Perfetto, chrome://tracing and speedscope.
 *
 * Slices are pairs of B and E, since the order of these shows the nesting
 * where times are equal.  Spans, which are no thread's, are asynchronous (b
 * and e).  Times are microseconds of CLOCK_MONOTONIC with all three decimals.
 * A site's file and line stand as its category: arguments would become part
 * of a frame's name in speedscope.
 * Source: "Trace Event Format" of the Chromium project.
 */
#include "event_walk.h"
#include "writer.h"

#include "../base/error.h"
#include "../base/number_map.h"
#include "../base/spool.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A flow's way through one slice. */
typedef struct station {
    uint64_t id, ns, place; /* place: in the order in which slices are written */
    uint32_t is_last;       /* the program said so */
    char phase;             /* s, t or f */
} station;

typedef struct chrome {
    const profi_events *events;
    profi_output *out;
    profi_number_map threads;  /* which numbers are taken */
    int64_t pid, tid;          /* of the track at hand */
    const profi_events_lane *lane; /* NULL: it is a thread's */
    size_t lane_number;
    profi_spool station_spool;
    station *stations;         /* by place, and of one place in its order */
    size_t station_count, next_station;
    uint64_t place;
    int has_events, error;
} chrome;

/* ---- pieces of JSON ---- */

static void put_escaped(profi_output *out, const char *text)
{
    for (size_t plain; *text != '\0'; text += plain) {
        plain = strcspn(text, "\"\\");
        profi_output_bytes(out, text, plain);
        if (text[plain] == '\0')
            break;
        profi_output_bytes(out, text[plain] == '"' ? "\\\"" : "\\\\", 2);
        plain++;
    }
}

static void put_string(profi_output *out, const char *text)
{
    profi_output_bytes(out, "\"", 1);
    put_escaped(out, text);
    profi_output_bytes(out, "\"", 1);
}

static void put_double(profi_output *out, double value)
{
    if (isfinite(value))
        profi_output_printf(out, "%.17g", value);
    else
        profi_output_text(out, isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
}

/* What every event begins with: its phase, whose it is, when. */
static void begin_event(chrome *c, char phase, uint64_t ns)
{
    profi_output_printf(c->out, "%s{\"ph\":\"%c\",\"pid\":%" PRId64 ",\"tid\":%" PRId64 ",\"ts\":%" PRIu64 ".%03u",
                        c->has_events ? ",\n" : "\n", phase, c->pid, c->tid, ns / 1000, (unsigned)(ns % 1000));
    c->has_events = 1;
}

static void put_name(chrome *c, const char *name)
{
    profi_output_text(c->out, ",\"name\":");
    put_string(c->out, name);
}

static void put_category(chrome *c, const profi_events_site *site)
{
    if (site->file == NULL) {
        profi_output_text(c->out, ",\"cat\":\"profcore\"");
        return;
    }
    profi_output_text(c->out, ",\"cat\":\"");
    put_escaped(c->out, site->file);
    profi_output_printf(c->out, ":%u\"", (unsigned)site->line);
}

static void put_value(chrome *c, const profi_detail *detail)
{
    if (detail->kind == PROFI_ARG_INT)
        profi_output_printf(c->out, "%" PRId64, detail->value.integer);
    else if (detail->kind == PROFI_ARG_DOUBLE)
        put_double(c->out, detail->value.number);
    else
        put_string(c->out, detail->value.text);
}

static void put_request(chrome *c, const profi_request_id *id)
{
    if (id->high == 0)
        profi_output_printf(c->out, "\"request\":%" PRIu64, id->low);
    else
        profi_output_printf(c->out, "\"request\":\"%016" PRIx64 "%016" PRIx64 "\"", id->high, id->low);
}

static void put_arguments(chrome *c, const profi_slice *slice)
{
    unsigned count = 0;
    for (size_t i = 0; i < slice->detail_count; i++) {
        if (!profi_detail_is_argument(&slice->details[i]))
            continue;
        profi_output_text(c->out, count++ == 0 ? ",\"args\":{" : ",");
        put_string(c->out, c->events->sites[slice->details[i].name].name);
        profi_output_text(c->out, ":");
        put_value(c, &slice->details[i]);
    }
    if (slice->request != NULL) {
        profi_output_text(c->out, count++ == 0 ? ",\"args\":{" : ",");
        put_request(c, slice->request);
    }
    if (count != 0)
        profi_output_text(c->out, "}");
}

static void end_event(chrome *c) { profi_output_text(c->out, "}"); }

/* ---- flows ---- */

static int compare_by_flow(const void *one, const void *other)
{
    const station *a = one, *b = other;
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    if (a->ns != b->ns)
        return a->ns < b->ns ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

static int compare_by_place(const void *one, const void *other)
{
    const station *a = one, *b = other;
    return a->place != b->place ? (a->place < b->place ? -1 : 1) : compare_by_flow(one, other);
}

static void note_stations(void *user, const profi_slice *slice)
{
    chrome *c = user;
    uint64_t place = c->place++;
    for (size_t i = 0; i < slice->detail_count && c->error == 0; i++) {
        const profi_detail *detail = &slice->details[i];
        if (profi_detail_is_argument(detail))
            continue;
        c->error = profi_spool_reserve(&c->station_spool, (c->station_count + 1) * sizeof(station));
        c->stations = c->station_spool.data;
        if (c->error == 0)
            c->stations[c->station_count++] =
                (station){ detail->value.flow, slice->start_ns, place, detail->kind == PROFI_FLOW_LAST, 't' };
    }
}

/* The first station of a flow starts it, the last finishes it, and behind one that the program called the last it starts anew. */
static void choose_phases(chrome *c)
{
    if (c->station_count != 0)
        qsort(c->stations, c->station_count, sizeof(*c->stations), compare_by_flow);
    for (size_t i = 0; i < c->station_count; i++) {
        station *at = &c->stations[i];
        int is_first = i == 0 || at[-1].id != at->id || at[-1].is_last;
        int is_last = i + 1 == c->station_count || at[1].id != at->id || at->is_last;
        at->phase = is_first && is_last ? '\0' : is_first ? 's' : is_last ? 'f' : 't';
    }
    if (c->station_count != 0)
        qsort(c->stations, c->station_count, sizeof(*c->stations), compare_by_place);
}

/* Behind the beginning of a slice and before all else: so viewers bind them to it. */
static void write_stations(chrome *c, uint64_t ns)
{
    for (; c->next_station < c->station_count && c->stations[c->next_station].place == c->place; c->next_station++) {
        const station *at = &c->stations[c->next_station];
        if (at->phase == '\0') /* nothing leads there */
            continue;
        begin_event(c, at->phase, ns);
        profi_output_printf(c->out, ",\"name\":\"flow\",\"cat\":\"flow\",\"id\":\"0x%" PRIx64 "\"%s}", at->id,
                            at->phase == 'f' ? ",\"bp\":\"e\"" : "");
    }
    c->place++;
}

/* ---- slices ---- */

static void put_lane(chrome *c)
{
    if (c->lane != NULL)
        profi_output_printf(c->out, ",\"id\":\"0x%zx\"", c->lane_number + 1);
}

static void write_begin(void *user, const profi_slice *slice)
{
    chrome *c = user;
    begin_event(c, c->lane != NULL ? 'b' : 'B', slice->start_ns);
    put_name(c, c->events->sites[slice->site].name);
    put_category(c, &c->events->sites[slice->site]);
    put_lane(c);
    put_arguments(c, slice);
    end_event(c);
    write_stations(c, slice->start_ns);
}

/* One that has not ended has no end here either. */
static void write_end(void *user, uint32_t site, uint64_t ns, int is_open)
{
    chrome *c = user;
    if (is_open)
        return;
    begin_event(c, c->lane != NULL ? 'e' : 'E', ns);
    put_name(c, c->events->sites[site].name);
    if (c->lane != NULL) {
        put_category(c, &c->events->sites[site]);
        put_lane(c);
    }
    end_event(c);
}

static void write_point(void *user, const profi_slice *slice)
{
    chrome *c = user;
    const profi_events_site *site = &c->events->sites[slice->site];
    if (slice->kind == PROFI_SLICE_COUNTER && !isfinite(slice->value)) /* JSON has no such number */
        return;
    begin_event(c, slice->kind == PROFI_SLICE_COUNTER ? 'C' : 'i', slice->start_ns);
    put_name(c, site->name);
    if (slice->kind == PROFI_SLICE_COUNTER) {
        profi_output_text(c->out, ",\"args\":{");
        put_string(c->out, site->unit != NULL ? site->unit : "value");
        profi_output_text(c->out, ":");
        put_double(c->out, slice->value);
        profi_output_text(c->out, "}");
    } else {
        profi_output_text(c->out, ",\"s\":\"t\"");
        put_category(c, site);
        put_arguments(c, slice);
    }
    end_event(c);
}

/* ---- tracks ---- */

/* A thread's own number, unless that is not known or another track has it. */
static int choose_tid(chrome *c, uint64_t number, int32_t tid)
{
    c->tid = tid;
    if (tid == 0 || profi_number_map_find(&c->threads, (uint64_t)c->pid, (uint64_t)c->tid) != UINT32_MAX)
        c->tid = (int64_t)PROFI_FIRST_MADE_UP_ID + (int64_t)number;
    return profi_number_map_put(&c->threads, (uint64_t)c->pid, (uint64_t)c->tid, 0);
}

static void write_metadata(chrome *c, const char *what, const char *name)
{
    begin_event(c, 'M', 0);
    put_name(c, what);
    profi_output_text(c->out, ",\"args\":{\"name\":");
    put_string(c->out, name);
    profi_output_text(c->out, "}}");
}

static void write_loss(chrome *c, uint64_t ns, uint64_t lost)
{
    begin_event(c, 'i', ns);
    profi_output_printf(c->out, ",\"name\":\"<profcore: %" PRIu64 " events lost>\",\"s\":\"%c\",\"cat\":\"profcore\","
                        "\"args\":{\"lost\":%" PRIu64 "}}", lost, c->tid != 0 ? 't' : 'p', lost);
}

static void write_processes(chrome *c)
{
    for (uint32_t i = 0; i < c->events->process_count; i++) {
        c->pid = profi_walk_pid(c->events, i);
        c->tid = 0;
        write_metadata(c, "process_name", c->events->processes[i].name);
    }
    c->pid = profi_walk_pid(c->events, 0);
    if (c->events->lost_of_unknown != 0)
        write_loss(c, c->events->taken.monotonic_ns, c->events->lost_of_unknown);
}

static void start_track(void *user, const profi_walk_track *track, uint64_t ns)
{
    if (track->thread != NULL && track->thread->lost != 0)
        write_loss(user, ns, track->thread->lost);
}

/* 0 when memory is spent. */
static int name_thread(chrome *c, const profi_events_thread *thread)
{
    c->pid = profi_walk_pid(c->events, thread->process);
    if (!choose_tid(c, thread->number, thread->tid))
        return 0;
    write_metadata(c, "thread_name", thread->name);
    return 1;
}

/* All that walker shows, threads first; 0 when memory is spent. */
static int walk_all(chrome *c, const profi_walker *walker, int is_writing)
{
    const profi_events *events = c->events;
    int ok = 1;
    c->place = 0;
    for (uint32_t i = 0; i < events->thread_count && ok && c->error == 0; i++) {
        const profi_events_thread *thread = &events->threads[i];
        const profi_walk_track track = profi_walk_thread(thread);
        ok = (!is_writing || name_thread(c, thread)) && profi_walk(walker, &track);
    }
    for (size_t i = 0; i < events->lane_count && ok && is_writing; i++) {
        c->lane = &events->lanes[i];
        c->lane_number = i;
        c->pid = profi_walk_pid(c->events, c->lane->process);
        c->tid = (int64_t)PROFI_FIRST_MADE_UP_ID;
        const profi_walk_track track = profi_walk_lane(c->lane);
        ok = profi_walk(walker, &track);
    }
    return ok;
}

static int write_all(chrome *c)
{
    const profi_walker look = { .events = c->events, .user = c, .begin = note_stations };
    const profi_walker write = { c->events, c, start_track, NULL, write_begin, write_end, write_point };
    if (c->events->detail_count != 0 && !walk_all(c, &look, 0))
        return 0;
    choose_phases(c);
    profi_output_printf(c->out, PROFI_CHROME_START ",\"events\":%" PRIu64 ",\"events_lost\":%" PRIu64 "},\n\"traceEvents\":[",
                        c->events->issued, c->events->lost);
    write_processes(c);
    if (!walk_all(c, &write, 1))
        return 0;
    profi_output_text(c->out, "\n]}\n");
    return 1;
}

prof_status profi_write_chrome(const profi_events *events, profi_output *out, prof_error *err)
{
    chrome *c = calloc(1, sizeof(*c));
    int ok = c != NULL, error = 0;
    if (ok) {
        c->events = events;
        c->out = out;
        ok = write_all(c);
        error = c->error;
        profi_number_map_fini(&c->threads);
        profi_spool_fini(&c->station_spool);
    }
    free(c);
    if (error != 0)
        return profi_fail_errno(err, error, "no room in $TMPDIR to write \"chrome\"");
    return ok ? PROF_OK : profi_fail(err, PROF_E_NO_MEMORY, "no memory to write \"chrome\"");
}
