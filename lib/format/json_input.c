/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of JSON from outside, found, decoded and checked: see json_input.h. */
#include "json_input.h"

#include "../base/error.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int profi_json_is_ok(const profi_json *json)
{
    return json->status == PROF_OK && !json->builder->out_of_memory;
}

void profi_json_fail(profi_json *json, const char *key, const char *problem)
{
    /* Where memory was spent nothing is found any more, and the file is not to blame. */
    if (profi_json_is_ok(json))
        json->status = profi_fail(json->err, PROF_E_FORMAT, "%.300s: %s%s %s", json->input->what, json->where, key,
                                  problem);
}

/* ---- walking ---- */

static const char *text_of(const profi_json *json, const profi_json_value *value)
{
    return (const char *)json->input->data + value->begin;
}

const profi_json_value *profi_json_next(profi_json *json, const profi_json_value *array, const profi_json_value *last)
{
    if (array == NULL || !profi_json_is_ok(json))
        return NULL;
    const profi_json_value *next = last != NULL ? last + last->next : array + 1;
    return next < array + array->next ? next : NULL;
}

const profi_json_value *profi_json_next_object(profi_json *json, const char *key, const profi_json_value *array,
                                               const profi_json_value *last, uint32_t *index)
{
    json->where[0] = '\0';
    *index = last != NULL ? *index + 1 : 0;
    const profi_json_value *next = profi_json_next(json, array, last);
    if (next == NULL)
        return NULL;
    snprintf(json->where, sizeof(json->where), "%s[%u]", key, (unsigned)*index);
    if (next->kind != PROFI_JSON_OBJECT) {
        profi_json_fail(json, "", "is not an object");
        return NULL;
    }
    strcat(json->where, ".");
    return next;
}

uint32_t profi_json_size(const profi_json_value *array)
{
    return array != NULL ? array->end : 0;
}

/* The value of a field that is neither missing nor null.  Two of one key may say two things, so neither counts. */
static const profi_json_value *find(profi_json *json, const profi_json_value *object, const char *key)
{
    const profi_json_value *found = NULL;
    size_t bytes = strlen(key);
    for (const profi_json_value *name = NULL; (name = profi_json_next(json, object, name)) != NULL;) {
        int is_it = name->end - name->begin == bytes && memcmp(text_of(json, name), key, bytes) == 0;
        name++; /* its value, behind which the next key stands */
        if (is_it && found != NULL)
            profi_json_fail(json, key, "is there twice");
        found = is_it ? name : found;
    }
    return found != NULL && found->kind != PROFI_JSON_NULL && json->status == PROF_OK ? found : NULL;
}

/* ---- numbers ---- */

/* A whole number, as a number or as text, without exponent, sign + or needless 0; sign and magnitude. */
static int to_integer(const profi_json *json, const profi_json_value *value, uint64_t *magnitude, int *is_negative)
{
    const char *at = text_of(json, value), *end = (const char *)json->input->data + value->end;
    if (value->kind != PROFI_JSON_NUMBER && value->kind != PROFI_JSON_TEXT)
        return 0;
    *magnitude = 0;
    *is_negative = at < end && *at == '-';
    at += *is_negative;
    if (at == end || (*at == '0' && end - at > 1))
        return 0;
    for (; at < end; at++)
        if (*at < '0' || *at > '9' || __builtin_mul_overflow(*magnitude, 10u, magnitude) ||
            __builtin_add_overflow(*magnitude, (uint64_t)(*at - '0'), magnitude))
            return 0;
    return 1;
}

int profi_json_to_count(profi_json *json, const char *key, const profi_json_value *value, uint64_t most, uint64_t *count)
{
    int is_negative = 0;
    uint64_t read = 0;
    if (value == NULL)
        return 0;
    if (!to_integer(json, value, &read, &is_negative))
        profi_json_fail(json, key, "is not a whole number of 64 bits");
    else if (is_negative && read != 0)
        profi_json_fail(json, key, "is negative");
    else if (read > most)
        profi_json_fail(json, key, "is out of range");
    else
        *count = read;
    return json->status == PROF_OK;
}

int profi_json_count(profi_json *json, const profi_json_value *object, const char *key, uint64_t most, uint64_t *count)
{
    return profi_json_to_count(json, key, find(json, object, key), most, count);
}

void profi_json_need_count(profi_json *json, const profi_json_value *object, const char *key, uint64_t *count)
{
    if (!profi_json_count(json, object, key, UINT64_MAX, count))
        profi_json_fail(json, key, "is missing");
}

int profi_json_signed(profi_json *json, const profi_json_value *object, const char *key, int64_t *number)
{
    uint64_t magnitude = 0;
    int is_negative = 0;
    const profi_json_value *value = find(json, object, key);
    if (value == NULL)
        return 0;
    if (!to_integer(json, value, &magnitude, &is_negative) || magnitude > (uint64_t)INT64_MAX) {
        profi_json_fail(json, key, "is not a whole number of 64 bits");
        return 0;
    }
    *number = is_negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return 1;
}

