/* SPDX-License-Identifier: Apache-2.0 */
/* See gpu.h; and the public functions that read it. */
#include "gpu.h"

#include "assemble.h"

#include "../base/error.h"
#include "../gpu/session.h"
#include "../gpu/work.h"
#include "../record/work.h"

#include <math.h>
#include <stdlib.h>

enum { WINDOWS_LEAST = 5 };
enum { WORK_SIZE_0 = 176, TOTALS_SIZE_0 = 104 }; /* as of version 0.1 */
_Static_assert(sizeof(prof_gpu_work) == WORK_SIZE_0 && sizeof(prof_gpu_totals) == TOTALS_SIZE_0, "as of version 0.1");

#define WORK(key, field, is_highest) { key, offsetof(prof_gpu_work, field), is_highest, 0 }
const profi_gpu_field profi_gpu_work_fields[] = {
    WORK("launches", launch_count, 0), WORK("kernels", kernel_count, 0), WORK("copies", copy_count, 0), WORK("sets", set_count, 0),
    WORK("busy_ns", busy_ns, 0), WORK("self_busy_ns", self_busy_ns, 0), WORK("kernel_ns", kernel_ns, 0), WORK("copy_ns", copy_ns, 0),
    WORK("set_ns", set_ns, 0), WORK("waits", wait_count, 0), WORK("wait_ns", wait_ns, 0),
    WORK("to_device_bytes", to_device_bytes, 0), WORK("to_host_bytes", to_host_bytes, 0),
    WORK("on_device_bytes", on_device_bytes, 0), WORK("other_bytes", other_bytes, 0), WORK("queue_ns", queue_ns, 0),
    WORK("queue_max_ns", queue_max_ns, 1), WORK("calls", call_count, 0), WORK("done_ns", done_ns, 0),
    WORK("done_max_ns", done_max_ns, 1),
};
const size_t profi_gpu_work_field_count = PROFI_COUNT_OF(profi_gpu_work_fields);

#define TOTAL(key, field) { key, offsetof(prof_gpu_totals, field), 0, 0 }
#define TIME(key, field) { key, offsetof(prof_gpu_totals, field), 0, 1 }
const profi_gpu_field profi_gpu_totals_fields[] = {
    TIME("traced_ns", traced_ns), TOTAL("busy_ns", busy_ns), TOTAL("kernels", kernel_count), TOTAL("copies", copy_count),
    TOTAL("sets", set_count), TOTAL("attributed", attributed_count), TOTAL("unattributed", unattributed_count),
    TOTAL("cut", cut_count), TOTAL("lost", dropped_count), TIME("elapsed_ns", elapsed_ns), TIME("cost_ns", cost_ns),
    TIME("begin_ns", begin_ns),
};
const size_t profi_gpu_totals_field_count = PROFI_COUNT_OF(profi_gpu_totals_fields);

/* ---- of this process ---- */

/*
 * Half the 95 % interval of a sum over all windows of which those traced are a
 * sample, by Student's t, whose quantile this is to 1 %.  It takes windows for
 * alike; of a few nothing can be said.
 */
static uint64_t interval_of(const profi_gpu_figures *from, const profi_gpu_session *session)
{
    double n = session->windows, share = (double)session->traced_ns / (double)session->elapsed_ns, sum = (double)from->busy_ns;
    double variance = n >= WINDOWS_LEAST ? (from->busy_squares - sum * sum / n) / (n - 1) : INFINITY;
    double quantile = n > 1 ? 1.96 + 2.4 / (n - 1) + 3.4 / ((n - 1) * (n - 1)) : 0;
    double half = quantile * n / share * sqrt((1 - share) * (variance > 0 ? variance : 0) / n);
    return half < 1.8e19 ? (uint64_t)(half + 0.5) : UINT64_MAX;
}

/* What was traced in windows stands for all the time. */
static void scale_up(void *figures, const profi_gpu_field *fields, size_t count, const profi_gpu_session *session)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t *at = profi_gpu_at(figures, &fields[i]);
        profi_u128 scaled = (profi_u128)*at * session->elapsed_ns / session->traced_ns;
        if (!fields[i].is_highest && !fields[i].is_time)
            *at = scaled > UINT64_MAX ? UINT64_MAX : (uint64_t)scaled;
    }
}

