/* SPDX-License-Identifier: Apache-2.0 */
/* Open scopes, for people and for programs. */
#ifndef PROFI_OPEN_STACKS_WRITE_H
#define PROFI_OPEN_STACKS_WRITE_H

#include "../base/output.h"
#include "../model/open_stacks.h"

/* Writes "txt" or "json" through a callback: flushes, and turns a failure of the callback into PROF_E_IO. */
prof_status profi_open_stacks_run(const profi_open_stacks *stacks, const char *format, profi_output_callback write, void *user,
                             prof_error *err);

/* As text; no allocation and no lock, so that it can be had in the middle of a crash. */
void profi_write_stacks_txt(const profi_open_stacks *stacks, profi_output *out);

/* As profcore.stacks/1; 0 when memory is spent. */
int profi_write_stacks_json(const profi_open_stacks *stacks, profi_output *out);

#endif
