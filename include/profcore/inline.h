/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hot path of libprofcore, to be compiled into the program.
 *
 *     #define PROF_INLINE
 *     #include <profcore/prof.h>
 *
 * makes the macros of prof.h inline what prof_begin(), prof_end() and
 * prof_phase() do in the usual case, and call them in all others.  It saves
 * two calls a scope and ties the program to this layout of the library's
 * data: the symbols it needs end in the layout's number, so a library of
 * another layout fails to link or to load, and nothing is misread.  The
 * functions are there for as long as the ABI is.
 *
 * The library compiles its own prof_begin(), prof_end() and prof_phase() from
 * this header: there is one hot path.
 *
 * No lock, no allocation, no system call, no atomic read-modify-write, and
 * one compare for all that is rare.  Two rules keep it as cheap as the clock:
 *
 *  - No store goes to an address that depends on a clock read in the same
 *    call.  A processor may hold the next clock read back until the addresses
 *    of earlier stores are known (a quarter of a scope's cost, measured): so a
 *    call notes the bucket of its duration in `pending`, and the next call of
 *    the same node counts it.
 *  - All that follows a clock read is independent of it but for data that is
 *    stored, and then hides behind the next read.
 *
 * While a scope is being closed the thread stands at a node of its own,
 * `busy`, where nothing matches.  A signal handler that opens scopes just
 * then takes the slow path, which counts them as lost; everywhere else its
 * scopes are recorded like any others.
 */
#ifndef PROFCORE_INLINE_H
#define PROFCORE_INLINE_H

#include <profcore/prof.h>

#if defined(__GNUC__)

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A node of a thread's call tree, the part that begin and end touch.  One
 * writer, its thread; what other threads read is written by relaxed atomics.
 */
typedef struct prof_inline_node prof_inline_node;
struct __attribute__((may_alias)) prof_inline_node {
    uintptr_t key; /* equals a site's `intern` where this code may serve the node */
    prof_inline_node *parent;
    prof_inline_node *last;     /* the child that ran last */
    prof_inline_node *follower; /* the sibling that ran after this node the last time: a guess at what comes next */
    uint64_t start;             /* ticks; 0 while not open */
    uint64_t calls, total;      /* ended calls, and their ticks */
    uint64_t *histogram;
    uint64_t min, max;          /* ticks */
    uint64_t *pending;          /* the bucket of the last call, not counted yet */
    uint64_t event;             /* the first word of this node's cells */
};

/* An event of the ring. */
typedef struct __attribute__((may_alias)) prof_inline_cell {
    uint64_t what, start, end; /* start and end in ticks */
} prof_inline_cell;

typedef struct __attribute__((may_alias)) prof_inline_thread {
    prof_inline_node *current; /* where the thread stands */
    prof_inline_node *busy;    /* where it stands while a scope is being closed */
    prof_inline_cell *cell;    /* where the next event goes; cells before it are whole */
    prof_inline_cell *cell_end;
    uint64_t event_min;        /* ticks; shorter scopes write no event */
    uint64_t filtered;         /* of those */
} prof_inline_thread;

/* The calling thread's prof_inline_thread. */
PROF_API extern __thread void *prof_inline_self_1 __attribute__((tls_model("initial-exec")));

/* Room for events is used up: finds more, then lets the thread stand at `stand`, which it returns. */
PROF_API_HOT void *prof_inline_turn_1(void *stand);

/* What the library puts in place of these when it compiles its own functions. */
#ifndef PROF_INLINE_TICKS_
#define PROF_INLINE_TICKS_ prof_inline_ticks_
#define PROF_INLINE_BEGIN_SLOW_ prof_begin
#define PROF_INLINE_END_SLOW_ prof_end
#define PROF_INLINE_PHASE_SLOW_ prof_phase
#define PROF_INLINE_TURN_SLOW_ prof_inline_turn_1
#define PROF_INLINE_RARE_(condition) __builtin_expect(!!(condition), 0)

static inline uint64_t prof_inline_ticks_(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    return 0; /* no node has a key there, so nobody asks */
#endif
}
#endif

#define PROF_INLINE_GET_(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define PROF_INLINE_PUT_(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)
#define PROF_INLINE_RELEASE_(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELEASE)

/* 16 buckets an octave, below 976: PROF_BUCKET_COUNT's grid, on ticks; for a duration below 2^64 - 16. */
static inline unsigned prof_inline_bucket_(uint64_t duration)
{
    uint64_t x = duration + 16;
    unsigned shift = 59u - (unsigned)__builtin_clzll(x);
    return (shift << 4) + (unsigned)(x >> shift);
}

/*
 * Books the call of `node` that began at `start` and ends at `now`, writes
 * its event, and lets the thread stand at `stand`, which begins at `now` if
 * `is_phase`.
 *
 * A snapshot reads the node meanwhile.  The order of the released stores
 * tells it what it has seen (copy.c says how): first the thread is busy, then
 * the node is not open, its figures grow, its calls grow, and last the thread
 * is busy no more.
 */
static inline void *prof_inline_close_(prof_inline_thread *self, prof_inline_node *node, uint64_t start, uint64_t now,
                                       prof_inline_node *stand, int is_phase)
{
    uint64_t duration = now - start, *histogram = node->histogram, *pending = PROF_INLINE_GET_(node->pending);
    prof_inline_node *parent = node->parent;
    prof_inline_cell *cell;

    PROF_INLINE_PUT_(self->current, self->busy);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    cell = self->cell; /* not before: a signal handler's scopes would write there as well */
    PROF_INLINE_RELEASE_(node->start, 0u);
    PROF_INLINE_RELEASE_(node->total, PROF_INLINE_GET_(node->total) + duration);
    if (PROF_INLINE_RARE_(duration < PROF_INLINE_GET_(node->min)))
        PROF_INLINE_RELEASE_(node->min, duration);
    if (PROF_INLINE_RARE_(duration > PROF_INLINE_GET_(node->max)))
        PROF_INLINE_RELEASE_(node->max, duration);
    PROF_INLINE_RELEASE_(node->calls, PROF_INLINE_GET_(node->calls) + 1);
    if (is_phase)
        PROF_INLINE_RELEASE_(stand->start, now); /* two phases of one name share a node */
    PROF_INLINE_PUT_(*pending, PROF_INLINE_GET_(*pending) + 1);
    PROF_INLINE_PUT_(node->pending, histogram + prof_inline_bucket_(duration));
    parent->last = node;
    if (PROF_INLINE_RARE_(duration < self->event_min)) { /* a branch: the next event's place must not wait for the clock */
        PROF_INLINE_PUT_(self->filtered, PROF_INLINE_GET_(self->filtered) + 1);
    } else {
        PROF_INLINE_PUT_(cell->what, node->event);
        PROF_INLINE_PUT_(cell->start, start);
        PROF_INLINE_PUT_(cell->end, now);
        cell++;
        PROF_INLINE_RELEASE_(self->cell, cell);
        if (PROF_INLINE_RARE_(cell == self->cell_end))
            return PROF_INLINE_TURN_SLOW_(stand);
    }
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    PROF_INLINE_RELEASE_(self->current, stand);
    return stand;
}

/* As prof_begin(). */
static inline prof_scope prof_inline_begin(prof_site *site)
{
    prof_inline_thread *self = (prof_inline_thread *)prof_inline_self_1;
    prof_inline_node *node = self->current->last->follower;
    prof_scope scope;
    if (PROF_INLINE_RARE_(site == NULL || node->key != (uintptr_t)PROF_INLINE_GET_(site->intern) ||
                          PROF_INLINE_GET_(prof_active) == 0))
        return PROF_INLINE_BEGIN_SLOW_(site);
    PROF_INLINE_PUT_(self->current, node); /* first: a signal handler's scopes then lie below, and leave the start alone */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    PROF_INLINE_RELEASE_(node->start, PROF_INLINE_TICKS_()); /* behind the count of the calls before */
    scope.place = (uintptr_t)node;
    return scope;
}

/* As prof_end(). */
static inline void prof_inline_end(prof_scope scope)
{
    prof_inline_thread *self = (prof_inline_thread *)prof_inline_self_1;
    prof_inline_node *node = self->current;
    uint64_t start, now;
    if (PROF_INLINE_RARE_((uintptr_t)node != scope.place)) {
        PROF_INLINE_END_SLOW_(scope);
        return;
    }
    now = PROF_INLINE_TICKS_();
    start = PROF_INLINE_GET_(node->start);
    if (PROF_INLINE_RARE_(now < start)) { /* the clock went back */
        PROF_INLINE_END_SLOW_(scope);
        return;
    }
    prof_inline_close_(self, node, start, now, node->parent, 0);
}

/* As prof_phase(). */
static inline prof_scope prof_inline_phase(prof_scope scope, prof_site *site)
{
    prof_inline_thread *self = (prof_inline_thread *)prof_inline_self_1;
    prof_inline_node *node = self->current, *next = node->follower;
    uint64_t start, now;
    if (PROF_INLINE_RARE_(site == NULL || (uintptr_t)node != scope.place ||
                          next->key != (uintptr_t)PROF_INLINE_GET_(site->intern) || PROF_INLINE_GET_(prof_active) == 0))
        return PROF_INLINE_PHASE_SLOW_(scope, site);
    now = PROF_INLINE_TICKS_();
    start = PROF_INLINE_GET_(node->start);
    if (PROF_INLINE_RARE_(now < start))
        return PROF_INLINE_PHASE_SLOW_(scope, site);
    scope.place = (uintptr_t)prof_inline_close_(self, node, start, now, next, 1);
    return scope;
}

#ifdef __cplusplus
}
#endif

#endif /* __GNUC__ */

#endif /* PROFCORE_INLINE_H */
