/* SPDX-License-Identifier: Apache-2.0 */
/* Where GPU work cannot be traced: what is said, and what is known all the same. */
#include "gpu_testing.h"

#include <pthread.h>
#include <stdlib.h>

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

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
