/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that rules keep, on a simulated clock: each kept call has its own
 * figures, exactly, whatever ran before it and around it.  The queue is read
 * directly, so nothing is written.
 */
#define SITES_AT "kept_test.c", 1
#include "recording.h"
#include "simulated.h"

#include "api/save_rules.h"
#include "base/region.h"
#include "model/snapshot.h"
#include "record/kept.h"
#include "record/node.h"

#include <pthread.h>
#include <stdlib.h>

static prof_site *ruled(const char *name, uint64_t slower_than_ns, uint64_t every_nth)
{
    prof_site *made = site(name);
    CHECK_I64(prof_site_save_if(made, slower_than_ns, every_nth, NULL), PROF_OK);
    return made;
}

static void start_small(void)
{
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    options.memory_bytes = 1 << 20;
    pass(1);
    CHECK_I64(prof_start(&options, NULL), PROF_OK);
}

/* A scope of `ns` in itself. */
static void run(const char *name, uint64_t ns)
{
    prof_scope scope = prof_begin(site(name));
    pass(ns);
    prof_end(scope);
}

/* ---- what was kept since the last look ---- */

static profi_kept_call *kept;

static unsigned take(void)
{
    unsigned count = 0;
    for (profi_kept_call *next; kept != NULL; kept = next) {
        next = profi_kept_next(kept);
        profi_kept_free(kept);
    }
    kept = profi_kept_take();
    for (const profi_kept_call *call = kept; call != NULL; call = profi_kept_next(call))
        count++;
    return count;
}

static const profi_kept_call *nth(unsigned index)
{
    const profi_kept_call *call = kept;
    while (call != NULL && index-- > 0)
        call = profi_kept_next(call);
    return call;
}

static prof_snapshot *snapshot_of(unsigned index)
{
    static const profi_run_facts facts = { .name = "run" };
    prof_snapshot *snapshot = NULL;
    prof_error err = PROF_ERROR_INIT;
    if (nth(index) == NULL || profi_snapshot_of_call(&facts, nth(index), &snapshot, &err) != PROF_OK) {
        printf("# no kept call %u: %s\n", index, err.message);
        test_failed = 1;
    }
    return snapshot;
}

/* A function's row in a kept call; all zero where it is not in it. */
static prof_function row(unsigned index, const char *name)
{
    prof_function found = PROF_FUNCTION_INIT;
    prof_snapshot *snapshot = snapshot_of(index);
    uint32_t id;
    if (prof_snapshot_find(snapshot, name, &id, NULL) == PROF_OK)
        prof_snapshot_function(snapshot, id, &found, NULL);
    prof_snapshot_close(snapshot);
    return found;
}

#define CHECK_ROW(index, name, the_calls, the_self_ns, the_cumulative_ns) \
    do {                                                                  \
        prof_function row_ = row(index, name);                            \
        CHECK_U64(row_.calls, the_calls);                                 \
        CHECK_U64(row_.self_ns, the_self_ns);                             \
        CHECK_U64(row_.cumulative_ns, the_cumulative_ns);                 \
    } while (0)

/* ---- cases ---- */

TEST(a_call_slower_than_its_limit_is_kept_with_its_own_figures)
{
    start_small();
    prof_site *slow = ruled("slow", 50, 0);
    static const uint64_t own[] = { 10, 50, 51, 5, 60 };
    for (unsigned i = 0; i < 5; i++) {
        prof_scope scope = prof_begin(slow);
        pass(own[i] - 5);
        for (unsigned k = 0; k < i; k++) /* what is below is part of it, and not of the next */
            run("below", k);
        pass(5);
        prof_end(scope);
        run("below", 1000);
    }
    stop();
    /* 10, 50 + 0, 51 + 0 + 1, 5 + 0 + 1 + 2, 60 + 0 + 1 + 2 + 3 */
    CHECK_U64(take(), 2);
    CHECK_ROW(0, "slow", 1, 51, 52);
    CHECK_ROW(0, "below", 2, 1, 1);
    CHECK_ROW(1, "slow", 1, 60, 66);
    CHECK_ROW(1, "below", 4, 6, 6);
    CHECK_U64(profi_kept_facts_of(nth(1))->number, 5);
    CHECK_U64(profi_kept_facts_of(nth(1))->duration, 66);
    CHECK_U64(profi_kept_facts_of(nth(1))->is_slow, 1);
    CHECK_U64(stats().kept_count, 2);
    CHECK_U64(stats().kept_lost_count, 0);
}

