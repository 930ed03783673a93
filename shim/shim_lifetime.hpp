/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a handle that a caller gives is open: known in builds that check it
 * (PROFI_CHECK_LIFETIMES: debug and sanitized ones), and taken for granted in
 * all others, where nothing of this is left.
 *
 * A checked build keeps the last thousands of closed handles from being given
 * out anew, so that a closed one is told from its successor.
 */
#ifndef SHIM_LIFETIME_HPP
#define SHIM_LIFETIME_HPP

#include "shim_error.hpp"

#include <cstddef>
#include <new>

namespace profi_torch {

#ifdef PROFI_CHECK_LIFETIMES

const bool checks_lifetimes = true;

/* Notes that a handle is open from now on; `what` is how messages call it, such as "the model". */
void handle_opened(const void *handle, const char *what);

/* Notes that it is closed, when its object ends. */
void handle_closed(const void *handle) noexcept;

/* Whether it may be used; NULL may, since that is refused where it must be. */
bool handle_is_open(const void *handle) noexcept;

/* The same, with a message where not. */
prof_status handle_check(const void *handle, const task &doing, prof_error *err) noexcept;

/* The same for functions that return no status: they say it on stderr. */
bool handle_check_aloud(const void *handle, const char *function) noexcept;

/* The memory of a handle whose object has ended. */
void handle_memory_free(void *memory) noexcept;

#define PROFI_HANDLE_MEMORY                                                              \
    static void *operator new(std::size_t bytes) { return ::operator new(bytes); }       \
    static void operator delete(void *memory) { profi_torch::handle_memory_free(memory); }

#else

const bool checks_lifetimes = false;
inline void handle_opened(const void *, const char *) {}
inline void handle_closed(const void *) noexcept {}
inline bool handle_is_open(const void *) noexcept { return true; }
inline prof_status handle_check(const void *, const task &, prof_error *) noexcept { return PROF_OK; }
inline bool handle_check_aloud(const void *, const char *) noexcept { return true; }

#define PROFI_HANDLE_MEMORY

#endif

} // namespace profi_torch

#endif
