/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf's wire format: see protobuf.h. */
#include "protobuf.h"

#include <string.h>

static void put_bytes(profi_message *m, const void *data, size_t bytes)
{
    if (bytes > sizeof(m->data) - m->used)
        bytes = sizeof(m->data) - m->used; /* never: see profi_message */
    memcpy(m->data + m->used, data, bytes);
    m->used += bytes;
}

static size_t varint(unsigned char bytes[10], uint64_t value)
{
    size_t used = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[used++] = (unsigned char)(value | 0x80);
    bytes[used++] = (unsigned char)value;
    return used;
}

void profi_put_varint(profi_message *m, uint64_t value)
{
    unsigned char bytes[10];
    put_bytes(m, bytes, varint(bytes, value));
}

void profi_put_number(profi_message *m, unsigned field, uint64_t value)
{
    profi_put_varint(m, (uint64_t)field << 3);
    profi_put_varint(m, value);
}

void profi_put_fixed64(profi_message *m, unsigned field, uint64_t value)
{
    unsigned char bytes[8];
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(value >> 8 * i);
    profi_put_varint(m, (uint64_t)field << 3 | 1);
    put_bytes(m, bytes, sizeof(bytes));
}

void profi_put_double(profi_message *m, unsigned field, double value)
{
    profi_put_fixed64(m, field, profi_double_bits(value));
}

void profi_put_block(profi_message *m, unsigned field, const void *data, size_t bytes)
{
    profi_put_varint(m, (uint64_t)field << 3 | 2);
    profi_put_varint(m, bytes);
    put_bytes(m, data, bytes);
}

void profi_put_text(profi_message *m, unsigned field, const char *text)
{
    profi_put_block(m, field, text, strlen(text));
}

void profi_put_message(profi_message *m, unsigned field, profi_message *inner)
{
    profi_put_block(m, field, inner->data, inner->used);
    inner->used = 0;
}

size_t profi_varint_bytes(uint64_t value)
{
    unsigned char bytes[10];
    return varint(bytes, value);
}

void profi_write_varint(profi_output *out, uint64_t value)
{
    unsigned char bytes[10];
    profi_output_bytes(out, bytes, varint(bytes, value));
}

void profi_write_head(profi_output *out, unsigned field, size_t bytes)
{
    profi_write_varint(out, (uint64_t)field << 3 | 2);
    profi_write_varint(out, bytes);
}

void profi_write_text(profi_output *out, unsigned field, const char *text)
{
    size_t bytes = strlen(text);
    profi_write_head(out, field, bytes);
    profi_output_bytes(out, text, bytes);
}

void profi_write_message(profi_output *out, unsigned field, profi_message *m)
{
    profi_write_head(out, field, m->used);
    profi_output_bytes(out, m->data, m->used);
    m->used = 0;
}

size_t profi_read_varint(const unsigned char *data, size_t bytes, uint64_t *value)
{
    uint64_t read = 0;
    for (size_t i = 0; i < bytes && i < 10; i++) {
        read |= (uint64_t)(data[i] & 0x7f) << 7 * i;
        if (data[i] < 0x80) {
            *value = read;
            return i + 1;
        }
    }
    return 0;
}

static int read_fixed(profi_wire *wire, profi_field *field, size_t bytes)
{
    field->value = 0;
    if ((size_t)(wire->end - wire->at) < bytes)
        return 0;
    for (size_t i = 0; i < bytes; i++)
        field->value |= (uint64_t)wire->at[i] << 8 * i;
    wire->at += bytes;
    return 1;
}

static int read_value(profi_wire *wire, profi_field *field)
{
    size_t used;
    switch (field->type) {
    case PROFI_WIRE_VARINT:
    case PROFI_WIRE_BLOCK:
        used = profi_read_varint(wire->at, (size_t)(wire->end - wire->at), &field->value);
        wire->at += used;
        if (used == 0 || field->type == PROFI_WIRE_VARINT)
            return used != 0;
        if (field->value > (size_t)(wire->end - wire->at))
            return 0;
        field->data = wire->at;
        field->bytes = (size_t)field->value;
        wire->at += field->bytes;
        return 1;
    case PROFI_WIRE_FIXED64: return read_fixed(wire, field, 8);
    case PROFI_WIRE_FIXED32: return read_fixed(wire, field, 4);
    default: return 0; /* groups, which nothing uses */
    }
}

int profi_wire_next(profi_wire *wire, profi_field *field)
{
    uint64_t tag = 0;
    if (wire->at == wire->end || wire->is_bad)
        return 0;
    size_t used = profi_read_varint(wire->at, (size_t)(wire->end - wire->at), &tag);
    wire->at += used;
    *field = (profi_field){ .number = (unsigned)(tag >> 3), .type = (unsigned)(tag & 7) };
    wire->is_bad = used == 0 || tag >> 32 != 0 || field->number == 0 || !read_value(wire, field);
    return !wire->is_bad;
}
