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
 * call tree, histogram and event ring on; inline_bench.c has the cases that
 * inline the hot path.
 *
 *   scope_bench [--json FILE] [--instructions FILE]
 *   scope_bench --only NAME BATCHES    one case and nothing else
 *   scope_bench --measure NAME         its nanoseconds, and its ratio to the bare reads
 *
 * FILE of --instructions: lines "NAME COUNT", put into the table and the JSON.
 */
#include "scope_bench.h"

#include <profcore/memory.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { ROUNDS = 301 };

static prof_site flat_site = PROF_SITE_INIT("flat", "scope_bench.c", 1, 0);
static prof_site phase_sites[2] = { PROF_SITE_INIT("phase 0", "scope_bench.c", 2, 0),
                                    PROF_SITE_INIT("phase 1", "scope_bench.c", 3, 0) };
static prof_site sampled_site = PROF_SITE_INIT("sampled", "scope_bench.c", 4, PROF_SITE_SAMPLED);
static prof_site rss_site = PROF_SITE_INIT("rss", "scope_bench.c", 5, PROF_SITE_RSS);
static prof_site pool_site = PROF_SITE_INIT("pool", "scope_bench.c", 6, PROF_SITE_POOLS);
prof_site bench_nest_sites[16];
static char nest_names[16][8];

/* ---- the cases: each does BATCH scopes ---- */

