/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a scope costs, as a ratio to two clock reads.
 *
 * Method: every case runs a batch of iterations in turn, again and again, so
 * that whatever else the machine does hits all of them alike.  A round gives
 * one ratio for each case, to the two bare reads of the same round; printed
 * are the median over the rounds and the middle half of them.  The ratio is
 * what travels between machines; the nanoseconds are this machine's.
 *
 * The program links the shared library and calls through its C ABI, with
 * call tree and histogram on.
 */
#include <profcore/prof.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 301, BATCH = 20000 };

static inline uint64_t ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t value;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(value));
    return value;
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
#endif
}

#define KEEP(value) __asm__ volatile("" : : "r"(value) : "memory")

#define SITE(name) { (uint32_t)sizeof(prof_site), 0u, name, "scope_bench.c", __LINE__, 0u, NULL, { 0u, 0u } }
static prof_site flat_site = SITE("flat"), phase_sites[2] = { SITE("phase 0"), SITE("phase 1") };
static prof_site nest_sites[16];
static char nest_names[16][8];

/* Each case does BATCH scopes. */
static void two_reads(void)
{
    for (int i = 0; i < BATCH; i++) {
        uint64_t a = ticks();
        KEEP(a);
        uint64_t b = ticks();
        KEEP(b);
    }
}

static void two_monotonic_reads(void)
{
    for (int i = 0; i < 2 * BATCH; i++) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        KEEP(now.tv_nsec);
    }
}

static void flat(void)
{
    for (int i = 0; i < BATCH; i++)
        prof_end(prof_begin(&flat_site));
}

static void nested_four_deep(void)
{
    for (int i = 0; i < BATCH / 4; i++) {
        prof_scope a = prof_begin(&nest_sites[0]), b = prof_begin(&nest_sites[1]);
        prof_scope c = prof_begin(&nest_sites[2]), d = prof_begin(&nest_sites[3]);
        prof_end(d);
        prof_end(c);
        prof_end(b);
        prof_end(a);
    }
}

static void sixteen_sites_in_turn(void)
{
    for (int i = 0; i < BATCH / 16; i++)
        for (int k = 0; k < 16; k += 4) {
            prof_scope a = prof_begin(&nest_sites[k]), b = prof_begin(&nest_sites[k + 1]);
            prof_scope c = prof_begin(&nest_sites[k + 2]), d = prof_begin(&nest_sites[k + 3]);
            prof_end(d);
            prof_end(c);
            prof_end(b);
            prof_end(a);
        }
}

static void phases(void)
{
    prof_scope scope = prof_begin(&phase_sites[0]);
    for (int i = 0; i < BATCH / 2; i++) {
        scope = prof_phase(scope, &phase_sites[1]);
        scope = prof_phase(scope, &phase_sites[0]);
    }
    prof_end(scope);
}

static void macros(void)
{
    for (int i = 0; i < BATCH; i++) {
        PROF_BLOCK("macro");
    }
}

static void stopped_macros(void)
{
    prof_stop(NULL);
    for (int i = 0; i < BATCH; i++) {
        PROF_BLOCK("stopped");
        KEEP(i);
    }
    prof_start(NULL, NULL);
}

static void stopped_calls(void)
{
    prof_stop(NULL);
    flat();
    prof_start(NULL, NULL);
}

static void empty_loop(void)
{
    for (int i = 0; i < BATCH; i++)
        KEEP(i);
}

static const struct bench_case {
    const char *name;
    void (*run)(void);
} cases[] = {
    { "two clock reads (1.00)", two_reads },
    { "two clock_gettime", two_monotonic_reads },
    { "scope, flat", flat },
    { "scope, nested four deep", nested_four_deep },
    { "scope, 16 sites nested in turn", sixteen_sites_in_turn },
    { "phase", phases },
    { "PROF_BLOCK, flat", macros },
    { "stopped, PROF_BLOCK", stopped_macros },
    { "stopped, prof_begin + prof_end", stopped_calls },
    { "empty loop", empty_loop },
};
enum { CASES = sizeof(cases) / sizeof(cases[0]) };

static double spent[CASES][ROUNDS], ratio[CASES][ROUNDS];

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double time_case(int k)
{
    double begin = now_ns();
    cases[k].run();
    return (now_ns() - begin) / BATCH;
}

