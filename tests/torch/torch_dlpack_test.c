/* SPDX-License-Identifier: Apache-2.0 */
/* DLPack: whose memory an array is, on the way in and on the way out. */
#include "torch_test.h"

#include <pthread.h>
#include <stdatomic.h>

/* The standard's layout, written down here: the caller needs nobody's header. */
typedef struct DLManagedTensor {
    struct {
        void *data;
        struct {
            int32_t type, index;
        } device;
        int32_t rank;
        struct {
            uint8_t code, bits;
            uint16_t lanes;
        } dtype;
        int64_t *shape, *strides;
        uint64_t byte_offset;
    } tensor;
    void *context;
    void (*deleter)(struct DLManagedTensor *self);
} DLManagedTensor;

enum { CODE_INT, CODE_UINT, CODE_FLOAT, CODE_BFLOAT = 4, CODE_COMPLEX, CODE_BOOL };
enum { ON_CPU = 1, ON_CUDA, ON_CUDA_HOST, ON_OPENCL };

static void count_deletion(DLManagedTensor *self)
{
    atomic_fetch_add((atomic_int *)self->context, 1);
}

/* An array in main memory of floats whose deletions are counted. */
static DLManagedTensor array_of(int32_t rank, int64_t *shape, void *data, atomic_int *deletions)
{
    DLManagedTensor made = { .context = deletions, .deleter = count_deletion };
    made.tensor.data = data;
    made.tensor.device.type = ON_CPU;
    made.tensor.rank = rank;
    made.tensor.dtype.code = CODE_FLOAT;
    made.tensor.dtype.bits = 32;
    made.tensor.dtype.lanes = 1;
    made.tensor.shape = shape;
    return made;
}

static prof_torch_tensor as_is(prof_torch_value *value)
{
    prof_torch_tensor tensor = PROF_TORCH_TENSOR_INIT;
    CHECK_OK(prof_torch_value_tensor(value, PROF_TORCH_AS_IS, &tensor, &err));
    return tensor;
}

TEST(an_array_enters_without_a_copy_and_its_deleter_is_called_once)
{
    float data[] = { 1, 2, 3, 4, 5, 6 };
    int64_t shape[] = { 2, 3 };
    atomic_int deletions = 0;
    DLManagedTensor array = array_of(2, shape, data, &deletions);
    prof_torch_value *value = NULL;
    CHECK_OK(prof_torch_value_from_dlpack(&array, &value, &err));
    const prof_torch_tensor seen = tensor_in(value);
    CHECK(seen.data == data && seen.flags == 0 && seen.rank == 2 && seen.shape[0] == 2 && seen.shape[1] == 3);
    CHECK_I64(seen.dtype, PROF_TORCH_FLOAT32);
    prof_torch_value *twice = prof_torch_value_retain(value);
    prof_torch_value_close(value);
    CHECK_I64(deletions, 0);
    data[5] = 60;
    CHECK(float_at(twice, 5) == 60.0f);
    prof_torch_value_close(twice);
    CHECK_I64(deletions, 1);
}

TEST(a_result_that_is_the_array_keeps_it_after_everything_else_is_closed)
{
    OPEN(model, "inputs.pt");
    float data[] = { 1, 2, 3, 4 };
    int64_t shape[] = { 4 };
    atomic_int deletions = 0;
    DLManagedTensor array = array_of(1, shape, data, &deletions);
    prof_torch_value *value = NULL, *tail = NULL, *number = NULL;
    CHECK_OK(prof_torch_value_from_dlpack(&array, &value, &err));
    const prof_torch_input input = PROF_TORCH_INPUT_VALUE(value);
    CHECK_OK(prof_torch_run(model, "tail", &input, 1, &tail, &err));
    CHECK_OK(prof_torch_run(model, "increment", &input, 1, &number, &err));
    prof_torch_value_close(number);
    prof_torch_value_close(value);
    prof_torch_model_close(model);
    CHECK_I64(deletions, 0);
    CHECK(as_is(element(find(tail, "tail"), 0)).data == &data[1]);
    CHECK(data[0] == 2.0f && float_at(element(find(tail, "tail"), 0), 2) == 5.0f);
    prof_torch_value_close(tail);
    CHECK_I64(deletions, 1);
}

