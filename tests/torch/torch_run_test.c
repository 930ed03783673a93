/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs: what a model sees of a caller's buffers and values, and who owns what afterwards. */
#include "torch_test.h"

#include <pthread.h>
#include <sys/resource.h>

TEST(every_element_type_makes_the_round_trip)
{
    OPEN(model, "inputs.pt");
    static const struct {
        int32_t dtype;
        uint32_t bytes;
    } types[] = {
        { PROF_TORCH_BOOL, 1 },  { PROF_TORCH_UINT8, 1 }, { PROF_TORCH_INT8, 1 },     { PROF_TORCH_INT16, 2 },
        { PROF_TORCH_INT32, 4 }, { PROF_TORCH_INT64, 8 }, { PROF_TORCH_HALF, 2 },     { PROF_TORCH_BFLOAT16, 2 },
        { PROF_TORCH_FLOAT32, 4 }, { PROF_TORCH_FLOAT64, 8 },
    };
    for (size_t i = 0; i < COUNT(types); i++) {
        uint64_t bytes[6]; /* no type has a pattern that copying changes */
        int64_t shape[] = { 2, 3 };
        for (size_t k = 0; k < sizeof(bytes); k++)
            ((unsigned char *)bytes)[k] = types[i].dtype == PROF_TORCH_BOOL ? k % 2 : (unsigned char)(k * 37 + 1);
        const prof_torch_tensor x = PROF_TORCH_TENSOR_OF(types[i].dtype, 2, shape, bytes);
        prof_torch_value *value = run_on(model, NULL, 1, &x);
        const prof_torch_tensor out = tensor_in(value);
        CHECK_I64(out.dtype, types[i].dtype);
        CHECK_I64(out.device, PROF_TORCH_CPU);
        CHECK_I64(out.device_index, 0);
        CHECK_U64(out.flags, 0);
        CHECK_U64(out.data_bytes, 6 * types[i].bytes);
        REQUIRE(out.rank == 2 && out.shape[0] == 2 && out.shape[1] == 3 && out.strides[0] == 3 && out.strides[1] == 1);
        CHECK(out.data != bytes && memcmp(out.data, bytes, 6 * types[i].bytes) == 0);
        prof_torch_value_close(value);
    }
    prof_torch_model_close(model);
}

TEST(every_element_type_means_to_the_model_what_it_means_in_c)
{
    OPEN(model, "inputs.pt");
    typedef union number {
        uint16_t half;
        int8_t i8;
        int16_t i16;
        int32_t i32;
        int64_t i64;
        float f32;
        double f64;
    } number;
    static const number one[] = { { .i8 = 1 },         { .i8 = 1 },         { .i16 = 1 }, { .i32 = 1 }, { .i64 = 1 },
                                  { .half = 0x3c00 },  { .half = 0x3f80 },  { .f32 = 1 }, { .f64 = 1 } };
    static const number two[] = { { .i8 = 2 },         { .i8 = 2 },         { .i16 = 2 }, { .i32 = 2 }, { .i64 = 2 },
                                  { .half = 0x4000 },  { .half = 0x4000 },  { .f32 = 2 }, { .f64 = 2 } };
    for (size_t i = 0; i < COUNT(one); i++) {
        number seen = one[i];
        const prof_torch_tensor x = PROF_TORCH_TENSOR_OF(PROF_TORCH_UINT8 + (int32_t)i, 0, NULL, &seen);
        prof_torch_value_close(run_on(model, "increment", 1, &x));
        if (memcmp(&seen, &two[i], sizeof(seen)) != 0) {
            printf("# wrong for dtype %d\n", (int)x.dtype);
            test_failed = 1;
        }
    }
    prof_torch_model_close(model);
}

