/* SPDX-License-Identifier: Apache-2.0 */
/* The table of uses: see api_uses.h. */
#include "api_uses.h"

#include "version_script.h"

#include <profcore/events.h>
#include <profcore/inline.h>
#include <profcore/gpu.h>
#include <profcore/memory.h>
#include <profcore/operators.h>
#include <profcore/snapshot.h>
#include <profcore/timeline.h>

#include <errno.h>
#include <fenv.h>
#include <glob.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

int api_uses_with_saver, api_uses_failed;
uint64_t api_uses_issued;

static int problems, is_started;
static prof_error err;
static prof_snapshot *snapshot;

/* ---- what every call is watched for ---- */

enum { ERRNO_SENTINEL = 7777 };

/* Rounding, flush-to-zero and which exceptions trap; not the flags, which any arithmetic raises. */
static unsigned modes(void)
{
#if defined(__x86_64__)
    return _mm_getcsr() & 0xffc0u;
#else
    return (unsigned)fegetround();
#endif
}

static unsigned modes_before;

static void before(void)
{
    modes_before = modes();
    err = (prof_error)PROF_ERROR_INIT;
    errno = ERRNO_SENTINEL;
}

static void problem(const char *what, const char *call)
{
    printf("# %s: %s\n", what, call);
    problems++;
}

static int after(prof_status status, const char *call)
{
    int number = errno;
    if (status == PROF_OK && number != ERRNO_SENTINEL)
        problem("errno was changed", call);
    if (modes() != modes_before)
        problem("the floating-point modes were changed", call);
    if (status == PROF_OK && (err.status != 0 || err.message[0] != '\0'))
        problem("the error was touched on success", call);
    if (status != PROF_OK && (err.status != status || err.message[0] == '\0'))
        problem("a failure without its message", call);
    api_uses_failed += status != PROF_OK;
    return status == PROF_OK;
}

/* A call that returns a status: whether it succeeded.  DO: one that returns none. */
#define TRY(call) after((before(), (call)), #call)
#define DO(call) (before(), (void)(call), (void)after(PROF_OK, #call))

/* A file in memory that is not allocated. */
typedef struct bytes_file {
    size_t bytes;
    char data[1 << 17];
} bytes_file;

static int take_bytes(void *user, const void *data, size_t bytes)
{
    bytes_file *file = user;
    if (bytes > sizeof(file->data) - file->bytes)
        return EFBIG;
    memcpy(file->data + file->bytes, data, bytes);
    file->bytes += bytes;
    return 0;
}

static void take_variable(void *user, const char *name, const char *value, const char *reason)
{
    (void)name;
    (void)value;
    (void)reason;
    ++*(int *)user;
}

/* ---- the uses, in this order ---- */

static int read_ticks(void *ticks, uint64_t *value)
{
    *value = __atomic_add_fetch((uint64_t *)ticks, 1, __ATOMIC_RELAXED);
    return 0;
}

static void use_probe(void)
{
    static uint64_t ticks;
    prof_probe probe = PROF_PROBE_INIT;
    uint32_t flag = PROF_SITE_OWN(0);
    probe.name = "ticks";
    probe.unit = "ticks";
    probe.read = read_ticks;
    probe.user = &ticks;
    TRY(prof_probe_add(&probe, &flag, &err));
}

static void use_constants(void)
{
    DO(prof_version());
    DO(prof_status_name(PROF_E_IO));
    DO(prof_bucket_upper_ns(20));
    int variables = 0;
    TRY(prof_environment_check(take_variable, &variables, &err));
}

static void use_start(void)
{
    prof_options options = PROF_OPTIONS_INIT;
    options.name = "uses";
    if (api_uses_with_saver) {
        options.save_every_s = 3600;
    } else {
        options.flags = PROF_NO_FILES;
        options.save_if = "late>1ns";
        options.max_files = 40;
    }
    is_started = TRY(prof_start(&options, &err));
    if (is_started && TRY(prof_start(NULL, &err)))
        TRY(prof_stop(&err));
}

/* What goes into the rings beside scopes; the innermost scope is open. */
static void use_events(prof_site *name)
{
    const prof_arg args[] = { PROF_INT("one", 1), PROF_DOUBLE("half", 0.5), PROF_TEXT("text", "of more than sixteen bytes") };
    prof_request previous;
    prof_span span;
    DO(previous = prof_request_begin((prof_request){ 1, 2 }));
    DO(span = prof_span_begin(name));
    DO(prof_args(args, 3));
    DO(prof_instant(name, args, 3));
    DO(prof_flow(7));
    DO(prof_flow_end(7));
    DO(span = prof_span_phase(span, name));
    DO(prof_span_end(span, args, 1));
    DO(prof_request_end(previous));
}

