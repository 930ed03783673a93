/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads summaries, profcore.summary/1, as summary_json.c writes them.  Keys
 * that are not known are ignored; what is missing or null is unavailable.
 */
#include "summary_reader.h"

#include "../base/error.h"
#include "../base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char not_said[] = "the file does not say", none_ended[] = "no call has ended";

static const char *reason_or(profi_json *j, const char *key)
{
    const char *reason = profi_json_reason(j, key);
    return reason != NULL ? reason : not_said;
}

/* ---- histograms ---- */

static void read_bucket(profi_json *j, const profi_json_value *pair, uint64_t counts[PROFI_BUCKET_COUNT])
{
    uint64_t index = 0, count = 0;
    const profi_json_value *first = profi_json_next(j, pair, NULL), *second = profi_json_next(j, pair, first);
    if (profi_json_to_count(j, "histogram", first, PROFI_BUCKET_COUNT - 1, &index) &&
        profi_json_to_count(j, "histogram", second, UINT64_MAX, &count) &&
        (index < PROFI_BUCKET_FIRST || __builtin_add_overflow(counts[index], count, &counts[index])))
        profi_json_fail(j, "histogram", "is out of range");
}

/* Into the caller's counts; 0 when there is no histogram. */
static int read_histogram(profi_json *j, const profi_json_value *object, uint64_t counts[PROFI_BUCKET_COUNT])
{
    const profi_json_value *pairs = profi_json_array(j, object, "histogram");
    if (pairs == NULL)
        return 0;
    memset(counts, 0, PROFI_BUCKET_COUNT * sizeof(*counts));
    for (const profi_json_value *pair = NULL; (pair = profi_json_next(j, pairs, pair)) != NULL;) {
        if (pair->kind != PROFI_JSON_ARRAY || profi_json_size(pair) != 2)
            profi_json_fail(j, "histogram", "is not a list of [index, count]");
        else
            read_bucket(j, pair, counts);
        if (j->status != PROF_OK)
            return 0;
    }
    return 1;
}

void profi_read_durations(profi_json *j, const profi_json_value *object, profi_function *row,
                          uint64_t counts[PROFI_BUCKET_COUNT])
{
    enum { MOST_HISTOGRAMS = 1 << 17 }; /* 1 GiB; a few bytes of text make one */
    row->min_ns = UINT64_MAX;
    if (!profi_json_count(j, object, "min_ns", UINT64_MAX, &row->min_ns) ||
        !profi_json_count(j, object, "max_ns", UINT64_MAX, &row->max_ns))
        row->no_extremes = reason_or(j, "min_ns");
    if (row->timed_calls == 0 && row->no_extremes != NULL && strcmp(row->no_extremes, none_ended) == 0)
        row->no_extremes = NULL; /* which is no lack */
    if (read_histogram(j, object, counts))
        row->histogram = counts;
    else
        row->no_histogram = reason_or(j, "histogram");
    if (row->histogram != NULL && ++j->histogram_count > MOST_HISTOGRAMS)
        j->status = profi_fail(j->err, PROF_E_LIMIT, "%.300s: more than %u histograms", j->input->what,
                               (unsigned)MOST_HISTOGRAMS);
}

/* ---- probes ---- */

/* Resident memory, which has a member of its own and stood in files before there were other probes. */
static const profi_probe_info rss_info = { "rss", "bytes", "process", NULL, 1 };

static int is_rss(const profi_probe_info *info)
{
    return strcmp(info->name, rss_info.name) == 0;
}

/* In the order of the file, so that their numbers are those of the writer. */
static void read_probes(profi_json *j, const profi_json_value *root)
{
    const profi_json_value *probes = profi_json_array(j, root, "probes"), *object = NULL;
    uint32_t at;
    while ((object = profi_json_next_object(j, "probes", probes, object, &at)) != NULL) {
        profi_probe_info info = { .name = profi_json_text(j, object, "name"), .unit = profi_json_text(j, object, "unit"),
                                  .of = profi_json_text(j, object, "of"), .reason = profi_json_text(j, object, "failed") };
        info.is_gauge = (uint32_t)profi_json_is_text(j, object, "kind", "gauge");
        if (info.name == NULL || info.unit == NULL || info.of == NULL)
            profi_json_fail(j, "name", "and unit and of must be there");
        else
            profi_builder_probe(j->builder, &info);
    }
}

/* A gauge's growth may be negative, a counter's sum not. */
static void read_sum(profi_json *j, const profi_json_value *object, const char *key, int is_gauge, int64_t *sum)
{
    uint64_t rise = 0;
    if (is_gauge)
        profi_json_signed(j, object, key, sum);
    else if (profi_json_count(j, object, key, INT64_MAX, &rise))
        *sum = (int64_t)rise;
}

