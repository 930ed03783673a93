/* SPDX-License-Identifier: Apache-2.0 */
/* The variables of this process: which are set, what they say, and which are none of ours. */
#include "variables.h"

#include "../base/error.h"
#include "../base/system.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

extern char **environ;

/* The value of a variable that is set and not empty; in a set-user-id program there is none. */
static const char *variable_value(const char *name)
{
    const char *value = secure_getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static const profi_variable *find_variable(const char *name, size_t bytes)
{
    for (size_t i = 0; i < profi_variable_count; i++)
        if (strlen(profi_variables[i].name) == bytes && memcmp(profi_variables[i].name, name, bytes) == 0)
            return &profi_variables[i];
    return NULL;
}

/* ---- what to say of a bad one ---- */

/* How many bytes of the longer one lie between what two texts begin and end with alike: slips are in one place. */
static size_t difference(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    size_t least = a_bytes < b_bytes ? a_bytes : b_bytes, alike = 0, end = 0;
    while (alike < least && a[alike] == b[alike])
        alike++;
    while (alike + end < least && a[a_bytes - 1 - end] == b[b_bytes - 1 - end])
        end++;
    return (a_bytes > b_bytes ? a_bytes : b_bytes) - alike - end;
}

/* The variable that an unknown name was probably meant to be, or NULL. */
static const char *nearest_variable(const char *name, size_t bytes)
{
    enum { TOO_FAR = 3 };
    size_t least = TOO_FAR;
    const char *nearest = NULL;
    for (size_t i = 0; i < profi_variable_count; i++) {
        const char *known = profi_variables[i].name;
        size_t away = strchr(known, '_') != NULL ? difference(name, bytes, known, strlen(known)) : TOO_FAR;
        if (away < least) {
            least = away;
            nearest = known;
        }
    }
    return nearest;
}

enum { SHOWN_ROOM = 200 };

static void show_formats(const profi_config *config, char text[SHOWN_ROOM])
{
    size_t used = 0;
    for (unsigned i = 0; i < config->format_count && used < SHOWN_ROOM; i++)
        used += (size_t)snprintf(text + used, SHOWN_ROOM - used, "%s%s", i == 0 ? "" : ",", config->formats[i]->name);
    if (config->format_count == 0)
        snprintf(text, SHOWN_ROOM, "none");
}

static void show_size(uint64_t bytes, char text[SHOWN_ROOM])
{
    static const char *const units[] = { "", "KiB", "MiB", "GiB" };
    unsigned unit = 0;
    while (unit < 3 && bytes != 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    snprintf(text, SHOWN_ROOM, "%llu%s", (unsigned long long)bytes, units[unit]);
}

/* What the configuration has for a variable; "" and "0" where it has nothing. */
static void show(const profi_variable *variable, const profi_config *config, char text[SHOWN_ROOM])
{
    static const char *const clocks[] = { [PROFI_CLOCK_AUTO] = "auto", [PROFI_CLOCK_TSC] = "tsc", [PROFI_CLOCK_VDSO] = "vdso" };
    const void *field = (const char *)config + variable->offset;
    text[0] = '\0';
    switch (variable->shown) {
    case PROFI_SHOWN_NOT: break;
    case PROFI_SHOWN_TEXT: snprintf(text, SHOWN_ROOM, "%.100s", (const char *)field); break;
    case PROFI_SHOWN_NUMBER: snprintf(text, SHOWN_ROOM, "%u", (unsigned)*(const uint32_t *)field); break;
    case PROFI_SHOWN_LONG_NUMBER: snprintf(text, SHOWN_ROOM, "%llu", (unsigned long long)*(const uint64_t *)field); break;
    case PROFI_SHOWN_SIZE: show_size(*(const uint64_t *)field, text); break;
    case PROFI_SHOWN_SWITCH: snprintf(text, SHOWN_ROOM, "%d", *(const int *)field); break;
    case PROFI_SHOWN_FORMATS: show_formats(config, text); break;
    case PROFI_SHOWN_MODE:
        snprintf(text, SHOWN_ROOM, "%s", !config->keeps_events ? "tree" : config->is_streamed ? "stream" : "ring");
        break;
    case PROFI_SHOWN_WHEN_FULL: snprintf(text, SHOWN_ROOM, "%s", config->stops_when_full ? "stop" : "oldest"); break;
    case PROFI_SHOWN_CLOCK: snprintf(text, SHOWN_ROOM, "%s", clocks[config->clock]); break;
    }
}

static void report_bad(const profi_variable *variable, const char *value, const char *why, const profi_config *config)
{
    char used[SHOWN_ROOM];
    show(variable, config, used);
    if (used[0] == '\0' || strcmp(used, "0") == 0)
        profi_notice("%s=%.80s ignored: %s; it counts as not set", variable->name, value, why);
    else
        profi_notice("%s=%.80s ignored: %s; %s is used", variable->name, value, why, used);
}

static void report_unknown_variables(void)
{
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        size_t bytes = strcspn(*entry, "=");
        if (strncmp(*entry, "PROFCORE_", 9) != 0 || find_variable(*entry, bytes) != NULL)
            continue;
        const char *nearest = nearest_variable(*entry, bytes);
        profi_notice("unknown variable %.*s in the environment; ignored%s%s%s", (int)(bytes < 80 ? bytes : 80), *entry,
                     nearest ? " (did you mean " : "", nearest ? nearest : "", nearest ? "?)" : "");
    }
}

/* ---- looking at them ---- */

void profi_environment_load(profi_config *config, int reports)
{
    for (size_t i = 0; i < profi_variable_count; i++) {
        const char *value = variable_value(profi_variables[i].name);
        prof_error why = PROF_ERROR_INIT;
        if (value != NULL && profi_variables[i].set(config, value, &why) != PROF_OK && reports &&
            !profi_variables[i].is_complained_of)
            report_bad(&profi_variables[i], value, why.message, config);
    }
    if (reports && getauxval(AT_SECURE) == 0)
        report_unknown_variables();
}

profi_start_wish profi_config_start_wish(void)
{
    const char *value = variable_value("PROFCORE");
    if (value == NULL)
        return PROFI_START_UNSAID;
    if (strcmp(value, "1") == 0)
        return PROFI_START_NOW;
    return strcmp(value, "0") == 0 ? PROFI_START_NEVER : PROFI_START_UNKNOWN;
}

int profi_config_tells_nvtx(void)
{
    const char *value = variable_value("PROFCORE_NVTX");
    return (value == NULL || strcmp(value, "0") != 0) && profi_config_start_wish() != PROFI_START_NEVER;
}

int profi_config_captures_nvtx(void)
{
    const char *value = variable_value("PROFCORE_NVTX_CAPTURE");
    return value != NULL && strcmp(value, "1") == 0 && profi_config_start_wish() != PROFI_START_NEVER;
}

/* Why a variable would be ignored, in err; PROF_OK where it would not. */
static prof_status check_variable(const char *name, size_t name_bytes, const char *value, prof_error *err)
{
    profi_config scratch = { 0 };
    const profi_variable *variable = find_variable(name, name_bytes);
    const char *nearest = variable == NULL ? nearest_variable(name, name_bytes) : NULL;
    if (variable == NULL)
        return profi_fail(err, PROF_E_INVALID, "there is no such variable%s%s%s", nearest ? "; did you mean " : "",
                          nearest ? nearest : "", nearest ? "?" : "");
    return variable->set(&scratch, value, err);
}

prof_status prof_environment_check(prof_variable_callback found, void *user, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    if (found == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_environment_check: found is NULL");
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        size_t bytes = strcspn(*entry, "=");
        char name[256];
        prof_error why = PROF_ERROR_INIT;
        if (strncmp(*entry, "PROFCORE", 8) != 0 || (bytes > 8 && (*entry)[8] != '_') || (*entry)[bytes] == '\0' ||
            (*entry)[bytes + 1] == '\0')
            continue;
        snprintf(name, sizeof(name), "%.*s", (int)bytes, *entry);
        prof_status status = check_variable(*entry, bytes, *entry + bytes + 1, &why);
        found(user, name, *entry + bytes + 1, status == PROF_OK ? NULL : why.message);
    }
    return PROF_OK;
}

void profi_config_load_quiet(void)
{
    const char *quiet = variable_value("PROFCORE_QUIET");
    profi_notice_quiet(quiet != NULL && strcmp(quiet, "1") == 0);
}
