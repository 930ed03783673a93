/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run has written and writes again: one set of files for the run and
 * one for each function that asked for its own.
 *
 * Callers hold the recorder's save lock.
 */
#ifndef PROFI_SAVE_H
#define PROFI_SAVE_H

#include "config.h"

/* What one save did. */
typedef struct profi_save_report {
    unsigned function_count; /* functions with files of their own */
    char first[256];         /* the run's stem */
    char folder[4096];
} profi_save_report;

/*
 * Writes the run's files and each saving function's in config's folder.  On
 * failure what was written stays, what was not is reported, and nothing of
 * the data is lost.
 */
prof_status profi_save_all(const profi_config *config, const prof_snapshot *snapshot, profi_save_report *report,
                           prof_error *err);

/* In a forked child: the files so far are the parent's, and new ones carry the process id. */
void profi_save_forget(int is_child);

#endif