/* What one probe measured, under the keys that it has there; a prefix goes before them. */
static void read_measure(profi_json *j, const profi_json_value *object, int is_gauge, int is_memory,
                         profi_measure *measure)
{
    int is_bound = 0;
    profi_json_need_count(j, object, is_memory ? "rss_calls" : "calls", &measure->call_count);
    profi_json_count(j, object, is_memory ? "rss_failed_calls" : "failed_calls", UINT64_MAX, &measure->failed_count);
    read_sum(j, object, is_memory ? "rss_growth_bytes" : is_gauge ? "growth" : "sum", is_gauge, &measure->sum);
    profi_json_count(j, object, is_memory ? "rss_peak_bytes" : is_gauge ? "peak" : "max", UINT64_MAX, &measure->top);
    profi_json_bool(j, object, is_memory ? "rss_peak_is_bound" : "peak_is_bound", &is_bound);
    measure->is_bound = (uint32_t)is_bound;
}

/* One probe of one function, which may not have asked for it. */
static void read_function_probe(profi_json *j, const profi_json_value *object, const profi_json_value *probes,
                                uint32_t function, uint32_t probe)
{
    const profi_probe_info *info = &j->builder->snapshot->probes[probe];
    int is_memory = is_rss(info);
    const profi_json_value *found = is_memory ? profi_json_object(j, object, "memory") : profi_json_object(j, probes, info->name);
    profi_measure measure = { 0 };
    char key[96];
    snprintf(key, sizeof(key), is_memory ? "memory" : "probes.%s", info->name);
    const char *reason = profi_json_reason(j, key);
    if (found != NULL)
        read_measure(j, found, (int)info->is_gauge, is_memory, &measure);
    else if (reason != NULL)
        measure.failed_count = strcmp(reason, none_ended) != 0; /* or more: how many is not said */
    else
        return;
    profi_builder_measure(j->builder, function, probe, &measure);
    if (is_memory)
        j->builder->snapshot->functions[function].flags |= PROF_SITE_RSS;
}

static void read_function_probes(profi_json *j, const profi_json_value *object, uint32_t function)
{
    const profi_json_value *probes = profi_json_object(j, object, "probes");
    if (profi_json_object(j, object, "memory") != NULL && profi_json_is_ok(j))
        profi_builder_probe(j->builder, &rss_info);
    for (uint32_t i = 0; i < j->builder->snapshot->probe_count && profi_json_is_ok(j); i++)
        read_function_probe(j, object, probes, function, i);
}

/* ---- functions ---- */

static void read_items(profi_json *j, const profi_json_value *object, profi_function *function)
{
    const profi_json_value *items = profi_json_object(j, object, "items");
    function->no_extras = profi_json_reason(j, "items");
    if (items == NULL)
        return;
    profi_json_need_count(j, items, "count", &function->items);
    function->unit = profi_json_text(j, items, "unit");
}

/* Of a sampled function some calls were timed; of any other, all that ended. */
static void read_estimate(profi_json *j, const profi_json_value *object, profi_function *function)
{
    uint64_t ended = function->calls - function->open_calls, half = 0;
    const profi_json_value *estimate = profi_json_object(j, object, "estimate");
    function->timed_calls = ended;
    if (estimate == NULL)
        return;
    profi_json_count(j, estimate, "timed_calls", ended, &function->timed_calls);
    function->estimated_calls = ended - function->timed_calls;
    function->variance_ns2 = INFINITY;
    if (profi_json_count(j, estimate, "interval_ns", UINT64_MAX, &half))
        function->variance_ns2 = (double)half / 1.96 * ((double)half / 1.96);
}

static void read_figures(profi_json *j, const profi_json_value *object, profi_function *function, uint64_t counts[PROFI_BUCKET_COUNT])
{
    profi_json_need_count(j, object, "calls", &function->calls);
    profi_json_need_count(j, object, "primitive_calls", &function->primitive_calls);
    profi_json_count(j, object, "open_calls", function->calls, &function->open_calls);
    profi_json_need_count(j, object, "self_ns", &function->self_ns);
    profi_json_need_count(j, object, "cumulative_ns", &function->cumulative_ns);
    profi_json_count(j, object, "open_ns", function->cumulative_ns, &function->open_ns);
    if (!profi_json_count(j, object, "inner_calls", UINT64_MAX - 1, &function->inner_calls))
        function->inner_calls = UINT64_MAX;
    read_estimate(j, object, function);
    profi_read_durations(j, object, function, counts);
    read_items(j, object, function);
}

/* Adds a function. */
static void read_function(profi_json *j, const profi_json_value *object, profi_function_number *number)
{
    uint64_t counts[PROFI_BUCKET_COUNT], line = 0;
    profi_function read = { 0 };
    j->reasons = profi_json_object(j, object, "unavailable");
    const char *name = profi_json_text(j, object, "name"), *file = profi_json_text(j, object, "file");
    profi_json_count(j, object, "line", UINT32_MAX, &line);
    if (name == NULL)
        profi_json_fail(j, "name", "is missing");
    if (!profi_json_count(j, object, "id", UINT32_MAX, &number->in_file))
        profi_json_fail(j, "id", "is missing");
    read_figures(j, object, &read, counts);
    if (j->status != PROF_OK)
        return;
    number->id = profi_builder_function(j->builder, name, file, (uint32_t)line);
    if (number->id == PROFI_NONE)
        return;
    profi_builder_add(j->builder, &j->builder->snapshot->functions[number->id], &read);
    if (read.no_extras == NULL)
        read_function_probes(j, object, number->id);
}

