/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept between packets: see pftrace_state.h. */
#include "pftrace_state.h"

#include "../base/array.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for one entry more under a key; 0 when memory is spent. */
static int add_entry(profi_pftrace_reader *r, profi_number_map *map, uint64_t space, uint64_t key, void *array_at, size_t *room,
                     size_t count, size_t bytes)
{
    if (r->builder->error != 0)
        return 0;
    if (count < UINT32_MAX - 1 && profi_array_grow(array_at, room, count, bytes) &&
        profi_number_map_put(map, space, key, (uint32_t)count))
        return 1;
    r->builder->error = ENOMEM;
    return 0;
}

const char *profi_pftrace_text(profi_events_builder *builder, const profi_field *field)
{
    return profi_field_is_text(field) ? profi_build_text(builder, field->data, field->bytes) : NULL;
}

void profi_pftrace_reader_fini(profi_pftrace_reader *r)
{
    profi_number_map_fini(&r->sequence_map);
    profi_number_map_fini(&r->interned_map);
    profi_number_map_fini(&r->clock_map);
    profi_number_map_fini(&r->track_map);
    profi_number_map_fini(&r->process_map);
    free(r->sequences);
    free(r->interned);
    free(r->clocks);
    free(r->tracks);
    free(r->processes);
}

/* ---- sequences and what they intern ---- */

profi_pftrace_sequence *profi_pftrace_sequence_of(profi_pftrace_reader *r, uint64_t id)
{
    uint32_t at = profi_number_map_find(&r->sequence_map, 0, id);
    if (at != UINT32_MAX)
        return &r->sequences[at];
    if (!add_entry(r, &r->sequence_map, 0, id, &r->sequences, &r->sequence_room, r->sequence_count, sizeof(*r->sequences)))
        return NULL;
    r->sequences[r->sequence_count] = (profi_pftrace_sequence){ 0 };
    return &r->sequences[r->sequence_count++];
}

/* An entry of InternedData; all kinds have their number and their text in the same fields. */
static void intern_one(profi_pftrace_reader *r, const profi_pftrace_sequence *sequence, unsigned kind, profi_wire entry)
{
    profi_pftrace_interned interned = { 0 };
    uint64_t iid = 0, space = sequence->state * INTERNED_KINDS + kind;
    profi_field field;
    while (profi_wire_next(&entry, &field)) {
        if (field.number == NAME_IID)
            iid = field.value;
        else if (field.number == NAME_TEXT)
            interned.text = profi_pftrace_text(r->builder, &field);
        else if (field.number == SOURCE_LINE && kind == IS_SOURCE)
            interned.line = (uint32_t)field.value;
    }
    uint32_t at = profi_number_map_find(&r->interned_map, space, iid);
    if (at != UINT32_MAX) {
        r->interned[at] = interned;
        return;
    }
    if (add_entry(r, &r->interned_map, space, iid, &r->interned, &r->interned_room, r->interned_count, sizeof(*r->interned)))
        r->interned[r->interned_count++] = interned;
}

void profi_pftrace_intern(profi_pftrace_reader *r, const profi_pftrace_sequence *sequence, profi_wire data)
{
    profi_field field;
    while (profi_wire_next(&data, &field)) {
        if (!profi_field_is_text(&field))
            continue;
        switch (field.number) {
        case INTERNED_NAMES: intern_one(r, sequence, IS_NAME, profi_wire_of(&field)); break;
        case INTERNED_ANNOTATIONS: intern_one(r, sequence, IS_ANNOTATION, profi_wire_of(&field)); break;
        case INTERNED_SOURCES: intern_one(r, sequence, IS_SOURCE, profi_wire_of(&field)); break;
        case INTERNED_TEXTS: intern_one(r, sequence, IS_TEXT, profi_wire_of(&field)); break;
        default: break;
        }
    }
}

const profi_pftrace_interned *profi_pftrace_interned_of(const profi_pftrace_reader *r, const profi_pftrace_sequence *sequence,
                                                        unsigned kind, uint64_t iid)
{
    uint32_t at = profi_number_map_find(&r->interned_map, sequence->state * INTERNED_KINDS + kind, iid);
    return at != UINT32_MAX ? &r->interned[at] : NULL;
}