TEST(every_element_type_enters_and_leaves)
{
    static const struct {
        uint8_t code, bits;
        int32_t dtype;
    } rows[] = {
        { CODE_BOOL, 8, PROF_TORCH_BOOL },    { CODE_UINT, 8, PROF_TORCH_UINT8 },
        { CODE_INT, 8, PROF_TORCH_INT8 },     { CODE_INT, 16, PROF_TORCH_INT16 },
        { CODE_INT, 32, PROF_TORCH_INT32 },   { CODE_INT, 64, PROF_TORCH_INT64 },
        { CODE_FLOAT, 16, PROF_TORCH_HALF },  { CODE_BFLOAT, 16, PROF_TORCH_BFLOAT16 },
        { CODE_FLOAT, 32, PROF_TORCH_FLOAT32 }, { CODE_FLOAT, 64, PROF_TORCH_FLOAT64 },
    };
    uint64_t data[2] = { 0 };
    int64_t shape[] = { 2 };
    for (size_t i = 0; i < COUNT(rows); i++) {
        atomic_int deletions = 0;
        DLManagedTensor array = array_of(1, shape, data, &deletions), *out = NULL;
        prof_torch_value *value = NULL;
        array.tensor.dtype.code = rows[i].code;
        array.tensor.dtype.bits = rows[i].bits;
        CHECK_OK(prof_torch_value_from_dlpack(&array, &value, &err));
        CHECK_I64(as_is(value).dtype, rows[i].dtype);
        CHECK_OK(prof_torch_value_to_dlpack(value, &out, &err));
        prof_torch_value_close(value);
        REQUIRE(out != NULL);
        CHECK(out->tensor.data == data && out->tensor.dtype.bits == rows[i].bits);
        CHECK_I64(out->tensor.dtype.code, rows[i].code);
        CHECK_I64(deletions, 0);
        out->deleter(out);
        CHECK_I64(deletions, 1);
    }
}

TEST(any_rank_and_any_steps_enter)
{
    float data[64];
    int64_t shape[64], columns[] = { 1, 6 }, repeated[] = { 0, 1 }, pair[] = { 3, 2 };
    for (size_t i = 0; i < COUNT(data); i++) {
        data[i] = (float)i;
        shape[i] = i < 5 ? 2 : 1;
    }
    for (int32_t rank = 0; rank <= 64; rank++) {
        atomic_int deletions = 0;
        DLManagedTensor array = array_of(rank, rank > 0 ? shape : NULL, data, &deletions);
        prof_torch_value *value = NULL;
        CHECK_OK(prof_torch_value_from_dlpack(&array, &value, &err));
        CHECK_U64(as_is(value).rank, rank);
        CHECK(as_is(value).data == data);
        prof_torch_value_close(value);
        CHECK_I64(deletions, 1);
    }
    atomic_int deletions = 0;
    DLManagedTensor array = array_of(2, pair, data, &deletions);
    prof_torch_value *value = NULL;
    array.tensor.strides = columns;
    array.tensor.byte_offset = 2 * sizeof(float);
    CHECK_OK(prof_torch_value_from_dlpack(&array, &value, &err));
    CHECK(as_is(value).data == &data[2] && as_is(value).strides[1] == 6);
    CHECK(float_at(value, 5) == 10.0f);
    prof_torch_value_close(value);
    array.tensor.strides = repeated;
    CHECK_OK(prof_torch_value_from_dlpack(&array, &value, &err));
    CHECK(float_at(value, 4) == 2.0f && float_at(value, 5) == 3.0f);
    prof_torch_value_close(value);
    CHECK_I64(deletions, 2);
}

TEST(an_array_without_elements_needs_no_data_and_is_given_back)
{
    int64_t shape[] = { 2, 0, 3 };
    atomic_int deletions = 0;
    DLManagedTensor array = array_of(3, shape, NULL, &deletions);
    prof_torch_value *value = NULL;
    CHECK_OK(prof_torch_value_from_dlpack(&array, &value, &err));
    CHECK_U64(as_is(value).data_bytes, 0);
    prof_torch_value_close(value);
    CHECK_I64(deletions, 1);
    array.deleter = NULL; /* whoever needs nothing given back has none */
    CHECK_OK(prof_torch_value_from_dlpack(&array, &value, &err));
    prof_torch_value_close(value);
}

