/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results: an immutable snapshot of what was recorded, to walk in the
 * program or to write to a file; read back from files, and merged.
 *
 *     prof_snapshot *snapshot;
 *     prof_error err = PROF_ERROR_INIT;
 *     if (prof_snapshot_take(&snapshot, &err) == PROF_OK) {
 *         prof_snapshot_write_file(snapshot, "txt", "profile.txt", &err);
 *         prof_snapshot_close(snapshot);
 *     }
 *
 * Calls, primitive calls, self and cumulative time are what Python's cProfile
 * means by them, summed over threads: a call is primitive when its function
 * was not on the thread's stack already, and cumulative time counts primitive
 * calls only.  A scope that is open when the snapshot is taken counts as a
 * call with its time so far; but a call of a sampled site that is not timed
 * (PROF_SITE_SAMPLED) counts from its end on.
 */
#ifndef PROFCORE_SNAPSHOT_H
#define PROFCORE_SNAPSHOT_H

#include <profcore/prof.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Immutable; any thread may read one, several at once. */
typedef struct prof_snapshot prof_snapshot;

/* What a prof_function has beside calls and times. */
#define PROF_FUNCTION_HAS_EXTREMES 0x1u   /* min_ns and max_ns: a call has ended */
#define PROF_FUNCTION_HAS_ITEMS 0x2u      /* items and items_unit */
#define PROF_FUNCTION_HAS_RSS 0x4u        /* rss_growth_bytes and rss_peak_bytes */
#define PROF_FUNCTION_RSS_IS_BOUND 0x8u   /* the true peak may be higher than rss_peak_bytes */
#define PROF_FUNCTION_HAS_HISTOGRAM 0x10u /* percentiles and buckets */
#define PROF_FUNCTION_IS_ESTIMATE 0x20u   /* PROF_SITE_SAMPLED: self_ns and cumulative_ns are estimates */

/*
 * One row: a function, or a function as called by another one.  Text belongs
 * to the snapshot.
 */
typedef struct prof_function {
    uint32_t size;             /* sizeof(prof_function) */
    uint32_t id;               /* of the function; for prof_snapshot_caller(), the caller's; from 0 */
    const char *name;          /* UTF-8 */
    const char *file;          /* as given, or NULL */
    uint32_t line;             /* 0 without a file */
    uint32_t has;              /* PROF_FUNCTION_… */
    uint64_t calls;            /* all, open ones included */
    uint64_t primitive_calls;  /* not below another call of the same function */
    uint64_t open_calls;       /* still running */
    uint64_t self_ns;          /* without its callees */
    uint64_t cumulative_ns;    /* with them */
    uint64_t min_ns, max_ns;   /* of ended calls */
    uint64_t items;
    const char *items_unit;    /* "items" by default */
    int64_t rss_growth_bytes;  /* end - begin, summed over primitive calls; calls in parallel each see it */
    uint64_t rss_peak_bytes;   /* highest resident memory of the process in any call */
    uint64_t timed_calls;      /* ended calls that were timed: all, but for PROF_SITE_SAMPLED */
    uint64_t interval_ns;      /* of an estimate: cumulative_ns is right within this, either way, 95 times of 100;
                                  UINT64_MAX when too few calls were timed to say */
} prof_function;

#define PROF_FUNCTION_INIT \
    { (uint32_t)sizeof(prof_function), 0u, NULL, NULL, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, NULL, 0, 0u, 0u, 0u }

/*
 * Takes a snapshot of all threads, live and exited, while they go on.
 *
 *   snapshot  Receives it; close it with prof_snapshot_close().
 *   returns   PROF_OK; PROF_E_INVALID before the first prof_start();
 *             PROF_E_NO_MEMORY.
 *   threads   Any.  Recording threads do not wait; one that exits does.
 *             Sleeps up to 10 ms in the first 10 ms of a recording, for the
 *             clock to be known well enough.
 *   memory    On the heap, in proportion to the number of call paths.
 *   since     0.1
 */
PROF_API prof_status prof_snapshot_take(prof_snapshot **snapshot, prof_error *err);

/* Frees a snapshot and all text read from it; NULL is accepted; since 0.1. */
PROF_API void prof_snapshot_close(prof_snapshot *snapshot);

/*
 * Reads a file that this library wrote as "json" (profcore.summary/1), any
 * "prof": ours, or cProfile's of any Python; or a timeline, any "pftrace", of
 * which it makes the table (prof_timeline_snapshot()).  Which it is shows in
 * its content, not in its name.
 *
 * What a file does not hold is unavailable in the snapshot, never 0: a .prof
 * has calls and times only, of functions, callers and callees, and no call
 * paths, so prof_snapshot_subtree() does not work on it.
 *
 *   path      A regular file of at most 256 MiB; a timeline may have any size.
 *   snapshot  Receives it; close it with prof_snapshot_close().
 *   returns   PROF_OK; PROF_E_FORMAT for what is none of them, or damaged, with
 *             the place; PROF_E_UNSUPPORTED for what no version of this library
 *             wrote; PROF_E_LIMIT; PROF_E_IO, which names the path;
 *             PROF_E_INVALID; PROF_E_NO_MEMORY.
 *   threads   Any; needs less than 128 KiB of stack, whatever is in the file.
 *   since     0.1
 */
