/* SPDX-License-Identifier: Apache-2.0 */
/* The values that an option of the program and a variable may both set, and their bounds: see config_value.h. */
#include "config_value.h"

#include "save_rules.h"

#include "../base/error.h"
#include "../base/outlet.h"
#include "../base/region.h"
#include "../base/text.h"
#include "../format/sort_key.h"

#include <string.h>

static prof_status set_text(char *into, size_t room, const char *value, const char *what, prof_error *err)
{
    if (strlen(value) >= room)
        return profi_fail(err, PROF_E_INVALID, "%s is longer than %zu bytes", what, room - 1);
    memcpy(into, value, strlen(value) + 1);
    return PROF_OK;
}

prof_status profi_config_set_name(profi_config *config, const char *value, prof_error *err)
{
    char clean[PROFI_TEXT_MAX];
    if (value[0] == '\0')
        return PROF_OK;
    profi_text_clean(clean, value, strlen(value));
    return set_text(config->name, sizeof(config->name), clean, "the run's name", err);
}

prof_status profi_config_set_directory(profi_config *config, const char *value, prof_error *err)
{
    return set_text(config->directory, sizeof(config->directory), value, "the folder's path", err);
}

/* "txt,prof": in this order, each once; "none" or nothing writes no files. */
prof_status profi_config_set_formats(profi_config *config, const char *value, prof_error *err)
{
    const profi_writer *formats[PROFI_FORMATS_MAX];
    unsigned count = 0;
    if (strcmp(value, "none") == 0)
        value = "";
    for (const char *at = value; *at != '\0'; at += *at == ',') {
        size_t bytes = strcspn(at, ",");
        const profi_writer *writer = profi_writer_find(at, bytes);
        if (writer == NULL) {
            char known[PROFI_WRITER_NAMES_ROOM];
            return profi_fail(err, PROF_E_INVALID, "unknown format \"%.*s\"; there are: %s", (int)(bytes < 40 ? bytes : 40),
                              at, profi_writer_names(known));
        }
        at += bytes;
        unsigned i = 0;
        while (i < count && formats[i] != writer)
            i++;
        if (i == count)
            formats[count++] = writer;
    }
    memcpy(config->formats, formats, count * sizeof(*formats));
    config->format_count = count;
    config->has_chosen_formats = 1;
    return PROF_OK;
}

prof_status profi_config_set_sort(profi_config *config, const char *value, prof_error *err)
{
    profi_sort sort;
    prof_status status = profi_sort_parse(&sort, value, err);
    return status != PROF_OK ? status : set_text(config->sort, sizeof(config->sort), value, "the list of sort keys", err);
}

prof_status profi_config_set_memory(profi_config *config, uint64_t bytes, prof_error *err)
{
    if (bytes < PROFI_REGION_SMALLEST_BYTES || bytes > PROFI_REGION_LARGEST_BYTES)
        return profi_fail(err, PROF_E_INVALID, "memory of %llu bytes: from 1 MiB to 1 TiB can be set",
                          (unsigned long long)bytes);
    config->memory_bytes = bytes;
    return PROF_OK;
}

/* Who says where a stream goes wants one. */
prof_status profi_config_set_stream(profi_config *config, const char *value, prof_error *err)
{
    if (value[0] == '\0')
        return PROF_OK;
    prof_status status = profi_outlet_check(value, err);
    if (status == PROF_OK)
        status = set_text(config->stream, sizeof(config->stream), value, "where the stream goes", err);
    config->keeps_events |= status == PROF_OK;
    config->is_streamed |= status == PROF_OK;
    return status;
}

prof_status profi_config_set_save_if(profi_config *config, const char *value, prof_error *err)
{
    prof_status status = profi_save_rules_read(value, NULL, err);
    return status == PROF_OK ? set_text(config->save_if, sizeof(config->save_if), value, "the text of rules", err) : status;
}

prof_status profi_config_set_slow(profi_config *config, const char *value, prof_error *err)
{
    prof_status status = profi_slow_rules_read(value, NULL, err);
    return status == PROF_OK ? set_text(config->slow, sizeof(config->slow), value, "the text of limits", err) : status;
}

prof_status profi_config_set_when_full(profi_config *config, uint32_t when_full, prof_error *err)
{
    if (when_full > PROF_STOP_SAVING)
        return profi_fail(err, PROF_E_INVALID, "%u is neither PROF_REMOVE_OLDEST nor PROF_STOP_SAVING",
                          (unsigned)when_full);
    config->stops_when_full = when_full == PROF_STOP_SAVING;
    return PROF_OK;
}

prof_status profi_config_set_rss_every(profi_config *config, uint64_t ms, prof_error *err)
{
    if (ms > 60000)
        return profi_fail(err, PROF_E_INVALID, "resident memory can be sampled each 1 to 60000 milliseconds");
    config->rss_every_ms = (uint32_t)ms;
    return PROF_OK;
}

prof_status profi_config_set_utilization_every(profi_config *config, uint64_t ms, prof_error *err)
{
    if (ms != 0 && (ms < 10 || ms > 60000))
        return profi_fail(err, PROF_E_INVALID, "utilization can be sampled each 10 to 60000 milliseconds");
    config->utilization_every_ms = (uint32_t)ms;
    return PROF_OK;
}
