/* SPDX-License-Identifier: Apache-2.0 */
/* Stacks of functions, of bounded depth: see stacks.h. */
#include "stacks.h"

#include "../base/error.h"
#include "../model/gpu.h"

#include <stdio.h>
#include <stdlib.h>

/* No stack is deeper, and all together have no more functions than this where that can be. */
enum { MOST_DEEP = 1024, LEAST_DEEP = 16, MOST_FRAMES = 1 << 25 };

/* A path below the limit: the stack at the limit that it stands on, and its function. */
typedef struct deep_path {
    uint32_t anchor, function, path;
} deep_path;

static void find_depths(const prof_snapshot *snapshot, uint32_t *depths)
{
    for (uint32_t i = 0; i < snapshot->path_count; i++) {
        uint32_t parent = snapshot->paths[i].parent;
        depths[i] = parent != PROFI_NONE ? depths[parent] + 1 : 1;
    }
}

static uint32_t choose_limit(const uint32_t *depths, uint32_t count)
{
    for (uint32_t limit = MOST_DEEP;; limit /= 2) {
        uint64_t frames = 0;
        for (uint32_t i = 0; i < count; i++)
            frames += depths[i] < limit ? depths[i] : limit;
        if (frames <= MOST_FRAMES || limit <= LEAST_DEEP)
            return limit;
    }
}

static void add_figures(profi_stack *into, const profi_path *path, const profi_gpu_own *own)
{
    into->calls += path->calls;
    into->open_calls += path->open_calls;
    into->estimated_calls += path->estimated_calls;
    into->self_ns += path->self_ns;
    into->items += path->items;
    into->gpu_ns += own->ns;
    into->gpu_kernels += own->kernels;
    into->gpu_copied_bytes += own->copied_bytes;
}

static uint32_t add_stack(profi_stacks *stacks, uint32_t parent, uint32_t function)
{
    stacks->stacks[stacks->count] = (profi_stack){ .parent = parent, .function = function };
    if (parent != PROFI_NONE)
        stacks->stacks[parent].has_callees = 1;
    return stacks->count++;
}

/*
 * Makes a stack of each path down to the limit, and lists those below it.
 * `place` receives a path's stack, or that at the limit above it.
 */
static void add_paths(profi_stacks *stacks, const prof_snapshot *snapshot, const uint32_t *depths, uint32_t limit,
                      uint32_t *place, deep_path *deep, const profi_gpu_own *own)
{
    uint32_t deep_count = 0;
    for (uint32_t i = 0; i < snapshot->path_count; i++) {
        const profi_path *path = &snapshot->paths[i];
        uint32_t above = path->parent != PROFI_NONE ? place[path->parent] : PROFI_NONE;
        if (depths[i] > limit) {
            place[i] = above;
            deep[deep_count++] = (deep_path){ above, path->function, i };
            continue;
        }
        place[i] = add_stack(stacks, above, path->function);
        add_figures(&stacks->stacks[place[i]], path, &own[i]);
        if (depths[i] > stacks->deepest)
            stacks->deepest = depths[i];
    }
}

static int compare_deep(const void *a, const void *b)
{
    const deep_path *x = a, *y = b;
    if (x->anchor != y->anchor)
        return x->anchor < y->anchor ? -1 : 1;
    return x->function < y->function ? -1 : x->function > y->function;
}

/* The paths below the limit: behind one mark for each stack at it, one stack for each function. */
static void add_deep_paths(profi_stacks *stacks, const prof_snapshot *snapshot, deep_path *deep, uint32_t count,
                           const profi_gpu_own *own)
{
    uint32_t mark = PROFI_NONE, at = PROFI_NONE;
    qsort(deep, count, sizeof(*deep), compare_deep);
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || deep[i].anchor != deep[i - 1].anchor)
            mark = add_stack(stacks, deep[i].anchor, PROFI_NONE);
        if (i == 0 || compare_deep(&deep[i - 1], &deep[i]) != 0)
            at = add_stack(stacks, mark, deep[i].function);
        add_figures(&stacks->stacks[at], &snapshot->paths[deep[i].path], &own[deep[i].path]);
    }
}

static int add_all(profi_stacks *stacks, const prof_snapshot *snapshot, uint32_t *depths, uint32_t *place)
{
    uint32_t limit = choose_limit(depths, snapshot->path_count), below = 0;
    for (uint32_t i = 0; i < snapshot->path_count; i++)
        below += depths[i] > limit;
    /* A path below the limit brings a stack and at most a mark. */
    stacks->stacks = calloc((size_t)snapshot->path_count + below + 1, sizeof(*stacks->stacks));
    deep_path *deep = calloc((size_t)below + 1, sizeof(*deep));
    profi_gpu_own *own = profi_gpu_own_of_paths(snapshot);
    int ok = stacks->stacks != NULL && deep != NULL && own != NULL;
    stacks->has_gpu = snapshot->path_work_count != 0;
    if (ok) {
        add_paths(stacks, snapshot, depths, limit, place, deep, own);
        if (below != 0) {
            add_deep_paths(stacks, snapshot, deep, below, own);
            stacks->deepest = limit + 2;
            snprintf(stacks->mark, sizeof(stacks->mark), "<profcore: deeper than %u calls>", (unsigned)limit);
        }
    }
    free(deep);
    free(own);
    return ok;
}

prof_status profi_stacks_init(profi_stacks *stacks, const prof_snapshot *snapshot, const char *format, prof_error *err)
{
    *stacks = (profi_stacks){ .deepest = 1 };
    if (snapshot->path_count == 0 && snapshot->function_count != 0)
        return profi_fail(err, PROF_E_UNSUPPORTED, "\"%s\" shows call paths, which are not known here: %.200s", format,
                          snapshot->no_paths != NULL ? snapshot->no_paths : "there are none");
    uint32_t *depths = calloc((size_t)snapshot->path_count + 1, sizeof(*depths));
    uint32_t *place = calloc((size_t)snapshot->path_count + 1, sizeof(*place));
    int ok = depths != NULL && place != NULL;
    if (ok) {
        find_depths(snapshot, depths);
        ok = add_all(stacks, snapshot, depths, place);
    }
    free(depths);
    free(place);
    if (ok)
        return PROF_OK;
    profi_stacks_fini(stacks);
    return profi_fail(err, PROF_E_NO_MEMORY, "no memory for %u call paths", (unsigned)snapshot->path_count);
}

void profi_stacks_fini(profi_stacks *stacks)
{
    free(stacks->stacks);
    *stacks = (profi_stacks){ 0 };
}
