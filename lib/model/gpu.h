/* SPDX-License-Identifier: Apache-2.0 */
/* GPU work in a snapshot: the run's; each function's is in its row. */
#ifndef PROFI_MODEL_GPU_H
#define PROFI_MODEL_GPU_H

#include "snapshot.h"

#include <string.h>

typedef struct profi_gpu_info {
    prof_gpu_state state;
    const char *reason; /* why it is not on, or ""; in the snapshot's texts */
    int is_traced;      /* it was on at some time: there are figures */
    int has_bounds;     /* of a run that was not: calls have waited for the GPU, so that their time is a bound */
    prof_gpu_totals totals;
    uint64_t without_path; /* of the work that is attributed: of no call path, for want of memory; in the functions' figures all the same */
} profi_gpu_info;

/* The figures of a function's work, and of the run's, by the names that files give them. */
typedef struct profi_gpu_field {
    const char *key;
    size_t offset;
    int is_highest; /* of two, the higher holds for both; else they are added */
    int is_time;    /* of the tracing itself: not work */
} profi_gpu_field;
extern const profi_gpu_field profi_gpu_work_fields[], profi_gpu_totals_fields[];
extern const size_t profi_gpu_work_field_count, profi_gpu_totals_field_count;

static inline uint64_t *profi_gpu_at(void *figures, const profi_gpu_field *field)
{
    return (uint64_t *)(void *)((char *)figures + field->offset);
}
static inline uint64_t profi_gpu_get(const void *figures, const profi_gpu_field *field)
{
    return *(const uint64_t *)(const void *)((const char *)figures + field->offset);
}

/* Of what is no run: says why there are no figures, where a GPU has worked that spans tell of, or that was traced. */
void profi_gpu_note_missing(prof_snapshot *snapshot, int is_traced, const char *reason);

/* Whether a row of spans, or what lies on lanes, is GPU work. */
static inline int profi_is_gpu_span(const char *file, uint32_t line) { return file != NULL && line == 0 && strcmp(file, "gpu") == 0; }

/* Nothing of work is known but that it takes no longer than that. */
prof_gpu_work profi_gpu_at_most(uint64_t busy_ns);

/*
 * Fills it in, between paths are made and the snapshot is finished:
 * `function_of_site` has a function's number for each of the first
 * `site_count` sites, or PROFI_NONE; 0 when memory is spent.
 */
int profi_recorded_gpu(prof_snapshot *snapshot, const uint32_t *function_of_site, size_t site_count);

/* When the times of calls are known: those are upper bounds where nothing was traced and calls wait; 0 when memory is spent. */
int profi_recorded_gpu_bounds(prof_snapshot *snapshot);

/* What a GPU did for a path's calls and below; NULL: nothing, as far as it is known. */
static inline const prof_gpu_work *profi_path_work(const prof_snapshot *snapshot, uint32_t path)
{
    uint32_t work = snapshot->paths[path].work;
    return work != 0 ? &snapshot->path_works[work - 1] : NULL;
}

/* The same, which may be written, made if need be; NULL when memory is spent. */
prof_gpu_work *profi_path_work_made(prof_snapshot *snapshot, uint32_t path);

/*
 * What a GPU did for each path itself, without those below it, in numbers that
 * add up: how long each kernel, copy and set took, so that what overlaps counts
 * for each.  An array for the caller to free; NULL when memory is spent.
 */
typedef struct profi_gpu_own {
    uint64_t ns, kernels, copied_bytes;
} profi_gpu_own;
profi_gpu_own *profi_gpu_own_of_paths(const prof_snapshot *snapshot);

/*
 * Adds work of another path to one's, `from` may be NULL.  Both may have kept
 * the GPU busy at the same time: then the sum is an upper bound, and says so.
 * 0 when memory is spent.
 */
int profi_path_join_work(prof_snapshot *snapshot, uint32_t path, const prof_gpu_work *from);

/*
 * The work of all functions of a part of another snapshot, from what its paths
 * have; exactly where all that the function launched, it launched there.  0 as
 * above.
 */
int profi_subtree_gpu(prof_snapshot *made, const prof_snapshot *from, const uint32_t *new_id, uint32_t root);

/* Adds the run's and a function's to a snapshot that is being assembled. */
struct profi_builder;
void profi_builder_gpu(struct profi_builder *builder, const profi_gpu_info *from);
void profi_builder_gpu_work(struct profi_builder *builder, prof_gpu_work **into, const prof_gpu_work *from);
void profi_builder_path_work(struct profi_builder *builder, uint32_t path, const prof_gpu_work *from);

#endif
