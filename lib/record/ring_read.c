/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readers of the event rings.  They copy a chunk without a lock and then look
 * whether its sequence number is still the same; what they must have at one
 * moment they read under the pool's lock.
 */
#include "roots.h"

#include "../base/array.h"

#include <stdlib.h>

profi_rings_total profi_rings_count(void)
{
    const profi_pool *pool = &profi_the_roots->pool;
    profi_rings_total total = { 0 };
    const profi_thread *thread = profi_registry_lock(); /* so that none ends */
    profi_thread *self = profi_step_away();
    profi_rings_lock();
    if (pool->chunks != NULL) {
        total = (profi_rings_total){ pool->exited_issued, pool->recycled, pool->exited_filtered };
        for (; thread != NULL; thread = thread->next) {
            uint64_t issued = thread->exited ? 0 : profi_ring_issued(thread);
            total.issued += issued;
            total.lost += thread->ring.is_without ? issued : 0;
            total.filtered += PROFI_GET(thread->filtered);
        }
    }
    profi_rings_unlock();
    profi_come_back(self);
    profi_registry_unlock();
    return total;
}

/* How many of a chunk's cells are whole. */
static uint64_t whole_cells(const profi_chunk *chunk)
{
    uint64_t count = __atomic_load_n(&chunk->cell_count, __ATOMIC_ACQUIRE), room = profi_the_roots->pool.cells_per_chunk;
    if (count != UINT64_MAX)
        return count;
    const prof_inline_cell *at = __atomic_load_n(PROFI_GET(chunk->cell_at), __ATOMIC_ACQUIRE);
    return at >= chunk->cells && at <= chunk->cells + room ? (uint64_t)(at - chunk->cells) : room;
}

/* A view that is being filled. */
typedef struct reading {
    profi_rings_view *view;
    size_t segment_room;
    uint32_t number; /* chunks opened from it on are not for this reading */
    int is_memory_spent;
} reading;

/* A new segment; NULL when memory is spent. */
static profi_segment *add_segment(reading *r, uint64_t thread, uint64_t first_index, uint64_t first_detail)
{
    profi_segment *segment = profi_rings_view_add(r->view, &r->segment_room, thread, first_index, first_detail);
    r->is_memory_spent |= segment == NULL;
    return segment;
}

static void add_cell(reading *r, profi_segment *segment, const prof_inline_cell *cell)
{
    profi_cell_copy(&r->view->cells[r->view->cell_count++], cell);
    segment->cell_count++;
}

static void note_who(profi_segment *segment, const prof_inline_cell *cell)
{
    prof_inline_cell who;
    profi_cell_copy(&who, cell);
    segment->who = profi_who_of(&who);
}

static void copy_cells(reading *r, const profi_chunk *chunk)
{
    uint64_t cells = whole_cells(chunk), thread = PROFI_GET(chunk->thread);
    profi_segment *segment =
        thread ? add_segment(r, thread, PROFI_GET(chunk->first_index), PROFI_GET(chunk->first_detail)) : NULL;
    if (segment != NULL)
        note_who(segment, &chunk->who);
    for (uint64_t i = 0; i < cells && !r->is_memory_spent; i++) {
        const prof_inline_cell *cell = &chunk->cells[i];
        uint64_t what = PROFI_GET(cell->what);
        if (profi_event_kind(what) == PROFI_EVENT_RUN)
            segment = add_segment(r, PROFI_GET(cell->start), PROFI_GET(cell->end), profi_event_run_details(what));
        else if (segment != NULL && profi_event_kind(what) == PROFI_EVENT_WHO)
            note_who(segment, cell);
        else if (segment != NULL)
            add_cell(r, segment, cell);
    }
}

/* Copies one chunk, if it was opened before this reading, unless it is recycled meanwhile. */
static void copy_chunk(reading *r, profi_chunk *chunk)
{
    uint64_t sequence = __atomic_load_n(&chunk->sequence, __ATOMIC_ACQUIRE), cells_before = r->view->cell_count;
    size_t segments_before = r->view->segment_count;
    if (sequence == 0 || sequence & 1 || PROFI_GET(chunk->opened) >= r->number)
        return;
    copy_cells(r, chunk);
    /* A read that no earlier one can come after. */
    if (__atomic_fetch_add(&chunk->sequence, 0u, __ATOMIC_ACQ_REL) != sequence) {
        r->view->cell_count = cells_before;
        r->view->segment_count = segments_before;
    }
}

/* Under the lock: the cells of a thread that has no chunk yet.  Its segment has its room already. */
static void copy_first_cells(reading *r, const profi_thread *thread)
{
    const profi_ring *ring = &thread->ring;
    uint64_t cells = ring->current != NULL || ring->is_without ? 0 : profi_ring_used_cells(thread);
    profi_segment *segment = cells ? add_segment(r, ring->thread, ring->first_index, ring->first_detail) : NULL;
    for (uint64_t i = 0; i < cells && segment != NULL; i++)
        add_cell(r, segment, &ring->first_cells[i]);
}

