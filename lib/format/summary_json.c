/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The summary for programs, `.json`: schema profcore.summary/1.
 *
 * All numbers but those of counters are integers; above 2^53, where JSON
 * readers lose digits, they are strings.  What could not be measured is null, with a reason under
 * "unavailable".  Histograms are on the grid of <profcore/snapshot.h>, as
 * [index, count] pairs, so summaries of several processes merge by addition.
 */
#include "summary_json.h"
#include "writer.h"

#include "../base/error.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static json_t *number(uint64_t value)
{
    char text[24];
    if (value <= (uint64_t)1 << 53)
        return json_integer((json_int_t)value);
    snprintf(text, sizeof(text), "%" PRIu64, value);
    return json_string(text);
}

static json_t *signed_number(int64_t value)
{
    char text[24];
    if (value <= (int64_t)1 << 53 && value >= -((int64_t)1 << 53))
        return json_integer(value);
    snprintf(text, sizeof(text), "%" PRId64, value);
    return json_string(text);
}

static json_t *text_or_null(const char *text) { return text ? json_string(text) : json_null(); }

/*
 * The setters take over `value` and record a failure in *ok, so that a whole
 * object is built before anything is asked.
 */
static void set(json_t *object, const char *key, json_t *value, int *ok)
{
    if (json_object_set_new(object, key, value) != 0)
        *ok = 0;
}

static void append(json_t *array, json_t *value, int *ok)
{
    if (json_array_append_new(array, value) != 0)
        *ok = 0;
}

static json_t *histogram_of(const profi_function *function, int *ok)
{
    if (function->histogram == NULL)
        return json_null();
    json_t *pairs = json_array();
    for (uint32_t i = 0; i < PROFI_BUCKET_COUNT; i++) {
        if (function->histogram[i] == 0)
            continue;
        json_t *pair = json_array();
        append(pair, json_integer(i), ok);
        append(pair, number(function->histogram[i]), ok);
        append(pairs, pair, ok);
    }
    return pairs;
}

static json_t *items_of(const profi_function *function, int *ok)
{
    if (function->no_extras != NULL || (function->items == 0 && function->unit == NULL))
        return json_null();
    json_t *items = json_object();
    set(items, "count", number(function->items), ok);
    set(items, "unit", json_string(function->unit ? function->unit : "items"), ok);
    return items;
}

/* Resident memory has had a member of its own since before there were other probes. */
static int is_memory(const profi_probe_info *probe)
{
    return strcmp(probe->name, "rss") == 0;
}

static json_t *memory_of(const prof_snapshot *snapshot, const profi_function *function, int *ok)
{
    const profi_measure *rss = profi_function_measure_named(snapshot, function, "rss");
    if (rss == NULL || rss->call_count == 0)
        return json_null();
    json_t *memory = json_object();
    set(memory, "rss_calls", number(rss->call_count), ok);
    set(memory, "rss_failed_calls", number(rss->failed_count), ok);
    set(memory, "rss_growth_bytes", signed_number(rss->sum), ok);
    set(memory, "rss_peak_bytes", number(rss->top), ok);
    set(memory, "rss_peak_is_bound", json_boolean(rss->is_bound != 0), ok);
    return memory;
}

/* Of a sampled function's cumulative time; null where every call was timed. */
static json_t *estimate_of(const profi_function *function, int *ok)
{
    if (function->estimated_calls == 0)
        return json_null();
    json_t *object = json_object();
    uint64_t interval = profi_function_interval(function);
    set(object, "timed_calls", number(function->timed_calls), ok);
    set(object, "interval_ns", interval != UINT64_MAX ? number(interval) : json_null(), ok);
    return object;
}

static json_t *measure_of(const profi_probe_info *probe, const profi_measure *measure, int *ok)
{
    if (measure->call_count == 0)
        return json_null();
    json_t *object = json_object();
    set(object, "calls", number(measure->call_count), ok);
    set(object, "failed_calls", number(measure->failed_count), ok);
    set(object, probe->is_gauge ? "growth" : "sum", signed_number(measure->sum), ok);
    set(object, probe->is_gauge ? "peak" : "max", number(measure->top), ok);
    if (probe->is_gauge)
        set(object, "peak_is_bound", json_boolean(measure->is_bound != 0), ok);
    return object;
}

