/* SPDX-License-Identifier: Apache-2.0 */
/* Of a summary: the kinds of memory that allocators told of, and what is still allocated, by where. */
#include "summary_values.h"

json_t *profi_memory_object(const prof_snapshot *snapshot, uint32_t index, int *ok)
{
    const profi_memory_info *memory = &snapshot->memories[index];
    json_t *object = json_object();
    profi_set(object, "name", json_string(memory->name), ok);
    profi_set(object, "allocated_bytes", profi_number(memory->allocated_bytes), ok);
    profi_set(object, "allocated_count", profi_number(memory->allocated_count), ok);
    profi_set(object, "live_bytes", profi_number(memory->live_bytes), ok);
    profi_set(object, "live_count", profi_number(memory->live_count), ok);
    profi_set(object, "peak_bytes", profi_number(memory->peak_bytes), ok);
    profi_set(object, "lost_count", profi_number(memory->lost_count), ok);
    profi_set(object, "unknown_count", profi_number(memory->unknown_count), ok);
    return object;
}

json_t *profi_place_object(const prof_snapshot *snapshot, uint32_t index, int *ok)
{
    const profi_place_info *place = &snapshot->places[index];
    json_t *object = json_object();
    profi_set(object, "memory", json_string(snapshot->memories[place->memory].name), ok);
    profi_set(object, "path", json_string(place->path), ok);
    profi_set(object, "scope", profi_text_or_null(place->scope), ok);
    profi_set(object, "operator", profi_text_or_null(place->called), ok);
    profi_set(object, "live_bytes", profi_number(place->live_bytes), ok);
    profi_set(object, "live_count", profi_number(place->live_count), ok);
    profi_set(object, "new_count", profi_number(place->new_count), ok);
    profi_set(object, "grown_bytes", profi_signed_number(place->grown_bytes), ok);
    profi_set(object, "grown_count", profi_signed_number(place->grown_count), ok);
    return object;
}
