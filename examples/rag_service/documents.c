/* SPDX-License-Identifier: Apache-2.0 */
/* Documents from a file or a folder: see documents.h. */
#include "documents.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vocab.h"

void documents_fini(documents *read)
{
    text_list_fini(&read->passages);
    text_list_fini(&read->questions);
    free(read->answers);
    *read = (documents){ 0 };
}

/* Returns the bytes up to the end of the line, and steps over it. */
static size_t take_line(const char *text, size_t bytes, size_t *next)
{
    const char *const end = memchr(text, '\n', bytes);
    *next = end != NULL ? (size_t)(end - text) + 1 : bytes;
    return end != NULL ? (size_t)(end - text) : bytes;
}

static int is_blank(const char *line, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
            return 0;
    return 1;
}

/* Returns the bytes up to the next empty line, or to the end; counts the lines that it steps over. */
static size_t take_paragraph(const char *text, size_t bytes, size_t *next, size_t *lines)
{
    size_t at = 0;
    while (at < bytes) {
        size_t step;
        const size_t line = take_line(text + at, bytes - at, &step);
        ++*lines;
        *next = at + step;
        if (is_blank(text + at, line))
            return at;
        at += step;
    }
    return bytes;
}

/* How a document ends. */
enum unit { LINE, PARAGRAPH };

static prof_status split(const char *path, const char *text, size_t bytes, enum unit unit, documents *read,
                         prof_error *err)
{
    PROF_FUNCTION();
    const size_t before = read->passages.count;
    size_t at = bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* a byte-order mark */
    for (size_t line = 1; at < bytes;) {
        char where[PATH_MAX + 40];
        size_t step = 0, lines = 1;
        snprintf(where, sizeof where, "%s, line %zu", path, line);
        if (unit == PARAGRAPH)
            lines = 0;
        const size_t length = unit == LINE ? take_line(text + at, bytes - at, &step)
                                           : take_paragraph(text + at, bytes - at, &step, &lines);
        const prof_status status = text_list_add(&read->passages, text + at, length, where, NULL, err);
        if (status != PROF_OK)
            return status;
        at += step;
        line += lines;
    }
    PROF_ITEMS_UNIT(read->passages.count - before, "documents");
    return PROF_OK;
}

static prof_status read_file(const char *path, enum unit unit, documents *read, prof_error *err)
{
    char *text = NULL;
    size_t bytes = 0;
    prof_status status = PROF_OK;
    PROF_SCOPE("read_file") {
        status = vocab_read_file(path, TEXT_LIST_LIMIT_BYTES, &text, &bytes, err);
        PROF_ITEMS_UNIT(bytes, "bytes");
    }
    if (status == PROF_OK)
        status = split(path, text, bytes, unit, read, err);
    free(text);
    return status;
}

/* Files to read in a folder, for scandir(). */
static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* the same order in every locale */
}

static prof_status read_entry(const char *folder, const char *name, documents *read, prof_error *err)
{
    char path[PATH_MAX];
    struct stat found;
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path)
        return vocab_fail(err, PROF_E_LIMIT, "%.200s/%s: the path is too long", folder, name);
    if (stat(path, &found) != 0)
        return vocab_fail(err, PROF_E_IO, "%s: cannot be read: %s", path, strerror(errno));
    if (!S_ISREG(found.st_mode) || found.st_size == 0)
        return PROF_OK;
    return read_file(path, PARAGRAPH, read, err);
}

static prof_status read_folder(const char *folder, documents *read, prof_error *err)
{
    struct dirent **entries;
    const int count = scandir(folder, &entries, is_visible, by_bytes);
    if (count < 0)
        return vocab_fail(err, PROF_E_IO, "%s: cannot be read: %s", folder, strerror(errno));
    prof_status status = PROF_OK;
    for (int i = 0; i < count; i++) {
        if (status == PROF_OK)
            status = read_entry(folder, entries[i]->d_name, read, err);
        free(entries[i]);
    }
    free(entries);
    return status;
}

prof_status documents_read(const char *path, documents *read, prof_error *err)
{
    struct stat found;
    if (stat(path, &found) != 0)
        return vocab_fail(err, errno == ENOENT ? PROF_E_NOT_FOUND : PROF_E_IO, "documents: %s: %s", path,
                          strerror(errno));
    prof_status status = S_ISDIR(found.st_mode) ? read_folder(path, read, err) : read_file(path, LINE, read, err);
    if (status == PROF_OK && read->passages.count == 0)
        status = vocab_fail(err, PROF_E_FORMAT, "documents: %s: there is no document in it", path);
    if (status != PROF_OK)
        documents_fini(read);
    return status;
}
