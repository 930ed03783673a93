/* SPDX-License-Identifier: Apache-2.0 */
/* The table of variables, and how each is read: see variables.h. */
#include "variables.h"

#include "config_value.h"
#include "control.h"
#include "dump.h"
#include "save_rules.h"

#include "../base/error.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A whole number with nothing behind it but what `rest` receives; 0 when there is none. */
static int parse_number(const char *text, uint64_t *value, const char **rest)
{
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return 0;
    errno = 0;
    *value = strtoull(text, &end, 10);
    *rest = end;
    return errno == 0;
}

/* The same with nothing behind it; `of_what` is for the message. */
static prof_status read_whole(const char *value, uint64_t *into, const char *of_what, prof_error *err)
{
    uint64_t number;
    const char *rest;
    if (!parse_number(value, &number, &rest) || *rest != '\0')
        return profi_fail(err, PROF_E_INVALID, "not a whole number of %s", of_what);
    *into = number;
    return PROF_OK;
}

static prof_status read_seconds(const char *value, uint32_t *into, prof_error *err)
{
    uint64_t seconds = 0;
    prof_status status = read_whole(value, &seconds, "seconds", err);
    if (status == PROF_OK && seconds >= UINT32_MAX)
        status = profi_fail(err, PROF_E_INVALID, "not a whole number of seconds");
    if (status == PROF_OK)
        *into = (uint32_t)seconds;
    return status;
}

static prof_status read_switch(const char *value, int *into, prof_error *err)
{
    if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
        return profi_fail(err, PROF_E_INVALID, "neither 0 nor 1");
    *into = value[0] == '1';
    return PROF_OK;
}

/* "64MiB"; 0 when it is no size. */
static int parse_size(const char *value, uint64_t *bytes)
{
    static const struct { const char *suffix; unsigned shift; } units[] = {
        { "", 0 }, { "k", 10 }, { "K", 10 }, { "KiB", 10 }, { "m", 20 }, { "M", 20 }, { "MiB", 20 },
        { "g", 30 }, { "G", 30 }, { "GiB", 30 },
    };
    uint64_t number;
    const char *suffix;
    if (parse_number(value, &number, &suffix)) {
        suffix += *suffix == ' ';
        for (size_t i = 0; i < PROFI_COUNT_OF(units); i++)
            if (strcmp(suffix, units[i].suffix) == 0 && number <= UINT64_MAX >> units[i].shift) {
                *bytes = number << units[i].shift;
                return 1;
            }
    }
    return 0;
}

static prof_status variable_memory(profi_config *config, const char *value, prof_error *err)
{
    uint64_t bytes;
    if (!parse_size(value, &bytes))
        return profi_fail(err, PROF_E_INVALID, "not a size such as 64MiB");
    return profi_config_set_memory(config, bytes, err);
}

static prof_status variable_max_bytes(profi_config *config, const char *value, prof_error *err)
{
    return parse_size(value, &config->max_bytes) ? PROF_OK : profi_fail(err, PROF_E_INVALID, "not a size such as 1GiB");
}

static prof_status variable_max_files(profi_config *config, const char *value, prof_error *err)
{
    return read_whole(value, &config->max_files, "files", err);
}

static prof_status variable_when_full(profi_config *config, const char *value, prof_error *err)
{
    if (strcmp(value, "oldest") != 0 && strcmp(value, "stop") != 0)
        return profi_fail(err, PROF_E_INVALID, "neither oldest nor stop");
    config->stops_when_full = value[0] == 's';
    return PROF_OK;
}

static prof_status variable_save_every(profi_config *config, const char *value, prof_error *err)
{
    return read_seconds(value, &config->save_every_s, err);
}

static prof_status variable_dump_seconds(profi_config *config, const char *value, prof_error *err)
{
    prof_status status = read_seconds(value, &config->dump_s, err);
    config->dump_s = config->dump_s != 0 ? config->dump_s : PROFI_DUMP_ALL;
    return status;
}

