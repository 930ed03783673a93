/* SPDX-License-Identifier: Apache-2.0 */
/* Options and environment: see config.h. */
#include "config.h"

#include "control.h"
#include "dump.h"
#include "save_rules.h"

#include "../base/error.h"
#include "../base/region.h"
#include "../base/system.h"
#include "../base/text.h"
#include "../format/sort_key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

extern char **environ;

enum { OPTIONS_SIZE_0 = 56 }; /* prof_options as of version 0.1 */

/* ---- values, from an option or a variable ---- */

static prof_status set_text(char *into, size_t room, const char *value, const char *what, prof_error *err)
{
    if (strlen(value) >= room)
        return profi_fail(err, PROF_E_INVALID, "%s is longer than %zu bytes", what, room - 1);
    memcpy(into, value, strlen(value) + 1);
    return PROF_OK;
}

static prof_status set_name(profi_config *config, const char *value, prof_error *err)
{
    char clean[PROFI_TEXT_MAX];
    profi_text_clean(clean, value, strlen(value));
    return set_text(config->name, sizeof(config->name), clean, "the run's name", err);
}

static prof_status set_directory(profi_config *config, const char *value, prof_error *err)
{
    return set_text(config->directory, sizeof(config->directory), value, "the folder's path", err);
}

/* "txt,prof": in this order, each once; "none" or nothing writes no files. */
static prof_status set_formats(profi_config *config, const char *value, prof_error *err)
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

static prof_status set_sort(profi_config *config, const char *value, prof_error *err)
{
    profi_sort sort;
    prof_status status = profi_sort_parse(&sort, value, err);
    return status != PROF_OK ? status : set_text(config->sort, sizeof(config->sort), value, "the list of sort keys", err);
}

static prof_status set_memory(profi_config *config, uint64_t bytes, prof_error *err)
{
    if (bytes < PROFI_REGION_SMALLEST_BYTES || bytes > PROFI_REGION_LARGEST_BYTES)
        return profi_fail(err, PROF_E_INVALID, "memory of %llu bytes: from 1 MiB to 1 TiB can be set",
                          (unsigned long long)bytes);
    config->memory_bytes = bytes;
    return PROF_OK;
}

static prof_status set_save_if(profi_config *config, const char *value, prof_error *err)
{
    prof_status status = profi_save_rules_read(value, NULL, err);
    return status == PROF_OK ? set_text(config->save_if, sizeof(config->save_if), value, "the text of rules", err) : status;
}

static prof_status set_when_full(profi_config *config, uint32_t when_full, prof_error *err)
{
    if (when_full > PROF_STOP_SAVING)
        return profi_fail(err, PROF_E_INVALID, "%u is neither PROF_REMOVE_OLDEST nor PROF_STOP_SAVING",
                          (unsigned)when_full);
    config->stops_when_full = when_full == PROF_STOP_SAVING;
    return PROF_OK;
}

/* ---- variables ---- */

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
    return set_memory(config, bytes, err);
}

static prof_status variable_max_bytes(profi_config *config, const char *value, prof_error *err)
{
    return parse_size(value, &config->max_bytes) ? PROF_OK : profi_fail(err, PROF_E_INVALID, "not a size such as 1GiB");
}

static prof_status variable_max_files(profi_config *config, const char *value, prof_error *err)
{
    uint64_t files;
    const char *rest;
    if (!parse_number(value, &files, &rest) || *rest != '\0')
        return profi_fail(err, PROF_E_INVALID, "not a whole number of files");
    config->max_files = files;
    return PROF_OK;
}

static prof_status variable_when_full(profi_config *config, const char *value, prof_error *err)
{
    if (strcmp(value, "oldest") != 0 && strcmp(value, "stop") != 0)
        return profi_fail(err, PROF_E_INVALID, "neither oldest nor stop");
    config->stops_when_full = value[0] == 's';
    return PROF_OK;
}

