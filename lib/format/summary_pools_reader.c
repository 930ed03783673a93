/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the pools of a summary: see summary_pools.c.  Files of before there were pools have none. */
#include "summary_reader.h"

#include "../base/base.h"

static void read_exhaustions(profi_json *j, const profi_json_value *object, profi_pool_info *pool)
{
    const profi_json_value *array = profi_json_array(j, object, "exhaustions"), *one = NULL;
    uint32_t at;
    while ((one = profi_json_next_object(j, "exhaustions", array, one, &at)) != NULL) {
        const char *path = profi_json_text(j, one, "path");
        if (path == NULL)
            profi_json_fail(j, "path", "is missing");
        if (path == NULL || pool->shown_count == PROFI_POOL_SHOWN)
            continue;
        profi_json_need_count(j, one, "bytes", &pool->exhaustions[pool->shown_count].bytes);
        pool->exhaustions[pool->shown_count++].path = path;
    }
}

static uint32_t read_flags(profi_json *j, const profi_json_value *object)
{
    int is_traced = 0, has_ended = 0;
    profi_json_bool(j, object, "is_traced", &is_traced);
    profi_json_bool(j, object, "has_ended", &has_ended);
    return (is_traced ? PROF_POOL_IS_TRACED : 0) | (has_ended ? PROF_POOL_HAS_ENDED : 0);
}

static void read_pool(profi_json *j, const profi_json_value *object)
{
    profi_pool_info pool = { .name = profi_json_text(j, object, "name"), .reason = profi_json_text(j, object, "reason") };
    if (pool.name == NULL)
        profi_json_fail(j, "name", "is missing");
    if (pool.reason == NULL) {
        pool.flags = read_flags(j, object);
        pool.is_known = profi_json_count(j, object, "allocated_bytes", UINT64_MAX, &pool.allocated_bytes) &&
                        profi_json_count(j, object, "reserved_bytes", UINT64_MAX, &pool.reserved_bytes);
        pool.is_marked = profi_json_count(j, object, "allocated_mark_bytes", UINT64_MAX, &pool.allocated_mark_bytes) &&
                         profi_json_count(j, object, "reserved_mark_bytes", UINT64_MAX, &pool.reserved_mark_bytes);
        profi_json_need_count(j, object, "allocated_peak_bytes", &pool.allocated_peak_bytes);
        profi_json_need_count(j, object, "reserved_peak_bytes", &pool.reserved_peak_bytes);
        profi_json_need_count(j, object, "changes", &pool.change_count);
        profi_json_need_count(j, object, "lost_changes", &pool.lost_change_count);
        profi_json_need_count(j, object, "late_changes", &pool.late_change_count);
        profi_json_need_count(j, object, "retries", &pool.retry_count);
        profi_json_need_count(j, object, "exhausted", &pool.exhausted_count);
        read_exhaustions(j, object, &pool);
        if (pool.shown_count > pool.exhausted_count)
            profi_json_fail(j, "exhausted", "is less than there are exhaustions");
    }
    if (profi_json_is_ok(j))
        profi_builder_pool(j->builder, &pool);
}

void profi_read_pools(profi_json *j, const profi_json_value *root)
{
    const profi_json_value *pools = profi_json_array(j, root, "pools"), *object = NULL;
    uint64_t lost = 0;
    uint32_t at;
    while ((object = profi_json_next_object(j, "pools", pools, object, &at)) != NULL)
        read_pool(j, object);
    profi_json_count(j, root, "lost_pool_calls", UINT64_MAX, &lost);
    profi_builder_sum(j->builder, &j->builder->snapshot->lost_level_calls, lost);
}
