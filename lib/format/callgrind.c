/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callgrind's profile, `.callgrind`: functions and who called whom, for
 * callgrind_annotate, KCachegrind and speedscope.  It is made of functions and
 * edges, so a profile that was read from a .prof or merged has one, too.
 *
 * One event, ns.  Readers find a function's inclusive cost by adding up those
 * of the calls to it, the recursive ones too.  So a call costs what it took
 * where its function was not on the stack already, and otherwise nothing, and
 * the sums are our cumulative times.  The run is the caller of what nobody
 * called, so that each call has a caller.  Where in its caller a call stands
 * is not known: it has the caller's own line.
 * Source of the format: Valgrind's manual, "Callgrind Format Specification".
 */
#include "pstats.h"
#include "writer.h"

#include "../base/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_FILE "???" /* what Callgrind calls it */

enum { RUN = 1, FIRST = 2 }; /* numbers of names: the run's, the first function's */

typedef struct callgrind {
    const prof_snapshot *snapshot;
    profi_output *out;
    uint64_t *costs;          /* by edge: inclusive */
    uint64_t *run_costs;      /* by function: when the run called it */
    uint64_t *run_calls;
    uint32_t *files;          /* by function: the number of its file's name; 1: it has none */
    unsigned char *is_named, *is_file_named; /* by number: the name was written and the number stands for it */
} callgrind;

/* ---- what calls cost ---- */

static uint64_t cost_of(const profi_edge *edge)
{
    if (edge->outermost_ns != UINT64_MAX)
        return edge->outermost_ns;
    return edge->caller != edge->callee ? edge->cumulative_ns : 0;
}

/*
 * Makes the calls of a function cost its cumulative time in all.  Where the
 * edges claim more, as in a .prof with functions that call each other in
 * turn, each has its share; what they leave was called by the run, or is of
 * rounding.
 */
static void share_cost(callgrind *c, uint32_t id)
{
    const profi_function *function = &c->snapshot->functions[id];
    uint32_t first = function->first_edge, end = first + function->edge_count;
    uint64_t left = function->cumulative_ns, calls = function->calls, *largest = NULL;
    profi_u128 claimed = 0;
    for (uint32_t i = first; i < end; i++) {
        claimed += cost_of(&c->snapshot->edges[i]);
        calls -= profi_min_u64(calls, c->snapshot->edges[i].calls);
    }
    for (uint32_t i = first; i < end; i++) {
        uint64_t *cost = &c->costs[i];
        *cost = cost_of(&c->snapshot->edges[i]);
        if (claimed > function->cumulative_ns)
            *cost = (uint64_t)((profi_u128)*cost * function->cumulative_ns / claimed);
        left -= *cost;
        if (largest == NULL || *cost > *largest)
            largest = cost;
    }
    c->run_calls[id] = calls;
    if (calls != 0)
        c->run_costs[id] = left;
    else if (largest != NULL)
        *largest += left;
}

/* ---- names ---- */

/* A name once, then its number alone.  Blanks before a name would be taken for those behind the number. */
static void put_name(callgrind *c, const char *key, unsigned char *is_named, uint32_t number, const char *name)
{
    profi_output_printf(c->out, "%s=(%u)", key, (unsigned)number);
    if (!is_named[number]) {
        profi_output_text(c->out, " ");
        profi_output_text(c->out, name[0] == ' ' ? "\\x20" : name[0] == '\0' ? "(unnamed)" : "");
        profi_output_text(c->out, name[0] == ' ' ? name + 1 : name);
        is_named[number] = 1;
    }
    profi_output_text(c->out, "\n");
}

static void put_function(callgrind *c, const char *file_key, const char *key, uint32_t id)
{
    const profi_function *function = &c->snapshot->functions[id];
    put_name(c, file_key, c->is_file_named, c->files[id], function->file != NULL ? function->file : NO_FILE);
    put_name(c, key, c->is_named, FIRST + id, function->name);
}

/* Functions of one file mostly follow each other, and share a number then. */
static void number_files(callgrind *c)
{
    const char *last = NULL;
    uint32_t number = RUN;
    for (uint32_t i = 0; i < c->snapshot->function_count; i++) {
        const char *file = c->snapshot->functions[i].file;
        if (file != NULL && (last == NULL || strcmp(file, last) != 0)) {
            last = file;
            number++;
        }
        c->files[i] = file != NULL ? number : RUN;
    }
}

/* ---- the file ---- */

