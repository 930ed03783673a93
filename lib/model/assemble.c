/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots from functions and edges: see assemble.h. */
#include "assemble.h"
#include "gpu.h"

#include "../base/array.h"
#include "../base/error.h"
#include "../base/text.h"

#include <stdlib.h>
#include <string.h>

void profi_builder_init(profi_builder *builder)
{
    *builder = (profi_builder){ .snapshot = profi_snapshot_new(0) };
    builder->out_of_memory = builder->snapshot == NULL;
    if (builder->snapshot != NULL)
        builder->snapshot->has_bare_paths = 1;
}

void profi_builder_fini(profi_builder *builder)
{
    prof_snapshot_close(builder->snapshot);
    free(builder->functions.slots);
    free(builder->spans.slots);
    *builder = (profi_builder){ 0 };
}

const char *profi_builder_text(profi_builder *builder, const char *text)
{
    int ok = builder->snapshot != NULL;
    const char *copy = ok ? profi_snapshot_text(builder->snapshot, text, &ok) : NULL;
    builder->out_of_memory |= !ok;
    return copy;
}

/* ---- functions and spans by key ---- */

/* Equal texts have equal addresses here, so a key is three numbers. */
static uint64_t key_hash(const char *name, const char *file, uint32_t line)
{
    return profi_mix64(profi_mix64((uintptr_t)name ^ profi_hash_seed()) ^ (uintptr_t)file ^ (uint64_t)line << 48 ^ line);
}

static uint32_t *find_slot(const profi_key_table *table, const profi_function *rows, const char *name, const char *file,
                           uint32_t line)
{
    uint32_t mask = table->slot_count - 1;
    for (uint32_t at = (uint32_t)key_hash(name, file, line) & mask;; at = (at + 1) & mask) {
        uint32_t number = table->slots[at];
        const profi_function *row = number != PROFI_NONE ? &rows[number] : NULL;
        if (row == NULL || (row->name == name && row->file == file && row->line == line))
            return &table->slots[at];
    }
}

/* Keeps room for one more row, and the table at most half full. */
static int grow(profi_key_table *table, profi_function **rows, uint32_t count)
{
    enum { FEWEST = 64, MOST = 1 << 30 };
    if (count < table->room)
        return 1;
    uint32_t room = table->room ? table->room * 2 : FEWEST;
    if (room > MOST)
        return 0;
    profi_function *grown = reallocarray(*rows, room, sizeof(*grown));
    if (grown == NULL)
        return 0;
    *rows = grown;
    uint32_t *slots = malloc((size_t)room * 2 * sizeof(*slots));
    if (slots == NULL)
        return 0;
    memset(slots, 0xff, (size_t)room * 2 * sizeof(*slots));
    free(table->slots);
    *table = (profi_key_table){ slots, room * 2, room };
    for (uint32_t i = 0; i < count; i++)
        *find_slot(table, grown, grown[i].name, grown[i].file, grown[i].line) = i;
    return 1;
}

static uint32_t find_or_add(profi_builder *builder, profi_key_table *table, profi_function **rows, uint32_t *count,
                            profi_function key)
{
    if (!grow(table, rows, *count)) {
        builder->out_of_memory = 1;
        return PROFI_NONE;
    }
    uint32_t *slot = find_slot(table, *rows, key.name, key.file, key.line);
    if (*slot == PROFI_NONE) {
        *slot = (*count)++;
        (*rows)[*slot] = key;
    }
    return *slot;
}

uint32_t profi_builder_function(profi_builder *builder, const char *name, const char *file, uint32_t line)
{
    prof_snapshot *snapshot = builder->snapshot;
    const profi_function key = { .name = name, .file = file, .line = line, .min_ns = UINT64_MAX };
    if (builder->out_of_memory)
        return PROFI_NONE;
    return find_or_add(builder, &builder->functions, &snapshot->functions, &snapshot->function_count, key);
}