static void *use_scopes_in_thread(void *unused)
{
    static prof_site outer = PROF_SITE_INIT("outer", "uses.c", 1, PROF_SITE_SAVE | PROF_SITE_RSS |
                                       PROF_SITE_CPU | PROF_SITE_FAULTS | PROF_SITE_SWITCHES | PROF_SITE_WAIT |
                                       PROF_SITE_CGROUP | PROF_SITE_OWN(0));
    static prof_site sampled = PROF_SITE_INIT("sampled", "uses.c", 4, PROF_SITE_SAMPLED);
    static prof_site depth = PROF_SITE_INIT("depth", "uses.c", 5, 0);
    static prof_site inner = PROF_SITE_INIT("inner", "uses.c", 2, 0), next = PROF_SITE_INIT("next", NULL, 0, 0);
    prof_scope first, second;
    if (!__atomic_load_n(&prof_active, __ATOMIC_RELAXED))
        return unused;
    DO(first = prof_begin(&outer)); /* once: each end of it takes a dozen system calls */
    for (int i = 0; i < 25; i++) {
        DO(second = prof_begin(&inner));
        DO(prof_items(2, "rounds"));
        DO(second = prof_phase(second, &next));
        DO(prof_end(second));
        DO(prof_begin(&inner));
        DO(prof_end_current());
        DO(prof_counter(&depth, i));
        use_events(&depth);
        DO(second = prof_inline_begin(&inner));
        DO(second = prof_inline_phase(second, &next));
        DO(prof_inline_end(second));
        DO(prof_end(prof_begin(&sampled)));
    }
    DO(prof_end(first));
    __atomic_fetch_add(&api_uses_issued, 1 + 25 * 6, __ATOMIC_RELAXED);
    return unused;
}

static void use_scopes(void)
{
    pthread_t thread;
    use_scopes_in_thread(NULL);
    if (pthread_create(&thread, NULL, use_scopes_in_thread, NULL) == 0)
        pthread_join(thread, NULL);
}

static void use_site(void)
{
    prof_site *site;
    if (is_started && TRY(prof_site_get("late", SIZE_MAX, "uses.c", 3, 0, &site, &err))) {
        DO(prof_end(prof_begin(site)));
        api_uses_issued++;
    }
    if (is_started && TRY(prof_site_get("ruled", SIZE_MAX, NULL, 0, PROF_SITE_SAVE_IF, &site, &err)) &&
        TRY(prof_site_save_if(site, 0, 1, &err))) {
        DO(prof_end(prof_begin(site)));
        api_uses_issued++;
    }
}

/* Begun only where there is a source: as many scopes then. */
static void use_operators(void)
{
    const int64_t shape[2] = { 9, 384 };
    const prof_operator_input input = { sizeof(input), 2, shape };
    prof_operators *source = NULL;
    prof_scope scope = PROF_SCOPE_NONE;
    if (!TRY(prof_operators_open("uses", &source, &err)))
        return;
    TRY(prof_operators_load_with("libc.so.6", "libc.so.6", &err));
    for (int i = 0; i < 2; i++) {
        DO(scope = prof_operator_begin(source, "add"));
        DO(prof_end(scope));
        DO(scope = prof_operator_begin_shaped(source, "add", &input, 1));
        DO(prof_end(scope));
        api_uses_issued += is_started ? 2 : 0;
    }
}

/* A block that could not be remembered is lost, and its free unknown. */
static void use_memory(void)
{
    static char blocks[3];
    prof_memory *memory = NULL;
    uint64_t freed = 0;
    if (!TRY(prof_memory_open("uses", &memory, &err)))
        return;
    DO(prof_memory_allocated(memory, &blocks[0], 100));
    DO(prof_memory_allocated(memory, &blocks[1], 64));
    DO(freed = prof_memory_freed(memory, &blocks[1]));
    if (freed != 64 && freed != 0)
        problem("that is not what was allocated", "prof_memory_freed");
    DO(prof_memory_mark());
    TRY(prof_memory_check(1, &err));
}

