/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table for people, `.txt`.  Its first block is byte for byte what
 * Python's pstats prints of the .prof of the same snapshot (print_stats
 * after sort_stats, without the line that names the file): listing.c.  The
 * blocks of our own follow the line that begins with "-- profcore": those of
 * functions here, those of the run in text_about.c.
 */
#include "listing.h"
#include "text_about.h"
#include "text_gpu.h"
#include "../model/gpu.h"
#include "text_memory.h"
#include "text_pools.h"
#include "text_probes.h"
#include "text_spans.h"
#include "text_units.h"
#include "text_utilization.h"
#include "writer.h"

#include "../base/error.h"

#include <inttypes.h>

/* A function of the listed rows: some rows have several, some none. */
typedef struct listed {
    uint32_t row, function; /* PROFI_NONE: behind the last */
} listed;

static listed first_listed(const profi_listing *t, uint32_t row)
{
    while (row < t->count && t->stats.rows[t->order[row]].function == PROFI_NONE)
        row++;
    return (listed){ row, row < t->count ? t->stats.rows[t->order[row]].function : PROFI_NONE };
}

static listed next_listed(const profi_listing *t, listed at)
{
    uint32_t next = t->stats.next_function[at.function];
    return next != PROFI_NONE ? (listed){ at.row, next } : first_listed(t, at.row + 1);
}

/* Calls back for each function of the listed rows, with its title. */
static void for_functions(const profi_listing *t,
                          void (*put)(const profi_listing *t, const profi_function *function, const char *title))
{
    for (listed at = first_listed(t, 0); at.function != PROFI_NONE; at = next_listed(t, at))
        put(t, &t->snapshot->functions[at.function], t->stats.rows[t->order[at.row]].title);
}

/* The end of a function's line. */
static void put_name(const profi_listing *t, const char *title)
{
    profi_output_text(t->out, " ");
    profi_put_title(t, title);
    profi_output_text(t->out, "\n");
}

static void put_percentiles(const profi_listing *t, const profi_function *function, const char *title)
{
    uint64_t ended = function->timed_calls;
    if (ended == 0 || (function->histogram == NULL && !profi_function_has_extremes(function)))
        return;
    profi_output_printf(t->out, "%11" PRIu64, ended);
    profi_text_durations(t->out, function);
    put_name(t, title);
}

/* The reason of the first listed function without a histogram, if none has durations of its calls; else NULL. */
static const char *why_no_durations(const profi_listing *t)
{
    const char *why = NULL;
    for (listed at = first_listed(t, 0); at.function != PROFI_NONE; at = next_listed(t, at)) {
        const profi_function *function = &t->snapshot->functions[at.function];
        if (function->calls == function->open_calls)
            continue;
        if (function->histogram != NULL || profi_function_has_extremes(function))
            return NULL;
        why = why ? why : function->no_histogram;
    }
    return why;
}

static void put_missing_percentiles(const profi_listing *t)
{
    enum { SHOWN = 10 };
    uint32_t count = 0;
    for (listed at = first_listed(t, 0); at.function != PROFI_NONE; at = next_listed(t, at)) {
        const profi_function *function = &t->snapshot->functions[at.function];
        if (function->histogram == NULL && function->calls > function->open_calls && ++count <= SHOWN)
            profi_output_printf(t->out, "   no percentiles of %s: %s\n", function->name, function->no_histogram);
    }
    if (count > SHOWN)
        profi_output_printf(t->out, "   nor of %u more\n", (unsigned)count - SHOWN);
}

static void put_percentile_block(const profi_listing *t)
{
    uint64_t open = 0;
    const char *why_none = why_no_durations(t);
    if (why_none != NULL) {
        profi_output_printf(t->out, "\n   Duration of a call: unavailable (%s)\n", why_none);
        return;
    }
    for (uint32_t i = 0; i < t->snapshot->function_count; i++)
        open += t->snapshot->functions[i].open_calls;
    profi_output_text(t->out, "\n   Duration of a call: percentiles are the upper edge of a histogram bucket, at most "
                              "12.5 % above the truth\n"
                              "   (-: too few calls; p50 needs 20, p90 100, p99 1,000, p99.9 10,000)\n\n");
    profi_output_text(t->out, "      ended" PROFI_TEXT_DURATIONS " function\n");
    for_functions(t, put_percentiles);
    put_missing_percentiles(t);
    if (open != 0)
        profi_output_printf(t->out, "   %" PRIu64 " call%s had not ended; the first table counts %s with the time so far\n",
                            open, open == 1 ? "" : "s", open == 1 ? "it" : "them");
}