static int is_estimate(const profi_gpu_session *session)
{
    return session->traced_ns != 0 && session->elapsed_ns > session->traced_ns;
}

static prof_gpu_work work_of(const profi_gpu_figures *from, const profi_gpu_session *session)
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
    work.wait_count = from->counts[PROFI_GPU_WAIT];
    work.wait_ns = from->ns[PROFI_GPU_WAIT];
    if (is_estimate(session)) {
        work.flags |= PROF_GPU_WORK_IS_ESTIMATE;
        work.busy_interval_ns = interval_of(from, session);
        scale_up(&work, profi_gpu_work_fields, profi_gpu_work_field_count, session);
    }
    return work;
}

prof_gpu_work profi_gpu_at_most(uint64_t busy_ns)
{
    prof_gpu_work work = PROF_GPU_WORK_INIT;
    work.flags = PROF_GPU_WORK_IS_UNTRACED | PROF_GPU_WORK_IS_UPPER_BOUND | PROF_GPU_WORK_IS_WAITED;
    for (size_t i = 0; i < profi_gpu_work_field_count; i++)
        *profi_gpu_at(&work, &profi_gpu_work_fields[i]) = UINT64_MAX;
    work.busy_ns = work.self_busy_ns = busy_ns;
    return work;
}

static int copy_work(prof_gpu_work **into, const prof_gpu_work *from)
{
    *into = malloc(sizeof(**into));
    if (*into != NULL)
        **into = *from;
    return *into != NULL;
}

static prof_gpu_totals totals_of(const profi_gpu_totals *from, const profi_gpu_session *session)
{
    prof_gpu_totals totals = PROF_GPU_TOTALS_INIT;
    totals.flags = from->is_bound ? PROF_GPU_WORK_IS_BOUND : 0;
    totals.kernel_count = from->counts[PROFI_GPU_KERNEL];
    totals.copy_count = from->counts[PROFI_GPU_COPY];
    totals.set_count = from->counts[PROFI_GPU_SET];
    totals.attributed_count = from->attributed;
    totals.unattributed_count = from->unattributed;
    totals.cut_count = from->cut;
    totals.dropped_count = from->dropped;
    totals.busy_ns = from->busy_ns;
    totals.traced_ns = session->traced_ns;
    totals.elapsed_ns = session->elapsed_ns;
    totals.cost_ns = profi_gpu_work_cost_ns();
    totals.begin_ns = session->begin_ns;
    if (is_estimate(session)) {
        totals.flags |= PROF_GPU_WORK_IS_ESTIMATE;
        scale_up(&totals, profi_gpu_totals_fields, profi_gpu_totals_field_count, session);
    }
    return totals;
}

static int describe(prof_snapshot *snapshot, const profi_gpu_totals *totals, const profi_gpu_session *session)
{
    int ok = 1;
    profi_gpu_info *info = snapshot->gpu = calloc(1, sizeof(*info));
    if (info == NULL)
        return 0;
    info->state = session->state;
    info->reason = profi_snapshot_text(snapshot, session->reason, &ok);
    info->is_traced = session->has_begun;
    if (info->is_traced && info->state == PROF_GPU_OFF && !session->is_let_go) { /* it was, until the end of what is told of here */
        info->state = PROF_GPU_ON;
        info->reason = "";
    }
    info->totals = totals_of(totals, session);
    info->without_path = totals->unplaced;
    info->has_bounds = session->state != PROF_GPU_WAITING && !session->has_begun && session->has_waited;
    return ok;
}

static int add_functions(prof_snapshot *snapshot, const profi_gpu_copy *copy, const profi_gpu_session *session,
                         const uint32_t *function_of_site, size_t site_count)
{
    int ok = 1;
    for (size_t i = 0; i < copy->site_count && ok; i++) {
        const profi_gpu_figures *from = &copy->sites[i];
        uint32_t function = from->of < site_count ? function_of_site[from->of] : PROFI_NONE;
        prof_gpu_work work = work_of(from, session);
        if (function != PROFI_NONE && snapshot->functions[function].flags & PROF_SITE_GPU_SYNC)
            work.flags |= PROF_GPU_WORK_IS_WAITED;
        if (function != PROFI_NONE)
            ok = copy_work(&snapshot->functions[function].gpu, &work);
    }
    return ok;
}

