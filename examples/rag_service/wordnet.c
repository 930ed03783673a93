/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents from WordNet's data files; the choice is in documents.h.
 *
 * A line of a data file is a sense (the licence in front is indented):
 *
 *     00019731 00 s 02 handy 0 ready_to_hand(p) 0 002 … | easy to reach; "found a handy spot …"
 *                   |  \__ words, each with a number    \__ definition      \__ examples
 *                   \_ how many words, hexadecimal
 */
#include "documents.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vocab.h"

#define DEFAULT_FOLDER "/usr/share/wordnet"
#define FILE_LIMIT_BYTES ((size_t)256 << 20)
#define LINE_LIMIT_BYTES ((size_t)1 << 16)

static const char *const parts_of_speech[] = { "noun", "verb", "adj", "adv" };
enum { FILE_COUNT = sizeof parts_of_speech / sizeof *parts_of_speech };

typedef struct data_file {
    char path[PATH_MAX];
    char *text;
    size_t bytes;
} data_file;

/* What is chosen, while the senses are counted through. */
typedef struct choice {
    size_t sense, sense_count; /* passed so far, and in all */
    size_t wanted;
    documents *read;
} choice;

static prof_status malformed(const data_file *file, size_t line, const char *what, prof_error *err)
{
    return vocab_fail(err, PROF_E_FORMAT, "%s, line %zu: not a line of WordNet: %s", file->path, line, what);
}

/* Steps over the next blank; returns NULL where there is none. */
static char *after_blank(char *at)
{
    char *const blank = strchr(at, ' ');
    return blank != NULL ? blank + 1 : NULL;
}

/* Appends "handy, ready to hand" to `document`; returns its length, or 0 when the line is malformed. */
static size_t put_words(char *document, char *line)
{
    char *at = line;
    for (int field = 0; field < 3 && at != NULL; field++)
        at = after_blank(at);
    const unsigned long count = at != NULL ? strtoul(at, NULL, 16) : 0;
    size_t length = 0;
    at = at != NULL ? after_blank(at) : NULL;
    for (unsigned long i = 0; i < count && at != NULL; i++) {
        size_t bytes = strcspn(at, " ");
        const char *const marker = memchr(at, '(', bytes); /* of adjectives: "(p)" */
        const size_t shown = marker != NULL ? (size_t)(marker - at) : bytes;
        length += (size_t)sprintf(document + length, "%s%.*s", i > 0 ? ", " : "", (int)shown, at);
        at = after_blank(at);
        at = at != NULL ? after_blank(at) : NULL;
    }
    for (size_t i = 0; i < length; i++)
        if (document[i] == '_')
            document[i] = ' ';
    return at != NULL ? length : 0;
}

/* Splits "definition; "example"; …": ends the definition, returns the first example or NULL. */
static char *split_gloss(char *gloss)
{
    char *const quote = gloss[0] == '"' ? NULL : strstr(gloss, "; \"");
    if (quote == NULL)
        return NULL;
    *quote = '\0';
    char *const example = quote + 3, *const end = strchr(example, '"');
    if (end != NULL)
        *end = '\0';
    return example;
}

static prof_status add_question(documents *read, const char *example, const char *where, prof_error *err)
{
    int added = 0;
    const prof_status status = text_list_add(&read->questions, example, strlen(example), where, &added, err);
    if (status == PROF_OK && added)
        read->answers[read->questions.count - 1] = read->passages.count - 1;
    return status;
}

static prof_status add_sense(const data_file *file, size_t number, char *line, documents *read, prof_error *err)
{
    char document[2 * LINE_LIMIT_BYTES], where[PATH_MAX + 40];
    char *const gloss = strstr(line, " | ");
    if (gloss == NULL)
        return malformed(file, number, "it has no definition", err);
    *gloss = '\0';
    const size_t words = put_words(document, line);
    if (words == 0)
        return malformed(file, number, "its words do not match their count", err);
    char *const example = split_gloss(gloss + 3);
    const size_t bytes = words + (size_t)sprintf(document + words, ": %s", gloss + 3);
    snprintf(where, sizeof where, "%s, line %zu", file->path, number);
    const prof_status status = text_list_add(&read->passages, document, bytes, where, NULL, err);
    return status == PROF_OK && example != NULL ? add_question(read, example, where, err) : status;
}

