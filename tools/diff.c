/* SPDX-License-Identifier: Apache-2.0 */
/* profcore diff: what changed from one profile to another, function by function.  No verdict. */
#include "diff.h"

#include "cli.h"
#include "input.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- order ---- */

static const struct sort_key {
    const char *name;
    int figure; /* DIFF_…, or -1: by title */
} sort_keys[] = {
    { "tottime", DIFF_SELF }, { "self", DIFF_SELF }, { "percall", DIFF_SELF_PER_CALL }, { "cumtime", DIFF_CUMULATIVE },
    { "cumulative", DIFF_CUMULATIVE }, { "cumpercall", DIFF_CUMULATIVE_PER_CALL }, { "calls", DIFF_CALLS },
    { "p50", DIFF_P50 }, { "p99", DIFF_P99 }, { "name", -1 },
};
enum { SORT_KEYS = sizeof(sort_keys) / sizeof(sort_keys[0]) };

static int sort_figure = DIFF_SELF; /* for qsort */

static double change_of(const diff_pair *pair, int figure)
{
    double old = pair->side[0].has[figure] ? pair->side[0].value[figure] : 0.0;
    double new_ = pair->side[1].has[figure] ? pair->side[1].value[figure] : 0.0;
    return new_ - old;
}

/* The largest change first, in either direction; then by title, so that the order is always the same. */
static int compare_pairs(const void *a, const void *b)
{
    const diff_pair *x = a, *y = b;
    if (sort_figure >= 0) {
        double first = fabs(change_of(x, sort_figure)), second = fabs(change_of(y, sort_figure));
        if (first != second)
            return first > second ? -1 : 1;
    }
    return strcmp(x->title, y->title);
}

static void set_sort(const cli_command *command, const char *name)
{
    const char *names[SORT_KEYS + 1] = { NULL };
    for (int i = 0; i < SORT_KEYS; i++) {
        names[i] = sort_keys[i].name;
        if (strcmp(names[i], name) == 0) {
            sort_figure = sort_keys[i].figure;
            return;
        }
    }
    const char *nearest = cli_nearest(name, names);
    cli_wrong(command, "unknown sort key %s%s%s", name, nearest ? "; did you mean " : "", nearest ? nearest : "");
}

/* ---- the tables ---- */

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

static void put_figure(const diff_pair *pair, int figure)
{
    void (*format)(char *, double, const char *) = figure == DIFF_CALLS ? format_count : format_time;
    int width = figure == DIFF_CALLS ? 11 : 10;
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
    double old = pair->side[0].value[figure], change = change_of(pair, figure);
    format(text, change, "+");
    printf(" %*s", width + 1, text);
    if (old != 0.0)
        snprintf(text, sizeof(text), fabs(change / old) < 9.9995 ? "%+.1f %%" : "%+.0f %%", change / old * 100.0);
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
    const char *title;
    int figures[2];
    const char *labels[2];
    int needs_both; /* rows without figures on both sides are left out */
} tables[] = {
    { "Calls", { DIFF_CALLS, -1 }, { "calls", NULL }, 0 },
    { "Self time", { DIFF_SELF, DIFF_SELF_PER_CALL }, { "in total", "per call" }, 0 },
    { "Cumulative time", { DIFF_CUMULATIVE, DIFF_CUMULATIVE_PER_CALL }, { "in total", "per call" }, 0 },
    { "Percentiles of a call, of functions that have them in both", { DIFF_P50, DIFF_P99 }, { "p50", "p99" }, 1 },
};

