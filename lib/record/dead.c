/* SPDX-License-Identifier: Apache-2.0 */
/* A dead process's file: its head, its sites, and how all of it is read; see dead.h. */
#include "dead_reader.h"

#include "../base/array.h"
#include "../base/error.h"
#include "../base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const void *profi_dead_at(const profi_dead_reader *r, const void *address, uint64_t bytes)
{
    uint64_t place = (uint64_t)(uintptr_t)address - r->base;
    if (place >= r->bytes || bytes > r->bytes - place || place % sizeof(uint64_t) != 0)
        return NULL;
    return r->data + place;
}

static int claim_granules(profi_dead_reader *r, uint64_t place, uint64_t bytes)
{
    uint64_t first = place / PROFI_DEAD_GRANULE, end = (place + bytes + PROFI_DEAD_GRANULE - 1) / PROFI_DEAD_GRANULE;
    for (uint64_t i = first; i < end; i++)
        if (r->claimed[i / 8] >> i % 8 & 1)
            return 0;
    for (uint64_t i = first; i < end; i++)
        r->claimed[i / 8] |= (uint8_t)(1u << i % 8);
    return 1;
}

const void *profi_dead_claim(profi_dead_reader *r, const void *address, uint64_t bytes)
{
    const char *at = profi_dead_at(r, address, bytes);
    if (at == NULL || !claim_granules(r, (uint64_t)(at - r->data), bytes)) {
        r->dead->damage_count++;
        return NULL;
    }
    return at;
}

int profi_dead_is(const void *data, size_t bytes)
{
    return bytes >= sizeof(profi_roots) &&
           memcmp((const char *)data + offsetof(profi_roots, mark), PROFI_ROOTS_MARK, sizeof(PROFI_ROOTS_MARK)) == 0;
}

/* ---- sites ---- */

/* A site's text, cleaned; 0 when memory is spent. */
static int add_text(profi_dead_reader *r, const char **text, const char *from, size_t bytes)
{
    *text = from != NULL ? profi_texts_add_clean(&r->dead->texts, from, bytes) : NULL;
    return from == NULL || *text != NULL;
}

static int read_site(profi_dead_reader *r, const profi_site_record *record)
{
    profi_site_view *view = &r->dead->record.sites[record->id];
    const char *file = record->has_file ? record->text + record->name_bytes : NULL;
    const char *unit = record->unit != NULL ? profi_dead_at(r, record->unit, record->unit_bytes) : NULL;
    view->line = record->line;
    view->flags = record->flags;
    return add_text(r, &view->name, record->text, record->name_bytes) &&
           add_text(r, &view->file, file, record->file_bytes) &&
           add_text(r, &view->unit, unit, profi_min_u64(record->unit_bytes, PROFI_TEXT_MAX));
}

/* A record that lies in the file with its text; NULL where none does. */
static const profi_site_record *claim_record(profi_dead_reader *r, const void *address)
{
    const profi_site_record *record = profi_dead_at(r, address, sizeof(*record));
    uint64_t bytes = record != NULL ? sizeof(*record) + (uint64_t)record->name_bytes + record->file_bytes : sizeof(*record);
    return profi_dead_claim(r, address, bytes);
}

/* Records from the newest to the oldest: their ids count down.  Where one cannot be read, it and the older have no name. */
static int read_sites(profi_dead_reader *r)
{
    profi_record_copy *copy = &r->dead->record;
    const profi_site_record *record = r->roots->sites != NULL ? claim_record(r, r->roots->sites) : NULL;
    const char *unknown = profi_texts_add_clean(&r->dead->texts, "<damaged>", 9);
    uint64_t most = r->bytes / sizeof(*record);
    if (record != NULL && record->id < most)
        copy->site_count = (size_t)record->id + 1;
    copy->sites = calloc(copy->site_count + 1, sizeof(*copy->sites));
    int ok = copy->sites != NULL && unknown != NULL;
    for (uint64_t left = copy->site_count; ok && left > 0 && record != NULL; left--) {
        if (record->id != left - 1) {
            r->dead->damage_count++;
            break;
        }
        ok = read_site(r, record);
        record = left > 1 ? claim_record(r, record->older) : NULL;
    }
    for (size_t i = 0; ok && i < copy->site_count; i++)
        if (copy->sites[i].name == NULL)
            copy->sites[i].name = unknown;
    return ok;
}

/* ---- the head ---- */

void profi_dead_copy_clean(char *into, size_t room, const char *text, size_t bytes)
{
    char clean[PROFI_TEXT_MAX];
    profi_text_clean(clean, text, strnlen(text, bytes));
    profi_text_cut(into, room, clean);
}

int profi_dead_set_clock(profi_dead *dead, int is_ticks, int is_steady, const profi_roots_time *first,
                         const profi_roots_time *newest)
{
    dead->scale = (profi_clock_scale){ .source = dead->clock_source, .hz = 1000000000u, .ns = 1, .ticks = 1,
                                       .steady = is_steady != 0 };
    if (!is_ticks || newest->ticks <= first->ticks || newest->ns <= first->ns)
        return 0;
    dead->scale.first_ticks = first->ticks;
    dead->scale.first_ns = first->ns;
    dead->scale.ticks = newest->ticks - first->ticks;
    dead->scale.ns = newest->ns - first->ns;
    dead->scale.hz = (uint64_t)((profi_u128)dead->scale.ticks * 1000000000u / dead->scale.ns);
    return 1;
}

