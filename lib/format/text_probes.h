/* SPDX-License-Identifier: Apache-2.0 */
/* The blocks of the table for people that show what probes measured, and counters. */
#ifndef PROFI_TEXT_PROBES_H
#define PROFI_TEXT_PROBES_H

#include "../base/output.h"
#include "../model/snapshot.h"

/* Time on a CPU, faults and switches, control group, the program's own. */
enum { PROFI_PROBE_GROUPS = 4 };

/* Begins the block of a group; 0, and nothing is written, when no function asked for any of it. */
int profi_text_probe_heading(profi_output *out, const prof_snapshot *snapshot, unsigned group);

/* A function's line up to its name; 0, and nothing is written, when it asked for none of the group. */
int profi_text_probe_line(profi_output *out, const prof_snapshot *snapshot, unsigned group, const profi_function *function);

/* The block of counters, if there are any. */
void profi_text_counters(profi_output *out, const prof_snapshot *snapshot);

#endif
