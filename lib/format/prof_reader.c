/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads `.prof` files, of cProfile and our own (prof_file.c says what is in
 * them).
 *
 * Rows that are not functions but notes of ours become again what they were:
 * losses, the clock's unsteadiness, the run as the caller of all.  Seconds
 * become whole nanoseconds; of files that we wrote these are the very ones,
 * for runs of up to 26 days.
 */
#include "marshal.h"
#include "pstats.h"
#include "reader.h"

#include "../base/array.h"
#include "../base/error.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct prof_reader {
    profi_marshal marshal;
    profi_builder *builder;
    const profi_input *input;
    prof_error *err;
    uint64_t edge_count;
    uint32_t *rows; /* the functions in the order of their own rows, which callers do not keep to; one may be here twice */
    size_t row_count, row_room;
} prof_reader;

/* Calls and times of a row or of an edge. */
typedef struct figures {
    uint64_t calls, primitive_calls, self_ns, cumulative_ns;
} figures;

static const char calls_only[] = "a .prof holds calls and times only";

static prof_status fail_at(prof_reader *r, size_t offset, const char *problem)
{
    return profi_fail(r->err, PROF_E_FORMAT, "%.300s: at byte %zu: %s", r->input->what, offset, problem);
}

/* The next object, which must be of this kind. */
static prof_status expect(prof_reader *r, profi_marshal_kind kind, profi_marshal_object *object, const char *wanted)
{
    prof_status status = profi_marshal_next(&r->marshal, object, r->err);
    return status != PROF_OK || object->kind == kind ? status : fail_at(r, object->offset, wanted);
}

static prof_status expect_tuple(prof_reader *r, uint32_t count, profi_marshal_object *tuple, const char *wanted)
{
    prof_status status = expect(r, PROFI_MARSHAL_TUPLE, tuple, wanted);
    return status != PROF_OK || tuple->count == count ? status : fail_at(r, tuple->offset, wanted);
}

static prof_status read_text(prof_reader *r, const char **text, const char *wanted)
{
    profi_marshal_object object;
    prof_status status = expect(r, PROFI_MARSHAL_TEXT, &object, wanted);
    if (status != PROF_OK)
        return status;
    uintptr_t *kept = profi_marshal_kept(&r->marshal, &object);
    *text = kept != NULL ? (const char *)*kept : NULL;
    if (*text == NULL)
        *text = profi_texts_add_clean(&r->builder->snapshot->texts, object.text, object.count);
    if (*text == NULL)
        return profi_fail(r->err, PROF_E_NO_MEMORY, "%.300s: no memory for its names", r->input->what);
    if (kept != NULL)
        *kept = (uintptr_t)*text;
    return PROF_OK;
}

static prof_status read_count(prof_reader *r, uint64_t most, uint64_t *count, const char *wanted)
{
    profi_marshal_object object;
    prof_status status = expect(r, PROFI_MARSHAL_INTEGER, &object, wanted);
    if (status != PROF_OK)
        return status;
    if (object.is_negative && object.integer != 0)
        return fail_at(r, object.offset, "a negative number of calls or lines");
    if (object.integer > most)
        return fail_at(r, object.offset, "a number of calls or lines that is out of range");
    *count = object.integer;
    return PROF_OK;
}

/* Seconds.  A clock that went back gave cProfile a negative time: that much of nothing is 0. */
static prof_status read_seconds(prof_reader *r, uint64_t *ns)
{
    profi_marshal_object object;
    prof_status status = profi_marshal_next(&r->marshal, &object, r->err);
    if (status != PROF_OK)
        return status;
    double seconds = object.number;
    if (object.kind == PROFI_MARSHAL_INTEGER)
        seconds = object.is_negative ? -(double)object.integer : (double)object.integer;
    else if (object.kind != PROFI_MARSHAL_FLOAT)
        return fail_at(r, object.offset, "a time must be a number");
    if (!isfinite(seconds) || seconds * 1e9 >= 0x1p64)
        return fail_at(r, object.offset, "a time that is out of range");
    *ns = seconds > 0 ? (uint64_t)nearbyint(seconds * 1e9) : 0;
    return PROF_OK;
}

