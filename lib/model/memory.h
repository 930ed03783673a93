/* SPDX-License-Identifier: Apache-2.0 */
/* What allocators have handed out and not taken back, as a snapshot has it. */
#ifndef PROFI_MODEL_MEMORY_H
#define PROFI_MODEL_MEMORY_H

#include "../base/texts.h"
#include "../record/blocks.h"

struct prof_snapshot;

/* Fills the kinds of memory and the places; 0 when the heap is spent. */
int profi_recorded_memory(struct prof_snapshot *snapshot);

/* What has grown most first; without a mark that is what there is most of. */
void profi_places_sort(struct prof_snapshot *snapshot);

/* How much a place has grown since the mark. */
static inline int64_t profi_place_grown_bytes(const profi_place_view *place)
{
    return (int64_t)(place->allocated_bytes - place->freed_bytes) -
           (int64_t)(place->marked_allocated_bytes - place->marked_freed_bytes);
}
static inline int64_t profi_place_grown_count(const profi_place_view *place)
{
    return (int64_t)(place->allocated_count - place->freed_count) -
           (int64_t)(place->marked_allocated_count - place->marked_freed_count);
}

enum { PROFI_PLACE_TEXT = 2048 };

/* "get_response > aten::clone > aten::empty"; what does not fit is left out from the outermost on. */
void profi_place_path(const profi_place_view *place, char text[PROFI_PLACE_TEXT]);

/*
 * The innermost scope that is no operator, and the operator below it; either may be NULL.  Of nested ones it is the outermost
 * that is one of a library's, aten::clone, not a method of the model, forward; where there is none, the innermost.
 */
void profi_place_names(const profi_place_view *place, const char **scope, const char **called);

#endif
