/* SPDX-License-Identifier: Apache-2.0 */
/* GPU work on the timeline, by call path, in parts of a run and in what is no run. */
#include "gpu_testing.h"

#include "model/events.h"
#include "model/gpu.h"
#include "record/kept.h"
#include <profcore/events.h>
#include <profcore/timeline.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- call paths, and parts of a run ---- */

/*
 *     embed ── attention ── attention ── gemm     0..100, 150..250     while the other paths' gemm runs
 *        │          └────── gemm                  50..120
 *        └──── mlp ──────── gemm                  200..300
 *     rerank ─ mlp ──────── gemm                  1000..1040
 */
static void record_paths(void)
{
    static const struct { const char *way[4]; uint64_t start, end; } launches[] = {
        { { "embed", "attention", "attention", "gemm" }, 0, 100 }, { { "embed", "attention", "attention", "gemm" }, 150, 250 },
        { { "embed", "attention", "gemm" }, 50, 120 },             { { "embed", "mlp", "gemm" }, 200, 300 },
        { { "rerank", "mlp", "gemm" }, 1000, 1040 },
    };
    uint64_t at = now_ns;
    for (unsigned i = 0; i < sizeof(launches) / sizeof(*launches); i++) {
        prof_scope scopes[4];
        unsigned depth = 0;
        for (; depth < 4 && launches[i].way[depth] != NULL; depth++)
            scopes[depth] = prof_begin(site(launches[i].way[depth]));
        uint32_t id = gpu->call("cudaLaunchKernel");
        gpu->kernel(id, 0, i, at + launches[i].start, at + launches[i].end, "gemm", 0);
        if (i == 4)
            gpu->copy(gpu->call("cudaMemcpyAsync"), TO_DEVICE, 77, at + 1100, at + 1110);
        while (depth > 0)
            prof_end(scopes[--depth]);
    }
}

