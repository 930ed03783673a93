/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of the one recorder: opened at the first start, stopped and
 * started by count, saved at the last stop or when the process exits.
 *
 * Two locks: `lock` for the counts, held briefly; `save_lock` for a whole
 * save.  A recording thread takes neither, but for one look under `lock`,
 * without waiting for it, where a saver may be needed.
 */
#include "recorder.h"

#include "control.h"
#include "crash_safe.h"
#include "dump.h"
#include "file_set.h"
#include "save.h"
#include "save_rules.h"
#include "streamer.h"
#include "watch.h"

#include "../base/error.h"
#include "../base/system.h"
#include "../base/usage.h"
#include "../gpu/capture.h"
#include "../gpu/session.h"
#include "../probe/probes.h"
#include "../record/blocks.h"
#include "../record/kept.h"
#include "../record/levels.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Here and not in record/, so that a program that links the static library
 * and uses nothing but macros, which read it, gets the constructor below too.
 */
uint32_t prof_active;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t save_lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t save_waiters; /* who wait for save_lock: the saver then makes way */
static int is_open, is_started, is_child, is_gpu_to_go_on, are_pools_to_go_on;
static int is_unsaved; /* since a start, until the last stop has saved */
static int is_over;    /* the process ends: the last save has been made */
static uint64_t start_count;
static int is_for_nvtx; /* started by nobody but because a tool receives NVTX: a start of the program's takes its place */
static int is_paused, is_started_outside; /* by who asked for it on the control socket */
static enum { NOT_CONFIGURED, CONFIGURED_BY_DEFAULT, CONFIGURED_BY_PROGRAM } is_configured;
static profi_config config; /* written with both locks held */
static profi_run_facts facts;

/* The moment from which the run counts. */
static void note_start(void)
{
    profi_reading rss = { 0, 0, 0 };
    profi_rss_read(&rss);
    facts.rss_start_bytes = rss.value;
    facts.start_tick = profi_clock_now();
    is_started = 1;
}

static void lock_save(void)
{
    __atomic_fetch_add(&save_waiters, 1u, __ATOMIC_RELAXED);
    pthread_mutex_lock(&save_lock);
    __atomic_fetch_sub(&save_waiters, 1u, __ATOMIC_RELAXED);
}

/*
 * A recording thread may need a saver: its site has a rule in code, or this is
 * a forked child, where there is none yet, nor the thread for GPU work.  It
 * must not wait for `lock`: whoever comes next tries again.  Nobody waits for
 * it either while it makes the thread.
 */
static void saver_is_wanted(int has_rule)
{
    int saved = errno;
    prof_error why = PROF_ERROR_INIT;
    if (pthread_mutex_trylock(&lock) != 0)
        return;
    if (has_rule || !config.writes_files)
        profi_saver_wish(NULL);
    int is_to_make = config.writes_files && !is_over && (has_rule || is_child) &&
                     profi_saver_prepare(&config, has_rule ? PROFI_SAVER_KEPT : 0u);
    int is_gpu_due = is_gpu_to_go_on;
    is_gpu_to_go_on = 0;
    int are_pools_due = are_pools_to_go_on && profi_pool_count() != 0;
    are_pools_to_go_on = 0;
    pthread_mutex_unlock(&lock);
    if (are_pools_due && profi_sampler_trace_pools(&why) != PROF_OK)
        profi_notice("pools are not on the timeline: %s", why.message);
    if (is_gpu_due)
        profi_gpu_look();
    if (is_gpu_due && profi_gpu_start(&config, &why) != PROF_OK)
        profi_notice("GPU work is not traced: %s", why.message);
    if (is_to_make && profi_saver_make(&why) != PROF_OK) {
        profi_saver_wish(NULL);
        profi_notice("will save at the end only: %s", why.message);
    }
    errno = saved;
}

/* A child must not find a save half done, nor the C library's locks that one holds: a fork waits for the set at hand. */
static void before_fork(void)
{
    profi_dump_lock();
    lock_save();
    pthread_mutex_lock(&lock);
    profi_streamer_lock();
    profi_blocks_lock();
    profi_usage_lock();
    profi_companions_lock();
    profi_gpu_session_lock();
}

static void after_fork(void)
{
    profi_gpu_session_unlock();
    profi_companions_unlock();
    profi_usage_unlock();
    profi_blocks_unlock();
    profi_streamer_unlock();
    pthread_mutex_unlock(&lock);
    pthread_mutex_unlock(&save_lock);
    profi_dump_unlock();
}