static prof_status variable_dump_every(profi_config *config, const char *value, prof_error *err)
{
    return read_seconds(value, &config->dump_every_s, err);
}

static prof_status variable_rss_every(profi_config *config, const char *value, prof_error *err)
{
    uint64_t ms = 0;
    prof_status status = read_whole(value, &ms, "milliseconds", err);
    return status == PROF_OK ? profi_config_set_rss_every(config, ms, err) : status;
}

static prof_status variable_gpu(profi_config *config, const char *value, prof_error *err)
{
    int is_on = 0;
    prof_status status = read_switch(value, &is_on, err);
    if (status == PROF_OK)
        config->gpu = is_on ? PROFI_GPU_ALWAYS : PROFI_GPU_NEVER;
    return status;
}

static prof_status variable_gpu_budget(profi_config *config, const char *value, prof_error *err)
{
    double percent = 0, unit = 1;
    const char *at = value;
    for (; *at >= '0' && *at <= '9'; at++)
        percent = percent * 10 + (*at - '0');
    if (*at == '.') /* whatever the locale writes there */
        for (at++; *at >= '0' && *at <= '9'; at++)
            percent += (*at - '0') * (unit /= 10);
    if (strcmp(at, "%") != 0 || percent <= 0 || percent > 100)
        return profi_fail(err, PROF_E_INVALID, "not a share such as 1%% or 0.5%%, above 0 and up to 100%%");
    config->gpu_share = percent / 100;
    return PROF_OK;
}

static prof_status variable_utilization_every(profi_config *config, const char *value, prof_error *err)
{
    uint64_t ms = 0;
    prof_status status = read_whole(value, &ms, "milliseconds", err);
    return status == PROF_OK ? profi_config_set_utilization_every(config, ms, err) : status;
}

static prof_status variable_event_min(profi_config *config, const char *value, prof_error *err)
{
    return read_whole(value, &config->event_min_ns, "nanoseconds", err);
}

/* The signals that end a service or that are free for its use; not those that mean a crash. */
static const struct { const char *name; int number; } signal_names[] = {
    { "TERM", SIGTERM }, { "INT", SIGINT }, { "HUP", SIGHUP }, { "QUIT", SIGQUIT },
    { "USR1", SIGUSR1 }, { "USR2", SIGUSR2 }, { "ALRM", SIGALRM }, { "XCPU", SIGXCPU },
};

static prof_status read_signal(const char *value, size_t bytes, int *number, prof_error *err)
{
    size_t prefix = bytes > 3 && memcmp(value, "SIG", 3) == 0 ? 3 : 0;
    for (size_t i = 0; i < PROFI_COUNT_OF(signal_names); i++) {
        const char *name = signal_names[i].name;
        if (strlen(name) == bytes - prefix && memcmp(name, value + prefix, bytes - prefix) == 0) {
            *number = signal_names[i].number;
            return PROF_OK;
        }
    }
    return profi_fail(err, PROF_E_INVALID, "unknown signal \"%.*s\"; there are: TERM, INT, HUP, QUIT, USR1, USR2, ALRM, XCPU",
                      (int)(bytes < 40 ? bytes : 40), value);
}

static prof_status variable_signals(profi_config *config, const char *value, prof_error *err)
{
    sigset_t signals;
    int count = 0, number;
    sigemptyset(&signals);
    for (const char *at = value; *at != '\0'; at += *at == ',') {
        size_t bytes = strcspn(at, ",");
        prof_status status = read_signal(at, bytes, &number, err);
        if (status != PROF_OK)
            return status;
        sigaddset(&signals, number);
        count++;
        at += bytes;
    }
    config->signals = signals;
    config->has_signals = count != 0;
    return PROF_OK;
}

