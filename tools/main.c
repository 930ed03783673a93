/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profcore, the command line: finds the command and hands over.
 *
 * It uses the public functions of libprofcore and nothing else of it.
 */
#include "cli.h"

#include <string.h>

static const cli_command *const commands[] = { &command_run, &command_report, &command_diff, &command_merge,
                                               &command_convert, &command_info, &command_recover, &command_top,
                                               &command_stacks, &command_dump, &command_start, &command_stop, &command_doctor };
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void put_usage(FILE *out)
{
    fputs("usage: profcore COMMAND [ARGUMENT...]\n\n"
          "Records programs that libprofcore is built into, and reads what they wrote.\n\n", out);
    for (int i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
    fputs("  help     this, or all about one command: profcore help report\n\n"
          "  --version, --help\n", out);
}

static const cli_command *find(const char *name)
{
    const char *names[COMMANDS + 2] = { "help" };
    for (int i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
        names[i + 1] = commands[i]->name;
    }
    const char *nearest = cli_nearest(name, names);
    if (nearest != NULL)
        cli_wrong(NULL, "there is no command %s; did you mean %s?", name, nearest);
    cli_wrong(NULL, "there is no command %s", name);
}

static int help(int argc, char **argv)
{
    if (argc < 2)
        put_usage(stdout);
    else if (strcmp(argv[1], "help") == 0)
        put_usage(stdout);
    else
        cli_put_help(stdout, find(argv[1]));
    return CLI_OK;
}

static int version(void)
{
    unsigned library = prof_version();
    printf("profcore %u.%u.%u\n", PROF_VERSION >> 16, PROF_VERSION >> 8 & 0xff, PROF_VERSION & 0xff);
    if (library != PROF_VERSION)
        printf("libprofcore %u.%u.%u\n", library >> 16, library >> 8 & 0xff, library & 0xff);
    return CLI_OK;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        put_usage(stderr);
        return CLI_WRONG;
    }
    const char *name = argv[1];
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return help(argc - 1, argv + 1);
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        return version();
    if (name[0] == '-')
        cli_wrong(NULL, "unknown option %s", name);
    const cli_command *command = find(name);
    return command->run(command, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    cli_end(run(argc, argv));
}
