/* SPDX-License-Identifier: Apache-2.0 */
/* Files read back and snapshots merged: what is there, what is refused and where, what stays unavailable. */
#include "harness.h"

#include "base/clock.h"
#include "format/marshal.h"
#include <profcore/snapshot.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what the cases need ---- */

typedef struct buffer {
    char *data;
    size_t bytes;
} buffer;

static int append(void *user, const void *data, size_t bytes)
{
    buffer *b = user;
    char *larger = realloc(b->data, b->bytes + bytes + 1);
    if (larger == NULL)
        return 12;
    b->data = larger;
    memcpy(b->data + b->bytes, data, bytes);
    b->bytes += bytes;
    b->data[b->bytes] = '\0';
    return 0;
}

static buffer written(const prof_snapshot *snapshot, const char *format)
{
    buffer b = { calloc(1, 1), 0 };
    CHECK(prof_snapshot_write(snapshot, format, NULL, append, &b, NULL) == PROF_OK);
    return b;
}

static prof_snapshot *read_text(const char *text, prof_error *err)
{
    prof_snapshot *snapshot = NULL;
    prof_snapshot_read(text, strlen(text), "test.json", &snapshot, err);
    return snapshot;
}

static uint64_t now = 1;

/* Records: `calls` calls of "work" below "main", each 100 ns. */
static prof_snapshot *record(int calls, const char *unit)
{
    static prof_site main_site = PROF_SITE_INIT("main", "read.c", 1, 0), work = PROF_SITE_INIT("work", "read.c", 2, 0);
    prof_options options = PROF_OPTIONS_INIT;
    prof_snapshot *snapshot = NULL;
    options.flags = PROF_NO_FILES;
    profi_clock_simulate(now);
    prof_start(&options, NULL);
    prof_scope outer = prof_begin(&main_site);
    for (int i = 0; i < calls; i++) {
        prof_scope scope = prof_begin(&work);
        profi_clock_simulate(now += 100);
        if (unit != NULL)
            prof_items(2, unit);
        prof_end(scope);
    }
    prof_end(outer);
    prof_stop(NULL);
    prof_snapshot_take(&snapshot, NULL);
    return snapshot;
}

static prof_function row_of(const prof_snapshot *snapshot, const char *name)
{
    prof_function row = PROF_FUNCTION_INIT;
    uint32_t id = 0;
    CHECK(prof_snapshot_find(snapshot, name, &id, NULL) == PROF_OK);
    CHECK(prof_snapshot_function(snapshot, id, &row, NULL) == PROF_OK);
    return row;
}

static prof_snapshot *merge2(const prof_snapshot *a, const prof_snapshot *b, prof_error *err)
{
    const prof_snapshot *both[] = { a, b };
    prof_snapshot *merged = NULL;
    prof_snapshot_merge(both, 2, &merged, err);
    return merged;
}

/* ---- summaries ---- */

#define FACTS "{\"schema\": \"profcore.summary/1\", \"name\": \"t\", "
#define F0 "{\"id\": 7, \"name\": \"f\", \"calls\": 2, \"primitive_calls\": 2, \"self_ns\": 5, \"cumulative_ns\": 9}"

TEST(a_summary_with_the_bare_necessities_is_read_and_the_rest_is_unavailable)
{
    prof_error err = PROF_ERROR_INIT;
    prof_about about = PROF_ABOUT_INIT;
    prof_snapshot *snapshot = read_text(FACTS "\"functions\": [" F0 "], \"unknown\": {\"deep\": [[1.5]]}}", &err);
    REQUIRE(snapshot != NULL);
    prof_function row = row_of(snapshot, "f");
    CHECK_U64(row.id, 0);
    CHECK_U64(row.calls, 2);
    CHECK_U64(row.cumulative_ns, 9);
    CHECK_U64(row.has, 0);
    CHECK_U64(row.timed_calls, 2);
    CHECK(row.file == NULL);
    CHECK(prof_snapshot_about(snapshot, &about, &err) == PROF_OK);
    CHECK_STR(about.name, "t");
    CHECK_U64(about.has, 0);
    CHECK_U64(about.process_count, 1);
    CHECK(about.host == NULL && about.clock_source == NULL && about.root == NULL);
    uint64_t ns;
    CHECK(prof_snapshot_percentile(snapshot, 0, 0.5, &ns, &err) == PROF_E_UNAVAILABLE);
    CHECK_HAS(err.message, "the file does not say");
    prof_snapshot_close(snapshot);
}

TEST(numbers_above_53_bits_come_as_text)
{
    prof_snapshot *snapshot = read_text(FACTS "\"functions\": [{\"id\": 0, \"name\": \"f\", \"calls\": \"18446744073709551615\", "
        "\"primitive_calls\": \"9007199254740993\", \"self_ns\": 9007199254740992, \"cumulative_ns\": 1}]}", NULL);
    REQUIRE(snapshot != NULL);
    prof_function row = row_of(snapshot, "f");
    CHECK_U64(row.calls, UINT64_MAX);
    CHECK_U64(row.primitive_calls, 9007199254740993u);
    CHECK_U64(row.self_ns, 9007199254740992u);
    prof_snapshot_close(snapshot);
}

TEST(text_is_cleaned_again_at_the_door)
{
    prof_snapshot *snapshot = read_text("{\"schema\": \"profcore.summary/1\", \"name\": \"</script>\\u001b[31m\", "
        "\"host\": \"a\\nb \\ud83d\\ude00 \\ud83d \\/\\u00e9\", \"functions\": [{\"id\": 0, \"name\": \"<!--\\u2028\", \"file\": \"\\u0007\", \"calls\": 1, "
        "\"primitive_calls\": 1, \"self_ns\": 0, \"cumulative_ns\": 0}]}", NULL);
    REQUIRE(snapshot != NULL);
    prof_about about = PROF_ABOUT_INIT;
    prof_function row = PROF_FUNCTION_INIT;
    CHECK(prof_snapshot_about(snapshot, &about, NULL) == PROF_OK);
    CHECK(prof_snapshot_function(snapshot, 0, &row, NULL) == PROF_OK);
    CHECK_STR(about.name, "\xe2\x80\xb9/script>\\x1b[31m");
    CHECK_STR(about.host, "a\\nb \xf0\x9f\x98\x80 \\xed\\xa0\\xbd /\xc3\xa9");
    CHECK_STR(row.name, "\xe2\x80\xb9!--\\u2028");
    CHECK_STR(row.file, "\\x07");
    prof_snapshot_close(snapshot);
}

TEST(functions_are_found_by_their_ids_in_any_order)
{
    prof_snapshot *snapshot = read_text("{\"edges\": [{\"caller\": 9, \"callee\": 7, \"calls\": 3, \"primitive_calls\": 2, "
        "\"self_ns\": 4, \"cumulative_ns\": 5}], \"functions\": [{\"id\": 9, \"name\": \"g\", \"calls\": 1, "
        "\"primitive_calls\": 1, \"self_ns\": 0, \"cumulative_ns\": 9}, " F0 "], \"name\": \"t\", "
        "\"schema\": \"profcore.summary/1\"}", NULL);
    REQUIRE(snapshot != NULL);
    prof_function row = PROF_FUNCTION_INIT;
    CHECK_U64(prof_snapshot_caller_count(snapshot, 1), 1);
    CHECK(prof_snapshot_caller(snapshot, 1, 0, &row, NULL) == PROF_OK);
    CHECK_STR(row.name, "g");
    CHECK_U64(row.calls, 3);
    CHECK_U64(prof_snapshot_callee_count(snapshot, 0), 1);
    CHECK(prof_snapshot_callee(snapshot, 0, 0, &row, NULL) == PROF_OK);
    CHECK_STR(row.name, "f");
    CHECK_U64(row.primitive_calls, 2);
    CHECK_U64(prof_snapshot_callee_count(snapshot, 1), 0);
    CHECK(prof_snapshot_callee(snapshot, 1, 0, &row, NULL) == PROF_E_INVALID);
    prof_snapshot_close(snapshot);
}

#define FUNCTION(fields) FACTS "\"functions\": [" F0 ", {\"id\": 1, \"name\": \"g\", " fields "}]}"
#define CALLS "\"calls\": 1, \"primitive_calls\": 1, \"self_ns\": 0, \"cumulative_ns\": 0"

/* "g" with what probes measured; probes and counters follow it. */
#define PROBED(measures, probes, counters) FACTS "\"functions\": [{\"id\": 1, \"name\": \"g\", " CALLS ", \"probes\": {" measures \
    "}, \"unavailable\": {\"probes.late\": \"it broke\"}}], \"probes\": [" probes "], \"counters\": [" counters "]}"
#define PROBE(name, kind) "{\"name\": \"" name "\", \"unit\": \"ns\", \"kind\": \"" kind "\", \"of\": \"thread\", \"failed\": null}"
#define COUNTER(name, count, last, sum, min, max) "{\"name\": \"" name "\", \"count\": " count ", \"not_finite\": 1, \"last\": " last \
    ", \"sum\": " sum ", \"min\": " min ", \"max\": " max "}"

