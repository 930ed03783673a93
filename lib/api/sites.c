/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions by which a program adds sites, rules and probes at run time: checks, then delegates. */
#include "recorder.h"

#include "../base/error.h"
#include "../base/region.h"
#include "../base/system.h"
#include "../record/kept.h"

#include <string.h>

enum { PROBE_SIZE_0 = 40 }; /* prof_probe as of version 0.1 */

prof_status prof_site_get(const char *name, size_t name_bytes, const char *file, uint32_t line, uint32_t flags,
                          prof_site **site, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    if (site == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_site_get: site is NULL");
    if (name == NULL || name_bytes == 0 || (name_bytes == SIZE_MAX && name[0] == '\0'))
        return profi_fail(err, PROF_E_INVALID, "prof_site_get: the name is empty");
    if (name_bytes == SIZE_MAX)
        name_bytes = strlen(name);
    const char *nul = memchr(name, '\0', name_bytes);
    if (nul != NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_site_get: the name holds a NUL at byte %zu, after \"%.80s\"",
                          (size_t)(nul - name), name);
    prof_status status = profi_recorder_open(err);
    if (status != PROF_OK)
        return status;
    prof_site *found = profi_record_site(name, name_bytes, file, line, flags);
    if (found == NULL)
        return profi_fail(err, PROF_E_NO_MEMORY, "prof_site_get: the cap of %llu bytes leaves no room for \"%.*s\"",
                          (unsigned long long)profi_region_limit(), (int)(name_bytes < 80 ? name_bytes : 80), name);
    *site = found;
    return PROF_OK;
}

prof_status prof_site_save_if(prof_site *site, uint64_t slower_than_ns, uint64_t every_nth, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    if (site == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_site_save_if: site is NULL");
    prof_status status = profi_recorder_open(err);
    if (status != PROF_OK)
        return status;
    if (!profi_kept_rule_of_site(site, slower_than_ns, every_nth))
        return profi_fail(err, PROF_E_NO_MEMORY, "prof_site_save_if: the cap of %llu bytes leaves no room for \"%.80s\"",
                          (unsigned long long)profi_region_limit(), site->name != NULL ? site->name : "(unnamed)");
    return PROF_OK;
}

prof_status prof_probe_add(const prof_probe *probe, uint32_t *site_flag, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    prof_probe given;
    prof_status status = profi_struct_read(&given, sizeof(given), probe, PROBE_SIZE_0, "prof_probe", err);
    if (status != PROF_OK)
        return status;
    if (given.flags & ~(PROF_PROBE_GAUGE | PROF_PROBE_PROCESS))
        return profi_fail(err, PROF_E_INVALID, "prof_probe.flags has the unknown bits 0x%x",
                          (unsigned)(given.flags & ~(PROF_PROBE_GAUGE | PROF_PROBE_PROCESS)));
    if (given.read == NULL || site_flag == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_probe_add: %s is NULL", site_flag ? "prof_probe.read" : "site_flag");
    return profi_recorder_add_probe(&given, site_flag, err);
}
