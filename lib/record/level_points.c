/* SPDX-License-Identifier: Apache-2.0 */
/* See level_points.h. */
#include "level_points.h"

#include <stdlib.h>
#include <string.h>

enum { POINTS_MOST = 1 << 13 };

static uint64_t interval, taken_until, lost_count;
static uint32_t orders;
static profi_level_point points[POINTS_MOST]; /* untouched, and so no memory, where nobody asks for them */
static size_t point_count;
static int is_sorted;
static struct trace {
    uint64_t until;    /* of the interval at hand */
    uint64_t noted_at; /* the last change */
    profi_level_point high, last; /* in it, after its first point; no tick: there is none */
} traces[PROFI_LEVELS_MOST];

void profi_level_points_begin(uint64_t tick, uint64_t its_interval)
{
    interval = its_interval;
    taken_until = tick;
    point_count = 0;
    lost_count = 0;
    memset(traces, 0, sizeof(traces));
}

static void keep(const profi_level_point *point)
{
    if (point_count == POINTS_MOST) {
        lost_count++;
        return;
    }
    is_sorted &= point_count == 0 || points[point_count - 1].tick <= point->tick;
    points[point_count++] = *point;
}

static void end_interval(struct trace *trace)
{
    if (trace->high.tick != 0 && trace->high.order != trace->last.order)
        keep(&trace->high);
    if (trace->last.tick != 0)
        keep(&trace->last);
    trace->high.tick = trace->last.tick = 0;
}

void profi_level_points_note(unsigned level, uint64_t tick, int64_t value)
{
    struct trace *trace = &traces[level];
    if (interval == 0)
        return;
    trace->noted_at = profi_max_u64(tick, profi_max_u64(taken_until, trace->noted_at));
    const profi_level_point point = { trace->noted_at, value, level, orders++ };
    if (point.tick < trace->until) {
        trace->last = point;
        if (trace->high.tick == 0 || value > trace->high.value)
            trace->high = point;
        return;
    }
    end_interval(trace);
    keep(&point);
    trace->until = point.tick + interval;
}

static int by_tick(const void *one, const void *other)
{
    const profi_level_point *a = one, *b = other;
    return a->tick != b->tick ? (a->tick > b->tick) - (a->tick < b->tick) : (int32_t)(a->order - b->order) > 0 ? 1 : -1;
}

static void sort(void)
{
    if (!is_sorted)
        qsort(points, point_count, sizeof(*points), by_tick);
    is_sorted = 1;
}

size_t profi_level_points_take(uint64_t tick, profi_level_point *into, size_t room)
{
    size_t count = 0;
    tick = interval != 0 ? profi_max_u64(tick, taken_until) : 0;
    for (unsigned i = 0; i < PROFI_LEVELS_MOST; i++)
        if (traces[i].high.tick != 0 && traces[i].high.tick < tick)
            end_interval(&traces[i]);
    sort();
    while (count < room && count < point_count && points[count].tick < tick)
        count++;
    memcpy(into, points, count * sizeof(*points));
    memmove(points, points + count, (point_count - count) * sizeof(*points));
    point_count -= count;
    if (count < room)
        taken_until = tick;
    return count;
}

uint64_t profi_level_points_lost(void)
{
    uint64_t lost = lost_count;
    lost_count = 0;
    return lost;
}
