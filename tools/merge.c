/* SPDX-License-Identifier: Apache-2.0 */
/* profcore merge: several profiles become one file, or one becomes a file of another format. */
#include "cli.h"
#include "input.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OUTPUT, TO };

static const cli_option options[] = {
    { "output", 'o', "FILE", "where to; - is standard output" },
    { "to", 't', "FORMAT", "json, prof or txt; by default what FILE ends in" },
    { NULL, 0, NULL, NULL },
};

static const char *format_of(const cli_command *command, const char *output, const char *format)
{
    const char *dot = strrchr(output, '.'), *slash = strrchr(output, '/');
    if (format != NULL)
        return format;
    if (strcmp(output, "-") == 0)
        cli_wrong(command, "standard output has no name that ends in a format: say --to json");
    if (dot == NULL || (slash != NULL && dot < slash) || dot[1] == '\0')
        cli_wrong(command, "%s does not end in a format such as .json: rename it, or say --to json", output);
    return dot + 1;
}

static int run(const cli_command *command, int argc, char **argv)
{
    cli_reader reader = { .command = command, .argc = argc, .argv = argv, .at = 1 };
    const char **files = calloc((size_t)argc, sizeof(*files)), *value, *output = NULL, *format = NULL;
    size_t count = 0;
    prof_error err = PROF_ERROR_INIT;
    prof_snapshot *snapshot = NULL;
    int option;
    if (files == NULL)
        return CLI_FAILED;
    while ((option = cli_next(&reader, &value)) != CLI_END) {
        if (option == CLI_OPERAND)
            files[count++] = value;
        else if (option == OUTPUT)
            output = value;
        else
            format = value;
    }
    if (count == 0)
        cli_wrong(command, "which files?");
    if (output == NULL)
        cli_wrong(command, "where to? -o FILE");
    format = format_of(command, output, format);
    int is_stdout = strcmp(output, "-") == 0;
    if (is_stdout && strcmp(format, "prof") == 0 && isatty(STDOUT_FILENO))
        cli_wrong(command, "a .prof is no text: send it into a file");
    prof_status status = input_read_all(files, count, 0, &snapshot, &err);
    int result = CLI_FAILED;
    if (status != PROF_OK)
        cli_say(command, "%s", err.message);
    else if (is_stdout)
        result = cli_result(command, prof_snapshot_write(snapshot, format, NULL, cli_write_stdout, NULL, &err), &err);
    else
        result = cli_result(command, prof_snapshot_write_file(snapshot, format, output, &err), &err);
    prof_snapshot_close(snapshot);
    free(files);
    return result;
}

const cli_command command_merge = {
    "merge", "make one profile of several, or another format of one", "[OPTION]... -o FILE FILE...",
    "Adds up profiles of several processes, or of several runs, as if all had been recorded\n"
    "in one: histograms too, so percentiles are those of the whole.  What one of them does\n"
    "not have is unavailable in the result: a .prof has calls and times only.  FILE appears\n"
    "whole or not at all, and a file of that name is replaced.\n",
    options, 0, run,
};