#define SPANS(spans) FACTS "\"functions\": [], \"spans\": [" spans "]}"

TEST(a_summary_that_is_not_right_is_refused_with_the_place)
{
    static const struct { const char *text; prof_status status; const char *message; } wrong[] = {
        { "", PROF_E_FORMAT, "test.json: the file is empty" },
        { "  ", PROF_E_FORMAT, "neither" },
        { "hello", PROF_E_FORMAT, "neither" },
        { "{", PROF_E_FORMAT, "at byte" },
        { "{}", PROF_E_FORMAT, "no schema" },
        { "{\"schema\": 1}", PROF_E_FORMAT, "no schema" },
        { "{\"schema\": \"other/1\"}", PROF_E_FORMAT, "no schema" },
        { "{\"schema\": \"profcore.summary/2\"}", PROF_E_UNSUPPORTED, "profcore.summary/2" },
        { FACTS "\"functions\": {}}", PROF_E_FORMAT, "functions is not an array" },
        { FACTS "\"x\": 1}", PROF_E_FORMAT, "functions is missing" },
        { "{\"schema\": \"profcore.summary/1\", \"functions\": []}", PROF_E_FORMAT, "name is missing" },
        { FACTS "\"functions\": []", PROF_E_FORMAT, "at byte" },
        { FACTS "\"functions\": [], \"functions\": []}", PROF_E_FORMAT, "functions is there twice" },
        { FACTS "\"functions\": [NaN]}", PROF_E_FORMAT, "at byte 60: not a value" },
        { FACTS "\"functions\": [1,]}", PROF_E_FORMAT, "not a value" },
        { FACTS "\"functions\": [1 2]}", PROF_E_FORMAT, "a comma or ] must follow" },
        { FACTS "\"functions\": {,}}", PROF_E_FORMAT, "a key must be text" },
        { FACTS "\"functions\" []}", PROF_E_FORMAT, "colon" },
        { FACTS "\"functions\": [01]}", PROF_E_FORMAT, "begins with 0" },
        { FACTS "\"functions\": [-]}", PROF_E_FORMAT, "not a number" },
        { FACTS "\"functions\": [1.]}", PROF_E_FORMAT, "not a number" },
        { FACTS "\"functions\": [1e+]}", PROF_E_FORMAT, "not a number" },
        { FACTS "\"functions\": [\"\\x\"]}", PROF_E_FORMAT, "not an escape" },
        { FACTS "\"functions\": [\"\\u12g4\"]}", PROF_E_FORMAT, "hexadecimal" },
        { FACTS "\"functions\": [\"\n\"]}", PROF_E_FORMAT, "a control character" },
        { FACTS "\"functions\": []}}", PROF_E_FORMAT, "more follows" },
        { FACTS "\"functions\": []]", PROF_E_FORMAT, "a comma or } must follow" },
        { FACTS "\"functions\": [1]}", PROF_E_FORMAT, "functions[0] is not an object" },
        { FACTS "\"functions\": [" F0 ", " F0 "]}", PROF_E_FORMAT, "two functions of one id" },
        { FUNCTION("\"calls\": 1"), PROF_E_FORMAT, "functions[1].primitive_calls is missing" },
        { FUNCTION("\"calls\": -1"), PROF_E_FORMAT, "functions[1].calls is negative" },
        { FUNCTION("\"calls\": \"-1\""), PROF_E_FORMAT, "functions[1].calls is negative" },
        { FUNCTION("\"calls\": 1.5"), PROF_E_FORMAT, "functions[1].calls is not a whole number" },
        { FUNCTION("\"calls\": \"1e3\""), PROF_E_FORMAT, "functions[1].calls is not a whole number" },
        { FUNCTION("\"calls\": \"18446744073709551616\""), PROF_E_FORMAT, "functions[1].calls is not a whole number" },
        { FUNCTION("\"calls\": [[]]"), PROF_E_FORMAT, "functions[1].calls is not a whole number" },
        { FUNCTION(CALLS ", \"open_calls\": 2"), PROF_E_FORMAT, "functions[1].open_calls is out of range" },
        { FUNCTION(CALLS ", \"line\": 4294967296"), PROF_E_FORMAT, "functions[1].line is out of range" },
        { FUNCTION(CALLS ", \"file\": 3"), PROF_E_FORMAT, "functions[1].file is not text" },
        { FUNCTION(CALLS ", \"histogram\": [[15, 1]]"), PROF_E_FORMAT, "functions[1].histogram is out of range" },
        { FUNCTION(CALLS ", \"histogram\": [[976, 1]]"), PROF_E_FORMAT, "functions[1].histogram is out of range" },
        { FUNCTION(CALLS ", \"histogram\": [[16]]"), PROF_E_FORMAT, "functions[1].histogram is not a list" },
        { FUNCTION(CALLS ", \"histogram\": [[16, \"18446744073709551615\"], [17, 1]]"), PROF_E_LIMIT, "64 bits" },
        { FUNCTION(CALLS ", \"memory\": {\"rss_calls\": 1, \"rss_growth_bytes\": \"9223372036854775808\"}"), PROF_E_FORMAT,
          "rss_growth_bytes is not a whole number of 64 bits" },
        { FACTS "\"functions\": [" F0 "], \"edges\": [{\"caller\": 7, \"callee\": 8}]}", PROF_E_FORMAT,
          "edges[0].callee is no function's id" },
        { FACTS "\"functions\": [" F0 "], \"edges\": [{\"caller\": -7}]}", PROF_E_FORMAT, "edges[0].caller is negative" },
        { PROBED("\"cpu\": {\"calls\": 1, \"sum\": -1, \"max\": 1}", PROBE("cpu", "counter"), ""), PROF_E_FORMAT,
          "functions[0].sum is negative" },
        { PROBED("\"cpu\": 3", PROBE("cpu", "counter"), ""), PROF_E_FORMAT, "functions[0].cpu is not an object" },
        { PROBED("", "{\"name\": \"x\"}", ""), PROF_E_FORMAT, "probes[0].name and unit and of" },
        { PROBED("", PROBE("cpu", "counter") ", " PROBE("cpu", "gauge"), ""), PROF_E_INVALID, "two probes named" },
        { PROBED("", "", COUNTER("x", "1", "1e999", "1", "1", "1")), PROF_E_FORMAT, "counters[0].last is out of range" },
        { PROBED("", "", COUNTER("x", "1", "\"1\"", "1", "1", "1")), PROF_E_FORMAT, "counters[0].last is not a number" },
        { FACTS "\"functions\": [], \"spans\": {}}", PROF_E_FORMAT, "spans is not an array" },
        { SPANS("{\"count\": 1, \"total_ns\": 1}"), PROF_E_FORMAT, "spans[0].name is missing" },
        { SPANS("{\"name\": \"w\", \"total_ns\": 1}"), PROF_E_FORMAT, "spans[0].count is missing" },
        { SPANS("{\"name\": \"w\", \"count\": 1, \"total_ns\": -1}"), PROF_E_FORMAT, "spans[0].total_ns is negative" },
        { SPANS("{\"name\": \"w\", \"count\": 1, \"total_ns\": 1, \"histogram\": [[3, 1]]}"), PROF_E_FORMAT,
          "spans[0].histogram is out of range" },
        { SPANS("{\"name\": \"w\", \"count\": 1, \"total_ns\": \"18446744073709551615\"}, "
                "{\"name\": \"w\", \"count\": 1, \"total_ns\": 1}"), PROF_E_LIMIT, "64 bits" },
        { FACTS "\"functions\": [], \"call\": {\"number\": 1, \"duration_ns\": 1}}", PROF_E_FORMAT, "call has no root" },
        { FACTS "\"functions\": [], \"threads\": [null]}", PROF_E_FORMAT, "threads[0] is not an object" },
        { FACTS "\"functions\": [], \"taken_unix_s\": 253402300800}", PROF_E_FORMAT, "taken_unix_s is out of range" },
        { FACTS "\"functions\": [], \"clock\": {\"steady\": 1}}", PROF_E_FORMAT, "steady is neither true nor false" },
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        prof_error err = PROF_ERROR_INIT;
        prof_snapshot *snapshot = read_text(wrong[i].text, &err);
        if (snapshot != NULL || err.status != wrong[i].status || strstr(err.message, wrong[i].message) == NULL)
            printf("# number %zu: status %d: %s\n", i, err.status, err.message);
        CHECK(snapshot == NULL);
        CHECK_I64(err.status, wrong[i].status);
        CHECK_HAS(err.message, wrong[i].message);
        prof_snapshot_close(snapshot);
    }
}

/* ---- .prof, byte by byte ---- */

#define BYTES(text) text, sizeof(text) - 1
#define I(digit) "i" digit "\0\0\0"
#define ZERO "g\0\0\0\0\0\0\0\0"
#define KEY ")\3" "z\1a" I("\1") "z\1f"
#define ROW ")\5" I("\2") I("\3") ZERO ZERO "{0"

