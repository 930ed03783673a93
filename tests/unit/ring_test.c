/* SPDX-License-Identifier: Apache-2.0 */
/* The event rings on a simulated clock, under the smallest cap: chunks of 8 KiB, 338 cells each, 63 of them. */
#include "recording.h"
#include "simulated.h"

#include "base/region.h"
#include "record/node.h"
#include <profcore/prof.h>

#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MANY = 100000, CELLS = 338 };

/* A cell that is an event, and which of its thread's events it is. */
typedef struct event {
    uint64_t thread, index;
    prof_inline_cell cell;
} event;

static event events[MANY];
static uint64_t event_count;

static int compare_by_thread_and_index(const void *one, const void *other)
{
    const event *a = one, *b = other;
    if (a->thread != b->thread)
        return a->thread < b->thread ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static void list_events(const profi_rings_view *view)
{
    event_count = 0;
    for (size_t s = 0; s < view->segment_count; s++) {
        uint64_t index = view->segments[s].first_index;
        for (uint64_t i = 0; i < view->segments[s].cell_count; i++) {
            const prof_inline_cell *cell = &view->cells[view->segments[s].first_cell + i];
            if (profi_event_is_detail(cell->what))
                continue;
            REQUIRE(event_count < MANY);
            events[event_count++] = (event){ view->segments[s].thread, index++, *cell };
        }
    }
    qsort(events, event_count, sizeof(events[0]), compare_by_thread_and_index);
}

static void read_rings(void)
{
    profi_rings_view view;
    REQUIRE(profi_rings_read(&view));
    list_events(&view);
    profi_rings_view_fini(&view);
}

/* Reads the rings, and checks what holds at any time: held + lost = issued. */
static void look(void)
{
    prof_stats now = stats();
    read_rings();
    CHECK_U64(event_count + now.event_lost_count, now.event_count);
}

/* How many events a thread's number has in the rings, if they are its newest ones without a gap. */
static uint64_t held_by(uint64_t thread, uint64_t issued)
{
    uint64_t count = 0, lowest = UINT64_MAX, highest = 0;
    for (uint64_t i = 0; i < event_count; i++) {
        if (events[i].thread != thread)
            continue;
        count++;
        lowest = events[i].index < lowest ? events[i].index : lowest;
        highest = events[i].index > highest ? events[i].index : highest;
    }
    CHECK_U64(highest, issued - 1);
    CHECK_U64(highest - lowest + 1, count);
    return count;
}

static uint64_t my_number(void)
{
    uint64_t before = now_ns;
    pass(1000000);
    prof_scope mark = prof_begin(site("mark"));
    pass(77);
    prof_end(mark);
    look();
    for (uint64_t i = 0; i < event_count; i++)
        if (events[i].cell.start == before + 1000000 && events[i].cell.end == before + 1000077)
            return events[i].thread;
    return 0;
}

/* In a process of its own, the first to record. */
static void fill_the_region_first(void)
{
    prof_site *early = site("early");
    start();
    prof_end(prof_begin(early));
    while (profi_region_alloc(4096, PROFI_REGION_TREE) != NULL)
        ;
    for (int i = 0; i < 20; i++)
        prof_end(prof_begin(early));
    CHECK_U64(stats().event_count, 21);
    CHECK_U64(stats().event_lost_count, 16);
    look();
    stop();
}

TEST(events_are_counted_where_the_region_was_full_before_the_first_chunk)
{
    int status = -1;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        fill_the_region_first();
        fflush(stdout);
        _exit(test_failed);
    }
    waitpid(child, &status, 0);
    CHECK_I64(status, 0);
}

TEST(events_stand_in_the_order_in_which_scopes_ended_with_their_times)
{
    start();
    prof_scope outer = prof_begin(site("outer"));
    pass(5);
    prof_scope inner = prof_begin(site("inner"));
    pass(7);
    inner = prof_phase(inner, site("next"));
    pass(11);
    prof_end(inner);
    prof_end(outer);
    look();
    REQUIRE(event_count == 3);
    static const uint64_t starts[] = { 1005, 1012, 1000 }, ends[] = { 1012, 1023, 1023 };
    for (uint64_t i = 0; i < 3; i++) {
        CHECK_U64(events[i].index, i);
        CHECK_U64(events[i].cell.start, starts[i]);
        CHECK_U64(events[i].cell.end, ends[i]);
        CHECK_U64(events[i].cell.what >> PROFI_EVENT_KIND_SHIFT, PROFI_EVENT_SCOPE);
    }
    CHECK(events[0].cell.what != events[1].cell.what && events[1].cell.what != events[2].cell.what);
    stop();
}

