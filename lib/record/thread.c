/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads: attach at the first scope, hand over at exit, and begin anew in a
 * forked child.
 *
 * Two locks.  `list_lock` guards the links of the registry and is held for a
 * few instructions; `registry_lock` keeps threads from leaving, and is held
 * by a snapshot for as long as it copies.  A thread that attaches takes only
 * the first, so it never waits for a snapshot; one that exits takes both.
 */
#include "tree.h"

#include "../base/error.h"
#include "../base/region.h"
#include "../base/system.h"
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
    profi_thread_fold_begin(thread);
    profi_ring_retire(thread);
    registry_remove(thread);
    profi_thread_fold(thread);
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
    thread->is_ours = (uint32_t)profi_thread_is_ours();
    __atomic_fetch_add(&profi_the_roots->own_thread_total, (uint64_t)thread->is_ours, __ATOMIC_RELAXED);
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
    for (profi_node *node = profi_tree_list(thread), *next; node != NULL; node = next) {
        next = node->follower;
        profi_tree_free_node(node);
    }
    for (profi_thread_site *kept = thread->first_site, *next; kept != NULL; kept = next) {
        next = kept->next;
        profi_tree_free_site(kept);
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
    roots->thread_total = roots->own_thread_total = roots->unattached_lost = roots->unattached_repaired = 0;
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
    uint64_t own = PROFI_GET(profi_the_roots->own_thread_total); /* first: it is part of the other */
    stats->thread_count = PROFI_GET(profi_the_roots->thread_total) - own;
    stats->lost_count = PROFI_GET(profi_the_roots->unattached_lost);
    stats->repaired_count = PROFI_GET(profi_the_roots->unattached_repaired);
    stats->unmatched_count = PROFI_GET(profi_the_roots->unattached_unmatched);
    for (profi_thread *thread = profi_registry_lock(); thread != NULL; thread = thread->next) {
        stats->live_thread_count += !thread->exited && !thread->is_ours;
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
