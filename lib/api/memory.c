/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that allocators hand out: the thread's figures are probe/'s, the blocks and where they are from record/'s. */
#define PROF_MEMORY_NOT_READ /* the address of a block is, here */
#include "recorder.h"

#include "../base/error.h"
#include "../base/system.h"
#include "../base/text.h"
#include "../format/text_units.h"
#include "../model/memory.h"
#include "../probe/probes.h"
#include "../record/levels.h"

#include <profcore/memory.h>

#include <stdio.h>
#include <string.h>

/* A handle is nothing but its address. */
struct prof_memory {
    char unused;
};
static prof_memory handles[PROFI_MEMORIES];

prof_status prof_memory_open(const char *name, prof_memory **memory, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    char clean[PROFI_TEXT_MAX];
    if (memory == NULL || name == NULL || name[0] == '\0')
        return profi_fail(err, PROF_E_INVALID, "prof_memory_open: %s", memory ? "the name is empty" : "memory is NULL");
    if (profi_text_clean(clean, name, strlen(name)) >= PROFI_MEMORY_NAME_ROOM)
        return profi_fail(err, PROF_E_INVALID, "prof_memory_open: a name of more than %d bytes: \"%.80s\"",
                          PROFI_MEMORY_NAME_ROOM - 1, clean);
    prof_status status = profi_recorder_open(err);
    if (status != PROF_OK)
        return status;
    unsigned found = profi_recorder_memory(clean);
    if (found == PROFI_MEMORIES)
        return profi_fail(err, PROF_E_LIMIT, "prof_memory_open: there are %d kinds of memory already, and no room for \"%s\"",
                          PROFI_MEMORIES, clean);
    *memory = &handles[found];
    return PROF_OK;
}

void prof_memory_allocated(prof_memory *memory, const void *block, uint64_t bytes)
{
    PROFI_KEEP_ERRNO;
    uint64_t unseen;
    if (memory == NULL || block == NULL)
        return;
    unsigned number = (unsigned)(memory - handles);
    if (!profi_block_add(number, block, bytes, &unseen)) {
        profi_memory_lost(number);
        return;
    }
    if (unseen != UINT64_MAX)
        profi_memory_freed(number, unseen);
    profi_memory_allocated(number, bytes);
}

uint64_t prof_memory_freed(prof_memory *memory, const void *block)
{
    int is_known;
    if (memory == NULL || block == NULL)
        return 0;
    unsigned number = (unsigned)(memory - handles);
    uint64_t bytes = profi_block_remove(number, block, &is_known);
    if (is_known)
        profi_memory_freed(number, bytes);
    else
        profi_memory_unknown(number);
    return bytes;
}

void prof_memory_mark(void)
{
    PROFI_NO_CANCELLATION;
    profi_places_mark();
    profi_pools_mark();
}

/* "aten::clone under get_response: get_response > aten::clone > aten::empty". */
static void describe(const profi_place_view *place, char *text, size_t room)
{
    char path[PROFI_PLACE_TEXT];
    const char *scope, *called;
    profi_place_names(place, &scope, &called);
    profi_place_path(place, path);
    if (place->depth == 0)
        snprintf(text, room, "outside all scopes");
    else if (called == NULL || scope == NULL)
        snprintf(text, room, "%s %s: %s", called ? "by" : "under", called ? called : scope, path);
    else
        snprintf(text, room, "by %s under %s: %s", called, scope, path);
}

prof_status prof_memory_check(uint64_t iterations, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    profi_place_view worst = { .depth = 0 };
    int64_t most_bytes = 0, most_count = 0;
    unsigned leaks = 0, count = profi_place_count();
    if (iterations == 0 || iterations > INT64_MAX)
        return profi_fail(err, PROF_E_INVALID, "prof_memory_check: after %llu iterations", (unsigned long long)iterations);
    if (!profi_places_are_marked())
        return profi_fail(err, PROF_E_INVALID, "prof_memory_check: prof_memory_mark() has not been called");
    for (unsigned i = 0; i < count; i++) {
        profi_place_view place = profi_place(i);
        int64_t grown = profi_place_grown_count(&place), bytes = profi_place_grown_bytes(&place);
        if (grown < (int64_t)iterations)
            continue;
        if (leaks++ == 0 || bytes > most_bytes) {
            worst = place;
            most_bytes = bytes;
            most_count = grown;
        }
    }
    if (leaks == 0)
        return PROF_OK;
    char size[24], where[PROFI_PLACE_TEXT + 512], others[48] = "";
    profi_format_bytes(size, (double)most_bytes, "");
    describe(&worst, where, sizeof(where));
    if (leaks > 1)
        snprintf(others, sizeof(others), "; and %u more places grew", leaks - 1);
    return profi_fail(err, PROF_E_LIMIT, "%llu iterations left %lld blocks (%s) of %s %.300s%s", (unsigned long long)iterations,
                      (long long)most_count, size, profi_memory_name(worst.memory), where, others);
}
