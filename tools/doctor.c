/* SPDX-License-Identifier: Apache-2.0 */
/* profcore doctor: what works on this machine, and for what does not, why and the remedy. */
#include "doctor.h"

#include "cli.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct doctor_row {
    doctor_state state;
    int is_essential;
    char name[32];
    char *finding, *remedy; /* remedy: or NULL */
} doctor_row;

struct doctor_list {
    doctor_row rows[96];
    size_t count;
};

static const char *const state_words[] = { "ok", "warn", "no" };

static void add(doctor_list *list, int is_essential, doctor_state state, const char *name, const char *remedy,
                const char *finding, va_list arguments)
{
    if (list->count == sizeof(list->rows) / sizeof(list->rows[0]))
        return;
    doctor_row *row = &list->rows[list->count];
    *row = (doctor_row){ .state = state, .is_essential = is_essential, .remedy = remedy ? strdup(remedy) : NULL };
    snprintf(row->name, sizeof(row->name), "%s", name);
    if (vasprintf(&row->finding, finding, arguments) < 0)
        row->finding = NULL;
    list->count++;
}

void doctor_add(doctor_list *list, doctor_state state, const char *name, const char *remedy, const char *finding, ...)
{
    va_list arguments;
    va_start(arguments, finding);
    add(list, 0, state, name, remedy, finding, arguments);
    va_end(arguments);
}

void doctor_add_essential(doctor_list *list, doctor_state state, const char *name, const char *remedy, const char *finding,
                          ...)
{
    va_list arguments;
    va_start(arguments, finding);
    add(list, 1, state, name, remedy, finding, arguments);
    va_end(arguments);
}

int doctor_read(const char *path, char *text, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd >= 0 ? read(fd, text, room - 1) : -1;
    if (fd >= 0)
        close(fd);
    text[bytes > 0 ? bytes : 0] = '\0';
    if (bytes > 0 && text[bytes - 1] == '\n')
        text[bytes - 1] = '\0';
    return bytes > 0;
}

/* ---- output ---- */

static void put_state(doctor_state state, int has_color)
{
    static const char *const colors[] = { "32", "33", "31" };
    if (has_color)
        printf("\x1b[%sm%-4s\x1b[m", colors[state], state_words[state]);
    else
        printf("%-4s", state_words[state]);
}

static void put_rows(const doctor_list *list, int has_color)
{
    for (size_t i = 0; i < list->count; i++) {
        const doctor_row *row = &list->rows[i];
        printf("  ");
        put_state(row->state, has_color);
        printf("  %-18s ", row->name);
        cli_put_clean(stdout, row->finding ? row->finding : "");
        if (row->remedy != NULL && row->state != DOCTOR_OK) {
            printf("\n%27s", "");
            cli_put_clean(stdout, row->remedy);
        }
        printf("\n");
    }
    printf("\n  Each variable, with its values: the section Variables of libprofcore's README.md\n");
}

static json_t *text_of(const char *text)
{
    json_t *string = text != NULL ? json_string(text) : json_null();
    return string != NULL ? string : json_string("(not UTF-8)");
}

static int put_json(const cli_command *command, const doctor_list *list, int is_fit)
{
    json_t *rows = json_array(), *root = json_object();
    for (size_t i = 0; i < list->count; i++) {
        const doctor_row *row = &list->rows[i];
        json_t *object = json_object();
        json_object_set_new(object, "name", json_string(row->name));
        json_object_set_new(object, "status", json_string(state_words[row->state]));
        json_object_set_new(object, "essential", json_boolean(row->is_essential));
        json_object_set_new(object, "finding", text_of(row->finding));
        json_object_set_new(object, "remedy", text_of(row->state != DOCTOR_OK ? row->remedy : NULL));
        json_array_append_new(rows, object);
    }
    json_object_set_new(root, "schema", json_string("profcore.doctor/1"));
    json_object_set_new(root, "fit", json_boolean(is_fit));
    json_object_set_new(root, "rows", rows);
    return cli_put_json(command, root);
}

/* ---- the command ---- */

enum { JSON, COLOR };

static const cli_option options[] = {
    { "json", 0, NULL, "for programs: profcore.doctor/1" },
    { "color", 0, "WHEN", "auto, always or never" },
    { NULL, 0, NULL, NULL },
};

static int run(const cli_command *command, int argc, char **argv)
{
    cli_reader reader = { .command = command, .argc = argc, .argv = argv, .at = 1 };
    const char *value, *color = "auto";
    int option, is_json = 0, is_fit = 1;
    while ((option = cli_next(&reader, &value)) != CLI_END) {
        if (option == CLI_OPERAND)
            cli_wrong(command, "takes no argument: %s", value);
        if (option == JSON)
            is_json = 1;
        else
            color = value;
    }
    int has_color = cli_wants_color(command, color);
    doctor_list *list = calloc(1, sizeof(*list));
    if (list == NULL)
        return CLI_FAILED;
    doctor_check_library(list);
    doctor_check_system(list);
    doctor_check_triggers(list);
    doctor_check_extras(list);
    for (size_t i = 0; i < list->count; i++)
        is_fit &= !(list->rows[i].is_essential && list->rows[i].state == DOCTOR_NO);
    int result = is_fit ? CLI_OK : CLI_FAILED;
    if (is_json && put_json(command, list, is_fit) != CLI_OK)
        result = CLI_FAILED;
    else if (!is_json)
        put_rows(list, has_color);
    for (size_t i = 0; i < list->count; i++) {
        free(list->rows[i].finding);
        free(list->rows[i].remedy);
    }
    free(list);
    return result;
}

const cli_command command_doctor = {
    "doctor", "say what works on this machine, and why what does not", "[OPTION]...",
    "One line for each thing that recording, saving and the optional parts need: ok, warn\n"
    "(works, but look) or no (does not work, or is not there), what was found, and, below,\n"
    "what to do about it.  The exit status is 1 if something is broken that recording\n"
    "cannot do without, else 0: a missing GPU or viewer is no failure.\n",
    options, 0, run,
};
