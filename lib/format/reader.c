/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of the table of formats that can be read: see reader.h. */
#include "reader.h"

#include "../base/error.h"

#include <locale.h>

const profi_reader profi_readers[] = {
    { "json", profi_looks_like_json, profi_read_json },
    { "prof", profi_looks_like_prof, profi_read_prof },
};
const unsigned profi_reader_count = PROFI_COUNT_OF(profi_readers);

prof_status profi_reader_run(const profi_input *input, prof_snapshot **snapshot, prof_error *err)
{
    profi_builder builder;
    if (input->bytes > PROFI_READ_MOST_BYTES)
        return profi_fail(err, PROF_E_LIMIT, "%.300s: more than %d bytes", input->what, (int)PROFI_READ_MOST_BYTES);
    for (unsigned i = 0; i < profi_reader_count; i++) {
        if (!profi_readers[i].looks_like_it(input))
            continue;
        profi_builder_init(&builder);
        /* The host's locale may read 0,5. */
        locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0), callers = plain ? uselocale(plain) : (locale_t)0;
        prof_status status = profi_readers[i].read(input, &builder, err);
        if (plain) {
            uselocale(callers);
            freelocale(plain);
        }
        if (status == PROF_OK)
            return profi_builder_finish(&builder, input->what, snapshot, err);
        profi_builder_fini(&builder);
        return status;
    }
    return profi_fail(err, PROF_E_FORMAT, "%.300s: %s", input->what,
                      input->bytes == 0 ? "the file is empty" : "neither a JSON summary, nor a .prof of cProfile, nor a .pftrace");
}

const profi_event_reader profi_event_readers[] = {
    { "pftrace", profi_looks_like_pftrace, profi_read_pftrace, NULL },
    { "stream", profi_events_is_tape, NULL, profi_events_of_tape },
};
const unsigned profi_event_reader_count = PROFI_COUNT_OF(profi_event_readers);

const profi_event_reader *profi_event_reader_find(profi_stream *stream)
{
    enum { LOOK_AT = 64 };
    size_t bytes = profi_stream_need(stream, LOOK_AT);
    for (unsigned i = 0; i < profi_event_reader_count; i++)
        if (profi_event_readers[i].looks_like_it(stream->data, bytes))
            return &profi_event_readers[i];
    return NULL;
}

static prof_status find_reader(profi_stream *stream, const char *what, const profi_event_reader **reader, prof_error *err)
{
    *reader = profi_event_reader_find(stream);
    if (stream->error != 0)
        return profi_fail_errno(err, stream->error, "cannot read %.300s", what);
    if (*reader == NULL)
        return profi_fail(err, PROF_E_FORMAT, "%.300s: %s", what,
                          stream->bytes == 0 ? "the file is empty" : "no timeline: neither a .pftrace nor a .stream");
    return PROF_OK;
}

prof_status profi_event_reader_add(profi_stream *stream, const char *what, profi_events_builder *builder, prof_error *err)
{
    const profi_event_reader *reader;
    prof_status status = find_reader(stream, what, &reader, err);
    if (status == PROF_OK && reader->read == NULL)
        status = profi_fail(err, PROF_E_UNSUPPORTED, "%.300s: a .%s is not merged as it is; make a .pftrace of it first", what,
                            reader->name);
    return status == PROF_OK ? reader->read(stream, what, builder, err) : status;
}

prof_status profi_event_reader_run(profi_stream *stream, const char *what, profi_events **events, prof_error *err)
{
    const profi_event_reader *reader;
    profi_events_builder builder;
    prof_status status = find_reader(stream, what, &reader, err);
    if (status != PROF_OK || reader->read == NULL)
        return status == PROF_OK ? reader->read_alone(stream, what, events, err) : status;
    profi_build_init(&builder);
    status = reader->read(stream, what, &builder, err);
    if (status == PROF_OK)
        return profi_build_finish(&builder, what, events, err);
    profi_build_fini(&builder);
    return status;
}
