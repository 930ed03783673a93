/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that a scope starts and something else does, such as a GPU: from which
 * scopes it came, and a span on a track of its own when it is over.
 */
#ifndef PROFI_WORK_H
#define PROFI_WORK_H

#include "../base/base.h"
#include <profcore/prof.h>

/*
 * A site of which the calling thread has a scope open: its id, and the start
 * of the outermost of them in ticks, which says which call it is; 1: not timed.
 */
typedef struct profi_work_scope {
    uint32_t site;
    uint64_t start;
} profi_work_scope;

/*
 * The sites of which the calling thread has scopes open, each once, from the
 * innermost; how many they are.  *is_cut: there is no room for those further
 * out.  *context: the path of them all, as profi_work_path() knows it.  Takes a
 * lock at the first launch from a path only.
 */
unsigned profi_work_scopes(profi_work_scope *scopes, unsigned room, int *is_cut, uint32_t *context);

/* A path of sites, numbered: the number of the one around it, which is lower, and the innermost site's id. */
typedef struct profi_work_path {
    uint32_t around; /* PROFI_WORK_NO_PATH: it is an outermost one */
    uint32_t site;
} profi_work_path;
#define PROFI_WORK_NO_PATH 0u /* also: not known, for want of memory */
enum { PROFI_WORK_PATHS_MOST = 1 << 16 };
profi_work_path profi_work_path_of(uint32_t context);

/* Work that is over: a span of `what`, in ticks, on lanes of the track that `track` names. */
typedef struct profi_work {
    prof_site *what, *track; /* NULL: there was no memory for it */
    uint64_t start, end;
    uint64_t flow;           /* that ends there, whose other end is prof_flow() in the scope that started it; 0: none */
    prof_site *argument;     /* names the value below; NULL: there is none */
    uint64_t argument_value;
} profi_work;

/* Books it.  On any thread; counted as lost where there is no memory for it, or was none for its sites. */
void profi_work_record(const profi_work *work);

#endif
