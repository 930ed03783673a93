/* SPDX-License-Identifier: Apache-2.0 */
/* Reading of streams: see tape.h.  Cells go to a spool, for they may be more than memory holds. */
#include "tape_records.h"

#include "../base/array.h"
#include "../base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_BODY = 1 << 20, MOST_SITES = 1 << 21 };

/* A stream that is being read. */
typedef struct stream_reader {
    profi_dead_reader r;
    profi_stream *from;
    uint64_t left; /* bytes to read at most */
    char *body; /* of one record: MOST_BODY bytes */
    size_t site_room;
    profi_roots_time first, newest;
    profi_clock_moment begun;
    profi_ring_view *threads; /* since the last totals */
    size_t thread_count, thread_room;
    uint64_t exited_issued, exited_filtered;
    int is_ticks, is_steady, is_ended, error;
} stream_reader;

/* All of so many bytes; 0 at the end, which may be in the middle of them, or where reading fails. */
static int read_exactly(stream_reader *s, void *into, size_t bytes)
{
    size_t there = profi_stream_need(s->from, bytes < s->left ? bytes : (size_t)s->left);
    if (there < bytes || bytes > s->left) {
        s->r.dead->torn_bytes += there < s->left ? there : s->left;
        s->error = s->from->error;
        return 0;
    }
    memcpy(into, s->from->data, bytes);
    profi_stream_skip(s->from, bytes);
    s->left -= bytes;
    return 1;
}

static const char *keep_text(stream_reader *s, const char *text, size_t bytes)
{
    const char *kept = profi_texts_add_clean(&s->r.dead->texts, text, bytes);
    s->error = kept == NULL ? ENOMEM : s->error;
    return kept;
}

/* Sites come in the order of their ids. */
static int take_site(stream_reader *s, uint64_t bytes)
{
    profi_record_copy *copy = &s->r.dead->record;
    profi_tape_site site;
    if (bytes < sizeof(site))
        return 0;
    memcpy(&site, s->body, sizeof(site));
    if (site.id != copy->site_count || site.id >= MOST_SITES ||
        (uint64_t)site.name_bytes + site.file_bytes != bytes - sizeof(site))
        return 0;
    if (!profi_array_grow(&copy->sites, &s->site_room, copy->site_count, sizeof(*copy->sites))) {
        s->error = ENOMEM;
        return 0;
    }
    const char *text = s->body + sizeof(site);
    profi_site_view view = { .name = keep_text(s, text, site.name_bytes), .line = site.line, .flags = site.flags };
    view.file = site.has_file ? keep_text(s, text + site.name_bytes, site.file_bytes) : NULL;
    copy->sites[copy->site_count++] = view;
    return s->error == 0;
}

static int take_time(stream_reader *s, uint64_t bytes)
{
    profi_roots_time now;
    if (bytes != sizeof(now))
        return 0;
    memcpy(&now, s->body, sizeof(now));
    if (now.ticks > s->first.ticks && now.ns > s->first.ns) {
        s->newest = now;
        profi_dead_saw(&s->r, now.ticks);
    }
    return 1;
}

static int take_cells(stream_reader *s, const profi_tape_chunk *chunk, const prof_inline_cell *cells)
{
    profi_rings_view *view = &s->r.dead->rings;
    s->error = profi_spool_reserve(&s->r.dead->cells, (view->cell_count + chunk->cell_count + 1) * sizeof(*cells));
    if (s->error != 0)
        return 0;
    view->cells = s->r.dead->cells.data;
    profi_segment *segment =
        chunk->thread != 0 ? profi_dead_add_segment(&s->r, chunk->thread, chunk->first_index, chunk->first_detail) : NULL;
    if (segment != NULL)
        segment->who = profi_who_of(&chunk->who);
    for (uint64_t i = 0; i < chunk->cell_count; i++) {
        const prof_inline_cell cell = cells[i];
        if (chunk->thread == 0 && profi_event_kind(cell.what) == PROFI_EVENT_RUN) {
            segment = cell.start != 0
                          ? profi_dead_add_segment(&s->r, cell.start, cell.end, profi_event_run_details(cell.what)) : NULL;
            continue;
        }
        if (chunk->thread == 0 && segment != NULL && profi_event_kind(cell.what) == PROFI_EVENT_WHO) {
            segment->who = profi_who_of(&cell);
            continue;
        }
        if (segment == NULL || !profi_dead_is_sound(&s->r, &cell)) {
            s->r.dead->damage_count++;
            segment = NULL;
            continue;
        }
        view->cells[view->cell_count++] = cell;
        segment->cell_count++;
    }
    s->error = s->r.is_memory_spent ? ENOMEM : 0;
    return s->error == 0;
}