TEST(any_rank_makes_the_round_trip)
{
    OPEN(model, "inputs.pt");
    int64_t shape[64], elements = 1;
    float data[32];
    for (size_t i = 0; i < COUNT(shape); i++)
        shape[i] = i < 5 ? 2 : 1;
    for (size_t i = 0; i < COUNT(data); i++)
        data[i] = (float)i;
    for (uint32_t rank = 0; rank <= 64; rank++) {
        const prof_torch_tensor x = PROF_TORCH_TENSOR_OF(PROF_TORCH_FLOAT32, rank, rank > 0 ? shape : NULL, data);
        prof_torch_value *value = run_on(model, NULL, 1, &x);
        const prof_torch_tensor out = tensor_in(value);
        CHECK_U64(out.rank, rank);
        CHECK(out.shape != NULL && out.strides != NULL);
        CHECK(rank == 0 || memcmp(out.shape, shape, rank * sizeof(shape[0])) == 0);
        CHECK_U64(out.data_bytes, (uint64_t)elements * sizeof(float));
        CHECK(memcmp(out.data, data, (size_t)elements * sizeof(float)) == 0);
        prof_torch_value_close(value);
        elements *= rank < 5 ? 2 : 1;
    }
    prof_torch_model_close(model);
}

TEST(a_dimension_of_length_zero_needs_no_data)
{
    OPEN(model, "inputs.pt");
    int64_t shape[] = { 12, 2, 0, 64 };
    const prof_torch_tensor x = FLOATS(shape, NULL);
    prof_torch_value *value = run_on(model, NULL, 1, &x);
    const prof_torch_tensor out = tensor_in(value);
    REQUIRE(out.rank == 4);
    CHECK(memcmp(out.shape, shape, sizeof(shape)) == 0);
    CHECK_U64(out.data_bytes, 0);
    prof_torch_value_close(value);
    prof_torch_model_close(model);
}

