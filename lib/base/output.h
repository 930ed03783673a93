/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A buffered byte stream that remembers its first failure, so that encoders
 * write without checking and ask once at the end.
 */
#ifndef PROFI_OUTPUT_H
#define PROFI_OUTPUT_H

#include "base.h"

/* Takes bytes; 0, or an errno value. */
typedef int (*profi_output_callback)(void *user, const void *data, size_t bytes);

typedef struct profi_output {
    profi_output_callback write;
    void *user;
    int error; /* errno of the first failure; what follows it is dropped */
    size_t used;
    unsigned char data[16384];
} profi_output;

void profi_output_init(profi_output *out, profi_output_callback write, void *user);
void profi_output_bytes(profi_output *out, const void *data, size_t bytes);
void profi_output_text(profi_output *out, const char *text);

/* A number, to the right of so many columns; as all of these but printf, for signal handlers too. */
void profi_output_number(profi_output *out, uint64_t number, unsigned columns);

PROFI_PRINTF(2, 3) void profi_output_printf(profi_output *out, const char *format, ...);

/* Hands on what is buffered and returns 0, or the errno of the first failure. */
int profi_output_finish(profi_output *out);

#endif
