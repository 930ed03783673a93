/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of kept calls, and the limits of the folder: what is written, what
 * gives way, and above all what is never removed.
 */
#define SITES_AT "limit_test.c", 1
#include "folder.h"
#include "recording.h"
#include "simulated.h"

#include <profcore/snapshot.h>

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <jansson.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#define FOLDER "profiling_results"

/* Nothing saves but prof_save(): no thread is started. */
static prof_options options_of(const char *formats)
{
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    options.name = "run";
    options.formats = formats;
    return options;
}

static void start_with(const prof_options *options)
{
    prof_error err = PROF_ERROR_INIT;
    pass(1);
    if (prof_start(options, &err) != PROF_OK) {
        printf("# prof_start: %s\n", err.message);
        test_failed = 1;
    }
}

/* A save takes two seconds for kept calls at most: on a slow disk it takes several saves. */
static void save(void)
{
    prof_error err = PROF_ERROR_INIT;
    prof_stats now;
    do {
        if (prof_save(&err) != PROF_OK) {
            printf("# prof_save: %s\n", err.message);
            test_failed = 1;
        }
        now = stats();
    } while (!test_failed && now.kept_count > now.kept_saved_count + now.kept_lost_count + now.kept_unsaved_count);
}

/* Calls of a site with a rule, each of `ns`. */
static void call(const char *name, unsigned count, uint64_t ns)
{
    prof_site *ruled = site_with(name, 0);
    CHECK_I64(prof_site_save_if(ruled, 0, 1, NULL), PROF_OK);
    for (unsigned i = 0; i < count; i++) {
        prof_scope scope = prof_begin(ruled);
        prof_end(prof_begin(site_with("inside", 0)));
        pass(ns);
        prof_end(scope);
    }
}

/*
 * The wall clock stands still, in place of libc's: stems are told apart by
 * the second, and numbers are only what a case expects if it stays within
 * one, however slow the machine is.
 */
static time_t wall_s;

int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (clock != CLOCK_REALTIME)
        return (int)syscall(SYS_clock_gettime, clock, now);
    *now = (struct timespec){ wall_s, 500000000 }; /* calls that ended some simulated time ago did so in this second too */
    return 0;
}

time_t time(time_t *now)
{
    if (now != NULL)
        *now = wall_s;
    return wall_s;
}

static unsigned count_like(const char *pattern)
{
    char *text = strdup(list(FOLDER)), *rest = text;
    unsigned count = 0;
    for (const char *name; (name = strsep(&rest, "\n")) != NULL;)
        count += fnmatch(pattern, name, 0) == 0;
    free(text);
    return count;
}

/* The first file of the folder that a pattern fits, as JSON. */
static json_t *json_like(const char *pattern)
{
    char *text = strdup(list(FOLDER)), *rest = text;
    json_t *found = NULL;
    for (const char *name; found == NULL && (name = strsep(&rest, "\n")) != NULL;) {
        char path[512];
        snprintf(path, sizeof(path), FOLDER "/%s", name);
        if (fnmatch(pattern, name, 0) == 0)
            found = json_load_file(path, 0, NULL);
    }
    free(text);
    CHECK(found != NULL);
    return found;
}

static int64_t number_at(const json_t *root, const char *a, const char *b)
{
    const json_t *at = json_object_get(json_object_get(root, a), b);
    CHECK(json_is_integer(at));
    return json_integer_value(at);
}

/* A file that the case plants, readable by its owner, and aged by so many seconds. */
static void plant(const char *name, const char *text, mode_t mode, int age_s)
{
    char path[512];
    mkdir(FOLDER, 0777);
    snprintf(path, sizeof(path), FOLDER "/%s", name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, mode);
    CHECK(fd >= 0);
    CHECK_I64(write(fd, text, strlen(text)), strlen(text));
    struct timespec times[2] = { { time(NULL) - age_s, 0 }, { time(NULL) - age_s, 0 } };
    fchmod(fd, mode);
    futimens(fd, times);
    close(fd);
}

static int is_there(const char *name)
{
    struct stat status;
    char path[512];
    snprintf(path, sizeof(path), FOLDER "/%s", name);
    return lstat(path, &status) == 0;
}

