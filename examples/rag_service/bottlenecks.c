/* SPDX-License-Identifier: Apache-2.0 */
/* The rules that find bottlenecks: see bottlenecks.h. */
#include "bottlenecks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"

/* Below these shares a rule keeps quiet. */
#define STAGE_SHARE 0.02   /* of the run */
#define CALLEE_SHARE 0.5   /* of its stage */
#define PADDING_SHARE 0.05 /* of the tokens encoded */
#define SLOWER 1.5         /* one rate against another */
#define SPREAD 2.0         /* slowest call against fastest */
enum { DEPTH_LIMIT = 8 };

typedef struct findings {
    finding *found;
    size_t count;
} findings;

static void add(findings *all, uint64_t cost_ns, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void add(findings *all, uint64_t cost_ns, const char *format, ...)
{
    va_list arguments;
    if (all->count == FINDING_LIMIT)
        return;
    finding *const next = &all->found[all->count++];
    next->cost_ns = cost_ns;
    va_start(arguments, format);
    vsnprintf(next->text, sizeof next->text, format, arguments);
    va_end(arguments);
}

static double rate(const prof_function *row)
{
    return row->cumulative_ns > 0 ? (double)row->items / (double)row->cumulative_ns : 0.0;
}

/* ------------------------------------------------------------------------
 * The rules
 */

static void index_was_built(const study *s, findings *all)
{
    const prof_function *const row = &s->stages[INDEX_STAGE].row;
    figure time, share;
    if (row->calls == 0 || s->index.origin != PASSAGE_INDEX_BUILT)
        return;
    figure_time(&time, row->cumulative_ns);
    figure_share(&share, row->cumulative_ns, s->run_ns);
    add(all, row->cumulative_ns, "the index was built at this start: %s, %s of the run; %s", time.text, share.text,
        s->index.is_saved ? "it is kept, and the next start finds it" : "it could not be kept, so each start pays");
}

/* Follows the hottest callee for as long as it holds most of the stage's time. */
static void callee_is_hot(const study *s, const stage *of, findings *all)
{
    char path[128] = "";
    uint32_t function = 0;
    uint64_t ns = of->row.cumulative_ns;
    prof_function callee;
    if (of->under == NULL || (double)ns < STAGE_SHARE * (double)s->run_ns ||
        prof_snapshot_find(of->under, of->function, &function, NULL) != PROF_OK)
        return;
    for (int depth = 0; depth < DEPTH_LIMIT && study_hottest_callee(of->under, function, &callee); depth++) {
        if ((double)callee.cumulative_ns < CALLEE_SHARE * (double)of->row.cumulative_ns)
            break;
        const size_t used = strlen(path);
        snprintf(path + used, sizeof path - used, "%s%s", used > 0 ? " > " : "", callee.name);
        function = callee.id;
        ns = callee.cumulative_ns;
    }
    if (path[0] == '\0')
        return;
    figure share, part, whole;
    figure_share(&share, ns, of->row.cumulative_ns);
    add(all, ns, "%s is %s of %s: %s of %s", path, share.text, of->function, figure_time(&part, ns),
        figure_time(&whole, of->row.cumulative_ns));
}

static void stages_have_hot_callees(const study *s, findings *all)
{
    for (int i = 0; i < STAGE_COUNT; i++)
        callee_is_hot(s, &s->stages[i], all);
}

static void decode_is_slower_than_prefill(const study *s, findings *all)
{
    const prof_snapshot *const under = s->stages[RESPOND].under;
    prof_function prefill, decode;
    figure of_prefill, of_decode, times;
    if (under == NULL || !study_row(under, "prefill", &prefill) || !study_row(under, "decode", &decode) ||
        decode.items == 0 || rate(&prefill) < SLOWER * rate(&decode))
        return;
    add(all, decode.cumulative_ns,
        "prefill reads %s tokens/s, decode makes %s: a generated token costs %s one of the prompt",
        figure_rate(&of_prefill, prefill.items, prefill.cumulative_ns),
        figure_rate(&of_decode, decode.items, decode.cumulative_ns),
        figure_times(&times, rate(&prefill) / rate(&decode)));
}

static void padding_is_encoded(const study *s, findings *all)
{
    const prof_snapshot *const under = s->stages[INDEX_STAGE].under;
    prof_function tokenize, encode;
    figure share, padding, tokens;
    if (under == NULL || !study_row(under, "tokenize", &tokenize) || !study_row(under, "encode", &encode) ||
        encode.items <= tokenize.items)
        return;
    const uint64_t wasted = encode.items - tokenize.items;
    const double part = (double)wasted / (double)encode.items;
    if (part < PADDING_SHARE)
        return;
    add(all, (uint64_t)(part * (double)encode.cumulative_ns), "padding is %s of what encode computes: %s of %s tokens",
        figure_share(&share, wasted, encode.items), figure_count(&padding, wasted),
        figure_count(&tokens, encode.items));
}

static void questions_go_one_by_one(const study *s, findings *all)
{
    prof_function alone, together;
    figure of_alone, of_together, times;
    if (s->stages[EMBED_STAGE].under == NULL || s->stages[INDEX_STAGE].under == NULL ||
        !study_row(s->stages[EMBED_STAGE].under, "encode", &alone) ||
        !study_row(s->stages[INDEX_STAGE].under, "encode", &together) || rate(&alone) <= 0.0 ||
        rate(&together) < SLOWER * rate(&alone))
        return;
    const double factor = rate(&together) / rate(&alone);
    add(all, (uint64_t)((1.0 - 1.0 / factor) * (double)alone.cumulative_ns),
        "a question alone is encoded at %s tokens/s, documents in batches at %s: %s",
        figure_rate(&of_alone, alone.items, alone.cumulative_ns),
        figure_rate(&of_together, together.items, together.cumulative_ns), figure_times(&times, factor));
}

/* Calls of one kind that differ much: the slowest against the fastest. */
static void calls_differ(const study *s, findings *all)
{
    static const enum stage_id asked[] = { EMBED_STAGE, SEARCH_STAGE };
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        const prof_function *const row = &s->stages[asked[i]].row;
        figure slowest, fastest, times;
        if (row->calls < 3 || (row->has & PROF_FUNCTION_HAS_EXTREMES) == 0 || row->min_ns == 0 ||
            (double)row->max_ns < SPREAD * (double)row->min_ns)
            continue;
        add(all, row->cumulative_ns - row->calls * row->min_ns, "the slowest %s took %s, the fastest %s: %s",
            row->name, figure_time(&slowest, row->max_ns), figure_time(&fastest, row->min_ns),
            figure_times(&times, (double)row->max_ns / (double)row->min_ns));
    }
}

