/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of a comparison: see diff.h. */
#include "diff.h"

#include "cli.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void format_count(char text[32], double value, const char *plus)
{
    snprintf(text, 32, "%s%.0f", value > 0 ? plus : "", value);
}

static void format_time(char text[32], double ns, const char *plus)
{
    static const struct { double unit; const char *name; } units[] = { { 1e9, "s" }, { 1e6, "ms" }, { 1e3, "us" }, { 1.0, "ns" } };
    int i = 0;
    while (i < 3 && fabs(ns) < units[i].unit)
        i++;
    snprintf(text, 32, i == 3 ? "%s%.0f %s" : "%s%.2f %s", ns > 0 ? plus : "", ns / units[i].unit, units[i].name);
}

/* What a counter counts has no unit. */
static void format_value(char text[32], double value, const char *plus)
{
    snprintf(text, 32, "%s%.6g", value > 0 ? plus : "", value);
}

static int width_of(int figure)
{
    return figure == DIFF_CALLS || figure == DIFF_LAST || figure == DIFF_MEAN ? 11 : 10;
}

static void put_figure(const diff_pair *pair, int figure)
{
    void (*format)(char *, double, const char *) = figure == DIFF_CALLS ? format_count
                                                   : figure == DIFF_LAST || figure == DIFF_MEAN ? format_value : format_time;
    int width = width_of(figure);
    char text[32];
    for (int side = 0; side < 2; side++) {
        strcpy(text, "-");
        if (pair->side[side].has[figure])
            format(text, pair->side[side].value[figure], "");
        printf(" %*s", width, text);
    }
    if (!pair->side[0].has[figure] || !pair->side[1].has[figure]) {
        printf(" %*s %8s", width + 1, "-", "-");
        return;
    }
    double old = pair->side[0].value[figure], change = diff_change(pair, figure);
    format(text, change, "+");
    printf(" %*s", width + 1, text);
    double share = fabs(change / old);
    if (old != 0.0) /* a counter's may be negative */
        snprintf(text, sizeof(text), share < 9.9995 ? "%+.1f %%" : share < 9999.995 ? "%+.0f %%" : "%+.1e %%",
                 change / fabs(old) * 100.0);
    else
        strcpy(text, change == 0.0 ? "+0.0 %" : "-");
    printf(" %8s", text);
}

/* A profile's names are clean, as every reader sees to. */
static void put_title(const diff_pair *pair, int has_color)
{
    static const char *const colors[] = { "31", "32" };
    int is_one = pair->side[0].is_there != pair->side[1].is_there;
    if (is_one && has_color)
        printf("  \x1b[%sm%s  (%s)\x1b[m\n", colors[pair->side[1].is_there], pair->title,
               pair->side[1].is_there ? "new" : "vanished");
    else
        printf("  %s%s\n", pair->title, !is_one ? "" : pair->side[1].is_there ? "  (new)" : "  (vanished)");
}

static const struct table {
    diff_kind kind;
    const char *title;
    int figures[2];
    const char *labels[2];
    enum { ALL, OF_BOTH, NOT_ZERO } rows; /* that have the first figure on both sides; that have it, and not 0, on one */
} tables[] = {
    { DIFF_FUNCTIONS, "Calls", { DIFF_CALLS, -1 }, { "calls", NULL }, ALL },
    { DIFF_FUNCTIONS, "Self time", { DIFF_SELF, DIFF_SELF_PER_CALL }, { "in total", "per call" }, ALL },
    { DIFF_FUNCTIONS, "Cumulative time", { DIFF_CUMULATIVE, DIFF_CUMULATIVE_PER_CALL }, { "in total", "per call" }, ALL },
    { DIFF_FUNCTIONS, "Percentiles of a call, of functions that have them in both", { DIFF_P50, DIFF_P99 }, { "p50", "p99" }, OF_BOTH },
    { DIFF_FUNCTIONS, "GPU busy, of functions that launched work", { DIFF_GPU, DIFF_GPU_PER_CALL }, { "in total", "per call" }, NOT_ZERO },
    { DIFF_SPANS, "Spans that ended", { DIFF_CALLS, -1 }, { "ended", NULL }, ALL },
    { DIFF_SPANS, "Time of spans", { DIFF_CUMULATIVE, DIFF_CUMULATIVE_PER_CALL }, { "in total", "mean" }, ALL },
    { DIFF_SPANS, "Percentiles of spans that have them in both", { DIFF_P50, DIFF_P99 }, { "p50", "p99" }, OF_BOTH },
    { DIFF_COUNTERS, "Counters", { DIFF_LAST, DIFF_MEAN }, { "last", "mean" }, ALL },
};

