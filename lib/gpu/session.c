/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See session.h.  Two locks: `turn` is held over calls of CUPTI, which may
 * take long, or hang with a driver; `lock` over what is known, for a moment.
 * Who only reads waits for the second alone, as does a fork; a stop, an exit
 * or a snapshot waits for the first two seconds at most.
 */
#include "session.h"

#include "../base/clock.h"
#include "../record/record.h"
#include "cupti_memory.h"
#include "governor.h"
#include "work.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER, lock = PTHREAD_MUTEX_INITIALIZER;
#define NOTHING_YET { .state = PROF_GPU_OFF, .reason = "nothing was recorded yet", .share = 1 }
static profi_gpu_session session = NOTHING_YET;
static profi_governor governor;
static int is_wanted, is_over; /* under `lock`; over: the process ends, and CUDA with it */

/* 0 where somebody's call of CUPTI does not return. */
static int take_turn(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 2;
    return pthread_mutex_timedlock(&turn, &until) == 0;
}

void profi_gpu_session_set(prof_gpu_state state, const char *reason)
{
    pthread_mutex_lock(&lock);
    session.state = state;
    snprintf(session.reason, sizeof(session.reason), "%s", reason);
    pthread_mutex_unlock(&lock);
}

static prof_gpu_state state_now(void)
{
    pthread_mutex_lock(&lock);
    prof_gpu_state state = session.state;
    pthread_mutex_unlock(&lock);
    return state;
}

/* With `lock`. */
static void wait_for_cuda(void)
{
    session.state = PROF_GPU_WAITING;
    snprintf(session.reason, sizeof(session.reason), "this process has not initialised CUDA");
}

int profi_gpu_session_want(double share)
{
    pthread_mutex_lock(&lock);
    int is_news = !is_wanted && !session.is_let_go && !is_over;
    if (is_news) {
        is_wanted = 1;
        session.share = share;
    }
    if (is_news && session.state != PROF_GPU_ON) { /* else a stop has not been carried out yet, and will not be */
        wait_for_cuda();
    }
    pthread_mutex_unlock(&lock);
    return is_news;
}

/* With `lock`. */
static void turn_off(void)
{
    session.state = PROF_GPU_OFF;
    snprintf(session.reason, sizeof(session.reason), "%s",
             session.is_let_go ? "prof_gpu_stop() has given CUPTI free for others" : "recording was stopped");
}

void profi_gpu_session_unwant(void)
{
    pthread_mutex_lock(&lock);
    is_wanted = 0;
    pthread_mutex_unlock(&lock);
}

int profi_gpu_session_let_go(int yes)
{
    pthread_mutex_lock(&lock);
    int was = session.is_let_go;
    session.is_let_go = yes;
    if (yes) {
        is_wanted = 0;
        if (session.state != PROF_GPU_ON)
            turn_off();
    }
    pthread_mutex_unlock(&lock);
    return was;
}

/* Before CUDA's own handlers, which were registered when the process initialised it; after them nothing comes any more. */
static void end_at_exit(void)
{
    pthread_mutex_lock(&lock);
    is_over = 1;
    is_wanted = 0;
    pthread_mutex_unlock(&lock);
    profi_gpu_session_end();
}

/* ---- with the turn ---- */

static void fail(const char *reason)
{
    pthread_mutex_lock(&lock);
    profi_governor_stop(&governor, profi_clock_monotonic_ns());
    pthread_mutex_unlock(&lock);
    profi_gpu_session_set(PROF_GPU_UNAVAILABLE, reason);
}

/* Somebody may want it again meanwhile: then it is to begin anew. */
static void stop_if_unwanted(void)
{
    pthread_mutex_lock(&lock);
    int is_due = !is_wanted && session.state == PROF_GPU_ON;
    pthread_mutex_unlock(&lock);
    if (!is_due)
        return;
    profi_cupti_stop();
    pthread_mutex_lock(&lock);
    profi_governor_stop(&governor, profi_clock_monotonic_ns());
    turn_off();
    if (is_wanted)
        wait_for_cuda();
    pthread_mutex_unlock(&lock);
}

static void stop_if_taken(void)
{
    char reason[PROFI_GPU_REASON];
    if (state_now() != PROF_GPU_ON || !profi_cupti_is_taken(reason))
        return;
    profi_cupti_leave();
    fail(reason);
}

static uint64_t govern(uint64_t every_ns)
{
    char reason[PROFI_GPU_REASON];
    uint64_t cost_ns = profi_gpu_work_cost_ns();
    pthread_mutex_lock(&lock);
    uint32_t was_paused = governor.is_paused;
    uint64_t next = profi_governor_decide(&governor, profi_clock_monotonic_ns(), cost_ns, every_ns);
    uint32_t is_paused = governor.is_paused;
    pthread_mutex_unlock(&lock);
    if (is_paused == was_paused)
        return next;
    if (was_paused)
        profi_gpu_work_window();
    if (profi_cupti_pause((int)is_paused, reason) == PROFI_GPU_FAILED) {
        profi_cupti_stop();
        fail(reason);
    }
    return next;
}

