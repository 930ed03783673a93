/* SPDX-License-Identifier: Apache-2.0 */
/* What was sampled of processors and GPUs, as a snapshot has it: taken, merged, and read by the public functions. */
#include "assemble.h"

#include "../base/array.h"
#include "../base/clock.h"
#include "../base/error.h"
#include "../base/usage.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROW_SIZE_0 = 104 }; /* as of version 0.1 */

/* ---- taken ---- */

static int describe(prof_snapshot *snapshot, const profi_usage *from, profi_usage_info *into)
{
    int ok = 1;
    *into = (profi_usage_info){
        .name = profi_snapshot_text(snapshot, from->name, &ok), .unit = profi_snapshot_text(snapshot, from->unit, &ok),
        .of = profi_snapshot_text(snapshot, from->of, &ok),
        .reason = profi_snapshot_text(snapshot, from->reason[0] != '\0' ? from->reason : NULL, &ok),
        .count = from->count, .failed_count = from->failed_count, .bits = from->bits,
        .mean = from->count != 0 ? from->sum / (double)from->count : 0, .max = from->max, .limit = from->limit };
    if (from->count == 0 && into->reason == NULL)
        into->reason = "no sample has been completed yet";
    return ok;
}

/* Why there is nothing, or that one sample does not come back; NULL: all is well. */
static const char *state_reason(prof_snapshot *snapshot, const profi_usage_state *state, int *ok)
{
    enum { HUNG_S = 5 };
    char text[160];
    uint64_t now = profi_clock_monotonic_ns(), since_s = state->began_ns != 0 && now > state->began_ns
                                                             ? (now - state->began_ns) / 1000000000 : 0;
    if (state->every_ms == 0)
        return "it was not sampled: PROFCORE_UTILIZATION_EVERY says how often";
    if (since_s >= HUNG_S)
        snprintf(text, sizeof(text), "the sample at hand has not come back for %" PRIu64 " s: the driver may hang", since_s);
    return since_s >= HUNG_S ? profi_snapshot_text(snapshot, text, ok) : NULL;
}

int profi_recorded_utilization(prof_snapshot *snapshot)
{
    profi_usage_state state = profi_usage_state_now();
    unsigned count = profi_usage_count();
    int ok = 1;
    snapshot->utilization = (profi_utilization){ .every_ms = state.every_ms, .count = state.count,
                                                 .missed_count = state.missed_count, .took_ns = state.took_ns };
    snapshot->utilization.reason = state_reason(snapshot, &state, &ok);
    snapshot->utilization.rows = calloc((size_t)count + 1, sizeof(*snapshot->utilization.rows));
    if (snapshot->utilization.rows == NULL)
        return 0;
    for (unsigned i = 0; i < count && ok; i++) {
        profi_usage usage;
        profi_usage_copy(i, &usage);
        /* A row that has only something to say of all others may have nothing to say. */
        if (usage.unit[0] == '\0' && usage.reason[0] == '\0')
            continue;
        ok = describe(snapshot, &usage, &snapshot->utilization.rows[snapshot->utilization.row_count]);
        snapshot->utilization.row_count += (uint32_t)ok;
    }
    return ok;
}

/* ---- read and merged ---- */

/* Of one snapshot, which has each text once. */
static int is_same(const profi_usage_info *a, const profi_usage_info *b)
{
    return a->name == b->name && a->of == b->of && a->unit == b->unit;
}

/* `share` of the way from one mean to another.  Their difference may be beyond the range of numbers, and is 0 where they are equal. */
static double between(double one, double other, double share)
{
    double apart = other - one;
    return isfinite(apart) ? one + apart * share : one * (1 - share) + other * share;
}

