/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GPU work by scope, on the simulated clock, with libraries that only look
 * like NVIDIA's and are found as those are: every figure is exact.  Each case
 * runs in a child, as a process has one CUPTI.
 */
#include "child.h"
#include "measures.h"
#include "recording.h"
#include "simulated.h"

#include "../fake_gpu/fake_gpu.h"
#include "gpu/session.h"
#include "gpu/work.h"
#include "model/events.h"
#include "model/gpu.h"
#include "record/kept.h"
#include <profcore/events.h>
#include <profcore/gpu.h>
#include <profcore/timeline.h>

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

enum { TO_DEVICE = 1, TO_HOST = 2, ON_DEVICE = 8 };

static const fake_gpu *gpu;

static void *load(const char *soname)
{
    void *library = dlopen(soname, RTLD_NOW);
    if (library == NULL)
        printf("# %s\n", dlerror());
    CHECK(library != NULL);
    return library;
}

/* The program uses CUDA; then the library's own start finds CUPTI. */
static prof_status begin(void)
{
    fake_gpu_get get = NULL;
    load("libcuda.so.1");
    void *library = load("libcupti.so.13"), *found = library != NULL ? dlsym(library, FAKE_GPU_GET) : NULL;
    memcpy(&get, &found, sizeof(found));
    gpu = get();
    pass(0);
    start();
    return prof_gpu_start(NULL);
}

static prof_snapshot *take(void)
{
    prof_snapshot *snapshot = NULL;
    CHECK_I64(prof_snapshot_take(&snapshot, NULL), PROF_OK);
    return snapshot;
}

static prof_gpu_work work_of(const char *name)
{
    prof_gpu_work work = PROF_GPU_WORK_INIT;
    prof_snapshot *snapshot = take();
    prof_gpu_totals any = PROF_GPU_TOTALS_INIT;
    if (prof_snapshot_gpu_totals(snapshot, &any, NULL) != PROF_OK) {
        prof_snapshot_close(snapshot);
        return work;
    }
    uint32_t id = 0;
    if (prof_snapshot_find(snapshot, name, &id, NULL) == PROF_OK)
        CHECK_I64(prof_snapshot_gpu_work(snapshot, id, &work, NULL), PROF_OK);
    prof_snapshot_close(snapshot);
    return work;
}

static prof_gpu_totals totals(void)
{
    prof_gpu_totals read = PROF_GPU_TOTALS_INIT;
    prof_snapshot *snapshot = take();
    CHECK_I64(prof_snapshot_gpu_totals(snapshot, &read, NULL), PROF_OK);
    prof_snapshot_close(snapshot);
    return read;
}

static prof_gpu_info status(void)
{
    prof_gpu_info info = PROF_GPU_INFO_INIT;
    CHECK_I64(prof_gpu_status(&info, NULL), PROF_OK);
    return info;
}

static int append(void *text, const void *data, size_t bytes)
{
    strncat(text, data, bytes);
    return 0;
}

/* One launch in a scope of its own, of a kernel that runs from `start` to `end`. */
static void launch_in(const char *name, uint64_t start_ns, uint64_t end_ns)
{
    prof_scope scope = prof_begin(site(name));
    uint32_t id = gpu->call("cudaLaunchKernel");
    gpu->kernel(id, 0, 7, start_ns, end_ns, "saxpy", 0);
    pass(10);
    prof_end(scope);
}

CASE(a_kernel_is_its_scopes_and_that_of_the_scopes_around_it)
{
    CHECK_I64(begin(), PROF_OK);
    prof_scope outer = prof_begin(site("outer"));
    launch_in("inner", now_ns + 100, now_ns + 400);
    prof_end(outer);
    prof_gpu_work inner = work_of("inner"), around = work_of("outer");
    CHECK_U64(inner.kernel_count, 1);
    CHECK_U64(inner.busy_ns, 300);
    CHECK_U64(inner.self_busy_ns, 300);
    CHECK_U64(inner.launch_count, 1);
    CHECK_U64(inner.queue_ns, 100);
    CHECK_U64(around.busy_ns, 300);
    CHECK_U64(around.self_busy_ns, 0);
    CHECK_U64(around.kernel_ns, 300);
    CHECK_U64(totals().attributed_count, 1);
    CHECK_U64(totals().unattributed_count, 0);
}

CASE(kernels_that_overlap_on_two_streams_keep_the_gpu_busy_once)
{
    CHECK_I64(begin(), PROF_OK);
    prof_scope scope = prof_begin(site("overlap"));
    uint64_t at = now_ns + 1000;
    gpu->kernel(gpu->call("cudaLaunchKernel"), 0, 1, at, at + 100, "a", 0);
    gpu->kernel(gpu->call("cudaLaunchKernel"), 0, 2, at + 50, at + 150, "b", 0);
    gpu->kernel(gpu->call("cudaLaunchKernel"), 0, 1, at + 300, at + 310, "a", 0);
    prof_end(scope);
    prof_gpu_work work = work_of("overlap");
    CHECK_U64(work.busy_ns, 160);
    CHECK_U64(work.kernel_ns, 210);
    CHECK_U64(work.kernel_count, 3);
    CHECK_U64(totals().busy_ns, 160);
}

CASE(copies_and_sets_have_their_bytes_by_direction)
{
    CHECK_I64(begin(), PROF_OK);
    prof_scope scope = prof_begin(site("copies"));
    gpu->copy(gpu->call("cudaMemcpyAsync"), TO_DEVICE, 1000, now_ns, now_ns + 5);
    gpu->copy(gpu->call("cudaMemcpyAsync"), TO_HOST, 200, now_ns + 10, now_ns + 15);
    gpu->copy(gpu->call("cudaMemcpyAsync"), ON_DEVICE, 30, now_ns + 20, now_ns + 25);
    gpu->set(gpu->call("cudaMemset"), 4, now_ns + 30, now_ns + 36);
    prof_end(scope);
    prof_gpu_work work = work_of("copies");
    CHECK_U64(work.to_device_bytes, 1000);
    CHECK_U64(work.to_host_bytes, 200);
    CHECK_U64(work.on_device_bytes, 30);
    CHECK_U64(work.copy_count, 3);
    CHECK_U64(work.copy_ns, 15);
    CHECK_U64(work.set_count, 1);
    CHECK_U64(work.set_ns, 6);
    CHECK_U64(work.busy_ns, 21);
}

