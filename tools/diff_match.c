/* SPDX-License-Identifier: Apache-2.0 */
/* Which functions of two profiles are one: see diff.h. */
#include "diff.h"

#include <profcore/gpu.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A function that has found no partner yet. */
typedef struct candidate {
    const char *file, *name;
    uint32_t line, id;
    int side;
} candidate;

static int by_file_and_name(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : strcmp(x->file, y->file);
}

static int by_all(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    int order = by_file_and_name(a, b);
    return order != 0 ? order : x->line < y->line ? -1 : x->line > y->line;
}

static int by_side_and_line(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->side != y->side)
        return x->side - y->side;
    return x->line < y->line ? -1 : x->line > y->line;
}

/* ---- one of a kind ---- */

static uint32_t count_of(diff_kind kind, const prof_snapshot *snapshot)
{
    return kind == DIFF_FUNCTIONS ? prof_snapshot_function_count(snapshot)
           : kind == DIFF_SPANS   ? prof_snapshot_span_count(snapshot) : prof_snapshot_counter_count(snapshot);
}

static prof_function row_of(diff_kind kind, const prof_snapshot *snapshot, uint32_t id)
{
    prof_function row = PROF_FUNCTION_INIT;
    prof_counter_row counter = PROF_COUNTER_ROW_INIT;
    if (kind == DIFF_FUNCTIONS) {
        prof_snapshot_function(snapshot, id, &row, NULL);
    } else if (kind == DIFF_SPANS) {
        prof_snapshot_span(snapshot, id, &row, NULL);
        row.primitive_calls = row.calls; /* a mean is that of all */
    } else {
        prof_snapshot_counter(snapshot, id, &counter, NULL);
        row.name = counter.name;
        row.file = counter.file;
        row.line = counter.line;
        row.calls = counter.count;
    }
    return row;
}

static void set_figure(diff_side *side, int figure, double value)
{
    side->has[figure] = isfinite(value) != 0;
    side->value[figure] = value;
}

static void read_counter(diff_side *side, const prof_snapshot *snapshot, uint32_t id)
{
    prof_counter_row counter = PROF_COUNTER_ROW_INIT;
    prof_snapshot_counter(snapshot, id, &counter, NULL);
    if (counter.count == 0)
        return;
    set_figure(side, DIFF_LAST, counter.last);
    set_figure(side, DIFF_MEAN, counter.sum / (double)counter.count);
}

/* Of a call that was only seen to wait nothing is known. */
static void read_gpu(diff_side *side, const prof_snapshot *snapshot, uint32_t id)
{
    prof_gpu_work work = PROF_GPU_WORK_INIT;
    if (prof_snapshot_gpu_work(snapshot, id, &work, NULL) != PROF_OK || work.flags & PROF_GPU_WORK_IS_UNTRACED)
        return;
    side->gpu_is_rough = (work.flags & (PROF_GPU_WORK_IS_BOUND | PROF_GPU_WORK_IS_UPPER_BOUND | PROF_GPU_WORK_IS_ESTIMATE)) != 0;
    set_figure(side, DIFF_GPU, (double)work.busy_ns);
    if (side->row.primitive_calls != 0)
        set_figure(side, DIFF_GPU_PER_CALL, (double)work.busy_ns / (double)side->row.primitive_calls);
}

static void read_times(diff_side *side, diff_kind kind, const prof_snapshot *snapshot, uint32_t id)
{
    static const double shares[] = { 0.5, 0.99 };
    const prof_function *row = &side->row;
    uint64_t ns;
    if (kind == DIFF_FUNCTIONS) {
        set_figure(side, DIFF_SELF, (double)row->self_ns);
        if (row->calls != 0)
            set_figure(side, DIFF_SELF_PER_CALL, (double)row->self_ns / (double)row->calls);
        read_gpu(side, snapshot, id);
    }
    set_figure(side, DIFF_CUMULATIVE, (double)row->cumulative_ns);
    if (row->primitive_calls != 0)
        set_figure(side, DIFF_CUMULATIVE_PER_CALL, (double)row->cumulative_ns / (double)row->primitive_calls);
    for (int i = 0; i < 2; i++)
        if ((kind == DIFF_SPANS ? prof_snapshot_span_percentile : prof_snapshot_percentile)(snapshot, id, shares[i], &ns, NULL) == PROF_OK)
            set_figure(side, DIFF_P50 + i, (double)ns);
}