static void memory_went_to(const study *s, findings *all)
{
    static const char *const grow[] = { "encoder_open", "generator_open", "transform_documents", "build_index",
                                        "get_response" };
    prof_function most = PROF_FUNCTION_INIT;
    figure growth, share, peak;
    for (size_t i = 0; i < sizeof grow / sizeof *grow; i++) {
        prof_function row;
        if (study_row(s->whole, grow[i], &row) && (row.has & PROF_FUNCTION_HAS_RSS) != 0 &&
            row.rss_growth_bytes > most.rss_growth_bytes)
            most = row;
    }
    if (most.rss_growth_bytes <= 0)
        return;
    add(all, 0, "%s grows resident memory most: by %s, %s of the peak of %s", most.name,
        figure_bytes(&growth, most.rss_growth_bytes),
        figure_share(&share, (uint64_t)most.rss_growth_bytes, s->peak_bytes),
        figure_bytes(&peak, (int64_t)s->peak_bytes));
}

static void scopes_were_lost(const study *s, findings *all)
{
    figure lost;
    if (s->stats.lost_count > 0)
        add(all, 0, "%s scopes were lost for want of memory: raise PROFCORE_MEMORY, the figures are too low",
            figure_count(&lost, s->stats.lost_count));
}

static void (*const rules[])(const study *s, findings *all) = {
    index_was_built,    stages_have_hot_callees, decode_is_slower_than_prefill,
    padding_is_encoded, questions_go_one_by_one, calls_differ,
    memory_went_to,     scopes_were_lost,
};

static int by_cost(const void *a, const void *b)
{
    const uint64_t first = ((const finding *)a)->cost_ns, second = ((const finding *)b)->cost_ns;
    return first > second ? -1 : first < second;
}

size_t bottlenecks_find(const study *s, finding found[FINDING_LIMIT])
{
    findings all = { .found = found };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        rules[i](s, &all);
    qsort(found, all.count, sizeof *found, by_cost);
    return all.count;
}
