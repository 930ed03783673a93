/* SPDX-License-Identifier: Apache-2.0 */
/* See text_spans.h. */
#include "text_spans.h"

#include "../model/gpu.h"
#include "text_units.h"

#include <inttypes.h>
#include <string.h>

static void put_extreme(profi_output *out, const profi_function *row, uint64_t ns)
{
    char text[24] = "unavail.";
    if (profi_function_has_extremes(row))
        profi_format_ns(text, ns);
    profi_output_printf(out, " %10s", text);
}

void profi_text_durations(profi_output *out, const profi_function *row)
{
    static const double shares[] = { 0.5, 0.9, 0.99, 0.999 };
    put_extreme(out, row, row->min_ns);
    for (size_t i = 0; i < PROFI_COUNT_OF(shares); i++) {
        char text[24];
        uint64_t ns;
        prof_error why = PROF_ERROR_INIT;
        int is_known = profi_function_percentile(row, shares[i], &ns, &why) == PROF_OK;
        if (is_known)
            profi_format_ns(text, ns);
        profi_output_printf(out, " %10s", is_known ? text : row->histogram != NULL ? "-" : "unavail.");
    }
    put_extreme(out, row, row->max_ns);
}

static void put_span(profi_output *out, const profi_function *span)
{
    char total[24], mean[24];
    profi_format_ns(total, span->cumulative_ns);
    profi_format_ns(mean, span->cumulative_ns / (span->calls != 0 ? span->calls : 1));
    profi_output_printf(out, "%11" PRIu64 " %10s %10s", span->calls, total, mean);
    profi_text_durations(out, span);
    profi_output_printf(out, " %s", span->name);
    if (span->file != NULL)
        profi_output_printf(out, " (%s:%u)", span->file, (unsigned)span->line);
    profi_output_text(out, "\n");
}

static void put_missing(profi_output *out, const prof_snapshot *snapshot)
{
    enum { SHOWN = 10 };
    uint32_t count = 0;
    for (uint32_t i = 0; i < snapshot->span_count; i++) {
        const profi_function *span = &snapshot->spans[i];
        if (span->histogram == NULL && ++count <= SHOWN)
            profi_output_printf(out, "   no percentiles of %s: %s\n", span->name, span->no_histogram);
    }
    if (count > SHOWN)
        profi_output_printf(out, "   nor of %u more\n", (unsigned)count - SHOWN);
}

/* What a GPU did, by the names of kernels, is booked as spans, and told apart. */
static int is_of_gpu(const profi_function *span) { return profi_is_gpu_span(span->file, span->line); }

static void put_spans(profi_output *out, const prof_snapshot *snapshot, int of_gpu, const char *heading)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < snapshot->span_count; i++)
        if (is_of_gpu(&snapshot->spans[i]) == of_gpu) {
            if (count++ == 0)
                profi_output_text(out, heading);
            put_span(out, &snapshot->spans[i]);
        }
}

void profi_text_spans(profi_output *out, const prof_snapshot *snapshot)
{
    put_spans(out, snapshot, 0, "\n   Spans: what began on one thread and ended on any, such as the phases of requests; they may overlap, "
                           "and are in none\n   of the times above\n\n"
                           "      ended      total       mean" PROFI_TEXT_DURATIONS " span\n");
    put_spans(out, snapshot, 1, "\n   What GPUs did, by kernel; overlapping work counts for each\n\n"
                                "      ended      total       mean" PROFI_TEXT_DURATIONS " kernel\n");
    put_missing(out, snapshot);
}
