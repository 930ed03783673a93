/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every public function with NULL, with numbers out of range, with structs of
 * sizes that no version had, with texts that are none: a status and its
 * message, or nothing at all, and never the end of the program.
 *
 *     args_test VERSION_SCRIPT
 *
 * What C cannot check is left out: pointers that point nowhere, closed
 * handles, sites that are gone.
 */
#include "../unit/harness.h"
#include "version_script.h"

#include <profcore/events.h>
#include <profcore/inline.h>
#include <profcore/gpu.h>
#include <profcore/memory.h>
#include <profcore/operators.h>
#include <profcore/snapshot.h>
#include <profcore/timeline.h>

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static prof_snapshot *snapshot;
static prof_error err;

#define REFUSED_AS(expected, call)                                             \
    do {                                                                       \
        err = (prof_error)PROF_ERROR_INIT;                                     \
        CHECK_I64((call), (expected));                                         \
        CHECK_I64(err.status, (expected));                                     \
        CHECK(err.message[0] != '\0' && strchr(err.message, '\n') == NULL);    \
    } while (0)
#define REFUSED(call) REFUSED_AS(PROF_E_INVALID, call)

/* Sizes of a struct that no version had; not those that are larger, of which each version reads what it knows. */
static const uint32_t bad_sizes[] = { 0, 1, 3, 4, 16, 65537, 0x7fffffff, 0x80000000, UINT32_MAX };
#define FOR_BAD_SIZES(size) for (size_t i_ = 0; i_ < sizeof(bad_sizes) / sizeof(bad_sizes[0]) && ((size) = bad_sizes[i_], 1); i_++)

/* A text of `bytes` bytes, on the heap, where a read past its end is seen. */
static char *long_text(size_t bytes, char of)
{
    char *text = malloc(bytes + 1);
    if (text == NULL)
        exit(2);
    memset(text, of, bytes);
    text[bytes] = '\0';
    return text;
}

static void args_constants(void)
{
    static const int32_t statuses[] = { INT32_MIN, -1000, -10, 1, 2, INT32_MAX };
    static const uint32_t buckets[] = { 0, 15, 976, 1000, 0x80000000, UINT32_MAX };
    for (size_t i = 0; i < 6; i++) {
        CHECK_STR(prof_status_name(statuses[i]), "unknown status");
        CHECK_U64(prof_bucket_upper_ns(buckets[i]), 0);
    }
    CHECK(prof_bucket_upper_ns(975) > prof_bucket_upper_ns(974));
    CHECK_U64(prof_version(), PROF_VERSION);
    REFUSED(prof_environment_check(NULL, NULL, &err));
    CHECK_I64(prof_environment_check(NULL, NULL, NULL), PROF_E_INVALID);
}

static void args_dump(void)
{
    prof_dump_options options = PROF_DUMP_OPTIONS_INIT;
    FOR_BAD_SIZES(options.size)
    {
        REFUSED(prof_dump(&options, &err));
        CHECK_I64(prof_dump(&options, NULL), PROF_E_INVALID);
    }
}

static void args_slow(void)
{
    char *text = long_text(256, 'x');
    REFUSED(prof_slow_set(NULL, 1, &err));
    REFUSED(prof_slow_set("", 1, &err));
    REFUSED(prof_slow_set(text, 1, &err));
    CHECK_I64(prof_slow_set(NULL, UINT64_MAX, NULL), PROF_E_INVALID);
    for (int i = 0; i < 100; i++) {
        text[8] = '\0';
        snprintf(text, 8, "%d[*?", i);
        if (i < 64)
            CHECK_I64(prof_slow_set(text, 0, NULL), PROF_OK);
        else
            REFUSED_AS(PROF_E_LIMIT, prof_slow_set(text, UINT64_MAX, &err));
    }
    CHECK_I64(prof_slow_set("63[*?", UINT64_MAX, NULL), PROF_OK);
    free(text);
}

static void args_operators(void)
{
    char *text = long_text(100000, 'x');
    const int64_t shape[1] = { INT64_MIN };
    prof_operator_input inputs[2] = { { sizeof(prof_operator_input), 1, shape }, { 0, UINT32_MAX, NULL } };
    prof_operators *source = NULL;
    REFUSED(prof_operators_open(NULL, &source, &err));
    REFUSED(prof_operators_open("", &source, &err));
    REFUSED(prof_operators_open(text, &source, &err));
    REFUSED(prof_operators_open("torch", NULL, &err));
    REFUSED(prof_operators_load_with(NULL, "source", &err));
    REFUSED(prof_operators_load_with("", "source", &err));
    REFUSED(prof_operators_load_with("runtime", NULL, &err));
    REFUSED(prof_operators_load_with(text, "source", &err));
    REFUSED_AS(PROF_E_UNAVAILABLE, prof_operators_load_with("libc.so.6", "/no/such/source.so", &err));
    REFUSED_AS(PROF_E_UNSUPPORTED, prof_operators_load_with("libc.so.5", "/no/such/source.so", &err));
    CHECK(source == NULL);
    CHECK_I64(prof_operators_open("args \x01\xff", &source, NULL), PROF_OK);
    prof_end(prof_operator_begin(NULL, text));
    prof_end(prof_operator_begin(source, NULL));
    prof_end(prof_operator_begin(source, ""));
    prof_end(prof_operator_begin(source, text));
    prof_end(prof_operator_begin(source, "\xff\x01\n"));
    prof_end(prof_operator_begin_shaped(NULL, NULL, NULL, UINT32_MAX));
    prof_end(prof_operator_begin_shaped(source, text, inputs, 2));
    for (uint32_t size = 0; size < sizeof(prof_operator_input); size++) {
        inputs[0].size = size;
        prof_end(prof_operator_begin_shaped(source, "", inputs, UINT32_MAX));
    }
    free(text);
}

