/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all fuzz targets share: bytes are read as a profile, and one that is
 * taken must work in every way that a snapshot can be used.
 *
 * A target is NAME_fuzz.c with the function that libFuzzer calls.  Built with
 * replay.c instead of libFuzzer it is a test that runs the kept corpus.
 */
#ifndef TEST_FUZZ_H
#define TEST_FUZZ_H

#include <profcore/gpu.h>
#include <profcore/snapshot.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Ends the program where something that must hold does not. */
#define MUST(condition)                                                          \
    do {                                                                         \
        if (!(condition)) {                                                      \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                             \
        }                                                                        \
    } while (0)

typedef struct fuzz_buffer {
    char *data;
    size_t bytes, room;
} fuzz_buffer;

static inline int fuzz_append(void *user, const void *data, size_t bytes)
{
    fuzz_buffer *buffer = user;
    if (buffer->room - buffer->bytes < bytes) {
        buffer->room = (buffer->room + bytes) * 2;
        buffer->data = realloc(buffer->data, buffer->room);
        MUST(buffer->data != NULL);
    }
    memcpy(buffer->data + buffer->bytes, data, bytes);
    buffer->bytes += bytes;
    return 0;
}

static inline fuzz_buffer fuzz_write(const prof_snapshot *snapshot, const char *format)
{
    fuzz_buffer buffer = { NULL, 0, 0 };
    prof_error err = PROF_ERROR_INIT;
    prof_status status = prof_snapshot_write(snapshot, format, NULL, fuzz_append, &buffer, &err);
    if (status != PROF_OK)
        fprintf(stderr, "%s: %s\n", format, err.message);
    MUST(status == PROF_OK);
    return buffer;
}

/* Every figure of every function, so that sanitizers see each read. */
static inline void fuzz_walk(const prof_snapshot *snapshot)
{
    prof_function row = PROF_FUNCTION_INIT;
    prof_about about = PROF_ABOUT_INIT;
    prof_measure measure = PROF_MEASURE_INIT;
    prof_counter_row counter = PROF_COUNTER_ROW_INIT;
    uint64_t ns;
    MUST(prof_snapshot_about(snapshot, &about, NULL) == PROF_OK);
    MUST(about.name != NULL && about.process_count != 0);
    prof_gpu_work work = PROF_GPU_WORK_INIT;
    prof_gpu_totals totals = PROF_GPU_TOTALS_INIT;
    int has_gpu = prof_snapshot_gpu_totals(snapshot, &totals, NULL) == PROF_OK;
    for (uint32_t i = 0; i < prof_snapshot_function_count(snapshot); i++) {
        MUST(prof_snapshot_gpu_work(snapshot, i, &work, NULL) == PROF_OK || !has_gpu); /* without, some may have bounds */
        MUST(prof_snapshot_function(snapshot, i, &row, NULL) == PROF_OK);
        MUST(row.name != NULL && row.calls >= row.open_calls);
        if (prof_snapshot_percentile(snapshot, i, 0.5, &ns, NULL) == PROF_OK && row.has & PROF_FUNCTION_HAS_EXTREMES &&
            row.min_ns <= row.max_ns)
            MUST(ns >= row.min_ns && ns <= row.max_ns);
        for (uint32_t j = 0; j < prof_snapshot_probe_count(snapshot); j++)
            if (prof_snapshot_measure(snapshot, i, j, &measure, NULL) == PROF_OK)
                MUST(measure.calls != 0);
        for (uint32_t j = 0; j < prof_snapshot_caller_count(snapshot, i); j++)
            MUST(prof_snapshot_caller(snapshot, i, j, &row, NULL) == PROF_OK);
        for (uint32_t j = 0; j < prof_snapshot_callee_count(snapshot, i); j++)
            MUST(prof_snapshot_callee(snapshot, i, j, &row, NULL) == PROF_OK);
    }
    for (uint32_t i = 0; i < prof_snapshot_counter_count(snapshot); i++)
        MUST(prof_snapshot_counter(snapshot, i, &counter, NULL) == PROF_OK && counter.name != NULL);
    for (uint32_t i = 0; i < prof_snapshot_span_count(snapshot); i++) {
        MUST(prof_snapshot_span(snapshot, i, &row, NULL) == PROF_OK && row.name != NULL);
        if (prof_snapshot_span_percentile(snapshot, i, 0.5, &ns, NULL) == PROF_OK && row.has & PROF_FUNCTION_HAS_EXTREMES &&
            row.min_ns <= row.max_ns)
            MUST(ns >= row.min_ns && ns <= row.max_ns);
    }
}

/* What was read and written as a summary is read again, and says the same. */
static inline void fuzz_round_trip(const prof_snapshot *snapshot)
{
    fuzz_buffer first = fuzz_write(snapshot, "json"), second;
    prof_snapshot *again = NULL;
    prof_error err = PROF_ERROR_INIT;
    prof_status status = prof_snapshot_read(first.data, first.bytes, "again", &again, &err);
    if (status != PROF_OK)
        fprintf(stderr, "%s\n", err.message);
    MUST(status == PROF_OK);
    second = fuzz_write(again, "json");
    MUST(first.bytes == second.bytes && memcmp(first.data, second.data, first.bytes) == 0);
    prof_snapshot_close(again);
    free(first.data);
    free(second.data);
}

/* Stacks are written of what has paths, and of nothing else. */
static inline void fuzz_write_stacks(const prof_snapshot *snapshot)
{
    for (int i = 0; i < 2; i++) {
        fuzz_buffer buffer = { NULL, 0, 0 };
        prof_status status = prof_snapshot_write(snapshot, i ? "pprof" : "collapsed", NULL, fuzz_append, &buffer, NULL);
        MUST(status == PROF_OK ? buffer.bytes != 0 : status == PROF_E_UNSUPPORTED && buffer.bytes == 0);
        free(buffer.data);
    }
}

static inline int fuzz_profile(const uint8_t *data, size_t bytes)
{
    prof_snapshot *snapshot = NULL, *other = NULL;
    prof_error err = PROF_ERROR_INIT;
    if (prof_snapshot_read(data, bytes, "input", &snapshot, &err) != PROF_OK) {
        MUST(snapshot == NULL && err.status < 0 && err.message[0] != '\0');
        return 0;
    }
    fuzz_walk(snapshot);
    fuzz_round_trip(snapshot);
    free(fuzz_write(snapshot, "txt").data);
    free(fuzz_write(snapshot, "prof").data);
    free(fuzz_write(snapshot, "callgrind").data);
    fuzz_write_stacks(snapshot);
    const prof_snapshot *both[] = { snapshot, snapshot };
    if (prof_snapshot_merge(both, 2, &other, &err) == PROF_OK) {
        fuzz_walk(other);
        fuzz_round_trip(other);
        prof_snapshot_close(other);
    }
    if (prof_snapshot_subtree(snapshot, 0, &other, &err) == PROF_OK) {
        fuzz_walk(other);
        fuzz_round_trip(other);
        free(fuzz_write(other, "txt").data);
        prof_snapshot_close(other);
    }
    if (prof_snapshot_subtract_cost(snapshot, &other, &err) == PROF_OK) {
        fuzz_round_trip(other);
        prof_snapshot_close(other);
    }
    prof_snapshot_close(snapshot);
    return 0;
}

#endif
