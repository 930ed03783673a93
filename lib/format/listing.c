/* SPDX-License-Identifier: Apache-2.0 */
/* Which rows a table lists, and the table of print_stats(): see listing.h. */
#include "listing.h"

#include "../base/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As pstats adds them: in the order of the file, before rows are merged. */
static void add_up(profi_listing *list)
{
    for (uint32_t i = 0; i < list->stats.row_count; i++) {
        list->calls += list->stats.rows[i].calls;
        list->primitive_calls += list->stats.rows[i].primitive_calls;
        list->self_s += list->stats.rows[i].self_s;
    }
}

static prof_status apply_limits(profi_listing *list, prof_error *err)
{
    prof_status status = PROF_OK;
    list->count = list->counts[0] = list->stats.row_count;
    for (uint32_t i = 0; status == PROF_OK && i < list->limit_count; i++) {
        status = profi_limit_apply(&list->stats, list->limits[i], list->order, &list->count, err);
        list->counts[i + 1] = list->count;
    }
    return status;
}

static prof_status check(const prof_print_options *options, prof_error *err)
{
    if (options->limit_count > PROFI_LIMITS_MAX)
        return profi_fail(err, PROF_E_INVALID, "%u limits; %d are the most", (unsigned)options->limit_count, PROFI_LIMITS_MAX);
    for (uint32_t i = 0; i < options->limit_count; i++)
        if (options->limits == NULL || options->limits[i] == NULL)
            return profi_fail(err, PROF_E_INVALID, "prof_print_options.limits: limit %u is NULL", (unsigned)i);
    return PROF_OK;
}

prof_status profi_listing_init(profi_listing *list, const prof_snapshot *snapshot, const prof_print_options *options,
                               profi_output *out, prof_error *err)
{
    *list = (profi_listing){ .snapshot = snapshot, .out = out, .limits = options->limits, .limit_count = options->limit_count,
                             .has_color = (options->flags & PROF_PRINT_COLOR) != 0 };
    prof_status status = check(options, err);
    if (status == PROF_OK)
        status = profi_sort_parse(&list->sort, options->sort, err);
    if (status == PROF_OK)
        status = profi_pstats_init(&list->stats, snapshot, err);
    if (status != PROF_OK)
        return status;
    add_up(list);
    int ok = !(options->flags & PROF_PRINT_STRIP_DIRS) || profi_pstats_strip(&list->stats);
    ok = ok && profi_pstats_title(&list->stats);
    list->order = ok ? profi_sort_rows(&list->stats, &list->sort, (options->flags & PROF_PRINT_REVERSE) != 0) : NULL;
    status = list->order != NULL ? apply_limits(list, err)
                                 : profi_fail(err, PROF_E_NO_MEMORY, "no memory for a table of %u functions",
                                              (unsigned)snapshot->function_count);
    if (status != PROF_OK)
        profi_listing_fini(list);
    return status;
}

void profi_listing_fini(profi_listing *list)
{
    free(list->order);
    list->order = NULL;
    profi_pstats_fini(&list->stats);
}

void profi_put_colored(const profi_listing *list, const char *code, const char *text)
{
    if (list->has_color && code != NULL)
        profi_output_printf(list->out, "\x1b[%sm", code);
    profi_output_text(list->out, text);
    if (list->has_color && code != NULL)
        profi_output_text(list->out, "\x1b[m");
}

void profi_put_title(const profi_listing *list, const char *title)
{
    const char *bracket = list->has_color ? strchr(title, '(') : NULL;
    /* Where the function's name begins: behind "file:line(". */
    for (; bracket != NULL && (bracket == title || bracket[-1] < '0' || bracket[-1] > '9'); bracket = strchr(bracket + 1, '('))
        ;
    if (bracket == NULL) {
        profi_output_text(list->out, title);
        return;
    }
    profi_output_text(list->out, "\x1b[2m");
    profi_output_bytes(list->out, title, (size_t)(bracket - title));
    profi_output_printf(list->out, "\x1b[m%s", bracket);
}

void profi_put_order(const profi_listing *list)
{
    profi_output_text(list->out, "   Ordered by: ");
    for (unsigned i = 0; i < list->sort.count; i++)
        profi_output_printf(list->out, "%s%s", i ? ", " : "", profi_sort_description(&list->sort, i));
    profi_output_text(list->out, "\n");
    for (uint32_t i = 0; i < list->limit_count; i++) {
        if (list->counts[i] == list->counts[i + 1])
            continue;
        profi_output_printf(list->out, "   List reduced from %u to %u due to restriction <", (unsigned)list->counts[i],
                            (unsigned)list->counts[i + 1]);
        profi_put_limit(list->out, list->limits[i]);
        profi_output_text(list->out, ">\n");
    }
    profi_output_text(list->out, "\n");
}

/* Where the time goes stands out: 5 % of all self time, and 20 %. */
static const char *heat(const profi_listing *list, double self_s)
{
    double share = list->self_s > 0.0 ? self_s / list->self_s : 0.0;
    return share >= 0.2 ? "1;31" : share >= 0.05 ? "33" : NULL;
}

static void put_row(const profi_listing *list, const profi_pstats_row *row)
{
    char text[48];
    if (row->calls == row->primitive_calls)
        snprintf(text, sizeof(text), "%" PRIu64, row->calls);
    else
        snprintf(text, sizeof(text), "%" PRIu64 "/%" PRIu64, row->calls, row->primitive_calls);
    profi_output_printf(list->out, "%9s ", text);
    snprintf(text, sizeof(text), "%8.3f", row->self_s);
    profi_put_colored(list, heat(list, row->self_s), text);
    if (row->calls != 0)
        profi_output_printf(list->out, " %8.3f ", row->self_s / (double)row->calls);
    else
        profi_output_text(list->out, "          ");
    profi_output_printf(list->out, "%8.3f ", row->cumulative_s);
    if (row->primitive_calls != 0)
        profi_output_printf(list->out, "%8.3f ", row->cumulative_s / (double)row->primitive_calls);
    else
        profi_output_text(list->out, "         ");
    profi_put_title(list, row->title);
    profi_output_text(list->out, "\n");
}

void profi_put_stats(const profi_listing *list)
{
    profi_output_printf(list->out, "         %" PRIu64 " function calls ", list->calls);
    if (list->calls != list->primitive_calls)
        profi_output_printf(list->out, "(%" PRIu64 " primitive calls) ", list->primitive_calls);
    profi_output_printf(list->out, "in %.3f seconds\n\n", list->self_s);
    if (list->count == 0)
        return;
    profi_put_order(list);
    profi_put_colored(list, "1", "   ncalls  tottime  percall  cumtime  percall filename:lineno(function)");
    profi_output_text(list->out, "\n");
    for (uint32_t i = 0; i < list->count; i++)
        put_row(list, &list->stats.rows[list->order[i]]);
    profi_output_text(list->out, "\n\n");
}
