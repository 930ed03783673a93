/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saving, through the public functions: names of files, what is never
 * replaced, what happens where the folder refuses.  Each case runs in a
 * child process with a folder of its own, since a process has one recorder.
 */
#include "folder.h"

#include <profcore/events.h>
#include <profcore/snapshot.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void start_as(const char *name, const char *formats)
{
    prof_options options = PROF_OPTIONS_INIT;
    prof_error err = PROF_ERROR_INIT;
    options.name = name;
    options.formats = formats;
    if (prof_start(&options, &err) != PROF_OK) {
        printf("# prof_start: %s\n", err.message);
        test_failed = 1;
    }
}

static void record(const char *name, uint32_t flags)
{
    prof_site *site = NULL;
    CHECK_I64(prof_site_get(name, SIZE_MAX, "save_test.c", 1, flags, &site, NULL), PROF_OK);
    prof_end(prof_begin(site));
}

static void save_the_run_and_a_function(void)
{
    start_as("run", NULL);
    record("plain", 0);
    record("kept", PROF_SITE_SAVE);
    CHECK_I64(prof_save(NULL), PROF_OK);
    const char *files = list("profiling_results");
    CHECK_U64(count_lines(files), 7); /* the timeline is the run's alone */
    CHECK_HAS(files, ".pftrace");
    CHECK_HAS(files, "run_");
    CHECK_HAS(files, "kept_");
    CHECK(strstr(files, "plain") == NULL);
    CHECK(strstr(files, ".tmp") == NULL);
}
TEST(a_save_writes_the_run_and_each_saving_function) { in_child(save_the_run_and_a_function); }

static void save_without_scopes(void)
{
    start_as("run", "json,pftrace");
    CHECK_I64(prof_save(NULL), PROF_OK);
    CHECK_STR(list("."), "");
    PROF_COUNTER("queue", 3);
    CHECK_I64(prof_save(NULL), PROF_OK);
    CHECK_U64(count_lines(list("profiling_results")), 2);
    CHECK_I64(system("grep -q '\"name\":\"queue\"' profiling_results/run_*.json"), 0);
}
TEST(counters_alone_are_saved) { in_child(save_without_scopes); }

static void save_an_instant(void)
{
    start_as("run", "json,pftrace");
    PROF_INSTANT("reloaded");
    CHECK_I64(prof_save(NULL), PROF_OK);
    CHECK_HAS(list("profiling_results"), ".pftrace");
}
TEST(events_beyond_scopes_alone_are_saved) { in_child(save_an_instant); }

static void save_a_span(void)
{
    setenv("PROFCORE_MODE", "tree", 1); /* without events */
    start_as("run", "json");
    prof_span wait = PROF_SPAN_BEGIN("wait");
    PROF_SPAN_END(wait);
    CHECK_I64(prof_save(NULL), PROF_OK);
    CHECK_I64(system("grep -q '\"name\":\"wait\"' profiling_results/run_*.json"), 0);
}
TEST(spans_alone_are_saved) { in_child(save_a_span); }

static void save_in_no_format(void)
{
    start_as("run", "none");
    record("a", PROF_SITE_SAVE);
    CHECK_I64(prof_save(NULL), PROF_OK);
    CHECK_I64(prof_stop(NULL), PROF_OK);
    CHECK_STR(list("."), "");
}
TEST(without_a_format_no_folder_is_made) { in_child(save_in_no_format); }

static void save_twice(void)
{
    start_as("run", "txt");
    record("a", 0);
    CHECK_I64(prof_save(NULL), PROF_OK);
    char first[4096], path[512];
    strcpy(first, list("profiling_results"));
    snprintf(path, sizeof(path), "profiling_results/%.*s", (int)strcspn(first, "\n"), first);
    struct stat before, after;
    CHECK_I64(stat(path, &before), 0);
    for (int i = 0; i < 50; i++)
        record("a much longer name than before, so that the file grows", 0);
    CHECK_I64(prof_save(NULL), PROF_OK);
    CHECK_STR(list("profiling_results"), first);
    CHECK_I64(stat(path, &after), 0);
    CHECK(after.st_size > before.st_size);
    CHECK_U64(after.st_mode & 0777, 0600);
}
TEST(a_later_save_of_the_run_replaces_its_own_files) { in_child(save_twice); }

