/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rare half of begin, end and phase: first uses, wrong guesses, sites
 * with probes, scopes that do not match, memory that is spent.
 *
 * Runs on the caller's thread on data that it owns.  It may take the short
 * locks of the region, of the site table, of the pool of chunks and of the
 * registry's links; it does not wait for a snapshot, but where the first scope
 * of a forked child frees what was its parent's.
 *
 * A signal handler may interrupt any line here, and record.  What it must not
 * find half done runs away or at the busy node (see node.h); elsewhere each
 * step leaves the thread where a handler's scopes can be opened and closed.
 */
#include "cold.h"
#include "level_log.h"
#include "listen.h"
#include "record.h"
#include "roots.h"

#include "../base/system.h"

#include <errno.h>

/* Tells where the thread stands when it is inside lost scopes. */
static int is_in_overflow(const profi_thread *self) { return self->current == &self->overflow; }

static uintptr_t token_of(const profi_node *node)
{
    return (uintptr_t)node | (node->key == PROFI_KEY_NONE ? PROFI_TOKEN_SLOW : 0);
}

/*
 * Reads probes, whose time falls to the scope around.  A probe of the
 * program may do anything a program does: open and end scopes, fork.  So
 * callers read first and look at the tree afterwards, and take what is
 * profi_self then for the thread.
 */
static void read_probes(uint64_t probes, profi_readings *readings)
{
    if ((probes & ~profi_probes_by_kind.plain) == 0) {
        profi_probes_read(probes, readings);
        return;
    }
    PROFI_NO_CANCELLATION;
    uint64_t begin = profi_clock_now();
    profi_probes_read(probes, readings);
    if (profi_self != &profi_detached)
        PROFI_RAISE(profi_self->probe_ticks, profi_clock_now() - begin);
}

/*
 * Tokens of lost scopes tell how deep they are, so that an end closes what is
 * left open inside: addresses inside the overflow node, which are no node's.
 * Those deeper than LOST_LEVELS share the last one, and close one scope each.
 */
enum { LOST_LEVELS = (sizeof(profi_node) - 1) / 2 };

static prof_scope lost_token(uintptr_t base, uint64_t depth)
{
    return (prof_scope){ (base + 2 * profi_min_u64(depth, LOST_LEVELS)) | PROFI_TOKEN_SLOW };
}

/* How many of `depth` lost scopes the end of one with this token closes; 0: it is not one of them. */
static uint64_t levels_to_leave(uintptr_t base, prof_scope scope, uint64_t depth)
{
    uintptr_t level = (scope.place - base) / 2;
    if (!(scope.place & PROFI_TOKEN_SLOW) || level == 0 || level > LOST_LEVELS || level > depth)
        return 0;
    return level < LOST_LEVELS ? depth - level + 1 : 1;
}

/*
 * A scope that gets no node: everything down to its end is lost, and nothing
 * is booked on a wrong parent.  The caller has stepped away.
 */
static prof_scope enter_overflow(profi_thread *self)
{
    if (!is_in_overflow(self)) {
        PROFI_PUT(self->overflow.parent, self->current);
        PROFI_PUT(self->current, &self->overflow);
    }
    PROFI_ADD(self->overflow_depth, 1u);
    PROFI_RAISE(self->lost, 1u);
    return lost_token((uintptr_t)&self->overflow, self->overflow_depth);
}

/* The same on a thread for which there is no memory; while `away` is its stand-in, nothing is kept at all. */
static prof_scope enter_unattached(void)
{
    if (profi_self == &profi_away)
        return PROF_SCOPE_NONE;
    return lost_token(0, ++profi_unattached_depth);
}

/* Ends the innermost `count` of the lost scopes. */
static void leave_overflow(profi_thread *self, uint64_t count)
{
    profi_node *parent = self->overflow.parent; /* read first: from depth 0 on, a signal handler may enter anew */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    PROFI_PUT(self->overflow_depth, self->overflow_depth - count);
    if (self->overflow_depth == 0)
        PROFI_PUT(self->current, parent);
}

