/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See levels.h: pools and their queues, and the sweep, which merges what they
 * and the threads' logs hold, in the order of ticks.
 *
 * What is told to a pool is told under its lock, and its ticks rise strictly.
 * The sweep reads the clock first and looks at each pool afterwards, so
 * whatever it holds of before that moment is there; what comes later is left
 * for the next one.  For logs see level_log.c.  At equal ticks changes go first: a thread's change
 * has a later tick than its boundary before it.
 */
#include "levels.h"

#include "../base/array.h"
#include "../base/clock.h"
#include "cold.h"
#include "contexts.h"
#include "level_log.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS_MOST = 1 << 16, LATE_EVENTS_MOST = 1 << 18, LOOK_EVERY = 1 << 13, RESERVE = PROFI_POOL_LEVELS /* to say that more were lost */ };
enum { ENDED = PROFI_LEVEL_RESUME + 1 }; /* what becomes of a level: nobody tells of it any more */

typedef struct event {
    uint64_t tick;
    int64_t amount;
    uint16_t level, kind;
    uint32_t arrival;
} event;

typedef struct events {
    event *of;
    size_t count, room;
} events;

static struct pool {
    char name[PROFI_POOL_NAME_ROOM];
    pthread_mutex_t lock;
    int is_late, is_shut; /* shut: events are being lost */
    int is_lost;          /* by nobody knows how much: it stays unknown until it is set */
    events news;
    uint32_t arrivals;
    size_t look_at;                      /* how many news there were when somebody last looked */
    uint64_t last_tick, promised;
    uint64_t open_tick;                  /* of an open change, or 0 */
    int64_t missed[PROFI_POOL_LEVELS];   /* while shut */
    uint64_t event_count, lost_event_count, retry_count, exhausted_count;
    struct profi_pool_exhaustion exhaustions[PROFI_POOL_OOMS];
    void (*settle)(void *user);
    void *settle_user;
    /* The sweep's. */
    events held; /* sorted */
    size_t next; /* of the held */
    int has_more_news; /* than there was room for among the held */
    int is_blind; /* the sweep has gone on without waiting for it */
    int was_known; /* will be when it has caught up, where it is blind */
    int has_ended, end_is_known; /* whether what it held then is */
    uint64_t late_event_count;
    int64_t at_mark[PROFI_POOL_LEVELS];
#define EMPTY { .lock = PTHREAD_MUTEX_INITIALIZER }
#define EMPTY_8 EMPTY, EMPTY, EMPTY, EMPTY, EMPTY, EMPTY, EMPTY, EMPTY
} pools[PROFI_POOLS_MOST] = { EMPTY_8, EMPTY_8, EMPTY_8 };
static unsigned pool_count; /* stored with release after its pool */

static pthread_mutex_t sweep_lock = PTHREAD_MUTEX_INITIALIZER; /* before a pool's */