static int belongs(const diff_pair *pair, const struct table *table)
{
    return !table->needs_both || (pair->side[0].has[table->figures[0]] && pair->side[1].has[table->figures[0]]);
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
        printf(" %*s", table->figures[i] == DIFF_CALLS ? 44 : 41, table->labels[i]);
    printf("\n");
    for (int i = 0; i < 2 && table->figures[i] >= 0; i++) {
        int width = table->figures[i] == DIFF_CALLS ? 11 : 10;
        printf(" %*s %*s %*s %8s", width, "old", width, "new", width + 1, "change", "percent");
    }
    printf("  function\n");
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

static void put_text(const diff_list *list, const char *const paths[2], prof_snapshot *const snapshots[2], int has_color)
{
    put_profile("old", paths[0], snapshots[0]);
    put_profile("new", paths[1], snapshots[1]);
    printf("\n");
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        put_table(list, &tables[i], has_color);
    printf("A difference is not a verdict: two runs of the same build differ too.\n");
}

/* ---- JSON ---- */

static json_t *number(double value)
{
    char text[32];
    if (fabs(value) <= 9007199254740992.0)
        return json_integer((json_int_t)llround(value));
    snprintf(text, sizeof(text), "%.0f", value);
    return json_string(text);
}

static json_t *exact(uint64_t value)
{
    char text[32];
    snprintf(text, sizeof(text), "%" PRIu64, value);
    return value <= (uint64_t)1 << 53 ? json_integer((json_int_t)value) : json_string(text);
}

static json_t *figures_of(const diff_side *side)
{
    if (!side->is_there)
        return json_null();
    json_t *object = json_object();
    json_object_set_new(object, "line", json_integer(side->row.line));
    json_object_set_new(object, "file", side->row.file ? json_string(side->row.file) : json_null());
    json_object_set_new(object, "calls", exact(side->row.calls));
    json_object_set_new(object, "primitive_calls", exact(side->row.primitive_calls));
    json_object_set_new(object, "self_ns", exact(side->row.self_ns));
    json_object_set_new(object, "cumulative_ns", exact(side->row.cumulative_ns));
    json_object_set_new(object, "p50_ns", side->has[DIFF_P50] ? number(side->value[DIFF_P50]) : json_null());
    json_object_set_new(object, "p99_ns", side->has[DIFF_P99] ? number(side->value[DIFF_P99]) : json_null());
    return object;
}

static int put_json(const cli_command *command, const diff_list *list, const char *const names[2])
{
    json_t *root = json_object(), *functions = json_array();
    for (size_t i = 0; i < list->count; i++) {
        const diff_pair *pair = &list->pairs[i];
        json_t *object = json_object();
        const char *state = !pair->side[0].is_there ? "new" : !pair->side[1].is_there ? "vanished" : "both";
        json_object_set_new(object, "name", json_string(pair->side[pair->side[1].is_there].row.name));
        json_object_set_new(object, "state", json_string(state));
        json_object_set_new(object, "old", figures_of(&pair->side[0]));
        json_object_set_new(object, "new", figures_of(&pair->side[1]));
        json_array_append_new(functions, object);
    }
    json_object_set_new(root, "schema", json_string("profcore.diff/1"));
    json_object_set_new(root, "old", json_string(names[0]));
    json_object_set_new(root, "new", json_string(names[1]));
    json_object_set_new(root, "functions", functions);
    return cli_put_json(command, root);
}

/* ---- the command ---- */

enum { SORT, LIMIT, JSON, COLOR };

static const cli_option options[] = {
    { "sort", 's', "KEY", "the largest change first, of: tottime (the default), percall,\n"
                          "cumtime, cumpercall, calls, p50, p99; or by name" },
    { "limit", 'l', "LIMIT", "list less, as for report: 20, 0.25, or a pattern" },
    { "json", 0, NULL, "for programs: profcore.diff/1, times in nanoseconds" },
    { "color", 0, "WHEN", "auto, always or never" },
    { NULL, 0, NULL, NULL },
};

static int compare(const cli_command *command, const char *const paths[2], const char *const *limits, size_t limit_count,
                   int is_json, int has_color)
{
    prof_error err = PROF_ERROR_INIT;
    prof_snapshot *snapshots[2] = { NULL, NULL };
    diff_list list = { NULL, 0 };
    int result = CLI_FAILED;
    if (input_read(paths[0], &snapshots[0], &err) != PROF_OK || input_read(paths[1], &snapshots[1], &err) != PROF_OK) {
        cli_say(command, "%s", err.message);
    } else if (!diff_match(&list, snapshots[0], snapshots[1])) {
        cli_say(command, "no memory for so many functions");
    } else {
        const char *names[2];
        for (int i = 0; i < 2; i++) {
            prof_about about = PROF_ABOUT_INIT;
            prof_snapshot_about(snapshots[i], &about, NULL);
            names[i] = about.name;
        }
        if (list.count != 0)
            qsort(list.pairs, list.count, sizeof(*list.pairs), compare_pairs);
        int is_left = 1;
        for (size_t i = 0; i < limit_count && is_left; i++)
            is_left = diff_limit(command, &list, limits[i]);
        result = is_left ? CLI_OK : CLI_FAILED;
        if (is_left && is_json)
            result = put_json(command, &list, names);
        else if (is_left)
            put_text(&list, paths, snapshots, has_color);
    }
    diff_forget(&list);
    prof_snapshot_close(snapshots[0]);
    prof_snapshot_close(snapshots[1]);
    return result;
}

static int run(const cli_command *command, int argc, char **argv)
{
    enum { LIMITS_MAX = 16 };
    cli_reader reader = { .command = command, .argc = argc, .argv = argv, .at = 1 };
    const char *paths[2] = { NULL, NULL }, *limits[LIMITS_MAX], *value, *color = "auto";
    size_t path_count = 0, limit_count = 0;
    int option, is_json = 0;
    while ((option = cli_next(&reader, &value)) != CLI_END) {
        if (option == CLI_OPERAND && path_count == 2)
            cli_wrong(command, "two files, not more: %s", value);
        if (option == LIMIT && limit_count == LIMITS_MAX)
            cli_wrong(command, "more than %d limits", LIMITS_MAX);
        if (option == CLI_OPERAND)
            paths[path_count++] = value;
        else if (option == SORT)
            set_sort(command, value);
        else if (option == LIMIT)
            limits[limit_count++] = value;
        else if (option == JSON)
            is_json = 1;
        else
            color = value;
    }
    if (path_count < 2)
        cli_wrong(command, "which two files? The old one, then the new one");
    if (strcmp(paths[0], "-") == 0 && strcmp(paths[1], "-") == 0)
        cli_wrong(command, "only one of the two can be standard input");
    return compare(command, paths, limits, limit_count, is_json, cli_wants_color(command, color));
}

const cli_command command_diff = {
    "diff", "compare two profiles, function by function", "[OPTION]... OLD NEW",
    "OLD and NEW are .json files that libprofcore wrote, or any .prof.  Each function has its\n"
    "calls, self and cumulative time, in total and per call, and percentiles where both have\n"
    "them: old, new, change, percent.  A function is found again also where its line or the\n"
    "folder of its file is another.\n\n"
    "A difference is not a verdict: two runs of the same build differ too.\n",
    options, 0, run,
};