/* ---- files of kept calls ---- */

static void keep_three(void)
{
    wall_s++;
    prof_options options = options_of("txt,prof,json");
    options.save_if = "kept>40ns,kept too/2";
    start_with(&options);
    for (unsigned i = 1; i <= 6; i++) {
        prof_scope scope = prof_begin(site_with("kept", PROF_SITE_SAVE | PROF_SITE_RSS));
        prof_end(prof_begin(site_with("inside", 0)));
        pass(i * 10);
        prof_end(scope);
    }
    prof_scope scope = prof_begin(site_with("kept too", 0));
    prof_end(prof_begin(site_with("kept", 0)));
    prof_end(scope);
    save();
    CHECK_U64(count_lines(list(FOLDER)), 9); /* the run, and two calls; none of all calls of "kept" */
    CHECK_U64(count_like("kept_[0-9]*.txt"), 2);
    CHECK_U64(count_like("kept_*-2.json"), 1);
    CHECK(strstr(list(FOLDER), ".tmp") == NULL);

    json_t *found = json_like("kept_*-2.json"), *run = json_like("run_*.json");
    CHECK_STR(json_string_value(json_object_get(found, "root")), "kept");
    CHECK_I64(number_at(found, "call", "duration_ns"), 60);
    CHECK_I64(number_at(found, "call", "number"), 6);
    CHECK_I64(number_at(found, "call", "slower_than_ns"), 40);
    CHECK_STR(json_string_value(json_object_get(json_object_get(found, "call"), "kept_because")), "slow");
    CHECK_U64(json_array_size(json_object_get(found, "functions")), 2);
    const json_t *row = json_array_get(json_object_get(found, "functions"), 0);
    CHECK_I64(json_integer_value(json_object_get(row, "cumulative_ns")), 60);
    CHECK(json_is_null(json_object_get(row, "histogram")));
    CHECK(json_is_null(json_object_get(found, "memory")));
    CHECK_I64(json_integer_value(json_object_get(json_object_get(json_object_get(run, "losses"), "kept_calls"), "saved")), 2);
    CHECK(json_object_get(run, "call") == NULL);
    json_decref(found);
    json_decref(run);

    save(); /* again: the run's are replaced, the calls' stay */
    CHECK_U64(count_lines(list(FOLDER)), 9);
    CHECK_I64(system("grep -q 'One call of kept: 60 ns, its call 6' " FOLDER "/kept_*-2.txt"), 0);
    CHECK_I64(system("grep -q 'Kept because it took longer than 40 ns' " FOLDER "/kept_*-2.txt"), 0);
    CHECK_I64(system("grep -q '2 calls met their rule: 2 saved, 0 lost' " FOLDER "/run_*.txt"), 0);
}
TEST(each_kept_call_has_files_of_its_own_in_place_of_the_functions) { in_child(keep_three); }

static void keep_many_in_one_second(void)
{
    prof_options options = options_of("json");
    start_with(&options);
    call("many", 300, 1);
    save();
    CHECK_U64(count_like("many_*.json"), 300);
    CHECK_U64(stats().kept_saved_count, 300);
}
TEST(calls_of_one_second_are_numbered) { in_child(keep_many_in_one_second); }

static void keep_none_for_a_timeline(void)
{
    prof_options options = options_of("pftrace");
    start_with(&options);
    call("call", 3, 1);
    save();
    CHECK_U64(stats().kept_count, 0);
    CHECK_U64(stats().kept_saved_count, 0);
    CHECK_U64(count_lines(list(FOLDER)), 1);
}
TEST(calls_are_not_kept_where_no_format_shows_one) { in_child(keep_none_for_a_timeline); }

static void refuse_and_recover(void)
{
    prof_error err = PROF_ERROR_INIT;
    prof_options options = options_of("json");
    start_with(&options);
    close(open(FOLDER, O_WRONLY | O_CREAT, 0644));
    call("waits", 5, 1);
    CHECK_I64(prof_save(&err), PROF_E_IO);
    CHECK_U64(stats().kept_saved_count, 0);
    CHECK_U64(stats().kept_lost_count + stats().kept_unsaved_count, 0);
    unlink(FOLDER);
    save();
    CHECK_U64(stats().kept_saved_count, 5);
    CHECK_U64(count_like("waits_*.json"), 5);
}
TEST(calls_wait_while_the_folder_refuses) { in_child(refuse_and_recover); }