TEST(a_reference_is_what_it_refers_to)
{
    /* {(a, 1, f): (2, 3, 0, 0, {}), (a, 1, g): (2, 3, 0, 0, {(a, 1, f): (1, 1, 0, 0)})} with a, 1 and the first key named. */
    static const char data[] = "\xfb" "\xa9\3" "\xda\1a" "\xe9\1\0\0\0" "Z\1f" ROW ")\3" "r\2\0\0\0" "r\3\0\0\0" "z\1g"
                               ")\5" I("\2") I("\3") ZERO ZERO "{" "r\1\0\0\0" ")\4" "r\3\0\0\0" "r\3\0\0\0" ZERO ZERO "0" "0";
    prof_error err = PROF_ERROR_INIT;
    prof_snapshot *snapshot = NULL;
    CHECK(prof_snapshot_read(BYTES(data), "dir/run.prof", &snapshot, &err) == PROF_OK);
    if (snapshot == NULL)
        printf("# %s\n", err.message);
    REQUIRE(snapshot != NULL);
    CHECK_U64(prof_snapshot_function_count(snapshot), 2);
    prof_function row = row_of(snapshot, "g");
    CHECK_STR(row.file, "a");
    CHECK_U64(row.line, 1);
    CHECK_U64(row.calls, 3);
    CHECK_U64(row.primitive_calls, 2);
    CHECK(prof_snapshot_caller(snapshot, 1, 0, &row, NULL) == PROF_OK);
    CHECK_STR(row.name, "f");
    prof_about about = PROF_ABOUT_INIT;
    CHECK(prof_snapshot_about(snapshot, &about, NULL) == PROF_OK);
    CHECK_STR(about.name, "run");
    prof_snapshot_close(snapshot);
}

TEST(a_prof_that_is_not_right_is_refused_with_the_place)
{
    static const struct { const char *data; size_t bytes; prof_status status; const char *message; } wrong[] = {
        { BYTES("{"), PROF_E_FORMAT, "at byte" }, /* read as JSON: both begin so */
        { BYTES("\xfb" ")\3"), PROF_E_FORMAT, "at byte 3: the file ends too early" },
        { BYTES("{" KEY ROW), PROF_E_FORMAT, "the file ends too early" },
        { BYTES("{" KEY ROW "0x"), PROF_E_FORMAT, "more follows" },
        { BYTES("{" ")\2" I("\1") I("\1") ROW "0"), PROF_E_FORMAT, "at byte 1: a function must be a tuple" },
        { BYTES("{" "(\3\0\0\x80" ROW "0"), PROF_E_FORMAT, "at byte 1: the file ends inside a tuple" },
        { BYTES("{" "(\xff\xff\xff\x7f" ROW "0"), PROF_E_FORMAT, "at byte 1: a function must be a tuple" },
        { BYTES("{" ")\3" I("\1") I("\1") "z\1f" ROW "0"), PROF_E_FORMAT, "at byte 3: a function's file must be a text" },
        { BYTES("{" ")\3" "u\xff\xff\xff\x7f" "a"), PROF_E_FORMAT, "at byte 3: a text is longer than the file" },
        { BYTES("{" ")\3" "z\1a" "i\xff\xff\xff\xff" "z\1f" ROW "0"), PROF_E_FORMAT, "at byte 6: a negative number" },
        { BYTES("{" ")\3" "z\1a" "I\0\0\0\0\1\0\0\0" "z\1f" ROW "0"), PROF_E_FORMAT, "at byte 6: a number" },
        { BYTES("{" KEY ")\5" "N" I("\3") ZERO ZERO "{0" "0"), PROF_E_FORMAT, "a number of calls must be an integer" },
        { BYTES("{" KEY ")\5" I("\1") I("\1") "g\0\0\0\0\0\0\xf8\x7f" ZERO "{0" "0"), PROF_E_FORMAT, "a time that is out" },
        { BYTES("{" KEY ")\5" I("\1") I("\1") "g\0\0\0\0\0\0\xf0\x7f" ZERO "{0" "0"), PROF_E_FORMAT, "a time that is out" },
        { BYTES("{" KEY ")\5" I("\1") I("\1") "g\0\0\0\0\0\0\x20\x42" ZERO "{0" "0"), PROF_E_FORMAT, "a time that is out" },
        { BYTES("{" KEY ")\5" I("\1") I("\1") "z\0" ZERO "{0" "0"), PROF_E_FORMAT, "a time must be a number" },
        { BYTES("{" KEY ")\5" I("\1") I("\1") ZERO ZERO "(\0\0\0\0" "0"), PROF_E_FORMAT, "the callers must be a dict" },
        { BYTES("{" KEY ")\5" I("\1") I("\1") ZERO ZERO "{" KEY I("\1") "0" "0"), PROF_E_UNSUPPORTED, "module profile" },
        { BYTES("{" KEY ")\5" "l\5\0\0\0\0\0\0\0\0\0\0\0\xff\x7f" I("\1") ZERO ZERO "{0" "0"), PROF_E_FORMAT, "out of range" },
        { BYTES("{" KEY ")\5" "l\1\0\0\0\0\x80" I("\1") ZERO ZERO "{0" "0"), PROF_E_FORMAT, "15 bits" },
        { BYTES("{" KEY ")\5" "l\0\0\0\x80" I("\1") ZERO ZERO "{0" "0"), PROF_E_FORMAT, "ends inside an integer" },
        { BYTES("{" KEY ")\5" "r\0\0\0\0" I("\1") ZERO ZERO "{0" "0"), PROF_E_FORMAT, "a reference to what" },
        /* a callers' dict that is the profile itself: it would have no end */
        { BYTES("\xfb" KEY ")\5" I("\1") I("\1") ZERO ZERO "r\0\0\0\0" "0"), PROF_E_FORMAT, "four figures" },
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        prof_error err = PROF_ERROR_INIT;
        prof_snapshot *snapshot = NULL;
        prof_snapshot_read(wrong[i].data, wrong[i].bytes, "x.prof", &snapshot, &err);
        if (snapshot != NULL || err.status != wrong[i].status || strstr(err.message, wrong[i].message) == NULL)
            printf("# number %zu\n", i);
        CHECK(snapshot == NULL);
        CHECK_I64(err.status, wrong[i].status);
        CHECK_HAS(err.message, wrong[i].message);
        prof_snapshot_close(snapshot);
    }
}

TEST(an_object_is_whole_also_where_its_reference_names_nothing)
{
    static const unsigned char data[] = "r\5\0\0\0";
    profi_marshal marshal;
    profi_marshal_object object;
    prof_error err = PROF_ERROR_INIT;
    memset(&object, 0xff, sizeof(object));
    profi_marshal_init(&marshal, data, sizeof(data) - 1, "x.prof");
    CHECK(profi_marshal_next(&marshal, &object, &err) == PROF_E_FORMAT);
    CHECK_U64(object.resume, 0);
    CHECK_U64(object.named, 0);
    profi_marshal_leave(&marshal, &object);
    CHECK_U64(marshal.replaying, 0);
    profi_marshal_fini(&marshal);
}

/* So many functions that share one dict of so many callers, each of them ten bytes but for the first. */
static buffer with_shared_callers(unsigned functions, unsigned callers)
{
    static const char head[] = "{" "\xa9\3" "z\1a" I("\1") "z\1f" ")\5" I("\1") I("\1") ZERO ZERO
                               "\xfb" "r\0\0\0\0" "\xa9\4" I("\1") I("\1") ZERO ZERO;
    buffer b = { calloc(1, 1), 0 };
    append(&b, BYTES(head));
    for (unsigned i = 1; i < callers; i++)
        append(&b, BYTES("r\0\0\0\0" "r\2\0\0\0"));
    append(&b, BYTES("0"));
    for (unsigned i = 1; i < functions; i++) {
        char key[] = ")\3" "z\1a" I("\1") "z\1f";
        key[6] = (char)(i + 1); /* the line */
        append(&b, BYTES(key));
        append(&b, BYTES(")\5" I("\1") I("\1") ZERO ZERO "r\1\0\0\0"));
    }
    append(&b, BYTES("0"));
    return b;
}

TEST(a_prof_has_no_more_callers_than_its_bytes_can_hold)
{
    prof_error err = PROF_ERROR_INIT;
    prof_snapshot *snapshot = NULL;
    buffer honest = with_shared_callers(1, 50), bomb = with_shared_callers(20, 50); /* 20 * 50 callers: a byte each */
    CHECK(bomb.bytes > 20 * 50);
    CHECK(prof_snapshot_read(honest.data, honest.bytes, "x.prof", &snapshot, &err) == PROF_OK);
    prof_snapshot_close(snapshot);
    CHECK(prof_snapshot_read(bomb.data, bomb.bytes, "x.prof", &snapshot, &err) == PROF_E_LIMIT);
    CHECK_HAS(err.message, "more callers than fit");
    free(honest.data);
    free(bomb.data);
}

