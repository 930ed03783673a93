/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a service does for days, in seconds: models opened and closed a
 * thousand times in flat memory.  Threads are torch_threads_test.c's.
 */
#include "torch_test.h"

#include <sys/stat.h>

#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void); /* gcc installs no header that has it */
#endif

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

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
