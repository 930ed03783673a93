/* SPDX-License-Identifier: Apache-2.0 */
/* GPU work by scope: what is whose, and how much. */
#include "gpu_testing.h"

#include "gpu/work.h"
#include "model/snapshot.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

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

static uint64_t span_count(const prof_snapshot *snapshot)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < prof_snapshot_span_count(snapshot); i++) {
        prof_function row = PROF_FUNCTION_INIT;
        CHECK_I64(prof_snapshot_span(snapshot, i, &row, NULL), PROF_OK);
        sum += row.calls;
    }
    return sum;
}

/* The run's spans and those that it says were lost, in memory and in a file, are as many as these. */
static void check_spans(uint64_t held, uint64_t lost)
{
    prof_snapshot *snapshot = take();
    for (int i = 0; i < 2; i++) {
        CHECK_U64(span_count(snapshot), held);
        CHECK_U64(snapshot->lost_values, lost);
        prof_snapshot *read = written_and_read(snapshot);
        prof_snapshot_close(snapshot);
        snapshot = read;
    }
    prof_snapshot_close(snapshot);
}

static void spend_memory(void)
{
    char name[64];
    prof_site *made;
    prof_status status = PROF_OK;
    for (unsigned i = 0; status == PROF_OK; i++) {
        snprintf(name, sizeof(name), "as long as a stream's %u", i);
        status = prof_site_get(name, SIZE_MAX, "gpu", 0, 0, &made, NULL);
    }
    CHECK_I64(status, PROF_E_NO_MEMORY);
}

CASE(spans_for_whose_kernel_or_stream_there_is_no_memory_are_counted)
{
    enum { NAMES = 100, LAUNCHES = 3 };
    static char names[NAMES][16]; /* as CUPTI's, they outlive their records */
    setenv("PROFCORE_MEMORY", "1MiB", 1);
    CHECK_I64(begin(), PROF_OK);
    prof_scope scope = prof_begin(site("many"));
    gpu->kernel(gpu->call("cudaLaunchKernel"), 0, 1, now_ns, now_ns + 5, "known", 0);
    check_spans(1, 0);
    spend_memory();
    for (unsigned i = 0; i < LAUNCHES; i++) {
        gpu->kernel(gpu->call("cudaLaunchKernel"), 0, 1, now_ns, now_ns + 5, "known", 0);
        gpu->kernel(gpu->call("cudaLaunchKernel"), 0, 2, now_ns, now_ns + 5, "known", 0); /* of a stream that is new */
    }
    check_spans(1 + LAUNCHES, LAUNCHES);
    for (unsigned i = 0; i < NAMES; i++) {
        snprintf(names[i], sizeof(names[i]), "kernel %u", i);
        gpu->kernel(gpu->call("cudaLaunchKernel"), 0, 1, now_ns, now_ns + 5, names[i], 0);
    }
    check_spans(1 + LAUNCHES, LAUNCHES + NAMES);
    prof_end(scope);
    CHECK_U64(work_of("many").kernel_count, 1 + 2 * LAUNCHES + NAMES);
    CHECK_U64(totals().dropped_count, 0);
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

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
