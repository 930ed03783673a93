/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kept calls of many threads, written by the saver thread while they record:
 * none of them waits for a disk, and each call is accounted for.  On the real
 * clock; ThreadSanitizer watches.
 *
 * The program defines the calls that reach a disk itself, in place of libc's:
 * it notes who made them, and makes each wait until the callers are done.
 * The first caller also makes the saver, and nobody waits for that.
 */
#include "harness.h"

#include <profcore/snapshot.h>

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4, CALLS = 80 };

static __thread int is_caller;
static int by_callers, by_others, is_disk_stuck, is_disk_full;

/* A disk that answers only once the callers are done; it gives up after a minute, so that a failure ends. */
static int reach_disk(void)
{
    __atomic_fetch_add(is_caller ? &by_callers : &by_others, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 60000 && __atomic_load_n(&is_disk_stuck, __ATOMIC_ACQUIRE); i++)
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    errno = ENOSPC;
    return __atomic_load_n(&is_disk_full, __ATOMIC_RELAXED);
}

int openat(int folder, const char *path, int flags, ...);
int openat(int folder, const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    int mode = va_arg(arguments, int);
    va_end(arguments);
    return reach_disk() ? -1 : (int)syscall(SYS_openat, folder, path, flags, mode);
}

int fsync(int fd)
{
    return reach_disk() ? -1 : (int)syscall(SYS_fsync, fd);
}

int renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
    return reach_disk() ? -1 : (int)syscall(SYS_renameat2, from, old, to, new, flags);
}

/* What others find who want the recorder's lock while the saver is made: called in place of libc's, just behind it. */
static int is_site_got, was_lock_free;

static void *get_a_site(void *unused)
{
    prof_site *site = NULL;
    if (prof_site_get("while the saver is made", SIZE_MAX, NULL, 0, 0, &site, NULL) == PROF_OK)
        __atomic_store_n(&is_site_got, 1, __ATOMIC_RELEASE);
    return unused;
}

int pthread_setname_np(pthread_t thread, const char *name)
{
    pthread_t other;
    (void)thread;
    if (strcmp(name, "profcore-saver") != 0 || pthread_create(&other, NULL, get_a_site, NULL) != 0)
        return 0;
    for (int i = 0; i < 10000 && !__atomic_load_n(&is_site_got, __ATOMIC_ACQUIRE); i++)
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    was_lock_free = __atomic_load_n(&is_site_got, __ATOMIC_ACQUIRE);
    return pthread_detach(other);
}

static prof_stats stats(void)
{
    prof_stats read = PROF_STATS_INIT;
    prof_stats_get(&read, NULL);
    return read;
}

static void work(int depth)
{
    PROF_BLOCK("step");
    if (depth > 0)
        work(depth - 1);
}

static void request(void)
{
    PROF_FUNCTION_SAVE_IF(0, 1);
    work(3);
    PROF_BLOCK_SAVE_IF("part", 0, 2);
    work(1);
}

static void *calling_thread(void *unused)
{
    (void)unused;
    is_caller = 1;
    for (int i = 0; i < CALLS; i++)
        request();
    return NULL;
}

static void run_callers(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, calling_thread, NULL) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static int wait_for_saver(uint64_t saved)
{
    for (int i = 0; i < 60000 && stats().kept_saved_count < saved; i++)
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    return stats().kept_saved_count >= saved;
}

static unsigned files_like(const char *folder, const char *prefix)
{
    unsigned count = 0;
    DIR *entries = opendir(folder);
    for (const struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;)
        count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    if (entries != NULL)
        closedir(entries);
    return count;
}

static char folder[] = "/tmp/profcore-kept-XXXXXX";

TEST(no_caller_waits_for_a_disk_and_each_call_gets_its_file)
{
    enum { KEPT = THREADS * CALLS * 3 / 2 };
    prof_options options = PROF_OPTIONS_INIT;
    options.directory = folder;
    options.formats = "json";
    REQUIRE(mkdtemp(folder) != NULL);
    CHECK_I64(prof_start(&options, NULL), PROF_OK);
    __atomic_store_n(&is_disk_stuck, 1, __ATOMIC_RELEASE);
    run_callers(); /* which would not come back from a disk that is stuck */
    CHECK(was_lock_free);
    CHECK_U64(stats().kept_count, KEPT);
    CHECK_U64(stats().kept_saved_count, 0);
    __atomic_store_n(&is_disk_stuck, 0, __ATOMIC_RELEASE);
    CHECK(wait_for_saver(KEPT));
    CHECK_U64(files_like(folder, "request_"), THREADS * CALLS);
    CHECK_U64(files_like(folder, "part_"), THREADS * CALLS / 2);
    CHECK_I64(__atomic_load_n(&by_callers, __ATOMIC_RELAXED), 0);
    CHECK(__atomic_load_n(&by_others, __ATOMIC_RELAXED) > KEPT);
    CHECK_U64(stats().kept_lost_count + stats().kept_unsaved_count, 0);
}

TEST(calls_wait_while_the_disk_is_full_and_are_written_when_it_has_room)
{
    uint64_t before = stats().kept_count;
    __atomic_store_n(&by_others, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&is_disk_full, 1, __ATOMIC_RELAXED);
    run_callers();
    while (__atomic_load_n(&by_others, __ATOMIC_RELAXED) == 0) /* the saver has tried */
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    CHECK_U64(stats().kept_saved_count, before);
    __atomic_store_n(&is_disk_full, 0, __ATOMIC_RELAXED);
    CHECK_I64(prof_save(NULL), PROF_OK); /* does not wait for the saver's next try */
    CHECK(wait_for_saver(stats().kept_count));
    CHECK_I64(__atomic_load_n(&by_callers, __ATOMIC_RELAXED), 0);
}

static void *snapshot_thread(void *is_done)
{
    while (!__atomic_load_n((int *)is_done, __ATOMIC_ACQUIRE)) {
        prof_snapshot *snapshot = NULL;
        if (prof_snapshot_take(&snapshot, NULL) == PROF_OK)
            prof_snapshot_close(snapshot);
        prof_save(NULL);
    }
    return NULL;
}

TEST(calls_are_kept_while_others_take_snapshots_and_save)
{
    pthread_t reader;
    int is_done = 0;
    uint64_t before = stats().kept_count;
    REQUIRE(pthread_create(&reader, NULL, snapshot_thread, &is_done) == 0);
    run_callers();
    __atomic_store_n(&is_done, 1, __ATOMIC_RELEASE);
    pthread_join(reader, NULL);
    CHECK_U64(stats().kept_count - before, THREADS * CALLS * 3 / 2);
    CHECK_I64(prof_stop(NULL), PROF_OK);
    CHECK(wait_for_saver(stats().kept_count)); /* a stop takes two seconds for them; the saver goes on */
    CHECK_U64(stats().kept_lost_count + stats().kept_unsaved_count, 0);
    CHECK_I64(__atomic_load_n(&by_callers, __ATOMIC_RELAXED), 0);
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    CHECK_I64(system(command), 0);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
