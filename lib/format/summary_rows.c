/* SPDX-License-Identifier: Apache-2.0 */
/* The elements of a summary's arrays: functions, edges, call paths, probes, counters, spans, threads, processes. */
#include "../model/gpu.h"
#include "summary_values.h"

#include <math.h>
#include <string.h>

static json_t *histogram_of(const profi_function *function, int *ok)
{
    if (function->histogram == NULL)
        return json_null();
    json_t *pairs = json_array();
    for (uint32_t i = 0; i < PROFI_BUCKET_COUNT; i++) {
        if (function->histogram[i] == 0)
            continue;
        json_t *pair = json_array();
        profi_append(pair, json_integer(i), ok);
        profi_append(pair, profi_number(function->histogram[i]), ok);
        profi_append(pairs, pair, ok);
    }
    return pairs;
}

static json_t *items_of(const profi_function *function, int *ok)
{
    if (function->no_extras != NULL || (function->items == 0 && function->unit == NULL))
        return json_null();
    json_t *items = json_object();
    profi_set(items, "count", profi_number(function->items), ok);
    profi_set(items, "unit", json_string(function->unit ? function->unit : "items"), ok);
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
    profi_set(memory, "rss_calls", profi_number(rss->call_count), ok);
    profi_set(memory, "rss_failed_calls", profi_number(rss->failed_count), ok);
    profi_set(memory, "rss_growth_bytes", profi_signed_number(rss->sum), ok);
    profi_set(memory, "rss_peak_bytes", profi_number(rss->top), ok);
    profi_set(memory, "rss_peak_is_bound", json_boolean(rss->is_bound != 0), ok);
    return memory;
}

/* Of a sampled function's cumulative time; null where every call was timed. */
static json_t *estimate_of(const profi_function *function, int *ok)
{
    if (function->estimated_calls == 0)
        return json_null();
    json_t *object = json_object();
    uint64_t interval = profi_function_interval(function);
    profi_set(object, "timed_calls", profi_number(function->timed_calls), ok);
    profi_set(object, "interval_ns", interval != UINT64_MAX ? profi_number(interval) : json_null(), ok);
    return object;
}

static json_t *measure_of(const profi_probe_info *probe, const profi_measure *measure, int *ok)
{
    if (measure->call_count == 0)
        return json_null();
    json_t *object = json_object();
    profi_set(object, "calls", profi_number(measure->call_count), ok);
    profi_set(object, "failed_calls", profi_number(measure->failed_count), ok);
    profi_set(object, probe->is_gauge ? "growth" : "sum", profi_signed_number(measure->sum), ok);
    profi_set(object, probe->is_gauge ? "peak" : "max", profi_number(measure->top), ok);
    if (probe->is_gauge)
        profi_set(object, "peak_is_bound", json_boolean(measure->is_bound != 0), ok);
    if (probe->is_level) {
        profi_set(object, "peak_begin", profi_number(measure->top_begin), ok);
        profi_set(object, "peak_end", profi_number(measure->top_end), ok);
        profi_set(object, "rise", profi_number(measure->rise), ok);
    }
    return object;
}

/* By name, those that the function asked for; null where it asked for none. */
static json_t *measures_of(const prof_snapshot *snapshot, const profi_function *function, int *ok)
{
    json_t *object = json_object();
    for (uint32_t i = 0; i < snapshot->probe_count; i++) {
        const profi_measure *measure = profi_function_measure(function, i);
        if (measure != NULL && !is_memory(&snapshot->probes[i]))
            profi_set(object, snapshot->probes[i].name, measure_of(&snapshot->probes[i], measure, ok), ok);
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
        profi_set(reasons, key, json_string(profi_measure_reason(probe, measure)), ok);
    }
}

/* Why it has no extremes or no histogram. */
static void put_duration_reasons(const profi_function *row, json_t *reasons, int *ok)
{
    const char *no_extremes = row->no_extremes;
    if (no_extremes == NULL && row->timed_calls == 0)
        no_extremes = "no call has ended";
    if (row->histogram == NULL)
        profi_set(reasons, "histogram", json_string(row->no_histogram), ok);
    if (no_extremes != NULL) {
        profi_set(reasons, "min_ns", json_string(no_extremes), ok);
        profi_set(reasons, "max_ns", json_string(no_extremes), ok);
    }
}