static void two_reads(void)
{
    for (int i = 0; i < BATCH; i++) {
        uint64_t a = bench_ticks();
        KEEP(a);
        uint64_t b = bench_ticks();
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

static void nested(void)
{
    for (int i = 0; i < BATCH / 4; i++) {
        prof_scope a = prof_begin(&bench_nest_sites[0]), b = prof_begin(&bench_nest_sites[1]);
        prof_scope c = prof_begin(&bench_nest_sites[2]), d = prof_begin(&bench_nest_sites[3]);
        prof_end(d);
        prof_end(c);
        prof_end(b);
        prof_end(a);
    }
}

static void sites(void)
{
    for (int i = 0; i < BATCH / 16; i++)
        for (int k = 0; k < 16; k += 4) {
            prof_scope a = prof_begin(&bench_nest_sites[k]), b = prof_begin(&bench_nest_sites[k + 1]);
            prof_scope c = prof_begin(&bench_nest_sites[k + 2]), d = prof_begin(&bench_nest_sites[k + 3]);
            prof_end(d);
            prof_end(c);
            prof_end(b);
            prof_end(a);
        }
}

static void phase(void)
{
    prof_scope scope = prof_begin(&phase_sites[0]);
    for (int i = 0; i < BATCH / 2; i++) {
        scope = prof_phase(scope, &phase_sites[1]);
        scope = prof_phase(scope, &phase_sites[0]);
    }
    prof_end(scope);
}

static void sampled(void)
{
    for (int i = 0; i < BATCH; i++)
        prof_end(prof_begin(&sampled_site));
}

static void rss(void)
{
    for (int i = 0; i < BATCH / 50; i++)
        prof_end(prof_begin(&rss_site));
}

/* From its first use on all new sites measure it: so after all others, see cases[]. */
static prof_pool *pool(void)
{
    static prof_pool *found;
    if (found == NULL)
        prof_pool_open("bench", &found, NULL);
    return found;
}

static void pool_changes(void)
{
    prof_pool *gpu = pool();
    for (int i = 0; i < BATCH / 20; i++) {
        prof_pool_change(gpu, 512, 0);
        prof_pool_change(gpu, -512, 0);
    }
}

static void pool_scopes(void)
{
    pool();
    for (int i = 0; i < BATCH / 20; i++)
        prof_end(prof_begin(&pool_site));
}

static void macro(void)
{
    for (int i = 0; i < BATCH; i++) {
        PROF_BLOCK("macro");
    }
}

static void stopped(void)
{
    for (int i = 0; i < BATCH; i++) {
        PROF_BLOCK("stopped");
        KEEP(i);
    }
}

static void empty_loop(void)
{
    for (int i = 0; i < BATCH; i++)
        KEEP(i);
}

static const struct bench_case {
    const char *name;
    const char *what;
    void (*run)(void);
    double scopes; /* in a batch */
    int is_stopped; /* run between a stop and a start */
} cases[] = {
    { "two_reads", "two bare clock reads: the unit", two_reads, BATCH, 0 },
    { "two_clock_gettime", "two clock_gettime(CLOCK_MONOTONIC)", two_monotonic_reads, BATCH, 0 },
    { "flat", "prof_begin + prof_end, one site", flat, BATCH, 0 },
    { "nested", "four sites nested", nested, BATCH, 0 },
    { "sites", "sixteen sites, four deep in turn", sites, BATCH, 0 },
    { "phase", "prof_phase", phase, BATCH, 0 },
    { "inline_flat", "PROF_INLINE, one site", bench_inline_flat, BATCH, 0 },
    { "inline_nested", "PROF_INLINE, four sites nested", bench_inline_nested, BATCH, 0 },
    { "macro", "PROF_BLOCK", macro, BATCH, 0 },
    { "sampled", "PROF_SITE_SAMPLED, one in 128 timed", sampled, BATCH, 0 },
    { "rss", "PROF_SITE_RSS: with resident memory", rss, BATCH / 50, 0 },
    { "stopped", "PROF_BLOCK while stopped", stopped, BATCH, 1 },
    { "stopped_calls", "prof_begin + prof_end while stopped", flat, BATCH, 1 },
    { "disabled", "PROF_BLOCK with PROF_DISABLE", bench_disabled, BATCH, 0 },
    { "empty_loop", "the loop around the three above", empty_loop, BATCH, 0 },
    { "pool_change", "two prof_pool_change(): an allocation and its free", pool_changes, BATCH / 20, 0 },
    { "pool_scope", "PROF_SITE_POOLS: with a pool's levels", pool_scopes, BATCH / 20, 0 },
#if defined(BENCH_LTTNG)
    { "lttng", "peer: LTTng-UST, two trace points (timeline)", bench_lttng, BATCH, 0 },
#endif
#if defined(BENCH_MICROPROFILE)
    { "microprofile", "peer: microprofile, enter and leave (frames)", bench_microprofile, BATCH, 0 },
#endif
};
enum { CASES = sizeof(cases) / sizeof(cases[0]), RESULTS_MAX = CASES + 8 };

/* ---- results ---- */

static struct result {
    const char *name, *what;
    double ns, ratio, low, high; /* medians, and the middle half of the ratio */
    double instructions;         /* < 0: not counted */
} results[RESULTS_MAX];
static int result_count;

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void add_result(const char *name, const char *what, double *ns, double *ratios, int count)
{
    qsort(ns, (size_t)count, sizeof(*ns), compare_doubles);
    qsort(ratios, (size_t)count, sizeof(*ratios), compare_doubles);
    results[result_count++] = (struct result){ name, what, ns[count / 2], ratios[count / 2], ratios[count / 4],
                                               ratios[3 * count / 4], -1 };
}

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double time_case(int k)
{
    if (cases[k].is_stopped)
        prof_stop(NULL);
    double begin = now_ns();
    cases[k].run();
    double ns = (now_ns() - begin) / cases[k].scopes;
    if (cases[k].is_stopped)
        prof_start(NULL, NULL);
    return ns;
}

static double spent[CASES][ROUNDS], ratio[CASES][ROUNDS];

static void run_cases(void)
{
    for (int round = -3; round < ROUNDS; round++)
        for (int k = 0; k < CASES; k++) {
            double ns = time_case(k);
            if (round >= 0)
                spent[k][round] = ns;
        }
    for (int k = 0; k < CASES; k++)
        for (int round = 0; round < ROUNDS; round++)
            ratio[k][round] = spent[k][round] / spent[0][round];
    for (int k = CASES - 1; k >= 0; k--) /* the unit is sorted last */
        add_result(cases[k].name, cases[k].what, spent[k], ratio[k], ROUNDS);
    for (int a = 0, b = result_count - 1; a < b; a++, b--) {
        struct result swapped = results[a];
        results[a] = results[b];
        results[b] = swapped;
    }
}

/* ---- two threads against one, in processor time of each: a busy machine that takes a core away does not count ---- */

static pthread_barrier_t barrier;
static double thread_ns[2];

static double thread_cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void *thread_main(void *argument)
{
    double *result = argument;
    flat();
    pthread_barrier_wait(&barrier);
    double begin = thread_cpu_ns();
    for (int i = 0; i < 20; i++)
        flat();
    *result = (thread_cpu_ns() - begin) / (20.0 * BATCH);
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

static void run_two_threads(void)
{
    enum { TRIES = 41 };
    static double pair_ns[TRIES], pair_ratio[TRIES];
    for (int i = 0; i < TRIES; i++) {
        double before = run_threads(1);
        pair_ns[i] = run_threads(2);
        pair_ratio[i] = pair_ns[i] / ((before + run_threads(1)) / 2);
    }
    add_result("two_threads", "two threads at once; ratio to one alone", pair_ns, pair_ratio, TRIES);
}

/* ---- one scope at a time: the tail, and cold caches ---- */

enum { EVICT_BYTES = 64 << 20 };
static unsigned char *evict_memory;

/* Reads more than the caches hold, and runs through more sites than the predictors do. */
static void evict(void)
{
    for (size_t i = 0; i < EVICT_BYTES; i += 64)
        evict_memory[i]++;
}

static double one_scope(double ns_per_tick)
{
    uint64_t begin = bench_ticks();
    KEEP(begin);
    prof_end(prof_begin(&flat_site));
    uint64_t end = bench_ticks();
    return (double)(end - begin) * ns_per_tick;
}

static double one_pair_of_reads(double ns_per_tick)
{
    uint64_t begin = bench_ticks();
    KEEP(begin);
    uint64_t a = bench_ticks();
    KEEP(a);
    uint64_t b = bench_ticks();
    KEEP(b);
    return (double)(bench_ticks() - begin) * ns_per_tick;
}

static double ns_per_tick(void)
{
    double begin_ns = now_ns();
    uint64_t begin = bench_ticks();
    while (now_ns() - begin_ns < 5e7)
        ;
    return (now_ns() - begin_ns) / (double)(bench_ticks() - begin);
}

static void run_cold(double per_tick)
{
    enum { TRIES = 151 };
    static double cold_ns[TRIES], cold_ratio[TRIES];
    evict_memory = mmap(NULL, EVICT_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (evict_memory == MAP_FAILED)
        return;
    for (int i = 0; i < TRIES; i++) {
        evict();
        double reads = one_pair_of_reads(per_tick);
        evict();
        cold_ns[i] = one_scope(per_tick);
        cold_ratio[i] = cold_ns[i] / reads;
    }
    munmap(evict_memory, EVICT_BYTES);
    add_result("cold", "one scope after 64 MiB of other data; ratio to two reads after the same", cold_ns, cold_ratio, TRIES);
}

static double tail_of(double *ns, int count, double share)
{
    qsort(ns, (size_t)count, sizeof(*ns), compare_doubles);
    return ns[(int)((double)count * share)];
}

/* p99.99 of single scopes beside that of bare reads: what the machine itself does at that rank is in both. */
static void run_tail(double per_tick)
{
    enum { TRIES = 2000000, BLOCKS = 9 };
    static double one[TRIES];
    double ns[BLOCKS], ratios[BLOCKS];
    for (int block = 0; block < BLOCKS; block++) {
        for (int i = 0; i < TRIES; i++)
            one[i] = one_pair_of_reads(per_tick);
        double reads = tail_of(one, TRIES, 0.9999);
        for (int i = 0; i < TRIES; i++)
            one[i] = one_scope(per_tick);
        ns[block] = tail_of(one, TRIES, 0.9999);
        ratios[block] = ns[block] / reads;
    }
    add_result("tail", "p99.99 of a scope; ratio to p99.99 of two reads", ns, ratios, BLOCKS);
}

/* ---- NVTX ---- */

static void run_nvtx(const char *program)
{
    enum { TRIES = 15 };
    static double added_ns[TRIES], ratios[TRIES], tool_ns[TRIES], tool_ratios[TRIES];
    if (!bench_nvtx(program, added_ns, ratios, tool_ns, tool_ratios, TRIES))
        return;
    add_result("nvtx_no_tool", "what NVTX adds without a tool; ratio to PROFCORE_NVTX=0", added_ns, ratios, TRIES);
    add_result("nvtx_tool", "flat with a tool that does nothing", tool_ns, tool_ratios, TRIES);
}

/* ---- a GPU ---- */

/* By gpu_bench, in a process of its own, where both that and the fakes are built. */
static void run_gpu(void)
{
    enum { TRIES = 15 };
    static double launch_ns[TRIES], launch_ratios[TRIES], record_ns[TRIES], record_ratios[TRIES];
    const char *program = getenv("BENCH_GPU"), *fakes = getenv("BENCH_GPU_FAKES");
    char command[1200];
    int count = 0;
    if (program == NULL || fakes == NULL)
        return;
    snprintf(command, sizeof(command), "'%s' '%s' %d", program, fakes, (int)TRIES);
    FILE *child = popen(command, "r");
    while (child != NULL && count < TRIES && fscanf(child, "%lf %lf %lf %lf", &launch_ns[count], &launch_ratios[count],
                                                    &record_ns[count], &record_ratios[count]) == 4)
        count++;
    if (child == NULL || pclose(child) != 0 || count != TRIES)
        return;
    add_result("gpu_launch", "a scope with a launch, GPU work traced; ratio to not traced", launch_ns, launch_ratios, TRIES);
    add_result("gpu_record", "its record, when it comes back; ratio to that scope not traced", record_ns, record_ratios, TRIES);
}

/* ---- output ---- */

static void read_instructions(const char *path)
{
    char name[64];
    double count;
    FILE *file = fopen(path, "r");
    while (file != NULL && fscanf(file, "%63s %lf", name, &count) == 2)
        for (int i = 0; i < result_count; i++)
            if (strcmp(results[i].name, name) == 0)
                results[i].instructions = count;
    if (file != NULL)
        fclose(file);
}

static void print_table(void)
{
    printf("%-18s %10s %9s  %-18s %6s\n", "", "ns", "ratio", "middle half", "instr");
    for (int i = 0; i < result_count; i++) {
        const struct result *r = &results[i];
        printf("%-18s %10.2f %9.3f  %.3f to %.3f   ", r->name, r->ns, r->ratio, r->low, r->high);
        if (r->instructions >= 0)
            printf("%6.1f", r->instructions);
        else
            printf("%6s", "");
        printf("   %s\n", r->what);
    }
}

static int write_json(const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        perror(path);
        return 0;
    }
    fprintf(file, "{\"schema\": \"profcore.cost/1\", \"results\": [");
    for (int i = 0; i < result_count; i++) {
        const struct result *r = &results[i];
        fprintf(file, "%s\n  {\"name\": \"%s\", \"ns\": %.3f, \"ratio\": %.4f, \"ratio_q1\": %.4f, \"ratio_q3\": %.4f, "
                      "\"instructions\": ", i ? "," : "", r->name, r->ns, r->ratio, r->low, r->high);
        if (r->instructions >= 0)
            fprintf(file, "%.1f}", r->instructions);
        else
            fprintf(file, "null}");
    }
    fprintf(file, "\n]}\n");
    return fclose(file) == 0;
}

/* A machine on which the middle half of a plain ratio is wider than this cannot tell a hundredth. */
static void warn_if_noisy(void)
{
    for (int i = 0; i < result_count; i++)
        if ((strcmp(results[i].name, "flat") == 0 || strcmp(results[i].name, "two_threads") == 0) &&
            results[i].high - results[i].low > 0.03 * results[i].ratio)
            printf("warning: this machine is too noisy just now to tell %s: its middle half is %.3f to %.3f\n",
                   results[i].name, results[i].low, results[i].high);
}

/* Runs one case a number of times and nothing else: for a tool that counts instructions. */
static int run_only(const char *name, long batches)
{
    for (int k = 0; k < CASES; k++)
        if (strcmp(cases[k].name, name) == 0) {
            if (cases[k].is_stopped)
                prof_stop(NULL);
            for (long i = 0; i < batches; i++)
                cases[k].run();
            return 0;
        }
    return 2;
}

/* One case beside the bare reads, for a process that measures several of these; first until the ring has been all around. */
static int run_measured(const char *name)
{
    enum { FEW = 51, WARM = 100 };
    for (int k = 1; k < CASES; k++) {
        if (strcmp(cases[k].name, name) != 0)
            continue;
        for (int round = -WARM; round < FEW; round++) {
            double unit = time_case(0), ns = time_case(k);
            spent[k][round < 0 ? 0 : round] = ns;
            ratio[k][round < 0 ? 0 : round] = ns / unit;
        }
        add_result(name, "", spent[k], ratio[k], FEW);
        printf("%.4f %.5f\n", results[0].ns, results[0].ratio);
        return 0;
    }
    return 2;
}

/* The figures are for all of it on: nothing may have been lost to a missing ring or a full region. */
static int everything_was_recorded(void)
{
    prof_stats stats = PROF_STATS_INIT;
    prof_stats_get(&stats, NULL);
    if (stats.lost_count == 0 && stats.event_count > 0)
        return 1;
    fprintf(stderr, "scope_bench: %llu scopes lost, %llu events: not what is to be measured\n",
            (unsigned long long)stats.lost_count, (unsigned long long)stats.event_count);
    return 0;
}

int main(int argc, char **argv)
{
    const char *json = NULL;
    prof_options options = PROF_OPTIONS_INIT;
    prof_error err = PROF_ERROR_INIT;
    options.flags = PROF_NO_FILES;
    for (int i = 0; i < 16; i++) {
        snprintf(nest_names[i], sizeof(nest_names[i]), "nest %d", i);
        bench_nest_sites[i] = (prof_site)PROF_SITE_INIT(nest_names[i], "scope_bench.c", (uint32_t)(10 + i), 0u);
    }
    if (prof_start(&options, &err) != PROF_OK) {
        fprintf(stderr, "scope_bench: %s\n", err.message);
        return 1;
    }
    if (argc == 4 && strcmp(argv[1], "--only") == 0)
        return run_only(argv[2], atol(argv[3]));
    if (argc == 3 && strcmp(argv[1], "--measure") == 0)
        return run_measured(argv[2]);
    double per_tick = ns_per_tick();
    run_cases();
    run_two_threads();
    run_tail(per_tick);
    run_cold(per_tick);
    run_nvtx(argv[0]);
    run_gpu();
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--json") == 0)
            json = argv[i + 1];
        else if (strcmp(argv[i], "--instructions") == 0)
            read_instructions(argv[i + 1]);
    }
    print_table();
    warn_if_noisy();
    return (json == NULL || write_json(json)) && everything_was_recorded() ? 0 : 1;
}