PROF_API prof_status prof_snapshot_read_file(const char *path, prof_snapshot **snapshot, prof_error *err);

/*
 * Reads the same from memory.
 *
 *   data      `bytes` bytes, the whole of a file; not kept.
 *   what      What messages call it, such as the file's name; NULL: "the data".
 *   returns   As prof_snapshot_read_file().
 *   since     0.1
 */
PROF_API prof_status prof_snapshot_read(const void *data, size_t bytes, const char *what, prof_snapshot **snapshot,
                                        prof_error *err);

/*
 * Merges snapshots, of several processes or of several moments of one, as if
 * all had been recorded in one: functions of the same file, line and name
 * become one, and calls, times, items, histograms, callers and losses are
 * added, so that percentiles are those of the whole.
 *
 * A figure that one of them does not have is unavailable in the result: a
 * function that was called in a .prof has no percentiles, for instance, and
 * there are call paths only if all of them have these.  A counter's last value
 * is that of the profile that was taken last; of two of one second, of the one
 * that stands behind the other.
 *
 *   snapshots  `count` of them, at least one; they stay the caller's.
 *   merged     Receives the new snapshot, independent of them.
 *   returns    PROF_OK; PROF_E_INVALID, also where own costs were subtracted
 *              in some only; PROF_E_LIMIT when a sum does not fit in 64 bits;
 *              PROF_E_NO_MEMORY.
 *   since      0.1
 */
PROF_API prof_status prof_snapshot_merge(const prof_snapshot *const *snapshots, size_t count, prof_snapshot **merged,
                                         prof_error *err);

/*
 * Makes a snapshot whose times are less what recording took: each scope's
 * cost as measured at start (scope_cost_ps), taken off the times of the scopes
 * around it, never below 0.  It is an estimate, so no file has it unasked, and
 * each that has says so.  Extremes and percentiles stay as measured.
 *
 *   less      Receives the new snapshot, independent of the old.
 *   returns   PROF_OK; PROF_E_UNAVAILABLE where the cost is not known, as of a
 *             .prof; PROF_E_INVALID, also where it was subtracted already;
 *             PROF_E_NO_MEMORY.
 *   since     0.1
 */
PROF_API prof_status prof_snapshot_subtract_cost(const prof_snapshot *snapshot, prof_snapshot **less, prof_error *err);

/*
 * Makes a snapshot of what ran under one function, with it as the root: all
 * its calls and threads merged.
 *
 * Percentiles of a function below it are there only if all its calls were
 * made from there, since histograms are kept for a function, not for a path.
 * If the snapshot was read or merged, the same goes for extremes and items,
 * and what probes measured is unavailable.
 *
 *   function  An id in `snapshot`, below prof_snapshot_function_count().
 *   subtree   Receives the new snapshot, independent of the old.
 *   returns   PROF_OK; PROF_E_UNSUPPORTED on a snapshot without call paths, as
 *             of a .prof; PROF_E_INVALID; PROF_E_NO_MEMORY.
 *   since     0.1
 */
PROF_API prof_status prof_snapshot_subtree(const prof_snapshot *snapshot, uint32_t function, prof_snapshot **subtree,
                                           prof_error *err);

/* What a prof_about has. */
#define PROF_ABOUT_HAS_HOST 0x1u          /* host */
#define PROF_ABOUT_HAS_PID 0x2u           /* pid */
#define PROF_ABOUT_HAS_TIME 0x4u          /* taken_unix_s */
#define PROF_ABOUT_HAS_DURATION 0x8u      /* recorded_ns */
#define PROF_ABOUT_HAS_CLOCK 0x10u        /* whether the clock is steady; where known, its source and rate */
#define PROF_ABOUT_CLOCK_IS_STEADY 0x20u  /* without it, durations are to be taken with care */
#define PROF_ABOUT_HAS_COST 0x40u         /* scope_cost_ps and probe_ns */
#define PROF_ABOUT_COST_IS_SUBTRACTED 0x80u /* see prof_snapshot_subtract_cost() */
#define PROF_ABOUT_HAS_COUNTS 0x100u      /* of prof_snapshot_stats(): repaired, unmatched, memory */
#define PROF_ABOUT_HAS_RSS 0x200u         /* rss_bytes and rss_peak_bytes */
#define PROF_ABOUT_HAS_PATHS 0x400u       /* it has call paths: prof_snapshot_subtree() works */
#define PROF_ABOUT_HAS_THREADS 0x800u     /* of prof_snapshot_stats(): the counts of threads */
#define PROF_ABOUT_HAS_EVENTS 0x1000u     /* of prof_snapshot_stats(): the counts of events */

