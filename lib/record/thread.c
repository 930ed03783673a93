/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads: attach at the first scope, hand over at exit; and the nodes of a
 * thread's tree.
 *
 * Two locks.  `list_lock` guards the links of the registry and is held for a
 * few instructions; `registry_lock` keeps threads from leaving, and is held
 * by a snapshot for as long as it copies.  A thread that attaches takes only
 * the first, so it never waits for a snapshot; one that exits takes both.
 *
 * What an exited thread leaves is folded into one tree, `exited`: nodes and
 * histograms that this tree lacks are moved there, the rest is added up and
 * freed.  No step of it allocates more than a table's buckets, so it works
 * when memory is spent, and memory does not grow with the threads that pass.
 */
#include "cold.h"

#include "../base/error.h"
#include "../base/region.h"
#include "../base/system.h"
#include "../base/text.h"
#include "kept.h"
#include "level_log.h"
#include "levels.h"
#include "listen.h"
#include "roots.h"

#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

__thread void *prof_inline_self_1 = &profi_detached;
__thread uint64_t profi_unattached_depth;
uint64_t profi_ends_to_ignore;

profi_node profi_nobody = { .key = PROFI_KEY_NONE, .sampled_key = PROFI_KEY_NONE, .last = &profi_nobody, .follower = &profi_nobody };
profi_thread profi_detached = { .current = &profi_nobody };
profi_thread profi_away = { .current = &profi_nobody };

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t exit_key;
static pthread_once_t open_once = PTHREAD_ONCE_INIT;
static int exit_key_made;
static void (*thread_hook)(int is_beginning);
static uint32_t is_inherited; /* in a forked child: all of the above is still its parent's */

static void call_hook(int is_beginning)
{
    void (*hook)(int) = __atomic_load_n(&thread_hook, __ATOMIC_ACQUIRE);
    if (PROFI_UNLIKELY(hook != NULL))
        hook(is_beginning);
}

void profi_record_thread_hook(void (*hook)(int is_beginning))
{
    __atomic_store_n(&thread_hook, hook, __ATOMIC_RELEASE);
}

/* ---- nodes ---- */

static uint64_t path_hash(const profi_node *parent, const profi_site *site)
{
    return profi_mix64(profi_mix64((uintptr_t)parent ^ profi_hash_seed()) + (uintptr_t)site);
}

static profi_node *find_child(const profi_thread *thread, const profi_node *parent, const profi_site *site)
{
    profi_entry *e = profi_table_first(&thread->paths, path_hash(parent, site));
    for (; e != NULL; e = profi_table_next(e)) {
        profi_node *node = PROFI_OBJECT_OF(e, profi_node, by_path);
        if (node->site == site && node->parent == parent)
            return node;
    }
    return NULL;
}

/* Puts a finished node where readers find it. */
static void link_child(profi_thread *thread, profi_node *parent, profi_node *node)
{
    PROFI_PUT(node->parent, parent);
    node->next_sibling = parent->first_child;
    profi_table_add(&thread->paths, &node->by_path, path_hash(parent, node->site));
    __atomic_store_n(&parent->first_child, node, __ATOMIC_RELEASE);
}

static profi_thread_site *find_site(const profi_thread *thread, const profi_site *site)
{
    profi_entry *e = profi_table_first(&thread->sites, site->id);
    return e != NULL ? PROFI_OBJECT_OF(e, profi_thread_site, by_site) : NULL;
}

static void add_site(profi_thread *thread, profi_thread_site *kept)
{
    kept->next = thread->first_site;
    profi_table_add(&thread->sites, &kept->by_site, kept->site->id);
    __atomic_store_n(&thread->first_site, kept, __ATOMIC_RELEASE);
}

static uint64_t *histogram_for(profi_thread *thread, profi_site *site)
{
    profi_thread_site *kept = find_site(thread, site);
    if (kept != NULL)
        return kept->histogram;
    uint64_t *histogram = profi_region_alloc(PROFI_BUCKET_COUNT * sizeof(*histogram), PROFI_REGION_HISTOGRAM);
    kept = histogram ? profi_region_alloc(sizeof(*kept), PROFI_REGION_TREE) : NULL;
    if (kept == NULL) {
        profi_region_free(histogram, PROFI_BUCKET_COUNT * sizeof(*histogram), PROFI_REGION_HISTOGRAM);
        return NULL;
    }
    kept->site = site;
    kept->histogram = histogram;
    add_site(thread, kept);
    return histogram;
}

