/* SPDX-License-Identifier: Apache-2.0 */
/* Whether this process's GPU work is traced, and if not, why: what status, doctor and reports say. */
#ifndef PROFI_GPU_SESSION_H
#define PROFI_GPU_SESSION_H

#include "cupti.h"
#include <profcore/gpu.h>

/* What is known; the reason is "" while it runs. */
typedef struct profi_gpu_session {
    prof_gpu_state state;
    char reason[PROFI_GPU_REASON];
    int has_begun;       /* at some time */
    int is_let_go;       /* by prof_gpu_stop(): it is not to be wanted */
    uint64_t begin_ns;   /* how long that took, on one thread */
    uint64_t traced_ns, elapsed_ns; /* since then: while tracing was not paused, and in all */
    uint32_t windows;    /* of tracing, between pauses */
    double share;        /* the budget: of one processor's time; 1: none */
    uint32_t cupti_version;
    int has_waited;      /* each wait of a PROF_SITE_GPU_SYNC was one: profi_driver_has_waited() */
} profi_gpu_session;

/*
 * Tracing is wanted from now on, at this budget: see profi_gpu_session_try().
 * 0 where it was already.
 */
int profi_gpu_session_want(double share);

/* How it stands, and why: such as that nothing is to be traced. */
void profi_gpu_session_set(prof_gpu_state state, const char *reason);

/*
 * Tries to begin, where that is wanted and it does not run; what came of it.
 * is_asked: by the program, also where it was found that it cannot be.
 */
prof_gpu_state profi_gpu_session_try(int is_asked);

/* What is due now: fetches, pauses or goes on, as the budget says; when to come again, `every_ns` later at the latest. */
uint64_t profi_gpu_session_turn(uint64_t every_ns);

/* Fetches what the GPU has done by now and counts it; nothing where nothing is traced.  is_last: tracing is about to end. */
void profi_gpu_session_settle(int is_last);

/* Tracing is wanted no more: then profi_gpu_session_end() ends it, unless it is wanted again by then. */
void profi_gpu_session_unwant(void);
void profi_gpu_session_end(void);

/* The same, and will not be wanted by anyone, also in forked children; or may be again.  Whether it was so. */
int profi_gpu_session_let_go(int yes);

profi_gpu_session profi_gpu_session_now(void);
int profi_gpu_session_is_wanted(void);

/* Whether the machine may have a GPU at all: a driver's file is there, or its library is loaded. */
int profi_gpu_session_may_be(void);

/* Around a fork. */
void profi_gpu_session_lock(void);
void profi_gpu_session_unlock(void);
void profi_gpu_session_forget(void);

#endif
