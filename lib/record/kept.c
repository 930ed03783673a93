/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that a condition keeps: one call's own subtree, told apart from all
 * others at its end, and handed to whoever writes files.
 *
 * A path's figures change only while the path is open.  So what lies below a
 * node at the end of its call, less what lay there at the end of the call
 * before, is that call's.  A watch holds the latter: a mark for each node
 * below, in a tree of the same shape.
 *
 *     node with a rule  --watch-->  root mark         a mark: the node's calls,
 *          |                          |               total and items when the
 *        child, child               mark, mark        last call of the root ended
 *
 * An end walks the marks of what ran in its call, and no other: a node whose
 * count has not changed has nothing below it that has.  Children are only
 * ever added in front, so new ones are found without a search.
 *
 * Only outermost calls are kept: a thread's open watches are a list, in which
 * no site stands twice.  Begins and ends run on the thread that owns the
 * nodes, which is busy then: a signal handler's scopes do not come between.
 * The queue is a list that producers push to and the one consumer takes whole.
 */
#include "kept.h"

#include "cold.h"

#include "../base/error.h"
#include "../base/region.h"
#include "../base/system.h"

#include <stdlib.h>
#include <string.h>

typedef struct mark mark;
struct mark {
    profi_node *node;
    mark *parent, *first_child, *next_sibling;
    uint64_t calls, total, items; /* when the last call ended */
    uint32_t entry;               /* the node's place in the call that is being kept */
    uint32_t is_broken;           /* a child got no mark, so that its part of some call is not told apart */
};
_Static_assert(sizeof(mark) == 64, "a node below a watch costs a line");

struct profi_watch {
    mark root;
    profi_watch *outer;   /* the open watch around this one */
    uint64_t lost_before; /* the thread's losses when the call began */
    uint32_t is_open;
};

/* A node's share in a call. */
typedef struct entry {
    uint32_t site, parent;
    uint64_t calls; /* with IS_ESTIMATE where total is one */
    uint64_t total, items;
} entry;

#define IS_ESTIMATE ((uint64_t)1 << 63)

enum { PAGE_ENTRIES = 31, QUEUE_SHARE = 8 };

typedef struct page {
    struct page *next;
    uint64_t count;
    entry entries[PAGE_ENTRIES];
} page;
_Static_assert(sizeof(page) <= 1024, "a page of a kept call is 1 KiB");

struct profi_kept_call {
    profi_kept_call *next;
    page *first, *last;
    uint32_t entry_count;
    profi_kept_facts facts;
};

static uint32_t is_enabled;
static uint32_t has_counted; /* some site's outer_calls is not 0 */
static profi_kept_call *queue; /* newest first */
static uint32_t is_gone;       /* what is to be freed is no more: see profi_kept_abandon() */
static uint64_t page_count;    /* in use; at most an eighth of the region */
static uint64_t met, lost, ticks, fates[PROFI_KEPT_FATES];

/* ---- watches ---- */

profi_watch *profi_watch_new(profi_node *node)
{
    profi_watch *watch = profi_region_alloc(sizeof(*watch), PROFI_REGION_TREE);
    if (watch != NULL)
        watch->root.node = node;
    return watch;
}

void profi_watch_free(profi_watch *watch)
{
    if (watch == NULL)
        return;
    for (mark *at = &watch->root;;) {
        mark *parent = at->parent;
        if (at->first_child != NULL) {
            at = at->first_child;
            continue;
        }
        if (parent == NULL)
            break;
        parent->first_child = at->next_sibling;
        profi_region_free(at, sizeof(*at), PROFI_REGION_TREE);
        at = parent;
    }
    profi_region_free(watch, sizeof(*watch), PROFI_REGION_TREE);
}

