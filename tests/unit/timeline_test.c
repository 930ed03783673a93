/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timelines read back: our own, of which nothing may be missing, and files
 * as others write them, made here packet by packet.
 */
#define CLOCK_BEGINS 1000000
#include "harness.h"
#include "simulated.h"

#include "format/pftrace.h"
#include "format/protobuf.h"
#include "format/reader.h"
#include "format/writer.h"
#include "model/events_build.h"
#include "record/record.h"
#include "record/work.h"
#include <profcore/events.h>
#include <profcore/snapshot.h>

#include <pthread.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- files in memory ---- */

typedef struct buffer {
    unsigned char *data;
    size_t bytes, room;
} buffer;

static int append(void *user, const void *data, size_t bytes)
{
    buffer *b = user;
    while (b->room - b->bytes < bytes) {
        b->room = b->room ? b->room * 2 : 1 << 16;
        b->data = realloc(b->data, b->room);
    }
    memcpy(b->data + b->bytes, data, bytes);
    b->bytes += bytes;
    return 0;
}

static profi_events *read_bytes(const void *data, size_t bytes, prof_error *err)
{
    profi_events *read = NULL;
    profi_stream stream;
    profi_stream_of_memory(&stream, data, bytes);
    profi_event_reader_run(&stream, "test.pftrace", &read, err);
    profi_stream_fini(&stream);
    return read;
}

static profi_events *read_buffer(const buffer *b)
{
    prof_error err = PROF_ERROR_INIT;
    profi_events *read = read_bytes(b->data, b->bytes, &err);
    if (read == NULL)
        printf("# %s\n", err.message);
    return read;
}

static buffer written(const profi_events *events)
{
    buffer b = { 0 };
    CHECK_I64(profi_writer_run_events(profi_writer_find("pftrace", 7), events, append, &b, NULL), PROF_OK);
    return b;
}

/* ---- our own ---- */

static prof_scope begin(const char *name, uint32_t line)
{
    prof_site *found = NULL;
    prof_site_get(name, SIZE_MAX, line ? "timeline_test.c" : NULL, line, 0, &found, NULL);
    return prof_begin(found);
}

static void *worker(void *span)
{
    prctl(PR_SET_NAME, "worker a");
    PROF_REQUEST_TRACE(0x0af7651916cd43ddu, 0x8448eb211c80319cu);
    prof_scope scope = begin("reply", 20);
    prof_flow_end(7);
    pass(30);
    prof_end(scope);
    PROF_SPAN_END(*(prof_span *)span);
    return NULL;
}

/* Two pieces of work overlap on one stream; one kernel is called as the track of another. */
static void record_work(void)
{
    static const struct { const char *what, *track; uint64_t start, end; } works[] = {
        { "gemm", "GPU 0 stream 7", 1, 5 }, { "softmax", "GPU 0 stream 7", 3, 6 }, { "gemm", "GPU 0 stream 7", 7, 9 },
        { "gemm", "GPU 1 stream 7", 2, 4 }, { "GPU 0 stream 7", "GPU 1 stream 7", 5, 6 },
    };
    prof_site node = PROF_SITE_INIT("graph node", "gpu", 0, 0);
    for (unsigned i = 0; i < sizeof(works) / sizeof(*works); i++) {
        prof_site what = PROF_SITE_INIT(works[i].what, "gpu", 0, 0), track = PROF_SITE_INIT(works[i].track, "gpu", 0, 0);
        profi_work_record(&(profi_work){ &what, &track, now_ns + works[i].start, now_ns + works[i].end,
                                         (uint64_t)1 << 63 | i, i % 2 ? &node : NULL, 70 + i });
    }
}

static void record_everything(void)
{
    pthread_t thread;
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    options.name = "everything";
    setenv("PROFCORE_MEMORY", "1MiB", 1);
    profi_clock_simulate(now_ns);
    CHECK_I64(prof_start(&options, NULL), PROF_OK);
    for (int i = 0; i < 20000; i++) { /* more than the ring holds */
        prof_scope outer = begin("outer", 1), inner = begin("inner", 0);
        prof_end(inner);
        pass(1);
        prof_end(outer);
    }
    prof_span wait = PROF_SPAN_BEGIN("queue wait"), second;
    pass(10);
    second = PROF_SPAN_BEGIN("queue wait");
    prof_scope batch = begin("batch", 19);
    {
        PROF_REQUEST(42);
        prof_flow(7);
        prof_flow(8);
        PROF_ARGS(PROF_INT("size", -2), PROF_DOUBLE("share", 0.25), PROF_TEXT("model", "mini </script>"));
        PROF_COUNTER("depth of queue", 3);
        pass(20);
        PROF_INSTANT_ARGS("cache miss", PROF_INT("page", 4096));
        PROF_COUNTER("depth of queue", 1.5);
        prof_end(batch);
    }
    PROF_SPAN_END(second);
    record_work();
    pthread_create(&thread, NULL, worker, &wait);
    pthread_join(thread, NULL);
}

static int same_text(const char *a, const char *b) { return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0); }

