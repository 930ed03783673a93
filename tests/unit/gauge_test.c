/* SPDX-License-Identifier: Apache-2.0 */
/* Growth and peak of a gauge, from a probe whose readings the case decides. */
#include "harness.h"

#include "base/probe_table.h"

static profi_reading next;
static int is_readable = 1;

static int read_next(profi_reading *reading)
{
    *reading = next;
    return is_readable;
}

static const profi_probe probe = { .site_flag = 1, .read = read_next };

static void measure(profi_gauge *gauge, uint64_t begin, uint64_t begin_mark, uint64_t end, uint64_t end_mark)
{
    next = (profi_reading){ begin, begin_mark };
    profi_gauge_begin(&probe, gauge);
    next = (profi_reading){ end, end_mark };
    profi_gauge_end(&probe, gauge);
}

TEST(a_mark_that_rose_in_the_scope_is_its_exact_peak)
{
    profi_gauge gauge = { 0 };
    measure(&gauge, 100, 120, 110, 500);
    CHECK_U64(gauge.peak, 500);
    CHECK_U64(gauge.peak_is_bound, 0);
    CHECK_I64(gauge.growth, 10);
}

TEST(below_an_old_mark_the_larger_value_seen_is_a_lower_bound)
{
    profi_gauge gauge = { 0 };
    measure(&gauge, 100, 500, 80, 500);
    CHECK_U64(gauge.peak, 100);
    CHECK_U64(gauge.peak_is_bound, 1);
    CHECK_I64(gauge.growth, -20);
}

TEST(a_value_at_the_mark_cannot_be_exceeded_so_it_is_exact)
{
    profi_gauge gauge = { 0 };
    measure(&gauge, 500, 500, 80, 500);
    CHECK_U64(gauge.peak, 500);
    CHECK_U64(gauge.peak_is_bound, 0);
}

TEST(an_exact_peak_becomes_a_bound_when_a_later_call_may_have_gone_higher)
{
    profi_gauge gauge = { 0 };
    measure(&gauge, 100, 100, 100, 300);
    measure(&gauge, 100, 300, 120, 300); /* at most 300: still exact */
    CHECK_U64(gauge.peak_is_bound, 0);
    measure(&gauge, 100, 900, 120, 900); /* something else raised the mark: it may have been anything up to 900 */
    CHECK_U64(gauge.peak, 300);
    CHECK_U64(gauge.peak_is_bound, 1);
    measure(&gauge, 100, 900, 120, 1000);
    CHECK_U64(gauge.peak, 1000);
    CHECK_U64(gauge.peak_is_bound, 0);
    CHECK_U64(gauge.call_count, 4);
}

TEST(a_failed_read_leaves_the_figures_alone_and_is_remembered)
{
    profi_gauge gauge = { 0 };
    measure(&gauge, 100, 100, 130, 130);
    is_readable = 0;
    measure(&gauge, 1, 1, 1, 1);
    is_readable = 1;
    CHECK_U64(gauge.call_count, 1);
    CHECK_U64(gauge.peak, 130);
    CHECK_U64(gauge.failed, 1);
    next = (profi_reading){ 5, 5 };
    is_readable = 0;
    profi_gauge_begin(&probe, &gauge);
    is_readable = 1;
    profi_gauge_end(&probe, &gauge);
    CHECK_U64(gauge.call_count, 1);
}

TEST(gauges_of_equal_paths_add_up)
{
    profi_gauge a = { 0 }, b = { 0 }, none = { 0 };
    measure(&a, 100, 500, 110, 500);
    measure(&b, 100, 500, 130, 600);
    profi_gauge_merge(&a, &b);
    CHECK_U64(a.call_count, 2);
    CHECK_I64(a.growth, 40);
    CHECK_U64(a.peak, 600);
    CHECK_U64(a.peak_is_bound, 0);
    profi_gauge_merge(&a, &none);
    CHECK_U64(a.call_count, 2);
    CHECK_U64(a.peak_is_bound, 0);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
