/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ground of both tokenisers: see vocab.h.
 *
 * The hash is FNV-1a, folded byte by byte, so that a tokeniser that tries
 * ever longer texts pays for each byte once.  Files come from anywhere: a
 * table is never more than half full, and a text that finds too many slots
 * taken is refused, so that no file can make filling it slow.
 */
#include "vocab.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Chance reaches about 100 in a table half full. */
#define PROBE_LIMIT 1000

prof_status vocab_fail(prof_error *err, prof_status status, const char *format, ...)
{
    va_list arguments;
    if (err == NULL)
        return status;
    err->status = status;
    va_start(arguments, format);
    vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    /* A path, or a parser that quotes its input, may bring in anything. */
    for (char *at = err->message; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    return status;
}

/* ------------------------------------------------------------------------
 * Files
 */

static prof_status read_all(int file, const char *path, char *text, size_t bytes, prof_error *err)
{
    for (size_t done = 0; done < bytes;) {
        const ssize_t got = read(file, text + done, bytes - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return vocab_fail(err, PROF_E_IO, "%s: cannot be read: %s", path, strerror(errno));
        if (got == 0)
            return vocab_fail(err, PROF_E_IO, "%s: became shorter while it was read", path);
        done += (size_t)got;
    }
    text[bytes] = '\0';
    return PROF_OK;
}

static prof_status read_open(int file, const char *path, size_t limit_bytes, char **text, size_t *text_bytes,
                             prof_error *err)
{
    struct stat status;
    if (fstat(file, &status) != 0)
        return vocab_fail(err, PROF_E_IO, "%s: cannot be read: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return vocab_fail(err, PROF_E_IO, "%s: is not a regular file", path);
    if (status.st_size == 0)
        return vocab_fail(err, PROF_E_FORMAT, "%s: is empty", path);
    if ((uint64_t)status.st_size > limit_bytes)
        return vocab_fail(err, PROF_E_FORMAT, "%s: has %lld bytes, more than the %zu that such a file may have", path,
                          (long long)status.st_size, limit_bytes);
    const size_t bytes = (size_t)status.st_size;
    char *const read_text = malloc(bytes + 1);
    if (read_text == NULL)
        return vocab_fail(err, PROF_E_NO_MEMORY, "%s: no memory for its %zu bytes", path, bytes);
    const prof_status result = read_all(file, path, read_text, bytes, err);
    if (result != PROF_OK) {
        free(read_text);
        return result;
    }
    *text = read_text;
    *text_bytes = bytes;
    return PROF_OK;
}

prof_status vocab_read_file(const char *path, size_t limit_bytes, char **text, size_t *text_bytes, prof_error *err)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us up */
    if (file < 0)
        return vocab_fail(err, PROF_E_IO, "%s: cannot be opened: %s", path, strerror(errno));
    const prof_status result = read_open(file, path, limit_bytes, text, text_bytes, err);
    close(file);
    return result;
}

/* ------------------------------------------------------------------------
 * The table
 */

prof_status vocab_init(vocab *table, char *text, uint32_t count)
{
    uint32_t slot_count = 16;
    while (slot_count < 2 * count)
        slot_count *= 2;
    *table = (vocab){ .text = text, .slot_mask = slot_count - 1, .count = count };
    table->entries = calloc(count, sizeof *table->entries);
    table->slots = calloc(slot_count, sizeof *table->slots);
    if (table->entries != NULL && table->slots != NULL)
        return PROF_OK;
    vocab_fini(table);
    return PROF_E_NO_MEMORY;
}

void vocab_fini(vocab *table)
{
    free(table->text);
    free(table->entries);
    free(table->slots);
    *table = (vocab){ 0 };
}

static int is_entry(const vocab *table, uint32_t id, const char *text, size_t bytes)
{
    return table->entries[id].bytes == bytes && memcmp(table->text + table->entries[id].start, text, bytes) == 0;
}

/* The low bits of FNV-1a mix badly; the high ones are folded in. */
static uint32_t first_slot(const vocab *table, uint64_t hash)
{
    return (uint32_t)(hash ^ hash >> 32) & table->slot_mask;
}

static uint64_t hash_of(const char *text, size_t bytes)
{
    uint64_t hash = VOCAB_HASH_START;
    for (size_t i = 0; i < bytes; i++)
        hash = vocab_hash(hash, (unsigned char)text[i]);
    return hash;
}

prof_status vocab_add(vocab *table, uint32_t id, uint32_t start, uint32_t bytes)
{
    const char *const text = table->text + start;
    uint32_t slot = first_slot(table, hash_of(text, bytes));
    for (uint32_t probes = 0; table->slots[slot] != 0; slot = (slot + 1) & table->slot_mask) {
        if (is_entry(table, table->slots[slot] - 1, text, bytes))
            return PROF_E_INVALID;
        if (++probes == PROBE_LIMIT)
            return PROF_E_LIMIT;
    }
    table->slots[slot] = id + 1;
    table->entries[id] = (vocab_entry){ start, bytes };
    if (bytes > table->longest)
        table->longest = bytes;
    return PROF_OK;
}

uint32_t vocab_find_hashed(const vocab *table, const char *text, size_t bytes, uint64_t hash)
{
    for (uint32_t slot = first_slot(table, hash); table->slots[slot] != 0; slot = (slot + 1) & table->slot_mask)
        if (is_entry(table, table->slots[slot] - 1, text, bytes))
            return table->slots[slot] - 1;
    return VOCAB_NONE;
}

uint32_t vocab_find(const vocab *table, const char *text, size_t bytes)
{
    return vocab_find_hashed(table, text, bytes, hash_of(text, bytes));
}

void vocab_put(vocab_sink *sink, const char *piece, size_t bytes)
{
    if (sink->length + bytes < sink->capacity) {
        memcpy(sink->text + sink->length, piece, bytes);
        sink->kept = sink->length + bytes;
    }
    sink->length += bytes;
    if (sink->capacity > 0)
        sink->text[sink->kept] = '\0';
}
