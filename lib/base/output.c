/* SPDX-License-Identifier: Apache-2.0 */
/* The buffered byte stream: see output.h. */
#include "output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void profi_output_init(profi_output *out, profi_output_callback write, void *user)
{
    out->write = write;
    out->user = user;
    out->error = 0;
    out->used = 0;
}

static void flush(profi_output *out)
{
    if (out->error == 0 && out->used != 0)
        out->error = out->write(out->user, out->data, out->used);
    out->used = 0;
}

void profi_output_bytes(profi_output *out, const void *data, size_t bytes)
{
    if (bytes > sizeof(out->data) - out->used)
        flush(out);
    if (bytes > sizeof(out->data)) {
        if (out->error == 0)
            out->error = out->write(out->user, data, bytes);
        return;
    }
    memcpy(out->data + out->used, data, bytes);
    out->used += bytes;
}

void profi_output_text(profi_output *out, const char *text)
{
    profi_output_bytes(out, text, strlen(text));
}

void profi_output_number(profi_output *out, uint64_t number, unsigned columns)
{
    char text[64];
    unsigned first = sizeof(text);
    do
        text[--first] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    while (first > 0 && sizeof(text) - first < columns)
        text[--first] = ' ';
    profi_output_bytes(out, text + first, sizeof(text) - first);
}

void profi_output_printf(profi_output *out, const char *format, ...)
{
    char line[512], *text = line, *larger = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (length >= (int)sizeof(line)) {
        text = larger = malloc((size_t)length + 1);
        if (larger == NULL) {
            out->error = out->error ? out->error : ENOMEM;
            return;
        }
        va_start(arguments, format);
        length = vsnprintf(larger, (size_t)length + 1, format, arguments);
        va_end(arguments);
    }
    if (length > 0)
        profi_output_bytes(out, text, (size_t)length);
    free(larger);
}

int profi_output_finish(profi_output *out)
{
    flush(out);
    return out->error;
}