/* By name, those that the function asked for; null where it asked for none. */
static json_t *measures_of(const prof_snapshot *snapshot, const profi_function *function, int *ok)
{
    json_t *object = json_object();
    for (uint32_t i = 0; i < snapshot->probe_count; i++) {
        const profi_measure *measure = profi_function_measure(function, i);
        if (measure != NULL && !is_memory(&snapshot->probes[i]))
            set(object, snapshot->probes[i].name, measure_of(&snapshot->probes[i], measure, ok), ok);
    }
    if (json_object_size(object) != 0)
        return object;
    json_decref(object);
    return json_null();
}

static void put_probe_reasons(const prof_snapshot *snapshot, const profi_function *function, json_t *reasons, int *ok)
{
    for (uint32_t i = 0; i < snapshot->probe_count; i++) {
        const profi_probe_info *probe = &snapshot->probes[i];
        const profi_measure *measure = profi_function_measure(function, i);
        char key[96];
        if (measure == NULL || measure->call_count != 0)
            continue;
        snprintf(key, sizeof(key), is_memory(probe) ? "memory" : "probes.%s", probe->name);
        set(reasons, key, json_string(profi_measure_reason(probe, measure)), ok);
    }
}

/* Why it has no extremes or no histogram. */
static void put_duration_reasons(const profi_function *row, json_t *reasons, int *ok)
{
    const char *no_extremes = row->no_extremes;
    if (no_extremes == NULL && row->timed_calls == 0)
        no_extremes = "no call has ended";
    if (row->histogram == NULL)
        set(reasons, "histogram", json_string(row->no_histogram), ok);
    if (no_extremes != NULL) {
        set(reasons, "min_ns", json_string(no_extremes), ok);
        set(reasons, "max_ns", json_string(no_extremes), ok);
    }
}

/* Takes over the reasons, which stand in an object only if there are any. */
static void put_reasons(json_t *object, json_t *reasons, int *ok)
{
    if (json_object_size(reasons) != 0)
        set(object, "unavailable", reasons, ok);
    else
        json_decref(reasons);
}

/* Why a field is null.  A function that asked for no memory or probes, or counted no items, just has none. */
static json_t *reasons_of(const prof_snapshot *snapshot, const profi_function *function, int *ok)
{
    json_t *reasons = json_object();
    put_duration_reasons(function, reasons, ok);
    if (function->inner_calls == UINT64_MAX)
        set(reasons, "inner_calls", json_string("the file does not say"), ok);
    if (function->no_extras != NULL) {
        set(reasons, "items", json_string(function->no_extras), ok);
        set(reasons, "memory", json_string(function->no_extras), ok);
        set(reasons, "probes", json_string(function->no_extras), ok);
    }
    put_probe_reasons(snapshot, function, reasons, ok);
    return reasons;
}

static json_t *function_of(const prof_snapshot *snapshot, uint32_t id, int *ok)
{
    const profi_function *function = &snapshot->functions[id];
    json_t *object = json_object(), *reasons = reasons_of(snapshot, function, ok);
    int has_extremes = profi_function_has_extremes(function);
    set(object, "id", json_integer(id), ok);
    set(object, "file", text_or_null(function->file), ok);
    set(object, "line", json_integer(function->line), ok);
    set(object, "name", json_string(function->name), ok);
    set(object, "calls", number(function->calls), ok);
    set(object, "primitive_calls", number(function->primitive_calls), ok);
    set(object, "open_calls", number(function->open_calls), ok);
    set(object, "inner_calls", function->inner_calls != UINT64_MAX ? number(function->inner_calls) : json_null(), ok);
    set(object, "self_ns", number(function->self_ns), ok);
    set(object, "cumulative_ns", number(function->cumulative_ns), ok);
    set(object, "open_ns", number(function->open_ns), ok);
    set(object, "min_ns", has_extremes ? number(function->min_ns) : json_null(), ok);
    set(object, "max_ns", has_extremes ? number(function->max_ns) : json_null(), ok);
    set(object, "histogram", histogram_of(function, ok), ok);
    set(object, "estimate", estimate_of(function, ok), ok);
    set(object, "items", items_of(function, ok), ok);
    set(object, "memory", memory_of(snapshot, function, ok), ok);
    set(object, "probes", measures_of(snapshot, function, ok), ok);
    put_reasons(object, reasons, ok);
    return object;
}