/* In the C locale, which the table of readers sees to. */
int profi_json_real(profi_json *json, const profi_json_value *object, const char *key, double *number)
{
    char text[64];
    const profi_json_value *value = find(json, object, key);
    if (value == NULL)
        return 0;
    size_t bytes = value->end - value->begin;
    if (value->kind != PROFI_JSON_NUMBER || bytes >= sizeof(text)) {
        profi_json_fail(json, key, "is not a number");
        return 0;
    }
    memcpy(text, text_of(json, value), bytes);
    text[bytes] = '\0';
    double read = strtod(text, NULL);
    if (!isfinite(read)) {
        profi_json_fail(json, key, "is out of range");
        return 0;
    }
    *number = read;
    return 1;
}

int profi_json_bool(profi_json *json, const profi_json_value *object, const char *key, int *yes)
{
    const profi_json_value *value = find(json, object, key);
    if (value == NULL)
        return 0;
    if (value->kind != PROFI_JSON_BOOL) {
        profi_json_fail(json, key, "is neither true nor false");
        return 0;
    }
    *yes = *text_of(json, value) == 't';
    return 1;
}

/* ---- text ---- */

static uint32_t hex4(const char *digits)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)digits[i];
        value = value << 4 | (c <= '9' ? c - (unsigned)'0' : (c | 0x20u) - 'a' + 10u);
    }
    return value;
}

/* Any number below 2^21 in the form of UTF-8; half a pair of surrogates comes out as what cleaning escapes. */
static char *put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xc0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3f));
    } else {
        if (c < 0x10000) {
            *out++ = (char)(0xe0 | c >> 12);
        } else {
            *out++ = (char)(0xf0 | c >> 18);
            *out++ = (char)(0x80 | (c >> 12 & 0x3f));
        }
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    return out;
}

/* Takes an escape, checked before, from behind its backslash; a character is never longer than its escape. */
static const char *unescape(const char *at, const char *end, char **out)
{
    static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    if (*at != 'u') {
        const char *letter = strchr(letters, *at);
        *(*out)++ = letter != NULL ? meanings[letter - letters] : *at;
        return at + 1;
    }
    uint32_t c = hex4(at + 1), low;
    at += 5;
    if (c >= 0xd800 && c < 0xdc00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u' &&
        (low = hex4(at + 2)) >= 0xdc00 && low < 0xe000) {
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
    }
    *out = put_utf8(*out, c);
    return at;
}

static const char *intern(profi_json *json, const char *text, size_t bytes)
{
    const char *kept = profi_texts_add_clean(&json->builder->snapshot->texts, text, bytes);
    json->builder->out_of_memory |= kept == NULL;
    return kept;
}

const char *profi_json_text(profi_json *json, const profi_json_value *object, const char *key)
{
    const profi_json_value *value = find(json, object, key);
    if (value == NULL)
        return NULL;
    if (value->kind != PROFI_JSON_TEXT) {
        profi_json_fail(json, key, "is not text");
        return NULL;
    }
    const char *at = text_of(json, value), *end = (const char *)json->input->data + value->end;
    size_t bytes = (size_t)(end - at);
    if (bytes == 0 || memchr(at, '\\', bytes) == NULL)
        return intern(json, at, bytes);
    char *plain = malloc(bytes), *out = plain;
    json->builder->out_of_memory |= plain == NULL;
    while (plain != NULL && at < end) {
        if (*at == '\\')
            at = unescape(at + 1, end, &out);
        else
            *out++ = *at++;
    }
    const char *kept = plain != NULL ? intern(json, plain, (size_t)(out - plain)) : NULL;
    free(plain);
    return kept;
}

int profi_json_is_text(profi_json *json, const profi_json_value *object, const char *key, const char *text)
{
    const profi_json_value *value = find(json, object, key);
    return value != NULL && value->kind == PROFI_JSON_TEXT && value->end - value->begin == strlen(text) &&
           memcmp(text_of(json, value), text, strlen(text)) == 0;
}

const char *profi_json_reason(profi_json *json, const char *key)
{
    return profi_json_text(json, json->reasons, key);
}

/* ---- arrays and objects ---- */

static const profi_json_value *find_nested(profi_json *json, const profi_json_value *object, const char *key,
                                           profi_json_kind kind)
{
    const profi_json_value *value = find(json, object, key);
    if (value == NULL || value->kind == (uint32_t)kind)
        return value;
    profi_json_fail(json, key, kind == PROFI_JSON_ARRAY ? "is not an array" : "is not an object");
    return NULL;
}

const profi_json_value *profi_json_object(profi_json *json, const profi_json_value *object, const char *key)
{
    return find_nested(json, object, key, PROFI_JSON_OBJECT);
}

const profi_json_value *profi_json_array(profi_json *json, const profi_json_value *object, const char *key)
{
    return find_nested(json, object, key, PROFI_JSON_ARRAY);
}
