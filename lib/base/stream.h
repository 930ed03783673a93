/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that are read once, from front to back, by who looks at a piece at a
 * time: a file of any size, a pipe, or what lies in memory already.
 */
#ifndef PROFI_STREAM_H
#define PROFI_STREAM_H

#include "base.h"

/* Reads up to `room` bytes; returns how many, 0 at the end, or an errno value below 0. */
typedef int64_t (*profi_stream_callback)(void *user, void *data, size_t room);

typedef struct profi_stream {
    profi_stream_callback read; /* NULL: all of it is in memory */
    void *user;
    const unsigned char *data;  /* what follows, `bytes` of it at hand */
    size_t bytes;
    uint64_t offset;            /* of `data` in the whole */
    unsigned char *buffer;      /* in which `data` lies; NULL: the caller's memory */
    size_t room;
    int error;                  /* errno of what kept it from going on */
} profi_stream;

void profi_stream_of_memory(profi_stream *stream, const void *data, size_t bytes);
void profi_stream_of_callback(profi_stream *stream, profi_stream_callback read, void *user);

/*
 * Has at least `bytes` bytes at hand, or all that are left: returns how many
 * that are.  A larger piece than there is takes no memory.
 */
size_t profi_stream_need(profi_stream *stream, size_t bytes);

/* Goes on behind `bytes` bytes, which are at hand. */
void profi_stream_skip(profi_stream *stream, size_t bytes);

void profi_stream_fini(profi_stream *stream);

/* Reads from the descriptor that `user` points to, an int. */
int64_t profi_stream_read_fd(void *user, void *data, size_t room);

#endif
