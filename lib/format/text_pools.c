/* SPDX-License-Identifier: Apache-2.0 */
/* See text_pools.h. */
#include "text_pools.h"

#include "text_units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char allocated[] = ".allocated", reserved[] = ".reserved";

/* ---- each as a whole ---- */

/* What is reserved and not allocated, of what is reserved. */
static void put_fragmentation(profi_output *out, const profi_pool_info *pool)
{
    uint64_t idle = pool->reserved_bytes - profi_min_u64(pool->allocated_bytes, pool->reserved_bytes);
    if (pool->reserved_bytes != 0)
        profi_output_printf(out, ", of which %.1f %% idle", 100.0 * (double)idle / (double)pool->reserved_bytes);
}

static void put_exhaustions(profi_output *out, const profi_pool_info *pool)
{
    for (uint32_t i = 0; i < pool->shown_count; i++) {
        char bytes[24];
        profi_format_bytes(bytes, (double)pool->exhaustions[i].bytes, "");
        profi_output_printf(out, "   Out of memory: %s could not be had in %s\n", bytes,
                            pool->exhaustions[i].path[0] != '\0' ? pool->exhaustions[i].path : "(outside all scopes)");
    }
    if (pool->exhausted_count > pool->shown_count)
        profi_output_printf(out, "   and %" PRIu64 " times more\n", pool->exhausted_count - pool->shown_count);
}

static void put_pool(profi_output *out, const profi_pool_info *pool)
{
    if (pool->reason[0] != '\0') {
        profi_output_printf(out, "\n   Memory of %s unavailable: %s\n", pool->name, pool->reason);
        return;
    }
    char now[24], held[24], peak[24], peak_held[24], mark[24];
    profi_format_bytes(now, (double)pool->allocated_bytes, "");
    profi_format_bytes(held, (double)pool->reserved_bytes, "");
    profi_format_bytes(peak, (double)pool->allocated_peak_bytes, "");
    profi_format_bytes(peak_held, (double)pool->reserved_peak_bytes, "");
    profi_format_bytes(mark, (double)pool->allocated_mark_bytes, "");
    int has_ended = (pool->flags & PROF_POOL_HAS_ENDED) != 0;
    profi_output_printf(out, "\n   Memory of %s, which all threads share, %s:", pool->name,
                        !(pool->flags & PROF_POOL_IS_TRACED) ? "as it was told"
                        : has_ended ? "allocated while GPU work was traced" : "allocated since GPU tracing began");
    if (pool->is_known) {
        profi_output_printf(out, " %s %s, %s reserved", now, has_ended ? "at the end" : "now", held);
        put_fragmentation(out, pool);
    } else {
        profi_output_text(out, " unavailable now (what was told of it has gaps)");
    }
    profi_output_printf(out, "; peak %s%s, %s reserved", pool->lost_change_count ? "\xe2\x89\xa5 " : "", peak, peak_held);
    if (pool->is_marked)
        profi_output_printf(out, "; %s at prof_memory_mark()", mark);
    profi_output_printf(out, "; %" PRIu64 " retries\n", pool->retry_count);
    put_exhaustions(out, pool);
    if (pool->lost_change_count != 0 || pool->late_change_count != 0)
        profi_output_printf(out, "   Of %" PRIu64 " changes %" PRIu64 " found no room and %" PRIu64 " came too late: calls of then read "
                                 "unavailable\n", pool->change_count, pool->lost_change_count, pool->late_change_count);
}

/* Nothing was ever told of it: it is not worth a line.  Why one that somebody awaits is not there is. */
static int is_idle(const profi_pool_info *pool)
{
    return pool->reason[0] == '\0' && pool->change_count == 0 && pool->retry_count == 0 && pool->exhausted_count == 0;
}

void profi_text_pools(profi_output *out, const prof_snapshot *snapshot)
{
    for (uint32_t i = 0; i < snapshot->pool_count; i++)
        if (!is_idle(&snapshot->pools[i]))
            put_pool(out, &snapshot->pools[i]);
    if (snapshot->lost_level_calls != 0)
        profi_output_printf(out, "   %" PRIu64 " boundaries of calls found no room: these calls read unavailable\n",
                            snapshot->lost_level_calls);
}

