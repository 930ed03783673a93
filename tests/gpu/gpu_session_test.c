/* SPDX-License-Identifier: Apache-2.0 */
/* The life of tracing: starts and stops, other tools, threads, forks, the loader and the end. */
#include "gpu_testing.h"

#include "gpu/session.h"

#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

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

/* Its record keeps a buffer from being handed over. */
static void launch_one_that_runs_on(void)
{
    gpu->deliver_on_flush(0);
    launch_in("on and on", now_ns, 0);
}

/* What others do is over soon; they go on for longer than the patience. */
static void launch_beside(int do_wait)
{
    for (unsigned i = 0; i < 45; i++, usleep(100000)) {
        launch_in("beside", now_ns, now_ns + 9);
        if (do_wait)
            gpu->wait(gpu->call("cudaStreamSynchronize"), now_ns, now_ns + 9);
    }
    CHECK_I64(status().state, PROF_GPU_ON);
}

CASE(a_kernel_that_runs_on_while_nobody_waits_is_no_sign_of_another_tool)
{
    CHECK_I64(begin(), PROF_OK);
    launch_one_that_runs_on();
    launch_beside(0);
    CHECK_U64(totals().kernel_count, 0);
    gpu->deliver(0, 0);
    CHECK_U64(work_of("beside").kernel_count, 45);
}

CASE(a_kernel_that_runs_on_while_others_wait_is_no_sign_of_another_tool_either)
{
    CHECK_I64(begin(), PROF_OK);
    launch_one_that_runs_on();
    launch_beside(1);
    CHECK(totals().kernel_count >= 16); /* they were asked for, to be sure */
    CHECK_U64(totals().dropped_count, 1);
    gpu->deliver(0, 0);
    CHECK_U64(work_of("beside").kernel_count, 45);
}

/* Also on the timeline. */
static void check_end_beside(void (*end)(void))
{
    static char timeline[100000];
    CHECK_I64(begin(), PROF_OK);
    launch_one_that_runs_on();
    launch_in("beside", now_ns, now_ns + 9);
    CHECK_U64(totals().kernel_count, 0);
    end();
    CHECK_U64(work_of("beside").kernel_count, 1);
    CHECK_U64(work_of("beside").busy_ns, 9);
    CHECK_U64(totals().kernel_count, 1);
    CHECK_U64(totals().busy_ns, 9);
    CHECK_U64(totals().dropped_count, 1);
    CHECK_I64(prof_events_write("chrome", append, timeline, NULL), PROF_OK);
    CHECK_HAS(timeline, "saxpy");
}

static void stop_gpu(void) { CHECK_I64(prof_gpu_stop(NULL), PROF_OK); }

CASE(what_was_done_beside_a_kernel_that_runs_on_is_not_lost_at_a_stop) { check_end_beside(stop); }
CASE(what_was_done_beside_a_kernel_that_runs_on_is_not_lost_when_cupti_is_given_free) { check_end_beside(stop_gpu); }

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

static prof_pool_info pool_named(const char *name)
{
    prof_snapshot *snapshot = take();
    prof_pool_info found = PROF_POOL_INFO_INIT;
    for (uint32_t i = 0; found.name == NULL && i < prof_snapshot_pool_count(snapshot); i++) {
        CHECK_I64(prof_snapshot_pool(snapshot, i, &found, NULL), PROF_OK);
        found.name = strcmp(found.name, name) == 0 ? name : NULL;
    }
    CHECK(found.name != NULL);
    prof_snapshot_close(snapshot);
    return found;
}

CASE(what_devices_hold_is_of_the_time_since_tracing_began_and_is_shown_as_of_its_end)
{
    CHECK_I64(begin(), PROF_OK);
    pass(1000);
    gpu->memory(0, 0x1000, 4096, now_ns);
    pass(1000);
    CHECK_U64(pool_named("cuda:0").allocated_bytes, 4096);
    CHECK_U64(pool_named("cuda:0").flags, PROF_POOL_IS_TRACED);
    CHECK_I64(prof_gpu_stop(NULL), PROF_OK);
    pass(1000);
    CHECK_U64(pool_named("cuda:0").allocated_bytes, 4096);
    CHECK_U64(pool_named("cuda:0").flags, PROF_POOL_IS_TRACED | PROF_POOL_HAS_ENDED);
    CHECK_I64(prof_gpu_start(NULL), PROF_OK);
    pass(1000);
    gpu->memory(1, 0x1000, 4096, now_ns);
    gpu->memory(0, 0x9000, 100, now_ns);
    pass(1000);
    CHECK_U64(pool_named("cuda:0").allocated_bytes, 100);
    CHECK_U64(pool_named("cuda:0").allocated_peak_bytes, 4096);
    CHECK_U64(pool_named("cuda:0").flags, PROF_POOL_IS_TRACED);
    fflush(stdout);
#ifndef __SANITIZE_THREAD__ /* which ends a child that starts threads */
    pid_t child = fork();
    if (child == 0) {
        CHECK_U64(pool_named("cuda:0").allocated_bytes + pool_named("cuda:0").allocated_peak_bytes, 0);
        _exit(test_failed);
    }
    end_child(child);
#endif
}

CASE(a_start_that_is_refused_leaves_cupti_to_those_whom_it_was_given_to)
{
    CHECK_I64(begin(), PROF_OK);
    CHECK_I64(prof_gpu_stop(NULL), PROF_OK);
    stop();
    CHECK_I64(prof_gpu_start(NULL), PROF_E_INVALID);
    start();
    usleep(300000); /* the thread that begins by itself looks meanwhile */
    CHECK_U64(gpu->subscribers(), 0);
    CHECK_I64(prof_gpu_start(NULL), PROF_OK);
    CHECK_U64(gpu->subscribers(), 1);
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
