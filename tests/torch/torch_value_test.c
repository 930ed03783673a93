/* SPDX-License-Identifier: Apache-2.0 */
/* Outputs: walking what a model returned, and how long it lives. */
#include "torch_test.h"

#include <pthread.h>
#include <stddef.h>

/* The layouts of version 0.1: what a program was built with stays so. */
_Static_assert(sizeof(prof_torch_tensor) == 56 && offsetof(prof_torch_tensor, shape) == 24 &&
                   offsetof(prof_torch_tensor, data) == 40 && offsetof(prof_torch_tensor, data_bytes) == 48,
               "prof_torch_tensor has changed");
_Static_assert(sizeof(prof_torch_input) == 32 && offsetof(prof_torch_input, name) == 8 &&
                   offsetof(prof_torch_input, tensor) == 16 && offsetof(prof_torch_input, value) == 24,
               "prof_torch_input has changed");
_Static_assert(sizeof(prof_torch_options) == 24 && offsetof(prof_torch_options, device) == 8 &&
                   offsetof(prof_torch_options, reserved) == 16,
               "prof_torch_options has changed");

static float one_data[] = { 1 };
static int64_t one_shape[] = { 1 };
static const prof_torch_tensor one = FLOATS(one_shape, one_data);

TEST(tuple_list_and_dictionary_are_walked)
{
    OPEN(model, "outputs.pt");
    prof_torch_value *value = run_on(model, NULL, 1, &one);
    CHECK_I64(prof_torch_value_kind(value), PROF_TORCH_TUPLE);
    CHECK_U64(prof_torch_value_count(value), 3);
    CHECK_I64(prof_torch_value_kind(element(value, 0)), PROF_TORCH_TENSOR);
    CHECK(float_at(element(value, 0), 0) == 2.0f);

    prof_torch_value *list = element(value, 1);
    CHECK_I64(prof_torch_value_kind(list), PROF_TORCH_LIST);
    CHECK_U64(prof_torch_value_count(list), 2);
    CHECK(float_at(element(list, 0), 0) == 3.0f && float_at(element(list, 1), 0) == 4.0f);

    prof_torch_value *table = element(value, 2);
    const char *key = NULL;
    size_t bytes = 0;
    CHECK_I64(prof_torch_value_kind(table), PROF_TORCH_DICTIONARY);
    CHECK_U64(prof_torch_value_count(table), 2);
    CHECK(float_at(find(table, "plus"), 0) == 5.0f);
    CHECK(float_at(element(table, 1), 0) == 6.0f);
    CHECK_OK(prof_torch_value_key(table, 1, &key, &bytes, &err));
    CHECK_STR(key, "\xc3\xa4\xc3\xb6\xc3\xbc");
    CHECK_U64(bytes, 6);
    CHECK(find(table, key) == element(table, 1));
    prof_torch_value_close(value);
    prof_torch_model_close(model);
}

TEST(nested_containers_are_walked)
{
    OPEN(model, "outputs.pt");
    prof_torch_value *value = run_on(model, "nested", 1, &one);
    prof_torch_value *layers = find(value, "layers");
    for (size_t i = 0; i < 2; i++) {
        prof_torch_value *layer = element(layers, i);
        CHECK_I64(prof_torch_value_kind(layer), PROF_TORCH_TUPLE);
        CHECK(float_at(element(layer, 0), 0) == 1.0f + 2.0f * (float)i);
        CHECK(float_at(find(element(layer, 1), "key"), 0) == 2.0f + 2.0f * (float)i);
    }
    prof_torch_value_close(value);
    prof_torch_model_close(model);
}

TEST(the_fields_of_a_named_tuple_have_names)
{
    OPEN(model, "outputs.pt");
    prof_torch_value *value = run_on(model, "named", 1, &one), *none = NULL;
    const char *key = NULL;
    CHECK_I64(prof_torch_value_kind(value), PROF_TORCH_TUPLE);
    CHECK(float_at(find(value, "second"), 0) == 3.0f);
    CHECK(float_at(element(value, 0), 0) == 2.0f);
    CHECK_OK(prof_torch_value_key(value, 0, &key, NULL, &err));
    CHECK_STR(key, "first");
    CHECK_FAILS(prof_torch_value_find(value, "third", &none, &err), PROF_E_NOT_FOUND,
                "cannot find element 'third': there is no such key; there are: 'first', 'second'");
    prof_torch_value_close(value);
    prof_torch_model_close(model);
}

