/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dumps by prof_dump(), on the simulated clock: their names, what is in them,
 * the folder's limits, failures, and threads that record, save and dump at
 * once.  Each case runs in a process and a folder of its own.
 */
#include "folder.h"

#include "base/clock.h"
#include <profcore/snapshot.h>

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

static prof_error err = PROF_ERROR_INIT;

static prof_scope begin(const char *name)
{
    prof_site *found = NULL;
    prof_site_get(name, SIZE_MAX, "dump_test.c", 7, 0, &found, NULL);
    return prof_begin(found);
}

static prof_options options = PROF_OPTIONS_INIT;

static void start(void)
{
    options.name = "svc";
    CHECK_I64(prof_start(&options, NULL), PROF_OK);
}

static const char *text_of(const char *path, const char *extension)
{
    static char text[1 << 16];
    char name[PATH_MAX + 16];
    snprintf(name, sizeof(name), "%s.%s", path, extension);
    FILE *file = fopen(name, "rb");
    size_t bytes = file != NULL ? fread(text, 1, sizeof(text) - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    text[bytes] = '\0';
    return file != NULL ? text : "no such file";
}

CASE(a_dump_is_two_files_of_one_stem_and_says_why_it_was_made)
{
    char path[PATH_MAX], short_path[8];
    prof_dump_options asked = PROF_DUMP_OPTIONS_INIT;
    prof_stats stats = PROF_STATS_INIT;
    struct stat found;
    start();
    begin("get_response");
    prof_end(begin("step"));
    asked.reason = "the queue\nis full";
    asked.path = path;
    asked.path_bytes = sizeof(path);
    CHECK_I64(prof_dump(&asked, &err), PROF_OK);
    CHECK_HAS(path, "profiling_results/svc_asked_1");
    CHECK_HAS(text_of(path, "txt"), "\n\n-- profcore 0.1.0: dump, asked\n   asked: the queue\\nis full\n");
    CHECK_HAS(text_of(path, "txt"), "get_response  dump_test.c:7\n");
    CHECK(memmem(text_of(path, "pftrace"), 60000, "the queue\\nis full", 17) != NULL);
    CHECK(memmem(text_of(path, "pftrace"), 60000, "get_response", 12) != NULL);
    strcat(path, ".pftrace");
    CHECK(stat(path, &found) == 0 && (found.st_mode & 07777) == 0600);
    CHECK_I64(prof_dump(NULL, &err), PROF_OK);
    CHECK_U64(count_lines(list("profiling_results")), 4);
    asked.path = short_path;
    asked.path_bytes = sizeof(short_path);
    CHECK_I64(prof_dump(&asked, &err), PROF_OK);
    CHECK_STR(short_path, "profili");
    prof_stats_get(&stats, NULL);
    CHECK_U64(stats.dump_count, 3);
    CHECK_U64(stats.dump_failed_count + stats.dump_skipped_count, 0);
}

CASE(the_run_says_how_many_dumps_there_were)
{
    start();
    prof_end(begin("a"));
    CHECK_I64(prof_dump(NULL, &err), PROF_OK);
    CHECK_I64(prof_save(&err), PROF_OK);
    CHECK_I64(system("grep -q 'Dumps:    1 written, 0 skipped, too soon after another, 0 failed' profiling_results/svc_1*.txt"), 0);
    CHECK_I64(system("grep -q '\"dumps\": *{\"written\": *1, *\"skipped\": *0, *\"failed\": *0}' profiling_results/svc_1*.json"), 0);
}

CASE(before_the_first_start_there_is_nothing_to_dump)
{
    prof_dump_options wrong = PROF_DUMP_OPTIONS_INIT;
    CHECK_I64(prof_dump(NULL, &err), PROF_E_INVALID);
    CHECK_HAS(err.message, "prof_start() was never called");
    wrong.size = 4;
    CHECK_I64(prof_dump(&wrong, &err), PROF_E_INVALID);
    setenv("PROFCORE", "0", 1);
    start();
    CHECK_I64(prof_dump(NULL, &err), PROF_E_UNAVAILABLE);
    CHECK_STR(list("profiling_results"), "");
}

CASE(a_dump_needs_no_formats_and_no_event_rings)
{
    setenv("PROFCORE_MODE", "tree", 1);
    options.formats = "none";
    start();
    begin("hung");
    CHECK_I64(prof_dump(NULL, &err), PROF_OK);
    CHECK_U64(count_lines(list("profiling_results")), 2);
}

CASE(a_folder_that_refuses_is_an_error_and_the_next_dump_works)
{
    prof_stats stats = PROF_STATS_INIT;
    CHECK_I64(system("touch profiling_results"), 0);
    start();
    CHECK_I64(prof_dump(NULL, &err), PROF_E_IO);
    CHECK_HAS(err.message, "profiling_results");
    CHECK_I64(unlink("profiling_results"), 0);
    CHECK_I64(prof_dump(NULL, &err), PROF_OK);
    prof_stats_get(&stats, NULL);
    CHECK_U64(stats.dump_count, 1);
    CHECK_U64(stats.dump_failed_count, 1);
}

CASE(the_oldest_dumps_give_way_when_the_folder_is_full)
{
    char paths[5][PATH_MAX];
    prof_stats stats = PROF_STATS_INIT;
    prof_dump_options asked = PROF_DUMP_OPTIONS_INIT;
    options.max_files = 8; /* of which the run's own need four */
    start();
    prof_end(begin("a"));
    for (int i = 0; i < 5; i++) {
        asked.path = paths[i];
        asked.path_bytes = sizeof(paths[i]);
        CHECK_I64(prof_dump(&asked, &err), PROF_OK);
    }
    CHECK_U64(count_lines(list("profiling_results")), 4);
    for (int i = 0; i < 5; i++)
        CHECK((strcmp(text_of(paths[i], "txt"), "no such file") != 0) == (i >= 3));
    CHECK_I64(prof_save(&err), PROF_OK);
    CHECK_U64(count_lines(list("profiling_results")), 8);
    prof_stats_get(&stats, NULL);
    CHECK_U64(stats.removed_file_count, 6);
}

CASE(a_full_folder_that_keeps_what_it_has_takes_no_dump_and_no_half_of_one)
{
    options.max_files = 7;
    options.when_full = PROF_STOP_SAVING;
    start();
    prof_end(begin("a"));
    CHECK_I64(prof_dump(NULL, &err), PROF_OK);
    CHECK_I64(prof_dump(NULL, &err), PROF_E_LIMIT);
    CHECK_HAS(err.message, "is full");
    CHECK_U64(count_lines(list("profiling_results")), 2);
}

CASE(a_forked_childs_dump_has_its_process_id)
{
    start();
    begin("parent");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        char path[PATH_MAX], id[32];
        prof_dump_options asked = PROF_DUMP_OPTIONS_INIT;
        asked.path = path;
        asked.path_bytes = sizeof(path);
        begin("child");
        CHECK_I64(prof_dump(&asked, &err), PROF_OK);
        snprintf(id, sizeof(id), "_pid%ld", (long)getpid());
        CHECK_HAS(path, id);
        CHECK_HAS(text_of(path, "txt"), "child");
        CHECK(strstr(text_of(path, "txt"), "parent") == NULL);
        fflush(stdout);
        _exit(test_failed);
    }
    int status = 1;
    waitpid(child, &status, 0);
    CHECK_I64(status, 0);
}

