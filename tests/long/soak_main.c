/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Days in a minute: 10^9 scopes with nobody reading, 10^6 distinct names or
 * paths, and 100,000 threads that come and go.  Counts must be exact and
 * memory flat.
 *
 *     soak_main scopes|names|paths|threads|cancelled|events COUNT
 *     soak_main full COUNT     COUNT scopes of ten children, each child named
 *                              after its parent, under whatever cap is set;
 *                              writes full.txt, full.prof and full.json
 */
#include <profcore/snapshot.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <time.h>

static uint64_t rss_bytes(void)
{
    char status[4096];
    FILE *file = fopen("/proc/self/status", "r");
    size_t bytes = file ? fread(status, 1, sizeof(status) - 1, file) : 0;
    if (file)
        fclose(file);
    status[bytes] = '\0';
    const char *line = strstr(status, "VmRSS:");
    return line ? strtoull(line + 6, NULL, 10) * 1024 : 0;
}

static uint64_t calls_of(const char *name)
{
    prof_snapshot *snapshot = NULL;
    prof_function row = PROF_FUNCTION_INIT;
    uint32_t id;
    if (prof_snapshot_take(&snapshot, NULL) == PROF_OK && prof_snapshot_find(snapshot, name, &id, NULL) == PROF_OK)
        prof_snapshot_function(snapshot, id, &row, NULL);
    prof_snapshot_close(snapshot);
    return row.calls;
}

static int run_scopes(uint64_t count)
{
    uint64_t before = 0;
    for (uint64_t i = 0; i < count / 2; i++) {
        PROF_BLOCK("outer");
        PROF_SCOPE("inner") { }
        if (i == count / 4) /* by then the event rings are full */
            before = rss_bytes();
    }
    uint64_t after = rss_bytes(), outer = calls_of("outer"), inner = calls_of("inner");
    printf("%llu + %llu scopes recorded, resident %llu KiB half way and %llu KiB at the end\n", (unsigned long long)outer,
           (unsigned long long)inner, (unsigned long long)before / 1024, (unsigned long long)after / 1024);
    return outer != count / 2 || inner != count / 2 || after > before + (1 << 20);
}

