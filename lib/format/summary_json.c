/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The summary for programs, `.json`: schema profcore.summary/1.
 *
 * All numbers but those of counters are integers.  What could not be measured
 * is null, with a reason under "unavailable".  Histograms are on the grid of
 * <profcore/snapshot.h>, as [index, count] pairs, so summaries of several
 * processes merge by addition.
 */
#include "summary_json.h"
#include "summary_values.h"
#include "writer.h"

#include "../base/error.h"
#include "../model/gpu.h"

/* ---- facts about the process; what is not known of it is null ---- */

static json_t *clock_of(const profi_about *about, int *ok)
{
    if (!(about->has & PROF_ABOUT_HAS_CLOCK))
        return json_null();
    json_t *object = json_object();
    profi_set(object, "source", about->clock_source[0] != '\0' ? json_string(about->clock_source) : json_null(), ok);
    profi_set(object, "hz", profi_number_if(about->clock_hz != 0, about->clock_hz), ok);
    profi_set(object, "steady", json_boolean(about->has & PROF_ABOUT_CLOCK_IS_STEADY), ok);
    profi_set(object, "went_back", profi_number(about->backward_count), ok);
    return object;
}

/* What became of the calls that rules kept. */
static json_t *kept_of(const prof_stats *stats, int *ok)
{
    json_t *object = json_object();
    profi_set(object, "met", profi_number(stats->kept_count), ok);
    profi_set(object, "saved", profi_number(stats->kept_saved_count), ok);
    profi_set(object, "lost", profi_number(stats->kept_lost_count), ok);
    profi_set(object, "unsaved", profi_number(stats->kept_unsaved_count), ok);
    return object;
}

static json_t *dumps_of(const prof_stats *stats, int *ok)
{
    json_t *object = json_object();
    profi_set(object, "written", profi_number(stats->dump_count), ok);
    profi_set(object, "skipped", profi_number(stats->dump_skipped_count), ok);
    profi_set(object, "failed", profi_number(stats->dump_failed_count), ok);
    return object;
}

/* Of one kept call: which it is, and why it was kept. */
static json_t *call_of(const prof_snapshot *snapshot, int *ok)
{
    const profi_call_about *call = &snapshot->call;
    json_t *object = json_object();
    profi_set(object, "number", profi_number(call->number), ok);
    profi_set(object, "duration_ns", profi_number(call->duration_ns), ok);
    profi_set(object, "ended_unix_us", profi_number(call->ended_unix_ns / 1000), ok);
    profi_set(object, "kept_because", json_string(call->is_slow ? "slow" : "nth"), ok);
    profi_set(object, "slower_than_ns", profi_number(call->limit_ns), ok);
    profi_set(object, "every_nth", profi_number(call->every_nth), ok);
    return object;
}

static json_t *losses_of(const prof_snapshot *snapshot, int *ok)
{
    uint32_t has_counts = snapshot->about.has & PROF_ABOUT_HAS_COUNTS;
    uint32_t has_events = snapshot->about.has & PROF_ABOUT_HAS_EVENTS;
    json_t *object = json_object();
    profi_set(object, "kept_calls", has_counts ? kept_of(&snapshot->stats, ok) : json_null(), ok);
    profi_set(object, "dumps", has_counts ? dumps_of(&snapshot->stats, ok) : json_null(), ok);
    profi_set(object, "unsaved_functions", profi_number_if(has_counts, snapshot->about.refused_function_count), ok);
    profi_set(object, "removed_files", profi_number_if(has_counts, snapshot->stats.removed_file_count), ok);
    profi_set(object, "lost", profi_number(snapshot->stats.lost_count), ok);
    profi_set(object, "repaired", profi_number_if(has_counts, snapshot->stats.repaired_count), ok);
    profi_set(object, "unmatched", profi_number_if(has_counts, snapshot->stats.unmatched_count), ok);
    profi_set(object, "events", profi_number_if(has_events, snapshot->stats.event_count), ok);
    profi_set(object, "events_lost", profi_number_if(has_events, snapshot->stats.event_lost_count), ok);
    profi_set(object, "events_filtered", profi_number_if(has_events, snapshot->stats.event_filtered_count), ok);
    profi_set(object, "counter_values", profi_number_if(has_counts, snapshot->lost_values), ok);
    return object;
}

