/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signal handlers that record.
 *
 * Where the processor can stop after every instruction (x86-64), a handler
 * runs after each one of the library's: of the hot path, of first uses, of a
 * thread's end.  So "interrupted anywhere" is not a matter of luck.  Timers
 * come on top, at the rates that hosts use, on several threads at once.
 *
 * What must hold: no hang, every scope recorded or counted as lost, none on
 * a wrong parent, no time that never was, errno as it was.
 *
 *     signals_test [CASE…]     SIGNALS_SECONDS=N: how long the timers run (1)
 */
#include "harness.h"
#include "steps.h"

#include <profcore/events.h>
#include <profcore/snapshot.h>

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { NEW_SITES = 4000 };

static prof_site outer = PROF_SITE_INIT("outer", "signals_test.c", 1, 0);
static prof_site inner = PROF_SITE_INIT("inner", "signals_test.c", 2, 0);
static prof_site phase = PROF_SITE_INIT("phase", "signals_test.c", 3, 0);
static prof_site measured = PROF_SITE_INIT("measured", "signals_test.c", 4, PROF_SITE_RSS);
static prof_site handler_outer = PROF_SITE_INIT("handler outer", "signals_test.c", 5, 0);
static prof_site sampled = PROF_SITE_INIT("sampled", "signals_test.c", 7, PROF_SITE_SAMPLED);
static prof_site kept = PROF_SITE_INIT_SAVE_IF("kept", "signals_test.c", 8, PROF_SITE_SAVE_IF, 0, 3);
static prof_site value = PROF_SITE_INIT("value", "signals_test.c", 9, 0);
static prof_site span = PROF_SITE_INIT("span", "signals_test.c", 10, 0);
static prof_site handler_inner = PROF_SITE_INIT("handler inner", "signals_test.c", 6, 0);
static prof_site new_sites[NEW_SITES];
static char new_names[NEW_SITES][24];

static uint64_t issued;              /* scopes begun, in and out of handlers */
static uint32_t next_new, interrupts; /* by atomic access: handlers run on several threads */
static int errno_was_changed;

static void name_new_sites(void)
{
    for (int i = 0; i < NEW_SITES; i++) {
        snprintf(new_names[i], sizeof(new_names[i]), "new %d", i);
        new_sites[i] = (prof_site)PROF_SITE_INIT(new_names[i], "signals_test.c", (uint32_t)i + 100, 0);
    }
}

static prof_scope begin(prof_site *site)
{
    __atomic_fetch_add(&issued, 1, __ATOMIC_RELAXED);
    return prof_begin(site);
}

/* What belongs to a scope: no event of its own. */
static void tell_more(uint64_t about)
{
    prof_request before = prof_request_begin((prof_request){ about, 0 });
    PROF_ARGS(PROF_INT("about", about), PROF_TEXT("text", "of more than one cell"));
    prof_flow(about);
    prof_request_end(before);
}

/* What the handler does: the sites that are being interrupted, its own, nested ones, and now and then a new one. */
static void record_in_handler(void)
{
    uint32_t turn = __atomic_fetch_add(&interrupts, 1, __ATOMIC_RELAXED);
    errno = 4321;
    prof_scope top = begin(turn % 3 == 0 ? &outer : turn % 3 == 1 ? &inner : &handler_outer);
    if (turn % 3 == 2) {
        prof_scope scope = begin(&handler_inner);
        prof_items(1, "things");
        prof_end(scope);
    }
    if (turn % 7 == 1)
        tell_more(turn);
    if (turn % 8 == 3) {
        prof_end(begin(turn % 16 == 3 ? &sampled : &kept));
        prof_counter(&value, turn);
        prof_span_end(prof_span_phase(prof_span_begin(&span), &span), NULL, 0);
    }
    if (turn % 16 == 5) {
        uint32_t number = __atomic_fetch_add(&next_new, 1, __ATOMIC_RELAXED);
        prof_end(begin(&new_sites[number % NEW_SITES]));
    }
    if (turn % 5 == 0)
        top = (__atomic_fetch_add(&issued, 1, __ATOMIC_RELAXED), prof_phase(top, &phase));
    prof_end(top);
    if (errno != 4321)
        __atomic_store_n(&errno_was_changed, 1, __ATOMIC_RELAXED);
}

