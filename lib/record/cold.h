/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cold half of record/, shared by its own files only: sites by their
 * text, threads and their registry, nodes by their path.
 */
#ifndef PROFI_COLD_H
#define PROFI_COLD_H

#include "node.h"

/* Finds or makes what the library knows of a caller's site, by its text, and remembers it there; NULL when memory is spent. */
profi_site *profi_site_of(prof_site *site);

/* Sets the unit of a site's items if it has none. */
void profi_site_set_unit(profi_site *site, const char *unit);

/* Around fork(), and where rules meet sites; the thread is away meanwhile. */
void profi_site_lock(void);
void profi_site_unlock(void);

/* How many sites there are, and each by its id. */
uint32_t profi_site_count(void);
profi_site *profi_site_by_id(uint32_t id);

/*
 * Around all that a signal handler must not find half done: see profi_away.
 * profi_step_away() returns the thread, to be given to profi_come_back().
 * They nest.
 */
static inline profi_thread *profi_step_away(void)
{
    profi_thread *self = profi_self;
    profi_become(&profi_away);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return self;
}

static inline void profi_come_back(profi_thread *self)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    profi_become(self);
}

/* Adds to a count of the thread's own that a signal handler on it may add to as well: neither loses the other's part. */
#define PROFI_RAISE(field, value) ((void)__atomic_fetch_add(&(field), (value), __ATOMIC_RELAXED))

/* The calling thread's, attached if need be; NULL when there is no memory for one or was none for a scope around, or it is &profi_away. */
profi_thread *profi_thread_attached(void);

/* The child of `parent` for `site`, made if need be; NULL when memory is spent.  The caller has stepped away. */
profi_node *profi_node_child(profi_thread *thread, profi_node *parent, profi_site *site);

/* Sampled nodes: decides whether the next call is timed, and books one that was. */
int profi_sample_wants(profi_thread *self, profi_node *node);
void profi_sample_add(profi_thread *self, profi_node *node, uint64_t duration);

/* Prepares a thread's fixed parts: root, overflow node, busy node. */
void profi_thread_init(profi_thread *thread);

/* The first of the registry's threads; valid while the registry is locked. */
profi_thread *profi_registry_lock(void);
void profi_registry_unlock(void);

/* The same from the handler of a crash: does not wait, and frees nothing; 0 where the lock is held. */
int profi_registry_trylock(const profi_thread **first);

/*
 * How many scopes the calling thread has open that were lost since it could
 * not be attached.  It is not before they have ended: what begins inside a
 * lost scope is lost.
 */
extern __thread uint64_t profi_unattached_depth __attribute__((tls_model("initial-exec")));

/* In a forked child: scopes that were open at the fork, whose ends are nobody's mistake. */
extern uint64_t profi_ends_to_ignore;

/* How many scopes the calling thread has open. */
uint64_t profi_thread_depth(const profi_thread *thread);

/* The level of an event that happens in the thread's innermost scope. */
uint32_t profi_event_level_here(const profi_thread *self);

/* Adds a thread's counters to those of another that nobody writes to; frees what is left over. */
void profi_counters_fold(profi_thread *into, profi_thread *from);

/* Frees a thread's counters, but not its table. */
void profi_counters_drop(profi_thread *thread);

/*
 * Books a span that the calling thread ends, which has stepped away; 0 when
 * memory is spent.
 */
int profi_span_book(profi_thread *self, profi_site *site, uint64_t duration);

/* As the two for counters; the beginning stands before PROFI_FOLD_SPANS does. */
void profi_spans_fold_begin(const profi_thread *from);
void profi_spans_fold(profi_thread *into, profi_thread *from);
void profi_spans_drop(profi_thread *thread);

/* Watches over calls that a rule may keep: kept.c. */
profi_watch *profi_watch_new(profi_node *node);
void profi_watch_free(profi_watch *watch);
void profi_kept_begin(profi_thread *self, profi_node *node);
void profi_kept_end(profi_thread *self, profi_node *node, uint64_t start, uint64_t now);

/* Rules meet sites: a new site, under the lock of the sites; and the first use of a caller's site. */
void profi_kept_rule_for_new_site(profi_site *site);
void profi_kept_rule_of_new_handle(profi_site *site, const prof_site *handle);

/* Tells the layers above that a saver may be needed: see profi_saver_wish(). */
void profi_kept_need_saver(int has_rule);

/* Closes all that the calling thread has open, as repaired. */
void profi_thread_close_all(profi_thread *thread);

#endif
