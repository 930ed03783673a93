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
 * stored with release after all else in the node; figures are relaxed, so a
 * reader may miss the last scope's part of one of them.  It is some
 * nanoseconds old then, never torn, and right in the next snapshot.
 */
#ifndef PROFI_NODE_H
#define PROFI_NODE_H

#include "../base/base.h"
#include "../base/bucket.h"
#include "../base/probe_table.h"
#include "../base/table.h"
#include <profcore/prof.h>

/* What the library knows of a site: made once, never freed, so its address is the site's identity. */
typedef struct profi_site {
    profi_entry by_text;
    uint32_t id;    /* 0, 1, …: order of first use */
    uint32_t flags; /* PROF_SITE_…, of the first site of this text */
    uint32_t line, reserved;
    const char *name;
    const char *file; /* NULL: none */
    const char *unit; /* of its items; NULL until given; set once, with release */
    prof_site handle; /* what prof_site_get() returns */
} profi_site;

typedef struct profi_node profi_node;
struct profi_node {
    /* The first line holds what a begin and an end touch. */
    uintptr_t key;       /* the site's address where the fast path may serve this node, else PROFI_KEY_NONE */
    profi_node *parent;  /* NULL in a root */
    profi_node *last;    /* the child that ran last */
    profi_node *follower; /* the sibling that ran after this node the last time: a guess at what comes next */
    uint64_t start;      /* ticks; set before the node becomes current, 0 from the moment its end begins to count */
    uint64_t calls;      /* that ended */
    uint64_t total;      /* ticks, of calls that ended */
    uint64_t *histogram; /* PROFI_BUCKET_COUNT counts of (thread, site); NULL: no memory for one */
    /* The second line: the extremes, and what is cold. */
    uint64_t min, max; /* ticks */
    profi_site *site;
    profi_node *first_child, *next_sibling;
    uint64_t items;
    profi_gauge *gauges; /* PROFI_PROBE_COUNT of them, or NULL when the site asks for none */
    profi_entry by_path; /* in the thread's table; the owner's alone */
};
_Static_assert(sizeof(profi_node) <= 192, "a node is at most 192 bytes");
_Static_assert(offsetof(profi_node, min) == 64, "begin and end stay on two lines");

/* Not the address of any site, nor NULL, which is what a site holds before its first use. */
#define PROFI_KEY_NONE ((uintptr_t)1)

/*
 * Set in the token of a node that must end on the slow path: it has gauges,
 * or no histogram, or the clock is not ticks.  The hot compare then fails by
 * itself.
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

typedef struct profi_thread profi_thread;
struct profi_thread {
    profi_node *current; /* where the thread stands: its innermost open scope, the overflow node, or root */
    uint64_t lost, repaired, unmatched;
    uint64_t gauge_ticks;    /* spent in reading gauges */
    uint64_t overflow_depth; /* scopes open in the overflow node */
    profi_node root;
    profi_node overflow; /* stands for every scope that got no node; its parent is where it was entered */
    profi_table paths;   /* profi_node.by_path */
    profi_table sites;   /* profi_thread_site.by_site */
    profi_thread_site *first_site; /* newest first; stored with release */
    profi_thread *previous, *next; /* in the registry */
    int32_t tid;
    uint32_t exited; /* 1 in the one that gathers what exited threads left */
};

/* The thread that calls; &profi_detached before its first scope and after its last. */
#define PROFI_TLS __thread __attribute__((tls_model("initial-exec"), visibility("hidden")))
extern PROFI_TLS profi_thread *profi_self;
extern profi_thread profi_detached;

/* Its `last` and `follower` are itself and its key fits no site: it stands where a null check would. */
extern profi_node profi_nobody;

/* prof_active as the library reads it: hidden, so no copy relocation moves it out of reach. */
extern uint32_t profi_recording;

static inline int profi_is_recording(void) { return PROFI_GET(profi_recording) != 0; }

/* Books one call that took `duration` ticks; `histogram` may be NULL.  In this order it is cheapest (measured). */
static inline void profi_node_count(profi_node *node, uint64_t *histogram, uint64_t duration)
{
    __atomic_store_n(&node->calls, PROFI_GET(node->calls) + 1, __ATOMIC_RELEASE); /* after start: see copy.c */
    PROFI_ADD(node->total, duration);
    if (PROFI_UNLIKELY(duration < PROFI_GET(node->min)))
        PROFI_PUT(node->min, duration);
    if (PROFI_UNLIKELY(duration > PROFI_GET(node->max)))
        PROFI_PUT(node->max, duration);
    if (histogram != NULL)
        PROFI_ADD(histogram[profi_bucket_of(duration)], 1u);
}

/* The rare cases of the hot functions: see slow.c. */
PROFI_COLD prof_scope profi_begin_slow(prof_site *site);
PROFI_COLD void profi_end_slow(prof_scope scope);
PROFI_COLD prof_scope profi_phase_slow(prof_scope scope, prof_site *site);

#endif
