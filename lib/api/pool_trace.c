/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What pools hold over time, as counters of the timeline: "torch.cuda:0
 * allocated (bytes)".  On the sampler's thread, since events of the past
 * need one without scopes.
 */
#include "recorder.h"

#include "../base/clock.h"
#include "../record/levels.h"
#include "../record/record.h"

#include <stdio.h>
#include <string.h>

enum { INTERVAL_NS = 10000000, AT_A_TIME = 64 };

static prof_site *sites[PROFI_LEVELS_MOST];

static prof_site *site_of(unsigned level)
{
    static const char *const names[PROFI_POOL_LEVELS] = { [PROFI_POOL_ALLOCATED] = "allocated", [PROFI_POOL_RESERVED] = "reserved" };
    char name[PROFI_POOL_NAME_ROOM + 24];
    if (sites[level] != NULL)
        return sites[level];
    profi_levels_lock();
    profi_pool_view pool = profi_pool_at(level / PROFI_POOL_LEVELS);
    profi_levels_unlock();
    snprintf(name, sizeof(name), "%s %s (bytes)", pool.name, names[level % PROFI_POOL_LEVELS]);
    sites[level] = profi_record_site(name, strlen(name), NULL, 0, 0);
    return sites[level];
}

void profi_pool_trace_begin(void)
{
    profi_clock_scale scale = profi_clock_scale_now();
    profi_levels_trace(profi_max_u64(profi_clock_to_ticks(&scale, INTERVAL_NS), 1));
}

void profi_pool_trace_end(void) { profi_levels_trace(0); }
void profi_pool_trace_forget(void) { memset(sites, 0, sizeof(sites)); }

void profi_pool_trace_write(int is_last)
{
    profi_level_point points[AT_A_TIME];
    if (is_last)
        profi_levels_sweep();
    else
        profi_levels_sweep_some();
    for (size_t count; (count = profi_levels_take_points(points, AT_A_TIME)) != 0;)
        for (size_t i = 0; i < count; i++) {
            prof_site *site = site_of(points[i].level);
            if (site != NULL)
                profi_counter_event_at(site, (double)points[i].value, points[i].tick);
        }
    profi_counter_events_lost(profi_levels_lost_points());
}