/* AddressSanitizer's own instructions, each with a call of the handler, would take minutes: the plain build has them all. */
#if defined(__SANITIZE_ADDRESS__)
enum { INSTRUCTIONS_APART = 7 };
#else
enum { INSTRUCTIONS_APART = 1 };
#endif

static void on_signal(int number)
{
    static uint32_t traps; /* only one thread is stepped */
    int saved = errno;
    if (number == SIGTRAP && ++traps % INSTRUCTIONS_APART != 0)
        return;
    record_in_handler();
    errno = saved;
}

static void handle(int number)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    sigaction(number, &action, NULL);
}

/* Runs a body in a child, since a process has one recorder; one that hangs is ended by its alarm. */
static void in_child(void (*body)(void))
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(240);
        name_new_sites();
        body();
        fflush(stdout);
        _exit(test_failed);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(!WIFSIGNALED(status) || WTERMSIG(status) != SIGALRM); /* it hung */
    CHECK_I64(status, 0);
}

static void start(uint64_t memory_bytes)
{
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    options.memory_bytes = memory_bytes;
    CHECK_I64(prof_start(&options, NULL), PROF_OK);
}

static uint64_t sum_of(const uint64_t counts[PROF_BUCKET_COUNT])
{
    uint64_t sum = 0;
    for (int i = 0; i < PROF_BUCKET_COUNT; i++)
        sum += counts[i];
    return sum;
}

static uint64_t sum_of_histogram(const prof_snapshot *snapshot, uint32_t id)
{
    uint64_t counts[PROF_BUCKET_COUNT];
    CHECK_I64(prof_snapshot_histogram(snapshot, id, counts, NULL), PROF_OK);
    return sum_of(counts);
}

static uint64_t sum_of_spans(const prof_snapshot *snapshot, uint32_t id)
{
    uint64_t counts[PROF_BUCKET_COUNT];
    CHECK_I64(prof_snapshot_span_histogram(snapshot, id, counts, NULL), PROF_OK);
    return sum_of(counts);
}

/* Everything recorded or lost; nothing below a wrong parent; no time that never was. */
static void check_result(void)
{
    prof_snapshot *snapshot = NULL;
    prof_stats stats = PROF_STATS_INIT;
    uint64_t recorded = 0, timed = 0;
    int knows_timed = 1;
    REQUIRE(prof_snapshot_take(&snapshot, NULL) == PROF_OK);
    prof_snapshot_stats(snapshot, &stats, NULL);
    for (uint32_t id = 0; id < prof_snapshot_function_count(snapshot); id++) {
        prof_function row = PROF_FUNCTION_INIT, caller = PROF_FUNCTION_INIT;
        prof_snapshot_function(snapshot, id, &row, NULL);
        recorded += row.calls;
        CHECK(row.max_ns < 300 * UINT64_C(1000000000));
        CHECK_U64(row.open_calls, 0);
        int has_histogram = (row.has & PROF_FUNCTION_HAS_HISTOGRAM) != 0, is_sampled = strcmp(row.name, "sampled") == 0;
        uint64_t counted = has_histogram ? sum_of_histogram(snapshot, id) : row.calls;
        if (!is_sampled)
            CHECK_U64(counted, row.calls);
        timed += counted; /* calls that are not timed have no event, and how many are is in the histogram */
        knows_timed &= has_histogram || !is_sampled;
        if (strcmp(row.name, "handler inner") == 0) {
            CHECK_U64(prof_snapshot_caller_count(snapshot, id), 1);
            CHECK_I64(prof_snapshot_caller(snapshot, id, 0, &caller, NULL), PROF_OK);
            CHECK_STR(caller.name, "handler outer");
        }
    }
    for (uint32_t i = 0; i < prof_snapshot_counter_count(snapshot); i++) {
        prof_counter_row row = PROF_COUNTER_ROW_INIT;
        CHECK_I64(prof_snapshot_counter(snapshot, i, &row, NULL), PROF_OK);
        timed += row.count; /* each value is an event */
    }
    for (uint32_t i = 0; i < prof_snapshot_span_count(snapshot); i++) {
        prof_function row = PROF_FUNCTION_INIT;
        CHECK_I64(prof_snapshot_span(snapshot, i, &row, NULL), PROF_OK);
        CHECK(row.max_ns < 300 * UINT64_C(1000000000));
        if (row.has & PROF_FUNCTION_HAS_HISTOGRAM)
            CHECK_U64(sum_of_spans(snapshot, i), row.calls);
        timed += row.calls; /* as each span is */
    }
    prof_snapshot_close(snapshot);
    printf("# %u interrupts, %" PRIu64 " scopes issued, %" PRIu64 " recorded, %" PRIu64 " lost\n", interrupts, issued,
           recorded, stats.lost_count);
    CHECK_U64(recorded + stats.lost_count, issued);
    if (knows_timed)
        CHECK_U64(stats.event_count, timed);
    CHECK(recorded != 0);
    CHECK_U64(stats.unmatched_count, 0);
    CHECK_U64(stats.repaired_count, 0);
    CHECK_I64(errno_was_changed, 0);
}

