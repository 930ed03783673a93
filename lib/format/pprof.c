/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pprof's profile, `.pprof`: a protobuf Profile as `go tool pprof` reads it,
 * not compressed, which every reader of it takes too.
 *
 * One sample for each call path: its calls, its own wall time, and, where
 * scopes counted items, those, by their units.  What pprof shows as flat is
 * then a function's self time, and as cum its cumulative time.  Calls that are
 * open or estimated are labels of their sample.  Where a GPU worked, its time is
 * the sum over what it did, for busy time, a union, does not add up.  What probes measured is not
 * here: it includes what was called, and pprof adds up.
 *
 * A function has one location, and the same number: its own plus 1; behind
 * the functions come those that are notes of ours.  Functions have no system
 * name, or pprof would take names that look like C++ apart.
 * Source of the format: pprof's proto/profile.proto.
 */
#include "protobuf.h"
#include "pstats.h"
#include "stacks.h"
#include "writer.h"

#include "../base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Field numbers, by message. */
enum { PROFILE_SAMPLE_TYPE = 1, PROFILE_SAMPLE = 2, PROFILE_MAPPING = 3, PROFILE_LOCATION = 4, PROFILE_FUNCTION = 5,
       PROFILE_STRING = 6, PROFILE_TIME = 9, PROFILE_DURATION = 10, PROFILE_PERIOD_TYPE = 11, PROFILE_PERIOD = 12,
       PROFILE_COMMENT = 13, PROFILE_DEFAULT_TYPE = 14 };
enum { TYPE_NAME = 1, TYPE_UNIT = 2 };
enum { SAMPLE_LOCATIONS = 1, SAMPLE_VALUES = 2, SAMPLE_LABEL = 3, LABEL_KEY = 1, LABEL_NUMBER = 3 };
enum { MAPPING_ID = 1, MAPPING_FILE = 5, MAPPING_HAS_FUNCTIONS = 7, MAPPING_HAS_FILES = 8, MAPPING_HAS_LINES = 9 };
enum { LOCATION_ID = 1, LOCATION_MAPPING = 2, LOCATION_LINE = 4, LINE_FUNCTION = 1, LINE_LINE = 2 };
enum { FUNCTION_ID = 1, FUNCTION_NAME = 2, FUNCTION_FILE = 4, FUNCTION_LINE = 5 };

/* The first strings of the table; PROFI_PPROF_START writes the first two. */
enum { TEXT_NONE, TEXT_MARK, TEXT_CALLS, TEXT_COUNT, TEXT_WALL, TEXT_NANOSECONDS, TEXT_OPEN, TEXT_ESTIMATED, TEXT_FIRST };
static const char *const fixed_texts[] = { "calls", "count", "wall", "nanoseconds", "open_calls", "estimated_calls" };

/* Values of GPU work, and their unit at the end. */
static const char *const gpu_texts[] = { "gpu_time", "gpu_kernels", "gpu_copied", "bytes" };

enum { UNITS_MAX = 8 }; /* of items, that have values of their own */

typedef struct pprof {
    const prof_snapshot *snapshot;
    profi_output *out;
    profi_stacks stacks;
    profi_notes notes;
    unsigned note_count;
    const char *units[UNITS_MAX];
    unsigned unit_count;
    uint32_t text_count;
    uint32_t run_text;
    uint32_t first_gpu_text;      /* of the values that GPU work has */
    uint32_t first_note_text;     /* of the notes in turn */
    uint32_t first_name_text;     /* of the functions that show them, and that of deep stacks */
    uint32_t *names, *files;      /* of functions, in the table */
    profi_message message, part, piece;
} pprof;

/* ---- strings ---- */

static uint32_t write_text(pprof *p, const char *text)
{
    profi_write_text(p->out, PROFILE_STRING, text);
    return p->text_count++;
}

static const char *unit_of(const profi_function *function)
{
    return function->unit != NULL ? function->unit : "items";
}