static void put_estimate(const profi_listing *t, const profi_function *function, const char *title)
{
    char cumulative[24], interval[24] = "unavail.";
    uint64_t half = profi_function_interval(function);
    if (function->estimated_calls == 0)
        return;
    profi_format_ns(cumulative, function->cumulative_ns);
    if (half != UINT64_MAX)
        profi_format_ns(interval, half);
    /* The sign before the interval is one column but two bytes. */
    profi_output_printf(t->out, "%11" PRIu64 " %11" PRIu64 " %12s \xc2\xb1 %-10s", function->calls, function->timed_calls,
                        cumulative, interval);
    put_name(t, title);
}

static void put_items(const profi_listing *t, const profi_function *function, const char *title)
{
    if (function->items == 0 && function->unit == NULL)
        return;
    if (function->no_extras != NULL)
        profi_output_printf(t->out, "%14s", "unavailable");
    else
        profi_output_printf(t->out, "%14" PRIu64, function->items);
    if (function->cumulative_ns != 0 && function->no_extras == NULL)
        profi_output_printf(t->out, " %14.1f", (double)function->items * 1e9 / (double)function->cumulative_ns);
    else
        profi_output_printf(t->out, " %14s", "unavailable");
    profi_output_printf(t->out, " %-10s", function->unit ? function->unit : "items");
    put_name(t, title);
}

static void put_memory(const profi_listing *t, const profi_function *function, const char *title)
{
    const profi_measure *rss = profi_function_measure_named(t->snapshot, function, "rss");
    if (rss == NULL)
        return;
    char growth[24] = "unavailable", peak[24] = "unavailable";
    if (rss->call_count != 0) {
        profi_format_bytes(growth, (double)(rss->sum < 0 ? -rss->sum : rss->sum), rss->sum < 0 ? "-" : "+");
        profi_format_bytes(peak, (double)rss->top, rss->is_bound ? "\xe2\x89\xa5 " : "");
    }
    /* The sign of a bound is one column but three bytes. */
    profi_output_printf(t->out, "%14s %*s", growth, rss->call_count && rss->is_bound ? 16 : 14, peak);
    put_name(t, title);
}

/* Whether a listed function passes a test. */
static int has_any(const profi_listing *t, int (*test)(const profi_function *function))
{
    for (listed at = first_listed(t, 0); at.function != PROFI_NONE; at = next_listed(t, at))
        if (test(&t->snapshot->functions[at.function]))
            return 1;
    return 0;
}

static int is_estimated(const profi_function *function) { return function->estimated_calls != 0; }
static int counts_items(const profi_function *function) { return function->items != 0 || function->unit != NULL; }
static int asks_for_rss(const profi_function *function) { return (function->flags & PROF_SITE_RSS) != 0; }

static void put_estimate_block(const profi_listing *t)
{
    if (!has_any(t, is_estimated))
        return;
    profi_output_text(t->out, "\n   Sampled functions: every call is counted, some are timed; the times in the first table are estimates\n"
                              "   (\xc2\xb1: 95 % interval), and so are their callers' self times; percentiles are of the timed calls\n\n"
                              "      calls       timed   cumulative              function\n");
    for_functions(t, put_estimate);
}

static void put_item_block(const profi_listing *t)
{
    if (!has_any(t, counts_items))
        return;
    profi_output_text(t->out, "\n   Items processed, and per second spent in the function (of one thread, not of the service)\n\n"
                              "         items     per second unit       function\n");
    for_functions(t, put_items);
}

static void put_memory_block(const profi_listing *t)
{
    const prof_snapshot *snapshot = t->snapshot;
    char now[24], peak[24] = "unavailable", start[24] = "unavailable";
    profi_output_text(t->out, "\n   Resident memory of the process");
    if (!(snapshot->about.has & PROF_ABOUT_HAS_RSS)) {
        profi_output_printf(t->out, ": unavailable (%s)\n", snapshot->about.no_rss);
    } else {
        profi_format_bytes(now, (double)snapshot->about.rss_bytes, "");
        if (snapshot->about.rss_peak_bytes != 0)
            profi_format_bytes(peak, (double)snapshot->about.rss_peak_bytes, "");
        if (snapshot->about.rss_start_bytes != 0)
            profi_format_bytes(start, (double)snapshot->about.rss_start_bytes, "");
        profi_output_printf(t->out, ": %s when recording started, %s now, peak %s\n", start, now, peak);
    }
    if (snapshot->about.rss_sample_count != 0) {
        profi_format_bytes(now, (double)snapshot->about.rss_mean_bytes, "");
        profi_format_bytes(peak, (double)snapshot->about.rss_sample_peak_bytes, "");
        profi_output_printf(t->out, "   Sampled every %" PRIu64 " ms while recording, %" PRIu64 " times: mean %s, highest %s\n",
                            snapshot->about.rss_every_ms, snapshot->about.rss_sample_count, now, peak);
    }
    if (!has_any(t, asks_for_rss))
        return;
    profi_output_text(t->out, "   Growth is summed over calls, and calls in parallel each see it; a peak is the highest in any call "
                              "(\xe2\x89\xa5: at least)\n\n"
                              "        growth           peak function\n");
    for_functions(t, put_memory);
}