static uint32_t find_function(profi_json *j, const profi_json_value *object, const char *key, const profi_function_number *numbers,
                              size_t count)
{
    uint64_t number = 0;
    if (!profi_json_count(j, object, key, UINT32_MAX, &number)) {
        profi_json_fail(j, key, "is missing");
        return PROFI_NONE;
    }
    uint32_t id = profi_find_function(number, numbers, count);
    if (id == PROFI_NONE)
        profi_json_fail(j, key, "is no function's id");
    return id;
}

static void read_edge(profi_json *j, const profi_json_value *object, const profi_function_number *numbers, size_t count)
{
    profi_edge edge = { 0 };
    edge.caller = find_function(j, object, "caller", numbers, count);
    edge.callee = find_function(j, object, "callee", numbers, count);
    profi_json_need_count(j, object, "calls", &edge.calls);
    profi_json_need_count(j, object, "primitive_calls", &edge.primitive_calls);
    profi_json_need_count(j, object, "self_ns", &edge.self_ns);
    profi_json_need_count(j, object, "cumulative_ns", &edge.cumulative_ns);
    edge.outermost_ns = UINT64_MAX;
    profi_json_count(j, object, "outermost_ns", UINT64_MAX - 1, &edge.outermost_ns);
    if (j->status == PROF_OK)
        profi_builder_edge(j->builder, &edge);
}

static void read_functions(profi_json *j, const profi_json_value *root)
{
    const profi_json_value *functions = profi_json_array(j, root, "functions");
    const profi_json_value *edges = profi_json_array(j, root, "edges");
    const profi_json_value *object = NULL;
    uint32_t count = profi_json_size(functions), at;
    profi_function_number *numbers = calloc((size_t)count + 1, sizeof(*numbers));
    j->builder->out_of_memory |= numbers == NULL;
    if (functions == NULL)
        profi_json_fail(j, "functions", "is missing");
    read_probes(j, root);
    while ((object = profi_json_next_object(j, "functions", functions, object, &at)) != NULL)
        read_function(j, object, &numbers[at]);
    if (profi_json_is_ok(j))
        qsort(numbers, count, sizeof(*numbers), profi_compare_numbers);
    for (uint32_t i = 1; i < count && profi_json_is_ok(j); i++)
        if (numbers[i].in_file == numbers[i - 1].in_file)
            profi_json_fail(j, "functions", "has two functions of one id");
    while ((object = profi_json_next_object(j, "edges", edges, object, &at)) != NULL)
        read_edge(j, object, numbers, count);
    if (profi_json_is_ok(j))
        profi_read_paths(j, root, numbers, count);
    free(numbers);
}

/* ---- facts ---- */

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
        about->no_rss = reason_or(j, "memory");
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
    return not_said;
}

static void read_facts(profi_json *j, const profi_json_value *root)
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
    read_threads(j, root);
    read_processes(j, root);
    read_counters(j, root);
    read_call(j, root);
}

/* ---- the file ---- */

int profi_looks_like_json(const profi_input *input)
{
    size_t at = 0;
    while (at < input->bytes && strchr(" \t\r\n", input->data[at] ? input->data[at] : 'x') != NULL)
        at++;
    if (at == input->bytes || input->data[at] != '{')
        return 0;
    return at + 1 == input->bytes || strchr(" \t\r\n\"}", input->data[at + 1] ? input->data[at + 1] : 'x') != NULL;
}

static prof_status check_schema(profi_json *j, const profi_json_value *root)
{
    if (profi_json_is_text(j, root, "schema", "profcore.summary/1"))
        return j->status;
    const char *schema = root->kind == PROFI_JSON_OBJECT ? profi_json_text(j, root, "schema") : NULL;
    if (j->builder->out_of_memory)
        return PROF_OK; /* which finishing reports */
    if (schema == NULL || strncmp(schema, "profcore.", 9) != 0)
        return profi_fail(j->err, PROF_E_FORMAT, "%.300s: JSON, but not a profile: it has no schema of profcore",
                          j->input->what);
    return profi_fail(j->err, PROF_E_UNSUPPORTED, "%.300s: its schema is \"%.60s\"; this version reads "
                      "profcore.summary/1", j->input->what, schema);
}

prof_status profi_read_json(const profi_input *input, profi_builder *builder, prof_error *err)
{
    profi_json json;
    if (builder->out_of_memory)
        return PROF_OK; /* which finishing reports */
    prof_status status = profi_json_init(&json, input, builder, err);
    if (status == PROF_OK)
        status = check_schema(&json, json.values);
    if (status == PROF_OK) {
        read_facts(&json, json.values);
        read_functions(&json, json.values);
        profi_read_spans(&json, json.values);
        status = json.status;
    }
    profi_json_fini(&json);
    return status;
}
