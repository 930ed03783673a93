/* SPDX-License-Identifier: Apache-2.0 */
/* The intrusive hash table: see table.h. */
#include "table.h"

#include "region.h"

enum { FIRST_BUCKETS = 16 };

static profi_entry **bucket_of(const profi_table *table, uint64_t hash)
{
    return table->bucket_count ? &table->buckets[hash & (table->bucket_count - 1)] : (profi_entry **)&table->only;
}

static profi_entry *same_hash(profi_entry *entry, uint64_t hash)
{
    while (entry != NULL && entry->hash != hash)
        entry = entry->next;
    return entry;
}

profi_entry *profi_table_first(const profi_table *table, uint64_t hash)
{
    return same_hash(*bucket_of(table, hash), hash);
}

profi_entry *profi_table_next(const profi_entry *entry)
{
    return same_hash(entry->next, entry->hash);
}

static void move_chain(profi_table *table, profi_entry *entry)
{
    while (entry != NULL) {
        profi_entry *next = entry->next, **bucket = bucket_of(table, entry->hash);
        entry->next = *bucket;
        *bucket = entry;
        entry = next;
    }
}

static void grow(profi_table *table)
{
    profi_table old = *table;
    uint64_t count = old.bucket_count ? old.bucket_count * 2 : FIRST_BUCKETS;
    profi_entry **buckets = profi_region_alloc(count * sizeof(*buckets), table->use);
    if (buckets == NULL)
        return;
    table->buckets = buckets;
    table->bucket_count = count;
    table->only = NULL;
    move_chain(table, old.only);
    for (uint64_t i = 0; i < old.bucket_count; i++)
        move_chain(table, old.buckets[i]);
    profi_region_free(old.buckets, old.bucket_count * sizeof(*buckets), table->use);
}

void profi_table_add(profi_table *table, profi_entry *entry, uint64_t hash)
{
    if (++table->entry_count > (table->bucket_count ? table->bucket_count : 4))
        grow(table);
    profi_entry **bucket = bucket_of(table, hash);
    entry->hash = hash;
    entry->next = *bucket;
    *bucket = entry;
}

void profi_table_fini(profi_table *table)
{
    profi_region_free(table->buckets, table->bucket_count * sizeof(profi_entry *), table->use);
    *table = (profi_table){ .use = table->use };
}
