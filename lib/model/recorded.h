/* SPDX-License-Identifier: Apache-2.0 */
/* What recorded.c, which converts record/'s copy to nanoseconds and merges threads, and its part for spans share. */
#ifndef PROFI_RECORDED_H
#define PROFI_RECORDED_H

#include "snapshot.h"

#include "../base/clock.h"
#include "../record/record.h"

/*
 * Adds a bucket of ticks to a row's histogram, where its upper edge lies on
 * the grid of nanoseconds; 0 when memory is spent.
 */
int profi_recorded_bucket(profi_function *row, const profi_bucket_copy *bucket, const profi_clock_scale *scale);

/* Gives the snapshot the spans of the copy, in order of first use; 0 when memory is spent. */
int profi_recorded_spans(prof_snapshot *snapshot, const profi_record_copy *copy, const profi_clock_scale *scale);

/* Why a row has no histogram though something ended. */
#define PROFI_HISTOGRAMS_SPENT "the memory for histograms is spent"

#endif
