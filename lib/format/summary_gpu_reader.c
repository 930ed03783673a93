/* SPDX-License-Identifier: Apache-2.0 */
/* Of a summary: GPU work, as summary_gpu.c writes it. */
#include "../model/gpu.h"
#include "summary_reader.h"
#include "summary_values.h"

static void read_fields(profi_json *j, const profi_json_value *object, void *into, const profi_gpu_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        profi_json_count(j, object, fields[i].key, UINT64_MAX, profi_gpu_at(into, &fields[i]));
}

static uint32_t read_flags(profi_json *j, const profi_json_value *object)
{
    int is_bound = 0, is_at_most = 0, is_estimate = 0, is_waited = 0;
    profi_json_bool(j, object, "is_lower_bound", &is_bound);
    profi_json_bool(j, object, "is_upper_bound", &is_at_most);
    profi_json_bool(j, object, "is_estimate", &is_estimate);
    profi_json_bool(j, object, "is_waited", &is_waited);
    return (is_bound ? PROF_GPU_WORK_IS_BOUND : 0) | (is_at_most ? PROF_GPU_WORK_IS_UPPER_BOUND : 0) | (is_estimate ? PROF_GPU_WORK_IS_ESTIMATE : 0) |
           (is_waited ? PROF_GPU_WORK_IS_WAITED : 0);
}

void profi_read_gpu(profi_json *j, const profi_json_value *root)
{
    const profi_json_value *object = profi_json_object(j, root, "gpu");
    profi_gpu_info info = { .reason = "", .totals = PROF_GPU_TOTALS_INIT };
    if (object == NULL) {
        j->reasons = profi_json_object(j, root, "unavailable");
        j->builder->snapshot->no_gpu = profi_json_reason(j, "gpu");
        return;
    }
    for (int state = PROF_GPU_OFF; state <= PROF_GPU_UNAVAILABLE; state++)
        if (profi_json_is_text(j, object, "status", profi_gpu_states[state]))
            info.state = (prof_gpu_state)state;
    const char *reason = profi_json_text(j, object, "reason");
    info.reason = reason != NULL ? reason : "";
    info.is_traced = profi_json_count(j, object, "traced_ns", UINT64_MAX, &info.totals.traced_ns);
    profi_json_count(j, object, "without_path", UINT64_MAX, &info.without_path);
    info.totals.flags = read_flags(j, object);
    read_fields(j, object, &info.totals, profi_gpu_totals_fields, profi_gpu_totals_field_count);
    if (profi_json_is_ok(j))
        profi_builder_gpu(j->builder, &info);
}

static void read_work(profi_json *j, const profi_json_value *object, prof_gpu_work *work)
{
    *work = (prof_gpu_work)PROF_GPU_WORK_INIT;
    work->flags = read_flags(j, object);
    read_fields(j, object, work, profi_gpu_work_fields, profi_gpu_work_field_count);
    if (work->flags & PROF_GPU_WORK_IS_ESTIMATE && !profi_json_count(j, object, "busy_interval_ns", UINT64_MAX - 1, &work->busy_interval_ns))
        work->busy_interval_ns = UINT64_MAX;
}

prof_gpu_work *profi_read_gpu_work(profi_json *j, const profi_json_value *function, prof_gpu_work *work)
{
    const profi_json_value *object = profi_json_object(j, function, "gpu");
    if (object == NULL)
        return NULL;
    int is_untraced = 0;
    profi_json_bool(j, object, "is_untraced", &is_untraced);
    if (is_untraced) {
        uint64_t busy_ns = 0;
        profi_json_count(j, object, "busy_ns", UINT64_MAX, &busy_ns);
        *work = profi_gpu_at_most(busy_ns);
    } else {
        read_work(j, object, work);
    }
    return work;
}

void profi_read_gpu_paths(profi_json *j, const profi_json_value *root, const uint32_t *path_of, uint32_t count)
{
    const profi_json_value *list = profi_json_array(j, root, "gpu_paths"), *object = NULL;
    uint32_t at;
    while ((object = profi_json_next_object(j, "gpu_paths", list, object, &at)) != NULL) {
        uint64_t path = 0;
        prof_gpu_work work;
        if (!profi_json_count(j, object, "path", UINT64_MAX, &path) || path >= count)
            profi_json_fail(j, "path", "is the place of no path");
        read_work(j, object, &work);
        if (profi_json_is_ok(j))
            profi_builder_path_work(j->builder, path_of[path], &work);
    }
}
