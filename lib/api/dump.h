/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dumps: what the process is in the middle of, and what led up to it, in two
 * files of one stem, whoever asks.
 */
#ifndef PROFI_DUMP_H
#define PROFI_DUMP_H

#include "../model/open_stacks.h"

/* As a window in seconds: all that the rings hold. */
#define PROFI_DUMP_ALL UINT32_MAX

typedef struct profi_dump {
    const profi_mark *marks; /* at least one, the first is what made it */
    size_t mark_count;
    uint64_t skipped;        /* triggers before that made none of their own */
    uint32_t window_s;       /* 0: as it is configured */
} profi_dump;

/*
 * Writes <run>_<trigger>[_<scope>]_<unix seconds>.txt, then .pftrace, in
 * config's folder; of the first kind there is a file even where the second
 * fails.  One at a time; recording threads do not wait.
 *
 *   path     Receives the path without its extension, PATH_MAX bytes; NULL:
 *            not wanted.
 *   returns  PROF_OK; PROF_E_LIMIT: the folder is full; PROF_E_INVALID before
 *            the first start; PROF_E_BUSY at the end of the process;
 *            PROF_E_UNAVAILABLE with PROFCORE=0; PROF_E_IO; PROF_E_NO_MEMORY.
 */
prof_status profi_dump_write(const profi_dump *dump, char *path, prof_error *err);

/*
 * Only the second kind, beside a text that there is: <path>.pftrace.
 */
prof_status profi_dump_write_timeline(const char *path, const profi_mark *mark, prof_error *err);

/*
 * Held by whoever works for somebody outside, so that neither a fork nor the
 * end of the process finds that half done.  Before every other lock.
 */
void profi_dump_lock(void);
void profi_dump_unlock(void);

#endif