/* Where a snapshot comes from.  Text belongs to the snapshot. */
typedef struct prof_about {
    uint32_t size;             /* sizeof(prof_about) */
    uint32_t has;              /* PROF_ABOUT_… */
    const char *name;          /* of the run; of a .prof, its file's */
    const char *root;          /* the function whose subtree it is, or NULL: the whole run */
    const char *host;          /* or NULL: not known, or several */
    const char *clock_source;  /* "tsc", "vdso", …, or NULL: not known, or several */
    int64_t pid;               /* of the process; with several there is none */
    uint64_t process_count;    /* of how many processes (or files) it was merged; 1 when it was not */
    uint64_t taken_unix_s;     /* when; of several, the latest */
    uint64_t recorded_ns;      /* since the first start; summed over processes */
    uint64_t clock_hz;         /* 0: not known */
    uint64_t scope_cost_ps;    /* picoseconds that a begin and end took, measured at start */
    uint64_t probe_ns;         /* that reading memory took, in all scopes that asked */
    uint64_t lost_count;       /* scopes not recorded because memory was spent */
    uint64_t rss_bytes;        /* resident memory of the process when the snapshot was taken */
    uint64_t rss_peak_bytes;   /* at its highest; 0: not known */
    uint64_t rss_start_bytes;  /* when recording started; 0: not known */
} prof_about;

#define PROF_ABOUT_INIT \
    { (uint32_t)sizeof(prof_about), 0u, NULL, NULL, NULL, NULL, 0, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u }

/*
 * Says where a snapshot comes from.
 *
 *   about     Its size field set (PROF_ABOUT_INIT).
 *   returns   PROF_OK; PROF_E_INVALID.
 *   since     0.1
 */
PROF_API prof_status prof_snapshot_about(const prof_snapshot *snapshot, prof_about *about, prof_error *err);

/* The number of functions; ids run from 0 in order of first use; 0 for NULL; since 0.1. */
PROF_API uint32_t prof_snapshot_function_count(const prof_snapshot *snapshot);

/*
 * Reads one function's row.
 *
 *   function  An id, below prof_snapshot_function_count().
 *   row       Its size field set (PROF_FUNCTION_INIT).
 *   returns   PROF_OK; PROF_E_INVALID.
 *   since     0.1
 */
PROF_API prof_status prof_snapshot_function(const prof_snapshot *snapshot, uint32_t function, prof_function *row,
                                            prof_error *err);

/*
 * Finds a function by name; the first in order of id where several files
 * have one.
 *
 *   function  Receives the id.
 *   returns   PROF_OK; PROF_E_NOT_FOUND; PROF_E_INVALID.
 *   since     0.1
 */
PROF_API prof_status prof_snapshot_find(const prof_snapshot *snapshot, const char *name, uint32_t *function,
                                        prof_error *err);

/* The number of functions that called this one directly; 0 for bad arguments; since 0.1. */
PROF_API uint32_t prof_snapshot_caller_count(const prof_snapshot *snapshot, uint32_t function);

/*
 * Reads one caller of a function: id, name, file and line are the caller's;
 * calls, primitive calls, self and cumulative time are the function's own as
 * called from there, and no other figure is set.  An edge's
 * call is primitive when the same caller-to-callee step was not on the stack
 * already.
 *
 *   index     Below prof_snapshot_caller_count().
 *   row       Its size field set.
 *   returns   PROF_OK; PROF_E_INVALID.
 *   since     0.1
 */
PROF_API prof_status prof_snapshot_caller(const prof_snapshot *snapshot, uint32_t function, uint32_t index,
                                          prof_function *row, prof_error *err);

/* The number of functions that this one called directly; 0 for bad arguments; since 0.1. */
PROF_API uint32_t prof_snapshot_callee_count(const prof_snapshot *snapshot, uint32_t function);

/*
 * Reads one callee of a function: id, name, file and line are the callee's;
 * calls, primitive calls, self and cumulative time are the callee's as called
 * from this function.  Otherwise as prof_snapshot_caller(); since 0.1.
 */
PROF_API prof_status prof_snapshot_callee(const prof_snapshot *snapshot, uint32_t function, uint32_t index,
                                          prof_function *row, prof_error *err);

/*
 * The duration that a share of a function's ended calls did not exceed.
 *
 * It is the upper edge of the histogram bucket in which the call of that
 * rank lies, clipped to [min_ns, max_ns]: at most 12.5 % above the truth,
 * half of it from the buckets of clock ticks in which calls were counted.
 *
 *   share     0 < share < 1; 0.99 for p99.
 *   ns        Receives nanoseconds.
 *   returns   PROF_OK; PROF_E_UNAVAILABLE when fewer than 10 calls lie above
 *             it (p50 needs 20 calls, p99 1,000), or there is no histogram;
 *             PROF_E_INVALID.
 *   since     0.1
 */
