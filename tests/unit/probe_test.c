/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program's own probes on the simulated clock, through the public
 * functions: every figure is exact.
 */
#define SITES_AT "probe_test.c", 1
#include "measures.h"
#include "recording.h"
#include "simulated.h"

#include "record/node.h"
#include <profcore/snapshot.h>

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the probes read: a count and a level, which fail while an error is set. */
static uint64_t sent, pool;
static int sent_error;
static unsigned reads;
static void (*while_reading)(void);

static int read_sent(void *user, uint64_t *value)
{
    __atomic_fetch_add(&reads, 1u, __ATOMIC_RELAXED);
    if (while_reading != NULL)
        while_reading();
    *value = __atomic_load_n((uint64_t *)user, __ATOMIC_RELAXED);
    return sent_error;
}

static int read_pool(void *user, uint64_t *value)
{
    *value = *(uint64_t *)user;
    return 0;
}

#define SENT PROF_SITE_OWN(2)
#define POOL PROF_SITE_OWN(5)

static prof_status add(const char *name, uint32_t flags, int (*read)(void *, uint64_t *), void *user, uint32_t *flag,
                       prof_error *err)
{
    prof_probe probe = PROF_PROBE_INIT;
    probe.name = name;
    probe.unit = "bytes";
    probe.flags = flags;
    probe.read = read;
    probe.user = user;
    return prof_probe_add(&probe, flag, err);
}

static void add_probes(void)
{
    static int is_done;
    uint32_t flag = SENT;
    if (is_done++)
        return;
    CHECK_I64(add("sent", 0, read_sent, &sent, &flag, NULL), PROF_OK);
    CHECK_U64(flag, SENT);
    flag = POOL;
    CHECK_I64(add("pool", PROF_PROBE_GAUGE | PROF_PROBE_PROCESS, read_pool, &pool, &flag, NULL), PROF_OK);
}

static prof_measure measure(const char *function, const char *probe)
{
    prof_status status;
    prof_measure found = measure_of(function, probe, &status, NULL);
    CHECK_I64(status, PROF_OK);
    return found;
}

TEST(a_counter_is_summed_over_calls_with_its_largest)
{
    add_probes();
    start();
    for (uint64_t i = 1; i <= 3; i++) {
        prof_scope scope = prof_begin(site_with("sends", SENT));
        sent += i * 10;
        pass(5);
        prof_end(scope);
        sent += 1000; /* outside: nobody's */
    }
    stop();
    prof_measure sends = measure("sends", "sent");
    CHECK_U64(sends.calls, 3);
    CHECK_U64(sends.failed_calls, 0);
    CHECK_I64(sends.sum, 60);
    CHECK_U64(sends.largest, 30);
    CHECK_U64(sends.peak, 0);
}

TEST(a_gauge_has_growth_and_peak_and_an_outer_scope_the_peak_of_those_inside)
{
    add_probes();
    start();
    pool = 100;
    prof_scope outer = prof_begin(site_with("around", POOL));
    prof_scope between = prof_begin(site_with("without a probe", 0));
    pool = 700;
    prof_scope inner = prof_begin(site_with("inside", POOL));
    pool = 900;
    prof_end(inner);
    pool = 120;
    prof_end(between);
    prof_end(outer);
    stop();
    prof_measure around = measure("around", "pool"), inside = measure("inside", "pool");
    CHECK_I64(around.sum, 20);
    CHECK_U64(around.peak, 900);
    CHECK_U64(around.is_bound, 1);
    CHECK_I64(inside.sum, 200);
    CHECK_U64(inside.peak, 900);
    CHECK_U64(inside.largest, 0);
}

TEST(recursion_counts_what_its_outermost_calls_measured)
{
    add_probes();
    start();
    prof_site *deep = site_with("recursive", SENT);
    prof_scope one = prof_begin(deep);
    sent += 1;
    prof_scope two = prof_begin(deep);
    sent += 10;
    prof_scope three = prof_begin(deep);
    sent += 100;
    prof_end(three);
    prof_end(two);
    prof_end(one);
    stop();
    prof_measure recursive = measure("recursive", "sent");
    CHECK_U64(recursive.calls, 1);
    CHECK_I64(recursive.sum, 111);
    CHECK_U64(recursive.largest, 111);
}

static jmp_buf back;

static void jump_out(void)
{
    prof_begin(site_with("left by longjmp", SENT));
    sent += 5;
    prof_begin(site_with("plain inside", 0));
    longjmp(back, 1);
}