static json_t *edge_of(const prof_snapshot *snapshot, uint32_t index, int *ok)
{
    const profi_edge *edge = &snapshot->edges[index];
    json_t *object = json_object();
    set(object, "caller", json_integer(edge->caller), ok);
    set(object, "callee", json_integer(edge->callee), ok);
    set(object, "calls", number(edge->calls), ok);
    set(object, "primitive_calls", number(edge->primitive_calls), ok);
    set(object, "self_ns", number(edge->self_ns), ok);
    set(object, "cumulative_ns", number(edge->cumulative_ns), ok);
    if (edge->outermost_ns != UINT64_MAX)
        set(object, "outermost_ns", number(edge->outermost_ns), ok);
    return object;
}

/*
 * A call path: [parent, function, calls, total_ns, self_ns, open_calls, open_ns, estimated_calls, items], without the zeros at the
 * end.  The parent is the place of another in the array, before it; null: outermost.
 */
static json_t *path_of(const prof_snapshot *snapshot, uint32_t index, int *ok)
{
    const profi_path *path = &snapshot->paths[index];
    const uint64_t figures[] = { path->calls, path->total_ns, path->self_ns, path->open_calls, path->open_ns,
                                 path->estimated_calls, path->items };
    size_t count = PROFI_COUNT_OF(figures);
    json_t *row = json_array();
    while (count != 0 && figures[count - 1] == 0)
        count--;
    append(row, path->parent != PROFI_NONE ? json_integer(path->parent) : json_null(), ok);
    append(row, json_integer(path->function), ok);
    for (size_t i = 0; i < count; i++)
        append(row, number(figures[i]), ok);
    return row;
}

static json_t *probe_of(const prof_snapshot *snapshot, uint32_t index, int *ok)
{
    const profi_probe_info *probe = &snapshot->probes[index];
    json_t *object = json_object();
    set(object, "name", json_string(probe->name), ok);
    set(object, "unit", json_string(probe->unit), ok);
    set(object, "kind", json_string(probe->is_gauge ? "gauge" : "counter"), ok);
    set(object, "of", json_string(probe->of), ok);
    set(object, "failed", text_or_null(probe->reason), ok);
    return object;
}

/* A real number; JSON knows none that is not finite. */
static json_t *real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *counter_of(const prof_snapshot *snapshot, uint32_t index, int *ok)
{
    const profi_counter_info *counter = &snapshot->counters[index];
    int has_any = counter->count != 0;
    json_t *object = json_object(), *reasons = json_object();
    set(object, "name", json_string(counter->name), ok);
    set(object, "file", text_or_null(counter->file), ok);
    set(object, "line", json_integer(counter->line), ok);
    set(object, "count", number(counter->count), ok);
    set(object, "not_finite", number(counter->not_finite_count), ok);
    set(object, "last", has_any ? real(counter->last) : json_null(), ok);
    set(object, "sum", has_any ? real(counter->sum) : json_null(), ok);
    set(object, "min", has_any ? real(counter->min) : json_null(), ok);
    set(object, "max", has_any ? real(counter->max) : json_null(), ok);
    if (!has_any)
        set(reasons, "values", json_string("none was finite"), ok);
    else if (!isfinite(counter->sum))
        set(reasons, "sum", json_string("it is beyond the range of numbers"), ok);
    put_reasons(object, reasons, ok);
    return object;
}

static json_t *span_of(const prof_snapshot *snapshot, uint32_t index, int *ok)
{
    const profi_function *span = &snapshot->spans[index];
    json_t *object = json_object(), *reasons = json_object();
    int has_extremes = profi_function_has_extremes(span);
    set(object, "name", json_string(span->name), ok);
    set(object, "file", text_or_null(span->file), ok);
    set(object, "line", json_integer(span->line), ok);
    set(object, "count", number(span->calls), ok);
    set(object, "total_ns", number(span->cumulative_ns), ok);
    set(object, "min_ns", has_extremes ? number(span->min_ns) : json_null(), ok);
    set(object, "max_ns", has_extremes ? number(span->max_ns) : json_null(), ok);
    set(object, "histogram", histogram_of(span, ok), ok);
    put_duration_reasons(span, reasons, ok);
    put_reasons(object, reasons, ok);
    return object;
}

