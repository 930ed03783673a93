/* SPDX-License-Identifier: Apache-2.0 */
/* Of a summary: what was sampled of processors and GPUs, written and read. */
#include "summary_reader.h"
#include "summary_values.h"

static json_t *row_of(const profi_usage_info *row, int *ok)
{
    json_t *object = json_object(), *reasons = json_object();
    int has_any = row->count != 0;
    profi_set(object, "name", json_string(row->name), ok);
    profi_set(object, "unit", json_string(row->unit), ok);
    profi_set(object, "of", json_string(row->of), ok);
    profi_set(object, "samples", profi_number(row->count), ok);
    profi_set(object, "failed", profi_number(row->failed_count), ok);
    profi_set(object, "mean", has_any ? json_real(row->mean) : json_null(), ok);
    profi_set(object, "max", has_any ? json_real(row->max) : json_null(), ok);
    profi_set(object, "limit", row->limit != 0 ? json_real(row->limit) : json_null(), ok);
    if (row->bits != 0)
        profi_set(object, "bits", profi_number(row->bits), ok);
    if (row->reason != NULL) {
        profi_set(reasons, "values", json_string(row->reason), ok);
        profi_set(object, "unavailable", json_incref(reasons), ok);
    }
    json_decref(reasons);
    return object;
}

json_t *profi_utilization_of(const prof_snapshot *snapshot, int *ok)
{
    const profi_utilization *from = &snapshot->utilization;
    if (from->row_count == 0)
        return json_null();
    json_t *object = json_object(), *rows = json_array();
    profi_set(object, "every_ms", profi_number_if(from->every_ms != 0, from->every_ms), ok);
    profi_set(object, "samples", profi_number(from->count), ok);
    profi_set(object, "missed", profi_number(from->missed_count), ok);
    profi_set(object, "took_ns", profi_number(from->took_ns), ok);
    for (uint32_t i = 0; i < from->row_count; i++)
        profi_append(rows, row_of(&from->rows[i], ok), ok);
    profi_set(object, "rows", rows, ok);
    return object;
}

static void read_row(profi_json *j, const profi_json_value *object)
{
    profi_usage_info row = { .name = profi_json_text(j, object, "name"), .unit = profi_json_text(j, object, "unit"),
                             .of = profi_json_text(j, object, "of") };
    j->reasons = profi_json_object(j, object, "unavailable");
    row.reason = profi_json_reason(j, "values");
    profi_json_need_count(j, object, "samples", &row.count);
    profi_json_count(j, object, "failed", UINT64_MAX, &row.failed_count);
    int has_figures = profi_json_real(j, object, "mean", &row.mean) + profi_json_real(j, object, "max", &row.max) == 2;
    profi_json_real(j, object, "limit", &row.limit);
    profi_json_count(j, object, "bits", UINT64_MAX, &row.bits);
    if (row.name == NULL || row.unit == NULL || row.of == NULL)
        profi_json_fail(j, "name", "is missing, or its unit, or whose it is");
    else if (row.count != 0 && !has_figures)
        profi_json_fail(j, "mean", "is missing, or the maximum");
    else if (profi_json_is_ok(j))
        profi_builder_usage(j->builder, &row);
}

void profi_read_utilization(profi_json *j, const profi_json_value *root)
{
    profi_utilization *into = &j->builder->snapshot->utilization;
    const profi_json_value *reasons = j->reasons, *from = profi_json_object(j, root, "utilization"), *object = NULL;
    const profi_json_value *rows = profi_json_array(j, from, "rows");
    uint32_t at;
    int has_rows = 0;
    into->reason = profi_json_reason(j, "utilization");
    profi_json_count(j, from, "every_ms", UINT64_MAX, &into->every_ms);
    profi_json_count(j, from, "samples", UINT64_MAX, &into->count);
    profi_json_count(j, from, "missed", UINT64_MAX, &into->missed_count);
    profi_json_count(j, from, "took_ns", UINT64_MAX, &into->took_ns);
    while ((object = profi_json_next_object(j, "utilization.rows", rows, object, &at)) != NULL) {
        read_row(j, object);
        has_rows = 1;
    }
    if (!has_rows && into->reason == NULL)
        into->reason = PROFI_NOT_SAID;
    j->reasons = reasons;
}
