/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A copy of everything that was recorded, for the layers above, taken while
 * threads record: see node.h for what a reader may see.
 *
 * A scope that is open has only its start; its node's figures are those of
 * the calls that ended.  One that began after the copy did is left out, so
 * that a parent copied before it does not miss it.
 *
 * A node's figures are read as of one moment, without its thread's help.  The
 * thread stores, each with release and so in this order:
 *
 *     begin: start = S                       end: current = busy, start = 0, total, min, max,
 *                                                 calls = n + 1, current = the parent
 *
 * and the reader loads with acquire calls, start, the figures, current, and
 * then calls and start once more.  Calls must not have changed; then
 *
 *  - with the same start S both times, the call is open and not in the
 *    figures: had one of them been of its end, the start would be 0 by then;
 *    and S was stored behind the figures and the count of the calls before.
 *  - with start 0 and a thread that is not busy, no call is between its end
 *    and its count: had the 0, or a figure, been of an end that is not counted
 *    in `calls`, then `current` is that end's busy node, or what was stored
 *    later, and that is behind the count, which had changed then.
 *
 * Else the reader looks again, and now and then yields, since the thread may
 * have been switched out in the middle of an end.  It does not wait for ever:
 * after so many looks at one thread a node is taken as it was seen, and not as
 * open.  The one call that ends just then may be missing, or its time may be
 * there without it; it is never there twice, and the next snapshot has it.
 *
 * The bucket of a node's last call stands in `pending` until the next call
 * counts it; here it is counted at once.
 */
#include "cold.h"
#include "kept.h"
#include "roots.h"

#include "../base/array.h"
#include "../base/error.h"
#include "../base/system.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct copier {
    profi_record_copy *copy;
    size_t node_room, bucket_room, thread_room, measure_room, counter_room, span_room;
    unsigned failed_looks; /* at nodes of the thread that is being copied */
    unsigned yields;       /* in all */
} copier;

/* Few, since threads that end wait for a snapshot: the looks at a thread take some 0.1 ms in all. */
enum { LOOKS_BEFORE_YIELD = 100, MOST_FAILED_LOOKS = 5000, MOST_YIELDS = 20 };

uint32_t profi_record_site_count(void)
{
    return profi_site_count();
}

profi_site_view profi_record_site_view(uint32_t id)
{
    const profi_site *site = profi_site_by_id(id);
    profi_site_view view = { .name = site->name, .file = site->file, .line = site->line,
                             .unit = __atomic_load_n(&site->unit, __ATOMIC_ACQUIRE), .flags = site->flags,
                             .probes = site->probes };
    if (PROFI_GET(site->rule_origin) != PROFI_RULE_NONE)
        view.flags |= PROF_SITE_SAVE_IF;
    return view;
}

static int copy_sites(profi_site_view **sites, size_t *site_count)
{
    uint32_t count = profi_site_count();
    *sites = calloc(count ? count : 1, sizeof(**sites));
    if (*sites == NULL)
        return 0;
    *site_count = count;
    for (uint32_t i = 0; i < count; i++)
        (*sites)[i] = profi_record_site_view(i);
    return 1;
}

static int copy_measures(copier *c, const profi_node *node)
{
    profi_record_copy *copy = c->copy;
    for (unsigned i = 0; i < profi_measure_count(node->site->probes); i++) {
        const profi_measure *from = &node->measures[i];
        if (!profi_array_grow(&copy->measures, &c->measure_room, copy->measure_count, sizeof(*copy->measures)))
            return 0;
        copy->measures[copy->measure_count++] =
            (profi_measure){ .is_bound = PROFI_GET(from->is_bound), .call_count = PROFI_GET(from->call_count),
                             .failed_count = PROFI_GET(from->failed_count), .sum = PROFI_GET(from->sum),
                             .top = PROFI_GET(from->top) };
    }
    return 1;
}

static int add_bucket(copier *c, profi_bucket_copy bucket)
{
    profi_record_copy *copy = c->copy;
    if (!profi_array_grow(&copy->buckets, &c->bucket_room, copy->bucket_count, sizeof(*copy->buckets)))
        return 0;
    copy->buckets[copy->bucket_count++] = bucket;
    return 1;
}

static int copy_pending(copier *c, const profi_node *node)
{
    size_t index = node->histogram != NULL ? (size_t)(PROFI_GET(node->pending) - node->histogram) : 0;
    return index == 0 || add_bucket(c, (profi_bucket_copy){ node->site->id, (uint16_t)index, 0, 1 });
}

static void copy_sample(profi_node_copy *into, const profi_sample *sample)
{
    double squares;
    __atomic_load(&sample->squares, &squares, __ATOMIC_ACQUIRE);
    into->sampled_squares = squares;
    into->first_calls = PROFI_ACQUIRE(sample->first);
    into->sampled_calls = PROFI_ACQUIRE(sample->timed);
    into->sampled_total = PROFI_ACQUIRE(sample->total);
}