static void save_over_a_foreign_file(void)
{
    char name[256], path[512];
    start_as("run", "txt");
    record("a", 0);
    CHECK_I64(prof_save(NULL), PROF_OK);
    strcpy(name, list("profiling_results"));
    name[strcspn(name, "\n")] = '\0';
    snprintf(path, sizeof(path), "profiling_results/%s", name);
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    CHECK_I64(write(fd, "mine", 4), 4);
    close(fd);
    CHECK_I64(prof_save(NULL), PROF_OK);
    CHECK_U64(count_lines(list("profiling_results")), 2);
    struct stat status;
    CHECK_I64(stat(path, &status), 0);
    CHECK_U64(status.st_size, 4);
}
TEST(a_file_that_is_no_longer_ours_is_left_alone) { in_child(save_over_a_foreign_file); }

static void save_a_page(void)
{
    start_as("run", "html");
    record("on_the_page", 0);
    CHECK_I64(prof_save(NULL), PROF_OK);
    CHECK_U64(count_lines(list("profiling_results")), 1);
    CHECK_I64(system("grep -q '\"name\":\"on_the_page\"' profiling_results/run_*.html"), 0);
}
TEST(a_page_is_saved_where_it_is_asked_for) { in_child(save_a_page); }

static void save_before_and_after_the_first_end(void)
{
    prof_site *site = NULL;
    start_as("run", "txt,pftrace");
    CHECK_I64(prof_site_get("open", SIZE_MAX, NULL, 0, 0, &site, NULL), PROF_OK);
    prof_scope scope = prof_begin(site);
    CHECK_I64(prof_save(NULL), PROF_OK);
    CHECK_U64(count_lines(list("profiling_results")), 1); /* no event yet */
    prof_end(scope);
    CHECK_I64(prof_save(NULL), PROF_OK);
    CHECK_U64(count_lines(list("profiling_results")), 2);
    CHECK(strstr(list("profiling_results"), "-2") == NULL);
}
TEST(a_timeline_joins_the_runs_files_when_there_are_events) { in_child(save_before_and_after_the_first_end); }

static void find_a_foreign_timeline(void)
{
    char path[512];
    prof_site *site = NULL;
    start_as("run", "txt,pftrace");
    CHECK_I64(prof_site_get("open", SIZE_MAX, NULL, 0, 0, &site, NULL), PROF_OK);
    prof_scope scope = prof_begin(site);
    CHECK_I64(prof_save(NULL), PROF_OK);
    const char *txt = list("profiling_results");
    snprintf(path, sizeof(path), "profiling_results/%.*s.pftrace", (int)strcspn(txt, "."), txt);
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    CHECK_I64(write(fd, "mine", 4), 4);
    close(fd);
    prof_end(scope);
    CHECK_I64(prof_save(NULL), PROF_OK);
    CHECK_U64(count_lines(list("profiling_results")), 4);
    struct stat status;
    CHECK_I64(stat(path, &status), 0);
    CHECK_U64(status.st_size, 4);
}
TEST(a_timeline_that_is_not_ours_is_not_replaced) { in_child(find_a_foreign_timeline); }

static int count_bytes(void *bytes, const void *data, size_t count)
{
    (void)data;
    *(size_t *)bytes += count;
    return 0;
}

static int take_nothing(void *user, const void *data, size_t bytes)
{
    (void)user;
    (void)data;
    (void)bytes;
    return ENOSPC;
}

