/* SPDX-License-Identifier: Apache-2.0 */
/* The slowest request of a stream, of streams that are built event by event. */
#include "harness.h"

#include "model/events_build.h"
#include "model/events_snapshot.h"
#include "model/slowest.h"

#include <stdlib.h>

static profi_events_builder builder;

static uint32_t track(const char *name)
{
    uint32_t number = profi_build_track_new(&builder);
    builder.tracks[number].name = profi_build_text(&builder, name, strlen(name));
    builder.tracks[number].tid = (int32_t)number + 100;
    return number;
}

static uint32_t site(const char *name)
{
    return profi_build_site(&builder, profi_build_text(&builder, name, strlen(name)), NULL, 0);
}

/* For a request; 0: for none. */
static void begin(uint32_t on, uint64_t ns, const char *name, uint64_t request)
{
    const profi_request_id id = { request, 7 };
    profi_build_begin(&builder, on, ns, site(name), &(profi_build_details){ .request = request ? &id : NULL });
}

static void end(uint32_t on, uint64_t ns) { profi_build_end(&builder, on, ns, &(profi_build_details){ .count = 0 }); }

static void call(uint32_t on, uint64_t from, uint64_t to, const char *name, uint64_t request)
{
    begin(on, from, name, request);
    end(on, to);
}

static void start(void)
{
    profi_build_init(&builder);
    profi_build_process(&builder, 1, profi_build_text(&builder, "made", 4));
}

/* What is found in what was built; close the snapshot. */
static prof_snapshot *look(void)
{
    prof_snapshot *snapshot = NULL;
    profi_events *events = NULL;
    CHECK_I64(profi_build_finish(&builder, "made", &events, NULL), PROF_OK);
    CHECK_I64(profi_snapshot_of_events(events, "made", &snapshot, NULL), PROF_OK);
    CHECK(snapshot->slowest == NULL); /* only where somebody asks */
    CHECK_I64(profi_slowest_find(events, snapshot, NULL), PROF_OK);
    profi_events_close(events);
    return snapshot;
}

static void check_slice(const profi_slowest *slowest, size_t index, const char *on, const char *name, uint64_t start_ns, uint64_t ns)
{
    CHECK(index < slowest->slice_count);
    if (index >= slowest->slice_count)
        return;
    const profi_slowest_slice *slice = &slowest->slices[index];
    CHECK_STR(slowest->tracks[slice->track].name, on);
    CHECK_STR(slowest->sites[slice->site].name, name);
    CHECK_U64(slice->start_ns, start_ns);
    CHECK_U64(slice->duration_ns, ns);
}

TEST(a_request_is_all_that_carries_its_id_from_its_first_beginning_to_its_last_end)
{
    start();
    uint32_t one = track("one"), two = track("two");
    begin(one, 50, "loop", 0);
    call(one, 100, 200, "parse", 1);
    call(one, 200, 350, "parse", 2); /* the longest call, but not of the slowest request */
    end(one, 1000);
    call(two, 210, 230, "answer", 2);
    call(two, 500, 530, "answer", 1);
    prof_snapshot *snapshot = look();
    const profi_slowest *slowest = snapshot->slowest;
    REQUIRE(slowest != NULL);
    CHECK(slowest->has_request);
    CHECK_U64(slowest->request.low, 1);
    CHECK_U64(slowest->request.high, 7);
    CHECK_U64(slowest->number_of, 2);
    CHECK_U64(slowest->duration_ns, 430);
    CHECK_U64(slowest->slice_count, 2);
    CHECK_STR(slowest->sites[slowest->site].name, "parse");
    check_slice(slowest, 0, "one", "parse", 0, 100);
    check_slice(slowest, 1, "two", "answer", 400, 30);
    CHECK_U64(slowest->slices[0].depth, 0); /* the loop around it is not the request's */
    prof_snapshot_close(snapshot);
}