/* Live threads one by one; those that exited stand as one entry without an id. */
static json_t *thread_of(const prof_snapshot *snapshot, uint32_t index, int *ok)
{
    const profi_thread_info *thread = &snapshot->threads[index];
    json_t *object = json_object();
    set(object, "tid", thread->exited ? json_null() : json_integer(thread->tid), ok);
    set(object, "name", thread->exited ? json_string("(exited threads)") : json_string(thread->name), ok);
    set(object, "calls", number(thread->calls), ok);
    set(object, "lost", number(thread->lost), ok);
    set(object, "repaired", number(thread->repaired), ok);
    set(object, "unmatched", number(thread->unmatched), ok);
    return object;
}

/* ---- facts about the process; what is not known of it is null ---- */

static json_t *number_if(uint32_t is_known, uint64_t value)
{
    return is_known ? number(value) : json_null();
}

static json_t *clock_of(const profi_about *about, int *ok)
{
    if (!(about->has & PROF_ABOUT_HAS_CLOCK))
        return json_null();
    json_t *object = json_object();
    set(object, "source", about->clock_source[0] != '\0' ? json_string(about->clock_source) : json_null(), ok);
    set(object, "hz", number_if(about->clock_hz != 0, about->clock_hz), ok);
    set(object, "steady", json_boolean(about->has & PROF_ABOUT_CLOCK_IS_STEADY), ok);
    set(object, "went_back", number(about->backward_count), ok);
    return object;
}

/* What became of the calls that rules kept. */
static json_t *kept_of(const prof_stats *stats, int *ok)
{
    json_t *object = json_object();
    set(object, "met", number(stats->kept_count), ok);
    set(object, "saved", number(stats->kept_saved_count), ok);
    set(object, "lost", number(stats->kept_lost_count), ok);
    set(object, "unsaved", number(stats->kept_unsaved_count), ok);
    return object;
}

static json_t *dumps_of(const prof_stats *stats, int *ok)
{
    json_t *object = json_object();
    set(object, "written", number(stats->dump_count), ok);
    set(object, "skipped", number(stats->dump_skipped_count), ok);
    set(object, "failed", number(stats->dump_failed_count), ok);
    return object;
}

/* Of one kept call: which it is, and why it was kept. */
static json_t *call_of(const prof_snapshot *snapshot, int *ok)
{
    const profi_call_about *call = &snapshot->call;
    json_t *object = json_object();
    set(object, "number", number(call->number), ok);
    set(object, "duration_ns", number(call->duration_ns), ok);
    set(object, "ended_unix_us", number(call->ended_unix_ns / 1000), ok);
    set(object, "kept_because", json_string(call->is_slow ? "slow" : "nth"), ok);
    set(object, "slower_than_ns", number(call->limit_ns), ok);
    set(object, "every_nth", number(call->every_nth), ok);
    return object;
}

static json_t *losses_of(const prof_snapshot *snapshot, int *ok)
{
    uint32_t has_counts = snapshot->about.has & PROF_ABOUT_HAS_COUNTS;
    uint32_t has_events = snapshot->about.has & PROF_ABOUT_HAS_EVENTS;
    json_t *object = json_object();
    set(object, "kept_calls", has_counts ? kept_of(&snapshot->stats, ok) : json_null(), ok);
    set(object, "dumps", has_counts ? dumps_of(&snapshot->stats, ok) : json_null(), ok);
    set(object, "unsaved_functions", number_if(has_counts, snapshot->about.refused_function_count), ok);
    set(object, "removed_files", number_if(has_counts, snapshot->stats.removed_file_count), ok);
    set(object, "lost", number(snapshot->stats.lost_count), ok);
    set(object, "repaired", number_if(has_counts, snapshot->stats.repaired_count), ok);
    set(object, "unmatched", number_if(has_counts, snapshot->stats.unmatched_count), ok);
    set(object, "events", number_if(has_events, snapshot->stats.event_count), ok);
    set(object, "events_lost", number_if(has_events, snapshot->stats.event_lost_count), ok);
    set(object, "events_filtered", number_if(has_events, snapshot->stats.event_filtered_count), ok);
    set(object, "counter_values", number_if(has_counts, snapshot->lost_values), ok);
    return object;
}

