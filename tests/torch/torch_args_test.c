/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every function of libprofcore_torch with NULL and with numbers out of
 * range.  That each has a row is checked against VERSION_SCRIPT.
 */
#include "torch_test.h"

#include "../faults/version_script.h"

#define REFUSED(call)                                                              \
    do {                                                                           \
        err = (prof_error)PROF_ERROR_INIT;                                         \
        CHECK_I64((call), PROF_E_INVALID);                                         \
        CHECK_I64(err.status, PROF_E_INVALID);                                     \
        CHECK(err.message[0] != '\0' && strchr(err.message, '\n') == NULL);        \
    } while (0)

static void args_process(void)
{
    static const int32_t counts[] = { INT32_MIN, -1, 0, 4097, INT32_MAX };
    CHECK(prof_torch_version()[0] != '\0');
    CHECK(prof_torch_has_cuda() == 0 || prof_torch_has_cuda() == 1);
    for (size_t i = 0; i < COUNT(counts); i++) {
        REFUSED(prof_torch_intra_threads_set(counts[i], &err));
        REFUSED(prof_torch_inter_threads_set(counts[i], &err));
        CHECK_I64(prof_torch_inter_threads_set(counts[i], NULL), PROF_E_INVALID);
    }
    REFUSED(prof_torch_intra_threads_get(NULL, &err));
    REFUSED(prof_torch_inter_threads_get(NULL, &err));
}

static void args_model(void)
{
    static const uint32_t sizes[] = { 0, 1, 3, 4, 65537, 0x80000000, UINT32_MAX };
    prof_torch_options options = PROF_TORCH_OPTIONS_INIT;
    prof_torch_model *model = NULL;
    prof_torch_value *result = NULL;
    prof_torch_method method = PROF_TORCH_METHOD_INIT;
    prof_torch_argument argument = PROF_TORCH_ARGUMENT_INIT;
    REFUSED(prof_torch_model_open(NULL, NULL, &model, &err));
    REFUSED(prof_torch_model_open("model", NULL, NULL, &err));
    for (size_t i = 0; i < COUNT(sizes); i++) {
        options.size = sizes[i];
        REFUSED(prof_torch_model_open("model", &options, &model, &err));
    }
    REFUSED(prof_torch_run(NULL, NULL, NULL, 0, &result, &err));
    REFUSED(prof_torch_run(NULL, "forward", NULL, SIZE_MAX, NULL, &err));
    CHECK_I64(prof_torch_run(NULL, NULL, NULL, 1, NULL, NULL), PROF_E_INVALID);
    REFUSED(prof_torch_warm_up(NULL, NULL, NULL, SIZE_MAX, UINT32_MAX, &err));
    REFUSED(prof_torch_model_clone(NULL, &model, &err));
    REFUSED(prof_torch_model_clone(NULL, NULL, &err));
    REFUSED(prof_torch_model_to(NULL, "cpu", INT32_MIN, &err));
    REFUSED(prof_torch_model_method(NULL, SIZE_MAX, &method, &err));
    REFUSED(prof_torch_model_method(NULL, 0, NULL, &err));
    REFUSED(prof_torch_model_argument(NULL, NULL, SIZE_MAX, &argument, &err));
    REFUSED(prof_torch_model_argument(NULL, "forward", 0, NULL, &err));
    REFUSED(prof_torch_model_extra_files(NULL, &result, &err));
    REFUSED(prof_torch_model_extra_files(NULL, NULL, &err));
    CHECK_U64(prof_torch_model_method_count(NULL), 0);
    prof_torch_model_close(NULL);
    CHECK(model == NULL && result == NULL && method.name == NULL && argument.name == NULL);
}

