/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a zip archive's directory: see shim_archive.hpp.
 *
 *     record, record, …  directory: entry, entry, …  [64-bit end, locator]  end
 *
 * The format is PKWARE's APPNOTE 6.3.  It is read from the end as libtorch's
 * reader does, and where two readers could see two directories the file is
 * refused.  Nothing is believed: every number is held against the file's
 * size before it is used.
 */
#include "shim_archive.hpp"

#include <algorithm>
#include <cerrno>
#include <cinttypes>

#include <unistd.h>

namespace profi_torch {

namespace {

const uint32_t end_mark = 0x06054b50, end64_mark = 0x06064b50, locator_mark = 0x07064b50, entry_mark = 0x02014b50;
const size_t end_bytes = 22, end64_bytes = 56, locator_bytes = 20, entry_bytes = 46, header_bytes = 30;
const size_t comment_bytes_most = 65535;
const uint64_t directory_bytes_most = 256u << 20;
/* What deflated records may hold, all together: so many bytes, and so many for each byte in the file. */
const uint64_t inflated_bytes_free = 4 << 20, inflation_most = 200;

uint64_t number(const unsigned char *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = bytes; i-- > 0;)
        value = value << 8 | at[i];
    return value;
}

prof_status read_at(int file, uint64_t offset, void *to, size_t bytes, const task &doing, prof_error *err)
{
    char *place = static_cast<char *>(to);
    while (bytes > 0) {
        const ssize_t got = pread(file, place, bytes, static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(err, PROF_E_IO, doing, "it cannot be read at byte %" PRIu64 " (error %d)", offset, errno);
        if (got == 0)
            return fail(err, PROF_E_FORMAT, doing, "the file became shorter while it was read");
        place += got;
        offset += static_cast<uint64_t>(got);
        bytes -= static_cast<size_t>(got);
    }
    return PROF_OK;
}

/* Where the directory lies. */
struct extent {
    uint64_t offset, bytes, count;
};

/* Finds the end record: the last mark in the file, as libtorch's reader does, and it must be a true one. */
prof_status end_find(int file, uint64_t file_bytes, std::vector<unsigned char> *tail, size_t *at, const task &doing,
                     prof_error *err)
{
    const uint64_t most = comment_bytes_most + end_bytes + locator_bytes;
    tail->resize(static_cast<size_t>(std::min(file_bytes, most)));
    if (prof_status status =
            read_at(file, file_bytes - tail->size(), tail->data(), tail->size(), doing, err))
        return status;
    for (size_t i = tail->size() < end_bytes ? 0 : tail->size() - end_bytes + 1; i-- > 0;) {
        if (number(&(*tail)[i], 4) != end_mark)
            continue;
        if (i + end_bytes + number(&(*tail)[i + 20], 2) != tail->size())
            break;
        *at = i;
        return PROF_OK;
    }
    return fail(err, PROF_E_FORMAT, doing, "it is truncated or damaged: a zip archive's end is missing");
}

/* Replaces what the end record says by the 64-bit one's, where there is one. */
prof_status extent64_read(int file, uint64_t end_offset, const unsigned char *locator, extent *directory,
                          const task &doing, prof_error *err)
{
    unsigned char end64[end64_bytes];
    const uint64_t offset = number(locator + 8, 8);
    if (end_offset < locator_bytes + end64_bytes || offset > end_offset - locator_bytes - end64_bytes)
        return fail(err, PROF_E_FORMAT, doing, "it is damaged: its 64-bit end record lies outside of it");
    if (prof_status status = read_at(file, offset, end64, sizeof(end64), doing, err))
        return status;
    if (number(end64, 4) != end64_mark)
        return fail(err, PROF_E_FORMAT, doing, "it is damaged: its 64-bit end record is missing");
    const extent wide = { number(end64 + 48, 8), number(end64 + 40, 8), number(end64 + 32, 8) };
    if ((directory->count != 0xffff && directory->count != wide.count) ||
        (directory->bytes != 0xffffffff && directory->bytes != wide.bytes) ||
        (directory->offset != 0xffffffff && directory->offset != wide.offset) || number(end64 + 24, 8) != wide.count)
        return fail(err, PROF_E_FORMAT, doing, "its two end records contradict each other");
    *directory = wide;
    return PROF_OK;
}

prof_status extent_read(int file, uint64_t file_bytes, extent *directory, const task &doing, prof_error *err)
{
    std::vector<unsigned char> tail;
    size_t at = 0;
    if (prof_status status = end_find(file, file_bytes, &tail, &at, doing, err))
        return status;
    const unsigned char *end = &tail[at];
    const uint64_t end_offset = file_bytes - tail.size() + at;
    *directory = { number(end + 16, 4), number(end + 12, 4), number(end + 10, 2) };
    if (number(end + 4, 2) != 0 || number(end + 6, 2) != 0 || number(end + 8, 2) != directory->count)
        return fail(err, PROF_E_FORMAT, doing, "it is damaged, or a part of an archive in several files");
    if (at >= locator_bytes && number(end - locator_bytes, 4) == locator_mark)
        if (prof_status status =
                extent64_read(file, end_offset, end - locator_bytes, directory, doing, err))
            return status;
    if (directory->offset > end_offset || directory->bytes > end_offset - directory->offset ||
        directory->bytes > directory_bytes_most || directory->count > directory->bytes / entry_bytes)
        return fail(err, PROF_E_FORMAT, doing,
                    "it is damaged: a directory of %" PRIu64 " records and %" PRIu64 " bytes does not fit into it",
                    directory->count, directory->bytes);
    return PROF_OK;
}

/* Takes what does not fit into 32 bits from an entry's extra field; false when it is malformed. */
bool extra_read(const unsigned char *extra, size_t extra_bytes, record *one)
{
    uint64_t *const wide[3] = { &one->bytes, &one->stored_bytes, &one->offset };
    while (extra_bytes >= 4) {
        const size_t length = static_cast<size_t>(number(extra + 2, 2));
        if (length > extra_bytes - 4)
            return false;
        if (number(extra, 2) == 1) {
            size_t used = 4;
            for (uint64_t *value : wide) {
                if (*value != 0xffffffff)
                    continue;
                if (used + 8 > length + 4)
                    return false;
                *value = number(extra + used, 8);
                used += 8;
            }
            return true;
        }
        extra += length + 4;
        extra_bytes -= length + 4;
    }
    return true;
}

/* A name that could lead out of the folder that a package is unpacked to, or that C and libtorch read differently. */
const char *name_fault(const std::string &name)
{
    if (name.empty() || name.find('\0') != std::string::npos)
        return "is empty or has a NUL byte";
    if (name[0] == '/' || name.find('\\') != std::string::npos)
        return "is absolute or has a backslash";
    const std::string slashed = "/" + name + "/";
    if (slashed.find("/../") != std::string::npos)
        return "leads upwards";
    return nullptr;
}

prof_status record_check(const record &one, int flags, int method, uint64_t data_end, const task &doing,
                         prof_error *err)
{
    if (const char *fault = name_fault(one.name))
        return fail(err, PROF_E_FORMAT, doing, "the name of its record '%.80s' %s", one.name.c_str(), fault);
    if ((flags & 1) != 0 || (method != 0 && method != 8))
        return fail(err, PROF_E_FORMAT, doing, "its record '%.80s' is encrypted, or compressed in a way unknown here",
                    one.name.c_str());
    if (one.offset > data_end || header_bytes + one.name.size() > data_end - one.offset ||
        one.stored_bytes > data_end - one.offset - header_bytes - one.name.size())
        return fail(err, PROF_E_FORMAT, doing, "it is damaged: its record '%.80s' claims %" PRIu64 " bytes at %" PRIu64,
                    one.name.c_str(), one.stored_bytes, one.offset);
    if (!one.is_deflated && one.bytes != one.stored_bytes)
        return fail(err, PROF_E_FORMAT, doing, "it is damaged: its record '%.80s' has %" PRIu64 " bytes and claims %" PRIu64,
                    one.name.c_str(), one.stored_bytes, one.bytes);
    return PROF_OK;
}

prof_status entry_read(const unsigned char *entry, size_t left, uint64_t data_end, record *one, size_t *used,
                       const task &doing, prof_error *err)
{
    if (left < entry_bytes || number(entry, 4) != entry_mark)
        return fail(err, PROF_E_FORMAT, doing, "it is damaged: its directory ends early");
    const size_t name_bytes = static_cast<size_t>(number(entry + 28, 2));
    const size_t extra_bytes = static_cast<size_t>(number(entry + 30, 2));
    *used = entry_bytes + name_bytes + extra_bytes + static_cast<size_t>(number(entry + 32, 2));
    if (*used > left)
        return fail(err, PROF_E_FORMAT, doing, "it is damaged: its directory ends early");
    const int method = static_cast<int>(number(entry + 10, 2));
    *one = { std::string(reinterpret_cast<const char *>(entry + entry_bytes), name_bytes), number(entry + 24, 4),
             number(entry + 20, 4), number(entry + 42, 4), method == 8 };
    if (!extra_read(entry + entry_bytes + name_bytes, extra_bytes, one))
        return fail(err, PROF_E_FORMAT, doing, "it is damaged: its record '%.80s' has a malformed extra field",
                    one->name.c_str());
    return record_check(*one, static_cast<int>(number(entry + 8, 2)), method, data_end, doing, err);
}

/* A small file that becomes a large one, be it by one record or by many. */
prof_status inflation_check(const std::vector<record> &records, const task &doing, prof_error *err)
{
    uint64_t bytes = 0, stored_bytes = 0; /* the latter fits, because each record lies in the file and none overlap */
    for (const record &one : records) {
        if (!one.is_deflated)
            continue;
        stored_bytes += one.stored_bytes;
        if (__builtin_add_overflow(bytes, one.bytes, &bytes))
            bytes = UINT64_MAX;
        if (bytes == UINT64_MAX)
            break;
    }
    if (bytes > inflated_bytes_free && (bytes - inflated_bytes_free) / inflation_most > stored_bytes)
        return fail(err, PROF_E_FORMAT, doing,
                    "its compressed records claim to grow from %" PRIu64 " to %" PRIu64 " bytes: more than 4 MiB and 200 times",
                    stored_bytes, bytes);
    return PROF_OK;
}

/* Records that share bytes are how a small file becomes a large one; equal names are how two readers see two files. */
prof_status overlap_check(const std::vector<record> &records, const task &doing, prof_error *err)
{
    std::vector<const record *> order;
    for (const record &one : records)
        order.push_back(&one);
    std::sort(order.begin(), order.end(), [](const record *a, const record *b) { return a->offset < b->offset; });
    for (size_t i = 1; i < order.size(); i++)
        if (order[i]->offset - order[i - 1]->offset < header_bytes + order[i - 1]->stored_bytes)
            return fail(err, PROF_E_FORMAT, doing, "its records '%.80s' and '%.80s' overlap",
                        order[i - 1]->name.c_str(), order[i]->name.c_str());
    std::sort(order.begin(), order.end(), [](const record *a, const record *b) { return a->name < b->name; });
    for (size_t i = 1; i < order.size(); i++)
        if (order[i]->name == order[i - 1]->name)
            return fail(err, PROF_E_FORMAT, doing, "it has two records '%.80s'", order[i]->name.c_str());
    return PROF_OK;
}

/*
 * Takes the folder that everything lies in off the names, and drops what lies
 * elsewhere, which libtorch does not find either.  Sorts for archive::find().
 */
void folder_take(archive *to)
{
    const size_t slash = to->records[0].name.find('/');
    if (slash != std::string::npos) {
        const std::string start = to->records[0].name.substr(0, slash + 1);
        std::vector<record> kept;
        for (record &one : to->records) {
            if (one.name.compare(0, start.size(), start) != 0)
                continue;
            one.name.erase(0, start.size());
            kept.push_back(std::move(one));
        }
        to->folder = start.substr(0, slash);
        to->records.swap(kept);
    }
    std::sort(to->records.begin(), to->records.end(), [](const record &a, const record &b) { return a.name < b.name; });
}

} // namespace

const record *archive::find(const std::string &name) const
{
    const auto found = std::lower_bound(records.begin(), records.end(), name,
                                        [](const record &one, const std::string &wanted) { return one.name < wanted; });
    return found != records.end() && found->name == name ? &*found : nullptr;
}

prof_status archive_read(int file, uint64_t file_bytes, archive *to, const task &doing, prof_error *err)
{
    extent directory = {};
    if (prof_status status = extent_read(file, file_bytes, &directory, doing, err))
        return status;
    std::vector<unsigned char> bytes(static_cast<size_t>(directory.bytes));
    if (prof_status status = read_at(file, directory.offset, bytes.data(), bytes.size(), doing, err))
        return status;
    archive found;
    size_t at = 0, used = 0;
    for (uint64_t i = 0; i < directory.count; i++, at += used) {
        record one;
        if (prof_status status =
                entry_read(bytes.data() + at, bytes.size() - at, directory.offset, &one, &used, doing, err))
            return status;
        found.records.push_back(std::move(one));
    }
    if (found.records.empty())
        return fail(err, PROF_E_FORMAT, doing, "it is an archive without records");
    if (prof_status status = overlap_check(found.records, doing, err))
        return status;
    if (prof_status status = inflation_check(found.records, doing, err))
        return status;
    folder_take(&found);
    *to = std::move(found);
    return PROF_OK;
}

} // namespace profi_torch
