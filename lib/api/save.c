/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a save writes: the calls that rules kept, each saving function's
 * files, then the run's, which state what became of the others; and what it
 * tells on stderr.
 */
#include "save.h"

#include "file_set.h"
#include "recorder.h"

#include "../base/error.h"
#include "../base/publish.h"
#include "../record/kept.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How long a save takes for kept calls: a process that ends does not wait for a slow disk for ever. */
#define KEPT_TIME_NS ((uint64_t)2000000000)

/* One save: what it is asked to do. */
typedef struct saving {
    const profi_config *config;
    const profi_run_facts *facts;
    profi_save_occasion occasion;
    int is_child;
} saving;

/* What it did. */
typedef struct save_report {
    unsigned function_count; /* functions with files of their own */
    unsigned refused_count;  /* functions for which the folder had no room */
    char first[256];         /* the run's stem */
    char formats[128], missing[128]; /* that the run's files have, as ".txt .prof", and those that had nothing to write */
    char folder[4096];
} save_report;

static prof_status save_function(int folder, const profi_config *config, const prof_snapshot *snapshot, uint32_t id,
                                 prof_error *err)
{
    prof_snapshot *subtree;
    profi_file_set *set = profi_file_set_of(config->name, &snapshot->functions[id]);
    if (set == NULL)
        return profi_fail(err, PROF_E_NO_MEMORY, "no memory to save \"%.80s\"", snapshot->functions[id].name);
    prof_status status = prof_snapshot_subtree(snapshot, id, &subtree, err);
    if (status != PROF_OK)
        return status;
    status = profi_file_set_write(set, folder, config, subtree, PROFI_SET_FUNCTION, err);
    prof_snapshot_close(subtree);
    return status;
}

/* A rule for single calls takes the place of the files of all calls. */
static int has_files_of_its_own(const profi_function *function)
{
    return (function->flags & (PROF_SITE_SAVE | PROF_SITE_SAVE_IF)) == PROF_SITE_SAVE;
}

static void add_format(char *list, size_t room, const profi_writer *format)
{
    size_t used = strlen(list);
    snprintf(list + used, room - used, "%s.%s", used ? " " : "", profi_writer_extension(format));
}

static void note_formats(const profi_config *config, const profi_file_set *run, save_report *report)
{
    for (unsigned i = 0; i < config->format_count; i++) {
        const profi_writer *format = config->formats[i];
        int is_written = profi_file_set_has(run, format);
        add_format(is_written ? report->formats : report->missing, sizeof(report->formats), format);
    }
}

/*
 * On failure what was written stays, what was not is reported, and nothing
 * of the data is lost.
 */
static prof_status save_all(const profi_config *config, prof_snapshot *snapshot, save_report *report, prof_error *err)
{
    int folder;
    *report = (save_report){ 0 };
    profi_file_set *run = profi_file_set_of(config->name, NULL); /* the first, so that it keeps its plain name */
    if (run == NULL)
        return profi_fail(err, PROF_E_NO_MEMORY, "no memory to save \"%s\"", config->name);
    prof_status status = profi_folder_open(config->directory, &folder, err);
    if (status != PROF_OK)
        return status;
    for (uint32_t i = 0; i < snapshot->function_count && profi_config_has_tables(config); i++) {
        if (!has_files_of_its_own(&snapshot->functions[i]))
            continue;
        /* One that fails does not keep the others from being saved; the first failure is the one reported. */
        prof_error why = PROF_ERROR_INIT;
        prof_status one = save_function(folder, config, snapshot, i, &why);
        report->function_count += one == PROF_OK;
        report->refused_count += one == PROF_E_LIMIT;
        if (one != PROF_OK && one != PROF_E_LIMIT && status == PROF_OK)
            status = profi_fail(err, one, "%s", why.message);
    }
    snapshot->about.refused_function_count = report->refused_count;
    prof_status own = profi_file_set_write(run, folder, config, snapshot, PROFI_SET_RUN, status == PROF_OK ? err : NULL);
    profi_folder_close(folder);
    note_formats(config, run, report);
    snprintf(report->first, sizeof(report->first), "%s", profi_file_set_stem(run));
    snprintf(report->folder, sizeof(report->folder), "%s", config->directory);
    return status == PROF_OK ? own : status;
}

