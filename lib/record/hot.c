/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hot path: what a scope costs.
 *
 * No lock, no allocation, no system call, no atomic read-modify-write.  One
 * compare in each function covers every rare case at once: sentinels stand
 * where a check would (profi_nobody, profi_detached), a node that the fast
 * path must not serve has a key or a token that fits nothing.
 *
 * Built with -fno-tree-vectorize: packing neighbouring counters into vector
 * registers makes a scope 15 % slower.  tests/bench/ measures; the figures
 * are in docs/performance.md.
 */
#include "node.h"

#include "../base/clock.h"

PROFI_TLS profi_thread *profi_self = &profi_detached;

/* A node that the fast path serves has a histogram: the check is for the compiler to drop. */
static inline void count(profi_node *node, uint64_t now)
{
    uint64_t *histogram = node->histogram, duration = now - PROFI_GET(node->start);
    if (histogram == NULL)
        __builtin_unreachable();
    PROFI_PUT(node->start, 0u);
    profi_node_count(node, histogram, duration);
}

prof_scope prof_begin(prof_site *site)
{
    profi_thread *self = profi_self;
    profi_node *node = self->current->last->follower;
    if (PROFI_UNLIKELY(site == NULL || node->key != (uintptr_t)PROFI_GET(site->intern) || !profi_is_recording()))
        return profi_begin_slow(site);
    PROFI_PUT(node->start, profi_clock_ticks());
    PROFI_PUT(self->current, node);
    return (prof_scope){ (uintptr_t)node };
}

void prof_end(prof_scope scope)
{
    profi_thread *self = profi_self;
    profi_node *node = self->current;
    if (PROFI_UNLIKELY((uintptr_t)node != scope.place)) {
        profi_end_slow(scope);
        return;
    }
    uint64_t now = profi_clock_ticks();
    profi_node *parent = node->parent;
    count(node, now);
    parent->last = node;
    PROFI_PUT(self->current, parent);
}

prof_scope prof_phase(prof_scope scope, prof_site *site)
{
    profi_thread *self = profi_self;
    profi_node *node = self->current, *next = node->follower;
    if (PROFI_UNLIKELY(site == NULL || (uintptr_t)node != scope.place || next->key != (uintptr_t)PROFI_GET(site->intern) ||
                       !profi_is_recording()))
        return profi_phase_slow(scope, site);
    uint64_t now = profi_clock_ticks();
    count(node, now);
    node->parent->last = node;
    PROFI_PUT(next->start, now);
    PROFI_PUT(self->current, next);
    return (prof_scope){ (uintptr_t)next };
}