/* The unit's place among the values; UNITS_MAX for those that have none. */
static unsigned find_unit(const pprof *p, const profi_function *function)
{
    unsigned i = 0;
    while (i < p->unit_count && strcmp(p->units[i], unit_of(function)) != 0)
        i++;
    return i < p->unit_count ? i : UNITS_MAX;
}

static void list_units(pprof *p)
{
    for (uint32_t i = 0; i < p->snapshot->function_count && p->unit_count < UNITS_MAX; i++) {
        const profi_function *function = &p->snapshot->functions[i];
        if (function->items != 0 && find_unit(p, function) == UNITS_MAX)
            p->units[p->unit_count++] = unit_of(function);
    }
}

/* Functions of one file mostly follow each other, and then its name stands there once. */
static void write_function_texts(pprof *p)
{
    const char *last = NULL;
    uint32_t last_text = TEXT_NONE;
    for (uint32_t i = 0; i < p->snapshot->function_count; i++) {
        const profi_function *function = &p->snapshot->functions[i];
        p->names[i] = write_text(p, function->name);
        if (function->file != NULL && (last == NULL || strcmp(function->file, last) != 0)) {
            last = function->file;
            last_text = write_text(p, last);
        }
        p->files[i] = function->file != NULL ? last_text : TEXT_NONE;
    }
}

/* All strings, in the order of their numbers. */
static void write_texts(pprof *p)
{
    profi_output_bytes(p->out, PROFI_PPROF_START, sizeof(PROFI_PPROF_START) - 1);
    p->text_count = TEXT_CALLS;
    for (size_t i = 0; i < PROFI_COUNT_OF(fixed_texts); i++)
        write_text(p, fixed_texts[i]);
    for (unsigned i = 0; i < p->unit_count; i++)
        write_text(p, p->units[i]);
    p->first_gpu_text = p->text_count;
    for (size_t i = 0; i < PROFI_COUNT_OF(gpu_texts) && p->stacks.has_gpu; i++)
        write_text(p, gpu_texts[i]);
    p->run_text = write_text(p, p->snapshot->run_name);
    p->first_note_text = p->text_count;
    for (unsigned i = 0; i < p->note_count; i++)
        write_text(p, p->notes.texts[i]);
    p->first_name_text = p->text_count;
    for (unsigned i = 0; i < p->note_count; i++) {
        char name[sizeof(p->notes.texts[i]) + 2];
        snprintf(name, sizeof(name), "<%s>", p->notes.texts[i]);
        write_text(p, name);
    }
    write_text(p, p->stacks.mark);
    write_function_texts(p);
}

/* ---- what the profile says of itself ---- */

static void write_number(pprof *p, unsigned field, uint64_t value)
{
    profi_write_varint(p->out, (uint64_t)field << 3);
    profi_write_varint(p->out, value);
}

static void write_type(pprof *p, unsigned field, uint32_t name, uint32_t unit)
{
    profi_put_number(&p->message, TYPE_NAME, name);
    profi_put_number(&p->message, TYPE_UNIT, unit);
    profi_write_message(p->out, field, &p->message);
}

static void write_gpu_types(pprof *p)
{
    write_type(p, PROFILE_SAMPLE_TYPE, p->first_gpu_text, TEXT_NANOSECONDS);
    write_type(p, PROFILE_SAMPLE_TYPE, p->first_gpu_text + 1, TEXT_COUNT);
    write_type(p, PROFILE_SAMPLE_TYPE, p->first_gpu_text + 2, p->first_gpu_text + 3);
}