static void args_memory(void)
{
    char *text = long_text(100000, 'x'), block;
    prof_memory *memory = NULL;
    prof_memory_info info = PROF_MEMORY_INFO_INIT;
    prof_place place = PROF_PLACE_INIT;
    prof_snapshot *now = NULL;
    REFUSED(prof_memory_open(NULL, &memory, &err));
    REFUSED(prof_memory_open("", &memory, &err));
    REFUSED(prof_memory_open(text, &memory, &err));
    REFUSED(prof_memory_open("args", NULL, &err));
    REFUSED(prof_memory_check(1, &err)); /* nothing is marked */
    CHECK(memory == NULL);
    CHECK_I64(prof_memory_open("args \x01\xff", &memory, NULL), PROF_OK);
    prof_memory_allocated(NULL, &block, 1);
    prof_memory_allocated(memory, NULL, 1);
    prof_memory_allocated(memory, &block, UINT64_MAX); /* lost */
    prof_memory_allocated(memory, (void *)UINTPTR_MAX, 0);
    CHECK_U64(prof_memory_freed(NULL, &block) + prof_memory_freed(memory, NULL) + prof_memory_freed(memory, &block), 0);
    prof_memory_mark();
    REFUSED(prof_memory_check(0, &err));
    REFUSED(prof_memory_check(UINT64_MAX, &err));
    REQUIRE(prof_snapshot_take(&now, NULL) == PROF_OK && prof_snapshot_place_count(now) == 1);
    CHECK_U64(prof_snapshot_memory_count(NULL) + prof_snapshot_place_count(NULL), 0);
    REFUSED(prof_snapshot_memory(NULL, 0, &info, &err));
    REFUSED(prof_snapshot_memory(now, UINT32_MAX, &info, &err));
    REFUSED(prof_snapshot_memory(now, 0, NULL, &err));
    REFUSED(prof_snapshot_place(NULL, 0, &place, &err));
    REFUSED(prof_snapshot_place(now, UINT32_MAX, &place, &err));
    REFUSED(prof_snapshot_place(now, 0, NULL, &err));
    FOR_BAD_SIZES(info.size)
    {
        place.size = info.size;
        REFUSED(prof_snapshot_memory(now, 0, &info, &err));
        REFUSED(prof_snapshot_place(now, 0, &place, &err));
    }
    prof_snapshot_close(now);
    free(text);
}

static void args_gpu(void)
{
    prof_gpu_info info = PROF_GPU_INFO_INIT;
    prof_gpu_work work = PROF_GPU_WORK_INIT;
    prof_gpu_totals totals = PROF_GPU_TOTALS_INIT;
    prof_snapshot *now = NULL;
    REFUSED(prof_gpu_status(NULL, &err));
    CHECK_I64(prof_gpu_start(&err), PROF_E_UNAVAILABLE); /* there is none */
    CHECK_I64(prof_gpu_stop(NULL), PROF_OK);
    FOR_BAD_SIZES(info.size)
    REFUSED(prof_gpu_status(&info, &err));
    REQUIRE(prof_snapshot_take(&now, NULL) == PROF_OK);
    REFUSED(prof_snapshot_gpu_work(NULL, 0, &work, &err));
    REFUSED(prof_snapshot_gpu_work(now, UINT32_MAX, &work, &err));
    REFUSED(prof_snapshot_gpu_work(now, 0, NULL, &err));
    REFUSED(prof_snapshot_gpu_totals(NULL, &totals, &err));
    REFUSED(prof_snapshot_gpu_totals(now, NULL, &err));
    prof_snapshot_close(now);
}

static void args_utilization(void)
{
    prof_snapshot *now = NULL;
    prof_utilization row = PROF_UTILIZATION_INIT;
    REQUIRE(prof_snapshot_take(&now, NULL) == PROF_OK);
    CHECK_U64(prof_snapshot_utilization_count(NULL) + prof_snapshot_utilization_count(now), 0);
    REFUSED(prof_snapshot_utilization(NULL, 0, &row, &err));
    REFUSED(prof_snapshot_utilization(now, 0, &row, &err));
    REFUSED(prof_snapshot_utilization(now, UINT32_MAX, NULL, &err));
    prof_snapshot_close(now);
}

static prof_status never_there(void *user, prof_error *why)
{
    (void)user;
    (void)why;
    return PROF_E_UNAVAILABLE;
}

static void args_pool(void)
{
    char *text = long_text(100000, 'x');
    prof_pool *pool = NULL;
    prof_pool_info info = PROF_POOL_INFO_INIT;
    prof_snapshot *now = NULL;
    REFUSED(prof_pool_open(NULL, &pool, &err));
    REFUSED(prof_pool_open("", &pool, &err));
    REFUSED(prof_pool_open(text, &pool, &err));
    REFUSED(prof_pool_open("args", NULL, &err));
    CHECK(pool == NULL);
    REFUSED(prof_pool_await(NULL, never_there, NULL, &err));
    REFUSED(prof_pool_await("", never_there, NULL, &err));
    REFUSED(prof_pool_await(text, never_there, NULL, &err));
    REFUSED(prof_pool_await("args", NULL, NULL, &err));
    CHECK_I64(prof_pool_await("args \x01", never_there, NULL, NULL), PROF_OK);
    CHECK_I64(prof_pool_open("args \x01\xff", &pool, NULL), PROF_OK);
    prof_pool_set(NULL, 1, 1);
    prof_pool_change(NULL, 1, 1);
    prof_pool_open_change(NULL);
    prof_pool_settle_by(NULL, NULL, NULL);
    prof_pool_retry(NULL, 1);
    prof_pool_exhausted(NULL, 1);
    prof_pool_settle_by(pool, NULL, NULL);
    prof_pool_change(pool, INT64_MIN, INT64_MAX);
    prof_pool_change(pool, INT64_MIN, INT64_MAX);
    prof_pool_set(pool, UINT64_MAX, UINT64_MAX);
    prof_pool_exhausted(pool, UINT64_MAX);
    REQUIRE(prof_snapshot_take(&now, NULL) == PROF_OK && prof_snapshot_pool_count(now) != 0);
    CHECK_U64(prof_snapshot_pool_count(NULL), 0);
    REFUSED(prof_snapshot_pool(NULL, 0, &info, &err));
    REFUSED(prof_snapshot_pool(now, UINT32_MAX, &info, &err));
    REFUSED(prof_snapshot_pool(now, 0, NULL, &err));
    FOR_BAD_SIZES(info.size)
        REFUSED(prof_snapshot_pool(now, 0, &info, &err));
    prof_snapshot_close(now);
    free(text);
}

