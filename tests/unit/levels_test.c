/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pools of which all threads share one, end to end: what a snapshot says of
 * calls, against an oracle that goes through all open calls at every change.
 * The pools are numbers; no GPU is needed.
 */
#define SITES_AT "levels_test.c", 1
#include "recording.h"
#include "simulated.h"

#include "record/levels.h"

#include <profcore/memory.h>
#include <profcore/operators.h>
#include <profcore/snapshot.h>

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static prof_error err = PROF_ERROR_INIT;

static prof_pool *pool_of(const char *name)
{
    prof_pool *pool = NULL;
    CHECK_I64(prof_pool_open(name, &pool, &err), PROF_OK);
    return pool;
}

static prof_snapshot *taken(void)
{
    prof_snapshot *snapshot = NULL;
    pass(100);
    CHECK_I64(prof_snapshot_take(&snapshot, NULL), PROF_OK);
    return snapshot;
}

static prof_measure measure_in(const prof_snapshot *snapshot, const char *function, const char *level, prof_status *status)
{
    prof_measure found = PROF_MEASURE_INIT;
    uint32_t id = 0;
    *status = prof_snapshot_find(snapshot, function, &id, &err);
    for (uint32_t i = 0; *status == PROF_OK && i < prof_snapshot_probe_count(snapshot); i++) {
        prof_probe_info info = PROF_PROBE_INFO_INIT;
        CHECK_I64(prof_snapshot_probe(snapshot, i, &info, NULL), PROF_OK);
        if (strcmp(info.name, level) == 0) {
            *status = prof_snapshot_measure(snapshot, id, i, &found, &err);
            return found;
        }
    }
    *status = PROF_E_NOT_FOUND;
    return found;
}

static prof_measure measure_of(const char *function, const char *level)
{
    prof_status status;
    prof_snapshot *snapshot = taken();
    prof_measure found = measure_in(snapshot, function, level, &status);
    prof_snapshot_close(snapshot);
    return found;
}

static prof_status status_of(const char *function, const char *level)
{
    prof_status status;
    prof_snapshot *snapshot = taken();
    measure_in(snapshot, function, level, &status);
    prof_snapshot_close(snapshot);
    return status;
}

static prof_pool_info info_of(const char *name)
{
    prof_snapshot *snapshot = taken();
    prof_pool_info info = PROF_POOL_INFO_INIT;
    static char path[256];
    for (uint32_t i = 0; i < prof_snapshot_pool_count(snapshot); i++) {
        CHECK_I64(prof_snapshot_pool(snapshot, i, &info, &err), PROF_OK);
        if (strcmp(info.name, name) == 0)
            break;
    }
    CHECK(info.name != NULL && strcmp(info.name, name) == 0);
    snprintf(path, sizeof(path), "%s", info.exhausted_path != NULL ? info.exhausted_path : "(none)");
    info.exhausted_path = path;
    prof_snapshot_close(snapshot);
    return info;
}

/* ---- pools that are to come ---- */

static const char *not_there = "nobody has \n initialised it"; /* NULL: it is there */
static uint32_t looks;

static prof_status look(void *user, prof_error *why)
{
    const char *reason = PROFI_ACQUIRE(not_there);
    CHECK(user == &looks);
    __atomic_fetch_add(&looks, 1u, __ATOMIC_RELAXED);
    if (reason == NULL) {
        pool_of("awaited:0");
        return PROF_OK;
    }
    snprintf(why->message, sizeof(why->message), "%s", reason);
    return PROF_E_BUSY;
}

/* Of the pool of this name, "" where it is there, "missing" where there is none. */
static void reason_of(const char *name, char reason[256])
{
    prof_snapshot *snapshot = taken();
    snprintf(reason, 256, "missing");
    for (uint32_t i = 0; i < prof_snapshot_pool_count(snapshot); i++) {
        prof_pool_info info = PROF_POOL_INFO_INIT;
        CHECK_I64(prof_snapshot_pool(snapshot, i, &info, &err), PROF_OK);
        if (strcmp(info.name, name) == 0)
            snprintf(reason, 256, "%s", info.reason != NULL ? info.reason : "");
    }
    prof_snapshot_close(snapshot);
}

/* In a while. */
static int comes(const char *name, const char *expected)
{
    char reason[256];
    for (int tries = 0; tries < 3000; tries++, usleep(10000)) {
        reason_of(name, reason);
        if (strcmp(reason, expected) == 0)
            return 1;
    }
    printf("# %s: \"%s\"\n", name, reason);
    return 0;
}

