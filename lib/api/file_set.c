/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stems, and the files of a set that appear together.
 *
 * All formats of a set share a stem, <name>_<unix seconds>, with -2, -3, …
 * when any file of that stem exists.  Every format is written to a draft
 * first; then all are given their names, of which the first claims the stem
 * against other processes.  A later save of this run replaces the files that
 * are still its own and unchanged; where one is not, the set takes a new
 * stem.  A kept call's files are never replaced.
 */
#include "file_set.h"

#include "folder_limit.h"
#include "streamer.h"

#include "../base/error.h"
#include "../base/publish.h"
#include "../base/text.h"
#include "../model/slowest.h"
#include "../record/kept.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STEM_MAX = PROFI_STEM_MAX, NAME_MAX_BYTES = STEM_MAX + 16 };

/* A function's, or the run's. */
struct profi_file_set {
    profi_file_set *next;
    char base[128];       /* the stem before the time */
    char stem[STEM_MAX];  /* "" before the first save */
    struct {
        int is_published;
        profi_identity identity;
    } files[PROFI_FORMATS_MAX]; /* by row of profi_writers */
    char *name, *file;    /* of the function; NULL: the run */
    uint32_t line;
    uint64_t last_unix_s; /* of the newest stem, and its number: where the search for a free one goes on */
    unsigned last_number;
};

static profi_file_set *sets;
static int in_child;
/* Around changes of the list and of stems, for who asks without the save lock. */
static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;

static int has_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* The stem's first part: unique among this run's sets, whatever characters the names had. */
static void choose_base(profi_file_set *set, const char *name)
{
    char plain[101];
    profi_text_to_stem(plain, name);
    snprintf(set->base, sizeof(set->base), "%s", plain);
    for (const profi_file_set *other = sets; other != NULL; other = other->next)
        if (strcmp(other->base, set->base) == 0) {
            uint64_t hash = profi_text_hash(name, strlen(name), set->line);
            if (set->file != NULL)
                hash = profi_text_hash(set->file, strlen(set->file), hash);
            snprintf(set->base, sizeof(set->base), "%.91s_%08x", plain, (unsigned)hash);
            break;
        }
}

profi_file_set *profi_file_set_of(const char *run_name, const profi_function *function)
{
    const char *name = function ? function->name : NULL, *file = function ? function->file : NULL;
    uint32_t line = function ? function->line : 0;
    for (profi_file_set *set = sets; set != NULL; set = set->next)
        if (has_text(set->name, name) && has_text(set->file, file) && set->line == line)
            return set;
    profi_file_set *set = calloc(1, sizeof(*set));
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
    pthread_mutex_lock(&names_lock);
    sets = set;
    pthread_mutex_unlock(&names_lock);
    return set;
}

static unsigned row_of(const profi_writer *format)
{
    return (unsigned)(format - profi_writers);
}

int profi_file_set_has(const profi_file_set *set, const profi_writer *format)
{
    return set->files[row_of(format)].is_published;
}

int profi_file_set_is_current(const char *stem)
{
    pthread_mutex_lock(&names_lock);
    const profi_file_set *set = sets;
    while (set != NULL && strcmp(set->stem, stem) != 0)
        set = set->next;
    pthread_mutex_unlock(&names_lock);
    return set != NULL;
}

uint64_t profi_file_set_run_need(const profi_config *config)
{
    pthread_mutex_lock(&names_lock);
    const profi_file_set *set = sets;
    while (set != NULL && (set->name != NULL || set->stem[0] == '\0'))
        set = set->next;
    pthread_mutex_unlock(&names_lock);
    return set != NULL || !config->writes_files ? 0 : config->format_count;
}

int profi_file_sets_are_childs(void)
{
    return in_child;
}

const char *profi_file_set_stem(const profi_file_set *set)
{
    return set->stem;
}

void profi_file_sets_forget(void)
{
    for (profi_file_set *set = sets, *next; set != NULL; set = next) {
        next = set->next;
        free(set->name);
        free(set->file);
        free(set);
    }
    sets = NULL;
    in_child = 1;
}

static void file_name(char name[NAME_MAX_BYTES], const char *stem, const char *extension)
{
    snprintf(name, NAME_MAX_BYTES, "%s.%s", stem, extension);
}

int profi_file_set_stem_is_free(int folder, const char *stem)
{
    for (unsigned i = 0; i < profi_writer_count; i++) {
        char name[NAME_MAX_BYTES];
        profi_identity found;
        file_name(name, stem, profi_writer_extension(&profi_writers[i]));
        if (profi_identity_of(folder, name, &found) != ENOENT)
            return 0;
    }
    return 1;
}

