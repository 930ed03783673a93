/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of a snapshot that ran under one function: its outermost calls,
 * wherever they were made, become the root of a new snapshot.
 */
#include "gpu.h"
#include "snapshot.h"

#include "../base/error.h"
#include "../base/system.h"

#include <stdlib.h>
#include <string.h>

/*
 * Merges into `made` the paths of `from` at or under `function`, with the
 * function ids of `from`.  Every path that is not under it maps to
 * PROFI_NONE.
 */
static int merge_under(prof_snapshot *made, const prof_snapshot *from, uint32_t function)
{
    uint32_t *moved_to = calloc((size_t)from->path_count + 1, sizeof(*moved_to));
    made->has_bare_paths = from->has_bare_paths; /* which have not been measured by probes */
    int ok = moved_to != NULL && (made->has_bare_paths || profi_snapshot_copy_probes(made, from));
    for (uint32_t i = 0; i < from->function_count; i++)
        made->functions[i].probes = made->has_bare_paths ? 0 : from->functions[i].probes;
    for (uint32_t i = 0; ok && i < from->path_count; i++) {
        const profi_path *path = &from->paths[i];
        uint32_t parent = path->parent != PROFI_NONE ? moved_to[path->parent] : PROFI_NONE;
        moved_to[i] = PROFI_NONE;
        if (parent == PROFI_NONE && path->function != function)
            continue;
        moved_to[i] = profi_snapshot_path(made, parent, path->function);
        ok = moved_to[i] != PROFI_NONE;
        if (!ok)
            break;
        profi_path_add(made, moved_to[i], path, from->measures + path->first_measure);
        ok = profi_path_join_work(made, moved_to[i], profi_path_work(from, i));
    }
    free(moved_to);
    return ok;
}

/* Numbers the functions anew: only those with a path are in the result, in the same order. */
static uint32_t renumber(prof_snapshot *made, uint32_t *new_id, uint32_t old_count)
{
    uint32_t count = 0;
    memset(new_id, 0xff, old_count * sizeof(*new_id));
    for (uint32_t i = 0; i < made->path_count; i++)
        new_id[made->paths[i].function] = 0;
    for (uint32_t i = 0; i < old_count; i++)
        if (new_id[i] != PROFI_NONE)
            new_id[i] = count++;
    for (uint32_t i = 0; i < made->path_count; i++)
        made->paths[i].function = new_id[made->paths[i].function];
    return count;
}

static int copy_functions(prof_snapshot *made, const prof_snapshot *from, const uint32_t *new_id, uint32_t count)
{
    int ok = 1;
    made->function_count = count;
    for (uint32_t i = 0; i < from->function_count; i++) {
        if (new_id[i] == PROFI_NONE)
            continue;
        const profi_function *old = &from->functions[i];
        profi_function *function = &made->functions[new_id[i]];
        function->name = profi_snapshot_text(made, old->name, &ok);
        function->file = profi_snapshot_text(made, old->file, &ok);
        function->unit = profi_snapshot_text(made, old->unit, &ok);
        function->line = old->line;
        function->flags = old->flags;
        function->probes = made->has_bare_paths ? 0 : old->probes;
    }
    return ok;
}

/* A histogram counts all calls of a function: it holds here only if all were made from here. */
static int copy_histogram(prof_snapshot *made, profi_function *function, const profi_function *old)
{
    int ok = 1;
    if (old->histogram == NULL) {
        function->no_histogram = profi_snapshot_text(made, old->no_histogram, &ok);
    } else if (old->calls != function->calls) {
        function->no_histogram = "it was also called from elsewhere";
    } else {
        if (!profi_function_make_histogram(function))
            return 0;
        memcpy(function->histogram, old->histogram, PROFI_BUCKET_COUNT * sizeof(*old->histogram));
    }
    return ok;
}

/*
 * What bare paths do not say.  It is known of a function all of whose calls
 * were made from here, but for probes, whose numbers are the whole's.
 */
static int copy_known(prof_snapshot *made, profi_function *function, const profi_function *old)
{
    int ok = 1, is_whole = old->calls == function->calls;
    if (is_whole) {
        function->min_ns = old->min_ns;
        function->max_ns = old->max_ns;
        function->no_extremes = profi_snapshot_text(made, old->no_extremes, &ok);
    }
    function->items = is_whole ? old->items : 0;
    function->no_extras = is_whole && old->probes == 0 ? profi_snapshot_text(made, old->no_extras, &ok)
                                                       : "call paths that were read or merged have sums only";
    return ok;
}

