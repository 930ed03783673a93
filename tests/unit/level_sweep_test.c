/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How high levels rose in calls, against an oracle that goes through all open
 * calls at every change: random histories of nested and concurrent calls, of
 * allocations on several devices, of what is lost and of threads that end.
 */
#include "harness.h"
#include "record/level_sweep.h"

#include <stdlib.h>

enum { THREADS = 4, LEVELS = 4, DEPTH = 6, TOLD = 64, CONTEXTS = 5 };

static uint64_t random_state;
static unsigned draw(unsigned below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % below;
}

/* ---- the oracle ---- */

struct open_call {
    uint32_t context;
    int is_known[LEVELS];
    int64_t begin[LEVELS], high[LEVELS];
};

typedef struct history {
    profi_sweep sweep;
    profi_sweep_thread threads[THREADS];
    struct open_call open[THREADS][DEPTH];
    unsigned depth[THREADS];
    int64_t value[LEVELS];
    int is_known[LEVELS];
    profi_level_call expected[TOLD], told[TOLD];
    unsigned expected_count, told_count;
    unsigned falling; /* per cent of the changes that are downwards, so that many maxima can still be asked for */
} history;

static void told(void *user, const profi_level_call *call)
{
    history *h = user;
    if (h->told_count < TOLD)
        h->told[h->told_count] = *call;
    h->told_count++;
}

static void expect_end(history *h, unsigned thread, int has_end)
{
    const struct open_call *call = &h->open[thread][--h->depth[thread]];
    for (unsigned i = 0; i < LEVELS; i++) {
        profi_level_call *expected = &h->expected[h->expected_count++];
        *expected = (profi_level_call){ .context = call->context, .level = i };
        if (!has_end || !call->is_known[i])
            continue;
        expected->is_known = 1;
        expected->begin = call->begin[i];
        expected->high = call->high[i];
        expected->end = h->value[i];
    }
}

static void change(history *h)
{
    unsigned level = draw(LEVELS), kind = draw(40) == 0   ? PROFI_LEVEL_UNKNOWN
                                          : draw(12) == 0 ? PROFI_LEVEL_SET
                                          : draw(12) == 0 ? PROFI_LEVEL_RESUME
                                                          : PROFI_LEVEL_CHANGE;
    int64_t amount = (int64_t)draw(1000) - (kind == PROFI_LEVEL_SET ? 0 : draw(100) < h->falling ? 1000 : 500);
    h->is_known[level] = kind == PROFI_LEVEL_CHANGE ? h->is_known[level] : kind != PROFI_LEVEL_UNKNOWN;
    h->value[level] = kind == PROFI_LEVEL_SET ? amount : h->value[level] + (kind == PROFI_LEVEL_UNKNOWN ? 0 : amount);
    for (unsigned thread = 0; thread < THREADS; thread++)
        for (unsigned i = 0; i < h->depth[thread]; i++) {
            struct open_call *call = &h->open[thread][i];
            call->is_known[level] &= h->is_known[level];
            if (h->value[level] > call->high[level])
                call->high[level] = h->value[level];
        }
    profi_sweep_level(&h->sweep, level, kind, amount);
}

static void begin(history *h)
{
    unsigned thread = draw(THREADS);
    if (h->depth[thread] == DEPTH)
        return;
    struct open_call *call = &h->open[thread][h->depth[thread]++];
    call->context = 1 + draw(CONTEXTS);
    for (unsigned i = 0; i < LEVELS; i++) {
        call->is_known[i] = h->is_known[i];
        call->begin[i] = call->high[i] = h->value[i];
    }
    CHECK(profi_sweep_begin(&h->sweep, &h->threads[thread], call->context, h->depth[thread]));
}

/* The innermost ends, or one further out of which the ends inside were lost. */
static void end(history *h)
{
    unsigned thread = draw(THREADS);
    if (h->depth[thread] == 0)
        return;
    unsigned depth = draw(10) == 0 ? 1 + draw(h->depth[thread]) : h->depth[thread];
    uint32_t context = h->open[thread][depth - 1].context;
    while (h->depth[thread] > depth)
        expect_end(h, thread, 0);
    expect_end(h, thread, 1);
    profi_sweep_end(&h->sweep, &h->threads[thread], context, depth);
}

static void leave(history *h)
{
    unsigned thread = draw(THREADS);
    while (h->depth[thread] != 0)
        expect_end(h, thread, 0);
    profi_sweep_remove_thread(&h->sweep, &h->threads[thread]);
    profi_sweep_add_thread(&h->sweep, &h->threads[thread]);
}

/* Each step in turn tells the same calls, in the same order. */
static int compare(history *h)
{
    int is_same = h->told_count == h->expected_count;
    for (unsigned i = 0; is_same && i < h->told_count; i++) {
        const profi_level_call *a = &h->told[i], *b = &h->expected[i];
        is_same = a->context == b->context && a->level == b->level && a->is_known == b->is_known && a->begin == b->begin &&
                  a->end == b->end && a->high == b->high;
    }
    h->told_count = h->expected_count = 0;
    return is_same;
}

