/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What probes measured, for people: a block for each group of probes, a line
 * for each function that asked, a column for each probe.  The first block
 * puts three of them together with the duration: how much of it was spent on
 * a CPU, waiting for one, and neither.
 */
#include "text_probes.h"

#include "text_memory.h"
#include "text_units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TIME_GROUP, KERNEL_GROUP, CGROUP_GROUP, OWN_GROUP, NO_GROUP, COLUMN = 13 };

static const struct { const char *prefix; unsigned group; } prefixes[] = {
    { "cpu.time", TIME_GROUP },     { "cpu.user", TIME_GROUP },    { "cpu.system", TIME_GROUP }, { "wait.cpu", TIME_GROUP },
    { "faults.", KERNEL_GROUP },    { "switches.", KERNEL_GROUP }, { "cgroup.", CGROUP_GROUP },
    { "pressure.", CGROUP_GROUP },  { "rss", NO_GROUP }, /* has a block of its own */
};

static const char *const headings[PROFI_PROBE_GROUPS] = {
    [TIME_GROUP] = "Where the time of calls went, as to the calling thread: on a CPU, waiting for one, or blocked (asleep, on "
                   "locks,\n   disks, sockets, other threads); user and system are the kernel's estimates",
    [KERNEL_GROUP] = "Page faults and context switches of the calling threads, summed over calls",
    [CGROUP_GROUP] = "What held the process back, summed over calls: throttling of its control group, and pressure: the time "
                     "in which\n   something in it waited.  Calls in parallel each see all of it",
    [OWN_GROUP] = "The program's own probes, summed over calls (peak: the highest in any call; \xe2\x89\xa5: at least)",
};

static unsigned group_of(const profi_probe_info *probe)
{
    if (profi_text_memory_shows(probe) || probe->is_level)
        return NO_GROUP;
    for (size_t i = 0; i < PROFI_COUNT_OF(prefixes); i++)
        if (strncmp(probe->name, prefixes[i].prefix, strlen(prefixes[i].prefix)) == 0)
            return prefixes[i].group;
    return OWN_GROUP;
}

static int asks_for(const prof_snapshot *snapshot, unsigned group, const profi_function *function)
{
    for (uint32_t i = 0; i < snapshot->probe_count; i++)
        if (function->probes >> i & 1 && group_of(&snapshot->probes[i]) == group)
            return 1;
    return 0;
}

static void put_cell(profi_output *out, const char *text, int width)
{
    int columns = 0;
    for (const char *at = text; *at != '\0'; at++)
        columns += ((unsigned char)*at & 0xc0) != 0x80; /* characters, not bytes */
    profi_output_printf(out, "%*s%s", columns < width ? width - columns : 1, "", text);
}

/* ---- the duration, divided ---- */

/* "1.23 s 12.3 %"; `measure` is NULL where the function did not ask. */
static void put_share(profi_output *out, const profi_measure *measure, uint64_t ns, uint64_t wall_ns)
{
    char time[24], text[48] = "-";
    if (measure != NULL && measure->call_count == 0) {
        snprintf(text, sizeof(text), "unavailable");
    } else if (measure != NULL) {
        profi_format_ns(time, ns);
        if (measure->failed_count == 0 && wall_ns != 0)
            snprintf(text, sizeof(text), "%s %5.1f %%", time, 100.0 * (double)profi_min_u64(ns, wall_ns) / (double)wall_ns);
        else
            snprintf(text, sizeof(text), "%s       -", time); /* of which duration is not known */
    }
    put_cell(out, text, 19);
}

static void put_time(profi_output *out, const profi_measure *measure)
{
    char text[24] = "-";
    if (measure != NULL && measure->call_count == 0)
        snprintf(text, sizeof(text), "unavail.");
    else if (measure != NULL)
        profi_format_ns(text, (uint64_t)measure->sum);
    put_cell(out, text, 11);
}

static void put_time_line(profi_output *out, const prof_snapshot *snapshot, const profi_function *function)
{
    const profi_measure *cpu = profi_function_measure_named(snapshot, function, "cpu.time");
    const profi_measure *wait = profi_function_measure_named(snapshot, function, "wait.cpu");
    uint64_t wall_ns = function->cumulative_ns - function->open_ns;
    uint64_t cpu_ns = cpu != NULL ? (uint64_t)cpu->sum : 0, wait_ns = wait != NULL ? (uint64_t)wait->sum : 0;
    put_share(out, cpu, cpu_ns, wall_ns);
    put_share(out, wait, wait_ns, wall_ns);
    /* Both are read around the duration, so they may be a microsecond longer than it in each call. */
    put_share(out, wait != NULL && cpu != NULL && cpu->failed_count != 0 ? cpu : wait,
              wall_ns - profi_min_u64(wall_ns, cpu_ns + wait_ns), wall_ns);
    put_time(out, profi_function_measure_named(snapshot, function, "cpu.user"));
    put_time(out, profi_function_measure_named(snapshot, function, "cpu.system"));
}

