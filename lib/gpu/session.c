/* SPDX-License-Identifier: Apache-2.0 */
/* See session.h. */
#include "session.h"

#include "../base/clock.h"
#include "../record/record.h"
#include "cupti_memory.h"
#include "governor.h"
#include "work.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static profi_gpu_session session = { .state = PROF_GPU_OFF, .reason = "nothing was recorded yet", .share = 1 };
static profi_governor governor;
static uint64_t ended_ns; /* when tracing did */

void profi_gpu_session_refuse(prof_gpu_state state, const char *reason)
{
    pthread_mutex_lock(&lock);
    session.state = state;
    snprintf(session.reason, sizeof(session.reason), "%s", reason);
    pthread_mutex_unlock(&lock);
}

/* Under the lock. */
static uint64_t govern(uint64_t every_ns)
{
    uint32_t was_paused = governor.is_paused;
    uint64_t next = profi_governor_decide(&governor, profi_clock_monotonic_ns(), profi_gpu_work_cost_ns(), every_ns);
    if (governor.is_paused == was_paused)
        return next;
    if (was_paused)
        profi_gpu_work_window();
    if (profi_cupti_pause((int)governor.is_paused, session.reason) == PROFI_CUPTI_FAILED)
        session.state = PROF_GPU_UNAVAILABLE;
    return next;
}

/* Under the lock. */
static prof_gpu_state try_to_begin(void)
{
    static const prof_gpu_state states[] = { [PROFI_CUPTI_WAITS] = PROF_GPU_WAITING, [PROFI_CUPTI_RUNS] = PROF_GPU_ON,
                                             [PROFI_CUPTI_FAILED] = PROF_GPU_UNAVAILABLE };
    if (session.state == PROF_GPU_ON)
        return PROF_GPU_ON;
    uint64_t begin = profi_clock_monotonic_ns();
    session.state = states[profi_cupti_start(session.reason)];
    session.cupti_version = profi_cupti_version();
    if (session.state != PROF_GPU_WAITING && profi_cupti_has_driver())
        profi_record_gpu_wait(profi_cupti_wait_for_gpu);
    if (session.state == PROF_GPU_ON) {
        session.begin_ns = profi_clock_monotonic_ns() - begin;
        session.has_begun = 1;
        governor.share = session.share;
        govern(1);
    }
    return session.state;
}

void profi_gpu_session_budget(double share)
{
    pthread_mutex_lock(&lock);
    session.share = share;
    pthread_mutex_unlock(&lock);
}

static void settle(int is_final)
{
    pthread_mutex_lock(&lock);
    if (session.state == PROF_GPU_ON)
        profi_cupti_flush(is_final);
    pthread_mutex_unlock(&lock);
    profi_gpu_work_settle();
}

uint64_t profi_gpu_session_turn(uint64_t every_ns)
{
    settle(0);
    pthread_mutex_lock(&lock);
    uint64_t next = session.state == PROF_GPU_ON ? govern(every_ns) : profi_clock_monotonic_ns() + every_ns;
    pthread_mutex_unlock(&lock);
    return next;
}

prof_gpu_state profi_gpu_session_try(void)
{
    pthread_mutex_lock(&lock);
    prof_gpu_state state = try_to_begin();
    pthread_mutex_unlock(&lock);
    return state;
}

void profi_gpu_session_settle(void) { settle(1); }

void profi_gpu_session_end(void)
{
    pthread_mutex_lock(&lock);
    if (session.state == PROF_GPU_ON) {
        profi_cupti_stop();
        ended_ns = profi_clock_monotonic_ns();
        session.state = PROF_GPU_OFF;
        snprintf(session.reason, sizeof(session.reason), "recording was stopped");
    }
    pthread_mutex_unlock(&lock);
    profi_gpu_work_settle();
}

profi_gpu_session profi_gpu_session_now(void)
{
    pthread_mutex_lock(&lock);
    profi_gpu_session now = session;
    uint64_t at = session.state == PROF_GPU_ON ? profi_clock_monotonic_ns() : ended_ns;
    now.traced_ns = profi_governor_traced_ns(&governor, at);
    now.elapsed_ns = profi_governor_elapsed_ns(&governor, at);
    now.windows = governor.windows;
    pthread_mutex_unlock(&lock);
    return now;
}

/* The second is the driver's in Windows' subsystem for Linux. */
int profi_gpu_session_may_be(void)
{
    struct stat about;
    return stat("/dev/nvidiactl", &about) == 0 || stat("/dev/dxg", &about) == 0 || profi_cupti_has_driver();
}

void profi_gpu_session_lock(void)
{
    pthread_mutex_lock(&lock);
    profi_gpu_work_lock();
}

void profi_gpu_session_unlock(void)
{
    profi_gpu_work_unlock();
    pthread_mutex_unlock(&lock);
}

/* CUDA does not outlive a fork; a child may begin anew. */
void profi_gpu_session_forget(void)
{
    profi_record_gpu_wait(NULL);
    profi_cupti_forget();
    profi_cupti_memory_forget();
    profi_gpu_work_forget();
    governor = (profi_governor){ 0 };
    session = (profi_gpu_session){ .state = PROF_GPU_OFF, .reason = "nothing was recorded yet", .share = session.share };
}