static void after_fork_in_child(void)
{
    profi_control_forget();
    profi_thread_forget();
    profi_threads_forget();
    profi_crash_safe_forget();
    profi_streamer_forget();
    if (is_started) { /* else it is a process like any other, such as a daemon before it starts */
        is_child = 1;
        profi_file_sets_forget();
        profi_save_kept_forget();
        profi_watch_forget(); /* before the saver: a signal of both leads from its handler to the saver's */
        profi_saver_forget();
        profi_sampler_forget();
        profi_gpu_forget();
        is_gpu_to_go_on = config.gpu != PROFI_GPU_NEVER && !config.is_forced_off && !is_for_nvtx;
        are_pools_to_go_on = config.keeps_events && start_count != 0 && !config.is_forced_off && !is_for_nvtx;
        is_paused = is_started_outside = 0;
        profi_saver_wish(saver_is_wanted);
        save_waiters = 0;
        note_start();
    }
    after_fork();
    profi_companions_go_on();
}

static void install_probes(void)
{
    static int is_installed;
    if (is_installed)
        return;
    is_installed = 1;
    profi_rss_install();
    profi_thread_install();
    profi_cgroup_install();
    profi_memory_install();
}

/* Opens the record with the configured cap and clock; everything that can fail comes before what cannot. */
static prof_status open_recorder(const profi_config *loaded, prof_error *err)
{
    if (loaded->is_crash_safe && !loaded->is_forced_off)
        profi_crash_safe_open(loaded);
    prof_status status = profi_record_open(loaded->memory_bytes, loaded->keeps_events, loaded->clock, err);
    if (status != PROF_OK)
        return status;
    if (loaded->event_min_ns != 0) {
        profi_clock_scale scale = profi_clock_scale_now();
        profi_rings_set_shortest(profi_clock_to_ticks(&scale, loaded->event_min_ns));
    }
    install_probes();
    for (unsigned i = 0; i < loaded->probe_count; i++)
        profi_probe_wish_add(loaded->probes[i]);
    is_open = 1;
    return PROF_OK;
}

/* Lets scopes through.  The first time it also measures what one costs. */
static void begin_recording(void)
{
    uint32_t calls;
    int is_first = !is_started;
    if (is_first)
        note_start();
    is_unsaved = 1;
    profi_record_enable(!is_paused);
    if (is_first)
        facts.scope_cost_ticks = (double)profi_record_scope_cost(&calls) / calls;
    profi_record_describe(config.name, facts.start_tick, facts.scope_cost_ticks);
}

/* A thread that is cancelled inside a save would leave its lock held for ever. */
static int enter_save(void)
{
    int cancel_state = profi_cancel_defer();
    lock_save();
    return cancel_state;
}

static void leave_save(int cancel_state)
{
    pthread_mutex_unlock(&save_lock);
    profi_cancel_restore(cancel_state);
}

/*
 * Reads the options of the program's first start, or of the automatic one,
 * which has none: a program's own, if they come later, take their place.
 */
static prof_status configure(const prof_options *options, int is_automatic, prof_error *err)
{
    profi_config loaded;
    prof_status status = profi_config_load(&loaded, options, !is_configured, err);
    if (status == PROF_OK && !is_open)
        status = open_recorder(&loaded, err);
    if (status != PROF_OK || is_configured == CONFIGURED_BY_PROGRAM)
        return status;
    config = loaded;
    is_configured = is_automatic ? CONFIGURED_BY_DEFAULT : CONFIGURED_BY_PROGRAM;
    profi_kept_enable(profi_config_has_tables(&config));
    return profi_save_rules_read(config.save_if, profi_kept_rule_by_name, err);
}

/* Starts the thread that saves, or arranges for it to be started where a site in the program has a rule. */
static void start_saver(void)
{
    prof_error why = PROF_ERROR_INIT;
    unsigned duties = PROFI_SAVER_SIGNALS | (config.save_if[0] != '\0' ? PROFI_SAVER_KEPT : 0u);
    if (!config.writes_files)
        return;
    profi_saver_wish(duties & PROFI_SAVER_KEPT ? NULL : saver_is_wanted);
    if (profi_saver_start(&config, duties, &why) != PROF_OK)
        profi_notice("will save at the end only: %s", why.message);
}

static void start_control(void)
{
    prof_error why = PROF_ERROR_INIT;
    if (profi_control_start(&why) != PROF_OK)
        profi_notice("nobody can ask from outside: %s", why.message);
}