static int run_names(uint64_t count)
{
    prof_stats stats = PROF_STATS_INIT;
    uint64_t refused = 0, recorded = 0;
    for (uint64_t i = 0; i < count; i++) {
        prof_site *site;
        char name[48];
        snprintf(name, sizeof(name), "name %llu", (unsigned long long)i);
        if (prof_site_get(name, SIZE_MAX, NULL, 0, 0, &site, NULL) == PROF_OK)
            prof_end(prof_begin(site));
        else
            refused++;
    }
    prof_snapshot *snapshot = NULL;
    if (prof_snapshot_take(&snapshot, NULL) != PROF_OK)
        return 1;
    for (uint32_t i = 0; i < prof_snapshot_function_count(snapshot); i++) {
        prof_function row = PROF_FUNCTION_INIT;
        prof_snapshot_function(snapshot, i, &row, NULL);
        recorded += row.calls;
    }
    prof_snapshot_close(snapshot);
    prof_stats_get(&stats, NULL);
    printf("%llu names: %llu scopes recorded, %llu lost, %llu names refused; %llu of %llu bytes used, resident %llu KiB\n",
           (unsigned long long)count, (unsigned long long)recorded, (unsigned long long)stats.lost_count,
           (unsigned long long)refused, (unsigned long long)stats.memory_used_bytes,
           (unsigned long long)stats.memory_limit_bytes, (unsigned long long)rss_bytes() / 1024);
    return recorded + stats.lost_count + refused != count || stats.memory_used_bytes > stats.memory_limit_bytes;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* COUNT paths of 2,000 sites: what a new one costs beside a thousand others, and beside all. */
static int run_paths(uint64_t count)
{
    enum { CHILDREN = 1000, CHUNK = 10000 };
    uint64_t parents = count / CHILDREN, begin = 0, early = 0, late = 0;
    prof_site *sites = calloc(parents + CHILDREN, sizeof(*sites));
    char(*names)[32] = calloc(parents + CHILDREN, sizeof(*names));
    if (sites == NULL || names == NULL)
        return 1;
    for (uint64_t i = 0; i < parents + CHILDREN; i++) {
        snprintf(names[i], sizeof(names[i]), "%s %llu", i < parents ? "parent" : "child", (unsigned long long)i);
        sites[i] = (prof_site)PROF_SITE_INIT(names[i], NULL, 0, 0);
        prof_end(prof_begin(&sites[i]));
    }
    for (uint64_t i = 0; i < parents; i++) {
        if (i == 1 || i == parents - CHUNK / CHILDREN)
            begin = now_ns();
        prof_scope parent = prof_begin(&sites[i]);
        for (uint64_t k = 0; k < CHILDREN; k++)
            prof_end(prof_begin(&sites[parents + k]));
        prof_end(parent);
        if (i == CHUNK / CHILDREN)
            early = (now_ns() - begin) / CHUNK;
    }
    late = (now_ns() - begin) / CHUNK;
    prof_stats stats = PROF_STATS_INIT;
    prof_stats_get(&stats, NULL);
    begin = now_ns();
    uint64_t calls = calls_of("child 1001") + calls_of("parent 7");
    printf("%llu paths, %llu lost: a new one costs %llu ns beside 1,000, %llu ns beside all; a snapshot of them %llu ms\n",
           (unsigned long long)count, (unsigned long long)stats.lost_count, (unsigned long long)early,
           (unsigned long long)late, (unsigned long long)(now_ns() - begin) / 2000000);
    free(sites); /* the library has copied what it needs of them */
    free(names);
    return stats.lost_count != 0 || calls != parents + 1 + 2;
}

static int run_full(uint64_t count)
{
    enum { CHILDREN = 10 };
    static const char *const formats[] = { "txt", "prof", "json" };
    prof_stats stats = PROF_STATS_INIT;
    prof_snapshot *snapshot = NULL;
    prof_error err = PROF_ERROR_INIT;
    uint64_t before = rss_bytes();
    for (uint64_t i = 0; i < count; i++) {
        char name[32], child_name[64];
        snprintf(name, sizeof(name), "scope %llu", (unsigned long long)i);
        prof_site site = PROF_SITE_INIT(name, NULL, 0, 0);
        prof_scope scope = prof_begin(&site);
        for (int k = 0; k < CHILDREN; k++) {
            snprintf(child_name, sizeof(child_name), "%s/%d", name, k);
            prof_site child = PROF_SITE_INIT(child_name, NULL, 0, 0);
            prof_end(prof_begin(&child));
        }
        prof_end(scope);
    }
    prof_stats_get(&stats, NULL);
    printf("%llu %llu %llu %llu %llu\n", (unsigned long long)count * (CHILDREN + 1), (unsigned long long)stats.lost_count,
           (unsigned long long)stats.memory_used_bytes, (unsigned long long)stats.memory_limit_bytes,
           (unsigned long long)(rss_bytes() - before));
    if (prof_snapshot_take(&snapshot, &err) != PROF_OK) {
        printf("%s\n", err.message);
        return 1;
    }
    for (int i = 0; i < 3; i++) {
        char path[16];
        snprintf(path, sizeof(path), "full.%s", formats[i]);
        if (prof_snapshot_write_file(snapshot, formats[i], path, &err) != PROF_OK) {
            printf("%s\n", err.message);
            return 1;
        }
    }
    prof_snapshot_close(snapshot);
    return 0;
}

static void *events_main(void *count)
{
    for (uint64_t i = 0; i < *(uint64_t *)count; i++) {
        PROF_BLOCK("outer");
        PROF_SCOPE("inner") { }
    }
    return NULL;
}

/* Events of four threads: each is held, streamed or counted as lost. */
static int run_events(uint64_t count)
{
    enum { THREADS = 4, STAGES = 4 };
    uint64_t each = count / 2 / THREADS / STAGES, before = 0;
    prof_stats stats = PROF_STATS_INIT;
    for (int stage = 0; stage < STAGES; stage++) {
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++)
            if (pthread_create(&threads[i], NULL, events_main, &each) != 0)
                return 1;
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        if (stage == 0) /* by then the event rings are full */
            before = rss_bytes();
    }
    uint64_t after = rss_bytes(), wanted = each * 2 * THREADS * STAGES;
    prof_stats_get(&stats, NULL);
    printf("%llu events, %llu lost, %llu of %llu bytes used, resident %llu KiB after a quarter and %llu KiB at the end\n",
           (unsigned long long)stats.event_count, (unsigned long long)stats.event_lost_count,
           (unsigned long long)stats.memory_used_bytes, (unsigned long long)stats.memory_limit_bytes,
           (unsigned long long)before / 1024, (unsigned long long)after / 1024);
    return stats.event_count != wanted || calls_of("inner") != wanted / 2 || stats.event_lost_count >= wanted ||
           stats.memory_used_bytes > stats.memory_limit_bytes || after > before + (2 << 20);
}

