/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads summaries, profcore.summary/1, as summary_json.c writes them.  Keys
 * that are not known are ignored; what is missing or null is unavailable.  Here are
 * functions and edges; facts of the run, paths, spans and memory have files of
 * their own.
 */
#include "summary_reader.h"

#include "../base/error.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char none_ended[] = "no call has ended";

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
        row->no_extremes = profi_json_reason_or(j, "min_ns");
    if (row->timed_calls == 0 && row->no_extremes != NULL && strcmp(row->no_extremes, none_ended) == 0)
        row->no_extremes = NULL; /* which is no lack */
    if (read_histogram(j, object, counts))
        row->histogram = counts;
    else
        row->no_histogram = profi_json_reason_or(j, "histogram");
    if (row->histogram != NULL && ++j->histogram_count > MOST_HISTOGRAMS)
        j->status = profi_fail(j->err, PROF_E_LIMIT, "%.300s: more than %u histograms", j->input->what,
                               (unsigned)MOST_HISTOGRAMS);
}

/* ---- probes ---- */

/* Resident memory, which has a member of its own and stood in files before there were other probes. */
static const profi_probe_info rss_info = { "rss", "bytes", "process", NULL, 1, 0 };

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
        int is_level = 0;
        info.is_gauge = (uint32_t)profi_json_is_text(j, object, "kind", "gauge");
        profi_json_bool(j, object, "is_level", &is_level);
        info.is_level = is_level && info.is_gauge;
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
    profi_json_count(j, object, "peak_begin", UINT64_MAX, &measure->top_begin);
    profi_json_count(j, object, "peak_end", UINT64_MAX, &measure->top_end);
    profi_json_count(j, object, "rise", UINT64_MAX, &measure->rise);
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
    prof_gpu_work work;
    read_figures(j, object, &read, counts);
    read.gpu = profi_read_gpu_work(j, object, &work);
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
        profi_read_facts(&json, json.values);
        profi_read_gpu(&json, json.values);
        read_functions(&json, json.values);
        profi_read_spans(&json, json.values);
        profi_read_memory(&json, json.values);
        profi_read_pools(&json, json.values);
        status = json.status;
    }
    profi_json_fini(&json);
    return status;
}