CASE(work_that_comes_after_the_scope_has_ended_is_still_its_own_and_says_how_long_after)
{
    CHECK_I64(begin(), PROF_OK);
    gpu->deliver_on_flush(0);
    launch_in("asynchronous", now_ns + 50, now_ns + 5010);
    CHECK_U64(work_of("asynchronous").kernel_count, 0);
    pass(100000);
    gpu->deliver(0, 0);
    prof_gpu_work work = work_of("asynchronous");
    CHECK_U64(work.kernel_count, 1);
    CHECK_U64(work.call_count, 1);
    CHECK_U64(work.done_ns, 5010);
    CHECK_U64(work.done_max_ns, 5010);
}

CASE(records_in_the_wrong_order_and_in_small_buffers_are_the_same_work)
{
    CHECK_I64(begin(), PROF_OK);
    gpu->deliver_on_flush(0);
    prof_scope scope = prof_begin(site("backwards"));
    uint64_t at = now_ns;
    for (unsigned i = 0; i < 500; i++)
        gpu->kernel(gpu->call("cudaLaunchKernel"), 0, i % 3, at + i * 10, at + i * 10 + 8, "k", 0);
    prof_end(scope);
    gpu->deliver(20, 1);
    prof_gpu_work work = work_of("backwards");
    CHECK_U64(work.kernel_count, 500);
    CHECK_U64(work.busy_ns, 4000);
    CHECK_U64(work.flags, 0);
    CHECK_U64(gpu->buffers_out(), 0);
}

CASE(the_kernels_of_a_graph_are_those_of_its_launch)
{
    CHECK_I64(begin(), PROF_OK);
    prof_scope scope = prof_begin(site("decode"));
    uint32_t id = gpu->call("cudaGraphLaunch");
    for (unsigned i = 0; i < 20; i++)
        gpu->kernel(id, 0, 7, now_ns + 100 * i, now_ns + 100 * i + 60, "gemv", i + 1);
    prof_end(scope);
    prof_gpu_work work = work_of("decode");
    CHECK_U64(work.launch_count, 1);
    CHECK_U64(work.kernel_count, 20);
    CHECK_U64(work.busy_ns, 1200);
}

CASE(work_outside_of_scopes_and_of_unknown_launches_is_unattributed)
{
    CHECK_I64(begin(), PROF_OK);
    gpu->kernel(gpu->call("cudaLaunchKernel"), 0, 7, now_ns, now_ns + 5, "k", 0);
    gpu->kernel(4000000000u, 0, 7, now_ns + 10, now_ns + 15, "k", 0);
    launch_in("known", now_ns + 20, now_ns + 25);
    CHECK_U64(totals().unattributed_count, 2);
    CHECK_U64(totals().attributed_count, 1);
    CHECK_U64(totals().kernel_count, 3);
}

CASE(a_launch_that_was_pushed_out_by_later_ones_is_unattributed_and_never_another_scopes)
{
    enum { LAUNCHES = 40000 };
    CHECK_I64(begin(), PROF_OK);
    gpu->deliver_on_flush(0);
    launch_in("pushed out", now_ns, now_ns + 5);
    prof_scope scope = prof_begin(site("busy"));
    for (unsigned i = 0; i < LAUNCHES; i++)
        gpu->call("cudaLaunchKernel");
    prof_end(scope);
    gpu->deliver(0, 0);
    CHECK_U64(work_of("pushed out").kernel_count, 0);
    CHECK_U64(work_of("busy").kernel_count, 0);
    CHECK_U64(totals().unattributed_count, 1);
}

CASE(recursion_counts_work_once)
{
    CHECK_I64(begin(), PROF_OK);
    prof_scope outer = prof_begin(site("again"));
    launch_in("again", now_ns, now_ns + 70);
    prof_end(outer);
    prof_gpu_work work = work_of("again");
    CHECK_U64(work.busy_ns, 70);
    CHECK_U64(work.kernel_count, 1);
    CHECK_U64(work.kernel_ns, 70);
}

CASE(what_is_around_a_recursion_has_its_work_too)
{
    enum { DEEP = 50 };
    prof_scope scopes[DEEP + 1];
    CHECK_I64(begin(), PROF_OK);
    scopes[0] = prof_begin(site("around"));
    for (unsigned i = 1; i <= DEEP; i++)
        scopes[i] = prof_begin(site("deep"));
    gpu->kernel(gpu->call("cudaLaunchKernel"), 0, 7, now_ns, now_ns + 9, "k", 0);
    for (unsigned i = DEEP + 1; i-- > 0;)
        prof_end(scopes[i]);
    CHECK_U64(work_of("around").kernel_count, 1);
    CHECK_U64(work_of("deep").kernel_count, 1);
    CHECK_U64(work_of("deep").call_count, 1);
    CHECK_U64(totals().cut_count, 0);
}

CASE(of_more_functions_than_are_noted_the_inner_ones_have_it_and_the_run_says_so)
{
    enum { DEEP = 40, NOTED = 32 };
    prof_scope scopes[DEEP];
    char name[16];
    CHECK_I64(begin(), PROF_OK);
    for (unsigned i = 0; i < DEEP; i++) {
        snprintf(name, sizeof(name), "level %u", i);
        scopes[i] = prof_begin(site(name));
    }
    gpu->kernel(gpu->call("cudaLaunchKernel"), 0, 7, now_ns, now_ns + 9, "k", 0);
    for (unsigned i = DEEP; i-- > 0;)
        prof_end(scopes[i]);
    CHECK_U64(work_of("level 39").kernel_count, 1);
    CHECK_U64(work_of("level 8").kernel_count, 1);
    CHECK_U64(work_of("level 7").kernel_count, 0);
    CHECK_U64(totals().cut_count, 1);
}

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

