/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads `.pftrace` files, ours and any other with TrackEvent packets: the
 * outermost message packet by packet, so a file may be larger than memory.
 *
 * What other producers wrote beside, such as the kernel's scheduler, is
 * counted and left out; so is what cannot be placed: times of clocks that
 * nothing relates to the others, names that were interned in packets which
 * are missing.  Only our own files are known to have each track's events in
 * order.  Nothing recurses: no message is looked into deeper than the
 * functions here nest.
 */
#include "pftrace_state.h"
#include "reader.h"
#include "writer.h"

#include "../base/error.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PACKET_BYTES = 256 << 20 };

/* A packet's fields. */
typedef struct packet {
    uint64_t sequence_id;
    int is_known, is_compressed;
    profi_pftrace_packet of_event;
    profi_field interned, defaults, track, clocks, old_process, old_thread; /* without data where there is none */
} packet;

static void read_defaults(profi_pftrace_reading *r, profi_wire wire)
{
    profi_field field;
    while (profi_wire_next(&wire, &field)) {
        if (field.number == DEFAULTS_CLOCK)
            r->sequence->default_clock = field.value;
        if (field.number != DEFAULTS_EVENT || !profi_field_is_text(&field))
            continue;
        profi_wire defaults = profi_wire_of(&field);
        while (profi_wire_next(&defaults, &field))
            if (field.number == EVENT_TRACK)
                r->sequence->default_track = field.value;
    }
}

/* What there was before tracks: the sequence is this thread's. */
static void read_old_thread(profi_pftrace_reading *r, profi_wire wire)
{
    profi_pftrace_track read = { 0 };
    profi_field field;
    profi_pftrace_describe_thread(&r->state, &read, wire);
    while (profi_wire_next(&wire, &field))
        if (field.number == THREAD_REFERENCE_US)
            r->sequence->legacy_us = field.value;
    r->sequence->legacy_pid = read.pid;
    r->sequence->legacy_track = profi_pftrace_thread_uuid(read.pid, read.tid);
    profi_pftrace_track *track = profi_pftrace_track_of(&r->state, r->sequence->legacy_track);
    if (track == NULL)
        return;
    track->pid = read.pid;
    track->tid = read.tid;
    if (read.thread_name != NULL)
        track->thread_name = read.thread_name;
}

static void read_old_process(profi_pftrace_reading *r, profi_wire wire)
{
    profi_pftrace_track read = { 0 };
    profi_pftrace_describe_process(&r->state, &read, wire);
    r->sequence->legacy_pid = read.pid;
}

static int find_part(packet *p, const profi_field *field)
{
    profi_field *part = field->number == PACKET_EVENT         ? &p->of_event.event
                        : field->number == PACKET_INTERNED       ? &p->interned
                        : field->number == PACKET_DEFAULTS       ? &p->defaults
                        : field->number == PACKET_TRACK          ? &p->track
                        : field->number == PACKET_CLOCK_SNAPSHOT ? &p->clocks
                        : field->number == PACKET_OLD_PROCESS    ? &p->old_process
                        : field->number == PACKET_OLD_THREAD     ? &p->old_thread
                                                                 : NULL;
    if (part == NULL || !profi_field_is_text(field))
        return 0;
    *part = *field;
    return 1;
}

static int parse_packet(profi_wire wire, packet *p)
{
    profi_field field;
    *p = (packet){ 0 };
    while (profi_wire_next(&wire, &field)) {
        switch (field.number) {
        case PACKET_TIMESTAMP: p->of_event.timestamp = field.value, p->of_event.has_timestamp = 1; break;
        case PACKET_SEQUENCE: p->sequence_id = field.value; break;
        case PACKET_FLAGS: p->of_event.flags |= field.value; break;
        case PACKET_CLEARED: p->of_event.flags |= field.value ? FLAG_CLEARED : 0; break;
        case PACKET_CLOCK: p->of_event.clock = field.value; break;
        case PACKET_COMPRESSED:
        case PACKET_COMPRESSED_ZSTD: p->is_compressed = 1; break;
        default: p->is_known |= find_part(p, &field); break;
        }
    }
    return !wire.is_bad;
}

static void read_packet(profi_pftrace_reading *r, const packet *p)
{
    r->notes->packets++;
    r->notes->other_packets += !p->is_known;
    r->sequence_id = p->sequence_id;
    r->sequence = profi_pftrace_sequence_of(&r->state, p->sequence_id);
    if (r->sequence == NULL)
        return;
    if (p->of_event.flags & FLAG_CLEARED) {
        r->sequence->state = ++r->state.last_state;
        r->sequence->default_track = r->sequence->default_clock = 0;
    }
    if (p->clocks.data != NULL)
        profi_pftrace_add_clocks(&r->state, p->sequence_id, profi_wire_of(&p->clocks));
    if (p->defaults.data != NULL)
        read_defaults(r, profi_wire_of(&p->defaults));
    if (p->old_process.data != NULL)
        read_old_process(r, profi_wire_of(&p->old_process));
    if (p->old_thread.data != NULL)
        read_old_thread(r, profi_wire_of(&p->old_thread));
    if (p->track.data != NULL)
        profi_pftrace_describe_track(&r->state, profi_wire_of(&p->track));
    if (p->interned.data != NULL)
        profi_pftrace_intern(&r->state, r->sequence, profi_wire_of(&p->interned));
    if (p->of_event.event.data != NULL)
        profi_pftrace_read_event(r, &p->of_event);
}

