/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The call trees in a dead process's file, and what hangs on them.
 *
 * If a thread was ending, its nodes were on their way into the tree of exited
 * threads.  They are on a list then, and each was either moved, which the
 * walk of that tree has shown; or added to another, which its key says; or
 * neither yet.  So each call is counted once, and likewise each span.
 */
#include "dead_reader.h"

#include "../base/array.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The address of something in the roots. */
static const void *in_roots(const profi_dead_reader *r, const void *member)
{
    return (const void *)(uintptr_t)(r->base + (uint64_t)((const char *)member - (const char *)r->roots));
}

static uint32_t *index_slot(const profi_dead_reader *r, const void *node)
{
    uint64_t place = (uint64_t)(uintptr_t)node - r->base;
    return place < r->bytes ? &r->index_of_node[place / 64] : NULL;
}

static void copy_sample(profi_dead_reader *r, profi_node_copy *into, const profi_node *node)
{
    const profi_sample *sample = profi_dead_at(r, node->sample, sizeof(*sample));
    if (sample == NULL)
        return;
    into->is_sampled = 1;
    into->first_calls = sample->first;
    into->sampled_calls = sample->timed;
    into->sampled_total = sample->total;
    into->sampled_squares = isfinite(sample->squares) && sample->squares >= 0 ? sample->squares : 0;
}

static void add_bucket(profi_dead_reader *r, uint32_t site, uint32_t index, uint16_t is_of_spans, uint64_t count)
{
    profi_record_copy *copy = &r->dead->record;
    if (!profi_array_grow(&copy->buckets, &r->bucket_room, copy->bucket_count, sizeof(*copy->buckets)))
        r->is_memory_spent = 1;
    else
        copy->buckets[copy->bucket_count++] = (profi_bucket_copy){ .site = site, .index = (uint16_t)index, .is_of_spans = is_of_spans, .count = count };
}

/* 0 where there is none that could be one. */
static int copy_histogram(profi_dead_reader *r, const void *address, uint32_t site, uint16_t is_of_spans)
{
    const uint64_t *histogram = profi_dead_claim(r, address, PROFI_BUCKET_COUNT * sizeof(*histogram));
    for (uint32_t i = PROFI_BUCKET_FIRST; histogram != NULL && i < PROFI_BUCKET_COUNT; i++)
        if (histogram[i] != 0)
            add_bucket(r, site, i, is_of_spans, histogram[i]);
    return histogram != NULL;
}

/* The figures that a node had before another's were half added to them. */
static void undo_half_a_fold(const profi_dead_reader *r, const profi_node *node, profi_node_copy *into)
{
    const profi_fold *fold = &r->roots->fold;
    const profi_node *from = fold->into != NULL ? profi_dead_at(r, fold->from, sizeof(*from)) : NULL;
    if (from == NULL || from->key == PROFI_KEY_FOLDED || profi_dead_at(r, fold->into, sizeof(*node)) != node)
        return;
    into->calls = fold->calls;
    into->total = fold->total;
    into->min = fold->min;
    into->max = fold->max;
    into->items = fold->items;
}

/* Copies a node; its index, or PROFI_NO_PARENT where it makes no sense or memory is spent. */
static uint32_t copy_node(profi_dead_reader *r, const void *address, const profi_node *node, uint32_t parent)
{
    profi_record_copy *copy = &r->dead->record;
    uint32_t site = profi_event_site(node->event), index = (uint32_t)copy->node_count;
    if (site >= copy->site_count || copy->node_count >= PROFI_NO_PARENT - 1) {
        r->dead->damage_count++;
        return PROFI_NO_PARENT;
    }
    if (!profi_array_grow(&copy->nodes, &r->node_room, copy->node_count, sizeof(*copy->nodes)) ||
        !profi_array_grow(&r->place_of_node, &r->place_room, copy->node_count, sizeof(*r->place_of_node))) {
        r->is_memory_spent = 1;
        return PROFI_NO_PARENT;
    }
    profi_node_copy *into = &copy->nodes[copy->node_count++];
    *into = (profi_node_copy){ .site = site, .parent = parent, .calls = node->calls, .total = node->total, .min = node->min,
                               .max = node->max, .items = node->items, .has_histogram = node->histogram != NULL };
    undo_half_a_fold(r, node, into);
    if (node->sample != NULL)
        copy_sample(r, into, node);
    if (node->start != 0 && node->start != PROFI_UNTIMED) {
        into->is_open = 1;
        into->open_start = node->start;
        profi_dead_saw(r, node->start);
    }
    uint64_t pending = ((uintptr_t)node->pending - (uintptr_t)node->histogram) / sizeof(uint64_t);
    if (node->histogram != NULL && pending >= PROFI_BUCKET_FIRST && pending < PROFI_BUCKET_COUNT)
        add_bucket(r, site, (uint32_t)pending, 0, 1);
    r->place_of_node[index] = (uint64_t)(uintptr_t)address;
    *index_slot(r, address) = index + 1;
    return index;
}

