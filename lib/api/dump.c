/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes dumps: see dump.h.
 *
 * The text comes first and gets its name before the timeline is begun: it is
 * small, so that what hangs is on disk within milliseconds, however much the
 * event rings hold.  A dump waits for no save, which may be long, and takes
 * no more of the recorder than a copy of its configuration.
 */
#include "dump.h"

#include "file_set.h"
#include "folder_limit.h"
#include "recorder.h"
#include "streamer.h"

#include "../base/error.h"
#include "../base/publish.h"
#include "../base/system.h"
#include "../base/text.h"
#include "../format/open_stacks_write.h"
#include "../record/kept.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static pthread_mutex_t dump_lock = PTHREAD_MUTEX_INITIALIZER;
static profi_config config; /* as it was when the dump at hand began */
static char stem[PROFI_STEM_MAX]; /* of the dump at hand */

void profi_dump_lock(void)
{
    pthread_mutex_lock(&dump_lock);
}

void profi_dump_unlock(void)
{
    pthread_mutex_unlock(&dump_lock);
}

static int is_current(const char *other)
{
    return strcmp(other, stem) == 0 || profi_file_set_is_current(other);
}

/* Room for so many files, and for the run's own, which will come. */
static prof_status make_room(int folder, unsigned files, uint64_t bytes, prof_error *err)
{
    const profi_folder_need need = { .files = files + profi_file_set_run_need(&config), .bytes = bytes, .replaced = "" };
    return profi_folder_make_room(folder, &config, &need, is_current, err);
}

static int publish_as(int folder, const profi_draft *draft, const char *extension)
{
    char name[PROFI_STEM_MAX + 16];
    snprintf(name, sizeof(name), "%s.%s", stem, extension);
    return profi_draft_publish_new(folder, draft, name);
}

/* Gives the text a name that nobody has, in any format. */
static int publish_under_free_stem(int folder, const profi_draft *draft, const profi_mark *mark, uint64_t unix_s)
{
    enum { MOST = 10000 };
    static char last[101];
    static uint64_t last_unix_s, last_number; /* a name that the folder's limit has freed is not given again */
    char base[PROFI_STEM_MAX], plain[101];
    snprintf(base, sizeof(base), "%.60s_%s%s%.100s", config.name, mark->trigger, mark->name != NULL ? "_" : "",
             mark->name != NULL ? mark->name : "");
    profi_text_to_stem(plain, base);
    uint64_t first = unix_s == last_unix_s && strcmp(plain, last) == 0 ? last_number + 1 : 1, number = first;
    int error = EEXIST;
    for (; error == EEXIST && number < first + MOST; number++) {
        profi_file_set_name_stem(stem, plain, unix_s, (unsigned)number);
        if (profi_file_set_stem_is_free(folder, stem))
            error = publish_as(folder, draft, "txt");
    }
    memcpy(last, plain, sizeof(last));
    last_unix_s = unix_s;
    last_number = number - 1;
    return error;
}

static prof_status cannot(const char *what, int error, prof_error *err)
{
    return profi_fail_errno(err, error, "cannot write the %s of a dump in \"%.300s\"", what, config.directory);
}

/* One of the two files: without events the text, which also sees to it that there is room for the timeline. */
static prof_status write_file(int folder, const profi_open_stacks *stacks, const profi_events *events, prof_error *err)
{
    static const char extension[] = "pftrace";
    const char *what = events != NULL ? "timeline" : "open scopes";
    profi_draft draft = { .fd = -1 };
    int error = 0;
    prof_status status = profi_draft_open(folder, config.directory, &draft, err);
    if (status == PROF_OK && events != NULL)
        status = profi_writer_run_events(profi_writer_find(extension, strlen(extension)), events, profi_draft_write, &draft, err);
    else if (status == PROF_OK)
        status = profi_open_stacks_run(stacks, "txt", profi_draft_write, &draft, err);
    if (status == PROF_OK && (error = profi_draft_close(&draft)) != 0)
        status = cannot(what, error, err);
    if (status == PROF_OK)
        status = make_room(folder, events != NULL ? 1 : 2, draft.bytes, err);
    if (status == PROF_OK) {
        error = events != NULL
                    ? publish_as(folder, &draft, extension)
                    : publish_under_free_stem(folder, &draft, stacks->marks, stacks->taken.unix_ns / 1000000000);
        status = error == 0 ? PROF_OK : cannot(what, error, err);
    }
    if (status != PROF_OK)
        profi_draft_drop(folder, &draft);
    return status;
}

