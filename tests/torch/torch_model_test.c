/* SPDX-License-Identifier: Apache-2.0 */
/* Opening model files, good and bad, and errors that models raise. */
#include "torch_test.h"

#include <sys/stat.h>

static const char *write_file(const char *name, const char *data, size_t bytes)
{
    static char path[64];
    snprintf(path, sizeof(path), "/tmp/profcore-torch-test-%ld-%s", (long)getpid(), name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, bytes, file) != bytes || fclose(file) != 0)
        test_failed = 1;
    return path;
}

TEST(a_missing_file_is_not_found_and_the_message_names_it)
{
    prof_torch_model *model = (prof_torch_model *)&err;
    CHECK_FAILS(prof_torch_model_open("/nowhere/encoder.pt", NULL, &model, &err), PROF_E_NOT_FOUND,
                "cannot open model '/nowhere/encoder.pt': No such file or directory");
    CHECK(model == (prof_torch_model *)&err);
}

TEST(a_folder_and_a_device_are_no_model_files)
{
    prof_torch_model *model = NULL;
    CHECK_FAILS(prof_torch_model_open("/tmp", NULL, &model, &err), PROF_E_IO, "'/tmp': Is a directory");
    CHECK_FAILS(prof_torch_model_open("/dev/null", NULL, &model, &err), PROF_E_IO, "not a regular file");
    char path[64];
    snprintf(path, sizeof(path), "/tmp/profcore-torch-test-%ld.fifo", (long)getpid());
    REQUIRE(mkfifo(path, 0600) == 0);
    CHECK_FAILS(prof_torch_model_open(path, NULL, &model, &err), PROF_E_IO, "not a regular file");
    unlink(path);
}

TEST(a_file_that_may_not_be_read_gives_the_reason_of_the_system)
{
    const uid_t user = geteuid(), nobody = 65534;
    prof_torch_model *model = NULL;
    const char *path = write_file("secret.pt", "PK", 2);
    chmod(path, 0);
    if (user == 0 && seteuid(nobody) != 0) /* root may read everything */
        SKIP("root here cannot become somebody else");
    CHECK_FAILS(prof_torch_model_open(path, NULL, &model, &err), PROF_E_IO, "Permission denied");
    CHECK(seteuid(user) == 0);
    unlink(path);
}

TEST(empty_text_and_foreign_zip_files_are_no_models)
{
    NEED_MODELS();
    prof_torch_model *model = NULL;
    const char *path = write_file("empty.pt", "", 0);
    CHECK_FAILS(prof_torch_model_open(path, NULL, &model, &err), PROF_E_FORMAT, "the file is empty");
    unlink(path);
    path = write_file("short.pt", "PK", 2);
    CHECK_FAILS(prof_torch_model_open(path, NULL, &model, &err), PROF_E_FORMAT, "not a model file");
    unlink(path);
    CHECK_FAILS(prof_torch_model_open(model_path("text.pt"), NULL, &model, &err), PROF_E_FORMAT,
                "not a model file");
    CHECK_FAILS(prof_torch_model_open(model_path("archive.pt"), NULL, &model, &err), PROF_E_FORMAT, "archive.pt'");
    CHECK_FAILS(prof_torch_model_open(model_path("state.pt"), NULL, &model, &err), PROF_E_FORMAT, "state.pt'");
    CHECK(model == NULL);
}

TEST(a_file_truncated_anywhere_is_refused)
{
    NEED_MODELS();
    size_t bytes, tried = 0;
    char *data = read_file(model_path("encoder.pt"), &bytes);
    REQUIRE(bytes > 4096);
    for (size_t kept = 0; kept < bytes; kept += kept < 64 || kept + 64 >= bytes ? 1 : 97, tried++) {
        prof_torch_model *model = NULL;
        const char *path = write_file("truncated.pt", data, kept);
        const prof_status status = prof_torch_model_open(path, NULL, &model, &err);
        unlink(path);
        if (status != PROF_E_FORMAT || model != NULL || strstr(err.message, "truncated.pt'") == NULL) {
            printf("# %zu of %zu bytes: status %d, %s\n", kept, bytes, status, err.message);
            test_failed = 1;
            break;
        }
    }
    CHECK(tried > 200);
    free(data);
}

