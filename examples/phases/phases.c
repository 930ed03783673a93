/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The phases of requests, from one thread to another: PROFCORE=1 ./phases
 *
 * A server of language models without a model: what one would compute is
 * slept.  Requests come in faster than the one thread that answers takes them
 * up, so each waits longer than the one before it.
 */
#include <profcore/events.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <unistd.h>

enum { REQUESTS = 40, TOKENS = 25, ARRIVAL_US = 5000, PREFILL_US = 2000, TOKEN_US = 100 };

typedef struct request {
    prof_span phase, token;
} request;

static request requests[REQUESTS];
static sem_t waiting; /* how many of them came in and were not taken up */

static void answer(request *r)
{
    PROF_FUNCTION();
    PROF_SPAN_PHASE(r->phase, "prefill");
    usleep(PREFILL_US);
    PROF_SPAN_PHASE(r->phase, "decode");
    for (int i = 0; i < TOKENS; i++) {
        usleep(TOKEN_US);
        PROF_SPAN_PHASE(r->token, "time between tokens"); /* the first time it ends the time to the first token */
        PROF_ITEMS_UNIT(1, "tokens");
    }
    PROF_SPAN_END(r->phase); /* and not r->token: behind the last token comes none */
}

static void *serve(void *unused)
{
    for (int i = 0; i < REQUESTS; i++) {
        sem_wait(&waiting);
        answer(&requests[i]);
    }
    return unused;
}

int main(void)
{
    pthread_t server;
    if (sem_init(&waiting, 0, 0) != 0 || pthread_create(&server, NULL, serve, NULL) != 0)
        return 1;
    for (int i = 0; i < REQUESTS; i++) {
        requests[i].phase = PROF_SPAN_BEGIN("queue wait");
        requests[i].token = PROF_SPAN_BEGIN("time to first token");
        sem_post(&waiting);
        usleep(ARRIVAL_US);
    }
    pthread_join(server, NULL);
    printf("%d requests were answered with %d tokens each\n", REQUESTS, TOKENS);
    return 0;
}
