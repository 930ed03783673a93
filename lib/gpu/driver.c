/* SPDX-License-Identifier: Apache-2.0 */
/* See driver.h.  Functions and numbers are those of cuda.h, as it has had them since CUDA 4.0. */
#include "driver.h"

#include "library.h"

#include <link.h>
#include <pthread.h>
#include <stdio.h>

enum { SUCCESS = 0, ERROR_NOT_INITIALIZED = 3, ERROR_NO_DEVICE = 100 }; /* of CUresult */

static struct driver {
    int (*device_get_count)(int *);
    int (*current)(void **context);
    int (*synchronize)(void);
} driver;

static const profi_library_symbol symbols[] = {
    { "cuDeviceGetCount", offsetof(struct driver, device_get_count), 0 },
    { "cuCtxGetCurrent", offsetof(struct driver, current), 0 },
    { "cuCtxSynchronize", offsetof(struct driver, synchronize), 0 },
};
static const char *const sonames[] = { "libcuda.so.1", NULL };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* over filling in the table, and nothing else */
/* Held while the loader's list is gone along, which takes a lock of the loader's that a fork leaves to the child as it is. */
static pthread_mutex_t walk_lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t is_found;                                /* the table is filled; with release */
static uint64_t loads_when_missing;                      /* of libraries into this process; relaxed, as those below */
static uint32_t device_count, wait_count, refused_count;

static int note_loads(struct dl_phdr_info *any, size_t size, void *loads)
{
    *(uint64_t *)loads = size >= offsetof(struct dl_phdr_info, dlpi_subs) ? any->dlpi_adds : 0;
    return 1;
}

/* It is looked for again only when something was loaded since: a scope that waits asks at each of its ends. */
static int find(char *reason)
{
    profi_library library = { .what = "CUDA driver", .sonames = sonames };
    struct driver found;
    uint64_t loads = 0;
    if (PROFI_ACQUIRE(is_found))
        return 1;
    if (pthread_mutex_trylock(&walk_lock) == 0) { /* else it is looked for all the same: a handler may have interrupted this */
        dl_iterate_phdr(note_loads, &loads);
        pthread_mutex_unlock(&walk_lock);
    }
    if ((loads != 0 && loads == PROFI_GET(loads_when_missing)) || !profi_library_open_loaded(&library)) {
        PROFI_PUT(loads_when_missing, loads);
        reason[0] = '\0';
        return 0;
    }
    if (!profi_library_resolve(&library, &found, symbols, PROFI_COUNT_OF(symbols))) {
        snprintf(reason, PROFI_GPU_REASON, "%s", library.reason);
        return 0;
    }
    pthread_mutex_lock(&lock);
    if (!PROFI_GET(is_found))
        driver = found;
    PROFI_RELEASE(is_found, 1u);
    pthread_mutex_unlock(&lock);
    return 1;
}

profi_gpu_found profi_driver_look(char reason[PROFI_GPU_REASON])
{
    int count = 0;
    if (!find(reason)) {
        int is_loaded = reason[0] != '\0';
        if (!is_loaded)
            snprintf(reason, PROFI_GPU_REASON, "this process has not loaded CUDA's driver");
        return is_loaded ? PROFI_GPU_FAILED : PROFI_GPU_NOT_YET;
    }
    int result = driver.device_get_count(&count);
    PROFI_PUT(device_count, result == SUCCESS && count > 0 ? (uint32_t)count : 0);
    reason[0] = '\0';
    if (PROFI_GET(device_count) != 0)
        return PROFI_GPU_RUNS;
    if (result == ERROR_NOT_INITIALIZED)
        snprintf(reason, PROFI_GPU_REASON, "this process has not initialised CUDA");
    else if (result == SUCCESS || result == ERROR_NO_DEVICE)
        snprintf(reason, PROFI_GPU_REASON, "CUDA's driver sees no device");
    else
        snprintf(reason, PROFI_GPU_REASON, "CUDA's driver answers with error %d", result);
    return result == ERROR_NOT_INITIALIZED ? PROFI_GPU_NOT_YET : PROFI_GPU_FAILED;
}

unsigned profi_driver_device_count(void) { return PROFI_GET(device_count); }

int profi_driver_is_loaded(void)
{
    profi_library library = { .what = "CUDA driver", .sonames = sonames };
    return PROFI_ACQUIRE(is_found) || profi_library_open_loaded(&library);
}

void profi_driver_wait(void)
{
    char reason[PROFI_GPU_REASON];
    void *context = NULL;
    if (!find(reason) || driver.current(&context) != SUCCESS || context == NULL)
        return;
    __atomic_fetch_add(driver.synchronize() == SUCCESS ? &wait_count : &refused_count, 1u, __ATOMIC_RELAXED);
}

int profi_driver_has_waited(void) { return PROFI_GET(wait_count) != 0 && PROFI_GET(refused_count) == 0; }

void profi_driver_before_fork(void) { pthread_mutex_lock(&walk_lock); }
void profi_driver_after_fork(void) { pthread_mutex_unlock(&walk_lock); }

void profi_driver_forget(void)
{
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER; /* a thread that has not come along may have had it */
    wait_count = refused_count = 0;
}