PROF_API prof_status prof_snapshot_percentile(const prof_snapshot *snapshot, uint32_t function, double share,
                                              uint64_t *ns, prof_error *err);

/*
 * A function's histogram: 16 buckets an octave of nanoseconds, one grid for
 * all functions and processes, so histograms merge by addition.  A duration
 * d lies in bucket 16 s + (x >> s), where x = d + 16 and s = floor(log2 x) - 4.
 *
 *   counts    Receives PROF_BUCKET_COUNT counts of ended calls.
 *   returns   PROF_OK; PROF_E_UNAVAILABLE; PROF_E_INVALID.
 *   since     0.1
 */
#define PROF_BUCKET_COUNT 976
PROF_API prof_status prof_snapshot_histogram(const prof_snapshot *snapshot, uint32_t function,
                                             uint64_t counts[PROF_BUCKET_COUNT], prof_error *err);

/* The longest duration in nanoseconds of a bucket from 16 to 975; 0 for other indices, which are never used; since 0.1. */
PROF_API uint64_t prof_bucket_upper_ns(uint32_t index);

/*
 * A probe that functions of this snapshot asked for: what "cpu.time" or
 * "rss" is.  Text belongs to the snapshot.
 */
typedef struct prof_probe_info {
    uint32_t size;     /* sizeof(prof_probe_info) */
    uint32_t is_gauge; /* 1: rises and falls, growth and peak; 0: only rises, sum and largest call */
    const char *name;
    const char *unit;  /* "ns", "bytes", or a plural */
    const char *of;    /* whose value it is: "thread", "process", "cgroup", "machine" */
} prof_probe_info;

#define PROF_PROBE_INFO_INIT { (uint32_t)sizeof(prof_probe_info), 0u, NULL, NULL, NULL }

/* The number of probes that any function asked for; since 0.1. */
PROF_API uint32_t prof_snapshot_probe_count(const prof_snapshot *snapshot);

/*
 * Describes a probe.
 *
 *   probe     Below prof_snapshot_probe_count().
 *   info      Its size field set (PROF_PROBE_INFO_INIT).
 *   returns   PROF_OK; PROF_E_INVALID.
 *   since     0.1
 */
PROF_API prof_status prof_snapshot_probe(const prof_snapshot *snapshot, uint32_t probe, prof_probe_info *info,
                                         prof_error *err);

/*
 * What a probe measured in a function: between begin and end of its ended
 * primitive calls, of all threads.  What happened in the functions that it
 * called is in it, as in cumulative time.
 */
typedef struct prof_measure {
    uint32_t size;         /* sizeof(prof_measure) */
    uint32_t is_bound;     /* a gauge's true peak may be higher than `peak` */
    uint64_t calls;        /* measured at both ends */
    uint64_t failed_calls; /* not measured, for the reason that the error gives where `calls` is 0 */
    int64_t sum;           /* of end - begin: a counter's rise, a gauge's growth */
    uint64_t largest;      /* a counter's rise in one call; 0 for a gauge */
    uint64_t peak;         /* a gauge's highest value known in any call; 0 for a counter */
    /* Of a pool's level (prof_pool_open()), else 0. */
    uint64_t peak_begin, peak_end; /* its value at begin and end of the call with that peak */
    uint64_t rise;                 /* the most that it rose in a call above what it was at its begin */
} prof_measure;

#define PROF_MEASURE_INIT { (uint32_t)sizeof(prof_measure), 0u, 0u, 0u, 0, 0u, 0u, 0u, 0u, 0u }

/*
 * Reads what a probe measured in a function.
 *
 *   measure   Its size field set (PROF_MEASURE_INIT).
 *   returns   PROF_OK; PROF_E_NOT_FOUND: the function did not ask for it;
 *             PROF_E_UNAVAILABLE: no call could be measured, the message says
 *             why; PROF_E_INVALID.
 *   since     0.1
 */
PROF_API prof_status prof_snapshot_measure(const prof_snapshot *snapshot, uint32_t function, uint32_t probe,
                                           prof_measure *measure, prof_error *err);

/* The values of one PROF_COUNTER, of all threads.  Text belongs to the snapshot. */
typedef struct prof_counter_row {
    uint32_t size;             /* sizeof(prof_counter_row) */
    uint32_t line;             /* 0 without a file */
    const char *name, *file;   /* file may be NULL */
    uint64_t count;            /* finite values; the figures below are theirs, 0 where there is none */
    uint64_t not_finite_count; /* NaN and infinities */
    double last;               /* in time */
    double sum;                /* may be infinite where the values are huge */
    double min, max;
} prof_counter_row;

#define PROF_COUNTER_ROW_INIT { (uint32_t)sizeof(prof_counter_row), 0u, NULL, NULL, 0u, 0u, 0.0, 0.0, 0.0, 0.0 }

/* The number of counters; since 0.1. */
PROF_API uint32_t prof_snapshot_counter_count(const prof_snapshot *snapshot);

