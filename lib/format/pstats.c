/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of pstats and their callers: see pstats.h. */
#include "pstats.h"

#include "../base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Names a row that has no file as pstats names built-in functions.  A name
 * that begins with a slash or an exclamation mark would, behind the bracket,
 * become what text.h keeps out.
 */
static int name_in_brackets(profi_pstats_row *row, const char *name)
{
    size_t bytes = strlen(name) + 4;
    row->owned = malloc(bytes);
    if (row->owned == NULL)
        return 0;
    snprintf(row->owned, bytes, name[0] == '/' || name[0] == '!' ? "<\\%s>" : "<%s>", name);
    row->file = "~";
    row->name = row->owned;
    row->line = 0;
    return 1;
}

unsigned profi_notes_of(const prof_snapshot *snapshot, profi_notes *notes)
{
    enum { ROOM = sizeof(notes->texts[0]) };
    uint32_t has = snapshot->about.has;
    unsigned count = 0;
    if (snapshot->function_count == 0)
        snprintf(notes->texts[count++], ROOM, PROFI_NOTE_NOTHING);
    if (snapshot->stats.lost_count != 0)
        snprintf(notes->texts[count++], ROOM, "profcore: %llu calls lost", (unsigned long long)snapshot->stats.lost_count);
    if (has & PROF_ABOUT_HAS_CLOCK && !(has & PROF_ABOUT_CLOCK_IS_STEADY))
        snprintf(notes->texts[count++], ROOM, PROFI_NOTE_UNSTEADY);
    if (has & PROF_ABOUT_COST_IS_SUBTRACTED)
        snprintf(notes->texts[count++], ROOM, PROFI_NOTE_SUBTRACTED);
    return count;
}

static int add_note(profi_pstats *stats, const char *text)
{
    profi_pstats_row *row = &stats->rows[stats->row_count++];
    *row = (profi_pstats_row){ .function = PROFI_NONE };
    return name_in_brackets(row, text);
}

/* Where there are no edges, the run becomes the caller of all. */
static int add_run(profi_pstats *stats, const prof_snapshot *snapshot)
{
    uint64_t total_ns = 0;
    if (snapshot->edge_count != 0)
        return 1;
    for (uint32_t i = 0; i < snapshot->function_count; i++)
        total_ns += snapshot->functions[i].cumulative_ns;
    stats->run_row = stats->row_count;
    if (!add_note(stats, snapshot->run_name))
        return 0;
    stats->rows[stats->run_row].cumulative_s = profi_pstats_seconds(total_ns);
    return 1;
}

static int add_function(profi_pstats *stats, const profi_function *function)
{
    profi_pstats_row *row = &stats->rows[stats->row_count];
    *row = (profi_pstats_row){ .file = function->file, .name = function->name, .line = function->line,
                               .function = stats->row_count, .calls = function->calls,
                               .primitive_calls = function->primitive_calls,
                               .self_s = profi_pstats_seconds(function->self_ns),
                               .cumulative_s = profi_pstats_seconds(function->cumulative_ns) };
    stats->next_function[stats->row_count] = PROFI_NONE;
    stats->row_count++;
    return function->file != NULL || name_in_brackets(row, function->name);
}

static int add_rows(profi_pstats *stats, const prof_snapshot *snapshot)
{
    profi_notes notes;
    int ok = 1;
    for (uint32_t i = 0; ok && i < snapshot->function_count; i++)
        ok = add_function(stats, &snapshot->functions[i]);
    if (ok && snapshot->function_count != 0)
        ok = add_run(stats, snapshot);
    unsigned count = profi_notes_of(snapshot, &notes);
    for (unsigned i = 0; ok && i < count; i++)
        ok = add_note(stats, notes.texts[i]);
    return ok;
}

static void add_call(profi_pstats *stats, const profi_pstats_call *call)
{
    profi_pstats_row *callee = &stats->rows[call->callee];
    if (callee->call_count++ == 0)
        callee->first_call = stats->call_count;
    stats->calls[stats->call_count++] = *call;
}

static void add_calls(profi_pstats *stats, const prof_snapshot *snapshot)
{
    for (uint32_t i = 0; i < snapshot->function_count; i++) {
        const profi_function *function = &snapshot->functions[i];
        for (uint32_t j = 0; j < function->edge_count; j++) {
            const profi_edge *edge = &snapshot->edges[function->first_edge + j];
            add_call(stats, &(profi_pstats_call){ edge->caller, i, edge->calls, edge->primitive_calls,
                                                  profi_pstats_seconds(edge->self_ns),
                                                  profi_pstats_seconds(edge->cumulative_ns) });
        }
        if (stats->run_row != PROFI_NONE)
            add_call(stats, &(profi_pstats_call){ stats->run_row, i, function->calls, function->primitive_calls,
                                                  profi_pstats_seconds(function->self_ns),
                                                  profi_pstats_seconds(function->cumulative_ns) });
    }
}

prof_status profi_pstats_init(profi_pstats *stats, const prof_snapshot *snapshot, prof_error *err)
{
    size_t functions = snapshot->function_count;
    *stats = (profi_pstats){ .rows = calloc(functions + 5, sizeof(*stats->rows)),
                             .next_function = calloc(functions + 1, sizeof(*stats->next_function)),
                             .calls = calloc(functions + snapshot->edge_count + 1, sizeof(*stats->calls)),
                             .run_row = PROFI_NONE };
    if (stats->rows != NULL && stats->next_function != NULL && stats->calls != NULL && add_rows(stats, snapshot)) {
        add_calls(stats, snapshot);
        return PROF_OK;
    }
    profi_pstats_fini(stats);
    return profi_fail(err, PROF_E_NO_MEMORY, "no memory for a table of %u functions", (unsigned)snapshot->function_count);
}

void profi_pstats_fini(profi_pstats *stats)
{
    for (uint32_t i = 0; stats->rows != NULL && i < stats->row_count; i++) {
        free(stats->rows[i].owned);
        free(stats->rows[i].title);
    }
    free(stats->rows);
    free(stats->next_function);
    free(stats->calls);
    *stats = (profi_pstats){ 0 };
}

static char *make_title(const profi_pstats_row *row)
{
    size_t name_bytes = strlen(row->name), bytes = strlen(row->file) + name_bytes + 16;
    char *text = malloc(bytes);
    if (text == NULL)
        return NULL;
    if (strcmp(row->file, "~") != 0 || row->line != 0)
        snprintf(text, bytes, "%s:%u(%s)", row->file, (unsigned)row->line, row->name);
    else if (name_bytes > 1 && row->name[0] == '<' && row->name[name_bytes - 1] == '>')
        snprintf(text, bytes, "{%.*s}", (int)(name_bytes - 2), row->name + 1);
    else
        snprintf(text, bytes, "%s", row->name);
    return text;
}

int profi_pstats_title(profi_pstats *stats)
{
    for (uint32_t i = 0; i < stats->row_count; i++)
        if ((stats->rows[i].title = make_title(&stats->rows[i])) == NULL)
            return 0;
    return 1;
}

int profi_pstats_compare_keys(const profi_pstats_row *a, const profi_pstats_row *b)
{
    int order = strcmp(a->file, b->file);
    if (order == 0)
        order = a->line < b->line ? -1 : a->line > b->line;
    return order != 0 ? order : strcmp(a->name, b->name);
}
