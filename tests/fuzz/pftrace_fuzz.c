/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timelines from anybody: what is taken can be written in every format, a
 * .pftrace of it is read again and says the same, and its table is one.
 */
#include "fuzz.h"

#include "format/reader.h"
#include "format/writer.h"

static profi_events *fuzz_read(const void *data, size_t bytes)
{
    profi_events *events = NULL;
    prof_error err = PROF_ERROR_INIT;
    profi_stream stream;
    profi_stream_of_memory(&stream, data, bytes);
    prof_status status = profi_event_reader_run(&stream, "input", &events, &err);
    MUST(status == PROF_OK ? events != NULL : events == NULL && err.status == status && err.message[0] != '\0');
    profi_stream_fini(&stream);
    return events;
}

static fuzz_buffer fuzz_write_events(const profi_events *events, const profi_writer *writer)
{
    fuzz_buffer buffer = { NULL, 0, 0 };
    MUST(profi_writer_run_events(writer, events, fuzz_append, &buffer, NULL) == PROF_OK);
    return buffer;
}

/* Every slice once, each with a parent that began no later. */
static void fuzz_walk_track(const profi_events *events, uint64_t first, uint64_t count)
{
    profi_slice slice;
    uint32_t depth = 0;
    for (uint64_t i = 0; i < count; i++) {
        MUST(profi_events_read(events, first, count, i, &slice, 1) == 1);
        MUST(slice.site < events->site_count && slice.end_ns >= slice.start_ns);
        MUST(i == 0 ? slice.depth == 0 : slice.depth <= depth + 1);
        for (size_t j = 0; j < slice.detail_count; j++)
            MUST(slice.details[j].kind > PROFI_ARG_TEXT || slice.details[j].name < events->site_count);
        depth = slice.depth;
    }
}

static uint64_t fuzz_walk_events(const profi_events *events)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < events->thread_count; i++) {
        fuzz_walk_track(events, events->threads[i].first, events->threads[i].count);
        count += events->threads[i].count;
        MUST(events->threads[i].process < events->process_count);
    }
    for (size_t i = 0; i < events->lane_count; i++) {
        fuzz_walk_track(events, events->lanes[i].first, events->lanes[i].count);
        count += events->lanes[i].count;
    }
    MUST(count == events->held && events->issued == events->held + events->lost);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    profi_events *events = fuzz_read(data, bytes), *again;
    if (events == NULL)
        return 0;
    uint64_t count = fuzz_walk_events(events);
    for (unsigned i = 0; i < profi_writer_count; i++)
        if (profi_writers[i].write_events != NULL)
            free(fuzz_write_events(events, &profi_writers[i]).data);
    fuzz_buffer file = fuzz_write_events(events, profi_writer_find("pftrace", 7));
    again = fuzz_read(file.data, file.bytes);
    MUST(again != NULL && fuzz_walk_events(again) == count && again->notes.stray_ends == 0);
    profi_events_close(again);
    profi_events_close(events);
    free(file.data);
    return fuzz_profile(data, bytes);
}