static void begun(uint64_t begin_ns)
{
    pthread_mutex_lock(&lock);
    int is_first = !session.has_begun;
    session.has_begun = 1;
    session.state = PROF_GPU_ON;
    session.reason[0] = '\0';
    session.begin_ns = begin_ns;
    session.cupti_version = profi_cupti_version();
    governor.share = session.share;
    profi_governor_begin(&governor, profi_clock_monotonic_ns());
    pthread_mutex_unlock(&lock);
    if (!is_first)
        profi_gpu_work_window();
}

static void begin(void)
{
    static int is_registered;
    char reason[PROFI_GPU_REASON];
    uint64_t start_ns = profi_clock_monotonic_ns();
    profi_gpu_found found = profi_driver_look(reason);
    if (found == PROFI_GPU_RUNS && !is_registered) {
        is_registered = 1;
        atexit(end_at_exit);
    }
    if (found == PROFI_GPU_RUNS)
        found = profi_cupti_start(reason);
    if (found == PROFI_GPU_RUNS)
        begun(profi_clock_monotonic_ns() - start_ns);
    else
        profi_gpu_session_set(found == PROFI_GPU_NOT_YET ? PROF_GPU_WAITING : PROF_GPU_UNAVAILABLE, reason);
}

/* ---- for all ---- */

prof_gpu_state profi_gpu_session_try(int is_asked)
{
    pthread_mutex_lock(&turn);
    pthread_mutex_lock(&lock);
    int is_due = is_wanted && !is_over &&
                 (session.state == PROF_GPU_WAITING || (is_asked && session.state != PROF_GPU_ON));
    pthread_mutex_unlock(&lock);
    if (is_due)
        begin();
    stop_if_unwanted(); /* it was stopped meanwhile */
    pthread_mutex_unlock(&turn);
    return state_now();
}

static void settle(profi_cupti_need need)
{
    if (!take_turn())
        return;
    if (state_now() == PROF_GPU_ON)
        profi_cupti_flush(need);
    pthread_mutex_unlock(&turn);
    profi_gpu_work_settle();
}

uint64_t profi_gpu_session_turn(uint64_t every_ns)
{
    settle(PROFI_CUPTI_REGULAR);
    pthread_mutex_lock(&turn);
    stop_if_taken();
    uint64_t next = state_now() == PROF_GPU_ON ? govern(every_ns) : profi_clock_monotonic_ns() + every_ns;
    pthread_mutex_unlock(&turn);
    return next;
}

void profi_gpu_session_settle(int is_last) { settle(is_last ? PROFI_CUPTI_LAST : PROFI_CUPTI_SHOWN); }

void profi_gpu_session_end(void)
{
    if (!take_turn())
        return;
    stop_if_unwanted();
    pthread_mutex_unlock(&turn);
    profi_gpu_work_settle();
}

profi_gpu_session profi_gpu_session_now(void)
{
    uint64_t at = profi_clock_monotonic_ns();
    pthread_mutex_lock(&lock);
    profi_gpu_session now = session;
    now.traced_ns = profi_governor_traced_ns(&governor, at);
    now.elapsed_ns = profi_governor_elapsed_ns(&governor, at);
    now.windows = governor.windows;
    now.has_waited = profi_driver_has_waited();
    pthread_mutex_unlock(&lock);
    return now;
}

int profi_gpu_session_is_wanted(void)
{
    pthread_mutex_lock(&lock);
    int yes = is_wanted;
    pthread_mutex_unlock(&lock);
    return yes;
}

/* The second is the driver's in Windows' subsystem for Linux. */
int profi_gpu_session_may_be(void)
{
    struct stat about;
    return stat("/dev/nvidiactl", &about) == 0 || stat("/dev/dxg", &about) == 0 || profi_driver_is_loaded();
}

/* In this order: who settles may have to say that tracing is wanted, when its thread's first scope in a forked child is such a span. */
void profi_gpu_session_lock(void)
{
    profi_gpu_work_lock();
    pthread_mutex_lock(&lock);
    profi_driver_before_fork();
}

void profi_gpu_session_unlock(void)
{
    profi_driver_after_fork();
    pthread_mutex_unlock(&lock);
    profi_gpu_work_unlock();
}

/* CUDA does not outlive a fork; a child may begin anew.  A thread that has not come along may have had the turn. */
void profi_gpu_session_forget(void)
{
    turn = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    is_wanted = 0;
    profi_record_gpu_wait(NULL);
    profi_driver_forget();
    profi_cupti_forget();
    profi_cupti_memory_forget();
    profi_gpu_work_forget();
    governor = (profi_governor){ 0 };
    int is_let_go = session.is_let_go;
    session = (profi_gpu_session)NOTHING_YET;
    if ((session.is_let_go = is_let_go))
        turn_off();
}
