/* SPDX-License-Identifier: Apache-2.0 */
/* What readings become in a node, for a gauge and a counter whose readings the case decides. */
#include "harness.h"

#include "base/probe_table.h"

#include <errno.h>

enum { GAUGE, COUNTER, MAXIMUM, ROWS };

static profi_reading next[ROWS];
static int is_readable = 1;
static uint64_t sampled;
static uint64_t highest_sample(uint64_t mark) { return mark == 3 ? sampled : 99999; }
static uint64_t highest; /* since the innermost call began; next[MAXIMUM].value is what it is now */

static uint64_t highest_begin(unsigned row)
{
    uint64_t outer = highest;
    highest = next[row].value;
    return outer;
}

static uint64_t highest_end(unsigned row, uint64_t mark)
{
    (void)row;
    uint64_t reached = highest;
    highest = mark > highest ? mark : highest;
    return reached;
}

static void rise_to(uint64_t value)
{
    next[MAXIMUM].value = value;
    highest = value > highest ? value : highest;
}

static profi_probe rows[ROWS] = {
    [GAUGE] = { .name = "level", .unit = "bytes", .of = "process", .site_flags = 1, .is_gauge = 1, .highest_since = highest_sample },
    [COUNTER] = { .name = "count", .unit = "things", .of = "thread", .site_flags = 2 },
    [MAXIMUM] = { .name = "highest", .unit = "bytes", .of = "thread", .site_flags = 4, .is_plain = 1, .peak_begin = highest_begin,
                  .peak_end = highest_end },
};

static uint64_t read_next(uint64_t wanted, profi_reading *readings)
{
    for (unsigned i = 0; i < ROWS; i++)
        readings[i] = next[i];
    errno = 1;
    return is_readable ? wanted : 0;
}

__attribute__((constructor)) static void add_rows(void) { profi_probe_source_add(rows, ROWS, read_next); }

static void begin(profi_measure *measure, unsigned row)
{
    profi_readings readings;
    profi_probes_read(1u << row, &readings);
    profi_measures_begin(measure, 1u << row, &readings);
}

static void end(profi_measure *measure, unsigned row)
{
    profi_readings readings;
    profi_probes_read(1u << row, &readings);
    profi_measures_end(measure, 1u << row, &readings);
}

static void measure_level(profi_measure *measure, uint64_t at_begin, uint64_t begin_mark, uint64_t at_end, uint64_t end_mark)
{
    next[GAUGE] = (profi_reading){ at_begin, begin_mark, 3 };
    begin(measure, GAUGE);
    next[GAUGE] = (profi_reading){ at_end, end_mark, 4 };
    end(measure, GAUGE);
}

static void measure_count(profi_measure *measure, uint64_t at_begin, uint64_t at_end)
{
    next[COUNTER].value = at_begin;
    begin(measure, COUNTER);
    next[COUNTER].value = at_end;
    end(measure, COUNTER);
}

TEST(a_mark_that_rose_in_the_scope_is_its_exact_peak)
{
    profi_measure level = { 0 };
    measure_level(&level, 100, 120, 110, 500);
    CHECK_U64(level.top, 500);
    CHECK_U64(level.is_bound, 0);
    CHECK_I64(level.sum, 10);
}

TEST(below_an_old_mark_the_larger_value_seen_is_a_lower_bound)
{
    profi_measure level = { 0 };
    measure_level(&level, 100, 500, 80, 500);
    CHECK_U64(level.top, 100);
    CHECK_U64(level.is_bound, 1);
    CHECK_I64(level.sum, -20);
}

TEST(a_value_at_the_mark_cannot_be_exceeded_so_it_is_exact)
{
    profi_measure level = { 0 };
    measure_level(&level, 500, 500, 80, 500);
    CHECK_U64(level.top, 500);
    CHECK_U64(level.is_bound, 0);
}

TEST(an_exact_peak_becomes_a_bound_when_a_later_call_may_have_gone_higher)
{
    profi_measure level = { 0 };
    measure_level(&level, 100, 100, 100, 300);
    measure_level(&level, 100, 300, 120, 300); /* at most 300: still exact */
    CHECK_U64(level.is_bound, 0);
    measure_level(&level, 100, 900, 120, 900); /* something else raised the mark: it may have been anything up to 900 */
    CHECK_U64(level.top, 300);
    CHECK_U64(level.is_bound, 1);
    measure_level(&level, 100, 900, 120, 1000);
    CHECK_U64(level.top, 1000);
    CHECK_U64(level.is_bound, 0);
    CHECK_U64(level.call_count, 4);
}

TEST(a_sample_taken_in_the_scope_raises_the_bound_of_its_peak)
{
    profi_measure level = { 0 };
    sampled = 300;
    measure_level(&level, 100, 900, 120, 900);
    CHECK_U64(level.top, 300);
    CHECK_U64(level.is_bound, 1);
    measure_level(&level, 100, 900, 120, 950); /* exact: it needs no sample */
    CHECK_U64(level.top, 950);
    CHECK_U64(level.is_bound, 0);
    sampled = 0;
}

