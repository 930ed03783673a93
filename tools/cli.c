/* SPDX-License-Identifier: Apache-2.0 */
/* The command line's own machinery: see cli.h. */
#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- text ---- */

/* The length of the UTF-8 sequence at text, if it is one that may be shown as it is; else 0. */
static size_t shown_length(const unsigned char *text)
{
    unsigned char first = text[0];
    size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    int is_control = first < 0x20 || first == 0x7f || (first == 0xc2 && text[1] < 0xa0);
    int is_wrong = (first == 0xe0 && text[1] < 0xa0) || (first == 0xed && text[1] >= 0xa0) ||
                   (first == 0xf0 && text[1] < 0x90) || (first == 0xf4 && text[1] >= 0x90);
    return is_control || is_wrong ? 0 : length;
}

void cli_put_clean(FILE *out, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at != '\0') {
        size_t length = shown_length(at);
        if (length != 0)
            fwrite(at, 1, length, out);
        else
            fprintf(out, "\\x%02x", *at);
        at += length ? length : 1;
    }
}

static void say(const cli_command *command, const char *format, va_list arguments)
{
    char *line;
    if (vasprintf(&line, format, arguments) < 0)
        return;
    fflush(stdout);
    fprintf(stderr, "profcore%s%s: ", command ? " " : "", command ? command->name : "");
    cli_put_clean(stderr, line);
    fputc('\n', stderr);
    free(line);
}

void cli_say(const cli_command *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(command, format, arguments);
    va_end(arguments);
}

void cli_wrong(const cli_command *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(command, format, arguments);
    va_end(arguments);
    fprintf(stderr, "Try: profcore help%s%s\n", command ? " " : "", command ? command->name : "");
    cli_end(CLI_WRONG);
}

/* ---- the nearest name ---- */

/* How many letters to insert, take away or change, for names that are not long. */
static unsigned distance(const char *a, const char *b)
{
    enum { LONGEST = 31 };
    unsigned row[LONGEST + 1];
    size_t columns = strlen(b);
    if (columns > LONGEST || strlen(a) > LONGEST)
        return LONGEST;
    for (unsigned i = 0; i <= columns; i++)
        row[i] = i;
    for (unsigned i = 1; a[i - 1] != '\0'; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= columns; j++) {
            unsigned change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            unsigned shift = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = change < shift ? change : shift;
        }
    }
    return row[columns];
}

const char *cli_nearest(const char *name, const char *const *names)
{
    const char *nearest = NULL;
    unsigned least = 3;
    for (; *names != NULL; names++) {
        unsigned steps = strlen(name) > 1 && strncmp(name, *names, strlen(name)) == 0 ? 1 : distance(name, *names);
        if (steps < least && steps < strlen(*names)) {
            least = steps;
            nearest = *names;
        }
    }
    return nearest;
}

/* ---- options ---- */

static void __attribute__((noreturn)) unknown_option(const cli_command *command, const char *name)
{
    enum { MOST = 32 };
    const char *names[MOST + 2] = { "help" }, *nearest;
    for (unsigned i = 0; i < MOST && command->options[i].name != NULL; i++)
        names[i + 1] = command->options[i].name;
    nearest = cli_nearest(name, names);
    if (nearest != NULL)
        cli_wrong(command, "unknown option --%s; did you mean --%s?", name, nearest);
    cli_wrong(command, "unknown option --%s", name);
}

static const char *value_of(cli_reader *reader, const char *name)
{
    if (reader->at >= reader->argc)
        cli_wrong(reader->command, "%s needs a value", name);
    return reader->argv[reader->at++];
}

static void __attribute__((noreturn)) help_and_end(const cli_command *command)
{
    cli_put_help(stdout, command);
    cli_end(CLI_OK);
}

static int read_long(cli_reader *reader, const char *text, const char **value)
{
    const cli_option *options = reader->command->options;
    size_t bytes = strcspn(text, "=");
    char name[64];
    snprintf(name, sizeof(name), "%.*s", (int)bytes, text);
    if (strcmp(name, "help") == 0)
        help_and_end(reader->command);
    for (int i = 0; options[i].name != NULL; i++) {
        if (strcmp(options[i].name, name) != 0)
            continue;
        if (options[i].value == NULL && text[bytes] == '=')
            cli_wrong(reader->command, "--%s takes no value", name);
        if (options[i].value != NULL)
            *value = text[bytes] == '=' ? text + bytes + 1 : value_of(reader, reader->argv[reader->at - 1]);
        return i;
    }
    unknown_option(reader->command, name);
}

