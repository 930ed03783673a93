/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The merged call tree of a snapshot: one entry per path of functions.
 *
 * Paths are only appended, each after its parent, so a loop over the array
 * visits parents first and a loop backwards children first; nothing here
 * recurses, however deep the stacks were.
 */
#include "snapshot.h"

#include "../base/array.h"
#include "../base/text.h"

#include <stdlib.h>
#include <string.h>

prof_snapshot *profi_snapshot_new(uint32_t function_count)
{
    prof_snapshot *snapshot = calloc(1, sizeof(*snapshot));
    if (snapshot == NULL)
        return NULL;
    snapshot->first_root = PROFI_NONE;
    snapshot->functions = calloc(function_count ? function_count : 1, sizeof(*snapshot->functions));
    if (snapshot->functions == NULL) {
        free(snapshot);
        return NULL;
    }
    snapshot->function_count = function_count;
    return snapshot;
}

const char *profi_snapshot_text(prof_snapshot *snapshot, const char *text, int *ok)
{
    const char *copy = text != NULL ? profi_texts_add(&snapshot->texts, text, strlen(text)) : NULL;
    *ok &= text == NULL || copy != NULL;
    return copy;
}

static uint64_t path_hash(uint32_t parent, uint32_t function)
{
    return profi_mix64(((uint64_t)parent << 32 | function) ^ profi_hash_seed());
}

/* The slot of a path, or the empty slot where it belongs. */
static uint32_t *find_slot(const prof_snapshot *snapshot, uint32_t parent, uint32_t function)
{
    uint32_t mask = snapshot->path_table_size - 1;
    uint32_t at = (uint32_t)path_hash(parent, function) & mask;
    for (;; at = (at + 1) & mask) {
        uint32_t index = snapshot->path_table[at];
        if (index == PROFI_NONE ||
            (snapshot->paths[index].parent == parent && snapshot->paths[index].function == function))
            return &snapshot->path_table[at];
    }
}

uint32_t profi_snapshot_find_path(const prof_snapshot *snapshot, uint32_t parent, uint32_t function)
{
    return snapshot->path_table_size != 0 ? *find_slot(snapshot, parent, function) : PROFI_NONE;
}

/* Keeps the table at most half full. */
static int grow_table(prof_snapshot *snapshot)
{
    uint32_t size = snapshot->path_table_size ? snapshot->path_table_size * 2 : 64;
    uint32_t *table = malloc(size * sizeof(*table));
    if (table == NULL)
        return 0;
    memset(table, 0xff, size * sizeof(*table));
    free(snapshot->path_table);
    snapshot->path_table = table;
    snapshot->path_table_size = size;
    for (uint32_t i = 0; i < snapshot->path_count; i++)
        *find_slot(snapshot, snapshot->paths[i].parent, snapshot->paths[i].function) = i;
    return 1;
}

uint32_t profi_snapshot_path(prof_snapshot *snapshot, uint32_t parent, uint32_t function)
{
    enum { MOST = 1 << 30 };
    if (snapshot->path_count >= snapshot->path_table_size / 2 && !grow_table(snapshot))
        return PROFI_NONE;
    uint32_t *slot = find_slot(snapshot, parent, function);
    if (*slot != PROFI_NONE)
        return *slot;
    if (snapshot->path_count >= MOST || !profi_array_grow(&snapshot->paths, &snapshot->path_room, snapshot->path_count, sizeof(*snapshot->paths)))
        return PROFI_NONE;
    uint32_t index = snapshot->path_count;
    uint32_t *head = parent == PROFI_NONE ? &snapshot->first_root : &snapshot->paths[parent].first_child;
    snapshot->paths[index] = (profi_path){ .function = function, .parent = parent, .first_child = PROFI_NONE,
                                           .next_sibling = *head, .min_ns = UINT64_MAX };
    if (!profi_path_make_measures(snapshot, &snapshot->paths[index]))
        return PROFI_NONE;
    snapshot->path_count++;
    *head = index;
    *slot = index;
    return index;
}

void profi_path_add(prof_snapshot *snapshot, uint32_t at, const profi_path *from, const profi_measure *measures)
{
    profi_path *into = &snapshot->paths[at];
    into->calls += from->calls;
    into->open_calls += from->open_calls;
    into->total_ns += from->total_ns;
    into->open_ns += from->open_ns;
    into->items += from->items;
    into->timed_calls += from->timed_calls;
    into->estimated_calls += from->estimated_calls;
    into->variance_ns2 += from->variance_ns2;
    into->min_ns = profi_min_u64(into->min_ns, from->min_ns);
    into->max_ns = profi_max_u64(into->max_ns, from->max_ns);
    for (unsigned i = 0; i < profi_measure_count(snapshot->functions[into->function].probes); i++)
        profi_measure_merge(&snapshot->measures[into->first_measure + i], &measures[i]);
}