/* The bytes of a node's measures. */
static size_t measure_bytes(const profi_site *site)
{
    return profi_measure_count(site->probes) * sizeof(profi_measure);
}

static void free_node(profi_node *node)
{
    profi_watch_free(node->watch);
    profi_region_free(node->measures, measure_bytes(node->site), PROFI_REGION_TREE);
    profi_region_free(node->sample, sizeof(*node->sample), PROFI_REGION_TREE);
    profi_region_free(node, sizeof(*node), PROFI_REGION_TREE);
}

static profi_node *make_node(profi_thread *thread, profi_node *parent, profi_site *site)
{
    PROFI_NO_CANCELLATION;
    profi_node *node = profi_region_alloc(sizeof(*node), PROFI_REGION_TREE);
    if (node == NULL)
        return NULL;
    node->site = site;
    if (site->probes != 0) {
        node->measures = profi_region_alloc(measure_bytes(site), PROFI_REGION_TREE);
        if (node->measures == NULL) {
            free_node(node);
            return NULL;
        }
    }
    if (PROFI_GET(site->rule_origin) != PROFI_RULE_NONE || (site->flags & PROF_SITE_SAVE_IF)) {
        node->watch = profi_watch_new(node);
        if (node->watch == NULL) {
            free_node(node);
            return NULL;
        }
    }
    node->last = &profi_nobody;
    node->follower = node;
    node->sampled_key = PROFI_KEY_NONE;
    node->min = UINT64_MAX;
    node->event = profi_event_what(PROFI_EVENT_SCOPE, profi_event_level(parent->event) + 1, site->id); /* a root's event is 0 */
    node->pending = node->histogram = histogram_for(thread, site);
    int is_plain = node->measures == NULL && node->watch == NULL && !profi_is_listened_to() && !site->asks_levels &&
                   !(site->flags & PROF_SITE_GPU_SYNC);
    if (site->flags & PROF_SITE_SAMPLED && is_plain) {
        node->sample = profi_region_alloc(sizeof(*node->sample), PROFI_REGION_TREE); /* without it all calls are timed */
        node->sampled_key = node->sample != NULL ? (uintptr_t)site : PROFI_KEY_NONE;
    }
    int is_fast = profi_clock_is_ticks && is_plain && node->histogram != NULL && node->sample == NULL;
    node->key = is_fast ? (uintptr_t)site : PROFI_KEY_NONE;
    link_child(thread, parent, node);
    return node;
}

profi_node *profi_node_child(profi_thread *thread, profi_node *parent, profi_site *site)
{
    profi_node *node = find_child(thread, parent, site);
    return node != NULL ? node : make_node(thread, parent, site);
}

void profi_thread_init(profi_thread *thread)
{
    *thread = (profi_thread){ 0 };
    thread->root = (profi_node){ .key = PROFI_KEY_NONE, .sampled_key = PROFI_KEY_NONE, .last = &profi_nobody, .follower = &profi_nobody };
    thread->busy_node = thread->overflow = thread->root;
    thread->busy = &thread->busy_node;
    thread->current = &thread->root;
}

/* ---- the registry ---- */

static void registry_add(profi_thread *thread)
{
    pthread_mutex_lock(&list_lock);
    thread->next = profi_the_roots->registry;
    if (profi_the_roots->registry != NULL)
        profi_the_roots->registry->previous = thread;
    __atomic_store_n(&profi_the_roots->registry, thread, __ATOMIC_RELEASE); /* a snapshot may start here without the lock */
    pthread_mutex_unlock(&list_lock);
}

static void registry_remove(profi_thread *thread)
{
    pthread_mutex_lock(&list_lock);
    if (thread->next != NULL)
        thread->next->previous = thread->previous;
    if (thread->previous != NULL)
        thread->previous->next = thread->next;
    else
        profi_the_roots->registry = thread->next;
    pthread_mutex_unlock(&list_lock);
}

static void drop_inherited(void);

profi_thread *profi_registry_lock(void)
{
    pthread_mutex_lock(&registry_lock);
    drop_inherited();
    return __atomic_load_n(&profi_the_roots->registry, __ATOMIC_ACQUIRE);
}

void profi_registry_unlock(void)
{
    pthread_mutex_unlock(&registry_lock);
}

int profi_registry_trylock(const profi_thread **first)
{
    if (pthread_mutex_trylock(&registry_lock) != 0)
        return 0;
    *first = is_inherited ? NULL : __atomic_load_n(&profi_the_roots->registry, __ATOMIC_ACQUIRE);
    return 1;
}

/* ---- exit ---- */

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

