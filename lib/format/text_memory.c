/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that allocators told of, for people: the process's, what each
 * function's calls allocated, and what is still there, by the scopes in which
 * it was allocated.
 */
#include "text_memory.h"

#include "text_units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The probes of a kind, in their order from the first on. */
enum { ALLOCATED, FREED, BLOCKS, FREED_BLOCKS, PEAK, LARGEST, KINDS };
static const char *const suffixes[KINDS] = {
    [ALLOCATED] = ".allocated", [FREED] = ".freed", [BLOCKS] = ".blocks", [FREED_BLOCKS] = ".freed_blocks",
    [PEAK] = ".peak",           [LARGEST] = ".largest",
};
static const char prefix[] = "memory.";

static int has_suffix(const profi_probe_info *probe, unsigned kind)
{
    size_t bytes = strlen(probe->name), suffix = strlen(suffixes[kind]);
    return strncmp(probe->name, prefix, strlen(prefix)) == 0 && bytes > strlen(prefix) + suffix &&
           strcmp(probe->name + bytes - suffix, suffixes[kind]) == 0;
}

int profi_text_memory_shows(const profi_probe_info *probe)
{
    for (unsigned kind = 0; kind < KINDS; kind++)
        if (has_suffix(probe, kind))
            return 1;
    return 0;
}

int profi_text_memory_begins(const profi_probe_info *probe) { return has_suffix(probe, ALLOCATED); }

/* How many bytes of its name are the kind's, from behind the prefix on. */
static int name_bytes(const profi_probe_info *first)
{
    return (int)(strlen(first->name) - strlen(prefix) - strlen(suffixes[ALLOCATED]));
}

/* What a function's calls have of this; NULL where nothing was measured. */
static const profi_measure *measure_of(const prof_snapshot *snapshot, uint32_t probe, const profi_function *function, unsigned kind)
{
    char name[128];
    const profi_probe_info *first = &snapshot->probes[probe];
    snprintf(name, sizeof(name), "%s%.*s%s", prefix, name_bytes(first), first->name + strlen(prefix), suffixes[kind]);
    const profi_measure *measure = profi_function_measure_named(snapshot, function, name);
    return measure != NULL && measure->call_count != 0 ? measure : NULL;
}

static int has_any(const prof_snapshot *snapshot, uint32_t probe, const profi_function *function)
{
    const profi_measure *blocks = measure_of(snapshot, probe, function, BLOCKS);
    const profi_measure *freed = measure_of(snapshot, probe, function, FREED_BLOCKS);
    return (blocks != NULL && blocks->sum != 0) || (freed != NULL && freed->sum != 0);
}

int profi_text_memory_heading(profi_output *out, const prof_snapshot *snapshot, uint32_t probe)
{
    uint32_t having = 0;
    const profi_probe_info *first = &snapshot->probes[probe];
    for (uint32_t i = 0; i < snapshot->function_count; i++)
        having += (uint32_t)has_any(snapshot, probe, &snapshot->functions[i]);
    if (having == 0)
        return 0;
    profi_output_printf(out, "\n   Memory of %.*s that the calling threads allocated, as its allocator told, summed over calls (peak: "
                             "how far what a\n   thread holds rose in a call, largest: a block, both the most in any call; left: "
                             "allocated less freed, by its thread)\n\n"
                             "      allocated     blocks         peak      largest          left  blocks function\n",
                        name_bytes(first), first->name + strlen(prefix));
    return 1;
}

static void format_sum(char text[24], const profi_measure *measure)
{
    strcpy(text, "-");
    if (measure != NULL)
        profi_format_bytes(text, (double)measure->sum, "");
}

static void format_top(char text[24], const profi_measure *measure)
{
    strcpy(text, "-");
    if (measure != NULL)
        profi_format_bytes(text, (double)measure->top, "");
}

/* What was allocated and not freed; both are known, or neither. */
static int64_t left_of(const profi_measure *allocated, const profi_measure *freed)
{
    return allocated != NULL && freed != NULL ? allocated->sum - freed->sum : 0;
}

