/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of probes in the table for people, from figures that the case decides. */
#include "harness.h"

#include "format/text_probes.h"

static char written[8192];

static int keep(void *user, const void *data, size_t bytes)
{
    (void)user;
    strncat(written, data, bytes);
    return 0;
}

static profi_measure measures[5];
static profi_function function = { .name = "f", .calls = 4, .primitive_calls = 4, .cumulative_ns = 1000000000,
                                   .measures = measures };
static struct prof_snapshot snapshot = {
    .functions = &function, .function_count = 1, .probe_count = 5,
    .probes = { { "cpu.time", "ns", "thread", NULL, 0, 0 }, { "cpu.user", "ns", "thread", NULL, 0, 0 },
                { "wait.cpu", "ns", "thread", NULL, 0, 0 }, { "faults.minor", "faults", "thread", NULL, 0, 0 },
                { "my.pool", "bytes", "process", NULL, 1, 0 } },
};

static const char *line(unsigned group)
{
    profi_output out;
    written[0] = '\0';
    profi_output_init(&out, keep, NULL);
    if (!profi_text_probe_line(&out, &snapshot, group, &function))
        return "nothing";
    profi_output_finish(&out);
    return written;
}

static void ask(uint64_t probes)
{
    function.probes = probes;
    memset(measures, 0, sizeof(measures));
    for (unsigned i = 0; i < 5; i++)
        measures[i].call_count = 4;
}

TEST(the_duration_is_divided_into_on_cpu_waiting_and_blocked)
{
    ask(7);
    measures[0].sum = 120000000;
    measures[1].sum = 90000000;
    measures[2].sum = 600000000;
    CHECK_STR(line(0), "  120.00 ms  12.0 %  600.00 ms  60.0 %  280.00 ms  28.0 %   90.00 ms          -");
    CHECK_STR(line(1), "nothing");
}

TEST(what_was_not_asked_for_is_a_dash_and_what_failed_unavailable)
{
    ask(1);
    measures[0].sum = 500000000;
    CHECK_STR(line(0), "  500.00 ms  50.0 %                  -                  -          -          -");
    ask(5);
    measures[0].sum = 500000000;
    measures[1].call_count = 0;
    measures[1].failed_count = 4;
    CHECK_STR(line(0), "  500.00 ms  50.0 %        unavailable        unavailable          -          -");
    ask(5);
    measures[0].call_count = 0;
    measures[0].failed_count = 4;
    measures[1].sum = 250000000;
    CHECK_STR(line(0), "        unavailable  250.00 ms  25.0 %        unavailable          -          -");
}

TEST(a_share_is_of_ended_calls_and_at_most_all_of_them)
{
    ask(5);
    function.open_ns = 600000000;
    measures[0].sum = 399000000;
    measures[1].sum = 2000000; /* read around the duration: 1 ms more than it */
    CHECK_STR(line(0), "  399.00 ms  99.8 %    2.00 ms   0.5 %       0 ns   0.0 %          -          -");
    function.open_ns = 0;
    measures[0].failed_count = 1; /* not all calls were measured: of which duration it is a share is not known */
    CHECK_STR(line(0), "  399.00 ms       -    2.00 ms   0.2 %  599.00 ms       -          -          -");
}

TEST(counts_and_gauges_have_columns_of_their_own)
{
    ask(8 | 16);
    measures[0].sum = 1234;
    measures[1].sum = -2048;
    measures[1].top = 3 << 20;
    measures[1].is_bound = 1;
    CHECK_STR(line(1), "          1234");
    CHECK_STR(line(3), "     -2.0 KiB     \xe2\x89\xa5 3.0 MiB");
    measures[1].call_count = 0;
    CHECK_STR(line(3), "  unavailable   unavailable");
    CHECK_STR(line(2), "nothing");
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