TEST(without_ids_it_is_the_longest_call_of_those_that_are_no_threads_whole_life_with_what_lies_below_it)
{
    start();
    uint32_t one = track("one"), two = track("two");
    begin(one, 0, "worker", 0);
    for (uint64_t i = 0; i < 4; i++)
        call(one, 10 * i + 1, 10 * i + 5, "handle", 0);
    begin(one, 100, "handle", 0);
    begin(one, 110, "encode", 0);
    call(one, 120, 130, "layer", 0);
    end(one, 140);
    end(one, 150);
    call(one, 160, 165, "layer", 0);
    end(one, 1000);
    call(two, 0, 900, "worker", 0);
    prof_snapshot *snapshot = look();
    const profi_slowest *slowest = snapshot->slowest;
    REQUIRE(slowest != NULL);
    CHECK(!slowest->has_request);
    CHECK_U64(slowest->number_of, 5);
    CHECK_U64(slowest->duration_ns, 50);
    CHECK_U64(slowest->slice_count, 3);
    check_slice(slowest, 0, "one", "handle", 0, 50);
    check_slice(slowest, 1, "one", "encode", 10, 30);
    check_slice(slowest, 2, "one", "layer", 20, 10);
    CHECK_U64(slowest->slices[2].depth, 2);
    prof_snapshot_close(snapshot);
}

/* A kernel, launched by the scope that is open on a thread. */
static void launch(uint32_t on, uint32_t gpu, uint64_t launched_ns, uint64_t from, uint64_t to, const char *name, uint64_t request)
{
    static uint64_t flow = 70;
    const profi_request_id id = { request, 7 };
    const profi_detail here = { .kind = PROFI_FLOW_HERE, .value.flow = ++flow }, last = { .kind = PROFI_FLOW_LAST, .value.flow = flow };
    profi_build_whole(&builder, on, launched_ns, launched_ns + 1, site("launch"),
                      &(profi_build_details){ .details = &here, .count = 1, .request = request ? &id : NULL });
    profi_build_whole(&builder, gpu, from, to, site(name), &(profi_build_details){ .details = &last, .count = 1 });
}

static uint32_t gpu_track(void)
{
    uint32_t gpu = track("GPU 0 stream 7");
    builder.tracks[gpu].is_lane = 1;
    builder.tracks[gpu].tid = 0;
    return gpu;
}

TEST(what_a_request_launched_on_a_gpu_belongs_to_it_and_is_no_request)
{
    start();
    uint32_t one = track("one"), gpu = gpu_track();
    begin(one, 100, "handle", 2);
    launch(one, gpu, 110, 120, 150, "gemm", 2);
    end(one, 160);
    begin(one, 200, "handle", 1);
    launch(one, gpu, 210, 220, 900, "gemm", 1);
    end(one, 400);
    call(one, 410, 420, "between", 0);
    prof_snapshot *snapshot = look();
    const profi_slowest *slowest = snapshot->slowest;
    REQUIRE(slowest != NULL);
    CHECK_U64(slowest->request.low, 1);
    CHECK_U64(slowest->duration_ns, 200);
    CHECK_U64(slowest->slice_count, 3);
    check_slice(slowest, 0, "one", "handle", 0, 200);
    check_slice(slowest, 1, "one", "launch", 10, 1);
    check_slice(slowest, 2, "GPU 0 stream 7", "gemm", 20, 680);
    prof_snapshot_close(snapshot);
}

TEST(without_ids_too_and_a_kernel_is_not_the_longest_call)
{
    start();
    uint32_t one = track("one"), gpu = gpu_track();
    for (uint64_t i = 1; i <= 3; i++) {
        begin(one, 1000 * i, "handle", 0);
        launch(one, gpu, 1000 * i + 10, 1000 * i + 20, 1000 * i + 900, "gemm", 0);
        end(one, 1000 * i + 100 * i);
    }
    prof_snapshot *snapshot = look();
    const profi_slowest *slowest = snapshot->slowest;
    REQUIRE(slowest != NULL);
    CHECK_STR(slowest->sites[slowest->site].name, "handle");
    CHECK_U64(slowest->duration_ns, 300);
    CHECK_U64(slowest->slice_count, 3);
    check_slice(slowest, 2, "GPU 0 stream 7", "gemm", 20, 880);
    prof_snapshot_close(snapshot);
}

