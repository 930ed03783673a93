/* SPDX-License-Identifier: Apache-2.0 */
/* profcore info: what a file is and holds. */
#include "cli.h"
#include "input.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TOP = 5 };

static const cli_option options[] = { { NULL, 0, NULL, NULL } };

/* "1.5 ms": three digits or more. */
static const char *time_text(char text[32], uint64_t ns)
{
    static const struct { double ns; const char *unit; } units[] = { { 1e9, "s" }, { 1e6, "ms" }, { 1e3, "us" } };
    for (unsigned i = 0; i < 3; i++)
        if ((double)ns >= units[i].ns) {
            snprintf(text, 32, "%.3f %s", (double)ns / units[i].ns, units[i].unit);
            return text;
        }
    snprintf(text, 32, "%" PRIu64 " ns", ns);
    return text;
}

static void put_moment(const char *label, uint64_t unix_ns)
{
    time_t seconds = (time_t)(unix_ns / 1000000000u);
    struct tm utc;
    char when[40];
    if (unix_ns != 0 && gmtime_r(&seconds, &utc) != NULL && strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &utc) != 0)
        printf("%-11s%s UTC\n", label, when);
}

/* ---- functions ---- */

static int compare_self(const void *one, const void *other)
{
    const prof_function *a = one, *b = other;
    return a->self_ns != b->self_ns ? (a->self_ns < b->self_ns ? 1 : -1) : a->id < b->id ? -1 : a->id > b->id;
}

static void put_function(const prof_function *row, uint64_t total_ns)
{
    char self[32];
    printf("  %12s %5.1f %%  %10" PRIu64 " calls  ", time_text(self, row->self_ns),
           total_ns ? 100.0 * (double)row->self_ns / (double)total_ns : 0.0, row->calls);
    cli_put_clean(stdout, row->name);
    if (row->file != NULL) {
        printf("  ");
        cli_put_clean(stdout, row->file);
        printf(":%u", (unsigned)row->line);
    }
    printf("\n");
}

static void put_functions(const prof_snapshot *snapshot)
{
    uint32_t count = prof_snapshot_function_count(snapshot);
    prof_function *rows = calloc((size_t)count + 1, sizeof(*rows));
    uint64_t total = 0;
    for (uint32_t i = 0; rows != NULL && i < count; i++) {
        rows[i] = (prof_function)PROF_FUNCTION_INIT;
        prof_snapshot_function(snapshot, i, &rows[i], NULL);
        total += rows[i].self_ns;
    }
    if (rows != NULL && count != 0) {
        qsort(rows, count, sizeof(*rows), compare_self);
        printf("\nmost time of their own, of %u functions\n", (unsigned)count);
        for (uint32_t i = 0; i < count && i < TOP; i++)
            put_function(&rows[i], total);
    }
    free(rows);
}

/* ---- a timeline ---- */

/* A slice that took long. */
typedef struct slow {
    uint64_t ns, track, index;
} slow;

static void note_slow(slow top[TOP], slow one)
{
    for (int i = 0; i < TOP; i++)
        if (one.ns > top[i].ns) {
            slow moved = top[i];
            top[i] = one;
            one = moved;
        }
}

static void put_argument(const prof_timeline_argument *argument)
{
    printf("  ");
    cli_put_clean(stdout, argument->name);
    if (argument->type == PROF_ARG_INT)
        printf("=%" PRId64, argument->integer);
    else if (argument->type == PROF_ARG_DOUBLE)
        printf("=%g", argument->number);
    else {
        printf("=");
        cli_put_clean(stdout, argument->text);
    }
}

static void put_slow(const prof_timeline *timeline, const slow *one, uint64_t first_ns)
{
    prof_timeline_slice slice = PROF_TIMELINE_SLICE_INIT;
    prof_timeline_track track = PROF_TIMELINE_TRACK_INIT;
    prof_timeline_argument argument = PROF_TIMELINE_ARGUMENT_INIT;
    char took[32], at[32];
    prof_timeline_slice_get(timeline, one->track, one->index, &slice, NULL);
    prof_timeline_track_get(timeline, one->track, &track, NULL);
    printf("  %12s  at %12s  ", time_text(took, one->ns), time_text(at, slice.start_ns - first_ns));
    cli_put_clean(stdout, slice.name);
    printf("  on ");
    cli_put_clean(stdout, track.name);
    if (slice.end_ns == UINT64_MAX)
        printf("  (had not ended)");
    for (uint64_t i = 0; i < slice.argument_count; i++)
        if (prof_timeline_argument_get(timeline, one->track, one->index, i, &argument, NULL) == PROF_OK)
            put_argument(&argument);
    if (slice.request.high != 0)
        printf("  request=%016" PRIx64 "%016" PRIx64, slice.request.high, slice.request.low);
    else if (slice.request.low != 0)
        printf("  request=%" PRIu64, slice.request.low);
    printf("\n");
}

static void put_slowest(const prof_timeline *timeline, const prof_timeline_about *about)
{
    prof_timeline_track track = PROF_TIMELINE_TRACK_INIT;
    prof_timeline_slice slice = PROF_TIMELINE_SLICE_INIT;
    slow top[TOP] = { { 0, 0, 0 } };
    for (uint64_t t = 0; prof_timeline_track_get(timeline, t, &track, NULL) == PROF_OK; t++)
        for (uint64_t i = 0; i < track.slice_count; i++) {
            prof_timeline_slice_get(timeline, t, i, &slice, NULL);
            uint64_t end = slice.end_ns == UINT64_MAX ? about->last_ns : slice.end_ns;
            if (slice.kind <= PROF_SLICE_SPAN && end > slice.start_ns)
                note_slow(top, (slow){ end - slice.start_ns, t, i });
        }
    if (top[0].ns != 0)
        printf("\nslowest\n");
    for (int i = 0; i < TOP && top[i].ns != 0; i++)
        put_slow(timeline, &top[i], about->first_ns);
}