TEST(every_shorter_prof_is_refused)
{
    prof_snapshot *snapshot = record(30, NULL), *again;
    REQUIRE(snapshot != NULL);
    static const char *const formats[] = { "prof", "json" };
    for (int f = 0; f < 2; f++) {
        buffer whole = written(snapshot, formats[f]);
        /* Of the JSON, the newline at the end may be missing. */
        for (size_t bytes = 0; bytes + (f == 1) < whole.bytes; bytes++) {
            prof_error err = PROF_ERROR_INIT;
            char *part = malloc(bytes + 1); /* of its own, for AddressSanitizer to see reads behind its end */
            memcpy(part, whole.data, bytes);
            CHECK(prof_snapshot_read(part, bytes, "part", &again, &err) == PROF_E_FORMAT);
            free(part);
        }
        free(whole.data);
    }
    prof_snapshot_close(snapshot);
}

/* ---- files ---- */

TEST(what_is_no_file_is_an_error_that_names_it_and_nothing_waits)
{
    char folder[] = "/tmp/profcore_read_XXXXXX", path[64];
    REQUIRE(mkdtemp(folder) != NULL);
    prof_snapshot *snapshot;
    prof_error err = PROF_ERROR_INIT;
    CHECK(prof_snapshot_read_file(folder, &snapshot, &err) == PROF_E_IO);
    CHECK_HAS(err.message, "it is a folder");
    snprintf(path, sizeof(path), "%s/pipe", folder);
    REQUIRE(mkfifo(path, 0600) == 0);
    CHECK(prof_snapshot_read_file(path, &snapshot, &err) == PROF_E_IO);
    CHECK_HAS(err.message, "it is a pipe");
    unlink(path);
    CHECK(prof_snapshot_read_file("/dev/zero", &snapshot, &err) == PROF_E_IO);
    CHECK_HAS(err.message, "it is a device");
    CHECK(prof_snapshot_read_file(path, &snapshot, &err) == PROF_E_IO);
    CHECK_HAS(err.message, path);
    FILE *sparse = fopen(path, "w");
    REQUIRE(sparse != NULL && ftruncate(fileno(sparse), ((off_t)256 << 20) + 1) == 0 && fclose(sparse) == 0);
    CHECK(prof_snapshot_read_file(path, &snapshot, &err) == PROF_E_LIMIT);
    CHECK_HAS(err.message, path);
    unlink(path);
    rmdir(folder);
    CHECK(prof_snapshot_read_file("/proc/self/status", &snapshot, &err) == PROF_E_FORMAT); /* its size reads 0 */
    CHECK(prof_snapshot_read_file(NULL, &snapshot, &err) == PROF_E_INVALID);
    CHECK(prof_snapshot_read_file("x", NULL, &err) == PROF_E_INVALID);
    CHECK(prof_snapshot_read(NULL, 1, NULL, &snapshot, &err) == PROF_E_INVALID);
    CHECK(prof_snapshot_read(NULL, 0, NULL, &snapshot, &err) == PROF_E_FORMAT);
    CHECK_HAS(err.message, "the data: ");
}

/* ---- merging ---- */

TEST(percentiles_need_as_many_calls_after_a_merge_as_before)
{
    prof_snapshot *some = record(6, NULL), *more, *few, *enough;
    REQUIRE(some != NULL);
    buffer text = written(some, "json");
    more = read_text(text.data, NULL);
    uint64_t calls = row_of(some, "work").calls, ns = 0;
    REQUIRE(more != NULL && calls >= 6 && calls * 2 < 1000);
    prof_error err = PROF_ERROR_INIT;
    uint32_t id;
    few = merge2(some, more, &err);
    REQUIRE(few != NULL);
    CHECK_U64(row_of(few, "work").calls, 2 * calls);
    CHECK(prof_snapshot_find(few, "work", &id, NULL) == PROF_OK);
    CHECK(prof_snapshot_percentile(few, id, 0.99, &ns, &err) == PROF_E_UNAVAILABLE);
    CHECK_HAS(err.message, "needs 1000 calls");
    enough = few;
    while (row_of(enough, "work").calls < 1000) {
        prof_snapshot *doubled = merge2(enough, enough, &err);
        REQUIRE(doubled != NULL);
        prof_snapshot_close(enough);
        enough = doubled;
    }
    CHECK(prof_snapshot_percentile(enough, id, 0.99, &ns, &err) == PROF_OK);
    CHECK_U64(ns, 100);
    prof_snapshot_close(enough);
    prof_snapshot_close(more);
    prof_snapshot_close(some);
    free(text.data);
}

TEST(what_one_profile_does_not_know_is_unavailable_in_the_merged_one)
{
    prof_snapshot *whole = record(5, "rows"), *plain = NULL, *merged;
    prof_error err = PROF_ERROR_INIT;
    prof_about about = PROF_ABOUT_INIT;
    prof_stats stats = PROF_STATS_INIT;
    REQUIRE(whole != NULL);
    buffer file = written(whole, "prof");
    CHECK(prof_snapshot_read(file.data, file.bytes, NULL, &plain, &err) == PROF_OK);
    merged = merge2(whole, plain, &err);
    REQUIRE(merged != NULL);
    prof_function one = row_of(whole, "work"), both = row_of(merged, "work");
    CHECK(one.has & PROF_FUNCTION_HAS_ITEMS && one.has & PROF_FUNCTION_HAS_HISTOGRAM);
    CHECK_U64(both.calls, 2 * one.calls);
    CHECK_U64(both.cumulative_ns, 2 * one.cumulative_ns);
    CHECK_U64(both.has, 0);
    CHECK(prof_snapshot_about(merged, &about, NULL) == PROF_OK);
    CHECK_U64(about.has, 0);
    CHECK_U64(about.process_count, 2);
    CHECK_U64(about.recorded_ns, 0);
    CHECK(prof_snapshot_stats(merged, &stats, NULL) == PROF_OK);
    CHECK_U64(stats.thread_count, 0);
    buffer json = written(merged, "json"), text = written(merged, "txt");
    CHECK_HAS(json.data, "\"histogram\":\"a .prof holds calls and times only\"");
    CHECK_HAS(json.data, "\"items\":\"a .prof holds calls and times only\"");
    CHECK_HAS(text.data, "unavailable    unavailable rows");
    prof_snapshot *again = read_text(json.data, &err);
    REQUIRE(again != NULL);
    buffer json_again = written(again, "json");
    CHECK_STR(json_again.data, json.data);
    prof_snapshot_close(again);
    prof_snapshot_close(merged);
    prof_snapshot_close(plain);
    prof_snapshot_close(whole);
    free(json_again.data);
    free(text.data);
    free(json.data);
    free(file.data);
}

TEST(facts_of_processes_are_added_or_listed)
{
#define PROCESS(host, pid, recorded, calls, cost, steady) \
    "{\"schema\": \"profcore.summary/1\", \"name\": \"svc\", \"host\": \"" host "\", \"pid\": " pid ", \"taken_unix_s\": " pid ", " \
    "\"recorded_ns\": " recorded ", \"clock\": {\"source\": \"tsc\", \"hz\": " pid ", \"steady\": " steady "}, " \
    "\"losses\": {\"lost\": 3, \"repaired\": 1, \"unmatched\": 2}, \"overhead\": {\"scope_ps\": " cost ", \"gauges_ns\": 4, " \
    "\"memory_used_bytes\": 5, \"memory_limit_bytes\": 6}, \"thread_counts\": {\"recorded\": 7, \"live\": 2}, " \
    "\"threads\": [{\"tid\": " pid ", \"name\": \"main\", \"calls\": 1}], " \
    "\"memory\": {\"rss_bytes\": 8, \"rss_peak_bytes\": 9}, \"functions\": [{\"id\": 0, \"name\": \"f\", " \
    "\"calls\": " calls ", \"primitive_calls\": 1, \"self_ns\": 0, \"cumulative_ns\": 0}]}"
    prof_error err = PROF_ERROR_INIT;
    prof_snapshot *a = read_text(PROCESS("here", "11", "100", "1", "10000", "true"), &err);
    prof_snapshot *b = read_text(PROCESS("there", "22", "50", "3", "20000", "false"), &err), *both, *three;
    prof_about about = PROF_ABOUT_INIT;
    prof_stats stats = PROF_STATS_INIT;
    REQUIRE(a != NULL && b != NULL && (both = merge2(a, b, &err)) != NULL);
    CHECK(prof_snapshot_about(a, &about, NULL) == PROF_OK);
    CHECK_U64(about.has, 0xbffu & ~PROF_ABOUT_COST_IS_SUBTRACTED);
    CHECK_STR(about.host, "here");
    CHECK_I64(about.pid, 11);
    CHECK_U64(about.rss_peak_bytes, 9);
    CHECK(prof_snapshot_about(both, &about, NULL) == PROF_OK);
    CHECK_U64(about.has, PROF_ABOUT_HAS_TIME | PROF_ABOUT_HAS_DURATION | PROF_ABOUT_HAS_CLOCK | PROF_ABOUT_HAS_COST |
                             PROF_ABOUT_HAS_COUNTS | PROF_ABOUT_HAS_THREADS);
    CHECK_STR(about.name, "svc");
    CHECK(about.host == NULL);
    CHECK_I64(about.pid, 0);
    CHECK_U64(about.process_count, 2);
    CHECK_U64(about.taken_unix_s, 22);
    CHECK_U64(about.recorded_ns, 150);
    CHECK_STR(about.clock_source, "tsc");
    CHECK_U64(about.clock_hz, 0);
    CHECK_U64(about.scope_cost_ps, 17500); /* of 4 calls: (10 + 3 * 20) / 4 ns */
    CHECK_U64(about.lost_count, 6);
    CHECK(prof_snapshot_stats(both, &stats, NULL) == PROF_OK);
    CHECK_U64(stats.thread_count, 14);
    CHECK_U64(stats.live_thread_count, 4);
    CHECK_U64(stats.repaired_count, 2);
    three = merge2(both, a, &err);
    REQUIRE(three != NULL);
    buffer text = written(three, "txt"), json = written(three, "json"), prof = written(three, "prof");
    CHECK_HAS(text.data, "Merged from 3 processes:\n     svc, process 11 on here\n     svc, process 22 on there\n     svc, process 11");
    CHECK_HAS(text.data, "not known to be steady");
    CHECK_HAS(json.data, "{\"name\":\"svc\",\"host\":\"there\",\"pid\":22}");
    CHECK_HAS(json.data, "\"steady\":false");
    int is_said = 0; /* the file holds NULs */
    for (size_t i = 0; i + 20 < prof.bytes; i++)
        is_said |= memcmp(prof.data + i, "not known to be steady", 20) == 0;
    CHECK(is_said);
    prof_snapshot *again = read_text(json.data, &err), *from_prof = NULL;
    REQUIRE(again != NULL);
    buffer json_again = written(again, "json");
    CHECK_STR(json_again.data, json.data);
    CHECK(prof_snapshot_read(prof.data, prof.bytes, NULL, &from_prof, &err) == PROF_OK);
    CHECK(prof_snapshot_about(from_prof, &about, NULL) == PROF_OK);
    CHECK_U64(about.has, PROF_ABOUT_HAS_CLOCK);
    CHECK_U64(about.lost_count, 9);
    CHECK_U64(prof_snapshot_function_count(from_prof), 1);
    free(json_again.data);
    free(text.data);
    free(json.data);
    free(prof.data);
    prof_snapshot_close(from_prof);
    prof_snapshot_close(again);
    prof_snapshot_close(three);
    prof_snapshot_close(both);
    prof_snapshot_close(b);
    prof_snapshot_close(a);
}