TEST(numbers_truths_texts_and_none_are_read)
{
    OPEN(model, "outputs.pt");
    prof_torch_value *value = run_on(model, "numbers", 0, NULL);
    int64_t number = 0;
    double real = 0;
    int32_t truth = 0;
    const char *text = NULL;
    size_t bytes = 0;
    CHECK_OK(prof_torch_value_int(element(value, 0), &number, &err));
    CHECK_I64(number, -((int64_t)1 << 62));
    CHECK_OK(prof_torch_value_double(element(value, 1), &real, &err));
    CHECK(real == 2.5);
    CHECK_OK(prof_torch_value_truth(element(value, 2), &truth, &err));
    CHECK_I64(truth, 1);
    CHECK_OK(prof_torch_value_string(element(value, 3), &text, &bytes, &err));
    CHECK_U64(bytes, 11);
    CHECK(bytes == 11 && memcmp(text, "na\xc3\xafve\0text", 12) == 0);
    CHECK_OK(prof_torch_value_string(element(value, 3), &text, NULL, &err));
    CHECK_I64(prof_torch_value_kind(element(value, 4)), PROF_TORCH_NONE);
    CHECK_U64(prof_torch_value_count(element(value, 5)), 3);
    CHECK_OK(prof_torch_value_int(element(element(value, 5), 2), &number, &err));
    CHECK_I64(number, 3);
    prof_torch_value_close(value);
    prof_torch_model_close(model);
}

TEST(a_dictionary_with_numbers_as_keys_is_walked_by_index)
{
    OPEN(model, "outputs.pt");
    prof_torch_value *value = run_on(model, "by_number", 1, &one), *none = NULL;
    const char *key = NULL;
    CHECK_U64(prof_torch_value_count(value), 2);
    CHECK(float_at(element(value, 0), 0) == 8.0f && float_at(element(value, 1), 0) == 4.0f);
    CHECK_FAILS(prof_torch_value_key(value, 0, &key, NULL, &err), PROF_E_UNSUPPORTED,
                "the key of element 0 is an int, not a text");
    CHECK_FAILS(prof_torch_value_find(value, "7", &none, &err), PROF_E_NOT_FOUND, "there are: none");
    CHECK(key == NULL && none == NULL);
    prof_torch_value_close(value);
    prof_torch_model_close(model);
}

TEST(empty_containers_have_no_elements)
{
    OPEN(model, "outputs.pt");
    prof_torch_value *value = run_on(model, "empty", 0, NULL), *none = NULL;
    CHECK_U64(prof_torch_value_count(element(value, 0)), 0);
    CHECK_U64(prof_torch_value_count(element(value, 1)), 0);
    CHECK_FAILS(prof_torch_value_at(element(value, 0), 0, &none, &err), PROF_E_NOT_FOUND,
                "there is no element 0: the value is a list of 0");
    CHECK_FAILS(prof_torch_value_find(element(value, 1), "x", &none, &err), PROF_E_NOT_FOUND, "there are: none");
    prof_torch_value_close(value);
    prof_torch_model_close(model);
}

TEST(a_long_list_is_walked_in_order)
{
    OPEN(outputs, "outputs.pt");
    prof_torch_value *n = run_on(outputs, "count", 0, NULL), *list = NULL;
    const prof_torch_input input = PROF_TORCH_INPUT_VALUE(n);
    CHECK_OK(prof_torch_run(outputs, "many", &input, 1, &list, &err));
    CHECK_U64(prof_torch_value_count(list), 40);
    for (size_t i = 0; i < 40; i++) {
        int64_t number = -1;
        CHECK_OK(prof_torch_value_int(element(list, i), &number, &err));
        CHECK_I64(number, i);
    }
    prof_torch_value_close(list);
    prof_torch_value_close(n);
    prof_torch_model_close(outputs);
}