/* Whether document number passages.count is this sense: floor(k N / n) == sense. */
static int is_chosen(const choice *c)
{
    return c->read->passages.count < c->wanted && c->read->passages.count * c->sense_count / c->wanted == c->sense;
}

/* Goes through the senses of a file; counts only where c->read is NULL. */
static prof_status walk(const data_file *file, choice *c, prof_error *err)
{
    char line[LINE_LIMIT_BYTES];
    size_t number = 0;
    for (const char *at = file->text, *end = at + file->bytes; at < end;) {
        const char *const newline = memchr(at, '\n', (size_t)(end - at));
        const size_t bytes = (size_t)((newline != NULL ? newline : end) - at);
        const char *const start = at;
        at += newline != NULL ? bytes + 1 : bytes;
        number++;
        if (bytes == 0 || start[0] == ' ')
            continue;
        if (bytes >= sizeof line || memchr(start, '\0', bytes) != NULL)
            return malformed(file, number, "it is too long, or holds a NUL", err);
        if (c->read != NULL && is_chosen(c)) {
            memcpy(line, start, bytes);
            line[bytes] = '\0';
            const prof_status status = add_sense(file, number, line, c->read, err);
            if (status != PROF_OK)
                return status;
        }
        c->sense++;
    }
    return PROF_OK;
}

static prof_status choose(const data_file *files, size_t count, documents *read, prof_error *err)
{
    PROF_FUNCTION();
    prof_status status = PROF_OK;
    choice counted = { 0 };
    for (int i = 0; i < FILE_COUNT && status == PROF_OK; i++)
        status = walk(&files[i], &counted, err);
    if (status == PROF_OK && counted.sense == 0)
        return vocab_fail(err, PROF_E_FORMAT, "%s and its like: there is no sense in them", files[0].path);
    choice chosen = { .sense_count = counted.sense, .wanted = count < counted.sense ? count : counted.sense,
                      .read = read };
    read->answers = calloc(chosen.wanted, sizeof *read->answers);
    if (read->answers == NULL)
        return vocab_fail(err, PROF_E_NO_MEMORY, "no memory for %zu documents", chosen.wanted);
    for (int i = 0; i < FILE_COUNT && status == PROF_OK; i++)
        status = walk(&files[i], &chosen, err);
    PROF_ITEMS_UNIT(read->passages.count, "documents");
    return status;
}

static prof_status read_files(const char *folder, data_file *files, prof_error *err)
{
    PROF_FUNCTION();
    for (int i = 0; i < FILE_COUNT; i++) {
        data_file *const file = &files[i];
        if ((size_t)snprintf(file->path, sizeof file->path, "%s/data.%s", folder, parts_of_speech[i]) >=
            sizeof file->path)
            return vocab_fail(err, PROF_E_LIMIT, "%.200s: the path is too long", folder);
        prof_error why = PROF_ERROR_INIT;
        const prof_status status = vocab_read_file(file->path, FILE_LIMIT_BYTES, &file->text, &file->bytes, &why);
        if (status != PROF_OK)
            return vocab_fail(err, status,
                              "%s (install WordNet, package wordnet-base, or name documents with --documents)",
                              why.message);
        PROF_ITEMS_UNIT(file->bytes, "bytes");
    }
    return PROF_OK;
}

prof_status documents_read_wordnet(const char *folder, size_t count, documents *read, prof_error *err)
{
    data_file *const files = calloc(FILE_COUNT, sizeof *files);
    if (files == NULL)
        return vocab_fail(err, PROF_E_NO_MEMORY, "no memory to read WordNet");
    if (folder == NULL)
        folder = getenv("WNSEARCHDIR"); /* WordNet's own name for it */
    prof_status status = read_files(folder != NULL && folder[0] != '\0' ? folder : DEFAULT_FOLDER, files, err);
    if (status == PROF_OK)
        status = choose(files, count, read, err);
    for (int i = 0; i < FILE_COUNT; i++)
        free(files[i].text);
    free(files);
    if (status != PROF_OK)
        documents_fini(read);
    return status;
}