TEST(a_strided_buffer_is_read_with_its_strides)
{
    OPEN(model, "inputs.pt");
    float data[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
    int64_t shape[] = { 3, 2 }, columns[] = { 1, 6 }, repeated[] = { 0, 1 };
    prof_torch_tensor x = FLOATS(shape, data), factor = FLOATS(shape, data);
    x.strides = columns;
    x.data_bytes = 9 * sizeof(float);
    factor.strides = repeated;
    const prof_torch_tensor both[] = { x, factor };
    prof_torch_value *value = run_on(model, "mix", 2, both);
    static const float expected[] = { 0, 61, 10, 71, 20, 81 };
    for (size_t i = 0; i < COUNT(expected); i++)
        CHECK(float_at(value, i) == expected[i]);
    prof_torch_value_close(value);
    prof_torch_model_close(model);
}

TEST(inputs_go_by_position_and_by_name)
{
    OPEN(model, "inputs.pt");
    float a[] = { 1 }, b[] = { 2 };
    int64_t shape[] = { 1 };
    const prof_torch_tensor ta = FLOATS(shape, a), tb = FLOATS(shape, b);
    prof_torch_input inputs[] = { PROF_TORCH_INPUT_TENSOR(&ta), PROF_TORCH_INPUT_TENSOR(&tb) };
    prof_torch_value *value = NULL;
    CHECK_OK(prof_torch_run(model, "mix", inputs, 2, &value, &err));
    CHECK(float_at(value, 0) == 12.0f);
    prof_torch_value_close(value);

    inputs[0].name = "b";
    inputs[1].name = "a";
    CHECK_OK(prof_torch_run(model, "mix", inputs, 2, &value, &err));
    CHECK(float_at(value, 0) == 21.0f);
    prof_torch_value_close(value);

    value = NULL;
    inputs[1].name = NULL;
    CHECK_FAILS(prof_torch_run(model, "mix", inputs, 2, &value, &err), PROF_E_INVALID,
                "input 1 has no name and comes after one that has");
    inputs[1].name = "b";
    CHECK_FAILS(prof_torch_run(model, "mix", inputs, 2, &value, &err), PROF_E_INVALID, "input 1 ('b') comes twice");
    inputs[1].name = "c";
    CHECK_FAILS(prof_torch_run(model, "mix", inputs, 2, &value, &err), PROF_E_INVALID, "");
    CHECK(value == NULL);
    prof_torch_model_close(model);
}

TEST(too_few_and_too_many_inputs_are_told)
{
    OPEN(model, "inputs.pt");
    float a[] = { 1 };
    int64_t shape[] = { 1 };
    const prof_torch_tensor t = FLOATS(shape, a);
    const prof_torch_input inputs[] = { PROF_TORCH_INPUT_TENSOR(&t), PROF_TORCH_INPUT_TENSOR(&t) };
    prof_torch_value *value = NULL;
    CHECK_FAILS(prof_torch_run(model, "mix", inputs, 1, &value, &err), PROF_E_INVALID, "argument 'b'");
    CHECK_FAILS(prof_torch_run(model, NULL, inputs, 2, &value, &err), PROF_E_INVALID, "at most 2");
    CHECK_FAILS(prof_torch_run(model, NULL, NULL, 0, &value, &err), PROF_E_INVALID, "argument 'x'");
    CHECK(value == NULL);
    prof_torch_model_close(model);
}

TEST(numbers_none_lists_and_unreadable_values_go_back_in_as_inputs)
{
    OPEN(inputs_model, "inputs.pt");
    OPEN(outputs_model, "outputs.pt");
    float data[] = { 2 };
    int64_t shape[] = { 1 };
    const prof_torch_tensor x = FLOATS(shape, data);
    prof_torch_value *forty = run_on(outputs_model, "count", 0, NULL);
    prof_torch_value *numbers = run_on(outputs_model, "numbers", 0, NULL);
    prof_torch_value *triple = run_on(outputs_model, NULL, 1, &x);
    prof_torch_value *device = run_on(outputs_model, "device", 1, &x);
    prof_torch_value *value = NULL;

    const prof_torch_input times[] = { PROF_TORCH_INPUT_TENSOR(&x), PROF_TORCH_INPUT_VALUE(forty) };
    CHECK_OK(prof_torch_run(inputs_model, "times", times, 2, &value, &err));
    CHECK(float_at(value, 0) == 80.0f);
    prof_torch_value_close(value);

    const prof_torch_input none = PROF_TORCH_INPUT_VALUE(element(numbers, 4));
    CHECK_OK(prof_torch_run(inputs_model, "or_zero", &none, 1, &value, &err));
    CHECK(float_at(value, 0) == 0.0f);
    prof_torch_value_close(value);

    const prof_torch_input list = PROF_TORCH_INPUT_VALUE(element(triple, 1));
    CHECK_OK(prof_torch_run(inputs_model, "first_of", &list, 1, &value, &err));
    CHECK(float_at(value, 0) == 4.0f);
    prof_torch_value_close(value);

    CHECK_I64(prof_torch_value_kind(device), PROF_TORCH_OTHER);
    const prof_torch_input to[] = { PROF_TORCH_INPUT_TENSOR(&x), PROF_TORCH_INPUT_VALUE(device) };
    CHECK_OK(prof_torch_run(inputs_model, "to_device", to, 2, &value, &err));
    CHECK(float_at(value, 0) == 2.0f);
    prof_torch_value_close(value);

    prof_torch_value_close(device);
    prof_torch_value_close(triple);
    prof_torch_value_close(numbers);
    prof_torch_value_close(forty);
    prof_torch_model_close(outputs_model);
    prof_torch_model_close(inputs_model);
}

TEST(a_cache_goes_from_one_step_into_the_next_by_handle)
{
    OPEN(model, "cache.pt");
    enum { WIDTH = 4, STEPS = 50 };
    int64_t empty[] = { 0, WIDTH }, one[] = { 1, WIDTH };
    float step[WIDTH];
    const prof_torch_tensor none = FLOATS(empty, NULL), x = FLOATS(one, step);
    prof_torch_value *past = NULL;
    for (int i = 0; i < STEPS; i++) {
        const prof_torch_input inputs[] = {
            PROF_TORCH_INPUT_TENSOR(&x),
            { sizeof(prof_torch_input), 0, NULL, past == NULL ? &none : NULL, past },
        };
        prof_torch_value *result = NULL;
        for (int k = 0; k < WIDTH; k++)
            step[k] = (float)(i + k);
        CHECK_OK(prof_torch_run(model, NULL, inputs, 2, &result, &err));
        prof_torch_value_close(past);
        past = prof_torch_value_retain(element(result, 1));
        CHECK(float_at(element(result, 0), 0) == (float)(i * (i + 1) / 2));
        prof_torch_value_close(result);
    }
    const prof_torch_tensor grown = tensor_in(past);
    CHECK(grown.rank == 2 && grown.shape[0] == STEPS && grown.shape[1] == WIDTH);
    CHECK(float_at(past, (STEPS - 1) * WIDTH + 3) == (float)(STEPS + 2));
    prof_torch_value_close(past);
    prof_torch_model_close(model);
}

TEST(a_value_that_is_passed_on_is_not_copied)
{
    OPEN(model, "inputs.pt");
    float data[] = { 1, 2, 3 };
    int64_t shape[] = { 3 };
    const prof_torch_tensor x = FLOATS(shape, data);
    prof_torch_value *first = run_on(model, NULL, 1, &x), *second = NULL;
    const prof_torch_input input = PROF_TORCH_INPUT_VALUE(first);
    CHECK_OK(prof_torch_run(model, "same", &input, 1, &second, &err));
    CHECK(tensor_in(second).data == tensor_in(first).data);
    prof_torch_value_close(first);
    CHECK(float_at(second, 2) == 3.0f);
    prof_torch_value_close(second);
    prof_torch_model_close(model);
}

TEST(a_model_reads_and_writes_a_buffer_in_place)
{
    OPEN(model, "inputs.pt");
    float data[] = { 1, 2, 3 };
    int64_t shape[] = { 3 };
    const prof_torch_tensor x = FLOATS(shape, data);
    prof_torch_value *value = run_on(model, "increment", 1, &x);
    CHECK(data[0] == 2.0f && data[1] == 3.0f && data[2] == 4.0f);
    prof_torch_value_close(value);
    prof_torch_model_close(model);
}

static long peak_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

TEST(a_buffer_is_not_copied_on_the_way_in)
{
    OPEN(model, "inputs.pt");
    const size_t bytes = (size_t)256 << 20;
    int64_t shape[] = { (int64_t)(bytes / sizeof(float)) };
    float *data = malloc(bytes);
    REQUIRE(data != NULL);
    for (int64_t i = 0; i < shape[0]; i++)
        data[i] = 1.0f; /* not zero: the compiler would ask for pages that are zero and untouched */
    const prof_torch_tensor x = FLOATS(shape, data);
    const long before = peak_kib();
    for (int i = 0; i < 4; i++)
        prof_torch_value_close(run_on(model, "increment", 1, &x));
    CHECK(peak_kib() - before < 128 << 10);
    CHECK(data[0] == 5.0f && data[shape[0] - 1] == 5.0f);
    free(data);
    prof_torch_model_close(model);
}

TEST(a_result_never_points_into_a_buffer_of_the_caller)
{
    OPEN(model, "inputs.pt");
    int64_t shape[] = { 3 };
    for (int i = 0; i < 2; i++) {
        float *data = malloc(3 * sizeof(float));
        data[0] = 1;
        data[1] = 2;
        data[2] = 3;
        const prof_torch_tensor x = FLOATS(shape, data);
        prof_torch_value *value = run_on(model, i == 0 ? "same" : "tail", 1, &x);
        memset(data, 0x55, 3 * sizeof(float));
        free(data);
        prof_torch_value *tensor = i == 0 ? value : element(find(value, "tail"), 0);
        CHECK(float_at(tensor, 0) == (i == 0 ? 1.0f : 2.0f));
        CHECK(float_at(tensor, 1) == (i == 0 ? 2.0f : 3.0f));
        prof_torch_value_close(value);
    }
    prof_torch_model_close(model);
}

TEST(a_model_that_keeps_an_input_keeps_a_copy_also_when_it_raises)
{
    OPEN(model, "inputs.pt");
    int64_t shape[] = { 2 };
    for (int raises = 0; raises < 2; raises++) {
        float *data = malloc(2 * sizeof(float));
        data[0] = 5;
        data[1] = (float)(6 + raises);
        const prof_torch_tensor x = FLOATS(shape, data);
        const prof_torch_input input = PROF_TORCH_INPUT_TENSOR(&x);
        prof_torch_value *value = NULL;
        if (raises)
            CHECK_FAILS(prof_torch_run(model, "keep_and_raise", &input, 1, &value, &err), PROF_E_INVALID,
                        "kept it, then raised");
        else
            CHECK_OK(prof_torch_run(model, "keep", &input, 1, &value, &err));
        prof_torch_value_close(value);
        memset(data, 0x55, 2 * sizeof(float));
        free(data);
        value = run_on(model, "kept_tensor", 0, NULL);
        CHECK(float_at(value, 1) == (float)(6 + raises));
        prof_torch_value_close(value);
    }
    prof_torch_model_close(model);
}

/* One malformed tensor after the other, each with what the message must say. */
TEST(a_malformed_buffer_is_refused_with_its_number_and_reason)
{
    OPEN(model, "inputs.pt");
    float data[8] = { 0 };
    int64_t shape[] = { 2, 2 }, negative[] = { 2, -1 }, huge[] = { INT64_MAX, 2 }, large[] = { INT64_MAX / 4, 2 };
    int64_t zero_and_huge[] = { 0, INT64_MAX, INT64_MAX }, huge_and_zero[] = { INT64_MAX, INT64_MAX, 0 },
            back[] = { 2, -1 }, far[] = { INT64_MAX, 1 };
    const prof_torch_tensor good = FLOATS(shape, data);
    struct {
        prof_torch_tensor tensor;
        prof_status status;
        const char *says;
    } cases[32];
    size_t n = 0;
#define BAD(field, value_, status_, says_) \
    cases[n].tensor = good;                \
    cases[n].tensor.field = value_;        \
    cases[n].status = status_;             \
    cases[n++].says = says_
    BAD(dtype, 0, PROF_E_INVALID, "has dtype 0, which is none");
    BAD(dtype, 11, PROF_E_INVALID, "has dtype 11");
    BAD(dtype, -1, PROF_E_INVALID, "has dtype -1");
    BAD(dtype, INT32_MIN, PROF_E_INVALID, "has dtype");
    BAD(device, 2, PROF_E_INVALID, "is on device 2");
    BAD(device, -1, PROF_E_INVALID, "is on device -1");
    BAD(device_index, 1, PROF_E_INVALID, "is on device 0, index 1");
    BAD(device, PROF_TORCH_CUDA, PROF_E_INVALID, "is on device 1, index 128");
    cases[n - 1].tensor.device_index = 128;
    BAD(flags, PROF_TORCH_COPIED, PROF_E_INVALID, "has flags 0x1");
    BAD(rank, 65, PROF_E_INVALID, "has rank 65");
    BAD(rank, UINT32_MAX, PROF_E_INVALID, "has rank 4294967295");
    BAD(shape, NULL, PROF_E_INVALID, "has rank 2 and no shape");
    BAD(shape, negative, PROF_E_INVALID, "has length -1 in dimension 1");
    BAD(shape, huge, PROF_E_INVALID, "larger than any memory");
    BAD(shape, large, PROF_E_INVALID, "larger than any memory");
    BAD(shape, zero_and_huge, PROF_E_INVALID, "larger than any memory");
    cases[n - 1].tensor.rank = 3;
    BAD(shape, huge_and_zero, PROF_E_INVALID, "larger than any memory");
    cases[n - 1].tensor.rank = 3;
    BAD(strides, back, PROF_E_INVALID, "has stride -1 in dimension 1");
    BAD(strides, far, PROF_E_INVALID, "larger than any memory");
    BAD(data, NULL, PROF_E_INVALID, "has elements and no data");
    BAD(data, (char *)data + 1, PROF_E_INVALID, "not aligned to 4 bytes");
    BAD(data_bytes, 15, PROF_E_INVALID, "needs 16 bytes for its shape, and has 15");
    BAD(size, 0, PROF_E_INVALID, "input 1.size is 0");
    BAD(size, sizeof(prof_torch_tensor) - 8, PROF_E_INVALID, "input 1.size is");
    BAD(size, UINT32_MAX, PROF_E_INVALID, "input 1.size is");
    prof_torch_tensor on_gpu = good;
    on_gpu.device = PROF_TORCH_CUDA;
    on_gpu.device_index = 127;
    cases[n].tensor = on_gpu;
    cases[n].status = PROF_E_UNSUPPORTED;
    cases[n++].says = "is on GPU 127";
    for (size_t i = 0; i < n; i++) {
        const prof_torch_input inputs[] = { PROF_TORCH_INPUT_TENSOR(&good), PROF_TORCH_INPUT_TENSOR(&cases[i].tensor) };
        prof_torch_value *value = NULL;
        CHECK_FAILS(prof_torch_run(model, "mix", inputs, 2, &value, &err), cases[i].status, cases[i].says);
        CHECK_HAS(err.message, "input 1");
        CHECK(value == NULL);
    }
    prof_torch_model_close(model);
}

TEST(inputs_of_a_later_version_are_read_when_what_is_new_is_zero)
{
    OPEN(model, "inputs.pt");
    struct {
        prof_torch_tensor known;
        uint64_t later[2];
    } tensor;
    struct {
        prof_torch_input known;
        uint64_t later[3];
    } inputs[2];
    float data[] = { 3 };
    int64_t shape[] = { 1 };
    prof_torch_value *value = NULL;
    memset(&tensor, 0, sizeof(tensor));
    memset(inputs, 0, sizeof(inputs));
    tensor.known = (prof_torch_tensor)FLOATS(shape, data);
    tensor.known.size = sizeof(tensor);
    for (size_t i = 0; i < COUNT(inputs); i++) {
        inputs[i].known = (prof_torch_input)PROF_TORCH_INPUT_TENSOR(&tensor.known);
        inputs[i].known.size = sizeof(inputs[0]);
    }
    CHECK_OK(prof_torch_run(model, "mix", &inputs[0].known, 2, &value, &err));
    CHECK(float_at(value, 0) == 33.0f);
    prof_torch_value_close(value);

    value = NULL;
    inputs[1].later[2] = 1;
    CHECK_FAILS(prof_torch_run(model, "mix", &inputs[0].known, 2, &value, &err), PROF_E_INVALID,
                "input 1 has a field at byte");
    inputs[1].later[2] = 0;
    tensor.later[0] = 1;
    CHECK_FAILS(prof_torch_run(model, "mix", &inputs[0].known, 2, &value, &err), PROF_E_INVALID,
                "input 0 has a field at byte");
    tensor.later[0] = 0;
    inputs[1].known.size = sizeof(prof_torch_input);
    CHECK_FAILS(prof_torch_run(model, "mix", &inputs[0].known, 2, &value, &err), PROF_E_INVALID,
                "input 1 has another size than the inputs before it");
    CHECK(value == NULL);
    prof_torch_model_close(model);
}

TEST(null_and_contradicting_arguments_are_refused)
{
    OPEN(model, "inputs.pt");
    float data[] = { 3 };
    int64_t shape[] = { 1 };
    const prof_torch_tensor x = FLOATS(shape, data);
    prof_torch_value *value = NULL, *first = run_on(model, NULL, 1, &x);
    prof_torch_input input = PROF_TORCH_INPUT_TENSOR(&x);
    CHECK_FAILS(prof_torch_run(NULL, NULL, &input, 1, &value, &err), PROF_E_INVALID, "model is NULL");
    CHECK_FAILS(prof_torch_run(model, NULL, &input, 1, NULL, &err), PROF_E_INVALID, "result is NULL");
    CHECK_FAILS(prof_torch_run(model, NULL, NULL, 1, &value, &err), PROF_E_INVALID, "inputs is NULL");
    CHECK_I64(prof_torch_run(NULL, NULL, NULL, 1, NULL, NULL), PROF_E_INVALID);
    CHECK_I64(prof_torch_run(model, "nothing", NULL, 0, &value, NULL), PROF_E_NOT_FOUND);
    input.value = first;
    CHECK_FAILS(prof_torch_run(model, NULL, &input, 1, &value, &err), PROF_E_INVALID,
                "input 0 has both a tensor and a value");
    input.tensor = NULL;
    input.value = NULL;
    CHECK_FAILS(prof_torch_run(model, NULL, &input, 1, &value, &err), PROF_E_INVALID,
                "input 0 has neither a tensor nor a value");
    input.tensor = &x;
    input.flags = 2;
    CHECK_FAILS(prof_torch_run(model, NULL, &input, 1, &value, &err), PROF_E_INVALID, "input 0 has flags 0x2");
    input.flags = 0;
    input.size = 3;
    CHECK_FAILS(prof_torch_run(model, NULL, &input, 1, &value, &err), PROF_E_INVALID, "input 0.size is 3");
    CHECK(value == NULL);
    prof_torch_value_close(first);
    prof_torch_model_close(model);
}

/* What the threads of the next case share. */
static prof_torch_model *shared_model;
static float expected[16];
static int wrong_count;

static void *run_many_times(void *unused)
{
    (void)unused;
    for (int i = 0; i < 200; i++) {
        float data[32 * 3], *out;
        int64_t rows = 1 + i % 3, shape[] = { rows, 32 };
        prof_error own = PROF_ERROR_INIT;
        for (size_t k = 0; k < COUNT(data); k++)
            data[k] = (float)(k % 32) / 32.0f;
        const prof_torch_tensor x = PROF_TORCH_TENSOR_OF(PROF_TORCH_FLOAT32, 2, shape, data);
        const prof_torch_input input = PROF_TORCH_INPUT_TENSOR(&x);
        prof_torch_value *value = NULL;
        prof_torch_tensor tensor = PROF_TORCH_TENSOR_INIT;
        int is_wrong = prof_torch_run(shared_model, NULL, &input, 1, &value, &own) != PROF_OK ||
                       prof_torch_value_tensor(value, 0, &tensor, &own) != PROF_OK || tensor.shape[0] != rows;
        out = tensor.data;
        for (int64_t k = 0; !is_wrong && k < rows * 16; k++)
            is_wrong = out[k] < expected[k % 16] - 1e-5f || out[k] > expected[k % 16] + 1e-5f;
        prof_torch_value_close(value);
        if (is_wrong)
            __atomic_fetch_add(&wrong_count, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

TEST(four_threads_run_one_model_from_its_first_call_on)
{
    OPEN(reference, "encoder.pt");
    float data[32];
    int64_t shape[] = { 1, 32 };
    for (size_t k = 0; k < COUNT(data); k++)
        data[k] = (float)k / 32.0f;
    const prof_torch_tensor x = FLOATS(shape, data);
    prof_torch_value *value = run_on(reference, NULL, 1, &x);
    for (size_t k = 0; k < COUNT(expected); k++)
        expected[k] = float_at(value, k);
    prof_torch_value_close(value);
    prof_torch_model_close(reference);

    OPEN(model, "encoder.pt");
    pthread_t threads[4];
    shared_model = model;
    for (size_t i = 0; i < COUNT(threads); i++)
        REQUIRE(pthread_create(&threads[i], NULL, run_many_times, NULL) == 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    CHECK_I64(wrong_count, 0);
    prof_torch_model_close(model);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
