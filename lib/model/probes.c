/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot's probes, what they measured, and its counters: storage, and the
 * public functions that read it.
 *
 * Probes have numbers of the snapshot's own, 0, 1, …; a function's measures
 * stand in the order of these, those of the probes that it asked for only.
 */
#include "snapshot.h"

#include "../base/error.h"

#include <stdlib.h>
#include <string.h>

enum { INFO_SIZE_0 = 32, MEASURE_SIZE_0 = 48, COUNTER_SIZE_0 = 72 }; /* as of version 0.1 */

/* ---- storage ---- */

int profi_path_make_measures(prof_snapshot *snapshot, profi_path *path)
{
    if (snapshot->has_bare_paths)
        return 1;
    size_t wanted = snapshot->measure_count + profi_measure_count(snapshot->functions[path->function].probes);
    if (wanted > snapshot->measure_room) {
        size_t room = profi_max_u64(wanted, snapshot->measure_room * 2);
        profi_measure *measures = reallocarray(snapshot->measures, room, sizeof(*measures));
        if (measures == NULL)
            return 0;
        snapshot->measures = measures;
        snapshot->measure_room = room;
    }
    path->first_measure = snapshot->measure_count;
    if (wanted > snapshot->measure_count)
        memset(snapshot->measures + snapshot->measure_count, 0,
               (wanted - snapshot->measure_count) * sizeof(*snapshot->measures));
    snapshot->measure_count = wanted;
    return 1;
}

int profi_function_make_measures(profi_function *function)
{
    if (function->measures == NULL && function->probes != 0)
        function->measures = calloc(profi_measure_count(function->probes), sizeof(*function->measures));
    return function->measures != NULL || function->probes == 0;
}

profi_probe_info profi_snapshot_copy_probe(prof_snapshot *snapshot, const profi_probe_info *from, int *ok)
{
    return (profi_probe_info){ .name = profi_snapshot_text(snapshot, from->name, ok),
                               .unit = profi_snapshot_text(snapshot, from->unit, ok),
                               .of = profi_snapshot_text(snapshot, from->of, ok),
                               .reason = profi_snapshot_text(snapshot, from->reason, ok),
                               .is_gauge = from->is_gauge, .is_level = from->is_level };
}

int profi_snapshot_copy_probes(prof_snapshot *snapshot, const prof_snapshot *from)
{
    int ok = 1;
    for (uint32_t i = 0; i < from->probe_count; i++) {
        const profi_probe_info *old = &from->probes[i];
        snapshot->probes[i] = profi_snapshot_copy_probe(snapshot, old, &ok);
    }
    snapshot->probe_count = from->probe_count;
    return ok;
}

int profi_snapshot_make_counters(prof_snapshot *snapshot, uint32_t count)
{
    snapshot->counters = calloc((size_t)count + 1, sizeof(*snapshot->counters));
    snapshot->counter_count = snapshot->counters != NULL ? count : 0;
    return snapshot->counters != NULL;
}

int profi_snapshot_copy_counters(prof_snapshot *snapshot, const prof_snapshot *from)
{
    int ok = profi_snapshot_make_counters(snapshot, from->counter_count);
    for (uint32_t i = 0; ok && i < from->counter_count; i++) {
        snapshot->counters[i] = from->counters[i];
        snapshot->counters[i].name = profi_snapshot_text(snapshot, from->counters[i].name, &ok);
        snapshot->counters[i].file = profi_snapshot_text(snapshot, from->counters[i].file, &ok);
        snapshot->counter_count = i + 1;
    }
    return ok;
}

/* ---- reading ---- */

const profi_measure *profi_function_measure(const profi_function *function, uint32_t probe)
{
    return function->probes >> probe & 1 ? &function->measures[profi_measure_place(function->probes, probe)] : NULL;
}

const profi_measure *profi_function_measure_named(const prof_snapshot *snapshot, const profi_function *function,
                                                  const char *name)
{
    for (uint32_t i = 0; i < snapshot->probe_count; i++)
        if (strcmp(snapshot->probes[i].name, name) == 0)
            return profi_function_measure(function, i);
    return NULL;
}

