/* SPDX-License-Identifier: Apache-2.0 */
/* A comparison for programs, profcore.diff/1: see diff.h. */
#include "diff.h"

#include "cli.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

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

/* A figure as it is, or null. */
static json_t *real(const diff_side *side, int figure)
{
    return side->has[figure] ? json_real(side->value[figure]) : json_null();
}

static json_t *nanoseconds(const diff_side *side, int figure)
{
    return side->has[figure] ? number(side->value[figure]) : json_null();
}

static void put_calls(json_t *object, const diff_side *side)
{
    json_object_set_new(object, "calls", exact(side->row.calls));
    json_object_set_new(object, "primitive_calls", exact(side->row.primitive_calls));
    json_object_set_new(object, "self_ns", exact(side->row.self_ns));
    json_object_set_new(object, "cumulative_ns", exact(side->row.cumulative_ns));
    json_object_set_new(object, "gpu_busy_ns", nanoseconds(side, DIFF_GPU));
    json_object_set_new(object, "gpu_is_rough", json_boolean(side->gpu_is_rough));
}

static json_t *figures_of(const diff_side *side, diff_kind kind)
{
    if (!side->is_there)
        return json_null();
    json_t *object = json_object();
    json_object_set_new(object, "line", json_integer(side->row.line));
    json_object_set_new(object, "file", side->row.file ? json_string(side->row.file) : json_null());
    if (kind == DIFF_FUNCTIONS)
        put_calls(object, side);
    else
        json_object_set_new(object, "count", exact(side->row.calls));
    if (kind == DIFF_SPANS)
        json_object_set_new(object, "total_ns", exact(side->row.cumulative_ns));
    if (kind != DIFF_COUNTERS) {
        json_object_set_new(object, "p50_ns", nanoseconds(side, DIFF_P50));
        json_object_set_new(object, "p99_ns", nanoseconds(side, DIFF_P99));
    } else {
        json_object_set_new(object, "last", real(side, DIFF_LAST));
        json_object_set_new(object, "mean", real(side, DIFF_MEAN));
    }
    return object;
}

static json_t *rows_of(const diff_list *list, diff_kind kind)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < list->count; i++) {
        const diff_pair *pair = &list->pairs[i];
        json_t *object = json_object();
        const char *state = !pair->side[0].is_there ? "new" : !pair->side[1].is_there ? "vanished" : "both";
        json_object_set_new(object, "name", json_string(pair->side[pair->side[1].is_there].row.name));
        json_object_set_new(object, "state", json_string(state));
        json_object_set_new(object, "old", figures_of(&pair->side[0], kind));
        json_object_set_new(object, "new", figures_of(&pair->side[1], kind));
        json_array_append_new(rows, object);
    }
    return rows;
}

int diff_put_json(const cli_command *command, const diff_list lists[DIFF_KINDS], const char *const names[2])
{
    json_t *root = json_object();
    json_object_set_new(root, "schema", json_string("profcore.diff/1"));
    json_object_set_new(root, "old", json_string(names[0]));
    json_object_set_new(root, "new", json_string(names[1]));
    json_object_set_new(root, "functions", rows_of(&lists[DIFF_FUNCTIONS], DIFF_FUNCTIONS));
    json_object_set_new(root, "spans", rows_of(&lists[DIFF_SPANS], DIFF_SPANS));
    json_object_set_new(root, "counters", rows_of(&lists[DIFF_COUNTERS], DIFF_COUNTERS));
    return cli_put_json(command, root);
}
