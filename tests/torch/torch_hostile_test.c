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
    { "bomb.pt", "claims to grow from" },
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
    { "source-depth.pt", "'code/__torch__.py' is nested too deeply" },
    { "source-indent.pt", "'code/__torch__.py' is nested too deeply" },
};

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

static char *read_file(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    char *data = malloc(1 << 20);
    *bytes = file != NULL ? fread(data, 1, 1 << 20, file) : 0;
    if (file != NULL)
        fclose(file);
    return data;
}

/* Opens a copy with one byte changed; what libtorch makes of it is its own, but it is one or the other. */
static void open_changed(const char *path, char *data, size_t bytes, size_t place, char change)
{
    prof_torch_model *model = NULL;
    FILE *file = fopen(path, "wb");
    REQUIRE(file != NULL);
    data[place] ^= change;
    fwrite(data, 1, bytes, file);
    data[place] ^= change;
    fclose(file);
    err.message[0] = '\0';
    const prof_status status = prof_torch_model_open(path, NULL, &model, &err);
    if ((status == PROF_OK) != (model != NULL) || (status != PROF_OK && err.message[0] == '\0')) {
        printf("# byte %zu changed by 0x%02x: status %d, %s\n", place, (unsigned char)change, status, err.message);
        test_failed = 1;
    }
    prof_torch_model_close(model);
}

TEST(a_changed_byte_anywhere_is_refused_or_harmless)
{
    NEED_MODELS();
    static const char changes[] = { 0x01, (char)0x80, (char)0xff };
    size_t bytes;
    char path[64], *data = read_file(model_path("hostile/good.pt"), &bytes);
    REQUIRE(bytes > 4096);
    snprintf(path, sizeof(path), "/tmp/profcore-torch-test-%ld-changed.pt", (long)getpid());
    size_t directory = bytes;
    while (directory > 4 && memcmp(data + directory - 4, "PK\1\2", 4) != 0)
        directory--;
    while (directory > 4 && bytes - directory < 900)
        directory--;
    for (size_t i = directory; i < bytes; i++)
        open_changed(path, data, bytes, i, changes[i % COUNT(changes)]);
    for (size_t i = 0; i < directory; i += 61)
        open_changed(path, data, bytes, i, changes[i % COUNT(changes)]);
    unlink(path);
    free(data);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
