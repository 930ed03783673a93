/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of the record beside threads that go on, on the simulated clock.
 * Each thread notes what its node held after each call, so that every copy
 * can be judged exactly.
 *
 *     copy_test [CASE…]     COPY_COPIES=N: how many in each case (500)
 */
#include "recording.h"
#include "steps.h"

#include "base/clock.h"
#include "record/cold.h"
#include "record/record.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 3 };

static void pass(uint64_t ns)
{
    __atomic_fetch_add(&profi_clock_simulated_ticks, ns, __ATOMIC_RELAXED);
}

/* ---- no call is counted twice ---- */

enum { NOTES = 1 << 19 };

/* After so many calls of a thread: total and max, and when the next call began. */
typedef struct truth {
    uint64_t total, max, next_start;
} truth;

typedef struct caller {
    pthread_t thread;
    prof_site *site;
    int is_phase;
    uint64_t noted; /* calls whose truth is there; the oldest give way to new ones */
    truth *truths;
} caller;

static int is_over;

static truth *truth_of(const caller *c, uint64_t calls) { return &c->truths[calls % NOTES]; }

static void note(caller *c, const profi_node *node, uint64_t calls)
{
    truth *at = truth_of(c, calls);
    PROFI_PUT(at->total, PROFI_GET(node->total));
    PROFI_PUT(at->max, PROFI_GET(node->max));
    PROFI_PUT(at->next_start, PROFI_GET(node->start));
    PROFI_RELEASE(c->noted, calls);
}

/* Calls one after the other, most of them the longest so far, so that all figures change. */
static void *call_often(void *argument)
{
    caller *c = argument;
    prof_scope scope = prof_begin(c->site);
    profi_node *node = profi_self->current;
    for (uint64_t i = 0; !PROFI_GET(is_over); i++) {
        note(c, node, i);
        pass(i + 1);
        if (c->is_phase) {
            scope = prof_phase(scope, c->site); /* the same node ends and begins */
        } else {
            prof_end(scope);
            scope = prof_begin(c->site);
        }
    }
    prof_end(scope);
    PROFI_RELEASE(c->noted, UINT64_MAX);
    return NULL;
}

static struct { uint64_t figures, open, doubled, halved, missing; } found;

static void judge(const profi_node_copy *node, uint64_t now, const caller *c)
{
    const truth *at = truth_of(c, node->calls);
    while (PROFI_ACQUIRE(c->noted) < node->calls)
        sched_yield();
    uint64_t total = PROFI_GET(at->total), max = PROFI_GET(at->max), next_start = PROFI_ACQUIRE(at->next_start);
    if (PROFI_GET(c->noted) >= node->calls + NOTES / 2)
        return; /* judged too late */
    found.figures++;
    found.open += node->is_open;
    int is_whole = node->total == total && (node->calls == 0 || node->max == max);
    found.doubled += node->is_open && (!is_whole || node->open_start != next_start);
    found.halved += !node->is_open && !is_whole;
    found.missing += !node->is_open && next_start < now;
}

static void copy_and_judge(const caller *callers)
{
    profi_record_copy copy;
    REQUIRE(profi_record_take(&copy, NULL) == PROF_OK);
    for (size_t i = 0; i < copy.node_count; i++)
        for (int t = 0; t < THREADS; t++)
            if (strcmp(copy.sites[copy.nodes[i].site].name, callers[t].site->name) == 0)
                judge(&copy.nodes[i], copy.now, &callers[t]);
    profi_record_copy_fini(&copy);
}

static void compare_with_truth(int is_phase, const char *const names[THREADS])
{
    const char *asked = getenv("COPY_COPIES");
    int copies = asked ? atoi(asked) : 500;
    caller callers[THREADS];
    start();
    is_over = 0;
    found = (__typeof__(found)){ 0 };
    for (int t = 0; t < THREADS; t++) {
        callers[t] = (caller){ .site = site(names[t]), .is_phase = is_phase, .truths = calloc(NOTES, sizeof(truth)) };
        REQUIRE(callers[t].truths != NULL);
        REQUIRE(pthread_create(&callers[t].thread, NULL, call_often, &callers[t]) == 0);
    }
    for (int t = 0; t < THREADS; t++)
        while (PROFI_ACQUIRE(callers[t].noted) == 0)
            sched_yield();
    for (int i = 0; i < copies && !test_failed; i++)
        copy_and_judge(callers);
    PROFI_PUT(is_over, 1);
    for (int t = 0; t < THREADS; t++) {
        pthread_join(callers[t].thread, NULL);
        free(callers[t].truths);
    }
    printf("# %" PRIu64 " figures, %" PRIu64 " of them with an open call, %" PRIu64 " of those in the figures already; %" PRIu64
           " without it half told, %" PRIu64 " missing\n", found.figures, found.open, found.doubled, found.halved, found.missing);
    CHECK_U64(found.doubled, 0);
    CHECK(found.open != 0);
    CHECK_I64(prof_stop(NULL), PROF_OK);
}

