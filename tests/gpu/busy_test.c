/* SPDX-License-Identifier: Apache-2.0 */
/* The union of intervals, against a map of what is covered. */
#include "harness.h"

#include "gpu/busy.h"

#include <stdlib.h>

enum { LENGTH = 4000 };
static unsigned char covered[LENGTH];

static uint64_t random_below(uint64_t *state, uint64_t limit)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (*state >> 33) % limit;
}

static uint64_t sum_of_covered(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < LENGTH; i++)
        sum += covered[i];
    return sum;
}

static void add(profi_busy *busy, uint64_t start, uint64_t end)
{
    profi_busy_add(busy, start, end);
    memset(covered + start, 1, end - start);
}

TEST(intervals_that_overlap_count_once)
{
    profi_busy busy = { 0 };
    profi_busy_add(&busy, 10, 20);
    profi_busy_add(&busy, 15, 30);
    profi_busy_add(&busy, 12, 14);
    CHECK_U64(busy.sum, 20);
    profi_busy_add(&busy, 40, 50);
    profi_busy_add(&busy, 5, 45);
    CHECK_U64(busy.sum, 45);
    profi_busy_add(&busy, 7, 7);
    CHECK_U64(busy.sum, 45);
    CHECK_U64(busy.is_bound, 0);
}

/* Starts jump back by less than what is kept apart can hold. */
TEST(random_intervals_in_nearly_any_order_equal_a_map)
{
    uint64_t state = 7;
    for (unsigned round = 0; round < 2000; round++) {
        profi_busy busy = { 0 };
        memset(covered, 0, sizeof(covered));
        for (unsigned i = 0; i < 60; i++) {
            uint64_t start = i * 60 + random_below(&state, 200), end = start + random_below(&state, 120);
            add(&busy, start, end);
        }
        CHECK_U64(busy.is_bound, 0);
        CHECK_U64(busy.sum, sum_of_covered());
    }
}

TEST(what_comes_too_late_makes_a_lower_bound_and_never_more_than_there_was)
{
    uint64_t state = 11, bounds = 0;
    for (unsigned round = 0; round < 2000; round++) {
        profi_busy busy = { 0 };
        memset(covered, 0, sizeof(covered));
        for (unsigned i = 0; i < 100; i++) {
            uint64_t start = random_below(&state, LENGTH - 20), end = start + random_below(&state, 20);
            add(&busy, start, end);
        }
        if (busy.sum != sum_of_covered())
            CHECK_U64(busy.is_bound, 1);
        CHECK(busy.sum <= sum_of_covered());
        bounds += busy.is_bound;
    }
    CHECK(bounds > 0);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
