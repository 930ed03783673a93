/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool of chunks: who gets the next one, and what is lost by it.
 *
 * One lock, taken by a thread when a chunk is full (after some thousand
 * events) and when it ends; where there is no ring for it, only then.  Cells
 * are written without it.  A reader takes no lock either: it copies a chunk
 * and then looks whether its sequence number is still the same (ring_read.c).
 */
#include "roots.h"

#include "../base/region.h"
#include "../base/system.h"

#include <sys/prctl.h>

enum { SMALLEST_CHUNK = 4 << 10, LARGEST_CHUNK = 64 << 10, CHUNKS_AT_LEAST = 64, FLOOR = 2 };

static profi_pool *pool; /* the roots' */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void profi_rings_open(uint64_t bytes)
{
    pool = &profi_the_roots->pool;
    pool->chunk_bytes = SMALLEST_CHUNK;
    while (pool->chunk_bytes < LARGEST_CHUNK && pool->chunk_bytes * 2 * CHUNKS_AT_LEAST <= bytes)
        pool->chunk_bytes *= 2;
    pool->cells_per_chunk = (pool->chunk_bytes - sizeof(profi_chunk)) / sizeof(prof_inline_cell);
    pool->chunk_limit = bytes / (pool->chunk_bytes + sizeof(*pool->chunks));
    pool->chunks = pool->chunk_limit ? profi_region_alloc(pool->chunk_limit * sizeof(*pool->chunks), PROFI_REGION_RING) : NULL;
    if (pool->chunks == NULL)
        pool->chunk_limit = 0;
    pool->rings = &pool->left;
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
    if (pool->chunk_count == pool->chunk_limit)
        return NULL;
    profi_chunk *chunk = profi_region_alloc(pool->chunk_bytes, PROFI_REGION_RING);
    if (chunk == NULL) {
        pool->chunk_limit = pool->chunk_count; /* the region is full: what there is is the pool */
        return NULL;
    }
    pool->chunks[pool->chunk_count] = chunk;
    __atomic_store_n(&pool->chunk_count, pool->chunk_count + 1, __ATOMIC_RELEASE);
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

static profi_chunk *unlink_oldest(profi_ring *ring)
{
    profi_chunk *chunk = ring->oldest;
    if (chunk == NULL)
        return NULL;
    ring->oldest = chunk->next;
    if (ring->oldest == NULL)
        ring->newest = NULL;
    ring->chunk_count--;
    return chunk;
}

static profi_chunk *pop_oldest(profi_ring *ring)
{
    profi_chunk *chunk = unlink_oldest(ring);
    if (chunk != NULL)
        pool->recycled += chunk->cell_count - chunk->other_count;
    return chunk;
}

/* Lets nobody read what is in a chunk: its next owner lets them again. */
static void close_chunk(profi_chunk *chunk)
{
    __atomic_exchange_n(&chunk->sequence, PROFI_GET(chunk->sequence) | 1, __ATOMIC_ACQ_REL);
}

static void put_who(prof_inline_cell *into, const profi_ring *ring)
{
    const prof_inline_cell who = profi_who_cell(&ring->who);
    profi_cell_copy(into, &who);
}

/* Lets readers in again: what is in it now comes after so many events and details of the thread's. */
static void open_chunk(profi_chunk *chunk, const profi_ring *ring, uint64_t cell_count)
{
    PROFI_PUT(chunk->thread, ring->thread);
    PROFI_PUT(chunk->first_index, ring->first_index);
    PROFI_PUT(chunk->first_detail, ring->first_detail);
    PROFI_PUT(chunk->cell_count, cell_count);
    PROFI_PUT(chunk->opened, pool->readings);
    put_who(&chunk->who, ring);
    chunk->other_count = 0;
    __atomic_store_n(&chunk->sequence, PROFI_GET(chunk->sequence) + 1, __ATOMIC_RELEASE);
}

static void free_chunk(profi_chunk *chunk)
{
    close_chunk(chunk);
    chunk->next = pool->free;
    pool->free = chunk;
}

/* The ring whose oldest chunk goes when `ring` needs one: its own, if that has its share, else the largest. */
static profi_ring *loser_for(profi_ring *ring)
{
    profi_ring *largest = &pool->left;
    if (ring->oldest != NULL && ring->chunk_count >= FLOOR && ring->chunk_count >= pool->chunk_limit / (pool->ring_count + 1))
        return ring;
    for (profi_ring *other = pool->rings; other != NULL; other = other->next)
        if (other->oldest != NULL && (largest->oldest == NULL || other->chunk_count > largest->chunk_count))
            largest = other;
    return largest->chunk_count > FLOOR || largest == &pool->left ? largest : ring;
}

static profi_chunk *take_chunk(profi_ring *ring)
{
    profi_chunk *chunk = pool->free;
    if (chunk != NULL)
        pool->free = chunk->next;
    else
        chunk = make_chunk();
    if (chunk == NULL)
        chunk = pop_oldest(loser_for(ring));
    return chunk;
}

/* ---- for who streams ---- */

profi_chunk *profi_rings_take_full(void)
{
    profi_thread *self = profi_step_away();
    pthread_mutex_lock(&lock);
    profi_ring *fullest = NULL;
    for (profi_ring *ring = pool->rings; ring != NULL; ring = ring->next)
        if (ring->oldest != NULL && (fullest == NULL || ring->chunk_count > fullest->chunk_count))
            fullest = ring;
    profi_chunk *chunk = fullest != NULL ? unlink_oldest(fullest) : NULL;
    pthread_mutex_unlock(&lock);
    profi_come_back(self);
    return chunk;
}

/* Where it is counted what the stream has of a thread. */
static uint64_t *streamed_of(uint64_t thread)
{
    for (profi_ring *ring = pool->rings; ring != NULL; ring = ring->next)
        if (ring->thread == thread && ring != &pool->left)
            return &ring->streamed;
    return &pool->exited_streamed;
}

void profi_rings_give_back(profi_chunk *chunk, int is_lost)
{
    profi_thread *self = profi_step_away();
    pthread_mutex_lock(&lock);
    uint64_t count = chunk->cell_count - chunk->other_count;
    if (is_lost)
        pool->recycled += count;
    else
        *streamed_of(chunk->thread) += count;
    free_chunk(chunk);
    pthread_mutex_unlock(&lock);
    profi_come_back(self);
}

/* Ends the current chunk with what is in it. */
static void finish_current(profi_ring *ring, uint64_t cell_count)
{
    __atomic_store_n(&ring->current->cell_count, cell_count, __ATOMIC_RELEASE);
    push_full(ring, ring->current);
    ring->current = NULL;
}

/* ---- a thread's ring ---- */

static void write_to(profi_thread *thread, prof_inline_cell *cells, uint64_t first_free, uint64_t count)
{
    thread->cell_end = cells + count;
    __atomic_store_n(&thread->cell, cells + first_free, __ATOMIC_RELEASE);
}

void profi_rings_set_shortest(uint64_t ticks)
{
    pthread_mutex_lock(&lock);
    pool->shortest = ticks;
    pthread_mutex_unlock(&lock);
}

void profi_ring_attach(profi_thread *thread)
{
    profi_ring *ring = &thread->ring;
    write_to(thread, ring->first_cells, 0, PROFI_FIRST_CELLS);
    ring->thread = thread->number;
    ring->who.tid = thread->tid;
    prctl(PR_GET_NAME, ring->who.name);
    pthread_mutex_lock(&lock);
    thread->event_min = pool->shortest;
    ring->is_without = FLOOR * (pool->ring_count + 1) > pool->chunk_limit;
    pool->ring_count += !ring->is_without;
    pool->live_count++;
    profi_roots_note_time();
    ring->next = pool->rings;
    if (pool->rings != NULL)
        pool->rings->previous = ring;
    pool->rings = ring;
    pthread_mutex_unlock(&lock);
}

/* What was written since the ring's first index and first detail were set is behind them now. */
static void step_over(profi_ring *ring, uint64_t cells)
{
    PROFI_RELEASE(ring->first_index, ring->first_index + cells - ring->details);
    ring->first_detail += ring->details;
    PROFI_RELEASE(ring->details, 0u);
}

/* The cells in first_cells make room for the next ones. */
static void lose_first_cells(profi_thread *thread, uint64_t kept)
{
    step_over(&thread->ring, kept);
    write_to(thread, thread->ring.first_cells, 0, PROFI_FIRST_CELLS);
}

/* The first cells of a thread move into its first chunk; without one they are lost. */
static void continue_in(profi_thread *thread, profi_chunk *chunk, uint64_t kept)
{
    profi_ring *ring = &thread->ring;
    if (chunk == NULL) {
        pool->recycled += kept - ring->details;
        lose_first_cells(thread, kept);
        return;
    }
    close_chunk(chunk);
    PROFI_PUT(chunk->cell_at, &thread->cell);
    for (uint64_t i = 0; i < kept; i++)
        profi_cell_copy(&chunk->cells[i], &ring->first_cells[i]);
    ring->current = chunk;
    ring->chunk_count++;
    write_to(thread, chunk->cells, kept, pool->cells_per_chunk);
    open_chunk(chunk, ring, UINT64_MAX);
}

void profi_ring_turn(profi_thread *thread)
{
    PROFI_NO_CANCELLATION;
    profi_ring *ring = &thread->ring;
    if (ring->is_without) { /* without the lock: see profi_ring_issued(); what it issues is lost */
        lose_first_cells(thread, PROFI_FIRST_CELLS);
        return;
    }
    pthread_mutex_lock(&lock);
    uint64_t kept = profi_ring_used_cells(thread);
    if (ring->current != NULL) {
        ring->current->other_count = (uint32_t)ring->details;
        finish_current(ring, kept);
        step_over(ring, kept);
        kept = 0;
    }
    continue_in(thread, take_chunk(ring), kept);
    profi_roots_note_time();
    pthread_mutex_unlock(&lock);
    if (ring->request[0] != 0 || ring->request[1] != 0) /* whoever reads from here on needs nothing that came before */
        profi_ring_write_detail(thread, profi_event_what(PROFI_DETAIL_REQUEST, 0, 0), ring->request[0], ring->request[1]);
}

void profi_ring_write(profi_thread *thread, uint64_t what, uint64_t start, uint64_t end)
{
    prof_inline_cell *cell = thread->cell;
    PROFI_PUT(cell->what, what);
    PROFI_PUT(cell->start, start);
    PROFI_PUT(cell->end, end);
    __atomic_store_n(&thread->cell, cell + 1, __ATOMIC_RELEASE);
    if (cell + 1 == thread->cell_end)
        profi_ring_turn(thread);
}

void profi_ring_write_detail(profi_thread *thread, uint64_t what, uint64_t start, uint64_t end)
{
    PROFI_PUT(thread->ring.details, thread->ring.details + 1);
    profi_ring_write(thread, what, start, end);
}

/* Room for `count` cells behind each other in the chunk of runs; NULL when there is none to be had. */
static prof_inline_cell *reserve_run(uint64_t count)
{
    profi_ring *left = &pool->left;
    if (left->current != NULL && left->current->cell_count + count > pool->cells_per_chunk)
        finish_current(left, left->current->cell_count);
    if (left->current == NULL) {
        profi_chunk *chunk = take_chunk(left);
        if (chunk == NULL)
            return NULL;
        close_chunk(chunk);
        open_chunk(chunk, left, 0);
        left->current = chunk;
        left->chunk_count++;
    }
    return left->current->cells + left->current->cell_count;
}

/* The last cells of a thread that ends, too few for a chunk of their own, join those of others; else they are lost. */
static void keep_run(const profi_ring *ring, const prof_inline_cell *cells, uint64_t count)
{
    prof_inline_cell *into = ring->is_without || count == 0 ? NULL : reserve_run(2 + count);
    profi_chunk *chunk = pool->left.current;
    if (into == NULL) {
        pool->recycled += count - ring->details;
        return;
    }
    PROFI_PUT(into->what, profi_event_run(count, ring->first_detail));
    PROFI_PUT(into->start, ring->thread);
    PROFI_PUT(into->end, ring->first_index);
    put_who(&into[1], ring);
    for (uint64_t i = 0; i < count; i++)
        profi_cell_copy(&into[2 + i], &cells[i]);
    chunk->other_count += 2 + (uint32_t)ring->details;
    __atomic_store_n(&chunk->cell_count, chunk->cell_count + count + 2, __ATOMIC_RELEASE);
}

/* What a thread's ring still has goes to those of threads that have exited. */
static void leave_chunks(profi_ring *ring)
{
    profi_ring *left = &pool->left;
    if (ring->oldest == NULL)
        return;
    for (profi_chunk *chunk = ring->oldest; chunk != NULL; chunk = chunk->next)
        put_who(&chunk->who, ring); /* its name may be another by now */
    if (left->newest != NULL)
        left->newest->next = ring->oldest;
    else
        left->oldest = ring->oldest;
    left->newest = ring->newest;
    left->chunk_count += ring->chunk_count;
}

static void unlink_ring(profi_ring *ring)
{
    pool->ring_count -= !ring->is_without;
    pool->live_count--;
    if (ring->next != NULL)
        ring->next->previous = ring->previous;
    if (ring->previous != NULL)
        ring->previous->next = ring->next;
    else
        pool->rings = ring->next;
}

void profi_ring_retire(profi_thread *thread)
{
    profi_ring *ring = &thread->ring;
    prctl(PR_GET_NAME, ring->who.name);
    pthread_mutex_lock(&lock);
    uint64_t used = profi_ring_used_cells(thread);
    ring->counted_with = pool->exited_issued + profi_ring_issued(thread);
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* a reader of what a killed process left must know whether these were added */
    pool->exited_issued = ring->counted_with;
    pool->exited_filtered += thread->filtered;
    pool->exited_streamed += ring->streamed;
    pool->recycled += ring->is_without ? ring->first_index : 0;
    if (used > pool->cells_per_chunk / 2) { /* more than first_cells hold */
        ring->current->other_count = (uint32_t)ring->details;
        finish_current(ring, used);
    } else {
        keep_run(ring, ring->current ? ring->current->cells : ring->first_cells, used);
        ring->chunk_count -= ring->current != NULL;
        if (ring->current != NULL)
            free_chunk(ring->current);
    }
    leave_chunks(ring);
    unlink_ring(ring);
    pthread_mutex_unlock(&lock);
}

void profi_rings_reset(void)
{
    pool->free = NULL;
    for (uint64_t i = 0; i < pool->chunk_count; i++)
        free_chunk(pool->chunks[i]);
    pool->left = (profi_ring){ 0 };
    pool->rings = &pool->left;
    pool->live_count = pool->ring_count = 0;
    pool->exited_issued = pool->exited_filtered = pool->exited_streamed = pool->recycled = 0;
}