/* Takes over the reasons, which stand in an object only if there are any. */
static void put_reasons(json_t *object, json_t *reasons, int *ok)
{
    if (json_object_size(reasons) != 0)
        profi_set(object, "unavailable", reasons, ok);
    else
        json_decref(reasons);
}

/* Why a field is null.  A function that asked for no memory or probes, or counted no items, just has none. */
static json_t *reasons_of(const prof_snapshot *snapshot, const profi_function *function, int *ok)
{
    json_t *reasons = json_object();
    put_duration_reasons(function, reasons, ok);
    if (function->inner_calls == UINT64_MAX)
        profi_set(reasons, "inner_calls", json_string("the file does not say"), ok);
    if (function->no_extras != NULL) {
        profi_set(reasons, "items", json_string(function->no_extras), ok);
        profi_set(reasons, "memory", json_string(function->no_extras), ok);
        profi_set(reasons, "probes", json_string(function->no_extras), ok);
    }
    put_probe_reasons(snapshot, function, reasons, ok);
    return reasons;
}

json_t *profi_function_of(const prof_snapshot *snapshot, uint32_t id, int *ok)
{
    const profi_function *function = &snapshot->functions[id];
    json_t *object = json_object(), *reasons = reasons_of(snapshot, function, ok);
    int has_extremes = profi_function_has_extremes(function);
    profi_set(object, "id", json_integer(id), ok);
    profi_set(object, "file", profi_text_or_null(function->file), ok);
    profi_set(object, "line", json_integer(function->line), ok);
    profi_set(object, "name", json_string(function->name), ok);
    profi_set(object, "calls", profi_number(function->calls), ok);
    profi_set(object, "primitive_calls", profi_number(function->primitive_calls), ok);
    profi_set(object, "open_calls", profi_number(function->open_calls), ok);
    profi_set(object, "inner_calls", function->inner_calls != UINT64_MAX ? profi_number(function->inner_calls) : json_null(), ok);
    profi_set(object, "self_ns", profi_number(function->self_ns), ok);
    profi_set(object, "cumulative_ns", profi_number(function->cumulative_ns), ok);
    profi_set(object, "open_ns", profi_number(function->open_ns), ok);
    profi_set(object, "min_ns", has_extremes ? profi_number(function->min_ns) : json_null(), ok);
    profi_set(object, "max_ns", has_extremes ? profi_number(function->max_ns) : json_null(), ok);
    profi_set(object, "histogram", histogram_of(function, ok), ok);
    profi_set(object, "estimate", estimate_of(function, ok), ok);
    profi_set(object, "items", items_of(function, ok), ok);
    profi_set(object, "memory", memory_of(snapshot, function, ok), ok);
    profi_set(object, "probes", measures_of(snapshot, function, ok), ok);
    if (snapshot->gpu != NULL && (snapshot->gpu->is_traced || function->gpu != NULL))
        profi_set(object, "gpu", profi_gpu_work_object(function->gpu, ok), ok);
    put_reasons(object, reasons, ok);
    return object;
}

json_t *profi_edge_of(const prof_snapshot *snapshot, uint32_t index, int *ok)
{
    const profi_edge *edge = &snapshot->edges[index];
    json_t *object = json_object();
    profi_set(object, "caller", json_integer(edge->caller), ok);
    profi_set(object, "callee", json_integer(edge->callee), ok);
    profi_set(object, "calls", profi_number(edge->calls), ok);
    profi_set(object, "primitive_calls", profi_number(edge->primitive_calls), ok);
    profi_set(object, "self_ns", profi_number(edge->self_ns), ok);
    profi_set(object, "cumulative_ns", profi_number(edge->cumulative_ns), ok);
    if (edge->outermost_ns != UINT64_MAX)
        profi_set(object, "outermost_ns", profi_number(edge->outermost_ns), ok);
    return object;
}

/*
 * A call path: [parent, function, calls, total_ns, self_ns, open_calls, open_ns, estimated_calls, items], without the zeros at the
 * end.  The parent is the place of another in the array, before it; null: outermost.
 */
json_t *profi_path_of(const prof_snapshot *snapshot, uint32_t index, int *ok)
{
    const profi_path *path = &snapshot->paths[index];
    const uint64_t figures[] = { path->calls, path->total_ns, path->self_ns, path->open_calls, path->open_ns,
                                 path->estimated_calls, path->items };
    size_t count = PROFI_COUNT_OF(figures);
    json_t *row = json_array();
    while (count != 0 && figures[count - 1] == 0)
        count--;
    profi_append(row, path->parent != PROFI_NONE ? json_integer(path->parent) : json_null(), ok);
    profi_append(row, json_integer(path->function), ok);
    for (size_t i = 0; i < count; i++)
        profi_append(row, profi_number(figures[i]), ok);
    return row;
}

