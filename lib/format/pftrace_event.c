/* SPDX-License-Identifier: Apache-2.0 */
/* The TrackEvents of a .pftrace: each becomes an event of the builder's, or is counted. */
#include "pftrace_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- annotations ---- */

static void add_detail(profi_pftrace_event *e, profi_events_notes *notes, const profi_detail *detail)
{
    if (e->details.count < PROFI_PFTRACE_MOST_DETAILS)
        e->room[e->details.count++] = *detail;
    else
        notes->not_understood++;
}

/* 32 hexadecimal digits, as put_request() writes them. */
static int is_trace_id(const char *text, profi_request_id *id)
{
    char half[17] = "";
    if (strlen(text) != 32 || strspn(text, "0123456789abcdef") != 32)
        return 0;
    memcpy(half, text, 16);
    return sscanf(half, "%" SCNx64, &id->high) == 1 && sscanf(text + 16, "%" SCNx64, &id->low) == 1;
}

/* Our own, whose names are not interned: how many were lost, how old what is open is, and for which request the event is. */
static int is_ours(profi_pftrace_event *e, const char *name, const profi_detail *detail)
{
    if (strcmp(name, "lost") == 0 && e->name != NULL && strncmp(e->name, "<profcore: ", 11) == 0 && detail->kind == PROFI_ARG_INT) {
        e->is_loss = 1;
        e->lost = (uint64_t)detail->value.integer;
        return 1;
    }
    if (strcmp(name, "age_ns") == 0 && e->type == TYPE_BEGIN) /* of what is open: it follows from the times */
        return 1;
    if (strcmp(name, "request") != 0)
        return 0;
    if (detail->kind == PROFI_ARG_INT)
        e->request = (profi_request_id){ (uint64_t)detail->value.integer, 0 };
    else if (detail->kind != PROFI_ARG_TEXT || !is_trace_id(detail->value.text, &e->request))
        return 0;
    e->details.request = &e->request;
    return 1;
}

static const char *interned_text(profi_pftrace_reading *r, unsigned kind, uint64_t iid)
{
    const profi_pftrace_interned *interned = profi_pftrace_interned_of(&r->state, r->sequence, kind, iid);
    return interned != NULL ? interned->text : NULL;
}

static void set_text(profi_detail *detail, const char *text)
{
    detail->kind = PROFI_ARG_TEXT;
    detail->value.text = text;
}

/* The value of an annotation; 0 where the field is none that is kept. */
static int read_value(profi_pftrace_reading *r, const profi_field *field, profi_detail *detail)
{
    char pointer[24];
    switch (field->number) {
    case ANNOTATION_BOOL:
    case ANNOTATION_INT:
        detail->kind = PROFI_ARG_INT;
        detail->value.integer = (int64_t)field->value;
        return 1;
    case ANNOTATION_UINT:
        detail->kind = field->value <= INT64_MAX ? PROFI_ARG_INT : PROFI_ARG_DOUBLE;
        if (detail->kind == PROFI_ARG_INT)
            detail->value.integer = (int64_t)field->value;
        else
            detail->value.number = (double)field->value;
        return 1;
    case ANNOTATION_DOUBLE:
        detail->kind = PROFI_ARG_DOUBLE;
        detail->value.number = profi_bits_double(field->value);
        return field->type == PROFI_WIRE_FIXED64;
    case ANNOTATION_TEXT:
    case ANNOTATION_JSON: set_text(detail, profi_pftrace_text(r->builder, field)); break;
    case ANNOTATION_TEXT_IID: set_text(detail, interned_text(r, IS_TEXT, field->value)); break;
    case ANNOTATION_POINTER:
        snprintf(pointer, sizeof(pointer), "0x%" PRIx64, field->value);
        set_text(detail, profi_build_text(r->builder, pointer, strlen(pointer)));
        break;
    default: return 0;
    }
    return detail->value.text != NULL;
}

static void read_annotation(profi_pftrace_reading *r, profi_wire wire)
{
    profi_detail detail = { 0 };
    const char *name = NULL;
    int has_value = 0, is_inline = 0;
    profi_field field;
    while (profi_wire_next(&wire, &field)) {
        if (field.number == ANNOTATION_NAME_IID) {
            name = interned_text(r, IS_ANNOTATION, field.value);
        } else if (field.number == ANNOTATION_NAME) {
            name = profi_pftrace_text(r->builder, &field);
            is_inline = name != NULL;
        } else {
            has_value |= read_value(r, &field, &detail);
        }
    }
    if (name == NULL || !has_value) {
        r->notes->not_understood += r->builder->error == 0;
        return;
    }
    if (is_inline && is_ours(&r->event, name, &detail))
        return;
    detail.name = profi_build_site(r->builder, name, NULL, 0);
    add_detail(&r->event, r->notes, &detail);
}

