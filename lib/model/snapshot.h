/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The snapshot as format/ and api/ see it: plain arrays in nanoseconds.
 *
 * Two ways lead to one.  What was recorded here is merged into one tree of
 * call paths, and finishing derives functions, edges and times from it.  What
 * was read from files or merged has functions and edges to begin with, and of
 * its paths, where there are any, calls and times only (assemble.h).  Nothing here knows how a thread records, but for
 * recorded.c, which reads record/'s copy.
 */
#ifndef PROFI_SNAPSHOT_H
#define PROFI_SNAPSHOT_H

#include "../base/base.h"
#include "../base/bucket.h"
#include "../base/probe_table.h"
#include "../base/texts.h"
#include <profcore/gpu.h>

#define PROFI_NONE UINT32_MAX

/* A call path, merged over threads.  A parent stands before its children. */
typedef struct profi_path {
    uint32_t function;
    uint32_t parent, first_child, next_sibling; /* indices or PROFI_NONE */
    uint32_t work;               /* what a GPU did for it: in path_works[], plus 1; 0: nothing, as far as it is known */
    uint64_t calls, open_calls;  /* calls includes the open ones */
    uint64_t total_ns, self_ns;
    uint64_t open_ns;            /* of total_ns, the part of calls that have not ended */
    uint64_t min_ns, max_ns;     /* UINT64_MAX and 0 while no call has ended */
    uint64_t items;
    uint64_t timed_calls;        /* of those that ended */
    uint64_t estimated_calls;    /* those whose time total_ns estimates; 0: total_ns is exact */
    double variance_ns2;         /* of the estimate */
    uint64_t inner_calls;        /* in all paths below, that were timed */
    size_t first_measure;        /* in measures[], one for each of its function's probes */
} profi_path;

/* A function's call by another: one caller-to-callee pair. */
typedef struct profi_edge {
    uint32_t caller, callee;
    uint64_t calls, primitive_calls, self_ns, cumulative_ns;
    uint64_t outermost_ns; /* of cumulative_ns, in calls that are primitive for the callee; UINT64_MAX: not known */
} profi_edge;

/* Edges stand in the order of callees, then callers: below 0, 0 or above, as qsort() wants it. */
static inline int profi_edge_order(uint32_t callee, uint32_t caller, uint32_t other_callee, uint32_t other_caller)
{
    if (callee != other_callee)
        return callee < other_callee ? -1 : 1;
    return caller < other_caller ? -1 : caller > other_caller;
}

typedef struct profi_function {
    const char *name, *file, *unit; /* in the snapshot's texts; file and unit may be NULL */
    uint32_t line, flags;           /* PROF_SITE_… */
    uint64_t calls, primitive_calls, open_calls, self_ns, cumulative_ns, min_ns, max_ns, items;
    uint64_t timed_calls, estimated_calls; /* as in profi_path */
    double variance_ns2;                   /* of cumulative_ns */
    uint64_t inner_calls;            /* of any function, timed inside its primitive calls; UINT64_MAX: not known */
    uint64_t open_ns;                /* of cumulative_ns, the part of calls that have not ended */
    uint64_t probes;                 /* those that it asked for, as bits: the snapshot's numbers */
    profi_measure *measures;         /* owned, one for each of them; peaks include what lies below */
    uint32_t first_edge, edge_count; /* its callers, in edges[] */
    uint32_t first_callee, callee_count; /* its callees: edges[callees[first_callee]] and on */
    prof_gpu_work *gpu;              /* owned: what a GPU did for its calls and below; NULL: nothing, as far as it is known */
    uint64_t *histogram;                   /* PROFI_BUCKET_COUNT counts, or NULL */
    const char *no_histogram;              /* why it is NULL; static or in the snapshot's texts, as those below */
    const char *no_extremes;               /* why min_ns and max_ns are not known though calls have ended, or NULL */
    const char *no_extras;                 /* why items and gauges are not known, or NULL */
} profi_function;