/* What the handlers interrupt. */
static void work(void)
{
    prof_scope top = begin(&outer);
    prof_scope scope = begin(&inner);
    scope = (__atomic_fetch_add(&issued, 1, __ATOMIC_RELAXED), prof_phase(scope, &phase));
    prof_items(1, "things");
    tell_more(1);
    prof_end(scope);
    prof_end(begin(&sampled));
    prof_end(begin(&kept));
    prof_counter(&value, 1);
    prof_span_end(prof_span_phase(prof_span_begin(&span), &span), NULL, 0);
    prof_end(top);
}

#if defined(__SANITIZE_THREAD__)
#define STEP_IN_CHILD(body)                                                   \
    (void)body;                                                               \
    SKIP("ThreadSanitizer takes locks of its own between the instructions")
#else
#define STEP_IN_CHILD(body) in_child(body)
#endif

#if defined(__x86_64__)

static void step_known_scopes(void)
{
    start(0);
    handle(SIGTRAP);
    work();
    record_in_handler();
    steps_on();
    for (int i = 0; i < 8; i++)
        work();
    steps_off();
    check_result();
}
TEST(a_handler_after_every_instruction_of_known_scopes_loses_no_count) { STEP_IN_CHILD(step_known_scopes); }

static void step_first_uses(void)
{
    start(0);
    handle(SIGTRAP);
    steps_on();
    work();
    prof_end(begin(&measured));
    for (int i = NEW_SITES - 20; i < NEW_SITES; i++)
        prof_end(begin(&new_sites[i]));
    steps_off();
    check_result();
}
TEST(a_handler_after_every_instruction_of_first_uses_waits_for_no_lock) { STEP_IN_CHILD(step_first_uses); }

static void step_spent_memory(void)
{
    start(1 << 20);
    handle(SIGTRAP);
    for (int i = 0; i < NEW_SITES; i++) /* a histogram each: the cap is reached */
        prof_end(begin(&new_sites[i]));
    prof_end(begin(&outer));
    steps_on();
    for (int i = 0; i < 5; i++) {
        prof_scope top = begin(&outer);
        for (int k = 0; k < 5; k++)
            prof_end(begin(&new_sites[NEW_SITES - 1]));
        prof_end(top);
    }
    steps_off();
    check_result();
}
TEST(a_handler_after_every_instruction_of_lost_scopes_counts_exactly) { STEP_IN_CHILD(step_spent_memory); }

static uint64_t items;

