/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool of chunks: who gets the next one, and what is lost by it.
 *
 * One lock, taken by a thread when a chunk is full (after some thousand
 * events) and when it ends.  Cells are written without it.  A reader takes no
 * lock either: it copies a chunk and then looks whether its sequence number
 * is still the same.
 */
#include "cold.h"

#include "../base/region.h"
#include "../base/system.h"
#include "record.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/*
 * `sequence` is odd from the moment when the chunk is given away until its
 * new header stands.  It is raised by an exchange, so that no cell written
 * afterwards can be seen before it.
 */
struct profi_chunk {
    profi_chunk *next;    /* of its ring, by age; or of the free ones */
    uint64_t sequence;
    uint64_t thread;      /* the owner's number; 0: runs of events of several threads, each behind a cell that says whose */
    uint64_t first_index; /* of the owner's events */
    uint64_t cell_count;  /* once it is full or its owner has ended; before, UINT64_MAX: up to the owner's `cell` */
    prof_inline_cell *const *cell_at; /* the owner's `cell`, while cell_count is UINT64_MAX */
    uint64_t run_count;   /* cells that are no events but begin a run */
    uint64_t opened;    /* `readings` when its owner got it */
    prof_inline_cell cells[];
};
_Static_assert(sizeof(profi_chunk) == 64, "cells begin on a line");