TEST(estimates_of_sampled_functions_are_read_and_merged)
{
    prof_snapshot *a = read_text(FUNCTION("\"calls\": 1000, \"primitive_calls\": 1000, \"self_ns\": 0, \"cumulative_ns\": 9000, "
                                          "\"estimate\": {\"timed_calls\": 40, \"interval_ns\": 300}"), NULL);
    prof_snapshot *b = read_text(FUNCTION("\"calls\": 500, \"primitive_calls\": 500, \"self_ns\": 0, \"cumulative_ns\": 900, "
                                          "\"estimate\": {\"timed_calls\": 20, \"interval_ns\": 400}"), NULL), *both, *again;
    prof_snapshot *c = read_text(FUNCTION(CALLS ", \"estimate\": {\"timed_calls\": 0, \"interval_ns\": null}"), NULL);
    REQUIRE(a != NULL && b != NULL && c != NULL && (both = merge2(a, b, NULL)) != NULL);
    CHECK_U64(row_of(a, "g").has, PROF_FUNCTION_IS_ESTIMATE);
    CHECK_U64(row_of(a, "g").timed_calls, 40);
    CHECK_U64(row_of(a, "g").interval_ns, 300);
    CHECK_U64(row_of(c, "g").interval_ns, UINT64_MAX);
    CHECK_U64(row_of(both, "g").timed_calls, 60);
    CHECK_U64(row_of(both, "g").cumulative_ns, 9900);
    CHECK_U64(row_of(both, "g").interval_ns, 500); /* independent errors: 300 and 400 make 500 */
    CHECK_U64(row_of(both, "f").timed_calls, 4);
    CHECK(!(row_of(both, "f").has & PROF_FUNCTION_IS_ESTIMATE));
    buffer json = written(both, "json"), json_again;
    again = read_text(json.data, NULL);
    REQUIRE(again != NULL);
    json_again = written(again, "json");
    CHECK_STR(json_again.data, json.data);
    free(json.data);
    free(json_again.data);
    prof_snapshot_close(again);
    prof_snapshot_close(both);
    prof_snapshot_close(c);
    prof_snapshot_close(b);
    prof_snapshot_close(a);
}

TEST(probes_are_merged_by_name_and_counters_by_place)
{
    prof_error err = PROF_ERROR_INIT;
    prof_snapshot *a = read_text(PROBED("\"cpu\": {\"calls\": 2, \"sum\": 10, \"max\": 7}, \"late\": null",
                                        PROBE("cpu", "counter") ", " PROBE("late", "gauge"),
                                        COUNTER("depth", "2", "1.5", "4", "1.5", "2.5") ", " COUNTER("none", "0", "null", "null", "null", "null")), &err);
    prof_snapshot *b = read_text(PROBED("\"heap\": {\"calls\": 1, \"growth\": -5, \"peak\": 90, \"peak_is_bound\": true}, "
                                        "\"cpu\": {\"calls\": 3, \"failed_calls\": 1, \"sum\": 5, \"max\": 9}",
                                        PROBE("heap", "gauge") ", " PROBE("cpu", "counter"),
                                        COUNTER("depth", "1", "-3", "-3", "-3", "-3") ", " COUNTER("none", "1", "8", "8", "8", "8")), &err), *both;
    REQUIRE(a != NULL && b != NULL && (both = merge2(a, b, &err)) != NULL);
    prof_probe_info info = PROF_PROBE_INFO_INIT;
    prof_measure measure = PROF_MEASURE_INIT;
    CHECK_U64(prof_snapshot_probe_count(both), 3);
    CHECK(prof_snapshot_probe(both, 2, &info, NULL) == PROF_OK);
    CHECK_STR(info.name, "heap");
    CHECK_U64(info.is_gauge, 1);
    CHECK(prof_snapshot_measure(both, 0, 0, &measure, NULL) == PROF_OK);
    CHECK_U64(measure.calls, 5);
    CHECK_U64(measure.failed_calls, 1);
    CHECK_I64(measure.sum, 15);
    CHECK_U64(measure.largest, 9);
    CHECK(prof_snapshot_measure(both, 0, 1, &measure, &err) == PROF_E_UNAVAILABLE);
    CHECK(prof_snapshot_measure(both, 0, 2, &measure, NULL) == PROF_OK);
    CHECK_I64(measure.sum, -5);
    CHECK_U64(measure.peak, 90);
    CHECK_U64(measure.is_bound, 1);
    prof_counter_row row = PROF_COUNTER_ROW_INIT;
    CHECK_U64(prof_snapshot_counter_count(both), 2);
    CHECK(prof_snapshot_counter(both, 0, &row, NULL) == PROF_OK);
    CHECK_STR(row.name, "depth");
    CHECK(row.count == 3 && row.not_finite_count == 2 && row.last == -3 && row.sum == 1 && row.min == -3 && row.max == 2.5);
    CHECK(prof_snapshot_counter(both, 1, &row, NULL) == PROF_OK);
    CHECK(row.count == 1 && row.last == 8 && row.min == 8 && row.max == 8);
    buffer json = written(both, "json"), text = written(both, "txt"), file = written(both, "prof");
    prof_snapshot *again = read_text(json.data, &err), *plain = NULL, *all;
    REQUIRE(again != NULL);
    buffer json_again = written(again, "json");
    CHECK_STR(json_again.data, json.data);
    /* With calls of which nothing was measured, the sum over all calls is not known. */
    CHECK(prof_snapshot_read(file.data, file.bytes, NULL, &plain, &err) == PROF_OK);
    REQUIRE(plain != NULL && (all = merge2(both, plain, &err)) != NULL);
    CHECK(prof_snapshot_measure(all, 0, 0, &measure, &err) == PROF_E_UNAVAILABLE);
    CHECK_HAS(err.message, "a .prof holds calls and times only");
    prof_snapshot_close(all);
    prof_snapshot_close(plain);
    prof_snapshot_close(again);
    prof_snapshot_close(both);
    prof_snapshot_close(b);
    prof_snapshot_close(a);
    free(json_again.data);
    free(file.data);
    free(text.data);
    free(json.data);
}

TEST(the_last_value_of_a_merged_counter_is_the_latest_in_time)
{
#define COUNTED(time, value) FACTS "\"taken_unix_s\": " time ", \"functions\": [], \"counters\": [" \
    COUNTER("depth", "1", value, value, value, value) "]}"
    prof_counter_row row = PROF_COUNTER_ROW_INIT;
    prof_snapshot *late = read_text(COUNTED("20", "1"), NULL), *early = read_text(COUNTED("10", "2"), NULL);
    prof_snapshot *latest = read_text(COUNTED("30", "3"), NULL), *two, *three;
    REQUIRE(late != NULL && early != NULL && latest != NULL);
    two = merge2(late, early, NULL);
    REQUIRE(two != NULL && prof_snapshot_counter(two, 0, &row, NULL) == PROF_OK);
    CHECK(row.count == 2 && row.last == 1 && row.sum == 3);
    three = merge2(latest, two, NULL);
    REQUIRE(three != NULL && prof_snapshot_counter(three, 0, &row, NULL) == PROF_OK);
    CHECK(row.count == 3 && row.last == 3);
    prof_snapshot_close(three);
    prof_snapshot_close(two);
    prof_snapshot_close(latest);
    prof_snapshot_close(early);
    prof_snapshot_close(late);
}