static const profi_node *sibling_of(const profi_dead_reader *r, uint32_t index)
{
    const profi_node *node = profi_dead_at(r, (const void *)(uintptr_t)r->place_of_node[index], sizeof(*node));
    return node->next_sibling;
}

/* Parents before children, by the copies' parents. */
static void copy_tree(profi_dead_reader *r, const profi_thread *thread)
{
    const profi_record_copy *copy = &r->dead->record;
    const void *next = thread->root.first_child;
    uint32_t parent = PROFI_NO_PARENT;
    while (!r->is_memory_spent) {
        while (next == NULL && parent != PROFI_NO_PARENT) {
            next = sibling_of(r, parent);
            parent = copy->nodes[parent].parent;
        }
        if (next == NULL)
            return;
        const void *address = next;
        const profi_node *node = profi_dead_claim(r, address, sizeof(*node));
        uint32_t index = node != NULL ? copy_node(r, address, node, parent) : PROFI_NO_PARENT;
        if (index == PROFI_NO_PARENT) { /* what lies below and beside it is out of reach */
            next = NULL;
            continue;
        }
        next = node->first_child;
        if (next != NULL)
            parent = index;
        else
            next = node->next_sibling;
    }
}

/* The nodes of a thread that was ending: see above. */
static void copy_folding(profi_dead_reader *r)
{
    const profi_fold *fold = &r->roots->fold;
    const void *own_root = (const char *)fold->thread + offsetof(profi_thread, root);
    const void *exited_root = in_roots(r, &r->roots->exited.root), *address = fold->first;
    for (uint64_t left = r->bytes / sizeof(profi_node); left > 0 && address != NULL && !r->is_memory_spent; left--) {
        const profi_node *node = profi_dead_at(r, address, sizeof(*node));
        if (node == NULL) {
            r->dead->damage_count++;
            return;
        }
        uint32_t *slot = index_slot(r, address), *to = index_slot(r, node->last), *above = index_slot(r, node->parent);
        int is_outermost = node->parent == own_root || node->parent == exited_root;
        if (node->key == PROFI_KEY_FOLDED)
            *slot = to != NULL ? *to : 0;
        else if (*slot == 0 && (is_outermost || (above != NULL && *above != 0)) &&
                 profi_dead_claim(r, address, sizeof(*node)) != NULL)
            copy_node(r, address, node, is_outermost ? PROFI_NO_PARENT : *above - 1);
        address = node->follower;
    }
}

static void copy_histograms(profi_dead_reader *r, const profi_thread *thread)
{
    const profi_thread_site *kept;
    for (const void *next = thread->first_site; next != NULL && !r->is_memory_spent; next = kept->next) {
        kept = profi_dead_claim(r, next, sizeof(*kept));
        if (kept == NULL)
            return;
        if (kept->by_site.hash < r->dead->record.site_count)
            copy_histogram(r, kept->histogram, (uint32_t)kept->by_site.hash, 0);
    }
}

static int is_finite_counter(const profi_counter_copy *counter)
{
    return isfinite(counter->last) && isfinite(counter->sum) && isfinite(counter->min) && isfinite(counter->max);
}