static prof_snapshot *written_and_read(const prof_snapshot *snapshot)
{
    char path[64];
    prof_snapshot *read = NULL;
    snprintf(path, sizeof(path), "gpu_work_%d.json", (int)getpid());
    CHECK_I64(prof_snapshot_write_file(snapshot, "json", path, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_read_file(path, &read, NULL), PROF_OK);
    unlink(path);
    return read;
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

enum { CALLERS = 16, CALLERS_KERNELS = 20 };
static pthread_barrier_t all_have_launched;
static sem_t has_begun;

static void *call_and_wait(void *ids)
{
    prof_scope scope = prof_begin(site("at a time"));
    sem_post(&has_begun);
    for (unsigned i = 0; i < CALLERS_KERNELS; i++)
        ((uint32_t *)ids)[i] = gpu->call("cudaLaunchKernel");
    pthread_barrier_wait(&all_have_launched);
    prof_end(scope);
    return NULL;
}

CASE(calls_at_a_time_are_told_apart)
{
    static uint32_t ids[CALLERS][CALLERS_KERNELS];
    pthread_t threads[CALLERS];
    CHECK_I64(begin(), PROF_OK);
    pthread_barrier_init(&all_have_launched, NULL, CALLERS);
    sem_init(&has_begun, 0, 0);
    for (unsigned i = 0; i < CALLERS; i++) {
        CHECK_I64(pthread_create(&threads[i], NULL, call_and_wait, ids[i]), 0);
        sem_wait(&has_begun);
        pass(100); /* a call is known by when it began */
    }
    for (unsigned i = 0; i < CALLERS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < CALLERS_KERNELS; i++)
        for (unsigned j = 0; j < CALLERS; j++) {
            uint64_t start_ns = now_ns + 100 * (i * CALLERS + j);
            gpu->kernel(ids[j][i], 0, 7, start_ns, start_ns + 50, "k", 0);
        }
    prof_gpu_work work = work_of("at a time");
    CHECK_U64(work.kernel_count, CALLERS * CALLERS_KERNELS);
    CHECK_U64(work.call_count, CALLERS);
}

CASE(records_for_which_there_was_no_buffer_are_counted)
{
    enum { KERNELS = 200000 }; /* more than 32 buffers of 1 MiB hold */
    CHECK_I64(begin(), PROF_OK);
    gpu->deliver_on_flush(0);
    prof_scope scope = prof_begin(site("many"));
    uint32_t id = gpu->call("cudaGraphLaunch");
    for (unsigned i = 0; i < KERNELS; i++)
        gpu->kernel(id, 0, 7, now_ns + 10 * i, now_ns + 10 * i + 5, "k", 0);
    prof_end(scope);
    gpu->deliver(0, 0);
    prof_gpu_totals read = totals();
    CHECK_U64(read.kernel_count + read.dropped_count, KERNELS);
    CHECK(read.dropped_count > 0 && read.kernel_count > 100000);
    CHECK_U64(work_of("many").kernel_count, read.kernel_count);
}

CASE(waits_are_counted_beside_the_work)
{
    CHECK_I64(begin(), PROF_OK);
    prof_scope scope = prof_begin(site("waits"));
    gpu->wait(gpu->call("cudaStreamSynchronize"), now_ns, now_ns + 40);
    gpu->kernel(gpu->call("cudaLaunchKernel"), 0, 1, now_ns, now_ns + 30, "k", 0);
    prof_end(scope);
    prof_gpu_work work = work_of("waits");
    CHECK_U64(work.wait_count, 1);
    CHECK_U64(work.wait_ns, 40);
    CHECK_U64(work.busy_ns, 30);
    CHECK_U64(totals().attributed_count, 1); /* a wait is no work */
    CHECK_U64(totals().unattributed_count, 0);
}

/* What tracing costs is real here: the launches of a batch take some of it. */
CASE(the_librarys_own_threads_are_none_that_were_recorded)
{
    static char json[1 << 20];
    CHECK_I64(begin(), PROF_OK);
    launch_in("work", now_ns, now_ns + 9);
    for (time_t end = time(NULL) + 60; stats().event_count < 2 && time(NULL) < end;)
        usleep(10000); /* until the thread that fetches has booked the kernel's span */
    CHECK_U64(stats().thread_count, 1);
    CHECK_U64(stats().live_thread_count, 1);
    prof_snapshot *snapshot = take();
    CHECK_I64(prof_snapshot_write(snapshot, "json", NULL, append, json, NULL), PROF_OK);
    CHECK(strstr(json, "profcore-gpu") == NULL);
    prof_snapshot_close(snapshot);
}

CASE(above_its_budget_tracing_pauses_and_figures_are_estimates)
{
    enum { BATCH = 2000, SECONDS = 60 };
    uint64_t sent = 0;
    setenv("PROFCORE_GPU_BUDGET", "0.5%", 1);
    CHECK_I64(begin(), PROF_OK);
    CHECK(gpu->enabled_kinds() != 0);
    for (time_t end = time(NULL) + SECONDS; gpu->enabled_functions() != 0 && time(NULL) < end;) {
        prof_scope scope = prof_begin(site("governed"));
        for (unsigned i = 0; i < BATCH; i++, sent++)
            gpu->kernel(gpu->call("cudaLaunchKernel"), 0, 1, now_ns + 10 * sent, now_ns + 10 * sent + 5, "k", 0);
        prof_end(scope);
    }
    CHECK_U64(gpu->enabled_functions(), 0);
    for (time_t end = time(NULL) + SECONDS; gpu->enabled_kinds() != 2 && time(NULL) < end;)
        usleep(1000);
    CHECK_U64(gpu->enabled_kinds(), 2); /* those of memory go on */
    CHECK_U64(gpu->subscribers(), 1);
    usleep(200000);
    prof_gpu_totals read = totals();
    prof_gpu_work work = work_of("governed");
    CHECK_U64(read.flags, PROF_GPU_WORK_IS_ESTIMATE);
    CHECK(read.elapsed_ns >= read.traced_ns + 200000000);
    CHECK(read.cost_ns > 100000000);
    CHECK_U64(work.flags, PROF_GPU_WORK_IS_ESTIMATE);
    CHECK(read.kernel_count + read.dropped_count > sent);
    CHECK_U64(work.busy_interval_ns, UINT64_MAX); /* of one window nothing is known of others */
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

/* ---- when it cannot be had ---- */

static void check_unavailable(const char *reason)
{
    CHECK_I64(begin(), PROF_E_UNAVAILABLE);
    CHECK_HAS(status().reason, reason);
    CHECK_I64(status().state, PROF_GPU_UNAVAILABLE);
    prof_scope scope = prof_begin(site("without"));
    pass(5);
    prof_end(scope);
    prof_snapshot *snapshot = take();
    prof_gpu_work work = PROF_GPU_WORK_INIT;
    prof_error why = PROF_ERROR_INIT;
    CHECK_I64(prof_snapshot_gpu_work(snapshot, 0, &work, &why), PROF_E_UNAVAILABLE);
    CHECK_HAS(why.message, reason);
    CHECK_U64(gpu->enabled_kinds(), 0);
    prof_snapshot_close(snapshot);
}

CASE(another_tool_keeps_cupti)
{
    setenv("FAKE_CUPTI_TAKEN", "1", 1);
    check_unavailable("in use by another tool");
    CHECK_U64(gpu->subscribers(), 0);
}

static unsigned waits_of_driver(void)
{
    unsigned (*waits)(void) = NULL;
    void *found = dlsym(load("libcuda.so.1"), "fake_cuda_waits");
    memcpy(&waits, &found, sizeof(waits));
    return waits();
}

static void tell_driver(const char *function, int yes)
{
    void (*tell)(int) = NULL;
    void *found = dlsym(load("libcuda.so.1"), function);
    memcpy(&tell, &found, sizeof(tell));
    tell(yes);
}

static void check_bound(const prof_snapshot *snapshot, const char *name, uint64_t busy_ns)
{
    prof_gpu_work work = PROF_GPU_WORK_INIT;
    uint32_t id = 0;
    CHECK_I64(prof_snapshot_find(snapshot, name, &id, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_gpu_work(snapshot, id, &work, NULL), PROF_OK);
    CHECK_U64(work.flags, PROF_GPU_WORK_IS_UNTRACED | PROF_GPU_WORK_IS_UPPER_BOUND | PROF_GPU_WORK_IS_WAITED);
    CHECK_U64(work.busy_ns, busy_ns);
    CHECK_U64(work.kernel_count, UINT64_MAX);
}

static void check_unbounded(const prof_snapshot *snapshot, const char *name, const char *reason)
{
    prof_gpu_work work = PROF_GPU_WORK_INIT;
    prof_error why = PROF_ERROR_INIT;
    uint32_t id = 0;
    CHECK_I64(prof_snapshot_find(snapshot, name, &id, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_gpu_work(snapshot, id, &work, &why), PROF_E_UNAVAILABLE);
    CHECK_HAS(why.message, reason);
}

CASE(without_cupti_a_call_that_waits_is_an_upper_bound_of_its_work_and_others_have_none)
{
    static char text[1 << 20], json[1 << 20];
    setenv("FAKE_CUPTI_TAKEN", "1", 1);
    CHECK_I64(begin(), PROF_E_UNAVAILABLE);
    prof_site *asks = site_with("asks", PROF_SITE_GPU_SYNC), *other = site("does not ask");
    for (unsigned i = 0; i < 3; i++) {
        prof_scope around = prof_begin(other), scope = prof_begin(asks);
        pass(1000000);
        prof_end(scope);
        prof_end(around);
    }
    CHECK_U64(waits_of_driver(), 3);
    prof_snapshot *snapshot = take(), *read = NULL, *merged = NULL;
    check_bound(snapshot, "asks", 3000000);
    check_unbounded(snapshot, "does not ask", "in use by another tool");
    CHECK_I64(prof_snapshot_write(snapshot, "txt", NULL, append, text, NULL), PROF_OK);
    CHECK_HAS(text, "GPU time unavailable: CUPTI is in use by another tool");
    CHECK_HAS(text, " \xe2\x89\xa4    3.00 ms");
    CHECK_I64(prof_snapshot_write(snapshot, "json", NULL, append, json, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_read(json, strlen(json), "the summary", &read, NULL), PROF_OK);
    check_bound(read, "asks", 3000000);
    check_unbounded(read, "does not ask", "in use by another tool");
    CHECK_I64(prof_snapshot_merge((const prof_snapshot *const[]){ snapshot, read }, 2, &merged, NULL), PROF_OK);
    check_bound(merged, "asks", 6000000);
    prof_snapshot_close(merged);
    prof_snapshot_close(read);
    prof_snapshot_close(snapshot);
}

CASE(where_a_wait_was_refused_there_is_no_bound)
{
    setenv("FAKE_CUPTI_TAKEN", "1", 1);
    CHECK_I64(begin(), PROF_E_UNAVAILABLE);
    prof_site *asks = site_with("asks", PROF_SITE_GPU_SYNC);
    prof_end(prof_begin(asks));
    tell_driver("fake_cuda_refuse_waits", 1);
    prof_end(prof_begin(asks));
    prof_snapshot *snapshot = take();
    check_unbounded(snapshot, "asks", "in use by another tool");
    prof_snapshot_close(snapshot);
}

CASE(where_a_call_was_ended_by_the_end_of_another_there_is_no_bound)
{
    setenv("FAKE_CUPTI_TAKEN", "1", 1);
    CHECK_I64(begin(), PROF_E_UNAVAILABLE);
    prof_site *asks = site_with("asks", PROF_SITE_GPU_SYNC);
    prof_end(prof_begin(asks));
    prof_scope around = prof_begin(site("around"));
    prof_begin(asks);
    prof_begin(site("inside"));
    prof_end(around);
    CHECK_U64(waits_of_driver(), 1);
    prof_snapshot *snapshot = take();
    check_unbounded(snapshot, "asks", "in use by another tool");
    prof_snapshot_close(snapshot);
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

static uint32_t is_enough;

static void *end_calls_that_wait(void *asks)
{
    while (!__atomic_load_n(&is_enough, __ATOMIC_RELAXED))
        prof_end(prof_begin(asks));
    return NULL;
}

/* Each such end looks for the driver, as long as it is not loaded. */
CASE(forks_beside_calls_that_look_for_the_driver_leave_children_a_loader_that_works)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    SKIP("the sanitizers leave their own locks to the child as they were; the plain build runs this case");
#endif
    enum { FORKS = 150 };
    pthread_t thread;
    start();
    CHECK_I64(pthread_create(&thread, NULL, end_calls_that_wait, site_with("asks", PROF_SITE_GPU_SYNC)), 0);
    for (unsigned i = 0; i < FORKS && !test_failed; i++) {
        int how = -1;
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            _exit(dlopen("libm.so.6", RTLD_NOW) == NULL || dlopen("libanl.so.1", RTLD_NOW) == NULL);
        }
        CHECK(waitpid(child, &how, 0) == child && how == 0);
    }
    __atomic_store_n(&is_enough, 1u, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
}

CASE(a_call_waits_as_soon_as_the_process_uses_cuda_and_not_before)
{
    prof_site *asks = site_with("asks", PROF_SITE_GPU_SYNC);
    setenv("FAKE_CUDA_UNUSED", "1", 1);
    start();
    prof_end(prof_begin(asks)); /* no driver is loaded, and none is by that */
    CHECK(dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD) == NULL);
    load("libcuda.so.1");
    prof_end(prof_begin(asks));
    CHECK_U64(waits_of_driver(), 0);
    tell_driver("fake_cuda_use", 1);
    prof_end(prof_begin(asks));
    CHECK_U64(waits_of_driver(), 1);
}

CASE(under_nsight_cupti_is_left_alone)
{
    setenv("NSYS_PROFILING_SESSION_ID", "1", 1);
    check_unavailable("NSYS_PROFILING_SESSION_ID");
    CHECK_U64(gpu->subscribers(), 0);
}

CASE(a_cupti_that_is_too_old_is_named)
{
    setenv("FAKE_CUPTI_VERSION", "12", 1);
    check_unavailable("version 12");
}

static void check_refused(const char *function)
{
    setenv("FAKE_CUPTI_REFUSES", function, 1);
    check_unavailable("CUPTI");
    CHECK_U64(gpu->subscribers(), 0);
}
CASE(a_cupti_that_refuses_a_subscriber_is_given_up) { check_refused("cuptiSubscribe"); }
CASE(a_cupti_that_refuses_buffers_is_given_up) { check_refused("cuptiActivityRegisterCallbacks"); }
CASE(a_cupti_that_refuses_to_trace_is_given_up) { check_refused("cuptiActivityEnable"); }
CASE(a_cupti_that_tells_of_no_launch_is_given_up) { check_refused("cuptiGetCallbackName"); }

CASE(a_driver_without_devices_is_said)
{
    setenv("FAKE_CUDA_DEVICES", "0", 1);
    check_unavailable("no device");
}

CASE(a_process_that_has_not_initialised_cuda_is_waited_for)
{
    setenv("FAKE_CUDA_UNUSED", "1", 1);
    CHECK_I64(begin(), PROF_E_UNAVAILABLE);
    CHECK_I64(status().state, PROF_GPU_WAITING);
    CHECK_U64(gpu->subscribers(), 0);
    setenv("FAKE_CUDA_UNUSED", "0", 1);
    CHECK_I64(prof_gpu_start(NULL), PROF_OK);
    CHECK_I64(status().state, PROF_GPU_ON);
}

/* ---- its life ---- */

CASE(only_what_starts_work_is_listened_to_and_all_is_given_back_at_the_stop)
{
    CHECK_I64(begin(), PROF_OK);
    CHECK_U64(gpu->subscribers(), 1);
    CHECK_U64(gpu->enabled_functions(), 5);
    CHECK(gpu->enabled_kinds() >= 4);
    CHECK(gpu->clock() != 0);
    launch_in("before the stop", now_ns, now_ns + 9);
    stop();
    CHECK_U64(gpu->subscribers(), 0);
    CHECK_U64(gpu->enabled_kinds(), 0);
    CHECK_I64(status().state, PROF_GPU_OFF);
    CHECK_U64(work_of("before the stop").kernel_count, 1);
    start();
    CHECK_I64(prof_gpu_start(NULL), PROF_OK);
    launch_in("after it", now_ns, now_ns + 9);
    CHECK_U64(work_of("after it").kernel_count, 1);
}

CASE(a_stop_gives_cupti_free_for_others_until_it_is_started_again)
{
    CHECK_I64(begin(), PROF_OK);
    launch_in("before", now_ns, now_ns + 9);
    CHECK_I64(prof_gpu_stop(NULL), PROF_OK);
    CHECK_U64(gpu->subscribers(), 0);
    CHECK_U64(gpu->enabled_kinds(), 0);
    CHECK_I64(status().state, PROF_GPU_OFF);
    CHECK_HAS(status().reason, "prof_gpu_stop()");
    launch_in("between", now_ns + 10, now_ns + 19);
    CHECK_U64(work_of("before").kernel_count, 1);
    CHECK_U64(work_of("between").kernel_count, 0);
    stop();
    start();
    usleep(300000); /* the thread that begins by itself looks meanwhile */
    CHECK_U64(gpu->subscribers(), 0);
    CHECK_I64(prof_gpu_stop(NULL), PROF_OK);
    CHECK_I64(prof_gpu_start(NULL), PROF_OK);
    CHECK_U64(gpu->subscribers(), 1);
    launch_in("after", now_ns + 20, now_ns + 29);
    CHECK_U64(work_of("after").kernel_count, 1);
    CHECK_U64(totals().kernel_count, 2);
    CHECK_U64(totals().flags, 0);
}

CASE(where_another_tool_takes_the_buffers_tracing_ends_says_so_and_counts_what_was_lost)
{
    enum { SECONDS = 60 };
    unsigned lost = 0;
    CHECK_I64(begin(), PROF_OK);
    launch_in("ours", now_ns, now_ns + 9);
    CHECK_U64(work_of("ours").kernel_count, 1);
    unsigned kinds = gpu->enabled_kinds();
    gpu->rival();
    for (time_t end = time(NULL) + SECONDS; status().state == PROF_GPU_ON && time(NULL) < end; usleep(100000)) {
        launch_in("theirs", now_ns, now_ns + 9);
        gpu->wait(gpu->call("cudaStreamSynchronize"), now_ns, now_ns + 9);
        lost++;
    }
    CHECK_I64(status().state, PROF_GPU_UNAVAILABLE);
    CHECK_HAS(status().reason, "another tool has taken its buffers");
    CHECK_U64(gpu->subscribers(), 0);
    CHECK_U64(gpu->enabled_kinds(), kinds - 2); /* the other may have asked for the same; of memory it has not */
    CHECK_U64(totals().kernel_count, 1);
    CHECK(totals().dropped_count + 1 >= lost && totals().dropped_count <= lost);
    usleep(300000);
    CHECK_U64(gpu->subscribers(), 0); /* it is not taken back by itself */
    CHECK_I64(prof_gpu_start(NULL), PROF_OK);
    launch_in("again", now_ns, now_ns + 9);
    CHECK_U64(work_of("again").kernel_count, 1);
}

CASE(a_kernel_that_runs_on_while_nobody_waits_is_no_sign_of_another_tool)
{
    CHECK_I64(begin(), PROF_OK);
    gpu->deliver_on_flush(0);
    for (unsigned i = 0; i < 45; i++, usleep(100000))
        launch_in("long", now_ns, now_ns + 9);
    CHECK_I64(status().state, PROF_GPU_ON);
    gpu->deliver(0, 0);
    CHECK_U64(work_of("long").kernel_count, 45);
}

CASE(starts_that_nest_leave_tracing_as_it_is)
{
    CHECK_I64(begin(), PROF_OK);
    start();
    CHECK_I64(prof_gpu_start(NULL), PROF_OK);
    CHECK_I64(status().state, PROF_GPU_ON);
    stop();
    CHECK_I64(status().state, PROF_GPU_ON);
    launch_in("nested", now_ns, now_ns + 9);
    CHECK_U64(work_of("nested").kernel_count, 1);
    stop();
    CHECK_U64(gpu->subscribers(), 0);
}

CASE(where_cupti_does_not_go_on_after_a_pause_tracing_ends_and_says_why)
{
    setenv("PROFCORE_GPU_BUDGET", "2%", 1);
    CHECK_I64(begin(), PROF_OK);
    prof_site *many = site("many");
    for (time_t end = time(NULL) + 60; gpu->enabled_functions() != 0 && time(NULL) < end;) {
        prof_scope scope = prof_begin(many);
        for (unsigned i = 0; i < 2000; i++)
            gpu->kernel(gpu->call("cudaLaunchKernel"), 0, 1, now_ns, now_ns + 5, "k", 0);
        prof_end(scope);
    }
    gpu->refuse("cuptiActivityEnable");
    for (time_t end = time(NULL) + 60; status().state == PROF_GPU_ON && time(NULL) < end;)
        usleep(1000);
    CHECK_I64(status().state, PROF_GPU_UNAVAILABLE);
    CHECK_HAS(status().reason, "CUPTI traces no GPU work");
    CHECK_U64(gpu->subscribers(), 0);
    CHECK_U64(gpu->enabled_kinds(), 0);
    CHECK(totals().elapsed_ns < (uint64_t)200 * 1000000000);
    usleep(300000);
    CHECK_I64(status().state, PROF_GPU_UNAVAILABLE);
}

CASE(a_forked_child_that_begins_before_its_first_scope_traces_and_ends)
{
#ifdef __SANITIZE_THREAD__
    SKIP("ThreadSanitizer ends a child that starts threads");
#endif
    CHECK_I64(begin(), PROF_OK);
    stop();
    setenv("FAKE_CUDA_UNUSED", "1", 1); /* or the parent's thread may have CUPTI again by the fork, which the fake then says is taken */
    start();
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        setenv("FAKE_CUDA_UNUSED", "0", 1);
        CHECK_I64(prof_gpu_start(NULL), PROF_OK);
        launch_in("in the child", now_ns, now_ns + 9);
        CHECK_I64(status().state, PROF_GPU_ON);
        CHECK_U64(work_of("in the child").kernel_count, 1);
        stop();
        CHECK_U64(gpu->subscribers(), 0);
        _exit(test_failed);
    }
    end_child(child);
}

CASE(a_forked_child_has_no_part_in_its_parents_gpu)
{
#ifdef __SANITIZE_THREAD__
    SKIP("ThreadSanitizer ends a child that starts threads");
#endif
    CHECK_I64(begin(), PROF_OK);
    launch_in("parent", now_ns, now_ns + 9);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        prof_scope scope = prof_begin(site("child"));
        pass(5);
        prof_end(scope);
        CHECK_U64(work_of("child").kernel_count, 0);
        CHECK(status().state != PROF_GPU_ON);
        _exit(test_failed);
    }
    end_child(child);
    CHECK_U64(work_of("parent").kernel_count, 1);
}

static void *launch_and_end(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 1000; i++) {
        prof_scope scope = prof_begin(site("threads"));
        gpu->kernel(gpu->call("cudaLaunchKernel"), 0, 1, 1000 + i, 1001 + i, "k", 0);
        prof_end(scope);
    }
    return NULL;
}

CASE(threads_launch_while_others_deliver_and_take_snapshots)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    CHECK_I64(begin(), PROF_OK);
    for (unsigned i = 0; i < THREADS; i++)
        CHECK_I64(pthread_create(&threads[i], NULL, launch_and_end, NULL), 0);
    for (unsigned i = 0; i < 20; i++)
        prof_snapshot_close(take());
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    prof_gpu_work work = work_of("threads");
    CHECK_U64(work.kernel_count, THREADS * 1000);
    CHECK_U64(work.launch_count, THREADS * 1000);
}

enum { ROUNDS = 500 };
static pthread_barrier_t round_begins, round_ends;

/* With a start on another thread at once, which leaves the recorder on, whichever is first. */
static void *stop_each_round(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < ROUNDS; i++) {
        pthread_barrier_wait(&round_begins);
        CHECK_I64(prof_stop(NULL), PROF_OK);
        pthread_barrier_wait(&round_ends);
    }
    return NULL;
}

