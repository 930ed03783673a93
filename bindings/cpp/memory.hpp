/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Part of profcore.hpp: memory that an allocator hands out, by scope.
 *
 *     static profcore::memory counted("pool");         // before the first scope
 *
 *     void *block = pool_get(bytes);
 *     counted.allocated(block, bytes);
 *     …
 *     counted.freed(block);                            // before it can be handed out anew
 *     pool_put(block);
 */
#ifndef PROFCORE_MEMORY_HPP
#define PROFCORE_MEMORY_HPP

#include <profcore/memory.h>
#include <profcore/scope.hpp>

namespace profcore {

/* A kind of memory: see prof_memory_open().  The same name is the same kind, wherever it is made; it is there for good. */
class memory {
public:
    /* Counts nothing. */
    memory() noexcept : raw_(nullptr) {}

#if PROF_CPP_THROWS_
    explicit memory(const char *name) : raw_(nullptr)
    {
        error why;
        detail::check(prof_memory_open(name, &raw_, why.get()), why);
    }
#endif

    /* Without an exception: on failure it counts nothing. */
    memory(const char *name, error &why) noexcept : raw_(nullptr) { prof_memory_open(name, &raw_, why.get()); }

    /* As prof_memory_allocated() and prof_memory_freed(). */
    void allocated(const void *block, std::uint64_t bytes) noexcept { prof_memory_allocated(raw_, block, bytes); }
    std::uint64_t freed(const void *block) noexcept { return prof_memory_freed(raw_, block); }

    explicit operator bool() const noexcept { return raw_ != nullptr; }

private:
    prof_memory *raw_;
};

/* As prof_memory_mark(). */
inline void memory_mark() noexcept { prof_memory_mark(); }

/* As prof_memory_check(): PROF_E_LIMIT, and a text, where something has grown. */
inline prof_status memory_check(std::uint64_t iterations, error &why) noexcept { return prof_memory_check(iterations, why.get()); }

#if PROF_CPP_THROWS_
inline void memory_check(std::uint64_t iterations)
{
    error why;
    detail::check(memory_check(iterations, why), why);
}
#endif

} // namespace profcore

#endif
