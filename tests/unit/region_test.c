/* SPDX-License-Identifier: Apache-2.0 */
/* The region's cap, its reuse, and the table and grid that stand on it. */
#include "harness.h"

#include "base/bucket.h"
#include "base/region.h"
#include "base/table.h"

enum { LIMIT = 4 << 20 };

TEST(a_region_out_of_range_is_refused)
{
    prof_error err = PROF_ERROR_INIT;
    CHECK_I64(profi_region_open(1000, &err), PROF_E_INVALID);
    CHECK_HAS(err.message, "1 MiB");
    CHECK(profi_region_alloc(64, PROFI_REGION_TREE) == NULL);
    CHECK_U64(profi_region_limit(), 0);
    CHECK_I64(profi_region_open(LIMIT, &err), PROF_OK);
    CHECK_U64(profi_region_limit(), LIMIT);
}

TEST(pieces_are_zeroed_aligned_and_apart)
{
    static const size_t sizes[] = { 1, 16, 17, 63, 64, 65, 80, 100, 128, 129, 192, 200, 1000, 4097, 7808, 70000 };
    char *pieces[PROFI_COUNT_OF(sizes)];
    for (size_t i = 0; i < PROFI_COUNT_OF(sizes); i++) {
        pieces[i] = profi_region_alloc(sizes[i], PROFI_REGION_TREE);
        REQUIRE(pieces[i] != NULL);
        CHECK_U64((uintptr_t)pieces[i] % (sizes[i] >= 64 ? 64 : 16), 0);
        for (size_t k = 0; k < sizes[i]; k++)
            REQUIRE(pieces[i][k] == 0);
        memset(pieces[i], (int)i + 1, sizes[i]);
    }
    for (size_t i = 0; i < PROFI_COUNT_OF(sizes); i++)
        for (size_t k = 0; k < sizes[i]; k++)
            REQUIRE(pieces[i][k] == (char)(i + 1));
    for (size_t i = 0; i < PROFI_COUNT_OF(sizes); i++)
        profi_region_free(pieces[i], sizes[i], PROFI_REGION_TREE);
    CHECK_U64(profi_region_used(), 0);
}

TEST(what_is_freed_serves_the_same_size_again_and_is_zero_again)
{
    char *first = profi_region_alloc(200, PROFI_REGION_TREE);
    REQUIRE(first != NULL);
    memset(first, 7, 200);
    profi_region_free(first, 200, PROFI_REGION_TREE);
    char *second = profi_region_alloc(193, PROFI_REGION_TREE); /* the same class of 256 bytes */
    CHECK(second == first);
    for (size_t i = 0; i < 193; i++)
        REQUIRE(second[i] == 0);
    profi_region_free(second, 193, PROFI_REGION_TREE);
    profi_region_free(NULL, 10, PROFI_REGION_TREE);
}

TEST(every_size_fits_its_class)
{
    for (size_t bytes = 1; bytes < 70000; bytes += bytes < 3000 ? 1 : 97) {
        uint64_t before = profi_region_used();
        void *piece = profi_region_alloc(bytes, PROFI_REGION_TREE);
        REQUIRE(piece != NULL);
        uint64_t taken = profi_region_used() - before;
        CHECK(taken >= bytes && taken <= bytes + bytes / 4 + 64);
        profi_region_free(piece, bytes, PROFI_REGION_TREE);
    }
}

TEST(histograms_take_at_most_a_quarter_and_all_at_most_the_cap)
{
    static void *histograms[1000], *nodes[100000];
    size_t histogram_count = 0, node_count = 0;
    while ((histograms[histogram_count] = profi_region_alloc(8192, PROFI_REGION_HISTOGRAM)) != NULL)
        histogram_count++;
    CHECK_U64(histogram_count, LIMIT / 4 / 8192);
    while ((nodes[node_count] = profi_region_alloc(128, PROFI_REGION_TREE)) != NULL)
        node_count++;
    CHECK(profi_region_used() <= LIMIT);
    CHECK(node_count > 10000);
    for (size_t i = 0; i < histogram_count; i++)
        profi_region_free(histograms[i], 8192, PROFI_REGION_HISTOGRAM);
    for (size_t i = 0; i < node_count; i++)
        profi_region_free(nodes[i], 128, PROFI_REGION_TREE);
    CHECK_U64(profi_region_used(), 0);
}

/* ---- the table ---- */

typedef struct item {
    uint64_t value;
    profi_entry entry;
} item;

static item *find(const profi_table *table, uint64_t hash, uint64_t value)
{
    for (profi_entry *e = profi_table_first(table, hash); e != NULL; e = profi_table_next(e))
        if (PROFI_OBJECT_OF(e, item, entry)->value == value)
            return PROFI_OBJECT_OF(e, item, entry);
    return NULL;
}

TEST(a_table_finds_what_was_added_also_where_hashes_collide)
{
    enum { ITEMS = 5000 };
    static item items[ITEMS];
    profi_table table = { 0 };
    for (uint64_t i = 0; i < ITEMS; i++) {
        items[i].value = i;
        profi_table_add(&table, &items[i].entry, i % 1000);
    }
    for (uint64_t i = 0; i < ITEMS; i++)
        REQUIRE(find(&table, i % 1000, i) == &items[i]);
    CHECK(find(&table, 3, 4) == NULL);
    CHECK(find(&table, 123456, 1) == NULL);
    CHECK(table.bucket_count >= ITEMS / 2);
    profi_table_fini(&table);
    CHECK_U64(profi_region_used(), 0);
}

/* ---- the grid ---- */

TEST(buckets_are_monotone_and_end_where_the_next_begins)
{
    for (unsigned index = 16; index < PROFI_BUCKET_COUNT; index++) {
        uint64_t upper = profi_bucket_upper(index);
        REQUIRE(profi_bucket_of(upper) == index);
        if (index + 1 < PROFI_BUCKET_COUNT)
            REQUIRE(profi_bucket_of(upper + 1) == index + 1);
    }
    CHECK_U64(profi_bucket_of(0), 16);
    CHECK_U64(profi_bucket_of(UINT64_MAX - 16), PROFI_BUCKET_COUNT - 1);
    CHECK_U64(profi_bucket_upper(PROFI_BUCKET_COUNT - 1), UINT64_MAX - 16);
}

TEST(a_bucket_is_at_most_a_sixteenth_wide)
{
    for (unsigned index = 17; index < PROFI_BUCKET_COUNT; index++) {
        uint64_t lower = profi_bucket_upper(index - 1) + 1, width = profi_bucket_upper(index) - lower + 1;
        REQUIRE(width == 1 || width * 16 <= lower + 16);
    }
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
