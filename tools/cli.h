/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands of `profcore` share: options described by a table, which
 * is also their help; messages; text that is safe on a terminal; output.
 *
 * Exit statuses: 0 fine, 1 something failed, 2 the command line is wrong.
 */
#ifndef CLI_H
#define CLI_H

#include <jansson.h>
#include <profcore/snapshot.h>
#include <stdio.h>

/* The formats that files can be written in, for help: a test compares them with what the library says. */
#define CLI_FORMATS "txt, prof, json, pftrace (these four by default), html, chrome,\nnvtxt, pprof, collapsed, callgrind"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_WRONG = 2 };

typedef struct cli_option {
    const char *name;  /* without the dashes */
    char letter;       /* 0: none */
    const char *value; /* what help calls the value; NULL: it takes none */
    const char *help;  /* a newline goes on in the same column */
} cli_option;

typedef struct cli_command {
    const char *name;
    const char *summary;       /* one line */
    const char *usage;         /* what follows the name */
    const char *text;          /* paragraphs below it, or NULL */
    const cli_option *options; /* up to a row without a name */
    int stops_at_operand;      /* what follows the first operand is not ours */
    int (*run)(const struct cli_command *command, int argc, char **argv); /* argv[0] is the command */
} cli_command;

extern const cli_command command_run, command_report, command_diff, command_merge, command_convert, command_info, command_recover,
    command_doctor, command_top, command_stacks, command_dump, command_start, command_stop;

/* ---- reading the command line ---- */

typedef struct cli_reader {
    const cli_command *command;
    int argc, at;
    char **argv;
    const char *bundle; /* letters of "-abc" still to read */
    int only_operands;
} cli_reader;

enum { CLI_END = -1, CLI_OPERAND = -2 };

/*
 * The next option, as its index in the table, or CLI_OPERAND, with *value
 * set; CLI_END behind the last.  A wrong one ends the program with status 2;
 * --help with its text and 0.  With stops_at_operand, the operand is the
 * last thing given, and reader->at is behind it.
 */
int cli_next(cli_reader *reader, const char **value);

void cli_put_help(FILE *out, const cli_command *command);

/* The one of `names` (NULL ends them) that `name` was probably meant to be, or NULL. */
const char *cli_nearest(const char *name, const char *const *names);

/* ---- messages: one line on stderr, "profcore COMMAND: …", cleaned ---- */

__attribute__((format(printf, 2, 3))) void cli_say(const cli_command *command, const char *format, ...);

/* The same, and a hint where to read on; ends the program with status 2. */
__attribute__((format(printf, 2, 3), noreturn)) void cli_wrong(const cli_command *command, const char *format, ...);

/* Text from a command line or a file's name: control characters and what is not UTF-8 come out escaped. */
void cli_put_clean(FILE *out, const char *text);

/* ---- output ---- */

/* A prof_write_callback to stdout. */
int cli_write_stdout(void *unused, const void *data, size_t bytes);

/* Writes a document to stdout and drops it; CLI_FAILED, and says so, when memory was not enough for it (or it is NULL). */
int cli_put_json(const cli_command *command, json_t *document);

/*
 * Ends the program, the only way to do so.  Before, it writes out what stands
 * in stdout's buffer, which is part of the work: a full disk is a failure,
 * whose status takes the place of CLI_OK.
 */
__attribute__((noreturn)) void cli_end(int status);

/* Whether to use colour on stdout: "auto" (a terminal, and no NO_COLOR), "always", "never"; ends the program for others. */
int cli_wants_color(const cli_command *command, const char *when);

/*
 * Says why `status` is not PROF_OK and gives the exit status.  A reader of a
 * pipe that went away is no news.
 */
int cli_result(const cli_command *command, prof_status status, const prof_error *err);

#endif
