/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes timelines whose every slice is known, on the simulated clock, for a
 * viewer to read.
 *
 *     timeline_main CASE FILE     writes FILE (.pftrace, .trace.json, .nvtxt), and to stdout what it must show
 *
 * A line for each slice: track, start, duration, depth, name, file and line,
 * parted by tabs, a duration of -1 for one that has not ended; for each loss:
 * "lost", track, number; and for what a dump left out: "before", the same.
 */
#include "api/dump.h"
#include "base/clock.h"
#include "record/work.h"
#include <profcore/events.h>
#include <profcore/memory.h>
#include <profcore/snapshot.h>

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static uint64_t now_ns = 123456789012345;

static void pass(uint64_t ns)
{
    now_ns += ns;
    profi_clock_simulate(now_ns);
}

static prof_scope begin(const char *name, const char *file, uint32_t line)
{
    prof_site *site = NULL;
    prof_error err = PROF_ERROR_INIT;
    if (prof_site_get(name, SIZE_MAX, file, line, 0, &site, &err) != PROF_OK) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    return prof_begin(site);
}

#define STILL_OPEN ((uint64_t)-1)

static void expect(const char *track, uint64_t start, uint64_t duration, unsigned depth, const char *name,
                   const char *file, unsigned line)
{
    printf("%s\t%llu\t%lld\t%u\t%s\t%s\t%u\n", track, (unsigned long long)start, (long long)duration, depth, name,
           file ? file : "", line);
}

/* A service with requests and their phases, one of them slow; and scopes of no duration, which only order can nest. */
static void service(const char *track)
{
    for (unsigned request = 0; request < 1000; request++) {
        uint64_t start = now_ns;
        prof_scope whole = begin("get_response", "service.c", 10), phase = begin("tokenize", "service.c", 11);
        pass(3);
        phase = prof_phase(phase, NULL);
        uint64_t encode = now_ns;
        phase = begin("encode", "service.c", 12);
        for (unsigned layer = 0; layer < 3; layer++) {
            prof_scope one = begin("layer", "model.c", 5), none = begin("no time at all", NULL, 0);
            prof_end(none);
            expect(track, now_ns, 0, 3, "no time at all", NULL, 0);
            expect(track, now_ns, 100 + layer, 2, "layer", "model.c", 5);
            pass(100 + layer);
            prof_end(one);
        }
        prof_end(phase);
        pass(request == 500 ? 1000000 : 1);
        prof_end(whole);
        expect(track, start, 3, 1, "tokenize", "service.c", 11);
        expect(track, encode, 303, 1, "encode", "service.c", 12);
        expect(track, start, now_ns - start, 0, "get_response", "service.c", 10);
        pass(7);
    }
}

static void recurse(unsigned depth)
{
    prof_scope scope = begin("recurse", "deep.c", 1);
    uint64_t start = now_ns;
    pass(1);
    if (depth < 499)
        recurse(depth + 1);
    pass(1);
    prof_end(scope);
    expect("main", start, now_ns - start, depth, "recurse", "deep.c", 1);
}

static sem_t is_done;

/* Lives until the process ends. */
static void *worker(void *track)
{
    prctl(PR_SET_NAME, track);
    service(track);
    sem_post(&is_done);
    for (;;)
        pause();
    return NULL;
}

static void *passer_by(void *track)
{
    prctl(PR_SET_NAME, track);
    service(track);
    return NULL;
}

static int write_to(void *file, const void *data, size_t bytes)
{
    return fwrite(data, 1, bytes, file) == bytes ? 0 : EIO;
}

static int save(const char *path)
{
    prof_error err = PROF_ERROR_INIT;
    FILE *file = fopen(path, "wb");
    const char *format = strstr(path, ".trace.json") ? "chrome" : strstr(path, ".nvtxt") ? "nvtxt" : "pftrace";
    if (file == NULL || prof_events_write(format, write_to, file, &err) != PROF_OK || fclose(file) != 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    return 0;
}

/* By number: main, a thread that ends, one that lives, and again. */
static int threads_case(const char *path)
{
    static char workers[2][16] = { "worker a", "worker b" }, passers[2][16] = { "passer a", "passer b" };
    sem_init(&is_done, 0, 0);
    service("main");
    recurse(0);
    for (unsigned i = 0; i < 2; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, passer_by, passers[i]);
        pthread_join(thread, NULL);
        pthread_create(&thread, NULL, worker, workers[i]);
        sem_wait(&is_done);
    }
    return save(path);
}

