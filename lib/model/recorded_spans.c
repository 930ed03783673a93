/* SPDX-License-Identifier: Apache-2.0 */
/* The spans of a snapshot of what this process recorded: see recorded.h. */
#include "recorded.h"

#include <stdlib.h>

/* Gives a dense number to each site of which a span has ended, in order of first use. */
static uint32_t number_spans(const profi_record_copy *copy, uint32_t *span_of_site)
{
    uint32_t count = 0;
    for (size_t i = 0; i < copy->site_count; i++)
        span_of_site[i] = PROFI_NONE;
    for (size_t i = 0; i < copy->span_count; i++)
        if (copy->spans[i].count != 0) /* else its first is being booked */
            span_of_site[copy->spans[i].site] = 0;
    for (size_t i = 0; i < copy->site_count; i++)
        if (span_of_site[i] != PROFI_NONE)
            span_of_site[i] = count++;
    return count;
}

static int name_spans(prof_snapshot *snapshot, const profi_record_copy *copy, const uint32_t *span_of_site)
{
    int ok = 1;
    for (size_t i = 0; ok && i < copy->site_count; i++) {
        if (span_of_site[i] == PROFI_NONE)
            continue;
        const profi_site_view *site = &copy->sites[i];
        snapshot->spans[span_of_site[i]] =
            (profi_function){ .name = profi_snapshot_text(snapshot, site->name, &ok),
                              .file = profi_snapshot_text(snapshot, site->file, &ok), .line = site->line,
                              .min_ns = UINT64_MAX };
    }
    return ok;
}

static void add_span(profi_function *into, const profi_span_copy *from, const profi_clock_scale *scale)
{
    if (from->count == 0)
        return;
    into->calls += from->count;
    into->timed_calls = into->calls;
    into->cumulative_ns += profi_clock_to_ns(scale, from->total);
    into->min_ns = profi_min_u64(into->min_ns, profi_clock_to_ns(scale, from->min));
    into->max_ns = profi_max_u64(into->max_ns, profi_clock_to_ns(scale, from->max));
    if (!from->has_histogram)
        into->no_histogram = PROFI_HISTOGRAMS_SPENT;
}

/* Where a thread had no memory for a histogram, those of others would be of some of the spans. */
static int add_histograms(prof_snapshot *snapshot, const profi_record_copy *copy, const uint32_t *span_of_site,
                          const profi_clock_scale *scale)
{
    for (size_t i = 0; i < copy->bucket_count; i++) {
        const profi_bucket_copy *bucket = &copy->buckets[i];
        uint32_t number = span_of_site[bucket->site];
        if (number == PROFI_NONE || !bucket->is_of_spans)
            continue;
        profi_function *span = &snapshot->spans[number];
        if (span->no_histogram == NULL && !profi_recorded_bucket(span, bucket, scale))
            return 0;
    }
    return 1;
}

int profi_recorded_spans(prof_snapshot *snapshot, const profi_record_copy *copy, const profi_clock_scale *scale)
{
    uint32_t *span_of_site = calloc(copy->site_count + 1, sizeof(*span_of_site));
    uint32_t count = span_of_site != NULL ? number_spans(copy, span_of_site) : 0;
    snapshot->spans = calloc((size_t)count + 1, sizeof(*snapshot->spans));
    int ok = span_of_site != NULL && snapshot->spans != NULL;
    if (ok) {
        snapshot->span_count = count;
        ok = name_spans(snapshot, copy, span_of_site);
    }
    for (size_t i = 0; ok && i < copy->span_count; i++)
        add_span(&snapshot->spans[span_of_site[copy->spans[i].site]], &copy->spans[i], scale);
    ok = ok && add_histograms(snapshot, copy, span_of_site, scale);
    free(span_of_site);
    return ok;
}