static json_t *overhead_of(const prof_snapshot *snapshot, int *ok)
{
    const profi_about *about = &snapshot->about;
    uint32_t has_cost = about->has & PROF_ABOUT_HAS_COST, has_counts = about->has & PROF_ABOUT_HAS_COUNTS;
    json_t *object = json_object();
    set(object, "scope_ns", number_if(has_cost, (about->scope_cost_ps + 500) / 1000), ok);
    set(object, "scope_ps", number_if(has_cost, about->scope_cost_ps), ok);
    set(object, "subtracted", json_boolean(about->has & PROF_ABOUT_COST_IS_SUBTRACTED), ok);
    set(object, "gauges_ns", number_if(has_cost, about->gauge_ns), ok);
    set(object, "kept_ns", number_if(has_cost, about->kept_ns), ok);
    set(object, "memory_used_bytes", number_if(has_counts, snapshot->stats.memory_used_bytes), ok);
    set(object, "memory_limit_bytes", number_if(has_counts, snapshot->stats.memory_limit_bytes), ok);
    return object;
}

static json_t *rss_samples_of(const profi_about *about, int *ok)
{
    if (about->rss_sample_count == 0)
        return json_null();
    json_t *object = json_object();
    set(object, "every_ms", number(about->rss_every_ms), ok);
    set(object, "count", number(about->rss_sample_count), ok);
    set(object, "mean_bytes", number(about->rss_mean_bytes), ok);
    set(object, "peak_bytes", number(about->rss_sample_peak_bytes), ok);
    return object;
}

static json_t *process_memory_of(const profi_about *about, int *ok)
{
    if (!(about->has & PROF_ABOUT_HAS_RSS))
        return json_null();
    json_t *object = json_object();
    set(object, "rss_start_bytes", number_if(about->rss_start_bytes != 0, about->rss_start_bytes), ok);
    set(object, "rss_bytes", number(about->rss_bytes), ok);
    set(object, "rss_peak_bytes", number_if(about->rss_peak_bytes != 0, about->rss_peak_bytes), ok);
    set(object, "rss_samples", rss_samples_of(about, ok), ok);
    return object;
}

static json_t *thread_counts_of(const prof_snapshot *snapshot, int *ok)
{
    if (!(snapshot->about.has & PROF_ABOUT_HAS_THREADS))
        return json_null();
    json_t *object = json_object();
    set(object, "recorded", number(snapshot->stats.thread_count), ok);
    set(object, "live", json_integer(snapshot->stats.live_thread_count), ok);
    return object;
}

/* Why facts are null; one reason serves for all but memory and call paths. */
static json_t *missing_of(const prof_snapshot *snapshot, int *ok)
{
    const profi_about *about = &snapshot->about;
    static const struct { uint32_t bit; const char *key; } facts[] = {
        { PROF_ABOUT_HAS_HOST, "host" }, { PROF_ABOUT_HAS_PID, "pid" }, { PROF_ABOUT_HAS_TIME, "taken_unix_s" },
        { PROF_ABOUT_HAS_DURATION, "recorded_ns" }, { PROF_ABOUT_HAS_CLOCK, "clock" },
        { PROF_ABOUT_HAS_COST, "overhead" }, { PROF_ABOUT_HAS_COUNTS, "losses" },
        { PROF_ABOUT_HAS_THREADS, "thread_counts" }, { PROF_ABOUT_HAS_EVENTS, "events" },
    };
    json_t *reasons = json_object();
    for (size_t i = 0; i < PROFI_COUNT_OF(facts); i++)
        if (!(about->has & facts[i].bit))
            set(reasons, facts[i].key, json_string(about->missing), ok);
    if (!(about->has & PROF_ABOUT_HAS_RSS))
        set(reasons, "memory", json_string(about->no_rss), ok);
    if (snapshot->no_paths != NULL)
        set(reasons, "paths", json_string(snapshot->no_paths), ok);
    return reasons;
}

static json_t *process_of(const prof_snapshot *snapshot, uint32_t index, int *ok)
{
    const profi_process *process = &snapshot->processes[index];
    json_t *object = json_object();
    set(object, "name", json_string(process->name), ok);
    set(object, "host", text_or_null(process->host), ok);
    set(object, "pid", process->pid != 0 ? json_integer(process->pid) : json_null(), ok);
    return object;
}

/* ---- the file: a line for each member of the root and for each element of its arrays ---- */

