/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GPU work by call path, and what follows for a part of a snapshot.
 *
 * Counts, bytes and sums of paths add up.  Busy times do not: a GPU may work
 * for two paths at once, and how long it did is not known when the run is
 * over.  So the sum of several is an upper bound, and so is the busy time of
 * whatever is around them.
 */
#include "gpu.h"
#include "snapshot.h"

#include "../base/array.h"

#include <stdlib.h>

prof_gpu_work *profi_path_work_made(prof_snapshot *snapshot, uint32_t path)
{
    uint32_t *work = &snapshot->paths[path].work;
    if (*work != 0)
        return &snapshot->path_works[*work - 1];
    if (!profi_array_grow(&snapshot->path_works, &snapshot->path_work_room, snapshot->path_work_count, sizeof(*snapshot->path_works)))
        return NULL;
    snapshot->path_works[snapshot->path_work_count] = (prof_gpu_work)PROF_GPU_WORK_INIT;
    *work = ++snapshot->path_work_count;
    return &snapshot->path_works[*work - 1];
}

static uint64_t sum_of(uint64_t a, uint64_t b) { return a <= UINT64_MAX - b ? a + b : UINT64_MAX; }

/* Half intervals are added up, since what several paths have in a window goes up and down together. */
static void join(prof_gpu_work *into, const prof_gpu_work *from)
{
    int may_overlap = (into->busy_ns != 0 && from->busy_ns != 0) || (into->self_busy_ns != 0 && from->self_busy_ns != 0);
    into->flags |= from->flags | (may_overlap ? PROF_GPU_WORK_IS_UPPER_BOUND : 0);
    into->busy_interval_ns = sum_of(into->busy_interval_ns, from->busy_interval_ns);
    for (size_t i = 0; i < profi_gpu_work_field_count; i++) {
        uint64_t *at = profi_gpu_at(into, &profi_gpu_work_fields[i]), more = profi_gpu_get(from, &profi_gpu_work_fields[i]);
        *at = profi_gpu_work_fields[i].is_highest ? profi_max_u64(*at, more) : sum_of(*at, more);
    }
}

int profi_path_join_work(prof_snapshot *snapshot, uint32_t path, const prof_gpu_work *from)
{
    if (from == NULL)
        return 1;
    prof_gpu_work *into = profi_path_work_made(snapshot, path);
    if (into != NULL)
        join(into, from);
    return into != NULL;
}

static void subtract(uint64_t *from, uint64_t part) { *from -= profi_min_u64(*from, part); }

profi_gpu_own *profi_gpu_own_of_paths(const prof_snapshot *snapshot)
{
    profi_gpu_own *own = calloc((size_t)snapshot->path_count + 1, sizeof(*own));
    for (uint32_t i = 0; own != NULL && i < snapshot->path_count; i++) {
        const prof_gpu_work *work = profi_path_work(snapshot, i);
        uint32_t around = snapshot->paths[i].parent;
        if (work == NULL)
            continue;
        const profi_gpu_own all = { sum_of(work->kernel_ns, sum_of(work->copy_ns, work->set_ns)), work->kernel_count,
                                    sum_of(sum_of(work->to_device_bytes, work->to_host_bytes), sum_of(work->on_device_bytes, work->other_bytes)) };
        own[i] = all;
        if (around == PROFI_NONE)
            continue;
        subtract(&own[around].ns, all.ns);
        subtract(&own[around].kernels, all.kernels);
        subtract(&own[around].copied_bytes, all.copied_bytes);
    }
    return own;
}

/* ---- a part of a snapshot ---- */

#define SEVERAL (PROFI_NONE - 1)

static int make_work(profi_function *function)
{
    if (function->gpu == NULL && (function->gpu = malloc(sizeof(*function->gpu))) != NULL)
        *function->gpu = (prof_gpu_work)PROF_GPU_WORK_INIT;
    return function->gpu != NULL;
}

/* For each function, its work on outermost paths, and the one of them that has any; 0 when memory is spent. */
static int add_to_functions(prof_snapshot *made, uint32_t *only_path)
{
    uint32_t *on_way = calloc((size_t)made->function_count + 1, sizeof(*on_way)), at = made->first_root;
    int ok = on_way != NULL;
    while (ok && at != PROFI_NONE) {
        const profi_path *path = &made->paths[at];
        const prof_gpu_work *work = profi_path_work(made, at);
        profi_function *function = &made->functions[path->function];
        if (work != NULL && on_way[path->function] == 0) {
            ok = make_work(function);
            if (ok)
                join(function->gpu, work);
            only_path[path->function] = only_path[path->function] == PROFI_NONE ? at : SEVERAL;
        }
        if (path->first_child != PROFI_NONE) {
            on_way[path->function]++;
            at = path->first_child;
            continue;
        }
        while (path->next_sibling == PROFI_NONE && path->parent != PROFI_NONE) {
            path = &made->paths[path->parent];
            on_way[path->function]--;
        }
        at = path->next_sibling;
    }
    free(on_way);
    return ok;
}