uint32_t profi_builder_span(profi_builder *builder, const char *name, const char *file, uint32_t line)
{
    prof_snapshot *snapshot = builder->snapshot;
    const profi_function key = { .name = name, .file = file, .line = line, .min_ns = UINT64_MAX };
    if (builder->out_of_memory)
        return PROFI_NONE;
    return find_or_add(builder, &builder->spans, &snapshot->spans, &snapshot->span_count, key);
}

/* ---- figures ---- */

static void add_histogram(profi_builder *builder, profi_function *into, const profi_function *from)
{
    if (from->histogram == NULL) {
        if (from->calls > from->open_calls)
            into->no_histogram = profi_builder_text(builder, from->no_histogram);
        return;
    }
    if (!profi_function_make_histogram(into)) {
        builder->out_of_memory = 1;
        return;
    }
    for (unsigned i = 0; i < PROFI_BUCKET_COUNT; i++)
        profi_builder_sum(builder, &into->histogram[i], from->histogram[i]);
}

static void add_extras(profi_builder *builder, profi_function *into, const profi_function *from)
{
    if (from->no_extras != NULL && from->calls != 0)
        into->no_extras = profi_builder_text(builder, from->no_extras);
    if (from->unit != NULL && into->unit != NULL && strcmp(from->unit, into->unit) != 0)
        into->no_extras = "the merged profiles count items of different units";
    if (into->unit == NULL)
        into->unit = profi_builder_text(builder, from->unit);
    profi_builder_sum(builder, &into->items, from->items);
    into->flags |= from->flags;
}

void profi_builder_add(profi_builder *builder, profi_function *into, const profi_function *from)
{
    if (from->calls > from->open_calls && from->no_extremes != NULL)
        into->no_extremes = profi_builder_text(builder, from->no_extremes);
    if (from->timed_calls != 0) {
        into->min_ns = profi_min_u64(into->min_ns, from->min_ns);
        into->max_ns = profi_max_u64(into->max_ns, from->max_ns);
    }
    profi_builder_sum(builder, &into->calls, from->calls);
    profi_builder_sum(builder, &into->timed_calls, from->timed_calls);
    profi_builder_sum(builder, &into->estimated_calls, from->estimated_calls);
    into->variance_ns2 += from->variance_ns2;
    profi_builder_sum(builder, &into->primitive_calls, from->primitive_calls);
    profi_builder_sum(builder, &into->open_calls, from->open_calls);
    profi_builder_sum(builder, &into->self_ns, from->self_ns);
    profi_builder_sum(builder, &into->cumulative_ns, from->cumulative_ns);
    profi_builder_sum(builder, &into->open_ns, from->open_ns);
    if (into->inner_calls == UINT64_MAX || from->inner_calls == UINT64_MAX)
        into->inner_calls = UINT64_MAX;
    else
        profi_builder_sum(builder, &into->inner_calls, from->inner_calls);
    add_histogram(builder, into, from);
    add_extras(builder, into, from);
    profi_builder_gpu_work(builder, &into->gpu, from->gpu);
}

/*
 * What was found not to be known is dropped, but for the unit, which says that
 * there were items; and the counts that percentiles add up must have a sum.
 */
static void settle(profi_builder *builder, profi_function *function)
{
    uint64_t total = 0;
    if (function->no_histogram != NULL) {
        free(function->histogram);
        function->histogram = NULL;
    } else if (function->histogram == NULL) {
        function->no_histogram = "no call has ended";
    }
    for (unsigned i = 0; function->histogram != NULL && i < PROFI_BUCKET_COUNT; i++)
        profi_builder_sum(builder, &total, function->histogram[i]);
    if (function->no_extras != NULL) {
        function->items = 0;
        function->probes = 0;
        free(function->measures);
        function->measures = NULL;
    }
}

/* ---- edges ---- */

void profi_builder_edge(profi_builder *builder, const profi_edge *edge)
{
    if (builder->out_of_memory)
        return;
    profi_edge **edges = &builder->snapshot->edges;
    if (builder->edge_count > INT32_MAX || !profi_array_grow(edges, &builder->edge_room, builder->edge_count, sizeof(**edges)))
        builder->out_of_memory = 1;
    else
        (*edges)[builder->edge_count++] = *edge;
}