static void hammer_starts(void)
{
    pthread_t thread;
    CHECK_I64(begin(), PROF_OK);
    pthread_barrier_init(&round_begins, NULL, 2);
    pthread_barrier_init(&round_ends, NULL, 2);
    CHECK_I64(pthread_create(&thread, NULL, stop_each_round, NULL), 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        pthread_barrier_wait(&round_begins);
        for (volatile unsigned wait = i * 61 % 3000; wait != 0; wait--) /* so that it comes at any moment of the stop */
            continue;
        CHECK_I64(prof_start(NULL, NULL), PROF_OK);
        pthread_barrier_wait(&round_ends);
        const prof_gpu_info now = status();
        CHECK_STR(now.state == PROF_GPU_ON || now.state == PROF_GPU_WAITING ? "" : now.reason, "");
    }
    pthread_join(thread, NULL);
    for (time_t end = time(NULL) + 60; status().state != PROF_GPU_ON && time(NULL) < end;)
        usleep(1000);
    launch_in("after all", now_ns, now_ns + 9);
    CHECK_U64(work_of("after all").kernel_count, 1);
    stop();
    CHECK_U64(gpu->subscribers(), 0);
    CHECK_I64(status().state, PROF_GPU_OFF);
}
TEST(a_start_and_a_stop_at_once_leave_tracing_wanted) { in_child_within(hammer_starts, 240); }

