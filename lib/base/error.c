/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error objects, size-prefixed structs and notices: see error.h.
 *
 * Must not allocate: it reports that memory is spent.
 */
#include "error.h"

#include "system.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NOTICE_PATIENCE_MS = 100 };

static int notices_off;

/* A message never holds a newline or other control character: it is one line of somebody's log. */
static void make_one_line(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = ' ';
}

/* Cuts an incomplete UTF-8 sequence off the end of text that was truncated. */
static void trim_utf8(char *text)
{
    size_t end = strlen(text), lead = end;
    while (lead > 0 && ((unsigned char)text[lead - 1] & 0xc0) == 0x80)
        lead--;
    if (lead == 0)
        return;
    unsigned char first = (unsigned char)text[lead - 1];
    size_t want = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    if (end - (lead - 1) < want)
        text[lead - 1] = '\0';
}

static void put_message(prof_error *err, prof_status status, const char *format, va_list arguments, const char *reason)
{
    if (err == NULL)
        return;
    char *message = err->message;
    int length = vsnprintf(message, sizeof(err->message), format, arguments);
    if (reason != NULL && length >= 0 && (size_t)length < sizeof(err->message))
        snprintf(message + length, sizeof(err->message) - (size_t)length, ": %s", reason);
    trim_utf8(message);
    make_one_line(message);
    err->status = status;
}

prof_status profi_fail(prof_error *err, prof_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    put_message(err, status, format, arguments, NULL);
    va_end(arguments);
    return status;
}

prof_status profi_fail_errno(prof_error *err, int error_number, const char *format, ...)
{
    char reason[128];
    prof_status status = error_number == ENOMEM ? PROF_E_NO_MEMORY : PROF_E_IO;
    va_list arguments;
    va_start(arguments, format);
    put_message(err, status, format, arguments, strerror_r(error_number, reason, sizeof(reason)));
    va_end(arguments);
    return status;
}

/* The size field of a caller's struct, checked. */
static prof_status struct_size(const void *theirs, size_t smallest, const char *name, uint32_t *size, prof_error *err)
{
    enum { LARGEST = 65536 };
    if (theirs == NULL)
        return profi_fail(err, PROF_E_INVALID, "%s is NULL", name);
    memcpy(size, theirs, sizeof(*size));
    if (*size < smallest || *size > LARGEST)
        return profi_fail(err, PROF_E_INVALID, "%s.size is %u, which no version had: set it with its INIT macro", name,
                          (unsigned)*size);
    return PROF_OK;
}

prof_status profi_struct_read(void *ours, size_t our_size, const void *theirs, size_t smallest, const char *name,
                              prof_error *err)
{
    uint32_t size = 0;
    prof_status status = struct_size(theirs, smallest, name, &size, err);
    if (status != PROF_OK)
        return status;
    for (size_t i = our_size; i < size; i++)
        if (((const unsigned char *)theirs)[i] != 0)
            return profi_fail(err, PROF_E_INVALID, "%s has a field at byte %zu that this version does not know", name, i);
    memset(ours, 0, our_size);
    memcpy(ours, theirs, size < our_size ? size : our_size);
    return PROF_OK;
}

prof_status profi_struct_write(void *theirs, const void *ours, size_t our_size, size_t smallest, const char *name,
                               prof_error *err)
{
    uint32_t size = 0;
    prof_status status = struct_size(theirs, smallest, name, &size, err);
    if (status != PROF_OK)
        return status;
    size_t copied = size < our_size ? size : our_size;
    memset((char *)theirs + sizeof(size), 0, size - sizeof(size));
    memcpy((char *)theirs + sizeof(size), (const char *)ours + sizeof(size), copied - sizeof(size));
    return PROF_OK;
}

void profi_notice_quiet(int quiet)
{
    PROFI_PUT(notices_off, quiet);
}

int profi_notice_is_quiet(void)
{
    return PROFI_GET(notices_off);
}

void profi_notice(const char *format, ...)
{
    if (PROFI_GET(notices_off))
        return;
    int saved = errno;
    char line[1024] = "profcore: ";
    size_t used = strlen(line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + used, sizeof(line) - used - 1, format, arguments);
    va_end(arguments);
    trim_utf8(line);
    make_one_line(line);
    strcat(line, "\n");
    /* A reader that does not read is not waited for: the process may be about to end. */
    struct pollfd room = { .fd = STDERR_FILENO, .events = POLLOUT };
    /* One write, so that lines of several processes do not mix; where stderr is gone, so is the notice. */
    if (poll(&room, 1, NOTICE_PATIENCE_MS) != 0)
        profi_write_all(STDERR_FILENO, line, strlen(line));
    errno = saved;
}