void profi_builder_renumber(profi_builder *builder, const uint32_t *new_id)
{
    prof_snapshot *snapshot = builder->snapshot;
    profi_function *functions = calloc((size_t)snapshot->function_count + 1, sizeof(*functions));
    uint32_t count = 0;
    size_t edges = 0;
    if (functions == NULL) {
        builder->out_of_memory = 1;
        return;
    }
    for (uint32_t i = 0; i < snapshot->function_count; i++) {
        if (new_id[i] == PROFI_NONE)
            free(snapshot->functions[i].histogram), free(snapshot->functions[i].measures), free(snapshot->functions[i].gpu);
        else
            functions[new_id[i]] = snapshot->functions[i];
        count += new_id[i] != PROFI_NONE;
    }
    for (size_t i = 0; i < builder->edge_count; i++) {
        profi_edge edge = snapshot->edges[i];
        edge.caller = new_id[edge.caller];
        edge.callee = new_id[edge.callee];
        if (edge.caller != PROFI_NONE && edge.callee != PROFI_NONE)
            snapshot->edges[edges++] = edge;
    }
    free(snapshot->functions);
    snapshot->functions = functions;
    snapshot->function_count = count;
    builder->edge_count = edges;
}

static int compare_edges(const void *a, const void *b)
{
    const profi_edge *x = a, *y = b;
    return profi_edge_order(x->callee, x->caller, y->callee, y->caller);
}

/* Sorts the edges, adds up those of one pair, and gives each function its own. */
static void settle_edges(profi_builder *builder)
{
    prof_snapshot *snapshot = builder->snapshot;
    profi_edge *edges = snapshot->edges, *last = NULL;
    if (builder->edge_count != 0)
        qsort(edges, builder->edge_count, sizeof(*edges), compare_edges);
    for (size_t i = 0; i < builder->edge_count; i++) {
        if (last != NULL && compare_edges(last, &edges[i]) == 0) {
            profi_builder_sum(builder, &last->calls, edges[i].calls);
            profi_builder_sum(builder, &last->primitive_calls, edges[i].primitive_calls);
            profi_builder_sum(builder, &last->self_ns, edges[i].self_ns);
            profi_builder_sum(builder, &last->cumulative_ns, edges[i].cumulative_ns);
            if (last->outermost_ns == UINT64_MAX || edges[i].outermost_ns == UINT64_MAX)
                last->outermost_ns = UINT64_MAX;
            else
                profi_builder_sum(builder, &last->outermost_ns, edges[i].outermost_ns);
            continue;
        }
        last = &edges[snapshot->edge_count++];
        *last = edges[i];
        profi_function *callee = &snapshot->functions[last->callee];
        if (callee->edge_count++ == 0)
            callee->first_edge = snapshot->edge_count - 1;
    }
}

prof_status profi_builder_finish(profi_builder *builder, const char *what, prof_snapshot **snapshot, prof_error *err)
{
    prof_snapshot *made = builder->snapshot;
    prof_status status = PROF_OK;
    if (!builder->out_of_memory) {
        for (uint32_t i = 0; i < made->function_count; i++)
            settle(builder, &made->functions[i]);
        for (uint32_t i = 0; i < made->span_count; i++)
            settle(builder, &made->spans[i]);
        settle_edges(builder);
        profi_builder_settle_paths(builder);
        profi_builder_settle_counters(builder);
        profi_builder_settle_places(builder);
    }
    if (!builder->out_of_memory) {
        builder->out_of_memory = !profi_snapshot_index_callees(made);
    }
    if (builder->out_of_memory)
        status = profi_fail(err, PROF_E_NO_MEMORY, "%.300s: no memory for its functions and callers", what);
    else if (builder->problem[0] != '\0')
        status = profi_fail(err, PROF_E_INVALID, "%.300s: %s", what, builder->problem);
    else if (builder->overflow)
        status = profi_fail(err, PROF_E_LIMIT, "%.300s: a sum of its figures does not fit in 64 bits", what);
    if (status == PROF_OK) {
        *snapshot = made;
        builder->snapshot = NULL;
    }
    profi_builder_fini(builder);
    return status;
}
