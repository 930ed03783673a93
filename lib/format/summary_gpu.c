/* SPDX-License-Identifier: Apache-2.0 */
/* Of a summary: GPU work, of the run and of each function. */
#include "../model/gpu.h"
#include "summary_values.h"

json_t *profi_gpu_object(const prof_snapshot *snapshot, int *ok)
{
    static const char *const states[] = { [PROF_GPU_OFF] = "off", [PROF_GPU_WAITING] = "waiting", [PROF_GPU_ON] = "on",
                                          [PROF_GPU_UNAVAILABLE] = "unavailable" };
    const profi_gpu_info *gpu = snapshot->gpu;
    const prof_gpu_totals *totals = &gpu->totals;
    json_t *object = json_object();
    profi_set(object, "status", json_string(states[gpu->state]), ok);
    profi_set(object, "reason", profi_text_or_null(gpu->reason[0] != '\0' ? gpu->reason : NULL), ok);
    if (!gpu->is_traced)
        return object;
    profi_set(object, "traced_ns", profi_number(totals->traced_ns), ok);
    profi_set(object, "busy_ns", profi_number(totals->busy_ns), ok);
    profi_set(object, "is_lower_bound", json_boolean(totals->flags & PROF_GPU_WORK_IS_BOUND), ok);
    profi_set(object, "kernels", profi_number(totals->kernel_count), ok);
    profi_set(object, "copies", profi_number(totals->copy_count), ok);
    profi_set(object, "sets", profi_number(totals->set_count), ok);
    profi_set(object, "attributed", profi_number(totals->attributed_count), ok);
    profi_set(object, "unattributed", profi_number(totals->unattributed_count), ok);
    profi_set(object, "lost", profi_number(totals->dropped_count), ok);
    return object;
}

json_t *profi_gpu_work_object(const prof_snapshot *snapshot, uint32_t function, int *ok)
{
    const prof_gpu_work *work = profi_gpu_work_of(snapshot, function);
    if (work == NULL)
        return json_null();
    json_t *object = json_object();
    profi_set(object, "launches", profi_number(work->launch_count), ok);
    profi_set(object, "kernels", profi_number(work->kernel_count), ok);
    profi_set(object, "copies", profi_number(work->copy_count), ok);
    profi_set(object, "sets", profi_number(work->set_count), ok);
    profi_set(object, "busy_ns", profi_number(work->busy_ns), ok);
    profi_set(object, "self_busy_ns", profi_number(work->self_busy_ns), ok);
    profi_set(object, "is_lower_bound", json_boolean(work->flags & PROF_GPU_WORK_IS_BOUND), ok);
    profi_set(object, "kernel_ns", profi_number(work->kernel_ns), ok);
    profi_set(object, "copy_ns", profi_number(work->copy_ns), ok);
    profi_set(object, "set_ns", profi_number(work->set_ns), ok);
    profi_set(object, "copied_bytes", profi_number(work->to_device_bytes + work->to_host_bytes + work->on_device_bytes + work->other_bytes), ok);
    profi_set(object, "to_device_bytes", profi_number(work->to_device_bytes), ok);
    profi_set(object, "to_host_bytes", profi_number(work->to_host_bytes), ok);
    profi_set(object, "on_device_bytes", profi_number(work->on_device_bytes), ok);
    profi_set(object, "queue_ns", profi_number(work->queue_ns), ok);
    profi_set(object, "queue_max_ns", profi_number(work->queue_max_ns), ok);
    profi_set(object, "calls", profi_number(work->call_count), ok);
    profi_set(object, "done_ns", profi_number(work->done_ns), ok);
    profi_set(object, "done_max_ns", profi_number(work->done_max_ns), ok);
    return object;
}
