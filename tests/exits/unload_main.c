/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens and closes two libraries with sites, in turn, while threads record in
 * code that stays, and says what it did.
 *
 *     unload_main TIMES PLUGIN_A PLUGIN_B LIBPROFCORE
 */
#include "plugin.h"

#include <profcore/prof.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 2, CALLS = 3 };

static uint32_t is_over;

static void *record(void *count)
{
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED))
        for (int i = 0; i < 1000; i++, ++*(uint64_t *)count) {
            PROF_BLOCK("stays");
            PROF_SCOPE("stays_inner") { }
        }
    return NULL;
}

/* Opens one, works in it and closes it; where it lay. */
static const void *visit(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        printf("%s\n", dlerror());
        exit(1);
    }
    const plugin_functions *found = dlsym(library, "plugin");
    PROF_BLOCK("visit");
    found->work(CALLS);
    found->leave_open();
    dlclose(library);
    return found;
}

int main(int argc, char **argv)
{
    int times = argc > 4 ? atoi(argv[1]) : 0, same = 0;
    pthread_t threads[THREADS];
    uint64_t counts[THREADS] = { 0 };
    prof_error err = PROF_ERROR_INIT;
    if (times == 0 || prof_start(NULL, &err) != PROF_OK)
        return 1;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, record, &counts[i]);
    for (int i = 0; i < times; i++) {
        same += visit(argv[2]) == visit(argv[3]);
        if (i % 100 == 50 && prof_save(&err) != PROF_OK)
            printf("%s\n", err.message);
    }
    __atomic_store_n(&is_over, 1u, __ATOMIC_RELAXED);
    uint64_t stays = 0;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        stays += counts[i];
    }
    /* The library itself stays, however often it is closed. */
    void *own = dlopen(argv[4], RTLD_NOW);
    for (int i = 0; i < 5 && own != NULL; i++)
        dlclose(own);
    PROF_SCOPE("after_closing") { }
    printf("{\"visits\": %d, \"same_place\": %d, \"calls\": %d, \"stays\": %llu}\n", times, same, CALLS,
           (unsigned long long)stays);
    return 0;
}
