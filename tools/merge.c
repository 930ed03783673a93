/* SPDX-License-Identifier: Apache-2.0 */
/* profcore merge: several profiles become one file. */
#include "cli.h"
#include "input.h"
#include "output.h"

#include <stdlib.h>

enum { OUTPUT, TO };

static const cli_option options[] = {
    { "output", 'o', "FILE", "where to; - is standard output" },
    { "to", 't', "FORMAT", "json, prof, txt, html or callgrind; by default what FILE ends in" },
    { NULL, 0, NULL, NULL },
};

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
    format = output_format(command, output, format);
    prof_status status = input_read_all(files, count, 0, &snapshot, &err);
    int result = CLI_FAILED;
    if (status != PROF_OK)
        cli_say(command, "%s", err.message);
    else
        result = output_write(command, snapshot, output, format);
    prof_snapshot_close(snapshot);
    free(files);
    return result;
}

const cli_command command_merge = {
    "merge", "make one profile of several", "[OPTION]... -o FILE FILE...",
    "Adds up profiles of several processes, or of several runs, as if all had been recorded\n"
    "in one: histograms too, so percentiles are those of the whole.  What one of them does\n"
    "not have is unavailable in the result: a .prof has calls and times only.  FILE appears\n"
    "whole or not at all, and a file of that name is replaced.\n",
    options, 0, run,
};