/* Nobody asked for any here. */
static void use_utilization(void)
{
    prof_utilization row = PROF_UTILIZATION_INIT;
    uint32_t rows = 0;
    DO(rows = prof_snapshot_utilization_count(snapshot));
    if (rows != 0 && TRY(prof_snapshot_utilization(snapshot, 0, &row, &err)) && row.name == NULL)
        problem("a row without a name", "prof_snapshot_utilization");
}

static void close_change(void *pool) { prof_pool_change(pool, 1, 0); }

static prof_status look_once(void *user, prof_error *why)
{
    (void)user;
    (void)why;
    return PROF_OK;
}

static void use_pool(void)
{
    prof_pool *pool = NULL;
    (void)TRY(prof_pool_await("awaited", look_once, NULL, &err));
    if (!TRY(prof_pool_open("uses", &pool, &err)))
        return;
    DO(prof_pool_settle_by(pool, close_change, pool));
    DO(prof_pool_set(pool, 10, 20));
    DO(prof_pool_change(pool, 30, 0));
    DO(prof_pool_open_change(pool));
    DO(prof_pool_retry(pool, 1));
    DO(prof_pool_exhausted(pool, 100));
    DO(prof_pool_change(pool, -30, 0));
}

/* What is told and read while memory is short may lack calls; what a pool holds it may not know. */
static void use_pools(void)
{
    prof_pool_info info = PROF_POOL_INFO_INIT;
    uint32_t pools = 0;
    DO(pools = prof_snapshot_pool_count(snapshot));
    if (pools != 0 && TRY(prof_snapshot_pool(snapshot, 0, &info, &err)) && info.allocated_peak_bytes < info.allocated_bytes)
        problem("it holds more than at its peak", "prof_snapshot_pool");
}

/* Of the place there may be nothing. */
static void use_places(void)
{
    prof_memory_info info = PROF_MEMORY_INFO_INIT;
    prof_place place = PROF_PLACE_INIT;
    uint32_t memories = 0, places = 0;
    DO(memories = prof_snapshot_memory_count(snapshot));
    DO(places = prof_snapshot_place_count(snapshot));
    if (memories != 0 && TRY(prof_snapshot_memory(snapshot, 0, &info, &err)) && info.live_count > info.allocated_count)
        problem("more is live than was allocated", "prof_snapshot_memory");
    if (places != 0)
        TRY(prof_snapshot_place(snapshot, 0, &place, &err));
}

/* There is no GPU here: tests/gpu has one that only looks so. */
static void use_gpu(void)
{
    prof_gpu_info info = PROF_GPU_INFO_INIT;
    prof_error refused = PROF_ERROR_INIT;
    prof_status status = PROF_OK;
    if (TRY(prof_gpu_status(&info, &err)) && info.state == PROF_GPU_ON)
        problem("there is a GPU", "prof_gpu_status");
    DO(status = prof_gpu_start(&refused));
    if (status == PROF_OK)
        problem("there is a GPU", "prof_gpu_start");
    TRY(prof_gpu_stop(&err));
}

static void use_gpu_work(void)
{
    prof_gpu_work work = PROF_GPU_WORK_INIT;
    prof_gpu_totals totals = PROF_GPU_TOTALS_INIT;
    prof_error refused = PROF_ERROR_INIT;
    prof_status status = PROF_OK;
    DO(status = prof_snapshot_gpu_work(snapshot, 0, &work, &refused));
    if (status == PROF_OK)
        problem("there is a GPU", "prof_snapshot_gpu_work");
    DO(status = prof_snapshot_gpu_totals(snapshot, &totals, &refused));
    if (status == PROF_OK)
        problem("there is a GPU", "prof_snapshot_gpu_totals");
}

static void use_stats(void)
{
    prof_stats stats = PROF_STATS_INIT;
    TRY(prof_stats_get(&stats, &err));
}

static void use_snapshot(void)
{
    snapshot = NULL;
    TRY(prof_snapshot_take(&snapshot, &err));
}

