/* SPDX-License-Identifier: Apache-2.0 */
/* Model files made to trouble whoever opens them: refused with a reason, in bounded memory, and nothing is written. */
#include "torch_test.h"

#include <sys/resource.h>
#include <sys/stat.h>

static const struct {
    const char *name, *part;
} files[] = {
    { "upwards.pt", "leads upwards" },
    { "absolute.pt", "is absolute" },
    { "backslash.pt", "has a backslash" },
    { "upwards.pt2", "leads upwards" },
    { "bomb.pt", "claim to grow from" },
    { "legacy.pt", "first format" },
    { "flatbuffer.pt", "not a model file" },
    { "claims.pt", "claims 4294967294 bytes" },
    { "claims-2-40.pt", "claims 1099511627776 bytes" },
    { "grows.pt", "claims 4294967294" },
    { "overlaps.pt", "overlap" },
    { "encrypted.pt", "is encrypted" },
    { "wide-directory.pt", "does not fit into it" },
    { "many-records.pt", "does not fit into it" },
    { "far-directory.pt", "does not fit into it" },
    { "contradicts.pt", "two end records contradict each other" },
    { "two-ends.pt", "zip archive's end is missing" },
    { "tensor-count.pt", "larger than its record" },
    { "tensor-overflow.pt", "larger than any memory" },
    { "tensor-negative.pt", "larger than any memory" },
    { "tensor-shape.pt", "reaches beyond its storage" },
    { "tensor-strides.pt", "reaches beyond its storage" },
    { "tensor-offset.pt", "reaches beyond its storage" },
    { "tensor-back.pt", "malformed tensor" },
    { "tensor-ranks.pt", "malformed tensor" },
    { "tensor-record.pt", "larger than its record, or has none" },
    { "tensor-type.pt", "a type unknown here" },
    { "pickle-depth.pt", "'data.pkl' is nested too deeply" },
    { "pickle-tuples.pt", "'data.pkl' is nested too deeply" },
    { "pickle-chain.pt", "changes what it has passed on" },
    { "pickle-empty.pt", "ends early" },
    { "pickle-underflow.pt", "empty stack" },
    { "pickle-operation.pt", "an operation that no TorchScript file has" },
    { "pickle-memo.pt", "what it never kept" },
    { "pickle-long.pt", "ends early" },
    { "pickle-values.pt", "more values than its size in the file allows" },
    { "source-depth.pt", "'code/__torch__.py' has an expression that is too long or nested too deeply" },
    { "source-minus.pt", "'code/__torch__.py' has an expression that is too long" },
    { "source-not.pt", "has an expression that is too long" },
    { "source-power.pt", "has an expression that is too long" },
    { "source-plus.pt", "has an expression that is too long" },
    { "source-choice.pt", "has an expression that is too long" },
    { "source-attribute.pt", "has an expression that is too long" },
    { "source-calls.pt", "has an expression that is too long" },
    { "source-lists.pt", "has an expression that is too long" },
    { "source-elif.pt", "has too many elif" },
    { "source-comment.pt", "too long or nested too deeply" },
    { "source-quotes.pt", "too long or nested too deeply" },
    { "source-string.pt", "has a string without an end" },
    { "source-type.pt", "has types in comments" },
    { "source-nameless.pt", "is code without a name" },
    { "source-classes.pt", "need each other 5000 deep" },
    { "source-margin.pt", "need each other 5000 deep" },
    { "source-records.pt", "need each other 200 deep" },
    { "source-functions.pt", "need each other 5000 deep" },
    { "source-circle.pt", "need each other 50" },
    { "pickle-type.pt", "'data.pkl' has a type that is nested too deeply" },
    { "pickle-constant-type.pt", "'constants.pkl' has a type that is nested too deeply" },
    { "pickle-memo-type.pt", "'data.pkl' has a type that is nested too deeply" },
    { "pickle-name.pt", "a name of more than 1024 bytes" },
    { "pickle-key.pt", "a name of more than 1024 bytes" },
    { "pickle-steps.pt", "more operations than its size in the file allows" },
    { "bombs.pt", "claim to grow from" },
    { "source-indent.pt", "'code/__torch__.py' is nested too deeply" },
};

/*
 * For LeakSanitizer: code that libtorch's compiler refuses half way leaves its functions and types behind, which refer to each other.
 * What the shim itself allocates is held to account here too.
 */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libtorch_cpu.so\n"; }

static long peak_kb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static const char *hostile_path(const char *name)
{
    char below[256];
    snprintf(below, sizeof(below), "hostile/%s", name);
    return model_path(below);
}

