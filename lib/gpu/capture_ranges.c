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
#include "../base/text.h"
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

enum { DOMAINS_MOST = 1024, DOMAIN_SLOTS = 2 * DOMAINS_MOST };

struct profi_captured_domain {
    uint32_t number;      /* from 1; 0 is the default one's */
    char file[FILE_ROOM]; /* "nvtx:" and its name */
};

/* By the hash of the file, open addressing; added to without a lock. */
static profi_captured_domain *domains[DOMAIN_SLOTS];
static uint32_t domain_count;

static uint32_t number_of(const profi_captured_domain *domain) { return domain != NULL ? domain->number : 0; }

static profi_captured_domain *make_domain(const char *file)
{
    uint32_t number = __atomic_add_fetch(&domain_count, 1u, __ATOMIC_RELAXED);
    profi_captured_domain *made = number <= DOMAINS_MOST ? malloc(sizeof(*made)) : NULL;
    if (made == NULL) {
        static uint32_t is_told;
        __atomic_fetch_sub(&domain_count, 1u, __ATOMIC_RELAXED);
        if (number > DOMAINS_MOST && __atomic_exchange_n(&is_told, 1u, __ATOMIC_RELAXED) == 0)
            profi_notice("more than %d domains of NVTX: ranges of the others are shown in none", (int)DOMAINS_MOST);
        return NULL;
    }
    made->number = number;
    memcpy(made->file, file, sizeof(made->file));
    return made;
}