static void free_site(profi_thread_site *kept)
{
    profi_region_free(kept->histogram, PROFI_BUCKET_COUNT * sizeof(*kept->histogram), PROFI_REGION_HISTOGRAM);
    profi_region_free(kept, sizeof(*kept), PROFI_REGION_TREE);
}

/*
 * Strings all nodes of a tree that nobody records into on one list, linked
 * by `follower`, parents before children.  Returns the first.
 */
static profi_node *list_tree(profi_thread *thread)
{
    profi_node *first = NULL, **end = &first;
    for (profi_node *node = thread->root.first_child, *next; node != NULL; node = next) {
        node->follower = NULL;
        *end = node;
        end = &node->follower;
        next = node->first_child;
        for (profi_node *up = node; next == NULL && up != &thread->root; up = up->parent)
            next = up->next_sibling;
    }
    return first;
}

/*
 * Gives each node its place in `exited`: the equal path that is there
 * already, which takes its figures, or the node itself, moved.  `last` leads
 * from a node to its counterpart there.
 */
static void fold_tree(profi_thread *thread)
{
    profi_node *first = list_tree(thread);
    thread->root.last = &profi_the_roots->exited.root;
    profi_the_roots->fold.first = first;
    note_fold(thread, PROFI_FOLD_TREE);
    for (profi_node *node = first; node != NULL; node = node->follower) {
        profi_node *parent = node->parent->last;
        if (node->histogram != NULL) {
            const profi_thread_site *kept = find_site(&profi_the_roots->exited, node->site); /* else its own will be kept */
            *node->pending += 1;
            node->pending = node->histogram = kept != NULL ? kept->histogram : node->histogram;
        }
        profi_watch_free(node->watch); /* nobody calls here any more */
        node->watch = NULL;
        node->last = find_child(&profi_the_roots->exited, parent, node->site);
        if (node->last != NULL) {
            move_figures(node->last, node);
        } else {
            node->last = node;
            node->first_child = NULL; /* its children are on the list and follow */
            link_child(&profi_the_roots->exited, parent, node);
        }
    }
    profi_spans_fold_begin(thread);
    note_fold(thread, PROFI_FOLD_SPANS);
    for (profi_node *node = first, *next; node != NULL; node = next) {
        next = node->follower;
        if (node->last != node)
            free_node(node);
    }
}

static void fold_sites(profi_thread *thread)
{
    for (profi_thread_site *kept = thread->first_site, *next; kept != NULL; kept = next) {
        profi_thread_site *same = find_site(&profi_the_roots->exited, kept->site);
        next = kept->next;
        if (same == NULL) {
            add_site(&profi_the_roots->exited, kept);
            continue;
        }
        for (unsigned i = 0; i < PROFI_BUCKET_COUNT; i++)
            same->histogram[i] += kept->histogram[i];
        free_site(kept);
    }
}

/*
 * The calling thread ends: what it recorded is handed over, and what it had
 * open is closed.  In the last round of its destructors but one, since others
 * may record in the earlier ones; the last is when sanitizers end.  Scopes
 * after that count as lost: nothing would collect them.
 */
static void thread_exit(void *argument)
{
    PROFI_NO_CANCELLATION;
    profi_thread *thread = argument;
    if (++thread->ending_rounds < PTHREAD_DESTRUCTOR_ITERATIONS - 1 && pthread_setspecific(exit_key, thread) == 0)
        return;
    profi_become(thread); /* a cancellation may have found it away */
    profi_thread_close_all(thread);
    if (profi_self != thread) /* a probe of the program forked: this is the child, and the data is the parent's */
        return;
    profi_step_away();
    profi_level_thread_over(thread);
    call_hook(0);

    pthread_mutex_lock(&registry_lock);
    note_fold(thread, PROFI_FOLD_WHOLE);
    profi_ring_retire(thread);
    registry_remove(thread);
    fold_tree(thread);
    profi_spans_fold(&profi_the_roots->exited, thread);
    note_fold(thread, PROFI_FOLD_COUNTERS);
    fold_sites(thread);
    profi_counters_fold(&profi_the_roots->exited, thread);
    profi_the_roots->exited.lost += thread->lost;
    profi_the_roots->exited.probe_ticks += thread->probe_ticks;
    profi_the_roots->exited.lost_values += thread->lost_values;
    profi_the_roots->exited.backward += thread->backward;
    profi_the_roots->exited.repaired += thread->repaired;
    profi_the_roots->exited.unmatched += thread->unmatched;
    profi_table_fini(&thread->paths);
    profi_table_fini(&thread->sites);
    note_fold(NULL, PROFI_FOLD_NONE);
    profi_region_free(thread, sizeof(*thread), PROFI_REGION_TREE);
    pthread_mutex_unlock(&registry_lock);
}