void profi_file_set_name_stem(char stem[STEM_MAX], const char *base, uint64_t unix_s, unsigned number)
{
    char process[32] = "", suffix[16] = "";
    if (in_child)
        snprintf(process, sizeof(process), "_pid%ld", (long)getpid());
    if (number > 1)
        snprintf(suffix, sizeof(suffix), "-%u", number);
    snprintf(stem, STEM_MAX, "%s_%llu%s%s", base, (unsigned long long)unix_s, process, suffix);
}

/* The drafts of one save of one set. */
typedef struct batch {
    int folder;
    const profi_config *config;
    const profi_events *events; /* NULL: there are none for this set */
    const profi_writer *formats[PROFI_FORMATS_MAX]; /* those of config->formats that have something to write */
    profi_draft drafts[PROFI_FORMATS_MAX];
    unsigned count;
} batch;

/* Whether a file of the set is still there and still the same, or, where the set published none, there is none. */
static int file_is_ours(int folder, const profi_file_set *set, unsigned row)
{
    char name[NAME_MAX_BYTES];
    profi_identity found;
    file_name(name, set->stem, profi_writer_extension(&profi_writers[row]));
    int error = profi_identity_of(folder, name, &found);
    if (!set->files[row].is_published)
        return error == ENOENT;
    return error == 0 && profi_identity_equal(&found, &set->files[row].identity);
}

/* Whether every file that this set published, or is about to, is its own to replace. */
static int set_is_ours(const batch *b, const profi_file_set *set)
{
    if (set->stem[0] == '\0')
        return 0;
    for (unsigned i = 0; i < profi_writer_count; i++)
        if (set->files[i].is_published && !file_is_ours(b->folder, set, i))
            return 0;
    for (unsigned i = 0; i < b->count; i++)
        if (!file_is_ours(b->folder, set, row_of(b->formats[i])))
            return 0;
    return 1;
}

static void drop_drafts(batch *b)
{
    for (unsigned i = 0; i < b->count; i++)
        profi_draft_drop(b->folder, &b->drafts[i]);
    b->count = 0;
}

static prof_status write_drafts(batch *b, const prof_snapshot *snapshot, prof_error *err)
{
    for (unsigned i = 0; i < b->config->format_count; i++) {
        const profi_writer *writer = b->config->formats[i];
        profi_draft *draft = &b->drafts[b->count];
        if (writer->write_events != NULL && b->events == NULL)
            continue;
        prof_status status = profi_draft_open(b->folder, b->config->directory, draft, err);
        if (status != PROF_OK)
            return status;
        b->formats[b->count++] = writer;
        prof_error why = PROF_ERROR_INIT;
        status = writer->write_events != NULL
                     ? profi_writer_run_events(writer, b->events, profi_draft_write, draft, &why)
                     : profi_writer_run(writer, snapshot, b->config->sort, profi_draft_write, draft, &why);
        if (status != PROF_OK)
            return profi_fail(err, status, "%s in \"%s\"", why.message, b->config->directory);
    }
    /* Brought to the disk together: the first pays for most of what the file system has to do for all. */
    for (unsigned i = 0; i < b->count; i++) {
        int error = profi_draft_close(&b->drafts[i]);
        if (error != 0)
            return profi_fail_errno(err, error, "cannot write \"%s\" in \"%s\"", b->formats[i]->name, b->config->directory);
    }
    return PROF_OK;
}

