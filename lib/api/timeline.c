/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions for timelines that were written: checks, then delegates. */
#include "result_file.h"

#include "../base/error.h"
#include "../base/input.h"
#include "../base/system.h"
#include "../format/reader.h"
#include "../model/events_snapshot.h"
#include "../model/slowest.h"
#include <profcore/timeline.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct prof_timeline {
    profi_events *events;
};

/* The structs as of version 0.1: no caller's is smaller. */
enum { ABOUT_SIZE_0 = 128, PROCESS_SIZE_0 = 24, TRACK_SIZE_0 = 40, SLICE_SIZE_0 = 80, ARGUMENT_SIZE_0 = 40 };

/* ---- reading ---- */

static prof_status read_sources(const prof_timeline_source *sources, size_t count, profi_events **events, prof_error *err)
{
    profi_events_builder builder;
    profi_stream stream;
    prof_status status = PROF_OK;
    profi_build_init(&builder);
    for (size_t i = 0; i < count && status == PROF_OK; i++) {
        const char *what = sources[i].what != NULL ? sources[i].what : "the data";
        profi_stream_of_callback(&stream, sources[i].read, sources[i].user);
        status = count == 1 ? profi_event_reader_run(&stream, what, events, err)
                            : profi_event_reader_add(&stream, what, &builder, err);
        profi_stream_fini(&stream);
    }
    if (status == PROF_OK && count > 1)
        return profi_build_finish(&builder, sources[0].what != NULL ? sources[0].what : "the data", events, err);
    profi_build_fini(&builder);
    return status;
}

prof_status prof_timeline_read(const prof_timeline_source *sources, size_t count, prof_timeline **timeline, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    if (sources == NULL || timeline == NULL || count == 0)
        return profi_fail(err, PROF_E_INVALID, "prof_timeline_read: %s", count == 0 ? "there is no source"
                          : timeline ? "sources is NULL" : "timeline is NULL");
    for (size_t i = 0; i < count; i++)
        if (sources[i].read == NULL)
            return profi_fail(err, PROF_E_INVALID, "prof_timeline_read: sources[%zu].read is NULL", i);
    prof_timeline *made = malloc(sizeof(*made));
    if (made == NULL)
        return profi_fail(err, PROF_E_NO_MEMORY, "no memory for a timeline");
    prof_status status = read_sources(sources, count, &made->events, err);
    if (status == PROF_OK)
        *timeline = made;
    else
        free(made);
    return status;
}