/* Returns whether what it has read is of one moment: see above. */
static int look_at_figures(profi_node_copy *into, const profi_thread *thread, const profi_node *node)
{
    into->calls = PROFI_ACQUIRE(node->calls);
    into->open_start = PROFI_ACQUIRE(node->start);
    into->total = PROFI_ACQUIRE(node->total);
    into->min = PROFI_ACQUIRE(node->min);
    into->max = PROFI_ACQUIRE(node->max);
    if (into->is_sampled)
        copy_sample(into, node->sample);
    int is_busy = PROFI_ACQUIRE(thread->current) == &thread->busy_node;
    if (PROFI_GET(node->calls) != into->calls)
        return 0;
    return into->open_start != 0 ? PROFI_GET(node->start) == into->open_start : !is_busy;
}

static void read_figures(copier *c, profi_node_copy *into, const profi_thread *thread, const profi_node *node)
{
    for (unsigned looks = 1; !look_at_figures(into, thread, node); looks++) {
        if (c->failed_looks == MOST_FAILED_LOOKS) {
            into->open_start = 0;
            return;
        }
        c->failed_looks++;
        if (looks % LOOKS_BEFORE_YIELD == 0 && c->yields < MOST_YIELDS) {
            c->yields++;
            sched_yield();
        }
    }
}

static int copy_node(copier *c, const profi_thread *thread, const profi_node *node, uint32_t parent)
{
    profi_record_copy *copy = c->copy;
    if (copy->node_count >= PROFI_NO_PARENT || !profi_array_grow(&copy->nodes, &c->node_room, copy->node_count, sizeof(*copy->nodes)))
        return 0;
    profi_node_copy *into = &copy->nodes[copy->node_count++];
    *into = (profi_node_copy){ .site = node->site->id, .parent = parent, .items = PROFI_GET(node->items),
                               .has_histogram = node->histogram != NULL, .is_sampled = node->sample != NULL,
                               .first_measure = copy->measure_count };
    read_figures(c, into, thread, node);
    into->is_open = into->open_start != 0 && into->open_start != PROFI_UNTIMED && into->open_start <= copy->now;
    return copy_measures(c, node) && copy_pending(c, node);
}

/* Parents before children, without recursion: the way back up leads over the copies' parents. */
static int copy_tree(copier *c, const profi_thread *thread, uint64_t *calls)
{
    const profi_node *node = __atomic_load_n(&thread->root.first_child, __ATOMIC_ACQUIRE);
    uint32_t parent = PROFI_NO_PARENT;
    size_t depth = 0;
    while (node != NULL) {
        if (!copy_node(c, thread, node, parent))
            return 0;
        uint32_t index = (uint32_t)(c->copy->node_count - 1);
        *calls += c->copy->nodes[index].calls + c->copy->nodes[index].is_open;
        const profi_node *child = __atomic_load_n(&node->first_child, __ATOMIC_ACQUIRE);
        if (child != NULL) {
            node = child;
            parent = index;
            depth++;
            continue;
        }
        while (node->next_sibling == NULL && depth > 0) {
            node = PROFI_GET(node->parent);
            parent = c->copy->nodes[parent].parent;
            depth--;
        }
        node = node->next_sibling;
    }
    return 1;
}

static int copy_histogram(copier *c, const uint64_t *histogram, const profi_site *site, uint16_t is_of_spans)
{
    for (uint16_t i = PROFI_BUCKET_FIRST; i < PROFI_BUCKET_COUNT; i++) {
        uint64_t count = PROFI_GET(histogram[i]);
        if (count != 0 && !add_bucket(c, (profi_bucket_copy){ site->id, i, is_of_spans, count }))
            return 0;
    }
    return 1;
}

static int copy_histograms(copier *c, const profi_thread *thread)
{
    const profi_thread_site *kept = __atomic_load_n(&thread->first_site, __ATOMIC_ACQUIRE);
    for (; kept != NULL; kept = kept->next)
        if (!copy_histogram(c, kept->histogram, kept->site, 0))
            return 0;
    return 1;
}

/* The histogram first, as for calls. */
static int copy_spans(copier *c, const profi_thread *thread)
{
    profi_record_copy *copy = c->copy;
    const profi_span_total *from = __atomic_load_n(&thread->first_span, __ATOMIC_ACQUIRE);
    for (; from != NULL; from = from->next) {
        if (!profi_array_grow(&copy->spans, &c->span_room, copy->span_count, sizeof(*copy->spans)) ||
            (from->histogram != NULL && !copy_histogram(c, from->histogram, from->site, 1)))
            return 0;
        uint64_t count = __atomic_load_n(&from->count, __ATOMIC_ACQUIRE);
        copy->spans[copy->span_count++] =
            (profi_span_copy){ .site = from->site->id, .has_histogram = from->histogram != NULL, .count = count,
                               .total = PROFI_GET(from->total), .min = PROFI_GET(from->min), .max = PROFI_GET(from->max) };
    }
    return 1;
}