CASE(a_stop_that_gets_to_its_end_after_a_start_ends_nothing)
{
    CHECK_I64(begin(), PROF_OK);
    profi_gpu_session_unwant(); /* as prof_stop() does, in its two steps, with prof_start() between them */
    CHECK(profi_gpu_session_want(1));
    profi_gpu_session_end();
    CHECK_I64(status().state, PROF_GPU_ON);
    CHECK_U64(gpu->subscribers(), 1);
    profi_gpu_session_unwant();
    profi_gpu_session_end();
    CHECK_I64(status().state, PROF_GPU_OFF);
    CHECK_U64(gpu->subscribers(), 0);
}

/* 30 s are a hang. */
#define WAIT_UNTIL(condition)                                                      \
    do {                                                                           \
        for (time_t end = time(NULL) + 30; !(condition) && time(NULL) < end;)      \
            usleep(1000);                                                          \
        CHECK(condition);                                                          \
    } while (0)

CASE(a_stop_that_cannot_wait_for_a_long_call_of_cupti_is_carried_out_when_that_is_over)
{
    CHECK_I64(begin(), PROF_OK);
    gpu->hold_flushes(1);
    WAIT_UNTIL(gpu->flushes_held() == 1); /* the library's thread */
    CHECK_I64(prof_gpu_stop(NULL), PROF_OK);
    CHECK_U64(gpu->subscribers(), 1);
    gpu->hold_flushes(0);
    WAIT_UNTIL(status().state == PROF_GPU_OFF);
    CHECK_U64(gpu->subscribers(), 0);
    CHECK_U64(gpu->enabled_kinds(), 0);
}