/* Gives all drafts the names of a free stem.  The first to be refused takes back those before it. */
static int publish_as(batch *b, const char *stem)
{
    char name[NAME_MAX_BYTES];
    for (unsigned i = 0; i < b->count; i++) {
        file_name(name, stem, profi_writer_extension(b->formats[i]));
        int error = profi_draft_publish_new(b->folder, &b->drafts[i], name);
        if (error == 0)
            continue;
        for (unsigned k = 0; k < i; k++) {
            file_name(name, stem, profi_writer_extension(b->formats[k]));
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
        file_name(name, stem, profi_writer_extension(b->formats[i]));
        int error = profi_draft_publish_over(b->folder, &b->drafts[i], name);
        if (error != 0)
            return error;
    }
    return 0;
}

/* Finds a stem that nobody has; `stem` receives it. */
static int publish_under_free_stem(batch *b, profi_file_set *set, uint64_t unix_s, char stem[STEM_MAX])
{
    enum { MOST = 10000 };
    unsigned first = set->last_unix_s == unix_s ? set->last_number + 1 : 1;
    for (unsigned number = first; number < first + MOST; number++) {
        profi_file_set_name_stem(stem, set->base, unix_s, number);
        if (!profi_file_set_stem_is_free(b->folder, stem))
            continue;
        int error = publish_as(b, stem);
        if (error == EEXIST)
            continue; /* another process was faster */
        set->last_unix_s = unix_s;
        set->last_number = number;
        return error;
    }
    return EEXIST;
}

static void remember(profi_file_set *set, const batch *b)
{
    memset(set->files, 0, sizeof(set->files));
    for (unsigned i = 0; i < b->count; i++) {
        unsigned row = row_of(b->formats[i]);
        set->files[row].is_published = 1;
        set->files[row].identity = b->drafts[i].identity;
    }
}

/* Room in the folder, for these drafts and, before the run's own files are there, for those. */
static prof_status make_room(const batch *b, const profi_file_set *set, profi_set_kind kind, prof_error *err)
{
    const profi_file_set *run = profi_file_set_of(b->config->name, NULL);
    profi_folder_need need = { .files = b->count, .replaced = kind == PROFI_SET_CALL ? "" : set->stem,
                               .is_must = kind == PROFI_SET_RUN };
    for (unsigned i = 0; i < b->count; i++)
        need.bytes += b->drafts[i].bytes;
    if (kind != PROFI_SET_RUN && (run == NULL || run->stem[0] == '\0'))
        need.files += b->config->format_count;
    return profi_folder_make_room(b->folder, b->config, &need, profi_file_set_is_current, err);
}

/*
 * The run's report states what was removed.  Where that changes because of
 * the report itself, it is written anew.
 */
static prof_status prepare(batch *b, const profi_file_set *set, prof_snapshot *snapshot, profi_set_kind kind,
                           prof_error *err)
{
    for (int is_again = 0;; is_again = 1) {
        if (kind == PROFI_SET_RUN)
            profi_kept_stats(&snapshot->stats);
        uint64_t removed = snapshot->stats.removed_file_count;
        prof_status status = write_drafts(b, snapshot, err);
        if (status == PROF_OK)
            status = make_room(b, set, kind, err);
        if (status != PROF_OK || kind != PROFI_SET_RUN || is_again)
            return status;
        profi_kept_stats(&snapshot->stats);
        if (snapshot->stats.removed_file_count == removed)
            return PROF_OK;
        drop_drafts(b);
    }
}

/* The events of the run, for a set and a configuration that want them; NULL where there are none. */
static prof_status open_events(const profi_config *config, profi_set_kind kind, profi_events **events, prof_error *err)
{
    int is_wanted = 0;
    *events = NULL;
    for (unsigned i = 0; i < config->format_count; i++)
        is_wanted |= config->formats[i]->write_events != NULL || config->formats[i]->shows_slowest;
    if (!is_wanted || kind != PROFI_SET_RUN || !config->keeps_events)
        return PROF_OK;
    prof_status status = profi_streamer_events(config->name, events, err);
    if (status == PROF_OK && (*events)->issued == 0) {
        profi_events_close(*events);
        *events = NULL;
    }
    return status;
}

/* For the formats that show it. */
static prof_status find_slowest(const profi_config *config, const profi_events *events, prof_snapshot *snapshot, prof_error *err)
{
    int is_wanted = 0;
    for (unsigned i = 0; i < config->format_count; i++)
        is_wanted |= config->formats[i]->shows_slowest;
    return is_wanted && events != NULL ? profi_slowest_find(events, snapshot, err) : PROF_OK;
}

/* Gives the drafts their names: over the set's own files, or new ones. */
static prof_status publish(batch *b, profi_file_set *set, uint64_t unix_s, profi_set_kind kind, prof_error *err)
{
    char stem[STEM_MAX];
    int is_over = kind != PROFI_SET_CALL && set_is_ours(b, set);
    int error = is_over ? publish_over(b, set->stem) : publish_under_free_stem(b, set, unix_s, stem);
    if (error != 0) {
        prof_status status = profi_fail_errno(err, error, "cannot publish the files of \"%s\" in \"%s\"", set->base,
                                              b->config->directory);
        return error == EEXIST ? PROF_E_LIMIT : status;
    }
    if (kind == PROFI_SET_CALL)
        return PROF_OK;
    if (!is_over) {
        pthread_mutex_lock(&names_lock);
        memcpy(set->stem, stem, sizeof(stem));
        pthread_mutex_unlock(&names_lock);
    }
    remember(set, b);
    return PROF_OK;
}

prof_status profi_file_set_write(profi_file_set *set, int folder, const profi_config *config, prof_snapshot *snapshot,
                                 profi_set_kind kind, prof_error *err)
{
    profi_events *events;
    prof_error why = PROF_ERROR_INIT;
    prof_status without = open_events(config, kind, &events, &why); /* a failure keeps no table from being written */
    if (without == PROF_OK)
        without = find_slowest(config, events, snapshot, &why);
    batch b = { .folder = folder, .config = config, .events = events };
    prof_status status = prepare(&b, set, snapshot, kind, err);
    if (status == PROF_OK && b.count != 0)
        status = publish(&b, set, snapshot->about.taken_unix_s, kind, err);
    if (status != PROF_OK)
        drop_drafts(&b);
    else if (without != PROF_OK)
        status = profi_fail(err, without, "%s", why.message);
    profi_events_close(events);
    return status;
}