static prof_status write_timeline(int folder, const profi_open_stacks *stacks, uint32_t wanted_s, prof_error *err)
{
    uint32_t window_s = wanted_s != 0 ? wanted_s : config.dump_s;
    profi_events *events;
    uint64_t window_ns = window_s != PROFI_DUMP_ALL ? window_s * (uint64_t)1000000000 : 0;
    prof_status status = profi_streamer_dump_events(stacks, window_ns, &events, err);
    if (status != PROF_OK)
        return status;
    status = write_file(folder, stacks, events, err);
    profi_events_close(events);
    return status;
}

/* Both files; only the second where the stem says that its text is there. */
static prof_status write_files(int folder, const profi_dump *dump, const profi_open_stacks *stacks, char *path, prof_error *err)
{
    prof_status status = stem[0] != '\0' ? PROF_OK : write_file(folder, stacks, NULL, err);
    if (status != PROF_OK)
        return status;
    if (path != NULL)
        snprintf(path, PATH_MAX, "%.3000s/%.255s", config.directory, stem);
    return write_timeline(folder, stacks, dump->window_s, err);
}

/* With the lock of dumps held. */
static prof_status make_dump(const profi_dump *dump, char *path, prof_error *err)
{
    profi_open_stacks stacks;
    int folder;
    prof_status status = profi_recorder_config(&config, err);
    if (status == PROF_OK)
        status = profi_open_stacks_take(&stacks, config.name, err);
    if (status != PROF_OK)
        return status;
    stacks.marks = dump->marks;
    stacks.mark_count = dump->mark_count;
    stacks.skipped = dump->skipped;
    status = profi_folder_open(config.directory, &folder, err);
    if (status == PROF_OK) {
        status = write_files(folder, dump, &stacks, path, err);
        profi_folder_close(folder);
    }
    profi_open_stacks_fini(&stacks);
    return status;
}

prof_status profi_dump_write_timeline(const char *path, const profi_mark *mark, prof_error *err)
{
    PROFI_NO_CANCELLATION;
    const char *name = strrchr(path, '/');
    profi_dump_lock();
    snprintf(stem, sizeof(stem), "%.250s", name != NULL ? name + 1 : path);
    prof_status status = make_dump(&(profi_dump){ .marks = mark, .mark_count = 1 }, NULL, err);
    profi_dump_unlock();
    return status;
}

prof_status profi_dump_write(const profi_dump *dump, char *path, prof_error *err)
{
    PROFI_NO_CANCELLATION;
    profi_dump_lock();
    stem[0] = '\0';
    prof_status status = make_dump(dump, path, err);
    profi_kept_note(status == PROF_OK ? PROFI_DUMP_WRITTEN : PROFI_DUMP_FAILED, 1);
    profi_dump_unlock();
    return status;
}

prof_status prof_dump(const prof_dump_options *options, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    enum { OPTIONS_SIZE_0 = 32 }; /* as of version 0.1 */
    prof_dump_options given = PROF_DUMP_OPTIONS_INIT;
    char path[PATH_MAX] = "", reason[PROFI_TEXT_MAX];
    prof_status status = PROF_OK;
    if (options != NULL)
        status = profi_struct_read(&given, sizeof(given), options, OPTIONS_SIZE_0, "prof_dump_options", err);
    if (status != PROF_OK)
        return status;
    if (given.reason != NULL)
        profi_text_clean(reason, given.reason, strlen(given.reason));
    const profi_mark mark = { .trigger = "asked", .reason = given.reason != NULL ? reason : NULL,
                              .ns = profi_clock_monotonic_ns() };
    status = profi_dump_write(&(profi_dump){ .marks = &mark, .mark_count = 1, .window_s = given.seconds }, path, err);
    if (given.path != NULL && given.path_bytes != 0)
        snprintf(given.path, given.path_bytes, "%s", path);
    return status;
}