/* Two files may have the same span at two places, and one of them no histogram. */
TEST(spans_are_merged_by_name_file_and_line_and_lose_what_one_does_not_have)
{
    uint64_t ns;
    prof_error err = PROF_ERROR_INIT;
    prof_function row = PROF_FUNCTION_INIT;
    prof_snapshot *a = read_text(SPANS("{\"name\": \"w\", \"file\": \"a.c\", \"line\": 1, \"count\": 30, \"total_ns\": 90, "
                                       "\"min_ns\": 1, \"max_ns\": 5, \"histogram\": [[18, 30]]}, "
                                       "{\"name\": \"w\", \"file\": \"a.c\", \"line\": 2, \"count\": 1, \"total_ns\": 4}"), &err);
    prof_snapshot *b = read_text(SPANS("{\"name\": \"w\", \"file\": \"a.c\", \"line\": 1, \"count\": 2, \"total_ns\": 20, "
                                       "\"min_ns\": 8, \"max_ns\": 12, \"histogram\": null, "
                                       "\"unavailable\": {\"histogram\": \"it was lost\"}}"), &err), *both;
    REQUIRE(a != NULL && b != NULL && (both = merge2(a, b, &err)) != NULL);
    CHECK(prof_snapshot_span_percentile(a, 0, 0.5, &ns, NULL) == PROF_OK);
    CHECK_U64(ns, 2);
    CHECK_U64(prof_snapshot_span_count(both), 2);
    CHECK(prof_snapshot_span(both, 0, &row, NULL) == PROF_OK);
    CHECK(row.calls == 32 && row.cumulative_ns == 110 && row.min_ns == 1 && row.max_ns == 12 && row.line == 1);
    CHECK(prof_snapshot_span_percentile(both, 0, 0.5, &ns, &err) == PROF_E_UNAVAILABLE);
    CHECK_HAS(err.message, "it was lost");
    CHECK(prof_snapshot_span(both, 1, &row, NULL) == PROF_OK);
    CHECK(row.calls == 1 && row.line == 2 && (row.has & PROF_FUNCTION_HAS_EXTREMES) == 0);
    buffer json = written(both, "json"), text = written(both, "txt");
    CHECK_HAS(text.data, "unavail.");
    CHECK_HAS(text.data, "no percentiles of w: it was lost");
    prof_snapshot *again = read_text(json.data, &err);
    REQUIRE(again != NULL);
    buffer json_again = written(again, "json");
    CHECK_STR(json_again.data, json.data);
    prof_snapshot_close(again);
    prof_snapshot_close(both);
    prof_snapshot_close(b);
    prof_snapshot_close(a);
    free(json_again.data);
    free(text.data);
    free(json.data);
}

TEST(a_measure_that_comes_late_takes_its_place_before_others)
{
    prof_measure measure = PROF_MEASURE_INIT;
    prof_snapshot *a = read_text(PROBED("\"heap\": {\"calls\": 4, \"growth\": 5, \"peak\": 6}",
                                        PROBE("cpu", "counter") ", " PROBE("heap", "gauge"), ""), NULL);
    prof_snapshot *b = read_text(PROBED("\"cpu\": {\"calls\": 1, \"sum\": 2, \"max\": 3}", PROBE("cpu", "counter"), ""), NULL), *both;
    REQUIRE(a != NULL && b != NULL && (both = merge2(a, b, NULL)) != NULL);
    CHECK(prof_snapshot_measure(both, 0, 0, &measure, NULL) == PROF_OK);
    CHECK_U64(measure.calls, 1);
    CHECK_U64(measure.largest, 3);
    CHECK(prof_snapshot_measure(both, 0, 1, &measure, NULL) == PROF_OK);
    CHECK_U64(measure.calls, 4);
    CHECK_U64(measure.peak, 6);
    prof_snapshot_close(both);
    prof_snapshot_close(b);
    prof_snapshot_close(a);
}

TEST(probes_of_one_name_that_differ_are_not_merged)
{
    prof_error err = PROF_ERROR_INIT;
    prof_snapshot *a = read_text(PROBED("", PROBE("cpu", "counter"), ""), &err), *b = read_text(PROBED("", PROBE("cpu", "gauge"), ""), &err);
    REQUIRE(a != NULL && b != NULL);
    CHECK(merge2(a, b, &err) == NULL);
    CHECK_I64(err.status, PROF_E_INVALID);
    CHECK_HAS(err.message, "two probes named \"cpu\"");
    prof_snapshot_close(b);
    prof_snapshot_close(a);
}

TEST(items_of_different_units_are_not_added)
{
    prof_snapshot *a = read_text(FUNCTION(CALLS ", \"items\": {\"count\": 2, \"unit\": \"rows\"}"), NULL);
    prof_snapshot *b = read_text(FUNCTION(CALLS ", \"items\": {\"count\": 3, \"unit\": \"tokens\"}"), NULL), *both, *twice;
    REQUIRE(a != NULL && b != NULL && (both = merge2(a, b, NULL)) != NULL && (twice = merge2(a, a, NULL)) != NULL);
    CHECK(!(row_of(both, "g").has & PROF_FUNCTION_HAS_ITEMS));
    CHECK_U64(row_of(twice, "g").items, 4);
    CHECK_STR(row_of(twice, "g").items_unit, "rows");
    prof_snapshot_close(twice);
    prof_snapshot_close(both);
    prof_snapshot_close(b);
    prof_snapshot_close(a);
}

TEST(a_sum_beyond_64_bits_is_an_error_and_not_a_small_number)
{
    prof_error err = PROF_ERROR_INIT;
    prof_snapshot *most = read_text(FUNCTION("\"calls\": \"18446744073709551615\", \"primitive_calls\": 1, \"self_ns\": 0, "
                                             "\"cumulative_ns\": 0"), &err), *one = read_text(FUNCTION(CALLS), &err);
    REQUIRE(most != NULL && one != NULL);
    CHECK(merge2(most, one, &err) == NULL);
    CHECK_I64(err.status, PROF_E_LIMIT);
    CHECK_HAS(err.message, "64 bits");
    prof_snapshot_close(most);
    prof_snapshot_close(one);
}

#define SAMPLED(mean, max, samples)                                                                                            \
    "{\"schema\": \"profcore.summary/1\", \"name\": \"a\", \"functions\": [], \"edges\": [], \"utilization\": {\"every_ms\": 10, "     \
    "\"samples\": 9, \"missed\": 0, \"took_ns\": 0, \"rows\": [{\"name\": \"GPU 0 power\", \"unit\": \"W\", \"of\": \"GPU 0\", " \
    "\"samples\": " samples ", \"failed\": 0, \"mean\": " mean ", \"max\": " max "}]}}"

static prof_utilization merged_mean(const char *one, const char *other)
{
    prof_utilization row = PROF_UTILIZATION_INIT;
    prof_snapshot *parts[] = { read_text(one, NULL), read_text(other, NULL) }, *both = NULL;
    prof_error err = PROF_ERROR_INIT;
    CHECK(parts[0] != NULL && parts[1] != NULL);
    CHECK_I64(prof_snapshot_merge((const prof_snapshot *const *)parts, 2, &both, &err), PROF_OK);
    CHECK_I64(prof_snapshot_utilization(both, 0, &row, NULL), PROF_OK);
    buffer json = written(both, "json"), text = written(both, "txt"); /* neither is refused */
    CHECK(strstr(json.data, "GPU 0 power") != NULL && strstr(text.data, "GPU 0 power") != NULL);
    free(json.data);
    free(text.data);
    prof_snapshot_close(both);
    prof_snapshot_close(parts[0]);
    prof_snapshot_close(parts[1]);
    return row;
}

TEST(means_of_samples_at_the_ends_of_the_range_of_numbers_are_merged)
{
    prof_utilization row = merged_mean(SAMPLED("1.7e308", "1.7e308", "1"), SAMPLED("-1.7e308", "-1.7e308", "3"));
    CHECK(row.mean < -0.84e308 && row.mean > -0.86e308);
    CHECK(row.max == 1.7e308);
    row = merged_mean(SAMPLED("1.7e308", "1.7e308", "5"), SAMPLED("1.7e308", "1.7e308", "7"));
    CHECK(row.mean == 1.7e308);
    row = merged_mean(SAMPLED("1e308", "1e308", "0"), SAMPLED("2", "3", "4")); /* of no sample there is no mean */
    CHECK(row.mean == 2 && row.max == 3 && row.sample_count == 4);
}

