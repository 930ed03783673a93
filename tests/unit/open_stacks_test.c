/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open scopes on the simulated clock: what is seen of a thread from outside,
 * and how open scopes stand among the slices of a dump.  Each case runs in a
 * process of its own.
 */
#define SITES_AT "open_stacks_test.c", 7
#define CLOCK_BEGINS 5000000
#include "folder.h"
#include "recording.h"
#include "simulated.h"

#include "format/open_stacks_write.h"
#include "model/events.h"
#include "record/node.h"
#include "record/record.h"
#include <profcore/snapshot.h>

#include <pthread.h>
#include <sys/prctl.h>
#include <time.h>

static profi_open_stacks stacks;
static profi_events *events;

static prof_scope begin_with(const char *name, uint32_t flags) { return prof_begin(site_with(name, flags)); }
static prof_scope begin(const char *name) { return begin_with(name, 0); }

/* ---- what is open ---- */

static void look(void) { CHECK_I64(profi_open_stacks_take(&stacks, "test", NULL), PROF_OK); }

/* What one thread is in the middle of, as "name age, name age". */
static const char *path_of(size_t index)
{
    static char text[4096];
    text[0] = '\0';
    if (index >= stacks.thread_count)
        return "no such thread";
    profi_stack_thread thread = profi_open_stacks_thread(&stacks, index);
    for (size_t i = 0; i < thread.count; i++) {
        profi_stack_scope scope = profi_open_stacks_scope(&stacks, thread.first + i);
        size_t used = strlen(text);
        if (scope.is_timed)
            snprintf(text + used, sizeof(text) - used, "%s%s %" PRIu64, i ? ", " : "", scope.name, scope.age_ns);
        else
            snprintf(text + used, sizeof(text) - used, "%s%s", i ? ", " : "", scope.name);
    }
    return text;
}

CASE(open_scopes_are_seen_from_the_outermost_in_with_their_ages)
{
    start();
    prof_scope a = begin("a");
    pass(3);
    prof_scope b = begin("b");
    pass(4);
    prof_end(begin("closed"));
    prof_scope c = begin("c");
    pass(5);
    look();
    CHECK_U64(stacks.thread_count, 1);
    CHECK_STR(path_of(0), "a 12, b 9, c 5");
    prof_end(c);
    prof_end(b);
    look();
    CHECK_STR(path_of(0), "a 12");
    prof_end(a);
    look();
    CHECK_STR(path_of(0), "");
    profi_stack_thread thread = profi_open_stacks_thread(&stacks, 0);
    CHECK(!thread.is_moving && thread.lost == 0 && thread.number == 1 && thread.tid == getpid());
}

CASE(a_call_that_is_not_timed_is_open_without_an_age)
{
    start();
    begin("outer");
    for (int i = 0; i < 40; i++)
        prof_end(begin_with("often", PROF_SITE_SAMPLED));
    begin_with("often", PROF_SITE_SAMPLED);
    pass(7);
    begin("inner");
    look();
    CHECK_STR(path_of(0), "outer 7, often, inner 0");
}

CASE(scopes_for_which_memory_had_no_room_are_a_number)
{
    start();
    prof_scope outer = begin("outer"), last = PROF_SCOPE_NONE;
    prof_stats stats = PROF_STATS_INIT;
    char name[16];
    unsigned paths = 0;
    do {
        snprintf(name, sizeof(name), "%u", paths);
        prof_end(begin(name));
        prof_stats_get(&stats, NULL);
    } while (stats.lost_count == 0 && ++paths < 100000);
    prof_site *inner = NULL;
    CHECK_I64(prof_site_get("outer", SIZE_MAX, "open_stacks_test.c", 7, 0, &inner, NULL), PROF_OK);
    for (int i = 0; i < 3; i++)
        last = prof_begin(inner);
    look();
    CHECK_STR(path_of(0), "outer 0");
    CHECK_U64(profi_open_stacks_thread(&stacks, 0).lost, 3);
    prof_end(last);
    look();
    CHECK_U64(profi_open_stacks_thread(&stacks, 0).lost, 2);
    prof_end(outer);
    look();
    CHECK_U64(profi_open_stacks_thread(&stacks, 0).lost, 0);
}

