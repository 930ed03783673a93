/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See pools.h.  A level is shown as a gauge of its own name whose peaks are
 * exact, "torch.cuda:0.allocated", so it is merged, written and read as all
 * gauges are.
 */
#include "pools.h"

#include "../base/error.h"
#include "../record/awaited.h"
#include "../record/contexts.h"
#include "../record/levels.h"
#include "../record/record.h"
#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INFO_SIZE_0 = 128 }; /* as of version 0.1 */

static const char *const level_names[PROFI_POOL_LEVELS] = {
    [PROFI_POOL_ALLOCATED] = "allocated", [PROFI_POOL_RESERVED] = "reserved",
};

void profi_recorded_pools_begin(void)
{
    if (profi_pool_count() != 0)
        profi_levels_sweep();
}

int profi_recorded_pools_number(prof_snapshot *snapshot, uint64_t *probes)
{
    unsigned count = profi_pool_count();
    int ok = 1;
    *probes = 0;
    profi_levels_lock();
    for (unsigned i = 0; ok && i < count * PROFI_POOL_LEVELS && snapshot->probe_count < PROFI_SNAPSHOT_PROBES; i++) {
        char name[PROFI_POOL_NAME_ROOM + 16];
        snprintf(name, sizeof(name), "%s.%s", profi_pool_at(i / PROFI_POOL_LEVELS).name, level_names[i % PROFI_POOL_LEVELS]);
        const profi_probe_info info = { name, "bytes", "process", "what was told of it has gaps: see the pools", 1, 1 };
        snapshot->probes[snapshot->probe_count] = profi_snapshot_copy_probe(snapshot, &info, &ok);
        *probes |= (uint64_t)1 << snapshot->probe_count++;
    }
    profi_levels_unlock();
    return ok;
}

static uint64_t size_of(int64_t bytes) { return bytes > 0 ? (uint64_t)bytes : 0; }

/* What a context's calls had of a level. */
static profi_measure measure_of(uint32_t context, unsigned number, uint64_t lost_calls)
{
    profi_level_figures found = { 0 };
    profi_level_figures_of(context, number / PROFI_POOL_LEVELS, number % PROFI_POOL_LEVELS, &found);
    profi_measure measure = { .call_count = found.calls, .failed_count = found.failed_calls + lost_calls,
                              .sum = found.growth, .top = size_of(found.high) };
    measure.top_begin = size_of(found.high_begin);
    measure.top_end = size_of(found.high_end);
    measure.rise = size_of(found.rise);
    measure.is_bound = measure.failed_count != 0; /* those calls may have risen higher */
    return measure;
}

static void add_measures(prof_snapshot *snapshot, uint32_t context, uint32_t path, uint64_t probes, uint64_t lost_calls)
{
    uint64_t asked = snapshot->functions[snapshot->paths[path].function].probes;
    unsigned number = 0;
    for (uint64_t left = probes; left != 0; left &= left - 1, number++) {
        unsigned probe = (unsigned)__builtin_ctzll(left);
        if (!(asked >> probe & 1))
            continue;
        const profi_measure measure = measure_of(context, number, lost_calls);
        profi_measure_merge(&snapshot->measures[snapshot->paths[path].first_measure + profi_measure_place(asked, probe)], &measure);
    }
}

/* Contexts stand behind those around them, so each finds its caller's path. */
static int add_contexts(prof_snapshot *snapshot, uint64_t probes, const uint32_t *function_of_site, size_t site_count)
{
    uint32_t count = profi_context_count();
    uint32_t *paths = malloc(((size_t)count + 1) * sizeof(*paths));
    int ok = paths != NULL;
    for (uint32_t i = 1; ok && i <= count; i++) {
        profi_context_view context = profi_context(i);
        uint32_t function = context.site < site_count ? function_of_site[context.site] : PROFI_NONE;
        uint32_t around = context.around != PROFI_CONTEXT_NONE ? paths[context.around] : PROFI_NONE;
        paths[i] = PROFI_NONE;
        if (function == PROFI_NONE || (context.around != PROFI_CONTEXT_NONE && around == PROFI_NONE))
            continue; /* newer than the copy */
        paths[i] = profi_snapshot_path(snapshot, around, function);
        ok = paths[i] != PROFI_NONE;
        if (ok)
            add_measures(snapshot, i, paths[i], probes, context.lost_calls);
    }
    free(paths);
    return ok;
}

/* ---- the pools ---- */

static const char *context_text(prof_snapshot *snapshot, uint32_t context, int *ok)
{
    profi_place_view place = { .depth = 0 };
    char text[PROFI_PLACE_TEXT];
    if (context == PROFI_CONTEXT_NONE || context == PROFI_CONTEXT_LOST)
        return profi_snapshot_text(snapshot, "", ok);
    for (; context != PROFI_CONTEXT_NONE && place.depth < PROFI_PLACE_DEPTH; context = profi_context(context).around)
        place.sites[place.depth++] = profi_context(context).site;
    place.is_cut = context != PROFI_CONTEXT_NONE;
    for (unsigned i = 0; i < place.depth / 2; i++) {
        uint32_t site = place.sites[i];
        place.sites[i] = place.sites[place.depth - 1 - i];
        place.sites[place.depth - 1 - i] = site;
    }
    profi_place_path(&place, text);
    return profi_snapshot_text(snapshot, text, ok);
}

