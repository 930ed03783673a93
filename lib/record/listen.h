/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling a listener (base/listener.h) what is recorded.
 *
 * While there is one no node has a key, so that every scope takes the slow
 * path, which calls these.  Without one the fast path knows nothing of all
 * this, and the slow path has a branch.
 */
#ifndef PROFI_LISTEN_H
#define PROFI_LISTEN_H

#include "../base/listener.h"
#include "node.h"

/* NULL: there is none.  Set before the first node is made, and for good. */
extern const profi_listener *profi_the_listener;

static inline int profi_is_listened_to(void) { return PROFI_UNLIKELY(profi_the_listener != NULL); }

/*
 * A scope begins at `now`, or, when that is 0, at the moment before the listener is called; returns when.  What the call
 * takes falls to the scope, as in the listener's own view: caches may be cold, and then it is not little.
 */
PROFI_COLD uint64_t profi_tell_begin(profi_node *node, uint64_t now);

/* It ends, where its beginning was told: innermost first. */
PROFI_COLD void profi_tell_end(profi_node *node);

PROFI_COLD void profi_tell_items(const profi_node *node, uint64_t count, const char *unit);
PROFI_COLD void profi_tell_instant(profi_site *site);
PROFI_COLD uint32_t profi_tell_span_begin(profi_site *site);
PROFI_COLD void profi_tell_span_end(uint32_t number);
PROFI_COLD void profi_tell_thread(int32_t tid);

#endif