static int same_details(const profi_events *a, const profi_slice *x, const profi_events *b, const profi_slice *y)
{
    if (x->detail_count != y->detail_count || (x->request == NULL) != (y->request == NULL) ||
        (x->request != NULL && (x->request->low != y->request->low || x->request->high != y->request->high)))
        return 0;
    unsigned matched = 0; /* arguments and flows each keep their order, one among the other not */
    for (size_t i = 0; i < x->detail_count; i++)
        for (size_t j = 0; j < y->detail_count; j++) {
            const profi_detail *d = &x->details[i], *e = &y->details[j];
            int is_flow = d->kind >= PROFI_FLOW_HERE;
            if (d->kind != e->kind || (!is_flow && !same_text(a->sites[d->name].name, b->sites[e->name].name)))
                continue;
            matched += d->kind == PROFI_ARG_TEXT ? same_text(d->value.text, e->value.text) : d->value.flow == e->value.flow;
        }
    return matched == x->detail_count;
}

static void check_same_slices(const profi_events *a, uint64_t a_first, const profi_events *b, uint64_t b_first, uint64_t count)
{
    for (uint64_t i = 0; i < count && !test_failed; i++) {
        profi_slice x, y;
        profi_events_read(a, a_first, count, i, &x, 1);
        profi_events_read(b, b_first, count, i, &y, 1);
        const profi_events_site *p = &a->sites[x.site], *q = &b->sites[y.site];
        CHECK_STR(q->name, p->name);
        if (x.kind != PROFI_SLICE_COUNTER) /* a counter's track has a name only */
            CHECK(same_text(p->file, q->file) && p->line == q->line);
        CHECK_U64(y.kind, x.kind);
        CHECK_U64(y.start_ns, x.start_ns);
        CHECK_U64(y.end_ns, x.end_ns);
        CHECK_U64(y.depth, x.depth);
        CHECK(x.value == y.value);
        CHECK(x.kind == PROFI_SLICE_COUNTER || same_details(a, &x, b, &y)); /* the file says nothing more of values */
    }
}

static void check_same(const profi_events *a, const profi_events *b)
{
    CHECK_STR(b->run_name, a->run_name);
    CHECK_I64(b->pid, a->pid);
    CHECK_U64(b->held, a->held);
    CHECK_U64(b->lost, a->lost);
    CHECK_U64(b->issued, a->issued);
    CHECK_U64(b->lost_of_unknown, a->lost_of_unknown);
    CHECK_U64(b->taken.unix_ns, a->taken.unix_ns);
    CHECK_U64(b->taken.monotonic_ns, a->taken.monotonic_ns);
    CHECK_U64(b->thread_count, a->thread_count);
    CHECK_U64(b->lane_count, a->lane_count);
    for (uint32_t i = 0; i < a->thread_count && !test_failed; i++) {
        const profi_events_thread *x = &a->threads[i], *y = &b->threads[i];
        CHECK_STR(y->name, x->name);
        CHECK_I64(y->tid, x->tid);
        CHECK_U64(y->held - y->count, 0);
        CHECK_U64(y->lost, x->lost);
        CHECK_U64(y->count, x->count);
        check_same_slices(a, x->first, b, y->first, x->count);
    }
    for (size_t i = 0; i < a->lane_count && !test_failed; i++) {
        CHECK_STR(b->sites[b->lanes[i].track].name, a->sites[a->lanes[i].track].name);
        CHECK_U64(b->lanes[i].number, a->lanes[i].number);
        CHECK_U64(b->lanes[i].count, a->lanes[i].count);
        check_same_slices(a, a->lanes[i].first, b, b->lanes[i].first, a->lanes[i].count);
    }
}

TEST(our_own_file_gives_back_slices_depths_arguments_flows_losses_and_requests)
{
    profi_events *events = NULL;
    record_everything();
    REQUIRE(profi_events_open("everything", &events, NULL) == PROF_OK);
    CHECK(events->lost > 1000 && events->lane_count == 5 && events->detail_count > 5);
    buffer file = written(events);
    profi_events *read = read_buffer(&file);
    REQUIRE(read != NULL);
    check_same(events, read);
    CHECK_STR(read->notes.producer, "profcore");
    CHECK_U64(read->notes.stray_ends + read->notes.unfinished + read->notes.disordered + read->notes.without_clock +
                  read->notes.without_names + read->notes.not_understood + read->notes.torn_bytes, 0);
    CHECK(read->process_count == 1 && read->processes[0].pid == getpid());
    buffer again = written(read);
    profi_events *twice = read_buffer(&again);
    REQUIRE(twice != NULL);
    check_same(read, twice);
    profi_events_close(twice);
    profi_events_close(read);
    profi_events_close(events);
    free(file.data);
    free(again.data);
}

static uint64_t count_named(const profi_events *events, const char *name)
{
    uint64_t count = 0;
    profi_slice slice;
    for (uint32_t t = 0; t < events->thread_count; t++)
        for (uint64_t i = 0; i < events->threads[t].count; i++) {
            profi_events_read(events, events->threads[t].first, events->threads[t].count, i, &slice, 1);
            count += strcmp(events->sites[slice.site].name, name) == 0;
        }
    return count;
}