static void read_side(diff_side *side, diff_kind kind, const prof_snapshot *snapshot, uint32_t id)
{
    *side = (diff_side){ .is_there = 1, .row = row_of(kind, snapshot, id) };
    set_figure(side, DIFF_CALLS, (double)side->row.calls);
    if (kind == DIFF_COUNTERS)
        read_counter(side, snapshot, id);
    else
        read_times(side, kind, snapshot, id);
}

/* ---- pairs ---- */

/* Where the candidates come from. */
typedef struct origin {
    diff_kind kind;
    const prof_snapshot *snapshots[2];
} origin;

/* As reports show a function; what is none has its name first. */
static char *make_title(diff_kind kind, const prof_function *row)
{
    char *title = NULL;
    int made;
    if (row->file == NULL)
        made = asprintf(&title, kind == DIFF_FUNCTIONS ? "{%s}" : "%s", row->name);
    else if (kind == DIFF_FUNCTIONS)
        made = asprintf(&title, "%s:%u(%s)", row->file, (unsigned)row->line, row->name);
    else
        made = asprintf(&title, "%s (%s:%u)", row->name, row->file, (unsigned)row->line);
    return made >= 0 ? title : NULL;
}

static int add_pair(diff_list *list, const origin *from, const candidate *first, const candidate *second)
{
    diff_pair *pair = &list->pairs[list->count++];
    *pair = (diff_pair){ .title = NULL };
    read_side(&pair->side[first->side], from->kind, from->snapshots[first->side], first->id);
    if (second != NULL)
        read_side(&pair->side[second->side], from->kind, from->snapshots[second->side], second->id);
    pair->title = make_title(from->kind, &pair->side[pair->side[1].is_there].row);
    return pair->title != NULL;
}

/*
 * Sorts the candidates, pairs those of each run of equal ones of which both
 * sides have as many, in the order of their lines, and closes the gaps.
 */
static int pair_equals(diff_list *list, const origin *from, candidate *all, size_t *count,
                       int (*compare)(const void *, const void *))
{
    size_t kept = 0;
    qsort(all, *count, sizeof(*all), compare);
    for (size_t i = 0, end, old; i < *count; i = end) {
        for (end = i, old = 0; end < *count && compare(&all[i], &all[end]) == 0; end++)
            old += all[end].side == 0;
        if (old * 2 != end - i) {
            memmove(&all[kept], &all[i], (end - i) * sizeof(*all));
            kept += end - i;
            continue;
        }
        qsort(&all[i], end - i, sizeof(*all), by_side_and_line);
        for (size_t j = 0; j < old; j++)
            if (!add_pair(list, from, &all[i + j], &all[i + old + j]))
                return 0;
    }
    *count = kept;
    return 1;
}

static size_t collect(candidate *into, const origin *from, int side)
{
    uint32_t count = count_of(from->kind, from->snapshots[side]);
    for (uint32_t i = 0; i < count; i++) {
        prof_function row = row_of(from->kind, from->snapshots[side], i);
        into[i] = (candidate){ row.file ? row.file : "", row.name, row.line, i, side };
    }
    return count;
}

int diff_match(diff_list *list, diff_kind kind, const prof_snapshot *old, const prof_snapshot *new_)
{
    const origin from = { kind, { old, new_ } };
    size_t most = (size_t)count_of(kind, old) + count_of(kind, new_);
    candidate *all = calloc(most + 1, sizeof(*all));
    *list = (diff_list){ calloc(most + 1, sizeof(*list->pairs)), 0 };
    int ok = all != NULL && list->pairs != NULL;
    if (ok) {
        size_t count = collect(all, &from, 0);
        count += collect(all + count, &from, 1);
        ok = pair_equals(list, &from, all, &count, by_all) && pair_equals(list, &from, all, &count, by_file_and_name);
        for (size_t i = 0; i < count; i++) {
            const char *slash = strrchr(all[i].file, '/');
            all[i].file = slash != NULL ? slash + 1 : all[i].file;
        }
        ok = ok && pair_equals(list, &from, all, &count, by_file_and_name);
        for (size_t i = 0; ok && i < count; i++)
            ok = add_pair(list, &from, &all[i], NULL);
    }
    free(all);
    if (!ok)
        diff_forget(list);
    return ok;
}

void diff_forget(diff_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->pairs[i].title);
    free(list->pairs);
    *list = (diff_list){ NULL, 0 };
}
