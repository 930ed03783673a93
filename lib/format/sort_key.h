/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sort keys of pstats, with its names, directions and descriptions.
 * Sorting is stable, as there: equal rows keep the order of the file.
 */
#ifndef PROFI_SORT_KEY_H
#define PROFI_SORT_KEY_H

#include "pstats.h"

enum { PROFI_SORT_KEYS_MAX = 8 };

typedef struct profi_sort {
    const struct profi_sort_key *keys[PROFI_SORT_KEYS_MAX]; /* rows alike by one are told apart by the next */
    unsigned count;
} profi_sort;

/* Reads keys separated by commas ("cumulative" for NULL); an error lists the names. */
prof_status profi_sort_parse(profi_sort *sort, const char *names, prof_error *err);

/* What pstats calls a key: "cumulative time" and so on. */
const char *profi_sort_description(const profi_sort *sort, unsigned index);

/* The numbers of the rows, which have titles, in sorted order, or in the opposite one, to be freed; NULL when memory is spent. */
uint32_t *profi_sort_rows(const profi_pstats *stats, const profi_sort *sort, int is_reversed);

#endif
