/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is still allocated, and where that was: record/'s places with the
 * names of their scopes, probe/'s totals, and the public functions that read
 * them in a snapshot.
 */
#include "memory.h"

#include "snapshot.h"

#include "../base/error.h"
#include "../base/text.h"
#include "../probe/probes.h"
#include "../record/operators.h"
#include "../record/record.h"

#include <stdlib.h>
#include <string.h>

enum { INFO_SIZE_0 = 72, PLACE_SIZE_0 = 80 }; /* as of version 0.1 */

/* ---- names ---- */

void profi_place_path(const profi_place_view *place, char text[PROFI_PLACE_TEXT])
{
    static const char arrow[] = " > ", more[] = "\xe2\x80\xa6 > ";
    char *at = text + PROFI_PLACE_TEXT - 1, *least = text + sizeof(more);
    int is_cut = place->is_cut != 0;
    *at = '\0';
    for (unsigned i = place->depth; i-- > 0;) {
        const char *name = profi_record_site_view(place->sites[i]).name;
        size_t bytes = strlen(name), after = *at != '\0' ? strlen(arrow) : 0;
        if ((size_t)(at - least) < bytes + after) {
            is_cut = 1;
            break;
        }
        at -= after;
        memcpy(at, arrow, after);
        at -= bytes;
        memcpy(at, name, bytes);
    }
    if (is_cut) {
        at -= strlen(more);
        memcpy(at, more, strlen(more));
    }
    memmove(text, at, strlen(at) + 1);
}

static int is_operator(const profi_site_view *site)
{
    return site->file != NULL && site->line == 0 && profi_operators_are_of(site->file);
}

void profi_place_names(const profi_place_view *place, const char **scope, const char **called)
{
    *scope = *called = NULL;
    for (unsigned i = place->depth; i-- > 0;) {
        profi_site_view site = profi_record_site_view(place->sites[i]);
        if (!is_operator(&site)) {
            *scope = site.name;
            return;
        }
        if (*called == NULL || strstr(site.name, "::") != NULL)
            *called = site.name;
    }
}

/* ---- a snapshot's ---- */

static int describe_memory(prof_snapshot *snapshot, unsigned number)
{
    int ok = 1;
    profi_memory_totals from = profi_memory_totals_of(number);
    snapshot->memories[number] = (profi_memory_info){
        .name = profi_snapshot_text(snapshot, profi_memory_name(number), &ok),
        .allocated_bytes = from.allocated_bytes, .allocated_count = from.allocated_count,
        .live_bytes = from.allocated_bytes - from.freed_bytes, .live_count = from.allocated_count - from.freed_count,
        .peak_bytes = from.peak_bytes, .lost_count = from.lost_count, .unknown_count = from.unknown_count };
    return ok;
}

static int describe_place(prof_snapshot *snapshot, const profi_place_view *from, profi_place_info *place)
{
    int ok = 1;
    char path[PROFI_PLACE_TEXT];
    const char *scope, *called;
    profi_place_path(from, path);
    profi_place_names(from, &scope, &called);
    *place = (profi_place_info){
        .path = profi_snapshot_text(snapshot, path, &ok), .scope = profi_snapshot_text(snapshot, scope, &ok),
        .called = profi_snapshot_text(snapshot, called, &ok), .memory = from->memory,
        .live_bytes = from->allocated_bytes - from->freed_bytes, .live_count = from->allocated_count - from->freed_count,
        .new_count = from->allocated_count - from->marked_allocated_count,
        .grown_bytes = profi_place_grown_bytes(from), .grown_count = profi_place_grown_count(from) };
    return ok;
}

static int by_growth(const void *one, const void *other)
{
    const profi_place_info *a = one, *b = other;
    const int by_path = strcmp(a->path, b->path);
    if (a->grown_bytes != b->grown_bytes)
        return a->grown_bytes < b->grown_bytes ? 1 : -1;
    return by_path != 0 ? by_path : a->memory < b->memory ? -1 : a->memory > b->memory;
}

void profi_places_sort(prof_snapshot *snapshot)
{
    qsort(snapshot->places, snapshot->place_count, sizeof(*snapshot->places), by_growth);
}

int profi_recorded_memory(prof_snapshot *snapshot)
{
    unsigned memory_count = profi_memory_count(), place_count = profi_place_count();
    int ok = 1;
    snapshot->memories = calloc(memory_count + 1, sizeof(*snapshot->memories));
    snapshot->places = calloc(place_count + 1, sizeof(*snapshot->places));
    if (snapshot->memories == NULL || snapshot->places == NULL)
        return 0;
    for (unsigned i = 0; i < memory_count && ok; i++)
        ok = describe_memory(snapshot, i);
    snapshot->memory_count = memory_count;
    snapshot->is_marked = profi_places_are_marked();
    for (unsigned i = 0; i < place_count && ok; i++) {
        profi_place_view place = profi_place(i);
        if (place.allocated_count == place.freed_count && place.marked_allocated_count == place.marked_freed_count)
            continue;
        ok = describe_place(snapshot, &place, &snapshot->places[snapshot->place_count]);
        snapshot->place_count += (uint32_t)ok;
    }
    if (ok)
        profi_places_sort(snapshot);
    return ok;
}

/* ---- reading ---- */

uint32_t prof_snapshot_memory_count(const prof_snapshot *snapshot)
{
    return snapshot != NULL ? snapshot->memory_count : 0;
}

prof_status prof_snapshot_memory(const prof_snapshot *snapshot, uint32_t memory, prof_memory_info *info, prof_error *err)
{
    if (snapshot == NULL)
        return profi_fail(err, PROF_E_INVALID, "the snapshot is NULL");
    if (memory >= snapshot->memory_count)
        return profi_fail(err, PROF_E_INVALID, "there is no memory %u: the snapshot has %u", (unsigned)memory,
                          (unsigned)snapshot->memory_count);
    const profi_memory_info *from = &snapshot->memories[memory];
    prof_memory_info full = PROF_MEMORY_INFO_INIT;
    full.name = from->name;
    full.allocated_bytes = from->allocated_bytes;
    full.allocated_count = from->allocated_count;
    full.live_bytes = from->live_bytes;
    full.live_count = from->live_count;
    full.peak_bytes = from->peak_bytes;
    full.lost_count = from->lost_count;
    full.unknown_count = from->unknown_count;
    return profi_struct_write(info, &full, sizeof(full), INFO_SIZE_0, "prof_memory_info", err);
}

uint32_t prof_snapshot_place_count(const prof_snapshot *snapshot)
{
    return snapshot != NULL ? snapshot->place_count : 0;
}

prof_status prof_snapshot_place(const prof_snapshot *snapshot, uint32_t place, prof_place *row, prof_error *err)
{
    if (snapshot == NULL)
        return profi_fail(err, PROF_E_INVALID, "the snapshot is NULL");
    if (place >= snapshot->place_count)
        return profi_fail(err, PROF_E_INVALID, "there is no place %u: the snapshot has %u", (unsigned)place,
                          (unsigned)snapshot->place_count);
    const profi_place_info *from = &snapshot->places[place];
    prof_place full = PROF_PLACE_INIT;
    full.memory = from->memory;
    full.path = from->path;
    full.scope = from->scope;
    full.called = from->called;
    full.live_bytes = from->live_bytes;
    full.live_count = from->live_count;
    full.new_count = from->new_count;
    full.grown_bytes = from->grown_bytes;
    full.grown_count = from->grown_count;
    full.is_marked = (uint32_t)snapshot->is_marked;
    return profi_struct_write(row, &full, sizeof(full), PLACE_SIZE_0, "prof_place", err);
}
