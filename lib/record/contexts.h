/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calling contexts: paths of sites, numbered for the whole process.  What is
 * found out about a call when its thread, with all its nodes, may be gone is
 * kept by them.
 *
 *     1: main        2: main > load        3: main > serve        4: main > serve > embed_query
 *
 * A context's number is higher than that of the context around it.
 */
#ifndef PROFI_CONTEXTS_H
#define PROFI_CONTEXTS_H

#include "node.h"

enum { PROFI_CONTEXTS_MOST = 1 << 16 };
#define PROFI_CONTEXT_NONE 0u         /* not asked for yet; around an outermost one */
#define PROFI_CONTEXT_LOST UINT32_MAX /* there was no memory for one, or it is too deep */

/* The number of a node's path, which the node remembers, or PROFI_CONTEXT_LOST.  Its thread has stepped away. */
uint32_t profi_context_of(profi_node *node);

/* The highest number; and each by its number, from 1. */
typedef struct profi_context_view {
    uint32_t around; /* PROFI_CONTEXT_NONE: it is an outermost one */
    uint32_t site;   /* its id */
    uint64_t lost_calls;
} profi_context_view;
uint32_t profi_context_count(void);
profi_context_view profi_context(uint32_t number);

/* A call of which nothing will be found out; also of a lost context. */
void profi_context_lose_call(uint32_t number);

/* Around a fork; a child goes on with what there is, but for lost calls. */
void profi_contexts_lock(void);
void profi_contexts_unlock(void);
void profi_contexts_forget_calls(void);

#endif