/* An array that must be refused, and stay the caller's. */
static void refused(DLManagedTensor array, prof_status status, const char *part)
{
    prof_torch_value *value = (prof_torch_value *)&err;
    CHECK_FAILS(prof_torch_value_from_dlpack(&array, &value, &err), status, part);
    CHECK(value == (prof_torch_value *)&err);
    CHECK_I64(*(atomic_int *)array.context, 0);
}

TEST(a_malformed_array_is_refused_and_stays_the_callers)
{
    float data[8] = { 0 };
    int64_t shape[] = { 2, 3 }, negative[] = { 2, -3 }, backwards[] = { -3, 1 }, huge[] = { INT64_MAX, 2 };
    atomic_int deletions = 0;
    const DLManagedTensor good = array_of(2, shape, data, &deletions);
    DLManagedTensor bad = good;
    bad.tensor.rank = -1;
    refused(bad, PROF_E_INVALID, "it has rank -1");
    bad.tensor.rank = 65;
    refused(bad, PROF_E_INVALID, "rank 65, above 64");
    bad = good;
    bad.tensor.shape = NULL;
    refused(bad, PROF_E_INVALID, "no shape");
    bad.tensor.shape = negative;
    refused(bad, PROF_E_INVALID, "length -3 in dimension 1");
    bad.tensor.shape = huge;
    refused(bad, PROF_E_INVALID, "larger than any memory");
    bad = good;
    bad.tensor.strides = backwards;
    refused(bad, PROF_E_INVALID, "stride -3 in dimension 0");
    bad = good;
    bad.tensor.data = NULL;
    refused(bad, PROF_E_INVALID, "elements and no data");
    bad = good;
    bad.tensor.byte_offset = 1;
    refused(bad, PROF_E_INVALID, "not aligned");
    bad = good;
    bad.tensor.device.type = ON_OPENCL;
    refused(bad, PROF_E_UNSUPPORTED, "device of type 4");
    bad.tensor.device.type = ON_CUDA;
    bad.tensor.device.index = 100;
    refused(bad, PROF_E_UNSUPPORTED, "GPU 100");
    bad = good;
    bad.tensor.dtype.lanes = 4;
    refused(bad, PROF_E_UNSUPPORTED, "4 at a time");
    bad = good;
    bad.tensor.dtype.code = CODE_COMPLEX;
    refused(bad, PROF_E_UNSUPPORTED, "of code 5 with 32 bits");
    prof_torch_value *value = NULL;
    CHECK_FAILS(prof_torch_value_from_dlpack(NULL, &value, &err), PROF_E_INVALID, "managed is NULL");
    CHECK_FAILS(prof_torch_value_from_dlpack(&bad, NULL, &err), PROF_E_INVALID, "value is NULL");
}

TEST(a_tensor_leaves_without_a_copy_and_outlives_what_it_came_from)
{
    OPEN(model, "outputs.pt");
    float data[] = { 1, 2, 3, 4, 5, 6 };
    int64_t shape[] = { 2, 3 };
    const prof_torch_tensor x = FLOATS(shape, data);
    prof_torch_value *value = run_on(model, "transposed", 1, &x);
    const prof_torch_tensor seen = as_is(value);
    DLManagedTensor *out = NULL;
    CHECK_OK(prof_torch_value_to_dlpack(value, &out, &err));
    REQUIRE(out != NULL);
    CHECK((char *)out->tensor.data + out->tensor.byte_offset == (char *)seen.data);
    CHECK(out->tensor.rank == 2 && out->tensor.shape[0] == 3 && out->tensor.shape[1] == 2);
    CHECK(out->tensor.strides[0] == 1 && out->tensor.strides[1] == 3);
    CHECK(out->tensor.device.type == ON_CPU && out->tensor.dtype.code == CODE_FLOAT && out->tensor.dtype.lanes == 1);
    prof_torch_value_close(value);
    prof_torch_model_close(model);
    CHECK(memcmp(out->tensor.data, data, sizeof(data)) == 0);
    out->deleter(out);
}