TEST(a_strange_file_name_is_one_line_of_utf_8_in_the_message)
{
    prof_torch_model *model = NULL;
    CHECK_FAILS(prof_torch_model_open("/nowhere/../a\nb\x01\xff\xc3\xa4.pt", NULL, &model, &err), PROF_E_NOT_FOUND,
                "'/nowhere/../a\\nb\\x01\\xff\xc3\xa4.pt'");
    char name[3000] = "/nowhere/";
    while (strlen(name) < 2900)
        strcat(name, "\xe2\x82\xac/");
    strcat(name, "last.pt");
    CHECK_FAILS(prof_torch_model_open(name, NULL, &model, &err), PROF_E_NOT_FOUND,
                "/last.pt': No such file or directory");
    CHECK_HAS(err.message, "'\xe2\x80\xa6");
}

TEST(a_device_that_is_not_there_is_refused)
{
    NEED_MODELS();
    static const char *const malformed[] = { "", "gpu", "cuda:", "cuda:x", "cuda:1x", "cuda:-1", "cuda:+1", "cuda: 1",
                                             "cuda:999", "cuda:1000", "CPU", "meta" };
    prof_torch_model *model = NULL;
    prof_torch_options options = PROF_TORCH_OPTIONS_INIT;
    for (size_t i = 0; i < COUNT(malformed); i++) {
        options.device = malformed[i];
        CHECK_FAILS(prof_torch_model_open(model_path("inputs.pt"), &options, &model, &err), PROF_E_INVALID,
                    "is not one of cpu, cuda");
    }
    options.device = "cuda:127";
    CHECK_FAILS(prof_torch_model_open(model_path("inputs.pt"), &options, &model, &err), PROF_E_UNSUPPORTED,
                "cannot use the device 'cuda:127'");
    if (!prof_torch_has_cuda()) {
        options.device = "cuda";
        CHECK_FAILS(prof_torch_model_open(model_path("inputs.pt"), &options, &model, &err), PROF_E_UNSUPPORTED,
                    "without CUDA");
    }
    CHECK(model == NULL);
    options.device = "cpu";
    CHECK_OK(prof_torch_model_open(model_path("inputs.pt"), &options, &model, &err));
    prof_torch_model_close(model);
}

TEST(options_of_another_size_follow_the_rule_for_structs_that_grow)
{
    NEED_MODELS();
    struct {
        prof_torch_options known;
        uint64_t later[4];
    } grown = { PROF_TORCH_OPTIONS_INIT, { 0 } };
    prof_torch_model *model = NULL;
    grown.known.size = sizeof(grown);
    CHECK_OK(prof_torch_model_open(model_path("inputs.pt"), &grown.known, &model, &err));
    prof_torch_model_close(model);
    model = NULL;
    grown.later[3] = 1;
    CHECK_FAILS(prof_torch_model_open(model_path("inputs.pt"), &grown.known, &model, &err), PROF_E_INVALID,
                "options has a field at byte");
    static const uint32_t sizes[] = { 0, 1, sizeof(prof_torch_options) - 1, 65537, UINT32_MAX };
    for (size_t i = 0; i < COUNT(sizes); i++) {
        prof_torch_options options = PROF_TORCH_OPTIONS_INIT;
        options.size = sizes[i];
        CHECK_FAILS(prof_torch_model_open(model_path("inputs.pt"), &options, &model, &err), PROF_E_INVALID,
                    "options.size is");
    }
    prof_torch_options options = PROF_TORCH_OPTIONS_INIT;
    options.flags = 0x80;
    CHECK_FAILS(prof_torch_model_open(model_path("inputs.pt"), &options, &model, &err), PROF_E_INVALID, "flag");
    options = (prof_torch_options)PROF_TORCH_OPTIONS_INIT;
    options.reserved = 1;
    CHECK_FAILS(prof_torch_model_open(model_path("inputs.pt"), &options, &model, &err), PROF_E_INVALID, "field");
    CHECK(model == NULL);
}

