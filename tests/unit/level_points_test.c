/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of levels over time: few points, the highest value, the last one, in the order of time. */
#include "harness.h"
#include "record/level_points.h"

#include <stdlib.h>

enum { INTERVAL = 100, LEVELS = 3, STEPS = 20000, TAKEN = 7 };

static uint64_t random_state;
static unsigned draw(unsigned below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % below;
}

/* Of one level. */
typedef struct seen {
    uint64_t count;
    int64_t last, high;
} seen;

static uint64_t last_tick; /* of all that was taken */

static void take(uint64_t tick, seen levels[LEVELS])
{
    profi_level_point points[TAKEN];
    for (size_t count; (count = profi_level_points_take(tick, points, TAKEN)) != 0;)
        for (size_t i = 0; i < count; i++) {
            seen *level = &levels[points[i].level];
            CHECK(points[i].tick < tick);
            CHECK(points[i].tick >= last_tick);
            last_tick = points[i].tick;
            level->last = points[i].value;
            level->high = level->count == 0 || points[i].value > level->high ? points[i].value : level->high;
            level->count++;
        }
}

static void run_history(uint64_t seed)
{
    seen levels[LEVELS] = { { 0, 0, 0 } };
    int64_t last[LEVELS] = { 0 }, high[LEVELS] = { 0 };
    uint64_t tick = 1000, takes = 0, changes[LEVELS] = { 0 };
    random_state = seed;
    last_tick = 0;
    profi_level_points_begin(tick, INTERVAL);
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned level = draw(LEVELS);
        tick += draw(20) == 0 ? draw(5 * INTERVAL) : draw(3);
        uint64_t told = draw(50) == 0 ? tick - draw(300) : tick; /* some come late */
        last[level] = (int64_t)draw(1000000);
        high[level] = changes[level] == 0 || last[level] > high[level] ? last[level] : high[level];
        profi_level_points_note(level, told, last[level]);
        changes[level]++;
        if (draw(200) == 0) {
            take(tick, levels);
            takes++;
        }
    }
    take(tick + 1, levels);
    for (unsigned i = 0; i < LEVELS; i++) {
        CHECK_I64(levels[i].high, high[i]);
        CHECK_I64(levels[i].last, last[i]);
        CHECK(levels[i].count <= 3 * ((tick - 1000) / INTERVAL + 1) + 2 * takes);
        CHECK(levels[i].count < changes[i]);
    }
    CHECK_U64(profi_level_points_lost(), 0);
}

TEST(the_highest_value_is_kept_and_points_are_few_and_in_order)
{
    for (uint64_t seed = 1; seed <= 50 && !test_failed; seed++)
        run_history(seed);
}

TEST(of_one_interval_there_are_the_first_the_highest_and_the_last)
{
    profi_level_point points[8];
    profi_level_points_begin(50, INTERVAL);
    const int64_t values[] = { 10, 20, 90, 30, 40 };
    for (unsigned i = 0; i < 5; i++)
        profi_level_points_note(1, 60 + i, values[i]);
    CHECK_U64(profi_level_points_take(70, points, 8), 3);
    CHECK_I64(points[0].value, 10);
    CHECK_I64(points[1].value, 90);
    CHECK_U64(points[1].tick, 62);
    CHECK_I64(points[2].value, 40);
    CHECK_U64(points[2].tick, 64);
    CHECK_U64(profi_level_points_take(200, points, 8), 0);
    profi_level_points_note(1, 90, 50); /* of what was taken: it counts from there */
    CHECK_U64(profi_level_points_take(201, points, 8), 1);
    CHECK_U64(points[0].tick, 200);
}

TEST(what_finds_no_room_is_counted_and_what_nobody_asks_for_is_not_kept)
{
    profi_level_point points[8];
    profi_level_points_begin(1, 1);
    for (uint64_t i = 0; i < 10000; i++)
        profi_level_points_note(0, 1 + i, 5);
    CHECK_U64(profi_level_points_lost(), 10000 - 8192);
    CHECK_U64(profi_level_points_lost(), 0);
    profi_level_points_begin(0, 0);
    profi_level_points_note(0, 1, 5);
    CHECK_U64(profi_level_points_take(100, points, 8), 0);
}

int main(int argc, char **argv) { return test_main(argc, argv); }
