/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See blocks.h.  Blocks lie in shards by their address, each with a lock that
 * is held for a look-up; places in a table that is read without one, and are
 * never freed.  A lock is held by nobody who waits, but for the heap when a
 * shard grows.
 */
#include "blocks.h"

#include "../base/text.h"
#include "node.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- places ---- */

/* Set once, but for the figures, which are added to by any thread. */
typedef struct place {
    uint64_t hash;
    unsigned memory, depth;
    uint32_t is_cut;
    const profi_site *sites[PROFI_PLACE_DEPTH]; /* from the innermost */
    uint64_t allocated_bytes, allocated_count, freed_bytes, freed_count;
    uint64_t marked[4];
} place;

enum { PLACE_SLOTS = 2 * PROFI_PLACES_MOST, KEPT_FREE = 16 /* for places without scopes */ };

static pthread_mutex_t place_lock = PTHREAD_MUTEX_INITIALIZER;
static place **slots;                      /* PLACE_SLOTS, open addressing; stored with release, as its slots are */
static place *places[PROFI_PLACES_MOST];   /* in the order of their making */
static unsigned place_count;               /* stored with release after its place */
static uint32_t is_marked;

/* Where the calling thread stands. */
static void look_around(place *here, unsigned memory)
{
    const profi_thread *self = profi_self;
    const profi_node *node = self->current == &self->overflow ? self->overflow.parent : self->current;
    here->memory = memory;
    here->hash = memory;
    here->depth = here->is_cut = 0;
    for (; node != NULL && node->site != NULL; node = node->parent) {
        if (here->depth == PROFI_PLACE_DEPTH) {
            here->is_cut = 1;
            break;
        }
        here->sites[here->depth++] = node->site;
        here->hash = profi_mix64(here->hash ^ (uintptr_t)node->site);
    }
}

static int is_same_place(const place *a, const place *b)
{
    return a->hash == b->hash && a->memory == b->memory && a->depth == b->depth && a->is_cut == b->is_cut &&
           memcmp(a->sites, b->sites, a->depth * sizeof(*a->sites)) == 0;
}

/* The place's slot, or the free one where it belongs. */
static place **slot_of(place **table, const place *here)
{
    uint64_t at = here->hash;
    for (;; at++) {
        place **slot = &table[at % PLACE_SLOTS];
        const place *found = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
        if (found == NULL || is_same_place(found, here))
            return slot;
    }
}

/* Under the lock. */
static place *make_place(const place *here)
{
    if (slots == NULL)
        __atomic_store_n(&slots, calloc(PLACE_SLOTS, sizeof(*slots)), __ATOMIC_RELEASE);
    place **slot = slots != NULL ? slot_of(slots, here) : NULL;
    if (slot == NULL || *slot != NULL)
        return slot != NULL ? *slot : NULL;
    unsigned most = here->depth != 0 ? PROFI_PLACES_MOST - KEPT_FREE : PROFI_PLACES_MOST;
    place *made = place_count < most ? malloc(sizeof(*made)) : NULL;
    if (made == NULL)
        return NULL;
    *made = *here;
    memset(&made->allocated_bytes, 0, sizeof(*made) - offsetof(place, allocated_bytes));
    places[place_count] = made;
    __atomic_store_n(&place_count, place_count + 1, __ATOMIC_RELEASE);
    __atomic_store_n(slot, made, __ATOMIC_RELEASE);
    return made;
}

static place *make_or_share(const place *here)
{
    pthread_mutex_lock(&place_lock);
    place *found = make_place(here);
    if (found == NULL) {
        place nowhere = { .hash = here->memory, .memory = here->memory };
        found = make_place(&nowhere);
    }
    pthread_mutex_unlock(&place_lock);
    return found;
}

static place *place_here(unsigned memory)
{
    place here;
    look_around(&here, memory);
    place **table = PROFI_ACQUIRE(slots);
    place *found = table != NULL ? __atomic_load_n(slot_of(table, &here), __ATOMIC_ACQUIRE) : NULL;
    return found != NULL ? found : make_or_share(&here);
}

static void add_to_place(uint64_t *bytes, uint64_t *count, uint64_t more)
{
    __atomic_fetch_add(bytes, more, __ATOMIC_RELAXED);
    __atomic_fetch_add(count, 1u, __ATOMIC_RELAXED);
}

/* ---- blocks ---- */

typedef struct block {
    uintptr_t address; /* 0: free */
    uint64_t bytes;    /* with its memory in the top byte */
    place *from;
} block;

enum { SHARDS = 8, SHARD_MOST = PROFI_BLOCKS_MOST / SHARDS, SHARD_FIRST = 128, MEMORY_SHIFT = 56 };

static struct shard {
    pthread_mutex_t lock;
    block *blocks;
    size_t room, count; /* room is a power of two, and at least twice the count */
#define EMPTY { .lock = PTHREAD_MUTEX_INITIALIZER }
} shards[SHARDS] = { EMPTY, EMPTY, EMPTY, EMPTY, EMPTY, EMPTY, EMPTY, EMPTY };

static uint64_t hash_of(uintptr_t address) { return profi_mix64(address); }
static struct shard *shard_of(uint64_t hash) { return &shards[hash >> 32 & (SHARDS - 1)]; }

/* The block's index, or the free one where it belongs. */
static size_t index_of(const struct shard *shard, uintptr_t address, unsigned memory)
{
    size_t at = hash_of(address) & (shard->room - 1);
    while (shard->blocks[at].address != 0 &&
           (shard->blocks[at].address != address || shard->blocks[at].bytes >> MEMORY_SHIFT != memory))
        at = (at + 1) & (shard->room - 1);
    return at;
}