/* Flow numbers may stand one by one or all in one block. */
static void read_flows(profi_pftrace_reading *r, const profi_field *field)
{
    int is_last = field->number == EVENT_LAST_FLOW || field->number == EVENT_OLD_LAST_FLOW;
    profi_detail detail = { .kind = is_last ? PROFI_FLOW_LAST : PROFI_FLOW_HERE, .value.flow = field->value };
    if (field->type != PROFI_WIRE_BLOCK) {
        add_detail(&r->event, r->notes, &detail);
        return;
    }
    for (size_t at = 0; at + 8 <= field->bytes; at += 8) {
        detail.value.flow = 0;
        for (unsigned i = 0; i < 8; i++)
            detail.value.flow |= (uint64_t)field->data[at + i] << 8 * i;
        add_detail(&r->event, r->notes, &detail);
    }
}

/* ---- events ---- */

static void read_source(profi_pftrace_reading *r, profi_wire wire)
{
    profi_field field;
    while (profi_wire_next(&wire, &field)) {
        if (field.number == SOURCE_FILE)
            r->event.file = profi_pftrace_text(r->builder, &field);
        else if (field.number == SOURCE_LINE)
            r->event.line = (uint32_t)field.value;
    }
}

uint64_t profi_pftrace_thread_uuid(int64_t pid, int32_t tid)
{
    return profi_mix64(profi_mix64((uint64_t)pid) ^ (uint32_t)tid) | 1;
}

/* Events as Chrome wrote them before there were tracks: a letter for the type, numbers for the thread. */
static void read_legacy(profi_pftrace_reading *r, profi_wire wire)
{
    profi_pftrace_event *e = &r->event;
    int64_t pid = r->sequence->legacy_pid;
    int32_t tid = 0;
    unsigned phase = 0;
    uint64_t duration_us = 0;
    profi_field field;
    while (profi_wire_next(&wire, &field)) {
        switch (field.number) {
        case LEGACY_NAME_IID: e->name = interned_text(r, IS_NAME, field.value); break;
        case LEGACY_PHASE: phase = (unsigned)field.value; break;
        case LEGACY_DURATION_US: duration_us = field.value; break;
        case LEGACY_PID: pid = profi_pftrace_id_of(&field); break;
        case LEGACY_TID: tid = profi_pftrace_id_of(&field); break;
        default: break;
        }
    }
    if (e->type == 0)
        e->type = phase == 'B' || phase == 'X' ? TYPE_BEGIN : phase == 'E' ? TYPE_END
                  : phase == 'I' || phase == 'i' ? TYPE_INSTANT : 0;
    if (phase == 'X') {
        e->is_whole = 1;
        e->duration = profi_min_u64(duration_us, (UINT64_MAX - 1 - e->ns) / 1000) * 1000;
    }
    if (tid == 0)
        return;
    e->track = profi_pftrace_thread_uuid(pid, tid);
    e->has_track = 1;
    profi_pftrace_track *track = profi_pftrace_track_of(&r->state, e->track);
    if (track != NULL) {
        track->pid = pid;
        track->tid = tid;
    }
}

/* Fields by which others are understood come first; 0 where the event cannot be kept. */
static int read_basics(profi_pftrace_reading *r, profi_wire wire, uint64_t *absolute_us, uint64_t *delta_us)
{
    profi_pftrace_event *e = &r->event;
    const profi_pftrace_interned *interned;
    profi_field field;
    while (profi_wire_next(&wire, &field)) {
        switch (field.number) {
        case EVENT_TYPE: e->type = (unsigned)field.value; break;
        case EVENT_TRACK: e->track = field.value, e->has_track = 1; break;
        case EVENT_NAME: e->name = profi_pftrace_text(r->builder, &field); break;
        case EVENT_NAME_IID:
            e->name = interned_text(r, IS_NAME, field.value);
            break;
        case EVENT_SOURCE_IID:
            interned = profi_pftrace_interned_of(&r->state, r->sequence, IS_SOURCE, field.value);
            e->file = interned != NULL ? interned->text : NULL;
            e->line = interned != NULL && interned->text != NULL ? interned->line : 0;
            break;
        case EVENT_SOURCE:
            if (profi_field_is_text(&field))
                read_source(r, profi_wire_of(&field));
            break;
        case EVENT_COUNT: e->value = (double)(int64_t)field.value; break;
        case EVENT_VALUE: e->value = profi_bits_double(field.value); break;
        case EVENT_ABSOLUTE_US: *absolute_us = field.value; break;
        case EVENT_DELTA_US: *delta_us = field.value; break;
        default: break;
        }
    }
    return !wire.is_bad;
}

static void read_rest(profi_pftrace_reading *r, profi_wire wire)
{
    profi_field field;
    while (profi_wire_next(&wire, &field)) {
        switch (field.number) {
        case EVENT_ANNOTATION:
            if (profi_field_is_text(&field))
                read_annotation(r, profi_wire_of(&field));
            break;
        case EVENT_LEGACY:
            if (profi_field_is_text(&field))
                read_legacy(r, profi_wire_of(&field));
            break;
        case EVENT_FLOW:
        case EVENT_LAST_FLOW:
        case EVENT_OLD_FLOW:
        case EVENT_OLD_LAST_FLOW: read_flows(r, &field); break;
        case EVENT_EXTRA_COUNT:
        case EVENT_EXTRA_VALUE: r->notes->not_understood++; break; /* counters beside the event: a thread's CPU time */
        default: break;
        }
    }
}

