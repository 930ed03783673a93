/* SPDX-License-Identifier: Apache-2.0 */
/* The block of the table for people that shows spans, and the columns of durations that it has in common with calls. */
#ifndef PROFI_TEXT_SPANS_H
#define PROFI_TEXT_SPANS_H

#include "../base/output.h"
#include "../model/snapshot.h"

/* Shortest, percentiles, longest: six columns of ten characters, each behind a blank. */
#define PROFI_TEXT_DURATIONS "        min        p50        p90        p99      p99.9        max"
void profi_text_durations(profi_output *out, const profi_function *row);

/* The block of spans, if there are any. */
void profi_text_spans(profi_output *out, const prof_snapshot *snapshot);

#endif
