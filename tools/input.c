/* SPDX-License-Identifier: Apache-2.0 */
/* See input.h. */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static prof_status fail(prof_error *err, prof_status status, const char *message)
{
    err->status = status;
    snprintf(err->message, sizeof(err->message), "%s", message);
    return status;
}

/* ---- opened files ---- */

prof_status input_open(const cli_command *command, const char *path, input_file *file, prof_error *err)
{
    struct stat about;
    char reason[400];
    *file = (input_file){ .command = command, .path = path, .fd = STDIN_FILENO };
    if (strcmp(path, "-") != 0)
        file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int is_open = file->fd >= 0 && fstat(file->fd, &about) == 0;
    if (!is_open || (file->fd != STDIN_FILENO && !S_ISREG(about.st_mode))) {
        snprintf(reason, sizeof(reason), "cannot read \"%.300s\": %s", path, is_open ? "it is not a regular file" : strerror(errno));
        input_close(file);
        return fail(err, PROF_E_IO, reason);
    }
    file->bytes = S_ISREG(about.st_mode) ? (uint64_t)about.st_size : 0;
    for (ssize_t got = 1; got != 0 && file->head_bytes < sizeof(file->head);) {
        got = read(file->fd, file->head + file->head_bytes, sizeof(file->head) - file->head_bytes);
        if (got < 0 && errno != EINTR)
            break; /* which reading on reports */
        file->head_bytes += got > 0 ? (size_t)got : 0;
    }
    return PROF_OK;
}

void input_close(input_file *file)
{
    if (file->fd > STDIN_FILENO)
        close(file->fd);
    file->fd = -1;
}

int input_is_timeline(const input_file *file)
{
    return prof_timeline_looks_like(file->head, file->head_bytes);
}

int input_is_stream(const input_file *file)
{
    return input_is_timeline(file) && memmem(file->head, file->head_bytes, "profcore.stream/", 16) != NULL;
}

/* A line on stderr that writes over itself; an empty one in the end. */
static void show_progress(const input_file *file, int is_end)
{
    if (!file->shows_progress)
        return;
    if (is_end)
        fprintf(stderr, "\r\033[K");
    else if (file->bytes != 0)
        fprintf(stderr, "\rprofcore %s: reading, %3u %%", file->command->name, (unsigned)(file->done * 100 / file->bytes));
    else
        fprintf(stderr, "\rprofcore %s: reading, %llu MiB", file->command->name, (unsigned long long)(file->done >> 20));
    fflush(stderr);
}

static int64_t read_on(void *user, void *data, size_t room)
{
    enum { STEP = 1 << 23 };
    input_file *file = user;
    size_t left = file->head_bytes - file->head_at;
    if (left != 0) {
        left = left < room ? left : room;
        memcpy(data, file->head + file->head_at, left);
        file->head_at += left;
        file->done += left;
        return (int64_t)left;
    }
    ssize_t got;
    do
        got = read(file->fd, data, room);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    uint64_t before = file->done;
    file->done += (uint64_t)got;
    if (before / STEP != file->done / STEP)
        show_progress(file, 0);
    return got;
}

prof_status input_read_timelines(input_file *files, size_t count, prof_timeline **timeline, prof_error *err)
{
    prof_timeline_source *sources = calloc(count, sizeof(*sources));
    if (sources == NULL)
        return fail(err, PROF_E_NO_MEMORY, "no memory for so many files");
    for (size_t i = 0; i < count; i++) {
        files[i].shows_progress = isatty(STDERR_FILENO);
        sources[i] = (prof_timeline_source){ read_on, &files[i], strcmp(files[i].path, "-") == 0 ? "standard input" : files[i].path };
    }
    prof_status status = prof_timeline_read(sources, count, timeline, err);
    show_progress(&files[0], 1);
    free(sources);
    return status;
}

static prof_status read_stdin(input_file *file, prof_snapshot **snapshot, prof_error *err)
{
    enum { FIRST = 1 << 16, MOST = 256 << 20 };
    size_t room = FIRST, used = 0;
    char *data = malloc(room), reason[160];
    int64_t got = 0;
    while (data != NULL && used < MOST && (got = read_on(file, data + used, room - used)) > 0) {
        used += (size_t)got;
        if (used < room)
            continue;
        char *larger = realloc(data, room *= 2);
        if (larger == NULL)
            free(data);
        data = larger;
    }
    prof_status status = PROF_OK;
    if (data == NULL)
        status = fail(err, PROF_E_NO_MEMORY, "no memory for what stands on standard input");
    else if (used >= MOST)
        status = fail(err, PROF_E_LIMIT, "standard input holds more than 256 MiB");
    else if (got < 0) {
        snprintf(reason, sizeof(reason), "cannot read standard input: %s", strerror((int)-got));
        status = fail(err, PROF_E_IO, reason);
    }
    if (status == PROF_OK)
        status = prof_snapshot_read(data, used, "standard input", snapshot, err);
    free(data);
    return status;
}

prof_status input_read_opened(input_file *file, prof_snapshot **snapshot, prof_error *err)
{
    return file->fd == STDIN_FILENO ? read_stdin(file, snapshot, err) : prof_snapshot_read_file(file->path, snapshot, err);
}

prof_status input_read(const char *path, prof_snapshot **snapshot, prof_error *err)
{
    input_file file;
    if (strcmp(path, "-") != 0)
        return prof_snapshot_read_file(path, snapshot, err);
    prof_status status = input_open(NULL, path, &file, err);
    return status == PROF_OK ? read_stdin(&file, snapshot, err) : status;
}

/* The error then names the file too. */
static prof_status subtract_cost(const char *path, prof_snapshot **snapshot, prof_error *err)
{
    prof_snapshot *less;
    prof_error why = PROF_ERROR_INIT;
    prof_status status = prof_snapshot_subtract_cost(*snapshot, &less, &why);
    if (status != PROF_OK) {
        char message[sizeof(err->message)];
        snprintf(message, sizeof(message), "%.150s: %.340s", path, why.message);
        return fail(err, status, message);
    }
    prof_snapshot_close(*snapshot);
    *snapshot = less;
    return PROF_OK;
}

prof_status input_read_all(const char *const *paths, size_t count, int without_cost, prof_snapshot **snapshot,
                           prof_error *err)
{
    prof_snapshot **read = calloc(count, sizeof(*read));
    if (read == NULL)
        return fail(err, PROF_E_NO_MEMORY, "no memory for so many files");
    prof_status status = PROF_OK;
    for (size_t i = 0; status == PROF_OK && i < count; i++) {
        const char *path = paths[i == 0 ? 0 : count - i]; /* as pstats adds them: what is equal in order stays in this one */
        status = input_read(path, &read[i], err);
        if (status == PROF_OK && without_cost)
            status = subtract_cost(path, &read[i], err);
    }
    if (status == PROF_OK && count == 1) {
        *snapshot = read[0];
        read[0] = NULL;
    } else if (status == PROF_OK) {
        status = prof_snapshot_merge((const prof_snapshot *const *)read, count, snapshot, err);
    }
    for (size_t i = 0; i < count; i++)
        prof_snapshot_close(read[i]);
    free(read);
    return status;
}
