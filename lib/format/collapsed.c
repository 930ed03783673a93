/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collapsed stacks, `.collapsed`: a line for each call path, as flamegraph.pl
 * and speedscope read it,
 *
 *     main;load;parse 1200
 *
 * with its own time.  That is in nanoseconds, since the format has integers
 * only and many scopes take less than a microsecond: so the sums are exact.
 * A path without time of its own has no line unless nothing stands on it,
 * so that every path is in the file; notes of ours are such lines.
 *
 * In names a semicolon becomes \x3b.  The blank in "layer 12" becomes an
 * underscore: flamegraph.pl takes a number before the last one for a figure.
 * Other blanks stay.  Line ends are escapes since names were cleaned.
 * Source of the format: FlameGraph's README.md and flamegraph.pl.
 */
#include "pstats.h"
#include "stacks.h"
#include "writer.h"

#include "../base/error.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Where the blank stands after which there is only a number; the name's end where there is none. */
static const char *number_blank(const char *name)
{
    const char *end = name + strlen(name), *at = end;
    while (at > name && ((at[-1] >= '0' && at[-1] <= '9') || at[-1] == '.'))
        at--;
    return at < end && at > name && at[-1] == ' ' ? at - 1 : end;
}

static void put_name(profi_output *out, const char *name)
{
    const char *blank = number_blank(name);
    while (*name != '\0') {
        size_t plain = strcspn(name, "; ");
        profi_output_bytes(out, name, plain);
        name += plain;
        if (*name == ';')
            profi_output_text(out, "\\x3b");
        else if (*name == ' ')
            profi_output_text(out, name == blank ? "_" : " ");
        name += *name != '\0';
    }
}

/* The outermost function first; `frames` has room for the deepest stack. */
static void put_stack(const profi_stacks *stacks, const prof_snapshot *snapshot, uint32_t index, uint32_t *frames,
                      profi_output *out)
{
    uint32_t count = 0;
    for (uint32_t at = index; at != PROFI_NONE; at = stacks->stacks[at].parent)
        frames[count++] = stacks->stacks[at].function;
    while (count-- > 0) {
        put_name(out, frames[count] != PROFI_NONE ? snapshot->functions[frames[count]].name : stacks->mark);
        if (count != 0)
            profi_output_text(out, ";");
    }
    profi_output_printf(out, " %" PRIu64 "\n", stacks->stacks[index].self_ns);
}

prof_status profi_write_collapsed(const prof_snapshot *snapshot, const char *sort, profi_output *out, prof_error *err)
{
    profi_stacks stacks;
    profi_notes notes;
    (void)sort; /* flame graphs sort */
    prof_status status = profi_stacks_init(&stacks, snapshot, "collapsed", err);
    if (status != PROF_OK)
        return status;
    uint32_t *frames = calloc((size_t)stacks.deepest + 1, sizeof(*frames));
    if (frames == NULL) {
        profi_stacks_fini(&stacks);
        return profi_fail(err, PROF_E_NO_MEMORY, "no memory to write \"collapsed\"");
    }
    profi_output_text(out, PROFI_COLLAPSED_START ": nanoseconds 0\n");
    unsigned note_count = profi_notes_of(snapshot, &notes);
    for (unsigned i = 0; i < note_count; i++)
        profi_output_printf(out, "<%s> 0\n", notes.texts[i]);
    for (uint32_t i = 0; i < stacks.count; i++)
        if (stacks.stacks[i].self_ns != 0 || !stacks.stacks[i].has_callees)
            put_stack(&stacks, snapshot, i, frames, out);
    free(frames);
    profi_stacks_fini(&stacks);
    return PROF_OK;
}
