/* SPDX-License-Identifier: Apache-2.0 */
/* profcore convert: a profile in another format. */
#include "cli.h"
#include "input.h"
#include "output.h"

enum { TO };

static const cli_option options[] = {
    { "to", 't', "FORMAT", "txt, prof, json, html, pprof, collapsed or\ncallgrind; by default what OUT ends in" },
    { NULL, 0, NULL, NULL },
};

static int run(const cli_command *command, int argc, char **argv)
{
    cli_reader reader = { .command = command, .argc = argc, .argv = argv, .at = 1 };
    const char *paths[2] = { NULL, NULL }, *format = NULL, *value;
    prof_error err = PROF_ERROR_INIT;
    prof_snapshot *snapshot = NULL;
    int option, count = 0;
    while ((option = cli_next(&reader, &value)) != CLI_END) {
        if (option == TO)
            format = value;
        else if (count < 2)
            paths[count++] = value;
        else
            cli_wrong(command, "one file becomes one file, and %s is a third; to add up, see profcore merge", value);
    }
    if (count < 2)
        cli_wrong(command, count == 0 ? "which file, and where to?" : "where to? - is standard output");
    format = output_format(command, paths[1], format);
    prof_status status = input_read(paths[0], &snapshot, &err);
    if (status != PROF_OK) {
        cli_say(command, "%s", err.message);
        return CLI_FAILED;
    }
    int result = output_write(command, snapshot, paths[1], format);
    prof_snapshot_close(snapshot);
    return result;
}

const cli_command command_convert = {
    "convert", "write a profile in another format", "[--to FORMAT] IN OUT",
    "IN is a .json that libprofcore wrote, or any .prof, also Python's; - is standard\n"
    "input, and - for OUT standard output.  OUT appears whole or not at all, and a file of\n"
    "that name is replaced.\n\n"
    "  txt        the table of pstats and our own\n"
    "  prof       for pstats and snakeviz\n"
    "  json       the summary; all others can be made of it\n"
    "  html       a page for a browser\n"
    "  pprof      for go tool pprof and what reads its files; of a .json only\n"
    "  collapsed  stacks for flame graphs, in nanoseconds; of a .json only\n"
    "  callgrind  for callgrind_annotate and KCachegrind\n",
    options, 0, run,
};
