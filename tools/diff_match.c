/* SPDX-License-Identifier: Apache-2.0 */
/* Which functions of two profiles are one: see diff.h. */
#include "diff.h"

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

static void read_side(diff_side *side, const prof_snapshot *snapshot, uint32_t id)
{
    static const double shares[] = { 0.5, 0.99 };
    prof_function row = PROF_FUNCTION_INIT;
    uint64_t ns;
    prof_snapshot_function(snapshot, id, &row, NULL);
    *side = (diff_side){ .is_there = 1, .row = row };
    side->value[DIFF_CALLS] = (double)row.calls;
    side->value[DIFF_SELF] = (double)row.self_ns;
    side->value[DIFF_CUMULATIVE] = (double)row.cumulative_ns;
    side->has[DIFF_CALLS] = side->has[DIFF_SELF] = side->has[DIFF_CUMULATIVE] = 1;
    if (row.calls != 0) {
        side->has[DIFF_SELF_PER_CALL] = 1;
        side->value[DIFF_SELF_PER_CALL] = (double)row.self_ns / (double)row.calls;
    }
    if (row.primitive_calls != 0) {
        side->has[DIFF_CUMULATIVE_PER_CALL] = 1;
        side->value[DIFF_CUMULATIVE_PER_CALL] = (double)row.cumulative_ns / (double)row.primitive_calls;
    }
    for (int i = 0; i < 2; i++)
        if (prof_snapshot_percentile(snapshot, id, shares[i], &ns, NULL) == PROF_OK) {
            side->has[DIFF_P50 + i] = 1;
            side->value[DIFF_P50 + i] = (double)ns;
        }
}

static int add_pair(diff_list *list, const prof_snapshot *const snapshots[2], const candidate *first, const candidate *second)
{
    diff_pair *pair = &list->pairs[list->count++];
    *pair = (diff_pair){ .title = NULL };
    read_side(&pair->side[first->side], snapshots[first->side], first->id);
    if (second != NULL)
        read_side(&pair->side[second->side], snapshots[second->side], second->id);
    const prof_function *row = &pair->side[pair->side[1].is_there].row;
    int made = row->file != NULL ? asprintf(&pair->title, "%s:%u(%s)", row->file, (unsigned)row->line, row->name)
                                 : asprintf(&pair->title, "{%s}", row->name);
    if (made < 0)
        pair->title = NULL;
    return made >= 0;
}

/*
 * Sorts the candidates, pairs those of each run of equal ones of which both
 * sides have as many, in the order of their lines, and closes the gaps.
 */
static int pair_equals(diff_list *list, const prof_snapshot *const snapshots[2], candidate *all, size_t *count,
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
            if (!add_pair(list, snapshots, &all[i + j], &all[i + old + j]))
                return 0;
    }
    *count = kept;
    return 1;
}

static size_t collect(candidate *into, const prof_snapshot *snapshot, int side)
{
    uint32_t count = prof_snapshot_function_count(snapshot);
    for (uint32_t i = 0; i < count; i++) {
        prof_function row = PROF_FUNCTION_INIT;
        prof_snapshot_function(snapshot, i, &row, NULL);
        into[i] = (candidate){ row.file ? row.file : "", row.name, row.line, i, side };
    }
    return count;
}

int diff_match(diff_list *list, const prof_snapshot *old, const prof_snapshot *new_)
{
    const prof_snapshot *const snapshots[2] = { old, new_ };
    size_t most = (size_t)prof_snapshot_function_count(old) + prof_snapshot_function_count(new_);
    candidate *all = calloc(most + 1, sizeof(*all));
    *list = (diff_list){ calloc(most + 1, sizeof(*list->pairs)), 0 };
    int ok = all != NULL && list->pairs != NULL;
    if (ok) {
        size_t count = collect(all, old, 0);
        count += collect(all + count, new_, 1);
        ok = pair_equals(list, snapshots, all, &count, by_all) && pair_equals(list, snapshots, all, &count, by_file_and_name);
        for (size_t i = 0; i < count; i++) {
            const char *slash = strrchr(all[i].file, '/');
            all[i].file = slash != NULL ? slash + 1 : all[i].file;
        }
        ok = ok && pair_equals(list, snapshots, all, &count, by_file_and_name);
        for (size_t i = 0; ok && i < count; i++)
            ok = add_pair(list, snapshots, &all[i], NULL);
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
