/* SPDX-License-Identifier: Apache-2.0 */
/* For checked builds: the handles that are open, and the last ones that were closed.  See shim_lifetime.hpp. */
#include "shim_lifetime.hpp"

#include <array>
#include <cstdio>
#include <mutex>
#include <new>
#include <unordered_map>

namespace {

struct entry {
    const char *what;
    bool is_open;
};

/* Never destroyed: handles may be closed by the last destructors of a program. */
struct registry {
    std::mutex lock;
    std::unordered_map<const void *, entry> handles;
    std::array<void *, 8192> kept = {}; /* memory of the last that were closed, in turn */
    size_t next = 0;
};

registry &all()
{
    static registry &only = *new registry;
    return only;
}

/* "the model has been closed"; NULL where it is open. */
const char *problem_of(const void *handle, const char **what)
{
    const std::lock_guard<std::mutex> locked(all().lock);
    const auto found = all().handles.find(handle);
    *what = found != all().handles.end() ? found->second.what : "the handle";
    if (found == all().handles.end())
        return "is none that this library has given out, or was closed long ago";
    return found->second.is_open ? nullptr : "has been closed";
}

} // namespace

namespace profi_torch {

void handle_opened(const void *handle, const char *what)
{
    const std::lock_guard<std::mutex> locked(all().lock);
    all().handles[handle] = { what, true };
}

void handle_closed(const void *handle) noexcept
{
    const std::lock_guard<std::mutex> locked(all().lock);
    const auto found = all().handles.find(handle);
    if (found != all().handles.end())
        found->second.is_open = false;
}

bool handle_is_open(const void *handle) noexcept
{
    const char *what;
    return handle == nullptr || problem_of(handle, &what) == nullptr;
}

prof_status handle_check(const void *handle, const task &doing, prof_error *err) noexcept
{
    const char *what, *problem = handle != nullptr ? problem_of(handle, &what) : nullptr;
    return problem == nullptr ? static_cast<prof_status>(PROF_OK) : fail(err, PROF_E_INVALID, doing, "%s %s", what, problem);
}

bool handle_check_aloud(const void *handle, const char *function) noexcept
{
    const char *what, *problem = handle != nullptr ? problem_of(handle, &what) : nullptr;
    if (problem != nullptr)
        std::fprintf(stderr, "profcore: %s: %s %s\n", function, what, problem);
    return problem == nullptr;
}

void handle_memory_free(void *memory) noexcept
{
    void *oldest;
    {
        const std::lock_guard<std::mutex> locked(all().lock);
        oldest = all().kept[all().next];
        all().kept[all().next] = memory;
        all().next = (all().next + 1) % all().kept.size();
        if (oldest != nullptr)
            all().handles.erase(oldest);
    }
    ::operator delete(oldest);
}

} // namespace profi_torch
