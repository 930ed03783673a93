/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protobuf's wire format, as far as the formats here write and read it: numbers as
 * varints, and blocks of bytes with their length before them, which texts and
 * messages are.  A small message is made in memory; one of any size is
 * written as it is made, once its length is known.
 *
 * Source: protobuf.dev/programming-guides/encoding.
 */
#ifndef PROFI_PROTOBUF_H
#define PROFI_PROTOBUF_H

#include "../base/output.h"
#include "../base/text.h"

/*
 * A message that is being made.  Whoever makes one sees to it that it fits: a
 * site's name and file are PROFI_TEXT_MAX bytes each, and what else stands in
 * one is counted.
 */
typedef struct profi_message {
    size_t used;
    unsigned char data[16 * PROFI_TEXT_MAX];
} profi_message;

void profi_put_varint(profi_message *m, uint64_t value);
void profi_put_number(profi_message *m, unsigned field, uint64_t value);
void profi_put_fixed64(profi_message *m, unsigned field, uint64_t value);
void profi_put_double(profi_message *m, unsigned field, double value);
void profi_put_block(profi_message *m, unsigned field, const void *data, size_t bytes);
void profi_put_text(profi_message *m, unsigned field, const char *text);

/* Puts a finished message into another, and empties it. */
void profi_put_message(profi_message *m, unsigned field, profi_message *inner);

/* Writes a finished message as a field of the outermost, and empties it. */
void profi_write_message(profi_output *out, unsigned field, profi_message *m);

/* The pieces of a field that is written as it is made: its number and length, then what makes up that many bytes. */
size_t profi_varint_bytes(uint64_t value);
void profi_write_varint(profi_output *out, uint64_t value);
void profi_write_head(profi_output *out, unsigned field, size_t bytes);
void profi_write_text(profi_output *out, unsigned field, const char *text);

/* What is left of a message that is read. */
typedef struct profi_wire {
    const unsigned char *at, *end;
    int is_bad; /* it ended because of what is no field */
} profi_wire;

enum { PROFI_WIRE_VARINT = 0, PROFI_WIRE_FIXED64 = 1, PROFI_WIRE_BLOCK = 2, PROFI_WIRE_FIXED32 = 5 };

typedef struct profi_field {
    unsigned number, type;     /* PROFI_WIRE_… */
    uint64_t value;            /* of a number */
    const unsigned char *data; /* of a block */
    size_t bytes;
} profi_field;

/* The next field; 0 at the end, or where what follows is none. */
int profi_wire_next(profi_wire *wire, profi_field *field);

/* A varint at `data`: how many bytes it has, 0 where there is none. */
size_t profi_read_varint(const unsigned char *data, size_t bytes, uint64_t *value);

static inline profi_wire profi_wire_of(const profi_field *field)
{
    return (profi_wire){ field->data, field->data + field->bytes, 0 };
}
static inline int profi_field_is_text(const profi_field *field) { return field->type == PROFI_WIRE_BLOCK; }

#endif