static prof_status read_seconds(const char *value, uint32_t *into, prof_error *err)
{
    uint64_t seconds;
    const char *rest;
    if (!parse_number(value, &seconds, &rest) || *rest != '\0' || seconds >= UINT32_MAX)
        return profi_fail(err, PROF_E_INVALID, "not a whole number of seconds");
    *into = (uint32_t)seconds;
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

static prof_status variable_slow(profi_config *config, const char *value, prof_error *err)
{
    prof_status status = profi_slow_rules_read(value, NULL, err);
    return status == PROF_OK ? set_text(config->slow, sizeof(config->slow), value, "the text of limits", err) : status;
}

static prof_status set_rss_every(profi_config *config, uint64_t ms, prof_error *err)
{
    if (ms > 60000)
        return profi_fail(err, PROF_E_INVALID, "resident memory can be sampled each 1 to 60000 milliseconds");
    config->rss_every_ms = (uint32_t)ms;
    return PROF_OK;
}

static prof_status variable_rss_every(profi_config *config, const char *value, prof_error *err)
{
    uint64_t ms;
    const char *rest;
    if (!parse_number(value, &ms, &rest) || *rest != '\0')
        return profi_fail(err, PROF_E_INVALID, "not a whole number of milliseconds");
    return set_rss_every(config, ms, err);
}

/* The signals that end a service or that are free for its use; not those that mean a crash. */
static const struct { const char *name; int number; } signal_names[] = {
    { "TERM", SIGTERM }, { "INT", SIGINT }, { "HUP", SIGHUP }, { "QUIT", SIGQUIT },
    { "USR1", SIGUSR1 }, { "USR2", SIGUSR2 }, { "ALRM", SIGALRM }, { "XCPU", SIGXCPU },
};

static int signal_by_name(const char *name, size_t bytes)
{
    if (bytes > 3 && memcmp(name, "SIG", 3) == 0) {
        name += 3;
        bytes -= 3;
    }
    for (size_t i = 0; i < PROFI_COUNT_OF(signal_names); i++)
        if (strlen(signal_names[i].name) == bytes && memcmp(signal_names[i].name, name, bytes) == 0)
            return signal_names[i].number;
    return 0;
}

static prof_status variable_signals(profi_config *config, const char *value, prof_error *err)
{
    sigset_t signals;
    int count = 0;
    sigemptyset(&signals);
    for (const char *at = value; *at != '\0'; at += *at == ',') {
        size_t bytes = strcspn(at, ",");
        int number = signal_by_name(at, bytes);
        if (number == 0)
            return profi_fail(err, PROF_E_INVALID, "unknown signal \"%.*s\"; there are: TERM, INT, HUP, QUIT, USR1, USR2, "
                              "ALRM, XCPU", (int)(bytes < 40 ? bytes : 40), at);
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
    int number = signal_by_name(value, strlen(value));
    if (number == 0)
        return profi_fail(err, PROF_E_INVALID, "unknown signal \"%.40s\"; there are: TERM, INT, HUP, QUIT, USR1, USR2, ALRM, XCPU",
                          value);
    config->dump_signal = number;
    snprintf(config->dump_signal_name, sizeof(config->dump_signal_name), "%s%.12s",
             strncmp(value, "SIG", 3) == 0 ? "" : "SIG", value);
    return PROF_OK;
}

static prof_status variable_on_crash(profi_config *config, const char *value, prof_error *err)
{
    if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
        return profi_fail(err, PROF_E_INVALID, "neither 0 nor 1");
    config->dumps_on_crash = value[0] == '1';
    return PROF_OK;
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

static prof_status variable_event_min(profi_config *config, const char *value, prof_error *err)
{
    uint64_t ns;
    const char *rest;
    if (!parse_number(value, &ns, &rest) || *rest != '\0')
        return profi_fail(err, PROF_E_INVALID, "not a whole number of nanoseconds");
    config->event_min_ns = ns;
    return PROF_OK;
}

/* Read when the library is loaded: see profi_config_start_wish(). */
static prof_status variable_profcore(profi_config *config, const char *value, prof_error *err)
{
    (void)config;
    (void)value;
    (void)err;
    return PROF_OK;
}

static prof_status variable_crash_safe(profi_config *config, const char *value, prof_error *err)
{
    if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
        return profi_fail(err, PROF_E_INVALID, "neither 0 nor 1");
    config->is_crash_safe = value[0] == '1';
    return PROF_OK;
}

/* Its effect comes before that of the others: see profi_config_load(). */
static prof_status variable_quiet(profi_config *config, const char *value, prof_error *err)
{
    (void)config;
    if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
        return profi_fail(err, PROF_E_INVALID, "neither 0 nor 1");
    return PROF_OK;
}

static const struct variable {
    const char *name;
    prof_status (*set)(profi_config *config, const char *value, prof_error *err);
} variables[] = {
    { "PROFCORE", variable_profcore },
    { "PROFCORE_QUIET", variable_quiet },
    { "PROFCORE_NAME", set_name },
    { "PROFCORE_DIR", set_directory },
    { "PROFCORE_FORMATS", set_formats },
    { "PROFCORE_SORT", set_sort },
    { "PROFCORE_MEMORY", variable_memory },
    { "PROFCORE_MODE", variable_mode },
    { "PROFCORE_EVENT_MIN_NS", variable_event_min },
    { "PROFCORE_CRASH_SAFE", variable_crash_safe },
    { "PROFCORE_SAVE_EVERY", variable_save_every },
    { "PROFCORE_SAVE_IF", set_save_if },
    { "PROFCORE_MAX_FILES", variable_max_files },
    { "PROFCORE_MAX_BYTES", variable_max_bytes },
    { "PROFCORE_WHEN_FULL", variable_when_full },
    { "PROFCORE_SLOW", variable_slow },
    { "PROFCORE_DUMP_SIGNAL", variable_dump_signal },
    { "PROFCORE_DUMP_SECONDS", variable_dump_seconds },
    { "PROFCORE_DUMP_EVERY", variable_dump_every },
    { "PROFCORE_ON_CRASH", variable_on_crash },
    { "PROFCORE_CONTROL", variable_control },
    { "PROFCORE_SIGNALS", variable_signals },
    { "PROFCORE_CLOCK", variable_clock },
    { "PROFCORE_RSS_EVERY", variable_rss_every },
    { "PROFCORE_PROBES", profi_config_set_probes },
};

/* The value of a variable that is set and not empty; in a set-user-id program there is none. */
static const char *variable_value(const char *name)
{
    const char *value = secure_getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static const struct variable *find_variable(const char *name, size_t bytes)
{
    for (size_t i = 0; i < PROFI_COUNT_OF(variables); i++)
        if (strlen(variables[i].name) == bytes && memcmp(variables[i].name, name, bytes) == 0)
            return &variables[i];
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

static void load_environment(profi_config *config, int reports)
{
    for (size_t i = 0; i < PROFI_COUNT_OF(variables); i++) {
        const char *value = variable_value(variables[i].name);
        prof_error why = PROF_ERROR_INIT;
        if (value != NULL && variables[i].set(config, value, &why) != PROF_OK && reports)
            profi_notice("%s=%.80s ignored: %s", variables[i].name, value, why.message);
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
    const struct variable *variable = find_variable(name, name_bytes);
    if (variable == NULL)
        return profi_fail(err, PROF_E_INVALID, "there is no such variable");
    if (variable->set == variable_profcore && strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
        return profi_fail(err, PROF_E_INVALID, "neither 0 nor 1");
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

/* Says which field of the options a message is about. */
static prof_status of_field(const char *field, prof_status status, const prof_error *why, prof_error *err)
{
    return status == PROF_OK ? PROF_OK : profi_fail(err, status, "prof_options.%s: %s", field, why->message);
}

static prof_status set_options(profi_config *config, const prof_options *given, prof_error *err)
{
    prof_error why = PROF_ERROR_INIT;
    prof_status status = PROF_OK;
    if (given->name != NULL && given->name[0] != '\0')
        status = of_field("name", set_name(config, given->name, &why), &why, err);
    if (status == PROF_OK)
        status = of_field("directory", set_directory(config, given->directory ? given->directory : "profiling_results", &why),
                          &why, err);
    if (status == PROF_OK)
        status = of_field("formats", set_formats(config, given->formats ? given->formats : "txt,prof,json,pftrace", &why), &why,
                          err);
    if (status == PROF_OK)
        status = of_field("rss_every_ms", set_rss_every(config, given->rss_every_ms, &why), &why, err);
    if (status == PROF_OK)
        status = of_field("sort", set_sort(config, given->sort ? given->sort : "cumulative", &why), &why, err);
    if (status == PROF_OK)
        status = of_field("memory_bytes",
                          set_memory(config, given->memory_bytes ? given->memory_bytes : PROFI_REGION_DEFAULT_BYTES, &why), &why,
                          err);
    if (status == PROF_OK && given->save_if != NULL)
        status = of_field("save_if", set_save_if(config, given->save_if, &why), &why, err);
    if (status == PROF_OK)
        status = of_field("when_full", set_when_full(config, given->when_full, &why), &why, err);
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
    if (status != PROF_OK)
        return status;

    profi_config_load_quiet();
    *config = (profi_config){ .clock = PROFI_CLOCK_AUTO, .keeps_events = 1, .save_every_s = given.save_every_s,
                              .max_files = given.max_files, .max_bytes = given.max_bytes, .dump_s = 10, .dump_every_s = 10 };
    sigemptyset(&config->signals);
    snprintf(config->name, sizeof(config->name), "program");
    set_name(config, program_invocation_short_name, NULL); /* unless it is too long */
    status = set_options(config, &given, err);
    if (status != PROF_OK)
        return status;
    config->has_chosen_formats = given.formats != NULL;
    load_environment(config, reports);
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
