/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From call paths to functions and edges, as cProfile defines their figures.
 *
 * One walk over the tree with a count, for each function and each edge, of
 * how often it is on the path just now: a call is primitive when that count
 * was zero.  All sums are of whole nanoseconds, so that self times add up to
 * cumulative times exactly.
 */
#include "snapshot.h"

#include <stdlib.h>
#include <string.h>

/* Self time: the total less the children's.  A snapshot taken between two stores of one end may be short: not below 0. */
static void derive_self(prof_snapshot *snapshot)
{
    for (uint32_t i = 0; i < snapshot->path_count; i++)
        snapshot->paths[i].self_ns = snapshot->paths[i].total_ns;
    for (uint32_t i = 0; i < snapshot->path_count; i++) {
        const profi_path *path = &snapshot->paths[i];
        if (path->parent != PROFI_NONE) {
            uint64_t *self = &snapshot->paths[path->parent].self_ns;
            *self -= profi_min_u64(*self, path->total_ns);
        }
    }
}

static void count_inner_calls(prof_snapshot *snapshot)
{
    for (uint32_t i = 0; i < snapshot->path_count; i++)
        snapshot->paths[i].inner_calls = 0;
    for (uint32_t i = snapshot->path_count; i-- > 0;) {
        const profi_path *path = &snapshot->paths[i];
        if (path->parent != PROFI_NONE)
            snapshot->paths[path->parent].inner_calls += path->calls - path->estimated_calls + path->inner_calls;
    }
}

void profi_snapshot_sum_paths(prof_snapshot *snapshot)
{
    derive_self(snapshot);
    count_inner_calls(snapshot);
}

static profi_measure *path_measure(const prof_snapshot *snapshot, uint32_t path, uint32_t probe)
{
    uint64_t probes = snapshot->functions[snapshot->paths[path].function].probes;
    if (!(probes >> probe & 1))
        return NULL;
    return &snapshot->measures[snapshot->paths[path].first_measure + profi_measure_place(probes, probe)];
}

/*
 * A scope's peak is at least that of any scope inside it.  `around` is to
 * hold, for each path, the nearest one around it that asked for the gauge.
 */
static void raise_peaks_of(const prof_snapshot *snapshot, uint32_t probe, uint32_t *around)
{
    for (uint32_t i = 0; i < snapshot->path_count; i++) {
        uint32_t parent = snapshot->paths[i].parent;
        around[i] = parent == PROFI_NONE || path_measure(snapshot, parent, probe) != NULL ? parent : around[parent];
    }
    for (uint32_t i = snapshot->path_count; i-- > 0;) {
        const profi_measure *inner = path_measure(snapshot, i, probe);
        profi_measure *outer = inner != NULL && around[i] != PROFI_NONE ? path_measure(snapshot, around[i], probe) : NULL;
        if (outer != NULL && inner->top > outer->top) {
            outer->top = inner->top;
            outer->is_bound = inner->is_bound;
        }
    }
}

static int raise_peaks(const prof_snapshot *snapshot)
{
    uint32_t *around = calloc((size_t)snapshot->path_count + 1, sizeof(*around));
    for (uint32_t i = 0; around != NULL && i < snapshot->probe_count; i++)
        if (snapshot->probes[i].is_gauge)
            raise_peaks_of(snapshot, i, around);
    free(around);
    return around != NULL;
}

/* Each path's edge, found by sorting (callee, caller) pairs; path_edges[i] is PROFI_NONE for an outermost path. */
typedef struct edge_key {
    uint32_t callee, caller, path;
} edge_key;

static int compare_keys(const void *a, const void *b)
{
    const edge_key *x = a, *y = b;
    return profi_edge_order(x->callee, x->caller, y->callee, y->caller);
}

static int make_edges(prof_snapshot *snapshot, uint32_t *path_edges)
{
    uint32_t count = 0;
    edge_key *keys = calloc(snapshot->path_count ? snapshot->path_count : 1, sizeof(*keys));
    if (keys == NULL)
        return 0;
    for (uint32_t i = 0; i < snapshot->path_count; i++) {
        const profi_path *path = &snapshot->paths[i];
        path_edges[i] = PROFI_NONE;
        if (path->parent != PROFI_NONE)
            keys[count++] = (edge_key){ path->function, snapshot->paths[path->parent].function, i };
    }
    qsort(keys, count, sizeof(*keys), compare_keys);
    snapshot->edges = calloc(count ? count : 1, sizeof(*snapshot->edges));
    if (snapshot->edges == NULL) {
        free(keys);
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || compare_keys(&keys[i - 1], &keys[i]) != 0) {
            profi_function *callee = &snapshot->functions[keys[i].callee];
            if (callee->edge_count++ == 0)
                callee->first_edge = snapshot->edge_count;
            snapshot->edges[snapshot->edge_count++] = (profi_edge){ .caller = keys[i].caller, .callee = keys[i].callee };
        }
        path_edges[keys[i].path] = snapshot->edge_count - 1;
    }
    free(keys);
    return 1;
}