static void args_start(void)
{
    prof_options options = PROF_OPTIONS_INIT;
    prof_options *larger = calloc(1, 70000);
    REQUIRE(larger != NULL);
    CHECK_I64(prof_stop(NULL), PROF_E_INVALID);
    REFUSED(prof_stop(&err));
    REFUSED(prof_save(&err));
    CHECK_I64(prof_save(NULL), PROF_E_INVALID);
    FOR_BAD_SIZES(options.size)
    {
        REFUSED(prof_start(&options, &err));
        CHECK_I64(prof_start(&options, NULL), PROF_E_INVALID);
    }
    *larger = (prof_options)PROF_OPTIONS_INIT;
    larger->size = 65536;
    ((char *)larger)[65535] = 1; /* a field of a version to come */
    REFUSED(prof_start(larger, &err));
    free(larger);

    static const uint64_t memories[] = { 1, 4096, (1 << 20) - 1, ((uint64_t)1 << 40) + 1, (uint64_t)1 << 63, UINT64_MAX };
    for (size_t i = 0; i < 6; i++) {
        options = (prof_options)PROF_OPTIONS_INIT;
        options.memory_bytes = memories[i];
        REFUSED(prof_start(&options, &err));
    }
    char *text = long_text(70000, 'x');
    for (unsigned i = 0; i < 14; i++) {
        options = (prof_options)PROF_OPTIONS_INIT;
        if (i == 0)
            options.flags = 0xfffffff0;
        else if (i == 1)
            options.formats = text;
        else if (i == 2)
            options.formats = "txt,%n%s%n";
        else if (i == 3)
            options.formats = ",txt";
        else if (i == 4)
            options.sort = text;
        else if (i == 5)
            options.sort = "";
        else if (i == 6)
            options.directory = text;
        else if (i == 7)
            options.save_if = text;
        else if (i == 8)
            options.save_if = "a>18446744073709551615s,b/0,c>%n";
        else if (i == 9)
            options.when_full = UINT32_MAX;
        else if (i == 10)
            options.utilization_every_ms = 9;
        else if (i == 11)
            options.utilization_every_ms = 60001;
        else if (i == 12)
            options.reserved = 1;
        else
            options.name = text;
        REFUSED(prof_start(&options, &err));
    }
    free(text);
    CHECK_U64(prof_active, 0);
}

static void args_events(prof_site *strange, prof_site *long_name, const char *text)
{
    const double values[] = { NAN, -INFINITY, 5e-324 };
    prof_instant(NULL, NULL, 7);
    prof_instant(strange, NULL, SIZE_MAX);
    prof_args(NULL, SIZE_MAX);
    prof_span_end(PROF_SPAN_NONE, NULL, SIZE_MAX);
    prof_span_end((prof_span){ UINT64_MAX, UINT64_MAX }, NULL, 0);
    for (unsigned i = 0; i < 8; i++) {
        prof_arg args[] = { { i % 2 ? long_name : NULL, i, UINT32_MAX, { 0 } }, PROF_TEXT("", text), PROF_TEXT("\xff", NULL),
                            PROF_DOUBLE("", values[i % 3]), PROF_INT("\n", INT64_MIN) };
        prof_span span = prof_span_begin(i % 2 ? strange : NULL);
        prof_args(args, sizeof(args) / sizeof(args[0]));
        prof_instant(long_name, args, sizeof(args) / sizeof(args[0]));
        span.start = i % 4 == 3 ? UINT64_MAX : span.start; /* from the future */
        prof_span_end(span, args, 1);
        prof_span_end(span, args, 1); /* once too often: it is one more */
        span = prof_span_phase(span, i % 2 ? long_name : NULL);
        span = prof_span_phase(i % 3 ? span : PROF_SPAN_NONE, strange);
        prof_span_phase((prof_span){ UINT64_MAX - i, i }, i % 2 ? NULL : long_name);
        prof_span_end((prof_span){ span.what, i }, NULL, 0); /* it took as long as the clock runs */
        prof_flow(i ? UINT64_MAX >> i : 0);
        prof_flow_end(UINT64_MAX);
        prof_request_end(prof_request_begin((prof_request){ i, UINT64_MAX }));
    }
    prof_request_end((prof_request){ UINT64_MAX, 0 }); /* of none that was begun */
    prof_request_end((prof_request){ 0, 0 });
}

static void args_scopes(void)
{
    static const uintptr_t places[] = { 1, 2, 3, 0x1000, 0x7fffffffffff, UINTPTR_MAX - 1, UINTPTR_MAX };
    const double values[] = { NAN, INFINITY, -INFINITY, 1e308, -1e308, 5e-324, -0.0 };
    prof_site strange = PROF_SITE_INIT(NULL, NULL, 0, 0xffffffff), empty = PROF_SITE_INIT("", "", UINT32_MAX, 0);
    prof_site plain = PROF_SITE_INIT("plain", NULL, 0, 0);
    strange.size = 0;
    strange.sample_every = UINT32_MAX;
    char *text = long_text(100000, '\xff');
    prof_site long_name = PROF_SITE_INIT(text, text, 1, 0);
    CHECK_U64(prof_begin(NULL).place, 0);
    for (int round = 0; round < 3; round++) {
        prof_scope open = round == 0 ? PROF_SCOPE_NONE : prof_begin(round == 1 ? &plain : &strange);
        for (size_t i = 0; i < 7; i++) {
            prof_end((prof_scope){ places[i] });
            prof_end(prof_phase((prof_scope){ places[i] }, round == 2 ? NULL : &empty));
            prof_inline_end((prof_scope){ places[i] });
            prof_inline_end(prof_inline_phase((prof_scope){ places[i] }, round == 2 ? NULL : &empty));
            prof_inline_end(prof_inline_begin(round == 2 ? NULL : &empty));
        }
        prof_end(prof_begin(&long_name));
        prof_counter(NULL, 1);
        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
            prof_counter(i % 2 ? &long_name : &strange, values[i]);
        args_events(&strange, &long_name, text);
        prof_items(UINT64_MAX, NULL);
        prof_items(1, "");
        prof_items(0, text);
        prof_end(PROF_SCOPE_NONE);
        prof_end(prof_phase(PROF_SCOPE_NONE, NULL));
        prof_end(open);
        prof_end(open); /* once too often */
        for (int i = 0; i < 3; i++)
            prof_end_current();
    }
    free(text);
    memset(&long_name, 0xee, sizeof(long_name)); /* what was copied is needed no more */
}

