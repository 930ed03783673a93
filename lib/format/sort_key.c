/* SPDX-License-Identifier: Apache-2.0 */
/* Sorting as pstats sorts: see sort_key.h. */
#include "sort_key.h"

#include "../base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*compare_rows)(const profi_pstats_row *a, const profi_pstats_row *b);

typedef struct profi_sort_key {
    const char *name, *description;
    compare_rows compare[3]; /* in turn, until they differ */
} sort_key;

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

static int by_title(const profi_pstats_row *a, const profi_pstats_row *b) { return strcmp(a->title, b->title); }

static const sort_key keys[] = {
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
    { "stdname", "standard name", { by_title } },
    { "time", "internal time", { by_self } },
    { "tottime", "internal time", { by_self } },
};

/* The key of a name, or of an abbreviation that can mean but one thing. */
static const sort_key *find_key(const char *name, size_t bytes)
{
    const sort_key *found = NULL;
    for (size_t i = 0; i < PROFI_COUNT_OF(keys); i++) {
        if (strncmp(keys[i].name, name, bytes) != 0)
            continue;
        if (keys[i].name[bytes] == '\0')
            return &keys[i];
        if (found != NULL && strcmp(found->description, keys[i].description) != 0)
            return NULL;
        found = &keys[i];
    }
    return bytes != 0 ? found : NULL;
}

static prof_status unknown_key(const char *name, size_t bytes, prof_error *err)
{
    char names[160] = "";
    for (size_t i = 0; i < PROFI_COUNT_OF(keys); i++)
        strcat(strcat(names, i ? ", " : ""), keys[i].name);
    return profi_fail(err, PROF_E_INVALID, "unknown sort key \"%.*s\"; there are: %s", (int)profi_min_u64(bytes, 40), name,
                      names);
}

prof_status profi_sort_parse(profi_sort *sort, const char *names, prof_error *err)
{
    profi_sort parsed = { .count = 0 };
    if (names == NULL)
        names = "cumulative";
    for (const char *at = names;; at++) {
        size_t bytes = strcspn(at, ",");
        const sort_key *key = find_key(at, bytes);
        if (key == NULL)
            return unknown_key(at, bytes, err);
        if (parsed.count == PROFI_SORT_KEYS_MAX)
            return profi_fail(err, PROF_E_INVALID, "more than %d sort keys", PROFI_SORT_KEYS_MAX);
        parsed.keys[parsed.count++] = key;
        at += bytes;
        if (*at == '\0')
            break;
    }
    *sort = parsed;
    return PROF_OK;
}

const char *profi_sort_description(const profi_sort *sort, unsigned index)
{
    return sort->keys[index]->description;
}

/* What qsort needs at hand; equal rows are ordered by their number, which makes the sort stable. */
typedef struct sort_item {
    const profi_pstats_row *row;
    const profi_sort *sort;
    uint32_t number;
} sort_item;

static int compare_items(const void *a, const void *b)
{
    const sort_item *x = a, *y = b;
    for (unsigned k = 0; k < x->sort->count; k++) {
        const sort_key *key = x->sort->keys[k];
        for (size_t i = 0; i < PROFI_COUNT_OF(key->compare) && key->compare[i] != NULL; i++) {
            int order = key->compare[i](x->row, y->row);
            if (order != 0)
                return order;
        }
    }
    return compare_u64(x->number, y->number);
}

uint32_t *profi_sort_rows(const profi_pstats *stats, const profi_sort *sort, int is_reversed)
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
        items[i] = (sort_item){ &stats->rows[i], sort, i };
    qsort(items, count, sizeof(*items), compare_items);
    for (uint32_t i = 0; i < count; i++)
        order[i] = items[is_reversed ? count - 1 - i : i].number;
    free(items);
    return order;
}
