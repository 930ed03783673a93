/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the cells of a thread to its events: details find their events, and
 * events their order.
 *
 * The rings hold events in the order in which they ended, each with its level
 * in the call tree.  That tells which lies in which also where clock ticks
 * are coarse and times equal.
 */
#include "events_thread.h"

#include "../base/array.h"
#include "../record/ring.h"

#include <stdlib.h>
#include <string.h>

/* ---- details ---- */

void profi_events_gap(profi_events_maker *maker)
{
    maker->request = 0; /* a chunk begins with what is in force */
    maker->text_bytes = maker->text_used = 0;
}

static void wait_for_event(profi_events_maker *maker, const prof_inline_cell *cell, profi_detail detail)
{
    if (!profi_array_grow(&maker->waiting, &maker->waiting_room, maker->waiting_count, sizeof(*maker->waiting))) {
        maker->is_memory_spent = 1;
        return;
    }
    maker->waiting[maker->waiting_count++] =
        (profi_detail_waiting){ profi_event_level(cell->what), cell->end, detail };
}

static void begin_text(profi_events_maker *maker, const prof_inline_cell *cell)
{
    wait_for_event(maker, cell, (profi_detail){ .kind = PROFI_ARG_TEXT, .name = profi_event_site(cell->what), .value.text = "" });
    maker->text_used = 0;
    maker->text_bytes = profi_min_u64(cell->start, sizeof(maker->text));
}

/* Its last bytes make it one: it is what waits last. */
static void go_on_with_text(profi_events_maker *maker, const prof_inline_cell *cell)
{
    const uint64_t words[2] = { cell->start, cell->end };
    uint64_t bytes = profi_min_u64(sizeof(words), maker->text_bytes - maker->text_used);
    memcpy(maker->text + maker->text_used, words, bytes);
    maker->text_used += bytes;
    if (bytes == 0 || maker->text_used < maker->text_bytes || maker->waiting_count == 0)
        return;
    const char *text = profi_texts_add_clean(&maker->events->texts, maker->text, maker->text_bytes);
    maker->is_memory_spent |= text == NULL;
    maker->waiting[maker->waiting_count - 1].detail.value.text = text;
}

static void set_request(profi_events_maker *maker, uint64_t low, uint64_t high)
{
    profi_events *events = maker->events;
    const profi_request_id *last = events->request_count ? &events->requests[events->request_count - 1] : NULL;
    if ((low == 0 && high == 0) || events->request_count >= UINT32_MAX) {
        maker->request = 0;
        return;
    }
    if (last == NULL || last->low != low || last->high != high) {
        if (!profi_array_grow(&events->requests, &maker->request_room, events->request_count, sizeof(*events->requests))) {
            maker->is_memory_spent = 1;
            return;
        }
        events->requests[events->request_count++] = (profi_request_id){ low, high };
    }
    maker->request = (uint32_t)events->request_count;
}

static void take_detail(profi_events_maker *maker, const prof_inline_cell *cell)
{
    profi_detail detail = { .name = profi_event_site(cell->what) };
    switch (profi_event_kind(cell->what)) {
    case PROFI_DETAIL_INT:
        detail.kind = PROFI_ARG_INT;
        detail.value.integer = (int64_t)cell->start;
        break;
    case PROFI_DETAIL_DOUBLE:
        detail.kind = PROFI_ARG_DOUBLE;
        detail.value.number = profi_bits_double(cell->start);
        break;
    case PROFI_DETAIL_FLOW:
    case PROFI_DETAIL_FLOW_END:
        detail.kind = profi_event_kind(cell->what) == PROFI_DETAIL_FLOW ? PROFI_FLOW_HERE : PROFI_FLOW_LAST;
        detail.value.flow = cell->start;
        break;
    case PROFI_DETAIL_TEXT:
        begin_text(maker, cell);
        return;
    case PROFI_DETAIL_MORE:
        go_on_with_text(maker, cell);
        return;
    case PROFI_DETAIL_REQUEST:
        set_request(maker, cell->start, cell->end);
        return;
    default: /* of a later version: not ours to show */
        return;
    }
    wait_for_event(maker, cell, detail);
}

int profi_events_add_detail(profi_events *events, const profi_detail *detail)
{
    if (events->detail_count >= UINT32_MAX ||
        profi_spool_reserve(&events->detail_spool, (events->detail_count + 1) * sizeof(*detail)) != 0)
        return 0;
    events->details = events->detail_spool.data;
    events->details[events->detail_count++] = *detail;
    return 1;
}