static void print_case(const char *name, double *ns, double *ratios, int json)
{
    qsort(ns, ROUNDS, sizeof(*ns), compare_doubles);
    qsort(ratios, ROUNDS, sizeof(*ratios), compare_doubles);
    if (json)
        printf("{\"schema\": \"profcore.cost/1\", \"case\": \"%s\", \"ns\": %.2f, \"ratio\": %.3f, \"ratio_q1\": %.3f, "
               "\"ratio_q3\": %.3f}\n",
               name, ns[ROUNDS / 2], ratios[ROUNDS / 2], ratios[ROUNDS / 4], ratios[3 * ROUNDS / 4]);
    else
        printf("%-34s %8.2f %9.3f   %.3f to %.3f\n", name, ns[ROUNDS / 2], ratios[ROUNDS / 2], ratios[ROUNDS / 4],
               ratios[3 * ROUNDS / 4]);
}

/* ---- two threads against one ---- */

static pthread_barrier_t barrier;
static double thread_ns[2];

static void *thread_main(void *argument)
{
    double *result = argument;
    flat();
    pthread_barrier_wait(&barrier);
    double begin = now_ns();
    for (int i = 0; i < 50; i++)
        flat();
    *result = (now_ns() - begin) / (50.0 * BATCH);
    return NULL;
}

static double run_threads(unsigned count)
{
    pthread_t threads[2];
    pthread_barrier_init(&barrier, NULL, count);
    for (unsigned i = 0; i < count; i++)
        pthread_create(&threads[i], NULL, thread_main, &thread_ns[i]);
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
    return count == 1 ? thread_ns[0] : (thread_ns[0] + thread_ns[1]) / 2;
}

static void print_threads(int json)
{
    enum { TRIES = 31 };
    static double single[TRIES], pair[TRIES];
    for (int i = 0; i < TRIES; i++) {
        double one = run_threads(1), two = run_threads(2);
        single[i] = one;
        pair[i] = two / one;
    }
    qsort(single, TRIES, sizeof(*single), compare_doubles);
    qsort(pair, TRIES, sizeof(*pair), compare_doubles);
    if (json)
        printf("{\"schema\": \"profcore.cost/1\", \"case\": \"two threads against one\", \"ns\": %.2f, \"ratio\": %.3f}\n",
               single[TRIES / 2], pair[TRIES / 2]);
    else
        printf("%-34s %8s %9.3f   %.3f to %.3f\n", "two threads against one", "", pair[TRIES / 2], pair[TRIES / 4],
               pair[3 * TRIES / 4]);
}

/* Runs one case a number of times and nothing else: for a tool that counts instructions. */
static int run_only(const char *name, long batches)
{
    for (int k = 0; k < CASES; k++)
        if (strcmp(cases[k].name, name) == 0) {
            for (long i = 0; i < batches; i++)
                cases[k].run();
            return 0;
        }
    return 2;
}

int main(int argc, char **argv)
{
    int json = argc > 1 && strcmp(argv[1], "--json") == 0;
    prof_options options = PROF_OPTIONS_INIT;
    prof_error err = PROF_ERROR_INIT;
    options.flags = PROF_NO_FILES;
    for (int i = 0; i < 16; i++) {
        snprintf(nest_names[i], sizeof(nest_names[i]), "nest %d", i);
        nest_sites[i] = (prof_site)PROF_SITE_INIT(nest_names[i], "scope_bench.c", (uint32_t)i, 0u);
    }
    if (prof_start(&options, &err) != PROF_OK) {
        fprintf(stderr, "scope_bench: %s\n", err.message);
        return 1;
    }
    if (argc == 4 && strcmp(argv[1], "--only") == 0)
        return run_only(argv[2], atol(argv[3]));
    for (int round = -3; round < ROUNDS; round++)
        for (int k = 0; k < CASES; k++) {
            double ns = time_case(k);
            if (round >= 0)
                spent[k][round] = ns;
        }
    for (int k = 0; k < CASES; k++)
        for (int round = 0; round < ROUNDS; round++)
            ratio[k][round] = spent[k][round] / spent[0][round];
    if (!json)
        printf("%-34s %8s %9s   %s\n", "", "ns", "ratio", "middle half");
    for (int k = CASES - 1; k >= 0; k--)
        print_case(cases[CASES - 1 - k].name, spent[CASES - 1 - k], ratio[CASES - 1 - k], json);
    print_threads(json);
    return 0;
}
