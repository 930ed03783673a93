/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Libraries that are loaded as soon as the program has another: a runtime's
 * operator source, in a program that knows nothing of it.
 *
 * What the program loads later is looked for by a thread, for nothing tells
 * when a library comes: standing before dlopen() would take from each caller
 * the folders in which its own libraries are looked for.
 */
#include "recorder.h"

#include "../base/error.h"
#include "../base/system.h"
#include <profcore/operators.h>

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MOST = 8, LOOK_EVERY_MS = 10 };

typedef struct companion {
    char runtime[128], source[PATH_MAX];
    int is_over; /* loaded, or cannot be */
} companion;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all that follows */
static companion companions[MOST];
static unsigned count;
static int is_watching;
static sem_t wake;

static int is_loaded(const char *library)
{
    void *found = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
    if (found != NULL)
        dlclose(found);
    return found != NULL;
}

/* What has the same name up to ".so", and another version behind it. */
typedef struct relative {
    const char *wanted;
    char path[300];
} relative;

static int note_relative(struct dl_phdr_info *library, size_t size, void *user)
{
    relative *other = user;
    const char *slash = strrchr(library->dlpi_name, '/'), *name = slash != NULL ? slash + 1 : library->dlpi_name;
    const char *end = strstr(other->wanted, ".so");
    size_t bytes = end != NULL ? (size_t)(end - other->wanted) + 3 : strlen(other->wanted);
    (void)size;
    if (strncmp(name, other->wanted, bytes) != 0 || (name[bytes] != '\0' && name[bytes] != '.'))
        return 0;
    snprintf(other->path, sizeof(other->path), "%s", library->dlpi_name);
    return 1;
}

/* Loads it if its time has come; PROF_OK also where it has not. */
static prof_status look(companion *one, prof_error *err)
{
    relative other = { .wanted = one->runtime };
    if (!is_loaded(one->runtime)) {
        if (dl_iterate_phdr(note_relative, &other) == 0 || is_loaded(one->runtime))
            return PROF_OK;
        one->is_over = 1;
        return profi_fail(err, PROF_E_UNSUPPORTED, "\"%.200s\" is for %s, and the program has loaded %s", one->source, one->runtime,
                          other.path);
    }
    one->is_over = 1;
    if (dlopen(one->source, RTLD_NOW | RTLD_LOCAL) != NULL)
        return PROF_OK;
    const char *why = dlerror();
    return profi_fail(err, PROF_E_UNAVAILABLE, "\"%.200s\" cannot be loaded: %.250s", one->source, why != NULL ? why : "for no stated reason");
}

/* The first that is neither loaded nor refused, from `from` on; MOST where there is none. */
static unsigned next_waiting(unsigned from)
{
    pthread_mutex_lock(&lock);
    while (from < count && companions[from].is_over)
        from++;
    if (from == count)
        from = MOST;
    pthread_mutex_unlock(&lock);
    return from;
}

static void *watch_main(void *unused)
{
    (void)unused;
    for (profi_wake woken = PROFI_WAKE_POSTED; woken != PROFI_WAKE_ALONE;) {
        struct timespec due;
        for (unsigned i = next_waiting(0); i < MOST; i = next_waiting(i + 1)) {
            prof_error why = PROF_ERROR_INIT;
            if (look(&companions[i], &why) != PROF_OK) /* without the lock: what is loaded may call in here */
                profi_notice("%s", why.message);
        }
        clock_gettime(CLOCK_MONOTONIC, &due);
        due.tv_nsec += LOOK_EVERY_MS * 1000000;
        due.tv_sec += due.tv_nsec / 1000000000;
        due.tv_nsec %= 1000000000;
        woken = profi_thread_sleep(&wake, next_waiting(0) < MOST ? &due : NULL);
    }
    return NULL;
}

/* Under the lock. */
static prof_status watch(const companion *one, prof_error *err)
{
    if (count == MOST)
        return profi_fail(err, PROF_E_LIMIT, "more than %d libraries wait for others", MOST);
    prof_status status = is_watching ? PROF_OK
                                     : profi_thread_spawn_waiting(&wake, watch_main, "profcore-load", "loads operator sources", err);
    if (status != PROF_OK)
        return status;
    companions[count++] = *one;
    if (is_watching)
        sem_post(&wake);
    is_watching = 1;
    return PROF_OK;
}

prof_status prof_operators_load_with(const char *runtime_library, const char *source_library, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    companion one = { .is_over = 0 };
    if (runtime_library == NULL || source_library == NULL || runtime_library[0] == '\0' || source_library[0] == '\0')
        return profi_fail(err, PROF_E_INVALID, "prof_operators_load_with: %s library has no name",
                          runtime_library && runtime_library[0] ? "the source's" : "the runtime's");
    if (strlen(runtime_library) >= sizeof(one.runtime) || strlen(source_library) >= sizeof(one.source))
        return profi_fail(err, PROF_E_INVALID, "prof_operators_load_with: a name of more than %zu bytes: \"%.80s...\"",
                          (strlen(source_library) >= sizeof(one.source) ? sizeof(one.source) : sizeof(one.runtime)) - 1,
                          strlen(source_library) >= sizeof(one.source) ? source_library : runtime_library);
    strcpy(one.runtime, runtime_library);
    strcpy(one.source, source_library);
    prof_status status = look(&one, err);
    if (status != PROF_OK || one.is_over)
        return status;
    pthread_mutex_lock(&lock);
    status = watch(&one, err);
    pthread_mutex_unlock(&lock);
    return status;
}

/* The thread was the parent's; who waited does no more. */
void profi_companions_forget(void)
{
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    is_watching = 0;
    count = 0;
}