static int copy_counters(copier *c, const profi_thread *thread)
{
    profi_record_copy *copy = c->copy;
    const profi_counter *from = __atomic_load_n(&thread->first_counter, __ATOMIC_ACQUIRE);
    for (; from != NULL; from = from->next) {
        if (!profi_array_grow(&copy->counters, &c->counter_room, copy->counter_count, sizeof(*copy->counters)))
            return 0;
        copy->counters[copy->counter_count++] =
            (profi_counter_copy){ .site = from->site->id, .count = PROFI_GET(from->count),
                                  .not_finite_count = PROFI_GET(from->not_finite_count),
                                  .last_tick = PROFI_GET(from->last_tick), .last = profi_bits_double(PROFI_GET(from->last)),
                                  .sum = profi_bits_double(PROFI_GET(from->sum)),
                                  .min = profi_bits_double(PROFI_GET(from->min)),
                                  .max = profi_bits_double(PROFI_GET(from->max)) };
    }
    return 1;
}

void profi_record_thread_name(int32_t tid, char name[16])
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%d/comm", (int)tid);
    profi_read_text(path, name, 16);
    name[strcspn(name, "\n")] = '\0';
}

static int copy_thread(copier *c, const profi_thread *thread)
{
    profi_record_copy *copy = c->copy;
    if (!profi_array_grow(&copy->threads, &c->thread_room, copy->thread_count, sizeof(*copy->threads)))
        return 0;
    profi_thread_copy *into = &copy->threads[copy->thread_count++];
    *into = (profi_thread_copy){ .tid = thread->tid, .exited = thread->exited, .lost = PROFI_GET(thread->lost),
                                 .repaired = PROFI_GET(thread->repaired), .unmatched = PROFI_GET(thread->unmatched) };
    c->failed_looks = 0;
    /* Histograms first: what a thread adds meanwhile is then missing in them, never twice. */
    int ok = copy_histograms(c, thread) && copy_tree(c, thread, &into->calls) && copy_counters(c, thread) &&
             copy_spans(c, thread);
    copy->thread_count -= thread->is_ours && profi_thread_copy_is_empty(into);
    return ok;
}

/* Also of exited threads that left nothing else. */
static void add_counts(profi_record_copy *copy, const profi_thread *thread)
{
    copy->probe_ticks += PROFI_GET(thread->probe_ticks);
    copy->lost_values += PROFI_GET(thread->lost_values);
    copy->backward += PROFI_GET(thread->backward);
}

prof_status profi_record_take(profi_record_copy *copy, prof_error *err)
{
    copier c = { .copy = copy };
    *copy = (profi_record_copy){ 0 };
    int ok = 1;
    const profi_thread *thread = profi_registry_lock(); /* which may wait for another copy */
    copy->now = profi_clock_now();
    for (; ok && thread != NULL; thread = thread->next) {
        add_counts(copy, thread);
        if (!thread->exited || thread->root.first_child != NULL || thread->first_counter != NULL || thread->first_span != NULL)
            ok = copy_thread(&c, thread);
    }
    /* Sites last: a node copied above may be of a site that was new a moment ago. */
    ok = ok && copy_sites(&copy->sites, &copy->site_count);
    copy->lost_values += PROFI_GET(profi_the_roots->unattached_values);
    copy->kept_ticks = profi_kept_ticks();
    profi_registry_unlock();
    if (!ok) {
        profi_record_copy_fini(copy);
        return profi_fail(err, PROF_E_NO_MEMORY, "no memory for a snapshot of %zu call tree nodes", copy->node_count);
    }
    for (size_t i = 0; i < copy->thread_count; i++)
        if (!copy->threads[i].exited)
            profi_record_thread_name(copy->threads[i].tid, copy->threads[i].name);
    profi_record_stats(&copy->stats);
    return PROF_OK;
}

void profi_record_copy_fini(profi_record_copy *copy)
{
    free(copy->sites);
    free(copy->nodes);
    free(copy->threads);
    free(copy->buckets);
    free(copy->measures);
    free(copy->counters);
    free(copy->spans);
    copy->sites = NULL;
    copy->nodes = NULL;
    copy->threads = NULL;
    copy->buckets = NULL;
    copy->measures = NULL;
    copy->counters = NULL;
    copy->spans = NULL;
}

prof_status profi_events_take(profi_events_copy *copy, prof_error *err)
{
    *copy = (profi_events_copy){ 0 };
    if (!profi_rings_read(&copy->rings) || !copy_sites(&copy->sites, &copy->site_count)) {
        profi_events_copy_fini(copy);
        return profi_fail(err, PROF_E_NO_MEMORY, "no memory for a copy of the event rings");
    }
    for (uint64_t i = 0; i < copy->rings.ring_count; i++)
        profi_record_thread_name(copy->rings.rings[i].who.tid, copy->rings.rings[i].who.name);
    return PROF_OK;
}

void profi_events_copy_fini(profi_events_copy *copy)
{
    profi_rings_view_fini(&copy->rings);
    free(copy->sites);
    *copy = (profi_events_copy){ 0 };
}
