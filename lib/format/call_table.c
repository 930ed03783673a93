/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of pstats' print_callers() and print_callees(): below each row
 * that a listing holds, the rows on the other side of its calls, in the
 * order of their keys.
 */
#include "listing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A call as seen from one of its two rows. */
typedef struct seen_call {
    const profi_pstats_call *call;
    const profi_pstats_row *other;
    uint32_t subject;
} seen_call;

static int compare_seen(const void *a, const void *b)
{
    const seen_call *x = a, *y = b;
    if (x->subject != y->subject)
        return x->subject < y->subject ? -1 : 1;
    return profi_pstats_compare_keys(x->other, y->other);
}

/* The characters of UTF-8 text: what Python's len() counts. */
static size_t characters(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

static void put_blanks(const profi_listing *list, size_t count)
{
    for (; count != 0; count--)
        profi_output_bytes(list->out, " ", 1);
}

static void put_call(const profi_listing *list, const seen_call *seen, int counts_width)
{
    const profi_pstats_call *call = seen->call;
    char counts[48];
    if (call->calls == call->primitive_calls)
        snprintf(counts, sizeof(counts), "%" PRIu64, call->calls);
    else
        snprintf(counts, sizeof(counts), "%" PRIu64 "/%" PRIu64, call->calls, call->primitive_calls);
    profi_output_printf(list->out, "%*s %8.3f %8.3f  ", counts_width, counts, call->self_s, call->cumulative_s);
    profi_put_title(list, seen->other->title);
    profi_output_text(list->out, "\n");
}

/* One row and its calls; the first stands on the row's own line. */
static void put_subject(const profi_listing *list, const profi_pstats_row *row, const char *arrow, size_t width,
                        const seen_call *seen, const seen_call *end, uint32_t subject)
{
    profi_put_title(list, row->title);
    put_blanks(list, width - characters(row->title));
    profi_output_printf(list->out, "%s ", arrow);
    if (seen == end || seen->subject != subject)
        profi_output_text(list->out, "\n");
    for (int is_first = 1; seen < end && seen->subject == subject; seen++, is_first = 0) {
        put_blanks(list, is_first ? 0 : width + 1);
        put_call(list, seen, is_first ? 7 : 9);
    }
}

static void put_heading(const profi_listing *list, const char *column, size_t width)
{
    profi_output_printf(list->out, "%-*s", (int)width, "Function ");
    profi_put_colored(list, "1", column);
    profi_output_text(list->out, "\n");
    if (list->stats.call_count == 0)
        return;
    put_blanks(list, width);
    profi_put_colored(list, "1", "    ncalls  tottime  cumtime");
    profi_output_text(list->out, "\n");
}

/* seen[] sorted by subject; first[s] is where subject s begins. */
static void put_table(const profi_listing *list, const char *column, const char *arrow, const seen_call *seen,
                      const uint32_t *first)
{
    size_t width = 0;
    for (uint32_t i = 0; i < list->count; i++)
        width = profi_max_u64(width, characters(list->stats.rows[list->order[i]].title));
    width += 2;
    profi_put_order(list);
    put_heading(list, column, width);
    for (uint32_t i = 0; i < list->count; i++) {
        uint32_t subject = list->order[i];
        put_subject(list, &list->stats.rows[subject], arrow, width, seen + first[subject], seen + list->stats.call_count,
                    subject);
    }
    profi_output_text(list->out, "\n\n");
}

static int put_calls(const profi_listing *list, int by_callee, const char *column, const char *arrow)
{
    const profi_pstats *stats = &list->stats;
    if (list->count == 0)
        return 1;
    seen_call *seen = calloc((size_t)stats->call_count + 1, sizeof(*seen));
    uint32_t *first = calloc((size_t)stats->row_count + 1, sizeof(*first));
    int ok = seen != NULL && first != NULL;
    if (ok) {
        for (uint32_t i = 0; i < stats->call_count; i++) {
            const profi_pstats_call *call = &stats->calls[i];
            seen[i] = by_callee ? (seen_call){ call, &stats->rows[call->caller], call->callee }
                                : (seen_call){ call, &stats->rows[call->callee], call->caller };
        }
        qsort(seen, stats->call_count, sizeof(*seen), compare_seen);
        for (uint32_t i = stats->call_count; i-- > 0;)
            first[seen[i].subject] = i;
        put_table(list, column, arrow, seen, first);
    }
    free(seen);
    free(first);
    return ok;
}

int profi_put_callers(const profi_listing *list)
{
    return put_calls(list, 1, "was called by...", "<-");
}

int profi_put_callees(const profi_listing *list)
{
    return put_calls(list, 0, "called...", "->");
}
