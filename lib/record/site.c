/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sites by their text: equal name, file and line are one site, wherever the
 * caller's own struct lies.  Text is cleaned and copied here, once.
 *
 * One lock, held for a look-up.  A site is never freed: nodes, and the
 * `intern` of callers' structs, point to it for good.  Cleaned text waits in
 * buffers of the lock's, not on the stack: a thread's first scope may be on
 * one of 16 KiB, or on a signal handler's.
 */
#include "cold.h"

#include "../base/region.h"
#include "../base/system.h"
#include "../base/text.h"
#include "record.h"
#include "roots.h"

#include <pthread.h>
#include <string.h>

enum { SITES_PER_PAGE = 512, PAGES = 4096, SAMPLE_EVERY_DEFAULT = 128 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static profi_table by_text = { .use = PROFI_REGION_SITE };
static profi_site **pages[PAGES]; /* sites by id; a page is made when its first id is */
static uint32_t site_count;       /* stored with release after the site's slot */
static char clean_name[PROFI_TEXT_MAX], clean_file[PROFI_TEXT_MAX]; /* under the lock */
static profi_thread *holder; /* who came by profi_site_lock() */

void profi_site_lock(void)
{
    profi_thread *self = profi_step_away();
    pthread_mutex_lock(&lock);
    holder = self;
}

void profi_site_unlock(void)
{
    profi_thread *self = holder;
    pthread_mutex_unlock(&lock);
    profi_come_back(self);
}

static const char *copy_text(const char *text, size_t bytes)
{
    char *copy = profi_region_alloc(bytes + 1, PROFI_REGION_SITE);
    if (copy != NULL)
        memcpy(copy, text, bytes + 1);
    return copy;
}

static int is_same(const profi_site *site, const char *name, const char *file, uint32_t line)
{
    return site->line == line && strcmp(site->name, name) == 0 &&
           (file == NULL ? site->file == NULL : site->file != NULL && strcmp(site->file, file) == 0);
}

static profi_site *find(uint64_t hash, const char *name, const char *file, uint32_t line)
{
    for (profi_entry *e = profi_table_first(&by_text, hash); e != NULL; e = profi_table_next(e)) {
        profi_site *site = PROFI_OBJECT_OF(e, profi_site, by_text);
        if (is_same(site, name, file, line))
            return site;
    }
    return NULL;
}

static profi_site *drop(profi_site *site, size_t name_bytes, size_t file_bytes)
{
    profi_region_free((void *)site->name, name_bytes + 1, PROFI_REGION_SITE);
    profi_region_free((void *)site->file, file_bytes + 1, PROFI_REGION_SITE);
    profi_region_free(site, sizeof(*site), PROFI_REGION_SITE);
    return NULL;
}

/* Reserves all that a site needs, then cannot fail. */
static profi_site *make(uint64_t hash, const char *name, size_t name_bytes, const char *file, size_t file_bytes,
                        uint32_t line, uint32_t flags, uint32_t sample_every)
{
    uint32_t id = site_count;
    if (id >= SITES_PER_PAGE * PAGES)
        return NULL;
    profi_site ***page = &pages[id / SITES_PER_PAGE];
    if (*page == NULL)
        *page = profi_region_alloc(SITES_PER_PAGE * sizeof(**page), PROFI_REGION_SITE);
    profi_site *site = profi_region_alloc(sizeof(*site), PROFI_REGION_SITE);
    const char *own_name = copy_text(name, name_bytes), *own_file = file ? copy_text(file, file_bytes) : NULL;
    if (*page == NULL || site == NULL || own_name == NULL || (file != NULL && own_file == NULL)) {
        profi_region_free(site, sizeof(*site), PROFI_REGION_SITE);
        profi_region_free((void *)own_name, name_bytes + 1, PROFI_REGION_SITE);
        profi_region_free((void *)own_file, file_bytes + 1, PROFI_REGION_SITE);
        return NULL;
    }
    site->id = id;
    site->flags = flags | profi_probe_wished(name, flags, file != NULL && line == 0); /* see operators.c */
    site->probes = profi_probes_for(site->flags);
    site->asks_levels = (site->flags & PROF_SITE_POOLS) != 0;
    site->sample_every = sample_every ? sample_every : SAMPLE_EVERY_DEFAULT;
    site->line = line;
    site->name = own_name;
    site->file = own_file;
    site->handle = (prof_site)PROF_SITE_INIT(own_name, own_file, line, flags);
    site->handle.intern = site;
    if (!profi_roots_add_site(site, name_bytes, file_bytes))
        return drop(site, name_bytes, file_bytes);
    profi_kept_rule_for_new_site(site);
    profi_table_add(&by_text, &site->by_text, hash);
    (*page)[id % SITES_PER_PAGE] = site;
    __atomic_store_n(&site_count, id + 1, __ATOMIC_RELEASE);
    return site;
}

/* Finds or makes what the library knows of a site's text; NULL when memory is spent. */
static profi_site *intern(const char *name, size_t name_bytes, const char *file, uint32_t line, uint32_t flags,
                          uint32_t sample_every)
{
    PROFI_NO_CANCELLATION;
    if (file == NULL)
        line = 0;
    profi_site_lock();
    name_bytes = profi_text_clean(clean_name, name, name_bytes);
    size_t file_bytes = file ? profi_text_clean(clean_file, file, strlen(file)) : 0;
    uint64_t hash = profi_text_hash(clean_name, name_bytes, profi_hash_seed() ^ line);
    if (file != NULL)
        hash = profi_text_hash(clean_file, file_bytes, hash);

    profi_site *site = find(hash, clean_name, file ? clean_file : NULL, line);
    if (site == NULL)
        site = make(hash, clean_name, name_bytes, file ? clean_file : NULL, file_bytes, line, flags,
                    sample_every);
    profi_site_unlock();
    return site;
}

profi_site *profi_site_of(prof_site *handle)
{
    profi_site *site = __atomic_load_n((profi_site **)&handle->intern, __ATOMIC_ACQUIRE);
    if (site != NULL)
        return site;
    const char *name = handle->name != NULL && handle->name[0] != '\0' ? handle->name : "(unnamed)";
    site = intern(name, strlen(name), handle->file, handle->line, handle->flags, handle->sample_every);
    if (site != NULL) {
        profi_kept_rule_of_new_handle(site, handle);
        __atomic_store_n((profi_site **)&handle->intern, site, __ATOMIC_RELEASE);
    }
    return site;
}

void profi_site_set_unit(profi_site *site, const char *unit)
{
    PROFI_NO_CANCELLATION;
    profi_site_lock();
    size_t bytes = profi_text_clean(clean_name, unit, strlen(unit));
    if (site->unit == NULL)
        __atomic_store_n(&site->unit, copy_text(clean_name, bytes), __ATOMIC_RELEASE);
    if (site->unit != NULL)
        profi_roots_set_unit(site);
    profi_site_unlock();
}

uint32_t profi_site_count(void)
{
    return __atomic_load_n(&site_count, __ATOMIC_ACQUIRE);
}

profi_site *profi_site_by_id(uint32_t id)
{
    return pages[id / SITES_PER_PAGE][id % SITES_PER_PAGE];
}

prof_site *profi_record_site(const char *name, size_t name_bytes, const char *file, uint32_t line, uint32_t flags)
{
    profi_site *site = intern(name, name_bytes, file, line, flags, 0);
    return site != NULL ? &site->handle : NULL;
}
