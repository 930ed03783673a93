/* SPDX-License-Identifier: Apache-2.0 */
/* The program's options, then the environment: see config.h. */
#include "config.h"

#include "config_value.h"
#include "variables.h"

#include "../base/error.h"
#include "../base/region.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { OPTIONS_SIZE_0 = 56 }; /* prof_options as of version 0.1 */

static const struct text_option {
    const char *field;
    size_t offset;
    prof_status (*set)(profi_config *config, const char *value, prof_error *err);
    const char *otherwise; /* where it is NULL */
} text_options[] = {
    { "name", offsetof(prof_options, name), profi_config_set_name, "" },
    { "directory", offsetof(prof_options, directory), profi_config_set_directory, "profiling_results" },
    { "formats", offsetof(prof_options, formats), profi_config_set_formats, "txt,prof,json,pftrace" },
    { "sort", offsetof(prof_options, sort), profi_config_set_sort, "cumulative" },
    { "stream", offsetof(prof_options, stream), profi_config_set_stream, "" },
    { "save_if", offsetof(prof_options, save_if), profi_config_set_save_if, "" },
};

/* Says which field of the options a message is about. */
static prof_status of_field(const char *field, prof_status status, const prof_error *why, prof_error *err)
{
    return status == PROF_OK ? PROF_OK : profi_fail(err, status, "prof_options.%s: %s", field, why->message);
}

static prof_status set_texts(profi_config *config, const prof_options *given, prof_error *err)
{
    prof_status status = PROF_OK;
    for (size_t i = 0; i < PROFI_COUNT_OF(text_options) && status == PROF_OK; i++) {
        const struct text_option *option = &text_options[i];
        prof_error why = PROF_ERROR_INIT;
        const char *value;
        memcpy(&value, (const char *)given + option->offset, sizeof(value));
        status = of_field(option->field, option->set(config, value != NULL ? value : option->otherwise, &why), &why, err);
    }
    return status;
}

static prof_status set_options(profi_config *config, const prof_options *given, prof_error *err)
{
    prof_error why = PROF_ERROR_INIT;
    uint64_t memory_bytes = given->memory_bytes != 0 ? given->memory_bytes : PROFI_REGION_DEFAULT_BYTES;
    prof_status status = set_texts(config, given, err);
    if (status == PROF_OK)
        status = of_field("rss_every_ms", profi_config_set_rss_every(config, given->rss_every_ms, &why), &why, err);
    if (status == PROF_OK)
        status = of_field("utilization_every_ms",
                          profi_config_set_utilization_every(config, given->utilization_every_ms, &why), &why, err);
    if (status == PROF_OK)
        status = of_field("memory_bytes", profi_config_set_memory(config, memory_bytes, &why), &why, err);
    if (status == PROF_OK)
        status = of_field("when_full", profi_config_set_when_full(config, given->when_full, &why), &why, err);
    return status;
}

prof_status profi_config_load(profi_config *config, const prof_options *options, int reports, prof_error *err)
{
    prof_options given = PROF_OPTIONS_INIT;
    prof_status status = PROF_OK;
    if (options != NULL)
        status = profi_struct_read(&given, sizeof(given), options, OPTIONS_SIZE_0, "prof_options", err);
    if (status == PROF_OK && given.flags & ~PROF_NO_FILES)
        status = profi_fail(err, PROF_E_INVALID, "prof_options.flags has the unknown bits 0x%x",
                            (unsigned)(given.flags & ~PROF_NO_FILES));
    if (status == PROF_OK && given.reserved != 0)
        status = profi_fail(err, PROF_E_INVALID, "prof_options.reserved is not 0");
    if (status != PROF_OK)
        return status;

    profi_config_load_quiet();
    *config = (profi_config){ .clock = PROFI_CLOCK_AUTO, .keeps_events = 1, .save_every_s = given.save_every_s,
                              .max_files = given.max_files, .max_bytes = given.max_bytes, .dump_s = 10, .dump_every_s = 10,
                              .gpu_share = 0.01 };
    sigemptyset(&config->signals);
    snprintf(config->name, sizeof(config->name), "program");
    profi_config_set_name(config, program_invocation_short_name, NULL); /* unless it is too long */
    status = set_options(config, &given, err);
    if (status != PROF_OK)
        return status;
    config->has_chosen_formats = given.formats != NULL;
    profi_environment_load(config, reports);
    config->is_forced_off = profi_config_start_wish() == PROFI_START_NEVER;
    /* Who set PROFCORE=1 asked for files, whatever the program thinks of them. */
    int may_write = !(given.flags & PROF_NO_FILES) || profi_config_start_wish() == PROFI_START_NOW;
    config->writes_files = config->format_count != 0 && may_write;
    return PROF_OK;
}

int profi_config_has_tables(const profi_config *config)
{
    for (unsigned i = 0; i < config->format_count; i++)
        if (config->formats[i]->write != NULL)
            return 1;
    return 0;
}