static prof_status refuse(void *user, prof_error *why)
{
    (void)user;
    why->message[0] = '\0';
    __atomic_fetch_add(&looks, 1u, __ATOMIC_RELAXED);
    return PROF_E_UNSUPPORTED;
}

/* The first: later all sites ask. */
TEST(sites_of_before_sampled_ones_and_operators_do_without)
{
    prof_operators *runtime = NULL;
    start();
    CHECK_I64(prof_operators_open("torch", &runtime, NULL), PROF_OK);
    prof_site *early = site("early"), *asking = site_with("early and asking", PROF_SITE_POOLS);
    prof_end(prof_begin(early));
    prof_pool *pool = pool_of("gpu:0");
    prof_scope scopes[] = { prof_begin(early), prof_begin(asking), prof_begin(site_with("sampled", PROF_SITE_SAMPLED)),
                            prof_operator_begin(runtime, "aten::add"), prof_begin(site("late")) };
    pass(1);
    prof_pool_change(pool, 64, 128);
    prof_pool_change(pool, -64, -128);
    for (int i = 5; i-- > 0;)
        prof_end(scopes[i]);
    stop();
    CHECK_I64(status_of("early", "gpu:0.allocated"), PROF_E_NOT_FOUND);
    CHECK_I64(status_of("sampled", "gpu:0.allocated"), PROF_E_NOT_FOUND);
    CHECK_I64(status_of("aten::add", "gpu:0.allocated"), PROF_E_NOT_FOUND);
    CHECK_U64(measure_of("late", "gpu:0.allocated").peak, 64);
    CHECK_U64(measure_of("early and asking", "gpu:0.reserved").peak, 128);
}

TEST(pools_to_come_are_asked_for_until_they_are_there_and_reports_say_why_not)
{
    prof_measure measure;
    start();
    CHECK_I64(prof_pool_await("awaited", look, &looks, &err), PROF_OK);
    CHECK_I64(prof_pool_await("awaited", look, &looks, &err), PROF_OK); /* the same once */
    prof_scope scope = prof_begin(site("before it came"));
    CHECK(comes("awaited", "nobody has \\n initialised it"));
    __atomic_store_n(&not_there, NULL, __ATOMIC_RELEASE);
    CHECK(comes("awaited", "missing"));
    CHECK(comes("awaited:0", ""));
    prof_end(scope);
    prof_pool_change(pool_of("awaited:0"), 64, 0);
    prof_end(prof_begin(site("before it came")));
    stop();
    measure = measure_of("before it came", "awaited:0.allocated");
    CHECK_U64(measure.peak, 64);
    uint32_t asked = PROFI_GET(looks);
    usleep(50000);
    CHECK_U64(PROFI_GET(looks), asked);
}

TEST(who_says_never_is_not_asked_again)
{
    start();
    looks = 0;
    CHECK_I64(prof_pool_await("refused", refuse, NULL, &err), PROF_OK);
    CHECK(comes("refused", "for no stated reason"));
    usleep(50000);
    CHECK_U64(PROFI_GET(looks), 1);
    stop();
}

TEST(a_call_has_what_was_allocated_at_its_begin_and_end_and_the_highest_in_between)
{
    prof_pool *pool = pool_of("gpu:0");
    start();
    prof_pool_change(pool, 1000, 4096);
    prof_scope outer = prof_begin(site("outer")), inner;
    prof_pool_change(pool, 100, 0);
    inner = prof_begin(site("inner"));
    prof_pool_change(pool, 700, 4096);
    prof_pool_change(pool, -700, 0);
    prof_pool_change(pool, 20, 0);
    prof_end(inner);
    prof_pool_change(pool, -50, 0);
    inner = prof_begin(site("inner"));
    prof_pool_change(pool, -20, 0);
    prof_end(inner);
    prof_end(outer);
    prof_pool_change(pool, -1050, -8192);
    stop();
    prof_measure in_outer = measure_of("outer", "gpu:0.allocated"), in_inner = measure_of("inner", "gpu:0.allocated");
    CHECK_U64(in_outer.calls, 1);
    CHECK_U64(in_outer.failed_calls, 0);
    CHECK_U64(in_outer.is_bound, 0);
    CHECK_U64(in_outer.peak, 1800);
    CHECK_U64(in_outer.peak_begin, 1000);
    CHECK_U64(in_outer.peak_end, 1050);
    CHECK_U64(in_outer.rise, 800);
    CHECK_I64(in_outer.sum, 50);
    CHECK_U64(in_inner.calls, 2);
    CHECK_U64(in_inner.peak, 1800);
    CHECK_U64(in_inner.peak_begin, 1100);
    CHECK_U64(in_inner.peak_end, 1120);
    CHECK_U64(in_inner.rise, 700);
    CHECK_I64(in_inner.sum, 0);
    CHECK_U64(measure_of("outer", "gpu:0.reserved").peak, 8192);
    CHECK_I64(measure_of("outer", "gpu:0.reserved").sum, 4096);
}