prof_status prof_timeline_read_file(const char *path, prof_timeline **timeline, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    int fd;
    if (path == NULL || timeline == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_timeline_read_file: %s is NULL", path ? "timeline" : "path");
    prof_status status = profi_input_open(path, &fd, err);
    if (status != PROF_OK)
        return status;
    const prof_timeline_source source = { profi_stream_read_fd, &fd, path };
    status = prof_timeline_read(&source, 1, timeline, err);
    close(fd);
    return status;
}

int prof_timeline_looks_like(const void *data, size_t bytes)
{
    profi_stream stream;
    if (data == NULL)
        return 0;
    profi_stream_of_memory(&stream, data, bytes);
    return profi_event_reader_find(&stream) != NULL;
}

void prof_timeline_close(prof_timeline *timeline)
{
    PROFI_KEEP_ERRNO; /* closing a spool's file may fail */
    PROFI_NO_CANCELLATION;
    if (timeline == NULL)
        return;
    profi_events_close(timeline->events);
    free(timeline);
}

/* ---- looking ---- */

/* Where the slices of a track stand: threads first, then lanes. */
static int find_track(const profi_events *events, uint64_t track, uint64_t *first, uint64_t *count)
{
    if (track < events->thread_count) {
        *first = events->threads[track].first;
        *count = events->threads[track].count;
        return 1;
    }
    track -= events->thread_count;
    if (track >= events->lane_count)
        return 0;
    *first = events->lanes[track].first;
    *count = events->lanes[track].count;
    return 1;
}

static uint64_t first_of(const profi_events *events)
{
    uint64_t earliest = events->taken.monotonic_ns, first, count;
    profi_slice slice;
    for (uint64_t i = 0; find_track(events, i, &first, &count); i++)
        if (profi_events_read(events, first, count, 0, &slice, 1) == 1)
            earliest = profi_min_u64(earliest, slice.start_ns);
    return earliest;
}

prof_status prof_timeline_about_get(const prof_timeline *timeline, prof_timeline_about *about, prof_error *err)
{
    prof_timeline_about full = PROF_TIMELINE_ABOUT_INIT;
    if (timeline == NULL)
        return profi_fail(err, PROF_E_INVALID, "the timeline is NULL");
    const profi_events *events = timeline->events;
    full.process_count = events->process_count;
    full.producer = events->notes.producer;
    full.track_count = events->thread_count + events->lane_count;
    full.event_count = events->held;
    full.lost_count = events->lost;
    full.first_ns = first_of(events);
    full.last_ns = events->taken.monotonic_ns;
    full.last_unix_ns = events->taken.unix_ns;
    full.unfinished = events->notes.unfinished;
    full.stray_ends = events->notes.stray_ends;
    full.disordered = events->notes.disordered;
    full.without_clock = events->notes.without_clock;
    full.without_names = events->notes.without_names;
    full.not_understood = events->notes.not_understood;
    full.other_packets = events->notes.other_packets;
    full.torn_bytes = events->notes.torn_bytes;
    full.has_no_end = events->notes.has_no_end != 0;
    return profi_struct_write(about, &full, sizeof(full), ABOUT_SIZE_0, "prof_timeline_about", err);
}

prof_status prof_timeline_process_get(const prof_timeline *timeline, uint32_t process, prof_timeline_process *row,
                                      prof_error *err)
{
    prof_timeline_process full = PROF_TIMELINE_PROCESS_INIT;
    if (timeline == NULL || process >= timeline->events->process_count)
        return profi_fail(err, PROF_E_INVALID, timeline ? "there is no process %u" : "the timeline is NULL", (unsigned)process);
    full.pid = timeline->events->processes[process].pid;
    full.name = timeline->events->processes[process].name;
    return profi_struct_write(row, &full, sizeof(full), PROCESS_SIZE_0, "prof_timeline_process", err);
}

static prof_status fail_track(const prof_timeline *timeline, uint64_t track, prof_error *err)
{
    return profi_fail(err, PROF_E_INVALID, timeline ? "there is no track %llu" : "the timeline is NULL",
                      (unsigned long long)track);
}

prof_status prof_timeline_track_get(const prof_timeline *timeline, uint64_t track, prof_timeline_track *row, prof_error *err)
{
    prof_timeline_track full = PROF_TIMELINE_TRACK_INIT;
    uint64_t first;
    if (timeline == NULL || !find_track(timeline->events, track, &first, &full.slice_count))
        return fail_track(timeline, track, err);
    const profi_events *events = timeline->events;
    if (track < events->thread_count) {
        full.process = events->threads[track].process;
        full.tid = events->threads[track].tid;
        full.name = events->threads[track].name;
        full.lost_count = events->threads[track].lost;
    } else {
        const profi_events_lane *lane = &events->lanes[track - events->thread_count];
        full.process = lane->process;
        full.name = events->sites[lane->track].name;
    }
    return profi_struct_write(row, &full, sizeof(full), TRACK_SIZE_0, "prof_timeline_track", err);
}

/* The slice, and the arguments among its details. */
static prof_status find_slice(const prof_timeline *timeline, uint64_t track, uint64_t index, profi_slice *slice,
                              uint64_t *arguments, prof_error *err)
{
    uint64_t first, count;
    if (timeline == NULL || !find_track(timeline->events, track, &first, &count))
        return fail_track(timeline, track, err);
    if (profi_events_read(timeline->events, first, count, index, slice, 1) == 0)
        return profi_fail(err, PROF_E_INVALID, "there is no slice %llu: the track has %llu", (unsigned long long)index,
                          (unsigned long long)count);
    *arguments = 0;
    for (size_t i = 0; i < slice->detail_count; i++)
        *arguments += (uint64_t)profi_detail_is_argument(&slice->details[i]);
    return PROF_OK;
}

prof_status prof_timeline_slice_get(const prof_timeline *timeline, uint64_t track, uint64_t index, prof_timeline_slice *slice,
                                    prof_error *err)
{
    prof_timeline_slice full = PROF_TIMELINE_SLICE_INIT;
    profi_slice found;
    prof_status status = find_slice(timeline, track, index, &found, &full.argument_count, err);
    if (status != PROF_OK)
        return status;
    const profi_events_site *site = &timeline->events->sites[found.site];
    full.kind = (uint32_t)found.kind;
    full.name = site->name;
    full.file = site->file;
    full.line = site->line;
    full.depth = found.depth;
    full.start_ns = found.start_ns;
    full.end_ns = found.end_ns;
    full.value = found.value;
    if (found.request != NULL)
        full.request = (prof_request){ found.request->low, found.request->high };
    return profi_struct_write(slice, &full, sizeof(full), SLICE_SIZE_0, "prof_timeline_slice", err);
}

prof_status prof_timeline_argument_get(const prof_timeline *timeline, uint64_t track, uint64_t index, uint64_t argument,
                                       prof_timeline_argument *row, prof_error *err)
{
    prof_timeline_argument full = PROF_TIMELINE_ARGUMENT_INIT;
    profi_slice slice;
    uint64_t count;
    prof_status status = find_slice(timeline, track, index, &slice, &count, err);
    if (status != PROF_OK)
        return status;
    if (argument >= count)
        return profi_fail(err, PROF_E_INVALID, "there is no argument %llu: the slice has %llu", (unsigned long long)argument,
                          (unsigned long long)count);
    const profi_detail *detail = slice.details;
    for (uint64_t left = argument; !profi_detail_is_argument(detail) || left-- > 0;)
        detail++;
    full.type = (uint32_t)detail->kind;
    full.name = timeline->events->sites[detail->name].name;
    if (detail->kind == PROFI_ARG_INT)
        full.integer = detail->value.integer;
    else if (detail->kind == PROFI_ARG_DOUBLE)
        full.number = detail->value.number;
    else
        full.text = detail->value.text;
    return profi_struct_write(row, &full, sizeof(full), ARGUMENT_SIZE_0, "prof_timeline_argument", err);
}

/* ---- what is made of it ---- */

prof_status prof_timeline_snapshot(const prof_timeline *timeline, prof_snapshot **snapshot, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    if (timeline == NULL || snapshot == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_timeline_snapshot: %s is NULL", timeline ? "snapshot" : "timeline");
    return profi_snapshot_of_events(timeline->events, timeline->events->run_name, snapshot, err);
}

prof_status prof_timeline_add_slowest(const prof_timeline *timeline, prof_snapshot *snapshot, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    if (timeline == NULL || snapshot == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_timeline_add_slowest: %s is NULL", timeline ? "snapshot" : "timeline");
    return profi_slowest_find(timeline->events, snapshot, err);
}

prof_status prof_timeline_write(const prof_timeline *timeline, const char *format, prof_write_callback write, void *user,
                                prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    const profi_writer *writer;
    if (timeline == NULL || write == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_timeline_write: %s is NULL", timeline ? "write" : "timeline");
    prof_status status = profi_find_event_writer(format, &writer, err);
    return status == PROF_OK ? profi_writer_run_events(writer, timeline->events, write, user, err) : status;
}

prof_status prof_timeline_write_file(const prof_timeline *timeline, const char *format, const char *path, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    profi_result result = { 0 };
    if (timeline == NULL || path == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_timeline_write_file: %s is NULL", timeline ? "path" : "timeline");
    prof_status status = profi_find_event_writer(format, &result.writer, err);
    result.events = timeline->events;
    return status == PROF_OK ? profi_result_write_file(&result, path, err) : status;
}