TEST(scopes_closed_by_repair_are_measured_at_the_end_that_found_them_by_one_read)
{
    add_probes();
    start();
    prof_scope outer = prof_begin(site_with("repairs", SENT));
    if (setjmp(back) == 0)
        jump_out();
    sent += 2;
    reads = 0;
    prof_end(outer);
    CHECK_U64(reads, 1);
    stop();
    CHECK_I64(measure("left by longjmp", "sent").sum, 7);
    CHECK_I64(measure("repairs", "sent").sum, 7);
}

TEST(a_phase_measures_both_of_its_scopes)
{
    add_probes();
    start();
    prof_scope scope = prof_begin(site_with("phase 1", SENT));
    sent += 3;
    scope = prof_phase(scope, site_with("phase 2", SENT));
    sent += 4;
    prof_end(scope);
    stop();
    CHECK_I64(measure("phase 1", "sent").sum, 3);
    CHECK_I64(measure("phase 2", "sent").sum, 4);
}

TEST(a_failed_read_is_unavailable_with_its_reason_and_other_calls_still_count)
{
    prof_status status;
    prof_error err = PROF_ERROR_INIT;
    add_probes();
    start();
    sent_error = ENODEV;
    prof_end(prof_begin(site_with("never measured", SENT)));
    prof_end(prof_begin(site_with("once measured", SENT)));
    sent_error = 0;
    prof_end(prof_begin(site_with("once measured", SENT)));
    stop();
    measure_of("never measured", "sent", &status, &err);
    CHECK_I64(status, PROF_E_UNAVAILABLE);
    CHECK_HAS(err.message, "No such device");
    CHECK_U64(measure("once measured", "sent").calls, 1);
    CHECK_U64(measure("once measured", "sent").failed_calls, 1);
    measure_of("never measured", "pool", &status, &err);
    CHECK_I64(status, PROF_E_NOT_FOUND);
}

TEST(an_open_call_is_not_measured_yet)
{
    prof_status status;
    prof_error err = PROF_ERROR_INIT;
    add_probes();
    start();
    prof_scope scope = prof_begin(site_with("still open", SENT));
    measure_of("still open", "sent", &status, &err);
    CHECK_I64(status, PROF_E_UNAVAILABLE);
    CHECK_HAS(err.message, "no call has ended");
    prof_end(scope);
    stop();
    CHECK_U64(measure("still open", "sent").calls, 1);
}

TEST(a_site_may_ask_before_its_probe_is_there)
{
    static uint64_t late;
    uint32_t flag = PROF_SITE_OWN(9);
    prof_status status;
    start();
    prof_site *early = site_with("asks early", PROF_SITE_OWN(9));
    prof_end(prof_begin(early));
    measure_of("asks early", "late", &status, NULL);
    CHECK_I64(status, PROF_E_NOT_FOUND);
    CHECK_I64(add("late", 0, read_pool, &late, &flag, NULL), PROF_OK);
    prof_scope scope = prof_begin(early);
    late += 6;
    prof_end(scope);
    stop();
    CHECK_U64(measure("asks early", "late").calls, 1);
    CHECK_I64(measure("asks early", "late").sum, 6);
}

/* ---- probes that use the library themselves ---- */

static void open_scopes(void)
{
    prof_scope same = prof_begin(site_with("reentered", SENT)); /* the very scope that is being measured */
    prof_scope own = prof_begin(site_with("opened by a probe", SENT));
    prof_end(own);
    prof_end(same);
}

static void leave_a_scope_open(void)
{
    prof_begin(site_with("left open by a probe", SENT));
}

static void end_what_is_not_its_own(void)
{
    prof_end_current();
}

TEST(a_probe_that_opens_scopes_is_recorded_but_not_measured_by_itself)
{
    prof_stats before = PROF_STATS_INIT, after = PROF_STATS_INIT;
    add_probes();
    start();
    prof_stats_get(&before, NULL);
    while_reading = open_scopes;
    reads = 0;
    prof_scope scope = prof_begin(site_with("reentered", SENT));
    sent += 8;
    prof_end(scope);
    while_reading = NULL;
    stop();
    prof_stats_get(&after, NULL);
    CHECK_U64(reads, 2);
    CHECK_U64(after.repaired_count - before.repaired_count, 0);
    CHECK_U64(after.unmatched_count - before.unmatched_count, 0);
    CHECK_U64(measure("reentered", "sent").calls, 1);
    CHECK_I64(measure("reentered", "sent").sum, 8);
}

TEST(a_scope_that_was_left_in_the_middle_of_its_begin_measures_nothing)
{
    add_probes();
    start();
    prof_scope around = prof_begin(site_with("around a begin", 0)), whole = prof_begin(site_with("left in its begin", SENT));
    sent += 3;
    prof_end(whole);
    prof_begin(site_with("left in its begin", SENT));
    sent += 5;
    profi_self->current->start = 0; /* as before the clock was read */
    prof_end(around);
    stop();
    CHECK_U64(measure("left in its begin", "sent").calls, 1);
    CHECK_I64(measure("left in its begin", "sent").sum, 3);
}

