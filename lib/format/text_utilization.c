/* SPDX-License-Identifier: Apache-2.0 */
/* See text_utilization.h. */
#include "text_utilization.h"

#include "text_units.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A file may have any. */
static void format(char text[24], const profi_usage_info *row, double value)
{
    const double most_digits = 1e12;
    if (strcmp(row->unit, "bytes") == 0)
        profi_format_bytes(text, value, "");
    else
        snprintf(text, 24, fabs(value) < most_digits ? "%.1f %s" : "%.3g %s", value, row->unit);
}

static void put_row(profi_output *out, const profi_usage_info *row)
{
    char mean[24] = "unavailable", max[24] = "unavailable", limit[24];
    if (row->count != 0) {
        format(mean, row, row->mean);
        format(max, row, row->max);
    }
    profi_output_printf(out, "%11" PRIu64 " %14s %14s %s", row->count, mean, max, row->name);
    if (row->limit != 0 && !(strcmp(row->unit, "%") == 0 && row->limit == 100)) {
        format(limit, row, row->limit);
        profi_output_printf(out, " of %s", limit);
    }
    if (row->failed_count != 0)
        profi_output_printf(out, "; %" PRIu64 " more failed", row->failed_count);
    if (row->reason != NULL)
        profi_output_printf(out, " (%s)", row->reason);
    profi_output_text(out, "\n");
}

/* Which device each GPU is, where it is first named. */
static void put_owner(profi_output *out, const profi_utilization *from, uint32_t row)
{
    const char *of = from->rows[row].of;
    if ((row > 0 && strcmp(from->rows[row - 1].of, of) == 0) || strcmp(of, "process") == 0 || strcmp(of, "machine") == 0)
        return;
    profi_output_printf(out, "   %s:\n", of);
}

void profi_text_utilization(profi_output *out, const prof_snapshot *snapshot)
{
    char took[24];
    const profi_utilization *from = &snapshot->utilization;
    if (from->row_count == 0)
        return;
    profi_output_text(out, "\n   Utilization, sampled ");
    if (from->every_ms != 0)
        profi_output_printf(out, "every %" PRIu64 " ms", from->every_ms);
    else
        profi_output_text(out, "at several rates");
    profi_format_ns(took, from->count != 0 ? from->took_ns / from->count : 0);
    profi_output_printf(out, " while recording: %" PRIu64 " samples, which took %s each, and %" PRIu64 " missed\n"
                             "   (plain means of the samples; of a GPU: the whole device's, whoever uses it)\n",
                        from->count, took, from->missed_count);
    if (from->reason != NULL)
        profi_output_printf(out, "   Note: %s\n", from->reason);
    profi_output_text(out, "\n    samples           mean            max of\n");
    for (uint32_t i = 0; i < from->row_count; i++) {
        put_owner(out, from, i);
        put_row(out, &from->rows[i]);
    }
}
