/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event rings in a dead process's file.  A thread may have been killed
 * while its cells were on the way from one place to another: what is then in
 * both is taken once.
 */
#include "dead_reader.h"

#include "../base/array.h"

#include <string.h>

int profi_dead_is_sound(profi_dead_reader *r, const prof_inline_cell *cell)
{
    unsigned kind = profi_event_kind(cell->what);
    int is_timed = kind == PROFI_EVENT_SCOPE || kind == PROFI_EVENT_INSTANT || kind == PROFI_EVENT_SPAN;
    if (kind < PROFI_EVENT_SCOPE || kind > PROFI_DETAIL_REQUEST ||
        (kind <= PROFI_DETAIL_TEXT && profi_event_site(cell->what) >= r->dead->record.site_count) ||
        (kind == PROFI_EVENT_SPAN && profi_event_track(cell->what) >= r->dead->record.site_count) ||
        (is_timed && (cell->start > cell->end || cell->end == UINT64_MAX)))
        return 0;
    if (kind <= PROFI_EVENT_SPAN)
        profi_dead_saw(r, cell->end);
    return 1;
}

profi_segment *profi_dead_add_segment(profi_dead_reader *r, uint64_t thread, uint64_t first_index, uint64_t first_detail)
{
    const uint64_t most = UINT64_MAX / 4;
    if (thread > most || first_index > most || first_detail > most) {
        r->dead->damage_count++;
        return NULL;
    }
    profi_segment *segment = profi_rings_view_add(&r->dead->rings, &r->segment_room, thread, first_index, first_detail);
    r->is_memory_spent |= segment == NULL;
    return segment;
}

/* 0 where the cell makes no sense, and nothing behind it can be taken. */
static int add_cell(profi_dead_reader *r, profi_segment *segment, const prof_inline_cell *cell)
{
    profi_rings_view *view = &r->dead->rings;
    if (!profi_dead_is_sound(r, cell)) {
        r->dead->damage_count++;
        return 0;
    }
    if (!profi_array_grow(&view->cells, &r->cell_room, view->cell_count, sizeof(*view->cells))) {
        r->is_memory_spent = 1;
        return 0;
    }
    view->cells[view->cell_count++] = *cell;
    segment->cell_count++;
    return 1;
}

static void copy_cells(profi_dead_reader *r, uint64_t thread, uint64_t first_index, uint64_t first_detail,
                       const prof_inline_cell *who, const prof_inline_cell *cells, uint64_t count)
{
    profi_segment *segment = thread != 0 ? profi_dead_add_segment(r, thread, first_index, first_detail) : NULL;
    if (segment != NULL)
        segment->who = profi_who_of(who);
    for (uint64_t i = 0; i < count && !r->is_memory_spent; i++) {
        const prof_inline_cell *cell = &cells[i];
        if (thread == 0 && profi_event_kind(cell->what) == PROFI_EVENT_RUN)
            segment = cell->start != 0 ? profi_dead_add_segment(r, cell->start, cell->end, profi_event_run_details(cell->what)) : NULL;
        else if (thread == 0 && segment != NULL && profi_event_kind(cell->what) == PROFI_EVENT_WHO)
            segment->who = profi_who_of(cell);
        else if (segment != NULL && !add_cell(r, segment, cell))
            segment = NULL;
    }
}

/* How many cells of an array at `cells` lie before `end`; 0 where that points elsewhere. */
static uint64_t cells_before(const void *cells, const void *end, uint64_t room)
{
    uint64_t bytes = (uintptr_t)end - (uintptr_t)cells;
    return bytes <= room * sizeof(prof_inline_cell) && bytes % sizeof(prof_inline_cell) == 0 ? bytes / sizeof(prof_inline_cell) : 0;
}