static int take_chunk(stream_reader *s, uint64_t bytes)
{
    profi_tape_chunk chunk;
    if (bytes < sizeof(chunk))
        return 0;
    memcpy(&chunk, s->body, sizeof(chunk));
    return chunk.cell_count == (bytes - sizeof(chunk)) / sizeof(prof_inline_cell) &&
           take_cells(s, &chunk, (const prof_inline_cell *)(const void *)(s->body + sizeof(chunk)));
}

static int take_thread(stream_reader *s, uint64_t bytes)
{
    profi_tape_thread thread;
    if (bytes != sizeof(thread))
        return 0;
    memcpy(&thread, s->body, sizeof(thread));
    if (!profi_array_grow(&s->threads, &s->thread_room, s->thread_count, sizeof(*s->threads))) {
        s->error = ENOMEM;
        return 0;
    }
    s->threads[s->thread_count++] = (profi_ring_view){ .thread = thread.thread, .issued = thread.issued,
                                                       .filtered = thread.filtered, .who = profi_who_of(&thread.who) };
    return 1;
}

/* The latest totals are those that hold. */
static int take_totals(stream_reader *s, uint64_t bytes)
{
    profi_rings_view *view = &s->r.dead->rings;
    profi_tape_totals totals;
    if (bytes != sizeof(totals))
        return 0;
    memcpy(&totals, s->body, sizeof(totals));
    if (totals.thread_count > s->thread_count)
        return 0;
    if (totals.thread_count < s->thread_count) /* those before are of totals that were asked for anew, half written */
        memmove(s->threads, &s->threads[s->thread_count - totals.thread_count], totals.thread_count * sizeof(*s->threads));
    free(view->rings);
    view->rings = s->threads;
    view->ring_count = totals.thread_count;
    s->threads = NULL;
    s->thread_count = s->thread_room = 0;
    s->exited_issued = totals.exited_issued;
    s->exited_filtered = totals.exited_filtered;
    return 1;
}

static int take_body(stream_reader *s, const profi_tape_head *head)
{
    switch (head->kind) {
    case PROFI_TAPE_SITE: return take_site(s, head->bytes);
    case PROFI_TAPE_TIME: return take_time(s, head->bytes);
    case PROFI_TAPE_CHUNK: return take_chunk(s, head->bytes);
    case PROFI_TAPE_THREAD: return take_thread(s, head->bytes);
    case PROFI_TAPE_TOTALS: return take_totals(s, head->bytes);
    case PROFI_TAPE_END: return s->is_ended = head->bytes == 0;
    default: return 0;
    }
}

/* The next record; 0 where there is no whole one that makes sense. */
static int take_record(stream_reader *s)
{
    profi_tape_head head;
    if (!read_exactly(s, &head, sizeof(head)))
        return 0;
    int is_sane = head.mark == PROFI_TAPE_MARK && head.bytes <= MOST_BODY;
    if (is_sane && !read_exactly(s, s->body, (head.bytes + 7) & ~(uint64_t)7)) {
        s->r.dead->torn_bytes += sizeof(head);
        return 0; /* its writer was killed in the middle of it, or did not wait any longer */
    }
    int ok = is_sane && take_body(s, &head);
    s->r.dead->damage_count += !ok;
    return ok && !s->is_ended;
}