/* pprof shows when a profile began.  Every nanosecond counts, so the period is one. */
static void write_facts(pprof *p)
{
    const profi_about *about = &p->snapshot->about;
    uint64_t taken_ns = about->taken_unix_s < UINT64_MAX / 1000000000 ? about->taken_unix_s * 1000000000 : 0;
    write_type(p, PROFILE_SAMPLE_TYPE, TEXT_CALLS, TEXT_COUNT);
    write_type(p, PROFILE_SAMPLE_TYPE, TEXT_WALL, TEXT_NANOSECONDS);
    for (unsigned i = 0; i < p->unit_count; i++)
        write_type(p, PROFILE_SAMPLE_TYPE, TEXT_FIRST + i, TEXT_COUNT);
    if (p->stacks.has_gpu)
        write_gpu_types(p);
    if (about->has & PROF_ABOUT_HAS_TIME)
        write_number(p, PROFILE_TIME, taken_ns - profi_min_u64(taken_ns, about->recorded_ns));
    if (about->has & PROF_ABOUT_HAS_DURATION)
        write_number(p, PROFILE_DURATION, about->recorded_ns);
    write_type(p, PROFILE_PERIOD_TYPE, TEXT_WALL, TEXT_NANOSECONDS);
    write_number(p, PROFILE_PERIOD, 1);
    for (unsigned i = 0; i < p->note_count; i++)
        write_number(p, PROFILE_COMMENT, p->first_note_text + i);
    write_number(p, PROFILE_DEFAULT_TYPE, TEXT_WALL);
}

/* ---- functions ---- */

static void write_function(pprof *p, uint64_t id, uint32_t name, uint32_t file, uint32_t line)
{
    profi_put_number(&p->message, FUNCTION_ID, id);
    profi_put_number(&p->message, FUNCTION_NAME, name);
    profi_put_number(&p->message, FUNCTION_FILE, file);
    profi_put_number(&p->message, FUNCTION_LINE, line);
    profi_write_message(p->out, PROFILE_FUNCTION, &p->message);
    profi_put_number(&p->piece, LINE_FUNCTION, id);
    profi_put_number(&p->piece, LINE_LINE, line);
    profi_put_number(&p->part, LOCATION_ID, id);
    profi_put_number(&p->part, LOCATION_MAPPING, 1);
    profi_put_message(&p->part, LOCATION_LINE, &p->piece);
    profi_write_message(p->out, PROFILE_LOCATION, &p->part);
}

static uint64_t id_of_note(const pprof *p, unsigned note)
{
    return (uint64_t)p->snapshot->function_count + 1 + note;
}

static uint64_t id_of(const pprof *p, const profi_stack *stack)
{
    return stack->function != PROFI_NONE ? (uint64_t)stack->function + 1 : id_of_note(p, p->note_count);
}

/* The program, under the run's name; it is not to be looked into. */
static void write_program(pprof *p)
{
    profi_put_number(&p->message, MAPPING_ID, 1);
    profi_put_number(&p->message, MAPPING_FILE, p->run_text);
    profi_put_number(&p->message, MAPPING_HAS_FUNCTIONS, 1);
    profi_put_number(&p->message, MAPPING_HAS_FILES, 1);
    profi_put_number(&p->message, MAPPING_HAS_LINES, 1);
    profi_write_message(p->out, PROFILE_MAPPING, &p->message);
}

static void write_functions(pprof *p)
{
    write_program(p);
    for (uint32_t i = 0; i < p->snapshot->function_count; i++)
        write_function(p, (uint64_t)i + 1, p->names[i], p->files[i], p->snapshot->functions[i].line);
    for (unsigned i = 0; i < p->note_count + (p->stacks.mark[0] != '\0'); i++)
        write_function(p, id_of_note(p, i), p->first_name_text + i, TEXT_NONE, 0);
}

/* ---- samples ---- */

static uint64_t limited(uint64_t value)
{
    return profi_min_u64(value, INT64_MAX);
}

static void put_label(pprof *p, uint32_t key, uint64_t number)
{
    if (number == 0)
        return;
    profi_put_number(&p->piece, LABEL_KEY, key);
    profi_put_number(&p->piece, LABEL_NUMBER, limited(number));
    profi_put_message(&p->message, SAMPLE_LABEL, &p->piece);
}

