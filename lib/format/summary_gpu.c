/* SPDX-License-Identifier: Apache-2.0 */
/* Of a summary: GPU work, of the run and of each function. */
#include "../model/gpu.h"
#include "summary_values.h"

const char *const profi_gpu_states[PROF_GPU_UNAVAILABLE + 1] = {
    [PROF_GPU_OFF] = "off", [PROF_GPU_WAITING] = "waiting", [PROF_GPU_ON] = "on", [PROF_GPU_UNAVAILABLE] = "unavailable",
};

json_t *profi_gpu_object(const prof_snapshot *snapshot, int *ok)
{
    const profi_gpu_info *gpu = snapshot->gpu;
    const prof_gpu_totals *totals = &gpu->totals;
    json_t *object = json_object();
    profi_set(object, "status", json_string(profi_gpu_states[gpu->state]), ok);
    profi_set(object, "reason", profi_text_or_null(gpu->reason[0] != '\0' ? gpu->reason : NULL), ok);
    if (!gpu->is_traced)
        return object;
    for (size_t i = 0; i < profi_gpu_totals_field_count; i++)
        profi_set(object, profi_gpu_totals_fields[i].key, profi_number(profi_gpu_get(totals, &profi_gpu_totals_fields[i])), ok);
    profi_set(object, "without_path", profi_number(gpu->without_path), ok);
    profi_set(object, "is_lower_bound", json_boolean(totals->flags & PROF_GPU_WORK_IS_BOUND), ok);
    profi_set(object, "is_upper_bound", json_boolean(totals->flags & PROF_GPU_WORK_IS_UPPER_BOUND), ok);
    profi_set(object, "is_estimate", json_boolean(totals->flags & PROF_GPU_WORK_IS_ESTIMATE), ok);
    return object;
}

static uint64_t copied_bytes(const prof_gpu_work *work)
{
    return work->to_device_bytes + work->to_host_bytes + work->on_device_bytes + work->other_bytes;
}

static const struct { const char *key; uint32_t flag; } flags[] = {
    { "is_lower_bound", PROF_GPU_WORK_IS_BOUND }, { "is_upper_bound", PROF_GPU_WORK_IS_UPPER_BOUND },
    { "is_estimate", PROF_GPU_WORK_IS_ESTIMATE }, { "is_waited", PROF_GPU_WORK_IS_WAITED },
};

/* `is_short`: without what is 0 or false. */
static void put_work(json_t *object, const prof_gpu_work *work, int is_short, int *ok)
{
    for (size_t i = 0; i < profi_gpu_work_field_count; i++) {
        uint64_t value = profi_gpu_get(work, &profi_gpu_work_fields[i]);
        if (value != 0 || !is_short)
            profi_set(object, profi_gpu_work_fields[i].key, profi_number(value), ok);
    }
    if (copied_bytes(work) != 0 || !is_short)
        profi_set(object, "copied_bytes", profi_number(copied_bytes(work)), ok);
    for (size_t i = 0; i < PROFI_COUNT_OF(flags); i++)
        if (work->flags & flags[i].flag || !is_short)
            profi_set(object, flags[i].key, json_boolean(work->flags & flags[i].flag), ok);
    if (work->flags & PROF_GPU_WORK_IS_ESTIMATE)
        profi_set(object, "busy_interval_ns", profi_number_if(work->busy_interval_ns != UINT64_MAX, work->busy_interval_ns), ok);
}

/* Nothing was traced: all that is known. */
static void put_bound(json_t *object, const prof_gpu_work *work, int *ok)
{
    profi_set(object, "busy_ns", profi_number(work->busy_ns), ok);
    profi_set(object, "is_untraced", json_true(), ok);
    profi_set(object, "is_upper_bound", json_true(), ok);
    profi_set(object, "is_waited", json_true(), ok);
}

json_t *profi_gpu_work_object(const prof_gpu_work *work, int *ok)
{
    if (work == NULL)
        return json_null();
    json_t *object = json_object();
    if (work->flags & PROF_GPU_WORK_IS_UNTRACED)
        put_bound(object, work, ok);
    else
        put_work(object, work, 0, ok);
    return object;
}

/* Of a path that has work: its place in "paths", and its figures. */
json_t *profi_gpu_path_of(const prof_snapshot *snapshot, uint32_t path, int *ok)
{
    json_t *object = json_object();
    profi_set(object, "path", json_integer(path), ok);
    put_work(object, profi_path_work(snapshot, path), 1, ok);
    return object;
}