/* Adds one path to its function. */
static void add_to_function(const prof_snapshot *snapshot, const profi_path *path, int is_primitive)
{
    profi_function *function = &snapshot->functions[path->function];
    function->calls += path->calls;
    function->open_calls += path->open_calls;
    function->self_ns += path->self_ns;
    function->items += path->items;
    function->timed_calls += path->timed_calls;
    function->estimated_calls += path->estimated_calls;
    function->min_ns = profi_min_u64(function->min_ns, path->min_ns);
    function->max_ns = profi_max_u64(function->max_ns, path->max_ns);
    if (path->calls > path->open_calls && path->min_ns == UINT64_MAX)
        function->no_extremes = snapshot->has_bare_paths ? "call paths that were read or merged have sums only"
                                                         : "a kept call has sums only";
    if (!is_primitive)
        return;
    function->primitive_calls += path->calls;
    function->cumulative_ns += path->total_ns;
    function->variance_ns2 += path->variance_ns2;
    function->open_ns += path->open_ns;
    function->inner_calls += path->inner_calls;
    for (unsigned i = 0; i < profi_measure_count(function->probes); i++)
        profi_measure_merge(&function->measures[i], &snapshot->measures[path->first_measure + i]);
}

static void add_to_edge(profi_edge *edge, const profi_path *path, int is_primitive, int is_outermost)
{
    edge->calls += path->calls;
    edge->self_ns += path->self_ns;
    if (is_outermost)
        edge->outermost_ns += path->total_ns;
    if (is_primitive) {
        edge->primitive_calls += path->calls;
        edge->cumulative_ns += path->total_ns;
    }
}

/* Walks the tree, keeping for functions and edges how often each is on the way from the root to here. */
static void walk(prof_snapshot *snapshot, const uint32_t *path_edges, uint32_t *functions_on_path,
                 uint32_t *edges_on_path)
{
    uint32_t at = snapshot->first_root;
    while (at != PROFI_NONE) {
        const profi_path *path = &snapshot->paths[at];
        uint32_t edge = path_edges[at];
        int is_outermost = functions_on_path[path->function] == 0;
        add_to_function(snapshot, path, is_outermost);
        if (edge != PROFI_NONE)
            add_to_edge(&snapshot->edges[edge], path, edges_on_path[edge] == 0, is_outermost);
        if (path->first_child != PROFI_NONE) {
            functions_on_path[path->function]++;
            if (edge != PROFI_NONE)
                edges_on_path[edge]++;
            at = path->first_child;
            continue;
        }
        while (path->next_sibling == PROFI_NONE && path->parent != PROFI_NONE) {
            at = path->parent;
            path = &snapshot->paths[at];
            functions_on_path[path->function]--;
            if (path_edges[at] != PROFI_NONE)
                edges_on_path[path_edges[at]]--;
        }
        at = path->next_sibling;
    }
}

int profi_snapshot_index_callees(prof_snapshot *snapshot)
{
    uint32_t at = 0;
    snapshot->callees = calloc((size_t)snapshot->edge_count + 1, sizeof(*snapshot->callees));
    if (snapshot->callees == NULL)
        return 0;
    for (uint32_t i = 0; i < snapshot->edge_count; i++)
        snapshot->functions[snapshot->edges[i].caller].callee_count++;
    for (uint32_t i = 0; i < snapshot->function_count; i++) {
        snapshot->functions[i].first_callee = at;
        at += snapshot->functions[i].callee_count;
        snapshot->functions[i].callee_count = 0;
    }
    for (uint32_t i = 0; i < snapshot->edge_count; i++) {
        profi_function *caller = &snapshot->functions[snapshot->edges[i].caller];
        snapshot->callees[caller->first_callee + caller->callee_count++] = i;
    }
    return 1;
}

int profi_snapshot_finish(prof_snapshot *snapshot)
{
    size_t paths = snapshot->path_count, functions = snapshot->function_count;
    uint32_t *path_edges = calloc(paths + 1, sizeof(*path_edges));
    uint32_t *functions_on_path = calloc(functions + 1, sizeof(*functions_on_path));
    uint32_t *edges_on_path = NULL;
    int ok = path_edges != NULL && functions_on_path != NULL && make_edges(snapshot, path_edges);
    if (ok)
        edges_on_path = calloc((size_t)snapshot->edge_count + 1, sizeof(*edges_on_path));
    ok = ok && edges_on_path != NULL && raise_peaks(snapshot);
    for (size_t i = 0; ok && i < functions; i++) {
        snapshot->functions[i].min_ns = UINT64_MAX;
        ok = profi_function_make_measures(&snapshot->functions[i]);
    }
    if (ok) {
        profi_snapshot_sum_paths(snapshot);
        walk(snapshot, path_edges, functions_on_path, edges_on_path);
        ok = profi_snapshot_index_callees(snapshot);
    }
    free(path_edges);
    free(functions_on_path);
    free(edges_on_path);
    free(snapshot->path_table);
    snapshot->path_table = NULL;
    snapshot->path_table_size = 0;
    return ok;
}

int profi_function_make_histogram(profi_function *function)
{
    if (function->histogram == NULL)
        function->histogram = calloc(PROFI_BUCKET_COUNT, sizeof(*function->histogram));
    return function->histogram != NULL;
}