/* A thread goes on between the moment that made a dump and the one when its ring is read. */
static profi_events *dump_of_slow_call(profi_open_stacks *stacks, profi_mark marks[2])
{
    profi_events_copy copy;
    profi_events *events = NULL;
    prof_scope slow = begin("slow", 3);
    for (int i = 0; i < 20; i++) {
        prof_scope inner = begin("inner", 0);
        pass(5);
        prof_end(inner);
        if (i == 9)
            marks[0].ns = marks[1].ns = now_ns;
    }
    if (profi_open_stacks_take(stacks, "dump", NULL) != PROF_OK || profi_events_take(&copy, NULL) != PROF_OK)
        return NULL;
    stacks->marks = marks;
    stacks->mark_count = 2;
    marks[0].thread = copy.rings.rings[0].thread;
    copy.rings.exited_issued += 7; /* by threads of which nothing is held */
    copy.rings.exited_streamed += 3;
    CHECK_I64(profi_events_open_dump(stacks, 0, &copy, &events, NULL), PROF_OK);
    profi_events_copy_fini(&copy);
    prof_end(slow);
    return events;
}

TEST(what_made_a_dump_stands_in_the_order_of_time_and_so_does_what_is_missing)
{
    profi_open_stacks stacks;
    profi_mark marks[2] = { { .trigger = "slow", .name = "slow", .limit_ns = 10, .age_ns = 50 },
                            { .trigger = "slow", .name = "of a thread that has ended", .thread = 1000 } };
    record_everything();
    profi_events *events = dump_of_slow_call(&stacks, marks);
    REQUIRE(events != NULL && events->streamed_of_unknown == 3 && events->lost_of_unknown == 4);
    buffer file = written(events);
    profi_events *read = read_buffer(&file);
    REQUIRE(read != NULL);
    CHECK_U64(read->notes.disordered, 0);
    CHECK_U64(read->lost, events->lost);
    CHECK_U64(count_named(read, "<profcore: slow is slow>"), 2);
    CHECK_U64(count_named(read, "<profcore: 3 events are in the stream>"), 1);
    profi_events_close(read);
    profi_events_close(events);
    profi_open_stacks_fini(&stacks);
    free(file.data);
}

/* ---- the table ---- */

static void recurse(unsigned depth)
{
    prof_scope scope = begin("recurse", 3);
    pass(depth + 1);
    if (depth < 5)
        recurse(depth + 1);
    prof_end(begin("leaf", 4));
    PROF_COUNTER("depth", depth);
    pass(2 * depth);
    prof_end(scope);
}

static void *recursing(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 30; i++)
        recurse(i % 4);
    return NULL;
}

static void check_row(prof_function a, prof_function b)
{
    CHECK_STR(b.name, a.name);
    CHECK(same_text(a.file, b.file) && a.line == b.line);
    CHECK_U64(b.calls, a.calls);
    CHECK_U64(b.primitive_calls, a.primitive_calls);
    CHECK_U64(b.open_calls, a.open_calls);
    CHECK_U64(b.self_ns, a.self_ns);
    CHECK_U64(b.cumulative_ns, a.cumulative_ns);
    CHECK_U64(b.timed_calls, a.timed_calls);
    CHECK_U64(b.min_ns, a.min_ns);
    CHECK_U64(b.max_ns, a.max_ns);
}

static void check_same_function(const prof_snapshot *a, uint32_t i, const prof_snapshot *b, uint32_t j)
{
    uint64_t x[PROF_BUCKET_COUNT], y[PROF_BUCKET_COUNT];
    prof_function row = PROF_FUNCTION_INIT, other = PROF_FUNCTION_INIT;
    CHECK(prof_snapshot_function(a, i, &row, NULL) == PROF_OK && prof_snapshot_function(b, j, &other, NULL) == PROF_OK);
    check_row(row, other);
    CHECK_I64(prof_snapshot_histogram(a, i, x, NULL), prof_snapshot_histogram(b, j, y, NULL));
    CHECK(memcmp(x, y, sizeof(x)) == 0);
    CHECK_U64(prof_snapshot_caller_count(b, j), prof_snapshot_caller_count(a, i));
    for (uint32_t k = 0; k < prof_snapshot_caller_count(a, i); k++) {
        unsigned found = 0;
        prof_snapshot_caller(a, i, k, &row, NULL);
        for (uint32_t l = 0; l < prof_snapshot_caller_count(b, j); l++) {
            prof_snapshot_caller(b, j, l, &other, NULL);
            found += strcmp(other.name, row.name) == 0 && row.calls == other.calls && row.primitive_calls == other.primitive_calls &&
                     row.self_ns == other.self_ns && row.cumulative_ns == other.cumulative_ns;
        }
        CHECK_U64(found, 1);
    }
}

static void check_same_tables(const prof_snapshot *a, const prof_snapshot *b)
{
    CHECK_U64(prof_snapshot_function_count(b), prof_snapshot_function_count(a));
    for (uint32_t i = 0, j; i < prof_snapshot_function_count(a); i++) {
        prof_function row = PROF_FUNCTION_INIT;
        prof_snapshot_function(a, i, &row, NULL);
        REQUIRE(prof_snapshot_find(b, row.name, &j, NULL) == PROF_OK);
        check_same_function(a, i, b, j);
    }
}

