/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operator asks probes for: PROFCORE_PROBES=cpu,wait for the
 * functions that save, PROFCORE_PROBES=cpu:embed_* for those of a name.
 */
#include "config.h"

#include "../base/error.h"

#include <string.h>

static const struct group {
    const char *name;
    uint32_t site_flags;
} groups[] = {
    { "rss", PROF_SITE_RSS },       { "cpu", PROF_SITE_CPU },
    { "faults", PROF_SITE_FAULTS }, { "switches", PROF_SITE_SWITCHES },
    { "wait", PROF_SITE_WAIT },     { "cgroup", PROF_SITE_CGROUP },
    { "memory", PROF_SITE_MEMORY }, { "pools", PROF_SITE_POOLS },
    { "own", 0xffff0000u },
    { "all", PROF_SITE_RSS | PROF_SITE_CPU | PROF_SITE_FAULTS | PROF_SITE_SWITCHES | PROF_SITE_WAIT | PROF_SITE_CGROUP |
                 PROF_SITE_MEMORY | PROF_SITE_POOLS | 0xffff0000u },
};

static uint32_t flags_of(const char *name, size_t bytes)
{
    for (size_t i = 0; i < PROFI_COUNT_OF(groups); i++)
        if (strlen(groups[i].name) == bytes && memcmp(groups[i].name, name, bytes) == 0)
            return groups[i].site_flags;
    return 0;
}

prof_status profi_config_set_probes(profi_config *config, const char *value, prof_error *err)
{
    profi_probe_wish wishes[PROFI_PROBE_WISHES];
    unsigned count = 0;
    for (const char *at = value; *at != '\0'; at += *at == ',') {
        size_t bytes = strcspn(at, ","), name = strcspn(at, ":,");
        const char *pattern = at + name + 1;
        size_t pattern_bytes = name < bytes ? bytes - name - 1 : 0;
        uint32_t flags = flags_of(at, name);
        if (flags == 0)
            return profi_fail(err, PROF_E_INVALID, "unknown probe \"%.*s\"; there are: rss, cpu, faults, switches, wait, "
                              "cgroup, memory, pools, own (those of the program), all", (int)(name < 40 ? name : 40), at);
        if (name < bytes && (pattern_bytes == 0 || pattern_bytes >= sizeof(wishes[0].pattern)))
            return profi_fail(err, PROF_E_INVALID, "\"%.*s\" needs a function's name of 1 to %zu bytes behind the colon",
                              (int)(bytes < 40 ? bytes : 40), at, sizeof(wishes[0].pattern) - 1);
        if (count == PROFI_PROBE_WISHES)
            return profi_fail(err, PROF_E_INVALID, "more than %d entries", PROFI_PROBE_WISHES);
        wishes[count] = (profi_probe_wish){ .site_flags = flags };
        memcpy(wishes[count++].pattern, pattern, pattern_bytes);
        at += bytes;
    }
    memcpy(config->probes, wishes, count * sizeof(*wishes));
    config->probe_count = count;
    return PROF_OK;
}
