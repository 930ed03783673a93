/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of libprofcore_torch share: where the models are, and calls
 * that say in one line what a case needs.
 *
 * make_test_models.py has made the models in the folder that
 * PROFCORE_TEST_MODELS names; where no Python torch was found at build time
 * there are none, and the cases that need them skip aloud.
 */
#ifndef TORCH_TEST_H
#define TORCH_TEST_H

#include "harness.h"

#include <profcore/torch.h>

#include <stdlib.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static prof_error err = PROF_ERROR_INIT;

static inline const char *model_path(const char *name)
{
    static char path[4096];
    snprintf(path, sizeof(path), "%s/%s", getenv("PROFCORE_TEST_MODELS"), name);
    return path;
}

/* The first MiB of a file, on the heap; *bytes receives how many that are, 0 where it cannot be read. */
static inline char *read_file(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    char *data = malloc(1 << 20);
    *bytes = file != NULL ? fread(data, 1, 1 << 20, file) : 0;
    if (file != NULL)
        fclose(file);
    return data;
}

/* Opens a test model, or leaves the case. */
#define OPEN(model, name)                                                                  \
    prof_torch_model *model = NULL;                                                        \
    do {                                                                                   \
        if (getenv("PROFCORE_TEST_MODELS") == NULL)                                        \
            SKIP("no Python torch was found to make the models with");                     \
        if (prof_torch_model_open(model_path(name), NULL, &model, &err) != PROF_OK) {      \
            test_failed = 1;                                                               \
            printf("# %s\n", err.message);                                                 \
            return;                                                                        \
        }                                                                                  \
    } while (0)

#define NEED_MODELS()                                                  \
    do {                                                               \
        if (getenv("PROFCORE_TEST_MODELS") == NULL)                    \
            SKIP("no Python torch was found to make the models with"); \
    } while (0)

/* Why make_test_models.py could make no package; NULL when there is one. */
static inline const char *package_missing(void)
{
    static char why[400] = "torch could not compile a package: ";
    const size_t start = strlen("torch could not compile a package: ");
    FILE *file = fopen(model_path("compiled.pt2.missing"), "r");
    if (file == NULL)
        return NULL;
    if (fgets(why + start, (int)(sizeof(why) - start), file) == NULL)
        why[start] = '\0';
    why[strcspn(why, "\n")] = '\0';
    fclose(file);
    return why;
}

/* Opens the package, or leaves the case where there is none. */
#define OPEN_PACKAGE(model)                                                                                     \
    prof_torch_model *model = NULL;                                                                             \
    do {                                                                                                        \
        NEED_MODELS();                                                                                          \
        if (package_missing() != NULL)                                                                          \
            SKIP(package_missing());                                                                            \
        const prof_status opened_ = prof_torch_model_open(model_path("compiled.pt2"), NULL, &model, &err);      \
        if (opened_ == PROF_E_UNSUPPORTED && strstr(err.message, "libtorch 2.6 or later is needed") != NULL)    \
            SKIP("this libtorch has no loader for packages");                                                   \
        CHECK_OK(opened_);                                                                                      \
        REQUIRE(model != NULL);                                                                                 \
    } while (0)

/* A call that must succeed: prints the message when it does not. */
#define CHECK_OK(call)                                                          \
    do {                                                                        \
        prof_status status_ = (call);                                           \
        if (status_ != PROF_OK) {                                               \
            test_failed = 1;                                                    \
            printf("# %s:%d: %d: %s\n", __FILE__, __LINE__, status_, err.message); \
        }                                                                       \
    } while (0)

/* A call that must fail with this status, and a message that has this part. */
#define CHECK_FAILS(call, expected, part)            \
    do {                                             \
        err.status = 1;                              \
        memset(err.message, 0, sizeof(err.message)); \
        CHECK_I64(call, expected);                   \
        CHECK_I64(err.status, expected);             \
        CHECK_HAS(err.message, part);                \
    } while (0)

/* Runs a method on tensors; NULL when that fails, which fails the case. */
static inline prof_torch_value *run_on(prof_torch_model *model, const char *method, size_t count,
                                       const prof_torch_tensor *tensors)
{
    prof_torch_input inputs[8] = { PROF_TORCH_INPUT_TENSOR(NULL) };
    prof_torch_value *value = NULL;
    for (size_t i = 0; i < count; i++)
        inputs[i] = (prof_torch_input)PROF_TORCH_INPUT_TENSOR(&tensors[i]);
    CHECK_OK(prof_torch_run(model, method, inputs, count, &value, &err));
    return value;
}

/* The tensor in a value; all zero when it is none, which fails the case. */
static inline prof_torch_tensor tensor_in(prof_torch_value *value)
{
    prof_torch_tensor tensor = PROF_TORCH_TENSOR_INIT;
    CHECK_OK(prof_torch_value_tensor(value, 0, &tensor, &err));
    return tensor;
}

static inline prof_torch_value *element(prof_torch_value *value, size_t index)
{
    prof_torch_value *found = NULL;
    CHECK_OK(prof_torch_value_at(value, index, &found, &err));
    return found;
}

static inline prof_torch_value *find(prof_torch_value *value, const char *key)
{
    prof_torch_value *found = NULL;
    CHECK_OK(prof_torch_value_find(value, key, &found, &err));
    return found;
}

/* Element i of a row-major float tensor in a value; NaN when it has none. */
static inline float float_at(prof_torch_value *value, size_t i)
{
    prof_torch_tensor tensor = tensor_in(value);
    if (tensor.dtype != PROF_TORCH_FLOAT32 || (i + 1) * sizeof(float) > tensor.data_bytes)
        return 0.0f / 0.0f;
    return ((const float *)tensor.data)[i];
}

#define FLOATS(shape, data) PROF_TORCH_TENSOR_OF(PROF_TORCH_FLOAT32, COUNT(shape), shape, data)

#endif