/* ---- clocks ---- */

/* Clocks with these numbers are each sequence's own. */
static uint64_t space_of(uint64_t sequence, uint64_t clock)
{
    return clock >= CLOCK_FIRST_OF_SEQUENCE && clock < CLOCK_FIRST_GLOBAL ? sequence + 1 : 0;
}

typedef struct snapshot_clock {
    uint64_t id, at, unit_ns;
    int is_incremental;
} snapshot_clock;

static snapshot_clock read_clock(profi_wire wire)
{
    snapshot_clock clock = { .unit_ns = 1 };
    profi_field field;
    while (profi_wire_next(&wire, &field)) {
        switch (field.number) {
        case CLOCK_ID: clock.id = field.value; break;
        case CLOCK_TIMESTAMP: clock.at = field.value; break;
        case CLOCK_IS_INCREMENTAL: clock.is_incremental = field.value != 0; break;
        case CLOCK_UNIT_NS: clock.unit_ns = field.value ? field.value : 1; break;
        default: break;
        }
    }
    clock.at *= clock.unit_ns;
    return clock;
}

static void set_clock(profi_pftrace_reader *r, uint64_t sequence, const snapshot_clock *read, uint64_t timeline_ns)
{
    uint64_t space = space_of(sequence, read->id);
    uint32_t at = profi_number_map_find(&r->clock_map, space, read->id);
    if (at == UINT32_MAX) {
        if (!add_entry(r, &r->clock_map, space, read->id, &r->clocks, &r->clock_room, r->clock_count, sizeof(*r->clocks)))
            return;
        at = (uint32_t)r->clock_count++;
    }
    r->clocks[at] = (profi_pftrace_clock){ read->at, timeline_ns, read->unit_ns, read->at, read->is_incremental };
}

/* How good a timeline's clock is: ours is CLOCK_MONOTONIC. */
static int rank_of(uint64_t clock)
{
    return clock == CLOCK_IS_MONOTONIC ? 4 : clock == CLOCK_IS_BOOTTIME ? 3 : clock == CLOCK_IS_REALTIME ? 2 : 1;
}

void profi_pftrace_add_clocks(profi_pftrace_reader *r, uint64_t sequence, profi_wire snapshot)
{
    profi_clock_moment *taken = &r->taken;
    int is_first = r->timeline_clock == 0;
    profi_wire again = snapshot;
    profi_field field;
    snapshot_clock timeline = { 0 };
    while (profi_wire_next(&again, &field)) {
        if (field.number != SNAPSHOT_CLOCKS || !profi_field_is_text(&field))
            continue;
        snapshot_clock clock = read_clock(profi_wire_of(&field));
        if (r->timeline_clock != 0 ? clock.id == r->timeline_clock : timeline.id == 0 || rank_of(clock.id) > rank_of(timeline.id))
            timeline = clock;
        if (clock.id == CLOCK_IS_BOOTTIME)
            taken->boot_ns = clock.at;
        if (clock.id == CLOCK_IS_REALTIME)
            taken->unix_ns = clock.at;
    }
    if (timeline.id == 0)
        return;
    r->timeline_clock = timeline.id;
    taken->monotonic_ns = timeline.at;
    if (is_first)
        r->offset = profi_build_clock_offset(r->builder, taken);
    while (profi_wire_next(&snapshot, &field)) {
        snapshot_clock clock = profi_field_is_text(&field) ? read_clock(profi_wire_of(&field)) : (snapshot_clock){ 0 };
        if (field.number == SNAPSHOT_CLOCKS && clock.id != 0)
            set_clock(r, sequence, &clock, timeline.at);
    }
}

/* Beside the times of the files before; 0 where it would lie before all time. */
static int move(const profi_pftrace_reader *r, uint64_t *ns)
{
    *ns += (uint64_t)r->offset;
    return r->offset < 0 ? *ns < *ns - (uint64_t)r->offset : *ns >= (uint64_t)r->offset;
}