static int grow(struct shard *shard)
{
    struct shard bigger = { .room = shard->room ? shard->room * 2 : SHARD_FIRST };
    bigger.blocks = calloc(bigger.room, sizeof(*bigger.blocks));
    if (bigger.blocks == NULL)
        return 0;
    for (size_t i = 0; i < shard->room; i++) {
        const block *old = &shard->blocks[i];
        if (old->address != 0)
            bigger.blocks[index_of(&bigger, old->address, (unsigned)(old->bytes >> MEMORY_SHIFT))] = *old;
    }
    free(shard->blocks);
    shard->blocks = bigger.blocks;
    shard->room = bigger.room;
    return 1;
}

/* Frees an index; those behind it move up, so that none becomes unreachable. */
static void clear(struct shard *shard, size_t at)
{
    size_t mask = shard->room - 1;
    for (size_t next = (at + 1) & mask; shard->blocks[next].address != 0; next = (next + 1) & mask) {
        size_t home = hash_of(shard->blocks[next].address) & mask;
        if (((next - home) & mask) >= ((next - at) & mask)) {
            shard->blocks[at] = shard->blocks[next];
            at = next;
        }
    }
    shard->blocks[at].address = 0;
    shard->count--;
}

static uint64_t release(const block *freed)
{
    uint64_t bytes = freed->bytes & (((uint64_t)1 << MEMORY_SHIFT) - 1);
    add_to_place(&freed->from->freed_bytes, &freed->from->freed_count, bytes);
    return bytes;
}

int profi_block_add(unsigned memory, const void *address, uint64_t bytes, uint64_t *unseen)
{
    place *from = place_here(memory);
    struct shard *shard = shard_of(hash_of((uintptr_t)address));
    *unseen = UINT64_MAX;
    if (from == NULL || bytes >> MEMORY_SHIFT != 0)
        return 0;
    pthread_mutex_lock(&shard->lock);
    int has_room = shard->count < SHARD_MOST && (2 * (shard->count + 1) <= shard->room || grow(shard));
    if (has_room) {
        block *slot = &shard->blocks[index_of(shard, (uintptr_t)address, memory)];
        if (slot->address != 0)
            *unseen = release(slot);
        else
            shard->count++;
        *slot = (block){ (uintptr_t)address, bytes | (uint64_t)memory << MEMORY_SHIFT, from };
        add_to_place(&from->allocated_bytes, &from->allocated_count, bytes);
    }
    pthread_mutex_unlock(&shard->lock);
    return has_room;
}

uint64_t profi_block_remove(unsigned memory, const void *address, int *is_known)
{
    struct shard *shard = shard_of(hash_of((uintptr_t)address));
    uint64_t bytes = 0;
    *is_known = 0;
    pthread_mutex_lock(&shard->lock);
    size_t at = shard->room != 0 ? index_of(shard, (uintptr_t)address, memory) : 0;
    if (shard->room != 0 && shard->blocks[at].address != 0) {
        bytes = release(&shard->blocks[at]);
        clear(shard, at);
        *is_known = 1;
    }
    pthread_mutex_unlock(&shard->lock);
    return bytes;
}

/* ---- for readers ---- */

/* Read what was freed first, so that no block seems freed before it was allocated. */
static void read_figures(const place *from, uint64_t into[4])
{
    into[2] = PROFI_ACQUIRE(from->freed_bytes);
    into[3] = PROFI_ACQUIRE(from->freed_count);
    into[0] = PROFI_GET(from->allocated_bytes);
    into[1] = PROFI_GET(from->allocated_count);
}

void profi_places_mark(void)
{
    pthread_mutex_lock(&place_lock);
    for (unsigned i = 0; i < place_count; i++)
        read_figures(places[i], places[i]->marked);
    PROFI_PUT(is_marked, 1u);
    pthread_mutex_unlock(&place_lock);
}

int profi_places_are_marked(void) { return PROFI_GET(is_marked) != 0; }

unsigned profi_place_count(void) { return PROFI_ACQUIRE(place_count); }

profi_place_view profi_place(unsigned index)
{
    const place *from = places[index];
    profi_place_view view = { .memory = from->memory, .depth = from->depth, .is_cut = from->is_cut };
    uint64_t now[4];
    for (unsigned i = 0; i < from->depth; i++)
        view.sites[i] = from->sites[from->depth - 1 - i]->id;
    pthread_mutex_lock(&place_lock);
    read_figures(from, now);
    view.marked_allocated_bytes = from->marked[0];
    view.marked_allocated_count = from->marked[1];
    view.marked_freed_bytes = from->marked[2];
    view.marked_freed_count = from->marked[3];
    pthread_mutex_unlock(&place_lock);
    view.allocated_bytes = now[0];
    view.allocated_count = now[1];
    view.freed_bytes = now[2];
    view.freed_count = now[3];
    return view;
}

void profi_blocks_lock(void)
{
    pthread_mutex_lock(&place_lock);
    for (unsigned i = 0; i < SHARDS; i++)
        pthread_mutex_lock(&shards[i].lock);
}

void profi_blocks_unlock(void)
{
    for (unsigned i = 0; i < SHARDS; i++)
        pthread_mutex_unlock(&shards[i].lock);
    pthread_mutex_unlock(&place_lock);
}