TEST(what_cannot_be_merged_says_why)
{
    prof_error err = PROF_ERROR_INIT;
    prof_snapshot *whole = record(1, NULL), *merged = NULL;
    const prof_snapshot *with_hole[] = { whole, NULL };
    CHECK(prof_snapshot_merge(NULL, 1, &merged, &err) == PROF_E_INVALID);
    CHECK(prof_snapshot_merge(with_hole, 0, &merged, &err) == PROF_E_INVALID);
    CHECK(prof_snapshot_merge(with_hole, 1, NULL, &err) == PROF_E_INVALID);
    CHECK(prof_snapshot_merge(with_hole, 2, &merged, &err) == PROF_E_INVALID);
    CHECK_HAS(err.message, "snapshot 1 is NULL");
    CHECK(merged == NULL);
    prof_snapshot_close(whole);
}

/* ---- call paths ---- */

static void check_same_files(const prof_snapshot *one, const prof_snapshot *other)
{
    static const char *const formats[] = { "json", "prof", "txt" };
    for (int i = 0; i < 3; i++) {
        buffer a = written(one, formats[i]), b = written(other, formats[i]);
        CHECK_STR(a.data, b.data);
        CHECK(a.bytes == b.bytes && memcmp(a.data, b.data, a.bytes) == 0);
        free(a.data);
        free(b.data);
    }
}

static uint32_t has_of(const prof_snapshot *snapshot)
{
    prof_about about = PROF_ABOUT_INIT;
    CHECK(prof_snapshot_about(snapshot, &about, NULL) == PROF_OK);
    return about.has;
}

TEST(the_merge_of_one_is_that_one_with_its_call_paths)
{
    prof_snapshot *whole = record(1, NULL), *copy = NULL;
    const prof_snapshot *one = whole;
    prof_error err = PROF_ERROR_INIT;
    prof_about about = PROF_ABOUT_INIT;
    CHECK(prof_snapshot_merge(&one, 1, &copy, &err) == PROF_OK);
    CHECK(has_of(whole) & PROF_ABOUT_HAS_PATHS);
    CHECK(has_of(copy) & PROF_ABOUT_HAS_PATHS);
    CHECK(prof_snapshot_about(copy, &about, NULL) == PROF_OK);
    CHECK_I64(about.pid, getpid());
    check_same_files(whole, copy);
    prof_snapshot_close(copy);
    prof_snapshot_close(whole);
}

/* main calls a and b, which both call leaf; leaf has 3 of 4 calls below a. */
#define PATHS_FUNCTION(id, name, calls, self, total, more) "{\"id\": " id ", \"name\": \"" name "\", \"calls\": " calls \
    ", \"primitive_calls\": " calls ", \"self_ns\": " self ", \"cumulative_ns\": " total more "}"
#define PATHS_FUNCTIONS "\"functions\": [" PATHS_FUNCTION("0", "main", "1", "10", "100", "") ", " \
    PATHS_FUNCTION("1", "a", "2", "20", "60", ", \"min_ns\": 25, \"max_ns\": 35, \"items\": {\"count\": 7, \"unit\": \"rows\"}") ", " \
    PATHS_FUNCTION("2", "b", "1", "20", "30", "") ", " PATHS_FUNCTION("3", "leaf", "4", "50", "50", ", \"min_ns\": 5, \"max_ns\": 20") "]"
#define PATHS(rows) FACTS PATHS_FUNCTIONS ", \"paths\": [" rows "]}"
static const char with_paths[] = PATHS("[null, 0, 1, 100, 10], [0, 1, 2, 60, 20], [0, 2, 1, 30, 20, 1, 15], [1, 3, 3, 40, 40], [2, 3, 1, 10, 10]");

TEST(call_paths_survive_being_written_and_read)
{
    prof_snapshot *first = read_text(with_paths, NULL), *again;
    REQUIRE(first != NULL);
    buffer text = written(first, "json");
    CHECK_HAS(text.data, "\"paths\": [\n [null,0,1,100,10],\n [0,1,2,60,20],\n [0,2,1,30,20,1,15],\n [1,3,3,40,40],\n [2,3,1,10,10]]");
    REQUIRE((again = read_text(text.data, NULL)) != NULL);
    check_same_files(first, again);
    prof_snapshot *recorded = record(3, "rows"), *reread;
    buffer json = written(recorded, "json");
    REQUIRE((reread = read_text(json.data, NULL)) != NULL);
    check_same_files(recorded, reread);
    prof_snapshot_close(reread);
    free(json.data);
    prof_snapshot_close(recorded);
    prof_snapshot_close(again);
    free(text.data);
    prof_snapshot_close(first);
}

TEST(a_subtree_of_what_was_read_says_what_paths_do_not)
{
    prof_snapshot *whole = read_text(with_paths, NULL), *tree = NULL;
    uint32_t a = 0;
    REQUIRE(whole != NULL);
    CHECK(prof_snapshot_find(whole, "a", &a, NULL) == PROF_OK);
    CHECK(prof_snapshot_subtree(whole, a, &tree, NULL) == PROF_OK);
    prof_snapshot_close(whole); /* of which the subtree has kept nothing */
    REQUIRE(tree != NULL);
    prof_function root = row_of(tree, "a"), leaf = row_of(tree, "leaf");
    CHECK_U64(prof_snapshot_function_count(tree), 2);
    CHECK_U64(root.calls, 2);
    CHECK_U64(root.self_ns, 20);
    CHECK_U64(root.cumulative_ns, 60);
    CHECK(root.has & PROF_FUNCTION_HAS_EXTREMES && root.has & PROF_FUNCTION_HAS_ITEMS);
    CHECK_U64(root.max_ns, 35);
    CHECK_U64(root.items, 7);
    CHECK_U64(leaf.calls, 3);
    CHECK_U64(leaf.cumulative_ns, 40);
    CHECK(!(leaf.has & PROF_FUNCTION_HAS_EXTREMES)); /* they may be those of the call from b */
    CHECK(!(leaf.has & PROF_FUNCTION_HAS_HISTOGRAM));
    buffer text = written(tree, "txt"), json = written(tree, "json");
    CHECK_HAS(json.data, "\"unavailable\":{\"histogram\":\"the file does not say\","
                         "\"min_ns\":\"call paths that were read or merged have sums only\"");
    free(json.data);
    free(text.data);
    prof_snapshot_close(tree);
}

TEST(call_paths_of_several_profiles_are_added_where_functions_are_the_same)
{
    prof_snapshot *a = read_text(with_paths, NULL), *both;
    prof_snapshot *b = read_text(FACTS "\"functions\": [" PATHS_FUNCTION("8", "leaf", "1", "5", "5", "") ", "
        PATHS_FUNCTION("9", "main", "1", "2", "7", "") "], \"paths\": [[null, 9, 1, 7, 2], [0, 8, 1, 5, 5]]}", NULL);
    REQUIRE(a != NULL && b != NULL && (both = merge2(a, b, NULL)) != NULL);
    buffer json = written(both, "json");
    CHECK_HAS(json.data, "\"paths\": [\n [null,0,2,107,12],\n [0,1,2,60,20],\n [0,2,1,30,20,1,15],\n [1,3,3,40,40],\n [2,3,1,10,10],\n [0,3,1,5,5]]");
    free(json.data);
    prof_snapshot_close(both);
    prof_snapshot_close(b);
    prof_snapshot_close(a);
}

TEST(a_part_without_call_paths_leaves_none_and_the_reason)
{
    prof_error err = PROF_ERROR_INIT;
    prof_snapshot *a = read_text(with_paths, NULL), *b = read_text(FACTS PATHS_FUNCTIONS "}", NULL), *both, *tree = NULL;
    REQUIRE(a != NULL && b != NULL && (both = merge2(a, b, NULL)) != NULL);
    CHECK(!(has_of(b) & PROF_ABOUT_HAS_PATHS));
    CHECK(!(has_of(both) & PROF_ABOUT_HAS_PATHS));
    CHECK_I64(prof_snapshot_subtree(both, 0, &tree, &err), PROF_E_UNSUPPORTED);
    CHECK_HAS(err.message, "its call paths are not known: the file has none");
    buffer json = written(both, "json"), prof = written(a, "prof");
    CHECK_HAS(json.data, "\"paths\":\"the file has none\"");
    CHECK(strstr(json.data, "\"paths\": [") == NULL);
    prof_snapshot *calls = NULL;
    CHECK(prof_snapshot_read(prof.data, prof.bytes, "a.prof", &calls, NULL) == PROF_OK);
    CHECK_I64(prof_snapshot_subtree(calls, 0, &tree, &err), PROF_E_UNSUPPORTED);
    CHECK_HAS(err.message, "a .prof has functions and their callers");
    prof_snapshot_close(calls);
    free(prof.data);
    free(json.data);
    prof_snapshot_close(both);
    prof_snapshot_close(b);
    prof_snapshot_close(a);
}