/* What follows from the calls that were made from here. */
static int copy_what_holds(prof_snapshot *made, const prof_snapshot *from, const uint32_t *new_id)
{
    int ok = 1;
    for (uint32_t i = 0; ok && i < from->function_count; i++)
        if (new_id[i] != PROFI_NONE) {
            profi_function *function = &made->functions[new_id[i]];
            if (function->calls == 0) { /* a file may have such a path: nothing of it is unknown */
                function->no_histogram = "no call has ended";
                continue;
            }
            ok = copy_histogram(made, function, &from->functions[i]) &&
                 (!made->has_bare_paths || copy_known(made, function, &from->functions[i]));
        }
    return ok;
}

static int copy_processes(prof_snapshot *made, const prof_snapshot *from)
{
    int ok = 1;
    if (from->process_count == 0)
        return 1;
    made->processes = calloc(from->process_count, sizeof(*made->processes));
    for (uint32_t i = 0; made->processes != NULL && i < from->process_count; i++) {
        const profi_process *old = &from->processes[i];
        made->processes[i] = (profi_process){ profi_snapshot_text(made, old->name, &ok),
                                              profi_snapshot_text(made, old->host, &ok), old->pid };
        made->process_count = i + 1;
    }
    return ok && made->processes != NULL;
}

static int copy_facts(prof_snapshot *made, const prof_snapshot *from)
{
    int ok = 1;
    made->threads = calloc((size_t)from->thread_count + 1, sizeof(*made->threads));
    if (made->threads == NULL)
        return 0;
    memcpy(made->threads, from->threads, from->thread_count * sizeof(*made->threads));
    made->thread_count = from->thread_count;
    made->stats = from->stats;
    made->run_name = profi_snapshot_text(made, from->run_name, &ok);
    made->about = from->about;
    made->about.no_rss = profi_snapshot_text(made, from->about.no_rss, &ok);
    made->about.missing = profi_snapshot_text(made, from->about.missing, &ok);
    made->lost_values = from->lost_values;
    made->no_gpu = profi_snapshot_text(made, from->no_gpu, &ok);
    made->utilization.reason = from->utilization.row_count != 0 ? "it is the whole run's" : profi_snapshot_text(made, from->utilization.reason, &ok);
    return ok && profi_snapshot_copy_counters(made, from) && copy_processes(made, from);
}

prof_status prof_snapshot_subtree(const prof_snapshot *snapshot, uint32_t function, prof_snapshot **subtree,
                                  prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    prof_status status = profi_snapshot_check(snapshot, function, err);
    if (status != PROF_OK)
        return status;
    if (subtree == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_snapshot_subtree: subtree is NULL");
    if (snapshot->no_paths != NULL)
        return profi_fail(err, PROF_E_UNSUPPORTED, "no subtree of \"%.80s\": its call paths are not known: %.200s",
                          snapshot->functions[function].name, snapshot->no_paths);
    uint32_t *new_id = calloc(snapshot->function_count, sizeof(*new_id));
    prof_snapshot *made = new_id ? profi_snapshot_new(snapshot->function_count) : NULL;
    int ok = made != NULL && merge_under(made, snapshot, function);
    if (ok && made->path_count == 0) { /* a file may have such a function */
        free(new_id);
        prof_snapshot_close(made);
        return profi_fail(err, PROF_E_UNSUPPORTED, "no subtree of \"%.80s\": the file gives no call path of it",
                          snapshot->functions[function].name);
    }
    if (ok) {
        uint32_t count = renumber(made, new_id, snapshot->function_count);
        ok = copy_functions(made, snapshot, new_id, count) && copy_facts(made, snapshot) &&
             profi_snapshot_finish(made) && copy_what_holds(made, snapshot, new_id) &&
             profi_subtree_gpu(made, snapshot, new_id, function);
        made->root = ok ? made->functions[new_id[function]].name : NULL;
    }
    free(new_id);
    if (!ok) {
        prof_snapshot_close(made);
        return profi_fail(err, PROF_E_NO_MEMORY, "no memory for the subtree of \"%.80s\"",
                          snapshot->functions[function].name);
    }
    *subtree = made;
    return PROF_OK;
}
