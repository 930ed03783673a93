/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scopes that do not match: what a program may get wrong, at random and at
 * depth, against a model that is a stack of tokens.  Every begin is recorded
 * or lost, every end ends, repairs or is ignored, and the counts say which.
 *
 *     unbalanced_test [CASE…]    UNBALANCED_DEPTH=N: how deep (100,000)
 */
#include "child.h"

#include <profcore/snapshot.h>

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SITES = 7, MOST_DEEP = 60, OPERATIONS = 200000, THREADS = 4 };

static prof_site sites[SITES] = {
    PROF_SITE_INIT("a", "t", 0, 0),  PROF_SITE_INIT("b", "t", 1, 0), PROF_SITE_INIT("c", "t", 2, PROF_SITE_SAMPLED),
    PROF_SITE_INIT("d", "t", 3, 0),  PROF_SITE_INIT("e", "t", 4, PROF_SITE_FAULTS), PROF_SITE_INIT("f", "t", 5, 0),
    PROF_SITE_INIT("g", "t", 6, 0),
};

static void start(uint64_t memory_bytes)
{
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    options.memory_bytes = memory_bytes;
    CHECK_I64(prof_start(&options, NULL), PROF_OK);
}

/* What was recorded of all functions together, or of one. */
static uint64_t recorded(const char *name, prof_function *found)
{
    prof_snapshot *snapshot = NULL;
    uint64_t calls = 0;
    if (prof_snapshot_take(&snapshot, NULL) != PROF_OK)
        return UINT64_MAX;
    for (uint32_t id = 0; id < prof_snapshot_function_count(snapshot); id++) {
        prof_function row = PROF_FUNCTION_INIT;
        prof_snapshot_function(snapshot, id, &row, NULL);
        if (name == NULL || strcmp(row.name, name) == 0)
            calls += row.calls;
        if (name != NULL && strcmp(row.name, name) == 0)
            *found = row;
    }
    prof_snapshot_close(snapshot);
    return calls;
}

/* ---- at random, against a stack ---- */

typedef struct model {
    uintptr_t open[MOST_DEEP];
    unsigned depth;
    int ends_all; /* leaves nothing open at the end of its thread, which nobody counts where the thread got no memory */
    uint64_t begun, repaired, unmatched;
    uint64_t random;
} model;

static uint64_t draw(model *m)
{
    m->random = m->random * 6364136223846793005u + 1442695040888963407u;
    return m->random >> 33;
}

/* A token that was never given, to this thread at least. */
static uintptr_t forge(model *m)
{
    static uint64_t word;
    switch (draw(m) % 6) {
    case 0: return (uintptr_t)&word;
    case 1: return (uintptr_t)m;
    case 2: return (uintptr_t)(draw(m) << 32 | draw(m));
    case 3: return (uintptr_t)&sites[0];
    case 4: return UINTPTR_MAX;
    default: return m->depth ? m->open[m->depth - 1] + 64 : 2;
    }
}

static void model_end(model *m, uintptr_t place)
{
    for (unsigned i = m->depth; i > 0; i--)
        if (m->open[i - 1] == place) {
            m->repaired += m->depth - i;
            m->depth = i - 1;
            return;
        }
    m->unmatched++;
}

static void model_begin(model *m, prof_scope scope)
{
    m->begun++;
    m->open[m->depth++] = scope.place;
}

static void operate(model *m)
{
    prof_site *site = &sites[draw(m) % SITES];
    uint64_t what = draw(m) % 100;
    uintptr_t any = m->depth ? m->open[draw(m) % m->depth] : 4096;
    uintptr_t innermost = m->depth ? m->open[m->depth - 1] : 4096;
    uintptr_t token = what < 80 ? innermost : what < 85 ? any : forge(m);
    if (what < 45 && m->depth < MOST_DEEP) {
        model_begin(m, prof_begin(site));
    } else if (what >= 95 && m->depth < MOST_DEEP) {
        model_end(m, token);
        model_begin(m, prof_phase((prof_scope){ token }, site));
    } else {
        model_end(m, token);
        prof_end((prof_scope){ token });
    }
}

static void *run_model(void *argument)
{
    model *m = argument;
    for (int i = 0; i < OPERATIONS; i++)
        operate(m);
    for (; m->ends_all && m->depth > 0; m->depth--)
        prof_end((prof_scope){ m->open[m->depth - 1] });
    return NULL;
}

