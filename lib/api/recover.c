/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a process that is no more, made of what it left. */
#include "result_file.h"

#include "../base/error.h"
#include "../base/input.h"
#include "../base/system.h"
#include "../model/slowest.h"
#include "../record/dead.h"
#include "../record/tape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Larger than this no region is read: it has to fit into memory, with what is made of it. */
#define MOST_BYTES ((size_t)16 << 30)

/* What is made of the file. */
typedef struct recovered {
    int is_tape; /* it is what the process streamed */
    profi_dead dead;
    prof_snapshot *snapshot;
    profi_events *events;
} recovered;

static prof_status read_tape(int fd, const char *path, profi_dead *dead, prof_error *err)
{
    profi_stream stream;
    profi_stream_of_callback(&stream, profi_stream_read_fd, &fd);
    prof_status status = profi_tape_read(&stream, UINT64_MAX, path, dead, err);
    profi_stream_fini(&stream);
    return status;
}

static prof_status read_file(recovered *r, const char *path, prof_error *err)
{
    char *data, mark[PROFI_TAPE_MARK_BYTES];
    size_t bytes;
    int fd;
    prof_status status = profi_input_open(path, &fd, err);
    if (status != PROF_OK)
        return status;
    r->is_tape = pread(fd, mark, sizeof(mark), 0) == sizeof(mark) && profi_tape_is(mark, sizeof(mark));
    if (r->is_tape)
        status = read_tape(fd, path, &r->dead, err);
    close(fd);
    if (r->is_tape)
        return status;
    status = profi_input_read(path, MOST_BYTES, &data, &bytes, err);
    if (status != PROF_OK)
        return status;
    status = profi_dead_read(data, bytes, path, &r->dead, err);
    free(data);
    return status;
}

static uint64_t call_count(const profi_dead *dead)
{
    uint64_t count = 0;
    for (size_t i = 0; i < dead->record.thread_count; i++)
        count += dead->record.threads[i].calls;
    return count;
}

/* Whether there is something for a table. */
static int has_figures(const profi_dead *dead)
{
    return call_count(dead) != 0 || dead->record.span_count != 0;
}

static prof_status make_views(recovered *r, const char *path, prof_error *err)
{
    prof_status status = read_file(r, path, err);
    if (status == PROF_OK && !has_figures(&r->dead) && r->dead.record.stats.event_count == 0)
        status = profi_fail(err, PROF_E_UNAVAILABLE, r->is_tape ? "\"%.300s\": no thread had filled a piece of it when the process was killed"
                                                                     : "\"%.300s\": nothing was recorded", path);
    if (status == PROF_OK)
        status = profi_snapshot_of_dead(&r->dead, &r->snapshot, err);
    return status == PROF_OK ? profi_events_of_dead(&r->dead, &r->events, err) : status;
}

static prof_recovery describe(const profi_dead *dead)
{
    prof_recovery found = PROF_RECOVERY_INIT;
    found.thread_count = (uint32_t)dead->record.stats.live_thread_count;
    found.open_count = dead->open_count;
    found.call_count = call_count(dead);
    found.event_count = dead->record.stats.event_count;
    found.event_lost_count = dead->record.stats.event_lost_count;
    found.damage_count = dead->damage_count;
    found.last_unix_s = dead->last.unix_ns / 1000000000u;
    found.pid = dead->pid;
    return found;
}

static prof_status write_table(const profi_writer *writer, const recovered *r, const char *path, prof_error *err)
{
    prof_status status = writer->shows_slowest ? profi_slowest_find(r->events, r->snapshot, err) : PROF_OK;
    const profi_result result = { .writer = writer, .snapshot = r->snapshot };
    return status == PROF_OK ? profi_result_write_file(&result, path, err) : status;
}

/* Calls back for each format of a list; NULL: only looks whether there are such. */
static prof_status for_each_format(const char *formats, const recovered *r, const char *stem, prof_error *err)
{
    prof_status status = PROF_OK;
    for (const char *at = formats; status == PROF_OK && *at != '\0'; at += *at == ',') {
        size_t bytes = strcspn(at, ",");
        const profi_writer *writer;
        char path[4096], format[64];
        snprintf(format, sizeof(format), "%.*s", (int)profi_min_u64(bytes, sizeof(format)), at);
        status = profi_find_writer(format, &writer, err);
        at += bytes;
        if (status != PROF_OK || r == NULL)
            continue;
        if ((size_t)snprintf(path, sizeof(path), "%s.%s", stem, writer->name) >= sizeof(path))
            status = profi_fail(err, PROF_E_INVALID, "a path of more than %zu bytes: \"%.100s...\"", sizeof(path) - 1, stem);
        else if (writer->write != NULL && has_figures(&r->dead))
            status = write_table(writer, r, path, err);
        else if (writer->write == NULL && (r->dead.record.stats.event_count != 0 || r->dead.open_count != 0))
            status = profi_result_write_file(&(profi_result){ .writer = writer, .events = r->events }, path, err);
    }
    return status;
}

/* A path without its ending. */
static void default_stem(const char *path, char stem[4096])
{
    const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
    size_t bytes = dot != NULL && (slash == NULL || dot > slash + 1) && dot != path ? (size_t)(dot - path) : strlen(path);
    snprintf(stem, 4096, "%.*s", (int)profi_min_u64(bytes, 4095), path);
}

prof_status prof_recover(const char *path, const char *stem, const char *formats, prof_recovery *recovery, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    enum { RECOVERY_SIZE_0 = 64 }; /* as of version 0.1 */
    recovered r = { .snapshot = NULL };
    char own_stem[4096];
    if (path == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_recover: path is NULL");
    if (formats == NULL)
        formats = "txt,prof,json,pftrace";
    if (stem == NULL)
        default_stem(path, own_stem);
    prof_status status = for_each_format(formats, NULL, NULL, err);
    if (status != PROF_OK)
        return status;
    status = make_views(&r, path, err);
    if (status == PROF_OK)
        status = for_each_format(formats, &r, stem != NULL ? stem : own_stem, err);
    if (status == PROF_OK && recovery != NULL) {
        prof_recovery found = describe(&r.dead);
        status = profi_struct_write(recovery, &found, sizeof(found), RECOVERY_SIZE_0, "prof_recovery", err);
    }
    profi_events_close(r.events);
    prof_snapshot_close(r.snapshot);
    profi_dead_fini(&r.dead);
    return status;
}
