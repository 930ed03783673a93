/* SPDX-License-Identifier: Apache-2.0 */
/* Finds small numbers by pairs of large ones, such as those that a file gives its parts. */
#ifndef PROFI_NUMBER_MAP_H
#define PROFI_NUMBER_MAP_H

#include "base.h"

typedef struct profi_number_slot {
    uint64_t space, key;
    uint32_t value; /* plus 1; 0: free */
} profi_number_slot;

/* All zero is an empty one. */
typedef struct profi_number_map {
    profi_number_slot *slots; /* open addressing, at most half full */
    size_t slot_count, used;
} profi_number_map;

/* UINT32_MAX where there is none. */
uint32_t profi_number_map_find(const profi_number_map *map, uint64_t space, uint64_t key);

/* Adds, or replaces, below UINT32_MAX; 0 when memory is spent. */
int profi_number_map_put(profi_number_map *map, uint64_t space, uint64_t key, uint32_t value);

void profi_number_map_fini(profi_number_map *map);

#endif
