/* SPDX-License-Identifier: Apache-2.0 */
/* The call paths of a summary: see profi_path_of() in summary_rows.c. */
#include "summary_reader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int profi_compare_numbers(const void *a, const void *b)
{
    const profi_function_number *x = a, *y = b;
    return x->in_file < y->in_file ? -1 : x->in_file > y->in_file;
}

uint32_t profi_find_function(uint64_t in_file, const profi_function_number *numbers, size_t count)
{
    const profi_function_number wanted = { in_file, 0 }, *found = NULL;
    if (count != 0)
        found = bsearch(&wanted, numbers, count, sizeof(*numbers), profi_compare_numbers);
    return found != NULL ? found->id : PROFI_NONE;
}

/* A path that may hang below those before it: moved_to[] has their places in the snapshot. */
static uint32_t read_path(profi_json *j, const profi_json_value *row, const profi_function_number *numbers, size_t count,
                          const uint32_t *moved_to, uint32_t before)
{
    enum { PARENT, FUNCTION, CALLS, TOTAL, SELF, OPEN_CALLS, OPEN_NS, ESTIMATED_CALLS, ITEMS, FIGURES };
    uint64_t figures[FIGURES] = { 0 };
    const profi_json_value *value = NULL;
    int is_outermost = 0;
    for (int i = 0; i < FIGURES && (value = profi_json_next(j, row, value)) != NULL; i++) {
        if (i == PARENT && value->kind == PROFI_JSON_NULL)
            is_outermost = 1;
        else
            profi_json_to_count(j, "path", value, UINT64_MAX, &figures[i]);
    }
    uint32_t function = profi_find_function(figures[FUNCTION], numbers, count);
    uint64_t ended = figures[CALLS] - profi_min_u64(figures[CALLS], figures[OPEN_CALLS]);
    if (profi_json_size(row) <= FUNCTION || (!is_outermost && figures[PARENT] >= before))
        profi_json_fail(j, "path", "is not a list of [the place of one before it or null, function, ...]");
    else if (function == PROFI_NONE)
        profi_json_fail(j, "path", "is of no function's id");
    else if (figures[OPEN_CALLS] > figures[CALLS] || figures[OPEN_NS] > figures[TOTAL] || figures[ESTIMATED_CALLS] > ended)
        profi_json_fail(j, "path", "has a part that is more than the whole");
    if (j->status != PROF_OK)
        return PROFI_NONE;
    const profi_path path = { .function = function, .calls = figures[CALLS], .total_ns = figures[TOTAL],
                              .open_calls = figures[OPEN_CALLS], .open_ns = figures[OPEN_NS],
                              .timed_calls = ended - figures[ESTIMATED_CALLS],
                              .estimated_calls = figures[ESTIMATED_CALLS], .items = figures[ITEMS],
                              .variance_ns2 = figures[ESTIMATED_CALLS] != 0 ? INFINITY : 0 };
    return profi_builder_path(j->builder, is_outermost ? PROFI_NONE : moved_to[figures[PARENT]], &path);
}

/* Self times, which the file gives too, follow from the totals. */
void profi_read_paths(profi_json *j, const profi_json_value *root, const profi_function_number *numbers, size_t count)
{
    const profi_json_value *paths = profi_json_array(j, root, "paths"), *row = NULL;
    prof_snapshot *snapshot = j->builder->snapshot;
    uint32_t at = 0;
    j->reasons = profi_json_object(j, root, "unavailable");
    if (profi_json_size(paths) == 0) {
        const char *reason = profi_json_reason(j, "paths");
        snapshot->no_paths = reason != NULL ? reason : "the file has none";
        return;
    }
    uint32_t *moved_to = calloc(profi_json_size(paths), sizeof(*moved_to));
    j->builder->out_of_memory |= moved_to == NULL;
    while (moved_to != NULL && (row = profi_json_next(j, paths, row)) != NULL) {
        snprintf(j->where, sizeof(j->where), "paths[%u].", (unsigned)at);
        moved_to[at] = row->kind == PROFI_JSON_ARRAY ? read_path(j, row, numbers, count, moved_to, at) : PROFI_NONE;
        if (row->kind != PROFI_JSON_ARRAY)
            profi_json_fail(j, "path", "is not an array");
        if (!profi_json_is_ok(j))
            break;
        at++;
    }
    j->where[0] = '\0';
    if (moved_to != NULL)
        profi_read_gpu_paths(j, root, moved_to, at);
    free(moved_to);
}