static prof_status read_figures(prof_reader *r, figures *read, int is_edge)
{
    uint64_t first = 0, second = 0;
    prof_status status = read_count(r, UINT64_MAX - 1, &first, "a number of calls must be an integer");
    if (status == PROF_OK)
        status = read_count(r, UINT64_MAX - 1, &second, "a number of calls must be an integer");
    if (status == PROF_OK)
        status = read_seconds(r, &read->self_ns);
    if (status == PROF_OK)
        status = read_seconds(r, &read->cumulative_ns);
    read->calls = is_edge ? first : second;
    read->primitive_calls = is_edge ? second : first;
    return status;
}

/* The name that stands in brackets for a function without a file: the inverse of what pstats.c does. */
static const char *without_brackets(prof_reader *r, const char *name)
{
    size_t bytes = strlen(name);
    if (bytes < 2 || name[0] != '<' || name[bytes - 1] != '>')
        return NULL;
    name++;
    bytes -= 2;
    if (bytes > 1 && name[0] == '\\' && (name[1] == '/' || name[1] == '!')) {
        name++;
        bytes--;
    }
    const char *plain = profi_texts_add_clean(&r->builder->snapshot->texts, name, bytes);
    r->builder->out_of_memory |= plain == NULL;
    return plain;
}

/* A function by its key, (file, line, name). */
static prof_status read_key(prof_reader *r, profi_marshal_object *key, uint32_t *function)
{
    const char *file = NULL, *name = NULL, *plain;
    uint64_t line = 0;
    uintptr_t *kept = profi_marshal_kept(&r->marshal, key);
    if (kept != NULL && *kept != 0) {
        *function = (uint32_t)(*kept - 1);
        return PROF_OK;
    }
    prof_status status = read_text(r, &file, "a function's file must be a text");
    if (status == PROF_OK)
        status = read_count(r, UINT32_MAX, &line, "a function's line must be an integer");
    if (status == PROF_OK)
        status = read_text(r, &name, "a function's name must be a text");
    if (status != PROF_OK)
        return status;
    if (strcmp(file, "~") == 0 && line == 0 && (plain = without_brackets(r, name)) != NULL) {
        file = NULL;
        name = plain;
    }
    *function = profi_builder_function(r->builder, name, file, (uint32_t)line);
    if (*function == PROFI_NONE)
        return profi_fail(r->err, PROF_E_NO_MEMORY, "%.300s: no memory for its functions", r->input->what);
    kept = profi_marshal_kept(&r->marshal, key);
    if (kept != NULL)
        *kept = (uintptr_t)*function + 1;
    return PROF_OK;
}

/* The next entry's key; *is_end when the dict has no more. */
static prof_status next_key(prof_reader *r, uint32_t *function, int *is_end)
{
    profi_marshal_object key;
    prof_status status = profi_marshal_next(&r->marshal, &key, r->err);
    *is_end = status == PROF_OK && key.kind == PROFI_MARSHAL_END;
    if (status != PROF_OK || *is_end)
        return status;
    if (key.kind != PROFI_MARSHAL_TUPLE || key.count != 3)
        return fail_at(r, key.offset, "a function must be a tuple of file, line and name");
    status = read_key(r, &key, function);
    profi_marshal_leave(&r->marshal, &key);
    return status;
}

enum { EDGE_BYTES = 10 };

static prof_status read_caller(prof_reader *r, uint32_t caller, uint32_t callee)
{
    profi_marshal_object values;
    figures read = { 0 };
    prof_status status = profi_marshal_next(&r->marshal, &values, r->err);
    if (status != PROF_OK)
        return status;
    if (values.kind == PROFI_MARSHAL_INTEGER)
        return profi_fail(r->err, PROF_E_UNSUPPORTED, "%.300s: at byte %zu: callers without times, as Python's module "
                          "profile writes them; use cProfile", r->input->what, values.offset);
    if (values.kind != PROFI_MARSHAL_TUPLE || values.count != 4)
        return fail_at(r, values.offset, "a caller must have four figures");
    status = read_figures(r, &read, 1);
    profi_marshal_leave(&r->marshal, &values);
    /* An edge is two objects, of five bytes each at least; references to whole dicts could multiply them without end. */
    if (status == PROF_OK && ++r->edge_count > r->input->bytes / EDGE_BYTES)
        return profi_fail(r->err, PROF_E_LIMIT, "%.300s: it claims more callers than fit into it", r->input->what);
    if (status == PROF_OK)
        profi_builder_edge(r->builder, &(profi_edge){ caller, callee, read.calls, read.primitive_calls, read.self_ns,
                                                      read.cumulative_ns, UINT64_MAX });
    return status;
}

