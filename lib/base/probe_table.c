/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows, reading them, and what operators wish: see probe_table.h.  What
 * readings become in a node is in measure.c.
 */
#include "probe_table.h"

#include "error.h"
#include "text.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

enum { SOURCES = 8, NAME_BYTES = 64, UNIT_BYTES = 32 };

static struct source {
    unsigned first;
    uint64_t rows;
    profi_probe_read read;
} sources[SOURCES];
static unsigned source_count;
static profi_probe *rows[PROFI_PROBE_MAX];
static unsigned row_count; /* of sources */
profi_probe_rows profi_probes_by_kind;

/* The program's own.  A bit of `own_present` is set with release when all else of its probe is there. */
static struct own {
    profi_probe row;
    int (*read)(void *user, uint64_t *value);
    void *user;
    char name[NAME_BYTES], unit[UNIT_BYTES];
} own[PROFI_PROBE_OWN_COUNT];
static uint32_t own_present;

static profi_probe_wish wishes[PROFI_PROBE_WISHES];
static unsigned wish_count;
static uint32_t wished_by_all, wished_of_operators; /* the latter: of all that are wished */

/* Whether this thread is inside profi_probes_read(). */
static __thread uint32_t is_reading __attribute__((tls_model("initial-exec")));

unsigned profi_probe_source_add(profi_probe *added, unsigned count, profi_probe_read read)
{
    unsigned first = row_count;
    if (source_count == SOURCES || row_count + count > PROFI_PROBE_OWN)
        return PROFI_PROBE_OWN;
    sources[source_count++] = (struct source){ row_count, (((uint64_t)1 << count) - 1) << row_count, read };
    for (unsigned i = 0; i < count; i++) {
        profi_probes_by_kind.plain |= (uint64_t)added[i].is_plain << row_count;
        profi_probes_by_kind.maxima |= (uint64_t)(added[i].peak_begin != NULL) << row_count;
        rows[row_count++] = &added[i];
    }
    return first;
}

uint64_t profi_probes_for(uint32_t site_flags)
{
    uint64_t asked = (uint64_t)(site_flags >> 16) << PROFI_PROBE_OWN;
    for (unsigned i = 0; i < row_count; i++)
        if (PROFI_ACQUIRE(rows[i]->site_flags) & site_flags)
            asked |= (uint64_t)1 << i;
    return asked;
}

profi_probe *profi_probe_row(unsigned number)
{
    if (number < PROFI_PROBE_OWN)
        return number < row_count && PROFI_ACQUIRE(rows[number]->name) != NULL ? rows[number] : NULL;
    unsigned i = number - PROFI_PROBE_OWN;
    return __atomic_load_n(&own_present, __ATOMIC_ACQUIRE) >> i & 1 ? &own[i].row : NULL;
}

/* ---- reading ---- */

static void read_own(uint32_t wanted, profi_readings *readings)
{
    for (uint32_t left = wanted & __atomic_load_n(&own_present, __ATOMIC_ACQUIRE); left != 0; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctz(left);
        uint64_t value = 0;
        int error = own[i].read(own[i].user, &value);
        if (error != 0) {
            PROFI_PUT(own[i].row.error, error);
            continue;
        }
        readings->of[PROFI_PROBE_OWN + i] = (profi_reading){ value, 0, 0 };
        readings->valid |= (uint64_t)1 << (PROFI_PROBE_OWN + i);
    }
}

static void read_sources(uint64_t wanted, profi_readings *readings)
{
    for (unsigned i = 0; i < source_count; i++) {
        const struct source *source = &sources[i];
        if (wanted & source->rows)
            readings->valid |= source->read((wanted & source->rows) >> source->first, &readings->of[source->first])
                               << source->first;
    }
}

void profi_probes_read(uint64_t wanted, profi_readings *readings)
{
    readings->wanted = readings->valid = 0;
    if (wanted == 0 || is_reading)
        return;
    readings->wanted = wanted;
    if ((wanted & ~profi_probes_by_kind.plain) == 0) {
        read_sources(wanted, readings);
        return;
    }
    int saved = errno, cancel_state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    is_reading = 1;
    read_sources(wanted, readings);
    if (wanted >> PROFI_PROBE_OWN)
        read_own((uint32_t)(wanted >> PROFI_PROBE_OWN), readings);
    is_reading = 0;
    pthread_setcancelstate(cancel_state, NULL);
    errno = saved;
}