/* Gives a mark to each child that has none; 0 when memory is spent. */
static int adopt_children(mark *parent)
{
    mark **link = &parent->first_child;
    for (profi_node *child = parent->node->first_child; child != NULL; child = child->next_sibling) {
        if (*link == NULL || (*link)->node != child) {
            mark *made = profi_region_alloc(sizeof(*made), PROFI_REGION_TREE);
            if (made == NULL)
                return 0;
            *made = (mark){ .node = child, .parent = parent, .next_sibling = *link };
            *link = made;
        } else if (!parent->is_broken) {
            return 1; /* those behind it had theirs before */
        }
        link = &(*link)->next_sibling;
    }
    return 1;
}

/* ---- a call on its way to the queue ---- */

static page *new_page(void)
{
    uint64_t most = profi_region_limit() / QUEUE_SHARE / sizeof(page);
    page *made = NULL;
    if (__atomic_fetch_add(&page_count, 1u, __ATOMIC_RELAXED) < most)
        made = profi_region_alloc(sizeof(*made), PROFI_REGION_TREE);
    if (made == NULL)
        __atomic_fetch_sub(&page_count, 1u, __ATOMIC_RELAXED);
    return made;
}

void profi_kept_free(profi_kept_call *call)
{
    if (call == NULL || is_gone)
        return;
    profi_thread *self = profi_step_away();
    for (page *at = call->first, *next; at != NULL; at = next) {
        next = at->next;
        profi_region_free(at, sizeof(*at), PROFI_REGION_TREE);
        __atomic_fetch_sub(&page_count, 1u, __ATOMIC_RELAXED);
    }
    profi_region_free(call, sizeof(*call), PROFI_REGION_TREE);
    profi_come_back(self);
}

/* Appends a node's share; 0 when the queue is full or memory is spent. */
static int append(profi_kept_call *call, const entry *share)
{
    if (call->entry_count == UINT32_MAX - 1)
        return 0;
    if (call->last == NULL || call->last->count == PAGE_ENTRIES) {
        page *made = new_page();
        if (made == NULL)
            return 0;
        *(call->last != NULL ? &call->last->next : &call->first) = made;
        call->last = made;
    }
    call->last->entries[call->last->count++] = *share;
    call->entry_count++;
    return 1;
}

