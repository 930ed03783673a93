/* SPDX-License-Identifier: Apache-2.0 */
/* What a summary says of the run, not of its functions: see facts in summary_json.c. */
#include "summary_reader.h"

#include "../base/text.h"

#include <math.h>
#include <stdlib.h>

static void read_threads(profi_json *j, const profi_json_value *root)
{
    prof_snapshot *snapshot = j->builder->snapshot;
    const profi_json_value *threads = profi_json_array(j, root, "threads");
    const profi_json_value *object = NULL;
    uint32_t count = profi_json_size(threads), at;
    snapshot->threads = calloc((size_t)count + 1, sizeof(*snapshot->threads));
    if (snapshot->threads == NULL) {
        j->builder->out_of_memory = 1;
        return;
    }
    while ((object = profi_json_next_object(j, "threads", threads, object, &at)) != NULL) {
        profi_thread_info *thread = &snapshot->threads[at];
        const char *name = profi_json_text(j, object, "name");
        uint64_t tid = 0;
        thread->exited = !profi_json_count(j, object, "tid", INT32_MAX, &tid);
        thread->tid = (int32_t)tid;
        profi_json_count(j, object, "calls", UINT64_MAX, &thread->calls);
        profi_json_count(j, object, "lost", UINT64_MAX, &thread->lost);
        profi_json_count(j, object, "repaired", UINT64_MAX, &thread->repaired);
        profi_json_count(j, object, "unmatched", UINT64_MAX, &thread->unmatched);
        if (name != NULL && !thread->exited)
            profi_text_cut(thread->name, sizeof(thread->name), name);
    }
    snapshot->thread_count = count;
}

static void read_processes(profi_json *j, const profi_json_value *root)
{
    prof_snapshot *snapshot = j->builder->snapshot;
    const profi_json_value *processes = profi_json_array(j, root, "processes");
    const profi_json_value *object = NULL;
    uint32_t count = profi_json_size(processes), at;
    if (count == 0)
        return;
    snapshot->processes = calloc(count, sizeof(*snapshot->processes));
    if (snapshot->processes == NULL) {
        j->builder->out_of_memory = 1;
        return;
    }
    while ((object = profi_json_next_object(j, "processes", processes, object, &at)) != NULL) {
        uint64_t pid = 0;
        profi_json_count(j, object, "pid", INT64_MAX, &pid);
        snapshot->processes[at] = (profi_process){ profi_json_text(j, object, "name"), profi_json_text(j, object, "host"),
                                                  (int64_t)pid };
        if (snapshot->processes[at].name == NULL)
            profi_json_fail(j, "name", "is missing");
    }
    snapshot->process_count = count;
}

static void read_counters(profi_json *j, const profi_json_value *root)
{
    const profi_json_value *counters = profi_json_array(j, root, "counters"), *object = NULL;
    uint32_t at;
    while ((object = profi_json_next_object(j, "counters", counters, object, &at)) != NULL) {
        uint64_t line = 0;
        profi_counter_info counter = { .name = profi_json_text(j, object, "name"),
                                       .file = profi_json_text(j, object, "file") };
        profi_json_count(j, object, "line", UINT32_MAX, &line);
        counter.line = (uint32_t)line;
        profi_json_need_count(j, object, "count", &counter.count);
        profi_json_count(j, object, "not_finite", UINT64_MAX, &counter.not_finite_count);
        profi_json_real(j, object, "last", &counter.last);
        /* JSON has no infinity, and says nothing of its sign. */
        if (!profi_json_real(j, object, "sum", &counter.sum) && counter.count != 0)
            counter.sum = INFINITY;
        profi_json_real(j, object, "min", &counter.min);
        profi_json_real(j, object, "max", &counter.max);
        if (counter.name == NULL)
            profi_json_fail(j, "name", "is missing");
        else if (profi_json_is_ok(j))
            profi_builder_counter(j->builder, &counter);
    }
}

static void read_clock(profi_json *j, const profi_json_value *root)
{
    profi_about *about = &j->builder->snapshot->about;
    const profi_json_value *clock = profi_json_object(j, root, "clock");
    int is_steady = 0;
    const char *source = profi_json_text(j, clock, "source");
    if (source != NULL)
        profi_text_cut(about->clock_source, sizeof(about->clock_source), source);
    profi_json_count(j, clock, "hz", UINT64_MAX, &about->clock_hz);
    profi_json_count(j, clock, "went_back", UINT64_MAX, &about->backward_count);
    if (profi_json_bool(j, clock, "steady", &is_steady))
        about->has |= PROF_ABOUT_HAS_CLOCK | (is_steady ? PROF_ABOUT_CLOCK_IS_STEADY : 0u);
}

