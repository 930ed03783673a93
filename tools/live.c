/* SPDX-License-Identifier: Apache-2.0 */
/* profcore stacks, dump, start and stop: one question to a running program, and its answer. */
#include "cli.h"
#include "remote.h"

#include <stdlib.h>
#include <string.h>

static const cli_option stacks_options[] = {
    { "json", 0, NULL, "as profcore.stacks/1" },
    { NULL, 0, NULL, NULL },
};
static const cli_option dump_options[] = {
    { "seconds", 's', "N", "how far back the timeline goes (PROFCORE_DUMP_SECONDS there, or 10);\n0: all that is held" },
    { NULL, 0, NULL, NULL },
};
static const cli_option start_options[] = {
    { "gpu", 0, NULL, "trace GPU work, which takes CUPTI for it, and nothing else" },
    { NULL, 0, NULL, NULL },
};
static const cli_option stop_options[] = {
    { "gpu", 0, NULL, "give CUPTI free for another profiler, and go on recording" },
    { NULL, 0, NULL, NULL },
};

/* Reads the options and the one operand; *value receives the first option's, or "". */
static pid_t read_arguments(const cli_command *command, int argc, char **argv, const char **value)
{
    cli_reader reader = { .command = command, .argc = argc, .argv = argv, .at = 1 };
    const char *given, *operand = NULL;
    int option;
    *value = NULL;
    while ((option = cli_next(&reader, &given)) != CLI_END) {
        if (option == CLI_OPERAND && operand != NULL)
            cli_wrong(command, "one process at a time");
        if (option == CLI_OPERAND)
            operand = given;
        else
            *value = given != NULL ? given : "";
    }
    return remote_pid(command, operand);
}

/* Line by line: what comes from elsewhere must not drive a terminal. */
static void put_lines(char *text)
{
    for (char *line = text, *next; line != NULL && *line != '\0'; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        cli_put_clean(stdout, line);
        putchar('\n');
    }
}

static int ask(const cli_command *command, pid_t pid, const char *line)
{
    size_t bytes;
    char *text = remote_ask(command, pid, line, &bytes, 0);
    if (text == NULL)
        return CLI_FAILED;
    put_lines(text);
    free(text);
    return CLI_OK;
}

static int run_stacks(const cli_command *command, int argc, char **argv)
{
    const char *json;
    pid_t pid = read_arguments(command, argc, argv, &json);
    return ask(command, pid, json != NULL ? "stacks json" : "stacks txt");
}

static int run_dump(const cli_command *command, int argc, char **argv)
{
    const char *seconds;
    char line[64];
    pid_t pid = read_arguments(command, argc, argv, &seconds);
    if (seconds != NULL && (strlen(seconds) > 9 || strspn(seconds, "0123456789") != strlen(seconds) || seconds[0] == '\0'))
        cli_wrong(command, "not a whole number of seconds: %s", seconds);
    snprintf(line, sizeof(line), "dump %s", seconds != NULL ? seconds : "");
    size_t bytes;
    char *path = remote_ask(command, pid, line, &bytes, 0);
    if (path == NULL)
        return CLI_FAILED;
    path[strcspn(path, "\n")] = '\0';
    for (int i = 0; i < 2; i++) {
        cli_put_clean(stdout, path);
        puts(i ? ".pftrace" : ".txt");
    }
    free(path);
    return CLI_OK;
}

static int run_switch(const cli_command *command, int argc, char **argv)
{
    const char *gpu;
    char line[64];
    pid_t pid = read_arguments(command, argc, argv, &gpu);
    snprintf(line, sizeof(line), "%s%s", gpu != NULL ? "gpu " : "", command->name);
    return ask(command, pid, line);
}

#define CONTROL "The program must have been started with PROFCORE_CONTROL=1, by the same user.\n"

const cli_command command_stacks = {
    "stacks", "show what a running program is in the middle of", "[OPTION]... PID",
    "Every thread's open scopes, from the outermost in, and for how long each has been\n"
    "running.  The program is not stopped.  " CONTROL,
    stacks_options, 0, run_stacks,
};
const cli_command command_dump = {
    "dump", "have a running program write what led up to now", "[OPTION]... PID",
    "Writes, in the program's own folder, its open scopes (.txt) and the timeline of the\n"
    "last seconds (.pftrace), and says where.  The program is not stopped.  " CONTROL,
    dump_options, 0, run_dump,
};
const cli_command command_start = {
    "start", "have a running program record, or go on recording", "[OPTION] PID", CONTROL, start_options, 0, run_switch,
};
const cli_command command_stop = {
    "stop", "have a running program pause, or end what start began", "[OPTION] PID",
    "What `profcore start` began ends, and its files are written.  What the program or its\n"
    "environment began pauses, until `profcore start`.  " CONTROL,
    stop_options, 0, run_switch,
};
