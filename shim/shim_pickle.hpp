/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judges the pickled part of a TorchScript file: whether its tensors lie
 * within the records that they claim to be in, and nesting is bounded.
 *
 * libtorch makes a tensor of any size over a record of any size, and frees
 * what is nested by recursion.
 */
#ifndef SHIM_PICKLE_HPP
#define SHIM_PICKLE_HPP

#include "shim_archive.hpp"

namespace profi_torch {

/*
 *   data      The content of `name`, such as "data.pkl"; its tensors' records
 *             lie in the folder that is called so without ".pkl".
 *   returns   PROF_OK; PROF_E_FORMAT.  Throws std::bad_alloc.
 *   memory    80 MiB, and some 300 times what the record takes in the file, at
 *             most; of what TorchScript writes, a few times data_bytes.
 */
prof_status pickle_check(const archive &contents, const char *name, const void *data, size_t data_bytes,
                         const task &doing, prof_error *err);

} // namespace profi_torch

#endif