static prof_status read_callers(prof_reader *r, uint32_t callee)
{
    profi_marshal_object callers;
    uint32_t caller = 0;
    int is_end = 0;
    prof_status status = expect(r, PROFI_MARSHAL_DICT, &callers, "the callers must be a dict");
    while (status == PROF_OK) {
        status = next_key(r, &caller, &is_end);
        if (status != PROF_OK || is_end)
            break;
        status = read_caller(r, caller, callee);
    }
    profi_marshal_leave(&r->marshal, &callers);
    return status;
}

static prof_status note_row(prof_reader *r, uint32_t function)
{
    if (!profi_array_grow(&r->rows, &r->row_room, r->row_count, sizeof(*r->rows)))
        return profi_fail(r->err, PROF_E_NO_MEMORY, "%.300s: no memory for its functions", r->input->what);
    r->rows[r->row_count++] = function;
    return PROF_OK;
}

static prof_status read_row(prof_reader *r, uint32_t function)
{
    profi_marshal_object values;
    figures read = { 0 };
    prof_status status = expect_tuple(r, 5, &values, "a function must have five figures");
    if (status == PROF_OK)
        status = read_figures(r, &read, 0);
    if (status == PROF_OK)
        status = read_callers(r, function);
    if (status != PROF_OK)
        return status;
    profi_marshal_leave(&r->marshal, &values);
    const profi_function row = { .calls = read.calls, .primitive_calls = read.primitive_calls, .self_ns = read.self_ns,
                                 .cumulative_ns = read.cumulative_ns, .timed_calls = read.calls, .min_ns = UINT64_MAX, .inner_calls = UINT64_MAX,
                                 .no_histogram = calls_only, .no_extremes = calls_only, .no_extras = calls_only };
    profi_builder_add(r->builder, &r->builder->snapshot->functions[function], &row);
    return PROF_OK;
}

static prof_status read_rows(prof_reader *r)
{
    profi_marshal_object all;
    uint32_t function = 0;
    int is_end = 0;
    prof_status status = expect(r, PROFI_MARSHAL_DICT, &all, "a profile must be a dict");
    while (status == PROF_OK) {
        status = next_key(r, &function, &is_end);
        if (status != PROF_OK || is_end)
            break;
        status = read_row(r, function);
        if (status == PROF_OK)
            status = note_row(r, function);
    }
    if (status == PROF_OK && r->marshal.at != r->input->bytes)
        return fail_at(r, r->marshal.at, "more follows the profile's end");
    return status;
}

/* ---- rows that are no functions ---- */

/* The number in "profcore: N calls lost". */
static int is_loss_note(const char *name, uint64_t *lost)
{
    unsigned long long count = 0;
    int end = 0;
    if (sscanf(name, "profcore: %20llu calls lost%n", &count, &end) != 1 || end == 0 || name[end] != '\0')
        return 0;
    *lost = count;
    return 1;
}

static int is_note(prof_snapshot *snapshot, const profi_function *function)
{
    uint64_t lost = 0;
    if (function->file != NULL || function->line != 0 || function->calls != 0)
        return 0;
    if (is_loss_note(function->name, &lost)) {
        snapshot->stats.lost_count += lost;
        return 1;
    }
    if (strcmp(function->name, PROFI_NOTE_UNSTEADY) == 0) {
        snapshot->about.has |= PROF_ABOUT_HAS_CLOCK;
        return 1;
    }
    if (strcmp(function->name, PROFI_NOTE_SUBTRACTED) == 0) {
        snapshot->about.has |= PROF_ABOUT_COST_IS_SUBTRACTED;
        return 1;
    }
    return strcmp(function->name, PROFI_NOTE_NOTHING) == 0;
}

