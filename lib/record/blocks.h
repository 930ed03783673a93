/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of memory that allocators have handed out and not taken back, and
 * the places where that was: the scopes that were open on the thread.
 *
 *     block: address, memory ──▶ bytes, place
 *     place: memory, get_response > aten::clone > aten::empty ──▶ what it allocated, and what of it was freed
 *
 * Knows what is still there, whoever frees it; what a scope allocates and
 * frees is counted elsewhere.  On the heap, bounded, and not before the first
 * block.
 */
#ifndef PROFI_BLOCKS_H
#define PROFI_BLOCKS_H

#include "../base/base.h"

enum {
    PROFI_PLACE_DEPTH = 24,     /* scopes of a place; those further out are left out */
    PROFI_PLACES_MOST = 4096,   /* what is allocated elsewhere is in one place without scopes */
    PROFI_BLOCKS_MOST = 1 << 19 /* of which each takes 48 bytes at most */
};

/* Remembers a block of the calling thread; 0 when there is no room.  One that stands there already was freed unseen: see `unseen`. */
int profi_block_add(unsigned memory, const void *block, uint64_t bytes, uint64_t *unseen);

/* Forgets a block: its bytes, or 0 with *is_known 0. */
uint64_t profi_block_remove(unsigned memory, const void *block, int *is_known);

/* What holds now is what growth is measured from. */
void profi_places_mark(void);
int profi_places_are_marked(void);

/* A place as a reader sees it: scopes from the outermost, by the ids of their sites. */
typedef struct profi_place_view {
    unsigned memory, depth;
    uint32_t sites[PROFI_PLACE_DEPTH];
    uint32_t is_cut; /* further scopes were around */
    uint64_t allocated_bytes, allocated_count, freed_bytes, freed_count;
    uint64_t marked_allocated_bytes, marked_allocated_count, marked_freed_bytes, marked_freed_count; /* at the mark, or 0 */
} profi_place_view;

/* How many places there are by now, and each by its index. */
unsigned profi_place_count(void);
profi_place_view profi_place(unsigned index);

/* Around a fork. */
void profi_blocks_lock(void);
void profi_blocks_unlock(void);

#endif