TEST(a_failed_read_leaves_the_figures_alone_and_is_counted)
{
    profi_measure level = { 0 };
    measure_level(&level, 100, 100, 130, 130);
    is_readable = 0;
    measure_level(&level, 1, 1, 1, 1);
    CHECK_U64(level.call_count, 1);
    CHECK_U64(level.top, 130);
    CHECK_U64(level.failed_count, 1);
    begin(&level, GAUGE);
    is_readable = 1;
    end(&level, GAUGE);
    CHECK_U64(level.call_count, 1);
    CHECK_U64(level.failed_count, 2);
}

TEST(what_a_pass_did_not_want_is_not_touched)
{
    profi_measure count = { 0 };
    profi_readings nothing = { .wanted = 0 };
    next[COUNTER].value = 10;
    begin(&count, COUNTER);
    profi_measures_end(&count, 1u << COUNTER, &nothing);
    profi_measures_begin(&count, 1u << COUNTER, &nothing);
    end(&count, COUNTER); /* its begin was not read */
    CHECK_U64(count.call_count, 0);
    CHECK_U64(count.failed_count, 0);
}

TEST(a_counter_has_its_sum_and_its_largest_call)
{
    profi_measure count = { 0 };
    measure_count(&count, 10, 15);
    measure_count(&count, 20, 120);
    measure_count(&count, 200, 200);
    CHECK_U64(count.call_count, 3);
    CHECK_I64(count.sum, 105);
    CHECK_U64(count.top, 100);
    CHECK_U64(count.is_bound, 0);
}

TEST(a_counter_that_runs_backwards_is_not_measured_and_says_so)
{
    profi_measure count = { 0 };
    measure_count(&count, 10, 9);
    CHECK_U64(count.call_count, 0);
    CHECK_U64(count.failed_count, 1);
    CHECK_STR(rows[COUNTER].reason, "it ran backwards");
}

TEST(measures_of_equal_paths_add_up)
{
    profi_measure a = { 0 }, b = { 0 }, none = { 0 }, c = { 0 }, d = { 0 };
    measure_level(&a, 100, 500, 110, 500);
    measure_level(&b, 100, 500, 130, 600);
    profi_measure_merge(&a, &b);
    CHECK_U64(a.call_count, 2);
    CHECK_I64(a.sum, 40);
    CHECK_U64(a.top, 600);
    CHECK_U64(a.is_bound, 0);
    profi_measure_merge(&a, &none);
    CHECK_U64(a.call_count, 2);
    CHECK_U64(a.is_bound, 0);
    measure_count(&c, 0, 3);
    measure_count(&d, 0, 5);
    profi_measure_merge(&c, &d);
    CHECK_I64(c.sum, 8);
    CHECK_U64(c.top, 5);
}

TEST(a_site_has_room_for_what_it_asks_and_no_more)
{
    CHECK_U64(profi_probes_for(0), 0);
    CHECK_U64(profi_probes_for(1), 1u << GAUGE);
    CHECK_U64(profi_probes_for(3), 1u << GAUGE | 1u << COUNTER);
    CHECK_U64(profi_probes_for(PROF_SITE_OWN(2)), (uint64_t)1 << (PROFI_PROBE_OWN + 2)); /* also before it is added */
    CHECK_U64(profi_measure_place(5, 2), 1);
}

TEST(errno_is_kept_while_probes_are_read)
{
    profi_readings readings;
    errno = 77;
    profi_probes_read(1u << GAUGE, &readings);
    CHECK_I64(errno, 77);
}

TEST(a_maximum_is_what_a_call_rose_to_above_its_begin_however_calls_nest)
{
    profi_measure outer = { 0 }, inner = { 0 };
    rise_to(1000);
    begin(&outer, MAXIMUM);
    rise_to(1300);
    rise_to(1100);
    begin(&inner, MAXIMUM);
    rise_to(1150);
    rise_to(900);
    end(&inner, MAXIMUM);
    CHECK_U64(inner.top, 50);
    begin(&inner, MAXIMUM);
    rise_to(1390);
    rise_to(1200);
    end(&inner, MAXIMUM);
    CHECK_U64(inner.top, 490);
    CHECK_I64(inner.sum, 540);
    CHECK_U64(inner.call_count, 2);
    end(&outer, MAXIMUM);
    CHECK_U64(outer.top, 390);
    CHECK_U64(outer.is_bound, 0);
}

TEST(a_maximum_whose_begin_was_read_is_ended_also_where_its_end_is_not)
{
    profi_measure outer = { 0 }, inner = { 0 };
    profi_readings none = { 0 };
    rise_to(10);
    begin(&outer, MAXIMUM);
    rise_to(500);
    begin(&inner, MAXIMUM);
    profi_measures_end(&inner, 1u << MAXIMUM, &none);
    CHECK_U64(inner.call_count, 1);
    end(&outer, MAXIMUM);
    CHECK_U64(outer.top, 490);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