/*
 * Reads one counter's row.
 *
 *   counter   Below prof_snapshot_counter_count(), in order of first use.
 *   row       Its size field set (PROF_COUNTER_ROW_INIT).
 *   returns   PROF_OK; PROF_E_INVALID.
 *   since     0.1
 */
PROF_API prof_status prof_snapshot_counter(const prof_snapshot *snapshot, uint32_t counter, prof_counter_row *row,
                                           prof_error *err);

/* A kind of memory that allocators told of (<profcore/memory.h>), of the whole process.  Text belongs to the snapshot. */
typedef struct prof_memory_info {
    uint32_t size;            /* sizeof(prof_memory_info) */
    uint32_t reserved;        /* 0 */
    const char *name;         /* such as "torch.cpu" */
    uint64_t allocated_bytes, allocated_count; /* since it was opened */
    uint64_t live_bytes, live_count;           /* now */
    uint64_t peak_bytes;      /* the most that was live at any time; of several processes, in the one that had most */
    uint64_t lost_count;      /* blocks that there was no room to remember: in no figure */
    uint64_t unknown_count;   /* frees of blocks allocated before, or lost: in no figure */
} prof_memory_info;

#define PROF_MEMORY_INFO_INIT { (uint32_t)sizeof(prof_memory_info), 0u, NULL, 0u, 0u, 0u, 0u, 0u, 0u, 0u }

/*
 * The kinds of memory: 0 in a subtree, one call, and what was recovered.  Of
 * what was merged they are added up, as are places.  What functions allocated is in probes: "memory.torch.cpu.allocated",
 * ".freed" (bytes), ".blocks", ".freed_blocks", and ".peak" and ".largest"
 * (bytes), of which prof_measure.largest is the most in any call, and `sum`
 * the calls' own added up.  Since 0.1.
 */
PROF_API uint32_t prof_snapshot_memory_count(const prof_snapshot *snapshot);

/*
 * Reads one kind of memory.
 *
 *   memory    Below prof_snapshot_memory_count().
 *   info      Its size field set (PROF_MEMORY_INFO_INIT).
 *   returns   PROF_OK; PROF_E_INVALID.
 *   since     0.1
 */
PROF_API prof_status prof_snapshot_memory(const prof_snapshot *snapshot, uint32_t memory, prof_memory_info *info,
                                          prof_error *err);

/*
 * A pool of memory that all threads share (prof_pool_open() in
 * <profcore/memory.h>): a GPU's, as an allocator tells of it.  Text belongs to
 * the snapshot.
 */
typedef struct prof_pool_info {
    uint32_t size;          /* sizeof(prof_pool_info) */
    uint32_t is_known;      /* 0: news of it were lost, and what it holds now is not known */
    const char *name;       /* such as "torch.cuda:0" */
    uint64_t allocated_bytes, reserved_bytes;           /* now */
    uint64_t allocated_peak_bytes, reserved_peak_bytes; /* the most at any time */
    uint64_t allocated_mark_bytes, reserved_mark_bytes; /* at prof_memory_mark(), such as after loading */
    uint32_t is_marked;     /* 0: that was not called, and these two are 0 */
    uint32_t flags;         /* PROF_POOL_… */
    uint64_t change_count;  /* that were told */
    uint64_t lost_change_count; /* of these, for which there was no room: calls that were open then have no figures */
    uint64_t late_change_count; /* of these, that came after what they are of had been put in order; likewise */
    uint64_t retry_count;       /* how often it had to empty its cache to have room */
    uint64_t exhausted_count;   /* how often it could not give what was asked for */
    uint64_t exhausted_bytes;   /* what was asked for the first time; 0: never */
    const char *exhausted_path; /* the scopes that were open then, "a > b"; NULL: never */
    const char *reason;         /* of pools that are awaited (prof_pool_await()): why they are not there, and all else is 0; NULL: it is there */
} prof_pool_info;

#define PROF_POOL_IS_TRACED 0x1u /* a driver's, of which GPU tracing tells: what was allocated before that began, or began anew, is not in it */
#define PROF_POOL_HAS_ENDED 0x2u /* tracing has: what it holds now is what it held then */

#define PROF_POOL_INFO_INIT \
    { (uint32_t)sizeof(prof_pool_info), 0u, NULL, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, NULL, NULL }

/*
 * The number of pools: 0 in a subtree, one call, and what was recovered.  Of
 * what was merged they are added up by name, but for the peaks, which are the
 * highest of one process.  What functions had of them is in probes, gauges named after the pool:
 * "torch.cuda:0.allocated" and "torch.cuda:0.reserved" (bytes), whose
 * prof_measure.peak is exact.  Since 0.1.
 */
PROF_API uint32_t prof_snapshot_pool_count(const prof_snapshot *snapshot);

/*
 * Reads one pool.
 *
 *   pool      Below prof_snapshot_pool_count().
 *   info      Its size field set (PROF_POOL_INFO_INIT).
 *   returns   PROF_OK; PROF_E_INVALID.
 *   since     0.1
 */
