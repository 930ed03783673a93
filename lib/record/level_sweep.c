/* SPDX-License-Identifier: Apache-2.0 */
/* See level_sweep.h. */
#include "level_sweep.h"

#include "../base/array.h"

#include <stdlib.h>
#include <string.h>

/* An open call. */
struct profi_sweep_frame {
    uint32_t context;
    unsigned level_count, level_room; /* levels that came later are not known in it */
    uint64_t since;                   /* how many boundaries there had been when it began */
    struct { int64_t begin, high; } levels[];
};

/* ---- maxima ---- */

/* The first that holds since `since` or later; count: there is none. */
static size_t first_since(const profi_swept_level *level, uint64_t since)
{
    size_t low = 0, high = level->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (level->maxima[middle].since < since)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int by_age(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Drops the maxima that no thread can ask for any more: as many stay as there are threads with open calls, at most. */
static void drop_unasked(const profi_sweep *sweep, profi_swept_level *level)
{
    size_t asking = 0, kept = 0, next = 0;
    uint64_t *asked = malloc((sweep->thread_count + 1) * sizeof(*asked));
    if (asked == NULL)
        return;
    for (const profi_sweep_thread *thread = sweep->threads; thread != NULL; thread = thread->next)
        if (thread->depth != 0)
            asked[asking++] = thread->asked;
    qsort(asked, asking, sizeof(*asked), by_age);
    for (size_t i = 0; i < level->count && next < asking; i++) {
        if (asked[next] > level->maxima[i].since)
            continue;
        while (next < asking && asked[next] <= level->maxima[i].since)
            next++;
        level->maxima[kept++] = level->maxima[i];
    }
    level->count = kept;
    free(asked);
}

static void note_maximum(const profi_sweep *sweep, profi_swept_level *level)
{
    enum { FEW = 8 };
    while (level->count != 0 && level->maxima[level->count - 1].value <= level->value)
        level->count--;
    if (level->count != 0 && level->maxima[level->count - 1].since == sweep->boundaries)
        return;
    if (level->count >= FEW + 2 * (size_t)sweep->thread_count)
        drop_unasked(sweep, level);
    if (profi_array_grow(&level->maxima, &level->room, level->count, sizeof(*level->maxima)))
        level->maxima[level->count++] = (profi_level_maximum){ sweep->boundaries, level->value };
    else
        level->last_unknown = sweep->boundaries; /* calls that are open now would miss it */
}

unsigned profi_sweep_add_level(profi_sweep *sweep)
{
    if (sweep->level_count == PROFI_LEVELS_MOST)
        return PROFI_LEVELS_MOST;
    sweep->levels[sweep->level_count] = (profi_swept_level){ .last_unknown = UINT64_MAX };
    return sweep->level_count++;
}

void profi_sweep_level(profi_sweep *sweep, unsigned number, unsigned kind, int64_t amount)
{
    profi_swept_level *level = &sweep->levels[number];
    if (kind == PROFI_LEVEL_UNKNOWN) {
        level->last_unknown = UINT64_MAX;
        return;
    }
    level->value = kind == PROFI_LEVEL_SET ? amount : (int64_t)((uint64_t)level->value + (uint64_t)amount);
    if (kind != PROFI_LEVEL_CHANGE && level->last_unknown == UINT64_MAX)
        level->last_unknown = sweep->boundaries;
    if (level->value > level->high)
        level->high = level->value;
    note_maximum(sweep, level);
}

/* ---- calls ---- */

/* What came since the thread's last boundary belongs to its innermost call. */
static void raise_innermost(const profi_sweep *sweep, profi_sweep_thread *thread)
{
    profi_sweep_frame *frame = thread->depth != 0 ? thread->frames[thread->depth - 1] : NULL;
    for (unsigned i = 0; frame != NULL && i < frame->level_count; i++) {
        const profi_swept_level *level = &sweep->levels[i];
        size_t at = first_since(level, thread->asked);
        if (at < level->count && level->maxima[at].value > frame->levels[i].high)
            frame->levels[i].high = level->maxima[at].value;
    }
}

static void tell(const profi_sweep *sweep, const profi_sweep_frame *frame, int has_end)
{
    for (unsigned i = 0; i < sweep->level_count; i++) {
        const profi_swept_level *level = &sweep->levels[i];
        profi_level_call call = { .context = frame->context, .level = i };
        call.is_known = has_end && i < frame->level_count && level->last_unknown < frame->since;
        if (call.is_known) {
            call.begin = frame->levels[i].begin;
            call.high = frame->levels[i].high;
            call.end = level->value;
        }
        sweep->tell(sweep->user, &call);
    }
}

/* Takes the innermost call away; what it rose to, the call around it has risen to as well. */
static void close_innermost(const profi_sweep *sweep, profi_sweep_thread *thread, int has_end)
{
    const profi_sweep_frame *frame = thread->frames[--thread->depth];
    profi_sweep_frame *around = thread->depth != 0 ? thread->frames[thread->depth - 1] : NULL;
    for (unsigned i = 0; around != NULL && i < around->level_count; i++)
        if (frame->levels[i].high > around->levels[i].high)
            around->levels[i].high = frame->levels[i].high;
    tell(sweep, frame, has_end);
}

static void come_to_boundary(profi_sweep *sweep, profi_sweep_thread *thread)
{
    raise_innermost(sweep, thread);
    thread->asked = ++sweep->boundaries;
}

/* The frame at the thread's depth, with room for all levels; NULL when memory is spent. */
static profi_sweep_frame *next_frame(const profi_sweep *sweep, profi_sweep_thread *thread)
{
    if (thread->depth == thread->room) {
        unsigned room = thread->room != 0 ? 2 * thread->room : 8;
        profi_sweep_frame **frames = reallocarray(thread->frames, room, sizeof(*frames));
        if (frames == NULL)
            return NULL;
        memset(frames + thread->room, 0, (room - thread->room) * sizeof(*frames));
        thread->frames = frames;
        thread->room = room;
    }
    profi_sweep_frame *frame = thread->frames[thread->depth];
    if (frame == NULL || frame->level_room < sweep->level_count) {
        frame = realloc(frame, sizeof(*frame) + sweep->level_count * sizeof(frame->levels[0]));
        if (frame == NULL)
            return NULL;
        frame->level_room = sweep->level_count;
        thread->frames[thread->depth] = frame;
    }
    return frame;
}

int profi_sweep_begin(profi_sweep *sweep, profi_sweep_thread *thread, uint32_t context, unsigned depth)
{
    come_to_boundary(sweep, thread);
    while (thread->depth >= depth)
        close_innermost(sweep, thread, 0);
    profi_sweep_frame *frame = next_frame(sweep, thread);
    if (frame == NULL) {
        for (unsigned i = 0; i < sweep->level_count; i++)
            sweep->tell(sweep->user, &(profi_level_call){ .context = context, .level = i });
        return 0;
    }
    frame->context = context;
    frame->since = sweep->boundaries;
    frame->level_count = sweep->level_count;
    for (unsigned i = 0; i < sweep->level_count; i++)
        frame->levels[i].begin = frame->levels[i].high = sweep->levels[i].value;
    thread->depth++;
    return 1;
}

void profi_sweep_end(profi_sweep *sweep, profi_sweep_thread *thread, uint32_t context, unsigned depth)
{
    come_to_boundary(sweep, thread);
    while (thread->depth > depth)
        close_innermost(sweep, thread, 0);
    if (thread->depth == depth && depth != 0 && thread->frames[depth - 1]->context == context)
        close_innermost(sweep, thread, 1);
}

/* ---- threads ---- */

void profi_sweep_add_thread(profi_sweep *sweep, profi_sweep_thread *thread)
{
    *thread = (profi_sweep_thread){ .next = sweep->threads, .asked = sweep->boundaries };
    sweep->threads = thread;
    sweep->thread_count++;
}

static void free_frames(profi_sweep_thread *thread)
{
    for (unsigned i = 0; i < thread->room; i++)
        free(thread->frames[i]);
    free(thread->frames);
    *thread = (profi_sweep_thread){ 0 };
}

void profi_sweep_remove_thread(profi_sweep *sweep, profi_sweep_thread *thread)
{
    profi_sweep_thread **link = &sweep->threads;
    while (thread->depth != 0)
        close_innermost(sweep, thread, 0);
    while (*link != thread)
        link = &(*link)->next;
    *link = thread->next;
    sweep->thread_count--;
    free_frames(thread);
}

void profi_sweep_fini(profi_sweep *sweep)
{
    for (profi_sweep_thread *thread = sweep->threads, *next; thread != NULL; thread = next) {
        next = thread->next;
        free_frames(thread);
    }
    for (unsigned i = 0; i < sweep->level_count; i++)
        free(sweep->levels[i].maxima);
    *sweep = (profi_sweep){ .tell = sweep->tell, .user = sweep->user };
}