TEST(each_is_refused_with_its_reason_in_bounded_memory)
{
    NEED_MODELS();
    OPEN(good, "hostile/good.pt");
    prof_torch_model_close(good);
    const long before = peak_kb();
    for (size_t i = 0; i < COUNT(files); i++) {
        prof_torch_model *model = NULL;
        CHECK_FAILS(prof_torch_model_open(hostile_path(files[i].name), NULL, &model, &err), PROF_E_FORMAT, files[i].part);
        CHECK_HAS(err.message, files[i].name);
        CHECK(model == NULL);
    }
    printf("# peak before %ld KiB, after %ld\n", before, peak_kb());
    CHECK(peak_kb() - before < 256 << 10);
}

TEST(packages_that_would_start_a_compiler_or_are_none_are_refused)
{
    NEED_MODELS();
    static const struct {
        const char *name, *part;
    } packages[] = {
        { "no-library.pt2", "no shared library for its model 'model'" },
        { "not-a-library.pt2", "not-a-library.pt2'" },
    };
    for (size_t i = 0; i < COUNT(packages); i++) {
        prof_torch_model *model = NULL;
        const prof_status status = prof_torch_model_open(hostile_path(packages[i].name), NULL, &model, &err);
        if (status == PROF_E_UNSUPPORTED && strstr(err.message, "2.6 or later") != NULL)
            SKIP("this libtorch has no loader for packages");
        CHECK_FAILS(prof_torch_model_open(hostile_path(packages[i].name), NULL, &model, &err), PROF_E_FORMAT,
                    packages[i].part);
        CHECK(model == NULL);
    }
}

TEST(nothing_is_written_outside)
{
    NEED_MODELS();
    struct stat about;
    CHECK(stat("/tmp/profcore-torch-escaped", &about) != 0);
    CHECK(stat("/tmp/profcore-torch-escaped.so", &about) != 0);
    CHECK(stat(model_path("../profcore-torch-escaped"), &about) != 0);
}

/* Opens what it writes to a file; what libtorch makes of it is its own, but it is one or the other. */
static void open_bytes(const char *data, size_t bytes, const char *what, size_t place)
{
    char path[64];
    prof_torch_model *model = NULL;
    snprintf(path, sizeof(path), "/tmp/profcore-torch-test-%ld-changed.pt", (long)getpid());
    FILE *file = fopen(path, "wb");
    REQUIRE(file != NULL);
    fwrite(data, 1, bytes, file);
    fclose(file);
    err.message[0] = '\0';
    const prof_status status = prof_torch_model_open(path, NULL, &model, &err);
    if ((status == PROF_OK) != (model != NULL) || (status != PROF_OK && err.message[0] == '\0')) {
        printf("# %s at byte %zu: status %d, %s\n", what, place, status, err.message);
        test_failed = 1;
    }
    prof_torch_model_close(model);
    unlink(path);
}

static void open_changed(char *data, size_t bytes, size_t place, char change)
{
    data[place] ^= change;
    open_bytes(data, bytes, "changed", place);
    data[place] ^= change;
}

TEST(a_changed_byte_anywhere_is_refused_or_harmless)
{
    NEED_MODELS();
    static const char changes[] = { 0x01, (char)0x80, (char)0xff };
    size_t bytes;
    char *data = read_file(model_path("hostile/good.pt"), &bytes);
    REQUIRE(bytes > 4096);
    size_t directory = bytes;
    while (directory > 4 && memcmp(data + directory - 4, "PK\1\2", 4) != 0)
        directory--;
    while (directory > 4 && bytes - directory < 900)
        directory--;
    for (size_t i = directory; i < bytes; i++)
        open_changed(data, bytes, i, changes[i % COUNT(changes)]);
    for (size_t i = 0; i < directory; i += 61)
        open_changed(data, bytes, i, changes[i % COUNT(changes)]);
    free(data);
}

/* libtorch's own files have 64-bit ends, padded records, and deflated ones. */
TEST(an_archive_of_libtorchs_with_extreme_numbers_or_cut_short_is_refused_or_harmless)
{
    NEED_MODELS();
    static const uint64_t numbers[] = { 0,          1,          0x7fff,    0xffff,          0x7fffffff,
                                        0xfffffffe, 0xffffffff, INT64_MAX, UINT64_MAX - 29, UINT64_MAX };
    size_t bytes, directory = 0;
    char kept[8], *data = read_file(model_path("extra.pt"), &bytes);
    REQUIRE(bytes > 4096);
    while (directory + 4 < bytes && memcmp(data + directory, "PK\1\2", 4) != 0)
        directory++;
    for (size_t i = 0, place = directory; place + sizeof(kept) <= bytes; i++, place += 7) {
        memcpy(kept, data + place, sizeof(kept));
        memcpy(data + place, &numbers[i % COUNT(numbers)], (size_t)2 << (i / 3 % 3));
        open_bytes(data, bytes, "number", place);
        memcpy(data + place, kept, sizeof(kept));
    }
    for (size_t i = 0; i < 64; i++)
        open_bytes(data, i < 32 ? bytes - 1 - i : bytes * (i - 32) / 32, "cut", i);
    free(data);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