enum { SMALLEST_CHUNK = 4 << 10, LARGEST_CHUNK = 64 << 10, CHUNKS_AT_LEAST = 64, FLOOR = 2 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static profi_chunk **chunks; /* all that were made; stored with release before chunk_count */
static uint64_t chunk_count, chunk_limit, chunk_bytes, cells_per_chunk;
static profi_chunk *free_chunks;
static profi_ring *rings;        /* of all live threads, and `left` */
static uint64_t live_count;      /* of live threads */
static uint64_t ring_count;      /* of those, with chunks or the right to have some */
static profi_ring left;          /* what exited threads left */
static uint64_t exited_issued;   /* by threads that ended */
static uint64_t readings;        /* by profi_rings_read(): what is in a chunk that was opened later is not for that one */
static uint64_t recycled;        /* events that were held once and are not any more, or never were */

void profi_rings_open(uint64_t bytes)
{
    chunk_bytes = SMALLEST_CHUNK;
    while (chunk_bytes < LARGEST_CHUNK && chunk_bytes * 2 * CHUNKS_AT_LEAST <= bytes)
        chunk_bytes *= 2;
    cells_per_chunk = (chunk_bytes - sizeof(profi_chunk)) / sizeof(prof_inline_cell);
    chunk_limit = bytes / (chunk_bytes + sizeof(*chunks));
    chunks = chunk_limit ? profi_region_alloc(chunk_limit * sizeof(*chunks), PROFI_REGION_RING) : NULL;
    if (chunks == NULL)
        chunk_limit = 0;
    rings = &left;
}

void profi_rings_lock(void)
{
    pthread_mutex_lock(&lock);
}

void profi_rings_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

/* ---- the pool; all under the lock ---- */

static profi_chunk *make_chunk(void)
{
    if (chunk_count == chunk_limit)
        return NULL;
    profi_chunk *chunk = profi_region_alloc(chunk_bytes, PROFI_REGION_RING);
    if (chunk == NULL) {
        chunk_limit = chunk_count; /* the region is full: what there is is the pool */
        return NULL;
    }
    chunks[chunk_count] = chunk;
    __atomic_store_n(&chunk_count, chunk_count + 1, __ATOMIC_RELEASE);
    return chunk;
}

static void push_full(profi_ring *ring, profi_chunk *chunk)
{
    chunk->next = NULL;
    if (ring->newest != NULL)
        ring->newest->next = chunk;
    else
        ring->oldest = chunk;
    ring->newest = chunk;
}

static profi_chunk *pop_oldest(profi_ring *ring)
{
    profi_chunk *chunk = ring->oldest;
    if (chunk == NULL)
        return NULL;
    ring->oldest = chunk->next;
    if (ring->oldest == NULL)
        ring->newest = NULL;
    ring->chunk_count--;
    recycled += chunk->cell_count - chunk->run_count;
    return chunk;
}

/* Lets nobody read what is in a chunk: its next owner lets them again. */
static void close_chunk(profi_chunk *chunk)
{
    __atomic_exchange_n(&chunk->sequence, PROFI_GET(chunk->sequence) | 1, __ATOMIC_ACQ_REL);
}

static void open_chunk(profi_chunk *chunk, uint64_t thread, uint64_t first_index, uint64_t cell_count)
{
    PROFI_PUT(chunk->thread, thread);
    PROFI_PUT(chunk->first_index, first_index);
    PROFI_PUT(chunk->cell_count, cell_count);
    PROFI_PUT(chunk->opened, readings);
    chunk->run_count = 0;
    __atomic_store_n(&chunk->sequence, PROFI_GET(chunk->sequence) + 1, __ATOMIC_RELEASE);
}

static void free_chunk(profi_chunk *chunk)
{
    close_chunk(chunk);
    chunk->next = free_chunks;
    free_chunks = chunk;
}

static void copy_cell(prof_inline_cell *into, const prof_inline_cell *from)
{
    PROFI_PUT(into->what, PROFI_GET(from->what));
    PROFI_PUT(into->start, PROFI_GET(from->start));
    PROFI_PUT(into->end, PROFI_GET(from->end));
}

/* The ring whose oldest chunk goes when `ring` needs one: its own, if that has its share, else the largest. */
static profi_ring *loser_for(profi_ring *ring)
{
    profi_ring *largest = &left;
    if (ring->oldest != NULL && ring->chunk_count >= FLOOR && ring->chunk_count >= chunk_limit / (ring_count + 1))
        return ring;
    for (profi_ring *other = rings; other != NULL; other = other->next)
        if (other->oldest != NULL && (largest->oldest == NULL || other->chunk_count > largest->chunk_count))
            largest = other;
    return largest->chunk_count > FLOOR || largest == &left ? largest : ring;
}

static profi_chunk *take_chunk(profi_ring *ring)
{
    profi_chunk *chunk = free_chunks;
    if (chunk != NULL)
        free_chunks = chunk->next;
    else
        chunk = make_chunk();
    if (chunk == NULL)
        chunk = pop_oldest(loser_for(ring));
    return chunk;
}

/* Ends the current chunk with what is in it. */
static void finish_current(profi_ring *ring, uint64_t cell_count)
{
    if (ring->current == NULL)
        return;
    __atomic_store_n(&ring->current->cell_count, cell_count, __ATOMIC_RELEASE);
    push_full(ring, ring->current);
    ring->current = NULL;
}

/* ---- a thread's ring ---- */

static uint64_t used_cells(const profi_thread *thread)
{
    const profi_ring *ring = &thread->ring;
    const prof_inline_cell *first = ring->current ? ring->current->cells : ring->first_cells;
    return (uint64_t)(PROFI_GET(thread->cell) - first);
}

static uint64_t issued_by(const profi_thread *thread)
{
    const profi_ring *ring = &thread->ring;
    return (ring->current ? ring->current->first_index : PROFI_GET(ring->base)) + used_cells(thread);
}

static void write_to(profi_thread *thread, prof_inline_cell *cells, uint64_t first_free, uint64_t count)
{
    thread->cell_end = cells + count;
    __atomic_store_n(&thread->cell, cells + first_free, __ATOMIC_RELEASE);
}

void profi_ring_attach(profi_thread *thread)
{
    profi_ring *ring = &thread->ring;
    write_to(thread, ring->first_cells, 0, PROFI_FIRST_CELLS);
    ring->thread = thread->number;
    ring->tid = thread->tid;
    pthread_mutex_lock(&lock);
    ring->is_without = FLOOR * (ring_count + 1) > chunk_limit;
    ring_count += !ring->is_without;
    live_count++;
    ring->next = rings;
    if (rings != NULL)
        rings->previous = ring;
    rings = ring;
    pthread_mutex_unlock(&lock);
}

/* The first events of a thread move into its first chunk; without one they make room for the next, lost. */
static void continue_in(profi_thread *thread, profi_chunk *chunk, uint64_t first_index, uint64_t kept)
{
    profi_ring *ring = &thread->ring;
    if (chunk == NULL) {
        PROFI_PUT(ring->base, first_index + kept);
        recycled += kept;
        write_to(thread, ring->first_cells, 0, PROFI_FIRST_CELLS);
        return;
    }
    close_chunk(chunk);
    PROFI_PUT(chunk->cell_at, &thread->cell);
    for (uint64_t i = 0; i < kept; i++)
        copy_cell(&chunk->cells[i], &ring->first_cells[i]);
    ring->current = chunk;
    ring->chunk_count++;
    write_to(thread, chunk->cells, kept, cells_per_chunk);
    open_chunk(chunk, ring->thread, first_index, UINT64_MAX);
}

void profi_ring_turn(profi_thread *thread)
{
    PROFI_NO_CANCELLATION;
    profi_ring *ring = &thread->ring;
    pthread_mutex_lock(&lock);
    uint64_t issued = issued_by(thread), kept = ring->current ? 0 : used_cells(thread);
    finish_current(ring, cells_per_chunk);
    continue_in(thread, ring->is_without ? NULL : take_chunk(ring), issued - kept, kept);
    pthread_mutex_unlock(&lock);
}

/* Room for `count` cells behind each other in the chunk of runs; NULL when there is none to be had. */
static prof_inline_cell *reserve_run(uint64_t count)
{
    if (left.current != NULL && left.current->cell_count + count > cells_per_chunk)
        finish_current(&left, left.current->cell_count);
    if (left.current == NULL) {
        profi_chunk *chunk = take_chunk(&left);
        if (chunk == NULL)
            return NULL;
        close_chunk(chunk);
        open_chunk(chunk, 0, 0, 0);
        left.current = chunk;
        left.chunk_count++;
    }
    return left.current->cells + left.current->cell_count;
}

/* The last events of a thread that ends, too few for a chunk of their own, join those of others; else they are lost. */
static void keep_run(const profi_thread *thread, const prof_inline_cell *cells, uint64_t count)
{
    prof_inline_cell *into = thread->ring.is_without || count == 0 ? NULL : reserve_run(count + 1);
    if (into == NULL) {
        recycled += count;
        return;
    }
    PROFI_PUT(into->what, (uint64_t)PROFI_EVENT_RUN << PROFI_EVENT_KIND_SHIFT | count);
    PROFI_PUT(into->start, thread->ring.thread);
    PROFI_PUT(into->end, issued_by(thread) - count);
    for (uint64_t i = 0; i < count; i++)
        copy_cell(&into[1 + i], &cells[i]);
    left.current->run_count++;
    __atomic_store_n(&left.current->cell_count, left.current->cell_count + count + 1, __ATOMIC_RELEASE);
}

void profi_ring_retire(profi_thread *thread)
{
    profi_ring *ring = &thread->ring;
    pthread_mutex_lock(&lock);
    uint64_t used = used_cells(thread);
    exited_issued += issued_by(thread);
    if (used > cells_per_chunk / 2) {
        finish_current(ring, used);
    } else {
        keep_run(thread, ring->current ? ring->current->cells : ring->first_cells, used);
        ring->chunk_count -= ring->current != NULL;
        if (ring->current != NULL)
            free_chunk(ring->current);
    }
    if (ring->oldest != NULL) {
        if (left.newest != NULL)
            left.newest->next = ring->oldest;
        else
            left.oldest = ring->oldest;
        left.newest = ring->newest;
        left.chunk_count += ring->chunk_count;
    }
    ring_count -= !ring->is_without;
    live_count--;
    if (ring->next != NULL)
        ring->next->previous = ring->previous;
    if (ring->previous != NULL)
        ring->previous->next = ring->next;
    else
        rings = ring->next;
    pthread_mutex_unlock(&lock);
}

/* ---- readers ---- */

void profi_rings_count(uint64_t *issued, uint64_t *lost)
{
    const profi_thread *thread = profi_registry_lock(); /* so that none ends */
    profi_thread *self = profi_step_away();
    pthread_mutex_lock(&lock);
    *issued = *lost = 0;
    if (chunk_limit != 0) {
        *issued = exited_issued;
        *lost = recycled;
        for (; thread != NULL; thread = thread->next)
            *issued += thread->exited ? 0 : issued_by(thread);
    }
    pthread_mutex_unlock(&lock);
    profi_come_back(self);
    profi_registry_unlock();
}

/* How many of a chunk's cells are whole. */
static uint64_t whole_cells(const profi_chunk *chunk)
{
    uint64_t count = __atomic_load_n(&chunk->cell_count, __ATOMIC_ACQUIRE);
    if (count != UINT64_MAX)
        return count;
    const prof_inline_cell *at = __atomic_load_n(PROFI_GET(chunk->cell_at), __ATOMIC_ACQUIRE);
    return at >= chunk->cells && at <= chunk->cells + cells_per_chunk ? (uint64_t)(at - chunk->cells) : cells_per_chunk;
}

/* Where a reader puts events; `count` goes on where `room` ends. */
typedef struct event_list {
    profi_event *events;
    uint64_t room, count;
} event_list;

static void add_event(event_list *list, uint64_t thread, uint64_t index, const prof_inline_cell *cell)
{
    if (list->count < list->room) {
        list->events[list->count] = (profi_event){ .thread = thread, .index = index };
        copy_cell(&list->events[list->count].cell, cell);
    }
    list->count++;
}

/* Copies one chunk, if it was opened before `reading`, unless it is recycled meanwhile. */
static void copy_chunk(profi_chunk *chunk, uint64_t reading, event_list *list)
{
    uint64_t sequence = __atomic_load_n(&chunk->sequence, __ATOMIC_ACQUIRE), before = list->count;
    if (sequence == 0 || sequence & 1 || PROFI_GET(chunk->opened) >= reading)
        return;
    uint64_t thread = PROFI_GET(chunk->thread), index = PROFI_GET(chunk->first_index), cells = whole_cells(chunk);
    for (uint64_t i = 0; i < cells; i++) {
        const prof_inline_cell *cell = &chunk->cells[i];
        if (PROFI_GET(cell->what) >> PROFI_EVENT_KIND_SHIFT == PROFI_EVENT_RUN) {
            thread = PROFI_GET(cell->start);
            index = PROFI_GET(cell->end);
        } else {
            add_event(list, thread, index++, cell);
        }
    }
    /* A read that no earlier one can come after. */
    if (__atomic_fetch_add(&chunk->sequence, 0u, __ATOMIC_ACQ_REL) != sequence)
        list->count = before;
}

/* Under the lock: the events of a thread that has no chunk yet. */
static void copy_first_cells(const profi_thread *thread, event_list *list)
{
    const profi_ring *ring = &thread->ring;
    uint64_t cells = thread->exited || ring->current != NULL || ring->is_without ? 0 : used_cells(thread);
    for (uint64_t i = 0; i < cells; i++)
        add_event(list, ring->thread, ring->base + i, &ring->first_cells[i]);
}

uint64_t profi_rings_copy(profi_event *events, uint64_t room)
{
    event_list list = { events, room, 0 };
    uint64_t made = __atomic_load_n(&chunk_count, __ATOMIC_ACQUIRE);
    const profi_thread *thread = profi_registry_lock(); /* so that none ends */
    for (uint64_t i = 0; i < made; i++)
        copy_chunk(chunks[i], UINT64_MAX, &list);
    profi_thread *self = profi_step_away();
    pthread_mutex_lock(&lock);
    for (; thread != NULL; thread = thread->next)
        copy_first_cells(thread, &list);
    pthread_mutex_unlock(&lock);
    profi_come_back(self);
    profi_registry_unlock();
    return list.count;
}

/*
 * Takes the lock, with room for all that there is under it.  No malloc()
 * there: a thread that a signal interrupts in malloc() may need the lock.
 */
static int lock_with_room(profi_rings_view *view, event_list *list)
{
    for (;;) {
        pthread_mutex_lock(&lock);
        uint64_t made = chunk_count, live = live_count;
        pthread_mutex_unlock(&lock);
        list->room = made * cells_per_chunk + live * PROFI_FIRST_CELLS;
        list->events = malloc(list->room * sizeof(*list->events) + 1);
        view->rings = malloc(live * sizeof(*view->rings) + 1);
        if (list->events != NULL && view->rings != NULL) {
            pthread_mutex_lock(&lock);
            if (made == chunk_count && live == live_count)
                return 1;
            pthread_mutex_unlock(&lock);
        }
        int is_memory_spent = list->events == NULL || view->rings == NULL;
        free(list->events);
        free(view->rings);
        *list = (event_list){ 0 };
        view->rings = NULL;
        if (is_memory_spent)
            return 0;
    }
}

/* Fixes the moment: what live threads have issued, and the events that are in no chunk yet. */
static uint64_t begin_reading(profi_rings_view *view, event_list *list)
{
    if (chunk_limit == 0)
        return 0; /* there are no rings: nothing counts as issued */
    for (profi_ring *ring = rings; ring != NULL; ring = ring->next) {
        if (ring == &left)
            continue;
        const profi_thread *thread = PROFI_OBJECT_OF(ring, profi_thread, ring);
        view->rings[view->ring_count++] =
            (profi_ring_view){ .thread = ring->thread, .issued = issued_by(thread), .tid = ring->tid };
        copy_first_cells(thread, list);
    }
    view->exited_issued = exited_issued;
    return ++readings;
}

int profi_rings_read(profi_rings_view *view)
{
    event_list list = { NULL, 0, 0 };
    *view = (profi_rings_view){ 0 };
    profi_registry_lock(); /* so that no thread ends */
    profi_thread *self = profi_step_away();
    int ok = lock_with_room(view, &list);
    if (ok) {
        uint64_t reading = begin_reading(view, &list), made = chunk_count;
        pthread_mutex_unlock(&lock);
        for (uint64_t i = 0; i < made; i++)
            copy_chunk(chunks[i], reading, &list);
    }
    profi_come_back(self);
    profi_registry_unlock();
    view->events = list.events;
    view->event_count = list.count;
    return ok;
}

void profi_rings_reset(void)
{
    free_chunks = NULL;
    for (uint64_t i = 0; i < chunk_count; i++) {
        free_chunk(chunks[i]);
    }
    left = (profi_ring){ 0 };
    rings = &left;
    live_count = ring_count = exited_issued = recycled = 0;
}