TEST(a_probe_that_leaves_a_scope_open_is_repaired)
{
    prof_stats before = PROF_STATS_INIT, after = PROF_STATS_INIT;
    add_probes();
    start();
    prof_stats_get(&before, NULL);
    prof_scope around = prof_begin(site_with("around them", 0));
    while_reading = leave_a_scope_open;
    prof_scope scope = prof_begin(site_with("read by a leaver", SENT));
    prof_end(scope);
    while_reading = NULL;
    prof_end(around);
    stop();
    prof_stats_get(&after, NULL);
    CHECK_U64(after.repaired_count - before.repaired_count, 2);
    CHECK_U64(after.unmatched_count - before.unmatched_count, 0);
    CHECK_U64(measure("read by a leaver", "sent").calls, 1);
}

TEST(a_probe_that_ends_the_scope_it_measures_leaves_times_right)
{
    prof_snapshot *snapshot = NULL;
    prof_function row = PROF_FUNCTION_INIT;
    uint32_t id = 0;
    add_probes();
    start();
    prof_scope around = prof_begin(site_with("stays", 0));
    prof_scope scope = prof_begin(site_with("ended by its probe", SENT));
    pass(40);
    while_reading = end_what_is_not_its_own;
    prof_end(scope);
    while_reading = NULL;
    pass(2);
    prof_end(around);
    stop();
    CHECK_I64(prof_snapshot_take(&snapshot, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_find(snapshot, "ended by its probe", &id, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_function(snapshot, id, &row, NULL), PROF_OK);
    CHECK_U64(row.calls, 1);
    CHECK_U64(row.cumulative_ns, 40);
    CHECK_I64(prof_snapshot_find(snapshot, "stays", &id, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_function(snapshot, id, &row, NULL), PROF_OK);
    CHECK_U64(row.cumulative_ns, 42);
    prof_snapshot_close(snapshot);
}

static pid_t forked;

static void fork_once(void)
{
    while_reading = NULL;
    forked = fork();
}

TEST(a_probe_that_forks_leaves_two_processes_that_record)
{
    add_probes();
    start();
    while_reading = fork_once;
    prof_scope scope = prof_begin(site_with("forks", SENT));
    sent += 2;
    prof_end(scope);
    if (forked == 0) {
        CHECK_I64(measure("forks", "sent").sum, 2); /* begun in the child */
        while_reading = fork_once;
        prof_scope again = prof_begin(site_with("before", 0));
        prof_scope inner = prof_begin(site_with("forks at its end", SENT));
        while_reading = fork_once;
        prof_end(inner); /* in the grandchild: of a scope that it does not have */
        prof_end(again);
        int status = 0;
        if (forked != 0)
            waitpid(forked, &status, 0);
        _exit(test_failed || status != 0);
    }
    int status = 0;
    waitpid(forked, &status, 0);
    CHECK_I64(status, 0);
    stop();
    CHECK_I64(measure("forks", "sent").sum, 2);
}

/* ---- threads, forks ---- */

static void *send_and_end(void *unused)
{
    prof_scope scope = prof_begin(site_with("on threads", SENT));
    (void)scope;
    __atomic_fetch_add(&sent, 4u, __ATOMIC_RELAXED);
    return unused; /* closed by the thread's end */
}

TEST(what_exited_threads_measured_is_added_up_and_memory_does_not_grow)
{
    add_probes();
    start();
    uint64_t used = 0;
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        prof_stats stats = PROF_STATS_INIT;
        CHECK_I64(pthread_create(&thread, NULL, send_and_end, NULL), 0);
        pthread_join(thread, NULL);
        prof_stats_get(&stats, NULL);
        if (i == 1)
            used = stats.memory_used_bytes;
        if (i > 1)
            CHECK_U64(stats.memory_used_bytes, used);
    }
    stop();
    CHECK_U64(measure("on threads", "sent").calls, 20);
    CHECK_I64(measure("on threads", "sent").sum, 80);
    CHECK_U64(measure("on threads", "sent").largest, 4);
}

TEST(a_forked_child_begins_with_nothing_measured)
{
    add_probes();
    start();
    prof_site *both = site_with("in both", SENT);
    prof_scope scope = prof_begin(both);
    sent += 1;
    prof_end(scope);
    pid_t child = fork();
    if (child == 0) {
        scope = prof_begin(both);
        sent += 30;
        prof_end(scope);
        CHECK_U64(measure("in both", "sent").calls, 1);
        CHECK_I64(measure("in both", "sent").sum, 30);
        _exit(test_failed);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK_I64(status, 0);
    CHECK_I64(measure("in both", "sent").sum, 1);
    stop();
}

TEST(a_subtree_keeps_what_its_functions_measured)
{
    prof_snapshot *snapshot = NULL, *subtree = NULL;
    prof_measure found = PROF_MEASURE_INIT;
    uint32_t id = 0;
    add_probes();
    start();
    prof_scope root = prof_begin(site_with("the root", 0));
    prof_scope scope = prof_begin(site_with("below the root", SENT | POOL));
    sent += 9;
    prof_end(scope);
    prof_end(root);
    stop();
    CHECK_I64(prof_snapshot_take(&snapshot, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_find(snapshot, "the root", &id, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_subtree(snapshot, id, &subtree, NULL), PROF_OK);
    uint32_t count = prof_snapshot_probe_count(snapshot);
    prof_snapshot_close(snapshot);
    CHECK_U64(prof_snapshot_probe_count(subtree), count);
    CHECK_I64(prof_snapshot_find(subtree, "below the root", &id, NULL), PROF_OK);
    for (uint32_t i = 0; i < count; i++) {
        prof_probe_info info = PROF_PROBE_INFO_INIT;
        CHECK_I64(prof_snapshot_probe(subtree, i, &info, NULL), PROF_OK);
        if (strcmp(info.name, "sent") != 0)
            continue;
        CHECK_STR(info.unit, "bytes");
        CHECK_STR(info.of, "thread");
        CHECK_I64(prof_snapshot_measure(subtree, id, i, &found, NULL), PROF_OK);
        CHECK_I64(found.sum, 9);
    }
    prof_snapshot_close(subtree);
}

/* ---- bad arguments ---- */

TEST(a_bad_probe_is_refused_with_a_message_that_says_why)
{
    prof_error err = PROF_ERROR_INIT;
    prof_probe probe = PROF_PROBE_INIT;
    uint32_t flag = 0;
    char longest[80];
    add_probes();
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    CHECK_I64(prof_probe_add(NULL, &flag, &err), PROF_E_INVALID);
    CHECK_I64(prof_probe_add(&probe, &flag, &err), PROF_E_INVALID);
    CHECK_HAS(err.message, "read is NULL");
    CHECK_I64(add("x", 0, read_pool, &pool, NULL, &err), PROF_E_INVALID);
    CHECK_I64(add("", 0, read_pool, &pool, &flag, &err), PROF_E_INVALID);
    CHECK_I64(add(longest, 0, read_pool, &pool, &flag, &err), PROF_E_INVALID);
    CHECK_HAS(err.message, "longer than 63 bytes");
    CHECK_I64(add("x", 8, read_pool, &pool, &flag, &err), PROF_E_INVALID);
    CHECK_HAS(err.message, "0x8");
    CHECK_I64(add("sent", 0, read_pool, &pool, &flag, &err), PROF_E_BUSY);
    CHECK_I64(add("cpu.time", 0, read_pool, &pool, &flag, &err), PROF_E_BUSY);
    flag = SENT;
    CHECK_I64(add("x", 0, read_pool, &pool, &flag, &err), PROF_E_BUSY);
    CHECK_HAS(err.message, "\"sent\"");
    flag = PROF_SITE_CPU;
    CHECK_I64(add("x", 0, read_pool, &pool, &flag, &err), PROF_E_INVALID);
    flag = PROF_SITE_OWN(0) | PROF_SITE_OWN(1);
    CHECK_I64(add("x", 0, read_pool, &pool, &flag, &err), PROF_E_INVALID);
    CHECK_U64(flag, PROF_SITE_OWN(0) | PROF_SITE_OWN(1));
}

TEST(names_are_cleaned_and_a_seventeenth_probe_is_one_too_many)
{
    prof_error err = PROF_ERROR_INIT;
    uint32_t flag = 0, all = 0;
    prof_status status = PROF_OK;
    add_probes();
    start();
    for (int i = 0; i < 17 && status == PROF_OK; i++) {
        char name[32];
        snprintf(name, sizeof(name), "many\n%d", i);
        flag = 0;
        status = add(name, 0, read_pool, &pool, &flag, &err);
        CHECK_U64(all & flag, 0);
        all |= flag;
    }
    CHECK_I64(status, PROF_E_LIMIT);
    prof_end(prof_begin(site_with("asks for all", 0xffff0000u)));
    stop();
    CHECK_U64(measure("asks for all", "many\\n0").calls, 1);
    CHECK_U64(measure("asks for all", "sent").calls, 1);
}

int main(int argc, char **argv)
{
    profi_clock_simulate(now_ns);
    return test_main(argc, argv);
}