static void use_readers(void)
{
    static uint64_t counts[PROF_BUCKET_COUNT];
    prof_function row = PROF_FUNCTION_INIT;
    prof_stats stats = PROF_STATS_INIT;
    uint32_t function = 0;
    uint64_t ns;
    if (snapshot == NULL)
        return;
    DO(prof_snapshot_function_count(snapshot));
    TRY(prof_snapshot_stats(snapshot, &stats, &err));
    if (!TRY(prof_snapshot_find(snapshot, "inner", &function, &err)))
        return;
    TRY(prof_snapshot_function(snapshot, function, &row, &err));
    DO(prof_snapshot_caller_count(snapshot, function));
    TRY(prof_snapshot_caller(snapshot, function, 0, &row, &err));
    DO(prof_snapshot_callee_count(snapshot, row.id));
    TRY(prof_snapshot_callee(snapshot, row.id, 0, &row, &err));
    prof_about about = PROF_ABOUT_INIT;
    TRY(prof_snapshot_about(snapshot, &about, &err));
    TRY(prof_snapshot_percentile(snapshot, function, 0.5, &ns, &err));
    TRY(prof_snapshot_histogram(snapshot, function, counts, &err));
}

static void use_measures(void)
{
    prof_probe_info info = PROF_PROBE_INFO_INIT;
    prof_measure measure = PROF_MEASURE_INIT;
    prof_counter_row row = PROF_COUNTER_ROW_INIT;
    uint32_t function, probes, counters;
    if (snapshot == NULL)
        return;
    DO(probes = prof_snapshot_probe_count(snapshot));
    DO(counters = prof_snapshot_counter_count(snapshot));
    if (counters != 0)
        TRY(prof_snapshot_counter(snapshot, 0, &row, &err));
    if (probes == 0 || prof_snapshot_find(snapshot, "outer", &function, NULL) != PROF_OK)
        return;
    TRY(prof_snapshot_probe(snapshot, 0, &info, &err));
    TRY(prof_snapshot_measure(snapshot, function, 0, &measure, &err));
}

static void use_spans(void)
{
    static uint64_t counts[PROF_BUCKET_COUNT];
    prof_function row = PROF_FUNCTION_INIT;
    uint64_t ns;
    uint32_t spans = 0;
    if (snapshot != NULL)
        DO(spans = prof_snapshot_span_count(snapshot));
    if (spans == 0)
        return;
    TRY(prof_snapshot_span(snapshot, 0, &row, &err));
    TRY(prof_snapshot_span_percentile(snapshot, 0, 0.5, &ns, &err));
    TRY(prof_snapshot_span_histogram(snapshot, 0, counts, &err));
}

static void use_subtree(void)
{
    prof_snapshot *subtree;
    if (snapshot != NULL && prof_snapshot_function_count(snapshot) != 0 &&
        TRY(prof_snapshot_subtree(snapshot, 0, &subtree, &err)))
        DO(prof_snapshot_close(subtree));
}

static void use_writers(void)
{
    static const char *const formats[] = { "txt", "prof", "json", "pprof", "collapsed", "callgrind", "html" };
    static const char *const limits[] = { "inner|outer", "0.9", "10" };
    static bytes_file file;
    prof_print_options options = PROF_PRINT_OPTIONS_INIT;
    options.limits = limits;
    options.limit_count = 3;
    for (int i = 0; snapshot != NULL && i < 7; i++) {
        char path[32];
        file.bytes = 0;
        TRY(prof_snapshot_write(snapshot, formats[i], NULL, take_bytes, &file, &err));
        snprintf(path, sizeof(path), "written.%s", formats[i]);
        TRY(prof_snapshot_write_file(snapshot, formats[i], path, &err));
        options.view = (uint32_t)i % 3;
        file.bytes = 0;
        TRY(prof_snapshot_print(snapshot, &options, take_bytes, &file, &err));
    }
    file.bytes = 0;
    TRY(prof_events_write("pftrace", take_bytes, &file, &err));
    for (int i = 0; i < 2; i++) {
        file.bytes = 0;
        TRY(prof_stacks_write(i ? "json" : "txt", take_bytes, &file, &err));
    }
}

/* Whether a snapshot that was read has every function of the one that was written. */
static void check_names(const prof_snapshot *again)
{
    uint32_t found;
    for (uint32_t i = 0; i < prof_snapshot_function_count(snapshot); i++) {
        prof_function row = PROF_FUNCTION_INIT;
        prof_snapshot_function(snapshot, i, &row, NULL);
        if (prof_snapshot_find(again, row.name, &found, NULL) != PROF_OK)
            problem("a name did not come back", row.name);
    }
}