json_t *profi_probe_of(const prof_snapshot *snapshot, uint32_t index, int *ok)
{
    const profi_probe_info *probe = &snapshot->probes[index];
    json_t *object = json_object();
    profi_set(object, "name", json_string(probe->name), ok);
    profi_set(object, "unit", json_string(probe->unit), ok);
    profi_set(object, "kind", json_string(probe->is_gauge ? "gauge" : "counter"), ok);
    profi_set(object, "of", json_string(probe->of), ok);
    if (probe->is_level)
        profi_set(object, "is_level", json_true(), ok);
    profi_set(object, "failed", profi_text_or_null(probe->reason), ok);
    return object;
}

/* A real number; JSON knows none that is not finite. */
static json_t *real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *profi_counter_of(const prof_snapshot *snapshot, uint32_t index, int *ok)
{
    const profi_counter_info *counter = &snapshot->counters[index];
    int has_any = counter->count != 0;
    json_t *object = json_object(), *reasons = json_object();
    profi_set(object, "name", json_string(counter->name), ok);
    profi_set(object, "file", profi_text_or_null(counter->file), ok);
    profi_set(object, "line", json_integer(counter->line), ok);
    profi_set(object, "count", profi_number(counter->count), ok);
    profi_set(object, "not_finite", profi_number(counter->not_finite_count), ok);
    profi_set(object, "last", has_any ? real(counter->last) : json_null(), ok);
    profi_set(object, "sum", has_any ? real(counter->sum) : json_null(), ok);
    profi_set(object, "min", has_any ? real(counter->min) : json_null(), ok);
    profi_set(object, "max", has_any ? real(counter->max) : json_null(), ok);
    if (!has_any)
        profi_set(reasons, "values", json_string("none was finite"), ok);
    else if (!isfinite(counter->sum))
        profi_set(reasons, "sum", json_string("it is beyond the range of numbers"), ok);
    put_reasons(object, reasons, ok);
    return object;
}

json_t *profi_span_of(const prof_snapshot *snapshot, uint32_t index, int *ok)
{
    const profi_function *span = &snapshot->spans[index];
    json_t *object = json_object(), *reasons = json_object();
    int has_extremes = profi_function_has_extremes(span);
    profi_set(object, "name", json_string(span->name), ok);
    profi_set(object, "file", profi_text_or_null(span->file), ok);
    profi_set(object, "line", json_integer(span->line), ok);
    profi_set(object, "count", profi_number(span->calls), ok);
    profi_set(object, "total_ns", profi_number(span->cumulative_ns), ok);
    profi_set(object, "min_ns", has_extremes ? profi_number(span->min_ns) : json_null(), ok);
    profi_set(object, "max_ns", has_extremes ? profi_number(span->max_ns) : json_null(), ok);
    profi_set(object, "histogram", histogram_of(span, ok), ok);
    put_duration_reasons(span, reasons, ok);
    put_reasons(object, reasons, ok);
    return object;
}

/* Live threads one by one; those that exited stand as one entry without an id. */
json_t *profi_thread_of(const prof_snapshot *snapshot, uint32_t index, int *ok)
{
    const profi_thread_info *thread = &snapshot->threads[index];
    json_t *object = json_object();
    profi_set(object, "tid", thread->exited ? json_null() : json_integer(thread->tid), ok);
    profi_set(object, "name", thread->exited ? json_string("(exited threads)") : json_string(thread->name), ok);
    profi_set(object, "calls", profi_number(thread->calls), ok);
    profi_set(object, "lost", profi_number(thread->lost), ok);
    profi_set(object, "repaired", profi_number(thread->repaired), ok);
    profi_set(object, "unmatched", profi_number(thread->unmatched), ok);
    return object;
}

json_t *profi_process_of(const prof_snapshot *snapshot, uint32_t index, int *ok)
{
    const profi_process *process = &snapshot->processes[index];
    json_t *object = json_object();
    profi_set(object, "name", json_string(process->name), ok);
    profi_set(object, "host", profi_text_or_null(process->host), ok);
    profi_set(object, "pid", process->pid != 0 ? json_integer(process->pid) : json_null(), ok);
    return object;
}