static void copy_counters(profi_dead_reader *r, const profi_thread *thread)
{
    profi_record_copy *copy = &r->dead->record;
    const profi_counter *from;
    for (const void *next = thread->first_counter; next != NULL; next = from->next) {
        from = profi_dead_claim(r, next, sizeof(*from));
        if (from == NULL)
            return;
        profi_counter_copy counter = { .site = (uint32_t)from->by_site.hash, .count = from->count,
                                       .not_finite_count = from->not_finite_count, .last_tick = from->last_tick,
                                       .last = profi_bits_double(from->last), .sum = profi_bits_double(from->sum),
                                       .min = profi_bits_double(from->min), .max = profi_bits_double(from->max) };
        if (from->by_site.hash >= copy->site_count || (counter.count != 0 && !is_finite_counter(&counter)))
            continue; /* one value may be half counted, where the process was killed */
        if (!profi_array_grow(&copy->counters, &r->counter_room, copy->counter_count, sizeof(*copy->counters))) {
            r->is_memory_spent = 1;
            return;
        }
        profi_dead_saw(r, counter.last_tick);
        copy->counters[copy->counter_count++] = counter;
    }
}

/* The figures that a site's spans had before another thread's were half added to them. */
static void undo_half_a_span(const profi_dead_reader *r, const void *address, profi_span_copy *into)
{
    const profi_fold *fold = &r->roots->fold;
    if (fold->span_into != address || fold->span_from != fold->span)
        return;
    into->count = fold->calls;
    into->total = fold->total;
    into->min = fold->min;
    into->max = fold->max;
}

static void copy_span(profi_dead_reader *r, const void *address, const profi_span_total *from)
{
    profi_record_copy *copy = &r->dead->record;
    profi_span_copy span = { .site = (uint32_t)from->by_site.hash, .has_histogram = from->histogram != NULL,
                             .count = from->count, .total = from->total, .min = from->min, .max = from->max };
    undo_half_a_span(r, address, &span);
    if (from->by_site.hash >= copy->site_count || (span.count != 0 && span.min > span.max)) {
        r->dead->damage_count++;
        return;
    }
    if (from->histogram != NULL && !copy_histogram(r, from->histogram, span.site, 1))
        span.has_histogram = 0;
    if (!profi_array_grow(&copy->spans, &r->span_room, copy->span_count, sizeof(*copy->spans)))
        r->is_memory_spent = 1;
    else
        copy->spans[copy->span_count++] = span;
}

static void copy_spans(profi_dead_reader *r, const void *next)
{
    while (next != NULL && !r->is_memory_spent) {
        const profi_span_total *from = profi_dead_claim(r, next, sizeof(*from));
        if (from == NULL)
            return;
        copy_span(r, next, from);
        next = from->next;
    }
}

/* Those of a thread that was ending: the first may have been moved, which the walk of the exited threads' has shown. */
static void copy_folding_spans(profi_dead_reader *r)
{
    const profi_fold *fold = &r->roots->fold;
    uint64_t damage = r->dead->damage_count;
    const profi_span_total *from = fold->span != NULL ? profi_dead_claim(r, fold->span, sizeof(*from)) : NULL;
    if (from != NULL)
        copy_span(r, fold->span, from);
    else
        r->dead->damage_count = damage;
    if (fold->span_next != fold->span)
        copy_spans(r, fold->span_next);
    else if (from != NULL)
        copy_spans(r, from->next);
}

/* The scopes that a thread had open, of the nodes from `first` on. */
static void collect_opens(profi_dead_reader *r, uint64_t thread, size_t first)
{
    const profi_record_copy *copy = &r->dead->record;
    profi_dead *dead = r->dead;
    for (size_t i = first; i < copy->node_count && !r->is_memory_spent; i++) {
        const profi_node *node = profi_dead_at(r, (const void *)(uintptr_t)r->place_of_node[i], sizeof(*node));
        if (!copy->nodes[i].is_open)
            continue;
        if (!profi_array_grow(&dead->opens, &r->open_room, dead->open_count, sizeof(*dead->opens))) {
            r->is_memory_spent = 1;
            return;
        }
        uint64_t what = profi_event_what(PROFI_EVENT_SCOPE, profi_event_level(node->event), copy->nodes[i].site);
        dead->opens[dead->open_count++] = (profi_open_cell){ thread, what, node->start };
    }
}