/* More than the rings hold: the newest are there, the rest is a number. */
static int losses_case(const char *path)
{
    enum { MANY = 50000 };
    for (unsigned i = 0; i < MANY; i++) {
        prof_end(begin("many", "loop.c", i % 7));
        pass(1);
    }
    prof_stats stats = PROF_STATS_INIT;
    prof_stats_get(&stats, NULL);
    for (unsigned i = (unsigned)stats.event_lost_count; i < MANY; i++)
        expect("main", now_ns - MANY + i, 0, 0, "many", "loop.c", i % 7);
    printf("lost\tmain\t%llu\n", (unsigned long long)stats.event_lost_count);
    return save(path);
}

static void *hangs(void *track)
{
    prctl(PR_SET_NAME, track);
    expect(track, now_ns, STILL_OPEN, 0, "get_response", "service.c", 10);
    begin("get_response", "service.c", 10);
    pass(40);
    expect(track, now_ns, STILL_OPEN, 1, "wait", "queue.c", 3);
    begin("wait", "queue.c", 3);
    sem_post(&is_done);
    for (;;)
        pause();
    return NULL;
}

/* Two threads in the middle of something, one of which has never ended a scope; old events are left out. */
static int dump_case(const char *path)
{
    enum { OLD = 7 };
    static char track[16] = "hung";
    pthread_t thread;
    char found[PATH_MAX + 16] = "";
    prof_error err = PROF_ERROR_INIT;
    sem_init(&is_done, 0, 0);
    expect("main", now_ns, STILL_OPEN, 0, "serve", "service.c", 1);
    begin("serve", "service.c", 1);
    for (int i = 0; i < OLD; i++)
        prof_end(begin("old", NULL, 0));
    pass(1500000000);
    pthread_create(&thread, NULL, hangs, track);
    sem_wait(&is_done);
    for (int i = 0; i < 3; i++) {
        prof_scope request = begin("request", "service.c", 5);
        expect("main", now_ns, 20, 1, "request", "service.c", 5);
        expect("main", now_ns + 10, 10, 2, "step", NULL, 0);
        pass(10);
        prof_scope step = begin("step", NULL, 0);
        pass(10);
        prof_end(step);
        prof_end(request);
    }
    expect("main", now_ns, STILL_OPEN, 1, "request", "service.c", 5);
    begin("request", "service.c", 5);
    prof_end(begin("step", NULL, 0));
    expect("main", now_ns, 0, 2, "step", NULL, 0);
    printf("before\tmain\t%d\n", OLD);
    pass(5);
    const profi_mark mark = { .trigger = "slow", .reason = "a test", .name = "get_response", .file = "service.c", .line = 10,
                              .limit_ns = 50, .age_ns = 105, .thread = 2, .ns = now_ns };
    if (profi_dump_write(&(profi_dump){ .marks = &mark, .mark_count = 1, .skipped = 3, .window_s = 1 }, found, &err) != PROF_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    strcat(found, ".pftrace");
    return rename(found, path) != 0;
}

static const char *const hostile_names[] = {
    "</script><script>alert(1)</script>", "quo\"te", "back\\slash", "new\nline", "t\tab", "nul\x01", "\xff\xfe not UTF-8",
    "\xf0\x9f\x98\x80", "%s%n%d", ("\xe2\x80\xae" "bidi"), "NaN", "", " ",
};

static int hostile_case(const char *path)
{
    char *longest = malloc(100001);
    memset(longest, 'x', 100000);
    longest[100000] = '\0';
    prof_end(begin(longest, longest, UINT32_MAX));
    for (size_t i = 0; i < sizeof(hostile_names) / sizeof(*hostile_names); i++)
        if (hostile_names[i][0] != '\0')
            prof_end(begin(hostile_names[i], hostile_names[i], (uint32_t)i));
    free(longest);
    return save(path);
}

/* One of each that is no scope. */
static void *reply(void *span)
{
    prof_request before = prof_request_begin((prof_request){ 0x8448eb211c80319cu, 0x0af7651916cd43ddu });
    prctl(PR_SET_NAME, "worker a");
    prof_scope scope = begin("reply", "service.c", 20);
    prof_flow_end(7);
    pass(30);
    prof_end(scope);
    prof_request_end(before);
    PROF_SPAN_END(*(prof_span *)span);
    sem_post(&is_done);
    for (;;)
        pause();
    return NULL;
}

static int beyond_case(const char *path)
{
    pthread_t thread;
    sem_init(&is_done, 0, 0);
    prof_span wait = PROF_SPAN_BEGIN("queue wait"), second;
    pass(10);
    second = PROF_SPAN_BEGIN("queue wait");
    prof_scope batch = begin("batch", "service.c", 19);
    {
        PROF_REQUEST(42);
        prof_flow(7);
        prof_flow(8);
        PROF_ARGS(PROF_INT("size", -2), PROF_DOUBLE("share", 0.25), PROF_TEXT("model", "mini </script>"));
        PROF_COUNTER("depth of queue", 3);
        pass(20);
        PROF_INSTANT_ARGS("cache miss", PROF_INT("page", 4096));
        PROF_COUNTER("depth of queue", 1.5);
        prof_end(batch);
    }
    PROF_SPAN_END(second);
    pthread_create(&thread, NULL, reply, &wait);
    sem_wait(&is_done);
    return save(path);
}

/* Work of a GPU, of which two kernels overlap on one stream: each with a flow from the scope that launched it. */
static int gpu_case(const char *path)
{
    static const struct { const char *what, *track; uint64_t start, end; } works[] = {
        { "copy host to device", "GPU 0 stream 7", 100, 180 },
        { "gemm", "GPU 0 stream 7", 200, 700 },
        { "softmax", "GPU 0 stream 7", 600, 900 },
        { "gemm", "GPU 1 stream 7", 300, 800 },
    };
    enum { WORKS = sizeof(works) / sizeof(*works) };
    uint64_t start = now_ns;
    prof_scope forward = begin("forward", "service.c", 30);
    for (uint64_t i = 0; i < WORKS; i++) {
        prof_scope launch = begin("launch", "service.c", 31);
        expect("main", now_ns, 5, 1, "launch", "service.c", 31);
        prof_flow(1000 + i);
        pass(5);
        prof_end(launch);
    }
    pass(10);
    prof_end(forward);
    expect("main", start, now_ns - start, 0, "forward", "service.c", 30);
    pass(2000);
    for (uint64_t i = 0; i < WORKS; i++) {
        prof_site what = PROF_SITE_INIT(works[i].what, "gpu", 0, 0), track = PROF_SITE_INIT(works[i].track, "gpu", 0, 0),
                  node = PROF_SITE_INIT("graph node", "gpu", 0, 0);
        profi_work_record(&(profi_work){ &what, &track, start + works[i].start, start + works[i].end, 1000 + i, &node, 70 + i });
        expect(works[i].track, start + works[i].start, works[i].end - works[i].start, 0, works[i].what, "gpu", 0);
    }
    return save(path);
}

/* A pool of which what is held rises for a moment only, within an interval of points. */
static int pools_case(const char *path)
{
    prof_pool *pool = NULL;
    uint64_t start = now_ns;
    if (prof_pool_open("gpu:0", &pool, NULL) != PROF_OK)
        return 1;
    prof_scope scope = begin("decode", "service.c", 30);
    pass(1000000);
    prof_pool_set(pool, 1000, 4000);
    for (unsigned i = 0; i < 1000; i++) {
        pass(3000);
        prof_pool_change(pool, i == 500 ? 2000 : 10, 0);
        pass(3000);
        prof_pool_change(pool, i == 500 ? -2000 : -10, 0);
    }
    pass(20000000);
    prof_pool_change(pool, -300, 0);
    pass(1000000);
    prof_end(scope);
    expect("main", start, now_ns - start, 0, "decode", "service.c", 30);
    return save(path);
}

int main(int argc, char **argv)
{
    prof_options options = PROF_OPTIONS_INIT;
    if (argc != 3)
        return 2;
    options.flags = PROF_NO_FILES;
    options.name = "timeline";
    options.memory_bytes = strcmp(argv[1], "losses") == 0 ? 1 << 20 : 0;
    setenv("PROFCORE_MEMORY", strcmp(argv[1], "losses") == 0 ? "1MiB" : "64MiB", 1);
    profi_clock_simulate(now_ns);
    prctl(PR_SET_NAME, "main");
    if (prof_start(&options, NULL) != PROF_OK)
        return 1;
    static const struct { const char *name; int (*run)(const char *path); } cases[] = {
        { "threads", threads_case }, { "losses", losses_case }, { "hostile", hostile_case }, { "beyond", beyond_case },
        { "dump", dump_case },       { "gpu", gpu_case },             { "pools", pools_case },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        if (strcmp(argv[1], cases[i].name) == 0)
            return cases[i].run(argv[2]);
    return 2;
}
