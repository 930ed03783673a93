/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What recording costs the slowest requests of a real service.
 *
 * Method: the example service's encoder and index answer questions
 * (embed_query and search) on one worker thread.  Its capacity is measured
 * with one request behind the other; then requests arrive at half of it,
 * whether or not those before are done, at random intervals.  A request's
 * latency runs from the instant at which it was to arrive, so that waiting
 * behind a slow one counts.
 *
 * Three arms take turns in blocks of some hundred requests: on (recording),
 * off and off again (stopped, the macros compiled in).  A round is one block
 * of each, in an order drawn anew, under the same arrivals and questions.
 * What on - off says is worth what off - off, where nothing differs, says of
 * the machine: both are printed with their bootstrap intervals.
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <profcore/prof.h>

#include "answer.h"
#include "documents.h"
#include "tail_report.h"
#include "threads.h"

enum { WARM_UP = 50, CAPACITY_REQUESTS = 300 };

typedef struct settings {
    const char *models, *documents, *index, *json, *samples;
    unsigned long requests, block, instructions, plant_us, document_count;
    double load;
    uint64_t seed;
} settings;

typedef struct bench {
    settings asked;
    service served;
    documents read;
    const text_list *questions;
    /* A block, from the generator to the worker and back. */
    sem_t arrived, done;
    uint64_t *arrival_ns, *latency_ns;
    size_t first_question, taken;
    uint64_t plant_ns;
    int is_over, has_failed;
    tail_run run;
} bench;

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "tail_bench: %s: %s\n", what, why);
    return -1;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
    const struct timespec when = { (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == EINTR)
        continue;
}

/* ---- the service ---- */

static int open_service(bench *b)
{
    const settings *const s = &b->asked;
    prof_error err = PROF_ERROR_INIT;
    char encoder_folder[4096];
    snprintf(encoder_folder, sizeof(encoder_folder), "%s/minilm", s->models);
    prof_status status = threads_apply(1, &err);
    if (status == PROF_OK)
        status = s->documents != NULL ? documents_read(s->documents, &b->read, &err)
                                      : documents_read_wordnet(NULL, s->document_count, &b->read, &err);
    if (status == PROF_OK)
        status = encoder_open(encoder_folder, "cpu", &b->served.encoder, &err);
    if (status == PROF_OK)
        status = passage_index_open(b->served.encoder, &b->read.passages, s->index, 32, &b->served.index, &err);
    if (status != PROF_OK)
        return fail("the service does not open", err.message);
    b->served.passages = &b->read.passages;
    b->served.top = 5;
    b->questions = b->read.questions.count > 0 ? &b->read.questions : &b->read.passages;
    return 0;
}

static void close_service(bench *b)
{
    passage_index_close(b->served.index);
    encoder_close(b->served.encoder);
    documents_fini(&b->read);
}

static int answer_one(bench *b, size_t question)
{
    static answer made; /* one worker */
    prof_error err = PROF_ERROR_INIT;
    const text_span asked = text_list_at(b->questions, question % b->questions->count);
    const prof_status status = answer_question(&b->served, asked, &made, &err);
    answer_fini(&made);
    return status == PROF_OK ? 0 : fail("a request failed", err.message);
}

static int recording(int is_wanted)
{
    prof_options options = PROF_OPTIONS_INIT;
    prof_error err = PROF_ERROR_INIT;
    options.flags = PROF_NO_FILES;
    if ((is_wanted ? prof_start(&options, &err) : prof_stop(&err)) != PROF_OK)
        return fail(is_wanted ? "recording does not start" : "recording does not stop", err.message);
    if ((__atomic_load_n(&prof_active, __ATOMIC_RELAXED) != 0) != is_wanted)
        return fail("recording", "PROFCORE is set in the environment: it decides, and both arms would be the same");
    return 0;
}

/* ---- load ---- */

static void *worker(void *argument)
{
    bench *const b = argument;
    for (;;) {
        while (sem_wait(&b->arrived) != 0)
            continue;
        if (b->is_over)
            return NULL;
        const size_t number = b->taken++;
        if (answer_one(b, b->first_question + number) != 0)
            b->has_failed = 1;
        for (const uint64_t begin = b->plant_ns > 0 ? now_ns() : 0; b->plant_ns > 0 && now_ns() - begin < b->plant_ns;)
            continue;
        b->latency_ns[number] = now_ns() - b->arrival_ns[number];
        sem_post(&b->done);
    }
}