TEST(where_everything_happened_once_it_is_the_longest_of_all)
{
    start();
    uint32_t one = track("one");
    call(one, 10, 20, "first", 0);
    call(one, 30, 90, "second", 0);
    prof_snapshot *snapshot = look();
    REQUIRE(snapshot->slowest != NULL);
    CHECK_U64(snapshot->slowest->number_of, 1);
    check_slice(snapshot->slowest, 0, "one", "second", 0, 60);
    prof_snapshot_close(snapshot);
}

TEST(a_slice_that_has_not_ended_lasts_to_the_last_moment_and_is_marked)
{
    start();
    uint32_t one = track("one"), two = track("two");
    begin(one, 100, "hangs", 3);
    call(two, 100, 400, "other", 4);
    call(two, 890, 900, "late", 0);
    prof_snapshot *snapshot = look();
    REQUIRE(snapshot->slowest != NULL);
    CHECK_U64(snapshot->slowest->request.low, 3);
    check_slice(snapshot->slowest, 0, "one", "hangs", 0, 800);
    CHECK(snapshot->slowest->slices[0].is_open);
    prof_snapshot_close(snapshot);
}

TEST(of_a_request_with_too_many_slices_the_shortest_are_left_out_and_counted)
{
    enum { MANY = 3 * PROFI_SLOWEST_SLICES };
    start();
    uint32_t one = track("one");
    uint64_t ns = 1000, longer = 0;
    begin(one, ns, "request", 9);
    for (unsigned i = 0; i < MANY; i++) {
        uint64_t took = i % 4 == 0 ? 1000 : 10;
        longer += took == 1000;
        call(one, ns, ns + took, "step", 9);
        ns += took;
    }
    end(one, ns);
    prof_snapshot *snapshot = look();
    const profi_slowest *slowest = snapshot->slowest;
    REQUIRE(slowest != NULL);
    CHECK_U64(slowest->slice_count, PROFI_SLOWEST_SLICES);
    CHECK_U64(slowest->left_out, MANY + 1 - PROFI_SLOWEST_SLICES);
    uint64_t of_longer = 0;
    for (size_t i = 1; i < slowest->slice_count; i++)
        of_longer += slowest->slices[i].duration_ns == 1000;
    CHECK_U64(of_longer, longer);
    prof_snapshot_close(snapshot);
}

TEST(of_too_many_slices_that_all_take_as_long_the_first_are_shown)
{
    start();
    uint32_t one = track("one");
    for (uint64_t i = 0; i < 2 * PROFI_SLOWEST_SLICES + 1; i++)
        call(one, 10 * i, 10 * i + 5, "step", 9);
    prof_snapshot *snapshot = look();
    const profi_slowest *slowest = snapshot->slowest;
    REQUIRE(slowest != NULL);
    CHECK_U64(slowest->slice_count, PROFI_SLOWEST_SLICES);
    CHECK_U64(slowest->left_out, PROFI_SLOWEST_SLICES + 1);
    check_slice(slowest, PROFI_SLOWEST_SLICES - 1, "one", "step", 10 * (PROFI_SLOWEST_SLICES - 1), 5);
    prof_snapshot_close(snapshot);
}

TEST(a_stream_without_a_slice_has_none)
{
    start();
    profi_build_instant(&builder, track("one"), 10, site("mark"), &(profi_build_details){ .count = 0 });
    prof_snapshot *snapshot = look();
    CHECK(snapshot->slowest == NULL);
    prof_snapshot_close(snapshot);
}

int main(int argc, char **argv) { return test_main(argc, argv); }
