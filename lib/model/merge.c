/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several snapshots become one.  Figures of functions and edges are added by
 * the builder; here is what there is once a process: a fact that all agree
 * on, or that can be added, stays, and any other becomes unavailable.
 */
#include "assemble.h"
#include "gpu.h"

#include "../base/error.h"
#include "../base/system.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char several[] = "it was merged from several profiles, which differ or do not all say";

static void merge_measures(profi_builder *builder, const prof_snapshot *from, const uint32_t *new_id)
{
    for (uint32_t probe = 0; probe < from->probe_count; probe++) {
        uint32_t number = profi_builder_probe(builder, &from->probes[probe]);
        for (uint32_t i = 0; i < from->function_count && number != PROFI_NONE; i++) {
            const profi_measure *measure = profi_function_measure(&from->functions[i], probe);
            if (measure != NULL)
                profi_builder_measure(builder, new_id[i], number, measure);
        }
    }
}

/* Paths are known of the whole only if they are of every part. */
static void merge_paths(profi_builder *builder, const prof_snapshot *from, const uint32_t *new_id)
{
    prof_snapshot *into = builder->snapshot;
    if (from->no_paths != NULL)
        into->no_paths = profi_builder_text(builder, from->no_paths);
    uint32_t *moved_to = into->no_paths == NULL ? calloc((size_t)from->path_count + 1, sizeof(*moved_to)) : NULL;
    builder->out_of_memory |= moved_to == NULL && into->no_paths == NULL;
    for (uint32_t i = 0; moved_to != NULL && i < from->path_count && !builder->out_of_memory; i++) {
        profi_path path = from->paths[i];
        path.function = new_id[path.function];
        moved_to[i] = profi_builder_path(builder, path.parent != PROFI_NONE ? moved_to[path.parent] : PROFI_NONE, &path);
        profi_builder_path_work(builder, moved_to[i], profi_path_work(from, i));
    }
    free(moved_to);
}

static void merge_functions(profi_builder *builder, const prof_snapshot *from)
{
    uint32_t *new_id = calloc((size_t)from->function_count + 1, sizeof(*new_id));
    builder->out_of_memory |= new_id == NULL;
    for (uint32_t i = 0; i < from->function_count && !builder->out_of_memory; i++) {
        const profi_function *function = &from->functions[i];
        const char *name = profi_builder_text(builder, function->name);
        const char *file = profi_builder_text(builder, function->file);
        new_id[i] = profi_builder_function(builder, name, file, function->line);
        if (new_id[i] != PROFI_NONE)
            profi_builder_add(builder, &builder->snapshot->functions[new_id[i]], function);
    }
    for (uint32_t i = 0; i < from->edge_count && !builder->out_of_memory; i++) {
        profi_edge edge = from->edges[i];
        edge.caller = new_id[edge.caller];
        edge.callee = new_id[edge.callee];
        profi_builder_edge(builder, &edge);
    }
    if (!builder->out_of_memory) {
        merge_measures(builder, from, new_id);
        merge_paths(builder, from, new_id);
    }
    for (uint32_t i = 0; i < from->counter_count; i++) {
        profi_counter_info counter = from->counters[i];
        counter.last_unix_s = from->about.taken_unix_s;
        profi_builder_counter(builder, &counter);
    }
    free(new_id);
}

static void merge_spans(profi_builder *builder, const prof_snapshot *from)
{
    for (uint32_t i = 0; i < from->span_count; i++) {
        const profi_function *span = &from->spans[i];
        const char *name = profi_builder_text(builder, span->name), *file = profi_builder_text(builder, span->file);
        uint32_t number = profi_builder_span(builder, name, file, span->line);
        if (number != PROFI_NONE)
            profi_builder_add(builder, &builder->snapshot->spans[number], span);
    }
}