static void push(profi_kept_call *call)
{
    profi_kept_call *head = __atomic_load_n(&queue, __ATOMIC_RELAXED);
    do
        call->next = head;
    while (!__atomic_compare_exchange_n(&queue, &head, call, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

/* ---- the end of a call ---- */

/* Of a sampled node not all calls were timed: each takes as long as those that were, in all calls so far. */
static void estimate(const profi_node *node, entry *share)
{
    double mean = (double)PROFI_GET(node->total) / (double)profi_sample_timed(node->sample);
    share->total = (uint64_t)(mean * (double)share->calls);
    share->calls |= IS_ESTIMATE;
}

/*
 * Books what each node below did since the last end, and moves the marks up
 * to now.  Appends it to `call` if that is not NULL.  Returns whether `call`
 * has it all.
 */
static int settle(profi_watch *watch, profi_kept_call *call)
{
    int is_whole = call != NULL;
    for (mark *at = &watch->root;;) {
        const profi_node *node = at->node;
        uint64_t calls = PROFI_GET(node->calls), total = PROFI_GET(node->total), items = PROFI_GET(node->items);
        entry share = { .site = node->site->id, .parent = at->parent != NULL ? at->parent->entry : PROFI_NO_PARENT,
                        .calls = calls - at->calls, .total = total - at->total, .items = items - at->items };
        if (share.calls != 0) {
            if (node->sample != NULL && profi_sample_timed(node->sample) < calls)
                estimate(node, &share);
            at->calls = calls;
            at->total = total;
            at->items = items;
            at->entry = call != NULL ? call->entry_count : 0;
            /* The call in which a missing mark is made up for is lost as well: it has two calls' figures. */
            int was_broken = (int)at->is_broken;
            at->is_broken = !adopt_children(at);
            is_whole = is_whole && !was_broken && !at->is_broken && append(call, &share);
            if (at->first_child != NULL) {
                at = at->first_child;
                continue;
            }
        }
        while (at->parent != NULL && at->next_sibling == NULL)
            at = at->parent;
        if (at->parent == NULL)
            return is_whole;
        at = at->next_sibling;
    }
}

void profi_kept_begin(profi_thread *self, profi_node *node)
{
    PROFI_NO_CANCELLATION;
    profi_kept_need_saver(1);
    for (const profi_watch *open = self->open_watch; open != NULL; open = open->outer)
        if (open->root.node->site == node->site)
            return; /* not an outermost call */
    profi_watch *watch = node->watch;
    watch->outer = self->open_watch;
    watch->is_open = 1;
    watch->lost_before = PROFI_GET(self->lost);
    self->open_watch = watch;
}

/* Whether a call that took `duration` ticks is to be kept, and why. */
static int is_wanted(profi_site *site, uint64_t duration, profi_kept_facts *facts)
{
    PROFI_PUT(has_counted, 1u);
    facts->number = __atomic_add_fetch(&site->outer_calls, 1u, __ATOMIC_RELAXED);
    facts->limit_ns = PROFI_GET(site->slower_than_ns);
    facts->every_nth = PROFI_GET(site->every_nth);
    if (facts->limit_ns != 0) {
        profi_clock_scale scale = profi_clock_scale_so_far();
        facts->is_slow = profi_clock_to_ns(&scale, duration) > facts->limit_ns;
    }
    return PROFI_GET(is_enabled) &&
           (facts->is_slow || (facts->every_nth != 0 && facts->number % facts->every_nth == 0));
}

void profi_kept_end(profi_thread *self, profi_node *node, uint64_t start, uint64_t now)
{
    PROFI_NO_CANCELLATION;
    profi_watch *watch = node->watch;
    uint64_t duration = now > start ? now - start : 0;
    if (!watch->is_open)
        return;
    watch->is_open = 0;
    self->open_watch = watch->outer;

    profi_kept_facts facts = { .tid = self->tid, .end = now, .duration = duration,
                               .lost = PROFI_GET(self->lost) - watch->lost_before };
    profi_kept_call *call = NULL;
    int wanted = is_wanted(node->site, duration, &facts);
    if (wanted) {
        __atomic_fetch_add(&met, 1u, __ATOMIC_RELAXED);
        call = profi_region_alloc(sizeof(*call), PROFI_REGION_TREE);
    }
    int is_whole = settle(watch, call);
    if (call != NULL && is_whole) {
        call->facts = facts;
        push(call);
    } else if (wanted) {
        profi_kept_free(call);
        __atomic_fetch_add(&lost, 1u, __ATOMIC_RELAXED);
    }
    __atomic_fetch_add(&ticks, profi_clock_now() - now, __ATOMIC_RELAXED);
}

/* ---- for those who write ---- */

void profi_kept_enable(int on)
{
    PROFI_PUT(is_enabled, on != 0);
}

profi_kept_call *profi_kept_take(void)
{
    profi_kept_call *newest = __atomic_exchange_n(&queue, NULL, __ATOMIC_ACQUIRE), *oldest = NULL;
    while (newest != NULL) {
        profi_kept_call *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

int profi_kept_is_waiting(void)
{
    return PROFI_GET(queue) != NULL;
}

profi_kept_call *profi_kept_next(const profi_kept_call *call)
{
    return call->next;
}

void profi_kept_append(profi_kept_call *last, profi_kept_call *calls)
{
    last->next = calls;
}

const profi_kept_facts *profi_kept_facts_of(const profi_kept_call *call)
{
    return &call->facts;
}

static profi_site_view view_of(const profi_site *site)
{
    /* Without PROF_SITE_RSS and the like: a kept call has calls, times and items. */
    return (profi_site_view){ .name = site->name, .file = site->file, .line = site->line,
                              .unit = __atomic_load_n(&site->unit, __ATOMIC_ACQUIRE), .flags = PROF_SITE_SAVE_IF };
}

static void copy_entries(const profi_kept_call *call, profi_record_copy *copy, uint32_t *index_of_site)
{
    for (const page *p = call->first; p != NULL; p = p->next)
        for (uint64_t i = 0; i < p->count; i++) {
            const entry *share = &p->entries[i];
            uint32_t *index = &index_of_site[share->site]; /* from 1; 0: not seen yet */
            if (*index == 0) {
                copy->sites[copy->site_count++] = view_of(profi_site_by_id(share->site));
                *index = (uint32_t)copy->site_count;
            }
            uint64_t calls = share->calls & ~IS_ESTIMATE;
            int is_one = share->calls == 1;
            copy->nodes[copy->node_count++] = (profi_node_copy){
                .site = *index - 1, .parent = share->parent, .calls = calls, .total = share->total,
                .min = is_one ? share->total : UINT64_MAX, .max = is_one ? share->total : 0, .items = share->items,
                .is_estimate = share->calls != calls };
            copy->threads[0].calls += calls;
        }
}

prof_status profi_kept_copy(const profi_kept_call *call, profi_record_copy *copy, prof_error *err)
{
    uint32_t *index_of_site = calloc(profi_site_count(), sizeof(*index_of_site));
    *copy = (profi_record_copy){ .now = call->facts.end };
    copy->sites = calloc(call->entry_count, sizeof(*copy->sites)); /* at most one each */
    copy->nodes = calloc(call->entry_count, sizeof(*copy->nodes));
    copy->threads = calloc(1, sizeof(*copy->threads));
    if (index_of_site == NULL || copy->sites == NULL || copy->nodes == NULL || copy->threads == NULL) {
        free(index_of_site);
        profi_record_copy_fini(copy);
        return profi_fail(err, PROF_E_NO_MEMORY, "no memory for a kept call of %u paths", (unsigned)call->entry_count);
    }
    copy->thread_count = 1;
    copy->threads[0] = (profi_thread_copy){ .tid = call->facts.tid, .lost = call->facts.lost };
    copy_entries(call, copy, index_of_site);
    profi_record_thread_name(copy->threads[0].tid, copy->threads[0].name);
    copy->stats = (prof_stats)PROF_STATS_INIT;
    copy->stats.thread_count = 1;
    copy->stats.lost_count = call->facts.lost;
    free(index_of_site);
    return PROF_OK;
}

void profi_kept_note(profi_kept_fate fate, uint64_t count)
{
    __atomic_fetch_add(&fates[fate], count, __ATOMIC_RELAXED);
}

void profi_kept_stats(prof_stats *stats)
{
    stats->kept_count = PROFI_GET(met);
    stats->kept_saved_count = PROFI_GET(fates[PROFI_KEPT_SAVED]);
    stats->kept_lost_count = PROFI_GET(lost);
    stats->kept_unsaved_count = PROFI_GET(fates[PROFI_KEPT_UNSAVED]);
    stats->removed_file_count = PROFI_GET(fates[PROFI_KEPT_FILE_REMOVED]);
    stats->dump_count = PROFI_GET(fates[PROFI_DUMP_WRITTEN]);
    stats->dump_skipped_count = PROFI_GET(fates[PROFI_DUMP_SKIPPED]);
    stats->dump_failed_count = PROFI_GET(fates[PROFI_DUMP_FAILED]);
}

uint64_t profi_kept_ticks(void)
{
    return PROFI_GET(ticks);
}

void profi_kept_abandon(void)
{
    is_gone = page_count != 0; /* else nobody has any to free */
    queue = NULL;
}

void profi_kept_forget(void)
{
    for (profi_kept_call *call = profi_kept_take(), *next; call != NULL; call = next) {
        next = call->next;
        profi_kept_free(call);
    }
    is_gone = 0;
    page_count = 0; /* a page that another thread was filling is nobody's now */
    met = lost = ticks = 0;
    memset(fates, 0, sizeof(fates));
    for (uint32_t i = 0; has_counted && i < profi_site_count(); i++)
        if (profi_site_by_id(i)->outer_calls != 0) /* not to be given a copy of its page for nothing */
            profi_site_by_id(i)->outer_calls = 0;
    has_counted = 0;
}
