/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A copy of everything that was recorded, for the layers above, taken while
 * threads record: see node.h for what a reader may see.
 *
 * A scope that is open has only its start.  The open ones of a thread are
 * the path from where it stands to its root, read before its tree.  An end
 * clears the start, then counts, then leaves the node: so a scope whose start
 * is 0, read after its call count, is ending and in its node's figures; and
 * one whose call count has changed when its node is copied has ended
 * meanwhile.  Neither is counted as open.
 */
#include "cold.h"
#include "record.h"

#include "../base/error.h"
#include "../base/system.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A scope of the path to where a thread stands. */
typedef struct open_scope {
    const profi_node *node;
    uint64_t start, calls;
} open_scope;

typedef struct copier {
    profi_record_copy *copy;
    size_t node_room, bucket_room, thread_room;
    open_scope *path; /* outermost first */
    size_t path_room, depth;
} copier;

/* Makes room for one more element; 0 when memory is spent. */
static int grow(void *array_at, size_t *room, size_t count, size_t element_bytes)
{
    void *array;
    memcpy(&array, array_at, sizeof(array));
    if (count < *room)
        return 1;
    size_t wanted = *room ? *room * 2 : 64;
    void *larger = reallocarray(array, wanted, element_bytes);
    if (larger == NULL)
        return 0;
    memcpy(array_at, &larger, sizeof(larger));
    *room = wanted;
    return 1;
}

static int copy_sites(profi_record_copy *copy)
{
    uint32_t count = profi_site_count();
    copy->sites = calloc(count ? count : 1, sizeof(*copy->sites));
    if (copy->sites == NULL)
        return 0;
    copy->site_count = count;
    for (uint32_t i = 0; i < count; i++) {
        const profi_site *site = profi_site_by_id(i);
        copy->sites[i] = (profi_site_view){ .name = site->name, .file = site->file, .line = site->line,
                                            .unit = __atomic_load_n(&site->unit, __ATOMIC_ACQUIRE), .flags = site->flags };
    }
    return 1;
}

/* The path to where the thread stands.  The thread goes on: the path was true when `current` was read. */
static int copy_path(copier *c, const profi_thread *thread)
{
    const profi_node *stand = __atomic_load_n(&thread->current, __ATOMIC_ACQUIRE);
    if (stand == &thread->overflow)
        stand = PROFI_GET(thread->overflow.parent);
    c->depth = 0;
    for (const profi_node *node = stand; node != NULL && node != &thread->root; node = PROFI_GET(node->parent)) {
        if (!grow(&c->path, &c->path_room, c->depth, sizeof(*c->path)))
            return 0;
        uint64_t calls = __atomic_load_n(&node->calls, __ATOMIC_ACQUIRE);
        c->path[c->depth++] = (open_scope){ node, PROFI_GET(node->start), calls };
    }
    for (size_t i = 0; i < c->depth / 2; i++) {
        open_scope swapped = c->path[i];
        c->path[i] = c->path[c->depth - 1 - i];
        c->path[c->depth - 1 - i] = swapped;
    }
    return 1;
}

static void copy_gauges(profi_node_copy *into, const profi_node *node)
{
    into->has_gauges = node->gauges != NULL;
    for (unsigned i = 0; node->gauges != NULL && i < PROFI_PROBE_COUNT; i++) {
        const profi_gauge *gauge = &node->gauges[i];
        into->gauges[i] = (profi_gauge){ .call_count = PROFI_GET(gauge->call_count), .growth = PROFI_GET(gauge->growth),
                                         .peak = PROFI_GET(gauge->peak), .peak_is_bound = PROFI_GET(gauge->peak_is_bound),
                                         .failed = PROFI_GET(gauge->failed) };
    }
}