int profi_text_memory_line(profi_output *out, const prof_snapshot *snapshot, uint32_t probe, const profi_function *function)
{
    char allocated[24], peak[24], largest[24], left[24], left_blocks[24];
    const profi_measure *of[KINDS];
    if (!has_any(snapshot, probe, function))
        return 0;
    for (unsigned kind = 0; kind < KINDS; kind++)
        of[kind] = measure_of(snapshot, probe, function, kind);
    int64_t bytes = left_of(of[ALLOCATED], of[FREED]), blocks = left_of(of[BLOCKS], of[FREED_BLOCKS]);
    format_sum(allocated, of[ALLOCATED]);
    format_top(peak, of[PEAK]);
    format_top(largest, of[LARGEST]);
    profi_format_bytes(left, (double)(bytes < 0 ? -bytes : bytes), bytes < 0 ? "-" : bytes > 0 ? "+" : "");
    snprintf(left_blocks, sizeof(left_blocks), blocks != 0 ? "%+" PRId64 : "0", blocks);
    profi_output_printf(out, "%15s %10" PRId64 " %12s %12s %13s %7s", allocated, of[BLOCKS] ? of[BLOCKS]->sum : 0, peak, largest,
                        left, left_blocks);
    return 1;
}

/* ---- the process, and places ---- */

static void put_memory(profi_output *out, const prof_snapshot *snapshot, const profi_memory_info *memory)
{
    char live[24], peak[24], of[64] = "of the whole process, as its allocator told";
    if (snapshot->process_count > 1)
        snprintf(of, sizeof(of), "of %u processes, as their allocators told", (unsigned)snapshot->process_count);
    profi_format_bytes(live, (double)memory->live_bytes, "");
    profi_format_bytes(peak, (double)memory->peak_bytes, "");
    profi_output_printf(out, "\n   Memory of %s, %s: %s in %" PRIu64 " blocks now, peak %s%s; %" PRIu64 " blocks in all\n", memory->name, of, live,
                        memory->live_count, peak, snapshot->process_count > 1 ? " in one" : "", memory->allocated_count);
    if (memory->lost_count != 0)
        profi_output_printf(out, "   %" PRIu64 " more were allocated for which there was no room in the table of blocks: in no figure\n",
                            memory->lost_count);
    if (memory->unknown_count != 0)
        profi_output_printf(out, "   %" PRIu64 " blocks were freed that had been allocated before it told, or lost: in no figure\n",
                            memory->unknown_count);
}

void profi_text_memory_places(profi_output *out, const prof_snapshot *snapshot)
{
    enum { SHOWN = 20 };
    uint32_t count = 0;
    for (uint32_t i = 0; i < snapshot->memory_count; i++)
        put_memory(out, snapshot, &snapshot->memories[i]);
    while (count < snapshot->place_count && snapshot->places[count].grown_bytes > 0)
        count++; /* which come first */
    if (snapshot->memory_count == 0 || (count == 0 && !snapshot->is_marked))
        return;
    profi_output_printf(out, "   %s the scopes that were open then%s\n",
                        snapshot->is_marked ? "More than at prof_memory_mark(), of the blocks allocated since, by"
                                            : "Still allocated, of the blocks that were, by",
                        count != 0 ? "\n\n          bytes     blocks         of where" : ": nothing");
    for (uint32_t i = 0; i < count && i < SHOWN; i++) {
        const profi_place_info *place = &snapshot->places[i];
        char bytes[24];
        profi_format_bytes(bytes, (double)place->grown_bytes, "");
        profi_output_printf(out, "%15s %10" PRId64 " %10" PRIu64 " %s\n", bytes, place->grown_count, place->new_count,
                            place->path[0] != '\0' ? place->path : "(outside all scopes)");
    }
    if (count > SHOWN)
        profi_output_printf(out, "   and %u places more\n", (unsigned)count - SHOWN);
}