PROF_API prof_status prof_snapshot_pool(const prof_snapshot *snapshot, uint32_t pool, prof_pool_info *info, prof_error *err);

/*
 * A place that has allocated what is still there, whoever was to free it: the
 * scopes that were open.  Text belongs to the snapshot.
 */
typedef struct prof_place {
    uint32_t size;          /* sizeof(prof_place) */
    uint32_t memory;        /* the number of its kind */
    const char *path;       /* "get_response > aten::clone > aten::empty"; "" outside all scopes; cut to the innermost 24 */
    const char *scope;      /* the innermost scope that is no operator, or NULL */
    const char *called;     /* the outermost operator in it that is a library's, such as aten::clone, or NULL */
    uint64_t live_bytes, live_count;   /* now */
    uint64_t new_count;     /* blocks allocated since prof_memory_mark(), or since the beginning */
    int64_t grown_bytes, grown_count;  /* more than there was then */
    uint32_t is_marked;     /* 1: prof_memory_mark() has been called */
    uint32_t reserved;      /* 0 */
} prof_place;

#define PROF_PLACE_INIT { (uint32_t)sizeof(prof_place), 0u, NULL, NULL, NULL, 0u, 0u, 0u, 0, 0, 0u, 0u }

/* The number of places; 0 where prof_snapshot_memory_count() is; since 0.1. */
PROF_API uint32_t prof_snapshot_place_count(const prof_snapshot *snapshot);

/*
 * Reads one place.
 *
 *   place     Below prof_snapshot_place_count(): those that grew most bytes
 *             come first.
 *   row       Its size field set (PROF_PLACE_INIT).
 *   returns   PROF_OK; PROF_E_INVALID.
 *   since     0.1
 */
PROF_API prof_status prof_snapshot_place(const prof_snapshot *snapshot, uint32_t place, prof_place *row, prof_error *err);

/*
 * One value that was sampled at a stated rate while the recorder ran
 * (prof_options.utilization_every_ms): CPU time, and what NVIDIA's management
 * library tells of each GPU that this process may use, which is of the whole
 * device.  Text belongs to the snapshot.
 */
typedef struct prof_utilization {
    uint32_t size;         /* sizeof(prof_utilization) */
    uint32_t reserved;     /* 0 */
    const char *name;      /* "CPU process", "GPU 0 power"; a GPU's number is CUDA's */
    const char *unit;      /* "%", "bytes", "W", "MHz", "C" (degrees Celsius) */
    const char *of;        /* "process", "machine", or the device: its name, UUID, and number for NVML */
    const char *reason;    /* why sample_count is 0 or the last that failed did; or NULL */
    uint64_t sample_count; /* that have a value; mean and max are theirs, 0 where there is none */
    uint64_t failed_count; /* that should have had one */
    double mean;           /* the plain mean of the samples */
    double max;
    double limit;          /* the highest possible: a GPU's memory, 100 % for each usable CPU; 0: none is known */
    uint64_t bits;         /* of "GPU n throttled": reasons that were active in any sample, nvmlClocksEventReason… */
    uint64_t every_ms;     /* the rate, of all rows; 0 where merged profiles had several */
    uint64_t missed_count; /* samples, of all rows, that were left out as they came too late */
} prof_utilization;

#define PROF_UTILIZATION_INIT \
    { (uint32_t)sizeof(prof_utilization), 0u, NULL, NULL, NULL, NULL, 0u, 0u, 0.0, 0.0, 0.0, 0u, 0u, 0u }

/* The number of values that were sampled; 0 where nobody asked, and in a subtree or one call; since 0.1. */
PROF_API uint32_t prof_snapshot_utilization_count(const prof_snapshot *snapshot);

/*
 * Reads one of them.  Of a percentage that is a share of the samples, such as
 * "GPU 0 throttled: SW power cap", the mean is that share.
 *
 *   index     Below prof_snapshot_utilization_count().
 *   row       Its size field set (PROF_UTILIZATION_INIT).
 *   returns   PROF_OK; PROF_E_INVALID.
 *   since     0.1
 */
PROF_API prof_status prof_snapshot_utilization(const prof_snapshot *snapshot, uint32_t index, prof_utilization *row,
                                               prof_error *err);

/*
 * Spans (<profcore/events.h>), by name, file and line, of all threads that
 * ended them: phases of requests such as the wait in a queue.  They are no
 * functions: no table of functions, no call path and no total has them in it,
 * they may overlap, and prof_snapshot_subtract_cost() leaves them alone.  A
 * subtree and a file of a .prof have none.  This is the number of them; 0 for
 * NULL; since 0.1.
 */
PROF_API uint32_t prof_snapshot_span_count(const prof_snapshot *snapshot);