static uint64_t known_calls;

static int run(uint64_t seed, unsigned steps)
{
    history h = { .sweep = { .tell = told, .user = &h }, .falling = (unsigned)seed % 3 * 45 };
    int is_same = 1;
    random_state = seed;
    for (unsigned i = 0; i < LEVELS; i++) {
        profi_sweep_add_level(&h.sweep);
        profi_sweep_level(&h.sweep, i, PROFI_LEVEL_SET, 0);
        h.is_known[i] = 1;
    }
    for (unsigned i = 0; i < THREADS; i++)
        profi_sweep_add_thread(&h.sweep, &h.threads[i]);
    for (unsigned step = 0; is_same && step < steps; step++) {
        unsigned choice = draw(100);
        choice < 50 ? change(&h) : choice < 74 ? begin(&h) : choice < 99 ? end(&h) : leave(&h);
        for (unsigned i = 0; i < h.told_count && i < TOLD; i++)
            known_calls += h.told[i].is_known;
        is_same = compare(&h);
        if (!is_same)
            printf("# history %" PRIu64 " differs at step %u\n", seed, step);
    }
    profi_sweep_fini(&h.sweep);
    return is_same;
}

TEST(a_hundred_thousand_random_histories_are_as_the_oracle_says_to_the_byte)
{
    int is_same = 1;
    for (uint64_t seed = 1; is_same && seed <= 100000; seed++)
        is_same = run(seed, 60);
    CHECK(is_same);
    CHECK(known_calls > 1000000);
}

TEST(long_histories_are_as_well)
{
    int is_same = 1;
    for (uint64_t seed = 1; is_same && seed <= 20; seed++)
        is_same = run(seed * 977, 20000);
    CHECK(is_same);
}

static profi_level_call last_told;
static unsigned told_in_all;
static void note(void *user, const profi_level_call *call)
{
    (void)user;
    last_told = *call;
    told_in_all++;
}

TEST(maxima_stay_as_few_as_threads_can_ask_for)
{
    enum { MANY = 200000 };
    profi_sweep sweep = { .tell = note };
    profi_sweep_thread outer, inner;
    unsigned level = profi_sweep_add_level(&sweep);
    profi_sweep_level(&sweep, level, PROFI_LEVEL_SET, 10 * MANY);
    profi_sweep_add_thread(&sweep, &outer);
    profi_sweep_add_thread(&sweep, &inner);
    CHECK(profi_sweep_begin(&sweep, &outer, 1, 1));
    for (unsigned i = 0; i < MANY; i++) { /* it only falls: each maximum could still be asked for */
        CHECK(profi_sweep_begin(&sweep, &inner, 2, 1));
        profi_sweep_level(&sweep, level, PROFI_LEVEL_CHANGE, -1);
        profi_sweep_end(&sweep, &inner, 2, 1);
    }
    CHECK(sweep.levels[level].room < 256);
    profi_sweep_end(&sweep, &outer, 1, 1);
    CHECK_I64(last_told.high, 10 * MANY);
    CHECK_I64(last_told.end, 9 * MANY);
    profi_sweep_fini(&sweep);
}

TEST(a_level_that_comes_later_is_not_known_in_calls_that_were_open)
{
    profi_sweep sweep = { .tell = note };
    profi_sweep_thread thread;
    profi_sweep_add_thread(&sweep, &thread);
    CHECK(profi_sweep_begin(&sweep, &thread, 1, 1));
    unsigned level = profi_sweep_add_level(&sweep);
    profi_sweep_level(&sweep, level, PROFI_LEVEL_SET, 5);
    CHECK(profi_sweep_begin(&sweep, &thread, 2, 2));
    profi_sweep_end(&sweep, &thread, 2, 2);
    CHECK_U64(last_told.is_known, 1);
    CHECK_I64(last_told.high, 5);
    profi_sweep_end(&sweep, &thread, 1, 1);
    CHECK_U64(last_told.is_known, 0);
    profi_sweep_fini(&sweep);
}

TEST(an_end_of_what_is_not_open_does_nothing)
{
    profi_sweep sweep = { .tell = note };
    profi_sweep_thread thread;
    profi_sweep_level(&sweep, profi_sweep_add_level(&sweep), PROFI_LEVEL_SET, 1);
    profi_sweep_add_thread(&sweep, &thread);
    told_in_all = 0;
    profi_sweep_end(&sweep, &thread, 1, 1);
    CHECK(profi_sweep_begin(&sweep, &thread, 1, 1));
    profi_sweep_end(&sweep, &thread, 2, 1);
    profi_sweep_end(&sweep, &thread, 1, 2);
    CHECK_U64(told_in_all, 0);
    profi_sweep_end(&sweep, &thread, 1, 1);
    CHECK_U64(told_in_all, 1);
    profi_sweep_fini(&sweep);
}

int main(int argc, char **argv) { return test_main(argc, argv); }