/* What a snapshot says of a probe; its texts hold these. */
typedef struct profi_probe_info {
    const char *name, *unit, *of;
    const char *reason; /* why calls could not be measured; NULL: none is known */
    uint32_t is_gauge;
    uint32_t is_level; /* a gauge of which all threads share one, with exact peaks: see prof_pool_open() */
} profi_probe_info;
enum { PROFI_SNAPSHOT_PROBES = 64 };

/* A counter, merged over threads. */
typedef struct profi_counter_info {
    const char *name, *file; /* in the snapshot's texts; file may be NULL */
    uint32_t line;
    uint64_t count, not_finite_count;
    double last, sum, min, max; /* 0 where count is */
    uint64_t last_unix_s;       /* for merging: when the profile that `last` is from was taken; 0: not known */
} profi_counter_info;

/* A kind of memory that allocators tell of, and a place that has allocated what is still there: see prof_memory_info. */
typedef struct profi_memory_info {
    const char *name; /* in the snapshot's texts, as those below */
    uint64_t allocated_bytes, allocated_count, live_bytes, live_count, peak_bytes, lost_count, unknown_count;
} profi_memory_info;

typedef struct profi_place_info {
    const char *path, *scope, *called; /* the last two may be NULL */
    uint32_t memory;                   /* its number */
    uint64_t live_bytes, live_count, new_count;
    int64_t grown_bytes, grown_count;
} profi_place_info;

/* What was sampled: see prof_utilization, and base/usage.h. */
typedef struct profi_usage_info {
    const char *name, *unit, *of; /* in the snapshot's texts */
    const char *reason;           /* NULL, in the snapshot's texts, or static */
    uint64_t count, failed_count, bits;
    double mean, max, limit;
} profi_usage_info;
enum { PROFI_USAGE_ROWS = 1024 };

typedef struct profi_utilization {
    uint64_t every_ms, count, missed_count, took_ns; /* every_ms: 0 where there is not one rate */
    const char *reason; /* why it was not sampled, or what is to be said of how; NULL, static or in the snapshot's texts */
    profi_usage_info *rows;
    uint32_t row_count;
} profi_utilization;
/* A pool of memory that all threads share: see prof_pool_info. */
enum { PROFI_POOL_SHOWN = 8 };
typedef struct profi_pool_info {
    const char *name; /* in the snapshot's texts, as those below */
    const char *reason; /* why it is not there, and nothing below is; "": it is */
    uint32_t is_known, is_marked, flags; /* PROF_POOL_… */
    uint64_t allocated_bytes, reserved_bytes, allocated_peak_bytes, reserved_peak_bytes, allocated_mark_bytes, reserved_mark_bytes;
    uint64_t change_count, lost_change_count, late_change_count, retry_count, exhausted_count;
    uint32_t shown_count;
    struct {
        uint64_t bytes;
        const char *path; /* the scopes that it hit; "": none */
    } exhaustions[PROFI_POOL_SHOWN]; /* the first ones */
} profi_pool_info;

typedef struct profi_thread_info {
    int32_t tid;
    uint32_t exited;
    uint64_t calls, lost, repaired, unmatched;
    char name[64]; /* cleaned */
} profi_thread_info;

/* One of the processes that a merged snapshot is made of. */
typedef struct profi_process {
    const char *name, *host; /* in the snapshot's texts; host may be NULL */
    int64_t pid;             /* 0: not known */
} profi_process;

/*
 * The process and the moment: the same in every part of a snapshot.  What no
 * bit of `has` vouches for is zero.
 */
typedef struct profi_about {
    uint32_t has;                /* PROF_ABOUT_… but for _HAS_PATHS */
    char host[256];
    char clock_source[32];       /* empty: not known */
    int64_t pid;
    uint64_t taken_unix_s;
    uint64_t recorded_ns;        /* since the first start */
    uint64_t clock_hz;           /* 0: not known */
    uint64_t backward_count;     /* scopes for which the clock went back */
    uint64_t kept_ns;            /* that telling single calls apart took */
    unsigned refused_function_count; /* functions whose files found no room in the folder */
    uint64_t scope_cost_ps;      /* what a begin and end cost when measured at start */
    uint64_t gauge_ns;           /* that reading probes took, in all scopes that asked */
    uint64_t rss_bytes, rss_peak_bytes, rss_start_bytes; /* of the process; start: 0 if unknown */
    uint64_t rss_sample_count;   /* readings while recording, one every so often; 0: none */
    uint64_t rss_every_ms, rss_mean_bytes, rss_sample_peak_bytes; /* of these */
    const char *no_rss;          /* why it has no _RSS; static or in the snapshot's texts */
    const char *missing;         /* why it lacks any of the others; likewise */
} profi_about;

