/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a service does for days, in seconds: models opened and closed a
 * thousand times in flat memory, and eight threads on clones.  PROFCORE_SOAK_S
 * says for how many seconds the threads shall run: tests/long/torch_threads.
 */
#include "torch_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>

#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void); /* gcc installs no header that has it */
#endif

enum { WORKERS = 8 };

/*
 * What the process holds, resident or not: what is resident the system decides.
 * AddressSanitizer keeps for a while what was freed; it says how much was not.
 */
static long held_kb(void)
{
#ifdef __SANITIZE_ADDRESS__
    return (long)(__sanitizer_get_current_allocated_bytes() >> 10);
#else
    char line[256];
    long kb = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "VmData: %ld", &kb) == 1)
            break;
    if (file != NULL)
        fclose(file);
    CHECK(kb > 0);
    return kb;
#endif
}

/* Opens, clones, runs and closes a model; or fails to open it, which is no less work. */
static void open_and_close(const char *name, prof_status expected)
{
    prof_torch_model *model = NULL, *clone = NULL;
    prof_torch_value *files = NULL;
    CHECK_I64(prof_torch_model_open(model_path(name), NULL, &model, &err), expected);
    if (model == NULL)
        return;
    CHECK_OK(prof_torch_model_clone(model, &clone, &err));
    CHECK(prof_torch_model_method_count(clone) > 0);
    CHECK_OK(prof_torch_model_extra_files(model, &files, &err));
    prof_torch_value_close(files);
    prof_torch_model_close(model);
    prof_torch_model_close(clone);
}

/* Memory after the first fifth, when every pool is full, against memory at the end. */
static void check_growth(const char *name, prof_status expected, int count, long most_kb)
{
    long before = 0;
    for (int i = 0; i < count && !test_failed; i++) {
        open_and_close(name, expected);
        if (i == count / 5)
            before = held_kb();
    }
    const long grown = held_kb() - before;
    printf("# %s, %d times: %ld KiB more at the end than after a fifth\n", name, count, grown);
    CHECK(grown < most_kb);
}

TEST(a_thousand_models_opened_and_closed_leave_memory_as_it_was)
{
    NEED_MODELS();
    check_growth("extra.pt", PROF_OK, 1000, 8 << 10);
}

TEST(a_thousand_files_that_are_refused_leave_memory_as_it_was)
{
    NEED_MODELS();
    check_growth("hostile/pickle-depth.pt", PROF_E_FORMAT, 500, 8 << 10);
    check_growth("archive.pt", PROF_E_FORMAT, 500, 8 << 10);
}

/* The compiler marks some symbols of the library so that the system never unmaps it: its size remains, no more. */
TEST(packages_opened_and_closed_leave_their_code_mapped_and_nothing_else)
{
    struct stat about;
    OPEN_PACKAGE(model);
    REQUIRE(stat(model_path("compiled.pt2"), &about) == 0);
    prof_torch_model_close(model);
    check_growth("compiled.pt2", PROF_OK, 40, 32 * (long)(about.st_size >> 10));
}

static atomic_int wrong, is_over;
static atomic_long runs;
static float three = 3;
static int64_t shape[] = { 1 };

/* Runs a clone that keeps state, now and then a clone of it, and makes an exception now and then. */
static void *work(void *clone)
{
    const prof_torch_tensor x = FLOATS(shape, &three);
    const prof_torch_input input = PROF_TORCH_INPUT_TENSOR(&x);
    for (int i = 1; !atomic_load(&is_over); i++) {
        prof_torch_value *value = NULL;
        prof_torch_tensor out = PROF_TORCH_TENSOR_INIT;
        prof_error error = PROF_ERROR_INIT;
        if (prof_torch_run(clone, NULL, &input, 1, &value, NULL) != PROF_OK ||
            prof_torch_value_tensor(value, 0, &out, NULL) != PROF_OK || *(const float *)out.data != 6.0f * (float)i)
            atomic_fetch_add(&wrong, 1);
        prof_torch_value_close(value);
        if (i % 16 == 0 && (prof_torch_run(clone, NULL, NULL, 0, &value, &error) != PROF_E_INVALID || error.message[0] == '\0'))
            atomic_fetch_add(&wrong, 1);
        if (i % 64 == 0) {
            prof_torch_model *next = NULL;
            if (prof_torch_model_clone(clone, &next, NULL) != PROF_OK)
                atomic_fetch_add(&wrong, 1);
            else
                prof_torch_model_close(clone), clone = next;
        }
        if (i == 1 << 20) /* beyond, floats do not add up exactly */
            break;
        atomic_fetch_add(&runs, 1);
    }
    prof_torch_model_close(clone);
    return NULL;
}

TEST(eight_threads_on_clones_run_on_without_a_wrong_result)
{
    OPEN(model, "stateful.pt");
    const char *wanted = getenv("PROFCORE_SOAK_S");
    const struct timespec duration = { wanted != NULL ? atoi(wanted) : 2, 0 };
    pthread_t threads[WORKERS];
    for (size_t i = 0; i < WORKERS; i++) {
        prof_torch_model *clone = NULL;
        CHECK_OK(prof_torch_model_clone(model, &clone, &err));
        REQUIRE(pthread_create(&threads[i], NULL, work, clone) == 0);
    }
    prof_torch_model_close(model);
    nanosleep(&duration, NULL);
    atomic_store(&is_over, 1);
    for (size_t i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    printf("# %ld runs\n", atomic_load(&runs));
    CHECK(atomic_load(&runs) > 0);
    CHECK_I64(atomic_load(&wrong), 0);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
