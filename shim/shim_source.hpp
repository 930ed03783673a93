/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judges the code in a TorchScript file: whether libtorch, which parses,
 * compiles and frees it by recursion, can do so on a thread's usual stack.
 *
 * Of three things each is bounded, a tenth or less of what ends a thread with
 * a stack of 8 MiB and more than ten times what TorchScript itself writes:
 *
 *     the tokens of one expression      x + x + …, not not …, f(f(… , a.b.c …
 *     blocks in blocks                  by indentation, and by elif
 *     definitions that need each other  class A with an attribute of class B …
 */
#ifndef SHIM_SOURCE_HPP
#define SHIM_SOURCE_HPP

#include "shim_error.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace profi_torch {

class source_judge {
public:
    /*
     * Takes one record, such as "code/__torch__.py".
     *
     *   returns  PROF_OK; PROF_E_FORMAT.  Throws std::bad_alloc.
     *   memory   8 bytes for each dotted name in it, until the judge is gone.
     */
    prof_status add(const std::string &name, const void *data, size_t data_bytes, const task &doing, prof_error *err);

    /* To be called after the last record: judges what the records' definitions need of each other. */
    prof_status finish(const task &doing, prof_error *err);

private:
    friend class source_reader;

    /* A class or function at the start of a line; names are hashes: one met by chance only makes the judgement stricter. */
    struct definition {
        uint64_t name;
        size_t first, count; /* in needs_ */
    };

    std::vector<definition> definitions_;
    std::vector<uint64_t> needs_; /* every dotted name in a definition, and each that such a name begins with */
};

/* The same for the text of a type in a pickle, which libtorch parses as code: NULL when all is well, else what is wrong. */
const char *type_check(const char *text, size_t bytes);

} // namespace profi_torch

#endif