static prof_gpu_work work_in(const prof_snapshot *snapshot, const char *name)
{
    prof_gpu_work work = PROF_GPU_WORK_INIT;
    uint32_t id = 0;
    CHECK_I64(prof_snapshot_find(snapshot, name, &id, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_gpu_work(snapshot, id, &work, NULL), PROF_OK);
    return work;
}

static prof_snapshot *part_of(const prof_snapshot *snapshot, const char *name)
{
    prof_snapshot *part = NULL;
    uint32_t id = 0;
    CHECK_I64(prof_snapshot_find(snapshot, name, &id, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_subtree(snapshot, id, &part, NULL), PROF_OK);
    return part;
}

static const prof_gpu_work *work_of_path(const prof_snapshot *snapshot, const char *const *way)
{
    uint32_t at = snapshot->first_root, found = PROFI_NONE;
    for (; *way != NULL; way++, at = snapshot->paths[found].first_child) {
        while (at != PROFI_NONE && strcmp(snapshot->functions[snapshot->paths[at].function].name, *way) != 0)
            at = snapshot->paths[at].next_sibling;
        if ((found = at) == PROFI_NONE)
            return NULL;
    }
    return profi_path_work(snapshot, found);
}
#define PATH(snapshot, ...) (work_of_path(snapshot, (const char *const[]){ __VA_ARGS__, NULL }))

static void check_paths(const prof_snapshot *whole)
{
    CHECK_U64(PATH(whole, "embed")->busy_ns, 270);
    CHECK_U64(PATH(whole, "embed", "attention")->busy_ns, 220);
    CHECK_U64(PATH(whole, "embed", "attention", "attention")->busy_ns, 200);
    CHECK_U64(PATH(whole, "embed", "attention", "gemm")->self_busy_ns, 70);
    CHECK_U64(PATH(whole, "embed", "attention", "gemm")->kernel_count, 1);
    CHECK_U64(PATH(whole, "rerank", "mlp", "gemm")->to_device_bytes, 77);
    CHECK_U64(PATH(whole, "rerank", "mlp")->copy_count, 1);
    CHECK_U64(work_in(whole, "gemm").busy_ns, 320);
    CHECK_U64(work_in(whole, "attention").busy_ns, 220);
}

/* Within embed: gemm on three paths is at most 100 + 100 + 70 + 100, and no longer than embed itself; the rest is exact. */
static void check_parts(const prof_snapshot *whole)
{
    prof_snapshot *part = part_of(whole, "embed");
    CHECK_U64(work_in(part, "embed").busy_ns, 270);
    CHECK_U64(work_in(part, "attention").busy_ns, 220);
    CHECK_U64(work_in(part, "attention").flags, 0);
    CHECK_U64(work_in(part, "attention").kernel_count, 3);
    CHECK_U64(work_in(part, "mlp").busy_ns, 100);
    CHECK_U64(work_in(part, "mlp").flags, 0);
    CHECK_U64(work_in(part, "mlp").copy_count, 0);
    CHECK_U64(work_in(part, "gemm").busy_ns, 270);
    CHECK_U64(work_in(part, "gemm").flags, PROF_GPU_WORK_IS_UPPER_BOUND);
    CHECK_U64(work_in(part, "gemm").kernel_count, 4);
    CHECK_U64(work_in(part, "gemm").kernel_ns, 370);
    CHECK_U64(work_in(part, "gemm").to_device_bytes, 0);
    CHECK_U64(PATH(part, "embed", "attention", "attention", "gemm")->busy_ns, 200);
    prof_snapshot_close(part);
    part = part_of(whole, "attention"); /* of which the outermost calls are the root */
    CHECK_U64(work_in(part, "attention").busy_ns, 220);
    CHECK_U64(PATH(part, "attention", "attention")->busy_ns, 200);
    CHECK_U64(work_in(part, "gemm").kernel_count, 3);
    prof_snapshot_close(part);
    part = part_of(whole, "mlp"); /* called by two: its calls are one path here, and its work is known */
    CHECK_U64(work_in(part, "mlp").busy_ns, 150);
    CHECK_U64(PATH(part, "mlp")->busy_ns, 150);
    CHECK_U64(PATH(part, "mlp")->flags, 0);
    CHECK_U64(work_in(part, "gemm").busy_ns, 150);
    CHECK_U64(work_in(part, "gemm").to_device_bytes, 77);
    prof_snapshot_close(part);
}


CASE(each_call_path_has_its_work_and_each_function_of_a_part_its_own_of_that_part)
{
    CHECK_I64(begin(), PROF_OK);
    record_paths();
    prof_snapshot *whole = take();
    check_paths(whole);
    check_parts(whole);
    prof_snapshot *read = written_and_read(whole), *twice = NULL;
    check_paths(read);
    check_parts(read);
    CHECK_I64(prof_snapshot_merge((const prof_snapshot *const[]){ whole, read }, 2, &twice, NULL), PROF_OK);
    CHECK_U64(PATH(twice, "embed", "attention")->busy_ns, 440);
    CHECK_U64(PATH(twice, "embed", "attention")->kernel_count, 6);
    prof_snapshot *part = part_of(whole, "embed"), *part_read = written_and_read(part);
    CHECK_U64(work_in(part_read, "gemm").flags, PROF_GPU_WORK_IS_UPPER_BOUND);
    CHECK_U64(PATH(part_read, "embed", "mlp")->busy_ns, 100);
    prof_snapshot_close(part_read);
    prof_snapshot_close(part);
    prof_snapshot_close(twice);
    prof_snapshot_close(read);
    prof_snapshot_close(whole);
}

CASE(of_paths_that_are_deeper_than_is_followed_the_inner_ones_have_it_and_the_run_says_so)
{
    enum { DEEP = 300, FOLLOWED = 256 };
    prof_scope scopes[DEEP];
    CHECK_I64(begin(), PROF_OK);
    for (unsigned i = 0; i < DEEP; i++)
        scopes[i] = prof_begin(site("deep"));
    gpu->kernel(gpu->call("cudaLaunchKernel"), 0, 7, now_ns, now_ns + 9, "k", 0);
    for (unsigned i = DEEP; i-- > 0;)
        prof_end(scopes[i]);
    prof_snapshot *whole = take();
    CHECK_U64(whole->path_count, DEEP);
    CHECK_U64(whole->path_work_count, FOLLOWED);
    CHECK_U64(whole->gpu->without_path, 1);
    CHECK_U64(work_in(whole, "deep").busy_ns, 9);
    prof_snapshot_close(whole);
}

/* "work", below which "gemm" is called. */
#define RUN(gpu, work, paths)                                                                                              \
    "{\"schema\":\"profcore.summary/1\",\"name\":\"run\",\"gpu\":{" gpu "},\"paths\":[[null,0,1,900]],\"functions\":[{\"id\":0,"  \
    "\"name\":\"work\",\"file\":\"a.c\",\"line\":1,\"calls\":1,\"primitive_calls\":1,\"self_ns\":900,\"cumulative_ns\":900,"    \
    "\"gpu\":{" work "}}]" paths "}"

CASE(a_part_of_merged_runs_of_which_one_was_not_traced_counts_what_the_other_has)
{
    static const char *const texts[] = {
        RUN("\"status\":\"on\",\"traced_ns\":1000,\"elapsed_ns\":1000,\"kernels\":10,\"busy_ns\":100,\"attributed\":10",
            "\"launches\":10,\"kernels\":10,\"busy_ns\":100,\"self_busy_ns\":100",
            ",\"gpu_paths\":[{\"path\":0,\"launches\":10,\"kernels\":10,\"busy_ns\":100,\"self_busy_ns\":100}]"),
        RUN("\"status\":\"unavailable\",\"reason\":\"in use\"",
            "\"busy_ns\":500,\"is_untraced\":true,\"is_upper_bound\":true,\"is_waited\":true", ""),
    };
    static char text[1 << 20];
    prof_snapshot *runs[2] = { NULL, NULL }, *merged = NULL;
    prof_gpu_totals read = PROF_GPU_TOTALS_INIT;
    for (unsigned i = 0; i < 2; i++)
        CHECK_I64(prof_snapshot_read(texts[i], strlen(texts[i]), "a run", &runs[i], NULL), PROF_OK);
    CHECK_I64(prof_snapshot_merge((const prof_snapshot *const *)runs, 2, &merged, NULL), PROF_OK);
    prof_snapshot *part = part_of(merged, "work");
    check_bound(part, "work", 600);
    CHECK_I64(prof_snapshot_gpu_totals(part, &read, NULL), PROF_OK);
    CHECK_U64(read.kernel_count, 10);
    CHECK_U64(read.attributed_count, 10);
    CHECK(PATH(part, "work") != NULL && PATH(part, "work")->kernel_count == 10);
    CHECK_I64(prof_snapshot_write(part, "txt", NULL, append, text, NULL), PROF_OK);
    CHECK_HAS(text, "GPU work: busy for at most 600 ns of ");
    prof_snapshot_close(part);
    prof_snapshot_close(merged);
    prof_snapshot_close(runs[0]);
    prof_snapshot_close(runs[1]);
}

/* ---- the timeline ---- */

static int find_slices(const char *track, profi_slice *slices, int room)
{
    profi_events *events = NULL;
    int count = 0;
    CHECK_I64(profi_events_open("run", &events, NULL), PROF_OK);
    for (size_t i = 0; i < events->lane_count; i++)
        if (strcmp(events->sites[events->lanes[i].track].name, track) == 0)
            count += (int)profi_events_read(events, events->lanes[i].first, events->lanes[i].count, 0, slices + count, (size_t)(room - count));
    for (int i = 0; i < count; i++) {
        slices[i].value = slices[i].detail_count == 1 ? (double)(slices[i].details[0].value.flow & 0xffffffffu) : -1;
        slices[i].details = NULL;
        slices[i].request = NULL;
    }
    profi_events_close(events);
    return count;
}

/* The flow that leads to the one kernel of this process, which nobody else's launch may share. */
static uint64_t flow_of_launch(void)
{
    uint64_t flow = 0;
    profi_events *events = NULL;
    profi_slice slice;
    CHECK_I64(begin(), PROF_OK);
    launch_in("one", now_ns, now_ns + 9);
    prof_snapshot_close(take());
    CHECK_I64(profi_events_open("run", &events, NULL), PROF_OK);
    CHECK_U64(events->lane_count, 1);
    CHECK_U64(profi_events_read(events, events->lanes[0].first, 1, 0, &slice, 1), 1);
    CHECK_U64(slice.detail_count, 1);
    flow = slice.details[0].value.flow;
    CHECK_U64(profi_events_read(events, events->threads[0].first, events->threads[0].count, 0, &slice, 1), 1);
    CHECK(slice.detail_count == 1 && slice.details[0].value.flow == flow);
    profi_events_close(events);
    return flow;
}

TEST(launches_of_two_processes_never_share_an_arrow)
{
    uint64_t flows[2] = { 0, 0 };
    for (int i = 0; i < 2; i++) {
        int ends[2];
        CHECK_I64(pipe(ends), 0);
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            uint64_t flow = flow_of_launch();
            CHECK_I64(write(ends[1], &flow, sizeof(flow)), sizeof(flow));
            _exit(test_failed);
        }
        CHECK_I64(read(ends[0], &flows[i], sizeof(flows[i])), sizeof(flows[i]));
        end_child(child);
        close(ends[0]);
        close(ends[1]);
    }
    CHECK_U64(flows[0] & 0xffffffffu, flows[1] & 0xffffffffu); /* the same launch, */
    CHECK(flows[0] != flows[1]);
    CHECK(flows[0] >> 63 == 1 && flows[1] >> 63 == 1);
}

CASE(a_stream_is_a_track_with_lanes_for_overlap_and_flows_from_the_scope)
{
    profi_slice slices[8];
    CHECK_I64(begin(), PROF_OK);
    prof_scope scope = prof_begin(site("timeline"));
    uint32_t first = gpu->call("cudaLaunchKernel"), second = gpu->call("cudaLaunchKernel"), third = gpu->call("cudaMemcpyAsync");
    uint64_t at = now_ns;
    gpu->kernel(first, 1, 5, at + 100, at + 200, "a", 0);
    gpu->kernel(second, 1, 5, at + 150, at + 250, "b", 0);
    gpu->copy(third, TO_DEVICE, 10, at + 300, at + 320);
    pass(10);
    prof_end(scope);
    prof_snapshot_close(take());
    CHECK_I64(find_slices("GPU 1 stream 5", slices, 8), 2);
    CHECK_U64(slices[0].start_ns, at + 100);
    CHECK_U64(slices[0].end_ns, at + 200);
    CHECK_U64(slices[1].start_ns, at + 150);
    CHECK(slices[0].site != slices[1].site);
    CHECK_U64((uint64_t)slices[0].value, first);
    CHECK_U64((uint64_t)slices[1].value, second);
    CHECK_I64(find_slices("GPU 0 stream 0", slices, 8), 1);
    CHECK_U64((uint64_t)slices[0].value, third);
}

/* ---- of what is no run ---- */

static void check_says(prof_snapshot *snapshot, const char *reason)
{
    prof_gpu_work work = PROF_GPU_WORK_INIT;
    prof_error why = PROF_ERROR_INIT;
    for (int i = 0; i < 2; i++) { /* as it is, and as a file that is read */
        CHECK_I64(prof_snapshot_gpu_work(snapshot, 0, &work, &why), PROF_E_UNAVAILABLE);
        CHECK_HAS(why.message, reason);
        prof_snapshot *read = written_and_read(snapshot);
        prof_snapshot_close(snapshot);
        snapshot = read;
    }
    prof_snapshot_close(snapshot);
}

static int append_to_file(void *file, const void *data, size_t bytes) { return fwrite(data, 1, bytes, file) == bytes ? 0 : EIO; }

CASE(a_kept_call_and_a_timeline_say_why_they_have_no_gpu_work)
{
    const profi_run_facts facts = { .name = "run" };
    char path[64];
    prof_snapshot *snapshot = NULL;
    prof_timeline *timeline = NULL;
    CHECK_I64(begin(), PROF_OK);
    profi_kept_enable(1);
    prof_site *every = site("every call");
    CHECK_I64(prof_site_save_if(every, 0, 1, NULL), PROF_OK);
    launch_in("every call", now_ns + 10, now_ns + 20);
    profi_kept_call *call = profi_kept_take();
    CHECK(call != NULL);
    CHECK_I64(profi_snapshot_of_call(&facts, call, &snapshot, NULL), PROF_OK);
    check_says(snapshot, "the run's timeline has what this one launched");
    snprintf(path, sizeof(path), "gpu_work_%d.pftrace", (int)getpid());
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL);
    CHECK_I64(prof_events_write("pftrace", append_to_file, file, NULL), PROF_OK);
    fclose(file);
    CHECK_I64(prof_timeline_read_file(path, &timeline, NULL), PROF_OK);
    unlink(path);
    CHECK_I64(prof_timeline_snapshot(timeline, &snapshot, NULL), PROF_OK);
    CHECK_U64(prof_snapshot_function_count(snapshot), 1); /* the kernel is none */
    check_says(snapshot, "a timeline has the kernels");
    prof_timeline_close(timeline);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
