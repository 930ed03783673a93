/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GPU work on the simulated clock, with libraries that only look like
 * NVIDIA's and are found as those are: every figure is exact.  Each case runs
 * in a child, as a process has one CUPTI.
 */
#ifndef GPU_TESTING_H
#define GPU_TESTING_H

#include "child.h"
#include "measures.h"
#include "recording.h"
#include "simulated.h"

#include "../fake_gpu/fake_gpu.h"
#include <profcore/gpu.h>
#include <profcore/snapshot.h>

#include <dlfcn.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TO_DEVICE = 1, TO_HOST = 2, ON_DEVICE = 8 };

static const fake_gpu *gpu;

static inline void *load(const char *soname)
{
    void *library = dlopen(soname, RTLD_NOW);
    if (library == NULL)
        printf("# %s\n", dlerror());
    CHECK(library != NULL);
    return library;
}

/* The program uses CUDA; then the library's own start finds CUPTI. */
static inline prof_status begin(void)
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

static inline prof_snapshot *take(void)
{
    prof_snapshot *snapshot = NULL;
    CHECK_I64(prof_snapshot_take(&snapshot, NULL), PROF_OK);
    return snapshot;
}

static inline prof_gpu_work work_of(const char *name)
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

static inline prof_gpu_totals totals(void)
{
    prof_gpu_totals read = PROF_GPU_TOTALS_INIT;
    prof_snapshot *snapshot = take();
    CHECK_I64(prof_snapshot_gpu_totals(snapshot, &read, NULL), PROF_OK);
    prof_snapshot_close(snapshot);
    return read;
}

static inline prof_gpu_info status(void)
{
    prof_gpu_info info = PROF_GPU_INFO_INIT;
    CHECK_I64(prof_gpu_status(&info, NULL), PROF_OK);
    return info;
}

static inline int append(void *text, const void *data, size_t bytes)
{
    strncat(text, data, bytes);
    return 0;
}

/* One launch in a scope of its own, of a kernel that runs from `start` to `end`. */
static inline void launch_in(const char *name, uint64_t start_ns, uint64_t end_ns)
{
    prof_scope scope = prof_begin(site(name));
    uint32_t id = gpu->call("cudaLaunchKernel");
    gpu->kernel(id, 0, 7, start_ns, end_ns, "saxpy", 0);
    pass(10);
    prof_end(scope);
}

static inline prof_snapshot *written_and_read(const prof_snapshot *snapshot)
{
    char path[64];
    prof_snapshot *read = NULL;
    snprintf(path, sizeof(path), "gpu_work_%d.json", (int)getpid());
    CHECK_I64(prof_snapshot_write_file(snapshot, "json", path, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_read_file(path, &read, NULL), PROF_OK);
    unlink(path);
    return read;
}

static inline unsigned waits_of_driver(void)
{
    unsigned (*waits)(void) = NULL;
    void *found = dlsym(load("libcuda.so.1"), "fake_cuda_waits");
    memcpy(&waits, &found, sizeof(waits));
    return waits();
}

static inline void tell_driver(const char *function, int yes)
{
    void (*tell)(int) = NULL;
    void *found = dlsym(load("libcuda.so.1"), function);
    memcpy(&tell, &found, sizeof(tell));
    tell(yes);
}

static inline void check_bound(const prof_snapshot *snapshot, const char *name, uint64_t busy_ns)
{
    prof_gpu_work work = PROF_GPU_WORK_INIT;
    uint32_t id = 0;
    CHECK_I64(prof_snapshot_find(snapshot, name, &id, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_gpu_work(snapshot, id, &work, NULL), PROF_OK);
    CHECK_U64(work.flags, PROF_GPU_WORK_IS_UNTRACED | PROF_GPU_WORK_IS_UPPER_BOUND | PROF_GPU_WORK_IS_WAITED);
    CHECK_U64(work.busy_ns, busy_ns);
    CHECK_U64(work.kernel_count, UINT64_MAX);
}

static inline void check_unbounded(const prof_snapshot *snapshot, const char *name, const char *reason)
{
    prof_gpu_work work = PROF_GPU_WORK_INIT;
    prof_error why = PROF_ERROR_INIT;
    uint32_t id = 0;
    CHECK_I64(prof_snapshot_find(snapshot, name, &id, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_gpu_work(snapshot, id, &work, &why), PROF_E_UNAVAILABLE);
    CHECK_HAS(why.message, reason);
}

/* 30 s are a hang. */
#define WAIT_UNTIL(condition)                                                      \
    do {                                                                           \
        for (time_t end = time(NULL) + 30; !(condition) && time(NULL) < end;)      \
            usleep(1000);                                                          \
        CHECK(condition);                                                          \
    } while (0)

#endif