/* In place of libc's: no case here needs a thread, and the saver cannot be started. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    (void)thread, (void)attributes, (void)run, (void)argument;
    return EAGAIN;
}

static void save_without_a_saver(void)
{
    prof_options options = options_of("json");
    options.flags = 0;
    start_with(&options);
    call("call", 3, 1);
    CHECK_U64(count_like("call_*"), 0);
    CHECK_I64(prof_stop(NULL), PROF_OK);
    CHECK_U64(count_like("call_*"), 3);
    call("call", 1, 1);
    CHECK_I64(prof_start(NULL, NULL), PROF_OK);
    call("call", 2, 1);
    CHECK_I64(prof_stop(NULL), PROF_OK);
    CHECK_U64(count_like("call_*"), 5);
}
TEST(without_a_saver_thread_the_stop_writes_what_the_queue_holds) { in_child(save_without_a_saver); }

/* ---- limits ---- */

static void stop_at_ten(void)
{
    prof_options options = options_of("txt,json");
    options.max_files = 10;
    options.when_full = PROF_STOP_SAVING;
    start_with(&options);
    call("call", 9, 1);
    prof_end(prof_begin(site_with("merged", PROF_SITE_SAVE)));
    save();
    /* 4 calls, and room is left for the run's own two. */
    CHECK_U64(count_lines(list(FOLDER)), 10);
    CHECK_U64(count_like("run_*"), 2);
    CHECK_U64(count_like("merged_*"), 0);
    CHECK_U64(stats().kept_saved_count, 4);
    CHECK_U64(stats().kept_unsaved_count, 5);
    json_t *run = json_like("run_*.json");
    CHECK_I64(number_at(run, "losses", "unsaved_functions"), 1);
    CHECK_I64(json_integer_value(json_object_get(json_object_get(json_object_get(run, "losses"), "kept_calls"), "unsaved")), 5);
    json_decref(run);
    CHECK_I64(system("grep -q '9 calls met their rule: 4 saved, 0 lost for want of memory, 5 not written' " FOLDER "/run_*.txt"), 0);
    CHECK_I64(system("grep -q 'the files of 1 functions, for which the folder had no room' " FOLDER "/run_*.txt"), 0);
}
TEST(a_full_folder_stops_the_saving_of_calls_and_says_so) { in_child(stop_at_ten); }

static void oldest_of_ten(void)
{
    prof_options options = options_of("txt,json");
    options.max_files = 10;
    start_with(&options);
    prof_end(prof_begin(site_with("first", 0)));
    save(); /* the run's own are the oldest of all */
    char own[4096];
    strcpy(own, list(FOLDER));
    wall_s++;
    call("call", 30, 1);
    save();
    own[strcspn(own, "\n")] = '\0';
    CHECK_HAS(list(FOLDER), own);
    CHECK_U64(count_lines(list(FOLDER)), 10);
    CHECK_U64(count_like("run_*"), 2);
    CHECK(count_like("call_*-30.json") == 1 && count_like("call_*-30.txt") == 1); /* the newest are there, in pairs */
    CHECK(count_like("call_*-27.json") == 1 && count_like("call_*-26.json") == 0);
    CHECK_U64(stats().kept_saved_count, 30);
    CHECK_U64(stats().removed_file_count, 52);
    json_t *run = json_like("run_*.json");
    CHECK_I64(number_at(run, "losses", "removed_files"), 52);
    json_decref(run);
    call("call", 1, 1);
    save();
    CHECK_U64(count_lines(list(FOLDER)), 10);
    CHECK_U64(count_like("run_*"), 2); /* never the run's own */
}
TEST(the_oldest_sets_go_whole_and_never_the_runs_own) { in_child(oldest_of_ten); }