/* Written, read back, merged, and less our own cost. */
static void use_files(void)
{
    static bytes_file file;
    prof_snapshot *again, *made, *from_file;
    if (snapshot == NULL)
        return;
    for (int i = 0; i < 2; i++) {
        file.bytes = 0;
        if (!TRY(prof_snapshot_write(snapshot, i ? "json" : "prof", NULL, take_bytes, &file, &err)) ||
            !TRY(prof_snapshot_read(file.data, file.bytes, "memory", &again, &err)))
            continue;
        check_names(again);
        const prof_snapshot *both[] = { again, snapshot };
        if (TRY(prof_snapshot_merge(both, 2, &made, &err)))
            DO(prof_snapshot_close(made));
        if (i == 1 && TRY(prof_snapshot_subtract_cost(again, &made, &err)))
            DO(prof_snapshot_close(made));
        DO(prof_snapshot_close(again));
        if (TRY(prof_snapshot_read_file(i ? "written.json" : "written.prof", &from_file, &err)))
            DO(prof_snapshot_close(from_file));
    }
}

typedef struct reading {
    const bytes_file *file;
    size_t at;
} reading;

static int64_t give_bytes(void *user, void *data, size_t room)
{
    reading *r = user;
    size_t left = r->file->bytes - r->at, bytes = left < room ? left : room;
    memcpy(data, (const char *)r->file->data + r->at, bytes);
    r->at += bytes;
    return (int64_t)bytes;
}

/* Every slice of every track, as far as they can be had. */
static void use_tracks(const prof_timeline *timeline)
{
    prof_timeline_about about = PROF_TIMELINE_ABOUT_INIT;
    prof_timeline_process process = PROF_TIMELINE_PROCESS_INIT;
    prof_timeline_track track = PROF_TIMELINE_TRACK_INIT;
    prof_timeline_slice slice = PROF_TIMELINE_SLICE_INIT;
    prof_timeline_argument argument = PROF_TIMELINE_ARGUMENT_INIT;
    uint64_t arguments = 0;
    TRY(prof_timeline_about_get(timeline, &about, &err));
    TRY(prof_timeline_process_get(timeline, 0, &process, &err));
    for (uint64_t t = 0; t < about.track_count; t++) {
        TRY(prof_timeline_track_get(timeline, t, &track, &err));
        for (uint64_t i = 0; i < track.slice_count && i < 20; i++) {
            TRY(prof_timeline_slice_get(timeline, t, i, &slice, &err));
            for (uint64_t a = 0; a < slice.argument_count; a++, arguments++)
                TRY(prof_timeline_argument_get(timeline, t, i, a, &argument, &err));
        }
    }
}

/* The run's events, written, read back twice as one, and written again in all formats. */
static void use_timelines(void)
{
    static const char *const formats[] = { "pftrace", "chrome", "nvtxt" };
    static bytes_file file, again;
    prof_timeline *timeline, *from_file;
    prof_snapshot *table;
    file.bytes = 0;
    if (!is_started || !TRY(prof_events_write("pftrace", take_bytes, &file, &err)))
        return;
    DO(prof_timeline_looks_like(file.data, file.bytes));
    reading readings[2] = { { &file, 0 }, { &file, 0 } };
    const prof_timeline_source sources[2] = { { give_bytes, &readings[0], "one" }, { give_bytes, &readings[1], "two" } };
    if (!TRY(prof_timeline_read(sources, 2, &timeline, &err)))
        return;
    use_tracks(timeline);
    for (int i = 0; i < 3; i++) {
        again.bytes = 0;
        TRY(prof_timeline_write(timeline, formats[i], take_bytes, &again, &err));
    }
    if (TRY(prof_timeline_write_file(timeline, "pftrace", "written.pftrace", &err)) &&
        TRY(prof_timeline_read_file("written.pftrace", &from_file, &err)))
        DO(prof_timeline_close(from_file));
    if (TRY(prof_timeline_snapshot(timeline, &table, &err))) {
        TRY(prof_timeline_add_slowest(timeline, table, &err));
        DO(prof_snapshot_close(table));
    }
    DO(prof_timeline_close(timeline));
}

/* Of a file that this process records into, where it does, as of a dead one's: see meson.build. */
static void use_recover(void)
{
    prof_recovery found = PROF_RECOVERY_INIT;
    glob_t files;
    if (glob("profiling_results/*.crash", 0, NULL, &files) != 0)
        return;
    if (TRY(prof_recover(files.gl_pathv[0], "recovered", NULL, &found, &err)))
        if (found.event_count < found.event_lost_count || found.pid != getpid())
            problem("that is not what was recorded", "prof_recover");
    globfree(&files);
}

static void use_close(void)
{
    DO(prof_snapshot_close(snapshot));
    snapshot = NULL;
}

