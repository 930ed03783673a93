/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes from front to back: see stream.h. */
#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_ROOM = 1 << 18 };

void profi_stream_of_memory(profi_stream *stream, const void *data, size_t bytes)
{
    *stream = (profi_stream){ .data = data, .bytes = bytes };
}

void profi_stream_of_callback(profi_stream *stream, profi_stream_callback read, void *user)
{
    *stream = (profi_stream){ .read = read, .user = user };
}

/* Makes room behind what is at hand; 0 when memory is spent. */
static int make_room(profi_stream *stream)
{
    if (stream->bytes != 0 && stream->data != stream->buffer)
        memmove(stream->buffer, stream->data, stream->bytes);
    if (stream->bytes == stream->room) {
        size_t room = stream->room ? stream->room * 2 : FIRST_ROOM;
        unsigned char *larger = realloc(stream->buffer, room);
        if (larger == NULL)
            return 0;
        stream->buffer = larger;
        stream->room = room;
    }
    stream->data = stream->buffer;
    return 1;
}

size_t profi_stream_need(profi_stream *stream, size_t bytes)
{
    while (stream->bytes < bytes && stream->read != NULL && stream->error == 0) {
        if (!make_room(stream)) {
            stream->error = ENOMEM;
            break;
        }
        int64_t count = stream->read(stream->user, stream->buffer + stream->bytes, stream->room - stream->bytes);
        if (count <= 0) {
            stream->error = (int)-count;
            stream->read = NULL;
            break;
        }
        stream->bytes += (size_t)count;
    }
    return stream->bytes;
}

void profi_stream_skip(profi_stream *stream, size_t bytes)
{
    stream->data += bytes;
    stream->bytes -= bytes;
    stream->offset += bytes;
}

void profi_stream_fini(profi_stream *stream)
{
    free(stream->buffer);
    *stream = (profi_stream){ 0 };
}

int64_t profi_stream_read_fd(void *user, void *data, size_t room)
{
    ssize_t count;
    do
        count = read(*(const int *)user, data, room);
    while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}