static void write_events(void)
{
    prof_error err = PROF_ERROR_INIT;
    prof_snapshot *snapshot;
    size_t bytes = 0;
    CHECK_I64(prof_events_write("pftrace", count_bytes, &bytes, &err), PROF_E_INVALID);
    CHECK_HAS(err.message, "never called");
    start_as("run", "none");
    CHECK_I64(prof_events_write("pftrace", count_bytes, &bytes, &err), PROF_E_UNAVAILABLE);
    CHECK_HAS(err.message, "no scope has ended");
    record("a", 0);
    CHECK_U64(bytes, 0);
    CHECK_I64(prof_events_write("pftrace", count_bytes, &bytes, NULL), PROF_OK);
    CHECK(bytes > 100);
    CHECK_I64(prof_events_write("pftrace", take_nothing, NULL, &err), PROF_E_IO);
    CHECK_HAS(err.message, strerror(ENOSPC));
    CHECK_I64(prof_events_write("pftrace", NULL, NULL, &err), PROF_E_INVALID);
    CHECK_I64(prof_events_write("pdf", count_bytes, &bytes, &err), PROF_E_INVALID);
    CHECK_I64(prof_events_write(NULL, count_bytes, &bytes, &err), PROF_E_INVALID);
    CHECK_I64(prof_events_write("txt", count_bytes, &bytes, &err), PROF_E_UNSUPPORTED);
    CHECK_HAS(err.message, "\"txt\" is written from a snapshot");
    CHECK_I64(prof_snapshot_take(&snapshot, &err), PROF_OK);
    CHECK_I64(prof_snapshot_write(snapshot, "pftrace", NULL, count_bytes, &bytes, &err), PROF_E_UNSUPPORTED);
    CHECK_HAS(err.message, "a snapshot has no events");
    CHECK_I64(prof_snapshot_write_file(snapshot, "pftrace", "x.pftrace", &err), PROF_E_UNSUPPORTED);
    CHECK_STR(list("."), "");
    prof_snapshot_close(snapshot);
}
TEST(events_are_written_from_the_rings_and_tables_from_a_snapshot) { in_child(write_events); }

static void two_runs_of_one_name(void)
{
    for (int i = 0; i < 3; i++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            start_as("run", "txt,json");
            record("a", 0);
            CHECK_I64(prof_save(NULL), PROF_OK);
            _exit(test_failed);
        }
        int status = 0;
        waitpid(child, &status, 0);
        CHECK_I64(status, 0);
    }
    CHECK_U64(count_lines(list("profiling_results")), 6);
}
TEST(runs_of_one_name_in_one_second_get_stems_of_their_own) { in_child(two_runs_of_one_name); }

static void take_free_stem_of_all_formats(void)
{
    /* A .json of this very second, and of the next ones, makes its stem taken for the .txt as well. */
    mkdir("profiling_results", 0777);
    for (int i = 0; i < 5; i++) {
        char path[128];
        snprintf(path, sizeof(path), "profiling_results/run_%lld.json", (long long)time(NULL) + i);
        close(open(path, O_WRONLY | O_CREAT, 0644));
    }
    start_as("run", "txt");
    record("a", 0);
    CHECK_I64(prof_save(NULL), PROF_OK);
    CHECK_HAS(list("profiling_results"), "-2.txt");
}
TEST(a_stem_is_free_only_if_no_format_has_it) { in_child(take_free_stem_of_all_formats); }

static void save_hostile_names(void)
{
    start_as("../../escape", "txt");
    record("../../etc/passwd", PROF_SITE_SAVE);
    record("a/b", PROF_SITE_SAVE);
    record("a b", PROF_SITE_SAVE);
    record("a\nb", PROF_SITE_SAVE);
    CHECK_I64(prof_save(NULL), PROF_OK);
    const char *files = list("profiling_results");
    CHECK_U64(count_lines(files), 5);
    CHECK_HAS(files, "_._.._escape_");
    CHECK_HAS(files, "_._.._etc_passwd_");
    CHECK_U64(count_lines(list(".")), 1); /* nothing beside the folder */
}
TEST(names_never_become_paths_and_stay_apart) { in_child(save_hostile_names); }