void profi_dead_set_last(profi_dead_reader *r, const profi_clock_moment *begun)
{
    profi_dead *dead = r->dead;
    uint64_t now = profi_clock_at(&dead->scale, r->last_tick);
    uint64_t since = now > begun->monotonic_ns ? now - begun->monotonic_ns : 0;
    dead->record.now = r->last_tick;
    dead->last = (profi_clock_moment){ begun->monotonic_ns + since, begun->boot_ns + since, begun->unix_ns + since };
}

static void read_clock(profi_dead_reader *r)
{
    const profi_roots *roots = r->roots;
    const profi_roots_time *first = &roots->first_time, *now = &roots->times[roots->newest_time & 1];
    profi_dead_saw(r, roots->start_tick);
    if (profi_dead_set_clock(r->dead, roots->is_ticks != 0, roots->is_steady != 0, first, now))
        profi_dead_saw(r, now->ticks);
}

static void read_head(profi_dead_reader *r)
{
    const profi_roots *roots = r->roots;
    profi_dead *dead = r->dead;
    profi_dead_copy_clean(dead->name, sizeof(dead->name), roots->name, sizeof(roots->name));
    profi_dead_copy_clean(dead->host, sizeof(dead->host), roots->host, sizeof(roots->host));
    profi_dead_copy_clean(dead->clock_source, sizeof(dead->clock_source), roots->clock_source, sizeof(roots->clock_source));
    if (dead->name[0] == '\0')
        strcpy(dead->name, "program");
    dead->pid = roots->pid;
    dead->start_tick = roots->start_tick;
    dead->scope_cost_ticks = isfinite(roots->scope_cost_ticks) ? fmin(fmax(roots->scope_cost_ticks, 0), 1e9) : 0;
    read_clock(r);
}

/* What no thread keeps, and when it was. */
static void finish(profi_dead_reader *r)
{
    const profi_roots *roots = r->roots;
    profi_record_copy *copy = &r->dead->record;
    copy->lost_values += roots->unattached_values;
    copy->stats.thread_count = roots->thread_total - profi_min_u64(roots->own_thread_total, roots->thread_total);
    copy->stats.lost_count += roots->unattached_lost;
    copy->stats.repaired_count += roots->unattached_repaired;
    copy->stats.unmatched_count += roots->unattached_unmatched;
    copy->stats.memory_used_bytes = r->bytes;
    copy->stats.memory_limit_bytes = roots->region.limit;
    profi_dead_set_last(r, &roots->begun);
}

static prof_status check_head(const profi_roots *roots, const char *what, prof_error *err)
{
    if (roots->layout != profi_roots_layout())
        return profi_fail(err, PROF_E_UNSUPPORTED, "%.300s: was recorded by another build of libprofcore, which can recover it",
                          what);
    if (roots->region.base % 4096 != 0 || roots->region.base > UINT64_MAX - PROFI_REGION_LARGEST_BYTES)
        return profi_fail(err, PROF_E_FORMAT, "%.300s: its head is damaged", what);
    return PROF_OK;
}

static int read_all(profi_dead_reader *r)
{
    r->claimed = calloc(r->bytes / PROFI_DEAD_GRANULE / 8 + 2, 1);
    r->index_of_node = calloc(r->bytes / 64 + 1, sizeof(*r->index_of_node));
    if (r->claimed == NULL || r->index_of_node == NULL)
        return 0;
    claim_granules(r, 0, sizeof(profi_roots));
    read_head(r);
    if (!read_sites(r) || !profi_dead_read_trees(r) || !profi_dead_read_rings(r))
        return 0;
    finish(r);
    return 1;
}

/* The data, where structs may lie in it; *copy receives what is to be freed. */
static const void *align(const void *data, size_t bytes, void **copy)
{
    int is_aligned = (uintptr_t)data % PROFI_DEAD_GRANULE == 0;
    *copy = is_aligned ? NULL : malloc(bytes);
    return is_aligned ? data : *copy != NULL ? memcpy(*copy, data, bytes) : NULL;
}

prof_status profi_dead_read(const void *data, size_t bytes, const char *what, profi_dead *dead, prof_error *err)
{
    *dead = (profi_dead){ .record.stats = PROF_STATS_INIT };
    if (!profi_dead_is(data, bytes))
        return profi_fail(err, PROF_E_FORMAT, "%.300s: not a file of crash-safe mode", what);
    profi_region_head region;
    memcpy(&region, data, sizeof(region));
    profi_dead_reader r = { .dead = dead, .bytes = profi_max_u64(profi_min_u64(bytes, region.next), sizeof(profi_roots)),
                            .base = region.base };
    void *copy;
    r.roots = align(data, r.bytes, &copy);
    r.data = (const char *)r.roots;
    if (r.roots == NULL)
        return profi_fail(err, PROF_E_NO_MEMORY, "no memory to read %.300s", what);
    prof_status status = check_head(r.roots, what, err);
    if (status == PROF_OK && !read_all(&r))
        status = profi_fail(err, PROF_E_NO_MEMORY, "no memory for what %.300s holds", what);
    if (region.next > bytes)
        dead->damage_count++; /* it was cut */
    free(r.claimed);
    free(r.index_of_node);
    free(r.place_of_node);
    free(copy);
    if (status != PROF_OK)
        profi_dead_fini(dead);
    return status;
}

void profi_dead_fini(profi_dead *dead)
{
    profi_record_copy_fini(&dead->record);
    if (dead->cells.data != NULL)
        dead->rings.cells = NULL;
    profi_rings_view_fini(&dead->rings);
    profi_spool_fini(&dead->cells);
    free(dead->opens);
    profi_texts_fini(&dead->texts);
    *dead = (profi_dead){ 0 };
}
