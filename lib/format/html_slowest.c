/* SPDX-License-Identifier: Apache-2.0 */
/* The slowest request in the data of a page: see html.c. */
#include "html.h"

#include "summary_values.h"

static json_t *site_of(const profi_slowest_site *site, int *ok)
{
    json_t *row = json_array();
    profi_append(row, json_string(site->name), ok);
    profi_append(row, profi_text_or_null(site->file), ok);
    profi_append(row, json_integer(site->line), ok);
    return row;
}

static json_t *track_of(const profi_slowest_track *track, int *ok)
{
    json_t *row = json_array();
    profi_append(row, json_string(track->name), ok);
    profi_append(row, json_integer(track->tid), ok);
    return row;
}

/* [track, site, depth, start, duration, 1: it had not ended] */
static json_t *slice_of(const profi_slowest_slice *slice, int *ok)
{
    json_t *row = json_array();
    profi_append(row, json_integer(slice->track), ok);
    profi_append(row, json_integer(slice->site), ok);
    profi_append(row, json_integer(slice->depth), ok);
    profi_append(row, profi_number(slice->start_ns), ok);
    profi_append(row, profi_number(slice->duration_ns), ok);
    profi_append(row, json_integer(slice->is_open), ok);
    return row;
}

/* A number of its own as one, a trace id of 128 bits as W3C writes it. */
static json_t *request_of(const profi_slowest *slowest)
{
    char hex[33];
    if (!slowest->has_request)
        return json_null();
    if (slowest->request.high == 0)
        return profi_number(slowest->request.low);
    snprintf(hex, sizeof(hex), "%016" PRIx64 "%016" PRIx64, slowest->request.high, slowest->request.low);
    return json_string(hex);
}

static json_t *facts_of(const profi_slowest *slowest, int *ok)
{
    json_t *object = json_object();
    profi_set(object, "site", json_integer(slowest->site), ok);
    profi_set(object, "request", request_of(slowest), ok);
    profi_set(object, "of", profi_number(slowest->number_of), ok);
    profi_set(object, "start_unix_us", profi_number(slowest->start_unix_ns / 1000), ok);
    profi_set(object, "duration_ns", profi_number(slowest->duration_ns), ok);
    profi_set(object, "left_out", profi_number(slowest->left_out), ok);
    profi_set(object, "lost", profi_number(slowest->lost), ok);
    return object;
}

/* Takes over `row`, an element of an array. */
static void put_row(profi_output *out, size_t index, json_t *row, int *ok)
{
    profi_output_text(out, index == 0 ? "\n " : ",\n ");
    if (!profi_put_value(out, row, JSON_ENSURE_ASCII))
        *ok = 0;
}

int profi_put_slowest(const profi_slowest *slowest, profi_output *out)
{
    int ok = 1;
    profi_output_text(out, "{\"about\":");
    put_row(out, 0, facts_of(slowest, &ok), &ok);
    profi_output_text(out, ",\n\"sites\": [");
    for (size_t i = 0; i < slowest->site_count; i++)
        put_row(out, i, site_of(&slowest->sites[i], &ok), &ok);
    profi_output_text(out, "],\n\"tracks\": [");
    for (size_t i = 0; i < slowest->track_count; i++)
        put_row(out, i, track_of(&slowest->tracks[i], &ok), &ok);
    profi_output_text(out, "],\n\"slices\": [");
    for (size_t i = 0; i < slowest->slice_count; i++)
        put_row(out, i, slice_of(&slowest->slices[i], &ok), &ok);
    profi_output_text(out, "]}");
    return ok;
}