static int take_start(stream_reader *s)
{
    profi_tape_head head;
    profi_tape_start start;
    profi_dead *dead = s->r.dead;
    if (!read_exactly(s, &head, sizeof(head)) || head.mark != PROFI_TAPE_MARK || head.kind != PROFI_TAPE_START ||
        head.bytes != sizeof(start) || !read_exactly(s, &start, sizeof(start)) ||
        memcmp(start.layout, PROFI_TAPE_LAYOUT, sizeof(PROFI_TAPE_LAYOUT)) != 0)
        return 0;
    profi_dead_copy_clean(dead->name, sizeof(dead->name), start.name, sizeof(start.name));
    profi_dead_copy_clean(dead->host, sizeof(dead->host), start.host, sizeof(start.host));
    profi_dead_copy_clean(dead->clock_source, sizeof(dead->clock_source), start.clock_source, sizeof(start.clock_source));
    dead->pid = start.pid;
    s->is_ticks = start.is_ticks != 0;
    s->is_steady = start.is_steady != 0;
    s->first = start.first;
    s->begun = start.begun;
    return 1;
}

static void finish(stream_reader *s)
{
    profi_dead_set_clock(s->r.dead, s->is_ticks, s->is_steady, &s->first, &s->newest);
    profi_dead_set_last(&s->r, &s->begun);
    profi_dead_settle_rings(&s->r, s->exited_issued, s->exited_filtered);
    s->r.dead->has_no_end = !s->is_ended;
    s->r.dead->record.stats.live_thread_count = s->r.dead->rings.ring_count;
}

int profi_tape_is(const void *data, size_t bytes)
{
    return bytes >= PROFI_TAPE_MARK_BYTES && memcmp((const char *)data + sizeof(profi_tape_head), PROFI_TAPE_LAYOUT,
                                                      sizeof(PROFI_TAPE_LAYOUT)) == 0;
}

prof_status profi_tape_read(profi_stream *from, uint64_t bytes, const char *what, profi_dead *dead, prof_error *err)
{
    *dead = (profi_dead){ .record.stats = PROF_STATS_INIT };
    stream_reader s = { .r.dead = dead, .from = from, .left = bytes, .body = malloc(MOST_BODY + 8) };
    prof_status status = PROF_OK;
    if (s.body == NULL)
        return profi_fail(err, PROF_E_NO_MEMORY, "no memory to read %.300s", what);
    if (!take_start(&s))
        status = s.error ? profi_fail_errno(err, s.error, "cannot read %.300s", what)
                         : profi_fail(err, PROF_E_FORMAT, "%.300s: not a stream of events", what);
    while (status == PROF_OK && take_record(&s))
        ;
    if (status == PROF_OK && s.error != 0)
        status = profi_fail_errno(err, s.error, "cannot read %.300s", what);
    if (status == PROF_OK)
        finish(&s);
    free(s.threads);
    free(s.body);
    if (status != PROF_OK)
        profi_dead_fini(dead);
    return status;
}

int profi_tape_join(profi_dead *dead, const profi_rings_view *rings)
{
    profi_rings_view *view = &dead->rings;
    size_t segments = view->segment_count + rings->segment_count;
    int error = profi_spool_reserve(&dead->cells, (view->cell_count + rings->cell_count + 1) * sizeof(*view->cells));
    if (error != 0)
        return error;
    view->cells = dead->cells.data;
    profi_segment *larger = realloc(view->segments, (segments + 1) * sizeof(*larger));
    profi_ring_view *live = malloc((rings->ring_count + 1) * sizeof(*live));
    view->segments = larger != NULL ? larger : view->segments;
    if (larger == NULL || live == NULL) {
        free(live);
        return ENOMEM;
    }
    memcpy(live, rings->rings, rings->ring_count * sizeof(*live));
    for (uint64_t i = 0; i < rings->ring_count; i++)
        live[i].streamed = 0; /* it is all here */
    free(view->rings);
    view->rings = live;
    view->ring_count = rings->ring_count;
    for (uint64_t i = 0; i < rings->cell_count; i++)
        view->cells[view->cell_count + i] = rings->cells[i];
    for (size_t i = 0; i < rings->segment_count; i++) {
        view->segments[view->segment_count + i] = rings->segments[i];
        view->segments[view->segment_count + i].first_cell += view->cell_count;
    }
    view->cell_count += rings->cell_count;
    view->segment_count = segments;
    view->exited_issued = rings->exited_issued;
    view->exited_filtered = rings->exited_filtered;
    return 0;
}