const char *profi_measure_reason(const profi_probe_info *probe, const profi_measure *measure)
{
    if (measure->failed_count == 0)
        return "no call has ended";
    return probe->reason != NULL ? probe->reason : "it could not be read";
}

uint32_t prof_snapshot_probe_count(const prof_snapshot *snapshot)
{
    return snapshot != NULL ? snapshot->probe_count : 0;
}

static prof_status check_probe(const prof_snapshot *snapshot, uint32_t probe, prof_error *err)
{
    if (snapshot == NULL)
        return profi_fail(err, PROF_E_INVALID, "the snapshot is NULL");
    if (probe >= snapshot->probe_count)
        return profi_fail(err, PROF_E_INVALID, "there is no probe %u: the snapshot has %u", (unsigned)probe,
                          (unsigned)snapshot->probe_count);
    return PROF_OK;
}

prof_status prof_snapshot_probe(const prof_snapshot *snapshot, uint32_t probe, prof_probe_info *info, prof_error *err)
{
    prof_status status = check_probe(snapshot, probe, err);
    if (status != PROF_OK)
        return status;
    const profi_probe_info *from = &snapshot->probes[probe];
    prof_probe_info full = PROF_PROBE_INFO_INIT;
    full.is_gauge = from->is_gauge;
    full.name = from->name;
    full.unit = from->unit;
    full.of = from->of;
    return profi_struct_write(info, &full, sizeof(full), INFO_SIZE_0, "prof_probe_info", err);
}

prof_status prof_snapshot_measure(const prof_snapshot *snapshot, uint32_t function, uint32_t probe,
                                  prof_measure *measure, prof_error *err)
{
    prof_status status = profi_snapshot_check(snapshot, function, err);
    if (status == PROF_OK)
        status = check_probe(snapshot, probe, err);
    if (status != PROF_OK)
        return status;
    const profi_probe_info *info = &snapshot->probes[probe];
    const char *name = snapshot->functions[function].name;
    const profi_measure *from = profi_function_measure(&snapshot->functions[function], probe);
    if (from == NULL && snapshot->functions[function].no_extras != NULL)
        return profi_fail(err, PROF_E_UNAVAILABLE, "no %s of \"%.80s\": %s", info->name, name,
                          snapshot->functions[function].no_extras);
    if (from == NULL)
        return profi_fail(err, PROF_E_NOT_FOUND, "\"%.80s\" did not ask for %s", name, info->name);
    if (from->call_count == 0)
        return profi_fail(err, PROF_E_UNAVAILABLE, "no %s of \"%.80s\": %s", info->name, name,
                          profi_measure_reason(info, from));
    prof_measure full = PROF_MEASURE_INIT;
    full.is_bound = from->is_bound;
    full.calls = from->call_count;
    full.failed_calls = from->failed_count;
    full.sum = from->sum;
    if (info->is_gauge)
        full.peak = from->top;
    else
        full.largest = from->top;
    if (info->is_level) {
        full.peak_begin = from->top_begin;
        full.peak_end = from->top_end;
        full.rise = from->rise;
    }
    return profi_struct_write(measure, &full, sizeof(full), MEASURE_SIZE_0, "prof_measure", err);
}

uint32_t prof_snapshot_counter_count(const prof_snapshot *snapshot)
{
    return snapshot != NULL ? snapshot->counter_count : 0;
}

prof_status prof_snapshot_counter(const prof_snapshot *snapshot, uint32_t counter, prof_counter_row *row, prof_error *err)
{
    if (snapshot == NULL)
        return profi_fail(err, PROF_E_INVALID, "the snapshot is NULL");
    if (counter >= snapshot->counter_count)
        return profi_fail(err, PROF_E_INVALID, "there is no counter %u: the snapshot has %u", (unsigned)counter,
                          (unsigned)snapshot->counter_count);
    const profi_counter_info *from = &snapshot->counters[counter];
    prof_counter_row full = PROF_COUNTER_ROW_INIT;
    full.line = from->line;
    full.name = from->name;
    full.file = from->file;
    full.count = from->count;
    full.not_finite_count = from->not_finite_count;
    full.last = from->last;
    full.sum = from->sum;
    full.min = from->min;
    full.max = from->max;
    return profi_struct_write(row, &full, sizeof(full), COUNTER_SIZE_0, "prof_counter_row", err);
}
