/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a GPU does for each scope.
 *
 * While the recorder runs in a process that uses CUDA, the kernels, copies and
 * sets that a scope launches are its GPU work, wherever and whenever they run:
 * in the tables, in the .json, and on the timeline as tracks of the GPU's
 * streams, with an arrow from the scope to each.  CUPTI, NVIDIA's tracing
 * interface, tells of them.  It has one user at a time: under Nsight or beside
 * another profiler there are no such figures, and prof_gpu_status() says why.
 *
 * A scope may end before the work that it has launched.  A site with
 * PROF_SITE_GPU_SYNC waits for all work of the thread's CUDA context before
 * each of its calls ends, also where another tool has CUPTI; not with
 * PROFCORE_GPU=0.  There the time of its calls is an upper bound of its GPU time.  Not for calls that run while a graph is captured, which
 * CUDA forbids to wait.
 *
 * Tracing begins by itself, a tenth of a second after the process has
 * initialised CUDA, or up to a second where it has not for long; prof_gpu_start() begins it at once.  PROFCORE_GPU=0 keeps
 * it off.  A profiler that starts later in the same process finds CUPTI taken:
 * prof_gpu_stop() gives it free before.
 */
#ifndef PROFCORE_GPU_H
#define PROFCORE_GPU_H

#include <profcore/snapshot.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether GPU work is traced. */
typedef enum prof_gpu_state {
    PROF_GPU_OFF = 0,     /* nothing is recorded, PROFCORE_GPU=0, prof_gpu_stop(), or there is no driver */
    PROF_GPU_WAITING,     /* until the process uses CUDA */
    PROF_GPU_ON,
    PROF_GPU_UNAVAILABLE  /* the reason says why */
} prof_gpu_state;

typedef struct prof_gpu_info {
    uint32_t size;
    int32_t state;          /* prof_gpu_state */
    char reason[256];       /* why it is not on: "CUPTI is in use by another tool"; "" while it is */
    uint32_t cupti_version; /* as cuptiGetVersion() tells it; 0: not loaded */
    uint32_t reserved;
} prof_gpu_info;
#define PROF_GPU_INFO_INIT { (uint32_t)sizeof(prof_gpu_info), 0, "", 0, 0 }

/*
 * Tells whether GPU work is traced now, and if not, why.
 *
 *   info     Receives it; its size is set.
 *   returns  PROF_OK; PROF_E_INVALID where info is NULL or too small.
 *   threads  Any.
 *   since    0.1
 */
PROF_API prof_status prof_gpu_status(prof_gpu_info *info, prof_error *err);

/*
 * Begins to trace GPU work at once, in a process that has initialised CUDA;
 * also after prof_gpu_stop(), and where CUPTI could not be had so far.
 * Takes what CUPTI takes to begin, tens of milliseconds, on the calling
 * thread: before a service takes requests is a good moment.
 *
 *   returns  PROF_OK, also where it has begun; PROF_E_UNAVAILABLE with the
 *            reason; PROF_E_INVALID while the recorder does not run.
 *   threads  Any.
 *   since    0.1
 */
PROF_API prof_status prof_gpu_start(prof_error *err);

/*
 * Ends tracing GPU work and gives CUPTI free, such as for another profiler in
 * this process that is about to start.  What was traced by then stays in the
 * figures, and the time since is none of theirs.  It stays so until
 * prof_gpu_start(), also when the recorder stops and starts, and in forked
 * children.  Returns when CUPTI is free, or after four seconds where a call of
 * CUPTI does not return.
 *
 *   returns  PROF_OK, also where nothing was traced.
 *   threads  Any.
 *   since    0.1
 */
PROF_API prof_status prof_gpu_stop(prof_error *err);

/*
 * GPU work of a function's calls and of what they called, that has come back
 * by the time of the snapshot.  Times in nanoseconds, amounts in bytes.
 */