/* Where the configured folder refuses, a private one takes the files, so that the end of a run loses nothing. */
static prof_status save_elsewhere(const saving *s, prof_snapshot *snapshot, save_report *report, prof_error *err)
{
    profi_config fallback = *s->config;
    fallback.max_files = fallback.max_bytes = 0;
    const char *root = secure_getenv("TMPDIR");
    snprintf(fallback.directory, sizeof(fallback.directory), "%.4000s/profcore-XXXXXX", root && root[0] ? root : "/tmp");
    if (mkdtemp(fallback.directory) == NULL)
        return profi_fail_errno(err, errno, "cannot make the folder \"%.400s\"", fallback.directory);
    profi_save_kept(&fallback, s->facts, profi_clock_monotonic_ns() + KEPT_TIME_NS, NULL, NULL);
    profi_save_kept_give_up();
    prof_status status = save_all(&fallback, snapshot, report, err);
    if (status != PROF_OK)
        rmdir(fallback.directory); /* which succeeds only if it is empty */
    return status;
}

static void tell_unmet_rule(const char *name)
{
    profi_notice("the rule for \"%.200s\" kept nothing: no function of that name was recorded", name);
}

/* What became of kept calls, and, once, of rules that nobody met. */
static void tell_about_rules(const profi_config *config, int is_child)
{
    static int is_told;
    prof_stats stats = PROF_STATS_INIT;
    profi_kept_stats(&stats);
    if (stats.kept_count != 0)
        profi_notice("kept %llu calls: %llu saved, %llu lost, %llu not written", (unsigned long long)stats.kept_count,
                     (unsigned long long)stats.kept_saved_count, (unsigned long long)stats.kept_lost_count,
                     (unsigned long long)stats.kept_unsaved_count);
    if (!is_told && config->save_if[0] != '\0' && !profi_config_has_tables(config))
        profi_notice("no calls were kept: a timeline has no files for single calls, and no other format was chosen");
    else if (!is_told && !is_child)
        profi_kept_unmet_rules(tell_unmet_rule);
    is_told = 1;
}

static void tell_what_was_written(const profi_config *config, const save_report *report)
{
    if (report->function_count != 0)
        profi_notice("wrote %s/%s %s, and tables for %u function%s", report->folder, report->first, report->formats,
                     report->function_count, report->function_count == 1 ? "" : "s");
    else if (report->formats[0] != '\0')
        profi_notice("wrote %s/%s %s", report->folder, report->first, report->formats);
    if (report->missing[0] != '\0' && config->has_chosen_formats)
        profi_notice("no %s: %s", report->missing,
                     config->keeps_events ? "no scope has ended" : "PROFCORE_MODE=tree keeps no events");
    if (report->refused_count != 0)
        profi_notice("%s is full: nothing was written for %u function%s", report->folder, report->refused_count,
                     report->refused_count == 1 ? "" : "s");
}

/* Nothing, not even a loss. */
static int is_empty(const prof_snapshot *snapshot)
{
    return snapshot->function_count == 0 && snapshot->stats.lost_count == 0 && snapshot->counter_count == 0 &&
           snapshot->span_count == 0 && snapshot->lost_values == 0 && snapshot->stats.event_count == 0;
}

static prof_status save_snapshot(const saving *s, prof_snapshot *snapshot, prof_error *err)
{
    save_report report;
    prof_error why = PROF_ERROR_INIT;
    if (is_empty(snapshot)) {
        if (s->occasion != PROFI_SAVE_ASKED && !s->is_child && !profi_companions_are_missing())
            profi_notice("nothing was recorded; no files written");
        return PROF_OK;
    }
    prof_status status = save_all(s->config, snapshot, &report, &why);
    if (status != PROF_OK && s->occasion == PROFI_SAVE_LAST) {
        profi_notice("%s", why.message);
        status = save_elsewhere(s, snapshot, &report, &why);
    }
    if (status != PROF_OK)
        return profi_fail(err, status, "%s", why.message);
    if (s->occasion != PROFI_SAVE_ASKED) {
        tell_what_was_written(s->config, &report);
        tell_about_rules(s->config, s->is_child);
    }
    return PROF_OK;
}

prof_status profi_save_run(const profi_config *config, const profi_run_facts *facts, profi_save_occasion occasion,
                           int is_child, prof_error *err)
{
    const saving s = { config, facts, occasion, is_child };
    prof_snapshot *snapshot;
    prof_error why = PROF_ERROR_INIT;
    if (config->format_count == 0)
        return PROF_OK; /* no folder is made for nothing */
    prof_status kept = profi_save_kept(config, facts, profi_clock_monotonic_ns() + KEPT_TIME_NS, NULL, &why);
    if (kept == PROF_OK && occasion == PROFI_SAVE_LAST)
        profi_save_kept_give_up();
    profi_gpu_settle(0);
    profi_sampler_settle_pools();
    prof_status status = profi_snapshot_take(facts, &snapshot, err);
    if (status != PROF_OK)
        return status;
    status = save_snapshot(&s, snapshot, err);
    prof_snapshot_close(snapshot);
    return status == PROF_OK && kept != PROF_OK ? profi_fail(err, kept, "%s", why.message) : status;
}