CASE(what_was_unavailable_and_is_started_anew_is_looked_after_again)
{
    setenv("FAKE_CUPTI_TAKEN", "1", 1);
    CHECK_I64(begin(), PROF_E_UNAVAILABLE);
    usleep(300000); /* in which the library's thread gives up */
    setenv("FAKE_CUPTI_TAKEN", "0", 1);
    CHECK_I64(prof_gpu_start(NULL), PROF_OK);
    launch_in("afterwards", now_ns + 10, now_ns + 20);
    uint64_t events = stats().event_count;
    WAIT_UNTIL(stats().event_count > events); /* the kernel's span, which nobody but that thread writes here */
}

static void *start_and_stop(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < ROUNDS; i++) {
        CHECK_I64(prof_start(NULL, NULL), PROF_OK);
        CHECK_I64(prof_stop(NULL), PROF_OK);
    }
    return NULL;
}

static void *let_go_and_take(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < ROUNDS; i++) {
        CHECK_I64(prof_gpu_stop(NULL), PROF_OK);
        prof_gpu_start(NULL); /* which the other threads' stops may refuse */
    }
    return NULL;
}

static void hammer_all(void)
{
    static void *(*const all[])(void *) = { start_and_stop, let_go_and_take, let_go_and_take, launch_and_end };
    enum { THREADS = sizeof(all) / sizeof(*all) };
    pthread_t threads[THREADS];
    CHECK_I64(begin(), PROF_OK);
    stop();
    for (unsigned i = 0; i < THREADS; i++)
        CHECK_I64(pthread_create(&threads[i], NULL, all[i], NULL), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_U64(gpu->subscribers(), 0);
    CHECK(status().state != PROF_GPU_ON);
    start();
    CHECK_I64(prof_gpu_start(NULL), PROF_OK);
    launch_in("after all", now_ns, now_ns + 9);
    CHECK_U64(work_of("after all").kernel_count, 1);
    stop();
    CHECK_U64(gpu->subscribers(), 0);
}
TEST(starts_and_stops_of_the_recorder_and_of_gpu_work_at_once_end_as_the_last_wants_it) { in_child_within(hammer_all, 240); }

CASE(a_site_that_asks_waits_for_the_gpu_before_its_calls_end_and_the_report_says_so)
{
    CHECK_I64(begin(), PROF_OK);
    prof_site *asks = site_with("asks", PROF_SITE_GPU_SYNC), *next = site("next");
    for (unsigned i = 1; i <= 3; i++) {
        prof_scope scope = prof_begin(asks);
        gpu->kernel(gpu->call("cudaLaunchKernel"), 0, 1, now_ns, now_ns + 30, "k", 0);
        CHECK_U64(waits_of_driver(), i - 1);
        prof_end(scope);
        CHECK_U64(waits_of_driver(), i);
    }
    prof_end(prof_phase(prof_begin(asks), next));
    CHECK_U64(waits_of_driver(), 4);
    CHECK_U64(work_of("asks").flags, PROF_GPU_WORK_IS_WAITED);
}

CASE(what_the_driver_hands_out_is_a_pool_whose_peaks_nest_in_scopes)
{
    CHECK_I64(begin(), PROF_OK);
    prof_site *outer_site = site("outer memory"), *inner_site = site("inner memory");
    prof_scope outer = prof_begin(outer_site);
    pass(10);
    gpu->memory(0, 0x1000, 4096, now_ns);
    pass(10);
    prof_scope inner = prof_begin(inner_site);
    pass(10);
    gpu->memory(0, 0x9000, 1000, now_ns);
    pass(10);
    gpu->memory(1, 0x9000, 1000, now_ns);
    pass(10);
    prof_end(inner);
    pass(10);
    gpu->memory(1, 0x1000, 4096, now_ns);
    pass(10);
    prof_end(outer);
    pass(10); /* what is complete is what was before now */
    prof_status around_status, inside_status;
    prof_measure around = measure_of("outer memory", "cuda:0.allocated", &around_status, NULL);
    prof_measure inside = measure_of("inner memory", "cuda:0.allocated", &inside_status, NULL);
    CHECK_I64(around_status, PROF_OK);
    CHECK_I64(inside_status, PROF_OK);
    CHECK_U64(around.peak, 5096);
    CHECK_U64(around.peak_begin, 0);
    CHECK_U64(around.peak_end, 0);
    CHECK_U64(inside.peak, 5096);
    CHECK_U64(inside.peak_begin, 4096);
    CHECK_U64(inside.rise, 1000);
}

static void *launch_once(void *name)
{
    launch_in(name, now_ns + 10, now_ns + 90);
    return NULL;
}

CASE(work_that_comes_after_its_thread_has_ended_is_still_the_scopes)
{
    pthread_t thread;
    CHECK_I64(begin(), PROF_OK);
    gpu->deliver_on_flush(0);
    CHECK_I64(pthread_create(&thread, NULL, launch_once, (void *)(uintptr_t)"ended"), 0);
    pthread_join(thread, NULL);
    gpu->deliver(0, 0);
    CHECK_U64(work_of("ended").busy_ns, 80);
}

static uint32_t is_over;

static void *launch_on_and_on(void *unused)
{
    (void)unused;
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
        prof_scope scope = prof_begin(site("on and on"));
        gpu->kernel(gpu->call("cudaLaunchKernel"), 0, 1, 1000, 1001, "k", 0);
        prof_end(scope);
    }
    return NULL;
}