/*
 * The head of the next packet: 1, and how many bytes head and packet have; 0
 * at the end, also where the rest is no whole packet; or -1 for what is none.
 */
static int next_packet(profi_stream *stream, size_t *head, uint64_t *bytes)
{
    enum { MOST_HEAD = 20 };
    uint64_t tag;
    size_t at_hand = profi_stream_need(stream, MOST_HEAD);
    size_t used = profi_read_varint(stream->data, at_hand, &tag);
    if (at_hand == 0)
        return 0;
    if (used == 0)
        return at_hand < 10 ? 0 : -1;
    if (tag != (TRACE_PACKET << 3 | PROFI_WIRE_BLOCK))
        return -1;
    size_t more = profi_read_varint(stream->data + used, at_hand - used, bytes);
    if (more == 0)
        return at_hand - used < 10 ? 0 : -1;
    *head = used + more;
    return 1;
}

static prof_status read_packets(profi_pftrace_reading *r, profi_stream *stream, const char *what, prof_error *err)
{
    size_t head = 0;
    uint64_t bytes = 0;
    int found;
    packet p;
    while (r->builder->error == 0 && (found = next_packet(stream, &head, &bytes)) != 0) {
        if (found < 0)
            return profi_fail(err, PROF_E_FORMAT, "%.300s: at byte %" PRIu64 ": no packet of a trace", what, stream->offset);
        if (bytes > MOST_PACKET_BYTES)
            return profi_fail(err, PROF_E_LIMIT, "%.300s: at byte %" PRIu64 ": a packet of %" PRIu64 " bytes", what,
                              stream->offset, bytes);
        if (profi_stream_need(stream, head + (size_t)bytes) < head + bytes)
            break; /* torn off here */
        const profi_wire wire = { stream->data + head, stream->data + head + bytes, 0 };
        if (!parse_packet(wire, &p))
            return profi_fail(err, PROF_E_FORMAT, "%.300s: at byte %" PRIu64 ": a damaged packet", what, stream->offset);
        if (p.is_compressed)
            return profi_fail(err, PROF_E_UNSUPPORTED, "%.300s: at byte %" PRIu64 ": packets that are compressed; Perfetto's "
                              "`traceconv decompress_packets` makes a file that can be read of it", what, stream->offset);
        read_packet(r, &p);
        profi_stream_skip(stream, head + (size_t)bytes);
    }
    r->notes->torn_bytes = stream->bytes;
    return PROF_OK;
}

static size_t skip_blanks(const unsigned char *data, size_t bytes, size_t at)
{
    while (at < bytes && (data[at] == ' ' || data[at] == '\n' || data[at] == '\r' || data[at] == '\t'))
        at++;
    return at;
}

/* A newline is also the first byte of a packet, and a brace a length. */
static int looks_like_object(const unsigned char *data, size_t bytes)
{
    size_t at = skip_blanks(data, bytes, 0);
    if (at >= bytes || data[at] != '{')
        return 0;
    at = skip_blanks(data, bytes, at + 1);
    return at < bytes && (data[at] == '"' || data[at] == '}');
}

int profi_looks_like_pftrace(const unsigned char *data, size_t bytes)
{
    uint64_t length = 0, tag = 0;
    if (bytes < 2 || data[0] != (TRACE_PACKET << 3 | PROFI_WIRE_BLOCK) || looks_like_object(data, bytes))
        return 0;
    size_t used = profi_read_varint(data + 1, bytes - 1, &length);
    if (used == 0 || length > MOST_PACKET_BYTES || 1 + used >= bytes)
        return 0;
    if (length == 0)
        return data[1 + used] == data[0];
    used += profi_read_varint(data + 1 + used, bytes - 1 - used, &tag);
    return (tag & 7) != 3 && (tag & 7) != 4 && (tag & 7) < 6 && tag >> 3 != 0 && tag >> 3 < 10000;
}

prof_status profi_read_pftrace(profi_stream *stream, const char *what, profi_events_builder *builder, prof_error *err)
{
    if (builder->error != 0)
        return PROF_OK; /* which finishing reports */
    profi_pftrace_reading *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return profi_fail(err, PROF_E_NO_MEMORY, "%.300s: no memory to read it", what);
    r->builder = r->state.builder = builder;
    r->notes = &builder->events->notes;
    if (profi_stream_need(stream, sizeof(PROFI_PFTRACE_START) - 1) >= sizeof(PROFI_PFTRACE_START) - 1 &&
        memcmp(stream->data, PROFI_PFTRACE_START, sizeof(PROFI_PFTRACE_START) - 1) == 0)
        r->state.is_ours = 1;
    if (r->state.is_ours)
        r->notes->producer = "profcore";
    else
        profi_build_hold(builder);
    prof_status status = read_packets(r, stream, what, err);
    profi_build_release(builder);
    if (status == PROF_OK && stream->error != 0)
        status = profi_fail_errno(err, stream->error, "cannot read %.300s", what);
    if (status == PROF_OK)
        profi_pftrace_settle_tracks(&r->state);
    profi_pftrace_reader_fini(&r->state);
    free(r);
    return status;
}