static json_t *overhead_of(const prof_snapshot *snapshot, int *ok)
{
    const profi_about *about = &snapshot->about;
    uint32_t has_cost = about->has & PROF_ABOUT_HAS_COST, has_counts = about->has & PROF_ABOUT_HAS_COUNTS;
    json_t *object = json_object();
    profi_set(object, "scope_ns", profi_number_if(has_cost, (about->scope_cost_ps + 500) / 1000), ok);
    profi_set(object, "scope_ps", profi_number_if(has_cost, about->scope_cost_ps), ok);
    profi_set(object, "subtracted", json_boolean(about->has & PROF_ABOUT_COST_IS_SUBTRACTED), ok);
    profi_set(object, "gauges_ns", profi_number_if(has_cost, about->gauge_ns), ok);
    profi_set(object, "kept_ns", profi_number_if(has_cost, about->kept_ns), ok);
    profi_set(object, "memory_used_bytes", profi_number_if(has_counts, snapshot->stats.memory_used_bytes), ok);
    profi_set(object, "memory_limit_bytes", profi_number_if(has_counts, snapshot->stats.memory_limit_bytes), ok);
    return object;
}

static json_t *rss_samples_of(const profi_about *about, int *ok)
{
    if (about->rss_sample_count == 0)
        return json_null();
    json_t *object = json_object();
    profi_set(object, "every_ms", profi_number(about->rss_every_ms), ok);
    profi_set(object, "count", profi_number(about->rss_sample_count), ok);
    profi_set(object, "mean_bytes", profi_number(about->rss_mean_bytes), ok);
    profi_set(object, "peak_bytes", profi_number(about->rss_sample_peak_bytes), ok);
    return object;
}

static json_t *process_memory_of(const profi_about *about, int *ok)
{
    if (!(about->has & PROF_ABOUT_HAS_RSS))
        return json_null();
    json_t *object = json_object();
    profi_set(object, "rss_start_bytes", profi_number_if(about->rss_start_bytes != 0, about->rss_start_bytes), ok);
    profi_set(object, "rss_bytes", profi_number(about->rss_bytes), ok);
    profi_set(object, "rss_peak_bytes", profi_number_if(about->rss_peak_bytes != 0, about->rss_peak_bytes), ok);
    profi_set(object, "rss_samples", rss_samples_of(about, ok), ok);
    return object;
}

static json_t *thread_counts_of(const prof_snapshot *snapshot, int *ok)
{
    if (!(snapshot->about.has & PROF_ABOUT_HAS_THREADS))
        return json_null();
    json_t *object = json_object();
    profi_set(object, "recorded", profi_number(snapshot->stats.thread_count), ok);
    profi_set(object, "live", json_integer(snapshot->stats.live_thread_count), ok);
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
            profi_set(reasons, facts[i].key, json_string(about->missing), ok);
    if (!(about->has & PROF_ABOUT_HAS_RSS))
        profi_set(reasons, "memory", json_string(about->no_rss), ok);
    if (snapshot->utilization.reason != NULL)
        profi_set(reasons, "utilization", json_string(snapshot->utilization.reason), ok);
    if (snapshot->gpu == NULL && snapshot->no_gpu != NULL)
        profi_set(reasons, "gpu", json_string(snapshot->no_gpu), ok);
    if (snapshot->no_paths != NULL)
        profi_set(reasons, "paths", json_string(snapshot->no_paths), ok);
    return reasons;
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

int profi_put_value(profi_output *out, json_t *value, size_t encoding)
{
    size_t flags = JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17) | encoding;
    int ok = value != NULL && json_dump_callback(value, put_text, out, flags) == 0;
    json_decref(value);
    return ok;
}