/* ---- a column for each probe ---- */

static void format_value(char text[32], const char *unit, uint64_t value, const char *sign)
{
    char number[24];
    if (strcmp(unit, "ns") == 0)
        profi_format_ns(number, value);
    else if (strcmp(unit, "bytes") == 0)
        profi_format_bytes(number, (double)value, "");
    else
        snprintf(number, sizeof(number), "%" PRIu64, value);
    snprintf(text, 32, "%s%s", sign, number);
}

static int column_width(const char *title)
{
    int bytes = (int)strlen(title) + 2;
    return bytes > COLUMN ? bytes : COLUMN;
}

static void put_titles(profi_output *out, const profi_probe_info *probe)
{
    char peak[96];
    put_cell(out, probe->name, column_width(probe->name));
    if (!probe->is_gauge)
        return;
    snprintf(peak, sizeof(peak), "%s peak", probe->name);
    put_cell(out, peak, column_width(peak));
}

static void put_measure(profi_output *out, const profi_probe_info *probe, const profi_measure *measure)
{
    char sum[32] = "-", top[32] = "-", peak[96];
    if (measure != NULL && measure->call_count == 0) {
        snprintf(sum, sizeof(sum), "unavailable");
        snprintf(top, sizeof(top), "unavailable");
    } else if (measure != NULL) {
        uint64_t size = measure->sum < 0 ? -(uint64_t)measure->sum : (uint64_t)measure->sum;
        format_value(sum, probe->unit, size, measure->sum < 0 ? "-" : probe->is_gauge ? "+" : "");
        format_value(top, probe->unit, measure->top, measure->is_bound ? "\xe2\x89\xa5 " : "");
    }
    put_cell(out, sum, column_width(probe->name));
    if (!probe->is_gauge)
        return;
    snprintf(peak, sizeof(peak), "%s peak", probe->name);
    put_cell(out, top, column_width(peak));
}

/* ---- blocks ---- */

/* What could not be measured, and why. */
static void put_reasons(profi_output *out, const prof_snapshot *snapshot, unsigned group)
{
    for (uint32_t i = 0; i < snapshot->probe_count; i++)
        if (group_of(&snapshot->probes[i]) == group && snapshot->probes[i].reason != NULL)
            profi_output_printf(out, "   %s failed: %s\n", snapshot->probes[i].name, snapshot->probes[i].reason);
}

int profi_text_probe_heading(profi_output *out, const prof_snapshot *snapshot, unsigned group)
{
    uint32_t asking = 0;
    for (uint32_t i = 0; i < snapshot->function_count; i++)
        asking += (uint32_t)asks_for(snapshot, group, &snapshot->functions[i]);
    if (asking == 0)
        return 0;
    profi_output_printf(out, "\n   %s\n", headings[group]);
    put_reasons(out, snapshot, group);
    profi_output_text(out, "\n");
    if (group == TIME_GROUP)
        profi_output_text(out, "             on cpu            waiting            blocked       user     system");
    for (uint32_t i = 0; group != TIME_GROUP && i < snapshot->probe_count; i++)
        if (group_of(&snapshot->probes[i]) == group)
            put_titles(out, &snapshot->probes[i]);
    profi_output_text(out, " function\n");
    return 1;
}

int profi_text_probe_line(profi_output *out, const prof_snapshot *snapshot, unsigned group, const profi_function *function)
{
    if (!asks_for(snapshot, group, function))
        return 0;
    if (group == TIME_GROUP)
        put_time_line(out, snapshot, function);
    for (uint32_t i = 0; group != TIME_GROUP && i < snapshot->probe_count; i++)
        if (group_of(&snapshot->probes[i]) == group)
            put_measure(out, &snapshot->probes[i], profi_function_measure(function, i));
    return 1;
}

static void put_counter(profi_output *out, const profi_counter_info *counter)
{
    profi_output_printf(out, "%11" PRIu64, counter->count);
    if (counter->count != 0)
        profi_output_printf(out, " %12.6g %12.6g %12.6g %12.6g", counter->last, counter->sum / (double)counter->count,
                            counter->min, counter->max);
    else
        profi_output_printf(out, " %12s %12s %12s %12s", "-", "-", "-", "-");
    profi_output_printf(out, " %s", counter->name);
    if (counter->file != NULL)
        profi_output_printf(out, " (%s:%u)", counter->file, (unsigned)counter->line);
    if (counter->not_finite_count != 0)
        profi_output_printf(out, "; %" PRIu64 " not finite, left out", counter->not_finite_count);
    profi_output_text(out, "\n");
}

void profi_text_counters(profi_output *out, const prof_snapshot *snapshot)
{
    if (snapshot->counter_count == 0)
        return;
    profi_output_text(out, "\n   Counters: values as the program gave them\n\n"
                           "      count         last         mean          min          max counter\n");
    for (uint32_t i = 0; i < snapshot->counter_count; i++)
        put_counter(out, &snapshot->counters[i]);
}
