/* SPDX-License-Identifier: Apache-2.0 */
/* The statistics of tests/bench/tail_bench: quantiles, and intervals that a known difference must lie in. */
#include "harness.h"

#include "../bench/tail_stats.h"

#include <stdlib.h>

enum { ROUNDS = 40, BLOCK = 250, COUNT = ROUNDS * BLOCK, DRAWS = 200, PAIRS = 60 };

static tail_sample first[COUNT], second[COUNT];

/* A latency with a tail, and a part that all requests of a round share. */
static uint64_t latency(uint64_t *state, uint64_t of_round)
{
    const uint64_t drawn = tail_random(state) % 1000;
    return 10000 + of_round + drawn + (drawn > 990 ? 50 * (drawn - 990) * (tail_random(state) % 100) : 0);
}

static void fill(tail_arm *arm, tail_sample *samples, uint64_t seed, uint64_t more)
{
    uint64_t rounds = 7;
    *arm = (tail_arm){ samples, COUNT };
    for (uint32_t round = 0; round < ROUNDS; round++) {
        const uint64_t of_round = tail_random(&rounds) % 3000;
        for (int i = 0; i < BLOCK; i++)
            samples[round * BLOCK + (uint32_t)i] = (tail_sample){ latency(&seed, of_round) + more, round };
    }
    tail_sort(arm);
}

TEST(a_quantile_is_the_latency_that_its_share_did_not_exceed)
{
    tail_arm arm = { first, 1000 };
    for (uint32_t i = 0; i < 1000; i++)
        first[i] = (tail_sample){ 1000 - i, i % ROUNDS };
    tail_sort(&arm);
    CHECK_U64(tail_quantile(&arm, 0.5), 500);
    CHECK_U64(tail_quantile(&arm, 0.99), 990);
    CHECK_U64(tail_quantile(&arm, 0.999), 999);
    CHECK_U64(tail_quantile(&arm, 1.0), 1000);
    CHECK_U64(tail_quantile(&arm, 0.0), 1);
    arm.count = 0;
    CHECK_U64(tail_quantile(&arm, 0.5), 0);
}

TEST(equal_arms_differ_by_nothing)
{
    tail_arm a, b;
    tail_interval made;
    fill(&a, first, 1, 0);
    fill(&b, second, 1, 0);
    CHECK_I64(tail_compare(&a, &b, 0.999, ROUNDS, DRAWS, 1, &made), 0);
    CHECK(made.difference_ns == 0 && made.low_ns == 0 && made.high_ns == 0);
}

TEST(an_arm_shifted_by_a_constant_differs_by_it_in_every_draw)
{
    tail_arm a, b;
    tail_interval made;
    fill(&a, first, 1, 777);
    fill(&b, second, 1, 0);
    CHECK_I64(tail_compare(&a, &b, 0.5, ROUNDS, DRAWS, 1, &made), 0);
    CHECK(made.difference_ns == 777 && made.low_ns == 777 && made.high_ns == 777);
    CHECK_I64(tail_compare(&b, &a, 0.5, ROUNDS, DRAWS, 1, &made), 0);
    CHECK(made.difference_ns == -777 && made.low_ns == -777 && made.high_ns == -777);
}

/* Of 60 intervals about 57 hold it. */
TEST(the_interval_holds_the_true_difference_as_often_as_it_says)
{
    static const double shares[] = { 0.5, 0.999 };
    for (int k = 0; k < 2; k++)
        for (uint64_t more = 0; more <= 300; more += 300) {
            int holds = 0;
            for (uint64_t pair = 0; pair < PAIRS; pair++) {
                tail_arm a, b;
                tail_interval made;
                fill(&a, first, 1000 + 2 * pair, more);
                fill(&b, second, 1001 + 2 * pair, 0);
                tail_compare(&a, &b, shares[k], ROUNDS, DRAWS, pair, &made);
                CHECK(made.low_ns <= made.high_ns);
                holds += made.low_ns <= (double)more && (double)more <= made.high_ns;
            }
            if (holds < 52)
                printf("# share %g, difference %d: %d of 60\n", shares[k], (int)more, holds);
            CHECK(holds >= 52);
        }
}

TEST(a_difference_well_above_the_noise_is_seen)
{
    tail_arm a, b;
    tail_interval made;
    fill(&a, first, 3, 300);
    fill(&b, second, 4, 0);
    CHECK_I64(tail_compare(&a, &b, 0.5, ROUNDS, DRAWS, 1, &made), 0);
    CHECK(made.low_ns > 0);
}

int main(int argc, char **argv) { return test_main(argc, argv); }
