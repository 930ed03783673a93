/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Call paths as formats of stacks want them: for each a line of functions,
 * from the thread's first down to the one whose own time it is.
 *
 * Such a file repeats a path's functions for every path below it, so a deep
 * recursion would make a file of the square of its depth.  What lies deeper
 * than a limit is therefore shown as one stack for each function, behind a
 * mark that stands for the functions in between.  Calls and self times are
 * exact all the same, and so are cumulative times, but for those of functions
 * that are on a path below the limit only.
 */
#ifndef PROFI_STACKS_H
#define PROFI_STACKS_H

#include "../model/snapshot.h"

typedef struct profi_stack {
    uint32_t parent;      /* the stack that it stands on, before it in the array; PROFI_NONE: none */
    uint32_t function;    /* PROFI_NONE: the mark */
    uint32_t has_callees; /* others stand on it */
    uint64_t calls, open_calls, estimated_calls, self_ns, items;
    uint64_t gpu_ns, gpu_kernels, gpu_copied_bytes; /* its own: see profi_gpu_own_of_paths() */
} profi_stack;

typedef struct profi_stacks {
    profi_stack *stacks;
    uint32_t count;
    uint32_t deepest; /* functions in the longest */
    char mark[64];    /* what the mark is called; empty: there is none */
    int has_gpu;      /* some of them have GPU work */
} profi_stacks;

/* PROF_E_UNSUPPORTED for a snapshot of functions without paths; `format` is for messages. */
prof_status profi_stacks_init(profi_stacks *stacks, const prof_snapshot *snapshot, const char *format, prof_error *err);
void profi_stacks_fini(profi_stacks *stacks);

#endif
