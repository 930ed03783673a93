/* SPDX-License-Identifier: Apache-2.0 */
/* profcore diff: what changed from one profile to another, function by function.  No verdict. */
#include "diff.h"

#include "cli.h"
#include "input.h"

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
    { "p50", DIFF_P50 }, { "p99", DIFF_P99 }, { "gpu", DIFF_GPU }, { "name", -1 },
};
enum { SORT_KEYS = sizeof(sort_keys) / sizeof(sort_keys[0]) };

static int sort_figure = DIFF_SELF; /* as asked for, of functions */
static int list_figure;             /* for qsort: of the list at hand */

/* Spans have no self time and none of a GPU, counters no time at all. */
static int figure_for(diff_kind kind)
{
    if (kind == DIFF_COUNTERS && sort_figure > DIFF_CALLS)
        return DIFF_MEAN;
    if (kind == DIFF_SPANS && (sort_figure == DIFF_SELF || sort_figure == DIFF_GPU))
        return DIFF_CUMULATIVE;
    return kind == DIFF_SPANS && sort_figure == DIFF_SELF_PER_CALL ? DIFF_CUMULATIVE_PER_CALL : sort_figure;
}

double diff_change(const diff_pair *pair, int figure)
{
    double old = pair->side[0].has[figure] ? pair->side[0].value[figure] : 0.0;
    double new_ = pair->side[1].has[figure] ? pair->side[1].value[figure] : 0.0;
    return new_ - old;
}

/* The largest change first, in either direction; then by title, so that the order is always the same. */
static int compare_pairs(const void *a, const void *b)
{
    const diff_pair *x = a, *y = b;
    if (list_figure >= 0) {
        double first = fabs(diff_change(x, list_figure)), second = fabs(diff_change(y, list_figure));
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

/* ---- the command ---- */

enum { SORT, LIMIT, JSON, COLOR };

static const cli_option options[] = {
    { "sort", 's', "KEY", "the largest change first, of: tottime (the default), percall,\n"
                          "cumtime, cumpercall, calls, p50, p99, gpu; or by name" },
    { "limit", 'l', "LIMIT", "list less, as for report: 20, 0.25, or a pattern" },
    { "json", 0, NULL, "for programs: profcore.diff/1, times in nanoseconds" },
    { "color", 0, "WHEN", "auto, always or never" },
    { NULL, 0, NULL, NULL },
};

static const char *name_of(const prof_snapshot *snapshot)
{
    prof_about about = PROF_ABOUT_INIT;
    prof_snapshot_about(snapshot, &about, NULL);
    return about.name;
}

/* Functions, spans and counters, each ordered, and limited on its own; 0 when that failed, which has been said. */
static int make_lists(const cli_command *command, diff_list lists[DIFF_KINDS], prof_snapshot *const snapshots[2],
                      const char *const *limits, size_t limit_count)
{
    for (int kind = 0; kind < DIFF_KINDS; kind++) {
        diff_list *list = &lists[kind];
        if (!diff_match(list, (diff_kind)kind, snapshots[0], snapshots[1])) {
            cli_say(command, "no memory for so many functions");
            return 0;
        }
        list_figure = figure_for((diff_kind)kind);
        if (list->count != 0)
            qsort(list->pairs, list->count, sizeof(*list->pairs), compare_pairs);
        for (size_t i = 0; i < limit_count; i++)
            if (!diff_limit(command, list, limits[i]))
                return 0;
    }
    return 1;
}

static int compare(const cli_command *command, const char *const paths[2], const char *const *limits, size_t limit_count,
                   int is_json, int has_color)
{
    prof_error err = PROF_ERROR_INIT;
    prof_snapshot *snapshots[2] = { NULL, NULL };
    diff_list lists[DIFF_KINDS] = { { NULL, 0 } };
    int result = CLI_FAILED;
    if (input_read(paths[0], &snapshots[0], &err) != PROF_OK || input_read(paths[1], &snapshots[1], &err) != PROF_OK) {
        cli_say(command, "%s", err.message);
    } else if (make_lists(command, lists, snapshots, limits, limit_count)) {
        const char *names[2] = { name_of(snapshots[0]), name_of(snapshots[1]) };
        result = CLI_OK;
        if (is_json)
            result = diff_put_json(command, lists, names);
        else
            diff_put_text(lists, paths, snapshots, has_color);
    }
    for (int kind = 0; kind < DIFF_KINDS; kind++)
        diff_forget(&lists[kind]);
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
    "calls, self and cumulative time, in total and per call, percentiles where both have them,\n"
    "and how long the GPU was busy with its work: old, new, change, percent.  A function is\n"
    "found again also where its line or the folder of its file is another.  Spans follow in\n"
    "the same way, and of counters the last value and the mean.\n\n"
    "A difference is not a verdict: two runs of the same build differ too.\n",
    options, 0, run,
};
