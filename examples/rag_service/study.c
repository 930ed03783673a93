/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of a study: see study.h. */
#include "study.h"

#include <string.h>

#include "vocab.h"

static const stage stages[STAGE_COUNT] = {
    [LOAD] = { .title = "load models", .function = "load_models" },
    [TRANSFORM] = { .title = "transform documents", .function = "transform_documents" },
    [INDEX_STAGE] = { .title = "tokenise + embed + index", .function = "build_index" },
    [EMBED_STAGE] = { .title = "embed a question", .function = "embed_query" },
    [SEARCH_STAGE] = { .title = "search", .function = "search" },
    [RESPOND] = { .title = "respond", .function = "get_response" },
};

int study_row(const prof_snapshot *snapshot, const char *name, prof_function *row)
{
    uint32_t id;
    *row = (prof_function)PROF_FUNCTION_INIT;
    return prof_snapshot_find(snapshot, name, &id, NULL) == PROF_OK &&
           prof_snapshot_function(snapshot, id, row, NULL) == PROF_OK;
}

int study_edge(const prof_snapshot *snapshot, const char *name, const char *caller, prof_function *row)
{
    uint32_t id;
    if (prof_snapshot_find(snapshot, name, &id, NULL) == PROF_OK)
        for (uint32_t i = 0; i < prof_snapshot_caller_count(snapshot, id); i++) {
            *row = (prof_function)PROF_FUNCTION_INIT;
            if (prof_snapshot_caller(snapshot, id, i, row, NULL) == PROF_OK && strcmp(row->name, caller) == 0)
                return 1;
        }
    *row = (prof_function)PROF_FUNCTION_INIT;
    return 0;
}

/* Whether `function` calls `callee`; its cumulative time from there. */
static uint64_t time_from(const prof_snapshot *snapshot, uint32_t callee, uint32_t function)
{
    for (uint32_t i = 0; i < prof_snapshot_caller_count(snapshot, callee); i++) {
        prof_function edge = PROF_FUNCTION_INIT;
        if (prof_snapshot_caller(snapshot, callee, i, &edge, NULL) == PROF_OK && edge.id == function)
            return edge.cumulative_ns;
    }
    return 0;
}

int study_hottest_callee(const prof_snapshot *snapshot, uint32_t function, prof_function *row)
{
    uint64_t most = 0;
    uint32_t found = 0;
    for (uint32_t id = 0; id < prof_snapshot_function_count(snapshot); id++) {
        const uint64_t ns = id != function ? time_from(snapshot, id, function) : 0;
        if (ns > most) {
            most = ns;
            found = id;
        }
    }
    *row = (prof_function)PROF_FUNCTION_INIT;
    if (most == 0 || prof_snapshot_function(snapshot, found, row, NULL) != PROF_OK)
        return 0;
    row->cumulative_ns = most;
    return 1;
}

static prof_status take_stage(stage *taken, const prof_snapshot *whole, prof_error *err)
{
    if (!study_row(whole, taken->function, &taken->row))
        return PROF_OK;
    return prof_snapshot_subtree(whole, taken->row.id, &taken->under, err);
}

static uint64_t highest_peak(const prof_snapshot *whole)
{
    uint64_t peak = 0;
    for (uint32_t id = 0; id < prof_snapshot_function_count(whole); id++) {
        prof_function row = PROF_FUNCTION_INIT;
        if (prof_snapshot_function(whole, id, &row, NULL) == PROF_OK && (row.has & PROF_FUNCTION_HAS_RSS) != 0 &&
            row.rss_peak_bytes > peak)
            peak = row.rss_peak_bytes;
    }
    return peak;
}

prof_status study_take(study *taken, prof_error *err)
{
    prof_function root, waiting;
    memcpy(taken->stages, stages, sizeof stages);
    prof_status status = prof_snapshot_take(&taken->whole, err);
    if (status == PROF_OK && !study_row(taken->whole, "main", &root))
        status = vocab_fail(err, PROF_E_UNAVAILABLE, "nothing was recorded, so there is nothing to report");
    taken->stats = (prof_stats)PROF_STATS_INIT;
    if (status == PROF_OK)
        status = prof_snapshot_stats(taken->whole, &taken->stats, err);
    for (int i = 0; i < STAGE_COUNT && status == PROF_OK; i++)
        status = take_stage(&taken->stages[i], taken->whole, err);
    if (status != PROF_OK) {
        study_fini(taken);
        return status;
    }
    study_row(taken->whole, "wait_for_question", &waiting);
    taken->run_ns = root.cumulative_ns - waiting.cumulative_ns;
    taken->peak_bytes = highest_peak(taken->whole);
    return PROF_OK;
}

void study_fini(study *taken)
{
    for (int i = 0; i < STAGE_COUNT; i++) {
        prof_snapshot_close(taken->stages[i].under);
        taken->stages[i].under = NULL;
    }
    prof_snapshot_close(taken->whole);
    taken->whole = NULL;
}
