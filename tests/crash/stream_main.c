/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that streams to a descriptor, for stream_check.py: three threads
 * record a fixed number of scopes each, others come and go, and all that was
 * done is printed.
 *
 *     stream_main SCOPES [WAY [TO]]
 *
 * WAY "stop" starts by itself, streaming to TO, stops, and ends by _exit();
 * "measure" does so too, and tells how long its calls took; "fork" makes
 * children that record; "forever" never ends; "pause" waits for a line on
 * standard input before it records.
 */
#include <profcore/events.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS = 3, GUESTS = 10, GUEST_SCOPES = 20 };

static long scopes;
static int measures;
static pthread_barrier_t done;
static uint64_t longest_ns, longest_on_cpu_ns; /* of two calls, begin and end; of those in which the thread was not switched out */
static uint64_t waits; /* how often threads gave up their core by themselves while they recorded */

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void raise_to(uint64_t *longest, uint64_t ns)
{
    uint64_t before = __atomic_load_n(longest, __ATOMIC_RELAXED);
    while (before < ns && !__atomic_compare_exchange_n(longest, &before, ns, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

/* A scope, timed from outside; the system is asked for switches where it took so long that there may have been one. */
static void record_timed(struct rusage *last)
{
    enum { WORTH_A_LOOK_NS = 5000 };
    uint64_t begun = now_ns();
    PROF_SCOPE("timed") {}
    uint64_t took = now_ns() - begun;
    raise_to(&longest_ns, took);
    if (took < WORTH_A_LOOK_NS)
        return;
    struct rusage now;
    getrusage(RUSAGE_THREAD, &now);
    if (now.ru_nivcsw == last->ru_nivcsw && now.ru_nvcsw == last->ru_nvcsw)
        raise_to(&longest_on_cpu_ns, took);
    *last = now;
}

static void measure(void)
{
    struct rusage first, last;
    getrusage(RUSAGE_THREAD, &first);
    last = first;
    for (long i = 0; i < scopes; i++)
        record_timed(&last);
    getrusage(RUSAGE_THREAD, &last);
    __atomic_fetch_add(&waits, (uint64_t)(last.ru_nvcsw - first.ru_nvcsw), __ATOMIC_RELAXED);
}

static void *work(void *unused)
{
    char name[32];
    static int number;
    snprintf(name, sizeof(name), "worker %d", __atomic_fetch_add(&number, 1, __ATOMIC_RELAXED));
    pthread_setname_np(pthread_self(), name);
    if (measures)
        measure();
    for (long i = 0; i < scopes / 2 && !measures; i++)
        PROF_SCOPE("outer")
        {
            PROF_ARGS(PROF_INT("number", i));
            PROF_SCOPE("inner") {}
        }
    pthread_barrier_wait(&done);
    pause(); /* it lives when the process ends */
    return unused;
}

static void *visit(void *unused)
{
    pthread_setname_np(pthread_self(), "visitor");
    for (int i = 0; i < GUEST_SCOPES; i++)
        PROF_SCOPE("guest") {}
    return unused;
}

static int make_threads(void)
{
    pthread_t thread;
    pthread_barrier_init(&done, NULL, WORKERS + 1);
    for (int i = 0; i < WORKERS; i++)
        if (pthread_create(&thread, NULL, work, NULL) != 0)
            return 0;
    for (int i = 0; i < GUESTS; i++)
        if (pthread_create(&thread, NULL, visit, NULL) != 0 || pthread_join(thread, NULL) != 0)
            return 0;
    return 1;
}

static void fork_child(void)
{
    pid_t child = fork();
    if (child == 0) {
        for (long i = 0; i < 20000; i++)
            PROF_SCOPE("in_child") {}
        exit(0);
    }
    waitpid(child, NULL, 0);
}

/* The program's own descriptor is as it was. */
static void tell(const char *to, uint64_t stop_ns)
{
    int flags = strncmp(to, "fd:", 3) == 0 ? fcntl(atoi(to + 3), F_GETFL) : 0;
    printf("{\"worker\": %ld, \"guests\": %d, \"is_open\": %d, \"is_nonblocking\": %d", scopes / 2 * 2, GUESTS * GUEST_SCOPES,
           flags >= 0, flags >= 0 && (flags & O_NONBLOCK) != 0);
    if (measures)
        printf(", \"longest_ns\": %llu, \"longest_on_cpu_ns\": %llu, \"waits\": %llu, \"stop_ns\": %llu", (unsigned long long)longest_ns,
               (unsigned long long)longest_on_cpu_ns, (unsigned long long)waits, (unsigned long long)stop_ns);
    printf("}\n");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const char *way = argc > 2 ? argv[2] : "", *to = argc > 3 ? argv[3] : "fd:3";
    prof_options options = PROF_OPTIONS_INIT;
    prof_error err = PROF_ERROR_INIT;
    measures = strcmp(way, "measure") == 0;
    int stops = measures || strcmp(way, "stop") == 0;
    scopes = argc > 1 ? atol(argv[1]) : 1000;
    if (strcmp(way, "forever") == 0)
        scopes = 1L << 60;
    options.stream = to;
    if (stops && prof_start(&options, &err) != PROF_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 3;
    }
    if (strcmp(way, "pause") == 0 && getchar() == EOF)
        return 2;
    if (!make_threads())
        return 2;
    for (int i = 0; i < 5 && strcmp(way, "fork") == 0; i++)
        fork_child();
    pthread_barrier_wait(&done);
    uint64_t begun = now_ns();
    if (stops && prof_stop(&err) != PROF_OK)
        fprintf(stderr, "%s\n", err.message);
    tell(to, now_ns() - begun);
    if (stops)
        _exit(0);
    return 0;
}