static void args_site(void)
{
    prof_site *site = (prof_site *)&site;
    char *text = long_text(200000, 'y');
    REFUSED(prof_site_get("name", SIZE_MAX, NULL, 0, 0, NULL, &err));
    REFUSED(prof_site_get(NULL, SIZE_MAX, NULL, 0, 0, &site, &err));
    REFUSED(prof_site_get(NULL, 4, NULL, 0, 0, &site, &err));
    REFUSED(prof_site_get("", SIZE_MAX, NULL, 0, 0, &site, &err));
    REFUSED(prof_site_get("name", 0, NULL, 0, 0, &site, &err));
    REFUSED(prof_site_get("na\0me", 5, NULL, 0, 0, &site, &err));
    CHECK_I64(prof_site_get(NULL, 0, NULL, 0, 0, NULL, NULL), PROF_E_INVALID);
    REFUSED(prof_site_save_if(NULL, 0, 0, &err));
    CHECK_I64(prof_site_save_if(NULL, UINT64_MAX, UINT64_MAX, NULL), PROF_E_INVALID);
    CHECK(site == (prof_site *)&site); /* written on success only */
    CHECK_I64(prof_site_get(text, 200000, text, UINT32_MAX, UINT32_MAX, &site, NULL), PROF_OK);
    CHECK_I64(prof_site_save_if(site, UINT64_MAX, UINT64_MAX, NULL), PROF_OK);
    prof_end(prof_begin(site));
    CHECK_I64(prof_site_get("\xc3", 1, "\xff\xfe", 0, 0, &site, NULL), PROF_OK);
    free(text);
}

static int read_nothing(void *user, uint64_t *value)
{
    *value = 0;
    return *(const int *)user;
}

static void args_probe(void)
{
    static int no_errno = -77;
    char *text = long_text(70000, 'n');
    uint32_t flag = 0;
    prof_probe probe = PROF_PROBE_INIT, good = PROF_PROBE_INIT;
    good.name = "name";
    good.unit = "units";
    good.read = read_nothing;
    good.user = &no_errno;
    REFUSED(prof_probe_add(NULL, &flag, &err));
    REFUSED(prof_probe_add(&probe, &flag, &err));
    REFUSED(prof_probe_add(&good, NULL, &err));
    static const uint32_t flags[] = { 1, 3, PROF_SITE_SAVE, 0x30000, 0x80010000, 0x7fffffff, UINT32_MAX };
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        flag = flags[i];
        REFUSED(prof_probe_add(&good, &flag, &err));
        CHECK_U64(flag, flags[i]);
    }
    flag = 0;
    for (int i = 0; i < 6; i++) {
        probe = good;
        probe.name = i == 0 ? NULL : i == 1 ? "" : i == 2 ? text : "name";
        probe.unit = i == 3 ? text : "units";
        probe.read = i == 4 ? NULL : read_nothing;
        probe.flags = i == 5 ? 0xfffffff0 : 0;
        REFUSED(prof_probe_add(&probe, &flag, &err));
        CHECK_I64(prof_probe_add(&probe, &flag, NULL), PROF_E_INVALID);
    }
    probe = good;
    FOR_BAD_SIZES(probe.size)
        REFUSED(prof_probe_add(&probe, &flag, &err));
    CHECK_U64(flag, 0);
    free(text);
    /* One whose failure is no errno value. */
    prof_site site = PROF_SITE_INIT("measured", NULL, 0, 0);
    CHECK_I64(prof_probe_add(&good, &flag, NULL), PROF_OK);
    site.flags = flag;
    prof_end(prof_begin(&site));
}

static void args_measures(void)
{
    prof_probe_info info = PROF_PROBE_INFO_INIT;
    prof_measure measure = PROF_MEASURE_INIT;
    prof_counter_row row = PROF_COUNTER_ROW_INIT;
    uint32_t probes = prof_snapshot_probe_count(snapshot), counters = prof_snapshot_counter_count(snapshot);
    CHECK_U64(prof_snapshot_probe_count(NULL), 0);
    CHECK_U64(prof_snapshot_counter_count(NULL), 0);
    CHECK(probes != 0 && counters != 0);
    const uint32_t beyond[] = { probes > counters ? probes : counters, 0x80000000, UINT32_MAX };
    for (size_t i = 0; i < 3; i++) {
        REFUSED(prof_snapshot_probe(snapshot, beyond[i], &info, &err));
        REFUSED(prof_snapshot_measure(snapshot, 0, beyond[i], &measure, &err));
        REFUSED(prof_snapshot_counter(snapshot, beyond[i], &row, &err));
    }
    REFUSED(prof_snapshot_probe(NULL, 0, &info, &err));
    REFUSED(prof_snapshot_measure(NULL, 0, 0, &measure, &err));
    REFUSED(prof_snapshot_measure(snapshot, UINT32_MAX, 0, &measure, &err));
    REFUSED(prof_snapshot_counter(NULL, 0, &row, &err));
    REFUSED(prof_snapshot_probe(snapshot, 0, NULL, &err));
    REFUSED(prof_snapshot_measure(snapshot, 1, 0, NULL, &err));
    REFUSED(prof_snapshot_counter(snapshot, 0, NULL, &err));
    REFUSED_AS(PROF_E_NOT_FOUND, prof_snapshot_measure(snapshot, 0, 0, &measure, &err));
    FOR_BAD_SIZES(info.size)
    {
        measure.size = row.size = info.size;
        REFUSED(prof_snapshot_probe(snapshot, 0, &info, &err));
        REFUSED(prof_snapshot_measure(snapshot, 1, 0, &measure, &err));
        REFUSED(prof_snapshot_counter(snapshot, 0, &row, &err));
    }
}

static void args_spans(void)
{
    static const double shares[] = { 0, 1, -0.5, 2, NAN, INFINITY };
    static uint64_t counts[PROF_BUCKET_COUNT];
    prof_function row = PROF_FUNCTION_INIT;
    uint32_t spans = prof_snapshot_span_count(snapshot);
    uint64_t ns;
    CHECK_U64(prof_snapshot_span_count(NULL), 0);
    CHECK(spans != 0);
    const uint32_t beyond[] = { spans, 0x80000000, UINT32_MAX };
    for (size_t i = 0; i < 3; i++) {
        REFUSED(prof_snapshot_span(snapshot, beyond[i], &row, &err));
        REFUSED(prof_snapshot_span_percentile(snapshot, beyond[i], 0.5, &ns, &err));
        REFUSED(prof_snapshot_span_histogram(snapshot, beyond[i], counts, &err));
    }
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
        REFUSED(prof_snapshot_span_percentile(snapshot, 0, shares[i], &ns, &err));
    REFUSED(prof_snapshot_span(NULL, 0, &row, &err));
    REFUSED(prof_snapshot_span(snapshot, 0, NULL, &err));
    REFUSED(prof_snapshot_span_percentile(NULL, 0, 0.5, &ns, &err));
    REFUSED(prof_snapshot_span_percentile(snapshot, 0, 0.5, NULL, &err));
    REFUSED(prof_snapshot_span_histogram(NULL, 0, counts, &err));
    REFUSED(prof_snapshot_span_histogram(snapshot, 0, NULL, &err));
    FOR_BAD_SIZES(row.size)
    REFUSED(prof_snapshot_span(snapshot, 0, &row, &err));
}