/*
 * Reads one span's row.
 *
 *   span      Below prof_snapshot_span_count(), in order of first use.
 *   row       Its size field set (PROF_FUNCTION_INIT).  id is the span's
 *             number, calls and timed_calls say how many ended,
 *             cumulative_ns is the sum of their durations; name, file, line,
 *             has, min_ns and max_ns are as for functions, and no other figure
 *             is set.
 *   returns   PROF_OK; PROF_E_INVALID.
 *   since     0.1
 */
PROF_API prof_status prof_snapshot_span(const prof_snapshot *snapshot, uint32_t span, prof_function *row, prof_error *err);

/* The duration that a share of the spans did not exceed, as prof_snapshot_percentile() defines it; since 0.1. */
PROF_API prof_status prof_snapshot_span_percentile(const prof_snapshot *snapshot, uint32_t span, double share,
                                                   uint64_t *ns, prof_error *err);

/* The durations of a span on the grid of prof_snapshot_histogram(), with its results; since 0.1. */
PROF_API prof_status prof_snapshot_span_histogram(const prof_snapshot *snapshot, uint32_t span,
                                                  uint64_t counts[PROF_BUCKET_COUNT], prof_error *err);

/*
 * The counts at the time of the snapshot, as prof_stats_get() gives them.  Of
 * a .prof only lost_count is known and the rest is 0 (PROF_ABOUT_HAS_COUNTS,
 * _HAS_THREADS, _HAS_EVENTS); since 0.1.
 */
PROF_API prof_status prof_snapshot_stats(const prof_snapshot *snapshot, prof_stats *stats, prof_error *err);

/*
 * Takes `bytes` bytes of a file that is being written.  Returns 0 to go on,
 * or an errno value, which ends the writing and becomes PROF_E_IO.
 */
typedef int (*prof_write_callback)(void *user, const void *data, size_t bytes);

/*
 * Writes a snapshot in one of the formats "txt" (the table of pstats and our
 * own), "prof" (cProfile's marshal file), "json" (profcore.summary/1), "html"
 * (a page for a browser, of one file), "pprof" (pprof's protobuf, not
 * compressed), "collapsed" (stacks for flame graphs, in nanoseconds),
 * "callgrind" (for callgrind_annotate and KCachegrind).
 *
 *   sort      For "txt": a key of pstats (calls, cumulative, filename, line,
 *             module, name, ncalls, nfl, pcalls, stdname, time, tottime,
 *             cumtime, file), an abbreviation of one, or several separated by
 *             commas; NULL: cumulative.
 *   write     Called with one piece after another; user is passed on.
 *   returns   PROF_OK; PROF_E_INVALID for an unknown format or key;
 *             PROF_E_UNSUPPORTED for "pftrace", "chrome" and "nvtxt", which are
 *             made of events, and for "pprof" and "collapsed" of a snapshot without call paths, as
 *             one read from a "prof"; PROF_E_NO_MEMORY; PROF_E_IO from the
 *             callback.
 *   since     0.1
 */
PROF_API prof_status prof_snapshot_write(const prof_snapshot *snapshot, const char *format, const char *sort,
                                         prof_write_callback write, void *user, prof_error *err);

/*
 * Writes a snapshot to a file: whole, or not at all.
 *
 *   path      Replaced if it is a regular file; its folder must exist.  A table
 *             is sorted by cumulative time.
 *   returns   As prof_snapshot_write(); PROF_E_IO names the path.
 *   since     0.1
 */
PROF_API prof_status prof_snapshot_write_file(const prof_snapshot *snapshot, const char *format, const char *path,
                                              prof_error *err);

/*
 * How prof_snapshot_print() shows a snapshot.  What it prints in the terms of
 * Python's pstats is byte for byte what pstats prints of the same profile,
 * but for the line with the file's name and the blank one after it.
 */
typedef struct prof_print_options {
    uint32_t size;             /* sizeof(prof_print_options) */
    uint32_t flags;            /* PROF_PRINT_… flags */
    const char *sort;          /* as for prof_snapshot_write() */
    const char *const *limits; /* applied in turn, as pstats applies its restrictions */
    uint32_t limit_count;      /* at most 16 */
    uint32_t view;             /* one of the three below */
} prof_print_options;

#define PROF_PRINT_OPTIONS_INIT { (uint32_t)sizeof(prof_print_options), 0u, NULL, NULL, 0u, 0u }

/* prof_print_options.view */
#define PROF_PRINT_STATS 0u   /* the table, then percentiles, items, memory, losses and overhead */
#define PROF_PRINT_CALLERS 1u /* who called the functions listed: pstats' print_callers() */
#define PROF_PRINT_CALLEES 2u /* whom they called: print_callees() */

/* prof_print_options.flags */
#define PROF_PRINT_REVERSE 0x1u    /* the order backwards */
#define PROF_PRINT_STRIP_DIRS 0x2u /* files without their folders; functions that are then alike are one row */
#define PROF_PRINT_COLOR 0x4u      /* with escape sequences for a terminal */