CASE(a_thread_launches_while_others_fork)
{
    pthread_t thread;
#ifdef __SANITIZE_THREAD__
    SKIP("ThreadSanitizer ends a child that starts threads");
#endif
    CHECK_I64(begin(), PROF_OK);
    CHECK_I64(pthread_create(&thread, NULL, launch_on_and_on, NULL), 0);
    for (unsigned i = 0; i < 50; i++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            alarm(60);
            prof_scope scope = prof_begin(site("forked"));
            prof_end(scope);
            prof_snapshot_close(take());
            _exit(test_failed);
        }
        end_child(child);
    }
    __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    CHECK(work_of("on and on").kernel_count > 0);
}

/* ---- against the loader's lock, and the end ---- */

static sem_t is_loading;

/* In a plug-in's constructor, with the loader's lock. */
static void fork_once(void)
{
    sem_post(&is_loading);
    usleep(300000); /* the other thread waits for the loader by then, if it does */
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    end_child(child);
}

static void *fork_while_loading(void *unused)
{
    (void)unused;
    load("libgpu_plugin.so");
    return NULL;
}

/* Before there is any thread that reads the environment. */
static void prepare_plugin(void)
{
    char address[32];
    snprintf(address, sizeof(address), "%" PRIxPTR, (uintptr_t)fork_once);
    setenv("PLUGIN_CALLS", address, 1);
    sem_init(&is_loading, 0, 0);
}