/* What was started for NVTX only ends where the program starts. */
static void take_over(void)
{
    if (is_for_nvtx)
        start_count = 0;
    is_for_nvtx = 0;
}

/* What runs beside recording, as far as the configuration asks for it. */
static void start_companions(int is_new)
{
    prof_error why = PROF_ERROR_INIT;
    start_saver();
    if (config.is_streamed && (config.writes_files || config.stream[0] != '\0') &&
        profi_streamer_start(&config, &why) != PROF_OK)
        profi_notice("events are not streamed and stay in the rings: %s", why.message);
    start_control();
    if (profi_watch_start(&config, &why) != PROF_OK)
        profi_notice("no dumps will be made but by prof_dump(): %s", why.message);
    /* The program's options may come after an automatic start. */
    if ((start_count == 0 || is_new) && profi_sampler_start(&config, &why) != PROF_OK)
        profi_notice("neither memory nor utilization is sampled: %s", why.message);
    if (start_count == 0 && profi_gpu_start(&config, &why) != PROF_OK)
        profi_notice("GPU work is not traced: %s", why.message);
}

/* Under the lock. */
static void trace_pools(void)
{
    prof_error why = PROF_ERROR_INIT;
    if (start_count != 0 && config.keeps_events && !config.is_forced_off && !is_for_nvtx && profi_pool_count() != 0 &&
        profi_sampler_trace_pools(&why) != PROF_OK)
        profi_notice("pools are not on the timeline: %s", why.message);
}

void profi_recorder_trace_pools(void)
{
    pthread_mutex_lock(&lock);
    trace_pools();
    pthread_mutex_unlock(&lock);
}

typedef enum starter { STARTED_BY_PROGRAM, STARTED_FROM_OUTSIDE, STARTED_FOR_NVTX } starter;

static prof_status start(const prof_options *options, starter by, prof_error *err)
{
    profi_listener_find(); /* without the locks: a tool's code is loaded and run, and may fork */
    profi_gpu_look();
    int cancel_state = enter_save(); /* a save reads the configuration */
    pthread_mutex_lock(&lock);
    int was_configured = (int)is_configured;
    prof_status status = configure(options, by != STARTED_BY_PROGRAM, err);
    if (status == PROF_OK)
        take_over();
    if (status == PROF_OK && !config.is_forced_off) {
        is_for_nvtx = by == STARTED_FOR_NVTX;
        if (!is_for_nvtx)
            start_companions((int)is_configured != was_configured);
        if (start_count == 0)
            begin_recording();
    }
    if (status == PROF_OK)
        start_count++;
    if (status == PROF_OK)
        trace_pools(); /* when it has begun: no point is of before */
    pthread_mutex_unlock(&lock);
    leave_save(cancel_state);
    return status;
}

prof_status prof_start(const prof_options *options, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    return start(options, STARTED_BY_PROGRAM, err);
}

prof_status profi_recorder_start_gpu(prof_error *err)
{
    pthread_mutex_lock(&lock);
    is_gpu_to_go_on = 0;
    prof_status status = start_count != 0 ? profi_gpu_start(&config, err)
                                          : profi_fail(err, PROF_E_INVALID, "prof_gpu_start: the recorder does not run");
    pthread_mutex_unlock(&lock);
    return status;
}

/* Fetches what the GPU and the pools did, as long as that is recorded; so many starts are about to be taken back. */
static void settle(uint64_t stops)
{
    pthread_mutex_lock(&lock);
    int is_last = start_count <= stops;
    pthread_mutex_unlock(&lock);
    profi_gpu_settle(is_last);
    profi_sampler_settle_pools();
}

prof_status prof_stop(prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    settle(1);
    pthread_mutex_lock(&lock);
    if (start_count == 0 || is_for_nvtx) {
        pthread_mutex_unlock(&lock);
        return profi_fail(err, PROF_E_INVALID, "prof_stop() without a prof_start() to take back");
    }
    int is_last = --start_count == 0;
    if (is_last) {
        profi_record_enable(0);
        profi_sampler_stop();
        profi_gpu_unwant();
    }
    int writes = config.writes_files && !config.is_forced_off;
    pthread_mutex_unlock(&lock);
    if (is_last) {
        profi_gpu_stop();
        profi_streamer_flush();
    }
    if (!is_last || !writes)
        return PROF_OK;
    prof_status status = profi_recorder_save(PROFI_SAVE_STOP, err);
    pthread_mutex_lock(&lock);
    if (status == PROF_OK && start_count == 0)
        is_unsaved = 0;
    pthread_mutex_unlock(&lock);
    return status;
}

