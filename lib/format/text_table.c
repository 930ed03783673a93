/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table for people, `.txt`.  Its first block is byte for byte what
 * Python's pstats prints of the .prof of the same snapshot (print_stats
 * after sort_stats, without the line that names the file): listing.c.  The
 * blocks of our own, here, follow the line that begins with "-- profcore".
 */
#include "listing.h"
#include "text_probes.h"
#include "text_spans.h"
#include "text_units.h"
#include "writer.h"

#include "../base/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* "1 thread", "4 threads". */
static const char *threads_text(const prof_snapshot *snapshot, char text[40])
{
    uint64_t count = snapshot->stats.thread_count;
    snprintf(text, 40, "%" PRIu64 " thread%s", count, count == 1 ? "" : "s");
    return text;
}

/* Which call this is, and why it was kept. */
static void put_call(const profi_listing *t)
{
    const profi_call_about *call = &t->snapshot->call;
    const profi_thread_info *thread = &t->snapshot->threads[0];
    char took[24], limit[24], when[32];
    time_t seconds = (time_t)(call->ended_unix_ns / 1000000000u);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &utc);
    profi_format_ns(took, call->duration_ns);
    profi_format_ns(limit, call->limit_ns);
    profi_output_printf(t->out, "   One call of %s: %s, its call %" PRIu64 ", ended %s.%03u UTC on thread %d %s\n",
                        t->snapshot->root, took, call->number, when,
                        (unsigned)(call->ended_unix_ns / 1000000u % 1000u), (int)thread->tid, thread->name);
    if (call->is_slow)
        profi_output_printf(t->out, "   Kept because it took longer than %s\n", limit);
    else
        profi_output_printf(t->out, "   Kept as one in %" PRIu64 "\n", call->every_nth);
    profi_output_text(t->out, "   What ran below it on its own thread; a kept call has no percentiles and no memory\n");
}

/* "process 12 on host", as much of it as is known. */
static void put_process(const profi_listing *t, const char *host, int64_t pid)
{
    if (pid != 0)
        profi_output_printf(t->out, "process %" PRId64, pid);
    else
        profi_output_text(t->out, "process");
    profi_output_printf(t->out, "%s%s", host != NULL ? " on " : pid != 0 ? "" : " unavailable", host ? host : "");
}

static void put_processes(const profi_listing *t)
{
    enum { SHOWN = 20 };
    const prof_snapshot *snapshot = t->snapshot;
    profi_output_printf(t->out, "   Merged from %u processes:\n", (unsigned)snapshot->process_count);
    for (uint32_t i = 0; i < snapshot->process_count && i < SHOWN; i++) {
        const profi_process *process = &snapshot->processes[i];
        profi_output_printf(t->out, "     %s, ", process->name);
        put_process(t, process->host, process->pid);
        profi_output_text(t->out, "\n");
    }
    if (snapshot->process_count > SHOWN)
        profi_output_printf(t->out, "     and %u more\n", (unsigned)snapshot->process_count - SHOWN);
}

static void put_heading(const profi_listing *t)
{
    char threads[40], when[40] = "time unavailable";
    const prof_snapshot *snapshot = t->snapshot;
    const profi_about *about = &snapshot->about;
    time_t seconds = (time_t)about->taken_unix_s;
    struct tm utc;
    if (about->has & PROF_ABOUT_HAS_TIME && gmtime_r(&seconds, &utc) != NULL)
        strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &utc);
    profi_output_printf(t->out, "-- profcore %u.%u.%u: %s, ", PROF_VERSION >> 16, PROF_VERSION >> 8 & 0xff,
                        PROF_VERSION & 0xff, snapshot->run_name);
    if (snapshot->process_count == 0) {
        put_process(t, about->has & PROF_ABOUT_HAS_HOST ? about->host : NULL, about->pid);
        profi_output_text(t->out, ", ");
    }
    profi_output_printf(t->out, "%s\n", when);
    if (snapshot->process_count != 0)
        put_processes(t);
    if (snapshot->is_call) {
        put_call(t);
        return;
    }
    if (snapshot->root != NULL)
        profi_output_printf(t->out, "   What ran under %s; memory, threads, losses and clock are the whole process's\n",
                            snapshot->root);
    if (about->has & PROF_ABOUT_HAS_DURATION)
        profi_output_printf(t->out, "   Recorded for %.3f s", (double)about->recorded_ns / 1e9);
    else
        profi_output_text(t->out, "   How long was recorded is unavailable");
    if (about->has & PROF_ABOUT_HAS_THREADS)
        profi_output_printf(t->out, "; times above are summed over %s", threads_text(snapshot, threads));
    profi_output_text(t->out, "\n");
}

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

