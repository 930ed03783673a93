/* SPDX-License-Identifier: Apache-2.0 */
/* The scanner of Python's marshal format: see marshal.h. */
#include "marshal.h"

#include "../base/array.h"
#include "../base/error.h"

#include <stdlib.h>
#include <string.h>

enum { FLAG_REF = 0x80 };

int profi_marshal_begins_with_dict(const unsigned char *data, size_t bytes)
{
    int second = bytes >= 2 ? data[1] & ~FLAG_REF : 0;
    return bytes >= 2 && (data[0] & ~FLAG_REF) == '{' && (second == '(' || second == ')' || data[1] == '0');
}

void profi_marshal_init(profi_marshal *marshal, const unsigned char *data, size_t bytes, const char *what)
{
    *marshal = (profi_marshal){ .data = data, .bytes = bytes, .what = what };
}

void profi_marshal_fini(profi_marshal *marshal)
{
    free(marshal->named);
    free(marshal->flagged.numbers);
    free(marshal->interned.numbers);
    *marshal = (profi_marshal){ 0 };
}

static prof_status fail_at(const profi_marshal *m, size_t offset, const char *problem, prof_error *err)
{
    return profi_fail(err, PROF_E_FORMAT, "%.300s: at byte %zu: %s", m->what, offset, problem);
}

/* Takes bytes; NULL when there are not so many. */
static const unsigned char *take(profi_marshal *m, size_t bytes)
{
    if (bytes > m->bytes - m->at)
        return NULL;
    const unsigned char *taken = m->data + m->at;
    m->at += bytes;
    return taken;
}

