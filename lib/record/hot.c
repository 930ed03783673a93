/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hot path: prof_begin(), prof_end() and prof_phase() as functions.  What
 * they do stands in <profcore/inline.h>, for programs to inline; here its rare
 * cases lead to slow.c instead of back to the functions.
 *
 * Built with -fno-tree-vectorize: packing neighbouring counters into vector
 * registers makes a scope slower.  tests/bench/ measures; the figures are in
 * docs/performance.md.
 */
#include "../base/clock.h"

#define PROF_INLINE_TICKS_ profi_clock_ticks
#define PROF_INLINE_BEGIN_SLOW_ begin_unexpected
#define PROF_INLINE_END_SLOW_ end_untimed
#define PROF_INLINE_PHASE_SLOW_ profi_phase_slow
#define PROF_INLINE_TURN_SLOW_ profi_turn_slow
#define PROF_INLINE_RARE_(condition) (condition) /* the calls of sampled sites go there: not far away */
#include <profcore/prof.h>
static inline prof_scope begin_unexpected(prof_site *site);
static inline void end_untimed(prof_scope scope);
prof_scope profi_phase_slow(prof_scope scope, prof_site *site);
void *profi_turn_slow(void *stand);

#include "node.h"

#define SAME_PLACE(type, inline_type, field) \
    _Static_assert(offsetof(type, field) == offsetof(inline_type, field), "inline.h and node.h agree on " #field)
SAME_PLACE(profi_node, prof_inline_node, key);
SAME_PLACE(profi_node, prof_inline_node, parent);
SAME_PLACE(profi_node, prof_inline_node, last);
SAME_PLACE(profi_node, prof_inline_node, follower);
SAME_PLACE(profi_node, prof_inline_node, start);
SAME_PLACE(profi_node, prof_inline_node, calls);
SAME_PLACE(profi_node, prof_inline_node, total);
SAME_PLACE(profi_node, prof_inline_node, histogram);
SAME_PLACE(profi_node, prof_inline_node, min);
SAME_PLACE(profi_node, prof_inline_node, max);
SAME_PLACE(profi_node, prof_inline_node, pending);
SAME_PLACE(profi_node, prof_inline_node, event);
SAME_PLACE(profi_thread, prof_inline_thread, current);
SAME_PLACE(profi_thread, prof_inline_thread, busy);
SAME_PLACE(profi_thread, prof_inline_thread, cell);
SAME_PLACE(profi_thread, prof_inline_thread, cell_end);
SAME_PLACE(profi_thread, prof_inline_thread, event_min);
SAME_PLACE(profi_thread, prof_inline_thread, filtered);

/* Begins a call of a node that is not what followed the last time; the next time it is.  Apart, for sampled sites come by here. */
static __attribute__((noinline)) prof_scope begin_guessed(prof_site *site)
{
    profi_thread *self = profi_self;
    uintptr_t intern = (uintptr_t)PROFI_GET(site->intern);
    profi_node *node = *profi_guess_at(self, self->current, intern), *previous = self->current->last;
    if (node == NULL || node->key != intern || node->parent != self->current)
        return profi_begin_slow(site);
    if (previous != &profi_nobody)
        previous->follower = node;
    PROFI_PUT(self->current, node);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    PROFI_RELEASE(node->start, profi_clock_ticks());
    return (prof_scope){ (uintptr_t)node };
}

/* Begins a call of a sampled site that is counted but not timed, or one that is where another was expected; all else is rare. */
static inline prof_scope begin_unexpected(prof_site *site)
{
    profi_thread *self = profi_self;
    profi_node *node = self->current->last->follower;
    if (site == NULL || !profi_is_recording())
        return PROF_SCOPE_NONE;
    if (node->sampled_key != (uintptr_t)PROFI_GET(site->intern))
        return begin_guessed(site);
    if (!profi_sample_skips(node))
        return profi_begin_slow(site);
    PROFI_PUT(self->current, node);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    PROFI_RELEASE(node->start, PROFI_UNTIMED);
    return (prof_scope){ (uintptr_t)node | PROFI_TOKEN_SLOW };
}

/* Ends such a call. */
static inline void end_untimed(prof_scope scope)
{
    profi_thread *self = profi_self;
    profi_node *node = (profi_node *)(scope.place - PROFI_TOKEN_SLOW), *parent; /* compared before it is followed */
    if (scope.place == 0)
        return;
    if (self->current != node || PROFI_GET(node->start) != PROFI_UNTIMED) {
        profi_end_slow(scope);
        return;
    }
    parent = node->parent;
    PROFI_PUT(node->start, 0u);
    PROFI_RELEASE(node->calls, PROFI_GET(node->calls) + 1);
    if (parent->last != node) /* the next begin waits for a store here: mostly there is none to make */
        parent->last = node;
    PROFI_PUT(self->current, parent);
}

prof_scope prof_begin(prof_site *site)
{
    return prof_inline_begin(site);
}

void prof_end(prof_scope scope)
{
    prof_inline_end(scope);
}

prof_scope prof_phase(prof_scope scope, prof_site *site)
{
    return prof_inline_phase(scope, site);
}