TEST(each_nth_call_is_kept_and_either_condition_is_enough)
{
    start_small();
    prof_site *one = ruled("one in 3", 0, 3), *both = ruled("both", 100, 4);
    for (unsigned i = 1; i <= 10; i++) {
        prof_scope scope = prof_begin(one);
        pass(i);
        prof_end(scope);
    }
    CHECK_U64(take(), 3);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_U64(profi_kept_facts_of(nth(i))->number, 3 * (i + 1));
        CHECK_U64(profi_kept_facts_of(nth(i))->is_slow, 0);
        CHECK_ROW(i, "one in 3", 1, 3 * (i + 1), 3 * (i + 1));
    }
    for (unsigned i = 1; i <= 8; i++) {
        prof_scope scope = prof_begin(both);
        pass(i == 3 || i == 4 ? 101 : 100);
        prof_end(scope);
    }
    stop();
    CHECK_U64(take(), 3); /* 3: slow, 4: both, 8: the 4th */
    CHECK_U64(profi_kept_facts_of(nth(0))->number, 3);
    CHECK_U64(profi_kept_facts_of(nth(1))->is_slow, 1);
    CHECK_U64(profi_kept_facts_of(nth(2))->number, 8);
}

TEST(nested_sites_with_rules_each_keep_their_own_calls)
{
    start_small();
    prof_site *outer = ruled("outer", 0, 2), *inner = ruled("inner", 0, 1);
    for (unsigned i = 1; i <= 2; i++) {
        prof_scope a = prof_begin(outer);
        pass(10 * i);
        for (unsigned k = 1; k <= 2; k++) {
            prof_scope b = prof_begin(inner);
            pass(k);
            run("leaf", 100 * i + k);
            prof_end(b);
        }
        prof_end(a);
    }
    stop();
    CHECK_U64(take(), 5); /* inner, inner, inner, inner, outer 2 */
    CHECK_ROW(0, "inner", 1, 1, 102);
    CHECK_ROW(1, "leaf", 1, 102, 102);
    CHECK_ROW(2, "inner", 1, 1, 202);
    CHECK_ROW(3, "inner", 1, 2, 204);
    CHECK_ROW(4, "outer", 1, 20, 426);
    CHECK_ROW(4, "inner", 2, 3, 406);
    CHECK_ROW(4, "leaf", 2, 403, 403);
}

static void recurse(prof_site *a, unsigned depth)
{
    prof_scope scope = prof_begin(a);
    pass(1);
    if (depth > 1) {
        prof_scope between = prof_begin(site("between"));
        pass(10);
        recurse(a, depth - 1);
        prof_end(between);
    }
    prof_end(scope);
}

TEST(of_a_recursion_only_the_outermost_call_is_kept)
{
    start_small();
    prof_site *a = ruled("recursive", 0, 1);
    recurse(a, 4);
    recurse(a, 2);
    stop();
    CHECK_U64(take(), 2);
    CHECK_ROW(0, "recursive", 4, 4, 34);
    CHECK_U64(row(0, "recursive").primitive_calls, 1);
    CHECK_ROW(0, "between", 3, 30, 33);
    CHECK_ROW(1, "recursive", 2, 2, 12);
    CHECK_U64(profi_kept_facts_of(nth(1))->number, 2);
}