/* Growth is since the marks only if it is so everywhere. */
static void merge_memory(profi_builder *builder, const prof_snapshot *const *snapshots, size_t count)
{
    int is_marked = 1;
    for (size_t i = 0; i < count && !builder->out_of_memory; i++) {
        uint32_t numbers[PROFI_SNAPSHOT_MEMORIES];
        const prof_snapshot *from = snapshots[i];
        for (uint32_t j = 0; j < from->memory_count; j++)
            numbers[j] = profi_builder_memory(builder, &from->memories[j]);
        for (uint32_t j = 0; j < from->place_count; j++)
            profi_builder_place(builder, numbers[from->places[j].memory], &from->places[j]);
        is_marked &= from->memory_count == 0 || from->is_marked;
    }
    builder->snapshot->is_marked = is_marked && builder->snapshot->memory_count != 0;
}

static void merge_pools(profi_builder *builder, const prof_snapshot *const *snapshots, size_t count)
{
    for (size_t i = 0; i < count && !builder->out_of_memory; i++) {
        for (uint32_t j = 0; j < snapshots[i]->pool_count; j++)
            profi_builder_pool(builder, &snapshots[i]->pools[j]);
        profi_builder_sum(builder, &builder->snapshot->lost_level_calls, snapshots[i]->lost_level_calls);
    }
}

static void merge_threads(profi_builder *builder, const prof_snapshot *const *snapshots, size_t count)
{
    size_t total = 0, used = 0;
    prof_snapshot *into = builder->snapshot;
    for (size_t i = 0; i < count; i++)
        total += snapshots[i]->thread_count;
    into->threads = total < PROFI_NONE ? calloc(total + 1, sizeof(*into->threads)) : NULL;
    if (into->threads == NULL) {
        builder->out_of_memory = 1;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (snapshots[i]->thread_count != 0)
            memcpy(into->threads + used, snapshots[i]->threads, snapshots[i]->thread_count * sizeof(*into->threads));
        used += snapshots[i]->thread_count;
    }
    into->thread_count = (uint32_t)total;
}

/* A process stands with what is known of it; of one that was merged already stand its own. */
static void merge_processes(profi_builder *builder, const prof_snapshot *const *snapshots, size_t count)
{
    size_t total = 0, used = 0;
    prof_snapshot *into = builder->snapshot;
    for (size_t i = 0; i < count; i++)
        total += snapshots[i]->process_count != 0 ? snapshots[i]->process_count : 1;
    if (total == 1)
        return;
    into->processes = total < PROFI_NONE ? calloc(total, sizeof(*into->processes)) : NULL;
    if (into->processes == NULL) {
        builder->out_of_memory = 1;
        return;
    }
    into->process_count = (uint32_t)total;
    for (size_t i = 0; i < count; i++) {
        const prof_snapshot *from = snapshots[i];
        const profi_process one = { from->run_name, from->about.has & PROF_ABOUT_HAS_HOST ? from->about.host : NULL,
                                    from->about.pid };
        const profi_process *processes = from->process_count != 0 ? from->processes : &one;
        uint32_t process_count = from->process_count != 0 ? from->process_count : 1;
        for (uint32_t j = 0; j < process_count; j++)
            into->processes[used++] = (profi_process){ profi_builder_text(builder, processes[j].name),
                                                       profi_builder_text(builder, processes[j].host),
                                                       processes[j].pid };
    }
}

static void merge_stats(profi_builder *builder, prof_stats *into, const prof_stats *from)
{
    builder->overflow |= __builtin_add_overflow(into->live_thread_count, from->live_thread_count,
                                                &into->live_thread_count);
    profi_builder_sum(builder, &into->thread_count, from->thread_count);
    profi_builder_sum(builder, &into->lost_count, from->lost_count);
    profi_builder_sum(builder, &into->repaired_count, from->repaired_count);
    profi_builder_sum(builder, &into->unmatched_count, from->unmatched_count);
    profi_builder_sum(builder, &into->event_count, from->event_count);
    profi_builder_sum(builder, &into->event_lost_count, from->event_lost_count);
    profi_builder_sum(builder, &into->event_filtered_count, from->event_filtered_count);
    profi_builder_sum(builder, &into->kept_count, from->kept_count);
    profi_builder_sum(builder, &into->kept_saved_count, from->kept_saved_count);
    profi_builder_sum(builder, &into->kept_lost_count, from->kept_lost_count);
    profi_builder_sum(builder, &into->kept_unsaved_count, from->kept_unsaved_count);
    profi_builder_sum(builder, &into->removed_file_count, from->removed_file_count);
    profi_builder_sum(builder, &into->dump_count, from->dump_count);
    profi_builder_sum(builder, &into->dump_skipped_count, from->dump_skipped_count);
    profi_builder_sum(builder, &into->dump_failed_count, from->dump_failed_count);
    profi_builder_sum(builder, &into->memory_used_bytes, from->memory_used_bytes);
    profi_builder_sum(builder, &into->memory_limit_bytes, from->memory_limit_bytes);
}