static void add_counts(profi_dead_reader *r, const profi_thread *thread, profi_thread_copy *into)
{
    profi_record_copy *copy = &r->dead->record;
    into->lost = thread->lost;
    into->repaired = thread->repaired;
    into->unmatched = thread->unmatched;
    copy->stats.lost_count += thread->lost;
    copy->stats.repaired_count += thread->repaired;
    copy->stats.unmatched_count += thread->unmatched;
    copy->probe_ticks += thread->probe_ticks;
    copy->lost_values += thread->lost_values;
    copy->backward += thread->backward;
}

/* One thread; `state` is PROFI_FOLD_NONE but for one that was ending. */
static void read_thread(profi_dead_reader *r, const profi_thread *thread, uint32_t state)
{
    profi_record_copy *copy = &r->dead->record;
    size_t first = copy->node_count;
    profi_thread_copy into = { .tid = thread->tid, .exited = thread == &r->roots->exited };
    memcpy(into.name, thread->ring.who.name, sizeof(into.name) - 1);
    if (state == PROFI_FOLD_TREE)
        copy_folding(r);
    else if (state != PROFI_FOLD_SPANS)
        copy_tree(r, thread);
    add_counts(r, thread, &into);
    copy_histograms(r, thread);
    copy_counters(r, thread);
    if (state == PROFI_FOLD_SPANS)
        copy_folding_spans(r);
    else
        copy_spans(r, thread->first_span);
    for (size_t i = first; i < copy->node_count; i++)
        into.calls += copy->nodes[i].calls + copy->nodes[i].is_open;
    if (!into.exited)
        collect_opens(r, thread->number, first);
    if (thread->is_ours && profi_thread_copy_is_empty(&into))
        return;
    if (into.exited && copy->node_count == first && copy->counter_count == 0 && copy->span_count == 0)
        return;
    if (!profi_array_grow(&copy->threads, &r->thread_room, copy->thread_count, sizeof(*copy->threads)))
        r->is_memory_spent = 1;
    else
        copy->threads[copy->thread_count++] = into;
    copy->stats.live_thread_count += !into.exited && !thread->is_ours;
}

static int compare_opens(const void *one, const void *other)
{
    const profi_open_cell *a = one, *b = other;
    if (a->thread != b->thread)
        return a->thread < b->thread ? -1 : 1;
    return a->what > b->what ? -1 : a->what < b->what; /* by level, of which a thread has none twice */
}

int profi_dead_read_trees(profi_dead_reader *r)
{
    const profi_roots *roots = r->roots;
    const void *exited = in_roots(r, &roots->exited), *next = roots->registry;
    const profi_thread *thread;
    while (next != NULL && next != exited && !r->is_memory_spent) {
        thread = profi_dead_claim(r, next, sizeof(*thread));
        if (thread == NULL)
            break;
        read_thread(r, thread, PROFI_FOLD_NONE);
        next = thread->next;
    }
    read_thread(r, &roots->exited, PROFI_FOLD_NONE);
    thread = roots->fold.thread != NULL ? profi_dead_at(r, roots->fold.thread, sizeof(*thread)) : NULL;
    if (thread != NULL && roots->fold.state >= PROFI_FOLD_WHOLE && roots->fold.state <= PROFI_FOLD_SPANS) {
        uint64_t damage = r->dead->damage_count;
        if (profi_dead_claim(r, roots->fold.thread, sizeof(*thread)) != NULL)
            read_thread(r, thread, roots->fold.state);
        else
            r->dead->damage_count = damage; /* it was still in the registry */
    }
    if (r->dead->open_count != 0)
        qsort(r->dead->opens, r->dead->open_count, sizeof(*r->dead->opens), compare_opens);
    return !r->is_memory_spent;
}