TEST(items_and_extremes_are_those_of_the_call)
{
    start_small();
    prof_site *counting = ruled("counting", 0, 2);
    for (unsigned i = 1; i <= 2; i++) {
        prof_scope scope = prof_begin(counting);
        prof_items(7 * i, "tokens");
        run("once", 5 * i);
        run("twice", 1);
        run("twice", 2);
        prof_end(scope);
    }
    stop();
    CHECK_U64(take(), 1);
    prof_function counted = row(0, "counting"), once = row(0, "once"), twice = row(0, "twice");
    CHECK_U64(counted.items, 14);
    CHECK_U64(once.has & PROF_FUNCTION_HAS_EXTREMES, PROF_FUNCTION_HAS_EXTREMES);
    CHECK_U64(once.min_ns, 10);
    CHECK_U64(once.max_ns, 10);
    CHECK_U64(twice.has & PROF_FUNCTION_HAS_EXTREMES, 0); /* a sum of two has none */
    CHECK_U64(twice.has & PROF_FUNCTION_HAS_HISTOGRAM, 0);
}

TEST(scopes_left_open_inside_a_call_end_with_it)
{
    start_small();
    prof_site *repaired = ruled("repaired", 0, 1);
    prof_scope around = prof_begin(site("around"));
    prof_scope scope = prof_begin(repaired);
    pass(3);
    prof_begin(site("left open"));
    pass(4);
    prof_end(scope);
    CHECK_U64(take(), 1);
    CHECK_ROW(0, "repaired", 1, 3, 7);
    CHECK_ROW(0, "left open", 1, 4, 4);
    /* The call itself is left open, and closed by the one around it. */
    prof_begin(repaired);
    pass(5);
    prof_end(around);
    CHECK_U64(take(), 1);
    CHECK_ROW(0, "repaired", 1, 5, 5);
    prof_end(prof_begin(repaired)); /* and no watch is left open */
    CHECK_U64(take(), 1);
    stop();
}

TEST(a_call_that_ends_after_the_stop_is_kept)
{
    start_small();
    prof_scope scope = prof_begin(ruled("over the end", 0, 1));
    pass(9);
    stop();
    pass(2);
    prof_end(scope);
    CHECK_U64(take(), 1);
    CHECK_ROW(0, "over the end", 1, 11, 11);
}

static void *leave_open(void *site_of_it)
{
    for (unsigned i = 0; i < 3; i++) {
        prof_scope scope = prof_begin(site_of_it);
        run("on a thread", 1);
        prof_end(scope);
    }
    prof_begin(site_of_it);
    run("on a thread", 4);
    return NULL;
}

TEST(a_thread_that_ends_inside_a_call_hands_it_over_and_frees_what_it_kept)
{
    start_small();
    uint64_t used = 0;
    prof_site *left = ruled("left by its thread", 0, 4);
    for (unsigned i = 0; i < 3; i++) {
        pthread_t thread;
        REQUIRE(pthread_create(&thread, NULL, leave_open, left) == 0);
        pthread_join(thread, NULL);
        CHECK_U64(take(), 1); /* calls are counted over all threads: the 4th, 8th, 12th */
        CHECK_ROW(0, "on a thread", 1, 4, 4);
        take();
        if (i == 1)
            used = stats().memory_used_bytes;
    }
    CHECK_U64(stats().memory_used_bytes, used);
    stop();
}

TEST(a_rule_can_change_and_go_and_the_operators_stays)
{
    start_small();
    prof_site *changing = ruled("changing", 0, 1);
    prof_end(prof_begin(changing));
    CHECK_U64(take(), 1);
    ruled("changing", 0, 0);
    prof_end(prof_begin(changing));
    CHECK_U64(take(), 0);
    ruled("changing", 5, 0);
    run("changing", 6);
    CHECK_U64(take(), 1);
    CHECK_ROW(0, "changing", 1, 6, 6);

    /* By name: as reports show it; two rules for a name add up; code does not replace them. */
    CHECK_I64(profi_save_rules_read("odd\\nname>8ns, odd\\nname/5,\"a,b\">9ns", profi_kept_rule_by_name, NULL), PROF_OK);
    run("odd\nname", 9);
    ruled("odd\nname", 0, 0);
    for (unsigned i = 0; i < 4; i++)
        run("odd\nname", 8);
    run("a,b", 10);
    CHECK_U64(take(), 3);
    CHECK_U64(profi_kept_facts_of(nth(0))->is_slow, 1);
    CHECK_U64(profi_kept_facts_of(nth(1))->number, 5);
    CHECK_ROW(2, "a,b", 1, 10, 10);
    stop();
}