static void put_probes(const profi_listing *t, const profi_function *function, const char *title)
{
    if (profi_text_probe_line(t->out, t->snapshot, t->probe_group, function))
        put_name(t, title);
}

static void put_probe_blocks(profi_listing *t)
{
    for (t->probe_group = 0; t->probe_group < PROFI_PROBE_GROUPS; t->probe_group++)
        if (profi_text_probe_heading(t->out, t->snapshot, t->probe_group))
            for_functions(t, put_probes);
    profi_text_counters(t->out, t->snapshot);
    profi_text_spans(t->out, t->snapshot);
}

/* What became of the calls that rules kept; nothing where there was none. */
static void put_kept(const profi_listing *t)
{
    const prof_stats *stats = &t->snapshot->stats;
    if (stats->kept_count != 0)
        profi_output_printf(t->out, "   Kept:     %" PRIu64 " calls met their rule: %" PRIu64 " saved, %" PRIu64
                            " lost for want of memory, %" PRIu64 " not written, %" PRIu64 " waiting\n", stats->kept_count,
                            stats->kept_saved_count, stats->kept_lost_count, stats->kept_unsaved_count,
                            stats->kept_count - profi_min_u64(stats->kept_count, stats->kept_saved_count +
                                                              stats->kept_lost_count + stats->kept_unsaved_count));
    if (t->snapshot->about.refused_function_count != 0)
        profi_output_printf(t->out, "   Missing:  the files of %u functions, for which the folder had no room\n",
                            t->snapshot->about.refused_function_count);
    if (stats->removed_file_count != 0)
        profi_output_printf(t->out, "   Removed:  %" PRIu64 " older files, to keep the folder within its limits\n",
                            stats->removed_file_count);
}

/* What the timeline can show of the run; nothing where no events are kept. */
static void put_events(const profi_listing *t)
{
    const prof_stats *stats = &t->snapshot->stats;
    if (t->snapshot->is_call || (stats->event_count == 0 && stats->event_filtered_count == 0))
        return;
    profi_output_printf(t->out, "   Events:   %" PRIu64 ", of them %" PRIu64 " not kept", stats->event_count, stats->event_lost_count);
    if (stats->event_filtered_count != 0)
        profi_output_printf(t->out, "; %" PRIu64 " scopes too short to be one", stats->event_filtered_count);
    profi_output_text(t->out, "\n");
}

/* What was written while something ran or hung; nothing where nobody asked. */
static void put_dumps(const profi_listing *t)
{
    const prof_stats *stats = &t->snapshot->stats;
    if (stats->dump_count + stats->dump_skipped_count + stats->dump_failed_count != 0)
        profi_output_printf(t->out, "   Dumps:    %" PRIu64 " written, %" PRIu64 " skipped, too soon after another, %" PRIu64
                            " failed\n", stats->dump_count, stats->dump_skipped_count, stats->dump_failed_count);
}