static prof_status variable_dump_signal(profi_config *config, const char *value, prof_error *err)
{
    prof_status status = read_signal(value, strlen(value), &config->dump_signal, err);
    if (status == PROF_OK)
        snprintf(config->dump_signal_name, sizeof(config->dump_signal_name), "%s%.12s",
                 strncmp(value, "SIG", 3) == 0 ? "" : "SIG", value);
    return status;
}

static prof_status variable_on_crash(profi_config *config, const char *value, prof_error *err)
{
    return read_switch(value, &config->dumps_on_crash, err);
}

/* Read when the library is loaded: see profi_control_start(). */
static prof_status variable_control(profi_config *config, const char *value, prof_error *err)
{
    (void)config;
    return profi_control_check(value, err);
}

static prof_status variable_clock(profi_config *config, const char *value, prof_error *err)
{
    if (strcmp(value, "auto") == 0)
        config->clock = PROFI_CLOCK_AUTO;
    else if (strcmp(value, "tsc") == 0)
        config->clock = PROFI_CLOCK_TSC;
    else if (strcmp(value, "vdso") == 0)
        config->clock = PROFI_CLOCK_VDSO;
    else
        return profi_fail(err, PROF_E_INVALID, "neither auto, tsc nor vdso");
    return PROF_OK;
}

static prof_status variable_mode(profi_config *config, const char *value, prof_error *err)
{
    if (strcmp(value, "ring") != 0 && strcmp(value, "tree") != 0 && strcmp(value, "stream") != 0)
        return profi_fail(err, PROF_E_INVALID, "neither ring, tree nor stream");
    config->keeps_events = strcmp(value, "tree") != 0;
    config->is_streamed = strcmp(value, "stream") == 0;
    return PROF_OK;
}

static prof_status variable_crash_safe(profi_config *config, const char *value, prof_error *err)
{
    return read_switch(value, &config->is_crash_safe, err);
}

/* Its effect comes before that of the others: see profi_config_load(). */
static prof_status variable_quiet(profi_config *config, const char *value, prof_error *err)
{
    int is_quiet;
    (void)config;
    return read_switch(value, &is_quiet, err);
}

/* Read when the library is loaded: see profi_config_start_wish(). */
static prof_status variable_profcore(profi_config *config, const char *value, prof_error *err)
{
    int is_on;
    (void)config;
    return read_switch(value, &is_on, err);
}

/* Read before the rest: see profi_config_tells_nvtx() and profi_config_captures_nvtx(). */
static prof_status variable_nvtx(profi_config *config, const char *value, prof_error *err)
{
    int is_on;
    (void)config;
    return read_switch(value, &is_on, err);
}

/* Read by libprofcore_torch where it is loaded; here it is known and checked, for who asks before. */
static prof_status variable_torch(profi_config *config, const char *value, prof_error *err)
{
    static const char *const words[] = { "1", "shapes", "memory" };
    (void)config;
    if (strcmp(value, "0") == 0)
        return PROF_OK;
    for (const char *at = value; *at != '\0'; at += *at == ',') {
        size_t bytes = strcspn(at, ","), i = 0;
        while (i < PROFI_COUNT_OF(words) && (strlen(words[i]) != bytes || memcmp(words[i], at, bytes) != 0))
            i++;
        if (i == PROFI_COUNT_OF(words))
            return profi_fail(err, PROF_E_INVALID, "neither 0 nor a list of 1, shapes and memory");
        at += bytes;
    }
    return PROF_OK;
}

#define FIELD(field) offsetof(profi_config, field)