static void settle_while_loading(void)
{
    pthread_t thread;
    prepare_plugin();
    CHECK_I64(begin(), PROF_OK);
    gpu->deliver_on_flush(0);
    prof_scope scope = prof_begin(site("demangled"));
    gpu->kernel(gpu->call("cudaLaunchKernel"), 0, 1, now_ns, now_ns + 5, "_Z5saxpyPKfPfi", 0);
    prof_end(scope);
    CHECK_I64(pthread_create(&thread, NULL, fork_while_loading, NULL), 0);
    sem_wait(&is_loading);
    gpu->deliver(0, 0);
    CHECK_U64(work_of("demangled").kernel_count, 1);
    pthread_join(thread, NULL);
}
TEST(a_fork_while_a_library_is_loaded_and_kernels_get_their_names_does_not_hang) { in_child_within(settle_while_loading, 60); }

static void start_while_loading(void)
{
    pthread_t thread;
    unsetenv("PROFCORE_GPU"); /* so that it is looked for */
    prepare_plugin();
    start();
    stop();
    CHECK_I64(pthread_create(&thread, NULL, fork_while_loading, NULL), 0);
    sem_wait(&is_loading);
    start();
    stop();
    pthread_join(thread, NULL);
}
TEST(a_fork_while_a_library_is_loaded_and_recording_starts_does_not_hang) { in_child_within(start_while_loading, 60); }

static void *begin_on_and_on(void *unused)
{
    for (;;)
        prof_gpu_start(NULL);
    return unused;
}

/* After all handlers of the library's, and of what the process has loaded since. */
static void check_that_it_is_over(void)
{
    for (unsigned i = 0; i < 300; i++, usleep(1000))
        CHECK_U64(gpu->subscribers(), 0);
    fflush(stdout);
    _exit(test_failed);
}

static void exit_while_beginning(void)
{
    pthread_t thread;
    CHECK_I64(atexit(check_that_it_is_over), 0);
    CHECK_I64(begin(), PROF_OK);
    CHECK_I64(pthread_create(&thread, NULL, begin_on_and_on, NULL), 0);
    usleep(20000);
    exit(1);
}

TEST(nothing_begins_when_the_process_ends)
{
    for (unsigned i = 0; i < 4; i++)
        in_child_within(exit_while_beginning, 60);
}

static void exit_while_launching(void)
{
    pthread_t thread;
    CHECK_I64(begin(), PROF_OK);
    CHECK_I64(pthread_create(&thread, NULL, launch_on_and_on, NULL), 0);
    usleep(20000);
    exit(test_failed);
}

TEST(a_process_exits_while_a_thread_launches)
{
    for (unsigned i = 0; i < 8; i++)
        in_child_within(exit_while_launching, 60);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
