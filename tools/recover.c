/* SPDX-License-Identifier: Apache-2.0 */
/* profcore recover: the files of a process that was killed. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

enum { OUT, FORMATS };

static const cli_option options[] = {
    { "out", 'o', "STEM", "what the files are called, without an ending; by default as FILE" },
    { "formats", 'f', "LIST", "of " CLI_FORMATS },
    { NULL, 0, NULL, NULL },
};

static void put_count(uint64_t count, const char *what, const char *end)
{
    printf("%llu %s%s%s", (unsigned long long)count, what, count == 1 ? "" : "s", end);
}

static void tell(const char *path, const prof_recovery *found)
{
    cli_put_clean(stdout, path);
    printf(": process %lld, ", (long long)found->pid);
    if (found->call_count != 0) { /* a stream has events only */
        put_count(found->thread_count, "thread", ", ");
        put_count(found->call_count, "call", ", of which ");
        printf("%llu had not ended; ", (unsigned long long)found->open_count);
    }
    put_count(found->event_count, "event", ", of which ");
    printf("%llu are lost\n", (unsigned long long)found->event_lost_count);
    if (found->damage_count != 0) {
        put_count(found->damage_count, "place", " in the file ");
        printf("%s damaged and left out\n", found->damage_count == 1 ? "is" : "are");
    }
}

static int run(const cli_command *command, int argc, char **argv)
{
    cli_reader reader = { .command = command, .argc = argc, .argv = argv, .at = 1 };
    const char *path = NULL, *stem = NULL, *formats = NULL, *value;
    prof_error err = PROF_ERROR_INIT;
    prof_recovery found = PROF_RECOVERY_INIT;
    int option;
    while ((option = cli_next(&reader, &value)) != CLI_END) {
        if (option == OUT)
            stem = value;
        else if (option == FORMATS)
            formats = value;
        else if (path == NULL)
            path = value;
        else
            cli_wrong(command, "one file at a time, and %s is a second", value);
    }
    if (path == NULL)
        cli_wrong(command, "which file?");
    prof_status status = prof_recover(path, stem, formats, &found, &err);
    if (status == PROF_OK)
        tell(path, &found);
    return cli_result(command, status, &err);
}

const cli_command command_recover = {
    "recover", "the files of a process that was killed", "[-o STEM] [--formats LIST] FILE",
    "FILE is the .crash that a process recording with PROFCORE_CRASH_SAFE=1 has left;\n"
    "that of one which still runs will do as well.  It is not changed.  Scopes that were\n"
    "open count as calls up to the last moment known, and stand in the timeline as not\n"
    "ended.\n",
    options, 0, run,
};