typedef struct prof_gpu_work {
    uint32_t size;
    uint32_t flags;              /* PROF_GPU_WORK_… */
    uint64_t launch_count;       /* calls of CUDA that started any of it */
    uint64_t kernel_count, copy_count, set_count;
    uint64_t busy_ns;            /* while any of it ran: overlaps count once */
    uint64_t self_busy_ns;       /* the same of what the function launched itself */
    uint64_t busy_interval_ns;   /* of an estimate: half the 95 % interval of busy_ns; UINT64_MAX: not known */
    uint64_t kernel_ns, copy_ns, set_ns; /* each summed */
    uint64_t wait_count, wait_ns; /* for the GPU, by calls such as cudaStreamSynchronize(), and how long the threads waited */
    uint64_t to_device_bytes, to_host_bytes, on_device_bytes, other_bytes; /* copied */
    uint64_t queue_ns, queue_max_ns; /* from a launch to the begin of its first work: of all launches, and the longest */
    uint64_t call_count;         /* calls that work came back for */
    uint64_t done_ns, done_max_ns; /* from the begin of a call to the end of its last work: of all, and the longest */
} prof_gpu_work;
#define PROF_GPU_WORK_INIT { (uint32_t)sizeof(prof_gpu_work), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

#define PROF_GPU_WORK_IS_BOUND 0x1u /* busy_ns and self_busy_ns may have been longer: work came back too late to be ordered */
#define PROF_GPU_WORK_IS_ESTIMATE 0x2u /* tracing paused to keep its budget: counts and sums are of the windows traced, scaled up */
#define PROF_GPU_WORK_IS_WAITED 0x4u /* each call waits for the GPU before it ends, for PROF_SITE_GPU_SYNC: its time includes that */
#define PROF_GPU_WORK_IS_UPPER_BOUND 0x8u /* busy_ns and self_busy_ns may have been shorter: the sum over call paths that may overlap, or untraced */
#define PROF_GPU_WORK_IS_UNTRACED 0x10u /* but each call waited for the GPU: its time is the bound; the rest is not known, and UINT64_MAX */

/*
 * The GPU work of a function.  `done_ns` above the function's own time tells
 * that it ends before the work it has launched.
 *
 *   function  Below prof_snapshot_function_count().
 *   work      Receives it; all 0 where the function launched nothing.
 *   returns   PROF_OK; PROF_E_INVALID; PROF_E_UNAVAILABLE with the reason
 *             where no GPU work was traced, and of functions without
 *             PROF_SITE_GPU_SYNC nothing is known.
 *   threads   Any.
 *   since     0.1
 */
PROF_API prof_status prof_snapshot_gpu_work(const prof_snapshot *snapshot, uint32_t function, prof_gpu_work *work, prof_error *err);

/* GPU work of the run. */
typedef struct prof_gpu_totals {
    uint32_t size;
    uint32_t flags;               /* PROF_GPU_WORK_… */
    uint64_t kernel_count, copy_count, set_count;
    uint64_t attributed_count;    /* of them: launched inside scopes */
    uint64_t unattributed_count;  /* outside, or by a launch that is not known any more */
    uint64_t cut_count;           /* launches in more than 32 functions: the outermost lack their work */
    uint64_t dropped_count;       /* in no figure: CUPTI, or the library, had no room for it, or no times, or another tool got it */
    uint64_t busy_ns;             /* while any GPU did any of it */
    uint64_t traced_ns, elapsed_ns; /* since tracing began: while it was not paused, and in all */
    uint64_t cost_ns;             /* that tracing took of the processors, as far as it is known, but for beginning */
    uint64_t begin_ns;            /* that beginning took, on one thread */
} prof_gpu_totals;
#define PROF_GPU_TOTALS_INIT { (uint32_t)sizeof(prof_gpu_totals), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/*
 * The GPU work of the run.
 *
 *   returns  PROF_OK; PROF_E_INVALID; PROF_E_UNAVAILABLE with the reason where
 *            no GPU work was traced.
 *   threads  Any.
 *   since    0.1
 */
PROF_API prof_status prof_snapshot_gpu_totals(const prof_snapshot *snapshot, prof_gpu_totals *totals, prof_error *err);

#ifdef __cplusplus
}
#endif

#endif
