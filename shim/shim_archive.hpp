/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model file's table of contents, read and judged before libtorch sees the
 * file.
 *
 * Model files are zip archives.  libtorch believes what their directory says:
 * sizes it then allocates, names it then writes to.  What comes from here has
 * been held against the file itself.
 */
#ifndef SHIM_ARCHIVE_HPP
#define SHIM_ARCHIVE_HPP

#include "shim_error.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace profi_torch {

struct record {
    std::string name;      /* below the folder that everything is in */
    uint64_t bytes;        /* its content's */
    uint64_t stored_bytes; /* in the file */
    uint64_t offset;       /* of its header in the file */
    bool is_deflated;
};

struct archive {
    std::string folder; /* what libtorch calls the archive's name */
    std::vector<record> records; /* of this folder, sorted by name */

    const record *find(const std::string &name) const;
};

/*
 * Reads the directory of an open file.
 *
 *   returns  PROF_OK; PROF_E_FORMAT: not a zip archive, damaged, or such that
 *            libtorch would misbehave with it: the message says what;
 *            PROF_E_IO.  Throws std::bad_alloc.
 *   memory   In proportion to the directory, which is a part of the file.
 */
prof_status archive_read(int file, uint64_t file_bytes, archive *to, const task &doing, prof_error *err);

} // namespace profi_torch

#endif