TEST(a_call_that_ends_while_it_is_copied_is_never_counted_twice)
{
    static const char *const names[] = { "called 0", "called 1", "called 2" };
    compare_with_truth(0, names);
}

TEST(a_phase_that_follows_itself_while_it_is_copied_is_never_counted_twice)
{
    static const char *const names[] = { "phase 0", "phase 1", "phase 2" };
    compare_with_truth(1, names);
}

/* ---- one copy waits for another ---- */

static void *take_one(void *tid)
{
    profi_record_copy copy;
    __atomic_store_n((int *)tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
    CHECK_I64(profi_record_take(&copy, NULL), PROF_OK);
    uint64_t now = copy.now;
    profi_record_copy_fini(&copy);
    return (void *)(uintptr_t)now;
}

/* Waits until a thread of ours sleeps, for at most a minute. */
static int wait_for_sleep(const int *tid)
{
    for (int i = 0; i < 60000; i++) {
        char path[64], text[64], state = 0;
        snprintf(path, sizeof(path), "/proc/self/task/%d/stat", __atomic_load_n(tid, __ATOMIC_ACQUIRE));
        FILE *file = fopen(path, "r");
        if (file != NULL && fgets(text, sizeof(text), file) != NULL && strrchr(text, ')') != NULL)
            state = strrchr(text, ')')[2];
        if (file != NULL)
            fclose(file);
        if (state == 'S')
            return 1;
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    }
    return 0;
}

TEST(the_moment_of_a_copy_is_when_the_wait_for_another_is_over)
{
    pthread_t thread;
    void *now = NULL;
    int tid = 0;
    start();
    profi_registry_lock();
    REQUIRE(pthread_create(&thread, NULL, take_one, &tid) == 0);
    CHECK(wait_for_sleep(&tid));
    pass(1000000);
    profi_registry_unlock();
    pthread_join(thread, &now);
    CHECK_U64((uintptr_t)now, profi_clock_now());
    CHECK_I64(prof_stop(NULL), PROF_OK);
}

/* ---- at each instruction ---- */

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)

static uint64_t steps, most_calls;

/* Copies what the thread has at the instruction that it has come to; it is not in a lock there. */
static void copy_at_step(int number)
{
    profi_record_copy copy;
    int is_busy = profi_is_busy(profi_self);
    (void)number;
    steps++;
    REQUIRE(profi_record_take(&copy, NULL) == PROF_OK);
    for (size_t i = 0; i < copy.node_count; i++) {
        const profi_node_copy *node = &copy.nodes[i];
        if (strcmp(copy.sites[node->site].name, "stepped") != 0)
            continue;
        uint64_t calls = node->calls + node->is_open;
        CHECK(node->total >= 10 * node->calls && node->total <= 10 * node->calls + (is_busy ? 10 : 0));
        CHECK(calls >= most_calls || (is_busy && calls + 1 == most_calls));
        most_calls = calls > most_calls ? calls : most_calls;
    }
    profi_record_copy_fini(&copy);
}

/* A new thread, whose first seven events need no lock. */
static void *step(void *unused)
{
    static prof_site stepped = PROF_SITE_INIT("stepped", NULL, 0, 0);
    struct sigaction action = { .sa_handler = copy_at_step }, before;
    prof_end(prof_begin(&stepped));
    profi_self->root.first_child->total = 10; /* as all later ones */
    sigaction(SIGTRAP, &action, &before);
    for (int i = 0; i < 4; i++) {
        steps_on();
        prof_scope scope = prof_begin(&stepped);
        steps_off();
        pass(10);
        steps_on();
        if (i % 2 == 1)
            scope = prof_phase(scope, &stepped);
        else
            prof_end(scope);
        steps_off();
        pass(i % 2 == 1 ? 10 : 0);
        if (i % 2 == 1)
            prof_end(scope);
    }
    sigaction(SIGTRAP, &before, NULL);
    return unused;
}

TEST(at_each_instruction_of_a_begin_and_an_end_a_copy_has_the_call_once_or_the_thread_is_busy)
{
    pthread_t thread;
    start();
    REQUIRE(pthread_create(&thread, NULL, step, NULL) == 0);
    pthread_join(thread, NULL);
    printf("# %" PRIu64 " instructions, %" PRIu64 " calls\n", steps, most_calls);
    CHECK(steps > 100);
    CHECK_U64(most_calls, 7);
    CHECK_I64(prof_stop(NULL), PROF_OK);
}

#endif

int main(int argc, char **argv)
{
    profi_clock_simulate(1000);
    return test_main(argc, argv);
}
