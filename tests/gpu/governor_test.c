/* SPDX-License-Identifier: Apache-2.0 */
/* The budget of GPU tracing, against made-up costs. */
#include "harness.h"

#include "gpu/governor.h"

enum { EVERY_NS = 100000000 };
static const uint64_t second_ns = 1000000000;

/* A run of so many seconds in which tracing costs this share of the time that it runs; what it has cost in the end. */
static uint64_t run(profi_governor *governor, double cost_share, uint64_t seconds)
{
    uint64_t now = second_ns, end = now + seconds * second_ns;
    double cost = 0;
    profi_governor_begin(governor, now);
    for (uint64_t next = now; now < end; now = next) {
        next = profi_governor_decide(governor, now, (uint64_t)cost, EVERY_NS);
        CHECK(next > now && next <= now + EVERY_NS);
        cost += governor->is_paused ? 0 : cost_share * (double)(next - now);
    }
    CHECK_U64(profi_governor_elapsed_ns(governor, now), now - second_ns);
    CHECK_U64(governor->paused_ns + profi_governor_traced_ns(governor, now) + (governor->is_paused ? now - governor->changed_ns : 0),
              now - second_ns);
    return (uint64_t)cost;
}

TEST(what_costs_less_than_its_share_is_never_paused)
{
    profi_governor governor = { .share = 0.01 };
    run(&governor, 0.009, 1000);
    CHECK_U64(governor.paused_ns, 0);
    CHECK_U64(governor.windows, 1);
}

TEST(what_costs_more_is_paused_until_its_share_holds)
{
    profi_governor governor = { .share = 0.01 };
    uint64_t cost = run(&governor, 0.20, 1000);
    CHECK(cost <= 10 * second_ns + 100000000 + EVERY_NS / 5);
    CHECK(cost >= 9 * second_ns);
    CHECK(governor.windows > 10);
}

TEST(a_short_run_is_traced_throughout)
{
    profi_governor governor = { .share = 0.01 };
    run(&governor, 0.04, 2);
    CHECK_U64(governor.paused_ns, 0);
}

TEST(without_a_bound_there_is_no_pause)
{
    profi_governor governor = { .share = 1 };
    run(&governor, 2.5, 100);
    CHECK_U64(governor.paused_ns, 0);
}

TEST(the_time_between_a_stop_and_the_next_start_is_none)
{
    profi_governor governor = { .share = 0.01 };
    profi_governor_begin(&governor, second_ns);
    profi_governor_decide(&governor, 2 * second_ns, second_ns, EVERY_NS); /* far above it: paused */
    CHECK_U64(governor.is_paused, 1);
    profi_governor_stop(&governor, 3 * second_ns);
    CHECK_U64(profi_governor_traced_ns(&governor, 50 * second_ns), second_ns);
    CHECK_U64(profi_governor_elapsed_ns(&governor, 50 * second_ns), 2 * second_ns);
    profi_governor_begin(&governor, 100 * second_ns);
    CHECK_U64(governor.is_paused, 0);
    CHECK_U64(profi_governor_elapsed_ns(&governor, 101 * second_ns), 3 * second_ns);
    CHECK_U64(profi_governor_traced_ns(&governor, 101 * second_ns), 2 * second_ns);
    profi_governor_decide(&governor, 101 * second_ns, second_ns, EVERY_NS); /* the debt stands */
    CHECK_U64(governor.is_paused, 1);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
