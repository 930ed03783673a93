/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saves, while exits_shim.c does something to it.
 *
 *     saves_main saves    three saves, the n-th with n calls of each function
 *     saves_main closed   the same while a thread reads every probe; says what the host lost
 *     saves_main stop     records until a save is stuck, then stops
 *     saves_main exit     the same, then ends
 */
#include <profcore/prof.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static uint32_t is_over;

static void work(void)
{
    PROF_FUNCTION_SAVE();
    PROF_SCOPE("step") { }
}

/*
 * Held while a file of /proc is being opened, read and closed: a number that
 * is taken away in that very moment is beyond what any library can see.
 */
extern pthread_mutex_t exits_reading;
pthread_mutex_t exits_reading = PTHREAD_MUTEX_INITIALIZER;

static void *probe(void *unused)
{
    static prof_site site = PROF_SITE_INIT("probed", NULL, 0, PROF_SITE_RSS | PROF_SITE_CPU | PROF_SITE_WAIT |
                                                                  PROF_SITE_FAULTS | PROF_SITE_CGROUP);
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
        pthread_mutex_lock(&exits_reading);
        prof_scope scope = prof_begin(&site);
        pthread_mutex_unlock(&exits_reading);
        usleep(50);
        pthread_mutex_lock(&exits_reading);
        prof_end(scope);
        pthread_mutex_unlock(&exits_reading);
    }
    return unused;
}

static int say(const char *what, prof_status status, const prof_error *err)
{
    printf("%s: %s\n", what, status == PROF_OK ? "ok" : err->message);
    fflush(stdout);
    return status != PROF_OK;
}

static void wait_for_stuck_save(void)
{
    const int *is_stuck = dlsym(RTLD_DEFAULT, "exits_is_stuck");
    while (is_stuck != NULL && !__atomic_load_n(is_stuck, __ATOMIC_ACQUIRE)) {
        work();
        usleep(1000);
    }
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    int is_closed = strcmp(mode, "closed") == 0;
    prof_error err = PROF_ERROR_INIT;
    pthread_t thread;
    if (say("start", prof_start(NULL, &err), &err))
        return 1;
    if (strcmp(mode, "stop") == 0 || strcmp(mode, "exit") == 0) {
        wait_for_stuck_save();
        return strcmp(mode, "stop") == 0 ? say("stop", prof_stop(&err), &err) : 0;
    }
    if (is_closed)
        pthread_create(&thread, NULL, probe, NULL);
    for (int i = 0; i < 2; i++) {
        work();
        say("save", prof_save(&err), &err);
    }
    work();
    if (is_closed) {
        usleep(5000); /* some more readings of the probes */
        __atomic_store_n(&is_over, 1u, __ATOMIC_RELAXED);
        pthread_join(thread, NULL);
    }
    int status = say("stop", prof_stop(&err), &err);
    int (*host_lost)(void) = __extension__(int (*)(void))dlsym(RTLD_DEFAULT, "exits_host_lost");
    printf("lost %d\n", host_lost != NULL ? host_lost() : -1);
    return status;
}