static void *thread_main(void *unused)
{
    PROF_BLOCK("thread");
    PROF_SCOPE("work") { }
    return unused;
}

static int run_threads(uint64_t count)
{
    prof_stats early = PROF_STATS_INIT, late = PROF_STATS_INIT;
    uint64_t rss_early = 0;
    for (uint64_t i = 0; i < count; i += 8) {
        pthread_t threads[8];
        for (int k = 0; k < 8; k++)
            if (pthread_create(&threads[k], NULL, thread_main, NULL) != 0)
                return 1;
        for (int k = 0; k < 8; k++)
            pthread_join(threads[k], NULL);
        if (i == count / 16 * 8) { /* by then the event rings are full of what exited threads left */
            prof_stats_get(&early, NULL);
            rss_early = rss_bytes();
        }
    }
    prof_stats_get(&late, NULL);
    uint64_t calls = calls_of("work"), rss_late = rss_bytes();
    printf("%llu threads, %llu calls kept; %llu bytes used after half of them and %llu at the end, resident %llu and %llu KiB\n",
           (unsigned long long)late.thread_count, (unsigned long long)calls, (unsigned long long)early.memory_used_bytes,
           (unsigned long long)late.memory_used_bytes, (unsigned long long)rss_early / 1024,
           (unsigned long long)rss_late / 1024);
    return calls != count || late.memory_used_bytes > early.memory_used_bytes || rss_late > rss_early + (2 << 20);
}

/* Records until it is cancelled, wherever it is; each use of a site is a first one, which takes locks. */
static void *cancelled_main(void *issued)
{
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    for (;;) {
        prof_site sites[2] = { PROF_SITE_INIT("cancelled", "t", 1, 0), PROF_SITE_INIT("cancelled inside", "t", 2, 0) };
        __atomic_fetch_add((uint64_t *)issued, 1, __ATOMIC_RELAXED);
        prof_scope scope = prof_begin(&sites[0]);
        __atomic_fetch_add((uint64_t *)issued, 1, __ATOMIC_RELAXED);
        prof_begin(&sites[1]);
        prof_end(scope);
    }
    return NULL;
}

static int run_cancelled(uint64_t count)
{
    prof_stats early = PROF_STATS_INIT, late = PROF_STATS_INIT;
    uint64_t issued = 0;
    for (uint64_t i = 0; i < count; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, cancelled_main, &issued) != 0)
            return 1;
        usleep((useconds_t)(rand() % 100));
        pthread_cancel(thread);
        pthread_join(thread, NULL);
        if (i == 1000)
            prof_stats_get(&early, NULL);
    }
    prof_stats_get(&late, NULL);
    uint64_t calls = calls_of("cancelled") + calls_of("cancelled inside") + late.lost_count;
    printf("%llu threads cancelled, %llu of %llu scopes recorded or lost; %llu bytes used after 1,000 threads and %llu at the end\n",
           (unsigned long long)late.thread_count, (unsigned long long)calls, (unsigned long long)issued,
           (unsigned long long)early.memory_used_bytes, (unsigned long long)late.memory_used_bytes);
    /* Each may have been cancelled between the count and the scope, and within the scope's own begin or end. */
    return calls > issued || calls + 2 * count < issued || late.live_thread_count != 0 ||
           late.memory_used_bytes > early.memory_used_bytes;
}

int main(int argc, char **argv)
{
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    if (argc != 3 || prof_start(&options, NULL) != PROF_OK)
        return 2;
    uint64_t count = strtoull(argv[2], NULL, 10);
    if (strcmp(argv[1], "scopes") == 0)
        return run_scopes(count);
    if (strcmp(argv[1], "events") == 0)
        return run_events(count);
    if (strcmp(argv[1], "names") == 0)
        return run_names(count);
    if (strcmp(argv[1], "paths") == 0)
        return run_paths(count);
    if (strcmp(argv[1], "full") == 0)
        return run_full(count);
    if (strcmp(argv[1], "cancelled") == 0)
        return run_cancelled(count);
    return strcmp(argv[1], "threads") == 0 ? run_threads(count) : 2;
}