TEST(a_tensor_that_lies_differently_is_copied_once_and_says_so)
{
    OPEN(model, "outputs.pt");
    float data[] = { 1, 2, 3, 4, 5, 6 };
    int64_t shape[] = { 2, 3 };
    const prof_torch_tensor x = FLOATS(shape, data);
    prof_torch_value *value = run_on(model, "transposed", 1, &x);
    prof_torch_tensor as_is = PROF_TORCH_TENSOR_INIT;
    CHECK_OK(prof_torch_value_tensor(value, PROF_TORCH_AS_IS, &as_is, &err));
    REQUIRE(as_is.rank == 2);
    CHECK(as_is.shape[0] == 3 && as_is.shape[1] == 2 && as_is.strides[0] == 1 && as_is.strides[1] == 3);
    CHECK_U64(as_is.flags, 0);
    CHECK_U64(as_is.data_bytes, sizeof(data));
    CHECK(memcmp(as_is.data, data, sizeof(data)) == 0);

    const prof_torch_tensor packed = tensor_in(value);
    static const float transposed[] = { 1, 4, 2, 5, 3, 6 };
    CHECK_U64(packed.flags, PROF_TORCH_COPIED);
    CHECK(packed.strides[0] == 2 && packed.strides[1] == 1);
    CHECK(memcmp(packed.data, transposed, sizeof(transposed)) == 0);
    CHECK(tensor_in(value).data == packed.data);
    CHECK_U64(tensor_in(value).flags, PROF_TORCH_COPIED);
    prof_torch_value_close(value);
    prof_torch_model_close(model);
}

TEST(a_repeated_tensor_shows_its_real_extent_as_it_is)
{
    OPEN(model, "outputs.pt");
    prof_torch_value *value = run_on(model, "repeated", 1, &one);
    prof_torch_tensor as_is = PROF_TORCH_TENSOR_INIT;
    CHECK_OK(prof_torch_value_tensor(value, PROF_TORCH_AS_IS, &as_is, &err));
    CHECK(as_is.rank == 2 && as_is.shape[1] == 4 && as_is.strides[0] == 0 && as_is.strides[1] == 0);
    CHECK_U64(as_is.data_bytes, sizeof(float));
    CHECK_U64(tensor_in(value).data_bytes, 12 * sizeof(float));
    CHECK(float_at(value, 11) == 1.0f);
    prof_torch_value_close(value);
    prof_torch_model_close(model);
}

TEST(a_lazily_negated_tensor_is_read_with_its_sign)
{
    OPEN(model, "outputs.pt");
    prof_torch_value *value = run_on(model, "negative_view", 1, &one);
    prof_torch_tensor as_is = PROF_TORCH_TENSOR_INIT;
    CHECK(float_at(value, 0) == -1.0f);
    CHECK_FAILS(prof_torch_value_tensor(value, PROF_TORCH_AS_IS, &as_is, &err), PROF_E_UNSUPPORTED, "negative");
    prof_torch_value_close(value);
    prof_torch_model_close(model);
}

TEST(complex_and_sparse_tensors_are_unsupported)
{
    OPEN(model, "outputs.pt");
    prof_torch_tensor out = PROF_TORCH_TENSOR_INIT;
    prof_torch_value *value = run_on(model, "complex_numbers", 1, &one);
    CHECK_FAILS(prof_torch_value_tensor(value, 0, &out, &err), PROF_E_UNSUPPORTED, "ComplexFloat");
    CHECK_FAILS(prof_torch_value_tensor(value, PROF_TORCH_AS_IS, &out, &err), PROF_E_UNSUPPORTED, "ComplexFloat");
    prof_torch_value_close(value);
    value = run_on(model, "sparse", 1, &one);
    CHECK_FAILS(prof_torch_value_tensor(value, 0, &out, &err), PROF_E_UNSUPPORTED, "sparse");
    prof_torch_value_close(value);
    CHECK(out.data == NULL && out.rank == 0);
    prof_torch_model_close(model);
}

TEST(a_retained_tensor_outlives_its_result_and_the_model)
{
    OPEN(model, "outputs.pt");
    prof_torch_value *value = run_on(model, "nested", 1, &one);
    prof_torch_value *kept = prof_torch_value_retain(element(element(find(value, "layers"), 1), 0));
    prof_torch_value *branch = prof_torch_value_retain(element(find(value, "layers"), 0));
    const prof_torch_tensor before = tensor_in(kept);
    prof_torch_value_close(value);
    prof_torch_model_close(model);
    CHECK(tensor_in(kept).data == before.data);
    CHECK(float_at(kept, 0) == 3.0f);
    CHECK(float_at(find(element(branch, 1), "key"), 0) == 2.0f);
    CHECK(prof_torch_value_retain(kept) == kept);
    prof_torch_value_close(kept);
    CHECK(float_at(kept, 0) == 3.0f);
    prof_torch_value_close(kept);
    prof_torch_value_close(branch);
}