/* One more snapshot's facts; `into` holds those of the ones before. */
static void merge_facts(profi_builder *builder, profi_about *into, const profi_about *from)
{
    uint32_t both = into->has & from->has;
    if (strcmp(into->host, from->host) != 0)
        both &= ~PROF_ABOUT_HAS_HOST;
    if (strcmp(into->clock_source, from->clock_source) != 0)
        into->clock_source[0] = '\0';
    if (into->clock_hz != from->clock_hz)
        into->clock_hz = 0;
    /* That one clock is not steady is known even if nothing is known of the others. */
    if ((into->has | from->has) & PROF_ABOUT_HAS_CLOCK &&
        ((into->has & PROF_ABOUT_HAS_CLOCK && !(into->has & PROF_ABOUT_CLOCK_IS_STEADY)) ||
         (from->has & PROF_ABOUT_HAS_CLOCK && !(from->has & PROF_ABOUT_CLOCK_IS_STEADY))))
        both |= PROF_ABOUT_HAS_CLOCK;
    into->has = both & ~(PROF_ABOUT_HAS_PID | PROF_ABOUT_HAS_RSS);
    into->pid = 0;
    into->taken_unix_s = profi_max_u64(into->taken_unix_s, from->taken_unix_s);
    into->rss_bytes = into->rss_peak_bytes = into->rss_start_bytes = 0;
    into->rss_sample_count = into->rss_every_ms = into->rss_mean_bytes = into->rss_sample_peak_bytes = 0;
    into->no_rss = into->missing = several;
    profi_builder_sum(builder, &into->recorded_ns, from->recorded_ns);
    profi_builder_sum(builder, &into->gauge_ns, from->gauge_ns);
    profi_builder_sum(builder, &into->backward_count, from->backward_count);
    profi_builder_sum(builder, &into->kept_ns, from->kept_ns);
    into->refused_function_count += from->refused_function_count;
}

/* What is not known of all is not kept of some.  Losses are known of all. */
static void drop_unknown(profi_about *about, prof_stats *stats)
{
    if (!(about->has & PROF_ABOUT_HAS_COUNTS)) {
        stats->repaired_count = stats->unmatched_count = stats->memory_used_bytes = stats->memory_limit_bytes = 0;
        stats->kept_count = stats->kept_saved_count = stats->kept_lost_count = stats->kept_unsaved_count = 0;
        stats->dump_count = stats->dump_skipped_count = stats->dump_failed_count = 0;
        stats->removed_file_count = about->refused_function_count = 0;
    }
    if (!(about->has & PROF_ABOUT_HAS_EVENTS))
        stats->event_count = stats->event_lost_count = stats->event_filtered_count = 0;
    if (!(about->has & PROF_ABOUT_HAS_THREADS))
        stats->thread_count = stats->live_thread_count = 0;
    if (!(about->has & PROF_ABOUT_HAS_HOST))
        about->host[0] = '\0';
    if (!(about->has & PROF_ABOUT_HAS_TIME))
        about->taken_unix_s = 0;
    if (!(about->has & PROF_ABOUT_HAS_DURATION))
        about->recorded_ns = 0;
    if (!(about->has & PROF_ABOUT_HAS_COST))
        about->scope_cost_ps = about->gauge_ns = about->kept_ns = 0;
}

/* The mean over all calls, so that calls times cost is the sum of what each process spent. */
static uint64_t mean_cost(const prof_snapshot *const *snapshots, size_t count)
{
    profi_u128 cost = 0, calls = 0;
    int is_one = 1;
    for (size_t i = 0; i < count; i++) {
        uint64_t own = 0;
        for (uint32_t j = 0; j < snapshots[i]->function_count; j++)
            own += snapshots[i]->functions[j].calls;
        calls += own;
        cost += (profi_u128)own * snapshots[i]->about.scope_cost_ps;
        is_one &= snapshots[i]->about.scope_cost_ps == snapshots[0]->about.scope_cost_ps;
    }
    return is_one || calls == 0 ? snapshots[0]->about.scope_cost_ps : (uint64_t)((cost + calls / 2) / calls);
}

