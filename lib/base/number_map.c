/* SPDX-License-Identifier: Apache-2.0 */
/* See number_map.h. */
#include "number_map.h"

#include "text.h"

#include <stdlib.h>

/* The numbers are the file's: without the secret they could be chosen to collide. */
static profi_number_slot *find_slot(const profi_number_map *map, uint64_t space, uint64_t key)
{
    size_t mask = map->slot_count - 1;
    size_t at = (size_t)profi_mix64(profi_mix64(key ^ profi_hash_seed()) ^ space) & mask;
    while (map->slots[at].value != 0 && (map->slots[at].key != key || map->slots[at].space != space))
        at = (at + 1) & mask;
    return &map->slots[at];
}

static int grow(profi_number_map *map)
{
    profi_number_map larger = { .slot_count = map->slot_count ? map->slot_count * 2 : 64, .used = map->used };
    larger.slots = calloc(larger.slot_count, sizeof(*larger.slots));
    if (larger.slots == NULL)
        return 0;
    for (size_t i = 0; i < map->slot_count; i++)
        if (map->slots[i].value != 0)
            *find_slot(&larger, map->slots[i].space, map->slots[i].key) = map->slots[i];
    free(map->slots);
    *map = larger;
    return 1;
}

uint32_t profi_number_map_find(const profi_number_map *map, uint64_t space, uint64_t key)
{
    return map->slot_count != 0 ? find_slot(map, space, key)->value - 1 : UINT32_MAX;
}

int profi_number_map_put(profi_number_map *map, uint64_t space, uint64_t key, uint32_t value)
{
    if (map->used >= map->slot_count / 2 && !grow(map))
        return 0;
    profi_number_slot *slot = find_slot(map, space, key);
    map->used += slot->value == 0;
    *slot = (profi_number_slot){ space, key, value + 1 };
    return 1;
}

void profi_number_map_fini(profi_number_map *map)
{
    free(map->slots);
    *map = (profi_number_map){ 0 };
}