/* Switched out, say, in the middle of an end. */
CASE(a_thread_that_closes_a_scope_is_seen_by_what_is_still_open)
{
    start();
    prof_scope a = begin("a");
    prof_end(begin("before"));
    prof_scope b = begin("b");
    pass(2);
    profi_node *stand = profi_self->current;
    __atomic_store_n(&profi_self->current, profi_self->busy, __ATOMIC_RELEASE);
    look();
    CHECK_STR(path_of(0), "a 2, b 2");
    CHECK(profi_open_stacks_thread(&stacks, 0).is_moving);
    profi_self->current = stand;
    prof_end(b);
    __atomic_store_n(&profi_self->current, stand, __ATOMIC_RELEASE); /* as one that begins again, and has no start yet */
    look();
    CHECK_STR(path_of(0), "a 2");
    profi_self->current = stand->parent;
    prof_end(a);
}

static pthread_barrier_t barrier;

static void *hung(void *name)
{
    prctl(PR_SET_NAME, name);
    begin(name);
    pass(10);
    begin("waits");
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return NULL;
}

CASE(each_live_thread_is_seen_and_none_that_has_ended)
{
    pthread_t one, other;
    static char first[] = "first", second[] = "second\x1b[7";
    start();
    pthread_barrier_init(&barrier, NULL, 2);
    begin("main");
    pthread_create(&one, NULL, hung, first);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    pthread_join(one, NULL);
    pthread_create(&other, NULL, hung, second);
    pthread_barrier_wait(&barrier);
    look();
    CHECK_U64(stacks.thread_count, 2);
    CHECK_STR(path_of(0), "main 20");
    CHECK_STR(path_of(1), "second\\x1b[7 10, waits 0");
    CHECK_STR(profi_open_stacks_thread(&stacks, 1).name, "second\\x1b[7");
    CHECK_U64(profi_open_stacks_thread(&stacks, 1).number, 3);
    pthread_barrier_wait(&barrier);
    pthread_join(other, NULL);
}

/* ---- as text and as JSON ---- */

static char written[1 << 16];

static int take(void *unused, const void *data, size_t bytes)
{
    (void)unused;
    strncat(written, data, bytes);
    return 0;
}

CASE(open_scopes_are_written_for_people_and_for_programs)
{
    start();
    prctl(PR_SET_NAME, "worker \"7\"");
    prof_scope outer = begin("get_response");
    pass(1500000000);
    prof_scope inner = begin("decode \"it\"");
    pass(12345678);
    CHECK_I64(prof_stacks_write("txt", take, NULL, NULL), PROF_OK);
    CHECK_HAS(written, "Open scopes of open_stacks_test, process ");
    CHECK_HAS(written, " UTC\n\n-- profcore 0.1.0: open scopes\n\nThread ");
    CHECK_HAS(written, " \"worker \"7\"\"\n         1.512 s   get_response  open_stacks_test.c:7\n"
                       "        12.345 ms    decode \"it\"  open_stacks_test.c:7\n");
    written[0] = '\0';
    CHECK_I64(prof_stacks_write("json", take, NULL, NULL), PROF_OK);
    CHECK_HAS(written, "\"schema\": \"profcore.stacks/1\"");
    CHECK_HAS(written, "\"name\": \"worker \\\"7\\\"\"");
    CHECK_HAS(written, "\"name\": \"decode \\\"it\\\"\"");
    CHECK_HAS(written, "\"age_ns\": 12345678");
    prof_end(inner);
    prof_end(outer);
}

CASE(a_date_is_the_calendars)
{
    static const struct { uint64_t unix_s; const char *date; } days[] = {
        { 0, "1970-01-01 00:00:00" }, { 951782399, "2000-02-28 23:59:59" }, { 951868799, "2000-02-29 23:59:59" },
        { 951868800, "2000-03-01 00:00:00" }, { 1795270424, "2026-11-21 14:13:44" }, { 4107542399, "2100-02-28 23:59:59" },
        { 4107542400, "2100-03-01 00:00:00" } };
    start();
    look();
    for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
        written[0] = '\0';
        stacks.taken.unix_ns = days[i].unix_s * 1000000000;
        CHECK_I64(profi_open_stacks_run(&stacks, "txt", take, NULL, NULL), PROF_OK);
        CHECK_HAS(written, days[i].date);
    }
}