static void put_gpu_work(const profi_listing *t, const profi_function *function, const char *title)
{
    if (profi_text_gpu_line(t->out, function, t->snapshot->gpu->is_traced))
        put_name(t, title);
}

static void put_probes(const profi_listing *t, const profi_function *function, const char *title)
{
    if (profi_text_probe_line(t->out, t->snapshot, t->probe_group, function))
        put_name(t, title);
}

static void put_allocated(const profi_listing *t, const profi_function *function, const char *title)
{
    if (profi_text_memory_line(t->out, t->snapshot, t->probe_group, function))
        put_name(t, title);
}

/* A block for each kind of memory. */
static void put_allocated_blocks(profi_listing *t)
{
    profi_text_memory_places(t->out, t->snapshot);
    for (t->probe_group = 0; t->probe_group < t->snapshot->probe_count; t->probe_group++)
        if (profi_text_memory_begins(&t->snapshot->probes[t->probe_group]) &&
            profi_text_memory_heading(t->out, t->snapshot, t->probe_group))
            for_functions(t, put_allocated);
}

static void put_of_pool(const profi_listing *t, const profi_function *function, const char *title)
{
    if (profi_text_pool_line(t->out, t->snapshot, t->probe_group, function))
        put_name(t, title);
}

static void put_pool_blocks(profi_listing *t)
{
    profi_text_pools(t->out, t->snapshot);
    for (t->probe_group = 0; t->probe_group < t->snapshot->probe_count; t->probe_group++)
        if (profi_text_pool_begins(&t->snapshot->probes[t->probe_group]) &&
            profi_text_pool_heading(t->out, t->snapshot, t->probe_group))
            for_functions(t, put_of_pool);
}

static void put_probe_blocks(profi_listing *t)
{
    for (t->probe_group = 0; t->probe_group < PROFI_PROBE_GROUPS; t->probe_group++)
        if (profi_text_probe_heading(t->out, t->snapshot, t->probe_group))
            for_functions(t, put_probes);
    profi_text_counters(t->out, t->snapshot);
    profi_text_spans(t->out, t->snapshot);
}

static void put_own_blocks(profi_listing *t)
{
    int is_call = t->snapshot->is_call; /* which has no percentiles and no memory */
    profi_text_heading(t);
    if (!is_call)
        put_percentile_block(t);
    put_estimate_block(t);
    put_item_block(t);
    if (profi_text_gpu_heading(t->out, t->snapshot))
        for_functions(t, put_gpu_work);
    if (!is_call) {
        put_memory_block(t);
        put_allocated_blocks(t);
        profi_text_utilization(t->out, t->snapshot);
        put_pool_blocks(t);
        put_probe_blocks(t);
    }
    profi_text_account(t);
}

prof_status profi_print(const prof_snapshot *snapshot, const prof_print_options *options, profi_output *out, prof_error *err)
{
    profi_listing list;
    prof_status status = profi_listing_init(&list, snapshot, options, out, err);
    if (status != PROF_OK)
        return status;
    int ok = 1;
    if (options->view == PROF_PRINT_CALLERS) {
        ok = profi_put_callers(&list);
    } else if (options->view == PROF_PRINT_CALLEES) {
        ok = profi_put_callees(&list);
    } else {
        profi_put_stats(&list);
        put_own_blocks(&list);
    }
    profi_listing_fini(&list);
    return ok ? PROF_OK : profi_fail(err, PROF_E_NO_MEMORY, "no memory for a table of %u functions",
                                     (unsigned)snapshot->function_count);
}

prof_status profi_write_txt(const prof_snapshot *snapshot, const char *sort, profi_output *out, prof_error *err)
{
    prof_print_options options = PROF_PRINT_OPTIONS_INIT;
    options.sort = sort;
    return profi_print(snapshot, &options, out, err);
}