static const char *const row_labels[DIFF_KINDS] = { "function", "span", "counter" };

static int belongs(const diff_pair *pair, const struct table *table)
{
    const diff_side *old = &pair->side[0], *new_ = &pair->side[1];
    int figure = table->figures[0], has_old = old->has[figure], has_new = new_->has[figure];
    if (table->rows == NOT_ZERO)
        return (has_old && old->value[figure] != 0.0) || (has_new && new_->value[figure] != 0.0);
    return table->rows == ALL || (has_old && has_new);
}

static void put_table(const diff_list *list, const struct table *table, int has_color)
{
    size_t rows = 0;
    for (size_t i = 0; i < list->count; i++)
        rows += (size_t)belongs(&list->pairs[i], table);
    if (rows == 0)
        return;
    printf(has_color ? "\x1b[1m%s\x1b[m\n\n" : "%s\n\n", table->title);
    for (int i = 0; i < 2 && table->figures[i] >= 0; i++)
        printf(" %*s", 3 * width_of(table->figures[i]) + 11, table->labels[i]);
    printf("\n");
    for (int i = 0; i < 2 && table->figures[i] >= 0; i++) {
        int width = width_of(table->figures[i]);
        printf(" %*s %*s %*s %8s", width, "old", width, "new", width + 1, "change", "percent");
    }
    printf("  %s\n", row_labels[table->kind]);
    for (size_t i = 0; i < list->count; i++) {
        if (!belongs(&list->pairs[i], table))
            continue;
        for (int f = 0; f < 2 && table->figures[f] >= 0; f++)
            put_figure(&list->pairs[i], table->figures[f]);
        put_title(&list->pairs[i], has_color);
    }
    printf("\n");
}

/* ---- the two profiles ---- */

static void put_profile(const char *label, const char *path, const prof_snapshot *snapshot)
{
    prof_about about = PROF_ABOUT_INIT;
    uint64_t self_ns = 0, calls = 0;
    char text[32];
    prof_snapshot_about(snapshot, &about, NULL);
    for (uint32_t i = 0; i < prof_snapshot_function_count(snapshot); i++) {
        prof_function row = PROF_FUNCTION_INIT;
        prof_snapshot_function(snapshot, i, &row, NULL);
        self_ns += row.self_ns;
        calls += row.calls;
    }
    format_time(text, (double)self_ns, "");
    printf("%s  ", label);
    cli_put_clean(stdout, path);
    printf(": %s, %" PRIu64 " calls in %s", about.name, calls, text);
    if (about.lost_count != 0)
        printf(", %" PRIu64 " scopes lost", about.lost_count);
    if (about.has & PROF_ABOUT_HAS_CLOCK && !(about.has & PROF_ABOUT_CLOCK_IS_STEADY))
        printf(", by a clock that is not known to be steady");
    if (about.has & PROF_ABOUT_COST_IS_SUBTRACTED)
        printf(", without the profiler's own cost");
    printf("\n");
}

static int has_rough(const diff_list *functions)
{
    for (size_t i = 0; i < functions->count; i++)
        if (functions->pairs[i].side[0].gpu_is_rough || functions->pairs[i].side[1].gpu_is_rough)
            return 1;
    return 0;
}

void diff_put_text(const diff_list lists[DIFF_KINDS], const char *const paths[2], prof_snapshot *const snapshots[2], int has_color)
{
    put_profile("old", paths[0], snapshots[0]);
    put_profile("new", paths[1], snapshots[1]);
    printf("\n");
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        put_table(&lists[tables[i].kind], &tables[i], has_color);
    if (has_rough(&lists[DIFF_FUNCTIONS]))
        printf("Some of the GPU's times are bounds or estimates, as the profiles' own reports say.\n");
    printf("A difference is not a verdict: two runs of the same build differ too.\n");
}