static uint32_t u32_of(const unsigned char *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static uint64_t u64_of(const unsigned char *bytes)
{
    return u32_of(bytes) | (uint64_t)u32_of(bytes + 4) << 32;
}

/* A length: 32 bits, signed in the file. */
static int take_length(profi_marshal *m, uint32_t *length)
{
    const unsigned char *bytes = take(m, 4);
    *length = bytes != NULL ? u32_of(bytes) : 0;
    return bytes != NULL && *length <= INT32_MAX;
}

static void set_signed(profi_marshal_object *object, int64_t value)
{
    object->kind = PROFI_MARSHAL_INTEGER;
    object->is_negative = value < 0;
    object->integer = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

/* A count of 15-bit digits, negative for a negative number, and the digits, the lowest first. */
static const char *take_long(profi_marshal *m, profi_marshal_object *object)
{
    const unsigned char *head = take(m, 4);
    int32_t size = head != NULL ? (int32_t)u32_of(head) : 0;
    uint64_t digits = size < 0 ? 0 - (uint64_t)size : (uint64_t)size;
    const unsigned char *at = head != NULL ? take(m, digits * 2) : NULL;
    if (at == NULL)
        return "the file ends inside an integer";
    object->kind = PROFI_MARSHAL_INTEGER;
    object->is_negative = size < 0;
    for (uint64_t i = digits; i-- > 0;) {
        unsigned digit = at[2 * i] | (unsigned)at[2 * i + 1] << 8;
        if (digit > 0x7fff)
            return "not an integer: a digit has more than 15 bits";
        object->integer = object->integer >> 49 ? UINT64_MAX : object->integer << 15 | digit;
    }
    return NULL;
}

static const char *take_float(profi_marshal *m, profi_marshal_object *object)
{
    const unsigned char *bytes = take(m, 8);
    uint64_t bits = bytes != NULL ? u64_of(bytes) : 0;
    object->kind = PROFI_MARSHAL_FLOAT;
    memcpy(&object->number, &bits, sizeof(bits));
    return bytes != NULL ? NULL : "the file ends inside a number";
}

/* How many parts there are, of types that have one byte for it or four; 0 where the file ends. */
static int take_count(profi_marshal *m, profi_marshal_object *object, int has_short_length)
{
    if (!has_short_length)
        return take_length(m, &object->count);
    const unsigned char *length = take(m, 1);
    if (length != NULL)
        object->count = *length;
    return length != NULL;
}

static const char *take_text(profi_marshal *m, profi_marshal_object *object, int has_short_length)
{
    object->kind = PROFI_MARSHAL_TEXT;
    if (!take_count(m, object, has_short_length))
        return "the file ends inside a text";
    object->text = (const char *)take(m, object->count);
    return object->text != NULL ? NULL : "a text is longer than the file";
}

static const char *take_tuple(profi_marshal *m, profi_marshal_object *object, int has_short_length)
{
    object->kind = PROFI_MARSHAL_TUPLE;
    return take_count(m, object, has_short_length) ? NULL : "the file ends inside a tuple";
}

/* What follows a type code; a message, or NULL. */
static const char *take_body(profi_marshal *m, int code, profi_marshal_object *object)
{
    const unsigned char *bytes;
    switch (code) {
    case '0':
        object->kind = PROFI_MARSHAL_END;
        return NULL;
    case 'i':
        bytes = take(m, 4);
        set_signed(object, bytes != NULL ? (int32_t)u32_of(bytes) : 0);
        return bytes != NULL ? NULL : "the file ends inside an integer";
    case 'I':
        bytes = take(m, 8);
        set_signed(object, bytes != NULL ? (int64_t)u64_of(bytes) : 0);
        return bytes != NULL ? NULL : "the file ends inside an integer";
    case 'l':
        return take_long(m, object);
    case 'g':
        return take_float(m, object);
    case 's': case 't': case 'u': case 'a': case 'A':
        return take_text(m, object, 0);
    case 'z': case 'Z':
        return take_text(m, object, 1);
    case '(':
        return take_tuple(m, object, 0);
    case ')':
        return take_tuple(m, object, 1);
    case '{':
        object->kind = PROFI_MARSHAL_DICT;
        return NULL;
    default:
        object->kind = PROFI_MARSHAL_OTHER;
        return NULL;
    }
}

static int append(profi_marshal_list *list, uint32_t number)
{
    if (!profi_array_grow(&list->numbers, &list->room, list->count, sizeof(*list->numbers)))
        return 0;
    list->numbers[list->count++] = number;
    return 1;
}

/* Objects that references may name are counted in the order in which they begin. */
static int remember(profi_marshal *m, profi_marshal_object *object, int is_flagged, int is_interned)
{
    if (m->named_count > INT32_MAX || !profi_array_grow(&m->named, &m->named_room, m->named_count, sizeof(*m->named)))
        return 0;
    m->named[m->named_count++] = (profi_marshal_named){ object->offset, 0 };
    object->named = (uint32_t)m->named_count;
    return (!is_flagged || append(&m->flagged, object->named - 1)) &&
           (!is_interned || append(&m->interned, object->named - 1));
}

static prof_status scan(profi_marshal *m, profi_marshal_object *object, prof_error *err)
{
    *object = (profi_marshal_object){ .offset = m->at };
    const unsigned char *code = take(m, 1);
    if (code == NULL)
        return fail_at(m, m->at, "the file ends too early", err);
    const char *problem = take_body(m, *code & ~FLAG_REF, object);
    if (problem != NULL)
        return fail_at(m, object->offset, problem, err);
    int is_flagged = *code & FLAG_REF && object->kind != PROFI_MARSHAL_END, is_interned = *code == 't';
    if (!m->replaying && (is_flagged || is_interned) && !remember(m, object, is_flagged, is_interned))
        return profi_fail(err, PROF_E_NO_MEMORY, "%.300s: no memory for its references", m->what);
    return PROF_OK;
}

/* Scans the object that a reference names; with a tuple or dict, whose elements are to come, the caller leaves it. */
static prof_status follow(profi_marshal *m, const profi_marshal_list *list, profi_marshal_object *object, prof_error *err)
{
    uint32_t index = 0;
    size_t offset = m->at++;
    *object = (profi_marshal_object){ .offset = offset }; /* callers leave it, whatever became of it */
    if (!take_length(m, &index) || index >= list->count)
        return fail_at(m, offset, "a reference to what does not stand before it", err);
    size_t resume = m->at;
    m->at = m->named[list->numbers[index]].offset;
    m->replaying++;
    prof_status status = scan(m, object, err);
    object->offset = offset;
    object->named = list->numbers[index] + 1;
    if (object->kind == PROFI_MARSHAL_TUPLE || object->kind == PROFI_MARSHAL_DICT) {
        object->resume = resume;
        return status;
    }
    m->replaying--;
    m->at = resume;
    return status;
}

prof_status profi_marshal_next(profi_marshal *marshal, profi_marshal_object *object, prof_error *err)
{
    int code = marshal->at < marshal->bytes ? marshal->data[marshal->at] : 0;
    if (code == 'r' || code == 'R')
        return follow(marshal, code == 'r' ? &marshal->flagged : &marshal->interned, object, err);
    return scan(marshal, object, err);
}

void profi_marshal_leave(profi_marshal *marshal, const profi_marshal_object *object)
{
    if (object->resume == 0)
        return;
    marshal->replaying--;
    marshal->at = object->resume;
}

uintptr_t *profi_marshal_kept(profi_marshal *marshal, const profi_marshal_object *object)
{
    return object->named != 0 ? &marshal->named[object->named - 1].kept : NULL;
}