static void save_where_a_file_is_in_the_way(void)
{
    prof_error err = PROF_ERROR_INIT;
    close(open("profiling_results", O_WRONLY | O_CREAT, 0644));
    start_as("run", "txt");
    record("kept in memory", 0);
    CHECK_I64(prof_save(&err), PROF_E_IO);
    CHECK_HAS(err.message, "profiling_results");
    CHECK_HAS(err.message, strerror(ENOTDIR));
    /* Nothing is lost: once the obstacle is gone, the same data is saved. */
    unlink("profiling_results");
    CHECK_I64(prof_stop(&err), PROF_OK);
    CHECK_U64(count_lines(list("profiling_results")), 1);
}
TEST(a_folder_that_refuses_is_reported_and_the_data_kept) { in_child(save_where_a_file_is_in_the_way); }

static void plant_links(void)
{
    /* The draft's and the stem's names cannot be aimed elsewhere: links in the way are not followed. */
    char path[128];
    mkdir("profiling_results", 0777);
    for (int i = 0; i < 5; i++) {
        snprintf(path, sizeof(path), "profiling_results/run_%lld.txt", (long long)time(NULL) + i);
        CHECK_I64(symlink("/tmp/profcore-must-not-exist", path), 0);
    }
    start_as("run", "txt");
    record("a", 0);
    CHECK_I64(prof_save(NULL), PROF_OK);
    CHECK(access("/tmp/profcore-must-not-exist", F_OK) != 0);
    CHECK_HAS(list("profiling_results"), "-2.txt");
}
TEST(a_planted_link_is_not_followed) { in_child(plant_links); }

static void stop_without_files(void)
{
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    CHECK_I64(prof_start(&options, NULL), PROF_OK);
    record("a", PROF_SITE_SAVE);
    CHECK_I64(prof_stop(NULL), PROF_OK);
    CHECK_STR(list("."), "");
}
TEST(no_files_means_none_at_stop) { in_child(stop_without_files); }

static void bad_options(void)
{
    prof_options options = PROF_OPTIONS_INIT;
    prof_error err = PROF_ERROR_INIT;
    options.formats = "txt,pdf";
    CHECK_I64(prof_start(&options, &err), PROF_E_INVALID);
    CHECK_HAS(err.message, "unknown format \"pdf\"; there are: txt, prof, json, html, pftrace");
    options.formats = NULL;
    options.sort = "size";
    CHECK_I64(prof_start(&options, &err), PROF_E_INVALID);
    CHECK_HAS(err.message, "unknown sort key \"size\"");
    options.sort = NULL;
    options.memory_bytes = 5;
    CHECK_I64(prof_start(&options, &err), PROF_E_INVALID);
    options.memory_bytes = 0;
    options.flags = 0x80;
    CHECK_I64(prof_start(&options, &err), PROF_E_INVALID);
    CHECK_HAS(err.message, "unknown bits 0x80");
    options.flags = 0;
    options.size = 8;
    CHECK_I64(prof_start(&options, &err), PROF_E_INVALID);
    struct {
        prof_options known;
        uint64_t later;
    } newer = { PROF_OPTIONS_INIT, 1 };
    newer.known.size = sizeof(newer);
    CHECK_I64(prof_start(&newer.known, &err), PROF_E_INVALID);
    CHECK_HAS(err.message, "does not know");
    newer.later = 0;
    newer.known.flags = PROF_NO_FILES;
    CHECK_I64(prof_start(&newer.known, &err), PROF_OK);
    CHECK_I64(prof_stop(&err), PROF_OK);
}
TEST(a_bad_option_starts_nothing_and_says_which) { in_child(bad_options); }