/* What became of calls that rules kept, and of the folder's files; files of before there were rules say nothing. */
static void read_kept(profi_json *j, const profi_json_value *losses, profi_about *about, prof_stats *stats)
{
    const profi_json_value *kept = profi_json_object(j, losses, "kept_calls");
    const profi_json_value *dumps = profi_json_object(j, losses, "dumps");
    uint64_t refused = 0;
    profi_json_count(j, kept, "met", UINT64_MAX, &stats->kept_count);
    profi_json_count(j, kept, "saved", UINT64_MAX, &stats->kept_saved_count);
    profi_json_count(j, kept, "lost", UINT64_MAX, &stats->kept_lost_count);
    profi_json_count(j, kept, "unsaved", UINT64_MAX, &stats->kept_unsaved_count);
    profi_json_count(j, dumps, "written", UINT64_MAX, &stats->dump_count);
    profi_json_count(j, dumps, "skipped", UINT64_MAX, &stats->dump_skipped_count);
    profi_json_count(j, dumps, "failed", UINT64_MAX, &stats->dump_failed_count);
    profi_json_count(j, losses, "removed_files", UINT64_MAX, &stats->removed_file_count);
    profi_json_count(j, losses, "unsaved_functions", UINT32_MAX, &refused);
    about->refused_function_count = (unsigned)refused;
}

/* Which call it is, in the summary of one. */
static void read_call(profi_json *j, const profi_json_value *root)
{
    prof_snapshot *snapshot = j->builder->snapshot;
    profi_call_about *call = &snapshot->call;
    const profi_json_value *object = profi_json_object(j, root, "call");
    uint64_t ended_us = 0;
    if (object == NULL)
        return;
    if (snapshot->root == NULL || snapshot->thread_count == 0)
        profi_json_fail(j, "call", "has no root or no thread");
    profi_json_need_count(j, object, "number", &call->number);
    profi_json_need_count(j, object, "duration_ns", &call->duration_ns);
    profi_json_count(j, object, "ended_unix_us", UINT64_MAX / 1000, &ended_us);
    call->ended_unix_ns = ended_us * 1000;
    profi_json_count(j, object, "slower_than_ns", UINT64_MAX, &call->limit_ns);
    profi_json_count(j, object, "every_nth", UINT64_MAX, &call->every_nth);
    call->is_slow = profi_json_is_text(j, object, "kept_because", "slow");
    snapshot->is_call = 1;
}

/* What recording cost and how it went. */
static void read_account(profi_json *j, const profi_json_value *root)
{
    enum { MOST_COST_PS = 1000000000 }; /* a millisecond a scope: nothing that was measured */
    prof_snapshot *snapshot = j->builder->snapshot;
    profi_about *about = &snapshot->about;
    const profi_json_value *losses = profi_json_object(j, root, "losses");
    const profi_json_value *cost = profi_json_object(j, root, "overhead");
    const profi_json_value *threads = profi_json_object(j, root, "thread_counts");
    prof_stats read = { .size = sizeof(read) };
    uint64_t live = 0;
    int is_subtracted = 0;
    if (profi_json_count(j, losses, "repaired", UINT64_MAX, &read.repaired_count) &&
        profi_json_count(j, losses, "unmatched", UINT64_MAX, &read.unmatched_count) &&
        profi_json_count(j, cost, "memory_used_bytes", UINT64_MAX, &read.memory_used_bytes) &&
        profi_json_count(j, cost, "memory_limit_bytes", UINT64_MAX, &read.memory_limit_bytes)) {
        read_kept(j, losses, about, &read);
        about->has |= PROF_ABOUT_HAS_COUNTS;
        snapshot->stats = read;
    }
    if (profi_json_count(j, threads, "recorded", UINT64_MAX, &read.thread_count) &&
        profi_json_count(j, threads, "live", UINT32_MAX, &live)) {
        about->has |= PROF_ABOUT_HAS_THREADS;
        snapshot->stats.thread_count = read.thread_count;
        snapshot->stats.live_thread_count = (uint32_t)live;
    }
    if (profi_json_count(j, losses, "events", UINT64_MAX, &read.event_count) &&
        profi_json_count(j, losses, "events_lost", UINT64_MAX, &read.event_lost_count)) {
        about->has |= PROF_ABOUT_HAS_EVENTS;
        snapshot->stats.event_count = read.event_count;
        snapshot->stats.event_lost_count = read.event_lost_count;
        profi_json_count(j, losses, "events_filtered", UINT64_MAX, &snapshot->stats.event_filtered_count);
    }
    snapshot->stats.size = sizeof(snapshot->stats);
    profi_json_count(j, losses, "lost", UINT64_MAX, &snapshot->stats.lost_count);
    profi_json_count(j, losses, "counter_values", UINT64_MAX, &snapshot->lost_values);
    if (profi_json_count(j, cost, "scope_ps", MOST_COST_PS, &about->scope_cost_ps)) {
        about->has |= PROF_ABOUT_HAS_COST;
        profi_json_count(j, cost, "gauges_ns", UINT64_MAX, &about->gauge_ns);
        profi_json_count(j, cost, "kept_ns", UINT64_MAX, &about->kept_ns);
    }
    profi_json_bool(j, cost, "subtracted", &is_subtracted);
    about->has |= is_subtracted ? PROF_ABOUT_COST_IS_SUBTRACTED : 0u;
}

