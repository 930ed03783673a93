/* SPDX-License-Identifier: Apache-2.0 */
/* profcore report: the tables of one profile, or of several as one, with pstats' keys and restrictions. */
#include "cli.h"
#include "input.h"
#include "output.h"

#include <stdlib.h>
#include <string.h>

enum { SORT, LIMIT, CALLERS, CALLEES, STRIP_DIRS, REVERSE, SUBTRACT, FORMAT, JSON, HTML, TIMELINE, COLOR };

static const cli_option options[] = {
    { "sort", 's', "KEY[,KEY]", "cumulative (the default), tottime, calls, pcalls, name, file,\n"
                                "line, nfl, stdname, or what abbreviates one" },
    { "limit", 'l', "LIMIT", "list less: 20 is so many lines, 0.25 a share of them, anything\n"
                             "else a pattern; several are applied in turn" },
    { "callers", 0, "LIMIT", "who called the functions that LIMIT leaves" },
    { "callees", 0, "LIMIT", "whom the functions that LIMIT leaves called" },
    { "strip-dirs", 'd', NULL, "files without their folders; what is then alike is one line" },
    { "reverse", 'r', NULL, "the order backwards" },
    { "subtract-overhead", 0, NULL, "times less what recording took, as measured at start: an\n"
                                    "estimate, of our .json only" },
    { "format", 'f', "FORMAT", "txt (the default), json, prof or what convert writes, of all\n"
                             "files as one" },
    { "json", 0, NULL, "the same as --format json" },
    { "html", 0, "OUT", "write a page for a browser to the file OUT, whole or not at\n"
                        "all; a file of that name is replaced; - is standard output" },
    { "timeline", 0, "FILE", "of the same run: the page shows its slowest request" },
    { "color", 0, "WHEN", "auto (a terminal, unless NO_COLOR is set), always or never" },
    { NULL, 0, NULL, NULL },
};

/* A --limit belongs to every view, a pattern of --callers to its own; each keeps its place among the others. */
enum { LIMITS_MAX = 16 };
typedef struct limits {
    const char *texts[LIMITS_MAX];
    int options[LIMITS_MAX];
    unsigned count;
} limits;

typedef struct request {
    prof_print_options print;
    limits limits;
    const char *format, *color;
    const char *output;   /* NULL: standard output */
    const char *timeline; /* whose slowest request a page shows; NULL: that of a single file which is one */
    const char **files;
    size_t file_count;
    int is_view_asked; /* --callers or --callees */
    int without_cost;
} request;

static void add_limit(const cli_command *command, request *r, int option, const char *text)
{
    if (r->limits.count == LIMITS_MAX)
        cli_wrong(command, "more than %d limits", LIMITS_MAX);
    r->limits.texts[r->limits.count] = text;
    r->limits.options[r->limits.count++] = option;
    r->is_view_asked |= option != LIMIT;
}

static void read_option(const cli_command *command, request *r, int option, const char *value)
{
    switch (option) {
    case CLI_OPERAND: r->files[r->file_count++] = value; break;
    case SORT: r->print.sort = value; break;
    case LIMIT:
    case CALLERS:
    case CALLEES: add_limit(command, r, option, value); break;
    case STRIP_DIRS: r->print.flags |= PROF_PRINT_STRIP_DIRS; break;
    case REVERSE: r->print.flags |= PROF_PRINT_REVERSE; break;
    case SUBTRACT: r->without_cost = 1; break;
    case FORMAT: r->format = value; break;
    case JSON: r->format = "json"; break;
    case HTML:
        r->format = "html";
        r->output = strcmp(value, "-") != 0 ? value : NULL;
        break;
    case TIMELINE: r->timeline = value; break;
    default: r->color = value; break;
    }
}

static prof_status print_view(const prof_snapshot *snapshot, const request *r, int option, uint32_t view, prof_error *err)
{
    const char *chosen[LIMITS_MAX];
    prof_print_options print = r->print;
    print.view = view;
    print.limits = chosen;
    for (unsigned i = 0; i < r->limits.count; i++)
        if (r->limits.options[i] == LIMIT || r->limits.options[i] == option)
            chosen[print.limit_count++] = r->limits.texts[i];
    return prof_snapshot_print(snapshot, &print, cli_write_stdout, NULL, err);
}

static int asks_for(const request *r, int option)
{
    for (unsigned i = 0; i < r->limits.count; i++)
        if (r->limits.options[i] == option)
            return 1;
    return 0;
}

static prof_status put(const prof_snapshot *snapshot, const request *r, prof_error *err)
{
    prof_status status = PROF_OK;
    if (r->output != NULL)
        return prof_snapshot_write_file(snapshot, r->format, r->output, err);
    if (strcmp(r->format, "txt") != 0)
        return prof_snapshot_write(snapshot, r->format, r->print.sort, cli_write_stdout, NULL, err);
    if (!r->is_view_asked)
        return print_view(snapshot, r, LIMIT, PROF_PRINT_STATS, err);
    if (asks_for(r, CALLERS))
        status = print_view(snapshot, r, CALLERS, PROF_PRINT_CALLERS, err);
    if (status == PROF_OK && asks_for(r, CALLEES))
        status = print_view(snapshot, r, CALLEES, PROF_PRINT_CALLEES, err);
    return status;
}

