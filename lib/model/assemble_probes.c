/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes and counters of a snapshot that is made of parts: see assemble.h.
 *
 * Probes are found by name and numbered anew; a function's measures keep the
 * order of these numbers, so one that comes late is put in between.
 */
#include "assemble.h"

#include "../base/array.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- probes ---- */

uint32_t profi_builder_probe(profi_builder *builder, const profi_probe_info *info)
{
    prof_snapshot *snapshot = builder->snapshot;
    int ok = !builder->out_of_memory;
    for (uint32_t i = 0; ok && i < snapshot->probe_count; i++) {
        profi_probe_info *known = &snapshot->probes[i];
        if (strcmp(known->name, info->name) != 0)
            continue;
        if (strcmp(known->unit, info->unit) != 0 || strcmp(known->of, info->of) != 0 ||
            known->is_gauge != info->is_gauge) {
            snprintf(builder->problem, sizeof(builder->problem), "two probes named \"%.60s\" differ in unit or kind", info->name);
            return PROFI_NONE;
        }
        if (known->reason == NULL)
            known->reason = profi_builder_text(builder, info->reason);
        return i;
    }
    if (ok && snapshot->probe_count == PROFI_SNAPSHOT_PROBES) {
        snprintf(builder->problem, sizeof(builder->problem), "more than %d probes", (int)PROFI_SNAPSHOT_PROBES);
        return PROFI_NONE;
    }
    const profi_probe_info copy = ok ? profi_snapshot_copy_probe(snapshot, info, &ok) : (profi_probe_info){ 0 };
    builder->out_of_memory |= !ok;
    if (!ok)
        return PROFI_NONE;
    snapshot->probes[snapshot->probe_count] = copy;
    return snapshot->probe_count++;
}

/* A function's measure of a probe, put in its place if need be; NULL when memory is spent. */
static profi_measure *measure_of(profi_function *function, uint32_t probe)
{
    unsigned count = profi_measure_count(function->probes), place = profi_measure_place(function->probes, probe);
    if (function->probes >> probe & 1)
        return &function->measures[place];
    profi_measure *measures = reallocarray(function->measures, count + 1, sizeof(*measures));
    if (measures == NULL)
        return NULL;
    memmove(measures + place + 1, measures + place, (count - place) * sizeof(*measures));
    measures[place] = (profi_measure){ 0 };
    function->measures = measures;
    function->probes |= (uint64_t)1 << probe;
    return &measures[place];
}

void profi_builder_measure(profi_builder *builder, uint32_t function, uint32_t probe, const profi_measure *from)
{
    int64_t sum;
    uint64_t calls, failed;
    if (builder->out_of_memory || probe == PROFI_NONE)
        return;
    profi_measure *into = measure_of(&builder->snapshot->functions[function], probe);
    builder->out_of_memory |= into == NULL;
    if (into == NULL)
        return;
    if (__builtin_add_overflow(into->sum, from->sum, &sum) || sum == INT64_MIN ||
        __builtin_add_overflow(into->call_count, from->call_count, &calls) ||
        __builtin_add_overflow(into->failed_count, from->failed_count, &failed))
        builder->overflow = 1;
    else
        profi_measure_merge(into, from);
}

/* ---- counters ---- */

void profi_builder_counter(profi_builder *builder, const profi_counter_info *from)
{
    prof_snapshot *snapshot = builder->snapshot;
    if (builder->out_of_memory)
        return;
    if (!profi_array_grow(&snapshot->counters, &builder->counter_room, snapshot->counter_count, sizeof(*snapshot->counters))) {
        builder->out_of_memory = 1;
        return;
    }
    profi_counter_info *counter = &snapshot->counters[snapshot->counter_count++];
    *counter = *from;
    counter->name = profi_builder_text(builder, from->name);
    counter->file = profi_builder_text(builder, from->file);
}

typedef struct counter_key {
    const profi_counter_info *counter;
    uint32_t number;
} counter_key;

/* By name, file and line, whose texts have one address each; equal ones in the order in which they came. */
static int compare_counters(const void *a, const void *b)
{
    const counter_key *x = a, *y = b;
    if (x->counter->name != y->counter->name)
        return (uintptr_t)x->counter->name < (uintptr_t)y->counter->name ? -1 : 1;
    if (x->counter->file != y->counter->file)
        return (uintptr_t)x->counter->file < (uintptr_t)y->counter->file ? -1 : 1;
    if (x->counter->line != y->counter->line)
        return x->counter->line < y->counter->line ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static int is_same(const profi_counter_info *a, const profi_counter_info *b)
{
    return a->name == b->name && a->file == b->file && a->line == b->line;
}

static void add_counter(profi_builder *builder, profi_counter_info *into, const profi_counter_info *from)
{
    profi_builder_sum(builder, &into->not_finite_count, from->not_finite_count);
    if (from->count == 0)
        return;
    int is_first = into->count == 0;
    profi_builder_sum(builder, &into->count, from->count);
    if (is_first || from->last_unix_s >= into->last_unix_s) {
        into->last = from->last;
        into->last_unix_s = from->last_unix_s;
    }
    into->sum += from->sum;
    into->min = is_first || from->min < into->min ? from->min : into->min;
    into->max = is_first || from->max > into->max ? from->max : into->max;
}

void profi_builder_settle_counters(profi_builder *builder)
{
    prof_snapshot *snapshot = builder->snapshot;
    uint32_t count = snapshot->counter_count, kept = 0;
    counter_key *keys = calloc((size_t)count + 1, sizeof(*keys));
    unsigned char *dropped = calloc((size_t)count + 1, 1);
    if (keys == NULL || dropped == NULL) {
        builder->out_of_memory = 1;
        count = 0;
    }
    for (uint32_t i = 0; i < count; i++)
        keys[i] = (counter_key){ &snapshot->counters[i], i };
    if (count != 0)
        qsort(keys, count, sizeof(*keys), compare_counters);
    for (uint32_t i = 1, first = 0; i < count; i++) {
        dropped[keys[i].number] = (unsigned char)is_same(keys[i].counter, keys[first].counter);
        if (dropped[keys[i].number])
            add_counter(builder, &snapshot->counters[keys[first].number], keys[i].counter);
        else
            first = i;
    }
    for (uint32_t i = 0; i < count; i++)
        if (!dropped[i])
            snapshot->counters[kept++] = snapshot->counters[i];
    snapshot->counter_count = kept;
    free(keys);
    free(dropped);
}