/* Of the snapshot of one kept call: which call, and why it was kept. */
typedef struct profi_call_about {
    uint64_t duration_ns, ended_unix_ns;
    uint64_t number;              /* which outermost call of the function, from 1 */
    uint64_t limit_ns, every_nth; /* the rule */
    int is_slow;                  /* it took longer than limit_ns */
} profi_call_about;

struct prof_snapshot {
    profi_texts texts;           /* all text of functions and processes */
    profi_path *paths;
    uint32_t path_count;
    size_t path_room;
    int has_bare_paths;          /* they have calls and times only: it was read or merged */
    prof_gpu_work *path_works;
    uint32_t path_work_count;
    size_t path_work_room;
    const char *no_paths;        /* why there are none though functions are; static or in texts */
    uint32_t first_root;         /* the outermost paths, linked by next_sibling */
    uint32_t *path_table;        /* open addressing, by (parent, function); while building */
    uint32_t path_table_size;
    profi_function *functions;
    uint32_t function_count;
    profi_edge *edges;           /* by callee, then caller */
    uint32_t edge_count;
    uint32_t *callees;           /* indices into edges, by caller, then callee */
    profi_probe_info probes[PROFI_SNAPSHOT_PROBES];
    uint32_t probe_count;
    profi_measure *measures;     /* of the paths */
    size_t measure_count, measure_room;
    profi_counter_info *counters;
    uint32_t counter_count;
    profi_function *spans;       /* not functions, but their rows: calls, cumulative and extreme times, histogram */
    uint32_t span_count;
    uint64_t lost_values;        /* of counters, and events beside scopes */
    profi_memory_info *memories; /* none in what is no run */
    uint32_t memory_count;
    profi_pool_info *pools;      /* likewise */
    uint32_t pool_count;
    uint64_t lost_level_calls;   /* calls of which pools know nothing */
    profi_place_info *places;    /* what has grown most first */
    uint32_t place_count;
    int is_marked;               /* growth is since prof_memory_mark(), else since the first block */
    struct profi_gpu_info *gpu;  /* owned; of a run of this process, else NULL */
    const char *no_gpu;          /* why it is NULL though a GPU worked; static or in texts; NULL: none did, as far as it is known */
    profi_utilization utilization; /* none in a part of a run */
    profi_thread_info *threads;
    uint32_t thread_count;
    profi_process *processes;    /* of which it was merged; none: it is of one */
    uint32_t process_count;
    prof_stats stats;
    const char *run_name;        /* in texts; never NULL */
    const char *root;            /* name of the function that this is the subtree of; NULL: the whole run */
    profi_about about;
    int is_call;                 /* not a run but one call: no percentiles, no memory, one thread */
    profi_call_about call;
    struct profi_slowest *slowest; /* owned; NULL: it was not looked for, or there is none */
};

/* An empty snapshot with room for the names of `function_count` functions; NULL when memory is spent. */
prof_snapshot *profi_snapshot_new(uint32_t function_count);

/* The snapshot's own copy of a text (of NULL: NULL); *ok becomes 0 when memory is spent. */
const char *profi_snapshot_text(prof_snapshot *snapshot, const char *text, int *ok);

/*
 * The path of a function below `parent` (PROFI_NONE: outermost), made if need
 * be; PROFI_NONE when memory is spent.
 */
uint32_t profi_snapshot_path(prof_snapshot *snapshot, uint32_t parent, uint32_t function);

/* The same where there is one; PROFI_NONE where there is none.  While paths are made. */
uint32_t profi_snapshot_find_path(const prof_snapshot *snapshot, uint32_t parent, uint32_t function);