/*
 * Prints tables for people.
 *
 *   options  NULL for the defaults.  A limit is a number of lines ("20"), a
 *            share of them from 0 to 1 with a point ("0.25"), or else a POSIX
 *            extended regular expression of at most 512 bytes, which
 *            "file:line(name)" or "{name}" must contain; it is as trusted as
 *            the program.
 *   write    Called with one piece after another; user is passed on.
 *   returns  PROF_OK; PROF_E_INVALID for an option that is not one;
 *            PROF_E_NO_MEMORY; PROF_E_IO from the callback.
 *   since    0.1
 */
PROF_API prof_status prof_snapshot_print(const prof_snapshot *snapshot, const prof_print_options *options,
                                         prof_write_callback write, void *user, prof_error *err);

/*
 * Writes the scopes that the event rings hold at this moment, of all threads,
 * each with its begin and end: the timeline.  Threads go on recording.
 *
 * Scopes that are open are not in it.  What the rings hold no more is stated,
 * for each thread: held + lost = issued.
 *
 *   format    "pftrace" (Perfetto's TrackEvent), "chrome" (Chrome's trace
 *             events) or "nvtxt" (for Nsight Systems).
 *   write     Called with one piece after another; user is passed on.
 *   returns   PROF_OK; PROF_E_INVALID for an unknown format, or before the
 *             first prof_start(); PROF_E_UNSUPPORTED for a format that is
 *             written from a snapshot; PROF_E_UNAVAILABLE when there are no
 *             events; PROF_E_NO_MEMORY; PROF_E_IO from the callback.
 *   memory    For the time of the call two to three times what the rings hold.
 *   since     0.1
 */
PROF_API prof_status prof_events_write(const char *format, prof_write_callback write, void *user, prof_error *err);

/*
 * Writes what each live thread is in the middle of: its open scopes from the
 * outermost to the innermost, each with the time that it has been running.
 * Threads are neither stopped nor asked.
 *
 * What is shown of a thread was open at one moment.  A thread that opens and
 * closes scopes all the time is shown as far as it stands still, and as
 * moving.  Calls of a sampled site that are not timed have no age; scopes for
 * which memory had no room are a number.
 *
 *   format    "txt", for people; "json": profcore.stacks/1.
 *   write     Called with one piece after another; user is passed on.
 *   returns   PROF_OK; PROF_E_INVALID for an unknown format, or before the
 *             first prof_start(); PROF_E_NO_MEMORY; PROF_E_IO from the callback.
 *   threads   Any.  Recording threads do not wait; one that exits does.
 *   since     0.1
 */
PROF_API prof_status prof_stacks_write(const char *format, prof_write_callback write, void *user, prof_error *err);

/* What was found in the file of a process that is no more. */
typedef struct prof_recovery {
    uint32_t size;         /* sizeof(prof_recovery) */
    uint32_t thread_count; /* that were recording when it ended */
    uint64_t open_count;   /* scopes that were open */
    uint64_t call_count;   /* of all functions, open ones included */
    uint64_t event_count, event_lost_count; /* issued; of them, not held any more */
    uint64_t damage_count; /* places in the file that make no sense and are left out; 0: it is sound */
    uint64_t last_unix_s;  /* the last that is known of the process */
    int64_t pid;
} prof_recovery;
#define PROF_RECOVERY_INIT { sizeof(prof_recovery), 0, 0, 0, 0, 0, 0, 0, 0 }

/*
 * Makes of the file that a killed process has left, recorded with
 * PROFCORE_CRASH_SAFE=1, the files that it would have written.
 *
 * Scopes that were open count as calls up to the last moment that is known,
 * and stand in a timeline as begun and not ended.  What is lost is stated as
 * it would have been.  Probes, and calls that a rule kept, are not in it.
 * The file is only read: it may be damaged, cut, or that of a process that is
 * still running.
 *
 *   path      The file.  Its process ran the same build of the library.
 *   stem      Of the files to write, to which ".txt" and the like are added;
 *             NULL: `path` without its ending.  Each appears whole or not at
 *             all; one that exists is replaced if it is a regular file.
 *   formats   As in prof_options; NULL: "txt,prof,json,pftrace".
 *   recovery  Receives what was found; or NULL.
 *   returns   PROF_OK; PROF_E_INVALID for an unknown format; PROF_E_FORMAT for
 *             a file that is none of ours, PROF_E_UNSUPPORTED for one of
 *             another build; PROF_E_UNAVAILABLE when nothing was recorded;
 *             PROF_E_LIMIT, PROF_E_NO_MEMORY, PROF_E_IO.
 *   threads   Any.
 *   memory    About three times what the file holds.
 *   since     0.1
 */
PROF_API prof_status prof_recover(const char *path, const char *stem, const char *formats, prof_recovery *recovery,
                                  prof_error *err);

#ifdef __cplusplus
}
#endif

#endif /* PROFCORE_SNAPSHOT_H */
