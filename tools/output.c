/* SPDX-License-Identifier: Apache-2.0 */
/* See output.h. */
#include "output.h"

#include <string.h>
#include <unistd.h>

static int is_stdout(const char *path)
{
    return strcmp(path, "-") == 0;
}

static int ends_in(const char *path, const char *end)
{
    size_t bytes = strlen(path), of_end = strlen(end);
    return bytes > of_end && strcmp(path + bytes - of_end, end) == 0;
}

void output_check_terminal(const cli_command *command, const char *format)
{
    if ((strcmp(format, "prof") == 0 || strcmp(format, "pprof") == 0 || strcmp(format, "pftrace") == 0) && isatty(STDOUT_FILENO))
        cli_wrong(command, "a .%s is no text: send it into a file", format);
}

const char *output_format(const cli_command *command, const char *path, const char *format)
{
    const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
    if (format == NULL && is_stdout(path))
        cli_wrong(command, "standard output has no name that ends in a format: say --to json");
    if (format == NULL && (dot == NULL || (slash != NULL && dot < slash) || dot[1] == '\0'))
        cli_wrong(command, "%s does not end in a format such as .json: rename it, or say --to json", path);
    if (format == NULL)
        format = ends_in(path, ".trace.json") ? "chrome" : dot + 1;
    if (is_stdout(path))
        output_check_terminal(command, format);
    return format;
}

int output_write(const cli_command *command, const prof_snapshot *snapshot, const char *path, const char *format)
{
    prof_error err = PROF_ERROR_INIT;
    prof_status status = is_stdout(path) ? prof_snapshot_write(snapshot, format, NULL, cli_write_stdout, NULL, &err)
                                         : prof_snapshot_write_file(snapshot, format, path, &err);
    return cli_result(command, status, &err);
}

int output_is_timeline(const char *format)
{
    return strcmp(format, "pftrace") == 0 || strcmp(format, "chrome") == 0 || strcmp(format, "nvtxt") == 0;
}

int output_write_timeline(const cli_command *command, const prof_timeline *timeline, const char *path, const char *format)
{
    prof_error err = PROF_ERROR_INIT;
    prof_snapshot *snapshot = NULL;
    prof_status status;
    if (!output_is_timeline(format)) {
        status = prof_timeline_snapshot(timeline, &snapshot, &err);
        if (status == PROF_OK && strcmp(format, "html") == 0)
            status = prof_timeline_add_slowest(timeline, snapshot, &err);
        int result = status == PROF_OK ? output_write(command, snapshot, path, format) : cli_result(command, status, &err);
        prof_snapshot_close(snapshot);
        return result;
    }
    status = is_stdout(path) ? prof_timeline_write(timeline, format, cli_write_stdout, NULL, &err)
                             : prof_timeline_write_file(timeline, format, path, &err);
    return cli_result(command, status, &err);
}