/* Numbered paths stand behind those around them, so each finds its caller's.  One that is newer than the snapshot has none. */
static void find_paths(const prof_snapshot *snapshot, uint32_t *path_of, uint32_t last, const uint32_t *function_of_site, size_t site_count)
{
    path_of[PROFI_WORK_NO_PATH] = PROFI_NONE;
    for (uint32_t i = 1; i <= last; i++) {
        const profi_work_path path = profi_work_path_of(i);
        uint32_t function = path.site < site_count ? function_of_site[path.site] : PROFI_NONE, around = path_of[path.around];
        int has_place = function != PROFI_NONE && (path.around == PROFI_WORK_NO_PATH || around != PROFI_NONE);
        path_of[i] = has_place ? profi_snapshot_find_path(snapshot, around, function) : PROFI_NONE;
    }
}

static int add_paths(prof_snapshot *snapshot, const profi_gpu_copy *copy, const profi_gpu_session *session,
                     const uint32_t *function_of_site, size_t site_count)
{
    uint32_t last = 0;
    for (size_t i = 0; i < copy->path_count; i++)
        last = copy->paths[i].of > last ? copy->paths[i].of : last;
    uint32_t *path_of = malloc(((size_t)last + 1) * sizeof(*path_of));
    int ok = path_of != NULL;
    if (ok)
        find_paths(snapshot, path_of, last, function_of_site, site_count);
    for (size_t i = 0; ok && i < copy->path_count; i++) {
        uint32_t path = path_of[copy->paths[i].of];
        const prof_gpu_work work = work_of(&copy->paths[i], session);
        ok = path == PROFI_NONE || profi_path_join_work(snapshot, path, &work);
    }
    free(path_of);
    return ok;
}

void profi_gpu_note_missing(prof_snapshot *snapshot, int is_traced, const char *reason)
{
    for (uint32_t i = 0; i < snapshot->span_count; i++)
        is_traced |= profi_is_gpu_span(snapshot->spans[i].file, snapshot->spans[i].line);
    if (is_traced)
        snapshot->no_gpu = reason;
}

int profi_recorded_gpu(prof_snapshot *snapshot, const uint32_t *function_of_site, size_t site_count)
{
    profi_gpu_session session = profi_gpu_session_now();
    profi_gpu_copy copy;
    if (!profi_gpu_work_copy(&copy))
        return 0;
    int ok = describe(snapshot, &copy.totals, &session) && add_functions(snapshot, &copy, &session, function_of_site, site_count) &&
             add_paths(snapshot, &copy, &session, function_of_site, site_count);
    profi_gpu_copy_fini(&copy);
    return ok;
}

/* What a call has launched runs while it does, where it waits for the GPU before it ends; one that another's end closes does not. */
int profi_recorded_gpu_bounds(prof_snapshot *snapshot)
{
    int ok = 1;
    snapshot->gpu->has_bounds &= snapshot->stats.repaired_count == 0;
    for (uint32_t i = 0; ok && snapshot->gpu->has_bounds && i < snapshot->function_count; i++) {
        profi_function *function = &snapshot->functions[i];
        prof_gpu_work work = profi_gpu_at_most(function->cumulative_ns);
        if (function->flags & PROF_SITE_GPU_SYNC && function->calls != 0)
            ok = copy_work(&function->gpu, &work);
    }
    return ok;
}

/* ---- of snapshots that are made of others ---- */

static void add_fields(profi_builder *builder, void *into, const void *from, const profi_gpu_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t *at = profi_gpu_at(into, &fields[i]), more = profi_gpu_get(from, &fields[i]);
        if (fields[i].is_highest)
            *at = profi_max_u64(*at, more);
        else
            profi_builder_sum(builder, at, more);
    }
}