/* A recorder is a process's: this case has one of its own. */
TEST(the_table_of_a_timeline_is_that_of_the_run)
{
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child != 0) {
        waitpid(child, &status, 0);
        CHECK_I64(status, 0);
        return;
    }
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    pthread_t thread;
    prof_snapshot *run = NULL, *read = NULL, *part = NULL, *part_read = NULL;
    profi_clock_simulate(now_ns);
    CHECK_I64(prof_start(&options, NULL), PROF_OK);
    prof_scope outer = begin("main", 1);
    recursing(NULL);
    pthread_create(&thread, NULL, recursing, NULL);
    pthread_join(thread, NULL);
    prof_end(outer);
    CHECK_I64(prof_snapshot_take(&run, NULL), PROF_OK);
    buffer file = { 0 };
    CHECK_I64(prof_events_write("pftrace", append, &file, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_read(file.data, file.bytes, "x.pftrace", &read, NULL), PROF_OK);
    check_same_tables(run, read);
    uint32_t id = 0, id_read = 0;
    CHECK(prof_snapshot_find(run, "recurse", &id, NULL) == PROF_OK && prof_snapshot_find(read, "recurse", &id_read, NULL) == PROF_OK);
    CHECK(prof_snapshot_subtree(run, id, &part, NULL) == PROF_OK && prof_snapshot_subtree(read, id_read, &part_read, NULL) == PROF_OK);
    check_same_tables(part, part_read);
    prof_counter_row counter = PROF_COUNTER_ROW_INIT, other = PROF_COUNTER_ROW_INIT;
    CHECK(prof_snapshot_counter(run, 0, &counter, NULL) == PROF_OK && prof_snapshot_counter(read, 0, &other, NULL) == PROF_OK);
    CHECK(counter.count == other.count && counter.sum == other.sum && counter.last == other.last && counter.max == other.max);
    prof_about about = PROF_ABOUT_INIT;
    CHECK(prof_snapshot_about(read, &about, NULL) == PROF_OK && about.has & PROF_ABOUT_HAS_PATHS && about.lost_count == 0);
    fflush(stdout);
    _exit(test_failed);
}

/* ---- others' ---- */

static profi_message packet, part, piece;
static buffer trace;

static void put_packet(void)
{
    static profi_output out;
    profi_output_init(&out, append, &trace);
    profi_write_message(&out, TRACE_PACKET, &packet);
    profi_output_finish(&out);
}

static void begin_trace(void)
{
    trace.bytes = 0;
}

static profi_events *end_trace(void) { return read_buffer(&trace); }

static void head(uint64_t sequence, uint64_t ns, unsigned flags)
{
    profi_put_number(&packet, PACKET_SEQUENCE, sequence);
    if (ns != 0)
        profi_put_number(&packet, PACKET_TIMESTAMP, ns);
    profi_put_number(&packet, PACKET_FLAGS, flags);
}

static void intern(unsigned kind, uint64_t iid, const char *text)
{
    profi_put_number(&piece, NAME_IID, iid);
    profi_put_text(&piece, NAME_TEXT, text);
    profi_put_message(&part, kind, &piece);
}

static void put_interned(void) { profi_put_message(&packet, PACKET_INTERNED, &part); }

static void put_event(unsigned type, uint64_t track, uint64_t name_iid)
{
    profi_put_number(&part, EVENT_TYPE, type);
    if (track != 0)
        profi_put_number(&part, EVENT_TRACK, track);
    if (name_iid != 0)
        profi_put_number(&part, EVENT_NAME_IID, name_iid);
    profi_put_message(&packet, PACKET_EVENT, &part);
    put_packet();
}

/* A whole event without interned numbers. */
static void event(uint64_t sequence, uint64_t ns, unsigned type, uint64_t track, const char *name)
{
    head(sequence, ns, 0);
    if (name != NULL)
        profi_put_text(&part, EVENT_NAME, name);
    put_event(type, track, 0);
}

static void put_process(uint64_t uuid, uint64_t pid, const char *name)
{
    profi_put_number(&part, TRACK_UUID, uuid);
    profi_put_number(&piece, PROCESS_PID, pid);
    profi_put_text(&piece, PROCESS_NAME, name);
    profi_put_message(&part, TRACK_PROCESS, &piece);
    profi_put_message(&packet, PACKET_TRACK, &part);
    put_packet();
}

static void put_thread(uint64_t uuid, uint64_t pid, uint64_t tid, const char *name)
{
    profi_put_number(&part, TRACK_UUID, uuid);
    profi_put_number(&piece, THREAD_PID, pid);
    profi_put_number(&piece, THREAD_TID, tid);
    profi_put_text(&piece, THREAD_NAME, name);
    profi_put_message(&part, TRACK_THREAD, &piece);
    profi_put_message(&packet, PACKET_TRACK, &part);
    put_packet();
}