/*
 * Gives an event what waits for it: the details of its level, given since it
 * began.  What waits on deeper levels belonged to scopes that left no event.
 */
static profi_extra take_waiting(profi_events_maker *maker, uint32_t level, uint64_t since)
{
    profi_events *events = maker->events;
    profi_extra extra = { (uint32_t)events->detail_count, 0, maker->request };
    size_t from = maker->waiting_count;
    while (from > 0 && maker->waiting[from - 1].level >= level)
        from--;
    for (size_t i = from; i < maker->waiting_count; i++) {
        const profi_detail_waiting *waiting = &maker->waiting[i];
        if (waiting->level != level || waiting->tick < since)
            continue;
        if (!profi_events_add_detail(events, &waiting->detail)) {
            maker->is_memory_spent = 1;
            return extra;
        }
        extra.detail_count++;
    }
    maker->waiting_count = from;
    return extra;
}

static void add_span(profi_events_maker *maker, const prof_inline_cell *cell, profi_extra extra)
{
    if (!profi_array_grow(&maker->spans, &maker->span_room, maker->span_count, sizeof(*maker->spans)))
        maker->is_memory_spent = 1;
    else
        maker->spans[maker->span_count++] = (profi_span_held){ *cell, extra, 0 };
}

int profi_events_cell(profi_events_maker *maker, const prof_inline_cell *cell)
{
    profi_events *events = maker->events;
    if (profi_event_is_detail(cell->what)) {
        take_detail(maker, cell);
        return 0;
    }
    int is_scope = profi_event_kind(cell->what) == PROFI_EVENT_SCOPE;
    profi_extra extra = is_scope ? take_waiting(maker, profi_event_level(cell->what), cell->start)
                                 : take_waiting(maker, PROFI_EVENT_LEVEL_MAX, 0);
    if (profi_event_kind(cell->what) == PROFI_EVENT_SPAN) {
        add_span(maker, cell, extra);
        return 1;
    }
    if (events->extras != NULL)
        events->extras[maker->cell_count] = extra;
    events->cells[maker->cell_count++] = *cell;
    return 1;
}

void profi_events_maker_fini(profi_events_maker *maker)
{
    free(maker->spans);
    free(maker->waiting);
}

/* ---- order ---- */

/* Whether an event that ended earlier lies in one that ended later; the clocks of two cores may disagree a little. */
static int lies_in(const prof_inline_cell *inner, const prof_inline_cell *outer)
{
    return profi_event_level(inner->what) > profi_event_level(outer->what) &&
           (profi_events_start_of(inner) >= profi_events_start_of(outer) || inner->end > profi_events_start_of(outer));
}

static void swap_events(const profi_events *events, uint64_t a, uint64_t b)
{
    prof_inline_cell cell = events->cells[a];
    uint32_t depth = events->depths[a];
    events->cells[a] = events->cells[b];
    events->cells[b] = cell;
    events->depths[a] = events->depths[b];
    events->depths[b] = depth;
    if (events->extras != NULL) {
        profi_extra extra = events->extras[a];
        events->extras[a] = events->extras[b];
        events->extras[b] = extra;
    }
}

/*
 * Both are orders of one forest: all that lies in an event stands right
 * before it, so what a new one encloses is found by stepping back from
 * subtree to subtree; and in the order of starts it stands behind all that
 * stood before its subtree and behind those that enclose it:
 *
 *     place = place by end - (size of its subtree - 1) + depth
 */
int profi_events_order(const profi_events *events, uint64_t first, uint64_t count, profi_spool *scratch)
{
    const uint64_t outermost = UINT64_MAX;
    const prof_inline_cell *cells = events->cells + first;
    int error = profi_spool_reserve(scratch, 2 * count * sizeof(uint64_t));
    if (error != 0)
        return error;
    uint64_t *size = scratch->data, *outer = size + count, *place = size;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t below = i; /* events from here to i lie in i */
        while (below > 0 && lies_in(&cells[below - 1], &cells[i])) {
            outer[below - 1] = i;
            below -= size[below - 1];
        }
        size[i] = i - below + 1;
        outer[i] = outermost;
    }
    for (uint64_t i = count; i-- > 0;) {
        uint32_t *depth = &events->depths[first + i];
        *depth = outer[i] == outermost ? 0 : events->depths[first + outer[i]] + 1;
        place[i] = i + 1 - size[i] + *depth;
    }
    for (uint64_t i = 0; i < count; i++)
        while (place[i] != i) {
            uint64_t to = place[i];
            swap_events(events, first + i, first + to);
            place[i] = place[to];
            place[to] = to;
        }
    return 0;
}

