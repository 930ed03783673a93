/* SPDX-License-Identifier: Apache-2.0 */
/* Writing of streams: see tape.h. */
#include "tape_records.h"

#include "../base/clock.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 32 << 10 }; /* bytes after which a step ends, with the record at hand */

static int put(profi_tape *tape, uint32_t kind, const void *body, uint64_t bytes, const void *more, uint64_t more_bytes)
{
    static const char nothing[8];
    const profi_tape_head head = { PROFI_TAPE_MARK, kind, bytes + more_bytes };
    uint64_t rest = (0 - (bytes + more_bytes)) % sizeof(uint64_t);
    tape->piece += sizeof(head) + bytes + more_bytes + rest;
    int error = tape->write(tape->user, &head, sizeof(head));
    error = error || bytes == 0 ? error : tape->write(tape->user, body, bytes);
    error = error || more_bytes == 0 ? error : tape->write(tape->user, more, more_bytes);
    return error || rest == 0 ? error : tape->write(tape->user, nothing, rest);
}

static int put_time(profi_tape *tape)
{
    profi_clock_scale scale = profi_clock_scale_so_far();
    const profi_roots_time now = profi_roots_time_of(&scale);
    return profi_clock_is_ticks ? put(tape, PROFI_TAPE_TIME, &now, sizeof(now), NULL, 0) : 0;
}

int profi_tape_begin(profi_tape *tape, profi_tape_write write, void *user, const char *run_name)
{
    profi_clock_scale scale = profi_clock_scale_now();
    profi_tape_start start = { .layout = PROFI_TAPE_LAYOUT, .is_ticks = profi_clock_is_ticks != 0,
                                 .is_steady = scale.steady != 0, .pid = getpid(),
                                 .first = { scale.first_ticks, scale.first_ns }, .begun = profi_clock_moment_now() };
    *tape = (profi_tape){ .write = write, .user = user };
    strncpy(start.name, run_name, sizeof(start.name) - 1);
    strncpy(start.clock_source, scale.source, sizeof(start.clock_source) - 1);
    if (gethostname(start.host, sizeof(start.host) - 1) != 0)
        start.host[0] = '\0';
    int error = put(tape, PROFI_TAPE_START, &start, sizeof(start), NULL, 0);
    return error ? error : put_time(tape);
}

static int put_site(profi_tape *tape, const profi_site *site)
{
    const profi_tape_site body = { .id = site->id, .line = site->line, .flags = site->flags, .has_file = site->file != NULL,
                                     .name_bytes = (uint32_t)strlen(site->name),
                                     .file_bytes = site->file != NULL ? (uint32_t)strlen(site->file) : 0 };
    char texts[2 * 4096];
    memcpy(texts, site->name, body.name_bytes); /* cleaned texts are shorter than that */
    if (site->file != NULL)
        memcpy(texts + body.name_bytes, site->file, body.file_bytes);
    return put(tape, PROFI_TAPE_SITE, &body, sizeof(body), texts, body.name_bytes + body.file_bytes);
}

static int put_chunk(profi_tape *tape, const profi_chunk *chunk)
{
    const profi_tape_chunk body = { chunk->thread, chunk->first_index, chunk->first_detail, chunk->cell_count, chunk->who };
    return put(tape, PROFI_TAPE_CHUNK, &body, sizeof(body), chunk->cells, chunk->cell_count * sizeof(*chunk->cells));
}

static int put_segment(profi_tape *tape, const profi_segment *segment)
{
    const prof_inline_cell *cells = tape->rest.cells + segment->first_cell;
    uint64_t count = segment->cell_count;
    /* Details whose event is still to come do so with it, where this chunk is written once more. */
    while (!tape->is_last && count != 0 && profi_event_is_detail(cells[count - 1].what))
        count--;
    const profi_ring_view *ring = profi_rings_view_find(&tape->rest, segment->thread);
    const prof_inline_cell who = profi_who_cell(ring != NULL ? &ring->who : &segment->who);
    const profi_tape_chunk body = { segment->thread, segment->first_index, segment->first_detail, count, who };
    return count != 0 ? put(tape, PROFI_TAPE_CHUNK, &body, sizeof(body), cells, count * sizeof(*cells)) : 0;
}