static void check(const cli_command *command, request *r)
{
    int is_table = strcmp(r->format, "txt") == 0;
    if (r->file_count == 0)
        cli_wrong(command, "which file? A .json or .prof, or - for standard input");
    if (!is_table && (r->limits.count != 0 || r->print.flags != 0 || r->print.sort != NULL))
        cli_wrong(command, "--sort, --limit, --callers, --callees, --strip-dirs and --reverse are for tables, not for --format %s",
                  r->format);
    output_check_terminal(command, r->format);
    int is_page = strcmp(r->format, "html") == 0;
    if (r->output != NULL && !is_page)
        cli_wrong(command, "--html %s and --format %s: one of them", r->output, r->format);
    if (r->timeline != NULL && !is_page)
        cli_wrong(command, "--timeline is for pages: say --html OUT too");
    int has_color = cli_wants_color(command, r->color);
    if (is_table && has_color)
        r->print.flags |= PROF_PRINT_COLOR;
}

/* The slowest request of the timeline that --timeline names. */
static prof_status add_slowest(const cli_command *command, const request *r, prof_snapshot *snapshot, prof_error *err)
{
    input_file file;
    prof_timeline *timeline = NULL;
    prof_status status = input_open(command, r->timeline, &file, err);
    if (status == PROF_OK)
        status = input_read_timelines(&file, 1, &timeline, err);
    if (status == PROF_OK)
        status = prof_timeline_add_slowest(timeline, snapshot, err);
    input_close(&file);
    prof_timeline_close(timeline);
    return status;
}

/* A page of one file, which has its own slowest request where it is a timeline. */
static prof_status read_for_page(const cli_command *command, const request *r, prof_snapshot **snapshot, prof_error *err)
{
    input_file file;
    prof_timeline *timeline = NULL;
    prof_status status = input_open(command, r->files[0], &file, err);
    if (status == PROF_OK && input_is_timeline(&file)) {
        status = input_read_timelines(&file, 1, &timeline, err);
        if (status == PROF_OK)
            status = prof_timeline_snapshot(timeline, snapshot, err);
        if (status == PROF_OK)
            status = prof_timeline_add_slowest(timeline, *snapshot, err);
    } else if (status == PROF_OK) {
        status = input_read_opened(&file, snapshot, err);
    }
    input_close(&file);
    prof_timeline_close(timeline);
    return status;
}

static prof_status read_files(const cli_command *command, const request *r, prof_snapshot **snapshot, prof_error *err)
{
    if (strcmp(r->format, "html") == 0 && r->file_count == 1 && r->timeline == NULL && !r->without_cost)
        return read_for_page(command, r, snapshot, err);
    prof_status status = input_read_all(r->files, r->file_count, r->without_cost, snapshot, err);
    return status == PROF_OK && r->timeline != NULL ? add_slowest(command, r, *snapshot, err) : status;
}

static int run(const cli_command *command, int argc, char **argv)
{
    cli_reader reader = { .command = command, .argc = argc, .argv = argv, .at = 1 };
    request r = { .print = PROF_PRINT_OPTIONS_INIT, .format = "txt", .color = "auto",
                  .files = calloc((size_t)argc, sizeof(*r.files)) };
    prof_error err = PROF_ERROR_INIT;
    prof_snapshot *snapshot = NULL;
    const char *value;
    int option;
    if (r.files == NULL)
        return CLI_FAILED;
    while ((option = cli_next(&reader, &value)) != CLI_END)
        read_option(command, &r, option, value);
    check(command, &r);
    prof_status status = read_files(command, &r, &snapshot, &err);
    int result = status == PROF_OK ? CLI_OK : CLI_FAILED;
    if (status != PROF_OK)
        cli_say(command, "%s", err.message);
    else
        result = cli_result(command, put(snapshot, &r, &err), &err);
    prof_snapshot_close(snapshot);
    free(r.files);
    return result;
}

const cli_command command_report = {
    "report", "print the table of a profile, or of several as one", "[OPTION]... FILE...",
    "FILE is a .json that libprofcore wrote, any .prof, also Python's, or a timeline, any\n"
    ".pftrace; - is standard input.  Several are merged.  What is printed before the line\n"
    "`-- profcore` is what Python's pstats prints for the same keys and restrictions.\n\n"
    "A pattern is a POSIX extended regular expression (not Python's: [0-9] for \\d), to be\n"
    "found anywhere in `file:line(function)`.\n\n"
    "A page opens in any browser from its one file, fetches nothing, and has the call\n"
    "tree, the table and a histogram of each function, and the slowest request of a timeline:\n"
    "profcore report --html page.html --timeline service.pftrace service.json\n",
    options, 0, run,
};
