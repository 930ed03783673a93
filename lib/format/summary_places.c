/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the memory of a summary: see summary_memory.c.  Files of before there were allocators have none. */
#include "summary_reader.h"

#include "../base/base.h"

#include <string.h>

/* The kinds in the order of the file; their numbers are the snapshot's. */
static void read_allocators(profi_json *j, const profi_json_value *root)
{
    const profi_json_value *allocators = profi_json_array(j, root, "allocators"), *object = NULL;
    uint32_t at;
    while ((object = profi_json_next_object(j, "allocators", allocators, object, &at)) != NULL) {
        profi_memory_info memory = { .name = profi_json_text(j, object, "name") };
        if (memory.name == NULL)
            profi_json_fail(j, "name", "is missing");
        profi_json_need_count(j, object, "allocated_bytes", &memory.allocated_bytes);
        profi_json_need_count(j, object, "allocated_count", &memory.allocated_count);
        profi_json_need_count(j, object, "live_bytes", &memory.live_bytes);
        profi_json_need_count(j, object, "live_count", &memory.live_count);
        profi_json_need_count(j, object, "peak_bytes", &memory.peak_bytes);
        profi_json_count(j, object, "lost_count", UINT64_MAX, &memory.lost_count);
        profi_json_count(j, object, "unknown_count", UINT64_MAX, &memory.unknown_count);
        if (profi_json_is_ok(j))
            profi_builder_memory(j->builder, &memory);
    }
}

/* The number of the kind that a place names; PROFI_NONE after a failure. */
static uint32_t memory_of(profi_json *j, const profi_json_value *object)
{
    const prof_snapshot *snapshot = j->builder->snapshot;
    const char *name = profi_json_text(j, object, "memory");
    for (uint32_t i = 0; name != NULL && i < snapshot->memory_count; i++)
        if (snapshot->memories[i].name == name) /* texts have one address each */
            return i;
    profi_json_fail(j, "memory", "is no name of an allocator");
    return PROFI_NONE;
}

static void read_place(profi_json *j, const profi_json_value *object)
{
    profi_place_info place = { .path = profi_json_text(j, object, "path"), .scope = profi_json_text(j, object, "scope"),
                               .called = profi_json_text(j, object, "operator") };
    if (place.path == NULL)
        profi_json_fail(j, "path", "is missing");
    profi_json_need_count(j, object, "live_bytes", &place.live_bytes);
    profi_json_need_count(j, object, "live_count", &place.live_count);
    profi_json_need_count(j, object, "new_count", &place.new_count);
    profi_json_signed(j, object, "grown_bytes", &place.grown_bytes);
    profi_json_signed(j, object, "grown_count", &place.grown_count);
    uint32_t memory = memory_of(j, object);
    if (profi_json_is_ok(j))
        profi_builder_place(j->builder, memory, &place);
}

void profi_read_memory(profi_json *j, const profi_json_value *root)
{
    const profi_json_value *object = NULL;
    uint32_t at;
    read_allocators(j, root);
    const profi_json_value *places = profi_json_is_ok(j) ? profi_json_array(j, root, "places") : NULL;
    while ((object = profi_json_next_object(j, "places", places, object, &at)) != NULL)
        read_place(j, object);
    profi_json_bool(j, root, "is_marked", &j->builder->snapshot->is_marked);
}
