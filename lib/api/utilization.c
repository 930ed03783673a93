/* SPDX-License-Identifier: Apache-2.0 */
/* One sample of what is sampled of processors and GPUs: from its sources, through base/usage.c, to the timeline. */
#include "recorder.h"

#include "../base/error.h"
#include "../base/usage.h"
#include "../gpu/device_memory.h"
#include "../gpu/nvml.h"
#include "../probe/probes.h"
#include "../record/record.h"

#include <stdio.h>
#include <string.h>

static prof_site *sites[PROFI_USAGES]; /* of the rows, made at their first value */

/* "GPU 0 power (W)"; NULL where there is no memory for it, which counts no value as lost: the row has it all the same. */
static prof_site *site_of(unsigned row)
{
    profi_usage usage;
    char name[sizeof(usage.name) + 16];
    if (sites[row] != NULL)
        return sites[row];
    profi_usage_copy(row, &usage);
    snprintf(name, sizeof(name), "%s (%s)", usage.name, usage.unit);
    sites[row] = profi_record_site(name, strlen(name), NULL, 0, 0);
    return sites[row];
}

static void show(unsigned row)
{
    double value;
    prof_site *site = profi_usage_fresh(row, &value) ? site_of(row) : NULL;
    if (site != NULL)
        profi_counter_event(site, value);
}

void profi_utilization_begin(void) { profi_cpu_begin(); }

void profi_utilization_sample(uint64_t every_ms, uint64_t missed)
{
    uint64_t began = profi_clock_monotonic_ns();
    profi_usage_began(every_ms, began);
    profi_cpu_sample();
    profi_nvml_sample();
    if (!profi_nvml_tells_memory())
        profi_device_memory_sample();
    for (unsigned i = 0, count = profi_usage_count(); i < count; i++)
        show(i);
    profi_usage_ended(profi_clock_monotonic_ns() - began, missed);
}

void profi_utilization_forget(void)
{
    memset(sites, 0, sizeof(sites));
    profi_nvml_forget();
    profi_usage_forget();
}