TEST(null_arguments_are_refused_and_a_null_error_is_fine)
{
    prof_torch_model *model = NULL;
    CHECK_FAILS(prof_torch_model_open(NULL, NULL, &model, &err), PROF_E_INVALID, "cannot open model: path is NULL");
    CHECK_FAILS(prof_torch_model_open("x", NULL, NULL, &err), PROF_E_INVALID, "model is NULL");
    CHECK_I64(prof_torch_model_open(NULL, NULL, NULL, NULL), PROF_E_INVALID);
    CHECK_I64(prof_torch_model_open("/nowhere/x.pt", NULL, &model, NULL), PROF_E_NOT_FOUND);
    prof_torch_model_close(NULL);
}

TEST(success_leaves_the_error_untouched)
{
    memset(err.message, 'x', 8);
    err.status = 77;
    OPEN(model, "inputs.pt");
    CHECK_I64(err.status, 77);
    CHECK(memcmp(err.message, "xxxxxxxx", 8) == 0);
    prof_torch_model_close(model);
}

TEST(a_model_opens_and_closes_two_hundred_times)
{
    for (int i = 0; i < 200; i++) {
        OPEN(model, "encoder.pt");
        prof_torch_model_close(model);
    }
}

TEST(a_model_saved_in_training_mode_runs_in_evaluation_mode)
{
    OPEN(model, "training.pt");
    float data[64];
    int64_t shape[] = { 64 };
    for (size_t i = 0; i < COUNT(data); i++)
        data[i] = 1.0f;
    const prof_torch_tensor x = FLOATS(shape, data);
    prof_torch_value *value = run_on(model, NULL, 1, &x);
    for (size_t i = 0; i < COUNT(data); i++)
        CHECK(float_at(value, i) == 1.0f);
    prof_torch_value_close(value);
    prof_torch_model_close(model);
}

/* Runs a model of the encoder's shapes. */
static void check_encodes(const char *name)
{
    OPEN(model, name);
    static float data[3 * 32];
    int64_t shape[] = { 3, 32 };
    const prof_torch_tensor x = FLOATS(shape, data);
    prof_torch_value *value = run_on(model, NULL, 1, &x);
    const prof_torch_tensor out = tensor_in(value);
    CHECK_U64(out.rank, 2);
    CHECK(out.rank == 2 && out.shape[0] == 3 && out.shape[1] == 16);
    prof_torch_value_close(value);
    prof_torch_model_close(model);
}

TEST(a_frozen_model_runs)
{
    check_encodes("frozen.pt");
}

TEST(a_traced_model_whose_file_has_its_example_too_runs)
{
    check_encodes("traced.pt");
}

/* Runs a method of picky.pt that must fail, then one that must not. */
static void check_refusal(prof_torch_model *model, const char *method, const prof_torch_tensor *x, prof_status status,
                          const char *part)
{
    const prof_torch_input input = PROF_TORCH_INPUT_TENSOR(x);
    prof_torch_value *value = (prof_torch_value *)&err;
    CHECK_FAILS(prof_torch_run(model, method, &input, 1, &value, &err), status, part);
    CHECK_HAS(err.message, "picky.pt'");
    CHECK(value == (prof_torch_value *)&err);

    float data[] = { 1, 2 };
    int64_t shape[] = { 1, 2 };
    const prof_torch_tensor good = FLOATS(shape, data);
    value = run_on(model, "check", 1, &good);
    CHECK(float_at(value, 1) == 3.0f);
    prof_torch_value_close(value);
}

TEST(a_wrong_rank_a_wrong_shape_and_a_wrong_type_are_told_in_the_words_of_libtorch)
{
    OPEN(model, "picky.pt");
    float data[8] = { 0 };
    double doubles[4] = { 0 };
    int64_t ids[] = { 3, 10 }, vector[] = { 8 }, matrix[] = { 2, 3 }, row[] = { 1, 4 }, two[] = { 2 };
    const prof_torch_tensor wrong_rank = FLOATS(vector, data), wrong_shape = FLOATS(matrix, data);
    const prof_torch_tensor wrong_type = PROF_TORCH_TENSOR_OF(PROF_TORCH_FLOAT64, 2, row, doubles);
    const prof_torch_tensor no_indices = FLOATS(two, data);
    const prof_torch_tensor beyond = PROF_TORCH_TENSOR_OF(PROF_TORCH_INT64, 1, two, ids);
    check_refusal(model, NULL, &wrong_rank, PROF_E_INVALID, "shape");
    check_refusal(model, NULL, &wrong_shape, PROF_E_INVALID, "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x2)");
    check_refusal(model, NULL, &wrong_type, PROF_E_INVALID, "same dtype");
    check_refusal(model, "embed", &no_indices, PROF_E_INVALID, "Long");
    check_refusal(model, "embed", &beyond, PROF_E_INVALID, "index out of range");
    prof_torch_model_close(model);
}