static void put_count(uint64_t count, const char *what)
{
    if (count != 0)
        printf("           %" PRIu64 " %s\n", count, what);
}

static void put_processes(const prof_timeline *timeline, const prof_timeline_about *about)
{
    enum { MOST = 10 };
    for (uint32_t i = 0; i < about->process_count && i < MOST; i++) {
        prof_timeline_process process = PROF_TIMELINE_PROCESS_INIT;
        prof_timeline_process_get(timeline, i, &process, NULL);
        printf("%-11s%" PRId64 "  ", i == 0 ? "processes" : "", process.pid);
        cli_put_clean(stdout, process.name);
        printf("\n");
    }
    if (about->process_count > MOST)
        printf("           and %u more\n", (unsigned)(about->process_count - MOST));
}

static prof_status put_timeline(const prof_timeline *timeline, const char *kind, prof_error *err)
{
    prof_timeline_about about = PROF_TIMELINE_ABOUT_INIT;
    prof_snapshot *snapshot = NULL;
    char span[32];
    prof_status status = prof_timeline_about_get(timeline, &about, err);
    if (status == PROF_OK)
        status = prof_timeline_snapshot(timeline, &snapshot, err);
    if (status != PROF_OK)
        return status;
    printf("kind       timeline, %s\nproducer   %s\n", kind, about.producer != NULL ? about.producer : "not named");
    put_processes(timeline, &about);
    printf("tracks     %" PRIu64 "\nspan       %s\n", about.track_count, time_text(span, about.last_ns - about.first_ns));
    put_moment("until", about.last_unix_ns);
    printf("events     %" PRIu64 "\nlosses     %" PRIu64 " events that the recording no longer had\n", about.event_count, about.lost_count);
    put_count(about.unfinished, "slices had not ended");
    put_count(about.stray_ends, "ends of slices that did not begin");
    put_count(about.disordered, "events out of order, moved to the time of the one before");
    put_count(about.without_clock, "events left out: their clock's relation to the others is not known");
    put_count(about.without_names, "events left out: the packets that they refer to are missing");
    put_count(about.not_understood, "events or arguments left out: of kinds that are not read");
    put_count(about.other_packets, "packets of other producers, left out");
    put_count(about.torn_bytes, "bytes behind the last whole packet or record");
    if (about.has_no_end)
        printf("           the stream's end is missing: there may have been more\n");
    put_functions(snapshot);
    put_slowest(timeline, &about);
    prof_snapshot_close(snapshot);
    return PROF_OK;
}

/* ---- a profile ---- */

static void put_profile(const prof_snapshot *snapshot)
{
    prof_about about = PROF_ABOUT_INIT;
    char span[32];
    prof_snapshot_about(snapshot, &about, NULL);
    printf("kind       profile%s\nname       ", about.has & PROF_ABOUT_HAS_PATHS ? ", with call paths" : "");
    cli_put_clean(stdout, about.name);
    printf("\nprocesses  %" PRIu64 "\n", about.process_count);
    if (about.has & PROF_ABOUT_HAS_DURATION)
        printf("span       %s\n", time_text(span, about.recorded_ns));
    put_moment("until", about.taken_unix_s * 1000000000u);
    printf("losses     %" PRIu64 " calls\n", about.lost_count);
    put_functions(snapshot);
}

static int run(const cli_command *command, int argc, char **argv)
{
    cli_reader reader = { .command = command, .argc = argc, .argv = argv, .at = 1 };
    prof_error err = PROF_ERROR_INIT;
    prof_timeline *timeline = NULL;
    prof_snapshot *snapshot = NULL;
    const char *path = NULL, *value;
    input_file file;
    while (cli_next(&reader, &value) != CLI_END) {
        if (path != NULL)
            cli_wrong(command, "one file at a time, and %s is a second", value);
        path = value;
    }
    if (path == NULL)
        cli_wrong(command, "which file?");
    prof_status status = input_open(command, path, &file, &err);
    if (status == PROF_OK && input_is_timeline(&file)) {
        status = input_read_timelines(&file, 1, &timeline, &err);
        status = status == PROF_OK ? put_timeline(timeline, input_is_stream(&file) ? "stream" : "pftrace", &err) : status;
    } else if (status == PROF_OK) {
        status = input_read_opened(&file, &snapshot, &err);
        if (status == PROF_OK)
            put_profile(snapshot);
    }
    input_close(&file);
    prof_timeline_close(timeline);
    prof_snapshot_close(snapshot);
    return cli_result(command, status, &err);
}

const cli_command command_info = {
    "info", "say what a file is and holds", "FILE",
    "FILE is a timeline (.pftrace) or a profile (.json, .prof); - is standard input.  Of a\n"
    "timeline: whose it is, processes, how long, events and losses, what was left out and why,\n"
    "the functions with most time of their own, and the slowest scopes and spans with their\n"
    "arguments.\n",
    options, 0, run,
};