static void args_stats(void)
{
    prof_stats stats = PROF_STATS_INIT;
    REFUSED(prof_stats_get(NULL, &err));
    REFUSED(prof_snapshot_stats(NULL, &stats, &err));
    REFUSED(prof_snapshot_stats(snapshot, NULL, &err));
    FOR_BAD_SIZES(stats.size)
    {
        REFUSED(prof_stats_get(&stats, &err));
        REFUSED(prof_snapshot_stats(snapshot, &stats, &err));
        CHECK_I64(prof_stats_get(&stats, NULL), PROF_E_INVALID);
    }
}

static void args_snapshot(void)
{
    prof_snapshot *subtree = NULL;
    REFUSED(prof_snapshot_take(NULL, &err));
    CHECK_I64(prof_snapshot_take(NULL, NULL), PROF_E_INVALID);
    prof_snapshot_close(NULL);
    REFUSED(prof_snapshot_subtree(NULL, 0, &subtree, &err));
    REFUSED(prof_snapshot_subtree(snapshot, 0, NULL, &err));
    REFUSED(prof_snapshot_subtree(snapshot, UINT32_MAX, &subtree, &err));
    REFUSED(prof_snapshot_subtree(snapshot, prof_snapshot_function_count(snapshot), &subtree, &err));
    CHECK(subtree == NULL);
}

static void args_functions(void)
{
    prof_function row = PROF_FUNCTION_INIT;
    uint32_t count = prof_snapshot_function_count(snapshot), id = 77;
    char *text = long_text(70000, 'z');
    CHECK_U64(prof_snapshot_function_count(NULL), 0);
    REFUSED(prof_snapshot_function(NULL, 0, &row, &err));
    REFUSED(prof_snapshot_function(snapshot, count, &row, &err));
    REFUSED(prof_snapshot_function(snapshot, UINT32_MAX, &row, &err));
    REFUSED(prof_snapshot_function(snapshot, 0, NULL, &err));
    REFUSED(prof_snapshot_find(NULL, "a", &id, &err));
    REFUSED(prof_snapshot_find(snapshot, NULL, &id, &err));
    REFUSED(prof_snapshot_find(snapshot, "a", NULL, &err));
    REFUSED_AS(PROF_E_NOT_FOUND, prof_snapshot_find(snapshot, "", &id, &err));
    REFUSED_AS(PROF_E_NOT_FOUND, prof_snapshot_find(snapshot, text, &id, &err));
    REFUSED_AS(PROF_E_NOT_FOUND, prof_snapshot_find(snapshot, "%s%n\xff\n", &id, &err));
    CHECK_U64(id, 77);
    CHECK_U64(prof_snapshot_caller_count(NULL, 0), 0);
    CHECK_U64(prof_snapshot_caller_count(snapshot, count), 0);
    CHECK_U64(prof_snapshot_caller_count(snapshot, UINT32_MAX), 0);
    REFUSED(prof_snapshot_caller(NULL, 0, 0, &row, &err));
    REFUSED(prof_snapshot_caller(snapshot, UINT32_MAX, 0, &row, &err));
    REFUSED(prof_snapshot_caller(snapshot, 0, UINT32_MAX, &row, &err));
    REFUSED(prof_snapshot_caller(snapshot, 0, prof_snapshot_caller_count(snapshot, 0), &row, &err));
    CHECK_U64(prof_snapshot_callee_count(NULL, 0), 0);
    CHECK_U64(prof_snapshot_callee_count(snapshot, count), 0);
    REFUSED(prof_snapshot_callee(NULL, 0, 0, &row, &err));
    REFUSED(prof_snapshot_callee(snapshot, UINT32_MAX, 0, &row, &err));
    REFUSED(prof_snapshot_callee(snapshot, 0, UINT32_MAX, &row, &err));
    REFUSED(prof_snapshot_callee(snapshot, 1, 0, &row, &err)); /* it called nobody */
    FOR_BAD_SIZES(row.size)
    {
        REFUSED(prof_snapshot_function(snapshot, 0, &row, &err));
        REFUSED(prof_snapshot_caller(snapshot, 1, 0, &row, &err));
        REFUSED(prof_snapshot_callee(snapshot, 0, 0, &row, &err));
    }
    free(text);
}

static void args_figures(void)
{
    static uint64_t counts[PROF_BUCKET_COUNT];
    const double shares[] = { 0, 1, -0.5, 1.5, -0.0, NAN, INFINITY, -INFINITY, 1e308 };
    uint64_t ns = 77;
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
        REFUSED(prof_snapshot_percentile(snapshot, 0, shares[i], &ns, &err));
    REFUSED(prof_snapshot_percentile(NULL, 0, 0.5, &ns, &err));
    REFUSED(prof_snapshot_percentile(snapshot, UINT32_MAX, 0.5, &ns, &err));
    REFUSED(prof_snapshot_percentile(snapshot, 0, 0.5, NULL, &err));
    REFUSED_AS(PROF_E_UNAVAILABLE, prof_snapshot_percentile(snapshot, 0, 5e-324, &ns, &err));
    REFUSED_AS(PROF_E_UNAVAILABLE, prof_snapshot_percentile(snapshot, 0, nextafter(1, 0), &ns, &err));
    CHECK_U64(ns, 77);
    REFUSED(prof_snapshot_histogram(NULL, 0, counts, &err));
    REFUSED(prof_snapshot_histogram(snapshot, UINT32_MAX, counts, &err));
    REFUSED(prof_snapshot_histogram(snapshot, 0, NULL, &err));
}

static int fail_with(void *user, const void *data, size_t bytes)
{
    (void)data;
    (void)bytes;
    return *(const int *)user;
}

