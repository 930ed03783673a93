/* SPDX-License-Identifier: Apache-2.0 */
/* Files that callers name: see result_file.h. */
#include "result_file.h"

#include "../base/error.h"
#include "../base/publish.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

prof_status profi_find_writer(const char *format, const profi_writer **writer, prof_error *err)
{
    char known[PROFI_WRITER_NAMES_ROOM];
    *writer = format != NULL ? profi_writer_find(format, strlen(format)) : NULL;
    return *writer != NULL ? PROF_OK
                           : profi_fail(err, PROF_E_INVALID, "unknown format \"%.40s\"; there are: %s",
                                        format ? format : "(null)", profi_writer_names(known));
}

prof_status profi_find_event_writer(const char *format, const profi_writer **writer, prof_error *err)
{
    prof_status status = profi_find_writer(format, writer, err);
    if (status == PROF_OK && (*writer)->write_events == NULL)
        return profi_fail(err, PROF_E_UNSUPPORTED, "\"%s\" is written from a snapshot, not from events", (*writer)->name);
    return status;
}

/* The folder and the last part of a path. */
static prof_status split_path(const char *path, char folder[4096], const char **name, prof_error *err)
{
    const char *slash = strrchr(path, '/');
    size_t bytes = slash == NULL ? 0 : (size_t)(slash - path);
    *name = slash == NULL ? path : slash + 1;
    if (bytes >= 4096 || **name == '\0' || strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0)
        return profi_fail(err, PROF_E_INVALID, "not a path of a file: \"%.300s\"", path);
    if (slash == path)
        bytes = 1; /* the root */
    memcpy(folder, bytes ? path : ".", bytes ? bytes : 1);
    folder[bytes ? bytes : 1] = '\0';
    return PROF_OK;
}

static prof_status publish(int folder, profi_draft *draft, const char *name, const char *path, prof_error *err)
{
    struct stat existing;
    int error = profi_draft_close(draft);
    if (error != 0)
        return profi_fail_errno(err, error, "cannot write \"%.300s\"", path);
    if (fstatat(folder, name, &existing, 0) == 0 && !S_ISREG(existing.st_mode))
        return profi_fail(err, PROF_E_IO, "\"%.300s\" exists and is not a regular file", path);
    error = profi_draft_publish_over(folder, draft, name);
    return error == 0 ? PROF_OK : profi_fail_errno(err, error, "cannot write \"%.300s\"", path);
}

static prof_status write_draft(const profi_result *result, profi_draft *draft, const char *path, prof_error *err)
{
    prof_error why = PROF_ERROR_INIT;
    prof_status status = result->events != NULL
                             ? profi_writer_run_events(result->writer, result->events, profi_draft_write, draft, &why)
                             : profi_writer_run(result->writer, result->snapshot, NULL, profi_draft_write, draft, &why);
    return status == PROF_OK ? PROF_OK : profi_fail(err, status, "%s in \"%.300s\"", why.message, path);
}

prof_status profi_result_write_file(const profi_result *result, const char *path, prof_error *err)
{
    char folder_path[4096];
    const char *name;
    profi_draft draft = { .fd = -1 };
    struct stat existing;
    int folder;
    prof_status status = split_path(path, folder_path, &name, err);
    if (status != PROF_OK)
        return status;
    int error = stat(folder_path, &existing) == 0 ? 0 : errno;
    if (error == ENOENT)
        return profi_fail(err, PROF_E_IO, "cannot write \"%.300s\": there is no folder \"%.100s\"", path, folder_path);
    if (error != 0)
        return profi_fail_errno(err, error, "cannot write \"%.300s\"", path);
    status = profi_folder_open(folder_path, &folder, err);
    if (status != PROF_OK)
        return status;
    status = profi_draft_open(folder, folder_path, &draft, err);
    if (status == PROF_OK)
        status = write_draft(result, &draft, path, err);
    if (status == PROF_OK)
        status = publish(folder, &draft, name, path, err);
    if (status != PROF_OK)
        profi_draft_drop(folder, &draft);
    profi_folder_close(folder);
    return status;
}
