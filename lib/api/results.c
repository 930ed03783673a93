/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions that take, read and write a snapshot: checks, then delegates. */
#include "recorder.h"
#include "result_file.h"
#include "streamer.h"

#include "../base/error.h"
#include "../base/input.h"
#include "../base/system.h"
#include "../format/reader.h"
#include "../format/open_stacks_write.h"
#include "../model/events_snapshot.h"
#include "../record/dead.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

prof_status prof_snapshot_take(prof_snapshot **snapshot, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    profi_run_facts facts;
    if (snapshot == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_snapshot_take: snapshot is NULL");
    if (!profi_recorder_facts(&facts))
        return profi_fail(err, PROF_E_INVALID, "nothing was recorded: prof_start() was never called");
    profi_gpu_settle(0);
    return profi_snapshot_take(&facts, snapshot, err);
}

/* A table of single events. */
static prof_status read_timeline(profi_stream *stream, const char *what, prof_snapshot **snapshot, prof_error *err)
{
    profi_events *events;
    prof_status status = profi_event_reader_run(stream, what, &events, err);
    if (status != PROF_OK)
        return status;
    status = profi_snapshot_of_events(events, what, snapshot, err);
    profi_events_close(events);
    return status;
}

/* What a killed process left. */
static prof_status read_dead(const void *data, size_t bytes, const char *what, prof_snapshot **snapshot, prof_error *err)
{
    profi_dead dead;
    prof_status status = profi_dead_read(data, bytes, what, &dead, err);
    if (status != PROF_OK)
        return status;
    status = profi_snapshot_of_dead(&dead, snapshot, err);
    profi_dead_fini(&dead);
    return status;
}

prof_status prof_snapshot_read(const void *data, size_t bytes, const char *what, prof_snapshot **snapshot,
                               prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    const profi_input input = { data, bytes, what != NULL ? what : "the data" };
    if ((data == NULL && bytes != 0) || snapshot == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_snapshot_read: %s is NULL", snapshot ? "data" : "snapshot");
    if (profi_dead_is(data, bytes))
        return read_dead(data, bytes, input.what, snapshot, err);
    profi_stream stream;
    profi_stream_of_memory(&stream, data, bytes);
    if (profi_event_reader_find(&stream) != NULL)
        return read_timeline(&stream, input.what, snapshot, err);
    return profi_reader_run(&input, snapshot, err);
}

/* Whether a file is a timeline, which is read piece by piece; if so, *status says how that went. */
static int is_timeline(int fd, const char *path, prof_snapshot **snapshot, prof_status *status, prof_error *err)
{
    profi_stream stream;
    profi_stream_of_callback(&stream, profi_stream_read_fd, &fd);
    int is = profi_event_reader_find(&stream) != NULL;
    if (is)
        *status = read_timeline(&stream, path, snapshot, err);
    profi_stream_fini(&stream);
    return is;
}

prof_status prof_snapshot_read_file(const char *path, prof_snapshot **snapshot, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    char *data;
    size_t bytes;
    if (path == NULL || snapshot == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_snapshot_read_file: %s is NULL", path ? "snapshot" : "path");
    int fd;
    prof_status status = profi_input_open(path, &fd, err);
    if (status != PROF_OK)
        return status;
    int is = is_timeline(fd, path, snapshot, &status, err);
    close(fd);
    if (is)
        return status;
    status = profi_input_read(path, PROFI_READ_MOST_BYTES, &data, &bytes, err);
    if (status != PROF_OK)
        return status;
    status = prof_snapshot_read(data, bytes, path, snapshot, err);
    free(data);
    return status;
}

prof_status prof_snapshot_write(const prof_snapshot *snapshot, const char *format, const char *sort,
                                prof_write_callback write, void *user, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    const profi_writer *writer;
    if (snapshot == NULL || write == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_snapshot_write: %s is NULL", snapshot ? "write" : "snapshot");
    prof_status status = profi_find_writer(format, &writer, err);
    return status == PROF_OK ? profi_writer_run(writer, snapshot, sort, write, user, err) : status;
}

prof_status prof_snapshot_print(const prof_snapshot *snapshot, const prof_print_options *options,
                                prof_write_callback write, void *user, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    enum { OPTIONS_SIZE_0 = 32 }; /* as of version 0.1 */
    static const uint32_t known_flags = PROF_PRINT_REVERSE | PROF_PRINT_STRIP_DIRS | PROF_PRINT_COLOR;
    prof_print_options given = PROF_PRINT_OPTIONS_INIT;
    prof_status status = PROF_OK;
    if (snapshot == NULL || write == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_snapshot_print: %s is NULL", snapshot ? "write" : "snapshot");
    if (options != NULL)
        status = profi_struct_read(&given, sizeof(given), options, OPTIONS_SIZE_0, "prof_print_options", err);
    if (status == PROF_OK && given.flags & ~known_flags)
        status = profi_fail(err, PROF_E_INVALID, "prof_print_options.flags has the unknown bits 0x%x",
                            (unsigned)(given.flags & ~known_flags));
    if (status == PROF_OK && given.view > PROF_PRINT_CALLEES)
        status = profi_fail(err, PROF_E_INVALID, "prof_print_options.view: there is no view %u", (unsigned)given.view);
    return status == PROF_OK ? profi_print_run(snapshot, &given, write, user, err) : status;
}

prof_status prof_events_write(const char *format, prof_write_callback write, void *user, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    profi_run_facts facts;
    const profi_writer *writer;
    profi_events *events;
    if (write == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_events_write: write is NULL");
    prof_status status = profi_find_event_writer(format, &writer, err);
    if (status != PROF_OK)
        return status;
    if (!profi_recorder_facts(&facts))
        return profi_fail(err, PROF_E_INVALID, "nothing was recorded: prof_start() was never called");
    profi_gpu_settle(0);
    profi_sampler_settle_pools();
    status = profi_streamer_events(facts.name, &events, err);
    if (status != PROF_OK)
        return status;
    if (events->issued == 0)
        status = profi_fail(err, PROF_E_UNAVAILABLE, "there are no events: no scope has ended, or PROFCORE_MODE=tree keeps none");
    else
        status = profi_writer_run_events(writer, events, write, user, err);
    profi_events_close(events);
    return status;
}

prof_status prof_stacks_write(const char *format, prof_write_callback write, void *user, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    profi_run_facts facts;
    profi_open_stacks stacks;
    if (write == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_stacks_write: write is NULL");
    if (format == NULL || (strcmp(format, "txt") != 0 && strcmp(format, "json") != 0))
        return profi_fail(err, PROF_E_INVALID, "open scopes are written as \"txt\" or \"json\", not as \"%.40s\"",
                          format != NULL ? format : "(null)");
    if (!profi_recorder_facts(&facts))
        return profi_fail(err, PROF_E_INVALID, "nothing was recorded: prof_start() was never called");
    prof_status status = profi_open_stacks_take(&stacks, facts.name, err);
    if (status != PROF_OK)
        return status;
    status = profi_open_stacks_run(&stacks, format, write, user, err);
    profi_open_stacks_fini(&stacks);
    return status;
}

prof_status prof_snapshot_write_file(const prof_snapshot *snapshot, const char *format, const char *path,
                                     prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    profi_result result = { .snapshot = snapshot };
    if (snapshot == NULL || path == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_snapshot_write_file: %s is NULL", snapshot ? "path" : "snapshot");
    prof_status status = profi_find_writer(format, &result.writer, err);
    return status == PROF_OK ? profi_result_write_file(&result, path, err) : status;
}
