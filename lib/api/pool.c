/* SPDX-License-Identifier: Apache-2.0 */
/* Pools of memory that all threads share: their allocators tell record/. */
#include "recorder.h"

#include "../base/error.h"
#include "../base/system.h"
#include "../base/text.h"
#include "../gpu/cupti_memory.h"
#include "../record/awaited.h"
#include "../record/levels.h"

#include <profcore/memory.h>

#include <string.h>

/* A handle is nothing but its address. */
struct prof_pool {
    char unused;
};
static prof_pool handles[PROFI_POOLS_MOST];

static unsigned number_of(const prof_pool *pool) { return (unsigned)(pool - handles); }

/* Takes a name, and reserves the record. */
static prof_status take_name(const char *function, const char *name, char clean[PROFI_TEXT_MAX], prof_error *err)
{
    if (name == NULL || name[0] == '\0')
        return profi_fail(err, PROF_E_INVALID, "%s: the name is empty", function);
    if (profi_text_clean(clean, name, strlen(name)) >= PROFI_POOL_NAME_ROOM)
        return profi_fail(err, PROF_E_INVALID, "%s: a name of more than %d bytes: \"%.80s\"", function, PROFI_POOL_NAME_ROOM - 1, clean);
    return profi_recorder_open(err);
}

prof_status prof_pool_open(const char *name, prof_pool **pool, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    char clean[PROFI_TEXT_MAX];
    if (pool == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_pool_open: pool is NULL");
    prof_status status = take_name("prof_pool_open", name, clean, err);
    if (status != PROF_OK)
        return status;
    if (profi_cupti_memory_has_name(clean))
        return profi_fail(err, PROF_E_INVALID, "prof_pool_open: \"%s\" is the name of what the GPU's driver hands out", clean);
    unsigned found = profi_recorder_pool(clean, 0);
    if (found == PROFI_POOLS_MOST)
        return profi_fail(err, PROF_E_LIMIT, "prof_pool_open: there are %d pools already, and no room for \"%s\"", PROFI_POOLS_MOST,
                          clean);
    *pool = &handles[found];
    return PROF_OK;
}

prof_status prof_pool_await(const char *name, prof_status (*look)(void *user, prof_error *err), void *user, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    _Static_assert((int)PROFI_AWAITED_NAME_ROOM == (int)PROFI_POOL_NAME_ROOM, "a pool's name fits");
    char clean[PROFI_TEXT_MAX];
    if (look == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_pool_await: look is NULL");
    prof_status status = take_name("prof_pool_await", name, clean, err);
    if (status != PROF_OK)
        return status;
    profi_recorder_pools_to_come();
    if (!profi_awaited_add(clean, look, user))
        return profi_fail(err, PROF_E_LIMIT, "prof_pool_await: %d are awaited already, and there is no room for \"%s\"",
                          PROFI_AWAITED_MOST, clean);
    return profi_companions_watch(err);
}

void prof_pool_set(prof_pool *pool, uint64_t allocated_bytes, uint64_t reserved_bytes)
{
    PROFI_KEEP_ERRNO;
    if (pool != NULL)
        profi_pool_set(number_of(pool), allocated_bytes, reserved_bytes);
}

void prof_pool_change(prof_pool *pool, int64_t allocated_bytes, int64_t reserved_bytes)
{
    PROFI_KEEP_ERRNO;
    if (pool != NULL)
        profi_pool_change(number_of(pool), allocated_bytes, reserved_bytes);
}

void prof_pool_open_change(prof_pool *pool)
{
    PROFI_KEEP_ERRNO;
    if (pool != NULL)
        profi_pool_open_change(number_of(pool));
}

void prof_pool_settle_by(prof_pool *pool, void (*settle)(void *user), void *user)
{
    PROFI_KEEP_ERRNO;
    if (pool != NULL)
        profi_pool_settle_by(number_of(pool), settle, user);
}

void prof_pool_retry(prof_pool *pool, uint64_t times)
{
    if (pool != NULL)
        profi_pool_retry(number_of(pool), times);
}

void prof_pool_exhausted(prof_pool *pool, uint64_t bytes)
{
    PROFI_KEEP_ERRNO;
    if (pool != NULL)
        profi_pool_exhausted(number_of(pool), bytes);
}