static void args_writers(void)
{
    static const char *const formats[] = { "txt", "prof", "json" };
    static const char *const bad_paths[] = { "", "/", ".", "..", "a/", "/tmp/..", "no such folder/file", "/proc/self/nothing",
                                             "/dev/null/x", ("%n%n%s" "/x") };
    const int errors[] = { 1, EIO, ENOSPC, -1, INT_MAX, INT_MIN };
    char *text = long_text(70000, 'p');
    REFUSED(prof_snapshot_write(NULL, "txt", NULL, fail_with, text, &err));
    REFUSED(prof_snapshot_write(snapshot, NULL, NULL, fail_with, text, &err));
    REFUSED(prof_snapshot_write(snapshot, "txt", NULL, NULL, text, &err));
    REFUSED(prof_snapshot_write(snapshot, "", NULL, fail_with, text, &err));
    REFUSED(prof_snapshot_write(snapshot, "TXT", NULL, fail_with, text, &err));
    REFUSED(prof_snapshot_write(snapshot, text, NULL, fail_with, text, &err));
    REFUSED(prof_snapshot_write(snapshot, "txt", text, fail_with, text, &err));
    REFUSED(prof_snapshot_write(snapshot, "txt", "%n", fail_with, text, &err));
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 6; k++)
            REFUSED_AS(PROF_E_IO, prof_snapshot_write(snapshot, formats[i], NULL, fail_with, (void *)&errors[k], &err));
    REFUSED(prof_snapshot_write_file(NULL, "txt", "file", &err));
    REFUSED(prof_snapshot_write_file(snapshot, NULL, "file", &err));
    REFUSED(prof_snapshot_write_file(snapshot, "txt", NULL, &err));
    for (size_t i = 0; i < sizeof(bad_paths) / sizeof(bad_paths[0]); i++) {
        err = (prof_error)PROF_ERROR_INIT;
        CHECK(prof_snapshot_write_file(snapshot, "txt", bad_paths[i], &err) != PROF_OK && err.message[0] != '\0');
        CHECK(prof_snapshot_write_file(snapshot, "txt", bad_paths[i], NULL) != PROF_OK);
    }
    CHECK(prof_snapshot_write_file(snapshot, "txt", text, &err) != PROF_OK); /* longer than any path */
    text[300] = '\0';
    CHECK(prof_snapshot_write_file(snapshot, "txt", text, &err) != PROF_OK); /* longer than any name */
    CHECK(access(text, F_OK) != 0);
    free(text);
}

static int take_nothing(void *user, const void *data, size_t bytes)
{
    (void)user;
    (void)data;
    (void)bytes;
    return 0;
}

static void args_print(void)
{
    static const char *const bad_limits[] = { "(", "[", "*", "-1", "1.5", "99999999999999999999", "a{99999999}", "" };
    prof_print_options options = PROF_PRINT_OPTIONS_INIT;
    char *text = long_text(70000, 'l');
    const char *limit = text;
    REFUSED(prof_snapshot_print(NULL, NULL, take_nothing, NULL, &err));
    REFUSED(prof_snapshot_print(snapshot, NULL, NULL, NULL, &err));
    FOR_BAD_SIZES(options.size)
        REFUSED(prof_snapshot_print(snapshot, &options, take_nothing, NULL, &err));
    for (int i = 0; i < 6; i++) {
        options = (prof_print_options)PROF_PRINT_OPTIONS_INIT;
        options.limits = i == 4 ? NULL : &limit;
        options.limit_count = i == 2 ? UINT32_MAX : i == 4 || i == 5 ? 1 : 0;
        options.flags = i == 0 ? 0xfffffff8 : 0;
        options.view = i == 1 ? UINT32_MAX : 0;
        options.sort = i == 3 ? text : NULL;
        REFUSED(prof_snapshot_print(snapshot, &options, take_nothing, NULL, &err));
    }
    for (size_t i = 0; i < sizeof(bad_limits) / sizeof(bad_limits[0]); i++) {
        options = (prof_print_options)PROF_PRINT_OPTIONS_INIT;
        options.limits = &bad_limits[i];
        options.limit_count = 1;
        int status = prof_snapshot_print(snapshot, &options, take_nothing, NULL, NULL);
        CHECK(status == PROF_OK || status == PROF_E_INVALID || status == PROF_E_NO_MEMORY);
    }
    limit = NULL;
    options.limits = &limit;
    REFUSED(prof_snapshot_print(snapshot, &options, take_nothing, NULL, &err));
    REFUSED(prof_events_write(NULL, take_nothing, NULL, &err));
    REFUSED(prof_events_write("", take_nothing, NULL, &err));
    REFUSED(prof_events_write(text, take_nothing, NULL, &err));
    REFUSED(prof_events_write("pftrace", NULL, NULL, &err));
    REFUSED_AS(PROF_E_UNSUPPORTED, prof_events_write("json", take_nothing, NULL, &err));
    REFUSED(prof_stacks_write(NULL, take_nothing, NULL, &err));
    REFUSED(prof_stacks_write("pftrace", take_nothing, NULL, &err));
    REFUSED(prof_stacks_write(text, take_nothing, NULL, &err));
    REFUSED(prof_stacks_write("txt", NULL, NULL, &err));
    free(text);
}

static int64_t end_at_once(void *user, void *data, size_t room)
{
    (void)user;
    (void)data;
    (void)room;
    return 0;
}

static int64_t read_fails(void *user, void *data, size_t room)
{
    (void)data;
    (void)room;
    return -*(const int *)user;
}

/* A timeline of one slice: the defaults of a sequence are not needed for it. */
static const unsigned char one_slice[] = "\x0a\x0d@\x05P\x01Z\x07H\x03\xba\x01\x02hi";

static int64_t read_slice(void *user, void *data, size_t room)
{
    size_t *at = user, bytes = sizeof(one_slice) - 1 - *at;
    bytes = bytes < room ? bytes : room;
    memcpy(data, one_slice + *at, bytes);
    *at += bytes;
    return (int64_t)bytes;
}

