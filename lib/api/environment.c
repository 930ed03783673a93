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

static void report_unknown_variables(void)
{
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        size_t bytes = strcspn(*entry, "=");
        if (strncmp(*entry, "PROFCORE_", 9) == 0 && find_variable(*entry, bytes) == NULL)
            profi_notice("unknown variable %.*s in the environment; ignored", (int)(bytes < 80 ? bytes : 80), *entry);
    }
}

void profi_environment_load(profi_config *config, int reports)
{
    for (size_t i = 0; i < profi_variable_count; i++) {
        const char *value = variable_value(profi_variables[i].name);
        prof_error why = PROF_ERROR_INIT;
        if (value != NULL && profi_variables[i].set(config, value, &why) != PROF_OK && reports &&
            !profi_variables[i].is_complained_of)
            profi_notice("%s=%.80s ignored: %s", profi_variables[i].name, value, why.message);
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

/* Why a variable would be ignored, in err; PROF_OK where it would not. */
static prof_status check_variable(const char *name, size_t name_bytes, const char *value, prof_error *err)
{
    profi_config scratch = { 0 };
    const profi_variable *variable = find_variable(name, name_bytes);
    if (variable == NULL)
        return profi_fail(err, PROF_E_INVALID, "there is no such variable");
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