/* Adds one path's figures to another's of the same function; the measures are the probes' of `from`. */
void profi_path_add(prof_snapshot *snapshot, uint32_t into, const profi_path *from, const profi_measure *measures);

/* A probe of another snapshot, as one of this; *ok becomes 0 when memory is spent. */
profi_probe_info profi_snapshot_copy_probe(prof_snapshot *snapshot, const profi_probe_info *from, int *ok);

/* Gives a snapshot the probes of another. */
int profi_snapshot_copy_probes(prof_snapshot *snapshot, const prof_snapshot *from);

/* Gives it the counters of another, or just room for `count` of them. */
int profi_snapshot_copy_counters(prof_snapshot *snapshot, const prof_snapshot *from);
int profi_snapshot_make_counters(prof_snapshot *snapshot, uint32_t count);

/* Reserves a path's measures, unless they are bare, and a function's; 0 when memory is spent. */
int profi_path_make_measures(prof_snapshot *snapshot, profi_path *path);
int profi_function_make_measures(profi_function *function);

/* The measure of a probe, by its number or its name; NULL where the function did not ask for it. */
const profi_measure *profi_function_measure(const profi_function *function, uint32_t probe);
const profi_measure *profi_function_measure_named(const prof_snapshot *snapshot, const profi_function *function,
                                                  const char *name);

/* Why a probe measured no call of a function. */
const char *profi_measure_reason(const profi_probe_info *probe, const profi_measure *measure);

/* Derives self times and inner calls of the paths. */
void profi_snapshot_sum_paths(prof_snapshot *snapshot);

/* Derives functions and edges from the paths; 0 when memory is spent. */
int profi_snapshot_finish(prof_snapshot *snapshot);

/* Fills `callees` from the edges, which are sorted; 0 when memory is spent. */
int profi_snapshot_index_callees(prof_snapshot *snapshot);

/* Allocates a function's histogram; 0 when memory is spent. */
int profi_function_make_histogram(profi_function *function);

/* Whether min_ns and max_ns are known. */
static inline int profi_function_has_extremes(const profi_function *function)
{
    return function->timed_calls != 0 && function->no_extremes == NULL;
}

/* What a caller of prof_snapshot_take() cannot give: facts about the run, kept by api/. */
typedef struct profi_run_facts {
    char name[256];
    uint64_t start_tick;
    double scope_cost_ticks;
    uint64_t rss_start_bytes; /* 0: unknown */
    uint32_t rss_every_ms;    /* 0: resident memory is not sampled */
    uint64_t rss_sample_count, rss_sample_sum, rss_sample_peak; /* bytes */
} profi_run_facts;

/* Takes a snapshot of what is recorded. */
prof_status profi_snapshot_take(const profi_run_facts *facts, prof_snapshot **snapshot, prof_error *err);

/* Fills what was sampled of processors and GPUs; 0 when the heap is spent. */
int profi_recorded_utilization(prof_snapshot *snapshot);

/* The same of what a process that is no more has left. */
struct profi_dead;
prof_status profi_snapshot_of_dead(const struct profi_dead *dead, prof_snapshot **snapshot, prof_error *err);

/* Half the 95 % interval of a function's cumulative time in nanoseconds; 0 where that is exact. */
uint64_t profi_function_interval(const profi_function *function);

/* The same of one kept call. */
struct profi_kept_call;
prof_status profi_snapshot_of_call(const profi_run_facts *facts, const struct profi_kept_call *call,
                                   prof_snapshot **snapshot, prof_error *err);

/* The percentile, or why there is none. */
prof_status profi_function_percentile(const profi_function *function, double share, uint64_t *ns, prof_error *err);

/* What the public functions for functions and for spans share: arguments are checked. */
prof_status profi_row_percentile(const profi_function *row, double share, uint64_t *ns, prof_error *err);
prof_status profi_row_histogram(const profi_function *row, uint64_t counts[PROF_BUCKET_COUNT], prof_error *err);

/* Checks the arguments that all readers have in common. */
prof_status profi_snapshot_check(const prof_snapshot *snapshot, uint32_t function, prof_error *err);

#endif
