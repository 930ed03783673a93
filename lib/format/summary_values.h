/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The values of JSON that a summary is made of: numbers above 2^53, where
 * readers of JSON lose digits, are strings.
 */
#ifndef PROFI_SUMMARY_VALUES_H
#define PROFI_SUMMARY_VALUES_H

#include "../base/output.h"
#include "../model/snapshot.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

static inline json_t *profi_number(uint64_t value)
{
    char text[24];
    if (value <= (uint64_t)1 << 53)
        return json_integer((json_int_t)value);
    snprintf(text, sizeof(text), "%" PRIu64, value);
    return json_string(text);
}

static inline json_t *profi_signed_number(int64_t value)
{
    char text[24];
    if (value <= (int64_t)1 << 53 && value >= -((int64_t)1 << 53))
        return json_integer(value);
    snprintf(text, sizeof(text), "%" PRId64, value);
    return json_string(text);
}

static inline json_t *profi_text_or_null(const char *text) { return text ? json_string(text) : json_null(); }

/*
 * These take over `value` and record a failure in *ok, so that a whole
 * object is built before anything is asked.
 */
static inline void profi_set(json_t *object, const char *key, json_t *value, int *ok)
{
    if (json_object_set_new(object, key, value) != 0)
        *ok = 0;
}

static inline void profi_append(json_t *array, json_t *value, int *ok)
{
    if (json_array_append_new(array, value) != 0)
        *ok = 0;
}

static inline json_t *profi_number_if(uint32_t is_known, uint64_t value)
{
    return is_known ? profi_number(value) : json_null();
}

/* Writes and takes over `value`, which may be NULL; `encoding`: jansson's flags.  0 when memory is spent. */
int profi_put_value(profi_output *out, json_t *value, size_t encoding);

/* An element of an array of the root: the one of this index; a failure is recorded in *ok. */
json_t *profi_function_of(const prof_snapshot *snapshot, uint32_t id, int *ok);
json_t *profi_edge_of(const prof_snapshot *snapshot, uint32_t index, int *ok);
json_t *profi_path_of(const prof_snapshot *snapshot, uint32_t index, int *ok);
json_t *profi_probe_of(const prof_snapshot *snapshot, uint32_t index, int *ok);
json_t *profi_counter_of(const prof_snapshot *snapshot, uint32_t index, int *ok);
json_t *profi_span_of(const prof_snapshot *snapshot, uint32_t index, int *ok);
json_t *profi_thread_of(const prof_snapshot *snapshot, uint32_t index, int *ok);
json_t *profi_process_of(const prof_snapshot *snapshot, uint32_t index, int *ok);
json_t *profi_gpu_object(const prof_snapshot *snapshot, int *ok);
json_t *profi_gpu_work_object(const prof_gpu_work *work, int *ok);
json_t *profi_gpu_path_of(const prof_snapshot *snapshot, uint32_t path, int *ok);
extern const char *const profi_gpu_states[PROF_GPU_UNAVAILABLE + 1];
json_t *profi_memory_object(const prof_snapshot *snapshot, uint32_t index, int *ok);
json_t *profi_utilization_of(const prof_snapshot *snapshot, int *ok);
json_t *profi_place_object(const prof_snapshot *snapshot, uint32_t index, int *ok);
json_t *profi_pool_object(const prof_snapshot *snapshot, uint32_t index, int *ok);

#endif