/* ---- random histories ---- */

enum { THREADS = 4, STEPS = 4000, DEPTH = 5, NAMES = 3, LEVELS = 4 };
static const char *const level_names[LEVELS] = { "now.allocated", "now.reserved", "later.allocated", "later.reserved" };

struct figures {
    uint64_t calls, peak, rise;
    int64_t sum;
};

struct open_call {
    struct figures *into;
    prof_scope scope;
    int64_t begin[LEVELS], high[LEVELS];
};

typedef struct actor {
    unsigned number, depth;
    uint64_t random;
    struct open_call open[DEPTH];
    struct figures of[DEPTH * NAMES][LEVELS];
} actor;

static pthread_mutex_t allocator = PTHREAD_MUTEX_INITIALIZER; /* whose order is the order */
static int64_t value[LEVELS];
static actor actors[THREADS];
static prof_pool *now_pool;
static unsigned later_pool;
static struct { uint64_t tick; int64_t allocated, reserved; } news[1 << 17]; /* what has not been told yet */
static unsigned news_count;

static unsigned draw(actor *a, unsigned below)
{
    a->random = a->random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(a->random >> 33) % below;
}

static void actor_name(const actor *a, unsigned depth, unsigned name, char text[32])
{
    snprintf(text, 32, "t%u d%u n%u", a->number, depth, name);
}

static void actor_begin(actor *a)
{
    char text[32];
    unsigned name = draw(a, NAMES);
    actor_name(a, a->depth, name, text);
    struct open_call *call = &a->open[a->depth];
    call->into = a->of[a->depth * NAMES + name];
    call->scope = prof_begin(site(text));
    memcpy(call->begin, value, sizeof(value));
    memcpy(call->high, value, sizeof(value));
    a->depth++;
}

static void actor_end(actor *a)
{
    struct open_call *call = &a->open[--a->depth];
    prof_end(call->scope);
    for (unsigned i = 0; i < LEVELS; i++) {
        struct figures *into = &call->into[i];
        into->calls++;
        into->sum += value[i] - call->begin[i];
        into->peak = (uint64_t)call->high[i] > into->peak ? (uint64_t)call->high[i] : into->peak;
        into->rise = (uint64_t)(call->high[i] - call->begin[i]) > into->rise ? (uint64_t)(call->high[i] - call->begin[i]) : into->rise;
    }
}

static int64_t draw_change(actor *a, unsigned level)
{
    int64_t change = (int64_t)draw(a, 2001) - 1000;
    return value[level] + change < 0 ? -value[level] : change;
}

static void actor_change(actor *a)
{
    unsigned first = draw(a, 2) ? 2 : 0;
    int64_t allocated = draw_change(a, first), reserved = draw(a, 4) == 0 ? draw_change(a, first + 1) : 0;
    value[first] += allocated;
    value[first + 1] += reserved;
    for (unsigned i = 0; i < THREADS; i++)
        for (unsigned depth = 0; depth < actors[i].depth; depth++)
            for (unsigned level = 0; level < LEVELS; level++)
                if (value[level] > actors[i].open[depth].high[level])
                    actors[i].open[depth].high[level] = value[level];
    if (first == 0) {
        prof_pool_change(now_pool, allocated, reserved);
        return;
    }
    news[news_count].tick = now_ns;
    news[news_count].allocated = allocated;
    news[news_count++].reserved = reserved;
}

/* As a driver does: out of order, in pieces, with a word on what is complete. */
static void tell_later(actor *a)
{
    for (unsigned i = news_count; i > 1; i--) {
        unsigned other = draw(a, i);
        __typeof__(news[0]) moved = news[i - 1];
        news[i - 1] = news[other];
        news[other] = moved;
    }
    for (unsigned i = 0; i < news_count; i++)
        profi_pool_change_at(later_pool, news[i].tick, news[i].allocated, news[i].reserved);
    news_count = 0;
    profi_pool_promise(later_pool, now_ns);
}

