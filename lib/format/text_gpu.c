/* SPDX-License-Identifier: Apache-2.0 */
/* See text_gpu.h. */
#include "text_gpu.h"

#include "../model/gpu.h"
#include "text_units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What is not worth a line in each report of a machine that has no GPU. */
static int is_silent(const profi_gpu_info *gpu, int has_bounds)
{
    return gpu == NULL || (!gpu->is_traced && !has_bounds && gpu->state != PROF_GPU_UNAVAILABLE);
}

static void put_totals(profi_output *out, const profi_gpu_info *gpu)
{
    char busy[24], traced[24], elapsed[24], cost[24], begin[24];
    const prof_gpu_totals *totals = &gpu->totals;
    profi_format_ns(busy, totals->busy_ns);
    profi_format_ns(elapsed, totals->elapsed_ns);
    profi_format_ns(cost, totals->cost_ns);
    profi_format_ns(begin, totals->begin_ns);
    profi_output_printf(out, "\n   GPU work: busy for %s%s of %s; %" PRIu64 " kernels, %" PRIu64 " copies, %" PRIu64 " sets\n",
                        totals->flags & PROF_GPU_WORK_IS_BOUND ? "at least " : totals->flags & PROF_GPU_WORK_IS_UPPER_BOUND ? "at most " : "", busy, elapsed, totals->kernel_count,
                        totals->copy_count, totals->set_count);
    if (totals->flags & PROF_GPU_WORK_IS_ESTIMATE) {
        profi_format_ns(traced, totals->traced_ns);
        profi_output_printf(out, "   Estimates: traced for %s of that, to keep the budget; counts and sums are scaled up (\xc2\xb1: 95 %% interval)\n", traced);
    }
    profi_output_printf(out, "   Tracing took %s of the processors, as far as is known, and %s to begin\n", cost, begin);
    if (totals->unattributed_count != 0)
        profi_output_printf(out, "   %" PRIu64 " of them launched outside of scopes, or too long before: in no function's line\n",
                            totals->unattributed_count);
    if (totals->cut_count != 0)
        profi_output_printf(out, "   %" PRIu64 " launches were inside more than 32 functions: the outermost lack their work\n", totals->cut_count);
    if (gpu->without_path != 0)
        profi_output_printf(out, "   %" PRIu64 " of them are in no call path, for want of memory: functions have them all the same\n", gpu->without_path);
    if (totals->dropped_count != 0)
        profi_output_printf(out, "   %" PRIu64 " more were lost, without room or times for them or to another tool: in no figure\n", totals->dropped_count);
    if (gpu->reason[0] != '\0')
        profi_output_printf(out, "   Not traced any more: %s\n", gpu->reason);
}

static int has_flag(const prof_snapshot *snapshot, uint32_t flag)
{
    for (uint32_t i = 0; i < snapshot->function_count; i++)
        if (snapshot->functions[i].gpu != NULL && snapshot->functions[i].gpu->flags & flag)
            return 1;
    return 0;
}

static void put_no_totals(profi_output *out, const profi_gpu_info *gpu, int has_bounds)
{
    profi_output_printf(out, "\n   GPU time unavailable: %s\n", gpu->reason);
    if (has_bounds)
        profi_output_text(out, "   Known is an upper bound, of functions whose calls wait for the GPU before they end: the time of their calls\n\n"
                               "         busy function\n");
}

