/* SPDX-License-Identifier: Apache-2.0 */
/* Open scopes for programs: schema profcore.stacks/1, all numbers integers. */
#include "open_stacks_write.h"

#include "../base/error.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Takes over `value`; a failure stays in *ok, so that all is built before anything is asked. */
static void set(json_t *object, const char *key, json_t *value, int *ok)
{
    if (json_object_set_new(object, key, value) != 0)
        *ok = 0;
}

static void set_number(json_t *object, const char *key, uint64_t value, int *ok)
{
    set(object, key, json_integer((json_int_t)value), ok);
}

static void add_scope(json_t *scopes, const profi_stack_scope *scope, int *ok)
{
    json_t *object = json_object();
    set(object, "name", json_string(scope->name), ok);
    set(object, "file", scope->file != NULL ? json_string(scope->file) : json_null(), ok);
    set_number(object, "line", scope->line, ok);
    set(object, "age_ns", scope->is_timed ? json_integer((json_int_t)scope->age_ns) : json_null(), ok);
    set(object, "started_monotonic_ns", scope->is_timed ? json_integer((json_int_t)scope->start_ns) : json_null(), ok);
    if (json_array_append_new(scopes, object) != 0)
        *ok = 0;
}

static void add_thread(json_t *threads, const profi_open_stacks *stacks, size_t index, int *ok)
{
    profi_stack_thread thread = profi_open_stacks_thread(stacks, index);
    json_t *object = json_object(), *scopes = json_array();
    set_number(object, "tid", (uint64_t)thread.tid, ok);
    set(object, "name", json_string(thread.name), ok);
    set(object, "is_moving", json_boolean(thread.is_moving), ok);
    set_number(object, "lost_inside", thread.lost, ok);
    for (size_t i = 0; i < thread.count && *ok; i++) {
        profi_stack_scope scope = profi_open_stacks_scope(stacks, thread.first + i);
        add_scope(scopes, &scope, ok);
    }
    set(object, "open_scopes", scopes, ok);
    if (json_array_append_new(threads, object) != 0)
        *ok = 0;
}

int profi_write_stacks_json(const profi_open_stacks *stacks, profi_output *out)
{
    int ok = 1;
    json_t *root = json_object(), *threads = json_array();
    set(root, "schema", json_string("profcore.stacks/1"), &ok);
    set(root, "name", json_string(stacks->run_name), &ok);
    set_number(root, "pid", (uint64_t)stacks->pid, &ok);
    set_number(root, "taken_unix_us", stacks->taken.unix_ns / 1000, &ok);
    set_number(root, "taken_monotonic_ns", stacks->taken.monotonic_ns, &ok);
    for (size_t i = 0; i < stacks->thread_count && ok; i++)
        add_thread(threads, stacks, i, &ok);
    set(root, "threads", threads, &ok);
    char *text = ok ? json_dumps(root, JSON_INDENT(1)) : NULL;
    json_decref(root);
    if (text == NULL)
        return 0;
    profi_output_text(out, text);
    profi_output_text(out, "\n");
    free(text);
    return 1;
}

prof_status profi_open_stacks_run(const profi_open_stacks *stacks, const char *format, profi_output_callback write, void *user,
                             prof_error *err)
{
    profi_output *out = malloc(sizeof(*out));
    int ok = out != NULL, error = 0;
    if (ok) {
        profi_output_init(out, write, user);
        if (strcmp(format, "json") == 0)
            ok = profi_write_stacks_json(stacks, out);
        else
            profi_write_stacks_txt(stacks, out);
        error = profi_output_finish(out);
    }
    free(out);
    if (!ok)
        return profi_fail(err, PROF_E_NO_MEMORY, "no memory to write the open scopes of %zu threads", stacks->thread_count);
    return error == 0 ? PROF_OK : profi_fail_errno(err, error, "cannot write open scopes");
}