/* One that two threads make at once is made twice, and the second goes again; its number stays unused. */
static const profi_captured_domain *find_or_make(const char file[FILE_ROOM])
{
    profi_captured_domain *made = NULL;
    uint64_t at = profi_text_hash(file, strlen(file), 0);
    for (;; at++) { /* no more than half of the slots are ever in use */
        profi_captured_domain **slot = &domains[at % DOMAIN_SLOTS], *found = PROFI_ACQUIRE(*slot);
        if (found == NULL) {
            if (made == NULL && (made = make_domain(file)) == NULL)
                return NULL;
            if (__atomic_compare_exchange_n(slot, &found, made, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
                return made;
        }
        if (strcmp(found->file, file) == 0) {
            free(made);
            return found;
        }
    }
}

const profi_captured_domain *profi_captured_domain_of(profi_captured_text name)
{
    PROFI_KEEP_ERRNO;
    char text[TEXT_ROOM], file[FILE_ROOM] = "";
    snprintf(file, sizeof(file), "nvtx:%s", utf8_of(name, text));
    return find_or_make(file);
}

/* ---- sites ---- */

/* What an event's name leads to: a site as a program's own, so where there is no memory for what it says, the event counts as lost. */
typedef struct named {
    prof_site made;
    char room[TEXT_ROOM];
} named;

static prof_site *site_named(named *into, const profi_captured_domain *domain, profi_captured_text text)
{
    if (text.site != NULL)
        return text.site;
    into->made = (prof_site)PROF_SITE_INIT(utf8_of(text, into->room), domain != NULL ? domain->file : "nvtx", 0, 0);
    return &into->made;
}

prof_site *profi_captured_site(const profi_captured_domain *domain, profi_captured_text text)
{
    static prof_site without_room = PROF_SITE_INIT("(registered without room)", "nvtx", 0, 0);
    named asked;
    prof_site *site = &without_room;
    const prof_site *as = site_named(&asked, domain, text);
    prof_site_get(as->name, SIZE_MAX, as->file, 0, 0, &site, NULL);
    return site;
}

/* ---- what finds no room ---- */

static prof_site lost_name = PROF_SITE_INIT("NVTX ranges not received", "nvtx", 0, 0);

/* A counter of the run's: each report has it. */
static void count_lost(void)
{
    static uint64_t lost;
    uint64_t now = __atomic_add_fetch(&lost, 1u, __ATOMIC_RELAXED);
    if (PROFI_GET(prof_active))
        prof_counter(&lost_name, (double)now);
}

/* ---- pushes and pops ---- */

enum { RANGES_MOST = 1 << 14, NONE = RANGES_MOST };
#define POPPED UINT32_MAX

typedef struct range {
    uint32_t domain; /* POPPED: it is over, below others that are not */
    uint32_t below;  /* the next of its domain; NONE: it is the outermost */
    prof_scope scope;
    int level; /* in its domain */
} range;

/* A thread's. */
typedef struct ranges {
    range *items;
    size_t count, room;
    uint64_t missing; /* the innermost, for which there was no room */
    /* Of each domain: the innermost that has room, plus 1, or 0: none; and how many inside that are missing. */
    uint32_t tops[DOMAINS_MOST + 1], missing_of[DOMAINS_MOST + 1];
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
    int has_room = all->missing == 0 && all->count < RANGES_MOST;
    return has_room && profi_array_grow(&all->items, &all->room, all->count, sizeof(*all->items)) ? all : NULL;
}

static prof_site payload_name = PROF_SITE_INIT("payload", NULL, 0, 0);

static prof_arg payload_of(const profi_captured *event)
{
    return (prof_arg){ .name = &payload_name, .type = event->payload_type, .value = event->payload };
}

static prof_scope begin(const profi_captured_domain *domain, const profi_captured *event)
{
    named what;
    if (!PROFI_GET(prof_active))
        return PROF_SCOPE_NONE;
    prof_scope scope = prof_begin(site_named(&what, domain, event->text));
    prof_arg payload = payload_of(event);
    if (event->has_payload)
        prof_args(&payload, 1);
    return scope;
}

int profi_captured_push(const profi_captured_domain *domain, profi_captured event)
{
    ranges *all = with_room();
    if (all == NULL) {
        if (mine != NULL) {
            mine->missing++;
            mine->missing_of[number_of(domain)]++;
        }
        count_lost();
        return 0;
    }
    prof_scope scope = begin(domain, &event); /* first: a signal handler's ranges are gone by then */
    uint32_t *top = &all->tops[number_of(domain)], around = *top != 0 ? *top - 1 : NONE;
    int level = around != NONE ? all->items[around].level + 1 : 0;
    all->items[all->count] = (range){ .domain = number_of(domain), .below = around, .scope = scope, .level = level };
    *top = (uint32_t)++all->count;
    return level;
}

int profi_captured_pop(const profi_captured_domain *domain)
{
    ranges *all = mine;
    if (all != NULL && all->missing_of[number_of(domain)] != 0) {
        all->missing_of[number_of(domain)]--;
        all->missing--;
        return 0;
    }
    uint32_t *top = all != NULL ? &all->tops[number_of(domain)] : NULL;
    if (top == NULL || *top == 0)
        return NOTHING_TO_POP;
    size_t at = *top - 1;
    range last = all->items[at];
    if (last.scope.place != 0)
        prof_end(last.scope);
    for (size_t inside = at + 1; inside < all->count; inside++)
        all->items[inside].scope = PROF_SCOPE_NONE;
    *top = last.below != NONE ? last.below + 1 : 0;
    all->items[at].domain = POPPED;
    while (all->count != 0 && all->items[all->count - 1].domain == POPPED)
        all->count--;
    return last.level;
}

/* ---- what ends anywhere, and what is a moment ---- */

uint64_t profi_captured_start(const profi_captured_domain *domain, profi_captured event)
{
    named what;
    prof_span span = PROFI_GET(prof_active) ? prof_span_begin(site_named(&what, domain, event.text)) : PROF_SPAN_NONE;
    uint32_t number = span.what != 0 ? profi_ticket_take(&spans, (const uint64_t[2]){ span.what, span.start }) : 0;
    if (span.what != 0 && number == 0)
        count_lost();
    return number;
}

void profi_captured_end(uint64_t number)
{
    uint64_t values[2];
    if (number <= UINT32_MAX && profi_ticket_give(&spans, (uint32_t)number, values))
        prof_span_end((prof_span){ values[0], values[1] }, NULL, 0);
}

void profi_captured_mark(const profi_captured_domain *domain, profi_captured event)
{
    named what;
    prof_arg payload = payload_of(&event);
    if (PROFI_GET(prof_active))
        prof_instant(site_named(&what, domain, event.text), &payload, event.has_payload ? 1 : 0);
}