typedef struct file {
    profi_output *out;
    int ok;
    int has_members;
    size_t encoding; /* jansson's flags */
} file;

static int put_text(const char *text, size_t bytes, void *out)
{
    profi_output_bytes(out, text, bytes);
    return 0;
}

/* Takes over `value`, which may be NULL: out of memory. */
static void put_value(file *f, json_t *value)
{
    size_t flags = JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17) | f->encoding;
    if (value == NULL || json_dump_callback(value, put_text, f->out, flags) != 0)
        f->ok = 0;
    json_decref(value);
}

static void put_key(file *f, const char *key)
{
    profi_output_printf(f->out, "%s\n\"%s\": ", f->has_members ? "," : "", key);
    f->has_members = 1;
}

static void put_member(file *f, const char *key, json_t *value)
{
    put_key(f, key);
    put_value(f, value);
}

static void put_facts(file *f, const prof_snapshot *snapshot)
{
    const profi_about *about = &snapshot->about;
    json_t *missing = missing_of(snapshot, &f->ok);
    put_member(f, "schema", json_string("profcore.summary/1"));
    put_member(f, "name", json_string(snapshot->run_name));
    put_member(f, "root", text_or_null(snapshot->root));
    if (snapshot->is_call)
        put_member(f, "call", call_of(snapshot, &f->ok));
    put_member(f, "host", text_or_null(about->has & PROF_ABOUT_HAS_HOST ? about->host : NULL));
    put_member(f, "pid", about->has & PROF_ABOUT_HAS_PID ? json_integer(about->pid) : json_null());
    put_member(f, "taken_unix_s", number_if(about->has & PROF_ABOUT_HAS_TIME, about->taken_unix_s));
    put_member(f, "recorded_ns", number_if(about->has & PROF_ABOUT_HAS_DURATION, about->recorded_ns));
    put_member(f, "clock", clock_of(about, &f->ok));
    put_member(f, "losses", losses_of(snapshot, &f->ok));
    put_member(f, "overhead", overhead_of(snapshot, &f->ok));
    put_member(f, "memory", process_memory_of(about, &f->ok));
    put_member(f, "thread_counts", thread_counts_of(snapshot, &f->ok));
    if (json_object_size(missing) != 0)
        put_member(f, "unavailable", json_incref(missing));
    json_decref(missing);
}

/* An array of `count` members, one a line. */
static void put_array(file *f, const char *key, const prof_snapshot *snapshot, uint32_t count,
                      json_t *(*make)(const prof_snapshot *snapshot, uint32_t index, int *ok))
{
    put_key(f, key);
    for (uint32_t i = 0; i < count; i++) {
        profi_output_text(f->out, i ? ",\n " : "[\n ");
        put_value(f, make(snapshot, i, &f->ok));
    }
    profi_output_text(f->out, count ? "]" : "[]");
}

prof_status profi_put_summary(const prof_snapshot *snapshot, int is_ascii, profi_output *out, prof_error *err)
{
    file f = { .out = out, .ok = 1, .encoding = is_ascii ? JSON_ENSURE_ASCII : 0 };
    profi_output_text(out, "{");
    put_facts(&f, snapshot);
    if (snapshot->process_count != 0)
        put_array(&f, "processes", snapshot, snapshot->process_count, process_of);
    put_array(&f, "threads", snapshot, snapshot->thread_count, thread_of);
    put_array(&f, "functions", snapshot, snapshot->function_count, function_of);
    put_array(&f, "probes", snapshot, snapshot->probe_count, probe_of);
    put_array(&f, "counters", snapshot, snapshot->counter_count, counter_of);
    put_array(&f, "spans", snapshot, snapshot->span_count, span_of);
    put_array(&f, "edges", snapshot, snapshot->edge_count, edge_of);
    if (snapshot->path_count != 0)
        put_array(&f, "paths", snapshot, snapshot->path_count, path_of);
    profi_output_text(out, "\n}\n");
    if (!f.ok)
        return profi_fail(err, PROF_E_NO_MEMORY, "no memory for a summary of %u functions",
                          (unsigned)snapshot->function_count);
    return PROF_OK;
}

prof_status profi_write_json(const prof_snapshot *snapshot, const char *sort, profi_output *out, prof_error *err)
{
    (void)sort; /* functions stand in the order of their ids */
    return profi_put_summary(snapshot, 0, out, err);
}
