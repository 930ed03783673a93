/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pstats' strip_dirs(): files without their folders, and rows that are then
 * alike made one.
 *
 * It follows pstats to the letter, also where that surprises: when two
 * callers of one function become one, the figures of the later caller stand
 * for both; figures are added only where two callees became one.
 */
#include "pstats.h"

#include <stdlib.h>
#include <string.h>

/* A row beside its number, for sorting. */
typedef struct numbered_row {
    const profi_pstats_row *row;
    uint32_t number;
} numbered_row;

static int compare_rows(const void *a, const void *b)
{
    const numbered_row *x = a, *y = b;
    int order = profi_pstats_compare_keys(x->row, y->row);
    return order != 0 ? order : x->number < y->number ? -1 : x->number > y->number;
}

/* A call beside the row that it was of, before rows were merged. */
typedef struct old_call {
    profi_pstats_call call; /* with the new rows */
    uint32_t old_callee, number;
} old_call;

static int compare_calls(const void *a, const void *b)
{
    const old_call *x = a, *y = b;
    const uint32_t keys[4][2] = { { x->call.callee, y->call.callee }, { x->call.caller, y->call.caller },
                                  { x->old_callee, y->old_callee }, { x->number, y->number } };
    for (size_t i = 0; i < PROFI_COUNT_OF(keys); i++)
        if (keys[i][0] != keys[i][1])
            return keys[i][0] < keys[i][1] ? -1 : 1;
    return 0;
}

static void strip_files(profi_pstats *stats)
{
    for (uint32_t i = 0; i < stats->row_count; i++) {
        const char *slash = strrchr(stats->rows[i].file, '/');
        if (slash != NULL)
            stats->rows[i].file = slash + 1;
    }
}

/* new_row[i] becomes the number of the first row that is like row i; 0 when memory is spent. */
static int find_firsts(const profi_pstats *stats, uint32_t *new_row)
{
    numbered_row *sorted = calloc((size_t)stats->row_count + 1, sizeof(*sorted));
    if (sorted == NULL)
        return 0;
    for (uint32_t i = 0; i < stats->row_count; i++)
        sorted[i] = (numbered_row){ &stats->rows[i], i };
    qsort(sorted, stats->row_count, sizeof(*sorted), compare_rows);
    for (uint32_t i = 0, first = 0; i < stats->row_count; i++) {
        if (profi_pstats_compare_keys(sorted[first].row, sorted[i].row) != 0)
            first = i;
        new_row[sorted[i].number] = sorted[first].number;
    }
    free(sorted);
    return 1;
}

/* Adds each row to the first that is like it, closes the gaps, and leaves the new numbers in new_row. */
static void merge_rows(profi_pstats *stats, uint32_t *new_row)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < stats->row_count; i++) {
        profi_pstats_row *row = &stats->rows[i];
        if (new_row[i] == i) {
            new_row[i] = count;
            stats->rows[count++] = *row;
            continue;
        }
        new_row[i] = new_row[new_row[i]];
        profi_pstats_row *into = &stats->rows[new_row[i]];
        into->calls += row->calls;
        into->primitive_calls += row->primitive_calls;
        into->self_s += row->self_s;
        into->cumulative_s += row->cumulative_s;
        free(row->owned);
        if (row->function == PROFI_NONE)
            continue;
        stats->next_function[row->function] = stats->next_function[into->function];
        stats->next_function[into->function] = row->function;
    }
    stats->row_count = count;
    if (stats->run_row != PROFI_NONE)
        stats->run_row = new_row[stats->run_row];
}

/* Merges calls, sorted by compare_calls(), back into stats->calls. */
static void merge_calls(profi_pstats *stats, const old_call *calls)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < stats->row_count; i++)
        stats->rows[i].call_count = 0;
    for (uint32_t i = 0; i < stats->call_count; i++) {
        const profi_pstats_call *call = &calls[i].call;
        profi_pstats_call *last = count != 0 ? &stats->calls[count - 1] : NULL;
        /* Of the calls of one old row by one new caller the last one counts. */
        if (i + 1 < stats->call_count && calls[i + 1].old_callee == calls[i].old_callee &&
            calls[i + 1].call.caller == call->caller)
            continue;
        if (last != NULL && last->callee == call->callee && last->caller == call->caller) {
            last->calls += call->calls;
            last->primitive_calls += call->primitive_calls;
            last->self_s += call->self_s;
            last->cumulative_s += call->cumulative_s;
            continue;
        }
        profi_pstats_row *callee = &stats->rows[call->callee];
        if (callee->call_count++ == 0)
            callee->first_call = count;
        stats->calls[count++] = *call;
    }
    stats->call_count = count;
}

int profi_pstats_strip(profi_pstats *stats)
{
    uint32_t *new_row = calloc((size_t)stats->row_count + 1, sizeof(*new_row));
    old_call *calls = calloc((size_t)stats->call_count + 1, sizeof(*calls));
    strip_files(stats);
    int ok = new_row != NULL && calls != NULL && find_firsts(stats, new_row);
    if (ok) {
        merge_rows(stats, new_row);
        for (uint32_t i = 0; i < stats->call_count; i++) {
            const profi_pstats_call *old = &stats->calls[i];
            calls[i] = (old_call){ *old, old->callee, i };
            calls[i].call.caller = new_row[old->caller];
            calls[i].call.callee = new_row[old->callee];
        }
        qsort(calls, stats->call_count, sizeof(*calls), compare_calls);
        merge_calls(stats, calls);
    }
    free(new_row);
    free(calls);
    return ok;
}
