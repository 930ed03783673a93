/* SPDX-License-Identifier: Apache-2.0 */
/* See gpu.h; and the public functions that read it. */
#include "gpu.h"

#include "snapshot.h"

#include "../base/error.h"
#include "../gpu/session.h"
#include "../gpu/work.h"

#include <stdlib.h>

enum { WORK_SIZE_0 = 152, TOTALS_SIZE_0 = 72 }; /* as of version 0.1 */
_Static_assert(sizeof(prof_gpu_work) == WORK_SIZE_0 && sizeof(prof_gpu_totals) == TOTALS_SIZE_0, "as of version 0.1");

profi_gpu_info *profi_gpu_info_new(prof_snapshot *snapshot)
{
    profi_gpu_info *info = calloc(1, sizeof(*info));
    if (info == NULL)
        return NULL;
    info->reason = "";
    info->works = calloc((size_t)snapshot->function_count + 1, sizeof(*info->works));
    if (info->works == NULL) {
        free(info);
        return NULL;
    }
    return info;
}

void profi_gpu_info_free(profi_gpu_info *info)
{
    if (info != NULL)
        free(info->works);
    free(info);
}

static prof_gpu_work work_of(const profi_gpu_figures *from)
{
    prof_gpu_work work = PROF_GPU_WORK_INIT;
    work.flags = from->is_bound ? PROF_GPU_WORK_IS_BOUND : 0;
    work.launch_count = from->launches;
    work.kernel_count = from->counts[PROFI_GPU_KERNEL];
    work.copy_count = from->counts[PROFI_GPU_COPY];
    work.set_count = from->counts[PROFI_GPU_SET];
    work.kernel_ns = from->ns[PROFI_GPU_KERNEL];
    work.copy_ns = from->ns[PROFI_GPU_COPY];
    work.set_ns = from->ns[PROFI_GPU_SET];
    work.busy_ns = from->busy_ns;
    work.self_busy_ns = from->self_busy_ns;
    work.to_device_bytes = from->bytes[PROFI_GPU_TO_DEVICE];
    work.to_host_bytes = from->bytes[PROFI_GPU_TO_HOST];
    work.on_device_bytes = from->bytes[PROFI_GPU_ON_DEVICE];
    work.other_bytes = from->bytes[PROFI_GPU_OTHER_WAY];
    work.queue_ns = from->queue_ns;
    work.queue_max_ns = from->queue_max_ns;
    work.call_count = from->call_count;
    work.done_ns = from->done_ns;
    work.done_max_ns = from->done_max_ns;
    return work;
}

static prof_gpu_totals totals_of(const profi_gpu_totals *from, uint64_t traced_ns)
{
    prof_gpu_totals totals = PROF_GPU_TOTALS_INIT;
    totals.flags = from->is_bound ? PROF_GPU_WORK_IS_BOUND : 0;
    totals.kernel_count = from->counts[PROFI_GPU_KERNEL];
    totals.copy_count = from->counts[PROFI_GPU_COPY];
    totals.set_count = from->counts[PROFI_GPU_SET];
    totals.attributed_count = from->attributed;
    totals.unattributed_count = from->unattributed;
    totals.dropped_count = from->dropped;
    totals.busy_ns = from->busy_ns;
    totals.traced_ns = traced_ns;
    return totals;
}

int profi_recorded_gpu(prof_snapshot *snapshot, const uint32_t *function_of_site, size_t site_count, const profi_clock_scale *scale)
{
    int ok = 1;
    profi_gpu_session session = profi_gpu_session_now();
    profi_gpu_totals totals;
    size_t room = profi_gpu_work_read(&totals, NULL, 0);
    profi_gpu_figures *figures = calloc(room + 1, sizeof(*figures));
    profi_gpu_info *info = snapshot->gpu = profi_gpu_info_new(snapshot);
    if (figures == NULL || info == NULL) {
        free(figures);
        return 0;
    }
    size_t count = profi_min_u64(profi_gpu_work_read(&totals, figures, room), room);
    info->state = session.state;
    info->reason = profi_snapshot_text(snapshot, session.reason, &ok);
    info->is_traced = session.has_begun;
    info->totals = totals_of(&totals, info->is_traced ? profi_clock_to_ns(scale, profi_clock_now() - session.since_tick) : 0);
    for (size_t i = 0; i < count; i++) {
        uint32_t function = figures[i].site < site_count ? function_of_site[figures[i].site] : PROFI_NONE;
        if (function != PROFI_NONE)
            info->works[function] = work_of(&figures[i]);
    }
    free(figures);
    return ok;
}

const prof_gpu_work *profi_gpu_work_of(const prof_snapshot *snapshot, uint32_t function)
{
    const prof_gpu_work *work = snapshot->gpu != NULL && snapshot->gpu->is_traced ? &snapshot->gpu->works[function] : NULL;
    return work != NULL && work->kernel_count + work->copy_count + work->set_count != 0 ? work : NULL;
}

static prof_status fail_untraced(const prof_snapshot *snapshot, prof_error *err)
{
    const char *reason = snapshot->gpu != NULL ? snapshot->gpu->reason : "the profile does not say";
    return profi_fail(err, PROF_E_UNAVAILABLE, "no GPU work was traced: %s", reason);
}

prof_status prof_snapshot_gpu_work(const prof_snapshot *snapshot, uint32_t function, prof_gpu_work *work, prof_error *err)
{
    prof_status status = profi_snapshot_check(snapshot, function, err);
    if (status != PROF_OK)
        return status;
    if (snapshot->gpu == NULL || !snapshot->gpu->is_traced)
        return fail_untraced(snapshot, err);
    prof_gpu_work full = snapshot->gpu->works[function];
    return profi_struct_write(work, &full, sizeof(full), WORK_SIZE_0, "prof_gpu_work", err);
}

prof_status prof_snapshot_gpu_totals(const prof_snapshot *snapshot, prof_gpu_totals *totals, prof_error *err)
{
    if (snapshot == NULL)
        return profi_fail(err, PROF_E_INVALID, "the snapshot is NULL");
    if (snapshot->gpu == NULL || !snapshot->gpu->is_traced)
        return fail_untraced(snapshot, err);
    return profi_struct_write(totals, &snapshot->gpu->totals, sizeof(snapshot->gpu->totals), TOTALS_SIZE_0, "prof_gpu_totals", err);
}