int profi_pftrace_time_of(profi_pftrace_reader *r, uint64_t sequence, uint64_t clock, uint64_t value, uint64_t *ns)
{
    uint32_t at = profi_number_map_find(&r->clock_map, space_of(sequence, clock), clock);
    *ns = value;
    if (at == UINT32_MAX) /* a file that relates no clocks has one only */
        return (clock == r->timeline_clock || (r->timeline_clock == 0 && clock < CLOCK_FIRST_OF_SEQUENCE)) && move(r, ns);
    profi_pftrace_clock *known = &r->clocks[at];
    value *= known->unit_ns;
    if (known->is_incremental)
        value = known->last += value;
    *ns = value - known->at + known->timeline_ns;
    return (value >= known->at || known->at - value <= known->timeline_ns) && move(r, ns);
}

/* ---- tracks ---- */

profi_pftrace_track *profi_pftrace_track_of(profi_pftrace_reader *r, uint64_t uuid)
{
    uint32_t at = profi_number_map_find(&r->track_map, 0, uuid);
    if (at != UINT32_MAX)
        return &r->tracks[at];
    if (!add_entry(r, &r->track_map, 0, uuid, &r->tracks, &r->track_room, r->track_count, sizeof(*r->tracks)))
        return NULL;
    r->tracks[r->track_count] = (profi_pftrace_track){ .uuid = uuid, .multiplier = 1, .built = UINT32_MAX, .site = UINT32_MAX };
    return &r->tracks[r->track_count++];
}

/* Processes are known by their number. */
static profi_pftrace_process *process_of(profi_pftrace_reader *r, int64_t pid)
{
    uint32_t at = profi_number_map_find(&r->process_map, 0, (uint64_t)pid);
    if (at != UINT32_MAX)
        return &r->processes[at];
    if (!add_entry(r, &r->process_map, 0, (uint64_t)pid, &r->processes, &r->process_room, r->process_count, sizeof(*r->processes)))
        return NULL;
    r->processes[r->process_count] = (profi_pftrace_process){ .pid = pid, .built = UINT32_MAX };
    return &r->processes[r->process_count++];
}

void profi_pftrace_describe_process(profi_pftrace_reader *r, profi_pftrace_track *track, profi_wire descriptor)
{
    const char *name = NULL;
    profi_field field;
    while (profi_wire_next(&descriptor, &field)) {
        if (field.number == PROCESS_PID)
            track->pid = profi_pftrace_id_of(&field);
        else if (field.number == PROCESS_NAME)
            name = profi_pftrace_text(r->builder, &field);
    }
    profi_pftrace_process *process = process_of(r, track->pid);
    if (process != NULL && name != NULL)
        process->name = name;
    track->is_process = 1;
}

void profi_pftrace_describe_thread(profi_pftrace_reader *r, profi_pftrace_track *track, profi_wire descriptor)
{
    profi_field field;
    while (profi_wire_next(&descriptor, &field)) {
        if (field.number == THREAD_PID)
            track->pid = profi_pftrace_id_of(&field);
        else if (field.number == THREAD_TID)
            track->tid = profi_pftrace_id_of(&field);
        else if (field.number == THREAD_NAME)
            track->thread_name = profi_pftrace_text(r->builder, &field);
    }
}

static void describe_counter(profi_pftrace_reader *r, profi_pftrace_track *track, profi_wire descriptor)
{
    static const char *const units[] = { NULL, "ns", NULL, "bytes" };
    profi_field field;
    track->is_counter = 1;
    while (profi_wire_next(&descriptor, &field)) {
        if (field.number == COUNTER_UNIT && field.value < PROFI_COUNT_OF(units) && units[field.value] != NULL)
            track->unit = profi_build_text(r->builder, units[field.value], strlen(units[field.value]));
        else if (field.number == COUNTER_UNIT_NAME)
            track->unit = profi_pftrace_text(r->builder, &field);
        else if (field.number == COUNTER_MULTIPLIER && field.value != 0)
            track->multiplier = (double)(int64_t)field.value;
        else if (field.number == COUNTER_IS_INCREMENTAL)
            track->is_incremental = field.value != 0;
    }
}