static int describe_pool(prof_snapshot *snapshot, unsigned number)
{
    int ok = 1;
    profi_pool_view from = profi_pool_at(number);
    profi_pool_info *pool = &snapshot->pools[number];
    *pool = (profi_pool_info){ .name = profi_snapshot_text(snapshot, from.name, &ok), .reason = "", .is_known = from.is_known,
                               .is_marked = (uint32_t)profi_pools_are_marked(),
                               .flags = (from.is_late ? PROF_POOL_IS_TRACED : 0) | (from.has_ended ? PROF_POOL_HAS_ENDED : 0),
                               .allocated_bytes = size_of(from.now[PROFI_POOL_ALLOCATED]),
                               .reserved_bytes = size_of(from.now[PROFI_POOL_RESERVED]),
                               .allocated_peak_bytes = size_of(from.high[PROFI_POOL_ALLOCATED]),
                               .reserved_peak_bytes = size_of(from.high[PROFI_POOL_RESERVED]),
                               .allocated_mark_bytes = size_of(from.at_mark[PROFI_POOL_ALLOCATED]),
                               .reserved_mark_bytes = size_of(from.at_mark[PROFI_POOL_RESERVED]),
                               .change_count = from.event_count, .lost_change_count = from.lost_event_count,
                               .late_change_count = from.late_event_count, .retry_count = from.retry_count,
                               .exhausted_count = from.exhausted_count };
    pool->shown_count = (uint32_t)profi_min_u64(from.exhausted_count, PROFI_POOL_SHOWN);
    for (uint32_t i = 0; ok && i < pool->shown_count; i++) {
        pool->exhaustions[i].bytes = from.exhaustions[i].bytes;
        pool->exhaustions[i].path = context_text(snapshot, from.exhaustions[i].context, &ok);
    }
    return ok;
}

/* Behind those that there are: those that are awaited, with the reason. */
static int describe_awaited(prof_snapshot *snapshot)
{
    profi_awaited_view view;
    int ok = 1;
    for (unsigned i = 0; ok && i < PROFI_AWAITED_MOST; i++)
        if (profi_awaited_at(i, &view))
            snapshot->pools[snapshot->pool_count++] = (profi_pool_info){ .name = profi_snapshot_text(snapshot, view.name, &ok),
                                                                         .reason = profi_snapshot_text(snapshot, view.reason, &ok) };
    return ok;
}

int profi_recorded_pools(prof_snapshot *snapshot, uint64_t probes, const uint32_t *function_of_site, size_t site_count)
{
    unsigned count = profi_pool_count();
    snapshot->pools = calloc(count + PROFI_AWAITED_MOST, sizeof(*snapshot->pools));
    if (snapshot->pools == NULL)
        return 0;
    profi_levels_lock();
    int ok = count == 0 || add_contexts(snapshot, probes, function_of_site, site_count);
    for (unsigned i = 0; ok && i < count; i++)
        ok = describe_pool(snapshot, i);
    profi_levels_unlock();
    snapshot->pool_count = count;
    snapshot->lost_level_calls = profi_levels_lost_calls();
    return ok && describe_awaited(snapshot);
}

/* ---- reading ---- */

uint32_t prof_snapshot_pool_count(const prof_snapshot *snapshot) { return snapshot != NULL ? snapshot->pool_count : 0; }

prof_status prof_snapshot_pool(const prof_snapshot *snapshot, uint32_t pool, prof_pool_info *info, prof_error *err)
{
    if (snapshot == NULL)
        return profi_fail(err, PROF_E_INVALID, "the snapshot is NULL");
    if (pool >= snapshot->pool_count)
        return profi_fail(err, PROF_E_INVALID, "there is no pool %u: the snapshot has %u", (unsigned)pool,
                          (unsigned)snapshot->pool_count);
    const profi_pool_info *from = &snapshot->pools[pool];
    prof_pool_info full = PROF_POOL_INFO_INIT;
    full.is_known = from->is_known;
    full.flags = from->flags;
    full.name = from->name;
    full.allocated_bytes = from->allocated_bytes;
    full.reserved_bytes = from->reserved_bytes;
    full.allocated_peak_bytes = from->allocated_peak_bytes;
    full.reserved_peak_bytes = from->reserved_peak_bytes;
    full.is_marked = from->is_marked;
    full.allocated_mark_bytes = from->allocated_mark_bytes;
    full.reserved_mark_bytes = from->reserved_mark_bytes;
    full.change_count = from->change_count;
    full.lost_change_count = from->lost_change_count;
    full.late_change_count = from->late_change_count;
    full.retry_count = from->retry_count;
    full.exhausted_count = from->exhausted_count;
    full.exhausted_bytes = from->shown_count != 0 ? from->exhaustions[0].bytes : 0;
    full.exhausted_path = from->shown_count != 0 ? from->exhaustions[0].path : NULL;
    full.reason = from->reason[0] != '\0' ? from->reason : NULL;
    return profi_struct_write(info, &full, sizeof(full), INFO_SIZE_0, "prof_pool_info", err);
}
