/* SPDX-License-Identifier: Apache-2.0 */
/* The spans of a summary: see profi_span_of() in summary_rows.c.  Files of before there were any have none. */
#include "summary_reader.h"

static void read_span(profi_json *j, const profi_json_value *object)
{
    uint64_t counts[PROFI_BUCKET_COUNT], line = 0;
    profi_function read = { 0 };
    j->reasons = profi_json_object(j, object, "unavailable");
    const char *name = profi_json_text(j, object, "name"), *file = profi_json_text(j, object, "file");
    if (name == NULL)
        profi_json_fail(j, "name", "is missing");
    profi_json_count(j, object, "line", UINT32_MAX, &line);
    profi_json_need_count(j, object, "count", &read.calls);
    profi_json_need_count(j, object, "total_ns", &read.cumulative_ns);
    read.timed_calls = read.calls;
    profi_read_durations(j, object, &read, counts);
    uint32_t number = profi_json_is_ok(j) ? profi_builder_span(j->builder, name, file, (uint32_t)line) : PROFI_NONE;
    if (number != PROFI_NONE)
        profi_builder_add(j->builder, &j->builder->snapshot->spans[number], &read);
}

void profi_read_spans(profi_json *j, const profi_json_value *root)
{
    const profi_json_value *spans = profi_json_array(j, root, "spans"), *object = NULL;
    uint32_t at;
    while ((object = profi_json_next_object(j, "spans", spans, object, &at)) != NULL)
        read_span(j, object);
}