static void mismatch_on_threads(uint64_t memory_bytes)
{
    static model models[THREADS];
    pthread_t threads[THREADS];
    prof_stats stats = PROF_STATS_INIT;
    model sum = { .begun = 0 };
    start(memory_bytes);
    for (int i = 0; i < THREADS; i++) {
        models[i].random = (uint64_t)i + 1;
        models[i].ends_all = memory_bytes != 0;
        REQUIRE(pthread_create(&threads[i], NULL, run_model, &models[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum.begun += models[i].begun;
        sum.repaired += models[i].repaired + models[i].depth; /* what is open at the end of its thread */
        sum.unmatched += models[i].unmatched;
    }
    prof_stats_get(&stats, NULL);
    CHECK_U64(recorded(NULL, NULL) + stats.lost_count, sum.begun);
    CHECK_U64(stats.repaired_count, sum.repaired);
    CHECK_U64(stats.unmatched_count, sum.unmatched);
    printf("# %" PRIu64 " begun, %" PRIu64 " lost, %" PRIu64 " repaired, %" PRIu64 " unmatched\n", sum.begun,
           stats.lost_count, stats.repaired_count, stats.unmatched_count);
}

static void mismatch_with_memory(void) { mismatch_on_threads(0); }
TEST(begins_and_ends_at_random_are_recorded_repaired_or_ignored_as_a_stack_would) { in_child_within(mismatch_with_memory, 250); }

static void mismatch_without_memory(void) { mismatch_on_threads(1 << 20); }
TEST(begins_and_ends_at_random_are_lost_repaired_or_ignored_as_a_stack_would_when_memory_is_spent)
{
    in_child_within(mismatch_without_memory, 250);
}

static void forget_an_end_among_lost_scopes(void)
{
    static prof_site many[8000];
    static char names[8000][16];
    prof_stats before = PROF_STATS_INIT, after = PROF_STATS_INIT;
    prof_function row = PROF_FUNCTION_INIT;
    start(1 << 20);
    prof_end(prof_begin(&sites[0]));
    for (int i = 0; i < 8000; i++) {
        snprintf(names[i], sizeof(names[i]), "many %d", i);
        many[i] = (prof_site)PROF_SITE_INIT(names[i], "t", 0, 0);
        prof_end(prof_begin(&many[i]));
    }
    prof_stats_get(&before, NULL);
    prof_scope lost = prof_begin(&many[7999]);
    prof_begin(&sites[1]);
    prof_begin(&sites[2]);
    prof_end(lost);
    prof_end(prof_begin(&sites[0]));
    prof_stats_get(&after, NULL);
    CHECK(before.lost_count > 0);
    CHECK_U64(after.lost_count, before.lost_count + 3);
    CHECK_U64(after.repaired_count, 2);
    CHECK_U64(after.unmatched_count, 0);
    CHECK_U64(recorded("a", &row), 2);
}
TEST(an_end_of_a_lost_scope_closes_what_was_left_open_inside_it) { in_child_within(forget_an_end_among_lost_scopes, 250); }

/* ---- depth ---- */

static uint64_t wanted_depth(void)
{
    const char *text = getenv("UNBALANCED_DEPTH");
    return text != NULL ? strtoull(text, NULL, 10) : 100000;
}

static int add_up(void *sum, const void *data, size_t bytes)
{
    (void)data;
    *(size_t *)sum += bytes;
    return 0;
}

static void write_all_formats(void)
{
    static const char *const formats[] = { "txt", "prof", "json" };
    prof_snapshot *snapshot = NULL;
    REQUIRE(prof_snapshot_take(&snapshot, NULL) == PROF_OK);
    for (int i = 0; i < 3; i++) {
        size_t bytes = 0;
        CHECK_I64(prof_snapshot_write(snapshot, formats[i], NULL, add_up, &bytes, NULL), PROF_OK);
        CHECK(bytes > 100);
    }
    prof_snapshot_close(snapshot);
}

/* Opens `depth` scopes inside each other and ends them: each, or the outermost only. */
static void nest(uint64_t depth, int ends_each)
{
    prof_scope *scopes = malloc(depth * sizeof(*scopes));
    REQUIRE(scopes != NULL);
    for (uint64_t i = 0; i < depth; i++)
        scopes[i] = prof_begin(&sites[0]);
    for (uint64_t i = depth; ends_each && i > 0; i--)
        prof_end(scopes[i - 1]);
    if (!ends_each)
        prof_end(scopes[0]);
    free(scopes);
}

static void nest_under_a_large_cap(void)
{
    uint64_t depth = wanted_depth();
    prof_stats stats = PROF_STATS_INIT;
    prof_function row = PROF_FUNCTION_INIT;
    start(depth * 1024 + (UINT64_C(64) << 20));
    nest(depth, 1);
    nest(depth, 0);
    prof_stats_get(&stats, NULL);
    CHECK_U64(recorded("a", &row), 2 * depth);
    CHECK_U64(row.primitive_calls, 2);
    CHECK_U64(stats.lost_count, 0);
    CHECK_U64(stats.repaired_count, depth - 1);
    CHECK_U64(stats.unmatched_count, 0);
    write_all_formats();
}
TEST(scopes_nest_as_deep_as_the_cap_holds) { in_child_within(nest_under_a_large_cap, 250); }

static void nest_under_the_default_cap(void)
{
    enum { DEPTH = 1000000 };
    prof_stats stats = PROF_STATS_INIT;
    prof_function row = PROF_FUNCTION_INIT;
    start(0);
    nest(DEPTH, 1);
    nest(DEPTH, 0);
    prof_end(prof_begin(&sites[1])); /* beside them: is it recorded on the right level, now that memory is spent? */
    prof_stats_get(&stats, NULL);
    uint64_t calls = recorded("a", &row);
    printf("# %" PRIu64 " recorded, %" PRIu64 " lost\n", calls, stats.lost_count);
    CHECK_U64(calls + recorded("b", &row) + stats.lost_count, 2 * DEPTH + 1);
    CHECK(stats.lost_count > 0);
    CHECK_U64(stats.repaired_count, DEPTH - 1);
    CHECK_U64(stats.unmatched_count, 0);
    write_all_formats();
}
TEST(a_million_nested_scopes_under_the_default_cap_are_recorded_or_lost_exactly) { in_child_within(nest_under_the_default_cap, 250); }

/* ---- out of a handler ---- */

static sigjmp_buf back;

static void jump(int number)
{
    (void)number;
    prof_begin(&sites[3]); /* left open, as all around it */
    siglongjmp(back, 1);
}

static void jump_out_of_a_handler(void)
{
    prof_stats stats = PROF_STATS_INIT;
    struct sigaction action = { .sa_handler = jump };
    start(0);
    sigaction(SIGUSR1, &action, NULL);
    for (int i = 0; i < 100; i++) {
        prof_scope top = prof_begin(&sites[0]);
        if (sigsetjmp(back, 1) == 0) {
            prof_begin(&sites[1]);
            prof_begin(&sites[4]);
            raise(SIGUSR1);
        }
        prof_end(top);
    }
    prof_stats_get(&stats, NULL);
    CHECK_U64(recorded(NULL, NULL), 400);
    CHECK_U64(stats.repaired_count, 300);
    CHECK_U64(stats.unmatched_count, 0);
}
TEST(siglongjmp_out_of_a_handler_is_repaired) { in_child_within(jump_out_of_a_handler, 250); }

/* ---- on another thread ---- */

static prof_scope shared[THREADS];

static void *end_foreign_scopes(void *own)
{
    prof_scope *slot = own;
    for (int i = 0; i < 20000; i++) {
        prof_scope scope = prof_begin(&sites[i % SITES]);
        __atomic_store_n(&slot->place, scope.place, __ATOMIC_RELAXED);
        prof_scope *other = &shared[(slot - shared + 1 + i % (THREADS - 1)) % THREADS];
        prof_scope foreign = { __atomic_load_n(&other->place, __ATOMIC_RELAXED) };
        prof_end(foreign);
        prof_end(scope);
    }
    return NULL;
}

static void end_on_other_threads(void)
{
    pthread_t threads[THREADS];
    prof_stats stats = PROF_STATS_INIT;
    start(0);
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, end_foreign_scopes, &shared[i]) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    prof_stats_get(&stats, NULL);
    CHECK_U64(recorded(NULL, NULL), THREADS * 20000);
    CHECK_U64(stats.repaired_count, 0);
    CHECK(stats.unmatched_count > 0 && stats.unmatched_count <= THREADS * 20000);
}
TEST(threads_that_end_each_others_scopes_end_none) { in_child_within(end_on_other_threads, 250); }

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