static void use_save(void)
{
    if (is_started && TRY(prof_save(&err)))
        TRY(prof_save(&err)); /* over the files of the first */
}

static void use_dump(void)
{
    char path[64];
    prof_dump_options options = PROF_DUMP_OPTIONS_INIT;
    options.reason = "a test";
    options.path = path;
    options.path_bytes = sizeof(path);
    TRY(prof_slow_set("no such *", 0, &err));
    if (is_started)
        TRY(prof_dump(&options, &err));
}

static void use_stop(void)
{
    if (is_started)
        TRY(prof_stop(&err));
}

static const struct {
    const char *functions; /* with a space before and after each */
    void (*run)(void);
} uses[] = {
    { " prof_version prof_status_name prof_bucket_upper_ns prof_environment_check ", use_constants },
    { " prof_probe_add ", use_probe },
    { " prof_start ", use_start },
    { " prof_active prof_begin prof_end prof_end_current prof_phase prof_items prof_counter prof_inline_self_1 "
      "prof_inline_turn_1 prof_args prof_instant prof_span_begin prof_span_end prof_span_phase prof_flow prof_flow_end "
      "prof_request_begin prof_request_end ", use_scopes },
    { " prof_site_get prof_site_save_if ", use_site },
    { " prof_operators_open prof_operators_load_with prof_operator_begin prof_operator_begin_shaped ", use_operators },
    { " prof_gpu_status prof_gpu_start prof_gpu_stop ", use_gpu },
    { " prof_memory_open prof_memory_allocated prof_memory_freed prof_memory_mark prof_memory_check ", use_memory },
    { " prof_pool_open prof_pool_await prof_pool_set prof_pool_change prof_pool_open_change prof_pool_settle_by prof_pool_retry prof_pool_exhausted ",
      use_pool },
    { " prof_stats_get ", use_stats },
    { " prof_snapshot_take ", use_snapshot },
    { " prof_snapshot_function_count prof_snapshot_stats prof_snapshot_find prof_snapshot_function "
      "prof_snapshot_caller_count prof_snapshot_caller prof_snapshot_percentile prof_snapshot_histogram "
      "prof_snapshot_callee_count prof_snapshot_callee prof_snapshot_about ", use_readers },
    { " prof_snapshot_probe_count prof_snapshot_probe prof_snapshot_measure prof_snapshot_counter_count "
      "prof_snapshot_counter ", use_measures },
    { " prof_snapshot_gpu_work prof_snapshot_gpu_totals ", use_gpu_work },
    { " prof_snapshot_pool_count prof_snapshot_pool ", use_pools },
    { " prof_snapshot_memory_count prof_snapshot_memory prof_snapshot_place_count prof_snapshot_place ", use_places },
    { " prof_snapshot_utilization_count prof_snapshot_utilization ", use_utilization },
    { " prof_snapshot_span_count prof_snapshot_span prof_snapshot_span_percentile prof_snapshot_span_histogram ", use_spans },
    { " prof_snapshot_subtree ", use_subtree },
    { " prof_snapshot_write prof_snapshot_write_file prof_snapshot_print prof_events_write prof_stacks_write ", use_writers },
    { " prof_snapshot_read prof_snapshot_read_file prof_snapshot_merge prof_snapshot_subtract_cost ", use_files },
    { " prof_timeline_read prof_timeline_read_file prof_timeline_looks_like prof_timeline_close prof_timeline_about_get "
      "prof_timeline_process_get prof_timeline_track_get prof_timeline_slice_get prof_timeline_argument_get "
      "prof_timeline_snapshot prof_timeline_add_slowest prof_timeline_write prof_timeline_write_file ", use_timelines },
    { " prof_recover ", use_recover },
    { " prof_snapshot_close ", use_close },
    { " prof_save ", use_save },
    { " prof_dump prof_slow_set ", use_dump },
    { " prof_stop ", use_stop },
};

int api_uses_run(void)
{
    problems = 0;
    api_uses_issued = 0;
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
        uses[i].run();
    return problems;
}

static int is_used(const char *name)
{
    char wanted[136];
    snprintf(wanted, sizeof(wanted), " %s ", name);
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
        if (strstr(uses[i].functions, wanted) != NULL)
            return 1;
    return 0;
}

int api_uses_missing(const char *version_script)
{
    return version_script_lacking(version_script, is_used, "tests/faults/api_uses.c");
}
