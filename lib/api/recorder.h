/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of api/ share: the one recorder of the process. */
#ifndef PROFI_RECORDER_H
#define PROFI_RECORDER_H

#include "save.h"

prof_status profi_recorder_save(profi_save_occasion occasion, prof_error *err);

/* Writes the calls that rules kept so far; whoever waits to save goes first. */
prof_status profi_recorder_save_kept(prof_error *err);

/* Whether there is something that no later save will write: else an interval has nothing to do. */
int profi_recorder_is_unsaved(void);

/* Reserves the record, if nothing has yet.  Only the cap and the clock are settled by this; the rest waits for a start. */
prof_status profi_recorder_open(prof_error *err);

/* Finds or makes a kind of memory, which sites measure from now on; PROFI_MEMORIES where there is no room. */
unsigned profi_recorder_memory(const char *name);

/* The same of a pool: PROFI_POOLS_MOST where there is no room. */
unsigned profi_recorder_pool(const char *name, int is_late);

/* Shows pools on the timeline, where there are any and the recorder runs; any thread. */
void profi_recorder_trace_pools(void);

/* Sites measure pools from now on, though there is none yet. */
void profi_recorder_pools_to_come(void);

/* Adds a probe of the program's own, behind all of ours. */
prof_status profi_recorder_add_probe(const prof_probe *probe, uint32_t *site_flag, prof_error *err);

/*
 * Recording as somebody outside wants it: goes on or begins, or pauses, or
 * ends where it was begun so.  *what receives a line that says which.
 */
prof_status profi_recorder_switch(int on, const char **what, prof_error *err);

/* Looks for a tool that receives NVTX, before the first scope, once; whether there is one that is to be told. */
int profi_listener_find(void);

/* Whether a start has configured it. */
int profi_recorder_is_started(void);

/* The configuration, for a dump; or why there is to be none. */
prof_status profi_recorder_config(profi_config *config, prof_error *err);

/* Facts for a snapshot; 0 before the first start. */
int profi_recorder_facts(profi_run_facts *facts);

/* What the thread that saves is to do besides saving at intervals. */
#define PROFI_SAVER_SIGNALS 0x1u
#define PROFI_SAVER_KEPT 0x2u /* write kept calls */

/* Starts the thread that saves, if it has something to do; where it runs already: the new interval and duties. */
prof_status profi_saver_start(const profi_config *config, unsigned duties, prof_error *err);

/* The same in two steps, the first under the recorder's lock; where it returns 1, the caller makes the thread, without the lock. */
int profi_saver_prepare(const profi_config *config, unsigned duties);
prof_status profi_saver_make(prof_error *err);

/* Starts the thread that samples memory and utilization, if the configuration asks for either; again: the new intervals. */
prof_status profi_sampler_start(const profi_config *config, prof_error *err);

/*
 * Pools of memory on the timeline, from now on: on the sampler's thread, which
 * is started; nothing where that is so already.  And has it written what there
 * is by now, waiting a second at most: before a timeline is made.
 */
prof_status profi_sampler_trace_pools(prof_error *err);
void profi_sampler_settle_pools(void);

/* Recording goes on after a pause: what they hold now is a value, since those of meanwhile are nowhere. */
void profi_sampler_resume_pools(void);

/* That on the timeline: begins, writes what has been noted, ends; and in a forked child. */
void profi_pool_trace_begin(void);
void profi_pool_trace_write(int is_last);
void profi_pool_trace_end(void);
void profi_pool_trace_forget(void);

/* It sleeps until started again. */
void profi_sampler_stop(void);

/* What it has sampled. */
void profi_sampler_facts(profi_run_facts *facts);

/* One sample of processors and GPUs, and before the first, or where time has passed without any: on the sampler's thread. */
void profi_utilization_begin(void);
void profi_utilization_sample(uint64_t every_ms, uint64_t missed);
void profi_utilization_forget(void);

/* In a forked child: the thread and its samples are the parent's. */
void profi_sampler_forget(void);

/* Looks whether the machine may have a GPU.  Without any lock: it asks the loader, which may hold its own over somebody's start or fork. */
void profi_gpu_look(void);

/*
 * Starts the thread that fetches GPU work, where there may be any; says that it is not wanted any more, under the
 * recorder's lock; ends tracing then, which may take long; fetches what is there by now.
 */
prof_status profi_gpu_start(const profi_config *config, prof_error *err);
void profi_gpu_unwant(void);
void profi_gpu_stop(void);
prof_status profi_recorder_start_gpu(prof_error *err); /* the first of these, while the recorder runs */
void profi_gpu_settle(int is_last);

/* In a forked child, to which neither the thread nor CUDA has come along. */
void profi_gpu_forget(void);

/* Around a fork, and then in the child: libraries that wait for others (prof_operators_load_with()) go on doing so. */
void profi_companions_lock(void);
void profi_companions_unlock(void);
void profi_companions_go_on(void);
int profi_companions_are_missing(void); /* one that waits for a library which the program does not have, so far */

/* Starts the thread that asks for pools that are awaited (record/awaited.h). */
prof_status profi_companions_watch(prof_error *err);

/* In a forked child: the thread is the parent's, and the signals get their old actions back. */
void profi_saver_forget(void);

#endif
