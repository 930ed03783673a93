/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saving: stems, and the files of a set that appear together.
 *
 * All formats of a set share a stem, <name>_<unix seconds>, with -2, -3, …
 * when any file of that stem exists.  Every format is written to a draft
 * first; then all are given their names, of which the first claims the stem
 * against other processes.  A later save of this run replaces the files that
 * are still its own and unchanged; where one is not, the set takes a new
 * stem.
 */
#include "save.h"

#include "../base/error.h"
#include "../base/publish.h"
#include "../base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STEM_MAX = 256, NAME_MAX_BYTES = STEM_MAX + 16 };

/* One set of files: the run's, or a function's. */
typedef struct file_set {
    struct file_set *next;
    char base[128];       /* the stem before the time */
    char stem[STEM_MAX];  /* "" before the first save */
    struct {
        int is_published;
        profi_identity identity;
    } files[PROFI_FORMATS_MAX]; /* by row of profi_writers */
    char *name, *file;    /* of the function; NULL: the run */
    uint32_t line;
} file_set;

static file_set *sets;
static int in_child;

static int has_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* The stem's first part: unique among this run's sets, whatever characters the names had. */
static void choose_base(file_set *set, const char *name)
{
    char plain[101];
    profi_text_to_stem(plain, name);
    snprintf(set->base, sizeof(set->base), "%s", plain);
    for (const file_set *other = sets; other != NULL; other = other->next)
        if (strcmp(other->base, set->base) == 0) {
            uint64_t hash = profi_text_hash(name, strlen(name), set->line);
            if (set->file != NULL)
                hash = profi_text_hash(set->file, strlen(set->file), hash);
            snprintf(set->base, sizeof(set->base), "%.91s_%08x", plain, (unsigned)hash);
            break;
        }
}

/* The set of a function, or with NULL the run's; made if need be. */
static file_set *find_set(const char *run_name, const profi_function *function)
{
    const char *name = function ? function->name : NULL, *file = function ? function->file : NULL;
    uint32_t line = function ? function->line : 0;
    for (file_set *set = sets; set != NULL; set = set->next)
        if (has_text(set->name, name) && has_text(set->file, file) && set->line == line)
            return set;
    file_set *set = calloc(1, sizeof(*set));
    if (set == NULL)
        return NULL;
    set->name = name ? strdup(name) : NULL;
    set->file = file ? strdup(file) : NULL;
    set->line = line;
    if ((name && !set->name) || (file && !set->file)) {
        free(set->name);
        free(set->file);
        free(set);
        return NULL;
    }
    choose_base(set, name ? name : run_name);
    set->next = sets;
    sets = set;
    return set;
}

void profi_save_forget(int is_child)
{
    for (file_set *set = sets, *next; set != NULL; set = next) {
        next = set->next;
        free(set->name);
        free(set->file);
        free(set);
    }
    sets = NULL;
    in_child = is_child;
}

static void file_name(char name[NAME_MAX_BYTES], const char *stem, const char *extension)
{
    snprintf(name, NAME_MAX_BYTES, "%s.%s", stem, extension);
}

/* Whether no format has a file of this stem. */
static int stem_is_free(int folder, const char *stem)
{
    for (unsigned i = 0; i < profi_writer_count; i++) {
        char name[NAME_MAX_BYTES];
        profi_identity found;
        file_name(name, stem, profi_writers[i].name);
        if (profi_identity_of(folder, name, &found) != ENOENT)
            return 0;
    }
    return 1;
}

/* Whether every file that this set published is still there and still the same. */
static int set_is_ours(int folder, const file_set *set)
{
    if (set->stem[0] == '\0')
        return 0;
    for (unsigned i = 0; i < profi_writer_count; i++) {
        char name[NAME_MAX_BYTES];
        profi_identity found;
        if (!set->files[i].is_published)
            continue;
        file_name(name, set->stem, profi_writers[i].name);
        if (profi_identity_of(folder, name, &found) != 0 || !profi_identity_equal(&found, &set->files[i].identity))
            return 0;
    }
    return 1;
}

/* The drafts of one save of one set. */
typedef struct batch {
    int folder;
    const profi_config *config;
    profi_draft drafts[PROFI_FORMATS_MAX]; /* as config->formats */
    unsigned count;
} batch;

static void drop_drafts(batch *b)
{
    for (unsigned i = 0; i < b->count; i++)
        profi_draft_drop(b->folder, &b->drafts[i]);
}

static prof_status write_drafts(batch *b, const prof_snapshot *snapshot, prof_error *err)
{
    for (unsigned i = 0; i < b->config->format_count; i++) {
        const profi_writer *writer = b->config->formats[i];
        profi_draft *draft = &b->drafts[i];
        prof_status status = profi_draft_open(b->folder, b->config->directory, draft, err);
        if (status != PROF_OK)
            return status;
        b->count = i + 1;
        prof_error why = PROF_ERROR_INIT;
        status = profi_writer_run(writer, snapshot, b->config->sort, profi_draft_write, draft, &why);
        if (status != PROF_OK)
            return profi_fail(err, status, "%s in \"%s\"", why.message, b->config->directory);
        int error = profi_draft_close(draft);
        if (error != 0)
            return profi_fail_errno(err, error, "cannot write \"%s\" in \"%s\"", writer->name, b->config->directory);
    }
    return PROF_OK;
}

