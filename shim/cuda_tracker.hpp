/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libtorch's allocator of a GPU says of each step, made into changes of a
 * pool of libprofcore's (<profcore/memory.h>).
 *
 * The allocator calls under its lock.  What a step says is what was asked for,
 * not what was handed out, which is rounded; so amounts come from its
 * statistics, the sums of all that was ever allocated and freed.  Those hold a
 * step when it is told, or do not yet: of a free they do, of an allocation
 * not (2.2 to 2.13).  Where they do not, the change is left open, and closed
 * by the next step, by the next boundary of a scope of this thread, or when
 * somebody reads.  Nobody's peak is read or reset; the sums may be reset by
 * the program.
 *
 * Knows no torch: shim_cuda.cpp feeds it, and so does its test.
 */
#ifndef CUDA_TRACKER_HPP
#define CUDA_TRACKER_HPP

#include <profcore/memory.h>

#include <cstdint>
#include <mutex>

namespace profi_torch {

/* Bytes of one device, at one moment. */
struct cuda_level {
    int64_t now;
    int64_t risen, fallen; /* sums of all rises and falls, since these were last reset */
};

struct cuda_stats {
    cuda_level allocated, reserved;
    int64_t retries; /* since it was last reset */
};

enum class cuda_step { allocate, free, segment_allocate, segment_free, out_of_memory, other };

class cuda_tracker {
  public:
    /* What holds when it begins; nothing of it is a change. */
    void begin(prof_pool *its_pool, const cuda_stats &now)
    {
        const std::lock_guard<std::mutex> locked(lock);
        pool = its_pool;
        last = now;
        prof_pool_set(pool, uint64_t(now.allocated.now), uint64_t(now.reserved.now));
    }

    /* A step, under the allocator's lock; `bytes` is what was asked for. */
    void step(cuda_step kind, uint64_t bytes, const cuda_stats &now)
    {
        const std::lock_guard<std::mutex> locked(lock);
        if (pool == nullptr)
            return;
        steps++;
        const bool was_open = open;
        const bool is_there = catch_up(now);
        if (kind == cuda_step::out_of_memory)
            prof_pool_exhausted(pool, bytes);
        const bool is_late = kind == cuda_step::allocate || kind == cuda_step::segment_free;
        if (is_late && (was_open || !is_there)) {
            open = true;
            open_is_release = kind == cuda_step::segment_free;
            prof_pool_open_change(pool);
        }
    }

    /* How many there were: for settle(), before the statistics are read without the allocator's lock being held. */
    uint64_t step_count()
    {
        const std::lock_guard<std::mutex> locked(lock);
        return steps;
    }

    /* Closes what is open, if the statistics are of after the last step; else false: read them again. */
    bool settle(uint64_t step_count_before, const cuda_stats &now)
    {
        const std::lock_guard<std::mutex> locked(lock);
        if (steps != step_count_before)
            return false;
        if (pool != nullptr)
            catch_up(now);
        return true;
    }

    /*
     * In a forked child, which holds none of its parent's memory: the last that is told.  Takes no lock, which another
     * thread may have had at the fork, and asks for no statistics.
     */
    void forget()
    {
        if (pool == nullptr)
            return;
        prof_pool_settle_by(pool, nullptr, nullptr);
        prof_pool_change(pool, 0, 0); /* closes what is open */
        prof_pool_set(pool, 0, 0);
        pool = nullptr;
    }

  private:
    struct movement {
        int64_t rise, fall;
    };

    /* What fell since a reset is all there is to go by; the rest follows from what there is now. */
    static movement between(const cuda_level &before, const cuda_level &now)
    {
        const bool is_reset = now.risen < before.risen || now.fallen < before.fallen;
        const int64_t fall = is_reset ? now.fallen : now.fallen - before.fallen;
        return { now.now - before.now + fall, fall };
    }

    /* Tells what has changed since the last look; whether anything has.  Of an open step is what it does, of now the rest. */
    bool catch_up(const cuda_stats &now)
    {
        const movement allocated = between(last.allocated, now.allocated), reserved = between(last.reserved, now.reserved);
        const int64_t retries = now.retries < last.retries ? now.retries : now.retries - last.retries;
        const int64_t then_allocated = open && !open_is_release ? allocated.rise : 0;
        const int64_t then_reserved = open && open_is_release ? -reserved.fall : 0;
        if (open)
            prof_pool_change(pool, then_allocated, then_reserved);
        const int64_t rest = allocated.rise - allocated.fall - then_allocated;
        const int64_t rest_reserved = reserved.rise - reserved.fall - then_reserved;
        if (rest != 0 || rest_reserved != 0)
            prof_pool_change(pool, rest, rest_reserved);
        if (retries > 0)
            prof_pool_retry(pool, uint64_t(retries));
        open = false;
        last = now;
        return allocated.rise != 0 || allocated.fall != 0 || reserved.rise != 0 || reserved.fall != 0;
    }

    std::mutex lock;
    prof_pool *pool = nullptr;
    cuda_stats last = {};
    uint64_t steps = 0;
    bool open = false, open_is_release = false;
};

} // namespace profi_torch

#endif