TEST(of_a_sampled_site_inside_a_call_times_are_marked_as_estimates)
{
    start_small();
    prof_site *sampled = NULL, *outer = ruled("around sampled", 0, 1);
    CHECK_I64(prof_site_get("sampled", SIZE_MAX, "kept_test.c", 1, PROF_SITE_SAMPLED, &sampled, NULL), PROF_OK);
    for (unsigned i = 0; i < 2; i++) {
        prof_scope scope = prof_begin(outer);
        for (unsigned k = 0; k < (i == 0 ? 20 : 400); k++) {
            prof_scope inner = prof_begin(sampled);
            pass(10);
            prof_end(inner);
        }
        prof_end(scope);
    }
    stop();
    CHECK_U64(take(), 2);
    CHECK_ROW(0, "sampled", 20, 200, 200); /* the first ones are all timed */
    CHECK_U64(row(0, "sampled").has & PROF_FUNCTION_IS_ESTIMATE, 0);
    CHECK_ROW(1, "sampled", 400, 4000, 4000); /* 10 is the mean of those that were */
    CHECK_U64(row(1, "sampled").has & PROF_FUNCTION_IS_ESTIMATE, PROF_FUNCTION_IS_ESTIMATE);
    CHECK_ROW(1, "around sampled", 1, 0, 4000);
    CHECK_U64(row(1, "around sampled").has & PROF_FUNCTION_IS_ESTIMATE, 0);
}

static void check_text(const char *text, const char *message)
{
    prof_error err = PROF_ERROR_INIT;
    prof_status status = profi_save_rules_read(text, NULL, &err);
    CHECK_I64(status, message == NULL ? PROF_OK : PROF_E_INVALID);
    if (message != NULL)
        CHECK_HAS(err.message, message);
}

TEST(the_text_of_rules_is_read_or_its_bad_part_named)
{
    check_text("", NULL);
    check_text("a>50ms", NULL);
    check_text("operator>>1.5s,GET /v1/search/100, \"f(int, int)\">200us,\"x\"/3", NULL);
    check_text("a>50ms,b>50mss", "rule \"b>50mss\": not a duration above 0 such as 50ms");
    check_text("a>50", "rule \"a>50\": not a duration");
    check_text("a>0ms", "rule \"a>0ms\": not a duration above 0");
    check_text("a>1.s", "not a duration");
    check_text("a>99999999999999999999s", "not a duration");
    check_text("a/0", "rule \"a/0\": not a whole number above 0");
    check_text("a/-3", "not a whole number");
    check_text("a/2.5", "not a whole number");
    check_text("a", "rule \"a\": neither >DURATION, such as >50ms, nor /NUMBER");
    check_text(">5ms", "there is no name");
    check_text("a>5ms,,b>5ms", "rule \"\": neither");
    check_text("a>5ms,", "nothing follows the last comma");
    check_text("\"a>5ms", "the quote is not closed");
}

TEST(a_full_queue_loses_calls_and_counts_each_one)
{
    start_small();
    take();
    take();
    prof_stats before = stats();
    prof_site *many = ruled("many", 0, 1);
    for (unsigned i = 0; i < 1000; i++) {
        prof_scope scope = prof_begin(many);
        run("work of many", i);
        prof_end(scope);
    }
    prof_stats after = stats();
    unsigned count = take();
    CHECK(count > 50 && count < 1000); /* an eighth of 1 MiB, a KiB each */
    CHECK_U64(after.kept_count - before.kept_count, 1000);
    CHECK_U64(after.kept_lost_count - before.kept_lost_count, 1000 - count);
    for (unsigned i = 0; i < count; i++)
        CHECK_U64(row(i, "work of many").self_ns, i); /* those that came first */
    take();
    run("many", 77);
    CHECK_U64(take(), 1);
    CHECK_ROW(0, "many", 1, 77, 77); /* what was lost is in nobody's figures */
    take();
    stop();
}

