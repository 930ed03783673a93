/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a launch on a GPU costs while GPU work is traced, with a CUPTI that
 * only looks like one: what NVIDIA's own costs comes on top.
 *
 *     gpu_bench FOLDER-OF-FAKES COUNT
 *
 * prints COUNT lines: a scope that launches a kernel, in nanoseconds, and as a
 * ratio to the same while nothing is traced, in turn; and the same of what its
 * record takes when it comes back, until it is counted and on the timeline.
 */
#include <profcore/gpu.h>

#include "../fake_gpu/fake_gpu.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LAUNCHES = 20000 };

static const fake_gpu *gpu;

/* Of a processor's time, so that other work on the machine shows less. */
static double now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void *load(const char *folder, const char *soname)
{
    char path[1024];
    snprintf(path, sizeof(path), "%s/%s", folder, soname);
    void *library = dlopen(path, RTLD_NOW);
    if (library == NULL) {
        fprintf(stderr, "gpu_bench: %s\n", dlerror());
        exit(1);
    }
    return library;
}

/* Nanoseconds of one. */
static double launch_many(uint32_t *ids)
{
    double begin = now_ns(CLOCK_THREAD_CPUTIME_ID);
    for (unsigned i = 0; i < LAUNCHES; i++)
        PROF_SCOPE("launch")
            ids[i] = gpu->call("cudaLaunchKernel");
    return (now_ns(CLOCK_THREAD_CPUTIME_ID) - begin) / LAUNCHES;
}

/* What comes back for them, and is counted by the stop, or by the library's thread. */
static double take_records(const uint32_t *ids)
{
    uint64_t at = (uint64_t)now_ns(CLOCK_MONOTONIC);
    for (unsigned i = 0; i < LAUNCHES; i++)
        gpu->kernel(ids[i], 0, 7, at + i * 10, at + i * 10 + 5, "kernel", 0);
    double begin = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    if (prof_gpu_stop(NULL) != PROF_OK)
        exit(1);
    return (now_ns(CLOCK_PROCESS_CPUTIME_ID) - begin) / LAUNCHES;
}

int main(int argc, char **argv)
{
    static uint32_t ids[LAUNCHES];
    prof_error why = PROF_ERROR_INIT;
    fake_gpu_get get = NULL;
    if (argc != 3)
        return 2;
    setenv("PROFCORE_GPU_BUDGET", "100%", 1);
    load(argv[1], "libcuda.so.1");
    void *found = dlsym(load(argv[1], "libcupti.so.13"), FAKE_GPU_GET);
    memcpy(&get, &found, sizeof(get));
    gpu = get();
    if (prof_start(&(prof_options)PROF_OPTIONS_INIT, &why) != PROF_OK || prof_gpu_stop(&why) != PROF_OK)
        return 1;
    launch_many(ids);
    for (int i = atoi(argv[2]); i > 0; i--) {
        double off = launch_many(ids);
        if (prof_gpu_start(&why) != PROF_OK) {
            fprintf(stderr, "gpu_bench: %s\n", why.message);
            return 1;
        }
        double on = launch_many(ids);
        double record = take_records(ids);
        printf("%.2f %.3f %.2f %.3f\n", on, on / off, record, record / off);
    }
    prof_stop(NULL);
    return 0;
}