static void *act(void *user)
{
    actor *a = user;
    for (unsigned step = 0; step < STEPS; step++) {
        pthread_mutex_lock(&allocator);
        pass(10);
        unsigned choice = draw(a, 100);
        if (choice < 30 && a->depth < DEPTH)
            actor_begin(a);
        else if (choice < 58 && a->depth != 0)
            actor_end(a);
        else if (choice < 99)
            actor_change(a);
        else
            tell_later(a);
        pthread_mutex_unlock(&allocator);
    }
    pthread_mutex_lock(&allocator);
    while (a->depth != 0) {
        pass(10);
        actor_end(a);
    }
    pthread_mutex_unlock(&allocator);
    return NULL;
}

static void compare(const prof_snapshot *snapshot, const actor *a)
{
    for (unsigned i = 0; i < DEPTH * NAMES; i++)
        for (unsigned level = 0; level < LEVELS; level++) {
            char text[32];
            prof_status status;
            const struct figures *expected = &a->of[i][level];
            actor_name(a, i / NAMES, i % NAMES, text);
            prof_measure found = measure_in(snapshot, text, level_names[level], &status);
            CHECK_I64(status, PROF_OK);
            CHECK_U64(found.calls, expected->calls);
            CHECK_U64(found.failed_calls, 0);
            CHECK_U64(found.peak, expected->peak);
            CHECK_U64(found.rise, expected->rise);
            CHECK_I64(found.sum, expected->sum);
            CHECK(found.calls != 0);
        }
}

