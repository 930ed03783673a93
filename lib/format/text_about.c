/* SPDX-License-Identifier: Apache-2.0 */
/* See text_about.h. */
#include "text_about.h"
#include "text_units.h"

#include <inttypes.h>
#include <stdio.h>
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

void profi_text_heading(const profi_listing *t)
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

void profi_text_account(const profi_listing *t)
{
    put_counts(t);
    put_clock(t);
    put_overhead(t);
}
