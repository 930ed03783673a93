/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pools of memory of a snapshot that is made of parts: see assemble.h.  Found
 * by name; what several processes hold of one, such as of a GPU, is added up.
 */
#include "assemble.h"

#include <stdio.h>
#include <stdlib.h>

/* The one of this name, made if need be; NULL where that cannot be. */
static profi_pool_info *find_or_make(profi_builder *builder, const char *name, int *is_new)
{
    prof_snapshot *snapshot = builder->snapshot;
    uint32_t at = 0;
    if (snapshot->pools == NULL)
        snapshot->pools = calloc(PROFI_SNAPSHOT_POOLS, sizeof(*snapshot->pools));
    builder->out_of_memory |= snapshot->pools == NULL;
    if (builder->out_of_memory)
        return NULL;
    while (at < snapshot->pool_count && snapshot->pools[at].name != name) /* texts have one address each */
        at++;
    if (at == PROFI_SNAPSHOT_POOLS) {
        snprintf(builder->problem, sizeof(builder->problem), "more than %d pools of memory", (int)PROFI_SNAPSHOT_POOLS);
        return NULL;
    }
    *is_new = at == snapshot->pool_count;
    snapshot->pool_count += (uint32_t)*is_new;
    return &snapshot->pools[at];
}

static void add_exhaustions(profi_builder *builder, profi_pool_info *into, const profi_pool_info *from)
{
    for (uint32_t i = 0; i < from->shown_count && into->shown_count < PROFI_POOL_SHOWN; i++) {
        into->exhaustions[into->shown_count].bytes = from->exhaustions[i].bytes;
        into->exhaustions[into->shown_count++].path = profi_builder_text(builder, from->exhaustions[i].path);
    }
}

void profi_builder_pool(profi_builder *builder, const profi_pool_info *from)
{
    int is_new = 0, is_there = from->reason == NULL || from->reason[0] == '\0';
    const char *name = profi_builder_text(builder, from->name), *reason = profi_builder_text(builder, is_there ? "" : from->reason);
    profi_pool_info *into = find_or_make(builder, name, &is_new);
    if (into == NULL || reason == NULL)
        return;
    if (is_new || (is_there && into->reason[0] != '\0')) /* what has not been there adds nothing */
        *into = (profi_pool_info){ .name = name, .reason = reason, .is_known = from->is_known, .is_marked = from->is_marked };
    if (!is_there)
        return;
    into->is_known &= from->is_known;
    into->flags |= from->flags;
    into->is_marked &= from->is_marked;
    profi_builder_sum(builder, &into->allocated_bytes, from->allocated_bytes);
    profi_builder_sum(builder, &into->reserved_bytes, from->reserved_bytes);
    profi_builder_sum(builder, &into->allocated_mark_bytes, from->allocated_mark_bytes);
    profi_builder_sum(builder, &into->reserved_mark_bytes, from->reserved_mark_bytes);
    profi_builder_sum(builder, &into->change_count, from->change_count);
    profi_builder_sum(builder, &into->lost_change_count, from->lost_change_count);
    profi_builder_sum(builder, &into->late_change_count, from->late_change_count);
    profi_builder_sum(builder, &into->retry_count, from->retry_count);
    profi_builder_sum(builder, &into->exhausted_count, from->exhausted_count);
    into->allocated_peak_bytes = profi_max_u64(into->allocated_peak_bytes, from->allocated_peak_bytes);
    into->reserved_peak_bytes = profi_max_u64(into->reserved_peak_bytes, from->reserved_peak_bytes);
    add_exhaustions(builder, into, from);
}
