/* SPDX-License-Identifier: Apache-2.0 */
/* The example's index file and its hash: what goes in comes out, and nothing else does. */
#include "harness.h"

#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "content_hash.h"
#include "index_file.h"

enum { COUNT = 3, DIMENSIONS = 4 };

static char folder[] = "/tmp/index_test_XXXXXX";
static float vectors[COUNT * DIMENSIONS] = { 1, 0, 0, 0, 0.6f, 0.8f, 0, 0, 0.5f, -0.5f, 0.5f, -0.5f };

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static stored_index sample(void)
{
    return (stored_index){ .key = { { 11, 22 } }, .dimensions = DIMENSIONS, .count = COUNT, .build_ns = 41000000000u,
                           .vectors = vectors };
}

static stored_index wanted(void)
{
    return (stored_index){ .key = { { 11, 22 } }, .dimensions = DIMENSIONS, .count = COUNT };
}

/* Reads what must be refused; returns the message. */
static const char *refusal(const char *path, stored_index asked, prof_status status)
{
    static prof_error err;
    err = (prof_error)PROF_ERROR_INIT;
    CHECK_I64(index_file_read(path, &asked, &err), status);
    CHECK(asked.vectors == NULL);
    return err.message;
}

static size_t load(const char *path, char *into, size_t room)
{
    FILE *const file = fopen(path, "rb");
    const size_t bytes = file != NULL ? fread(into, 1, room, file) : 0;
    if (file != NULL)
        fclose(file);
    return bytes;
}

static void store(const char *path, const char *data, size_t bytes)
{
    FILE *const file = fopen(path, "wb");
    CHECK(file != NULL && fwrite(data, 1, bytes, file) == bytes);
    if (file != NULL)
        fclose(file);
}

/* ------------------------------------------------------------------------
 * The hash
 */

static content_hash hash_of(const void *data, size_t bytes)
{
    content_hasher hasher;
    content_hasher_init(&hasher);
    content_hasher_add(&hasher, data, bytes);
    return content_hasher_result(&hasher);
}