/* Of processes that are not each other's: nothing is known of how their work overlaps, and it is none of one program's. */
static void add_work(profi_builder *builder, prof_gpu_work *into, const prof_gpu_work *from)
{
    if ((into->flags | from->flags) & PROF_GPU_WORK_IS_UNTRACED) {
        uint64_t busy_ns = into->busy_ns;
        profi_builder_sum(builder, &busy_ns, from->busy_ns);
        *into = profi_gpu_at_most(busy_ns);
        return;
    }
    into->flags |= from->flags;
    double one = (double)into->busy_interval_ns, other = (double)from->busy_interval_ns, half = sqrt(one * one + other * other);
    into->busy_interval_ns = half < 1.8e19 ? (uint64_t)(half + 0.5) : UINT64_MAX;
    add_fields(builder, into, from, profi_gpu_work_fields, profi_gpu_work_field_count);
}

void profi_builder_gpu_work(profi_builder *builder, prof_gpu_work **into, const prof_gpu_work *from)
{
    const prof_gpu_work empty = PROF_GPU_WORK_INIT;
    if (from == NULL)
        return;
    if (*into == NULL && !copy_work(into, &empty))
        builder->out_of_memory = 1;
    else
        add_work(builder, *into, from);
}

void profi_builder_path_work(profi_builder *builder, uint32_t path, const prof_gpu_work *from)
{
    if (from == NULL || path == PROFI_NONE || builder->out_of_memory)
        return;
    prof_gpu_work *into = profi_path_work_made(builder->snapshot, path);
    if (into == NULL)
        builder->out_of_memory = 1;
    else
        add_work(builder, into, from);
}

/* Of several, what one of them lacks is that one's: its reason stays where none was traced. */
void profi_builder_gpu(profi_builder *builder, const profi_gpu_info *from)
{
    profi_gpu_info *into = builder->snapshot->gpu;
    if (from == NULL)
        return;
    if (into == NULL && (into = builder->snapshot->gpu = calloc(1, sizeof(*into))) == NULL) {
        builder->out_of_memory = 1;
        return;
    }
    if (into->reason == NULL || (from->is_traced && !into->is_traced)) {
        into->totals.size = (uint32_t)sizeof(into->totals);
        into->state = from->state;
        into->reason = profi_builder_text(builder, from->reason);
    }
    into->is_traced |= from->is_traced;
    profi_builder_sum(builder, &into->without_path, from->without_path);
    into->totals.flags |= from->totals.flags;
    add_fields(builder, &into->totals, &from->totals, profi_gpu_totals_fields, profi_gpu_totals_field_count);
}

/* ---- reading ---- */

static prof_status fail_untraced(const prof_snapshot *snapshot, prof_error *err)
{
    const char *reason = snapshot->gpu != NULL      ? snapshot->gpu->reason
                         : snapshot->no_gpu != NULL ? snapshot->no_gpu
                                                    : "the profile does not say";
    return profi_fail(err, PROF_E_UNAVAILABLE, "no GPU work was traced: %s", reason);
}

prof_status prof_snapshot_gpu_work(const prof_snapshot *snapshot, uint32_t function, prof_gpu_work *work, prof_error *err)
{
    prof_status status = profi_snapshot_check(snapshot, function, err);
    if (status != PROF_OK)
        return status;
    if (work == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_snapshot_gpu_work: work is NULL");
    const prof_gpu_work *found = snapshot->functions[function].gpu;
    if (snapshot->gpu == NULL || (!snapshot->gpu->is_traced && found == NULL))
        return fail_untraced(snapshot, err);
    prof_gpu_work full = PROF_GPU_WORK_INIT;
    if (found != NULL)
        full = *found;
    return profi_struct_write(work, &full, sizeof(full), WORK_SIZE_0, "prof_gpu_work", err);
}

prof_status prof_snapshot_gpu_totals(const prof_snapshot *snapshot, prof_gpu_totals *totals, prof_error *err)
{
    if (snapshot == NULL || totals == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_snapshot_gpu_totals: %s is NULL", snapshot ? "totals" : "the snapshot");
    if (snapshot->gpu == NULL || !snapshot->gpu->is_traced)
        return fail_untraced(snapshot, err);
    return profi_struct_write(totals, &snapshot->gpu->totals, sizeof(snapshot->gpu->totals), TOTALS_SIZE_0, "prof_gpu_totals", err);
}
