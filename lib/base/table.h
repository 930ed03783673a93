/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table whose entries are parts of the caller's own objects, with its
 * buckets in the region.  One writer at a time, which the caller sees to;
 * readers are the writer.
 *
 * It never fails: when memory for more buckets is spent, chains get longer.
 */
#ifndef PROFI_TABLE_H
#define PROFI_TABLE_H

#include "base.h"

/* The part of an object that a table holds it by. */
typedef struct profi_entry {
    uint64_t hash;
    struct profi_entry *next;
} profi_entry;

/* All zero is an empty table. */
typedef struct profi_table {
    profi_entry **buckets;
    profi_entry *only; /* the chain while there are no buckets */
    uint64_t bucket_count, entry_count;
    uint32_t use; /* what its buckets are for: PROFI_REGION_TREE, or the caller's choice */
} profi_table;

/* The first entry of this hash, and the next one after `entry`; NULL at the end.  The caller compares the rest. */
profi_entry *profi_table_first(const profi_table *table, uint64_t hash);
profi_entry *profi_table_next(const profi_entry *entry);

void profi_table_add(profi_table *table, profi_entry *entry, uint64_t hash);

/* Gives the buckets back; the entries are the caller's. */
void profi_table_fini(profi_table *table);

/* The object of type `type` whose member `member` is `entry`. */
#define PROFI_OBJECT_OF(entry, type, member) ((type *)(void *)((char *)(entry)-offsetof(type, member)))

#endif
