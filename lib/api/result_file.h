/* SPDX-License-Identifier: Apache-2.0 */
/* Files that callers name: whole, or not at all. */
#ifndef PROFI_RESULT_FILE_H
#define PROFI_RESULT_FILE_H

#include "../format/writer.h"

/* What to write: one of the two views, as the writer needs it. */
typedef struct profi_result {
    const profi_writer *writer;
    const prof_snapshot *snapshot;
    const profi_events *events;
} profi_result;

prof_status profi_result_write_file(const profi_result *result, const char *path, prof_error *err);

/* The row of a format; PROF_E_INVALID where there is none of that name (NULL). */
prof_status profi_find_writer(const char *format, const profi_writer **writer, prof_error *err);

/* The same of one that reads events; else PROF_E_UNSUPPORTED. */
prof_status profi_find_event_writer(const char *format, const profi_writer **writer, prof_error *err);

#endif
