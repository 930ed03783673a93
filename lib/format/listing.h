/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a table lists: the rows of pstats in an order, and of them those that
 * the limits leave, as pstats' restrictions do.  The tables of pstats are
 * printed from it here; the blocks of our own in text_table.c follow it.
 */
#ifndef PROFI_LISTING_H
#define PROFI_LISTING_H

#include "../base/output.h"
#include "sort_key.h"

enum { PROFI_LIMITS_MAX = 16 };

typedef struct profi_listing {
    const prof_snapshot *snapshot;
    profi_pstats stats;
    profi_sort sort;
    uint32_t *order; /* rows; the first `count` are listed */
    uint32_t count;
    const char *const *limits;
    uint32_t limit_count;
    uint32_t counts[PROFI_LIMITS_MAX + 1]; /* before the first limit, and after each */
    uint64_t calls, primitive_calls;       /* of all rows */
    double self_s;
    int has_color;
    unsigned probe_group; /* that put_probes() in text_table.c is to show, or the first probe of put_allocated()'s */
    profi_output *out;
} profi_listing;

/* Options as the public function takes them, read already. */
prof_status profi_listing_init(profi_listing *list, const prof_snapshot *snapshot, const prof_print_options *options,
                               profi_output *out, prof_error *err);
void profi_listing_fini(profi_listing *list);

/* What print_stats(), print_callers() and print_callees() print; 0 where memory is spent. */
void profi_put_stats(const profi_listing *list);
int profi_put_callers(const profi_listing *list);
int profi_put_callees(const profi_listing *list);

/* "   Ordered by: …", and what the limits left out. */
void profi_put_order(const profi_listing *list);

/* A row's title, with its file and line dimmed where the listing has colour. */
void profi_put_title(const profi_listing *list, const char *title);

/* Text in a colour, an SGR code such as "1;31" or NULL, where the listing has colour. */
void profi_put_colored(const profi_listing *list, const char *code, const char *text);

/* Applies one limit to `*count` rows; an error says what is wrong with it. */
prof_status profi_limit_apply(const profi_pstats *stats, const char *limit, uint32_t *order, uint32_t *count, prof_error *err);

/* A limit as Python's repr() shows it in "due to restriction <…>". */
void profi_put_limit(profi_output *out, const char *limit);

#endif