static void args_value(void)
{
    prof_torch_value *element = NULL;
    struct DLManagedTensor *managed = NULL;
    prof_torch_tensor tensor = PROF_TORCH_TENSOR_INIT;
    const char *text = NULL;
    size_t bytes = 77;
    int64_t integer = 77;
    double number = 77;
    int32_t truth = 77;
    CHECK(prof_torch_value_retain(NULL) == NULL);
    prof_torch_value_close(NULL);
    CHECK_I64(prof_torch_value_kind(NULL), PROF_TORCH_NONE);
    CHECK_U64(prof_torch_value_count(NULL), 0);
    REFUSED(prof_torch_value_at(NULL, SIZE_MAX, &element, &err));
    REFUSED(prof_torch_value_find(NULL, NULL, NULL, &err));
    REFUSED(prof_torch_value_key(NULL, SIZE_MAX, &text, &bytes, &err));
    REFUSED(prof_torch_value_tensor(NULL, UINT32_MAX, &tensor, &err));
    REFUSED(prof_torch_value_int(NULL, &integer, &err));
    REFUSED(prof_torch_value_double(NULL, &number, &err));
    REFUSED(prof_torch_value_truth(NULL, &truth, &err));
    REFUSED(prof_torch_value_string(NULL, &text, &bytes, &err));
    REFUSED(prof_torch_value_from_dlpack(NULL, &element, &err));
    REFUSED(prof_torch_value_from_dlpack(NULL, NULL, &err));
    REFUSED(prof_torch_value_to_dlpack(NULL, &managed, &err));
    REFUSED(prof_torch_value_to_dlpack(NULL, NULL, &err));
    CHECK(managed == NULL);
    CHECK(element == NULL && text == NULL && bytes == 77 && integer == 77 && truth == 77 && number == 77);
}

static void args_operators(void)
{
    REFUSED(prof_torch_operators_start(UINT32_MAX, &err));
    CHECK_I64(prof_torch_operators_start(0x80000000u, NULL), PROF_E_INVALID);
    prof_torch_operators_stop();
    prof_torch_operators_stop();
}

/* All that it takes is where an error goes. */
static void args_memory(void)
{
    CHECK_I64(prof_torch_memory_start(NULL), PROF_OK);
    CHECK_I64(prof_torch_memory_start(&err), PROF_OK);
    if (!prof_torch_has_cuda()) {
        prof_status without_headers = prof_torch_cuda_memory_start(NULL);
        CHECK(without_headers == PROF_E_UNAVAILABLE || without_headers == PROF_E_UNSUPPORTED);
        CHECK_I64(prof_torch_cuda_memory_start(&err), without_headers);
        CHECK(err.message[0] != '\0');
    }
}

static const struct {
    const char *functions; /* with a space before and after each */
    void (*run)(void);
} rows[] = {
    { " prof_torch_version prof_torch_has_cuda prof_torch_intra_threads_get prof_torch_intra_threads_set "
      "prof_torch_inter_threads_get prof_torch_inter_threads_set ", args_process },
    { " prof_torch_operators_start prof_torch_operators_stop ", args_operators },
    { " prof_torch_memory_start prof_torch_cuda_memory_start ", args_memory },
    { " prof_torch_model_open prof_torch_model_close prof_torch_model_clone prof_torch_model_to prof_torch_run "
      "prof_torch_warm_up prof_torch_model_method_count prof_torch_model_method prof_torch_model_argument "
      "prof_torch_model_extra_files ", args_model },
    { " prof_torch_value_retain prof_torch_value_close prof_torch_value_kind prof_torch_value_count prof_torch_value_at "
      "prof_torch_value_find prof_torch_value_key prof_torch_value_tensor prof_torch_value_int prof_torch_value_double "
      "prof_torch_value_truth prof_torch_value_string prof_torch_value_from_dlpack prof_torch_value_to_dlpack ",
      args_value },
};

static int is_swept(const char *name)
{
    char wanted[136];
    snprintf(wanted, sizeof(wanted), " %s ", name);
    for (size_t i = 0; i < COUNT(rows); i++)
        if (strstr(rows[i].functions, wanted) != NULL)
            return 1;
    return 0;
}

TEST(every_function_of_the_torch_library_is_swept)
{
    CHECK_I64(version_script_lacking(VERSION_SCRIPT, is_swept, "tests/torch/torch_args_test.c"), 0);
}

TEST(null_and_numbers_out_of_range_are_refused_with_a_message)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        rows[i].run();
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
