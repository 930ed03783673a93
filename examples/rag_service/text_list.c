/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of texts: see text_list.h. */
#include "text_list.h"

#include <stdlib.h>
#include <string.h>

#include <unicode/utf8.h>

#include "vocab.h"

void text_list_fini(text_list *list)
{
    free(list->text);
    free(list->starts);
    *list = (text_list){ 0 };
}

text_span text_list_at(const text_list *list, size_t number)
{
    const size_t start = list->starts[number];
    return (text_span){ list->text + start, list->starts[number + 1] - start - 1 };
}

static size_t text_bytes(const text_list *list)
{
    return list->count > 0 ? list->starts[list->count] : 0;
}

/* Makes room for one text more. */
static prof_status reserve(text_list *list, size_t bytes, const char *where, prof_error *err)
{
    const size_t needed = text_bytes(list) + bytes + 1;
    if (needed > TEXT_LIST_LIMIT_BYTES || list->count == TEXT_LIST_LIMIT_COUNT)
        return vocab_fail(err, PROF_E_LIMIT, "%s: more than %zu texts, or %zu MiB of them", where,
                          TEXT_LIST_LIMIT_COUNT, TEXT_LIST_LIMIT_BYTES >> 20);
    if (list->count + 2 > list->room) {
        const size_t room = list->room > 0 ? 2 * list->room : 64;
        size_t *const starts = realloc(list->starts, room * sizeof *starts);
        if (starts == NULL)
            return vocab_fail(err, PROF_E_NO_MEMORY, "%s: no memory for %zu texts", where, room);
        list->starts = starts;
        list->room = room;
        starts[0] = 0;
    }
    if (needed > list->text_room) {
        const size_t room = 2 * needed;
        char *const text = realloc(list->text, room);
        if (text == NULL)
            return vocab_fail(err, PROF_E_NO_MEMORY, "%s: no memory for %zu bytes of text", where, room);
        list->text = text;
        list->text_room = room;
    }
    return PROF_OK;
}

static prof_status check(const char *text, size_t bytes, const char *where, prof_error *err)
{
    if (bytes > TEXT_LIMIT_BYTES)
        return vocab_fail(err, PROF_E_LIMIT, "%s: a text of %zu bytes; at most %zu are allowed", where, bytes,
                          TEXT_LIMIT_BYTES);
    for (size_t at = 0; at < bytes;) {
        const size_t start = at;
        UChar32 c;
        U8_NEXT(text, at, bytes, c);
        if (c < 0)
            return vocab_fail(err, PROF_E_FORMAT, "%s: not UTF-8 at byte %zu (0x%02x)", where, start + 1,
                              (unsigned char)text[start]);
        if (c == 0)
            return vocab_fail(err, PROF_E_FORMAT, "%s: a NUL at byte %zu; not a text file?", where, start + 1);
    }
    return PROF_OK;
}

/* Returns the length of what was written: never more than `bytes`. */
static size_t clean(char *into, const char *text, size_t bytes)
{
    size_t length = 0;
    for (size_t i = 0; i < bytes; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c > ' ' && c != 0x7f)
            into[length++] = (char)c;
        else if (length > 0 && into[length - 1] != ' ')
            into[length++] = ' ';
    }
    return length > 0 && into[length - 1] == ' ' ? length - 1 : length;
}

prof_status text_list_add(text_list *list, const char *text, size_t bytes, const char *where, int *added,
                          prof_error *err)
{
    prof_status status = check(text, bytes, where, err);
    if (status == PROF_OK)
        status = reserve(list, bytes, where, err);
    if (status != PROF_OK)
        return status;
    const size_t start = text_bytes(list), length = clean(list->text + start, text, bytes);
    if (added != NULL)
        *added = length > 0;
    if (length == 0)
        return PROF_OK;
    list->text[start + length] = '\0';
    list->starts[list->count] = start;
    list->starts[++list->count] = start + length + 1;
    return PROF_OK;
}