/* Lets a block of requests arrive, waits for the last answer, and keeps the latencies. */
static int run_block(bench *b, int arm, uint32_t round, const uint64_t *gap_ns)
{
    const size_t count = b->asked.block;
    tail_arm *const kept = &b->run.arms[arm];
    if (arm == ON && recording(1) != 0)
        return -1;
    b->plant_ns = arm == ON ? b->asked.plant_us * 1000u : 0;
    b->first_question = (size_t)round * count;
    b->taken = 0;
    uint64_t at = now_ns() + 5000000u;
    for (size_t i = 0; i < count; i++)
        b->arrival_ns[i] = at += gap_ns[i];
    for (size_t i = 0; i < count; i++) {
        sleep_until(b->arrival_ns[i]);
        sem_post(&b->arrived);
    }
    for (size_t i = 0; i < count; i++)
        while (sem_wait(&b->done) != 0)
            continue;
    if (arm == ON && recording(0) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        kept->samples[kept->count++] = (tail_sample){ b->latency_ns[i], round };
    return b->has_failed ? -1 : 0;
}

static int run_rounds(bench *b)
{
    uint64_t state = b->asked.seed;
    uint64_t *const gap_ns = calloc(b->asked.block, sizeof(*gap_ns));
    int status = gap_ns != NULL ? 0 : fail("load", "no memory");
    for (uint32_t round = 0; round < b->run.rounds && status == 0; round++) {
        int order[ARMS] = { ON, OFF, OFF_AGAIN };
        for (int i = ARMS - 1; i > 0; i--) {
            const int other = (int)(tail_random(&state) % (unsigned)(i + 1)), kept = order[i];
            order[i] = order[other];
            order[other] = kept;
        }
        for (size_t i = 0; i < b->asked.block; i++) {
            const double uniform = ((double)(tail_random(&state) >> 11) + 1.0) * 0x1p-53;
            gap_ns[i] = (uint64_t)(-log(uniform) * b->run.service_ns / b->asked.load);
        }
        for (int i = 0; i < ARMS && status == 0; i++)
            status = run_block(b, order[i], round, gap_ns);
        if (isatty(STDERR_FILENO))
            fprintf(stderr, "\rround %u of %u%s", round + 1, b->run.rounds, round + 1 < b->run.rounds ? "" : "\n");
    }
    free(gap_ns);
    return status;
}

/* One request behind the other, off. */
static int measure_capacity(bench *b)
{
    uint64_t begin = 0;
    for (size_t i = 0; i < WARM_UP + CAPACITY_REQUESTS; i++) {
        if (i == WARM_UP)
            begin = now_ns();
        if (answer_one(b, i) != 0)
            return -1;
    }
    b->run.service_ns = (double)(now_ns() - begin) / CAPACITY_REQUESTS;
    return 0;
}

static int run_load(bench *b)
{
    pthread_t thread;
    if (sem_init(&b->arrived, 0, 0) != 0 || sem_init(&b->done, 0, 0) != 0 ||
        pthread_create(&thread, NULL, worker, b) != 0)
        return fail("load", "no thread");
    const int status = run_rounds(b);
    b->is_over = 1;
    sem_post(&b->arrived);
    pthread_join(thread, NULL);
    return status;
}

/* ---- instructions: for valgrind's callgrind, which collects inside these two functions only ---- */

__attribute__((noinline, noclone)) static int requests_on(bench *b, size_t question)
{
    return answer_one(b, question);
}

__attribute__((noinline, noclone)) static int requests_off(bench *b, size_t question)
{
    int status = answer_one(b, question);
    __asm__ volatile("" : "+r"(status)); /* another body than requests_on, or the linker may fold them */
    return status;
}

static int counted_request(bench *b, size_t question, int is_on)
{
    if (!is_on)
        return requests_off(b, question);
    return recording(1) != 0 || requests_on(b, question) != 0 ? -1 : recording(0);
}

/* Each question is answered twice before it counts: libtorch prepares for its length, the profiler for its scopes. */
static int run_for_callgrind(bench *b)
{
    for (size_t i = 0; i < b->asked.instructions; i++) {
        const int is_on_first = i % 2 == 0;
        if (recording(1) != 0 || answer_one(b, i) != 0 || recording(0) != 0 || answer_one(b, i) != 0 ||
            counted_request(b, i, is_on_first) != 0 || counted_request(b, i, !is_on_first) != 0)
            return -1;
    }
    return 0;
}

/* ---- all of it ---- */

static int write_files(const bench *b, const tail_result *found)
{
    const char *const paths[2] = { b->asked.json, b->asked.samples };
    for (int i = 0; i < 2; i++) {
        FILE *const out = paths[i] != NULL ? fopen(paths[i], "w") : NULL;
        if (paths[i] == NULL)
            continue;
        if (out == NULL)
            return fail(paths[i], strerror(errno));
        if (i == 0)
            tail_write_json(out, &b->run, found);
        else
            tail_write_samples(out, &b->run);
        if (fclose(out) != 0)
            return fail(paths[i], strerror(errno));
    }
    return 0;
}

static int run_bench(bench *b)
{
    static tail_result found;
    const settings *const s = &b->asked;
    b->run.rounds = (uint32_t)((s->requests + s->block - 1) / s->block);
    b->run.block = s->block;
    b->run.documents = b->read.passages.count;
    b->run.planted_us = s->plant_us;
    b->run.seed = s->seed;
    b->run.load = s->load;
    b->arrival_ns = calloc(s->block, sizeof(*b->arrival_ns));
    b->latency_ns = calloc(s->block, sizeof(*b->latency_ns));
    for (int arm = 0; arm < ARMS; arm++)
        b->run.arms[arm].samples = calloc((size_t)b->run.rounds * s->block, sizeof(tail_sample));
    if (b->arrival_ns == NULL || b->latency_ns == NULL || b->run.arms[ON].samples == NULL || b->run.arms[OFF].samples == NULL ||
        b->run.arms[OFF_AGAIN].samples == NULL)
        return fail("load", "no memory");
    if (measure_capacity(b) != 0)
        return -1;
    printf("capacity %.1f requests/s (%.2f ms each, one worker); offered %.1f/s; %u rounds of %d blocks of %lu: about %.0f s\n\n",
           1e9 / b->run.service_ns, b->run.service_ns / 1e6, 1e9 / b->run.service_ns * s->load, b->run.rounds, ARMS, s->block,
           (double)b->run.rounds * ARMS * (double)s->block * b->run.service_ns / s->load / 1e9);
    fflush(stdout);
    if (run_load(b) != 0)
        return -1;
    if (tail_evaluate(&b->run, &found) != 0)
        return fail("evaluation", "no memory");
    tail_print(&b->run, &found);
    return write_files(b, &found);
}

static int usage(void)
{
    fputs("usage: tail_bench --models FOLDER --index FOLDER [option…]\n"
          "  --requests N      of each arm (10000)\n"
          "  --block N         requests of one arm in a row (250)\n"
          "  --load SHARE      of the measured capacity (0.5)\n"
          "  --documents FILE  instead of WordNet's; the questions are then its lines\n"
          "  --count N         documents of WordNet's (1000)\n"
          "  --json FILE, --samples FILE  write the result, each request's latency\n"
          "  --seed N          of arrivals and orders (1)\n"
          "  --plant US        adds so many microseconds to each request of `on`: is it found?\n"
          "  --instructions N  only N requests on and N off, for tests/bench/tail --instructions\n",
          stderr);
    return 2;
}

static unsigned long number(const char *text)
{
    char *end = NULL;
    const unsigned long value = strtoul(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && value <= 100000000u ? value : 0;
}

static int read_settings(int argc, char **argv, settings *s)
{
    static const struct option known[] = {
        { "models", 1, NULL, 'm' },   { "index", 1, NULL, 'i' },   { "requests", 1, NULL, 'r' }, { "block", 1, NULL, 'b' },
        { "load", 1, NULL, 'l' },     { "documents", 1, NULL, 'd' }, { "count", 1, NULL, 'c' },  { "json", 1, NULL, 'j' },
        { "samples", 1, NULL, 's' },  { "seed", 1, NULL, 'e' },    { "plant", 1, NULL, 'p' },    { "instructions", 1, NULL, 'n' },
        { NULL, 0, NULL, 0 },
    };
    int option;
    *s = (settings){ .requests = 10000, .block = 250, .load = 0.5, .document_count = 1000, .seed = 1 };
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
        switch (option) {
        case 'm': s->models = optarg; break;
        case 'i': s->index = optarg; break;
        case 'd': s->documents = optarg; break;
        case 'j': s->json = optarg; break;
        case 's': s->samples = optarg; break;
        case 'l': s->load = strtod(optarg, NULL); break;
        case 'r': s->requests = number(optarg); break;
        case 'b': s->block = number(optarg); break;
        case 'c': s->document_count = number(optarg); break;
        case 'e': s->seed = number(optarg); break;
        case 'p': s->plant_us = number(optarg); break;
        case 'n': s->instructions = number(optarg); break;
        default: return -1;
        }
    return optind == argc && s->models != NULL && s->index != NULL && s->requests > 0 && s->block > 0 &&
                   s->document_count > 0 && s->load > 0.0 && s->load < 1.0
               ? 0
               : -1;
}

int main(int argc, char **argv)
{
    static bench b;
    if (read_settings(argc, argv, &b.asked) != 0)
        return usage();
    threads_prepare(1, argv);
    const int status = open_service(&b) != 0 ? -1 : b.asked.instructions > 0 ? run_for_callgrind(&b) : run_bench(&b);
    for (int arm = 0; arm < ARMS; arm++)
        free(b.run.arms[arm].samples);
    free(b.arrival_ns);
    free(b.latency_ns);
    close_service(&b);
    return status == 0 ? 0 : 1;
}
