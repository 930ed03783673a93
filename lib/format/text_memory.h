/* SPDX-License-Identifier: Apache-2.0 */
/* The blocks of the table for people that show memory which allocators told of. */
#ifndef PROFI_TEXT_MEMORY_H
#define PROFI_TEXT_MEMORY_H

#include "../base/output.h"
#include "../model/snapshot.h"

/* Whether a probe is one of a kind of memory: these blocks show it. */
int profi_text_memory_shows(const profi_probe_info *probe);

/* Whether a probe is the first of a kind of memory: a function block begins with it. */
int profi_text_memory_begins(const profi_probe_info *probe);

/* Begins the block of functions of the kind that begins with this probe; 0 when no function measured it. */
int profi_text_memory_heading(profi_output *out, const prof_snapshot *snapshot, uint32_t probe);

/* A function's line up to its name; 0, and nothing is written, when it neither allocated nor freed. */
int profi_text_memory_line(profi_output *out, const prof_snapshot *snapshot, uint32_t probe, const profi_function *function);

/* Each kind as a whole, and what is still allocated, by where. */
void profi_text_memory_places(profi_output *out, const prof_snapshot *snapshot);

#endif