static void put_head(callgrind *c, const profi_notes *notes, unsigned note_count)
{
    const prof_snapshot *snapshot = c->snapshot;
    profi_output_text(c->out, PROFI_CALLGRIND_START);
    profi_output_text(c->out, "cmd: ");
    profi_output_text(c->out, snapshot->run_name);
    profi_output_text(c->out, "\n");
    if (snapshot->about.has & PROF_ABOUT_HAS_PID)
        profi_output_printf(c->out, "pid: %" PRId64 "\n", snapshot->about.pid);
    for (unsigned i = 0; i < note_count; i++)
        profi_output_printf(c->out, "desc: %s\n", notes->texts[i]);
    profi_output_text(c->out, "positions: line\nevent: ns : Nanoseconds\nevents: ns\n");
}

static void put_call(callgrind *c, uint32_t callee, uint64_t calls, uint32_t line, uint64_t cost)
{
    if (calls == 0) /* the cost would be taken for the caller's own */
        return;
    put_function(c, "cfl", "cfn", callee);
    profi_output_printf(c->out, "calls=%" PRIu64 " %u\n%u %" PRIu64 "\n", calls,
                        (unsigned)c->snapshot->functions[callee].line, (unsigned)line, cost);
}

/* The run, with what it called, and the notes, which nobody did. */
static void put_run(callgrind *c, const profi_notes *notes, unsigned note_count)
{
    uint32_t number = FIRST + c->snapshot->function_count;
    char name[sizeof(notes->texts[0]) + 2];
    profi_output_text(c->out, "\n");
    put_name(c, "fl", c->is_file_named, RUN, NO_FILE);
    for (unsigned i = 0; i < note_count; i++) {
        snprintf(name, sizeof(name), "<%s>", notes->texts[i]);
        put_name(c, "fn", c->is_named, number + i, name);
        profi_output_text(c->out, "0 0\n");
    }
    profi_output_printf(c->out, "fn=(%d) <", RUN);
    profi_output_text(c->out, c->snapshot->run_name);
    profi_output_text(c->out, ">\n0 0\n");
    for (uint32_t i = 0; i < c->snapshot->function_count; i++)
        put_call(c, i, c->run_calls[i], 0, c->run_costs[i]);
}

static void put_functions(callgrind *c)
{
    const prof_snapshot *snapshot = c->snapshot;
    uint64_t total = 0;
    for (uint32_t i = 0; i < snapshot->function_count; i++) {
        const profi_function *function = &snapshot->functions[i];
        total += profi_min_u64(function->self_ns, UINT64_MAX - total);
        profi_output_text(c->out, "\n");
        put_function(c, "fl", "fn", i);
        profi_output_printf(c->out, "%u %" PRIu64 "\n", (unsigned)function->line, function->self_ns);
        for (uint32_t j = 0; j < function->callee_count; j++) {
            uint32_t at = snapshot->callees[function->first_callee + j];
            put_call(c, snapshot->edges[at].callee, snapshot->edges[at].calls, function->line, c->costs[at]);
        }
    }
    profi_output_printf(c->out, "\ntotals: %" PRIu64 "\n", total);
}

static void write_all(callgrind *c)
{
    profi_notes notes;
    unsigned note_count = profi_notes_of(c->snapshot, &notes);
    for (uint32_t i = 0; i < c->snapshot->function_count; i++)
        share_cost(c, i);
    number_files(c);
    put_head(c, &notes, note_count);
    put_run(c, &notes, note_count);
    put_functions(c);
}

prof_status profi_write_callgrind(const prof_snapshot *snapshot, const char *sort, profi_output *out, prof_error *err)
{
    size_t functions = (size_t)snapshot->function_count + FIRST + PROFI_COUNT_OF(((profi_notes *)NULL)->texts);
    (void)sort; /* its readers sort */
    callgrind c = { .snapshot = snapshot, .out = out,
                    .costs = calloc((size_t)snapshot->edge_count + 1, sizeof(*c.costs)),
                    .run_costs = calloc(functions, sizeof(*c.run_costs)),
                    .run_calls = calloc(functions, sizeof(*c.run_calls)),
                    .files = calloc(functions, sizeof(*c.files)), .is_named = calloc(functions, 1),
                    .is_file_named = calloc(functions, 1) };
    int ok = c.costs != NULL && c.run_costs != NULL && c.run_calls != NULL && c.files != NULL && c.is_named != NULL &&
             c.is_file_named != NULL;
    if (ok)
        write_all(&c);
    free(c.costs);
    free(c.run_costs);
    free(c.run_calls);
    free(c.files);
    free(c.is_named);
    free(c.is_file_named);
    return ok ? PROF_OK : profi_fail(err, PROF_E_NO_MEMORY, "no memory to write \"callgrind\"");
}