/* The builder's track of an event; UINT32_MAX when memory is spent. */
static uint32_t build_track(profi_pftrace_reading *r, profi_pftrace_track *track)
{
    if (track == NULL)
        return UINT32_MAX;
    if (track->built == UINT32_MAX)
        track->built = profi_build_track_new(r->builder);
    return r->builder->error == 0 ? track->built : UINT32_MAX;
}

/* Which track an event is on when it says nothing of it. */
static uint64_t default_track(const profi_pftrace_reading *r)
{
    if (r->sequence->default_track != 0)
        return r->sequence->default_track;
    return r->sequence->legacy_track != 0 ? r->sequence->legacy_track : profi_mix64(~r->sequence_id) | 1;
}

/* A value stands where the thread that gave it is known to be the sequence's, else on a track of its own. */
static void build_value(profi_pftrace_reading *r, profi_pftrace_track *track)
{
    profi_pftrace_event *e = &r->event;
    double value = e->value * track->multiplier;
    if (track->is_incremental)
        value = track->last += value;
    if (track->site == UINT32_MAX) {
        const char *name = track->name != NULL ? track->name : profi_build_text(r->builder, "counter", 7);
        uint32_t site = profi_build_counter_site(r->builder, name);
        track->site = r->builder->error == 0 ? site : UINT32_MAX;
    }
    uint32_t site = track->site;
    if (r->sequence->default_track != 0 && r->sequence->default_track != track->uuid)
        track = profi_pftrace_track_of(&r->state, r->sequence->default_track);
    uint32_t built = build_track(r, track);
    if (built != UINT32_MAX && site != UINT32_MAX)
        profi_build_value(r->builder, built, e->ns, site, value);
}

static void build_event(profi_pftrace_reading *r)
{
    profi_pftrace_event *e = &r->event;
    profi_pftrace_track *track = profi_pftrace_track_of(&r->state, e->has_track ? e->track : default_track(r));
    if (track == NULL)
        return;
    if (e->is_loss) {
        track->lost += e->lost;
        return;
    }
    if (e->type == TYPE_COUNTER) {
        build_value(r, track);
        return;
    }
    uint32_t built = build_track(r, track), site = 0;
    if (built == UINT32_MAX)
        return;
    if (e->type != TYPE_END) {
        const char *name = e->name != NULL ? e->name : profi_build_text(r->builder, "(unnamed)", 9);
        site = profi_build_site(r->builder, name, e->file, e->line);
    }
    if (e->type == TYPE_BEGIN && e->is_whole)
        profi_build_whole(r->builder, built, e->ns, e->ns + e->duration, site, &e->details);
    else if (e->type == TYPE_BEGIN)
        profi_build_begin(r->builder, built, e->ns, site, &e->details);
    else if (e->type == TYPE_END)
        profi_build_end(r->builder, built, e->ns, &e->details);
    else
        profi_build_instant(r->builder, built, e->ns, site, &e->details);
}

static void start_event(profi_pftrace_event *e)
{
    e->ns = e->track = e->lost = e->duration = 0;
    e->type = e->line = 0;
    e->has_track = e->is_loss = e->is_whole = 0;
    e->name = e->file = NULL;
    e->value = 0;
    e->details = (profi_build_details){ .details = e->room };
}

/* When: a packet's time, or, of old, the event's own. */
static int find_time(profi_pftrace_reading *r, const profi_pftrace_packet *p, uint64_t absolute_us, uint64_t delta_us)
{
    profi_pftrace_sequence *sequence = r->sequence;
    uint64_t clock = p->clock != 0 ? p->clock : sequence->default_clock != 0 ? sequence->default_clock : CLOCK_IS_BOOTTIME;
    if (p->has_timestamp)
        return profi_pftrace_time_of(&r->state, r->sequence_id, clock, p->timestamp, &r->event.ns);
    if (absolute_us == 0)
        absolute_us = sequence->legacy_us += delta_us;
    r->event.ns = absolute_us * 1000;
    return absolute_us != 0 && absolute_us < UINT64_MAX / 1000;
}

void profi_pftrace_read_event(profi_pftrace_reading *r, const profi_pftrace_packet *p)
{
    uint64_t absolute_us = 0, delta_us = 0;
    start_event(&r->event);
    if ((p->flags & FLAG_NEEDS && r->sequence->state == 0) || !read_basics(r, profi_wire_of(&p->event), &absolute_us, &delta_us)) {
        r->notes->without_names++;
        return;
    }
    if (!find_time(r, p, absolute_us, delta_us)) {
        r->notes->without_clock++;
        return;
    }
    read_rest(r, profi_wire_of(&p->event));
    if (r->event.type < TYPE_BEGIN || r->event.type > TYPE_COUNTER)
        r->notes->not_understood++;
    else
        build_event(r);
}
