/* SPDX-License-Identifier: Apache-2.0 */
/* The summary as a part of another file. */
#ifndef PROFI_SUMMARY_JSON_H
#define PROFI_SUMMARY_JSON_H

#include "../base/output.h"
#include "../model/snapshot.h"

/* Writes a profcore.summary/1, a value of JSON; `is_ascii`: with escapes for all other characters. */
prof_status profi_put_summary(const prof_snapshot *snapshot, int is_ascii, profi_output *out, prof_error *err);

#endif