/* ---- among the slices of a dump ---- */

static void dump(uint64_t window_ns)
{
    profi_events_close(events);
    events = NULL;
    profi_events_copy copy;
    CHECK_I64(profi_events_take(&copy, NULL), PROF_OK);
    CHECK_I64(profi_events_open_dump(&stacks, window_ns, &copy, &events, NULL), PROF_OK);
    profi_events_copy_fini(&copy);
    CHECK_U64(events->held + events->before + events->streamed + events->lost, events->issued);
}

/* A thread's slices as "name start-end depth; …", "open" for an end. */
static const char *slices_of(uint32_t thread)
{
    static char text[8192];
    static profi_slice slices[256];
    text[0] = '\0';
    if (thread >= events->thread_count)
        return "no such thread";
    const profi_events_thread *of = &events->threads[thread];
    size_t count = profi_events_read(events, of->first, of->count, 0, slices, 256);
    CHECK_U64(count, of->held + of->open_count);
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(text);
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %" PRIu64 "-", i ? "; " : "",
                                 events->sites[slices[i].site].name, slices[i].start_ns - 5000000);
        if (slices[i].end_ns == PROFI_STILL_OPEN)
            used += (size_t)snprintf(text + used, sizeof(text) - used, "open");
        else
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%" PRIu64, slices[i].end_ns - 5000000);
        snprintf(text + used, sizeof(text) - used, " %u", slices[i].depth);
    }
    return text;
}

CASE(open_scopes_enclose_what_ended_inside_them)
{
    start();
    prof_end(begin("before"));
    pass(1);
    prof_scope a = begin("a");
    prof_scope b = begin("b");
    prof_end(begin("c"));
    pass(1);
    prof_end(b);
    prof_scope d = begin("d");
    pass(1);
    prof_scope e = begin("e");
    pass(1);
    prof_end(begin("f"));
    prof_end(e);
    begin("g");
    look();
    dump(0);
    CHECK_STR(slices_of(0), "before 0-0 0; a 1-open 0; b 1-2 1; c 1-1 2; d 2-open 1; e 3-4 2; f 4-4 3; g 4-open 2");
    CHECK_U64(events->threads[0].open_count, 3);
    prof_end(d);
    prof_end(a);
    (void)e;
}

CASE(what_ended_after_it_was_seen_open_is_there_once_and_has_its_end)
{
    start();
    prof_scope a = begin("a");
    pass(1);
    prof_scope b = begin("b");
    pass(1);
    prof_scope c = begin("c");
    look();
    pass(1);
    prof_end(c);
    prof_end(b);
    prof_scope again = begin("b");
    prof_end(begin("late"));
    dump(0);
    CHECK_STR(slices_of(0), "a 0-open 0; b 1-3 1; c 2-3 2; late 3-3 1");
    prof_end(again);
    prof_end(a);
}

CASE(what_ended_before_the_window_is_left_out_and_counted)
{
    start();
    begin("a");
    for (int i = 0; i < 10; i++) {
        prof_end(begin("old"));
        pass(10);
    }
    prof_scope across = begin("across");
    pass(100);
    prof_end(across);
    prof_end(begin("new"));
    pass(10);
    look();
    dump(20);
    CHECK_STR(slices_of(0), "a 0-open 0; across 100-200 1; new 200-200 1");
    CHECK_U64(events->threads[0].before, 10);
    CHECK_U64(events->before, 10);
    dump(0);
    CHECK_U64(events->threads[0].held, 12);
}

static void *come_and_go(void *unused)
{
    for (int i = 0; i < 750; i++) /* the last of them too few for a chunk of their own */
        prof_end(begin("passing"));
    return unused;
}

/* As the streamer does, with all full chunks that there are. */
static void take_out(int is_lost)
{
    for (profi_chunk *chunk; (chunk = profi_rings_take_full()) != NULL;)
        profi_rings_give_back(chunk, is_lost);
}