/* Pauses or resumes what the program or the environment has started. */
static int set_paused(int paused)
{
    prof_error why = PROF_ERROR_INIT;
    if (paused)
        settle(UINT64_MAX);
    pthread_mutex_lock(&lock);
    int has_changed = is_paused != paused && (!paused || start_count != 0);
    if (has_changed) {
        is_paused = paused;
        profi_record_enable(start_count != 0 && !paused);
        if (!paused)
            profi_sampler_resume_pools();
    }
    int has_gpu = has_changed && start_count != 0;
    if (has_gpu && paused)
        profi_gpu_unwant();
    else if (has_gpu && profi_gpu_start(&config, &why) != PROF_OK)
        profi_notice("GPU work is not traced: %s", why.message);
    pthread_mutex_unlock(&lock);
    if (has_gpu && paused)
        profi_gpu_stop();
    return has_changed;
}

prof_status profi_recorder_switch(int on, const char **what, prof_error *err)
{
    prof_status status = PROF_OK;
    if (on && set_paused(0)) {
        *what = "recording goes on\n";
    } else if (on && PROFI_GET(prof_active) != 0 && !is_for_nvtx) {
        *what = "it is recording already\n";
    } else if (on) {
        status = start(NULL, STARTED_FROM_OUTSIDE, err);
        is_started_outside = status == PROF_OK;
        *what = "recording has begun\n";
        if (status == PROF_OK && PROFI_GET(prof_active) == 0)
            return profi_fail(err, PROF_E_UNAVAILABLE, "PROFCORE=0 keeps the recorder off");
    } else if (is_started_outside) {
        is_started_outside = 0;
        status = prof_stop(err);
        *what = "recording has ended, and its files are written\n";
    } else if (set_paused(1)) {
        *what = "recording is paused: nothing is written before the program stops it or ends\n";
    } else {
        *what = "it is not recording\n";
    }
    return status;
}

int profi_recorder_facts(profi_run_facts *into)
{
    pthread_mutex_lock(&lock);
    int opened = is_configured != NOT_CONFIGURED;
    *into = facts;
    memcpy(into->name, config.name, sizeof(into->name));
    profi_sampler_facts(into);
    if (!is_started) /* PROFCORE=0: there is a configuration, and no run */
        into->start_tick = profi_clock_now();
    pthread_mutex_unlock(&lock);
    return opened;
}

int profi_recorder_is_started(void)
{
    pthread_mutex_lock(&lock);
    int result = is_configured != NOT_CONFIGURED && !config.is_forced_off;
    pthread_mutex_unlock(&lock);
    return result;
}

prof_status profi_recorder_config(profi_config *into, prof_error *err)
{
    pthread_mutex_lock(&lock);
    prof_status status = PROF_OK;
    if (is_configured == NOT_CONFIGURED)
        status = profi_fail(err, PROF_E_INVALID, "nothing was recorded: prof_start() was never called");
    else if (config.is_forced_off)
        status = profi_fail(err, PROF_E_UNAVAILABLE, "nothing was recorded: PROFCORE=0 keeps the recorder off");
    else if (is_over)
        status = profi_fail(err, PROF_E_BUSY, "the process is ending; its last save has been made");
    else
        *into = config;
    pthread_mutex_unlock(&lock);
    return status;
}

prof_status profi_recorder_save(profi_save_occasion occasion, prof_error *err)
{
    profi_run_facts run;
    if (!profi_recorder_facts(&run))
        return profi_fail(err, PROF_E_INVALID, "nothing was recorded: prof_start() was never called");
    int cancel_state = enter_save();
    prof_status status = is_over ? profi_fail(err, PROF_E_BUSY, "the process is ending; its last save has been made")
                                 : profi_save_run(&config, &run, occasion, is_child, err);
    leave_save(cancel_state);
    return status;
}

prof_status profi_recorder_save_kept(prof_error *err)
{
    profi_run_facts run;
    if (!profi_save_kept_is_waiting() || !profi_recorder_facts(&run))
        return PROF_OK;
    int cancel_state = enter_save();
    prof_status status = is_over ? PROF_OK : profi_save_kept(&config, &run, UINT64_MAX, &save_waiters, err);
    leave_save(cancel_state);
    return status;
}

int profi_recorder_is_unsaved(void)
{
    pthread_mutex_lock(&lock);
    int unsaved = is_unsaved && !is_over;
    pthread_mutex_unlock(&lock);
    return unsaved;
}

