/* SPDX-License-Identifier: Apache-2.0 */
/* See session.h. */
#include "session.h"

#include "../base/clock.h"
#include "work.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static profi_gpu_session session = { .state = PROF_GPU_OFF, .reason = "nothing was recorded yet" };

void profi_gpu_session_refuse(prof_gpu_state state, const char *reason)
{
    pthread_mutex_lock(&lock);
    session.state = state;
    snprintf(session.reason, sizeof(session.reason), "%s", reason);
    pthread_mutex_unlock(&lock);
}

/* Under the lock. */
static prof_gpu_state try_to_begin(void)
{
    static const prof_gpu_state states[] = { [PROFI_CUPTI_WAITS] = PROF_GPU_WAITING, [PROFI_CUPTI_RUNS] = PROF_GPU_ON,
                                             [PROFI_CUPTI_FAILED] = PROF_GPU_UNAVAILABLE };
    if (session.state == PROF_GPU_ON)
        return PROF_GPU_ON;
    session.state = states[profi_cupti_start(session.reason)];
    session.cupti_version = profi_cupti_version();
    if (session.state == PROF_GPU_ON && !session.has_begun) {
        session.since_tick = profi_clock_now();
        session.has_begun = 1;
    }
    return session.state;
}

prof_gpu_state profi_gpu_session_try(void)
{
    pthread_mutex_lock(&lock);
    prof_gpu_state state = try_to_begin();
    pthread_mutex_unlock(&lock);
    return state;
}

void profi_gpu_session_settle(void)
{
    pthread_mutex_lock(&lock);
    if (session.state == PROF_GPU_ON)
        profi_cupti_flush();
    pthread_mutex_unlock(&lock);
    profi_gpu_work_settle();
}

void profi_gpu_session_end(void)
{
    pthread_mutex_lock(&lock);
    if (session.state == PROF_GPU_ON) {
        profi_cupti_stop();
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
    profi_cupti_forget();
    profi_gpu_work_forget();
    session = (profi_gpu_session){ .state = PROF_GPU_OFF, .reason = "nothing was recorded yet" };
}