static void put_track(uint64_t uuid, uint64_t parent, const char *name, int is_counter)
{
    profi_put_number(&part, TRACK_UUID, uuid);
    profi_put_number(&part, TRACK_PARENT, parent);
    profi_put_text(&part, TRACK_NAME, name);
    if (is_counter) {
        profi_put_text(&piece, COUNTER_UNIT_NAME, "rows");
        profi_put_number(&piece, COUNTER_MULTIPLIER, 1000);
        profi_put_message(&part, TRACK_COUNTER, &piece);
    }
    profi_put_message(&packet, PACKET_TRACK, &part);
    put_packet();
}

static const profi_events_thread *thread_named(const profi_events *events, const char *name)
{
    for (uint32_t i = 0; events != NULL && i < events->thread_count; i++)
        if (strcmp(events->threads[i].name, name) == 0)
            return &events->threads[i];
    printf("# no thread %s\n", name);
    test_failed = 1;
    return NULL;
}

/* "name@start-end/depth …" of a thread's slices. */
static const char *slices_of(const profi_events *events, const char *thread)
{
    static char text[1024];
    const profi_events_thread *of = thread_named(events, thread);
    text[0] = '\0';
    for (uint64_t i = 0; of != NULL && i < of->count; i++) {
        profi_slice s;
        size_t used = strlen(text);
        profi_events_read(events, of->first, of->count, i, &s, 1);
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s@%llu", i ? " " : "", events->sites[s.site].name,
                                 (unsigned long long)s.start_ns);
        if (s.kind == PROFI_SLICE_COUNTER)
            snprintf(text + used, sizeof(text) - used, "=%g", s.value);
        else if (s.end_ns == PROFI_STILL_OPEN)
            snprintf(text + used, sizeof(text) - used, "-open/%u", s.depth);
        else
            snprintf(text + used, sizeof(text) - used, "-%llu/%u", (unsigned long long)s.end_ns, s.depth);
    }
    return text;
}

TEST(threads_and_sequences_mix_and_each_keeps_its_own_names)
{
    begin_trace();
    put_process(1, 100, "server");
    put_thread(2, 100, 101, "io");
    put_thread(3, 100, 102, "cpu");
    for (uint64_t sequence = 1; sequence <= 2; sequence++) {
        head(sequence, 0, FLAG_CLEARED);
        intern(INTERNED_NAMES, 1, sequence == 1 ? "read" : "sum");
        put_interned();
        put_packet();
    }
    for (uint64_t i = 0; i < 2; i++) {
        head(1, 10 + 100 * i, FLAG_NEEDS), put_event(TYPE_BEGIN, 2, 1);
        head(2, 20 + 100 * i, FLAG_NEEDS), put_event(TYPE_BEGIN, 3, 1);
        head(2, 20 + 100 * i, FLAG_NEEDS), put_event(TYPE_BEGIN, 3, 1);
        head(1, 30 + 100 * i, FLAG_NEEDS), put_event(TYPE_END, 2, 0);
        head(2, 40 + 100 * i, FLAG_NEEDS), put_event(TYPE_END, 3, 0);
        head(2, 50 + 100 * i, FLAG_NEEDS), put_event(TYPE_END, 3, 0);
    }
    profi_events *events = end_trace();
    CHECK_STR(slices_of(events, "io"), "read@10-30/0 read@110-130/0");
    CHECK_STR(slices_of(events, "cpu"), "sum@20-50/0 sum@20-40/1 sum@120-150/0 sum@120-140/1");
    CHECK_I64(thread_named(events, "cpu")->tid, 102);
    CHECK_STR(events->run_name, "server");
    CHECK_I64(events->pid, 100);
    profi_events_close(events);
}

TEST(what_has_not_ended_stays_open_and_ends_without_a_beginning_are_counted)
{
    begin_trace();
    put_thread(2, 100, 101, "main");
    event(1, 5, TYPE_END, 2, NULL);
    event(1, 10, TYPE_BEGIN, 2, "serve");
    event(1, 20, TYPE_BEGIN, 2, "step");
    event(1, 30, TYPE_END, 2, NULL);
    event(1, 40, TYPE_BEGIN, 2, "wait");
    event(1, 35, TYPE_INSTANT, 2, "early");
    profi_events *events = end_trace();
    CHECK_STR(slices_of(events, "main"), "serve@10-open/0 step@20-30/1 early@35-35/1 wait@40-open/1");
    CHECK_U64(events->notes.stray_ends, 1);
    CHECK_U64(events->notes.unfinished, 2);
    prof_snapshot *table = NULL;
    prof_function row = PROF_FUNCTION_INIT;
    uint32_t id = 0;
    REQUIRE(prof_snapshot_read(trace.data, trace.bytes, NULL, &table, NULL) == PROF_OK);
    CHECK(prof_snapshot_find(table, "serve", &id, NULL) == PROF_OK && prof_snapshot_function(table, id, &row, NULL) == PROF_OK);
    CHECK(row.calls == 1 && row.open_calls == 1 && row.cumulative_ns == 30 && row.self_ns == 20);
    prof_snapshot_close(table);
    CHECK_U64(events->notes.disordered, 0);
    CHECK_U64(events->taken.monotonic_ns, 40);
    profi_events_close(events);
}