/* Of all samples, however long each process ran. */
static void add(profi_builder *builder, profi_usage_info *into, const profi_usage_info *from)
{
    uint64_t count = into->count;
    profi_builder_sum(builder, &into->count, from->count);
    if (from->count != 0) {
        double share = (double)from->count / ((double)count + (double)from->count);
        into->mean = count != 0 ? between(into->mean, from->mean, share) : from->mean;
        into->max = count == 0 || from->max > into->max ? from->max : into->max;
    }
    profi_builder_sum(builder, &into->failed_count, from->failed_count);
    into->bits |= from->bits;
    into->limit = into->limit == from->limit ? into->limit : 0;
    if (into->reason == NULL || into->count == 0)
        into->reason = from->reason != NULL ? from->reason : into->reason;
    if (into->count != 0 && into->failed_count == 0)
        into->reason = NULL;
}

void profi_builder_usage(profi_builder *builder, const profi_usage_info *from)
{
    profi_utilization *into = &builder->snapshot->utilization;
    profi_usage_info row = *from;
    uint32_t i = 0;
    row.name = profi_builder_text(builder, from->name);
    row.of = profi_builder_text(builder, from->of);
    row.unit = profi_builder_text(builder, from->unit);
    row.reason = profi_builder_text(builder, from->reason);
    if (builder->out_of_memory)
        return;
    while (i < into->row_count && !is_same(&into->rows[i], &row))
        i++;
    if (i < into->row_count) {
        add(builder, &into->rows[i], &row);
        return;
    }
    if (i == PROFI_USAGE_ROWS) {
        snprintf(builder->problem, sizeof(builder->problem), "more than %d rows of utilization", PROFI_USAGE_ROWS);
        return;
    }
    if (!profi_array_grow(&into->rows, &builder->usage_room, into->row_count, sizeof(*into->rows))) {
        builder->out_of_memory = 1;
        return;
    }
    into->rows[into->row_count++] = row;
}

void profi_builder_utilization(profi_builder *builder, const profi_utilization *from, int is_first)
{
    profi_utilization *into = &builder->snapshot->utilization;
    if (is_first) {
        into->every_ms = from->every_ms;
        into->reason = profi_builder_text(builder, from->reason);
    } else if (into->every_ms != from->every_ms) {
        int has_any = into->every_ms != 0 || from->every_ms != 0 || into->count != 0;
        into->every_ms = 0; /* not one rate for all */
        into->reason = has_any ? "the profiles that were merged were not all sampled at one rate" : into->reason;
    }
    profi_builder_sum(builder, &into->count, from->count);
    profi_builder_sum(builder, &into->missed_count, from->missed_count);
    profi_builder_sum(builder, &into->took_ns, from->took_ns);
    for (uint32_t i = 0; i < from->row_count && !builder->out_of_memory; i++)
        profi_builder_usage(builder, &from->rows[i]);
}

/* ---- the public functions ---- */

uint32_t prof_snapshot_utilization_count(const prof_snapshot *snapshot)
{
    return snapshot != NULL ? snapshot->utilization.row_count : 0;
}

prof_status prof_snapshot_utilization(const prof_snapshot *snapshot, uint32_t index, prof_utilization *row, prof_error *err)
{
    if (snapshot == NULL)
        return profi_fail(err, PROF_E_INVALID, "the snapshot is NULL");
    if (index >= snapshot->utilization.row_count)
        return profi_fail(err, PROF_E_INVALID, "there is no utilization %u: the snapshot has %u", (unsigned)index,
                          (unsigned)snapshot->utilization.row_count);
    const profi_usage_info *from = &snapshot->utilization.rows[index];
    prof_utilization full = PROF_UTILIZATION_INIT;
    full.name = from->name;
    full.unit = from->unit;
    full.of = from->of;
    full.reason = from->reason;
    full.sample_count = from->count;
    full.failed_count = from->failed_count;
    full.mean = from->mean;
    full.max = from->max;
    full.limit = from->limit;
    full.bits = from->bits;
    full.every_ms = snapshot->utilization.every_ms;
    full.missed_count = snapshot->utilization.missed_count;
    return profi_struct_write(row, &full, sizeof(full), ROW_SIZE_0, "prof_utilization", err);
}