static void put_value(file *f, json_t *value) { f->ok &= profi_put_value(f->out, value, f->encoding); }

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
    put_member(f, "root", profi_text_or_null(snapshot->root));
    if (snapshot->is_call)
        put_member(f, "call", call_of(snapshot, &f->ok));
    put_member(f, "host", profi_text_or_null(about->has & PROF_ABOUT_HAS_HOST ? about->host : NULL));
    put_member(f, "pid", about->has & PROF_ABOUT_HAS_PID ? json_integer(about->pid) : json_null());
    put_member(f, "taken_unix_s", profi_number_if(about->has & PROF_ABOUT_HAS_TIME, about->taken_unix_s));
    put_member(f, "recorded_ns", profi_number_if(about->has & PROF_ABOUT_HAS_DURATION, about->recorded_ns));
    put_member(f, "clock", clock_of(about, &f->ok));
    put_member(f, "losses", losses_of(snapshot, &f->ok));
    put_member(f, "overhead", overhead_of(snapshot, &f->ok));
    put_member(f, "memory", process_memory_of(about, &f->ok));
    put_member(f, "utilization", profi_utilization_of(snapshot, &f->ok));
    put_member(f, "thread_counts", thread_counts_of(snapshot, &f->ok));
    if (snapshot->gpu != NULL)
        put_member(f, "gpu", profi_gpu_object(snapshot, &f->ok));
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

static void put_gpu_paths(file *f, const prof_snapshot *snapshot)
{
    const char *before = "[\n ";
    put_key(f, "gpu_paths");
    for (uint32_t i = 0; i < snapshot->path_count; i++)
        if (profi_path_work(snapshot, i) != NULL) {
            profi_output_text(f->out, before);
            put_value(f, profi_gpu_path_of(snapshot, i, &f->ok));
            before = ",\n ";
        }
    profi_output_text(f->out, "]");
}

prof_status profi_put_summary(const prof_snapshot *snapshot, int is_ascii, profi_output *out, prof_error *err)
{
    file f = { .out = out, .ok = 1, .encoding = is_ascii ? JSON_ENSURE_ASCII : 0 };
    profi_output_text(out, "{");
    put_facts(&f, snapshot);
    if (snapshot->process_count != 0)
        put_array(&f, "processes", snapshot, snapshot->process_count, profi_process_of);
    put_array(&f, "threads", snapshot, snapshot->thread_count, profi_thread_of);
    put_array(&f, "functions", snapshot, snapshot->function_count, profi_function_of);
    put_array(&f, "probes", snapshot, snapshot->probe_count, profi_probe_of);
    put_array(&f, "counters", snapshot, snapshot->counter_count, profi_counter_of);
    put_array(&f, "spans", snapshot, snapshot->span_count, profi_span_of);
    if (snapshot->memory_count != 0) {
        put_array(&f, "allocators", snapshot, snapshot->memory_count, profi_memory_object);
        put_member(&f, "is_marked", json_boolean(snapshot->is_marked));
        put_array(&f, "places", snapshot, snapshot->place_count, profi_place_object);
    }
    if (snapshot->pool_count != 0)
        put_array(&f, "pools", snapshot, snapshot->pool_count, profi_pool_object);
    if (snapshot->lost_level_calls != 0)
        put_member(&f, "lost_pool_calls", profi_number(snapshot->lost_level_calls));
    put_array(&f, "edges", snapshot, snapshot->edge_count, profi_edge_of);
    if (snapshot->path_count != 0)
        put_array(&f, "paths", snapshot, snapshot->path_count, profi_path_of);
    if (snapshot->path_count != 0 && snapshot->path_work_count != 0)
        put_gpu_paths(&f, snapshot);
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
