/* SPDX-License-Identifier: Apache-2.0 */
/* See input.h. */
#include "input.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static prof_status fail(prof_error *err, prof_status status, const char *message)
{
    err->status = status;
    snprintf(err->message, sizeof(err->message), "%s", message);
    return status;
}

static prof_status read_stdin(prof_snapshot **snapshot, prof_error *err)
{
    enum { FIRST = 1 << 16, MOST = 256 << 20 };
    size_t room = FIRST, used = 0;
    char *data = malloc(room);
    ssize_t got = 0;
    while (data != NULL && used < MOST && (got = read(STDIN_FILENO, data + used, room - used)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            break;
        used += (size_t)got;
        if (used < room)
            continue;
        char *larger = realloc(data, room *= 2);
        if (larger == NULL)
            free(data);
        data = larger;
    }
    prof_status status = PROF_OK;
    char reason[160];
    if (data == NULL)
        status = fail(err, PROF_E_NO_MEMORY, "no memory for what stands on standard input");
    else if (used >= MOST)
        status = fail(err, PROF_E_LIMIT, "standard input holds more than 256 MiB");
    else if (got < 0) {
        snprintf(reason, sizeof(reason), "cannot read standard input: %s", strerror(errno));
        status = fail(err, PROF_E_IO, reason);
    }
    if (status == PROF_OK)
        status = prof_snapshot_read(data, used, "standard input", snapshot, err);
    free(data);
    return status;
}

prof_status input_read(const char *path, prof_snapshot **snapshot, prof_error *err)
{
    return strcmp(path, "-") == 0 ? read_stdin(snapshot, err) : prof_snapshot_read_file(path, snapshot, err);
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
