/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the shim fails: a status, and one line of text that says what was
 * being done, with which file, and why it did not work.
 *
 * Every public function runs its body through guarded(), so that no
 * exception leaves the library.  Nothing here allocates: it also reports
 * that memory is spent.
 */
#ifndef SHIM_ERROR_HPP
#define SHIM_ERROR_HPP

#include <profcore/prof.h>

#include <cstring>

namespace profi_torch {

/* What a public function is about to do: "cannot <verb> '<name>', method '<method>': …".  verb alone is enough. */
struct task {
    const char *verb;
    const char *name = nullptr;
    const char *method = nullptr;
};

/* Fills err (NULL is fine) and returns the status. */
[[gnu::format(printf, 4, 5)]] prof_status fail(prof_error *err, prof_status status, const task &doing,
                                               const char *format, ...) noexcept;

/* The same with a text of somebody else's, of any length. */
prof_status fail_text(prof_error *err, prof_status status, const task &doing, const char *reason) noexcept;

/*
 * The same for the exception that is being handled.  `status` is for those
 * that say nothing better: exhausted memory and missing operations do.
 */
prof_status fail_exception(prof_error *err, prof_status status, const task &doing) noexcept;

/* Runs body(), which returns a prof_status; what it throws becomes an error. */
template <class Body>
prof_status guarded(prof_error *err, prof_status status, const task &doing, Body &&body) noexcept
{
    try {
        return body();
    } catch (...) {
        return fail_exception(err, status, doing);
    }
}

/*
 * Fails where the libtorch that is loaded is not the version whose headers we
 * were built with, as in a program that was not linked with us; asks no GPU.
 * Before whatever hands libtorch an object of ours for good.  May throw.
 */
prof_status check_version(const task &doing, prof_error *err);

/* The size field of a caller's struct, checked; `smallest` is the size that the first version had. */
prof_status struct_size(const void *theirs, size_t smallest, const char *name, uint32_t *size, const task &doing,
                        prof_error *err) noexcept;

/*
 * Reads a size-prefixed struct: min(theirs, ours) bytes, the rest zero; a
 * larger one is refused only if what we do not know is not zero.
 */
template <class Struct>
prof_status struct_read(Struct *ours, const Struct *theirs, size_t smallest, const char *name, const task &doing,
                        prof_error *err) noexcept
{
    uint32_t size;
    if (prof_status status = struct_size(theirs, smallest, name, &size, doing, err))
        return status;
    for (size_t i = sizeof(Struct); i < size; i++)
        if (reinterpret_cast<const unsigned char *>(theirs)[i] != 0)
            return fail(err, PROF_E_INVALID, doing, "%s has a field at byte %zu that this version does not know", name,
                        i);
    *ours = Struct();
    std::memcpy(static_cast<void *>(ours), theirs, size < sizeof(Struct) ? size : sizeof(Struct));
    return PROF_OK;
}

/* Writes ours into the caller's struct, as much as it has room for; its size field stays. */
template <class Struct>
prof_status struct_write(Struct *theirs, const Struct &ours, size_t smallest, const char *name, const task &doing,
                         prof_error *err) noexcept
{
    uint32_t size;
    if (prof_status status = struct_size(theirs, smallest, name, &size, doing, err))
        return status;
    const size_t copied = size < sizeof(Struct) ? size : sizeof(Struct);
    char *to = reinterpret_cast<char *>(theirs);
    std::memset(to + sizeof(size), 0, size - sizeof(size));
    std::memcpy(to + sizeof(size), reinterpret_cast<const char *>(&ours) + sizeof(size), copied - sizeof(size));
    return PROF_OK;
}

} // namespace profi_torch

#endif