static void put_counts(const profi_listing *t)
{
    const prof_snapshot *snapshot = t->snapshot;
    const prof_stats *stats = &snapshot->stats;
    char used[24], limit[24], threads[40];
    uint32_t has = snapshot->about.has;
    profi_output_text(t->out, "\n");
    if (snapshot->is_call)
        ; /* one thread, which the heading names */
    else if (has & PROF_ABOUT_HAS_THREADS)
        profi_output_printf(t->out, "   Threads:  %s recorded, %u live\n", threads_text(snapshot, threads),
                            (unsigned)stats->live_thread_count);
    else
        profi_output_printf(t->out, "   Threads:  unavailable (%s)\n", snapshot->about.missing);
    profi_output_printf(t->out, "   Losses:   %" PRIu64 " scopes lost", stats->lost_count);
    if (!(has & PROF_ABOUT_HAS_COUNTS)) {
        profi_output_printf(t->out, ", others unavailable (%s)\n", snapshot->about.missing);
        if (has & PROF_ABOUT_HAS_EVENTS)
            put_events(t);
        return;
    }
    profi_format_bytes(used, (double)stats->memory_used_bytes, "");
    profi_format_bytes(limit, (double)stats->memory_limit_bytes, "");
    profi_output_printf(t->out, ", %" PRIu64 " closed by repair, %" PRIu64 " ends without a scope\n",
                        stats->repaired_count, stats->unmatched_count);
    if (snapshot->lost_values != 0)
        profi_output_printf(t->out, "             and %" PRIu64 " values and events beside scopes, for want of memory\n",
                            snapshot->lost_values);
    put_events(t);
    put_kept(t);
    put_dumps(t);
    if (!snapshot->is_call)
        profi_output_printf(t->out, "   Memory:   %s of %s used for recording\n", used, limit);
}

static void put_clock(const profi_listing *t)
{
    const profi_about *about = &t->snapshot->about;
    if (!(about->has & PROF_ABOUT_HAS_CLOCK)) {
        profi_output_printf(t->out, "   Clock:    unavailable (%s)\n", about->missing);
        return;
    }
    profi_output_printf(t->out, "   Clock:    %s, ", about->clock_source[0] ? about->clock_source : "source unavailable");
    if (about->clock_hz != 0)
        profi_output_printf(t->out, "%" PRIu64 " Hz, ", about->clock_hz);
    profi_output_printf(t->out, "%s\n", about->has & PROF_ABOUT_CLOCK_IS_STEADY
                                            ? "steady" : "not known to be steady: take durations with care");
    if (about->backward_count != 0)
        profi_output_printf(t->out, "             it went back during %" PRIu64 " scopes, which count as 0 s\n",
                            about->backward_count);
}

static void put_overhead(const profi_listing *t)
{
    const prof_snapshot *snapshot = t->snapshot;
    const profi_about *about = &snapshot->about;
    uint64_t calls = 0;
    char cost[24];
    if (!(about->has & PROF_ABOUT_HAS_COST)) {
        profi_output_printf(t->out, "   Overhead: unavailable (%s)\n", about->missing);
        return;
    }
    for (uint32_t i = 0; i < snapshot->function_count; i++)
        calls += snapshot->functions[i].calls;
    profi_format_ns(cost, (uint64_t)((profi_u128)calls * about->scope_cost_ps / 1000));
    const char *place = !(about->has & PROF_ABOUT_COST_IS_SUBTRACTED) ? "included in the times above"
                        : snapshot->span_count != 0 ? "subtracted from the times above but for extremes, percentiles and spans"
                                                    : "subtracted from the times above but for extremes and percentiles";
    profi_output_printf(t->out, "   Overhead: %.1f ns a scope when measured at start, %" PRIu64 " scopes: about %s, %s\n",
                        (double)about->scope_cost_ps / 1e3, calls, cost, place);
    if (about->gauge_ns != 0) {
        profi_format_ns(cost, about->gauge_ns);
        profi_output_printf(t->out, "             and %s in reading probes, in the times of the callers\n", cost);
    }
    if (about->kept_ns != 0) {
        profi_format_ns(cost, about->kept_ns);
        profi_output_printf(t->out, "             and %s in telling single calls apart, in the times of the callers\n", cost);
    }
}

static void put_own_blocks(profi_listing *t)
{
    int is_call = t->snapshot->is_call; /* which has no percentiles and no memory */
    put_heading(t);
    if (!is_call)
        put_percentile_block(t);
    put_estimate_block(t);
    put_item_block(t);
    if (!is_call) {
        put_memory_block(t);
        put_probe_blocks(t);
    }
    put_counts(t);
    put_clock(t);
    put_overhead(t);
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