TEST(a_value_read_as_another_kind_is_refused_and_the_message_says_what_it_is)
{
    OPEN(model, "outputs.pt");
    prof_torch_value *numbers = run_on(model, "numbers", 0, NULL), *tensor = run_on(model, NULL, 1, &one);
    prof_torch_value *five = element(numbers, 1), *none = NULL;
    int64_t number = 123;
    double real = 123;
    int32_t truth = 123;
    const char *text = NULL;
    prof_torch_tensor out = PROF_TORCH_TENSOR_INIT;
    CHECK_FAILS(prof_torch_value_int(five, &number, &err), PROF_E_INVALID, "the value is a double, not an int");
    CHECK_FAILS(prof_torch_value_double(element(numbers, 0), &real, &err), PROF_E_INVALID, "an int, not a double");
    CHECK_FAILS(prof_torch_value_truth(five, &truth, &err), PROF_E_INVALID, "a double, not a bool");
    CHECK_FAILS(prof_torch_value_string(five, &text, NULL, &err), PROF_E_INVALID, "a double, not a string");
    CHECK_FAILS(prof_torch_value_tensor(five, 0, &out, &err), PROF_E_INVALID, "a double, not a tensor");
    CHECK_FAILS(prof_torch_value_at(five, 0, &none, &err), PROF_E_INVALID, "a double and has no elements");
    CHECK_FAILS(prof_torch_value_find(five, "x", &none, &err), PROF_E_INVALID, "a double and has no keys");
    CHECK_FAILS(prof_torch_value_key(five, 0, &text, NULL, &err), PROF_E_INVALID, "a double and has no elements");
    CHECK_FAILS(prof_torch_value_find(element(tensor, 1), "x", &none, &err), PROF_E_INVALID, "a list and has no keys");
    CHECK_FAILS(prof_torch_value_key(tensor, 0, &text, NULL, &err), PROF_E_INVALID, "a tuple without keys");
    CHECK_FAILS(prof_torch_value_at(tensor, 3, &none, &err), PROF_E_NOT_FOUND, "no element 3: the value is a tuple of 3");
    CHECK_FAILS(prof_torch_value_at(tensor, SIZE_MAX, &none, &err), PROF_E_NOT_FOUND, "a tuple of 3");
    CHECK_U64(prof_torch_value_count(five), 0);
    CHECK(number == 123 && real == 123 && truth == 123 && text == NULL && none == NULL && out.data == NULL);
    prof_torch_value_close(tensor);
    prof_torch_value_close(numbers);
    prof_torch_model_close(model);
}

TEST(null_arguments_of_readers_are_refused)
{
    OPEN(model, "outputs.pt");
    prof_torch_value *value = run_on(model, NULL, 1, &one), *none = NULL;
    prof_torch_tensor out = PROF_TORCH_TENSOR_INIT;
    const char *text = NULL;
    int64_t number;
    CHECK_I64(prof_torch_value_kind(NULL), PROF_TORCH_NONE);
    CHECK_U64(prof_torch_value_count(NULL), 0);
    CHECK(prof_torch_value_retain(NULL) == NULL);
    prof_torch_value_close(NULL);
    CHECK_FAILS(prof_torch_value_at(NULL, 0, &none, &err), PROF_E_INVALID, "value is NULL");
    CHECK_FAILS(prof_torch_value_at(value, 0, NULL, &err), PROF_E_INVALID, "element is NULL");
    CHECK_FAILS(prof_torch_value_find(NULL, "x", &none, &err), PROF_E_INVALID, "value is NULL");
    CHECK_FAILS(prof_torch_value_find(value, NULL, &none, &err), PROF_E_INVALID, "key is NULL");
    CHECK_FAILS(prof_torch_value_find(value, "x", NULL, &err), PROF_E_INVALID, "element is NULL");
    CHECK_FAILS(prof_torch_value_key(NULL, 0, &text, NULL, &err), PROF_E_INVALID, "value is NULL");
    CHECK_FAILS(prof_torch_value_key(value, 0, NULL, NULL, &err), PROF_E_INVALID, "key is NULL");
    CHECK_FAILS(prof_torch_value_tensor(NULL, 0, &out, &err), PROF_E_INVALID, "value is NULL");
    CHECK_FAILS(prof_torch_value_tensor(element(value, 0), 0, NULL, &err), PROF_E_INVALID, "NULL");
    CHECK_FAILS(prof_torch_value_tensor(element(value, 0), 4, &out, &err), PROF_E_INVALID, "flags 0x4");
    CHECK_FAILS(prof_torch_value_int(NULL, &number, &err), PROF_E_INVALID, "value is NULL");
    CHECK_FAILS(prof_torch_value_int(value, NULL, &err), PROF_E_INVALID, "NULL");
    CHECK_FAILS(prof_torch_value_double(value, NULL, &err), PROF_E_INVALID, "NULL");
    CHECK_FAILS(prof_torch_value_truth(value, NULL, &err), PROF_E_INVALID, "NULL");
    CHECK_FAILS(prof_torch_value_string(value, NULL, NULL, &err), PROF_E_INVALID, "NULL");
    CHECK_I64(prof_torch_value_at(NULL, 0, NULL, NULL), PROF_E_INVALID);
    CHECK_I64(prof_torch_value_tensor(NULL, 9, NULL, NULL), PROF_E_INVALID);
    prof_torch_value_close(value);
    prof_torch_model_close(model);
}

