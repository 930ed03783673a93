/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NVTXT, `.nvtxt`: ranges and marks as text, which Nsight Systems imports
 * (ImportNvtxt), also into a capture that it has made itself.
 *
 * Scopes are pushed and popped, spans are RangeStartEnd, instants and losses
 * Marker.  It has no place for values, arguments and flows: a comment says how
 * many are left out.  A scope that has not ended ends with the last event.
 * Source: Nsight Systems' user guide, "Importing NVTXT", and its ImportNvtxt.
 */
#include "event_walk.h"
#include "writer.h"

#include "../base/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct nvtxt {
    const profi_events *events;
    profi_output *out;
    int64_t tid;
    int is_lane;
    profi_slice kept; /* the span that has begun: its end makes the row */
} nvtxt;

/* Rows are parted by commas and newlines and have no escapes: a quote becomes an apostrophe; newlines are escaped already. */
static void put_message(profi_output *out, const char *text)
{
    profi_output_bytes(out, "\"", 1);
    for (; *text != '\0'; text++)
        profi_output_bytes(out, *text == '"' ? "'" : text, 1);
    profi_output_bytes(out, "\"\n", 2);
}

static void write_begin(void *user, const profi_slice *slice)
{
    nvtxt *n = user;
    n->kept = *slice;
    if (n->is_lane)
        return;
    profi_output_printf(n->out, "RangePush, %" PRIu64 ", %" PRId64 ", ", slice->start_ns, n->tid);
    put_message(n->out, n->events->sites[slice->site].name);
}

static void write_end(void *user, uint32_t site, uint64_t ns, int is_open)
{
    nvtxt *n = user;
    (void)is_open;
    if (n->is_lane) {
        profi_output_printf(n->out, "RangeStartEnd, %" PRIu64 ", %" PRIu64 ", %" PRId64 ", ", n->kept.start_ns, ns, n->tid);
        put_message(n->out, n->events->sites[site].name);
    } else {
        profi_output_printf(n->out, "RangePop, %" PRIu64 ", %" PRId64 "\n", ns, n->tid);
    }
}

static void write_marker(nvtxt *n, uint64_t ns, const char *name)
{
    profi_output_printf(n->out, "Marker, %" PRIu64 ", %" PRId64 ", ", ns, n->tid);
    put_message(n->out, name);
}

static void write_point(void *user, const profi_slice *slice)
{
    nvtxt *n = user;
    if (slice->kind == PROFI_SLICE_INSTANT)
        write_marker(n, slice->start_ns, n->events->sites[slice->site].name);
}

/* What a row of each kind holds, and what all that follow have in common: repeated for each process. */
static void write_formats(nvtxt *n, uint32_t process)
{
    static const char *const formats[] = { "@RangePush, Time, ThreadId, Message", "@RangePop, Time, ThreadId",
                                           "@RangeStartEnd, Start, End, ThreadId, Message", "@Marker, Time, ThreadId, Message" };
    for (unsigned i = 0; i < PROFI_COUNT_OF(formats); i++)
        profi_output_printf(n->out, "%s\nProcessId = %" PRId64 "\nCategoryId = 1\nColor = Blue\nTimeBase = Manual\n", formats[i],
                            profi_walk_pid(n->events, process));
}

static void write_loss(nvtxt *n, uint64_t ns, uint64_t lost)
{
    char name[64];
    snprintf(name, sizeof(name), "<profcore: %" PRIu64 " events lost>", lost);
    write_marker(n, ns, name);
}

static void start_track(void *user, const profi_walk_track *track, uint64_t ns)
{
    if (track->thread != NULL && track->thread->lost != 0)
        write_loss(user, ns, track->thread->lost);
}

static int write_process(nvtxt *n, uint32_t process)
{
    const profi_events *events = n->events;
    const profi_walker walker = { events, n, start_track, NULL, write_begin, write_end, write_point };
    int ok = 1;
    write_formats(n, process);
    for (uint32_t i = 0; i < events->thread_count && ok; i++) {
        const profi_events_thread *thread = &events->threads[i];
        const profi_walk_track track = profi_walk_thread(thread);
        if (thread->process != process)
            continue;
        n->tid = thread->tid != 0 ? thread->tid : (int64_t)PROFI_FIRST_MADE_UP_ID + (int64_t)thread->number;
        ok = profi_walk(&walker, &track);
    }
    n->tid = PROFI_FIRST_MADE_UP_ID;
    n->is_lane = 1;
    for (size_t i = 0; i < events->lane_count && ok; i++) {
        const profi_walk_track track = profi_walk_lane(&events->lanes[i]);
        if (events->lanes[i].process == process)
            ok = profi_walk(&walker, &track);
    }
    n->is_lane = 0;
    if (process == 0 && events->lost_of_unknown != 0)
        write_loss(n, events->taken.monotonic_ns, events->lost_of_unknown);
    return ok;
}

prof_status profi_write_nvtxt(const profi_events *events, profi_output *out, prof_error *err)
{
    nvtxt n = { .events = events, .out = out };
    int ok = 1;
    profi_output_printf(out, PROFI_NVTXT_START "# %" PRIu64 " events, %" PRIu64 " of them lost; values, arguments and flows are left out\n"
                        "SetFileDisplayName, ", events->issued, events->lost);
    for (const char *at = events->run_name; *at != '\0'; at++) /* no quotes here */
        profi_output_bytes(out, *at == ',' || *at == '"' ? "_" : at, 1);
    profi_output_text(out, "\n");
    for (uint32_t i = 0; i < events->process_count && ok; i++)
        ok = write_process(&n, i);
    return ok ? PROF_OK : profi_fail(err, PROF_E_NO_MEMORY, "no memory to write \"nvtxt\"");
}
