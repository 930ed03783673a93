/* SPDX-License-Identifier: Apache-2.0 */
/* Writing of streams: see tape.h. */
#include "tape_records.h"

#include "../base/clock.h"

#include <string.h>
#include <unistd.h>

static int put(profi_tape *stream, uint32_t kind, const void *body, uint64_t bytes, const void *more, uint64_t more_bytes)
{
    static const char nothing[8];
    const profi_tape_head head = { PROFI_TAPE_MARK, kind, bytes + more_bytes };
    uint64_t rest = (0 - (bytes + more_bytes)) % sizeof(uint64_t);
    int error = stream->write(stream->user, &head, sizeof(head));
    error = error ? error : stream->write(stream->user, body, bytes);
    error = error || more_bytes == 0 ? error : stream->write(stream->user, more, more_bytes);
    return error || rest == 0 ? error : stream->write(stream->user, nothing, rest);
}

static int put_time(profi_tape *stream)
{
    profi_clock_scale scale = profi_clock_scale_so_far();
    const profi_roots_time now = profi_roots_time_of(&scale);
    return profi_clock_is_ticks ? put(stream, PROFI_TAPE_TIME, &now, sizeof(now), NULL, 0) : 0;
}

int profi_tape_begin(profi_tape *stream, profi_tape_write write, void *user, const char *run_name)
{
    profi_clock_scale scale = profi_clock_scale_now();
    profi_tape_start start = { .layout = PROFI_TAPE_LAYOUT, .is_ticks = profi_clock_is_ticks != 0,
                                 .is_steady = scale.steady != 0, .pid = getpid(),
                                 .first = { scale.first_ticks, scale.first_ns }, .begun = profi_clock_moment_now() };
    *stream = (profi_tape){ .write = write, .user = user };
    strncpy(start.name, run_name, sizeof(start.name) - 1);
    strncpy(start.clock_source, scale.source, sizeof(start.clock_source) - 1);
    if (gethostname(start.host, sizeof(start.host) - 1) != 0)
        start.host[0] = '\0';
    int error = put(stream, PROFI_TAPE_START, &start, sizeof(start), NULL, 0);
    return error ? error : put_time(stream);
}

static int put_site(profi_tape *stream, const profi_site *site)
{
    const profi_tape_site body = { .id = site->id, .line = site->line, .flags = site->flags, .has_file = site->file != NULL,
                                     .name_bytes = (uint32_t)strlen(site->name),
                                     .file_bytes = site->file != NULL ? (uint32_t)strlen(site->file) : 0 };
    char texts[2 * 4096];
    memcpy(texts, site->name, body.name_bytes); /* cleaned texts are shorter than that */
    if (site->file != NULL)
        memcpy(texts + body.name_bytes, site->file, body.file_bytes);
    return put(stream, PROFI_TAPE_SITE, &body, sizeof(body), texts, body.name_bytes + body.file_bytes);
}

static int put_chunk(profi_tape *stream, const profi_chunk *chunk)
{
    const profi_tape_chunk body = { chunk->thread, chunk->first_index, chunk->first_detail, chunk->cell_count, chunk->who };
    return put(stream, PROFI_TAPE_CHUNK, &body, sizeof(body), chunk->cells, chunk->cell_count * sizeof(*chunk->cells));
}

int profi_tape_step(profi_tape *stream, int *any)
{
    profi_chunk *chunk = profi_rings_take_full();
    int error = 0;
    *any = chunk != NULL;
    if (chunk == NULL)
        return 0;
    /* Sites that the chunk's cells name were there before it was full. */
    for (uint32_t count = profi_site_count(); error == 0 && stream->site_count < count;) {
        error = put_site(stream, profi_site_by_id(stream->site_count));
        stream->site_count += error == 0;
    }
    error = error ? error : put_chunk(stream, chunk);
    if (error == 0)
        stream->streamed += chunk->cell_count - chunk->other_count;
    profi_rings_give_back(chunk, error != 0);
    return error ? error : put_time(stream);
}