static void read_memory(profi_json *j, const profi_json_value *root)
{
    profi_about *about = &j->builder->snapshot->about;
    const profi_json_value *memory = profi_json_object(j, root, "memory");
    if (memory == NULL) {
        about->no_rss = profi_json_reason_or(j, "memory");
        return;
    }
    profi_json_need_count(j, memory, "rss_bytes", &about->rss_bytes);
    profi_json_count(j, memory, "rss_peak_bytes", UINT64_MAX, &about->rss_peak_bytes);
    profi_json_count(j, memory, "rss_start_bytes", UINT64_MAX, &about->rss_start_bytes);
    const profi_json_value *samples = profi_json_object(j, memory, "rss_samples");
    profi_json_count(j, samples, "every_ms", UINT64_MAX, &about->rss_every_ms);
    profi_json_count(j, samples, "count", UINT64_MAX, &about->rss_sample_count);
    profi_json_count(j, samples, "mean_bytes", UINT64_MAX, &about->rss_mean_bytes);
    profi_json_count(j, samples, "peak_bytes", UINT64_MAX, &about->rss_sample_peak_bytes);
    about->has |= PROF_ABOUT_HAS_RSS;
}

/* Any of the reasons for missing facts: a file gives one for all. */
static const char *reason_for_facts(profi_json *j)
{
    static const char *const keys[] = { "host", "pid", "taken_unix_s", "recorded_ns", "clock", "overhead", "losses",
                                        "thread_counts", "events" };
    for (size_t i = 0; i < PROFI_COUNT_OF(keys); i++) {
        const char *reason = profi_json_reason(j, keys[i]);
        if (reason != NULL)
            return reason;
    }
    return PROFI_NOT_SAID;
}

void profi_read_facts(profi_json *j, const profi_json_value *root)
{
    const uint64_t year_10000 = 253402300800;
    prof_snapshot *snapshot = j->builder->snapshot;
    profi_about *about = &snapshot->about;
    uint64_t pid = 0;
    j->reasons = profi_json_object(j, root, "unavailable");
    snapshot->run_name = profi_json_text(j, root, "name");
    snapshot->root = profi_json_text(j, root, "root");
    const char *host = profi_json_text(j, root, "host");
    if (snapshot->run_name == NULL)
        profi_json_fail(j, "name", "is missing");
    if (host != NULL) {
        profi_text_cut(about->host, sizeof(about->host), host);
        about->has |= PROF_ABOUT_HAS_HOST;
    }
    if (profi_json_count(j, root, "pid", INT64_MAX, &pid))
        about->has |= PROF_ABOUT_HAS_PID;
    if (profi_json_count(j, root, "taken_unix_s", year_10000 - 1, &about->taken_unix_s))
        about->has |= PROF_ABOUT_HAS_TIME;
    if (profi_json_count(j, root, "recorded_ns", UINT64_MAX, &about->recorded_ns))
        about->has |= PROF_ABOUT_HAS_DURATION;
    about->pid = (int64_t)pid;
    read_clock(j, root);
    read_account(j, root);
    read_memory(j, root);
    about->missing = reason_for_facts(j);
    profi_read_utilization(j, root);
    read_threads(j, root);
    read_processes(j, root);
    read_counters(j, root);
    read_call(j, root);
}
