/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open scopes as text, `.txt` of a dump: why it was made, then each thread
 * with what it is in the middle of, outermost first.
 *
 * A handler of a crash calls this: nothing here allocates, takes a lock or
 * asks the C library for more than memory functions.
 */
#include "open_stacks_write.h"

#include <string.h>

static void put_digits(profi_output *out, uint64_t number, unsigned digits)
{
    char text[20];
    for (unsigned i = digits; i-- > 0; number /= 10)
        text[i] = (char)('0' + number % 10);
    profi_output_bytes(out, text, digits);
}

/* Days since 1970 as a date, by eras of 400 years that begin in March. */
static void put_date(profi_output *out, uint64_t days)
{
    uint64_t shifted = days + 719468, era = shifted / 146097, day = shifted % 146097;
    uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    uint64_t of_year = day - (365 * year + year / 4 - year / 100), march = (5 * of_year + 2) / 153;
    uint64_t month = march < 10 ? march + 3 : march - 9;
    put_digits(out, era * 400 + year + (month <= 2), 4);
    profi_output_text(out, "-");
    put_digits(out, month, 2);
    profi_output_text(out, "-");
    put_digits(out, of_year - (153 * march + 2) / 5 + 1, 2);
}

static void put_time(profi_output *out, uint64_t unix_ns)
{
    uint64_t seconds = unix_ns / 1000000000;
    put_date(out, seconds / 86400);
    profi_output_text(out, " ");
    put_digits(out, seconds / 3600 % 24, 2);
    profi_output_text(out, ":");
    put_digits(out, seconds / 60 % 60, 2);
    profi_output_text(out, ":");
    put_digits(out, seconds % 60, 2);
    profi_output_text(out, ".");
    put_digits(out, unix_ns / 1000 % 1000000, 6);
    profi_output_text(out, " UTC");
}

static void put_duration(profi_output *out, uint64_t ns, unsigned columns)
{
    uint64_t unit = ns < 1000000000 ? 1000000 : 1000000000;
    profi_output_number(out, ns / unit, columns);
    profi_output_text(out, ".");
    put_digits(out, ns % unit / (unit / 1000), 3);
    profi_output_text(out, unit == 1000000 ? " ms" : " s ");
}

static void put_place(profi_output *out, const char *file, uint32_t line)
{
    if (file == NULL)
        return;
    profi_output_text(out, file);
    profi_output_text(out, ":");
    profi_output_number(out, line, 0);
}

static void put_count(profi_output *out, uint64_t count, const char *what)
{
    profi_output_number(out, count, 0);
    profi_output_text(out, " ");
    profi_output_text(out, what);
    profi_output_text(out, count == 1 ? "" : "s");
}

static void put_mark(profi_output *out, const profi_open_stacks *stacks, const profi_mark *mark)
{
    profi_output_text(out, "   ");
    if (mark->name != NULL) {
        profi_output_text(out, mark->name);
        profi_output_text(out, " had run for ");
        put_duration(out, mark->age_ns, 0);
        profi_output_text(out, ", its limit is ");
        put_duration(out, mark->limit_ns, 0);
        for (size_t i = 0; i < stacks->thread_count; i++) {
            profi_stack_thread thread = profi_open_stacks_thread(stacks, i);
            if (thread.number == mark->thread) {
                profi_output_text(out, ", on thread ");
                profi_output_number(out, (uint64_t)thread.tid, 0);
            }
        }
    } else {
        profi_output_text(out, mark->trigger);
    }
    if (mark->reason != NULL) {
        profi_output_text(out, ": ");
        profi_output_text(out, mark->reason);
    }
    profi_output_text(out, "\n");
}

static void put_heading(const profi_open_stacks *stacks, profi_output *out)
{
    profi_output_text(out, "Open scopes of ");
    profi_output_text(out, stacks->run_name);
    profi_output_text(out, ", process ");
    profi_output_number(out, (uint64_t)stacks->pid, 0);
    profi_output_text(out, ", at ");
    put_time(out, stacks->taken.unix_ns);
    /* With the mark by which a file of ours is known: format/writer.c. */
    profi_output_text(out, "\n\n-- profcore ");
    profi_output_number(out, PROF_VERSION >> 16, 0);
    profi_output_text(out, ".");
    profi_output_number(out, PROF_VERSION >> 8 & 0xff, 0);
    profi_output_text(out, ".");
    profi_output_number(out, PROF_VERSION & 0xff, 0);
    profi_output_text(out, stacks->mark_count != 0 ? ": dump, " : ": ");
    profi_output_text(out, stacks->mark_count != 0 ? stacks->marks[0].trigger : "open scopes");
    profi_output_text(out, "\n");
    for (size_t i = 0; i < stacks->mark_count; i++)
        put_mark(out, stacks, &stacks->marks[i]);
    if (stacks->skipped != 0) {
        profi_output_text(out, "   ");
        put_count(out, stacks->skipped, "trigger");
        profi_output_text(out, " before this one made no dump: too soon after another\n");
    }
    if (stacks->is_partial)
        profi_output_text(out, "   the other threads could not be read\n");
}

static void put_scope(const profi_stack_scope *scope, size_t depth, profi_output *out)
{
    enum { INDENTED = 20 };
    if (scope->is_timed)
        put_duration(out, scope->age_ns, 10);
    else
        profi_output_text(out, "      not timed  ");
    profi_output_text(out, "  ");
    for (size_t i = 0; i < depth && i < INDENTED; i++)
        profi_output_text(out, "  ");
    profi_output_text(out, scope->name);
    profi_output_text(out, "  ");
    put_place(out, scope->file, scope->line);
    profi_output_text(out, "\n");
}

static void put_thread(const profi_open_stacks *stacks, size_t index, profi_output *out)
{
    profi_stack_thread thread = profi_open_stacks_thread(stacks, index);
    profi_output_text(out, "\nThread ");
    profi_output_number(out, (uint64_t)thread.tid, 0);
    if (thread.name[0] != '\0') {
        profi_output_text(out, " \"");
        profi_output_text(out, thread.name);
        profi_output_text(out, "\"");
    }
    if (thread.count == 0 && thread.lost == 0)
        profi_output_text(out, ": no open scope");
    profi_output_text(out, "\n");
    for (size_t i = 0; i < thread.count; i++) {
        profi_stack_scope scope = profi_open_stacks_scope(stacks, thread.first + i);
        put_scope(&scope, i, out);
    }
    if (thread.lost != 0) {
        profi_output_text(out, "   and inside ");
        put_count(out, thread.lost, "scope");
        profi_output_text(out, " for which memory had no room\n");
    }
    if (thread.is_moving)
        profi_output_text(out, "   and perhaps more inside: it is moving\n");
}

void profi_write_stacks_txt(const profi_open_stacks *stacks, profi_output *out)
{
    put_heading(stacks, out);
    for (size_t i = 0; i < stacks->thread_count; i++)
        put_thread(stacks, i, out);
}