/* Each `text`: "name@start+duration …", in the order of the file. */
static void put_whole(profi_events_builder *builder, uint32_t track, const char *text)
{
    char name[16];
    unsigned long long start, duration;
    for (int used; sscanf(text, " %15[^@]@%llu+%llu%n", name, &start, &duration, &used) == 3; text += used) {
        uint32_t site = profi_build_site(builder, profi_build_text(builder, name, strlen(name)), NULL, 0);
        profi_build_whole(builder, track, start, start + duration, site, NULL);
    }
}

TEST(slices_that_say_when_they_end_nest_and_follow_by_their_times_in_whatever_order_they_come)
{
    static const struct {
        const char *file, *slices;
    } cases[] = {
        { "child@10+5 parent@10+20", "parent@10-30/0 child@10-15/1" },
        { "second@20+10 first@10+10", "first@10-20/0 second@20-30/0" },
        { "b@15+0 a@10+10", "a@10-20/0 b@15-15/1" },
        { "inner@15+5 outer@10+10 next@20+1", "outer@10-20/0 inner@15-20/1 next@20-21/0" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        profi_events_builder builder;
        profi_events *events = NULL;
        profi_build_init(&builder);
        profi_build_hold(&builder);
        uint32_t track = profi_build_track_new(&builder);
        put_whole(&builder, track, cases[i].file);
        REQUIRE(profi_build_finish(&builder, "it", &events, NULL) == PROF_OK);
        CHECK_STR(slices_of(events, "track 1"), cases[i].slices);
        CHECK_U64(events->notes.stray_ends + events->notes.unfinished + events->notes.disordered, 0);
        profi_events_close(events);
    }
}

TEST(interned_state_that_is_missing_or_was_cleared_costs_its_events_only)
{
    begin_trace();
    put_thread(2, 100, 101, "main");
    head(1, 10, FLAG_NEEDS), put_event(TYPE_INSTANT, 2, 1);
    head(1, 0, FLAG_CLEARED);
    intern(INTERNED_NAMES, 1, "first");
    put_interned();
    put_packet();
    head(1, 20, FLAG_NEEDS), put_event(TYPE_INSTANT, 2, 1);
    head(1, 0, FLAG_CLEARED);
    intern(INTERNED_NAMES, 1, "second");
    put_interned();
    put_packet();
    head(1, 30, FLAG_NEEDS), put_event(TYPE_INSTANT, 2, 1);
    head(1, 40, FLAG_NEEDS), put_event(TYPE_INSTANT, 2, 2);
    profi_events *events = end_trace();
    CHECK_STR(slices_of(events, "main"), "first@20-20/0 second@30-30/0 (unnamed)@40-40/0");
    CHECK_U64(events->notes.without_names, 1);
    profi_events_close(events);
}

static void put_clock(uint64_t id, uint64_t ns, int is_incremental, uint64_t unit)
{
    profi_put_number(&piece, CLOCK_ID, id);
    profi_put_number(&piece, CLOCK_TIMESTAMP, ns);
    profi_put_number(&piece, CLOCK_IS_INCREMENTAL, (uint64_t)is_incremental);
    profi_put_number(&piece, CLOCK_UNIT_NS, unit);
    profi_put_message(&part, SNAPSHOT_CLOCKS, &piece);
}

TEST(clocks_are_related_by_their_snapshots_and_unknown_ones_counted)
{
    begin_trace();
    put_thread(2, 100, 101, "main");
    put_clock(CLOCK_IS_BOOTTIME, 5000, 0, 1);
    put_clock(CLOCK_IS_MONOTONIC, 1000, 0, 1);
    put_clock(64, 0, 1, 10);
    profi_put_number(&packet, PACKET_SEQUENCE, 1);
    profi_put_message(&packet, PACKET_CLOCK_SNAPSHOT, &part);
    put_packet();
    event(1, 5010, TYPE_INSTANT, 2, "boot");
    profi_put_number(&packet, PACKET_CLOCK, CLOCK_IS_MONOTONIC);
    event(1, 1020, TYPE_INSTANT, 2, "monotonic");
    for (int i = 0; i < 2; i++) {
        profi_put_number(&packet, PACKET_CLOCK, 64);
        event(1, 3, TYPE_INSTANT, 2, "delta");
    }
    profi_put_number(&packet, PACKET_CLOCK, 64); /* another sequence's */
    event(2, 3, TYPE_INSTANT, 2, "unknown");
    profi_put_number(&packet, PACKET_CLOCK, CLOCK_IS_REALTIME);
    event(1, 1030, TYPE_INSTANT, 2, "unknown");
    profi_events *events = end_trace();
    CHECK_STR(slices_of(events, "main"), "boot@1010-1010/0 monotonic@1020-1020/0 delta@1030-1030/0 delta@1060-1060/0");
    CHECK_U64(events->notes.without_clock, 2);
    profi_events_close(events);
}

TEST(counters_have_units_and_child_tracks_belong_to_their_process)
{
    begin_trace();
    put_process(1, 100, "one");
    put_process(9, 200, "two");
    put_thread(2, 200, 201, "main");
    event(1, 10, TYPE_BEGIN, 2, "work");
    put_track(5, 2, "queue", 1);
    profi_put_number(&part, EVENT_COUNT, 7);
    event(1, 20, TYPE_COUNTER, 5, NULL);
    put_track(6, 9, "stage", 0);
    event(1, 20, TYPE_BEGIN, 6, "copy");
    event(1, 25, TYPE_BEGIN, 6, "inner");
    event(1, 30, TYPE_END, 6, NULL);
    event(1, 30, TYPE_END, 6, NULL);
    event(1, 40, TYPE_END, 2, NULL);
    head(3, 50, 0); /* a producer of something else */
    profi_put_text(&packet, 1, "ftrace");
    put_packet();
    profi_events *events = end_trace();
    CHECK_STR(slices_of(events, "main"), "work@10-40/0");
    CHECK_STR(slices_of(events, "stage"), "copy@20-30/0 inner@25-30/1");
    CHECK_STR(slices_of(events, "queue"), "queue@20=7000");
    CHECK_U64(events->process_count, 2);
    CHECK_U64(thread_named(events, "stage")->process, 1);
    CHECK_U64(events->notes.other_packets, 1);
    for (uint32_t i = 0; i < events->site_count; i++)
        if (events->sites[i].is_counter)
            CHECK(strcmp(events->sites[i].unit, "rows") == 0 && events->sites[i].process == 1);
    buffer file = written(events);
    profi_events *again = read_buffer(&file);
    REQUIRE(again != NULL);
    check_same(events, again);
    profi_events_close(again);
    profi_events_close(events);
    free(file.data);
}

TEST(threads_of_before_there_were_tracks_are_known_by_their_numbers)
{
    begin_trace();
    profi_put_number(&part, THREAD_PID, 100);
    profi_put_number(&part, THREAD_TID, 7);
    profi_put_text(&part, THREAD_NAME, "old");
    profi_put_number(&part, THREAD_REFERENCE_US, 1000);
    head(1, 0, FLAG_CLEARED);
    profi_put_message(&packet, PACKET_OLD_THREAD, &part);
    put_packet();
    static const struct { unsigned phase; uint64_t delta_us; int32_t tid; } legacy[] = {
        { 'B', 5, 0 }, { 'I', 1, 8 }, { 'E', 4, 0 } };
    for (int i = 0; i < 3; i++) {
        head(1, 0, 0);
        profi_put_number(&part, EVENT_DELTA_US, legacy[i].delta_us);
        profi_put_text(&part, EVENT_NAME, "legacy");
        profi_put_number(&piece, LEGACY_PHASE, legacy[i].phase);
        if (legacy[i].tid != 0)
            profi_put_number(&piece, LEGACY_TID, (uint64_t)legacy[i].tid);
        profi_put_message(&part, EVENT_LEGACY, &piece);
        profi_put_message(&packet, PACKET_EVENT, &part);
        put_packet();
    }
    profi_events *events = end_trace();
    CHECK_STR(slices_of(events, "old"), "legacy@1005000-1010000/0");
    CHECK_STR(slices_of(events, "thread 8"), "legacy@1006000-1006000/0");
    profi_events_close(events);
}

/* ---- several files ---- */

/* A process with a thread that works for 100 ns, from 1000 on by its own clock. */
static buffer process_file(uint64_t pid, uint64_t monotonic_ns, uint64_t unix_ns)
{
    begin_trace();
    put_clock(CLOCK_IS_MONOTONIC, monotonic_ns, 0, 1);
    put_clock(CLOCK_IS_REALTIME, unix_ns, 0, 1);
    profi_put_number(&packet, PACKET_SEQUENCE, 1);
    profi_put_message(&packet, PACKET_CLOCK_SNAPSHOT, &part);
    put_packet();
    put_process(1, pid, "server");
    put_thread(2, pid, pid + 1, "main");
    profi_put_number(&packet, PACKET_CLOCK, CLOCK_IS_MONOTONIC);
    event(1, 1000, TYPE_BEGIN, 2, "work");
    profi_put_number(&packet, PACKET_CLOCK, CLOCK_IS_MONOTONIC);
    event(1, 1100, TYPE_END, 2, NULL);
    buffer file = trace;
    trace = (buffer){ 0 };
    return file;
}

static profi_events *merged(const buffer *a, const buffer *b)
{
    profi_events_builder builder;
    profi_events *events = NULL;
    profi_stream stream;
    profi_build_init(&builder);
    for (int i = 0; i < 2; i++) {
        profi_stream_of_memory(&stream, i ? b->data : a->data, i ? b->bytes : a->bytes);
        CHECK(profi_event_reader_add(&stream, "part", &builder, NULL) == PROF_OK);
    }
    CHECK(profi_build_finish(&builder, "both", &events, NULL) == PROF_OK);
    return events;
}

static uint64_t start_in(const profi_events *events, uint32_t thread)
{
    profi_slice slice = { 0 };
    profi_events_read(events, events->threads[thread].first, events->threads[thread].count, 0, &slice, 1);
    return slice.start_ns;
}

TEST(files_of_one_boot_share_its_clock_and_others_are_placed_by_real_time)
{
    const uint64_t second = 1000000000, booted = 1700000000 * second;
    buffer one = process_file(100, 5000, booted + 5000), same_boot = process_file(200, 9000, booted + 9000 + 400 * 1000000);
    buffer other_machine = process_file(300, 9000, booted + 60 * second + 9000);
    profi_events *events = merged(&one, &same_boot);
    REQUIRE(events != NULL && events->thread_count == 2);
    CHECK(start_in(events, 0) == 1000 && start_in(events, 1) == 1000);
    CHECK(events->process_count == 2 && events->threads[1].process == 1 && events->threads[1].tid == 201);
    CHECK_U64(events->taken.monotonic_ns, 5000);
    profi_events_close(events);
    events = merged(&one, &other_machine);
    REQUIRE(events != NULL && events->thread_count == 2);
    CHECK(start_in(events, 0) == 1000 && start_in(events, 1) == 1000 + 60 * second);
    CHECK_U64(events->taken.monotonic_ns, 60 * second + 1100);
    CHECK_U64(events->taken.unix_ns, booted + 60 * second + 1100);
    profi_events_close(events);
    free(one.data), free(same_boot.data), free(other_machine.data);
}

TEST(processes_of_one_number_in_two_files_stay_two)
{
    const uint64_t booted = (uint64_t)1700000000 * 1000000000;
    buffer one = process_file(100, 5000, booted), two = process_file(100, 5000, booted);
    profi_events *events = merged(&one, &two);
    REQUIRE(events != NULL && events->process_count == 2 && events->thread_count == 2);
    CHECK_I64(events->processes[0].pid, 100);
    CHECK_I64(events->processes[1].pid, 100 + (1 << 22));
    CHECK_I64(events->threads[1].tid, 101 + (1 << 22));
    CHECK(events->threads[0].process == 0 && events->threads[1].process == 1);
    buffer file = written(events);
    profi_events *again = read_buffer(&file);
    REQUIRE(again != NULL);
    check_same(events, again);
    CHECK(again->process_count == 2 && again->threads[1].process == 1);
    profi_events_close(again);
    profi_events_close(events);
    free(one.data), free(two.data), free(file.data);
}

/* ---- damage ---- */

TEST(a_file_cut_anywhere_is_read_as_far_as_it_goes)
{
    begin_trace();
    put_thread(2, 100, 101, "main");
    for (uint64_t i = 0; i < 20; i++)
        event(1, 10 + i, i % 2 ? TYPE_END : TYPE_BEGIN, 2, i % 2 ? NULL : "cut");
    uint64_t most = 0;
    for (size_t bytes = 40; bytes <= trace.bytes && !test_failed; bytes++) {
        unsigned char *exactly = malloc(bytes); /* so that a sanitizer sees a read behind the end */
        memcpy(exactly, trace.data, bytes);
        profi_events *events = read_bytes(exactly, bytes, NULL);
        free(exactly);
        CHECK(events != NULL && events->held >= most && events->held <= most + 1);
        most = events != NULL ? events->held : 0;
        CHECK(events == NULL || (bytes == trace.bytes) == (events->notes.torn_bytes == 0) || events->notes.torn_bytes == 0);
        profi_events_close(events);
    }
    CHECK_U64(most, 10);
}

TEST(what_is_no_trace_is_refused_with_the_place)
{
    prof_error err = PROF_ERROR_INIT;
    CHECK(read_bytes("", 0, &err) == NULL && strstr(err.message, "empty") != NULL);
    CHECK(read_bytes("plain text", 10, &err) == NULL && err.status == PROF_E_FORMAT);
    static const char object[] = "\n{\"a summary may begin\": \"with a newline, which is the first byte of a packet, too\"}                            ";
    CHECK(!profi_looks_like_pftrace((const unsigned char *)object, sizeof(object) - 1));
    CHECK(profi_looks_like_pftrace((const unsigned char *)PROFI_PFTRACE_START, sizeof(PROFI_PFTRACE_START) - 1));
    begin_trace();
    put_thread(2, 100, 101, "main");
    size_t whole = trace.bytes;
    append(&trace, "\x7f" "0123456789012345678901234567890", 32);
    CHECK(read_bytes(trace.data, trace.bytes, &err) == NULL && err.status == PROF_E_FORMAT);
    char place[32];
    snprintf(place, sizeof(place), "at byte %zu", whole);
    CHECK(strstr(err.message, place) != NULL);
}

TEST(a_packet_that_claims_more_than_there_is_takes_no_memory)
{
    static const unsigned char claims[] = { 0x0a, 0xff, 0xff, 0xff, 0x7f, 0x50, 0x01, 0x68, 0x01 };
    prof_error err = PROF_ERROR_INIT;
    profi_events *events = read_bytes(claims, sizeof(claims), &err);
    CHECK(events != NULL && events->held == 0 && events->notes.torn_bytes == sizeof(claims));
    profi_events_close(events);
}

int main(int argc, char **argv) { return test_main(argc, argv); }