TEST(a_tensor_struct_of_another_version_is_filled_as_far_as_both_know_it)
{
    OPEN(model, "inputs.pt");
    prof_torch_value *value = run_on(model, NULL, 1, &one);
    struct {
        prof_torch_tensor known;
        uint64_t later[2], beyond;
    } grown;
    memset(&grown, 0x55, sizeof(grown));
    grown.known.size = offsetof(__typeof__(grown), beyond);
    CHECK_OK(prof_torch_value_tensor(value, 0, &grown.known, &err));
    CHECK_U64(grown.known.size, offsetof(__typeof__(grown), beyond));
    CHECK_I64(grown.known.dtype, PROF_TORCH_FLOAT32);
    CHECK(grown.later[0] == 0 && grown.later[1] == 0 && grown.beyond == 0x5555555555555555u);
    static const uint32_t sizes[] = { 0, 7, sizeof(prof_torch_tensor) - 1, 65537 };
    for (size_t i = 0; i < COUNT(sizes); i++) {
        prof_torch_tensor out = PROF_TORCH_TENSOR_INIT;
        out.size = sizes[i];
        CHECK_FAILS(prof_torch_value_tensor(value, 0, &out, &err), PROF_E_INVALID, "tensor.size is");
        CHECK(out.data == NULL);
    }
    prof_torch_value_close(value);
    prof_torch_model_close(model);
}

enum { READERS = 4, ROUNDS = 200 };

static prof_torch_value *shared[ROUNDS];
static pthread_barrier_t start;

/* Walks each round's value at the moment when all the others do. */
static void *read_shared(void *seen)
{
    for (size_t i = 0; i < ROUNDS; i++) {
        prof_torch_value *layers = NULL, *layer = NULL, *tensor = NULL;
        prof_torch_tensor out = PROF_TORCH_TENSOR_INIT;
        pthread_barrier_wait(&start);
        if (prof_torch_value_find(shared[i], "layers", &layers, NULL) == PROF_OK &&
            prof_torch_value_at(layers, 1, &layer, NULL) == PROF_OK &&
            prof_torch_value_at(layer, 0, &tensor, NULL) == PROF_OK &&
            prof_torch_value_tensor(prof_torch_value_retain(tensor), 0, &out, NULL) == PROF_OK)
            ((void **)seen)[i] = tensor;
        prof_torch_value_close(tensor);
    }
    return NULL;
}

TEST(four_threads_that_walk_one_value_see_the_same_handles)
{
    OPEN(model, "outputs.pt");
    static void *seen[READERS][ROUNDS];
    pthread_t threads[READERS];
    for (size_t i = 0; i < ROUNDS; i++)
        shared[i] = run_on(model, "nested", 1, &one);
    REQUIRE(pthread_barrier_init(&start, NULL, READERS) == 0);
    for (size_t i = 0; i < READERS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, read_shared, seen[i]) == 0);
    for (size_t i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < ROUNDS; i++) {
        for (size_t k = 0; k < READERS; k++)
            CHECK(seen[k][i] != NULL && seen[k][i] == seen[0][i]);
        prof_torch_value_close(shared[i]);
    }
    pthread_barrier_destroy(&start);
    prof_torch_model_close(model);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