/* ---- memory that is spent; last, since it stays so ---- */

typedef struct held {
    struct held *next;
} held;

static void spend(held **list, size_t bytes)
{
    for (held *piece; (piece = profi_region_alloc(bytes, PROFI_REGION_TREE)) != NULL; *list = piece)
        piece->next = *list;
}

static void give_back(held **list, size_t bytes, unsigned count)
{
    for (held *piece; (piece = *list) != NULL && count > 0; count--) {
        *list = piece->next;
        profi_region_free(piece, bytes, PROFI_REGION_TREE);
    }
}

/* poor > middle > leaf and, where `twig` is set, twig. */
static const char *twig;

static void run_poor(uint64_t middle, uint64_t leaf)
{
    prof_scope scope = prof_begin(site("poor")), inner = PROF_SCOPE_NONE;
    pass(1);
    if (middle != 0) {
        inner = prof_begin(site("middle"));
        pass(middle);
        if (twig != NULL)
            run(twig, 1);
        if (leaf != 0)
            run("leaf", leaf);
        prof_end(inner);
    }
    prof_end(scope);
}

TEST(a_call_whose_baseline_is_missing_is_lost_and_the_next_ones_are_exact)
{
    enum { MARK = 64 };
    start_small();
    held *rest = NULL, *nodes = profi_region_alloc(sizeof(profi_node), PROFI_REGION_TREE);
    held *marks = profi_region_alloc(MARK, PROFI_REGION_TREE), *more = profi_region_alloc(MARK, PROFI_REGION_TREE);
    held *node = profi_region_alloc(sizeof(profi_node), PROFI_REGION_TREE);
    REQUIRE(nodes != NULL && marks != NULL && more != NULL && node != NULL);
    site("twig");
    ruled("poor", 0, 1);
    site("leaf");
    run_poor(5, 0);
    CHECK_U64(take(), 1);
    take();
    spend(&rest, 16); /* what was never used; pieces that were given back are there for their own size only */
    spend(&nodes, sizeof(profi_node));
    spend(&marks, MARK);
    give_back(&nodes, sizeof(profi_node), 1);
    prof_stats before = stats();

    run_poor(6, 70); /* leaf gets a node, and no mark */
    CHECK_U64(take(), 0);
    run_poor(0, 0); /* does not come by there */
    CHECK_U64(take(), 1);
    CHECK_ROW(0, "poor", 1, 1, 1);
    take();
    twig = "twig";
    profi_region_free(node, sizeof(profi_node), PROFI_REGION_TREE);
    give_back(&marks, MARK, 1);
    run_poor(7, 80); /* a younger sibling, which gets one; still none for leaf */
    CHECK_U64(take(), 0);
    twig = NULL;
    give_back(&more, MARK, 1);
    run_poor(8, 90); /* has one now, but no baseline */
    CHECK_U64(take(), 0);
    run_poor(9, 100);
    CHECK_U64(take(), 1);
    CHECK_ROW(0, "poor", 1, 1, 110);
    CHECK_ROW(0, "middle", 1, 9, 109);
    CHECK_ROW(0, "leaf", 1, 100, 100);
    CHECK_U64(stats().kept_count - before.kept_count, 5);
    CHECK_U64(stats().kept_lost_count - before.kept_lost_count, 3);
    take();

    before = stats();
    prof_scope scope = prof_begin(site("poor"));
    prof_scope no_node = prof_begin(site("leaf")); /* a new path: there is no memory for it */
    prof_end(prof_begin(site("leaf")));
    prof_end(no_node);
    prof_end(scope);
    CHECK_U64(stats().lost_count - before.lost_count, 2);
    CHECK_U64(take(), 1);
    CHECK_U64(profi_kept_facts_of(nth(0))->lost, 2);
    run_poor(0, 0);
    CHECK_U64(take(), 1);
    CHECK_U64(profi_kept_facts_of(nth(0))->lost, 0);
    take();
    stop();
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
