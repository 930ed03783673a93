/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The call tree of a snapshot that is read or merged.  Of a path there are
 * calls and times and no more: what else was recorded, a function's figures
 * tell.
 */
#include "assemble.h"

#include <stdlib.h>

uint32_t profi_builder_path(profi_builder *builder, uint32_t parent, const profi_path *from)
{
    prof_snapshot *snapshot = builder->snapshot;
    uint32_t at = builder->out_of_memory ? PROFI_NONE : profi_snapshot_path(snapshot, parent, from->function);
    if (at == PROFI_NONE) {
        builder->out_of_memory = 1;
        return PROFI_NONE;
    }
    profi_path *into = &snapshot->paths[at];
    profi_builder_sum(builder, &into->calls, from->calls);
    profi_builder_sum(builder, &into->open_calls, from->open_calls);
    profi_builder_sum(builder, &into->timed_calls, from->timed_calls);
    profi_builder_sum(builder, &into->estimated_calls, from->estimated_calls);
    profi_builder_sum(builder, &into->total_ns, from->total_ns);
    profi_builder_sum(builder, &into->open_ns, from->open_ns);
    profi_builder_sum(builder, &into->items, from->items);
    into->variance_ns2 += from->variance_ns2;
    /* Calls inside calls are added up later, of any paths: so all of them must have a sum. */
    profi_builder_sum(builder, &builder->path_calls, from->calls);
    return at;
}

void profi_builder_settle_paths(profi_builder *builder)
{
    prof_snapshot *snapshot = builder->snapshot;
    if (snapshot->function_count == 0)
        snapshot->no_paths = NULL; /* it has all that there are */
    if (snapshot->no_paths != NULL) { /* a tree of a part would pass for the whole */
        snapshot->path_count = 0;
        snapshot->first_root = PROFI_NONE;
    }
    profi_snapshot_sum_paths(snapshot);
    free(snapshot->path_table);
    snapshot->path_table = NULL;
    snapshot->path_table_size = 0;
}