TEST(damaged_call_paths_are_refused_with_their_place)
{
    static const struct { const char *text, *message; } cases[] = {
        { PATHS("[0, 0, 1]"), "paths[0].path is not a list of" },
        { PATHS("[null, 0, 1], [1, 1, 1]"), "paths[1].path is not a list of" },
        { PATHS("[null]"), "paths[0].path is not a list of" },
        { PATHS("[null, 17]"), "paths[0].path is of no function's id" },
        { PATHS("[null, 0, -1]"), "paths[0].path is negative" },
        { PATHS("[null, 0, \"x\"]"), "paths[0].path is not a whole number" },
        { PATHS("[null, 0, 1, 1, 1, 2]"), "paths[0].path has a part that is more than the whole" },
        { PATHS("[null, 0, 1, 1, 1, 0, 2]"), "paths[0].path has a part that is more than the whole" },
        { PATHS("[null, 0, 2, 1, 1, 1, 0, 2]"), "paths[0].path has a part that is more than the whole" },
        { PATHS("{\"parent\": null}"), "paths[0].path is not an array" },
        { FACTS PATHS_FUNCTIONS ", \"paths\": {}}", "paths is not an array" },
        { PATHS("[null, 0, \"18446744073709551615\"], [null, 1, 1]"), "does not fit in 64 bits" },
        { PATHS("[null, 0, 1, \"18446744073709551615\"], [null, 0, 1, 1]"), "does not fit in 64 bits" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        prof_error err = PROF_ERROR_INIT;
        CHECK(read_text(cases[i].text, &err) == NULL);
        CHECK_HAS(err.message, cases[i].message);
    }
}

TEST(a_function_without_a_call_path_has_no_subtree)
{
    prof_error err = PROF_ERROR_INIT;
    prof_snapshot *whole = read_text(PATHS("[null, 0, 1, 100]"), &err), *tree = NULL;
    REQUIRE(whole != NULL);
    CHECK_I64(prof_snapshot_subtree(whole, 3, &tree, &err), PROF_E_UNSUPPORTED);
    CHECK_HAS(err.message, "gives no call path of it");
    CHECK(prof_snapshot_subtree(whole, 0, &tree, &err) == PROF_OK);
    prof_snapshot_close(tree);
    prof_snapshot_close(whole);
}

TEST(call_paths_too_become_shorter_by_our_own_cost)
{
    prof_snapshot *all = read_text(FACTS "\"overhead\": {\"scope_ps\": 10000}, \"functions\": [{\"id\": 0, \"name\": \"main\", \"calls\": 1, "
        "\"primitive_calls\": 1, \"inner_calls\": 4, \"self_ns\": 60, \"cumulative_ns\": 100}, {\"id\": 1, \"name\": \"leaf\", \"calls\": 4, "
        "\"primitive_calls\": 4, \"inner_calls\": 0, \"self_ns\": 40, \"cumulative_ns\": 40}], "
        "\"paths\": [[null, 0, 1, 100, 60], [0, 1, 4, 40, 40]]}", NULL), *less = NULL;
    REQUIRE(all != NULL);
    CHECK(prof_snapshot_subtract_cost(all, &less, NULL) == PROF_OK);
    REQUIRE(less != NULL);
    buffer json = written(less, "json");
    CHECK_HAS(json.data, "\"paths\": [\n [null,0,1,60,20],\n [0,1,4,40,40]]");
    free(json.data);
    prof_snapshot_close(less);
    prof_snapshot_close(all);
}

/* ---- our own cost ---- */

TEST(own_cost_is_subtracted_when_asked_from_the_scopes_around)
{
    /* main calls outer once, outer calls inner 4 times; a scope costs 10 ns. */
#define F(id, name, calls, inner, self, total) "{\"id\": " id ", \"name\": \"" name "\", \"calls\": " calls ", \"primitive_calls\": " \
    calls ", \"inner_calls\": " inner ", \"self_ns\": " self ", \"cumulative_ns\": " total "}"
#define E(caller, callee, calls, self, total) "{\"caller\": " caller ", \"callee\": " callee ", \"calls\": " calls \
    ", \"primitive_calls\": " calls ", \"self_ns\": " self ", \"cumulative_ns\": " total "}"
    prof_error err = PROF_ERROR_INIT;
    prof_snapshot *all = read_text(FACTS "\"overhead\": {\"scope_ps\": 10000}, \"functions\": [" F("0", "main", "1", "5", "7", "217") ", "
        F("1", "outer", "1", "4", "110", "210") ", " F("2", "inner", "4", "0", "100", "100") "], \"edges\": [" E("0", "1", "1", "110", "210")
        ", " E("1", "2", "4", "100", "100") "]}", &err), *less = NULL, *again = NULL;
    REQUIRE(all != NULL);
    CHECK(prof_snapshot_subtract_cost(all, &less, &err) == PROF_OK);
    REQUIRE(less != NULL);
    CHECK_U64(row_of(less, "main").self_ns, 0); /* 7 - 10, not below 0 */
    CHECK_U64(row_of(less, "main").cumulative_ns, 167);
    CHECK_U64(row_of(less, "outer").self_ns, 70);
    CHECK_U64(row_of(less, "outer").cumulative_ns, 170);
    CHECK_U64(row_of(less, "inner").cumulative_ns, 100);
    prof_function row = PROF_FUNCTION_INIT;
    CHECK(prof_snapshot_caller(less, 1, 0, &row, NULL) == PROF_OK);
    CHECK_U64(row.self_ns, 70);
    CHECK_U64(row.cumulative_ns, 170);
    buffer json = written(less, "json"), text = written(less, "txt"), prof = written(less, "prof");
    CHECK_HAS(json.data, "\"subtracted\":true");
    CHECK_HAS(text.data, "{profcore: own cost subtracted}");
    CHECK_HAS(text.data, "subtracted from the times above");
    prof_about about = PROF_ABOUT_INIT;
    CHECK(prof_snapshot_read(prof.data, prof.bytes, NULL, &again, &err) == PROF_OK);
    CHECK(prof_snapshot_about(again, &about, NULL) == PROF_OK);
    CHECK(about.has & PROF_ABOUT_COST_IS_SUBTRACTED);
    CHECK_U64(prof_snapshot_function_count(again), 3);
    CHECK(prof_snapshot_subtract_cost(less, &again, &err) == PROF_E_INVALID);
    CHECK_HAS(err.message, "already");
    CHECK(merge2(all, less, &err) == NULL);
    CHECK_HAS(err.message, "in some of");
    prof_snapshot_close(again);
    prof_snapshot_close(less);
    prof_snapshot_close(all);
    free(json.data);
    free(text.data);
    free(prof.data);
    all = read_text(FACTS "\"functions\": [" F0 "]}", NULL);
    CHECK(prof_snapshot_subtract_cost(all, &less, &err) == PROF_E_UNAVAILABLE);
    prof_snapshot_close(all);
    CHECK(prof_snapshot_subtract_cost(NULL, &less, &err) == PROF_E_INVALID);
}

TEST(what_an_open_call_took_so_far_is_never_more_than_what_is_left_after_subtracting)
{
    prof_error err = PROF_ERROR_INIT;
    prof_snapshot *all = read_text(FACTS "\"overhead\": {\"scope_ps\": 20000}, \"functions\": [{\"id\": 0, \"name\": \"main\", "
        "\"calls\": 1, \"primitive_calls\": 1, \"open_calls\": 1, \"inner_calls\": 10, \"self_ns\": 1000, \"cumulative_ns\": 2000, "
        "\"open_ns\": 2000}]}", &err), *less = NULL;
    REQUIRE(all != NULL && prof_snapshot_subtract_cost(all, &less, &err) == PROF_OK);
    CHECK_U64(row_of(less, "main").cumulative_ns, 1800);
    buffer json = written(less, "json");
    CHECK_HAS(json.data, "\"open_ns\":1800");
    prof_snapshot *again = read_text(json.data, &err);
    CHECK(again != NULL);
    prof_snapshot_close(again);
    prof_snapshot_close(less);
    prof_snapshot_close(all);
    free(json.data);
}

TEST(scopes_inside_a_function_are_counted_once_for_its_outermost_calls)
{
    static prof_site a = PROF_SITE_INIT("count_a", "read.c", 3, 0), b = PROF_SITE_INIT("count_b", "read.c", 4, 0);
    prof_snapshot *snapshot = record(0, NULL);
    prof_snapshot_close(snapshot);
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    REQUIRE(prof_start(&options, NULL) == PROF_OK);
    prof_scope s1 = prof_begin(&a), s2 = prof_begin(&b), s3 = prof_begin(&a), s4 = prof_begin(&b);
    prof_end(s4);
    prof_end(s3);
    prof_end(s2);
    prof_end(s1);
    REQUIRE(prof_stop(NULL) == PROF_OK && prof_snapshot_take(&snapshot, NULL) == PROF_OK);
    buffer json = written(snapshot, "json");
    CHECK_HAS(json.data, "\"name\":\"count_a\",\"calls\":2,\"primitive_calls\":1,\"open_calls\":0,\"inner_calls\":3");
    CHECK_HAS(json.data, "\"name\":\"count_b\",\"calls\":2,\"primitive_calls\":1,\"open_calls\":0,\"inner_calls\":2");
    free(json.data);
    prof_snapshot_close(snapshot);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