static void copy_chunk(profi_dead_reader *r, const void *address)
{
    const profi_pool *pool = &r->roots->pool;
    const profi_chunk *chunk = profi_dead_claim(r, address, pool->chunk_bytes);
    if (chunk == NULL || chunk->sequence == 0 || chunk->sequence & 1)
        return;
    uint64_t count = chunk->cell_count;
    if (count == UINT64_MAX) {
        prof_inline_cell *const *cell_at = profi_dead_at(r, chunk->cell_at, sizeof(*cell_at));
        const char *cells = (const char *)address + offsetof(profi_chunk, cells);
        count = cell_at != NULL ? cells_before(cells, *cell_at, pool->cells_per_chunk) : 0;
    }
    if (count > pool->cells_per_chunk) {
        r->dead->damage_count++;
        return;
    }
    copy_cells(r, chunk->thread, chunk->first_index, chunk->first_detail, &chunk->who, chunk->cells, count);
}

static void copy_chunks(profi_dead_reader *r)
{
    const profi_pool *pool = &r->roots->pool;
    uint64_t count = pool->chunk_count;
    if (count == 0)
        return;
    int is_sane = pool->chunk_bytes <= r->bytes && pool->chunk_bytes >= sizeof(profi_chunk) + sizeof(prof_inline_cell) &&
                  pool->cells_per_chunk <= (pool->chunk_bytes - sizeof(profi_chunk)) / sizeof(prof_inline_cell);
    count = is_sane ? profi_min_u64(count, r->bytes / pool->chunk_bytes) : 0;
    const void *const *chunks = profi_dead_claim(r, pool->chunks, count * sizeof(*chunks));
    if (!is_sane)
        r->dead->damage_count++;
    for (uint64_t i = 0; chunks != NULL && i < count && !r->is_memory_spent; i++)
        copy_chunk(r, chunks[i]);
}

/*
 * The cells of a thread that has no chunk yet; also where it was killed while
 * they moved to its first chunk, which is closed until they all have.
 */
static void copy_first_cells(profi_dead_reader *r, const void *address, const profi_thread *thread, uint64_t *issued)
{
    const profi_ring *ring = &thread->ring;
    const prof_inline_cell who = profi_who_cell(&ring->who);
    const char *first = (const char *)address + offsetof(profi_thread, ring) + offsetof(profi_ring, first_cells);
    const profi_chunk *chunk = ring->current != NULL ? profi_dead_at(r, ring->current, sizeof(*chunk)) : NULL;
    uint64_t used = cells_before(first, thread->cell, PROFI_FIRST_CELLS), in_chunk = 0;
    int is_moving = chunk != NULL && chunk->sequence & 1;
    if (chunk != NULL)
        in_chunk = cells_before((const char *)ring->current + offsetof(profi_chunk, cells), thread->cell,
                                r->roots->pool.cells_per_chunk);
    if (is_moving && used == 0)
        used = profi_min_u64(in_chunk, PROFI_FIRST_CELLS);
    uint64_t cells = chunk != NULL && !is_moving ? in_chunk : used;
    *issued = ring->first_index + (cells > ring->details ? cells - ring->details : 0);
    if (used != 0 && (chunk == NULL || is_moving) && !ring->is_without)
        copy_cells(r, ring->thread, ring->first_index, ring->first_detail, &who, ring->first_cells, used);
}

/* Whether the pool counts the ring's events as an exited thread's already. */
static int is_retired(const profi_dead_reader *r, const profi_ring *ring)
{
    return ring->counted_with != 0 && r->roots->pool.exited_issued >= ring->counted_with;
}

static void read_ring(profi_dead_reader *r, const void *address, const profi_thread *thread)
{
    profi_rings_view *view = &r->dead->rings;
    profi_ring_view ring = { .thread = thread->number, .who.tid = thread->tid, .filtered = thread->filtered };
    memcpy(ring.who.name, thread->ring.who.name, sizeof(ring.who.name) - 1);
    copy_first_cells(r, address, thread, &ring.issued);
    if (is_retired(r, &thread->ring))
        return;
    if (!profi_array_grow(&view->rings, &r->ring_room, view->ring_count, sizeof(*view->rings)))
        r->is_memory_spent = 1;
    else
        view->rings[view->ring_count++] = ring;
}

