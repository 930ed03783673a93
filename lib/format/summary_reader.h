/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that read summaries share: functions by their numbers in the file, and durations. */
#ifndef PROFI_SUMMARY_READER_H
#define PROFI_SUMMARY_READER_H

#include "json_input.h"

#define PROFI_NOT_SAID "the file does not say"

/* Why a field is null. */
static inline const char *profi_json_reason_or(profi_json *json, const char *key)
{
    const char *reason = profi_json_reason(json, key);
    return reason != NULL ? reason : PROFI_NOT_SAID;
}

/* A function's number in the file and in the snapshot. */
typedef struct profi_function_number {
    uint64_t in_file;
    uint32_t id;
} profi_function_number;

/* For qsort(): by the number in the file. */
int profi_compare_numbers(const void *a, const void *b);

/* The snapshot's id of a number in the file, of numbers that are sorted; PROFI_NONE where there is none. */
uint32_t profi_find_function(uint64_t in_file, const profi_function_number *numbers, size_t count);

/*
 * Reads min_ns, max_ns and histogram of a function or a span, whose
 * timed_calls are known; it keeps the address of `counts`.
 */
void profi_read_durations(profi_json *json, const profi_json_value *object, profi_function *row,
                          uint64_t counts[PROFI_BUCKET_COUNT]);

/* Reads what the file says of the run. */
void profi_read_facts(profi_json *json, const profi_json_value *root);

/* Reads GPU work: the run's; and a function's, into the caller's, which it returns, or NULL where there is none. */
void profi_read_gpu(profi_json *json, const profi_json_value *root);
prof_gpu_work *profi_read_gpu_work(profi_json *json, const profi_json_value *function, prof_gpu_work *work);

/* The same of call paths, of which path_of[] has the snapshot's number for each of the file's. */
void profi_read_gpu_paths(profi_json *json, const profi_json_value *root, const uint32_t *path_of, uint32_t count);

/* Reads what was sampled of processors and GPUs, or why nothing was. */
void profi_read_utilization(profi_json *json, const profi_json_value *root);

/* Reads the spans, if there are any. */
void profi_read_spans(profi_json *json, const profi_json_value *root);

/* Reads what allocators told, if they did. */
void profi_read_memory(profi_json *json, const profi_json_value *root);
void profi_read_pools(profi_json *json, const profi_json_value *root);

/* Reads the call paths, or why there are none. */
void profi_read_paths(profi_json *json, const profi_json_value *root, const profi_function_number *numbers, size_t count);

#endif