/* ---- at once ---- */

static int is_over;

static void *record(void *unused)
{
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
        PROF_BLOCK("request");
        for (int i = 0; i < 50; i++)
            PROF_SCOPE("step") { PROF_BLOCK("part"); }
    }
    return unused;
}

static void *come_and_go(void *unused)
{
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
        PROF_BLOCK("short");
        pthread_t thread;
        if (pthread_create(&thread, NULL, record, NULL) == 0)
            pthread_join(thread, NULL);
    }
    return unused;
}

static void *dump_again(void *bad)
{
    for (int i = 0; i < 6; i++)
        *(int *)bad |= prof_dump(NULL, NULL) != PROF_OK;
    return NULL;
}

static void *save_again(void *bad)
{
    for (int i = 0; i < 6; i++)
        *(int *)bad |= prof_save(NULL) != PROF_OK;
    return NULL;
}

CASE(threads_record_save_and_dump_at_once)
{
    enum { RECORDING = 3, WORKING = 4 };
    pthread_t recording[RECORDING], working[WORKING];
    int bad[WORKING] = { 0 };
    prof_stats stats = PROF_STATS_INIT;
    setenv("PROFCORE_MEMORY", "2MiB", 1);
    options.max_files = 20;
    start();
    for (int i = 0; i < RECORDING; i++)
        pthread_create(&recording[i], NULL, i == 0 ? come_and_go : record, NULL);
    for (int i = 0; i < WORKING; i++)
        pthread_create(&working[i], NULL, i == 0 ? save_again : dump_again, &bad[i]);
    for (int i = 0; i < WORKING; i++)
        pthread_join(working[i], NULL);
    __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < RECORDING; i++)
        pthread_join(recording[i], NULL);
    CHECK(!bad[0] && !bad[1] && !bad[2] && !bad[3]);
    prof_stats_get(&stats, NULL);
    CHECK_U64(stats.dump_count, 18);
    CHECK(strstr(list("profiling_results"), ".tmp") == NULL);
    CHECK(count_lines(list("profiling_results")) <= 20);
}

int main(int argc, char **argv)
{
    profi_clock_simulate(5000000);
    unsetenv("PROFCORE");
    return test_main(argc, argv);
}