/* ---- attach ---- */

static profi_thread *make_thread(void)
{
    PROFI_KEEP_ERRNO;
    if (!exit_key_made)
        return NULL;
    /* A signal handler may have attached the thread a moment ago, unseen by what it interrupted. */
    profi_thread *known = pthread_getspecific(exit_key);
    if (known != NULL)
        return known;
    if (PROFI_UNLIKELY(__atomic_load_n(&is_inherited, __ATOMIC_ACQUIRE))) {
        profi_registry_lock();
        profi_registry_unlock();
    }
    profi_thread *thread = profi_region_alloc(sizeof(*thread), PROFI_REGION_TREE);
    if (thread == NULL)
        return NULL;
    if (pthread_setspecific(exit_key, thread) != 0) {
        profi_region_free(thread, sizeof(*thread), PROFI_REGION_TREE);
        return NULL;
    }
    profi_thread_init(thread);
    thread->tid = (int32_t)syscall(SYS_gettid);
    thread->number = __atomic_add_fetch(&profi_the_roots->thread_total, 1u, __ATOMIC_RELAXED);
    thread->random = profi_mix64(thread->number ^ profi_clock_now()) | 1;
    profi_ring_attach(thread);
    registry_add(thread);
    profi_kept_need_saver(0);
    call_hook(1);
    if (profi_is_listened_to())
        profi_tell_thread(thread->tid);
    return thread;
}

profi_thread *profi_thread_attached(void)
{
    profi_thread *self = profi_self;
    if (PROFI_LIKELY(self != &profi_detached))
        return self != &profi_away ? self : NULL;
    if (profi_unattached_depth != 0)
        return NULL;
    PROFI_NO_CANCELLATION;
    profi_step_away();
    self = make_thread();
    profi_come_back(self != NULL ? self : &profi_detached);
    return self;
}

/* ---- fork ---- */

static profi_thread *forking; /* written under the locks */
static uint64_t forking_depth;
static uint64_t ring_bytes;

/*
 * In a child: the thread that forked.  Its tables and those of `exited`, which
 * change under a lock that the fork held, are whole; another thread's may have
 * been caught half way through a change, and are left where they are.
 */
static const profi_thread *forked;

static void before_fork(void)
{
    profi_thread *self = profi_step_away();
    pthread_mutex_lock(&registry_lock);
    pthread_mutex_lock(&list_lock);
    profi_site_lock();
    profi_levels_before_fork();
    profi_rings_lock();
    profi_region_lock();
    forking = self;
    forking_depth = profi_thread_depth(self);
}

static void after_fork(void)
{
    profi_thread *self = forking;
    profi_region_unlock();
    profi_rings_unlock();
    profi_levels_after_fork();
    profi_site_unlock();
    pthread_mutex_unlock(&list_lock);
    pthread_mutex_unlock(&registry_lock);
    profi_come_back(self);
}

/* Frees what a thread recorded; its tables only if they are whole. */
static void drop_data(profi_thread *thread, int has_whole_tables)
{
    for (profi_node *node = list_tree(thread), *next; node != NULL; node = next) {
        next = node->follower;
        free_node(node);
    }
    for (profi_thread_site *kept = thread->first_site, *next; kept != NULL; kept = next) {
        next = kept->next;
        free_site(kept);
    }
    profi_counters_drop(thread);
    profi_spans_drop(thread);
    if (has_whole_tables) {
        profi_table_fini(&thread->paths);
        profi_table_fini(&thread->sites);
        profi_table_fini(&thread->counters);
        profi_table_fini(&thread->spans);
    }
}

/*
 * Gives back what the parent recorded.  Not at the fork, but when the child
 * first records or is asked: most children exec or leave before that, and
 * would be given copies of all these pages for nothing.
 */
static void drop_inherited(void)
{
    if (!is_inherited)
        return;
    for (profi_thread *thread = profi_the_roots->registry, *next; thread != NULL; thread = next) {
        next = thread->next;
        drop_data(thread, thread == &profi_the_roots->exited || thread == forked);
        if (thread != &profi_the_roots->exited)
            profi_region_free(thread, sizeof(*thread), PROFI_REGION_TREE);
    }
    profi_thread_init(&profi_the_roots->exited);
    profi_the_roots->exited.exited = 1;
    profi_the_roots->registry = &profi_the_roots->exited;
    profi_rings_reset();
    __atomic_store_n(&is_inherited, 0u, __ATOMIC_RELEASE);
}