TEST(random_histories_of_several_threads_and_pools_are_as_the_oracle_says_to_the_byte)
{
    pthread_t threads[THREADS];
    pass(1000);
    now_pool = pool_of("now");
    later_pool = profi_pool_of("later", 1);
    profi_pool_promise(later_pool, now_ns);
    start();
    for (unsigned i = 0; i < THREADS; i++) {
        actors[i].number = i;
        actors[i].random = 7 * i + 1;
        REQUIRE(pthread_create(&threads[i], NULL, act, &actors[i]) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    tell_later(&actors[0]); /* some after their threads have ended */
    pass(1000);
    profi_pool_promise(later_pool, UINT64_MAX / 2);
    prof_snapshot *snapshot = taken();
    stop();
    for (unsigned i = 0; i < THREADS; i++)
        compare(snapshot, &actors[i]);
    prof_snapshot_close(snapshot);
    CHECK_U64(info_of("later").late_change_count, 0);
    CHECK_U64(info_of("later").lost_change_count + info_of("now").lost_change_count, 0);
    CHECK_U64(profi_levels_lost_calls(), 0);
}

/* ---- what comes late, and what has no room ---- */

TEST(a_change_that_comes_after_its_moment_was_put_in_order_is_counted_and_open_calls_read_unavailable)
{
    start();
    profi_pool_promise(later_pool, UINT64_MAX / 2);
    prof_scope open = prof_begin(site("open then"));
    pass(1000);
    uint64_t late = info_of("later").late_change_count;
    profi_pool_change_at(later_pool, now_ns - 900, 0, 77);
    pass(1000);
    prof_snapshot_close(taken());
    prof_end(open);
    prof_end(prof_begin(site("afterwards")));
    stop();
    CHECK_U64(info_of("later").late_change_count - late, 1);
    CHECK_I64(status_of("open then", "later.reserved"), PROF_E_UNAVAILABLE);
    CHECK_I64(status_of("open then", "later.allocated"), PROF_OK);
    CHECK_I64(status_of("afterwards", "later.reserved"), PROF_OK);
    profi_pool_change_at(later_pool, now_ns, 0, -77);
}

TEST(a_pool_that_is_set_anew_has_no_figures_in_calls_that_were_open)
{
    prof_pool *pool = pool_of("set");
    start();
    prof_scope outer = prof_begin(site("around the set"));
    pass(10);
    prof_pool_set(pool, 5000, 6000);
    pass(10);
    prof_scope inner = prof_begin(site("after the set"));
    prof_pool_change(pool, -10, 0);
    prof_end(inner);
    prof_end(outer);
    stop();
    CHECK_I64(status_of("around the set", "set.allocated"), PROF_E_UNAVAILABLE);
    CHECK_U64(measure_of("after the set", "set.allocated").peak, 5000);
    CHECK_U64(measure_of("after the set", "set.reserved").peak, 6000);
    CHECK_U64(info_of("set").allocated_bytes, 4990);
}

static prof_pool *open_pool;
static unsigned settled;
static void close_change(void *user)
{
    settled++;
    prof_pool_change(open_pool, *(int64_t *)user, 0);
}

TEST(a_change_whose_size_comes_later_counts_from_its_moment)
{
    int64_t bytes = 512;
    open_pool = pool_of("open");
    prof_pool_settle_by(open_pool, close_change, &bytes);
    start();
    prof_scope outer = prof_begin(site("opens")), inner;
    pass(10);
    prof_pool_open_change(open_pool);
    pass(10);
    inner = prof_begin(site("comes after it")); /* where its thread closes it */
    CHECK_U64(settled, 1);
    prof_end(inner);
    prof_pool_open_change(open_pool);
    prof_pool_change(open_pool, 100, 0);
    prof_end(outer);
    CHECK_U64(settled, 1);
    prof_pool_open_change(open_pool);
    prof_snapshot_close(taken()); /* which closes it as well */
    CHECK_U64(settled, 2);
    stop();
    CHECK_U64(measure_of("comes after it", "open.allocated").peak_begin, 512);
    CHECK_U64(measure_of("opens", "open.allocated").peak, 612);
    CHECK_U64(measure_of("opens", "open.allocated").peak_begin, 0);
    CHECK_U64(info_of("open").allocated_bytes, 1124);
}

TEST(a_full_queue_loses_what_calls_had_then_and_nothing_else)
{
    enum { MANY = 600000 };
    unsigned full = profi_pool_of("full", 1);
    start();
    profi_pool_promise(full, now_ns);
    prof_end(prof_begin(site("before the loss")));
    pass(10);
    profi_pool_promise(full, now_ns);
    CHECK_I64(status_of("before the loss", "full.allocated"), PROF_OK);
    prof_scope during = prof_begin(site("during the loss"));
    for (unsigned i = 0; i < MANY; i++) {
        pass(10);
        profi_pool_change_at(full, now_ns, 3, 0);
    }
    prof_end(during);
    pass(10);
    profi_pool_promise(full, now_ns);
    prof_snapshot_close(taken());
    pass(10);
    profi_pool_change_at(full, now_ns, 1, 0);
    pass(10);
    prof_end(prof_begin(site("after the loss")));
    profi_pool_promise(full, now_ns + 100000);
    stop();
    CHECK(info_of("full").lost_change_count > 0);
    CHECK_I64(status_of("during the loss", "full.allocated"), PROF_E_UNAVAILABLE);
    CHECK_HAS(err.message, "what was told of it has gaps");
    CHECK_U64(measure_of("after the loss", "full.allocated").peak, 3 * MANY + 1);
    CHECK_U64(info_of("full").allocated_bytes, 3 * MANY + 1);
    profi_pool_promise(full, UINT64_MAX / 2);
}

TEST(a_pool_that_keeps_all_waiting_is_left_behind_before_calls_are_lost)
{
    enum { MANY = 300000 };
    unsigned slow = profi_pool_of("slow", 1);
    prof_pool *pool = pool_of("gpu:0");
    start();
    profi_pool_promise(slow, now_ns);
    uint64_t lost = profi_levels_lost_calls();
    prof_site *many = site("many calls");
    for (unsigned i = 0; i < MANY; i++) {
        pass(10);
        prof_scope scope = prof_begin(many);
        prof_pool_change(pool, 5, 0);
        prof_pool_change(pool, -5, 0);
        prof_end(scope);
    }
    pass(10);
    profi_pool_change_at(slow, now_ns - 5, 9, 9);
    profi_pool_promise(slow, now_ns);
    prof_snapshot_close(taken());
    pass(10);
    prof_end(prof_begin(site("when it is back")));
    pass(10);
    profi_pool_promise(slow, UINT64_MAX / 2);
    stop();
    CHECK_U64(profi_levels_lost_calls(), lost);
    prof_measure in_many = measure_of("many calls", "gpu:0.allocated");
    CHECK_U64(in_many.calls, MANY);
    CHECK_U64(in_many.failed_calls, 0);
    CHECK_U64(in_many.rise, 5);
    CHECK(measure_of("many calls", "slow.allocated").failed_calls > 0);
    CHECK_U64(measure_of("when it is back", "slow.allocated").peak, 9);
}

TEST(a_pool_that_ends_while_it_is_left_behind_is_not_known_and_keeps_nobody_waiting)
{
    enum { MANY = 300000 };
    unsigned slow = profi_pool_of("left behind", 1);
    prof_pool *pool = pool_of("gpu:0");
    start();
    profi_pool_begin(slow);
    pass(10);
    profi_pool_change_at(slow, now_ns, 40, 40);
    profi_pool_promise(slow, now_ns);
    pass(10);
    prof_site *many = site("many beside it");
    for (unsigned i = 0; i < MANY; i++) {
        pass(10);
        prof_scope scope = prof_begin(many);
        prof_pool_change(pool, 5, 0);
        prof_pool_change(pool, -5, 0);
        prof_end(scope);
    }
    pass(10);
    profi_pool_lose_at(slow, now_ns - 9);
    profi_pool_end(slow, now_ns - 5);
    CHECK(!info_of("left behind").is_known);
    CHECK_U64(info_of("left behind").flags, PROF_POOL_IS_TRACED | PROF_POOL_HAS_ENDED);
    profi_pool_begin(slow);
    pass(10);
    profi_pool_change_at(slow, now_ns, 3, 3);
    profi_pool_promise(slow, now_ns + 1);
    pass(10);
    CHECK(info_of("left behind").is_known);
    CHECK_U64(info_of("left behind").allocated_bytes, 3);
    CHECK_U64(info_of("left behind").flags, PROF_POOL_IS_TRACED);
    profi_pool_end(slow, now_ns);
    pass(10);
    prof_end(prof_begin(site("beside one that has ended")));
    stop();
    CHECK_U64(measure_of("beside one that has ended", "gpu:0.allocated").calls, 1);
}

/* ---- pools ---- */

TEST(a_pool_tells_of_loading_peak_retries_and_where_it_was_exhausted)
{
    prof_pool *pool = pool_of("told");
    start();
    prof_pool_change(pool, 300, 1000);
    pass(10);
    prof_memory_mark();
    prof_pool_change(pool, 500, 0);
    prof_pool_change(pool, -600, 0);
    prof_scope outer = prof_begin(site("get_response")), inner = prof_begin(site("decode"));
    prof_pool_retry(pool, 2);
    prof_pool_exhausted(pool, 1 << 30);
    prof_end(inner);
    prof_pool_exhausted(pool, 5);
    prof_end(outer);
    stop();
    prof_pool_info info = info_of("told");
    CHECK_U64(info.is_known, 1);
    CHECK_U64(info.is_marked, 1);
    CHECK_U64(info.allocated_mark_bytes, 300);
    CHECK_U64(info.reserved_mark_bytes, 1000);
    CHECK_U64(info.allocated_bytes, 200);
    CHECK_U64(info.allocated_peak_bytes, 800);
    CHECK_U64(info.reserved_peak_bytes, 1000);
    CHECK_U64(info.retry_count, 2);
    CHECK_U64(info.exhausted_count, 2);
    CHECK_U64(info.exhausted_bytes, 1 << 30);
    CHECK_STR(info.exhausted_path, "get_response > decode");
}

TEST(a_forked_child_measures_its_own_calls)
{
    prof_pool *pool = pool_of("forked");
    start();
    prof_scope open = prof_begin(site("over the fork"));
    prof_pool_change(pool, 40, 0);
    pid_t child = fork();
    if (child == 0) {
        prof_scope scope = prof_begin(site("in the child"));
        prof_pool_change(pool, 2, 0);
        prof_end(scope);
        prof_measure found = measure_of("in the child", "forked.allocated");
        _exit(found.calls == 1 && found.peak == 42 && found.peak_begin == 40 && !test_failed ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK_I64(status, 0);
    prof_end(open);
    stop();
    CHECK_U64(measure_of("over the fork", "forked.allocated").peak, 40);
}

TEST(a_subtree_has_the_figures_of_the_calls_below_it)
{
    prof_pool *pool = pool_of("gpu:0");
    start();
    prof_scope lone = prof_begin(site("shared"));
    prof_pool_change(pool, 7000, 0);
    prof_pool_change(pool, -7000, 0);
    prof_end(lone);
    prof_scope top = prof_begin(site("top")), below = prof_begin(site("shared"));
    prof_pool_change(pool, 70, 0);
    prof_pool_change(pool, -70, 0);
    prof_end(below);
    prof_end(top);
    stop();
    prof_snapshot *snapshot = taken(), *subtree = NULL;
    uint32_t id = 0;
    prof_status status;
    CHECK_I64(prof_snapshot_find(snapshot, "top", &id, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_subtree(snapshot, id, &subtree, NULL), PROF_OK);
    CHECK_U64(measure_in(snapshot, "shared", "gpu:0.allocated", &status).calls, 2);
    CHECK_U64(measure_in(snapshot, "shared", "gpu:0.allocated", &status).rise, 7000);
    CHECK_U64(measure_in(subtree, "shared", "gpu:0.allocated", &status).calls, 1);
    CHECK_U64(measure_in(subtree, "shared", "gpu:0.allocated", &status).rise, 70);
    prof_snapshot_close(subtree);
    prof_snapshot_close(snapshot);
}

/* ---- reports ---- */

static int gather(void *user, const void *data, size_t bytes)
{
    char *text = user;
    size_t used = strlen(text), room = (1u << 20) - 1 - used, taken_bytes = bytes < room ? bytes : room;
    memcpy(text + used, data, taken_bytes);
    text[used + taken_bytes] = '\0';
    return 0;
}

static prof_pool_info pool_in(const prof_snapshot *snapshot, const char *name)
{
    prof_pool_info info = PROF_POOL_INFO_INIT;
    for (uint32_t i = 0; i < prof_snapshot_pool_count(snapshot); i++) {
        CHECK_I64(prof_snapshot_pool(snapshot, i, &info, &err), PROF_OK);
        if (strcmp(info.name, name) == 0)
            return info;
    }
    CHECK(!"there is no such pool");
    return (prof_pool_info)PROF_POOL_INFO_INIT;
}

TEST(the_table_and_the_summary_show_it_and_it_is_read_back_and_merged)
{
    enum { MIB = 1 << 20 };
    static char table[1 << 20], summary[1 << 20], again_text[1 << 20], summary_again[1 << 20];
    prof_pool *pool = pool_of("gpu:1");
    start();
    unsigned unknown = profi_pool_of("unknown", 1);
    profi_pool_lose_at(unknown, now_ns);
    profi_pool_promise(unknown, UINT64_MAX); /* nobody waits for it */
    prof_pool_set(pool, 2 * MIB, 0);
    pass(100);
    prof_memory_mark();
    prof_pool_set(pool, 0, 0);
    prof_pool_retry(pool, 3);
    prof_pool_change(pool, 3 * MIB, 8 * MIB);
    prof_scope outer = prof_begin(site("shown")), inner;
    prof_pool_change(pool, 4 * MIB, 0);
    inner = prof_begin(site("fails"));
    prof_pool_set(pool, 7 * MIB, 8 * MIB);
    prof_end(inner);
    prof_end(outer);
    prof_scope last = prof_begin(site("shown"));
    prof_pool_change(pool, MIB, 0);
    prof_pool_exhausted(pool, 5 * (uint64_t)MIB);
    prof_pool_change(pool, -2 * MIB, 0);
    prof_end(last);
    stop();
    prof_snapshot *snapshot = taken(), *again = NULL, *both = NULL;
    CHECK_I64(prof_snapshot_write(snapshot, "txt", NULL, gather, table, &err), PROF_OK);
    CHECK_I64(prof_snapshot_write(snapshot, "json", NULL, gather, summary, &err), PROF_OK);
    CHECK_HAS(table, "Memory of gpu:1, which all threads share, as it was told: 6.0 MiB now, 8.0 MiB reserved, of which 25.0 % idle; "
                     "peak 8.0 MiB, 8.0 MiB reserved; 2.0 MiB at prof_memory_mark()");
    CHECK_HAS(table, "   Out of memory: 5.0 MiB could not be had in shown\n");
    CHECK_HAS(table, "           1      7.0 MiB    \xe2\x89\xa5 8.0 MiB      6.0 MiB      1.0 MiB     -1.0 MiB        \xe2\x89\xa5 8.0 MiB "
                     "levels_test.c:1(shown)\n");
    CHECK_HAS(table, "           0            -  unavailable            -            -            -                - "
                     "levels_test.c:1(fails)\n");
    CHECK_HAS(summary, "\"gpu:1.allocated\":{\"calls\":1,\"failed_calls\":1,\"growth\":-1048576,\"peak\":8388608,\"peak_is_bound\":true,"
                       "\"peak_begin\":7340032,\"peak_end\":6291456,\"rise\":1048576}");
    CHECK_HAS(summary, "{\"name\":\"gpu:1\",\"allocated_bytes\":6291456,\"reserved_bytes\":8388608,\"allocated_peak_bytes\":8388608");
    CHECK_HAS(summary, "\"exhausted\":1,\"exhaustions\":[{\"bytes\":5242880,\"path\":\"shown\"}]}");
    CHECK_I64(prof_snapshot_read(summary, strlen(summary), "summary", &again, &err), PROF_OK);
    const prof_snapshot *parts[] = { again, again };
    CHECK_I64(prof_snapshot_merge(parts, 2, &both, &err), PROF_OK);
    prof_status status;
    prof_measure read = measure_in(both, "shown", "gpu:1.allocated", &status);
    CHECK_U64(read.calls, 2);
    CHECK_U64(read.peak, 8 * MIB);
    CHECK_U64(read.peak_begin, 7 * MIB);
    CHECK_U64(read.peak_end, 6 * MIB);
    CHECK_U64(read.rise, MIB);
    CHECK_I64(read.sum, -2 * MIB);
    CHECK_I64(prof_snapshot_write(again, "txt", NULL, gather, again_text, &err), PROF_OK);
    CHECK_HAS(again_text, "Memory of gpu:1, which all threads share, as it was told: 6.0 MiB now, 8.0 MiB reserved, of which 25.0 % idle; "
                          "peak 8.0 MiB, 8.0 MiB reserved; 2.0 MiB at prof_memory_mark(); 3 retries\n"
                          "   Out of memory: 5.0 MiB could not be had in shown\n");
    CHECK_HAS(again_text, "Memory of refused unavailable: for no stated reason\n");
    CHECK_HAS(again_text, "Memory of unknown, which all threads share, allocated since GPU tracing began: unavailable now");
    memset(summary_again, 0, sizeof(summary_again));
    CHECK_I64(prof_snapshot_write(again, "json", NULL, gather, summary_again, &err), PROF_OK);
    CHECK_STR(strstr(summary_again, "\"pools\":"), strstr(summary, "\"pools\":"));
    prof_pool_info info = pool_in(both, "gpu:1");
    CHECK_U64(info.allocated_bytes, 12 * MIB);
    CHECK_U64(info.allocated_peak_bytes, 8 * MIB);
    CHECK_U64(info.allocated_mark_bytes, 4 * MIB);
    CHECK_U64(info.retry_count, 6);
    CHECK_U64(info.exhausted_count, 2);
    CHECK(info.is_known && info.is_marked && info.reason == NULL);
    CHECK(!pool_in(both, "unknown").is_known);
    CHECK_STR(pool_in(both, "refused").reason, "for no stated reason");
    CHECK_HAS(again_text, "    \xe2\x89\xa5 8.0 MiB      6.0 MiB      1.0 MiB     -1.0 MiB        \xe2\x89\xa5 8.0 MiB levels_test.c:1(shown)\n");
    prof_snapshot_close(both);
    prof_snapshot_close(again);
    prof_snapshot_close(snapshot);
}

TEST(names_are_checked_and_there_are_sixteen_pools)
{
    prof_pool *pool = NULL, *same = NULL;
    char name[32];
    CHECK_I64(prof_pool_open("", &pool, &err), PROF_E_INVALID);
    CHECK_I64(prof_pool_open(NULL, &pool, &err), PROF_E_INVALID);
    CHECK_I64(prof_pool_open("x", NULL, &err), PROF_E_INVALID);
    CHECK_I64(prof_pool_open("a name of thirty-two bytes, or so", &pool, &err), PROF_E_INVALID);
    CHECK_I64(prof_pool_open("told", &pool, &err), PROF_OK);
    CHECK_I64(prof_pool_open("told", &same, &err), PROF_OK);
    CHECK(pool == same);
    for (int i = 0; i < PROFI_POOLS_MOST; i++) {
        snprintf(name, sizeof(name), "many %d", i);
        prof_pool_open(name, &same, NULL);
    }
    CHECK_U64(profi_pool_count(), PROFI_POOLS_MOST);
    CHECK_I64(prof_pool_open("one too many", &same, &err), PROF_E_LIMIT);
    start();
    prof_scope scope = prof_begin(site("sixteen"));
    prof_pool_change(pool, 1, 0);
    prof_end(scope);
    stop();
    CHECK_U64(measure_of("sixteen", "told.allocated").calls, 1);
}

int main(int argc, char **argv)
{
    setenv("PROFCORE_MODE", "tree", 1); /* else a thread that writes the timeline sweeps too, at any time */
    return test_main(argc, argv);
}