/* The facts of all; the text of the first is copied, for the builder's snapshot outlives it. */
static void merge_all_facts(profi_builder *builder, const prof_snapshot *const *snapshots, size_t count)
{
    prof_snapshot *into = builder->snapshot;
    char name[40];
    int has_one_name = 1, has_one_root = 1;
    into->about = snapshots[0]->about;
    into->about.no_rss = profi_builder_text(builder, into->about.no_rss);
    into->about.missing = profi_builder_text(builder, into->about.missing);
    into->stats = snapshots[0]->stats;
    into->lost_values = snapshots[0]->lost_values;
    into->is_call = count == 1 && snapshots[0]->is_call;
    into->call = snapshots[0]->call;
    for (size_t i = 1; i < count; i++) {
        const char *root = snapshots[i]->root;
        has_one_name &= strcmp(snapshots[i]->run_name, snapshots[0]->run_name) == 0;
        has_one_root &= root != NULL && snapshots[0]->root != NULL && strcmp(root, snapshots[0]->root) == 0;
        merge_facts(builder, &into->about, &snapshots[i]->about);
        merge_stats(builder, &into->stats, &snapshots[i]->stats);
        profi_builder_sum(builder, &into->lost_values, snapshots[i]->lost_values);
    }
    for (size_t i = 0; i < count; i++)
        profi_builder_gpu(builder, snapshots[i]->gpu);
    for (size_t i = 0; i < count && into->gpu == NULL && into->no_gpu == NULL; i++)
        into->no_gpu = profi_builder_text(builder, snapshots[i]->no_gpu);
    into->about.scope_cost_ps = mean_cost(snapshots, count);
    drop_unknown(&into->about, &into->stats);
    snprintf(name, sizeof(name), "%zu profiles", count);
    into->run_name = profi_builder_text(builder, has_one_name ? snapshots[0]->run_name : name);
    into->root = has_one_root ? profi_builder_text(builder, snapshots[0]->root) : NULL;
}

static prof_status check(const prof_snapshot *const *snapshots, size_t count, prof_error *err)
{
    if (count == 0 || snapshots == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_snapshot_merge: there is nothing to merge");
    for (size_t i = 0; i < count; i++) {
        if (snapshots[i] == NULL)
            return profi_fail(err, PROF_E_INVALID, "prof_snapshot_merge: snapshot %zu is NULL", i);
        if ((snapshots[i]->about.has ^ snapshots[0]->about.has) & PROF_ABOUT_COST_IS_SUBTRACTED)
            return profi_fail(err, PROF_E_INVALID, "prof_snapshot_merge: the profiler's own cost was subtracted in some of "
                              "the %zu profiles only", count);
    }
    return PROF_OK;
}

prof_status prof_snapshot_merge(const prof_snapshot *const *snapshots, size_t count, prof_snapshot **merged,
                                prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    profi_builder builder;
    prof_status status = check(snapshots, count, err);
    if (status == PROF_OK && merged == NULL)
        status = profi_fail(err, PROF_E_INVALID, "prof_snapshot_merge: merged is NULL");
    if (status != PROF_OK)
        return status;
    profi_builder_init(&builder);
    for (size_t i = 0; i < count && !builder.out_of_memory; i++) {
        merge_functions(&builder, snapshots[i]);
        merge_spans(&builder, snapshots[i]);
        profi_builder_utilization(&builder, &snapshots[i]->utilization, i == 0);
    }
    if (!builder.out_of_memory) {
        merge_all_facts(&builder, snapshots, count);
        merge_memory(&builder, snapshots, count);
        merge_pools(&builder, snapshots, count);
        merge_threads(&builder, snapshots, count);
        merge_processes(&builder, snapshots, count);
    }
    return profi_builder_finish(&builder, "the merged profile", merged, err);
}