/* ---- calls ---- */

int profi_text_pool_begins(const profi_probe_info *probe)
{
    size_t bytes = strlen(probe->name), suffix = strlen(allocated);
    return probe->is_level && bytes > suffix && strcmp(probe->name + bytes - suffix, allocated) == 0;
}

static int name_bytes(const prof_snapshot *snapshot, uint32_t probe)
{
    return (int)(strlen(snapshot->probes[probe].name) - strlen(allocated));
}

static const profi_measure *reserved_of(const prof_snapshot *snapshot, uint32_t probe, const profi_function *function)
{
    char name[96];
    snprintf(name, sizeof(name), "%.*s%s", name_bytes(snapshot, probe), snapshot->probes[probe].name, reserved);
    return profi_function_measure_named(snapshot, function, name);
}

/* Whether the pool of a probe is known to be idle. */
static int is_of_idle(const prof_snapshot *snapshot, uint32_t probe)
{
    size_t bytes = (size_t)name_bytes(snapshot, probe);
    for (uint32_t i = 0; i < snapshot->pool_count; i++)
        if (strlen(snapshot->pools[i].name) == bytes && memcmp(snapshot->pools[i].name, snapshot->probes[probe].name, bytes) == 0)
            return is_idle(&snapshot->pools[i]);
    return 0;
}

int profi_text_pool_heading(profi_output *out, const prof_snapshot *snapshot, uint32_t probe)
{
    uint32_t asking = 0;
    for (uint32_t i = 0; !is_of_idle(snapshot, probe) && i < snapshot->function_count; i++)
        asking += (uint32_t)(profi_function_measure(&snapshot->functions[i], probe) != NULL);
    if (asking == 0)
        return 0;
    profi_output_printf(out, "\n   Memory of %.*s in calls, whoever allocated it: in the call with the highest peak at its begin, that peak, "
                             "and at its\n   end; the most that it rose in a call; growth, summed over calls (\xe2\x89\xa5: of other calls it is "
                             "not known)\n\n"
                             "       calls     at begin         peak       at end         rise       growth    reserved peak function\n",
                        name_bytes(snapshot, probe), snapshot->probes[probe].name);
    return 1;
}

static void put_peak(profi_output *out, const profi_measure *measure, int width)
{
    char bytes[24], text[40] = "unavailable";
    int extra = 0;
    if (measure != NULL && measure->call_count != 0) {
        profi_format_bytes(bytes, (double)measure->top, "");
        snprintf(text, sizeof(text), "%s%s", measure->is_bound ? "\xe2\x89\xa5 " : "", bytes);
        extra = measure->is_bound ? 2 : 0; /* bytes that are no columns */
    }
    profi_output_printf(out, " %*s", width + extra, text);
}

int profi_text_pool_line(profi_output *out, const prof_snapshot *snapshot, uint32_t probe, const profi_function *function)
{
    char begin[24], end[24], rise[24], growth[24];
    const profi_measure *measure = profi_function_measure(function, probe);
    if (measure == NULL)
        return 0;
    if (measure->call_count == 0) {
        profi_output_printf(out, "%12u %12s %12s %12s %12s %12s %16s", 0u, "-", "unavailable", "-", "-", "-", "-");
        return 1;
    }
    profi_format_bytes(begin, (double)measure->top_begin, "");
    profi_format_bytes(end, (double)measure->top_end, "");
    profi_format_bytes(rise, (double)measure->rise, "");
    profi_format_bytes(growth, measure->sum < 0 ? -(double)measure->sum : (double)measure->sum, measure->sum < 0 ? "-" : measure->sum > 0 ? "+" : "");
    profi_output_printf(out, "%12" PRIu64 " %12s", measure->call_count, begin);
    put_peak(out, measure, 12);
    profi_output_printf(out, " %12s %12s %12s", end, rise, growth);
    put_peak(out, reserved_of(snapshot, probe, function), 16);
    return 1;
}