const profi_variable profi_variables[] = {
    { "PROFCORE", variable_profcore, PROFI_SHOWN_NOT, 0, 1 },
    { "PROFCORE_QUIET", variable_quiet, PROFI_SHOWN_NOT, 0, 0 },
    { "PROFCORE_NAME", profi_config_set_name, PROFI_SHOWN_TEXT, FIELD(name), 0 },
    { "PROFCORE_DIR", profi_config_set_directory, PROFI_SHOWN_TEXT, FIELD(directory), 0 },
    { "PROFCORE_FORMATS", profi_config_set_formats, PROFI_SHOWN_FORMATS, 0, 0 },
    { "PROFCORE_SORT", profi_config_set_sort, PROFI_SHOWN_TEXT, FIELD(sort), 0 },
    { "PROFCORE_MEMORY", variable_memory, PROFI_SHOWN_SIZE, FIELD(memory_bytes), 0 },
    { "PROFCORE_MODE", variable_mode, PROFI_SHOWN_MODE, 0, 0 },
    { "PROFCORE_STREAM", profi_config_set_stream, PROFI_SHOWN_TEXT, FIELD(stream), 0 }, /* behind it: it is the stronger */
    { "PROFCORE_EVENT_MIN_NS", variable_event_min, PROFI_SHOWN_LONG_NUMBER, FIELD(event_min_ns), 0 },
    { "PROFCORE_CRASH_SAFE", variable_crash_safe, PROFI_SHOWN_SWITCH, FIELD(is_crash_safe), 0 },
    { "PROFCORE_SAVE_EVERY", variable_save_every, PROFI_SHOWN_NUMBER, FIELD(save_every_s), 0 },
    { "PROFCORE_SAVE_IF", profi_config_set_save_if, PROFI_SHOWN_TEXT, FIELD(save_if), 0 },
    { "PROFCORE_MAX_FILES", variable_max_files, PROFI_SHOWN_LONG_NUMBER, FIELD(max_files), 0 },
    { "PROFCORE_MAX_BYTES", variable_max_bytes, PROFI_SHOWN_SIZE, FIELD(max_bytes), 0 },
    { "PROFCORE_WHEN_FULL", variable_when_full, PROFI_SHOWN_WHEN_FULL, 0, 0 },
    { "PROFCORE_SLOW", profi_config_set_slow, PROFI_SHOWN_TEXT, FIELD(slow), 0 },
    { "PROFCORE_DUMP_SIGNAL", variable_dump_signal, PROFI_SHOWN_TEXT, FIELD(dump_signal_name), 0 },
    { "PROFCORE_DUMP_SECONDS", variable_dump_seconds, PROFI_SHOWN_NUMBER, FIELD(dump_s), 0 },
    { "PROFCORE_DUMP_EVERY", variable_dump_every, PROFI_SHOWN_NUMBER, FIELD(dump_every_s), 0 },
    { "PROFCORE_ON_CRASH", variable_on_crash, PROFI_SHOWN_SWITCH, FIELD(dumps_on_crash), 0 },
    { "PROFCORE_CONTROL", variable_control, PROFI_SHOWN_NOT, 0, 0 },
    { "PROFCORE_SIGNALS", variable_signals, PROFI_SHOWN_NOT, 0, 0 },
    { "PROFCORE_TORCH", variable_torch, PROFI_SHOWN_NOT, 0, 1 },
    { "PROFCORE_NVTX", variable_nvtx, PROFI_SHOWN_NOT, 0, 0 },
    { "PROFCORE_NVTX_CAPTURE", variable_nvtx, PROFI_SHOWN_NOT, 0, 0 },
    { "PROFCORE_CLOCK", variable_clock, PROFI_SHOWN_CLOCK, 0, 0 },
    { "PROFCORE_RSS_EVERY", variable_rss_every, PROFI_SHOWN_NUMBER, FIELD(rss_every_ms), 0 },
    { "PROFCORE_GPU", variable_gpu, PROFI_SHOWN_NOT, 0, 0 },
    { "PROFCORE_GPU_BUDGET", variable_gpu_budget, PROFI_SHOWN_NOT, 0, 0 },
    { "PROFCORE_UTILIZATION_EVERY", variable_utilization_every, PROFI_SHOWN_NUMBER, FIELD(utilization_every_ms), 0 },
    { "PROFCORE_PROBES", profi_config_set_probes, PROFI_SHOWN_NOT, 0, 0 },
};

const size_t profi_variable_count = PROFI_COUNT_OF(profi_variables);