/* Rings, and a registry that has nobody in it. */
static void begin_empty(void)
{
    profi_rings_open(ring_bytes);
    profi_thread_init(&profi_the_roots->exited);
    profi_the_roots->exited.exited = 1;
    registry_add(&profi_the_roots->exited);
}

/*
 * The child starts from nothing: what was recorded is the parent's to write.
 * Its scopes that were open at the fork end unrecorded, and uncounted.
 */
static void after_fork_in_child(void)
{
    after_fork();
    profi_ends_to_ignore = forking_depth;
    if (!is_inherited) /* else all is still of an ancestor's making */
        forked = profi_self;
    is_inherited = profi_the_roots->registry != NULL;
    int is_new_region = profi_roots_renew();
    profi_levels_forget(is_new_region);
    if (is_new_region) {
        profi_kept_abandon();
        is_inherited = 0;
        begin_empty();
    }
    profi_unattached_depth = 0;
    profi_roots *roots = profi_the_roots;
    roots->thread_total = roots->unattached_lost = roots->unattached_repaired = 0;
    roots->unattached_unmatched = roots->unattached_values = 0;
    profi_become(&profi_detached);
    if (exit_key_made)
        pthread_setspecific(exit_key, NULL);
}

/* ---- opening ---- */

static void open_once_only(void)
{
    begin_empty();
}

static void make_key(void)
{
    if (!exit_key_made) /* again at each start: a host may have given keys back */
        exit_key_made = pthread_key_create(&exit_key, thread_exit) == 0;
}

void profi_record_load(void)
{
    pthread_atfork(before_fork, after_fork, after_fork_in_child);
    make_key();
}

prof_status profi_record_open_file(int fd, uint64_t memory_bytes, profi_clock_choice clock, const char *name, prof_error *err)
{
    profi_clock_init(clock);
    prof_status status = profi_roots_open_file(fd, memory_bytes, err);
    if (status == PROF_OK)
        strncpy(profi_the_roots->name, name, sizeof(profi_the_roots->name) - 1);
    return status;
}

void profi_record_describe(const char *name, uint64_t start_tick, double scope_cost_ticks)
{
    if (!profi_roots_in_file())
        return;
    memset(profi_the_roots->name, 0, sizeof(profi_the_roots->name));
    strncpy(profi_the_roots->name, name, sizeof(profi_the_roots->name) - 1);
    profi_the_roots->start_tick = start_tick;
    profi_the_roots->scope_cost_ticks = scope_cost_ticks;
}

prof_status profi_record_open(uint64_t memory_bytes, int keeps_events, profi_clock_choice clock, prof_error *err)
{
    prof_status status = profi_region_open(memory_bytes ? memory_bytes : PROFI_REGION_DEFAULT_BYTES, err);
    if (status != PROF_OK)
        return status;
    profi_clock_init(clock);
    ring_bytes = keeps_events ? profi_region_limit() / 2 : 0;
    pthread_once(&open_once, open_once_only);
    make_key();
    if (!exit_key_made)
        return profi_fail(err, PROF_E_LIMIT, "the process has no thread-specific key left");
    return PROF_OK;
}

void profi_record_enable(int on)
{
    __atomic_store_n(&prof_active, on != 0, __ATOMIC_RELEASE);
}

void profi_record_stats(prof_stats *stats)
{
    *stats = (prof_stats)PROF_STATS_INIT;
    stats->thread_count = PROFI_GET(profi_the_roots->thread_total);
    stats->lost_count = PROFI_GET(profi_the_roots->unattached_lost);
    stats->repaired_count = PROFI_GET(profi_the_roots->unattached_repaired);
    stats->unmatched_count = PROFI_GET(profi_the_roots->unattached_unmatched);
    for (profi_thread *thread = profi_registry_lock(); thread != NULL; thread = thread->next) {
        stats->live_thread_count += !thread->exited;
        stats->lost_count += PROFI_GET(thread->lost);
        stats->repaired_count += PROFI_GET(thread->repaired);
        stats->unmatched_count += PROFI_GET(thread->unmatched);
    }
    profi_registry_unlock();
    profi_rings_total events = profi_rings_count();
    stats->event_count = events.issued;
    stats->event_lost_count = events.lost;
    stats->event_filtered_count = events.filtered;
    profi_kept_stats(stats);
    stats->memory_used_bytes = profi_region_used();
    stats->memory_limit_bytes = profi_region_limit();
}