TEST(an_assertion_and_an_exception_in_a_model_reach_c_as_text)
{
    OPEN(model, "picky.pt");
    float data[4] = { 0 };
    int64_t shape[] = { 4 };
    const prof_torch_tensor x = FLOATS(shape, data);
    check_refusal(model, "check", &x, PROF_E_INVALID, "method 'check': AssertionError: rank must be 2");
    check_refusal(model, "refuse", &x, PROF_E_INVALID,
                  "method 'refuse': ValueError: no, thank you: not today. RuntimeError: is only a word here");
    prof_torch_model_close(model);
}

TEST(a_text_too_long_for_a_message_is_cut_between_characters)
{
    OPEN(model, "picky.pt");
    float data[4] = { 0 };
    int64_t shape[] = { 4 };
    const prof_torch_tensor x = FLOATS(shape, data);
    check_refusal(model, "complain", &x, PROF_E_INVALID, "\xf0\x9f\x98\x80");
    const prof_torch_input input = PROF_TORCH_INPUT_TENSOR(&x);
    prof_torch_value *value = NULL;
    CHECK_I64(prof_torch_run(model, "complain", &input, 1, &value, &err), PROF_E_INVALID);
    const size_t length = strlen(err.message);
    CHECK(length > sizeof(err.message) - 8 && length < sizeof(err.message));
    CHECK(length > 3 && strcmp(err.message + length - 3, "\xe2\x80\xa6") == 0);
    CHECK(strstr(err.message, "\\x") == NULL); /* a byte that is not UTF-8 would be shown so */
    prof_torch_model_close(model);
}

TEST(a_cut_message_fits_wherever_the_cut_falls)
{
    for (size_t shift = 0; shift < 8; shift++) {
        struct {
            prof_error err;
            char guard[8];
        } guarded = { PROF_ERROR_INIT, "guarded" };
        char device[1024] = "";
        prof_torch_options options = PROF_TORCH_OPTIONS_INIT;
        prof_torch_model *model = NULL;
        memset(device, 'x', shift);
        while (strlen(device) < 800)
            strcat(device, "\xf0\x9f\x98\x80");
        options.device = device;
        CHECK_I64(prof_torch_model_open("x", &options, &model, &guarded.err), PROF_E_INVALID);
        const size_t length = strnlen(guarded.err.message, sizeof(guarded.err.message));
        REQUIRE(length < sizeof(guarded.err.message) && length > sizeof(guarded.err.message) - 8);
        /* whole characters to the end, then the mark of the cut */
        CHECK(memcmp(guarded.err.message + length - 7, "\xf0\x9f\x98\x80\xe2\x80\xa6", 7) == 0);
        CHECK_STR(guarded.guard, "guarded");
    }
}

TEST(memory_that_a_model_cannot_get_is_no_memory)
{
    OPEN(model, "picky.pt");
    float data[4] = { 0 };
    int64_t shape[] = { 4 };
    const prof_torch_tensor x = FLOATS(shape, data);
    check_refusal(model, "hoard", &x, PROF_E_NO_MEMORY, "allocate");
    prof_torch_model_close(model);
}

TEST(an_unknown_method_is_not_found_and_the_message_lists_those_that_are)
{
    OPEN(model, "picky.pt");
    prof_torch_value *value = NULL;
    CHECK_FAILS(prof_torch_run(model, "embedd", NULL, 0, &value, &err), PROF_E_NOT_FOUND, "'embed'");
    CHECK_HAS(err.message, "method 'embedd'");
    CHECK_FAILS(prof_torch_run(model, "", NULL, 0, &value, &err), PROF_E_NOT_FOUND, "'forward'");
    CHECK(value == NULL);
    prof_torch_model_close(model);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