static void every_format(void)
{
    prof_options options = options_of("txt,prof,json,pprof,collapsed,callgrind");
    options.max_files = 12;
    start_with(&options);
    prof_end(prof_begin(site_with("first", 0)));
    save();
    wall_s++;
    call("call", 3, 1);
    save();
    CHECK_U64(count_like("run_*"), 6);
    CHECK_U64(count_like("call_*-3.*"), 6);
    CHECK_U64(count_lines(list(FOLDER)), 12);
    CHECK_U64(stats().removed_file_count, 12);
}
TEST(a_file_of_every_format_is_known_as_ours) { in_child(every_format); }

static uint64_t bytes_in_folder(void)
{
    char *text = strdup(list(FOLDER)), *rest = text;
    uint64_t bytes = 0;
    for (const char *name; (name = strsep(&rest, "\n")) != NULL && *name != '\0';) {
        struct stat status;
        char path[512];
        snprintf(path, sizeof(path), FOLDER "/%s", name);
        CHECK_I64(stat(path, &status), 0);
        bytes += (uint64_t)status.st_size;
    }
    free(text);
    return bytes;
}

static void limit_bytes(void)
{
    prof_options options = options_of("json");
    options.max_bytes = 20000;
    start_with(&options);
    wall_s++;
    call("call", 40, 1);
    save();
    CHECK(bytes_in_folder() <= 20000);
    CHECK(bytes_in_folder() > 15000);
    CHECK_U64(stats().kept_saved_count, 40);
    CHECK(stats().removed_file_count > 10);
    CHECK(count_like("call_*-40.json") == 1);
}
TEST(a_limit_in_bytes_is_kept_to_the_byte) { in_child(limit_bytes); }

static void too_small(void)
{
    prof_options options = options_of("json");
    options.max_bytes = 100;
    plant("old_1700000000.json", "{\n\"schema\": \"profcore.summary/1\"}", 0600, 100);
    start_with(&options);
    call("call", 3, 1);
    save();
    CHECK_U64(stats().kept_unsaved_count, 3);
    CHECK_U64(count_like("call_*"), 0);
    CHECK_U64(count_like("run_*"), 1); /* the run's own are written all the same, and what gives way for them goes */
    CHECK_U64(count_like("old_*"), 0);
}
TEST(a_limit_below_one_call_keeps_none_and_still_the_run) { in_child(too_small); }

static const char ours[] = "{\n\"schema\": \"profcore.summary/1\",\n\"name\": \"old\"}";

static void plant_look_alikes(void)
{
    /* Of these only the first is ours beyond doubt. */
    plant("ours_1700000000.json", ours, 0600, 1000);
    plant("ours_1700000000.txt", "         1 function calls in 0.000 seconds\n\n-- profcore 0.1.0: x\n", 0600, 1000);
    plant("ours_1700000000.html", "<!doctype html>\n<!-- profcore.page/1 -->\n", 0600, 1000);
    plant("foreign_1700000000.json", "{\"schema\": \"profcore.summary/1\"}", 0600, 1000); /* other white space */
    plant("pstats_1700000000.txt", "         1 function calls in 0.000 seconds\n", 0600, 1000);
    plant("python_1700000000.prof", "{\xa9\x03\xda\x01" "a", 0600, 1000);
    plant("notes_1700000000.md", "mine", 0600, 1000);
    plant("mixed_1700000000.json", ours, 0600, 1000);
    plant("mixed_1700000000.txt", "what I thought of this run", 0600, 900);
    plant("readable_1700000000.json", ours, 0644, 1000); /* somebody gave it to others */
    plant("early_170000000.json", ours, 0600, 1000);     /* nine digits: no time of ours */
    plant("untimed.json", ours, 0600, 1000);
    plant(".hidden_1700000000.json", ours, 0600, 1000);
    plant("spa ce_1700000000.json", ours, 0600, 1000);
    plant("linked_1700000000.json", ours, 0600, 1000);
    CHECK_I64(link(FOLDER "/linked_1700000000.json", "elsewhere.json"), 0);
    plant("empty_1700000000.json", "", 0600, 1000);
    plant("page_1700000000.html", "<!doctype html>\n<html>\n<!-- profcore.page/1 -->\n", 0600, 1000);
    plant("target.json", ours, 0600, 1000);
    CHECK_I64(symlink("target.json", FOLDER "/symlink_1700000000.json"), 0);
    CHECK_I64(mkdir(FOLDER "/folder_1700000000.json", 0600), 0);
    CHECK_I64(mkfifo(FOLDER "/fifo_1700000000.json", 0600), 0);
}