/* ---- lanes ---- */

static int compare_by_start(const void *one, const void *other)
{
    const prof_inline_cell *a = &((const profi_span_held *)one)->cell, *b = &((const profi_span_held *)other)->cell;
    uint32_t a_track = profi_event_track(a->what), b_track = profi_event_track(b->what);
    if (a_track != b_track)
        return a_track < b_track ? -1 : 1;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    return a->end < b->end ? -1 : a->end > b->end;
}

static int compare_by_lane(const void *one, const void *other)
{
    const profi_span_held *a = one, *b = other;
    if (profi_event_track(a->cell.what) == profi_event_track(b->cell.what) && a->lane != b->lane)
        return a->lane < b->lane ? -1 : 1;
    return compare_by_start(one, other);
}

/* A lane, and when it is free again. */
typedef struct lane_end {
    uint64_t end;
    uint32_t lane;
} lane_end;

/* Lets the first of a heap sink to where it belongs. */
static void sink(lane_end *heap, size_t count)
{
    for (size_t at = 0, below; (below = 2 * at + 1) < count; at = below) {
        below += below + 1 < count && heap[below + 1].end < heap[below].end;
        if (heap[at].end <= heap[below].end)
            return;
        lane_end swapped = heap[at];
        heap[at] = heap[below];
        heap[below] = swapped;
    }
}

static void rise(lane_end *heap, size_t at)
{
    for (size_t above; at > 0 && heap[above = (at - 1) / 2].end > heap[at].end; at = above) {
        lane_end swapped = heap[at];
        heap[at] = heap[above];
        heap[above] = swapped;
    }
}

/* Each span takes the lane of its track that has been free for longest, or a new one. */
static void choose_lanes(profi_span_held *spans, size_t count, lane_end *heap)
{
    size_t lanes = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || profi_event_track(spans[i].cell.what) != profi_event_track(spans[i - 1].cell.what))
            lanes = 0;
        if (lanes != 0 && heap[0].end <= spans[i].cell.start) {
            spans[i].lane = heap[0].lane;
            heap[0].end = spans[i].cell.end;
            sink(heap, lanes);
        } else {
            spans[i].lane = (uint32_t)lanes;
            heap[lanes] = (lane_end){ spans[i].cell.end, (uint32_t)lanes };
            rise(heap, lanes++);
        }
    }
}

static int put_span(profi_events_maker *maker, const profi_span_held *span, size_t *lane_room)
{
    profi_events *events = maker->events;
    uint32_t track = profi_event_track(span->cell.what);
    profi_events_lane *lane = events->lane_count ? &events->lanes[events->lane_count - 1] : NULL;
    if (lane == NULL || lane->track != track || lane->number != span->lane) {
        if (!profi_array_grow(&events->lanes, lane_room, events->lane_count, sizeof(*events->lanes)))
            return 0;
        lane = &events->lanes[events->lane_count++];
        *lane = (profi_events_lane){ .track = track, .number = span->lane, .first = maker->cell_count };
    }
    lane->count++;
    events->depths[maker->cell_count] = 0;
    if (events->extras != NULL)
        events->extras[maker->cell_count] = span->extra;
    events->cells[maker->cell_count++] = span->cell;
    return 1;
}

int profi_events_place_spans(profi_events_maker *maker)
{
    size_t lane_room = 0;
    lane_end *heap = malloc((maker->span_count + 1) * sizeof(*heap));
    if (heap == NULL)
        return 0;
    if (maker->span_count != 0)
        qsort(maker->spans, maker->span_count, sizeof(*maker->spans), compare_by_start);
    choose_lanes(maker->spans, maker->span_count, heap);
    free(heap);
    if (maker->span_count != 0)
        qsort(maker->spans, maker->span_count, sizeof(*maker->spans), compare_by_lane);
    for (size_t i = 0; i < maker->span_count; i++)
        if (!put_span(maker, &maker->spans[i], &lane_room))
            return 0;
    return 1;
}
