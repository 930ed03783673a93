/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions that read spans out of a snapshot. */
#include "snapshot.h"

#include "../base/error.h"

#include <string.h>

/* As of version 0.1. */
enum { FUNCTION_SIZE_0 = 120 };

uint32_t prof_snapshot_span_count(const prof_snapshot *snapshot)
{
    return snapshot != NULL ? snapshot->span_count : 0;
}

static prof_status check_span(const prof_snapshot *snapshot, uint32_t span, prof_error *err)
{
    if (snapshot == NULL)
        return profi_fail(err, PROF_E_INVALID, "the snapshot is NULL");
    if (span >= snapshot->span_count)
        return profi_fail(err, PROF_E_INVALID, "there is no span %u: the snapshot has %u", (unsigned)span,
                          (unsigned)snapshot->span_count);
    return PROF_OK;
}

prof_status prof_snapshot_span(const prof_snapshot *snapshot, uint32_t span, prof_function *row, prof_error *err)
{
    prof_status status = check_span(snapshot, span, err);
    if (status != PROF_OK)
        return status;
    const profi_function *from = &snapshot->spans[span];
    prof_function full = PROF_FUNCTION_INIT;
    full.id = span;
    full.name = from->name;
    full.file = from->file;
    full.line = from->line;
    full.calls = from->calls;
    full.timed_calls = from->timed_calls;
    full.cumulative_ns = from->cumulative_ns;
    if (profi_function_has_extremes(from)) {
        full.has |= PROF_FUNCTION_HAS_EXTREMES;
        full.min_ns = from->min_ns;
        full.max_ns = from->max_ns;
    }
    if (from->histogram != NULL)
        full.has |= PROF_FUNCTION_HAS_HISTOGRAM;
    return profi_struct_write(row, &full, sizeof(full), FUNCTION_SIZE_0, "prof_function", err);
}

prof_status prof_snapshot_span_percentile(const prof_snapshot *snapshot, uint32_t span, double share, uint64_t *ns,
                                          prof_error *err)
{
    prof_status status = check_span(snapshot, span, err);
    return status == PROF_OK ? profi_row_percentile(&snapshot->spans[span], share, ns, err) : status;
}

prof_status prof_snapshot_span_histogram(const prof_snapshot *snapshot, uint32_t span, uint64_t counts[PROF_BUCKET_COUNT],
                                         prof_error *err)
{
    prof_status status = check_span(snapshot, span, err);
    return status == PROF_OK ? profi_row_histogram(&snapshot->spans[span], counts, err) : status;
}
