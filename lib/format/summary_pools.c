/* SPDX-License-Identifier: Apache-2.0 */
/* Of a summary: the pools of memory that all threads share, as they are told. */
#include "summary_values.h"

static json_t *exhaustions_of(const profi_pool_info *pool, int *ok)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < pool->shown_count; i++) {
        json_t *object = json_object();
        profi_set(object, "bytes", profi_number(pool->exhaustions[i].bytes), ok);
        profi_set(object, "path", json_string(pool->exhaustions[i].path), ok);
        profi_append(array, object, ok);
    }
    return array;
}

json_t *profi_pool_object(const prof_snapshot *snapshot, uint32_t index, int *ok)
{
    const profi_pool_info *pool = &snapshot->pools[index];
    json_t *object = json_object();
    profi_set(object, "name", json_string(pool->name), ok);
    if (pool->reason[0] != '\0') { /* there is none yet, and so no figures */
        profi_set(object, "reason", json_string(pool->reason), ok);
        return object;
    }
    profi_set(object, "allocated_bytes", profi_number_if(pool->is_known, pool->allocated_bytes), ok);
    profi_set(object, "reserved_bytes", profi_number_if(pool->is_known, pool->reserved_bytes), ok);
    profi_set(object, "allocated_peak_bytes", profi_number(pool->allocated_peak_bytes), ok);
    profi_set(object, "reserved_peak_bytes", profi_number(pool->reserved_peak_bytes), ok);
    profi_set(object, "is_traced", json_boolean(pool->flags & PROF_POOL_IS_TRACED), ok);
    profi_set(object, "has_ended", json_boolean(pool->flags & PROF_POOL_HAS_ENDED), ok);
    profi_set(object, "peak_is_bound", json_boolean(pool->lost_change_count != 0), ok);
    profi_set(object, "allocated_mark_bytes", profi_number_if(pool->is_marked, pool->allocated_mark_bytes), ok);
    profi_set(object, "reserved_mark_bytes", profi_number_if(pool->is_marked, pool->reserved_mark_bytes), ok);
    profi_set(object, "changes", profi_number(pool->change_count), ok);
    profi_set(object, "lost_changes", profi_number(pool->lost_change_count), ok);
    profi_set(object, "late_changes", profi_number(pool->late_change_count), ok);
    profi_set(object, "retries", profi_number(pool->retry_count), ok);
    profi_set(object, "exhausted", profi_number(pool->exhausted_count), ok);
    profi_set(object, "exhaustions", exhaustions_of(pool, ok), ok);
    return object;
}
