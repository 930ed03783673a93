/* SPDX-License-Identifier: Apache-2.0 */
/* profcore convert: a profile or a timeline in another format. */
#include "cli.h"
#include "input.h"
#include "output.h"

#include <string.h>

enum { TO };

static const cli_option options[] = {
    { "to", 't', "FORMAT", "txt, prof, json, html, pprof, collapsed or callgrind; of a\ntimeline also chrome, nvtxt or pftrace; by default what OUT\nends in" },
    { NULL, 0, NULL, NULL },
};

/* A program that was killed, or whose reader was too slow, leaves a stream without its end. */
static void tell_torn(const cli_command *command, const char *from, const prof_timeline *timeline)
{
    prof_timeline_about about = PROF_TIMELINE_ABOUT_INIT;
    const char *what = strcmp(from, "-") == 0 ? "standard input" : from;
    if (prof_timeline_about_get(timeline, &about, NULL) != PROF_OK)
        return;
    if (about.torn_bytes != 0)
        cli_say(command, "%s ends in the middle of a packet or record, which is cut off: %llu bytes", what,
                (unsigned long long)about.torn_bytes);
    else if (about.has_no_end)
        cli_say(command, "%s ends before the stream's end: there may have been more", what);
}

static int convert(const cli_command *command, const char *from, const char *to, const char *format)
{
    prof_error err = PROF_ERROR_INIT;
    prof_snapshot *snapshot = NULL;
    prof_timeline *timeline = NULL;
    input_file file;
    int result = CLI_FAILED;
    prof_status status = input_open(command, from, &file, &err);
    if (status == PROF_OK && input_is_timeline(&file)) {
        status = input_read_timelines(&file, 1, &timeline, &err);
        if (status == PROF_OK)
            tell_torn(command, from, timeline);
        if (status == PROF_OK)
            result = output_write_timeline(command, timeline, to, format);
    } else if (status == PROF_OK) {
        status = input_read_opened(&file, &snapshot, &err);
        if (status == PROF_OK)
            result = output_write(command, snapshot, to, format);
    }
    if (status != PROF_OK)
        cli_say(command, "%s", err.message);
    input_close(&file);
    prof_timeline_close(timeline);
    prof_snapshot_close(snapshot);
    return result;
}

static int run(const cli_command *command, int argc, char **argv)
{
    cli_reader reader = { .command = command, .argc = argc, .argv = argv, .at = 1 };
    const char *paths[2] = { NULL, NULL }, *format = NULL, *value;
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
    return convert(command, paths[0], paths[1], format);
}

const cli_command command_convert = {
    "convert", "write a profile or a timeline in another format", "[--to FORMAT] IN OUT",
    "IN is a .json that libprofcore wrote, any .prof, also Python's, or a timeline: any\n"
    ".pftrace, or what a program streams with PROFCORE_STREAM.  - is standard input, and -\n"
    "for OUT standard output.  OUT appears whole or not at all, and a file of that name is\n"
    "replaced.\n\n"
    "  txt        the table of pstats and our own\n"
    "  prof       for pstats and snakeviz\n"
    "  json       the summary; all others can be made of it\n"
    "  html       a page for a browser\n"
    "  pprof      for go tool pprof and what reads its files; of a .json only\n"
    "  collapsed  stacks for flame graphs, in nanoseconds; of a .json only\n"
    "  callgrind  for callgrind_annotate and KCachegrind\n\n"
    "Of a timeline these are made of the calls that it has; and its single events as\n\n"
    "  chrome     .trace.json: trace events for Perfetto, chrome://tracing and speedscope\n"
    "  nvtxt      for Nsight Systems' ImportNvtxt\n"
    "  pftrace    Perfetto's own\n",
    options, 0, run,
};