TEST(full_ring_keeps_the_newest_events_and_counts_the_rest)
{
    start();
    uint64_t me = my_number(), before = stats().event_count;
    for (int i = 0; i < MANY; i++) {
        prof_scope scope = prof_begin(site("many"));
        pass(1);
        prof_end(scope);
    }
    look();
    CHECK_U64(stats().event_count, before + MANY);
    CHECK(stats().event_lost_count > 0);
    uint64_t held = held_by(me, before + MANY);
    CHECK(held > 60 * CELLS && held <= 63 * CELLS);
    stop();
}

static pthread_barrier_t barrier;
static uint64_t quiet_number;

static void *quiet(void *unused)
{
    (void)unused;
    quiet_number = 0;
    for (int i = 0; i < 3000; i++)
        prof_end(prof_begin(site("quiet")));
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    prof_end(prof_begin(site("quiet")));
    look();
    for (uint64_t i = 0; i < event_count; i++)
        if (events[i].index == 3000)
            quiet_number = events[i].thread;
    return NULL;
}

TEST(a_busy_thread_does_not_evict_a_quiet_one)
{
    pthread_t thread;
    start();
    pthread_barrier_init(&barrier, NULL, 2);
    REQUIRE(pthread_create(&thread, NULL, quiet, NULL) == 0);
    pthread_barrier_wait(&barrier);
    prof_site *busy = site("busy");
    for (int i = 0; i < MANY; i++)
        prof_end(prof_begin(busy));
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
    look();
    CHECK(held_by(quiet_number, 3001) == 3001);
    stop();
}

static void *few(void *unused)
{
    (void)unused;
    for (int i = 0; i < 20; i++) {
        prof_scope scope = prof_begin(site("few"));
        pass(3 + (uint64_t)i);
        prof_end(scope);
    }
    return NULL;
}

TEST(what_exited_threads_left_stays_packed_together_until_it_is_recycled)
{
    start();
    uint64_t issued = stats().event_count;
    for (int i = 0; i < 100; i++) {
        pthread_t thread;
        REQUIRE(pthread_create(&thread, NULL, few, NULL) == 0);
        pthread_join(thread, NULL);
    }
    look();
    CHECK_U64(stats().event_count, issued + 2000);
    uint64_t number = stats().thread_count, threads = 0;
    for (; number > 0 && threads < 100; number--, threads++)
        CHECK_U64(held_by(number, 20), 20);
    for (uint64_t i = 0; i < event_count; i++)
        if (events[i].thread > number)
            CHECK_U64(events[i].cell.end - events[i].cell.start, 3 + events[i].index);
    stop();
}

static void *end_without_room(void *unused)
{
    prof_begin(site("open outside"));
    prof_begin(site("open inside"));
    for (int i = 0; i < PROFI_FIRST_CELLS - 1; i++)
        prof_end(prof_begin(site("before the end")));
    profi_self->cell->what = profi_self->root.first_child->event;
    profi_self->cell++; /* as if cancelled in an end, between its event and the turn to the next chunk */
    profi_self->current = profi_self->busy;
    return unused;
}

TEST(a_thread_that_ends_at_the_end_of_its_cells_writes_its_last_events_into_new_ones)
{
    pthread_t thread;
    start();
    uint64_t issued = stats().event_count;
    REQUIRE(pthread_create(&thread, NULL, end_without_room, NULL) == 0);
    pthread_join(thread, NULL);
    CHECK_U64(stats().event_count, issued + PROFI_FIRST_CELLS + 2);
    look();
    CHECK_U64(held_by(stats().thread_count, PROFI_FIRST_CELLS + 2), PROFI_FIRST_CELLS + 2);
    stop();
}

enum { CROWD = 50, EACH = 1003 };

static void *one_of_many(void *unused)
{
    (void)unused;
    for (int i = 0; i < EACH; i++)
        prof_end(prof_begin(site("crowd")));
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < EACH; i++)
        prof_end(prof_begin(site("crowd")));
    return NULL;
}

