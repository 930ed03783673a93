/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that allocators told of, and where what is still allocated is from,
 * of a snapshot that is made of parts: see assemble.h.
 *
 * Kinds are found by name, places by kind and path; texts have one address
 * each.  What several processes hold is added up, and so is by how much each has grown.
 */
#include "assemble.h"
#include "memory.h"

#include "../base/array.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t profi_builder_memory(profi_builder *builder, const profi_memory_info *from)
{
    prof_snapshot *snapshot = builder->snapshot;
    const char *name = profi_builder_text(builder, from->name);
    uint32_t at = 0;
    if (snapshot->memories == NULL)
        snapshot->memories = calloc(PROFI_SNAPSHOT_MEMORIES, sizeof(*snapshot->memories));
    builder->out_of_memory |= snapshot->memories == NULL;
    if (builder->out_of_memory)
        return PROFI_NONE;
    while (at < snapshot->memory_count && snapshot->memories[at].name != name)
        at++;
    if (at == PROFI_SNAPSHOT_MEMORIES) {
        snprintf(builder->problem, sizeof(builder->problem), "more than %d kinds of memory", (int)PROFI_SNAPSHOT_MEMORIES);
        return PROFI_NONE;
    }
    snapshot->memory_count += at == snapshot->memory_count;
    profi_memory_info *into = &snapshot->memories[at];
    into->name = name;
    profi_builder_sum(builder, &into->allocated_bytes, from->allocated_bytes);
    profi_builder_sum(builder, &into->allocated_count, from->allocated_count);
    profi_builder_sum(builder, &into->live_bytes, from->live_bytes);
    profi_builder_sum(builder, &into->live_count, from->live_count);
    profi_builder_sum(builder, &into->lost_count, from->lost_count);
    profi_builder_sum(builder, &into->unknown_count, from->unknown_count);
    into->peak_bytes = profi_max_u64(into->peak_bytes, from->peak_bytes);
    return at;
}

void profi_builder_place(profi_builder *builder, uint32_t memory, const profi_place_info *from)
{
    prof_snapshot *snapshot = builder->snapshot;
    if (builder->out_of_memory || memory == PROFI_NONE)
        return;
    if (!profi_array_grow(&snapshot->places, &builder->place_room, snapshot->place_count, sizeof(*snapshot->places))) {
        builder->out_of_memory = 1;
        return;
    }
    profi_place_info *place = &snapshot->places[snapshot->place_count++];
    *place = *from;
    place->memory = memory;
    place->path = profi_builder_text(builder, from->path);
    place->scope = profi_builder_text(builder, from->scope);
    place->called = profi_builder_text(builder, from->called);
}

static int compare_places(const void *a, const void *b)
{
    const profi_place_info *x = a, *y = b;
    if (x->memory != y->memory)
        return x->memory < y->memory ? -1 : 1;
    return ((uintptr_t)x->path > (uintptr_t)y->path) - ((uintptr_t)x->path < (uintptr_t)y->path);
}

static void add_place(profi_builder *builder, profi_place_info *into, const profi_place_info *from)
{
    profi_builder_sum(builder, &into->live_bytes, from->live_bytes);
    profi_builder_sum(builder, &into->live_count, from->live_count);
    profi_builder_sum(builder, &into->new_count, from->new_count);
    builder->overflow |= __builtin_add_overflow(into->grown_bytes, from->grown_bytes, &into->grown_bytes);
    builder->overflow |= __builtin_add_overflow(into->grown_count, from->grown_count, &into->grown_count);
}

void profi_builder_settle_places(profi_builder *builder)
{
    prof_snapshot *snapshot = builder->snapshot;
    profi_place_info *places = snapshot->places;
    uint32_t count = snapshot->place_count, kept = 0;
    if (count == 0)
        return;
    qsort(places, count, sizeof(*places), compare_places);
    for (uint32_t i = 1; i < count; i++) {
        if (compare_places(&places[kept], &places[i]) == 0)
            add_place(builder, &places[kept], &places[i]);
        else
            places[++kept] = places[i];
    }
    snapshot->place_count = kept + 1;
    profi_places_sort(snapshot);
}
