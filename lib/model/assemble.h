/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot made of functions, edges and perhaps call paths, in any order, by
 * a reader or a merge: functions are found by file, line and name, edges and
 * paths added up, and all sums checked.
 */
#ifndef PROFI_ASSEMBLE_H
#define PROFI_ASSEMBLE_H

#include "snapshot.h"

/* Numbers of functions or spans by key, open addressing. */
typedef struct profi_key_table {
    uint32_t *slots;
    uint32_t slot_count, room; /* room: of the rows */
} profi_key_table;

typedef struct profi_builder {
    prof_snapshot *snapshot;
    profi_key_table functions, spans;
    size_t counter_room, usage_room, place_room;
    size_t edge_count, edge_room;
    uint64_t path_calls; /* in all paths */
    int out_of_memory; /* sticky, as the next: asked for once, at the end */
    int overflow;      /* a sum did not fit */
    char problem[128]; /* why the parts do not go together; empty: they do */
} profi_builder;

/* Begins; profi_builder_finish() says whether that went well. */
void profi_builder_init(profi_builder *builder);

/* Text of the snapshot's own; NULL for NULL, or when memory is spent. */
const char *profi_builder_text(profi_builder *builder, const char *text);

/* The function with this key, texts that profi_builder_text() gave, added if need be; PROFI_NONE when memory is spent. */
uint32_t profi_builder_function(profi_builder *builder, const char *name, const char *file, uint32_t line);

/* The same for spans, which are rows like functions; their numbers are the snapshot's. */
uint32_t profi_builder_span(profi_builder *builder, const char *name, const char *file, uint32_t line);

/*
 * Adds a function's or a span's figures, but for what probes measured, to another's that
 * has the same key.  What one of the two does not know, nobody knows.
 */
void profi_builder_add(profi_builder *builder, profi_function *into, const profi_function *from);

/*
 * The number of a probe, which is found by its name and added if need be;
 * PROFI_NONE where that cannot be, for which finishing gives the reason.
 */
uint32_t profi_builder_probe(profi_builder *builder, const profi_probe_info *info);

/* Adds what a probe measured in a function; without effect for PROFI_NONE. */
void profi_builder_measure(profi_builder *builder, uint32_t function, uint32_t probe, const profi_measure *from);

/* Adds a counter; of two with the same file, line and name the one that is later in time has the last value. */
void profi_builder_counter(profi_builder *builder, const profi_counter_info *from);

/* Makes one of those that are the same; for profi_builder_finish(). */
void profi_builder_settle_counters(profi_builder *builder);

/* Adds a row of what was sampled to that of the same name, unit and owner. */
void profi_builder_usage(profi_builder *builder, const profi_usage_info *from);

/* All of it, of one snapshot after the other. */
void profi_builder_utilization(profi_builder *builder, const profi_utilization *from, int is_first);

/* Kinds of memory that a snapshot has room for. */
enum { PROFI_SNAPSHOT_MEMORIES = 16 };

/*
 * Adds a kind of memory to the one of its name, and returns its number;
 * PROFI_NONE where that cannot be, for which finishing gives the reason.  The
 * peak is the highest of one process.
 */
uint32_t profi_builder_memory(profi_builder *builder, const profi_memory_info *from);

/* Adds a place of that kind of memory; without effect for PROFI_NONE. */
void profi_builder_place(profi_builder *builder, uint32_t memory, const profi_place_info *from);

/* Pools that a snapshot has room for. */
enum { PROFI_SNAPSHOT_POOLS = 64 };

/* Adds a pool to the one of its name: what is held is added up, the peak is the highest of one process. */
void profi_builder_pool(profi_builder *builder, const profi_pool_info *from);

/* Makes one of those that are the same, in their order; for profi_builder_finish(). */
void profi_builder_settle_places(profi_builder *builder);

/* Adds an edge between functions of the snapshot. */
void profi_builder_edge(profi_builder *builder, const profi_edge *edge);

/*
 * Adds calls and times to the path of a function, from->function, below
 * `parent` (PROFI_NONE: outermost), which is made if need be.  Returns its
 * index; PROFI_NONE when memory is spent.
 */
uint32_t profi_builder_path(profi_builder *builder, uint32_t parent, const profi_path *from);

/* Sums the paths up, or drops them where the snapshot has a reason not to have any; for profi_builder_finish(). */
void profi_builder_settle_paths(profi_builder *builder);

/*
 * Gives functions new ids: new_id[i] for function i, PROFI_NONE to take it out
 * with its edges; those that stay are numbered from 0 without a gap.  The
 * last thing before finishing, of a snapshot without paths: no function is
 * found by its key any more.
 */
void profi_builder_renumber(profi_builder *builder, const uint32_t *new_id);

/* Adds to a sum. */
static inline void profi_builder_sum(profi_builder *builder, uint64_t *into, uint64_t value)
{
    builder->overflow |= __builtin_add_overflow(*into, value, into);
}

/*
 * Sorts and indexes, and hands the snapshot over; `what` names the source in
 * a message.  The builder is empty then, whatever is returned.
 */
prof_status profi_builder_finish(profi_builder *builder, const char *what, prof_snapshot **snapshot, prof_error *err);

/* Drops everything; fine on an empty one. */
void profi_builder_fini(profi_builder *builder);

#endif