TEST(threads_beyond_the_pools_floors_get_no_ring_and_their_events_count_as_lost)
{
    pthread_t threads[CROWD];
    start();
    uint64_t issued = stats().event_count;
    pthread_barrier_init(&barrier, NULL, CROWD + 1);
    for (int i = 0; i < CROWD; i++)
        REQUIRE(pthread_create(&threads[i], NULL, one_of_many, NULL) == 0);
    pthread_barrier_wait(&barrier);
    look();
    CHECK_U64(stats().event_count, issued + CROWD * EACH);
    uint64_t with_ring = 0;
    for (uint64_t number = stats().thread_count; number > stats().thread_count - CROWD; number--)
        for (uint64_t i = 0; i < event_count; i++)
            if (events[i].thread == number && events[i].index == EACH - 1) {
                CHECK(held_by(number, EACH) >= EACH % CELLS);
                with_ring++;
            }
    CHECK(with_ring >= 25 && with_ring < 40);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 300; i++) {
        prof_stats now = stats();
        CHECK(now.event_lost_count <= now.event_count);
    }
    for (int i = 0; i < CROWD; i++)
        pthread_join(threads[i], NULL);
    look();
    CHECK_U64(stats().event_count, issued + 2 * CROWD * EACH);
    stop();
}

static void *writer(void *stop_flag)
{
    prof_site *written = site("written");
    while (!__atomic_load_n((int *)stop_flag, __ATOMIC_RELAXED))
        for (int i = 0; i < 1000; i++)
            prof_end(prof_begin(written));
    return NULL;
}

TEST(a_reader_beside_writers_sees_only_whole_events_each_once)
{
    int is_over = 0;
    pthread_t threads[2];
    start();
    for (int i = 0; i < 2; i++)
        REQUIRE(pthread_create(&threads[i], NULL, writer, &is_over) == 0);
    for (int round = 0; round < 50; round++) {
        read_rings();
        for (uint64_t i = 0; i < event_count; i++) {
            REQUIRE(events[i].cell.what >> PROFI_EVENT_KIND_SHIFT == PROFI_EVENT_SCOPE);
            REQUIRE(events[i].cell.start <= events[i].cell.end);
            if (i > 0 && events[i].thread == events[i - 1].thread)
                REQUIRE(events[i].index != events[i - 1].index);
        }
    }
    __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    look();
    stop();
}

static int readings_over;
enum { NEWCOMERS = 20 };

static void rest(void)
{
    nanosleep(&(struct timespec){ 0, 100000 }, NULL);
}

/* Comes while others read, and stays; writes no more than its share of the pool, so that nothing of it is recycled. */
static void *newcomer(void *unused)
{
    (void)unused;
    for (int i = 0; i < 2 * CELLS - 1; i++) {
        prof_end(prof_begin(site("newcomer")));
        if (i % 20 == 5)
            rest();
    }
    while (!__atomic_load_n(&readings_over, __ATOMIC_RELAXED))
        rest();
    return NULL;
}

static void *bring_newcomers(void *threads)
{
    for (int i = 0; i < NEWCOMERS; i++) {
        pthread_create((pthread_t *)threads + i, NULL, newcomer, NULL);
        rest();
    }
    return NULL;
}

/* Whether each thread above `oldest` is one that the view lists, and its events are its newest ones, each once. */
static int is_exact(profi_rings_view *view, uint64_t oldest)
{
    list_events(view);
    for (uint64_t i = 0; i < event_count; i++) {
        const event *this = &events[i];
        int is_last = i + 1 == event_count || this[1].thread != this->thread;
        uint64_t ring = 0;
        if (this->thread <= oldest)
            continue;
        while (ring < view->ring_count && view->rings[ring].thread != this->thread)
            ring++;
        if (ring == view->ring_count || (is_last && this->index + 1 < view->rings[ring].issued))
            return 0;
        if (!is_last && this[1].index != this->index + 1)
            return 0;
    }
    return 1;
}

TEST(a_reading_has_the_newest_events_of_each_thread_that_was_there_when_it_began)
{
    pthread_t threads[NEWCOMERS], bringer;
    start();
    uint64_t oldest = stats().thread_count;
    REQUIRE(pthread_create(&bringer, NULL, bring_newcomers, threads) == 0);
    for (int round = 0; round < 300; round++) {
        profi_rings_view view;
        REQUIRE(profi_rings_read(&view));
        CHECK(is_exact(&view, oldest));
        profi_rings_view_fini(&view);
    }
    pthread_join(bringer, NULL);
    __atomic_store_n(&readings_over, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < NEWCOMERS; i++)
        pthread_join(threads[i], NULL);
    stop();
}

int main(int argc, char **argv)
{
    setenv("PROFCORE_MEMORY", "1MiB", 1); /* prof_site_get() may come before the first start */
    profi_clock_simulate(now_ns);
    return test_main(argc, argv);
}
