/* SPDX-License-Identifier: Apache-2.0 */
/* The report of a study: see report.h. */
#include "report.h"

#include <stdio.h>

#include "bottlenecks.h"
#include "figures.h"

static void print_head(const study *s)
{
    figure documents, time;
    const prof_function *const questions = &s->stages[EMBED_STAGE].row;
    printf("\nProfiling study: %s documents, %llu question%s, %s\n\n", figure_count(&documents, s->index.count),
           (unsigned long long)questions->calls, questions->calls == 1 ? "" : "s", figure_time(&time, s->run_ns));
    printf("  %-26s %5s %10s %10s %8s %11s %11s\n", "stage", "calls", "time", "per call", "of run", "RSS growth",
           "RSS peak");
}

static void print_line(const char *indent, const char *title, const prof_function *row, uint64_t run_ns)
{
    figure calls, time, each, share, growth, peak;
    char at_least[sizeof peak.text + 4] = "";
    growth.text[0] = '\0';
    if ((row->has & PROF_FUNCTION_HAS_RSS) != 0) {
        figure_bytes(&growth, row->rss_growth_bytes);
        snprintf(at_least, sizeof at_least, "%s%s", (row->has & PROF_FUNCTION_RSS_IS_BOUND) != 0 ? "≥ " : "",
                 figure_bytes(&peak, (int64_t)row->rss_peak_bytes));
    }
    const int wide = (row->has & PROF_FUNCTION_RSS_IS_BOUND) != 0 ? 13 : 11; /* "≥" has three bytes */
    printf("  %s%-*s %5s %10s %10s %8s %11s %*s\n", indent, 26 - (indent[0] == ' ' ? 2 : 0), title,
           figure_count(&calls, row->calls), figure_time(&time, row->cumulative_ns),
           figure_time(&each, row->cumulative_ns / (row->calls > 0 ? row->calls : 1)),
           figure_share(&share, row->cumulative_ns, run_ns), growth.text, wide, at_least);
}

/* The parts of a stage that are worth a line of their own. */
static const struct part {
    enum stage_id stage;
    const char *title, *function;
} parts[] = {
    { LOAD, "encoder", "encoder_open" },
    { LOAD, "generator", "generator_open" },
    { INDEX_STAGE, "tokenise", "tokenize" },
    { INDEX_STAGE, "embed", "encode" },
    { INDEX_STAGE, "index", "add_to_index" },
    { INDEX_STAGE, "find a kept index", "find_kept" },
    { INDEX_STAGE, "keep the index", "index_file_write" },
    { EMBED_STAGE, "tokenise", "tokenize" },
    { EMBED_STAGE, "encode and pool", "encode" },
    { RESPOND, "prefill", "prefill" },
    { RESPOND, "decode", "decode" },
};

static void print_stages(const study *s)
{
    for (int id = 0; id < STAGE_COUNT; id++) {
        const stage *const of = &s->stages[id];
        if (of->row.calls == 0)
            continue;
        print_line("", of->title, &of->row, s->run_ns);
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
            prof_function row;
            if (parts[i].stage == (enum stage_id)id && of->under != NULL &&
                study_row(of->under, parts[i].function, &row))
                print_line("  ", parts[i].title, &row, s->run_ns);
        }
    }
}

static void print_rate(const study *s, enum stage_id id, const char *title, const char *function)
{
    prof_function row;
    figure count, time, rate;
    if (s->stages[id].under == NULL || !study_row(s->stages[id].under, function, &row) || row.items == 0)
        return;
    printf("  %-26s %16s %10s %14s\n", title, figure_count(&count, row.items), figure_time(&time, row.cumulative_ns),
           figure_rate(&rate, row.items, row.cumulative_ns));
}

static void print_rates(const study *s)
{
    printf("\n  %-26s %16s %10s %14s\n", "tokens", "count", "time", "per second");
    print_rate(s, INDEX_STAGE, "tokenise documents", "tokenize");
    print_rate(s, INDEX_STAGE, "embed documents, padded", "encode");
    print_rate(s, EMBED_STAGE, "embed questions", "encode");
    print_rate(s, RESPOND, "prefill", "prefill");
    print_rate(s, RESPOND, "decode", "decode");
}

static void print_index(const study *s)
{
    figure documents, bytes, built, now;
    printf("\n  index: %s documents, %u numbers each, %s; ", figure_count(&documents, s->index.count),
           s->index.dimensions, figure_bytes(&bytes, (int64_t)s->index.bytes));
    figure_time(&built, s->index.build_ns);
    figure_time(&now, s->stages[INDEX_STAGE].row.cumulative_ns);
    if (s->index.origin == PASSAGE_INDEX_FOUND)
        printf("found from an earlier start:\n         %s in place of the %s of building it\n", now.text, built.text);
    else
        printf("built in %s,\n         %s\n", built.text,
               s->index.is_saved ? "and kept: the next start saves that" : "and not kept: each start builds it");
    if (s->known > 0)
        printf("  search: the known passage was among the %zu best for %zu of %zu questions\n", s->top, s->known_found,
               s->known);
}

static void print_findings(const study *s)
{
    finding found[FINDING_LIMIT];
    const size_t count = bottlenecks_find(s, found);
    printf("\n  bottlenecks, the dearest first\n");
    for (size_t i = 0; i < count; i++)
        printf("  %2zu. %s\n", i + 1, found[i].text);
    if (count == 0)
        printf("      none that the figures show\n");
}

void report_print(const study *s)
{
    print_head(s);
    print_stages(s);
    print_rates(s);
    print_index(s);
    print_findings(s);
    putchar('\n');
}