static void args_timeline_reads(void)
{
    static const char *const paths[] = { "", "/", ".", "/dev/null", "/dev/zero", "/proc/self/mem", "no such file", "/no/such/folder/x" };
    int error = EIO;
    prof_timeline *made = NULL;
    const prof_timeline_source nothing = { end_at_once, NULL, NULL }, fails = { read_fails, &error, "x" }, none = { NULL, NULL, NULL };
    REFUSED(prof_timeline_read(NULL, 1, &made, &err));
    REFUSED(prof_timeline_read(&nothing, 0, &made, &err));
    REFUSED(prof_timeline_read(&nothing, 1, NULL, &err));
    REFUSED(prof_timeline_read(&none, 1, &made, &err));
    REFUSED_AS(PROF_E_FORMAT, prof_timeline_read(&nothing, 1, &made, &err));
    REFUSED_AS(PROF_E_IO, prof_timeline_read(&fails, 1, &made, &err));
    REFUSED(prof_timeline_read_file(NULL, &made, &err));
    REFUSED(prof_timeline_read_file("x", NULL, &err));
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        CHECK(prof_timeline_read_file(paths[i], &made, &err) != PROF_OK && prof_timeline_read_file(paths[i], &made, NULL) != PROF_OK);
    CHECK(!prof_timeline_looks_like(NULL, 0) && !prof_timeline_looks_like(NULL, SIZE_MAX) && !prof_timeline_looks_like("", 0));
    prof_timeline_close(NULL);
}

static void args_timeline(void)
{
    size_t at = 0;
    prof_timeline *timeline = NULL;
    prof_snapshot *made = NULL;
    prof_timeline_about about = PROF_TIMELINE_ABOUT_INIT;
    prof_timeline_process process = PROF_TIMELINE_PROCESS_INIT;
    prof_timeline_track track = PROF_TIMELINE_TRACK_INIT;
    prof_timeline_slice slice = PROF_TIMELINE_SLICE_INIT;
    prof_timeline_argument argument = PROF_TIMELINE_ARGUMENT_INIT;
    const prof_timeline_source source = { read_slice, &at, NULL };
    args_timeline_reads();
    REQUIRE(prof_timeline_read(&source, 1, &timeline, &err) == PROF_OK);
    CHECK(prof_timeline_slice_get(timeline, 0, 0, &slice, &err) == PROF_OK && strcmp(slice.name, "hi") == 0);
    REFUSED(prof_timeline_about_get(NULL, &about, &err));
    REFUSED(prof_timeline_about_get(timeline, NULL, &err));
    REFUSED(prof_timeline_process_get(NULL, 0, &process, &err));
    REFUSED(prof_timeline_process_get(timeline, 0, NULL, &err));
    REFUSED(prof_timeline_process_get(timeline, 1, &process, &err));
    REFUSED(prof_timeline_track_get(NULL, 0, &track, &err));
    REFUSED(prof_timeline_track_get(timeline, 0, NULL, &err));
    REFUSED(prof_timeline_slice_get(NULL, 0, 0, &slice, &err));
    REFUSED(prof_timeline_slice_get(timeline, 0, 0, NULL, &err));
    REFUSED(prof_timeline_argument_get(NULL, 0, 0, 0, &argument, &err));
    REFUSED(prof_timeline_argument_get(timeline, 0, 0, 0, NULL, &err));
    for (uint64_t beyond = 1; beyond != 0; beyond = beyond == 1 ? UINT32_MAX : beyond == UINT32_MAX ? UINT64_MAX : 0) {
        REFUSED(prof_timeline_process_get(timeline, (uint32_t)beyond, &process, &err));
        REFUSED(prof_timeline_track_get(timeline, beyond, &track, &err));
        REFUSED(prof_timeline_slice_get(timeline, beyond, 0, &slice, &err));
        REFUSED(prof_timeline_slice_get(timeline, 0, beyond, &slice, &err));
        REFUSED(prof_timeline_argument_get(timeline, 0, 0, beyond, &argument, &err));
    }
    FOR_BAD_SIZES(about.size)
    {
        process.size = track.size = slice.size = about.size;
        REFUSED(prof_timeline_about_get(timeline, &about, &err));
        REFUSED(prof_timeline_process_get(timeline, 0, &process, &err));
        REFUSED(prof_timeline_track_get(timeline, 0, &track, &err));
        REFUSED(prof_timeline_slice_get(timeline, 0, 0, &slice, &err));
    }
    REFUSED(prof_timeline_snapshot(NULL, &made, &err));
    REFUSED(prof_timeline_snapshot(timeline, NULL, &err));
    REFUSED(prof_timeline_add_slowest(timeline, NULL, &err));
    REFUSED(prof_timeline_add_slowest(NULL, snapshot, &err));
    REFUSED(prof_timeline_write(NULL, "pftrace", take_nothing, NULL, &err));
    REFUSED(prof_timeline_write(timeline, NULL, take_nothing, NULL, &err));
    REFUSED(prof_timeline_write(timeline, "pdf", take_nothing, NULL, &err));
    REFUSED(prof_timeline_write(timeline, "pftrace", NULL, NULL, &err));
    REFUSED_AS(PROF_E_UNSUPPORTED, prof_timeline_write(timeline, "json", take_nothing, NULL, &err));
    REFUSED(prof_timeline_write_file(NULL, "pftrace", "x", &err));
    REFUSED(prof_timeline_write_file(timeline, "pftrace", NULL, &err));
    REFUSED(prof_timeline_write_file(timeline, "pftrace", "", &err));
    REFUSED_AS(PROF_E_UNSUPPORTED, prof_timeline_write_file(timeline, "json", "x", &err));
    prof_timeline_close(timeline);
}

