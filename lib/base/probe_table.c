/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gauges: growth and peak of a value that a probe reads at a scope's ends.
 *
 * A high-water mark that rose during the scope was reached in it, so it is
 * the scope's peak, exactly.  Otherwise the peak is at least the larger of
 * the two values seen and at most the mark: a lower bound.
 */
#include "probe_table.h"

profi_probe profi_probe_table[PROFI_PROBE_COUNT];

void profi_gauge_begin(const profi_probe *probe, profi_gauge *gauge)
{
    profi_reading reading = { 0, 0 };
    gauge->begin_valid = (uint32_t)probe->read(&reading);
    gauge->begin_value = reading.value;
    gauge->begin_high_water = reading.high_water;
}

/* One more peak, exact or a bound, with the highest that it could have been. */
static void add_peak(profi_gauge *gauge, uint64_t peak, int is_bound, uint64_t ceiling)
{
    uint64_t known = PROFI_GET(gauge->peak);
    if (peak >= known) {
        PROFI_PUT(gauge->peak, peak);
        PROFI_PUT(gauge->peak_is_bound, is_bound && ceiling > peak);
    } else if (is_bound && ceiling > known) {
        PROFI_PUT(gauge->peak_is_bound, 1u);
    }
}

void profi_gauge_end(const profi_probe *probe, profi_gauge *gauge)
{
    profi_reading reading = { 0, 0 };
    if (!probe->read(&reading) || !gauge->begin_valid) {
        PROFI_PUT(gauge->failed, 1u);
        return;
    }
    PROFI_ADD(gauge->call_count, 1u);
    PROFI_ADD(gauge->growth, (int64_t)(reading.value - gauge->begin_value));
    if (reading.high_water > gauge->begin_high_water)
        add_peak(gauge, reading.high_water, 0, reading.high_water);
    else
        add_peak(gauge, profi_max_u64(reading.value, gauge->begin_value), 1,
                 reading.high_water ? reading.high_water : UINT64_MAX);
}

void profi_gauge_merge(profi_gauge *into, const profi_gauge *from)
{
    if (from->failed)
        PROFI_PUT(into->failed, 1u);
    if (from->call_count == 0)
        return;
    PROFI_ADD(into->call_count, from->call_count);
    PROFI_ADD(into->growth, from->growth);
    add_peak(into, from->peak, (int)from->peak_is_bound, from->peak_is_bound ? UINT64_MAX : from->peak);
}