static void write_to_a_path(void)
{
    prof_snapshot *snapshot = NULL;
    prof_error err = PROF_ERROR_INIT;
    struct stat status;
    start_as("run", NULL);
    record("a", 0);
    CHECK_I64(prof_snapshot_take(&snapshot, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_write_file(snapshot, "prof", "here.prof", &err), PROF_OK);
    CHECK_I64(stat("here.prof", &status), 0);
    CHECK(status.st_size > 20);
    CHECK_I64(prof_snapshot_write_file(snapshot, "prof", "here.prof", &err), PROF_OK);
    CHECK_I64(prof_snapshot_write_file(snapshot, "prof", "missing/here.prof", &err), PROF_E_IO);
    CHECK_HAS(err.message, "missing/here.prof");
    CHECK_I64(prof_snapshot_write_file(snapshot, "docx", "x", &err), PROF_E_INVALID);
    CHECK_I64(prof_snapshot_write_file(snapshot, "prof", "/", &err), PROF_E_INVALID);
    CHECK_I64(prof_snapshot_write_file(snapshot, "prof", "..", &err), PROF_E_INVALID);
    mkdir("folder", 0777);
    CHECK_I64(prof_snapshot_write_file(snapshot, "prof", "folder", &err), PROF_E_IO);
    CHECK_I64(prof_snapshot_write_file(snapshot, "prof", "/dev/full", &err), PROF_E_IO);
    CHECK_I64(prof_snapshot_write_file(snapshot, "prof", "here.prof/x/y", &err), PROF_E_IO);
    CHECK_HAS(err.message, strerror(ENOTDIR));
    CHECK_I64(prof_snapshot_write_file(snapshot, "prof", "none/x", &err), PROF_E_IO);
    CHECK_HAS(err.message, "no folder \"none\"");
    CHECK_STR(list("."), "folder\nhere.prof\n");
    prof_snapshot_close(snapshot);
}
TEST(a_snapshot_is_written_to_a_path_whole_or_not_at_all) { in_child(write_to_a_path); }

static int refuse(void *user, const void *data, size_t bytes)
{
    (void)data;
    (void)bytes;
    return (*(int *)user)-- > 0 ? 0 : ENOSPC;
}

static void write_to_a_callback_that_fails(void)
{
    prof_snapshot *snapshot = NULL;
    start_as("run", NULL);
    for (int i = 0; i < 2000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "function %d", i);
        record(name, 0);
    }
    CHECK_I64(prof_snapshot_take(&snapshot, NULL), PROF_OK);
    static const char *const formats[] = { "txt", "prof", "json", "html" };
    for (int i = 0; i < 4; i++) {
        prof_error err = PROF_ERROR_INIT;
        int pieces = 2;
        CHECK_I64(prof_snapshot_write(snapshot, formats[i], NULL, refuse, &pieces, &err), PROF_E_IO);
        CHECK_HAS(err.message, strerror(ENOSPC));
        CHECK_I64(pieces, -1); /* asked no more after the failure */
    }
    prof_error err = PROF_ERROR_INIT;
    CHECK_I64(prof_snapshot_write(snapshot, "txt", "nonsense", refuse, &(int){ 100 }, &err), PROF_E_INVALID);
    prof_snapshot_close(snapshot);
}
TEST(a_full_disk_ends_the_writing_with_its_reason) { in_child(write_to_a_callback_that_fails); }

static void fork_and_save(void)
{
    start_as("run", "json");
    record("parent's", 0);
    prof_site *site = NULL;
    CHECK_I64(prof_site_get("open at the fork", SIZE_MAX, NULL, 0, 0, &site, NULL), PROF_OK);
    prof_scope scope = prof_begin(site);
    pid_t child = fork();
    if (child == 0) {
        prof_stats stats = PROF_STATS_INIT;
        prof_end(scope); /* no mistake of the program's */
        record("child's", 0);
        prof_stats_get(&stats, NULL);
        exit(stats.unmatched_count != 0); /* with exit handlers: the child saves its own */
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK_I64(status, 0);
    prof_end(scope);
    CHECK_I64(prof_save(NULL), PROF_OK);
    const char *files = list("profiling_results");
    char mark[32];
    snprintf(mark, sizeof(mark), "_pid%ld.json", (long)child);
    CHECK_U64(count_lines(files), 2);
    CHECK_HAS(files, mark);
    CHECK_I64(system("grep -q \"child's\" profiling_results/*_pid*.json"), 0);
    CHECK(system("grep -q \"parent's\" profiling_results/*_pid*.json") != 0);
}
TEST(a_forked_child_writes_its_own_file_and_not_the_parents_data) { in_child(fork_and_save); }

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
