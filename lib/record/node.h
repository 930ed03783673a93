/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data that scopes leave behind, and its one rule: a thread's tree has
 * one writer, the thread.  Only record/ knows these layouts.
 *
 *     thread                       node (root)
 *     +---------+                  +--------+   first_child   +--------+ next_sibling
 *     | current |---------.        |        |---------------->| load   |--------> ...
 *     | root    |          \       +--------+                 +--------+
 *     | overflow|           \                                     | first_child
 *     | tables  |            `------------------------------> +--------+
 *     +---------+            where the thread stands          | parse  |--> histogram of
 *                                                             +--------+    (thread, site)
 *
 * A node stands for one path of sites from the thread's root.  It is open at
 * most once at any time, so its start is stored in it and its address is the
 * scope's token.
 *
 * Other threads (a snapshot, under the registry's lock) read nodes while the
 * owner writes.  They find nodes by first_child and next_sibling, which are
 * stored with release after all else in the node.  In which order the owner
 * stores figures, and how a reader gets those of one moment, stands in copy.c.
 */
#ifndef PROFI_NODE_H
#define PROFI_NODE_H

#include "../base/base.h"
#include "../base/bucket.h"
#include "../base/listener.h"
#include "../base/probe_table.h"
#include "../base/table.h"
#include "ring.h"
#include <profcore/inline.h>

/* What the library knows of a site: made once, never freed, so its address is the site's identity. */
typedef struct profi_site {
    profi_entry by_text;
    uint32_t id;    /* 0, 1, …: order of first use */
    uint32_t flags; /* PROF_SITE_…, of the first site of this text */
    uint32_t line;
    uint32_t sample_every; /* with PROF_SITE_SAMPLED: one call in so many is timed */
    uint64_t probes;       /* rows of the probe table that calls are measured by, as bits */
    uint32_t rule_origin; /* PROFI_RULE_…; its calls are kept by a rule, as far as it goes */
    uint32_t asks_levels; /* its calls are told to levels.h */
    const char *name;
    const char *file; /* NULL: none */
    const char *unit; /* of its items; NULL until given; set once, with release */
    prof_site handle; /* what prof_site_get() returns */
    /* The rule by which calls are kept, and what it counts, on all threads: see kept.c. */
    uint64_t slower_than_ns, every_nth, outer_calls;
    profi_listened listened; /* what a listener keeps: see listen.h */
} profi_site;

/*
 * What a sampled site's node keeps beside: of its first PROFI_SAMPLE_WARM
 * calls all are timed, of the later ones one in `every`, at random.
 */
typedef struct profi_sample {
    uint64_t first;         /* of the calls that ended, the first ones */
    uint64_t timed, total;  /* calls timed after those, and their ticks */
    double squares;         /* sum of the squares of those ticks */
} profi_sample;

static inline uint64_t profi_sample_timed(const profi_sample *sample) { return PROFI_GET(sample->first) + PROFI_GET(sample->timed); }

/* Where a site's rule is from; a greater one is not replaced by a lesser. */
enum { PROFI_RULE_NONE, PROFI_RULE_IN_CODE, PROFI_RULE_BY_NAME };

typedef struct profi_watch profi_watch;

typedef struct profi_node profi_node;
struct profi_node {
    /* As prof_inline_node, which says what they are.  The first line holds what a begin and an end touch. */
    uintptr_t key; /* the site's address where the fast path may serve this node, else PROFI_KEY_NONE */
    profi_node *parent; /* NULL in a root */
    profi_node *last;
    profi_node *follower;
    uint64_t start; /* PROFI_UNTIMED: open, but not timed */
    uint64_t calls, total;
    uint64_t *histogram; /* PROFI_BUCKET_COUNT counts of (thread, site); NULL: no memory for one */
    uint64_t min, max;
    uint64_t *pending; /* &histogram[0], a bucket of no duration, before the first call */
    uint64_t event;
    /* A sampled site's calls touch these two. */
    uintptr_t sampled_key; /* as key, for calls that may go untimed */
    uint64_t countdown;    /* calls until the next that is timed; 0 while all are */
    /* What is cold. */
    profi_site *site;
    profi_node *first_child, *next_sibling;
    uint64_t items;
    profi_measure *measures; /* one for each of site->probes, or NULL when there is none */
    profi_sample *sample; /* NULL when all calls are timed */
    profi_watch *watch;  /* where a rule may keep its calls; else NULL; the owner's alone */
    profi_entry by_path; /* in the thread's table; the owner's alone */
    uint32_t context;     /* its path's number, see contexts.h; 0: not asked for yet; the owner's alone, as what follows */
    uint32_t is_told : 1; /* the listener was told of its beginning, and not of its end yet */
    uint32_t level_depth : 31; /* of its open call: see profi_level_begin(); 0: none was told */
};
_Static_assert(sizeof(profi_node) <= 192, "a node is at most 192 bytes");
_Static_assert(offsetof(profi_node, min) == 64, "begin and end stay on two lines");

#define PROFI_UNTIMED ((uint64_t)1)

/* Not the address of any site, nor NULL, which is what a site holds before its first use. */
#define PROFI_KEY_NONE ((uintptr_t)1)

/* Likewise, of a node whose figures have been added to another's. */
#define PROFI_KEY_FOLDED ((uintptr_t)2)

/*
 * Set in the token of a node that must end on the slow path: it has probes, a
 * watch, or no histogram, or is sampled, or the clock is not ticks.  The hot
 * compare then fails by itself.
 */
#define PROFI_TOKEN_SLOW ((uintptr_t)1)

/* What one thread keeps for one site, over all paths. */
typedef struct profi_thread_site profi_thread_site;
struct profi_thread_site {
    profi_entry by_site;     /* in the thread's table; the owner's alone */
    profi_thread_site *next; /* older; fixed before readers can see this one */
    profi_site *site;
    uint64_t *histogram;
};

/* What one thread keeps for one site that was given values.  One writer; doubles are stored as their bits. */
typedef struct profi_counter profi_counter;
struct profi_counter {
    profi_entry by_site;
    profi_counter *next; /* as in profi_thread_site */
    profi_site *site;
    uint64_t count, not_finite_count;
    uint64_t last_tick;
    uint64_t last, sum, min, max; /* of the finite values; min and max start at the infinities */
};

/* What one thread keeps for one site whose spans it ended.  One writer; durations in ticks. */
typedef struct profi_span_total profi_span_total;
struct profi_span_total {
    profi_entry by_site;
    profi_span_total *next; /* as in profi_thread_site */
    profi_site *site;
    uint64_t count, total, min, max;
    uint64_t *histogram; /* PROFI_BUCKET_COUNT counts; NULL: no memory for one */
};

enum { PROFI_GUESS_BITS = 8, PROFI_GUESSES = 1 << PROFI_GUESS_BITS };

typedef struct profi_thread profi_thread;
struct profi_thread {
    /* As prof_inline_thread. */
    profi_node *current; /* its innermost open scope, the overflow node, the busy node, or root */
    profi_node *busy;    /* &busy_node */
    prof_inline_cell *cell, *cell_end;
    uint64_t event_min, filtered;

    uint64_t lost, repaired, unmatched;
    uint64_t backward;       /* scopes that the clock says ended before they began: counted with duration 0 */
    uint64_t probe_ticks;    /* spent in reading probes */
    uint64_t lost_values;    /* of counters, and events beside scopes */
    uint64_t overflow_depth; /* scopes open in the overflow node */
    uint64_t random;         /* state of the generator that picks calls of sampled sites */
    profi_watch *open_watch; /* the innermost; no site has two */
    profi_node root;
    profi_node overflow; /* stands for every scope that got no node; its parent is where it was entered */
    profi_node busy_node; /* fits nothing: what a signal handler finds while a scope is being closed */
    profi_ring ring;
    profi_table paths;   /* profi_node.by_path */
    profi_table sites;   /* profi_thread_site.by_site */
    profi_table counters; /* profi_counter.by_site */
    profi_table spans;    /* profi_span_total.by_site */
    profi_thread_site *first_site; /* newest first; stored with release */
    profi_counter *first_counter;  /* likewise */
    profi_span_total *first_span;  /* likewise */
    profi_thread *previous, *next; /* in the registry */
    uint64_t number;     /* from 1, never given twice */
    int32_t tid;
    uint32_t ending_rounds; /* of its destructors that have come by */
    uint32_t exited; /* 1 in the one that gathers what exited threads left */
    uint32_t is_ours; /* the library's own, such as one that fetches GPU work: none that the program has */
    struct profi_level_log *level_log; /* NULL before the first call that asks */
    profi_node *guesses[PROFI_GUESSES]; /* see profi_guess_at(); the owner's alone */
};

/*
 * Where the child of `parent` for a site may be found when it is not the
 * follower, as in code that branches: a hint like that, which a node's key and
 * parent confirm or not.
 */
static inline profi_node **profi_guess_at(profi_thread *self, const profi_node *parent, uintptr_t intern)
{
    const uint64_t golden = 0x9e3779b97f4a7c15u;
    uint64_t hash = ((uintptr_t)parent + 3 * intern) * golden;
    return &self->guesses[hash >> (64 - PROFI_GUESS_BITS)];
}

/*
 * The thread that calls: &profi_detached before its first scope; &profi_away
 * while it holds locks or is half way through changing its tables, and after
 * its data has been handed over.  A signal handler that records finds
 * &profi_away there, which fits no hot compare, and its scopes count as lost.
 */
#define profi_self ((profi_thread *)prof_inline_self_1)
static inline void profi_become(profi_thread *thread) { prof_inline_self_1 = thread; }
extern profi_thread profi_detached, profi_away;

/* Its `last` and `follower` are itself and its key fits no site: it stands where a null check would. */
extern profi_node profi_nobody;

static inline int profi_is_recording(void) { return PROFI_GET(prof_active) != 0; }

/*
 * Tells whether the caller interrupts the thread while it closes a scope: only
 * a signal handler can.  The two stand-ins above have no busy node.
 */
static inline int profi_is_busy(const profi_thread *self) { return self->current == self->busy; }

/* Whether the next call of a sampled node is one of those that are not timed; counts down to the one that is. */
static inline int profi_sample_skips(profi_node *node)
{
    if (node->countdown <= 1)
        return 0;
    node->countdown--;
    return 1;
}

/* The rare cases of the hot functions: see slow.c. */
PROFI_COLD prof_scope profi_begin_slow(prof_site *site);
PROFI_COLD void profi_end_slow(prof_scope scope);
PROFI_COLD prof_scope profi_phase_slow(prof_scope scope, prof_site *site);
PROFI_COLD void *profi_turn_slow(void *stand);

#endif