int profi_text_gpu_heading(profi_output *out, const prof_snapshot *snapshot)
{
    const profi_gpu_info *gpu = snapshot->gpu;
    int has_bounds = has_flag(snapshot, PROF_GPU_WORK_IS_UNTRACED);
    if (gpu == NULL && snapshot->no_gpu != NULL)
        profi_output_printf(out, "\n   GPU work of each function unavailable: %s\n", snapshot->no_gpu);
    if (is_silent(gpu, has_bounds))
        return 0;
    if (!gpu->is_traced) {
        put_no_totals(out, gpu, has_bounds);
        return has_bounds;
    }
    put_totals(out, gpu);
    if (gpu->totals.attributed_count == 0)
        return 0;
    profi_output_text(out, "   Of each function's calls and what they called (busy: while any of it ran, overlaps count once; self: "
                           "what the\n   function launched itself; queued: from a launch to its begin, the mean; after: how long "
                           "after the end of a call its\n   last work ends, the mean, where it does; waited: its calls wait for the GPU before they end)\n");
    if (has_flag(snapshot, PROF_GPU_WORK_IS_UPPER_BOUND))
        profi_output_text(out, "   \xe2\x89\xa4: at most, for it was called on several call paths, here and elsewhere, whose work may overlap;\n   or was not traced, and waits for the GPU\n");
    profi_output_text(out, "\n         busy           \xc2\xb1         self    kernels     copies       copied     queued      after function\n");
    return 1;
}

/* How long its work goes on, on average, when its calls have ended; 0: it does not. */
static uint64_t after_end(const profi_function *function, const prof_gpu_work *work)
{
    uint64_t calls = function->primitive_calls - profi_min_u64(function->open_calls, function->primitive_calls);
    uint64_t done_ns = work->call_count != 0 ? work->done_ns / work->call_count : 0;
    uint64_t own_ns = calls != 0 ? (function->cumulative_ns - function->open_ns) / calls : UINT64_MAX;
    return done_ns > own_ns ? done_ns - own_ns : 0;
}

/* How busy is to be read. */
static const char *mark_of(uint32_t flags)
{
    switch (flags & (PROF_GPU_WORK_IS_BOUND | PROF_GPU_WORK_IS_UPPER_BOUND)) {
    case PROF_GPU_WORK_IS_BOUND: return "\xe2\x89\xa5";
    case PROF_GPU_WORK_IS_UPPER_BOUND: return "\xe2\x89\xa4";
    case PROF_GPU_WORK_IS_BOUND | PROF_GPU_WORK_IS_UPPER_BOUND: return "\xe2\x89\x88"; /* it is neither */
    default: return " ";
    }
}

int profi_text_gpu_line(profi_output *out, const profi_function *function, int is_traced)
{
    char busy[24], interval[24] = "-", self[24], copied[24], queued[24] = "-", after[24] = "-";
    const prof_gpu_work *work = function->gpu;
    if (work == NULL)
        return 0;
    uint64_t after_ns = after_end(function, work);
    profi_format_ns(busy, work->busy_ns);
    if (work->flags & PROF_GPU_WORK_IS_UNTRACED) {
        profi_output_printf(out, " \xe2\x89\xa4 %10s", busy);
        if (is_traced)
            profi_output_printf(out, " %11s %12s %10s %10s %12s %10s %10s", "-", "-", "-", "-", "-", "-", "waited");
        return 1;
    }
    profi_format_ns(self, work->self_busy_ns);
    profi_format_bytes(copied, (double)(work->to_device_bytes + work->to_host_bytes + work->on_device_bytes + work->other_bytes), "");
    if (work->launch_count != 0)
        profi_format_ns(queued, work->queue_ns / work->launch_count);
    if (work->flags & PROF_GPU_WORK_IS_ESTIMATE && work->busy_interval_ns != UINT64_MAX)
        profi_format_ns(interval, work->busy_interval_ns);
    else if (work->flags & PROF_GPU_WORK_IS_ESTIMATE)
        strcpy(interval, "unknown");
    if (work->flags & PROF_GPU_WORK_IS_WAITED)
        strcpy(after, "waited");
    else if (work->call_count == 0 && work->launch_count != 0)
        strcpy(after, "unknown");
    else if (after_ns != 0)
        profi_format_ns(after, after_ns);
    profi_output_printf(out, " %s %10s %11s %12s %10" PRIu64 " %10" PRIu64 " %12s %10s %10s",
                        mark_of(work->flags), busy, interval, self, work->kernel_count,
                        work->copy_count, copied, queued, after);
    return 1;
}
