/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules: which sites' calls may be kept, and by what.  A rule by name is the
 * operator's and goes before one in code; a name is matched as reports show
 * it.  Rules are never freed.
 *
 * Also the one call upwards: a site with a rule needs somebody who saves.
 */
#include "kept.h"

#include "cold.h"

#include "../base/error.h"
#include "../base/region.h"

#include <string.h>

/* Rules by name; written under the lock of the sites, and found without it. */
typedef struct rule {
    struct rule *next;
    uint64_t slower_than_ns, every_nth;
    uint32_t is_met;
    char name[];
} rule;

static rule *rules;
static void (*wish)(int has_rule);

static void set_rule(profi_site *site, uint64_t slower_than_ns, uint64_t every_nth, uint32_t origin)
{
    if (PROFI_GET(site->rule_origin) > origin)
        return;
    PROFI_PUT(site->slower_than_ns, slower_than_ns);
    PROFI_PUT(site->every_nth, every_nth);
    PROFI_PUT(site->rule_origin, origin);
}

void profi_kept_rule_for_new_site(profi_site *site)
{
    for (rule *r = rules; r != NULL; r = r->next)
        if (strcmp(r->name, site->name) == 0) {
            set_rule(site, r->slower_than_ns, r->every_nth, PROFI_RULE_BY_NAME);
            PROFI_PUT(r->is_met, 1u);
            return;
        }
}

/* The rule of a name, made if need be; under the lock of the sites. */
static rule *find_rule(const char *name, size_t name_bytes)
{
    rule *r = rules;
    while (r != NULL && (strlen(r->name) != name_bytes || memcmp(r->name, name, name_bytes) != 0))
        r = r->next;
    if (r != NULL)
        return r;
    r = profi_region_alloc(sizeof(*r) + name_bytes + 1, PROFI_REGION_SITE);
    if (r != NULL) {
        memcpy(r->name, name, name_bytes);
        r->next = rules;
        __atomic_store_n(&rules, r, __ATOMIC_RELEASE);
    }
    return r;
}

prof_status profi_kept_rule_by_name(const char *name, size_t name_bytes, uint64_t slower_than_ns, uint64_t every_nth,
                                    prof_error *err)
{
    profi_site_lock();
    rule *r = find_rule(name, name_bytes);
    if (r != NULL) {
        r->slower_than_ns = slower_than_ns ? slower_than_ns : r->slower_than_ns;
        r->every_nth = every_nth ? every_nth : r->every_nth;
        for (uint32_t i = 0; i < profi_site_count(); i++)
            if (strcmp(profi_site_by_id(i)->name, r->name) == 0) {
                set_rule(profi_site_by_id(i), r->slower_than_ns, r->every_nth, PROFI_RULE_BY_NAME);
                PROFI_PUT(r->is_met, 1u);
            }
    }
    profi_site_unlock();
    return r != NULL ? PROF_OK
                     : profi_fail(err, PROF_E_NO_MEMORY, "no memory for a rule for \"%.*s\"",
                                  (int)(name_bytes < 80 ? name_bytes : 80), name);
}

void profi_kept_unmet_rules(void (*tell)(const char *name))
{
    for (const rule *r = __atomic_load_n(&rules, __ATOMIC_ACQUIRE); r != NULL; r = r->next)
        if (!PROFI_GET(r->is_met))
            tell(r->name);
}

void profi_kept_rule_of_new_handle(profi_site *site, const prof_site *handle)
{
    if ((handle->flags & PROF_SITE_SAVE_IF) && PROFI_GET(site->rule_origin) == PROFI_RULE_NONE)
        set_rule(site, handle->reserved2[0], handle->reserved2[1], PROFI_RULE_IN_CODE);
}

int profi_kept_rule_of_site(prof_site *handle, uint64_t slower_than_ns, uint64_t every_nth)
{
    profi_site *site = profi_site_of(handle);
    if (site != NULL)
        set_rule(site, slower_than_ns, every_nth, PROFI_RULE_IN_CODE);
    return site != NULL;
}

void profi_saver_wish(void (*need)(int has_rule))
{
    __atomic_store_n(&wish, need, __ATOMIC_RELEASE);
}

void profi_kept_need_saver(int has_rule)
{
    void (*need)(int) = __atomic_load_n(&wish, __ATOMIC_ACQUIRE);
    if (PROFI_UNLIKELY(need != NULL))
        need(has_rule);
}
