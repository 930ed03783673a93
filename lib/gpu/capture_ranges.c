/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See capture_ranges.h.  A pop names its domain and nothing else, so each
 * thread keeps what it has pushed.  A pop of one domain ends what another has
 * left open inside, as the end of any scope does; the other's own pops then
 * find a scope that has ended, and end nothing.
 */
#include "capture_ranges.h"

#include "../base/array.h"
#include "../base/error.h"
#include "../base/tickets.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

enum { TEXT_ROOM = 1024, FILE_ROOM = 128, NOTHING_TO_POP = -1 };

/* ---- texts ---- */

/* As UTF-8, in `room` where it has to be made; what is no character is '?'. */
static const char *utf8_of(profi_captured_text text, char room[TEXT_ROOM])
{
    enum { LONGEST = 4 };
    size_t bytes = 0;
    if (text.wide == NULL)
        return text.utf8 != NULL && text.utf8[0] != '\0' ? text.utf8 : "(unnamed)";
    for (const wchar_t *at = text.wide; *at != L'\0' && bytes + LONGEST < TEXT_ROOM; at++) {
        uint32_t point = (uint32_t)*at;
        if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
            point = '?';
        if (point < 0x80) {
            room[bytes++] = (char)point;
            continue;
        }
        unsigned more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
        room[bytes++] = (char)((0xff00u >> (more + 1) & 0xff) | point >> 6 * more);
        while (more-- != 0)
            room[bytes++] = (char)(0x80 | (point >> 6 * more & 0x3f));
    }
    room[bytes] = '\0';
    return bytes != 0 ? room : "(unnamed)";
}

/* ---- domains ---- */

struct profi_captured_domain {
    const profi_captured_domain *next;
    char file[FILE_ROOM]; /* "nvtx:" and its name */
};

/* Newest first; added to without a lock: two threads may make one twice, whose sites are the same. */
static const profi_captured_domain *domains;

const profi_captured_domain *profi_captured_domain_of(profi_captured_text name)
{
    PROFI_KEEP_ERRNO;
    char text[TEXT_ROOM], file[FILE_ROOM];
    snprintf(file, sizeof(file), "nvtx:%s", utf8_of(name, text));
    const profi_captured_domain *first = PROFI_ACQUIRE(domains);
    for (const profi_captured_domain *at = first; at != NULL; at = at->next)
        if (strcmp(at->file, file) == 0)
            return at;
    profi_captured_domain *domain = malloc(sizeof(*domain));
    if (domain == NULL)
        return NULL;
    memcpy(domain->file, file, sizeof(file));
    do
        domain->next = first;
    while (!__atomic_compare_exchange_n(&domains, &first, domain, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
    return domain;
}

prof_site *profi_captured_site(const profi_captured_domain *domain, profi_captured_text text)
{
    char room[TEXT_ROOM];
    prof_site *site = text.site;
    if (site == NULL)
        prof_site_get(utf8_of(text, room), SIZE_MAX, domain != NULL ? domain->file : "nvtx", 0, 0, &site, NULL);
    return site;
}

/* ---- pushes and pops ---- */

typedef struct range {
    const profi_captured_domain *domain;
    prof_scope scope;
    int level; /* in its domain */
} range;

typedef struct ranges {
    range *items;
    size_t count, room;
    uint64_t missing; /* the innermost, for which there was no memory */
} ranges;

static pthread_key_t key;
static __thread ranges *mine __attribute__((tls_model("initial-exec"))); /* NULL: the thread has none */
static profi_tickets spans;

static void drop(void *of_thread)
{
    ranges *all = of_thread;
    mine = NULL;
    free(all->items);
    free(all);
}

int profi_capture_ranges_open(void)
{
    return pthread_key_create(&key, drop) == 0;
}

/* The thread's, with room for one more; NULL: there is no memory. */
static ranges *with_room(void)
{
    PROFI_KEEP_ERRNO;
    ranges *all = mine != NULL ? mine : calloc(1, sizeof(*all));
    if (all == NULL)
        return NULL;
    if (mine == NULL && pthread_setspecific(key, all) != 0) {
        free(all);
        return NULL;
    }
    mine = all;
    return all->missing == 0 && profi_array_grow(&all->items, &all->room, all->count, sizeof(*all->items)) ? all : NULL;
}

/* The innermost of a domain; NULL: there is none. */
static range *innermost(const ranges *all, const profi_captured_domain *domain)
{
    for (size_t i = all->count; i-- != 0;)
        if (all->items[i].domain == domain)
            return &all->items[i];
    return NULL;
}

static prof_site payload_name = PROF_SITE_INIT("payload", NULL, 0, 0);

static prof_arg payload_of(const profi_captured *event)
{
    return (prof_arg){ .name = &payload_name, .type = event->payload_type, .value = event->payload };
}

static prof_scope begin(const profi_captured_domain *domain, const profi_captured *event)
{
    prof_site *site = PROFI_GET(prof_active) ? profi_captured_site(domain, event->text) : NULL;
    if (site == NULL)
        return PROF_SCOPE_NONE;
    prof_scope scope = prof_begin(site);
    prof_arg payload = payload_of(event);
    if (event->has_payload)
        prof_args(&payload, 1);
    return scope;
}

int profi_captured_push(const profi_captured_domain *domain, profi_captured event)
{
    ranges *all = with_room();
    if (all == NULL) {
        if (mine != NULL)
            mine->missing++;
        return 0;
    }
    const range *around = innermost(all, domain);
    range pushed = { .domain = domain, .scope = PROF_SCOPE_NONE, .level = around != NULL ? around->level + 1 : 0 };
    pushed.scope = begin(domain, &event);
    all->items[all->count++] = pushed; /* last: a signal handler's ranges are gone by now */
    return pushed.level;
}

int profi_captured_pop(const profi_captured_domain *domain)
{
    ranges *all = mine;
    if (all != NULL && all->missing != 0) {
        all->missing--;
        return 0;
    }
    range *popped = all != NULL ? innermost(all, domain) : NULL;
    if (popped == NULL)
        return NOTHING_TO_POP;
    range last = *popped;
    if (last.scope.place != 0)
        prof_end(last.scope);
    all->count--;
    for (range *inside = popped; inside != all->items + all->count; inside++)
        *inside = (range){ .domain = inside[1].domain, .scope = PROF_SCOPE_NONE, .level = inside[1].level };
    return last.level;
}

/* ---- what ends anywhere, and what is a moment ---- */

uint64_t profi_captured_start(const profi_captured_domain *domain, profi_captured event)
{
    prof_site *site = PROFI_GET(prof_active) ? profi_captured_site(domain, event.text) : NULL;
    prof_span span = site != NULL ? prof_span_begin(site) : PROF_SPAN_NONE;
    return span.what != 0 ? profi_ticket_take(&spans, (const uint64_t[2]){ span.what, span.start }) : 0;
}

void profi_captured_end(uint64_t number)
{
    uint64_t values[2];
    if (number <= UINT32_MAX && profi_ticket_give(&spans, (uint32_t)number, values))
        prof_span_end((prof_span){ values[0], values[1] }, NULL, 0);
}

void profi_captured_mark(const profi_captured_domain *domain, profi_captured event)
{
    prof_site *site = PROFI_GET(prof_active) ? profi_captured_site(domain, event.text) : NULL;
    prof_arg payload = payload_of(&event);
    if (site != NULL)
        prof_instant(site, &payload, event.has_payload ? 1 : 0);
}