CASE(what_went_to_the_stream_is_not_lost)
{
    pthread_t thread;
    start();
    for (int i = 0; i < 1000; i++)
        prof_end(begin("a"));
    REQUIRE(pthread_create(&thread, NULL, come_and_go, NULL) == 0 && pthread_join(thread, NULL) == 0);
    take_out(0);
    look();
    dump(0);
    REQUIRE(events->thread_count == 2);
    CHECK_U64(events->lost, 0);
    CHECK_U64(events->streamed, 1750 - events->held);
    CHECK(events->threads[0].streamed > 500 && events->threads[1].streamed > 500);
    CHECK_U64(events->threads[0].held + events->threads[0].streamed, 1000);
    CHECK_U64(events->threads[1].held + events->threads[1].streamed, 750);
    uint64_t streamed = events->threads[0].streamed;
    for (int i = 0; i < 1000; i++)
        prof_end(begin("a"));
    take_out(1);
    dump(0);
    CHECK_U64(events->threads[0].streamed, streamed);
    CHECK(events->threads[0].lost > 500);
    CHECK_U64(events->threads[0].held + events->threads[0].streamed + events->threads[0].lost, 2000);
}

CASE(a_thread_that_never_ended_a_scope_is_there)
{
    pthread_t thread;
    static char name[] = "hung";
    start();
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, hung, name);
    pthread_barrier_wait(&barrier);
    look();
    dump(0);
    CHECK_U64(events->issued, 0);
    CHECK_STR(slices_of(0), "hung 0-open 0; waits 10-open 1");
    CHECK_STR(events->threads[0].name, "hung");
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
}

CASE(without_event_rings_only_what_is_open_is_there)
{
    setenv("PROFCORE_MODE", "tree", 1);
    start();
    begin("a");
    for (int i = 0; i < 100; i++)
        prof_end(begin("closed"));
    begin("b");
    look();
    dump(0);
    CHECK_U64(events->issued, 0);
    CHECK_STR(slices_of(0), "a 0-open 0; b 0-open 1");
}

/* ---- while threads record ---- */

static int is_over;

/* Scopes named after their level, so that any path is known to be one. */
static void go_down(unsigned *random, unsigned level)
{
    static const char *const names[] = { "1", "2", "3", "4", "5", "6" };
    prof_scope scope = begin(names[level]);
    for (unsigned i = 0; level < 5 && i < 3; i++) {
        *random = *random * 1103515245u + 12345u;
        if (*random >> 16 & 1)
            go_down(random, level + 1);
    }
    prof_end(scope);
}

static void *moving(void *seed)
{
    unsigned random = (unsigned)(uintptr_t)seed;
    prof_scope outermost = begin("0");
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED))
        go_down(&random, 0);
    prof_end(outermost);
    return NULL;
}

static void *time_passes(void *unused)
{
    (void)unused;
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED))
        pass(1);
    return NULL;
}

CASE(what_is_seen_of_moving_threads_is_a_path_that_was_open)
{
    enum { THREADS = 3 };
    pthread_t threads[THREADS + 1];
    unsigned seen = 0;
    time_t end = time(NULL) + 30;
    start();
    pthread_create(&threads[THREADS], NULL, time_passes, NULL);
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, moving, (void *)(i + 1));
    for (int round = 0; (round < 3000 || seen <= 100) && time(NULL) < end && !test_failed; round++) {
        profi_open_stacks_fini(&stacks);
        look();
        for (size_t i = 0; i < stacks.thread_count; i++) {
            profi_stack_thread thread = profi_open_stacks_thread(&stacks, i);
            uint64_t last = 0;
            for (size_t k = 0; k < thread.count; k++) {
                profi_stack_scope scope = profi_open_stacks_scope(&stacks, thread.first + k);
                char level[24];
                snprintf(level, sizeof(level), "%zu", k);
                CHECK_STR(scope.name, level);
                CHECK(scope.start_ns >= last);
                last = scope.start_ns;
                seen += k > 0;
            }
        }
        if (round % 100 == 0)
            dump(0);
    }
    __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
    for (int i = 0; i <= THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK(seen > 100);
}

int main(int argc, char **argv)
{
    setenv("PROFCORE_MEMORY", "1MiB", 1);
    profi_clock_simulate(now_ns);
    return test_main(argc, argv);
}