static void keep_look_alikes(void)
{
    plant_look_alikes();
    plant("ours_1700000001_pid12-3.json", ours, 0600, 999);
    unsigned before = count_lines(list(FOLDER));
    prof_options options = options_of("json");
    options.max_files = 3;
    start_with(&options);
    call("call", 5, 1);
    save();
    CHECK_U64(count_like("ours_*"), 0);
    CHECK_U64(stats().removed_file_count, 4 + stats().kept_saved_count - count_like("call_*"));
    CHECK_U64(count_lines(list(FOLDER)) - count_like("run_*") - count_like("call_*"), before - 4);
    static const char *const names[] = { "foreign_1700000000.json", "pstats_1700000000.txt", "python_1700000000.prof",
        "notes_1700000000.md", "mixed_1700000000.json", "mixed_1700000000.txt", "readable_1700000000.json",
        "early_170000000.json", "untimed.json", ".hidden_1700000000.json", "spa ce_1700000000.json", "target.json",
        "linked_1700000000.json", "empty_1700000000.json", "symlink_1700000000.json", "folder_1700000000.json",
        "fifo_1700000000.json", "page_1700000000.html" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!is_there(names[i])) {
            printf("# removed: %s\n", names[i]);
            test_failed = 1;
        }
    CHECK_I64(access("elsewhere.json", F_OK), 0);
}
TEST(nothing_is_removed_that_is_not_ours_beyond_doubt) { in_child(keep_look_alikes); }

static void keep_foreign_owners(void)
{
    plant("theirs_1700000000.json", ours, 0600, 1000);
    CHECK_I64(chown(FOLDER "/theirs_1700000000.json", 12345, 12345), 0);
    prof_options options = options_of("json");
    options.max_files = 1;
    start_with(&options);
    call("call", 2, 1);
    save();
    CHECK(is_there("theirs_1700000000.json"));
    CHECK_U64(stats().removed_file_count, 0);
}
TEST(another_users_files_stay)
{
    if (geteuid() != 0)
        SKIP("needs root, to give a file away");
    in_child(keep_foreign_owners);
}

static void share_the_folder(void)
{
    enum { PROCESSES = 4, CALLS = 60 };
    for (int i = 0; i < PROCESSES; i++)
        if (fork() == 0) {
            char name[16];
            prof_options options = options_of("txt,json");
            snprintf(name, sizeof(name), "call%d", i);
            options.max_files = 20;
            start_with(&options);
            for (unsigned k = 0; k < CALLS; k++) {
                call(name, 1, 1);
                save();
            }
            prof_stats read = stats();
            CHECK_U64(read.kept_saved_count + read.kept_unsaved_count, CALLS);
            _exit(test_failed);
        }
    for (int i = 0; i < PROCESSES; i++) {
        int status = 0;
        wait(&status);
        CHECK_I64(status, 0);
    }
    /* Each may have seen room for its own two sets before it saw the others'. */
    CHECK(count_lines(list(FOLDER)) <= 20 + PROCESSES * 4);
}
TEST(several_processes_share_a_folder_and_its_limit) { in_child(share_the_folder); }

static void bad_options(void)
{
    prof_error err = PROF_ERROR_INIT;
    prof_options options = options_of("json");
    options.when_full = 2;
    CHECK_I64(prof_start(&options, &err), PROF_E_INVALID);
    CHECK_HAS(err.message, "prof_options.when_full: 2");
    options.when_full = 0;
    options.save_if = "a>50ms,b";
    CHECK_I64(prof_start(&options, &err), PROF_E_INVALID);
    CHECK_HAS(err.message, "rule \"b\": neither");
    CHECK_I64(prof_site_save_if(NULL, 1, 1, &err), PROF_E_INVALID);
}
TEST(bad_rules_and_limits_start_nothing) { in_child(bad_options); }

int main(int argc, char **argv)
{
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
    wall_s = now.tv_sec;
    return test_main(argc, argv);
}