TEST(equal_content_has_equal_hashes_and_any_changed_bit_another_one)
{
    unsigned char text[97];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (unsigned char)(i * 7);
    const content_hash original = hash_of(text, sizeof text);
    CHECK(content_hash_equal(original, hash_of(text, sizeof text)));
    for (size_t bit = 0; bit < 8 * sizeof text; bit++) {
        text[bit / 8] ^= (unsigned char)(1u << bit % 8);
        const content_hash changed = hash_of(text, sizeof text);
        CHECK(changed.word[0] != original.word[0] && changed.word[1] != original.word[1]);
        text[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
}

TEST(content_of_another_length_has_another_hash)
{
    static const unsigned char zeros[100];
    for (size_t a = 0; a < sizeof zeros; a++)
        for (size_t b = 0; b < a; b++)
            CHECK(!content_hash_equal(hash_of(zeros, a), hash_of(zeros, b)));
}

TEST(where_pieces_are_cut_counts)
{
    content_hasher one, other;
    content_hasher_init(&one);
    content_hasher_init(&other);
    content_hasher_add(&one, "ab", 2);
    content_hasher_add(&one, "c", 1);
    content_hasher_add(&other, "a", 1);
    content_hasher_add(&other, "bc", 2);
    CHECK(!content_hash_equal(content_hasher_result(&one), content_hasher_result(&other)));
}

TEST(a_file_is_hashed_by_its_bytes)
{
    content_hasher one, other;
    prof_error err = PROF_ERROR_INIT;
    char *const big = calloc(1, 300000);
    REQUIRE(big != NULL);
    store(path_of("a"), big, 300000);
    big[299999] = 1;
    store(path_of("b"), big, 300000);
    free(big);
    content_hasher_init(&one);
    content_hasher_init(&other);
    CHECK_I64(content_hasher_add_file(&one, path_of("a"), &err), PROF_OK);
    CHECK_I64(content_hasher_add_file(&other, path_of("b"), &err), PROF_OK);
    CHECK(!content_hash_equal(content_hasher_result(&one), content_hasher_result(&other)));
    CHECK_I64(content_hasher_add_file(&one, path_of("missing"), &err), PROF_E_IO);
    CHECK_HAS(err.message, "missing: cannot be opened: No such file");
    CHECK_I64(content_hasher_add_file(&one, folder, &err), PROF_E_FORMAT);
}

/* ------------------------------------------------------------------------
 * The file
 */

TEST(what_was_written_is_read_back)
{
    const stored_index written = sample();
    stored_index read = wanted();
    CHECK_I64(index_file_write(path_of("good"), &written, NULL), PROF_OK);
    CHECK_I64(index_file_read(path_of("good"), &read, NULL), PROF_OK);
    CHECK_U64(read.build_ns, 41000000000u);
    CHECK(read.vectors != NULL && memcmp(read.vectors, vectors, sizeof vectors) == 0);
    free(read.vectors);
}

TEST(a_file_is_replaced_whole_and_nothing_is_left_beside_it)
{
    stored_index written = sample();
    mkdir(path_of("alone"), 0777);
    CHECK_I64(index_file_write(path_of("alone/x"), &written, NULL), PROF_OK);
    written.build_ns = 5;
    CHECK_I64(index_file_write(path_of("alone/x"), &written, NULL), PROF_OK);
    stored_index read = wanted();
    CHECK_I64(index_file_read(path_of("alone/x"), &read, NULL), PROF_OK);
    CHECK_U64(read.build_ns, 5);
    free(read.vectors);
    CHECK(unlink(path_of("alone/x")) == 0 && rmdir(path_of("alone")) == 0);
}

TEST(an_index_of_something_else_is_refused)
{
    const stored_index written = sample();
    CHECK_I64(index_file_write(path_of("other"), &written, NULL), PROF_OK);
    stored_index asked = wanted();
    asked.key.word[1]++;
    CHECK_HAS(refusal(path_of("other"), asked, PROF_E_FORMAT), "other documents, or by another model");
    asked = wanted();
    asked.count++;
    CHECK_HAS(refusal(path_of("other"), asked, PROF_E_FORMAT), "other documents");
    asked = wanted();
    asked.dimensions--;
    CHECK_HAS(refusal(path_of("other"), asked, PROF_E_FORMAT), "other documents");
}

TEST(any_changed_byte_is_noticed)
{
    char data[256];
    const stored_index written = sample();
    CHECK_I64(index_file_write(path_of("whole"), &written, NULL), PROF_OK);
    const size_t bytes = load(path_of("whole"), data, sizeof data);
    CHECK_U64(bytes, 64 + sizeof vectors);
    for (size_t i = 0; i < bytes; i++) {
        data[i] ^= 0x10;
        store(path_of("changed"), data, bytes);
        refusal(path_of("changed"), wanted(), PROF_E_FORMAT);
        data[i] ^= 0x10;
    }
}

TEST(any_other_length_is_noticed)
{
    char data[256] = { 0 };
    const stored_index written = sample();
    CHECK_I64(index_file_write(path_of("whole"), &written, NULL), PROF_OK);
    const size_t bytes = load(path_of("whole"), data, sizeof data);
    for (size_t length = 0; length <= bytes + 4; length++) {
        if (length == bytes)
            continue;
        store(path_of("cut"), data, length);
        refusal(path_of("cut"), wanted(), PROF_E_FORMAT);
    }
    store(path_of("cut"), "PROFRAG\n", 8);
    CHECK_HAS(refusal(path_of("cut"), wanted(), PROF_E_FORMAT), "is not an index of this service");
}

TEST(vectors_that_no_encoder_makes_are_refused)
{
    const float wrong[] = { NAN, INFINITY, -INFINITY, 3.0f, 0.0f, 1e30f };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        float some[COUNT * DIMENSIONS];
        memcpy(some, vectors, sizeof some);
        some[0] = wrong[i];
        stored_index written = sample();
        written.vectors = some;
        CHECK_I64(index_file_write(path_of("wrong"), &written, NULL), PROF_OK); /* with a hash that is right */
        CHECK_HAS(refusal(path_of("wrong"), wanted(), PROF_E_FORMAT), "not of unit length");
    }
}

TEST(what_cannot_be_read_is_named)
{
    CHECK_HAS(refusal(path_of("missing"), wanted(), PROF_E_NOT_FOUND), "missing");
    CHECK_HAS(refusal(folder, wanted(), PROF_E_FORMAT), "is not an index");
    REQUIRE(mkfifo(path_of("fifo"), 0666) == 0);
    CHECK_HAS(refusal(path_of("fifo"), wanted(), PROF_E_FORMAT), "is not an index");
}

TEST(what_cannot_be_written_is_named)
{
    prof_error err = PROF_ERROR_INIT;
    const stored_index written = sample();
    CHECK_I64(index_file_write(path_of("no_folder/x"), &written, &err), PROF_E_IO);
    CHECK_HAS(err.message, "no_folder/x");
    CHECK_HAS(err.message, "No such file");
    mkdir(path_of("taken"), 0777);
    CHECK_I64(index_file_write(path_of("taken"), &written, &err), PROF_E_IO);
    CHECK_HAS(err.message, "cannot be put in place");
}

int main(int argc, char **argv)
{
    if (mkdtemp(folder) == NULL)
        return 99;
    const int failed = test_main(argc, argv);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) != 0 || failed;
}
