/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tracker of libtorch's allocator for GPUs, fed by an allocator that tells
 * as that one does: what was asked for and not what is handed out, of an
 * allocation before its statistics have it, of a free afterwards.  No GPU and
 * no libtorch is needed.
 */
#include "../../shim/cuda_tracker.hpp"
#include "../unit/harness.h"

#include <profcore/snapshot.h>

#include <algorithm>
#include <map>
#include <string>
#include <thread>
#include <vector>

using profi_torch::cuda_level;
using profi_torch::cuda_stats;
using profi_torch::cuda_step;
using profi_torch::cuda_tracker;

namespace {

/* Rounds to 512 bytes, and leaves up to a mebibyte unsplit, which nobody is told. */
class pretended_allocator {
  public:
    pretended_allocator(const char *name, bool tells_late) : is_late(tells_late)
    {
        prof_pool *pool = nullptr;
        CHECK_I64(prof_pool_open(name, &pool, nullptr), PROF_OK);
        prof_pool_settle_by(pool, settle, this);
        tracker.begin(pool, stats);
    }

    void allocate(uint64_t asked, uint64_t handed_out)
    {
        if (stats.allocated.now + int64_t(handed_out) > stats.reserved.now) {
            rise(stats.reserved, int64_t(handed_out));
            tracker.step(cuda_step::segment_allocate, handed_out, stats);
        }
        if (is_late)
            tracker.step(cuda_step::allocate, asked, stats);
        rise(stats.allocated, int64_t(handed_out));
        if (!is_late)
            tracker.step(cuda_step::allocate, asked, stats);
        blocks.push_back(handed_out);
        peak = std::max(peak, stats.allocated.now);
        peak_reserved = std::max(peak_reserved, stats.reserved.now);
    }

    void free(size_t number)
    {
        fall(stats.allocated, int64_t(blocks[number]));
        blocks.erase(blocks.begin() + long(number));
        tracker.step(cuda_step::free, 1, stats);
    }

    void empty_cache()
    {
        tracker.step(cuda_step::segment_free, 1, stats);
        fall(stats.reserved, stats.reserved.now - stats.allocated.now);
    }

    void reset_sums() /* torch.cuda.reset_accumulated_memory_stats() */
    {
        stats.allocated.risen = stats.allocated.fallen = stats.reserved.risen = stats.reserved.fallen = stats.retries = 0;
    }

    cuda_tracker tracker;
    cuda_stats stats = {};
    std::vector<uint64_t> blocks;
    int64_t peak = 0, peak_reserved = 0; /* since somebody set them */

  private:
    static void rise(cuda_level &level, int64_t bytes)
    {
        level.now += bytes;
        level.risen += bytes;
    }
    static void fall(cuda_level &level, int64_t bytes)
    {
        level.now -= bytes;
        level.fallen += bytes;
    }
    static void settle(void *user)
    {
        auto *self = static_cast<pretended_allocator *>(user);
        CHECK(self->tracker.settle(self->tracker.step_count(), self->stats));
    }
    bool is_late;
};

prof_measure measure_of(const std::string &function, const std::string &level)
{
    prof_snapshot *snapshot = nullptr;
    prof_measure found = PROF_MEASURE_INIT;
    uint32_t id = 0;
    CHECK_I64(prof_snapshot_take(&snapshot, nullptr), PROF_OK);
    CHECK_I64(prof_snapshot_find(snapshot, function.c_str(), &id, nullptr), PROF_OK);
    for (uint32_t i = 0; i < prof_snapshot_probe_count(snapshot); i++) {
        prof_probe_info info = PROF_PROBE_INFO_INIT;
        CHECK_I64(prof_snapshot_probe(snapshot, i, &info, nullptr), PROF_OK);
        if (level == info.name)
            CHECK_I64(prof_snapshot_measure(snapshot, id, i, &found, nullptr), PROF_OK);
    }
    prof_snapshot_close(snapshot);
    return found;
}

prof_scope begin(const std::string &name)
{
    prof_site *site = nullptr;
    CHECK_I64(prof_site_get(name.c_str(), SIZE_MAX, "cuda_tracker_test.cpp", 1, 0, &site, nullptr), PROF_OK);
    return prof_begin(site);
}

uint64_t random_state = 3;
unsigned draw(unsigned below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return unsigned(random_state >> 33) % below;
}

struct expected_figures {
    int64_t begin, end, peak, peak_reserved;
};

/* Scopes one after the other with random steps between and inside; the allocator's own peak is the oracle. */
void compare_histories(const std::string &name, bool tells_late)
{
    enum { ROUNDS = 80 };
    pretended_allocator gpu(name.c_str(), tells_late);
    std::vector<expected_figures> expected;
    for (unsigned round = 0; round < ROUNDS; round++) {
        prof_scope scope = begin(name + " round " + std::to_string(round));
        expected_figures of = { gpu.stats.allocated.now, 0, 0, 0 };
        gpu.peak = gpu.stats.allocated.now;
        gpu.peak_reserved = gpu.stats.reserved.now;
        for (unsigned step = draw(8); step > 0; step--) {
            const unsigned choice = draw(20), asked = 1 + draw(1 << 20);
            if (choice < 10 || gpu.blocks.empty())
                gpu.allocate(asked, (asked + 511) / 512 * 512 + 512 * draw(2000));
            else if (choice < 18)
                gpu.free(draw(unsigned(gpu.blocks.size())));
            else if (choice < 19)
                gpu.empty_cache();
            else
                gpu.reset_sums();
        }
        prof_end(scope);
        of.end = gpu.stats.allocated.now;
        of.peak = gpu.peak;
        of.peak_reserved = gpu.peak_reserved;
        expected.push_back(of);
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        const std::string function = name + " round " + std::to_string(round);
        const prof_measure found = measure_of(function, name + ".allocated");
        CHECK_U64(found.calls, 1);
        CHECK_U64(found.peak_begin, expected[round].begin);
        CHECK_U64(found.peak_end, expected[round].end);
        CHECK_U64(found.peak, expected[round].peak);
        CHECK_U64(measure_of(function, name + ".reserved").peak, expected[round].peak_reserved);
    }
}

} // namespace

