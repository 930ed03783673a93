/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an exited thread leaves is folded into one tree, `exited`: nodes and
 * histograms that this tree lacks are moved there, the rest is added up and
 * freed.  No step of it allocates more than a table's buckets, so it works
 * when memory is spent, and memory does not grow with the threads that pass.
 */
#include "tree.h"

#include "../base/region.h"
#include "roots.h"

/* Adds a node's sample to that of an equal path, before its calls are: one that has none timed all its calls. */
static void add_sample(profi_node *into, profi_node *from)
{
    if (into->sample != NULL && from->sample != NULL) {
        into->sample->first += from->sample->first;
        into->sample->timed += from->sample->timed;
        into->sample->total += from->sample->total;
        into->sample->squares += from->sample->squares;
    } else if (into->sample != NULL) {
        into->sample->first += from->calls;
    } else if (from->sample != NULL) {
        into->sample = from->sample;
        into->sample->first += into->calls;
        from->sample = NULL;
    }
}

/* Adds a node's figures to those of an equal path. */
static void add_figures(profi_node *into, profi_node *from)
{
    add_sample(into, from);
    into->calls += from->calls;
    into->total += from->total;
    into->items += from->items;
    into->min = profi_min_u64(into->min, from->min);
    into->max = profi_max_u64(into->max, from->max);
    if (from->histogram == NULL && from->calls != 0)
        into->histogram = NULL; /* nobody records here: it only says whether all calls are in one */
    for (unsigned i = 0; i < profi_measure_count(from->site->probes); i++)
        profi_measure_merge(&into->measures[i], &from->measures[i]);
}

/* The same, so that who finds the process killed in the middle of it knows whether they are there: see roots.h. */
static void move_figures(profi_node *into, profi_node *from)
{
    profi_fold *fold = &profi_the_roots->fold;
    fold->from = from;
    fold->calls = into->calls;
    fold->total = into->total;
    fold->min = into->min;
    fold->max = into->max;
    fold->items = into->items;
    __atomic_store_n(&fold->into, into, __ATOMIC_RELEASE);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    add_figures(into, from);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&from->key, PROFI_KEY_FOLDED, __ATOMIC_RELEASE);
    __atomic_store_n(&fold->into, NULL, __ATOMIC_RELEASE);
}

/* How far the end of a thread is. */
static void note_fold(profi_thread *thread, uint32_t state)
{
    profi_fold *fold = &profi_the_roots->fold;
    fold->thread = thread;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&fold->state, state, __ATOMIC_RELEASE);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/*
 * Gives each node its place in `exited`: the equal path that is there
 * already, which takes its figures, or the node itself, moved.  `last` leads
 * from a node to its counterpart there.
 */
static void fold_tree(profi_thread *thread)
{
    profi_node *first = profi_tree_list(thread);
    thread->root.last = &profi_the_roots->exited.root;
    profi_the_roots->fold.first = first;
    note_fold(thread, PROFI_FOLD_TREE);
    for (profi_node *node = first; node != NULL; node = node->follower) {
        profi_node *parent = node->parent->last;
        if (node->histogram != NULL) {
            const profi_thread_site *kept = profi_tree_site(&profi_the_roots->exited, node->site); /* else its own will be kept */
            *node->pending += 1;
            node->pending = node->histogram = kept != NULL ? kept->histogram : node->histogram;
        }
        profi_watch_free(node->watch); /* nobody calls here any more */
        node->watch = NULL;
        node->last = profi_tree_find(&profi_the_roots->exited, parent, node->site);
        if (node->last != NULL) {
            move_figures(node->last, node);
        } else {
            node->last = node;
            node->first_child = NULL; /* its children are on the list and follow */
            profi_tree_link(&profi_the_roots->exited, parent, node);
        }
    }
    profi_spans_fold_begin(thread);
    note_fold(thread, PROFI_FOLD_SPANS);
    for (profi_node *node = first, *next; node != NULL; node = next) {
        next = node->follower;
        if (node->last != node)
            profi_tree_free_node(node);
    }
}

static void fold_sites(profi_thread *thread)
{
    for (profi_thread_site *kept = thread->first_site, *next; kept != NULL; kept = next) {
        profi_thread_site *same = profi_tree_site(&profi_the_roots->exited, kept->site);
        next = kept->next;
        if (same == NULL) {
            profi_tree_add_site(&profi_the_roots->exited, kept);
            continue;
        }
        for (unsigned i = 0; i < PROFI_BUCKET_COUNT; i++)
            same->histogram[i] += kept->histogram[i];
        profi_tree_free_site(kept);
    }
}

void profi_thread_fold_begin(profi_thread *thread)
{
    note_fold(thread, PROFI_FOLD_WHOLE);
}

void profi_thread_fold(profi_thread *thread)
{
    profi_thread *exited = &profi_the_roots->exited;
    fold_tree(thread);
    profi_spans_fold(exited, thread);
    note_fold(thread, PROFI_FOLD_COUNTERS);
    fold_sites(thread);
    profi_counters_fold(exited, thread);
    exited->lost += thread->lost;
    exited->probe_ticks += thread->probe_ticks;
    exited->lost_values += thread->lost_values;
    exited->backward += thread->backward;
    exited->repaired += thread->repaired;
    exited->unmatched += thread->unmatched;
    profi_table_fini(&thread->paths);
    profi_table_fini(&thread->sites);
    note_fold(NULL, PROFI_FOLD_NONE);
    profi_region_free(thread, sizeof(*thread), PROFI_REGION_TREE);
}