static void count_item(int number)
{
    (void)number;
    prof_items(1, "things");
    items++;
}

static void step_items(void)
{
    struct sigaction action = { .sa_handler = count_item };
    prof_snapshot *snapshot = NULL;
    prof_function row = PROF_FUNCTION_INIT;
    start(0);
    prof_scope scope = begin(&outer);
    count_item(0);
    sigaction(SIGTRAP, &action, NULL);
    steps_on();
    for (int i = 0; i < 10; i++)
        prof_items(1, "things");
    steps_off();
    prof_end(scope);
    REQUIRE(prof_snapshot_take(&snapshot, NULL) == PROF_OK);
    CHECK_I64(prof_snapshot_function(snapshot, 0, &row, NULL), PROF_OK);
    CHECK(items > 50);
    CHECK_U64(row.items, items + 10);
    prof_snapshot_close(snapshot);
}
TEST(items_of_a_handler_after_every_instruction_of_items_add_up) { STEP_IN_CHILD(step_items); }

static pthread_key_t last_key;

/* In the last round of destructors: after the library's, before the thread can take no more signals. */
static void step_until_here(void *round)
{
    if ((uintptr_t)round < 4)
        pthread_setspecific(last_key, (char *)round + 1);
    else
        steps_off();
}

static void *stepping_thread(void *unused)
{
    pthread_setspecific(last_key, (void *)1);
    steps_on();
    work();
    return unused;
}

static void step_thread_exit(void)
{
    pthread_t thread;
    start(0);
    handle(SIGTRAP);
    REQUIRE(pthread_key_create(&last_key, step_until_here) == 0);
    REQUIRE(pthread_create(&thread, NULL, stepping_thread, NULL) == 0);
    pthread_join(thread, NULL);
    prof_stats stats = PROF_STATS_INIT;
    prof_stats_get(&stats, NULL);
    CHECK_U64(stats.live_thread_count, 0);
    check_result();
}
TEST(a_handler_after_every_instruction_of_a_threads_end_leaves_no_thread_behind) { STEP_IN_CHILD(step_thread_exit); }

#endif

/* ---- timers ---- */

static int is_done;

static void *working_thread(void *unused)
{
    timer_t timer;
    struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };
    struct itimerspec tenth_ms = { { 0, 100000 }, { 0, 100000 } }; /* 10 kHz */
#if defined(sigev_notify_thread_id)
    event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
#else
    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
#endif
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0)
        return NULL;
    timer_settime(timer, 0, &tenth_ms, NULL);
    for (uint32_t i = 0; !__atomic_load_n(&is_done, __ATOMIC_ACQUIRE); i++) {
        work();
        if (i % 256 == 0) {
            uint32_t number = __atomic_fetch_add(&next_new, 1, __ATOMIC_RELAXED);
            prof_end(begin(&new_sites[number % NEW_SITES]));
        }
    }
    timer_delete(timer);
    return unused;
}

static void interrupt_by_timers(void)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    const char *seconds = getenv("SIGNALS_SECONDS");
    time_t end = time(NULL) + (seconds ? atoi(seconds) : 1);
    start(0);
    handle(SIGUSR1);
    while (time(NULL) <= end) {
        __atomic_store_n(&is_done, 0, __ATOMIC_RELEASE);
        for (int i = 0; i < THREADS; i++)
            REQUIRE(pthread_create(&threads[i], NULL, working_thread, NULL) == 0);
        for (int i = 0; i < 10; i++) {
            prof_snapshot *snapshot = NULL;
            if (prof_snapshot_take(&snapshot, NULL) == PROF_OK)
                prof_snapshot_close(snapshot);
            usleep(20000);
        }
        __atomic_store_n(&is_done, 1, __ATOMIC_RELEASE);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
    }
    CHECK(interrupts > 100);
    check_result();
}
TEST(timers_whose_handlers_record_on_four_threads_lose_no_count) { in_child(interrupt_by_timers); }

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
