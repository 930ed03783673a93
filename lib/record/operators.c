/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators by the address of their name: a table for each runtime, which is
 * read without a lock.  Addresses are hints: what lies there now is compared
 * with the site's name, so a name whose memory was used anew is found by its
 * text, and so is one whose slot another took.
 */
#include "operators.h"

#include "../base/region.h"
#include "../base/text.h"
#include "cold.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SLOTS = 4000, TRIED = 8, SHAPED_NAME_BYTES = 1000 };

typedef struct slot {
    const char *address;
    prof_site *site;
} slot;

struct prof_operators {
    prof_operators *next;
    char runtime[PROFI_RUNTIME_ROOM];
    slot slots[SLOTS];
};

static prof_operators *first; /* under the lock of sites, which fork() minds */

prof_operators *profi_operators_of(const char *runtime)
{
    profi_site_lock();
    prof_operators *found = first;
    while (found != NULL && strcmp(found->runtime, runtime) != 0)
        found = found->next;
    if (found == NULL && (found = profi_region_alloc(sizeof(*found), PROFI_REGION_SITE)) != NULL) {
        profi_text_cut(found->runtime, sizeof(found->runtime), runtime);
        found->next = first;
        first = found;
    }
    profi_site_unlock();
    return found;
}

int profi_operators_are_of(const char *file)
{
    profi_site_lock();
    const prof_operators *found = first;
    while (found != NULL && strcmp(found->runtime, file) != 0)
        found = found->next;
    profi_site_unlock();
    return found != NULL;
}

/* ---- names ---- */

/* The first of the slots that a name may have: the others follow it. */
static slot *slots_of(prof_operators *operators, const char *name)
{
    const uint64_t golden = 0x9e3779b97f4a7c15u;
    return &operators->slots[((uintptr_t)name * golden >> 32) * (SLOTS - TRIED) >> 32];
}

static inline prof_site *site_in(const slot *at, const char *name)
{
    prof_site *site = __atomic_load_n(&at->address, __ATOMIC_ACQUIRE) == name ? __atomic_load_n(&at->site, __ATOMIC_ACQUIRE) : NULL;
    return site != NULL && strcmp(site->name, name) == 0 ? site : NULL;
}

static prof_site *find(const slot *at, const char *name)
{
    prof_site *site = NULL;
    for (unsigned i = 0; i < TRIED && site == NULL && __atomic_load_n(&at->address, __ATOMIC_RELAXED) != NULL; i++)
        site = site_in(at++, name);
    return site;
}

/*
 * In a slot that is free or has this address, else in place of another name.  Who reads the one of two names and the
 * other's site sees that by the text.
 */
static void remember(prof_operators *operators, const char *name, prof_site *site)
{
    slot *at = slots_of(operators, name), *into = NULL;
    for (unsigned i = 0; i < TRIED && into == NULL; i++) {
        const char *address = __atomic_load_n(&at[i].address, __ATOMIC_RELAXED);
        into = address == NULL || address == name ? &at[i] : NULL;
    }
    if (into == NULL)
        into = &at[profi_mix64((uintptr_t)site) % TRIED];
    __atomic_store_n(&into->site, site, __ATOMIC_RELEASE);
    __atomic_store_n(&into->address, name, __ATOMIC_RELEASE);
}

/* As a program's own site would: where there is no memory for it, the scope counts as lost.  `found` receives the site, or NULL. */
static prof_scope begin_by_text(const prof_operators *operators, const char *name, prof_site **found)
{
    prof_site handle = PROF_SITE_INIT(name, operators->runtime, 0, 0);
    prof_scope scope = prof_begin(&handle);
    profi_site *site = handle.intern;
    *found = site != NULL ? &site->handle : NULL;
    return scope;
}

/* Begins one whose first slot is another's.  Apart, so that what is usual saves few registers. */
static __attribute__((noinline)) prof_scope begin_further(prof_operators *operators, const char *name)
{
    prof_site *site = find(slots_of(operators, name), name);
    if (site != NULL)
        return prof_begin(site);
    prof_scope scope = begin_by_text(operators, name, &site);
    if (site != NULL)
        remember(operators, name, site);
    return scope;
}

prof_scope prof_operator_begin(prof_operators *operators, const char *name)
{
    if (!profi_is_recording() || operators == NULL || name == NULL)
        return PROF_SCOPE_NONE;
    prof_site *site = site_in(slots_of(operators, name), name);
    return site != NULL ? prof_begin(site) : begin_further(operators, name);
}

/* ---- shapes ---- */

/* A text that grows until its room is full; then it stays as it was after the last whole piece. */
typedef struct shaped_name {
    char text[SHAPED_NAME_BYTES];
    size_t bytes;
    int is_full;
} shaped_name;

static void put(shaped_name *into, const char *format, ...)
{
    enum { END = sizeof("...)") };
    va_list arguments;
    if (into->is_full)
        return;
    va_start(arguments, format);
    int bytes = vsnprintf(into->text + into->bytes, sizeof(into->text) - END - into->bytes, format, arguments);
    va_end(arguments);
    if (bytes >= 0 && (size_t)bytes < sizeof(into->text) - END - into->bytes) {
        into->bytes += (size_t)bytes;
    } else {
        into->is_full = 1;
        strcpy(into->text + into->bytes, "...");
        into->bytes += 3;
    }
}

static void put_shape(shaped_name *into, const prof_operator_input *input)
{
    put(into, "[");
    for (uint32_t i = 0; i < input->rank && !into->is_full; i++)
        put(into, i ? ", %lld" : "%lld", (long long)input->shape[i]);
    put(into, "]");
}

prof_scope prof_operator_begin_shaped(prof_operators *operators, const char *name, const prof_operator_input *inputs,
                                      uint32_t input_count)
{
    if (!profi_is_recording() || operators == NULL || name == NULL)
        return PROF_SCOPE_NONE;
    shaped_name full = { .bytes = 0 };
    const char *separator = "(";
    put(&full, "%.900s", name);
    if (inputs == NULL || inputs->size < sizeof(*inputs) || inputs->size % sizeof(void *) != 0)
        input_count = 0;
    for (uint32_t i = 0; i < input_count && !full.is_full; i++) {
        const prof_operator_input *input = (const void *)((const char *)inputs + (size_t)i * inputs->size);
        if (input->shape == NULL)
            continue;
        put(&full, "%s", separator);
        put_shape(&full, input);
        separator = ", ";
    }
    if (separator[0] == ',') {
        full.text[full.bytes++] = ')';
        full.text[full.bytes] = '\0';
    }
    prof_site *site;
    return begin_by_text(operators, full.text, &site);
}