/*
 * Takes the lock, with room for all that there is under it.  No malloc()
 * there: a thread that a signal interrupts in malloc() may need the lock.
 */
static int lock_with_room(reading *r)
{
    const profi_pool *pool = &profi_the_roots->pool;
    profi_rings_view *view = r->view;
    for (;;) {
        profi_rings_lock();
        uint64_t made = pool->chunk_count, live = pool->live_count;
        profi_rings_unlock();
        view->cells = malloc((made * pool->cells_per_chunk + live * PROFI_FIRST_CELLS) * sizeof(*view->cells) + 1);
        view->rings = malloc(live * sizeof(*view->rings) + 1);
        view->segments = malloc((live + 1) * sizeof(*view->segments));
        r->segment_room = live + 1;
        if (view->cells != NULL && view->rings != NULL && view->segments != NULL) {
            profi_rings_lock();
            if (made == pool->chunk_count && live == pool->live_count)
                return 1;
            profi_rings_unlock();
        }
        int is_memory_spent = view->cells == NULL || view->rings == NULL || view->segments == NULL;
        profi_rings_view_fini(view);
        if (is_memory_spent)
            return 0;
    }
}

/* Fixes the moment: what live threads have issued, and the cells that are in no chunk yet. */
static void begin_reading(reading *r)
{
    profi_pool *pool = &profi_the_roots->pool;
    profi_rings_view *view = r->view;
    int is_kept = pool->chunks != NULL; /* else nothing counts as issued */
    for (profi_ring *ring = pool->rings; ring != NULL; ring = ring->next) {
        if (ring == &pool->left)
            continue;
        const profi_thread *thread = PROFI_OBJECT_OF(ring, profi_thread, ring);
        view->rings[view->ring_count++] = (profi_ring_view){ .thread = ring->thread, .who.tid = ring->who.tid };
        if (!is_kept)
            continue;
        view->rings[view->ring_count - 1].issued = profi_ring_issued(thread);
        view->rings[view->ring_count - 1].filtered = PROFI_GET(thread->filtered);
        view->rings[view->ring_count - 1].streamed = ring->streamed;
        copy_first_cells(r, thread);
    }
    if (!is_kept)
        return;
    view->exited_issued = pool->exited_issued;
    view->exited_filtered = pool->exited_filtered;
    view->exited_streamed = pool->exited_streamed;
    r->number = ++pool->readings;
}

int profi_rings_read(profi_rings_view *view)
{
    reading r = { .view = view };
    *view = (profi_rings_view){ 0 };
    profi_registry_lock(); /* so that no thread ends */
    profi_thread *self = profi_step_away();
    int ok = lock_with_room(&r);
    if (ok) {
        begin_reading(&r);
        uint64_t made = profi_the_roots->pool.chunk_count;
        profi_rings_unlock();
        for (uint64_t i = 0; i < made; i++)
            copy_chunk(&r, profi_the_roots->pool.chunks[i]);
    }
    profi_come_back(self);
    profi_registry_unlock();
    if (r.is_memory_spent)
        profi_rings_view_fini(view);
    return ok && !r.is_memory_spent;
}

void profi_rings_view_fini(profi_rings_view *view)
{
    free(view->cells);
    free(view->segments);
    free(view->rings);
    *view = (profi_rings_view){ 0 };
}

profi_segment *profi_rings_view_add(profi_rings_view *view, size_t *segment_room, uint64_t thread, uint64_t first_index,
                                    uint64_t first_detail)
{
    if (!profi_array_grow(&view->segments, segment_room, view->segment_count, sizeof(*view->segments)))
        return NULL;
    profi_segment *segment = &view->segments[view->segment_count++];
    *segment = (profi_segment){ .thread = thread, .first_index = first_index, .first_detail = first_detail,
                                .first_cell = view->cell_count };
    return segment;
}

static int compare_segments(const void *one, const void *other)
{
    const profi_segment *a = one, *b = other;
    if (a->thread != b->thread)
        return a->thread < b->thread ? -1 : 1;
    if (a->first_index != b->first_index)
        return a->first_index < b->first_index ? -1 : 1;
    if (a->first_detail != b->first_detail)
        return a->first_detail < b->first_detail ? -1 : 1;
    return a->cell_count > b->cell_count ? -1 : a->cell_count < b->cell_count; /* what is there twice: the whole of it first */
}

static int compare_rings(const void *one, const void *other)
{
    const profi_ring_view *a = one, *b = other;
    return a->thread < b->thread ? -1 : a->thread > b->thread;
}

void profi_rings_view_sort(profi_rings_view *view)
{
    if (view->segment_count != 0)
        qsort(view->segments, view->segment_count, sizeof(*view->segments), compare_segments);
    if (view->ring_count != 0)
        qsort(view->rings, view->ring_count, sizeof(*view->rings), compare_rings);
}

const profi_ring_view *profi_rings_view_find(const profi_rings_view *view, uint64_t thread)
{
    const profi_ring_view wanted = { .thread = thread };
    return view->ring_count == 0 ? NULL : bsearch(&wanted, view->rings, view->ring_count, sizeof(wanted), compare_rings);
}