static int read_letter(cli_reader *reader, const char **value)
{
    const cli_option *options = reader->command->options;
    char letter = *reader->bundle++;
    char name[3] = { '-', letter, '\0' };
    if (letter == 'h')
        help_and_end(reader->command);
    for (int i = 0; options[i].name != NULL; i++) {
        if (options[i].letter != letter)
            continue;
        if (options[i].value != NULL) {
            *value = *reader->bundle != '\0' ? reader->bundle : value_of(reader, name);
            reader->bundle = NULL;
        }
        return i;
    }
    cli_wrong(reader->command, "unknown option %s", name);
}

int cli_next(cli_reader *reader, const char **value)
{
    *value = NULL;
    if (reader->bundle != NULL && *reader->bundle != '\0')
        return read_letter(reader, value);
    if (reader->at >= reader->argc)
        return CLI_END;
    const char *text = reader->argv[reader->at++];
    if (!reader->only_operands && strcmp(text, "--") == 0) {
        reader->only_operands = 1;
        return cli_next(reader, value);
    }
    if (!reader->only_operands && text[0] == '-' && text[1] == '-')
        return read_long(reader, text + 2, value);
    if (!reader->only_operands && text[0] == '-' && text[1] != '\0') {
        reader->bundle = text + 1;
        return read_letter(reader, value);
    }
    *value = text;
    return CLI_OPERAND;
}

void cli_put_help(FILE *out, const cli_command *command)
{
    enum { COLUMN = 26 };
    static const cli_option help = { "help", 'h', NULL, "show this" };
    fprintf(out, "usage: profcore %s %s\n\n%s\n", command->name, command->usage, command->text);
    for (const cli_option *option = command->options;; option++) {
        const cli_option *shown = option->name != NULL ? option : &help;
        char left[64];
        int length = snprintf(left, sizeof(left), "  %c%c%c --%s%s%s", shown->letter ? '-' : ' ',
                              shown->letter ? shown->letter : ' ', shown->letter ? ',' : ' ', shown->name,
                              shown->value ? " " : "", shown->value ? shown->value : "");
        if (length < COLUMN)
            fprintf(out, "%-*s", COLUMN, left);
        else
            fprintf(out, "%s\n%*s", left, COLUMN, "");
        for (const char *at = shown->help; *at != '\0'; at++) {
            fputc(*at, out);
            if (*at == '\n')
                fprintf(out, "%*s", COLUMN, "");
        }
        fputc('\n', out);
        if (option->name == NULL)
            return;
    }
}

/* ---- output ---- */

static int reader_is_gone; /* of the pipe that stdout is */
static int stdout_error;   /* why writing a document to it failed */

int cli_write_stdout(void *unused, const void *data, size_t bytes)
{
    (void)unused;
    errno = 0;
    if (fwrite(data, 1, bytes, stdout) == bytes)
        return 0;
    reader_is_gone |= errno == EPIPE;
    return errno != 0 ? errno : EIO;
}

int cli_put_json(const cli_command *command, json_t *document)
{
    errno = 0;
    int is_written = json_dumpf(document, stdout, JSON_INDENT(1)) == 0 && printf("\n") == 1;
    stdout_error = errno;
    json_decref(document);
    if (is_written || ferror(stdout)) /* of which cli_end() tells */
        return CLI_OK;
    cli_say(command, "no memory for a JSON document");
    return CLI_FAILED;
}

void cli_end(int status)
{
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        errno = errno != 0 ? errno : stdout_error;
        if (errno != EPIPE && !reader_is_gone && status == CLI_OK)
            cli_say(NULL, "cannot write: %s", strerror(errno ? errno : EIO));
        status = status == CLI_OK ? CLI_FAILED : status;
    }
    /* PROFCORE=1 in the user's shell is meant for programs: the library in here must leave no files and no word. */
    if (getenv("PROFCORE") != NULL)
        _exit(status);
    exit(status);
}

int cli_wants_color(const cli_command *command, const char *when)
{
    const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");
    if (strcmp(when, "always") == 0)
        return 1;
    if (strcmp(when, "never") == 0)
        return 0;
    if (strcmp(when, "auto") != 0)
        cli_wrong(command, "--color is auto, always or never, not %s", when);
    return isatty(STDOUT_FILENO) && (no_color == NULL || no_color[0] == '\0') &&
           (terminal == NULL || strcmp(terminal, "dumb") != 0);
}

int cli_result(const cli_command *command, prof_status status, const prof_error *err)
{
    if (status == PROF_OK)
        return CLI_OK;
    if (!reader_is_gone)
        cli_say(command, "%s", err->message);
    return status == PROF_E_INVALID ? CLI_WRONG : CLI_FAILED;
}