/* ---- the program's own ---- */

static prof_status clean_text(char *into, size_t room, const char *text, const char *what, prof_error *err)
{
    char clean[PROFI_TEXT_MAX];
    if (text == NULL || text[0] == '\0')
        return profi_fail(err, PROF_E_INVALID, "prof_probe.%s is empty", what);
    if (profi_text_clean(clean, text, strlen(text)) >= room)
        return profi_fail(err, PROF_E_INVALID, "prof_probe.%s is longer than %zu bytes: \"%.80s\"", what, room - 1, clean);
    strcpy(into, clean);
    return PROF_OK;
}

static int is_name_taken(const char *name)
{
    for (unsigned i = 0; i < PROFI_PROBE_MAX; i++)
        if (profi_probe_row(i) != NULL && strcmp(profi_probe_row(i)->name, name) == 0)
            return 1;
    return 0;
}

/* The place of the wanted flag, or of the first that is free (0); negative with an error. */
static int choose_place(uint32_t flag, prof_error *err)
{
    uint32_t used = PROFI_GET(own_present);
    if (flag == 0)
        return used != 0xffff ? __builtin_ctz(~used)
                              : profi_fail(err, PROF_E_LIMIT, "a program can have %d probes of its own", PROFI_PROBE_OWN_COUNT);
    if ((flag & (flag - 1)) != 0 || flag < 0x10000u)
        return profi_fail(err, PROF_E_INVALID, "site flag 0x%x: a probe needs one bit of PROF_SITE_OWN(0) to PROF_SITE_OWN(15), "
                          "or 0", (unsigned)flag);
    int place = __builtin_ctz(flag >> 16);
    return used >> place & 1 ? profi_fail(err, PROF_E_BUSY, "site flag 0x%x belongs to the probe \"%s\"", (unsigned)flag,
                                          own[place].name)
                             : place;
}

prof_status profi_probe_own_add(const prof_probe *probe, uint32_t *site_flag, prof_error *err)
{
    char name[NAME_BYTES], unit[UNIT_BYTES];
    prof_status status = clean_text(name, sizeof(name), probe->name, "name", err);
    if (status == PROF_OK)
        status = clean_text(unit, sizeof(unit), probe->unit, "unit", err);
    if (status != PROF_OK)
        return status;
    if (is_name_taken(name))
        return profi_fail(err, PROF_E_BUSY, "there is a probe \"%s\" already", name);
    int place = choose_place(*site_flag, err);
    if (place < 0)
        return place;
    struct own *added = &own[place];
    memcpy(added->name, name, sizeof(name));
    memcpy(added->unit, unit, sizeof(unit));
    *site_flag = PROF_SITE_OWN(place);
    added->row = (profi_probe){ .name = added->name, .unit = added->unit, .site_flags = *site_flag,
                                .of = probe->flags & PROF_PROBE_PROCESS ? "process" : "thread",
                                .is_gauge = (probe->flags & PROF_PROBE_GAUGE) != 0 };
    added->read = probe->read;
    added->user = probe->user;
    __atomic_store_n(&own_present, own_present | 1u << place, __ATOMIC_RELEASE);
    return PROF_OK;
}

/* ---- wishes ---- */

void profi_probe_wish_add(profi_probe_wish wish)
{
    if (wish_count < PROFI_PROBE_WISHES)
        wishes[wish_count++] = wish;
}

void profi_probe_wish_all(uint32_t site_flags, int also_operators)
{
    __atomic_fetch_or(&wished_by_all, site_flags, __ATOMIC_RELAXED);
    if (also_operators)
        __atomic_fetch_or(&wished_of_operators, site_flags, __ATOMIC_RELAXED);
}

uint32_t profi_probe_wished(const char *name, uint32_t site_flags, int is_operator)
{
    uint32_t by_all = is_operator ? PROFI_GET(wished_of_operators) : PROFI_GET(wished_by_all);
    uint32_t wished = site_flags & PROF_SITE_SAMPLED ? 0 : by_all;
    for (unsigned i = 0; i < wish_count; i++)
        if (wishes[i].pattern[0] != '\0' ? profi_text_fits(name, wishes[i].pattern) : (site_flags & PROF_SITE_SAVE) != 0)
            wished |= wishes[i].site_flags;
    return wished;
}
