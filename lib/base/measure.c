/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From readings at a scope's ends to what its node keeps: see
 * profi_measure.
 *
 * A gauge's high-water mark that rose during the scope was reached in it, so
 * it is the scope's peak, exactly.  Otherwise the peak is at least the larger
 * of the two values seen, or of the samples taken while the scope was open,
 * and at most the mark: a lower bound.
 *
 * A maximum is exact: what runs it gives each call its own and folds it into
 * the call around, so its marks are given back in the order of ends.
 */
#include "probe_table.h"

/* One more peak, exact or a bound, with the highest that it could have been. */
static void add_peak(profi_measure *measure, uint64_t peak, int is_bound, uint64_t ceiling)
{
    uint64_t known = PROFI_GET(measure->top);
    if (peak >= known) {
        PROFI_PUT(measure->top, peak);
        PROFI_PUT(measure->is_bound, is_bound && ceiling > peak);
    } else if (is_bound && ceiling > known) {
        PROFI_PUT(measure->is_bound, 1u);
    }
}

static void begin_one(profi_measure *measure, unsigned row, const profi_readings *readings)
{
    uint64_t bit = (uint64_t)1 << row;
    measure->begin_state = !(readings->wanted & bit)  ? PROFI_BEGIN_NOT_READ
                           : !(readings->valid & bit) ? PROFI_BEGIN_FAILED
                                                      : PROFI_BEGIN_READ;
    if (measure->begin_state != PROFI_BEGIN_READ)
        return;
    measure->begin_value = readings->of[row].value;
    measure->begin_high_water = readings->of[row].high_water;
    measure->begin_mark = readings->of[row].mark;
    if (profi_probes_by_kind.maxima & bit)
        measure->begin_mark = profi_probe_row(row)->peak_begin(row);
}

static void end_gauge(const profi_probe *probe, profi_measure *measure, const profi_reading *end)
{
    PROFI_ADD(measure->sum, (int64_t)(end->value - measure->begin_value));
    if (end->high_water > measure->begin_high_water) {
        add_peak(measure, end->high_water, 0, end->high_water);
        return;
    }
    uint64_t seen = profi_max_u64(end->value, measure->begin_value);
    if (probe->highest_since != NULL)
        seen = profi_max_u64(seen, probe->highest_since(measure->begin_mark));
    add_peak(measure, seen, 1, end->high_water ? end->high_water : UINT64_MAX);
}

static void end_counter(profi_measure *measure, uint64_t end)
{
    uint64_t rise = end - measure->begin_value;
    PROFI_ADD(measure->sum, (int64_t)rise);
    if (rise > PROFI_GET(measure->top))
        PROFI_PUT(measure->top, rise);
}

static void end_one(profi_measure *measure, unsigned row, const profi_readings *readings)
{
    uint64_t bit = (uint64_t)1 << row;
    profi_probe *probe = profi_probe_row(row);
    if (measure->begin_state == PROFI_BEGIN_NOT_READ || probe == NULL)
        return;
    if (probe->peak_end != NULL && measure->begin_state == PROFI_BEGIN_READ) { /* needs no reading, and must be ended */
        end_counter(measure, probe->peak_end(row, measure->begin_mark));
        PROFI_ADD(measure->call_count, 1u);
        return;
    }
    if (!(readings->wanted & bit))
        return;
    const profi_reading *end = &readings->of[row];
    int ran_backwards = !probe->is_gauge && readings->valid & bit && end->value < measure->begin_value;
    if (!(readings->valid & bit) || measure->begin_state == PROFI_BEGIN_FAILED || ran_backwards) {
        PROFI_ADD(measure->failed_count, 1u);
        if (ran_backwards)
            PROFI_PUT(probe->reason, "it ran backwards");
        return;
    }
    if (probe->is_gauge)
        end_gauge(probe, measure, end);
    else
        end_counter(measure, end->value);
    PROFI_ADD(measure->call_count, 1u);
}

void profi_measures_begin(profi_measure *measures, uint64_t rows, const profi_readings *readings)
{
    for (; rows != 0; rows &= rows - 1)
        begin_one(measures++, (unsigned)__builtin_ctzll(rows), readings);
}

void profi_measures_end(profi_measure *measures, uint64_t rows, const profi_readings *readings)
{
    for (; rows != 0; rows &= rows - 1)
        end_one(measures++, (unsigned)__builtin_ctzll(rows), readings);
}

void profi_measure_merge(profi_measure *into, const profi_measure *from)
{
    PROFI_ADD(into->failed_count, from->failed_count);
    if (from->call_count == 0)
        return;
    if (into->call_count == 0 || from->top > into->top) {
        into->top_begin = from->top_begin;
        into->top_end = from->top_end;
    }
    into->rise = profi_max_u64(into->rise, from->rise);
    PROFI_ADD(into->call_count, from->call_count);
    PROFI_ADD(into->sum, from->sum);
    add_peak(into, from->top, (int)from->is_bound, from->is_bound ? UINT64_MAX : from->top);
}
