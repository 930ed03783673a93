/* SPDX-License-Identifier: Apache-2.0 */
/* What an open-loop run found: see tail_report.h. */
#include "tail_report.h"

#include <math.h>

enum { DRAWS = 2000 };
static const char *const arm_names[ARMS] = { "on", "off", "off again" };
static const double shares[SHARES] = { 0.5, 0.99, 0.999 };
static const char *const share_names[SHARES] = { "p50", "p99", "p99.9" };

static int overlap(const tail_interval *a, const tail_interval *b)
{
    return a->low_ns <= b->high_ns && b->low_ns <= a->high_ns;
}

int tail_evaluate(tail_run *run, tail_result *r)
{
    for (int arm = 0; arm < ARMS; arm++)
        tail_sort(&run->arms[arm]);
    for (int share = 0; share < SHARES; share++) {
        r->is_enough[share] = (double)run->arms[ON].count * (1.0 - shares[share]) >= 10.0 - 1e-6;
        for (int arm = 0; arm < ARMS; arm++)
            r->quantile_ns[arm][share] = tail_quantile(&run->arms[arm], shares[share]);
        if (tail_compare(&run->arms[ON], &run->arms[OFF], shares[share], run->rounds, DRAWS, 1, &r->on_off[share]) != 0 ||
            tail_compare(&run->arms[OFF_AGAIN], &run->arms[OFF], shares[share], run->rounds, DRAWS, 2, &r->off_off[share]) != 0)
            return -1;
    }
    return 0;
}

static void print_difference(const char *name, const char *share, const tail_interval *i)
{
    printf("%-10s %-6s %+9.1f us   %+9.1f to %+9.1f us\n", name, share, i->difference_ns / 1e3, i->low_ns / 1e3,
           i->high_ns / 1e3);
}

/*
 * Says what the intervals say.  A machine on which off differs from off, or
 * on which a difference of a tenth of the quantile would not be seen, is too
 * noisy to tell.
 */
static const char *verdict(const tail_result *r, int share)
{
    const tail_interval *const on = &r->on_off[share], *const off = &r->off_off[share];
    const double width = fmax(on->high_ns - on->low_ns, off->high_ns - off->low_ns) / 2;
    if (!r->is_enough[share])
        return "too few requests to tell";
    if (!overlap(on, off))
        return "the intervals do NOT overlap: recording is seen";
    if (off->low_ns > 0 || off->high_ns < 0)
        return "the intervals overlap, but off differs from off: too noisy to tell";
    if (width > 0.1 * (double)r->quantile_ns[OFF][share])
        return "the intervals overlap, but are wider than a tenth of the latency: too noisy to tell much";
    return "the intervals overlap";
}

void tail_print(const tail_run *run, const tail_result *r)
{
    printf("%-10s %9s %9s %9s %9s %9s   ms\n", "arm", "requests", "p50", "p99", "p99.9", "max");
    for (int arm = 0; arm < ARMS; arm++)
        printf("%-10s %9zu %9.3f %9.3f %9.3f %9.3f\n", arm_names[arm], run->arms[arm].count,
               (double)r->quantile_ns[arm][P50] / 1e6, (double)r->quantile_ns[arm][P99] / 1e6,
               (double)r->quantile_ns[arm][P999] / 1e6, (double)tail_quantile(&run->arms[arm], 1.0) / 1e6);
    printf("\n%-10s %-6s %12s   %s\n", "difference", "at", "measured", "95 % of bootstrap samples over rounds");
    for (int share = 0; share < SHARES; share++) {
        print_difference("on - off", share_names[share], &r->on_off[share]);
        print_difference("off - off", share_names[share], &r->off_off[share]);
    }
    putchar('\n');
    for (int share = 0; share < SHARES; share++)
        printf("%-6s %s\n", share_names[share], verdict(r, share));
}

static void write_interval(FILE *out, const char *name, const tail_interval *i, const char *end)
{
    fprintf(out, "\"%s\": {\"difference_ns\": %.0f, \"low_ns\": %.0f, \"high_ns\": %.0f}%s", name, i->difference_ns, i->low_ns,
            i->high_ns, end);
}

void tail_write_json(FILE *out, const tail_run *run, const tail_result *r)
{
    fprintf(out,
            "{\"schema\": \"profcore.tail/1\", \"requests_per_arm\": %zu, \"block\": %zu, \"rounds\": %u, \"seed\": %llu,\n"
            " \"capacity_per_s\": %.2f, \"offered_per_s\": %.2f, \"load\": %.3f, \"documents\": %zu, \"planted_us\": %lu,\n \"arms\": {",
            run->arms[ON].count, run->block, run->rounds, (unsigned long long)run->seed, 1e9 / run->service_ns,
            1e9 / run->service_ns * run->load, run->load, run->documents, run->planted_us);
    for (int arm = 0; arm < ARMS; arm++)
        fprintf(out, "%s\"%s\": {\"p50_ns\": %llu, \"p99_ns\": %llu, \"p99.9_ns\": %llu, \"max_ns\": %llu}", arm > 0 ? ", " : "",
                arm_names[arm], (unsigned long long)r->quantile_ns[arm][P50], (unsigned long long)r->quantile_ns[arm][P99],
                (unsigned long long)r->quantile_ns[arm][P999], (unsigned long long)tail_quantile(&run->arms[arm], 1.0));
    fputs("},\n \"differences\": {", out);
    for (int share = 0; share < SHARES; share++) {
        fprintf(out, "%s\n  \"%s\": {", share > 0 ? "," : "", share_names[share]);
        write_interval(out, "on - off", &r->on_off[share], ", ");
        write_interval(out, "off - off", &r->off_off[share], ", ");
        fprintf(out, "\"overlap\": %s, \"enough\": %s, \"verdict\": \"%s\"}",
                overlap(&r->on_off[share], &r->off_off[share]) ? "true" : "false", r->is_enough[share] ? "true" : "false",
                verdict(r, share));
    }
    fputs("}}\n", out);
}

void tail_write_samples(FILE *out, const tail_run *run)
{
    fputs("arm,round,latency_ns\n", out);
    for (int arm = 0; arm < ARMS; arm++)
        for (size_t i = 0; i < run->arms[arm].count; i++)
            fprintf(out, "%s,%u,%llu\n", arm_names[arm], run->arms[arm].samples[i].round,
                    (unsigned long long)run->arms[arm].samples[i].ns);
}