/* Values and labels of a sample, into `message`. */
static void put_figures(pprof *p, const profi_stack *stack)
{
    unsigned own = stack->items != 0 ? find_unit(p, &p->snapshot->functions[stack->function]) : UNITS_MAX;
    profi_put_varint(&p->part, limited(stack->calls));
    profi_put_varint(&p->part, limited(stack->self_ns));
    for (unsigned i = 0; i < p->unit_count; i++)
        profi_put_varint(&p->part, i == own ? limited(stack->items) : 0);
    if (p->stacks.has_gpu) {
        profi_put_varint(&p->part, limited(stack->gpu_ns));
        profi_put_varint(&p->part, limited(stack->gpu_kernels));
        profi_put_varint(&p->part, limited(stack->gpu_copied_bytes));
    }
    profi_put_message(&p->message, SAMPLE_VALUES, &p->part);
    put_label(p, TEXT_OPEN, stack->open_calls);
    put_label(p, TEXT_ESTIMATED, stack->estimated_calls);
}

/* Ends a sample whose locations are `bytes` long: leaves only them to be written, before `message`. */
static void write_sample_head(pprof *p, size_t bytes)
{
    size_t head = 1 + profi_varint_bytes(bytes);
    profi_write_head(p->out, PROFILE_SAMPLE, head + bytes + p->message.used);
    profi_write_head(p->out, SAMPLE_LOCATIONS, bytes);
}

static void write_sample_tail(pprof *p)
{
    profi_output_bytes(p->out, p->message.data, p->message.used);
    p->message.used = 0;
}

/* The innermost function first. */
static void write_sample(pprof *p, const profi_stack *stack)
{
    const profi_stack *all = p->stacks.stacks, *at;
    size_t bytes = 0;
    put_figures(p, stack);
    for (at = stack;; at = &all[at->parent]) {
        bytes += profi_varint_bytes(id_of(p, at));
        if (at->parent == PROFI_NONE)
            break;
    }
    write_sample_head(p, bytes);
    for (at = stack;; at = &all[at->parent]) {
        profi_write_varint(p->out, id_of(p, at));
        if (at->parent == PROFI_NONE)
            break;
    }
    write_sample_tail(p);
}

/* A note is a function without a figure. */
static void write_note(pprof *p, unsigned note)
{
    put_figures(p, &(profi_stack){ .function = PROFI_NONE });
    write_sample_head(p, profi_varint_bytes(id_of_note(p, note)));
    profi_write_varint(p->out, id_of_note(p, note));
    write_sample_tail(p);
}

static void write_all(pprof *p)
{
    list_units(p);
    p->note_count = profi_notes_of(p->snapshot, &p->notes);
    write_texts(p);
    write_facts(p);
    write_functions(p);
    for (unsigned i = 0; i < p->note_count; i++)
        write_note(p, i);
    for (uint32_t i = 0; i < p->stacks.count; i++)
        if (p->stacks.stacks[i].calls != 0 || p->stacks.stacks[i].self_ns != 0)
            write_sample(p, &p->stacks.stacks[i]);
}

prof_status profi_write_pprof(const prof_snapshot *snapshot, const char *sort, profi_output *out, prof_error *err)
{
    pprof *p = calloc(1, sizeof(*p));
    (void)sort; /* pprof sorts */
    if (p == NULL)
        return profi_fail(err, PROF_E_NO_MEMORY, "no memory to write \"pprof\"");
    p->snapshot = snapshot;
    p->out = out;
    p->names = calloc((size_t)snapshot->function_count + 1, sizeof(*p->names));
    p->files = calloc((size_t)snapshot->function_count + 1, sizeof(*p->files));
    prof_status status = p->names != NULL && p->files != NULL
                             ? profi_stacks_init(&p->stacks, snapshot, "pprof", err)
                             : profi_fail(err, PROF_E_NO_MEMORY, "no memory to write \"pprof\"");
    if (status == PROF_OK)
        write_all(p);
    profi_stacks_fini(&p->stacks);
    free(p->names);
    free(p->files);
    free(p);
    return status;
}
