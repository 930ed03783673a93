/* SPDX-License-Identifier: Apache-2.0 */
/* profcore merge: several profiles become one file. */
#include "cli.h"
#include "input.h"
#include "output.h"

#include <stdlib.h>
#include <string.h>

enum { OUTPUT, TO };

static const cli_option options[] = {
    { "output", 'o', "FILE", "where to; - is standard output" },
    { "to", 't', "FORMAT", "json, prof, txt, html or callgrind; of timelines any format;\nby default what FILE ends in" },
    { NULL, 0, NULL, NULL },
};

/* The timelines become one where all are; 0 where they are not, else *result is the exit status. */
static int merge_timelines(const cli_command *command, const char *const *files, size_t count, const char *output,
                           const char *format, int *result)
{
    prof_error err = PROF_ERROR_INIT;
    prof_status status = PROF_OK;
    prof_timeline *timeline = NULL;
    size_t opened = 0, timelines = 0;
    input_file *inputs = calloc(count, sizeof(*inputs));
    *result = CLI_FAILED;
    for (; inputs != NULL && opened < count && status == PROF_OK && strcmp(files[opened], "-") != 0; opened++) {
        status = input_open(command, files[opened], &inputs[opened], &err);
        timelines += status == PROF_OK && input_is_timeline(&inputs[opened]);
    }
    int are_all = inputs != NULL && timelines == count;
    if (are_all) {
        status = input_read_timelines(inputs, count, &timeline, &err);
        *result = status == PROF_OK ? output_write_timeline(command, timeline, output, format) : cli_result(command, status, &err);
    }
    for (size_t i = 0; i < opened; i++)
        input_close(&inputs[i]);
    prof_timeline_close(timeline);
    free(inputs);
    return are_all;
}

static int merge(const cli_command *command, const char *const *files, size_t count, const char *output, const char *format)
{
    prof_error err = PROF_ERROR_INIT;
    prof_snapshot *snapshot = NULL;
    int result;
    if (merge_timelines(command, files, count, output, format, &result))
        return result;
    prof_status status = input_read_all(files, count, 0, &snapshot, &err);
    result = CLI_FAILED;
    if (status != PROF_OK)
        cli_say(command, "%s", err.message);
    else
        result = output_write(command, snapshot, output, format);
    prof_snapshot_close(snapshot);
    return result;
}

static int run(const cli_command *command, int argc, char **argv)
{
    cli_reader reader = { .command = command, .argc = argc, .argv = argv, .at = 1 };
    const char **files = calloc((size_t)argc, sizeof(*files)), *value, *output = NULL, *format = NULL;
    size_t count = 0;
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
    int result = merge(command, files, count, output, format);
    free(files);
    return result;
}

const cli_command command_merge = {
    "merge", "make one profile of several", "[OPTION]... -o FILE FILE...",
    "Adds up profiles of several processes, or of several runs, as if all had been recorded\n"
    "in one: histograms too, so percentiles are those of the whole.  What one of them does\n"
    "not have is unavailable in the result: a .prof has calls and times only.  FILE appears\n"
    "whole or not at all, and a file of that name is replaced.\n\n"
    "Timelines (.pftrace) become one on one clock, each with its own processes and threads:\n"
    "those of one machine's boot share its clock, others are placed by their real time.\n",
    options, 0, run,
};
