/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GPU work, as long as the recorder runs: a thread that looks whether the
 * process uses CUDA by now, and then fetches what the GPU has done.  Ten times
 * a second, and once where nothing has happened for long.  There is none on a
 * machine without NVIDIA's driver.
 */
#include "recorder.h"

#include "../base/clock.h"
#include "../base/error.h"
#include "../base/system.h"
#include "../gpu/session.h"
#include "../gpu/work.h"
#include "../record/record.h"

#include <semaphore.h>

enum { EVERY_NS = 100000000, MOST_NS = 1000000000 };

static sem_t wake;
static uint32_t is_started; /* the thread */
static uint32_t may_be;     /* GPU work, as of the last look */

/* Once, in whatever way it became so. */
static void tell_if_unavailable(void)
{
    static uint32_t is_told;
    profi_gpu_session now = profi_gpu_session_now();
    if (now.state == PROF_GPU_UNAVAILABLE && __atomic_exchange_n(&is_told, 1u, __ATOMIC_RELAXED) == 0)
        profi_notice("GPU time unavailable: %s", now.reason);
}

static prof_gpu_state try_to_begin(int is_asked)
{
    prof_gpu_state state = profi_gpu_session_try(is_asked); /* also ends it where a stop could not */
    tell_if_unavailable();
    if (state == PROF_GPU_ON)
        profi_recorder_trace_pools(); /* the driver's */
    return state;
}

/* Until the next look: a tenth of the time for which nothing has happened, that is neither a launch nor another state. */
static uint64_t patience(prof_gpu_state state)
{
    static prof_gpu_state state_before;
    static uint64_t launches_before, since_ns;
    uint64_t now_ns = profi_clock_monotonic_ns(), launches = profi_gpu_work_launches();
    if (state != state_before || launches != launches_before || since_ns == 0)
        since_ns = now_ns;
    state_before = state;
    launches_before = launches;
    return profi_max_u64(EVERY_NS, profi_min_u64((now_ns - since_ns) / 10, MOST_NS));
}

static void *gpu_main(void *unused)
{
    (void)unused;
    for (profi_wake woken = PROFI_WAKE_POSTED; woken != PROFI_WAKE_ALONE;) {
        prof_gpu_state state = try_to_begin(0);
        int is_over = state == PROF_GPU_OFF || state == PROF_GPU_UNAVAILABLE;
        uint64_t every_ns = patience(state);
        uint64_t next = state == PROF_GPU_ON ? profi_gpu_session_turn(every_ns) : profi_clock_monotonic_ns() + every_ns;
        woken = profi_thread_sleep_until(&wake, is_over ? 0 : next);
    }
    return NULL;
}

void profi_gpu_look(void) { PROFI_PUT(may_be, (uint32_t)profi_gpu_session_may_be()); }

prof_status profi_gpu_start(const profi_config *config, prof_error *err)
{
    if (config->gpu == PROFI_GPU_NEVER) {
        profi_gpu_session_set(PROF_GPU_OFF, "PROFCORE_GPU=0");
        return PROF_OK;
    }
    profi_record_gpu_wait(profi_driver_wait); /* whether or not its work is traced */
    if (config->gpu == PROFI_GPU_AUTO && !PROFI_GET(may_be)) {
        profi_gpu_session_set(PROF_GPU_OFF, "this machine has no driver of NVIDIA's");
        return PROF_OK;
    }
    if (!profi_gpu_session_want(config->gpu_share))
        return PROF_OK;
    if (__atomic_exchange_n(&is_started, 1u, __ATOMIC_RELAXED) != 0) {
        sem_post(&wake);
        return PROF_OK;
    }
    prof_status status = profi_thread_spawn_waiting(&wake, gpu_main, "profcore-gpu", "fetches GPU work", err);
    if (status != PROF_OK)
        PROFI_PUT(is_started, 0u);
    return status;
}

void profi_gpu_unwant(void) { profi_gpu_session_unwant(); }

void profi_gpu_stop(void) { profi_gpu_session_end(); }

void profi_gpu_settle(int is_last)
{
    if (profi_gpu_session_is_wanted())
        profi_gpu_session_settle(is_last);
}

void profi_gpu_forget(void)
{
    is_started = 0;
    profi_gpu_session_forget();
}

prof_status prof_gpu_status(prof_gpu_info *info, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    enum { SIZE_0 = sizeof(prof_gpu_info) }; /* as of version 0.1 */
    prof_gpu_info full = PROF_GPU_INFO_INIT;
    profi_gpu_session now = profi_gpu_session_now();
    full.state = (int32_t)now.state;
    full.cupti_version = now.cupti_version;
    _Static_assert(sizeof(full.reason) == sizeof(now.reason), "a reason fits");
    __builtin_memcpy(full.reason, now.reason, sizeof(full.reason));
    return profi_struct_write(info, &full, sizeof(full), SIZE_0, "prof_gpu_info", err);
}

prof_status prof_gpu_start(prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    int was_let_go = profi_gpu_session_let_go(0);
    profi_gpu_look();
    prof_status status = profi_recorder_start_gpu(err); /* the driver may have come since */
    if (status != PROF_OK && was_let_go)
        profi_gpu_session_let_go(1);
    if (status != PROF_OK)
        return status;
    if (try_to_begin(1) == PROF_GPU_ON) {
        if (PROFI_GET(is_started) != 0)
            sem_post(&wake); /* it may have given up */
        return PROF_OK;
    }
    return profi_fail(err, PROF_E_UNAVAILABLE, "GPU work is not traced: %s", profi_gpu_session_now().reason);
}

prof_status prof_gpu_stop(prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    (void)err;
    profi_gpu_settle(1); /* as long as tracing is wanted */
    profi_gpu_session_let_go(1);
    profi_gpu_session_end();
    return PROF_OK;
}