static void args_files(void)
{
    static const char *const paths[] = { "", "/", ".", "/dev/null", "/dev/zero", "/proc/self/mem", "no such file", "/no/such/folder/x" };
    prof_snapshot *made = NULL;
    prof_about about = PROF_ABOUT_INIT;
    const prof_snapshot *some[] = { snapshot, NULL };
    char *text = long_text(70000, '{');
    REFUSED(prof_snapshot_read(NULL, 5, "x", &made, &err));
    REFUSED(prof_snapshot_read(text, 5, "x", NULL, &err));
    for (size_t bytes = 0; bytes <= 70000; bytes = bytes * 7 + 1)
        REFUSED_AS(PROF_E_FORMAT, prof_snapshot_read(text, bytes, text, &made, &err));
    REFUSED_AS(PROF_E_FORMAT, prof_snapshot_read("\xff\0{\n", 4, NULL, &made, &err));
    REFUSED(prof_snapshot_read_file(NULL, &made, &err));
    REFUSED(prof_snapshot_read_file("x", NULL, &err));
    for (size_t i = 0; i <= sizeof(paths) / sizeof(paths[0]); i++) {
        const char *path = i < sizeof(paths) / sizeof(paths[0]) ? paths[i] : text;
        err = (prof_error)PROF_ERROR_INIT;
        CHECK(prof_snapshot_read_file(path, &made, &err) != PROF_OK && err.message[0] != '\0');
        CHECK(prof_snapshot_read_file(path, &made, NULL) != PROF_OK);
    }
    prof_recovery found = PROF_RECOVERY_INIT;
    REFUSED(prof_recover(NULL, "x", "json", &found, &err));
    REFUSED(prof_recover("x", "x", "no format", &found, &err));
    REFUSED(prof_recover("x", "x", text, &found, &err));
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        CHECK(prof_recover(paths[i], NULL, NULL, NULL, &err) != PROF_OK);
    REFUSED(prof_snapshot_merge(NULL, 1, &made, &err));
    REFUSED(prof_snapshot_merge(some, 0, &made, &err));
    REFUSED(prof_snapshot_merge(some, 2, &made, &err));
    REFUSED(prof_snapshot_merge(some, 1, NULL, &err));
    REFUSED(prof_snapshot_subtract_cost(NULL, &made, &err));
    REFUSED(prof_snapshot_subtract_cost(snapshot, NULL, &err));
    REFUSED(prof_snapshot_about(NULL, &about, &err));
    REFUSED(prof_snapshot_about(snapshot, NULL, &err));
    FOR_BAD_SIZES(about.size)
        REFUSED(prof_snapshot_about(snapshot, &about, &err));
    CHECK(made == NULL);
    free(text);
}

/* In this order: the first row before the recorder has started, the others with a snapshot of a function and its caller. */
static const struct {
    const char *functions; /* with a space before and after each */
    void (*run)(void);
} rows[] = {
    { " prof_start prof_stop prof_save prof_active ", args_start },
    { " prof_dump ", args_dump },
    { " prof_slow_set ", args_slow },
    { " prof_status_name prof_bucket_upper_ns prof_version prof_environment_check ", args_constants },
    { " prof_begin prof_end prof_end_current prof_phase prof_items prof_counter prof_inline_self_1 prof_inline_turn_1 "
      "prof_args prof_instant prof_span_begin prof_span_end prof_span_phase prof_flow prof_flow_end prof_request_begin "
      "prof_request_end ",
      args_scopes },
    { " prof_probe_add ", args_probe },
    { " prof_snapshot_probe_count prof_snapshot_probe prof_snapshot_measure prof_snapshot_counter_count "
      "prof_snapshot_counter ", args_measures },
    { " prof_snapshot_span_count prof_snapshot_span prof_snapshot_span_percentile prof_snapshot_span_histogram ", args_spans },
    { " prof_site_get prof_site_save_if ", args_site },
    { " prof_operators_open prof_operators_load_with prof_operator_begin prof_operator_begin_shaped ", args_operators },
    { " prof_stats_get prof_snapshot_stats ", args_stats },
    { " prof_snapshot_take prof_snapshot_close prof_snapshot_subtree ", args_snapshot },
    { " prof_snapshot_function_count prof_snapshot_function prof_snapshot_find prof_snapshot_caller_count "
      "prof_snapshot_caller prof_snapshot_callee_count prof_snapshot_callee ", args_functions },
    { " prof_snapshot_percentile prof_snapshot_histogram ", args_figures },
    { " prof_snapshot_write prof_snapshot_write_file ", args_writers },
    { " prof_snapshot_print prof_events_write prof_stacks_write ", args_print },
    { " prof_timeline_read prof_timeline_read_file prof_timeline_looks_like prof_timeline_close prof_timeline_about_get "
      "prof_timeline_process_get prof_timeline_track_get prof_timeline_slice_get prof_timeline_argument_get "
      "prof_timeline_snapshot prof_timeline_add_slowest prof_timeline_write prof_timeline_write_file ", args_timeline },
    { " prof_snapshot_read prof_snapshot_read_file prof_snapshot_merge prof_snapshot_subtract_cost prof_snapshot_about "
      "prof_recover ", args_files },
    { " prof_gpu_status prof_gpu_start prof_gpu_stop prof_snapshot_gpu_work prof_snapshot_gpu_totals ", args_gpu },
    { " prof_memory_open prof_memory_allocated prof_memory_freed prof_memory_mark prof_memory_check prof_snapshot_memory_count "
      "prof_snapshot_memory prof_snapshot_place_count prof_snapshot_place ", args_memory },
    { " prof_snapshot_utilization_count prof_snapshot_utilization ", args_utilization },
    { " prof_pool_open prof_pool_await prof_pool_set prof_pool_change prof_pool_open_change prof_pool_settle_by prof_pool_retry prof_pool_exhausted "
      "prof_snapshot_pool_count prof_snapshot_pool ",
      args_pool },
};

static const char *version_script = "";

static int is_swept(const char *name)
{
    char wanted[136];
    snprintf(wanted, sizeof(wanted), " %s ", name);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strstr(rows[i].functions, wanted) != NULL)
            return 1;
    return 0;
}

TEST(every_public_function_is_swept)
{
    CHECK_I64(version_script_lacking(version_script, is_swept, "tests/faults/args_test.c"), 0);
}

/* Scopes have to hold also while the recorder is stopped. */
TEST(arguments_out_of_range_are_refused_with_a_message_and_the_program_goes_on)
{
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    args_scopes();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rows[i].run();
        if (i != 0)
            continue;
        REQUIRE(prof_start(&options, NULL) == PROF_OK);
        PROF_SCOPE("caller") {
            PROF_BLOCK_WITH("callee", PROF_SITE_CPU);
            PROF_COUNTER("depth", 1);
            prof_span wait = PROF_SPAN_BEGIN("wait");
            PROF_SPAN_END(wait);
        }
        REQUIRE(prof_snapshot_take(&snapshot, NULL) == PROF_OK && prof_snapshot_function_count(snapshot) == 2);
    }
    prof_snapshot_close(snapshot);
    CHECK_I64(prof_stop(NULL), PROF_OK);
    args_scopes();
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/profcore-args-XXXXXX";
    if (argc != 2 || mkdtemp(folder) == NULL)
        return 2;
    version_script = argv[1];
    if (version_script[0] != '/' || chdir(folder) != 0)
        return 2;
    int failed = test_main(1, argv);
    if (rmdir(folder) != 0) { /* nothing was written */
        printf("# something was left in %s\n", folder);
        failed = 1;
    }
    return failed;
}