TEST(what_leaves_can_enter_again)
{
    OPEN(model, "outputs.pt");
    float data[] = { 7 };
    int64_t shape[] = { 1 };
    const prof_torch_tensor x = FLOATS(shape, data);
    prof_torch_value *value = run_on(model, "repeated", 1, &x), *again = NULL;
    const void *lies_at = as_is(value).data;
    DLManagedTensor *out = NULL;
    CHECK_OK(prof_torch_value_to_dlpack(value, &out, &err));
    CHECK_OK(prof_torch_value_from_dlpack(out, &again, &err));
    prof_torch_value_close(value);
    CHECK(as_is(again).data == lies_at && float_at(again, 11) == 7.0f);
    prof_torch_value_close(again);
    prof_torch_model_close(model);
}

TEST(what_dlpack_cannot_say_is_refused_and_complex_numbers_it_can)
{
    OPEN(model, "outputs.pt");
    float data[] = { 7 };
    int64_t shape[] = { 1 };
    const prof_torch_tensor x = FLOATS(shape, data);
    DLManagedTensor *out = NULL;
    prof_torch_value *value = run_on(model, "sparse", 1, &x);
    CHECK_FAILS(prof_torch_value_to_dlpack(value, &out, &err), PROF_E_UNSUPPORTED, "sparse");
    prof_torch_value_close(value);
    value = run_on(model, "negative_view", 1, &x);
    CHECK_FAILS(prof_torch_value_to_dlpack(value, &out, &err), PROF_E_UNSUPPORTED, "negative");
    prof_torch_value_close(value);
    value = run_on(model, "numbers", 0, NULL);
    CHECK_FAILS(prof_torch_value_to_dlpack(value, &out, &err), PROF_E_INVALID, "a tuple, not a tensor");
    CHECK_FAILS(prof_torch_value_to_dlpack(value, NULL, &err), PROF_E_INVALID, "managed is NULL");
    prof_torch_value_close(value);
    CHECK(out == NULL);
    value = run_on(model, "complex_numbers", 1, &x);
    CHECK_OK(prof_torch_value_to_dlpack(value, &out, &err));
    REQUIRE(out != NULL);
    CHECK(out->tensor.dtype.code == CODE_COMPLEX && out->tensor.dtype.bits == 64);
    out->deleter(out);
    prof_torch_value_close(value);
    prof_torch_model_close(model);
}

static void *close_value(void *value)
{
    prof_torch_value_close(value);
    return NULL;
}

TEST(the_last_of_several_threads_gives_the_array_back)
{
    float data[] = { 1 };
    int64_t shape[] = { 1 };
    pthread_t threads[4];
    atomic_int deletions = 0;
    DLManagedTensor array = array_of(1, shape, data, &deletions);
    prof_torch_value *value = NULL;
    CHECK_OK(prof_torch_value_from_dlpack(&array, &value, &err));
    for (size_t i = 0; i < COUNT(threads); i++)
        REQUIRE(pthread_create(&threads[i], NULL, close_value, prof_torch_value_retain(value)) == 0);
    prof_torch_value_close(value);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    CHECK_I64(deletions, 1);
}

TEST(a_package_that_refuses_an_array_lets_go_of_it)
{
    OPEN_PACKAGE(model);
    float data[10] = { 0 };
    int64_t shape[] = { 2, 5 };
    atomic_int deletions = 0;
    DLManagedTensor array = array_of(2, shape, data, &deletions);
    prof_torch_value *value = NULL, *result = NULL;
    CHECK_OK(prof_torch_value_from_dlpack(&array, &value, &err));
    const prof_torch_input inputs[] = { PROF_TORCH_INPUT_VALUE(value), PROF_TORCH_INPUT_VALUE(value) };
    CHECK_FAILS(prof_torch_run(model, NULL, inputs, 2, &result, &err), PROF_E_INVALID, "expected: 4, but got: 5");
    prof_torch_value_close(value);
    CHECK_I64(deletions, 1);
    prof_torch_model_close(model);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