/* Whatever is told, it is no overflow. */
static int64_t wrapping_sum(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
static int64_t wrapping_difference(int64_t a, int64_t b) { return (int64_t)((uint64_t)a - (uint64_t)b); }

/* ---- telling ---- */

/* Under the pool's lock, as those below. */
static void lose(struct pool *pool, uint64_t tick, unsigned level, int64_t amount)
{
    pool->lost_event_count++;
    pool->missed[level] = wrapping_sum(pool->missed[level], amount);
    if (pool->is_shut)
        return;
    pool->is_shut = 1;
    for (unsigned i = 0; i < PROFI_POOL_LEVELS; i++) /* for which there is room */
        pool->news.of[pool->news.count++] = (event){ tick, 0, (uint16_t)i, PROFI_LEVEL_UNKNOWN, pool->arrivals++ };
}

static int has_room(struct pool *pool)
{
    if (pool->news.count >= (pool->is_late ? LATE_EVENTS_MOST : EVENTS_MOST))
        return 0;
    while (pool->news.room < pool->news.count + 2 * PROFI_POOL_LEVELS + RESERVE)
        if (!profi_array_grow(&pool->news.of, &pool->news.room, pool->news.room, sizeof(event)))
            return 0;
    return 1;
}

static void add(struct pool *pool, uint64_t tick, unsigned level, unsigned kind, int64_t amount)
{
    if (amount == 0 && kind == PROFI_LEVEL_CHANGE)
        return;
    pool->event_count++;
    if (pool->news.of == NULL && !has_room(pool)) { /* not even for the word that something is missing */
        pool->lost_event_count++;
        return;
    }
    if (!has_room(pool)) {
        lose(pool, tick, level, amount);
        return;
    }
    for (unsigned i = 0; pool->is_shut && i < PROFI_POOL_LEVELS; i++) {
        pool->news.of[pool->news.count++] = (event){ tick, pool->missed[i], (uint16_t)i, pool->is_lost ? PROFI_LEVEL_CHANGE : PROFI_LEVEL_RESUME, pool->arrivals++ };
        pool->missed[i] = 0;
    }
    pool->is_shut = 0;
    pool->news.of[pool->news.count++] = (event){ tick, amount, (uint16_t)level, (uint16_t)kind, pool->arrivals++ };
}

/* After what the thread and the pool did before. */
static uint64_t next_tick(struct pool *pool)
{
    uint64_t tick = profi_max_u64(profi_clock_now_ordered(), profi_max_u64(pool->last_tick, profi_level_last_tick) + 1);
    pool->last_tick = profi_level_last_tick = tick;
    return tick;
}

/* Unlocks; a queue that has grown by so much is a reason to look what can be put in order. */
static void leave(struct pool *pool)
{
    int is_due = pool->news.count >= pool->look_at + LOOK_EVERY;
    if (is_due)
        pool->look_at = pool->news.count;
    pthread_mutex_unlock(&pool->lock);
    if (is_due)
        profi_levels_sweep_some();
}

void profi_pool_set(unsigned number, uint64_t allocated_bytes, uint64_t reserved_bytes)
{
    struct pool *pool = &pools[number];
    const int64_t amounts[] = { (int64_t)allocated_bytes, (int64_t)reserved_bytes };
    pthread_mutex_lock(&pool->lock);
    uint64_t tick = next_tick(pool);
    pool->is_lost = 0;
    for (unsigned level = 0; level < PROFI_POOL_LEVELS; level++) {
        add(pool, tick, level, PROFI_LEVEL_UNKNOWN, 0);
        add(pool, tick, level, PROFI_LEVEL_SET, amounts[level]);
    }
    leave(pool);
}

void profi_pool_change(unsigned number, int64_t allocated_bytes, int64_t reserved_bytes)
{
    struct pool *pool = &pools[number];
    pthread_mutex_lock(&pool->lock);
    uint64_t tick = pool->open_tick != 0 ? pool->open_tick : next_tick(pool);
    pool->open_tick = 0;
    add(pool, tick, PROFI_POOL_RESERVED, PROFI_LEVEL_CHANGE, reserved_bytes);
    add(pool, tick, PROFI_POOL_ALLOCATED, PROFI_LEVEL_CHANGE, allocated_bytes);
    leave(pool);
}

void profi_pool_open_change(unsigned number)
{
    struct pool *pool = &pools[number];
    pthread_mutex_lock(&pool->lock);
    if (pool->open_tick == 0)
        pool->open_tick = next_tick(pool);
    profi_level_open_change = number + 1;
    pthread_mutex_unlock(&pool->lock);
}

void profi_pool_change_at(unsigned number, uint64_t tick, int64_t allocated_bytes, int64_t reserved_bytes)
{
    struct pool *pool = &pools[number];
    pthread_mutex_lock(&pool->lock);
    add(pool, tick, PROFI_POOL_RESERVED, PROFI_LEVEL_CHANGE, reserved_bytes);
    add(pool, tick, PROFI_POOL_ALLOCATED, PROFI_LEVEL_CHANGE, allocated_bytes);
    leave(pool);
}

void profi_pool_lose_at(unsigned number, uint64_t tick)
{
    struct pool *pool = &pools[number];
    pthread_mutex_lock(&pool->lock);
    pool->lost_event_count++;
    pool->is_lost = 1;
    for (unsigned level = 0; level < PROFI_POOL_LEVELS; level++)
        add(pool, tick, level, PROFI_LEVEL_UNKNOWN, 0);
    leave(pool);
}

/* What it became, at all levels; no change that was told. */
static void become(struct pool *pool, uint64_t tick, unsigned kind)
{
    uint64_t told = pool->event_count;
    for (unsigned level = 0; level < PROFI_POOL_LEVELS; level++)
        add(pool, tick, level, kind, 0);
    pool->event_count = told;
}

uint64_t profi_pool_begin(unsigned number)
{
    struct pool *pool = &pools[number];
    pthread_mutex_lock(&pool->lock);
    uint64_t tick = next_tick(pool);
    pool->promised = tick + 1;
    pool->is_lost = 0;
    become(pool, tick, PROFI_LEVEL_UNKNOWN);
    become(pool, tick, PROFI_LEVEL_SET);
    leave(pool);
    return tick + 1;
}

void profi_pool_end(unsigned number, uint64_t tick)
{
    struct pool *pool = &pools[number];
    pthread_mutex_lock(&pool->lock);
    become(pool, tick, ENDED);
    pool->is_lost = 1;
    pool->promised = UINT64_MAX;
    leave(pool);
}

void profi_pool_promise(unsigned number, uint64_t tick)
{
    struct pool *pool = &pools[number];
    pthread_mutex_lock(&pool->lock);
    pool->promised = profi_max_u64(pool->promised, tick);
    leave(pool);
}

void profi_pool_retry(unsigned pool, uint64_t times) { __atomic_fetch_add(&pools[pool].retry_count, times, __ATOMIC_RELAXED); }

void profi_pool_exhausted(unsigned number, uint64_t bytes)
{
    struct pool *pool = &pools[number];
    uint32_t context = PROFI_CONTEXT_NONE;
    profi_thread *self = profi_self;
    profi_node *node = self->current == &self->overflow ? self->overflow.parent : self->current;
    profi_step_away();
    if (self != &profi_away && node != NULL && node->site != NULL)
        context = profi_context_of(node);
    profi_come_back(self);
    pthread_mutex_lock(&pool->lock);
    if (pool->exhausted_count < PROFI_POOL_OOMS)
        pool->exhaustions[pool->exhausted_count] = (struct profi_pool_exhaustion){ bytes, context };
    pool->exhausted_count++;
    pthread_mutex_unlock(&pool->lock);
}

void profi_pool_settle_by(unsigned number, void (*settle)(void *user), void *user)
{
    struct pool *pool = &pools[number];
    pthread_mutex_lock(&pool->lock);
    pool->settle = settle;
    pool->settle_user = user;
    pthread_mutex_unlock(&pool->lock);
}

void profi_pool_settle(unsigned number)
{
    struct pool *pool = &pools[number];
    profi_level_open_change = 0;
    pthread_mutex_lock(&pool->lock);
    void (*settle)(void *user) = pool->open_tick != 0 ? pool->settle : NULL;
    pthread_mutex_unlock(&pool->lock);
    if (settle != NULL)
        settle(pool->settle_user);
}

/* ---- figures; under the lock of the sweep, as all below ---- */

static struct row {
    profi_level_figures *of;
    unsigned count;
} *rows; /* by context */
static size_t row_count;

static profi_level_figures *figures_at(uint32_t context, unsigned level)
{
    if (context >= row_count) {
        size_t wanted = profi_max_u64(context + 1, 2 * row_count);
        struct row *more = reallocarray(rows, wanted, sizeof(*rows));
        if (more == NULL)
            return NULL;
        memset(more + row_count, 0, (wanted - row_count) * sizeof(*more));
        rows = more;
        row_count = wanted;
    }
    struct row *row = &rows[context];
    if (level >= row->count) {
        unsigned wanted = PROFI_POOL_LEVELS * (level / PROFI_POOL_LEVELS + 1);
        profi_level_figures *more = reallocarray(row->of, wanted, sizeof(*more));
        if (more == NULL)
            return NULL;
        memset(more + row->count, 0, (wanted - row->count) * sizeof(*more));
        row->of = more;
        row->count = wanted;
    }
    return &row->of[level];
}

static void book(void *user, const profi_level_call *call)
{
    (void)user;
    profi_level_figures *into = figures_at(call->context, call->level);
    if (into == NULL) {
        profi_context_lose_call(call->context);
        return;
    }
    if (!call->is_known) {
        into->failed_calls++;
        return;
    }
    if (into->calls == 0 || call->high > into->high) {
        into->high = call->high;
        into->high_begin = call->begin;
        into->high_end = call->end;
    }
    into->calls++;
    int64_t rise = wrapping_difference(call->high, call->begin);
    into->growth = wrapping_sum(into->growth, wrapping_difference(call->end, call->begin));
    into->rise = rise > into->rise ? rise : into->rise;
}

int profi_level_figures_of(uint32_t context, unsigned pool, unsigned level, profi_level_figures *figures)
{
    unsigned number = pool * PROFI_POOL_LEVELS + level;
    if (context >= row_count || number >= rows[context].count)
        return 0;
    *figures = rows[context].of[number];
    return figures->calls != 0 || figures->failed_calls != 0;
}

/* ---- the sweep ---- */

static profi_sweep the_sweep = { .tell = book };
static uint64_t swept_until;

/* What comes next of a pool or a log. */
typedef struct source {
    uint64_t tick;
    unsigned pool;        /* where `log` is NULL */
    profi_level_log *log;
} source;
static source *heap; /* the earliest first */
static size_t heap_count, heap_room;

static int is_before(const source *a, const source *b)
{
    return a->tick != b->tick ? a->tick < b->tick : a->log == NULL && b->log != NULL;
}

static void sink(size_t at)
{
    source moved = heap[at];
    for (size_t child; (child = 2 * at + 1) < heap_count; at = child) {
        child += child + 1 < heap_count && is_before(&heap[child + 1], &heap[child]);
        if (!is_before(&heap[child], &moved))
            break;
        heap[at] = heap[child];
    }
    heap[at] = moved;
}

/* Fills in when it goes on; 0: nothing is there. */
static int has_next(source *from)
{
    if (from->log != NULL) {
        const profi_level_bound *bound = profi_level_log_next(from->log);
        from->tick = bound != NULL ? bound->tick : 0;
        return bound != NULL;
    }
    const struct pool *pool = &pools[from->pool];
    from->tick = pool->next < pool->held.count ? pool->held.of[pool->next].tick : 0;
    return pool->next < pool->held.count;
}

/* What a level is now, for the timeline. */
static void note_point(unsigned level, uint64_t tick)
{
    if (the_sweep.levels[level].last_unknown != UINT64_MAX)
        profi_level_points_note(level, tick, the_sweep.levels[level].value);
}

static int is_known(unsigned number)
{
    int yes = 1;
    for (unsigned level = 0; level < PROFI_POOL_LEVELS; level++)
        yes &= the_sweep.levels[number * PROFI_POOL_LEVELS + level].last_unknown != UINT64_MAX;
    return yes;
}

/* Takes note of how it stands with a pool; what becomes of the level. */
static unsigned note_kind(unsigned number, unsigned kind)
{
    struct pool *pool = &pools[number];
    if (kind == ENDED && !pool->has_ended)
        pool->end_is_known = pool->is_blind ? pool->was_known : is_known(number);
    pool->has_ended = kind == ENDED || (pool->has_ended && kind != PROFI_LEVEL_SET);
    kind = kind == ENDED ? PROFI_LEVEL_UNKNOWN : kind;
    if (kind != PROFI_LEVEL_CHANGE)
        pool->was_known = kind != PROFI_LEVEL_UNKNOWN;
    return kind;
}

static void apply_event(unsigned number)
{
    struct pool *pool = &pools[number];
    const event *next = &pool->held.of[pool->next++];
    unsigned level = number * PROFI_POOL_LEVELS + next->level, kind = note_kind(number, next->kind);
    int is_too_late = next->tick < swept_until && pool->is_late && !pool->is_blind;
    int was_known = the_sweep.levels[level].last_unknown != UINT64_MAX;
    if (is_too_late) { /* calls that are open now began before it, or after */
        pool->late_event_count++;
        profi_sweep_level(&the_sweep, level, PROFI_LEVEL_UNKNOWN, 0);
    }
    profi_sweep_level(&the_sweep, level, is_too_late && kind == PROFI_LEVEL_CHANGE && was_known ? PROFI_LEVEL_RESUME : kind, next->amount);
    if (pool->is_blind) /* what it is now, not then */
        profi_sweep_level(&the_sweep, level, PROFI_LEVEL_UNKNOWN, 0);
    note_point(level, next->tick);
}

static void apply_bound(profi_level_log *log)
{
    const profi_level_bound *bound = profi_level_log_next(log);
    if (bound->depth & PROFI_BOUND_IS_END)
        profi_sweep_end(&the_sweep, log->swept, bound->context, bound->depth & ~PROFI_BOUND_IS_END);
    else
        profi_sweep_begin(&the_sweep, log->swept, bound->context, bound->depth);
    profi_level_log_take(log);
}

static int by_tick(const void *one, const void *other)
{
    const event *a = one, *b = other;
    return a->tick != b->tick ? (a->tick > b->tick) - (a->tick < b->tick) : (int32_t)(a->arrival - b->arrival);
}

/* The moment before which nothing of the pool can come any more. */
static uint64_t complete_until(const struct pool *pool, uint64_t now)
{
    uint64_t until = pool->open_tick != 0 ? profi_min_u64(pool->open_tick, now) : now;
    return pool->is_late ? profi_min_u64(pool->promised, until) : until;
}

/* Moves news behind what is held, as far as there is room; under the pool's lock.  The earliest moment of what stays. */
static uint64_t append_news(struct pool *pool)
{
    events *held = &pool->held, *news = &pool->news;
    size_t wanted = profi_min_u64(news->count, LATE_EVENTS_MOST - profi_min_u64(held->count, LATE_EVENTS_MOST));
    while (held->room < held->count + wanted)
        if (!profi_array_grow(&held->of, &held->room, held->room, sizeof(event)))
            break;
    size_t moved = profi_min_u64(wanted, held->room - held->count);
    if (moved != 0)
        memcpy(held->of + held->count, news->of, moved * sizeof(event));
    held->count += moved;
    news->count -= moved;
    if (news->count != 0)
        memmove(news->of, news->of + moved, news->count * sizeof(event));
    uint64_t earliest = UINT64_MAX;
    for (size_t i = 0; i < news->count; i++)
        earliest = profi_min_u64(earliest, news->of[i].tick);
    return earliest;
}

/* Takes over what a pool was told; returns the moment before which it is complete. */
static uint64_t take_news(struct pool *pool, uint64_t now)
{
    events *held = &pool->held;
    held->count -= pool->next;
    if (held->count != 0)
        memmove(held->of, held->of + pool->next, held->count * sizeof(event));
    pool->next = 0;
    pthread_mutex_lock(&pool->lock);
    int has_news = pool->news.count != 0;
    uint64_t until = complete_until(pool, now);
    if (held->count == 0) {
        events empty = *held;
        *held = pool->news;
        pool->news = empty;
    } else {
        until = profi_min_u64(until, append_news(pool));
    }
    pool->look_at = pool->news.count;
    pool->has_more_news = pool->news.count != 0;
    pthread_mutex_unlock(&pool->lock);
    if (pool->is_late && has_news)
        qsort(held->of, held->count, sizeof(event), by_tick);
    return until;
}

static int prepare_heap(void)
{
    size_t count = pool_count;
    heap_count = 0;
    for (const profi_level_log *log = profi_level_logs(); log != NULL; log = log->next)
        count++;
    while (heap_room < count)
        if (!profi_array_grow(&heap, &heap_room, heap_room, sizeof(*heap)))
            return 0;
    return 1;
}

/* A pool that the others cannot wait for: its levels are not known until it has caught up. */
static void go_blind(unsigned number)
{
    pools[number].is_blind = 1;
    pools[number].was_known = is_known(number);
    for (unsigned level = 0; level < PROFI_POOL_LEVELS; level++)
        profi_sweep_level(&the_sweep, number * PROFI_POOL_LEVELS + level, PROFI_LEVEL_UNKNOWN, 0);
}

/* It has caught up: what it changed meanwhile is in its level. */
static void see_again(unsigned number)
{
    struct pool *pool = &pools[number];
    while (pool->next < pool->held.count && pool->held.of[pool->next].tick < swept_until)
        apply_event(number);
    pool->is_blind = 0;
    for (unsigned level = 0; pool->was_known && level < PROFI_POOL_LEVELS; level++) {
        profi_sweep_level(&the_sweep, number * PROFI_POOL_LEVELS + level, PROFI_LEVEL_RESUME, 0);
        note_point(number * PROFI_POOL_LEVELS + level, swept_until);
    }
}

/* Threads that have come since. */
static void meet_threads(void)
{
    for (profi_level_log *log = profi_level_logs(); log != NULL; log = log->next)
        if (log->swept == NULL && (log->swept = malloc(sizeof(*log->swept))) != NULL)
            profi_sweep_add_thread(&the_sweep, log->swept);
}

/* The moment up to which all is there.  With `must_go_on` no pool holds the others back. */
static uint64_t look_around(int must_go_on)
{
    uint64_t untils[PROFI_POOLS_MOST], now = profi_clock_now_ordered(), horizon;
    profi_clock_order(); /* pools and logs are looked at after the clock */
    horizon = now;
    meet_threads();
    for (unsigned i = 0; i < pool_count; i++) {
        untils[i] = take_news(&pools[i], now);
        if (pools[i].is_blind && untils[i] >= swept_until)
            see_again(i);
        if (!pools[i].is_blind)
            horizon = profi_min_u64(horizon, untils[i]);
    }
    for (unsigned i = 0; must_go_on && i < pool_count; i++)
        if (untils[i] < now && !pools[i].is_blind)
            go_blind(i);
    return must_go_on ? now : horizon;
}

/* And those that have gone. */
static void part_from_threads(void)
{
    for (profi_level_log *log = profi_level_logs(), *next; log != NULL; log = next) {
        next = log->next;
        if (!PROFI_ACQUIRE(log->is_over) || log->swept == NULL || profi_level_log_next(log) != NULL)
            continue;
        profi_sweep_remove_thread(&the_sweep, log->swept);
        free(log->swept);
        profi_level_log_drop(log);
    }
}

static void put_in_order(uint64_t horizon)
{
    source next;
    for (unsigned i = 0; i < pool_count; i++)
        if (next = (source){ .pool = i }, has_next(&next))
            heap[heap_count++] = next;
    for (profi_level_log *log = profi_level_logs(); log != NULL && heap_count < heap_room; log = log->next)
        if (next = (source){ .log = log }, log->swept != NULL && has_next(&next))
            heap[heap_count++] = next;
    for (size_t i = heap_count / 2; i-- > 0;)
        sink(i);
    while (heap_count != 0 && heap[0].tick < horizon) {
        if (heap[0].log != NULL)
            apply_bound(heap[0].log);
        else
            apply_event(heap[0].pool);
        if (!has_next(&heap[0]))
            heap[0] = heap[--heap_count];
        if (heap_count != 0)
            sink(0);
    }
    swept_until = profi_max_u64(swept_until, horizon);
}

/* Returns whether it has got on, and there is more. */
static int sweep(int must_go_on)
{
    uint64_t before = swept_until;
    int is_more = 0;
    uint64_t horizon = look_around(must_go_on);
    if (prepare_heap())
        put_in_order(horizon);
    part_from_threads();
    for (unsigned i = 0; i < pool_count; i++)
        is_more |= pools[i].has_more_news;
    return is_more && swept_until != before;
}

void profi_levels_sweep_some(void)
{
    if (pthread_mutex_trylock(&sweep_lock) != 0)
        return;
    sweep(0);
    if (profi_level_chunk_count() >= profi_level_chunks_most() - profi_level_chunks_most() / 8)
        sweep(1);
    pthread_mutex_unlock(&sweep_lock);
}

void profi_levels_sweep(void)
{
    unsigned count = profi_pool_count();
    for (unsigned i = 0; i < count; i++)
        profi_pool_settle(i);
    pthread_mutex_lock(&sweep_lock);
    while (sweep(0))
        ;
    pthread_mutex_unlock(&sweep_lock);
}

void profi_levels_lock(void) { pthread_mutex_lock(&sweep_lock); }
void profi_levels_unlock(void) { pthread_mutex_unlock(&sweep_lock); }

/* ---- the timeline ---- */

void profi_levels_trace(uint64_t interval_ticks)
{
    pthread_mutex_lock(&sweep_lock);
    while (interval_ticks != 0 && sweep(0))
        ;
    uint64_t now = profi_clock_now_ordered();
    profi_level_points_begin(now, interval_ticks);
    for (unsigned level = 0; level < pool_count * PROFI_POOL_LEVELS; level++)
        note_point(level, now);
    pthread_mutex_unlock(&sweep_lock);
}

size_t profi_levels_take_points(profi_level_point *into, size_t room)
{
    pthread_mutex_lock(&sweep_lock);
    size_t count = profi_level_points_take(swept_until, into, room);
    pthread_mutex_unlock(&sweep_lock);
    return count;
}

uint64_t profi_levels_lost_points(void)
{
    pthread_mutex_lock(&sweep_lock);
    uint64_t lost = profi_level_points_lost();
    pthread_mutex_unlock(&sweep_lock);
    return lost;
}

/* ---- pools ---- */

unsigned profi_pool_of(const char *name, int is_late)
{
    pthread_mutex_lock(&sweep_lock);
    unsigned found = 0;
    while (found < pool_count && strcmp(pools[found].name, name) != 0)
        found++;
    if (found == pool_count && pool_count < PROFI_POOLS_MOST) {
        strncpy(pools[found].name, name, PROFI_POOL_NAME_ROOM - 1);
        pools[found].is_late = is_late;
        for (unsigned level = 0; level < PROFI_POOL_LEVELS; level++)
            profi_sweep_level(&the_sweep, profi_sweep_add_level(&the_sweep), PROFI_LEVEL_SET, 0);
        PROFI_RELEASE(pool_count, pool_count + 1);
        PROFI_RELEASE(profi_levels_are_told, 1u);
    }
    pthread_mutex_unlock(&sweep_lock);
    return found;
}

unsigned profi_pool_count(void) { return PROFI_ACQUIRE(pool_count); }

static uint32_t is_marked; /* relaxed */

void profi_pools_mark(void)
{
    profi_levels_sweep();
    pthread_mutex_lock(&sweep_lock);
    for (unsigned i = 0; i < pool_count; i++)
        for (unsigned level = 0; level < PROFI_POOL_LEVELS; level++)
            pools[i].at_mark[level] = the_sweep.levels[i * PROFI_POOL_LEVELS + level].value;
    PROFI_PUT(is_marked, 1u);
    pthread_mutex_unlock(&sweep_lock);
}

int profi_pools_are_marked(void) { return PROFI_GET(is_marked) != 0; }

profi_pool_view profi_pool_at(unsigned number)
{
    struct pool *pool = &pools[number];
    profi_pool_view view = { .name = pool->name, .is_late = (uint32_t)pool->is_late, .has_ended = (uint32_t)pool->has_ended,
                             .is_known = (uint32_t)(pool->has_ended ? pool->end_is_known : !pool->is_blind && is_known(number)),
                             .late_event_count = pool->late_event_count };
    for (unsigned level = 0; level < PROFI_POOL_LEVELS; level++) {
        const profi_swept_level *from = &the_sweep.levels[number * PROFI_POOL_LEVELS + level];
        view.now[level] = from->value;
        view.high[level] = from->high;
        view.at_mark[level] = pool->at_mark[level];
    }
    pthread_mutex_lock(&pool->lock);
    view.event_count = pool->event_count;
    view.lost_event_count = pool->lost_event_count;
    view.retry_count = PROFI_GET(pool->retry_count);
    view.exhausted_count = pool->exhausted_count;
    memcpy(view.exhaustions, pool->exhaustions, sizeof(view.exhaustions));
    pthread_mutex_unlock(&pool->lock);
    return view;
}

/* ---- fork ---- */

void profi_levels_before_fork(void)
{
    pthread_mutex_lock(&sweep_lock);
    for (unsigned i = 0; i < pool_count; i++)
        pthread_mutex_lock(&pools[i].lock);
    profi_contexts_lock();
    profi_level_logs_lock();
}

void profi_levels_after_fork(void)
{
    profi_level_logs_unlock();
    profi_contexts_unlock();
    for (unsigned i = pool_count; i-- > 0;)
        pthread_mutex_unlock(&pools[i].lock);
    pthread_mutex_unlock(&sweep_lock);
}

void profi_pool_forget(unsigned number)
{
    struct pool *pool = &pools[number];
    pool->news.count = pool->held.count = pool->next = pool->look_at = 0;
    pool->is_shut = pool->is_lost = pool->is_blind = pool->has_more_news = pool->has_ended = 0;
    pool->promised = UINT64_MAX;
    pool->event_count = pool->lost_event_count = pool->late_event_count = pool->retry_count = pool->exhausted_count = 0;
    for (unsigned level = 0; level < PROFI_POOL_LEVELS; level++) {
        profi_swept_level *of = &the_sweep.levels[number * PROFI_POOL_LEVELS + level];
        pool->missed[level] = pool->at_mark[level] = 0;
        of->value = of->high = 0;
        of->count = 0;
        of->last_unknown = the_sweep.boundaries;
    }
}

void profi_levels_forget(int is_new_region)
{
    for (profi_sweep_thread *thread; (thread = the_sweep.threads) != NULL; free(thread))
        profi_sweep_remove_thread(&the_sweep, thread);
    profi_level_logs_forget(is_new_region);
    profi_level_points_begin(0, 0);
    profi_contexts_forget_calls();
    for (size_t i = 0; i < row_count; i++)
        for (unsigned level = 0; level < rows[i].count; level++)
            rows[i].of[level] = (profi_level_figures){ 0 };
}