/* The registry once more, as far as the walk of the trees has come. */
static void read_registry(profi_dead_reader *r)
{
    const void *next = r->roots->registry;
    for (uint64_t left = r->dead->record.stats.live_thread_count; left > 0 && next != NULL && !r->is_memory_spent; left--) {
        const profi_thread *thread = profi_dead_at(r, next, sizeof(*thread));
        if (thread == NULL || thread->exited)
            return;
        read_ring(r, next, thread);
        next = thread->next;
    }
}

static uint64_t count_events(const profi_rings_view *view, const profi_segment *segment)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < segment->cell_count; i++)
        count += !profi_event_is_detail(view->cells[segment->first_cell + i].what);
    return count;
}

/* Leaves out what overlaps, and counts: of all threads issued and held, of exited ones no fewer than what is there. */
static void settle(profi_dead_reader *r, uint64_t exited_issued, uint64_t exited_filtered)
{
    profi_rings_view *view = &r->dead->rings;
    prof_stats *stats = &r->dead->record.stats;
    uint64_t end = 0, detail_end = 0, held = 0, exited = 0, kept = 0;
    for (size_t i = 0; i < view->segment_count; i++) {
        profi_segment *segment = &view->segments[i];
        int is_same = kept != 0 && view->segments[kept - 1].thread == segment->thread;
        if (is_same && (segment->first_index < end || (segment->first_index == end && segment->first_detail < detail_end)))
            continue;
        uint64_t count = count_events(view, segment), before = is_same ? end : 0;
        end = segment->first_index + count;
        detail_end = segment->first_detail + segment->cell_count - count;
        held += count;
        if (profi_rings_view_find(view, segment->thread) == NULL)
            exited += end - before;
        view->segments[kept++] = *segment;
    }
    view->segment_count = kept;
    view->exited_issued = profi_max_u64(profi_min_u64(exited_issued, UINT64_MAX / 4), exited);
    view->exited_filtered = exited_filtered;
    stats->event_count = view->exited_issued;
    stats->event_filtered_count = view->exited_filtered;
    for (uint64_t i = 0; i < view->ring_count; i++) {
        stats->event_count += view->rings[i].issued;
        stats->event_filtered_count += view->rings[i].filtered;
    }
    stats->event_lost_count = stats->event_count - profi_min_u64(held, stats->event_count);
}

/* A thread's number stands in the registry once, and what it issued is no less than what is there of it. */
static void check_rings(profi_rings_view *view)
{
    uint64_t kept = 0;
    for (uint64_t i = 0; i < view->ring_count; i++)
        if (kept == 0 || view->rings[kept - 1].thread != view->rings[i].thread)
            view->rings[kept++] = view->rings[i];
    view->ring_count = kept;
    for (size_t s = 0, i = 0; s < view->segment_count; s++) {
        const profi_segment *segment = &view->segments[s];
        while (i < view->ring_count && view->rings[i].thread < segment->thread)
            i++;
        if (i < view->ring_count && view->rings[i].thread == segment->thread)
            view->rings[i].issued = profi_max_u64(view->rings[i].issued, segment->first_index + count_events(view, segment));
    }
    for (uint64_t i = 0; i < view->ring_count; i++)
        view->rings[i].issued = profi_min_u64(view->rings[i].issued, UINT64_MAX / 4);
}

void profi_dead_settle_rings(profi_dead_reader *r, uint64_t exited_issued, uint64_t exited_filtered)
{
    profi_rings_view *view = &r->dead->rings;
    profi_rings_view_sort(view);
    check_rings(view);
    settle(r, exited_issued, exited_filtered);
}

int profi_dead_read_rings(profi_dead_reader *r)
{
    if (r->roots->pool.chunk_limit == 0)
        return 1; /* there are no rings: nothing counts as issued */
    copy_chunks(r);
    read_registry(r);
    if (r->is_memory_spent)
        return 0;
    profi_dead_settle_rings(r, r->roots->pool.exited_issued, r->roots->pool.exited_filtered);
    return 1;
}