/* As prof_inline_close_(), for what that cannot serve: no histogram, a sampled site, a clock that went back. */
static void book_timed(profi_thread *self, profi_node *node, uint64_t start, uint64_t now)
{
    uint64_t duration = now - start;
    if (now < start) {
        PROFI_ADD(self->backward, 1u);
        duration = 0;
        now = start;
    }
    PROFI_RELEASE(node->total, PROFI_GET(node->total) + duration);
    if (duration < PROFI_GET(node->min))
        PROFI_RELEASE(node->min, duration);
    if (duration > PROFI_GET(node->max))
        PROFI_RELEASE(node->max, duration);
    if (node->histogram != NULL) {
        PROFI_ADD(*node->pending, 1u);
        PROFI_PUT(node->pending, &node->histogram[profi_bucket_of(duration)]);
    }
    if (node->sample != NULL)
        profi_sample_add(self, node, duration);
    if (duration < self->event_min)
        PROFI_ADD(self->filtered, 1u);
    else
        profi_ring_write(self, node->event, start, now);
}

/* While the thread is busy, and in the order that copy.c says. */
static void book(profi_thread *self, profi_node *node, uint64_t start, uint64_t now)
{
    PROFI_RELEASE(node->start, 0u);
    if (start != PROFI_UNTIMED)
        book_timed(self, node, start, now);
    PROFI_RELEASE(node->calls, PROFI_GET(node->calls) + 1);
    if (node->watch != NULL)
        profi_kept_end(self, node, start, now);
}

/*
 * Closes the innermost scope, which is a node, at `now`.  One without a start
 * was left in the middle of its own begin or end, by a cancellation or by
 * siglongjmp() out of a handler: there is nothing to book.
 */
static void close_current(profi_thread *self, uint64_t now, const profi_readings *readings)
{
    profi_node *node = self->current;
    uint64_t start = PROFI_GET(node->start);
    if (PROFI_UNLIKELY(node->is_told))
        profi_tell_end(node);
    PROFI_PUT(self->current, self->busy);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (start != 0) {
        profi_measures_end(node->measures, node->site->probes, readings);
        book(self, node, start, now);
    }
    if (node->level_depth != 0) {
        profi_level_end(self, node->context, node->level_depth);
        node->level_depth = 0;
    }
    node->parent->last = node;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    PROFI_RELEASE(self->current, node->parent);
}

/* The calling thread's; NULL, which is counted, where its scope is lost. */
static profi_thread *attached(void)
{
    profi_thread *self = profi_thread_attached();
    if (self == NULL)
        PROFI_RAISE(profi_the_roots->unattached_lost, 1u);
    return self;
}

/* The node of `site` below where the thread stands, made if need be; NULL when memory is spent. */
static profi_node *find_node(profi_thread *self, profi_site *site)
{
    profi_node *parent = self->current, *guess = parent->last->follower;
    if (guess->site == site)
        return guess;
    guess = *profi_guess_at(self, parent, (uintptr_t)site);
    return guess != NULL && guess->site == site && guess->parent == parent ? guess : profi_node_child(self, parent, site);
}

/*
 * Begins at `now`, or, when that is 0, at the moment when all else is done,
 * so that looking up and probing fall to the parent.
 */
static prof_scope begin_at(prof_site *handle, uint64_t now)
{
    /* Acquired: what the start prepared is there for who sees it on. */
    if (!__atomic_load_n(&prof_active, __ATOMIC_ACQUIRE))
        return PROF_SCOPE_NONE;
    profi_thread *self = attached();
    if (self == NULL)
        return enter_unattached();
    if (profi_is_busy(self)) {
        PROFI_RAISE(self->lost, 1u);
        return PROF_SCOPE_NONE;
    }
    profi_site *site = is_in_overflow(self) ? NULL : profi_site_of(handle);
    profi_readings readings;
    readings.wanted = 0;
    if (site != NULL && site->probes != 0) {
        read_probes(site->probes, &readings);
        self = attached();
        if (self == NULL)
            return enter_unattached();
        site = is_in_overflow(self) ? NULL : site;
    }
    profi_step_away();
    profi_node *node = site != NULL ? find_node(self, site) : NULL;
    prof_scope lost = node == NULL ? enter_overflow(self) : PROF_SCOPE_NONE;
    profi_come_back(self);
    if (node == NULL)
        return lost;
    profi_node *previous = self->current->last;
    if (previous != &profi_nobody)
        previous->follower = node;
    *profi_guess_at(self, self->current, (uintptr_t)site) = node;
    if (node->watch != NULL) {
        PROFI_PUT(self->current, self->busy);
        profi_kept_begin(self, node);
    }
    /*
     * First: a signal handler's scopes then lie below, and leave the node alone.  A node's first call comes through
     * here: released, so that who finds it through `current` sees it whole.
     */
    __atomic_store_n(&self->current, node, __ATOMIC_RELEASE);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    profi_measures_begin(node->measures, site->probes, &readings);
    if (site->asks_levels)
        node->level_depth = profi_level_begin(self, node);
    if (profi_is_listened_to())
        now = profi_tell_begin(node, now);
    if (node->sample != NULL && !profi_sample_wants(self, node))
        PROFI_RELEASE(node->start, PROFI_UNTIMED);
    else
        PROFI_RELEASE(node->start, now ? now : profi_clock_now());
    return (prof_scope){ token_of(node) };
}