prof_status prof_save(prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    return profi_recorder_save(PROFI_SAVE_ASKED, err);
}

prof_status profi_recorder_open(prof_error *err)
{
    prof_status status = PROF_OK;
    pthread_mutex_lock(&lock);
    if (!is_open) {
        profi_config loaded;
        status = profi_config_load(&loaded, NULL, 0, err);
        if (status == PROF_OK)
            status = open_recorder(&loaded, err);
    }
    pthread_mutex_unlock(&lock);
    return status;
}

prof_status profi_recorder_add_probe(const prof_probe *probe, uint32_t *site_flag, prof_error *err)
{
    pthread_mutex_lock(&lock);
    install_probes(); /* a name of ours is not to be had */
    prof_status status = profi_probe_own_add(probe, site_flag, err);
    pthread_mutex_unlock(&lock);
    return status;
}

unsigned profi_recorder_memory(const char *name)
{
    pthread_mutex_lock(&lock);
    unsigned found = profi_memory_of(name);
    if (found != PROFI_MEMORIES)
        profi_probe_wish_all(PROF_SITE_MEMORY, 1);
    pthread_mutex_unlock(&lock);
    return found;
}

unsigned profi_recorder_pool(const char *name, int is_late)
{
    pthread_mutex_lock(&lock);
    unsigned found = profi_pool_of(name, is_late);
    if (found != PROFI_POOLS_MOST)
        profi_probe_wish_all(PROF_SITE_POOLS, 0);
    trace_pools();
    pthread_mutex_unlock(&lock);
    return found;
}

void profi_recorder_pools_to_come(void) { profi_probe_wish_all(PROF_SITE_POOLS, 0); }

/* The end of the process by exit(), a return from main, or quick_exit(). */
__attribute__((destructor(101))) static void save_at_exit(void)
{
    prof_error why = PROF_ERROR_INIT;
    pthread_mutex_lock(&lock);
    int is_wanted = is_configured && config.writes_files && !config.is_forced_off &&
                    (is_unsaved || profi_save_kept_is_waiting());
    pthread_mutex_unlock(&lock);
    prof_status status = is_wanted ? profi_recorder_save(PROFI_SAVE_LAST, &why) : PROF_OK;
    if (status != PROF_OK)
        profi_notice("nothing could be saved: %s", why.message);
    /* A save or a dump that another thread has begun is not cut off in the middle, and none begins after this. */
    profi_control_stop();
    profi_streamer_finish(status == PROF_OK);
    profi_dump_lock();
    int cancel_state = enter_save();
    pthread_mutex_lock(&lock);
    is_over = 1;
    if (status == PROF_OK)
        profi_crash_safe_remove();
    else
        profi_crash_safe_keep();
    profi_streamer_end(status == PROF_OK);
    pthread_mutex_unlock(&lock);
    leave_save(cancel_state);
    profi_dump_unlock();
}

/*
 * A tool receives NVTX, and nobody has said whether to record: scopes are ranges, no files are written, and nothing else
 * runs, as if it were not recording.
 */
static prof_status start_for_nvtx(prof_error *err)
{
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    if (!profi_listener_find())
        return PROF_OK;
    return start(&options, STARTED_FOR_NVTX, err);
}

/* The first constructor and the last destructor of the process, as far as a library can be: scopes may be in others. */
__attribute__((constructor(101))) static void start_if_asked(void)
{
    prof_error why = PROF_ERROR_INIT;
    profi_start_wish wish = profi_config_start_wish();
    profi_record_load(); /* first, so that our fork handlers take their locks before record's */
    pthread_atfork(before_fork, after_fork, after_fork_in_child);
    at_quick_exit(save_at_exit); /* the first to register, so the last to run */
    profi_config_load_quiet();
    if (wish == PROFI_START_UNKNOWN)
        profi_notice("PROFCORE=%.80s ignored: neither 0 nor 1; it counts as not set", secure_getenv("PROFCORE"));
    if (profi_config_captures_nvtx() && profi_capture_start(&why) != PROF_OK)
        profi_notice("the program's NVTX ranges are not received: %s", why.message);
    if (wish == PROFI_START_NOW && start(NULL, STARTED_FROM_OUTSIDE, &why) != PROF_OK)
        profi_notice("cannot start: %s", why.message);
    else if (wish != PROFI_START_NOW && start_for_nvtx(&why) != PROF_OK)
        profi_notice("cannot start for NVTX: %s", why.message);
    else
        start_control(); /* also where nothing is recorded yet */
}
