/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service to make pictures of: requests that wait in a queue, are encoded
 * on one thread and answered on another, one of them slow for want of a warm
 * cache.  What takes time sleeps, so that pictures from any machine resemble each other.
 */
#define _GNU_SOURCE
#include <profcore/events.h>

#include <pthread.h>
#include <stdint.h>
#include <time.h>

enum { REQUESTS = 40, SLOW = 27, LAYERS = 6 };

typedef struct request {
    uint64_t number;
    prof_span whole;
} request;

/* A queue with one place for each request: nobody waits for room. */
typedef struct queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    request *places[REQUESTS];
    unsigned put, taken;
} queue;

static queue to_encode = { .lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER };
static queue to_answer = { .lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER };
static queue answered = { .lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER };

static void work(unsigned us)
{
    const struct timespec pause = { us / 1000000, (long)(us % 1000000) * 1000 };
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

static void put(queue *q, request *r)
{
    pthread_mutex_lock(&q->lock);
    q->places[q->put++] = r;
    pthread_cond_signal(&q->filled);
    pthread_mutex_unlock(&q->lock);
}

static request *take(queue *q)
{
    pthread_mutex_lock(&q->lock);
    while (q->taken == q->put)
        pthread_cond_wait(&q->filled, &q->lock);
    request *r = q->places[q->taken++];
    pthread_mutex_unlock(&q->lock);
    return r;
}

static void layer(unsigned us)
{
    PROF_SCOPE("layer") {
        PROF_SCOPE("attention")
            work(us);
        PROF_SCOPE("feed_forward")
            work(us / 2);
    }
}

static void encode(const request *r)
{
    PROF_SCOPE("encode") {
        PROF_SCOPE("tokenize")
            work(600 + (unsigned)(r->number % 5) * 200);
        for (unsigned i = 0; i < LAYERS; i++)
            layer(400 + (unsigned)(r->number % 7) * 60);
    }
}

static void search_index(const request *r)
{
    PROF_SCOPE("search_index") {
        if (r->number == SLOW)
            PROF_SCOPE("read_cold_pages")
                work(40000);
        work(1500);
    }
}

static void answer(const request *r)
{
    PROF_SCOPE("answer") {
        search_index(r);
        for (unsigned token = 0; token < 4 + r->number % 5; token++)
            PROF_SCOPE("generate_token")
                layer(450);
    }
}

static void *serve_encode(void *unused)
{
    (void)unused;
    for (;;) {
        request *r = take(&to_encode);
        prof_request before = prof_request_begin((prof_request){ r->number, 0 });
        encode(r);
        prof_request_end(before);
        put(&to_answer, r);
    }
    return NULL;
}

static void *serve_answer(void *unused)
{
    (void)unused;
    for (;;) {
        request *r = take(&to_answer);
        prof_request before = prof_request_begin((prof_request){ r->number, 0 });
        answer(r);
        prof_span_end(r->whole, NULL, 0);
        prof_request_end(before);
        put(&answered, r);
    }
    return NULL;
}

int main(void)
{
    static request requests[REQUESTS];
    pthread_t encoder, answerer;
    prof_site *site = NULL;
    if (prof_site_get("request", 7, "picture_main.c", 1, 0, &site, NULL) != PROF_OK ||
        pthread_create(&encoder, NULL, serve_encode, NULL) != 0 || pthread_create(&answerer, NULL, serve_answer, NULL) != 0)
        return 1;
    pthread_setname_np(encoder, "encoder");
    pthread_setname_np(answerer, "answerer");
    for (unsigned i = 0; i < REQUESTS; i++) {
        requests[i] = (request){ .number = i + 1, .whole = prof_span_begin(site) };
        put(&to_encode, &requests[i]);
        work(32000);
    }
    for (unsigned i = 0; i < REQUESTS; i++)
        take(&answered);
    return 0;
}
