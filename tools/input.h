/* SPDX-License-Identifier: Apache-2.0 */
/* The files that commands read: our summaries and any .prof; "-" is standard input. */
#ifndef INPUT_H
#define INPUT_H

#include <profcore/snapshot.h>

/* Reads one file. */
prof_status input_read(const char *path, prof_snapshot **snapshot, prof_error *err);

/*
 * Reads several and merges them, in the order in which pstats adds them: the
 * first, then the others from the last on.  With without_cost, each is first
 * rid of what recording it took.
 */
prof_status input_read_all(const char *const *paths, size_t count, int without_cost, prof_snapshot **snapshot,
                           prof_error *err);

#endif