/* Gives all drafts the names of a free stem.  The first to be refused takes back those before it. */
static int publish_as(batch *b, const char *stem)
{
    char name[NAME_MAX_BYTES];
    for (unsigned i = 0; i < b->count; i++) {
        file_name(name, stem, b->config->formats[i]->name);
        int error = profi_draft_publish_new(b->folder, &b->drafts[i], name);
        if (error == 0)
            continue;
        for (unsigned k = 0; k < i; k++) {
            file_name(name, stem, b->config->formats[k]->name);
            renameat(b->folder, name, b->folder, b->drafts[k].name);
        }
        return error;
    }
    return 0;
}

static int publish_over(batch *b, const char *stem)
{
    for (unsigned i = 0; i < b->count; i++) {
        char name[NAME_MAX_BYTES];
        file_name(name, stem, b->config->formats[i]->name);
        int error = profi_draft_publish_over(b->folder, &b->drafts[i], name);
        if (error != 0)
            return error;
    }
    return 0;
}

static int publish_under_free_stem(batch *b, file_set *set, uint64_t unix_s)
{
    enum { MOST = 10000 };
    char process[32] = "";
    if (in_child)
        snprintf(process, sizeof(process), "_pid%ld", (long)getpid());
    for (unsigned number = 1; number <= MOST; number++) {
        char stem[STEM_MAX], suffix[16] = "";
        if (number > 1)
            snprintf(suffix, sizeof(suffix), "-%u", number);
        snprintf(stem, sizeof(stem), "%s_%llu%s%s", set->base, (unsigned long long)unix_s, process, suffix);
        if (!stem_is_free(b->folder, stem))
            continue;
        int error = publish_as(b, stem);
        if (error == EEXIST)
            continue; /* another process was faster */
        if (error == 0)
            memcpy(set->stem, stem, sizeof(stem));
        return error;
    }
    return EEXIST;
}

static void remember(file_set *set, const batch *b)
{
    memset(set->files, 0, sizeof(set->files));
    for (unsigned i = 0; i < b->count; i++) {
        unsigned row = (unsigned)(b->config->formats[i] - profi_writers);
        set->files[row].is_published = 1;
        set->files[row].identity = b->drafts[i].identity;
    }
}

static prof_status save_set(int folder, const profi_config *config, file_set *set, const prof_snapshot *snapshot,
                            prof_error *err)
{
    batch b = { .folder = folder, .config = config };
    prof_status status = write_drafts(&b, snapshot, err);
    if (status != PROF_OK) {
        drop_drafts(&b);
        return status;
    }
    int error = set_is_ours(folder, set) ? publish_over(&b, set->stem)
                                         : publish_under_free_stem(&b, set, snapshot->about.taken_unix_s);
    if (error != 0) {
        drop_drafts(&b);
        return profi_fail_errno(err, error, "cannot publish the files of \"%s\" in \"%s\"", set->base, config->directory);
    }
    remember(set, &b);
    return PROF_OK;
}

static prof_status save_function(int folder, const profi_config *config, const prof_snapshot *snapshot, uint32_t id,
                                 prof_error *err)
{
    prof_snapshot *subtree;
    file_set *set = find_set(config->name, &snapshot->functions[id]);
    if (set == NULL)
        return profi_fail(err, PROF_E_NO_MEMORY, "no memory to save \"%.80s\"", snapshot->functions[id].name);
    prof_status status = prof_snapshot_subtree(snapshot, id, &subtree, err);
    if (status != PROF_OK)
        return status;
    status = save_set(folder, config, set, subtree, err);
    prof_snapshot_close(subtree);
    return status;
}

prof_status profi_save_all(const profi_config *config, const prof_snapshot *snapshot, profi_save_report *report,
                           prof_error *err)
{
    int folder;
    *report = (profi_save_report){ 0 };
    file_set *run = find_set(config->name, NULL);
    if (run == NULL)
        return profi_fail(err, PROF_E_NO_MEMORY, "no memory to save \"%s\"", config->name);
    prof_status status = profi_folder_open(config->directory, &folder, err);
    if (status != PROF_OK)
        return status;
    status = save_set(folder, config, run, snapshot, err);
    for (uint32_t i = 0; i < snapshot->function_count; i++) {
        if (!(snapshot->functions[i].flags & PROF_SITE_SAVE))
            continue;
        /* One that fails does not keep the others from being saved; the first failure is the one reported. */
        prof_status one = save_function(folder, config, snapshot, i, status == PROF_OK ? err : NULL);
        status = status == PROF_OK ? one : status;
        report->function_count += one == PROF_OK;
    }
    close(folder);
    snprintf(report->first, sizeof(report->first), "%s", run->stem);
    snprintf(report->folder, sizeof(report->folder), "%s", config->directory);
    return status;
}