static int put_thread(profi_tape *tape, const profi_ring_view *ring)
{
    const profi_tape_thread body = { ring->thread, ring->issued, ring->filtered, profi_who_cell(&ring->who) };
    return put(tape, PROFI_TAPE_THREAD, &body, sizeof(body), NULL, 0);
}

static int put_totals(profi_tape *tape)
{
    const profi_rings_view *rest = &tape->rest;
    const profi_tape_totals body = { rest->ring_count, rest->exited_issued, rest->exited_filtered };
    int error = put(tape, PROFI_TAPE_TOTALS, &body, sizeof(body), NULL, 0);
    return error ? error : put_time(tape);
}

/* Nothing of the rest is left. */
static void end_rest(profi_tape *tape)
{
    profi_rings_view_fini(&tape->rest);
    tape->has_rest = 0;
}

/* The rest's records in order: its threads, the totals, its segments. */
static int put_rest(profi_tape *tape)
{
    const profi_rings_view *rest = &tape->rest;
    const uint64_t count = rest->ring_count + 1 + rest->segment_count;
    int error = 0;
    for (; error == 0 && tape->rest_at < count && tape->piece < PIECE; tape->rest_at++)
        error = tape->rest_at < rest->ring_count    ? put_thread(tape, &rest->rings[tape->rest_at])
                : tape->rest_at == rest->ring_count ? put_totals(tape)
                                                      : put_segment(tape, &rest->segments[tape->rest_at - rest->ring_count - 1]);
    if (error != 0 || tape->rest_at < count)
        return error;
    end_rest(tape);
    return tape->is_last ? put(tape, PROFI_TAPE_END, NULL, 0, NULL, 0) : 0;
}

static int put_sites(profi_tape *tape)
{
    int error = 0;
    while (error == 0 && tape->site_count < tape->site_goal && tape->piece < PIECE) {
        error = put_site(tape, profi_site_by_id(tape->site_count));
        tape->site_count += error == 0;
    }
    return error;
}

static int put_taken(profi_tape *tape)
{
    int error = put_chunk(tape, tape->chunk);
    tape->is_put = 1;
    return error ? error : put_time(tape);
}

static void give_back(profi_tape *tape, int is_lost)
{
    if (tape->chunk != NULL)
        profi_rings_give_back(tape->chunk, is_lost);
    tape->chunk = NULL;
    tape->is_put = 0;
}

void profi_tape_settle(profi_tape *tape)
{
    if (tape->is_put)
        give_back(tape, 0);
}

int profi_tape_step(profi_tape *tape, int *any)
{
    tape->piece = 0;
    profi_tape_settle(tape);
    if (tape->chunk == NULL && !tape->has_rest && !tape->is_last) {
        tape->chunk = profi_rings_take_full();
        tape->site_goal = profi_site_count(); /* sites that the chunk's cells name were there before it was full */
    }
    *any = tape->chunk != NULL || tape->has_rest;
    if (!*any)
        return 0;
    if (tape->site_count < tape->site_goal)
        return put_sites(tape);
    return tape->chunk != NULL ? put_taken(tape) : put_rest(tape);
}

int profi_tape_rest(profi_tape *tape, int is_last)
{
    profi_rings_view rest;
    if (!profi_rings_read(&rest))
        return ENOMEM;
    for (uint64_t i = 0; i < rest.ring_count; i++)
        profi_record_thread_name(rest.rings[i].who.tid, rest.rings[i].who.name);
    profi_rings_view_sort(&rest);
    end_rest(tape); /* of before: this has more */
    tape->rest = rest;
    tape->rest_at = 0;
    tape->has_rest = 1;
    tape->is_last = is_last;
    tape->site_goal = profi_site_count();
    return 0;
}

void profi_tape_drop(profi_tape *tape)
{
    give_back(tape, 1);
    end_rest(tape);
    tape->is_last = 1;
}