/* The run, where it stands as the caller of all (pstats.h); PROFI_NONE where it does not. */
static uint32_t find_run(const profi_builder *builder, uint32_t function_count)
{
    const prof_snapshot *snapshot = builder->snapshot;
    uint32_t run = builder->edge_count != 0 ? snapshot->edges[0].caller : PROFI_NONE;
    if (run == PROFI_NONE || snapshot->functions[run].calls != 0 || snapshot->functions[run].file != NULL ||
        builder->edge_count != (size_t)function_count - 1)
        return PROFI_NONE;
    for (size_t i = 0; i < builder->edge_count; i++) {
        const profi_edge *edge = &snapshot->edges[i];
        if (edge->caller != run || edge->callee == run || edge->calls != snapshot->functions[edge->callee].calls)
            return PROFI_NONE;
    }
    return run;
}

/* Sets new_id[] as the rows stand in the file, then callers without one; those that are marked in it get none. */
static void number_rows(const prof_reader *r, uint32_t *new_id, uint32_t count, uint32_t unset)
{
    uint32_t next = 0;
    for (size_t i = 0; i < r->row_count; i++)
        if (new_id[r->rows[i]] == unset)
            new_id[r->rows[i]] = next++;
    for (uint32_t i = 0; i < count; i++)
        if (new_id[i] == unset)
            new_id[i] = next++;
}

static void settle_rows(prof_reader *r)
{
    const uint32_t unset = PROFI_NONE - 1;
    prof_snapshot *snapshot = r->builder->snapshot;
    uint32_t count = snapshot->function_count, kept_count = 0;
    uint32_t *new_id = calloc((size_t)count + 1, sizeof(*new_id));
    if (new_id == NULL) {
        r->builder->out_of_memory = 1;
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        new_id[i] = is_note(snapshot, &snapshot->functions[i]) ? PROFI_NONE : unset;
        kept_count += new_id[i] == unset;
    }
    uint32_t run = find_run(r->builder, kept_count);
    if (run != PROFI_NONE) {
        snapshot->run_name = snapshot->functions[run].name;
        new_id[run] = PROFI_NONE;
    }
    number_rows(r, new_id, count, unset);
    profi_builder_renumber(r->builder, new_id);
    free(new_id);
}

/* A file without a run's name gives its own: "service" for "results/service.prof". */
static void name_run(prof_reader *r)
{
    const char *slash = strrchr(r->input->what, '/'), *name = slash != NULL ? slash + 1 : r->input->what;
    size_t bytes = strlen(name);
    if (bytes > 5 && strcmp(name + bytes - 5, ".prof") == 0)
        bytes -= 5;
    if (r->builder->snapshot->run_name == NULL)
        r->builder->snapshot->run_name = profi_texts_add_clean(&r->builder->snapshot->texts, name, bytes);
    r->builder->out_of_memory |= r->builder->snapshot->run_name == NULL;
}

int profi_looks_like_prof(const profi_input *input)
{
    return profi_marshal_begins_with_dict(input->data, input->bytes);
}

prof_status profi_read_prof(const profi_input *input, profi_builder *builder, prof_error *err)
{
    prof_reader r = { .builder = builder, .input = input, .err = err };
    if (builder->out_of_memory)
        return PROF_OK; /* which finishing reports */
    profi_marshal_init(&r.marshal, input->data, input->bytes, input->what);
    prof_status status = read_rows(&r);
    profi_marshal_fini(&r.marshal);
    if (status != PROF_OK) {
        free(r.rows);
        return status;
    }
    prof_snapshot *snapshot = builder->snapshot;
    snapshot->stats.size = sizeof(snapshot->stats);
    snapshot->about.missing = snapshot->about.no_rss = snapshot->utilization.reason = "a .prof does not say";
    snapshot->no_paths = "a .prof has functions and their callers, not the call paths";
    settle_rows(&r);
    name_run(&r);
    free(r.rows);
    return PROF_OK;
}
