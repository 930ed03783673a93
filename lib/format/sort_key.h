/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sort keys of pstats, with its names, directions and descriptions.
 * Sorting is stable, as there: equal rows keep the order of the file.
 */
#ifndef PROFI_SORT_KEY_H
#define PROFI_SORT_KEY_H

#include "pstats.h"

typedef struct profi_sort_key profi_sort_key;

/* The key of a name ("cumulative" for NULL); NULL and an error that lists the names when there is none. */
const profi_sort_key *profi_sort_key_find(const char *name, prof_error *err);

/* "cumulative time" and so on. */
const char *profi_sort_key_description(const profi_sort_key *key);

/* The row numbers in sorted order, to be freed; NULL when memory is spent. */
uint32_t *profi_sort_rows(const profi_pstats *stats, const profi_sort_key *key);

/* "file:line(name)" or "{name}", as pstats prints a function; to be freed; NULL when memory is spent. */
char *profi_standard_name(const profi_pstats_row *row);

#endif