void profi_pftrace_describe_track(profi_pftrace_reader *r, profi_wire descriptor)
{
    profi_wire again = descriptor;
    profi_field field;
    uint64_t uuid = 0;
    while (profi_wire_next(&again, &field))
        if (field.number == TRACK_UUID)
            uuid = field.value;
    profi_pftrace_track *track = profi_pftrace_track_of(r, uuid);
    while (track != NULL && profi_wire_next(&descriptor, &field)) {
        switch (field.number) {
        case TRACK_NAME:
        case TRACK_STATIC_NAME:
        case TRACK_ATRACE_NAME: track->name = profi_pftrace_text(r->builder, &field); break;
        case TRACK_PARENT: track->parent = field.value; break;
        case TRACK_MERGE: track->is_lane = field.value == MERGE_BY_NAME; break;
        case TRACK_PROCESS:
            if (profi_field_is_text(&field))
                profi_pftrace_describe_process(r, track, profi_wire_of(&field));
            break;
        case TRACK_THREAD:
            if (profi_field_is_text(&field))
                profi_pftrace_describe_thread(r, track, profi_wire_of(&field));
            break;
        case TRACK_COUNTER:
            if (profi_field_is_text(&field))
                describe_counter(r, track, profi_wire_of(&field));
            break;
        default: break;
        }
    }
}

/* ---- the end ---- */

/* The process of a track is the one that it, or the nearest around it, names. */
static int64_t pid_of(const profi_pftrace_reader *r, const profi_pftrace_track *track)
{
    enum { DEEPEST = 64 }; /* descriptors may name each other in a circle */
    for (unsigned i = 0; i < DEEPEST; i++) {
        if (track->pid != 0 || track->parent == 0)
            return track->pid;
        uint32_t at = profi_number_map_find(&r->track_map, 0, track->parent);
        if (at == UINT32_MAX)
            return 0;
        track = &r->tracks[at];
    }
    return 0;
}

static uint32_t built_process(profi_pftrace_reader *r, int64_t pid)
{
    profi_pftrace_process *process = process_of(r, pid);
    char name[40];
    if (process == NULL)
        return 0;
    if (process->name == NULL) {
        snprintf(name, sizeof(name), pid != 0 ? "process %lld" : "timeline", (long long)pid);
        process->name = profi_build_text(r->builder, name, strlen(name));
    }
    if (process->built == UINT32_MAX) {
        process->offset = profi_build_process_offset(r->builder, pid);
        process->built = profi_build_process(r->builder, pid + process->offset, process->name);
    }
    return process->built;
}

static void settle_counter(profi_pftrace_reader *r, const profi_pftrace_track *track, uint32_t process)
{
    profi_events_site *site = &r->builder->events->sites[track->site];
    site->process = process;
    site->unit = track->unit;
    if (track->name != NULL)
        site->name = track->name;
}

void profi_pftrace_settle_tracks(profi_pftrace_reader *r)
{
    profi_events *all = r->builder->events;
    if (all->taken.monotonic_ns == 0)
        all->taken = r->taken;
    for (size_t i = 0; i < r->process_count && r->builder->error == 0; i++)
        built_process(r, r->processes[i].pid); /* in the order in which the file names them */
    for (size_t i = 0; i < r->track_count && r->builder->error == 0; i++) {
        profi_pftrace_track *track = &r->tracks[i];
        profi_events *events = r->builder->events;
        if (track->is_process && track->built == UINT32_MAX) {
            events->lost_of_unknown += track->lost;
            continue;
        }
        if (track->built == UINT32_MAX && track->site == UINT32_MAX && track->lost == 0)
            continue;
        uint32_t process = built_process(r, pid_of(r, track));
        if (track->built == UINT32_MAX && track->lost != 0)
            track->built = profi_build_track_new(r->builder);
        if (r->builder->error != 0)
            return;
        if (track->site != UINT32_MAX)
            settle_counter(r, track, process);
        if (track->built == UINT32_MAX)
            continue;
        profi_build_track *built = &r->builder->tracks[track->built];
        built->process = process;
        int32_t offset = process_of(r, pid_of(r, track))->offset;
        built->tid = track->tid != 0 && track->tid <= INT32_MAX - offset ? track->tid + offset : 0;
        built->lost = track->lost;
        built->is_lane = track->is_lane && r->is_ours;
        built->name = track->thread_name != NULL ? track->thread_name : track->name;
        if (built->name == NULL && track->is_process)
            built->name = events->processes[process].name;
    }
}
