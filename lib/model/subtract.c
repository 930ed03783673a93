/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot less what recording it cost.
 *
 * What begin and end of a scope take is spent inside the scopes around it: of
 * its callers' cumulative times all of it is taken, and of the nearest one's
 * self time.  So self times still add up to cumulative times, but for what
 * is stopped at 0.  An edge's times shrink as those of its function do: how
 * many scopes ran inside is not counted for an edge.
 */
#include "assemble.h"

#include "../base/error.h"
#include "../base/system.h"

/* value less calls times cost, and not below 0. */
static uint64_t less(uint64_t value, uint64_t calls, uint64_t cost_ps)
{
    profi_u128 cost = (profi_u128)calls * cost_ps / 1000;
    return cost < value ? value - (uint64_t)cost : 0;
}

/* As much of an edge's time as is left of its function's. */
static uint64_t in_proportion(uint64_t value, uint64_t left, uint64_t of)
{
    return of == 0 ? 0 : (uint64_t)((profi_u128)value * left / of);
}

/* Of an edge's calls those that were timed, for the others cost next to nothing. */
static uint64_t timed_calls(const prof_snapshot *made, const profi_edge *edge)
{
    const profi_function *callee = &made->functions[edge->callee];
    return in_proportion(edge->calls, callee->calls - callee->estimated_calls, callee->calls);
}

static void subtract(const prof_snapshot *from, prof_snapshot *made)
{
    uint64_t cost_ps = made->about.scope_cost_ps;
    for (uint32_t i = 0; i < made->function_count; i++) {
        profi_function *function = &made->functions[i];
        uint64_t called = 0;
        for (uint32_t j = 0; j < function->callee_count; j++)
            called += timed_calls(made, &made->edges[made->callees[function->first_callee + j]]);
        function->self_ns = less(function->self_ns, called, cost_ps);
        function->cumulative_ns = less(function->cumulative_ns, function->inner_calls, cost_ps);
        function->open_ns = profi_min_u64(function->open_ns, function->cumulative_ns); /* a part of it */
    }
    for (uint32_t i = 0; i < made->edge_count; i++) {
        profi_edge *edge = &made->edges[i];
        const profi_function *before = &from->functions[edge->callee], *after = &made->functions[edge->callee];
        edge->self_ns = in_proportion(edge->self_ns, after->self_ns, before->self_ns);
        edge->cumulative_ns = in_proportion(edge->cumulative_ns, after->cumulative_ns, before->cumulative_ns);
        if (edge->outermost_ns != UINT64_MAX)
            edge->outermost_ns = in_proportion(edge->outermost_ns, after->cumulative_ns, before->cumulative_ns);
    }
    for (uint32_t i = 0; i < made->path_count; i++)
        made->paths[i].total_ns = less(made->paths[i].total_ns, made->paths[i].inner_calls, cost_ps);
    profi_snapshot_sum_paths(made);
    made->about.has |= PROF_ABOUT_COST_IS_SUBTRACTED;
}

prof_status prof_snapshot_subtract_cost(const prof_snapshot *snapshot, prof_snapshot **less_cost, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    prof_snapshot *made;
    if (snapshot == NULL || less_cost == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_snapshot_subtract_cost: %s is NULL", snapshot ? "less" : "snapshot");
    if (snapshot->about.has & PROF_ABOUT_COST_IS_SUBTRACTED)
        return profi_fail(err, PROF_E_INVALID, "the profiler's own cost was subtracted already");
    if (!(snapshot->about.has & PROF_ABOUT_HAS_COST))
        return profi_fail(err, PROF_E_UNAVAILABLE, "what the profiler itself cost is not known: %s",
                          snapshot->about.missing);
    for (uint32_t i = 0; i < snapshot->function_count; i++)
        if (snapshot->functions[i].inner_calls == UINT64_MAX)
            return profi_fail(err, PROF_E_UNAVAILABLE, "how many scopes ran inside \"%.80s\" is not known",
                              snapshot->functions[i].name);
    /* The merge of one is a copy, with the same numbers for the functions. */
    prof_status status = prof_snapshot_merge(&snapshot, 1, &made, err);
    if (status != PROF_OK)
        return status;
    subtract(snapshot, made);
    *less_cost = made;
    return PROF_OK;
}
