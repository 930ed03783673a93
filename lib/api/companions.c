/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Libraries that are loaded as soon as the program has another: a runtime's
 * operator source, in a program that knows nothing of it.  And pools of memory
 * that are opened as soon as the program has initialised what owns them.
 *
 * What the program loads later is looked for by a thread, for nothing tells
 * when a library comes: standing before dlopen() would take from each caller
 * the folders in which its own libraries are looked for.
 */
#include "recorder.h"

#include "../base/base.h"
#include "../base/clock.h"
#include "../base/error.h"
#include "../base/system.h"
#include "../record/awaited.h"
#include <profcore/operators.h>

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 8, LOOK_EVERY_NS = 10000000 };

typedef struct companion {
    char runtime[128], source[PATH_MAX];
    uint64_t seen; /* libraries that had ever been loaded when it was looked for last */
    int is_over;   /* it is loaded, or cannot be */
} companion;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all that follows */
static companion companions[MOST];
static unsigned count;
static int is_watching;
static sem_t wake;

/*
 * Held while the loader's list is gone along, which takes a lock of the
 * loader's that a fork leaves to the child as it is.  Not while a library is
 * loaded: a constructor that forks would wait for us, and we for it.
 */
static pthread_mutex_t walk_lock = PTHREAD_MUTEX_INITIALIZER;

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* What the loader's list is searched for. */
typedef struct search {
    const char *wanted;
    uint64_t *seen;     /* how many libraries had ever been loaded at the last look; NULL: look in any case */
    int is_there;
    char relative[300]; /* the path of one with the same name up to ".so" */
} search;

static int look_at(struct dl_phdr_info *library, size_t size, void *user)
{
    search *s = user;
    const char *name = name_of(library->dlpi_name), *end = strstr(s->wanted, ".so");
    size_t bytes = end != NULL ? (size_t)(end - s->wanted) + 3 : strlen(s->wanted);
    if (s->seen != NULL && size >= offsetof(struct dl_phdr_info, dlpi_adds) + sizeof(library->dlpi_adds)) {
        if (*s->seen == library->dlpi_adds)
            return 1; /* none has come since */
        *s->seen = library->dlpi_adds;
        s->seen = NULL;
    }
    s->is_there = strcmp(name, s->wanted) == 0;
    if (!s->is_there && strncmp(name, s->wanted, bytes) == 0 && (name[bytes] == '\0' || name[bytes] == '.'))
        snprintf(s->relative, sizeof(s->relative), "%s", library->dlpi_name);
    return s->is_there;
}

/* Whether there is a library of this name or, by its own word, one whose file has another. */
static int is_loaded(search *s)
{
    pthread_mutex_lock(&walk_lock);
    dl_iterate_phdr(look_at, s);
    pthread_mutex_unlock(&walk_lock);
    if (s->is_there || s->relative[0] == '\0')
        return s->is_there;
    void *found = dlopen(s->wanted, RTLD_LAZY | RTLD_NOLOAD);
    if (found != NULL)
        dlclose(found);
    return found != NULL;
}

/* The program's own copy, if it has one: a second would record each operator twice. */
static int load(const char *source)
{
    return dlopen(name_of(source), RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD) != NULL || dlopen(source, RTLD_NOW | RTLD_LOCAL) != NULL;
}

/* Loads it if its time has come; PROF_OK also where it has not. */
static prof_status look(companion *one, int is_first, prof_error *err)
{
    search s = { .wanted = one->runtime, .seen = is_first ? NULL : &one->seen };
    if (is_loaded(&s)) {
        PROFI_PUT(one->is_over, 1);
        if (load(one->source))
            return PROF_OK;
        const char *why = dlerror();
        return profi_fail(err, PROF_E_UNAVAILABLE, "\"%.200s\" cannot be loaded: %.250s", one->source, why != NULL ? why : "for no stated reason");
    }
    if (s.relative[0] == '\0')
        return PROF_OK;
    PROFI_PUT(one->is_over, 1);
    return profi_fail(err, PROF_E_UNSUPPORTED, "\"%.200s\" is for %s, and the program has loaded %s", one->source, one->runtime, s.relative);
}

/* The first that is neither loaded nor refused, from `from` on; MOST where there is none. */
static unsigned next_waiting(unsigned from)
{
    pthread_mutex_lock(&lock);
    while (from < count && PROFI_GET(companions[from].is_over))
        from++;
    if (from == count)
        from = MOST;
    pthread_mutex_unlock(&lock);
    return from;
}

int profi_companions_are_missing(void) { return next_waiting(0) != MOST; }

static void *watch_main(void *unused)
{
    (void)unused;
    for (profi_wake woken = PROFI_WAKE_POSTED; woken != PROFI_WAKE_ALONE;) {
        for (unsigned i = next_waiting(0); i < MOST; i = next_waiting(i + 1)) {
            prof_error why = PROF_ERROR_INIT;
            if (look(&companions[i], 0, &why) != PROF_OK) /* without the lock: what is loaded may call in here */
                profi_notice("%s", why.message);
        }
        profi_awaited_look();
        int is_waiting = next_waiting(0) < MOST || profi_awaited_any();
        woken = profi_thread_sleep_until(&wake, is_waiting ? profi_clock_monotonic_ns() + LOOK_EVERY_NS : 0);
    }
    return NULL;
}

/* Under the lock. */
static prof_status start_watching(prof_error *err)
{
    prof_status status = is_watching ? PROF_OK
                                     : profi_thread_spawn_waiting(&wake, watch_main, "profcore-load", "waits for libraries and pools", err);
    if (status == PROF_OK && is_watching)
        sem_post(&wake);
    is_watching |= status == PROF_OK;
    return status;
}

/* Under the lock.  Places are not given anew: the thread may be at one. */
static prof_status wait_for(const companion *one, prof_error *err)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(companions[i].runtime, one->runtime) == 0 && strcmp(companions[i].source, one->source) == 0)
            return PROF_OK;
    if (count == MOST)
        return profi_fail(err, PROF_E_LIMIT, "more than %d libraries have waited for others", MOST);
    prof_status status = start_watching(err);
    if (status == PROF_OK)
        companions[count++] = *one;
    return status;
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
    prof_status status = look(&one, 1, err);
    if (status != PROF_OK || one.is_over)
        return status;
    pthread_mutex_lock(&lock);
    status = wait_for(&one, err);
    pthread_mutex_unlock(&lock);
    return status;
}

prof_status profi_companions_watch(prof_error *err)
{
    pthread_mutex_lock(&lock);
    prof_status status = start_watching(err);
    pthread_mutex_unlock(&lock);
    return status;
}

void profi_companions_lock(void)
{
    pthread_mutex_lock(&lock);
    profi_awaited_lock();
    pthread_mutex_lock(&walk_lock);
}

void profi_companions_unlock(void)
{
    pthread_mutex_unlock(&walk_lock);
    profi_awaited_unlock();
    pthread_mutex_unlock(&lock);
}

/* A worker that its server has forked loads the runtime itself. */
void profi_companions_go_on(void)
{
    prof_error why = PROF_ERROR_INIT;
    int is_waiting = next_waiting(0) < MOST || profi_awaited_any();
    pthread_mutex_lock(&lock);
    is_watching = 0;
    if (is_waiting && start_watching(&why) != PROF_OK)
        profi_notice("%s", why.message);
    pthread_mutex_unlock(&lock);
}