uint64_t profi_thread_depth(const profi_thread *self)
{
    if (self == &profi_detached || self == &profi_away)
        return profi_unattached_depth;
    uint64_t depth = is_in_overflow(self) ? self->overflow_depth : 0;
    const profi_node *node = is_in_overflow(self) ? self->overflow.parent : self->current;
    for (; node != &self->root; node = node->parent)
        depth++;
    return depth;
}

/* An end that matches no open scope of this thread. */
static void count_unmatched(profi_thread *self)
{
    uint64_t left = PROFI_GET(profi_ends_to_ignore);
    while (left != 0)
        if (__atomic_compare_exchange_n(&profi_ends_to_ignore, &left, left - 1, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return;
    PROFI_RAISE(*(self != &profi_detached ? &self->unmatched : &profi_the_roots->unattached_unmatched), 1u);
}

/* Whether `node` is the thread's own and open, inside `from` or `from` itself.  The pointer is compared, never followed. */
static int is_open(const profi_thread *self, const profi_node *node, const profi_node *from)
{
    for (; from != &self->root; from = from->parent)
        if (from == node)
            return 1;
    return 0;
}

/* The open node that a token names, or NULL.  What is lost inside it is closed, so that the thread stands on a node. */
static const profi_node *open_node_of(profi_thread *self, prof_scope scope)
{
    const profi_node *node = (const profi_node *)(scope.place & ~PROFI_TOKEN_SLOW);
    if (self == &profi_detached)
        return NULL;
    if (is_in_overflow(self) && is_open(self, node, self->overflow.parent)) {
        PROFI_RAISE(self->repaired, self->overflow_depth);
        leave_overflow(self, self->overflow_depth);
    }
    return !is_in_overflow(self) && is_open(self, node, self->current) ? node : NULL;
}

/* The probes of `from` and all scopes around it down to `last`. */
static uint64_t probes_of(const profi_node *from, const profi_node *last)
{
    uint64_t probes = 0;
    for (; from != last; from = from->parent)
        probes |= from->site->probes;
    return probes;
}

/* Of the scopes from `from` to `last`, before probes are read, whose time is not theirs. */
static void tell_ends(profi_node *from, const profi_node *last)
{
    for (const profi_node *end = last->parent; from != end; from = from->parent)
        if (from->is_told)
            profi_tell_end(from);
}

static void end_at(prof_scope scope, uint64_t now)
{
    profi_thread *self = profi_self;
    if (self == &profi_away) /* its scope was closed when the thread's data was handed over */
        return;
    uint64_t lost = levels_to_leave(0, scope, profi_unattached_depth);
    if (lost != 0) {
        PROFI_RAISE(profi_the_roots->unattached_repaired, lost - 1);
        profi_unattached_depth -= lost;
        return;
    }
    if (self == &profi_detached || profi_is_busy(self)) {
        count_unmatched(self);
        return;
    }
    lost = is_in_overflow(self) ? levels_to_leave((uintptr_t)&self->overflow, scope, self->overflow_depth) : 0;
    if (lost != 0) {
        PROFI_RAISE(self->repaired, lost - 1);
        leave_overflow(self, lost);
        return;
    }
    const profi_node *node = open_node_of(self, scope);
    if (profi_is_listened_to() && node != NULL)
        tell_ends(self->current, node);
    uint64_t probes = node != NULL ? probes_of(self->current, node->parent) : 0;
    profi_readings readings;
    readings.wanted = 0;
    if (probes != 0) {
        read_probes(probes, &readings);
        self = profi_self;
        node = open_node_of(self, scope);
    }
    if (node == NULL) {
        count_unmatched(self);
        return;
    }
    for (; self->current != node; PROFI_RAISE(self->repaired, 1u))
        close_current(self, now, &readings);
    close_current(self, now, &readings);
}

/* Where the thread stands when what is lost is left out. */
static profi_node *innermost_node(const profi_thread *self)
{
    return is_in_overflow(self) ? self->overflow.parent : self->current;
}

/* The innermost open scope of a thread that ends while it closes one: a signal handler ended it, or a cancellation. */
static profi_node *innermost_open(profi_thread *self)
{
    profi_node *stand = &self->root;
    for (profi_node *child = stand->first_child; child != NULL;) {
        if (child->start == 0) {
            child = child->next_sibling;
        } else {
            stand = child;
            child = stand->first_child;
        }
    }
    return stand;
}

void profi_thread_close_all(profi_thread *self)
{
    uint64_t now = profi_clock_now();
    if (profi_is_busy(self))
        PROFI_PUT(self->current, innermost_open(self));
    if (self->cell == self->cell_end) { /* it ended before it found room for the next event */
        profi_step_away();
        profi_ring_turn(self);
        profi_come_back(self);
    }
    uint64_t probes = probes_of(innermost_node(self), &self->root);
    profi_readings readings;
    readings.wanted = 0;
    if (probes != 0)
        read_probes(probes, &readings);
    if (profi_self != self)
        return;
    if (is_in_overflow(self)) {
        PROFI_RAISE(self->repaired, self->overflow_depth);
        leave_overflow(self, self->overflow_depth);
    }
    for (; self->current != &self->root; PROFI_RAISE(self->repaired, 1u))
        close_current(self, now, &readings);
}

prof_scope profi_begin_slow(prof_site *site)
{
    return site != NULL ? begin_at(site, 0) : PROF_SCOPE_NONE;
}

static void (*gpu_wait)(void);

void profi_record_gpu_wait(void (*wait)(void)) { PROFI_RELEASE(gpu_wait, wait); }

/* Before the clock is read: the wait is the innermost scope's, if that asks for it. */
static void wait_if_asked(void)
{
    const profi_node *node = profi_self->current;
    void (*wait)(void) = PROFI_ACQUIRE(gpu_wait);
    if (wait == NULL || node->site == NULL || !(node->site->flags & PROF_SITE_GPU_SYNC))
        return;
    PROFI_NO_CANCELLATION;
    int saved = errno;
    wait();
    errno = saved;
}

void profi_end_slow(prof_scope scope)
{
    if (scope.place == 0)
        return;
    wait_if_asked();
    end_at(scope, profi_clock_now());
}

prof_scope profi_phase_slow(prof_scope scope, prof_site *site)
{
    if (scope.place != 0)
        wait_if_asked();
    uint64_t now = profi_clock_now();
    if (scope.place != 0)
        end_at(scope, now);
    return site != NULL ? begin_at(site, now) : PROF_SCOPE_NONE;
}

void prof_end_current(void)
{
    profi_thread *self = profi_self;
    if (self == &profi_away)
        return;
    if (profi_unattached_depth != 0) {
        profi_unattached_depth--;
        return;
    }
    if (self == &profi_detached || self->current == &self->root || profi_is_busy(self)) {
        if (profi_is_recording()) /* while stopped, begins have recorded nothing to end */
            count_unmatched(self);
        return;
    }
    prof_end(is_in_overflow(self) ? lost_token((uintptr_t)&self->overflow, self->overflow_depth)
                                  : (prof_scope){ token_of(self->current) });
}

void prof_items(uint64_t count, const char *unit)
{
    profi_thread *self = profi_self;
    profi_node *node = self->current;
    if (node->site == NULL) /* the root, the overflow node, or not attached */
        return;
    PROFI_RAISE(node->items, count); /* a handler's may come between */
    if (unit != NULL && PROFI_UNLIKELY(PROFI_GET(node->site->unit) == NULL))
        profi_site_set_unit(node->site, unit);
    if (PROFI_UNLIKELY(node->is_told))
        profi_tell_items(node, count, unit);
}

void *profi_turn_slow(void *stand)
{
    profi_thread *self = profi_self;
    profi_ring_turn(self);
    PROFI_RELEASE(self->current, (profi_node *)stand);
    return stand;
}

/* The same for programs that inline the hot path. */
void *prof_inline_turn_1(void *stand)
{
    return profi_turn_slow(stand);
}