/* Copies the node at `depth` (0: outermost). */
static int copy_node(copier *c, const profi_node *node, uint32_t parent, size_t depth)
{
    profi_record_copy *copy = c->copy;
    if (copy->node_count >= PROFI_NO_PARENT || !grow(&copy->nodes, &c->node_room, copy->node_count, sizeof(*copy->nodes)))
        return 0;
    profi_node_copy *into = &copy->nodes[copy->node_count++];
    *into = (profi_node_copy){ .site = node->site->id, .parent = parent, .calls = PROFI_GET(node->calls),
                               .total = PROFI_GET(node->total), .min = PROFI_GET(node->min), .max = PROFI_GET(node->max),
                               .items = PROFI_GET(node->items),
                               .has_histogram = node->histogram != NULL };
    copy_gauges(into, node);
    if (depth < c->depth && c->path[depth].node == node && c->path[depth].start != 0 &&
        c->path[depth].calls == into->calls) {
        into->is_open = 1;
        into->open_start = c->path[depth].start;
    }
    return 1;
}

/* Parents before children, without recursion: the way back up leads over the copies' parents. */
static int copy_tree(copier *c, const profi_thread *thread, uint64_t *calls)
{
    const profi_node *node = __atomic_load_n(&thread->root.first_child, __ATOMIC_ACQUIRE);
    uint32_t parent = PROFI_NO_PARENT;
    size_t depth = 0;
    while (node != NULL) {
        if (!copy_node(c, node, parent, depth))
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

static int copy_histograms(copier *c, const profi_thread *thread)
{
    profi_record_copy *copy = c->copy;
    const profi_thread_site *kept = __atomic_load_n(&thread->first_site, __ATOMIC_ACQUIRE);
    for (; kept != NULL; kept = kept->next)
        for (uint32_t i = 0; i < PROFI_BUCKET_COUNT; i++) {
            uint64_t count = PROFI_GET(kept->histogram[i]);
            if (count == 0)
                continue;
            if (!grow(&copy->buckets, &c->bucket_room, copy->bucket_count, sizeof(*copy->buckets)))
                return 0;
            copy->buckets[copy->bucket_count++] = (profi_bucket_copy){ kept->site->id, i, count };
        }
    return 1;
}

static void read_thread_name(profi_thread_copy *thread)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%d/comm", (int)thread->tid);
    profi_read_text(path, thread->name, sizeof(thread->name));
    thread->name[strcspn(thread->name, "\n")] = '\0';
}

static int copy_thread(copier *c, const profi_thread *thread)
{
    profi_record_copy *copy = c->copy;
    if (!grow(&copy->threads, &c->thread_room, copy->thread_count, sizeof(*copy->threads)))
        return 0;
    profi_thread_copy *into = &copy->threads[copy->thread_count++];
    *into = (profi_thread_copy){ .tid = thread->tid, .exited = thread->exited, .lost = PROFI_GET(thread->lost),
                                 .repaired = PROFI_GET(thread->repaired), .unmatched = PROFI_GET(thread->unmatched) };
    copy->gauge_ticks += PROFI_GET(thread->gauge_ticks);
    return copy_path(c, thread) && copy_tree(c, thread, &into->calls) && copy_histograms(c, thread);
}

prof_status profi_record_take(profi_record_copy *copy, prof_error *err)
{
    copier c = { .copy = copy };
    *copy = (profi_record_copy){ 0 };
    int ok = 1;
    for (const profi_thread *thread = profi_registry_lock(); ok && thread != NULL; thread = thread->next)
        if (!thread->exited || thread->root.first_child != NULL)
            ok = copy_thread(&c, thread);
    /* Sites last: a node copied above may be of a site that was new a moment ago. */
    ok = ok && copy_sites(copy);
    copy->now = profi_clock_now();
    profi_registry_unlock();
    free(c.path);
    if (!ok) {
        profi_record_copy_fini(copy);
        return profi_fail(err, PROF_E_NO_MEMORY, "no memory for a snapshot of %zu call tree nodes", copy->node_count);
    }
    for (size_t i = 0; i < copy->thread_count; i++)
        if (!copy->threads[i].exited)
            read_thread_name(&copy->threads[i]);
    profi_record_stats(&copy->stats);
    return PROF_OK;
}

void profi_record_copy_fini(profi_record_copy *copy)
{
    free(copy->sites);
    free(copy->nodes);
    free(copy->threads);
    free(copy->buckets);
    copy->sites = NULL;
    copy->nodes = NULL;
    copy->threads = NULL;
    copy->buckets = NULL;
}
