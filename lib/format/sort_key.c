/* SPDX-License-Identifier: Apache-2.0 */
/* Sorting as pstats sorts: see sort_key.h. */
#include "sort_key.h"

#include "../base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*compare_rows)(const profi_pstats_row *a, const profi_pstats_row *b);

struct profi_sort_key {
    const char *name, *description;
    compare_rows compare[3]; /* in turn, until they differ */
};

static int compare_u64(uint64_t a, uint64_t b) { return a < b ? -1 : a > b; }
static int compare_double(double a, double b) { return a < b ? -1 : a > b; }

/* The largest count or time first; text and lines upwards. */
static int by_calls(const profi_pstats_row *a, const profi_pstats_row *b) { return compare_u64(b->calls, a->calls); }
static int by_primitive(const profi_pstats_row *a, const profi_pstats_row *b)
{
    return compare_u64(b->primitive_calls, a->primitive_calls);
}
static int by_self(const profi_pstats_row *a, const profi_pstats_row *b) { return compare_double(b->self_s, a->self_s); }
static int by_cumulative(const profi_pstats_row *a, const profi_pstats_row *b)
{
    return compare_double(b->cumulative_s, a->cumulative_s);
}
static int by_file(const profi_pstats_row *a, const profi_pstats_row *b) { return strcmp(a->file, b->file); }
static int by_line(const profi_pstats_row *a, const profi_pstats_row *b) { return compare_u64(a->line, b->line); }
static int by_name(const profi_pstats_row *a, const profi_pstats_row *b) { return strcmp(a->name, b->name); }

static int by_standard_name(const profi_pstats_row *a, const profi_pstats_row *b)
{
    char *a_name = profi_standard_name(a), *b_name = profi_standard_name(b);
    int order = a_name != NULL && b_name != NULL ? strcmp(a_name, b_name) : 0;
    free(a_name);
    free(b_name);
    return order;
}

static const profi_sort_key keys[] = {
    { "calls", "call count", { by_calls } },
    { "ncalls", "call count", { by_calls } },
    { "cumtime", "cumulative time", { by_cumulative } },
    { "cumulative", "cumulative time", { by_cumulative } },
    { "file", "file name", { by_file } },
    { "filename", "file name", { by_file } },
    { "line", "line number", { by_line } },
    { "module", "file name", { by_file } },
    { "name", "function name", { by_name } },
    { "nfl", "name/file/line", { by_name, by_file, by_line } },
    { "pcalls", "primitive call count", { by_primitive } },
    { "stdname", "standard name", { by_standard_name } },
    { "time", "internal time", { by_self } },
    { "tottime", "internal time", { by_self } },
};

const profi_sort_key *profi_sort_key_find(const char *name, prof_error *err)
{
    char names[160] = "";
    for (size_t i = 0; i < PROFI_COUNT_OF(keys); i++) {
        if (strcmp(keys[i].name, name ? name : "cumulative") == 0)
            return &keys[i];
        strcat(strcat(names, i ? ", " : ""), keys[i].name);
    }
    profi_fail(err, PROF_E_INVALID, "unknown sort key \"%.40s\"; there are: %s", name, names);
    return NULL;
}

const char *profi_sort_key_description(const profi_sort_key *key)
{
    return key->description;
}

/* What qsort needs at hand; equal rows are ordered by their number, which makes the sort stable. */
typedef struct sort_item {
    const profi_pstats_row *row;
    const profi_sort_key *key;
    uint32_t number;
} sort_item;

static int compare_items(const void *a, const void *b)
{
    const sort_item *x = a, *y = b;
    for (size_t i = 0; i < PROFI_COUNT_OF(x->key->compare) && x->key->compare[i] != NULL; i++) {
        int order = x->key->compare[i](x->row, y->row);
        if (order != 0)
            return order;
    }
    return compare_u64(x->number, y->number);
}

uint32_t *profi_sort_rows(const profi_pstats *stats, const profi_sort_key *key)
{
    size_t count = stats->row_count;
    sort_item *items = calloc(count + 1, sizeof(*items));
    uint32_t *order = calloc(count + 1, sizeof(*order));
    if (items == NULL || order == NULL) {
        free(items);
        free(order);
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++)
        items[i] = (sort_item){ &stats->rows[i], key, i };
    qsort(items, count, sizeof(*items), compare_items);
    for (uint32_t i = 0; i < count; i++)
        order[i] = items[i].number;
    free(items);
    return order;
}

char *profi_standard_name(const profi_pstats_row *row)
{
    size_t name_bytes = strlen(row->name), bytes = strlen(row->file) + name_bytes + 16;
    char *text = malloc(bytes);
    if (text == NULL)
        return NULL;
    if (strcmp(row->file, "~") != 0 || row->line != 0)
        snprintf(text, bytes, "%s:%u(%s)", row->file, (unsigned)row->line, row->name);
    else if (row->name[0] == '<' && row->name[name_bytes - 1] == '>')
        snprintf(text, bytes, "{%.*s}", (int)(name_bytes - 2), row->name + 1);
    else
        snprintf(text, bytes, "%s", row->name);
    return text;
}