static int is_as_much(const prof_gpu_work *part, const prof_gpu_work *whole)
{
    return part->kernel_count == whole->kernel_count && part->copy_count == whole->copy_count && part->set_count == whole->set_count;
}

/* What is known of a function beyond what its paths say: `whole`, its work in all, and that nothing outlasts the root's. */
static void settle_function(profi_function *function, const profi_function *from, const prof_gpu_work *root)
{
    prof_gpu_work *work = function->gpu;
    const prof_gpu_work *whole = from->gpu;
    if (from->calls == function->calls || is_as_much(work, whole)) {
        *work = *whole;
        return;
    }
    work->flags |= whole->flags & PROF_GPU_WORK_IS_WAITED;
    work->busy_ns = profi_min_u64(work->busy_ns, profi_min_u64(whole->busy_ns, root->busy_ns));
    work->self_busy_ns = profi_min_u64(work->self_busy_ns, profi_min_u64(whole->self_busy_ns, work->busy_ns));
}

static int settle_functions(prof_snapshot *made, const prof_snapshot *from, const uint32_t *new_id, uint32_t root,
                            const uint32_t *only_path)
{
    const prof_gpu_work *of_root = from->functions[root].gpu;
    for (uint32_t i = 0; i < from->function_count; i++) {
        const prof_gpu_work *whole = from->functions[i].gpu;
        if (new_id[i] == PROFI_NONE || whole == NULL)
            continue;
        profi_function *function = &made->functions[new_id[i]];
        int is_all = i == root || function->calls == from->functions[i].calls;
        if (is_all && !make_work(function)) /* a file may have no paths' work */
            return 0;
        if (function->gpu == NULL)
            continue;
        if (i == root)
            *function->gpu = *whole;
        else
            settle_function(function, &from->functions[i], of_root != NULL ? of_root : whole);
        if (only_path[new_id[i]] < SEVERAL && !(function->gpu->flags & PROF_GPU_WORK_IS_UNTRACED)) /* else its path knows more */
            made->path_works[made->paths[only_path[new_id[i]]].work - 1] = *function->gpu;
    }
    return 1;
}

/* No path outlasts its function, nor the one around it. */
static void cap_paths(prof_snapshot *made)
{
    for (uint32_t i = 0; i < made->path_count; i++) {
        const profi_path *path = &made->paths[i];
        const prof_gpu_work *of_function = made->functions[path->function].gpu;
        const prof_gpu_work *around = path->parent != PROFI_NONE ? profi_path_work(made, path->parent) : NULL;
        if (path->work == 0)
            continue;
        prof_gpu_work *work = &made->path_works[path->work - 1];
        if (of_function != NULL)
            work->busy_ns = profi_min_u64(work->busy_ns, of_function->busy_ns);
        if (around != NULL)
            work->busy_ns = profi_min_u64(work->busy_ns, around->busy_ns);
        work->self_busy_ns = profi_min_u64(work->self_busy_ns, work->busy_ns);
    }
}

/* `root` is what the function has in all, `on_paths` what its paths say: all that is counted where one of the merged was not traced. */
static prof_gpu_totals totals_of_part(const prof_gpu_totals *from, const prof_gpu_work *root, const prof_gpu_work *on_paths)
{
    const prof_gpu_work none = PROF_GPU_WORK_INIT, *work = root != NULL ? root : &none;
    const prof_gpu_work *counted = !(work->flags & PROF_GPU_WORK_IS_UNTRACED) ? work : on_paths != NULL ? on_paths : &none;
    prof_gpu_totals totals = *from;
    totals.flags = work->flags;
    totals.kernel_count = counted->kernel_count;
    totals.copy_count = counted->copy_count;
    totals.set_count = counted->set_count;
    totals.busy_ns = work->busy_ns;
    totals.attributed_count = counted->kernel_count + counted->copy_count + counted->set_count;
    totals.unattributed_count = 0;
    return totals;
}

int profi_subtree_gpu(prof_snapshot *made, const prof_snapshot *from, const uint32_t *new_id, uint32_t root)
{
    int ok = 1;
    if (from->gpu == NULL)
        return 1;
    uint32_t *only_path = malloc(((size_t)made->function_count + 1) * sizeof(*only_path));
    made->gpu = calloc(1, sizeof(*made->gpu));
    if (only_path == NULL || made->gpu == NULL) {
        free(only_path);
        return 0;
    }
    *made->gpu = *from->gpu;
    made->gpu->reason = profi_snapshot_text(made, from->gpu->reason, &ok);
    for (uint32_t i = 0; i < made->function_count; i++)
        only_path[i] = PROFI_NONE;
    ok = ok && (!from->gpu->is_traced || add_to_functions(made, only_path)); /* else no path has any, whatever a file says */
    made->gpu->totals = totals_of_part(&from->gpu->totals, from->functions[root].gpu, made->functions[new_id[root]].gpu);
    ok = ok && settle_functions(made, from, new_id, root, only_path);
    if (ok)
        cap_paths(made);
    free(only_path);
    return ok;
}