TEST(each_scope_has_what_the_allocator_handed_out_where_statistics_come_after_the_step)
{
    compare_histories("late", true);
}

TEST(and_where_they_come_before_it)
{
    compare_histories("early", false);
}

TEST(a_step_that_is_closed_later_counts_from_its_moment_for_other_threads)
{
    pretended_allocator gpu("moments", true);
    gpu.allocate(512, 512);
    gpu.free(0);
    gpu.empty_cache();
    std::thread([] { prof_end(begin("after the release")); }).join();
    gpu.allocate(100, 1024);
    std::thread([] { prof_end(begin("after the allocation")); }).join();
    gpu.free(0);
    CHECK_U64(measure_of("after the release", "moments.reserved").peak, 0);
    CHECK_U64(measure_of("after the allocation", "moments.allocated").peak, 1024);
    CHECK_U64(measure_of("after the allocation", "moments.reserved").peak, 1024);
}

TEST(what_was_allocated_before_is_there_from_the_begin)
{
    pretended_allocator gpu("before", true);
    gpu.stats = { { 5000, 9000, 4000 }, { 8192, 8192, 0 }, 3 };
    prof_pool *pool = nullptr;
    CHECK_I64(prof_pool_open("before", &pool, nullptr), PROF_OK);
    gpu.tracker.begin(pool, gpu.stats);
    prof_scope scope = begin("begins late");
    gpu.allocate(100, 512);
    prof_end(scope);
    CHECK_U64(measure_of("begins late", "before.allocated").peak_begin, 5000);
    CHECK_U64(measure_of("begins late", "before.allocated").peak, 5512);
}

static prof_pool_info pool_in(const prof_snapshot *snapshot, const std::string &name)
{
    prof_pool_info found = PROF_POOL_INFO_INIT;
    for (uint32_t i = 0; i < prof_snapshot_pool_count(snapshot); i++) {
        prof_pool_info info = PROF_POOL_INFO_INIT;
        CHECK_I64(prof_snapshot_pool(snapshot, i, &info, nullptr), PROF_OK);
        if (name == info.name)
            found = info;
    }
    return found;
}

static prof_pool_info pool_now(const std::string &name)
{
    prof_snapshot *snapshot = nullptr;
    CHECK_I64(prof_snapshot_take(&snapshot, nullptr), PROF_OK);
    const prof_pool_info found = pool_in(snapshot, name);
    prof_snapshot_close(snapshot);
    return found;
}

TEST(a_forked_child_holds_nothing_and_nobody_asks_its_allocator)
{
    pretended_allocator gpu("forked", true);
    gpu.allocate(100, 512);
    CHECK_U64(pool_now("forked").allocated_bytes, 512);
    gpu.tracker.step(cuda_step::allocate, 100, gpu.stats); /* and stays open */
    gpu.tracker.forget();                                  /* as in the child */
    const uint64_t changes = pool_now("forked").change_count;
    CHECK(pool_now("forked").is_known);
    CHECK_U64(pool_now("forked").allocated_bytes, 0);
    CHECK_U64(pool_now("forked").reserved_bytes, 0);
    gpu.allocate(100, 512);
    CHECK_U64(pool_now("forked").change_count, changes);
}

TEST(retries_and_exhaustion_are_told)
{
    pretended_allocator gpu("told", true);
    prof_scope scope = begin("asks for too much");
    gpu.stats.retries = 2;
    gpu.tracker.step(cuda_step::out_of_memory, uint64_t(1) << 40, gpu.stats);
    prof_end(scope);
    prof_snapshot *snapshot = nullptr;
    CHECK_I64(prof_snapshot_take(&snapshot, nullptr), PROF_OK);
    const prof_pool_info info = pool_in(snapshot, "told");
    CHECK_U64(info.retry_count, 2);
    CHECK_U64(info.exhausted_count, 1);
    CHECK_U64(info.exhausted_bytes, uint64_t(1) << 40);
    CHECK_STR(info.exhausted_path, "asks for too much");
    prof_snapshot_close(snapshot);
}

int main(int argc, char **argv)
{
    prof_pool *pool = nullptr;
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    if (prof_pool_open("late", &pool, nullptr) != PROF_OK || prof_start(&options, nullptr) != PROF_OK)
        return 1;
    const int failed = test_main(argc, argv);
    prof_stop(nullptr);
    return failed;
}
