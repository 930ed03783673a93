/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at what a killed process has left, through the library's own reader.
 *
 *     crash_read_main FILE             says what is in it, as JSON, and fails where something cannot be
 *     crash_read_main FILE damage N    reads it N times with parts of it damaged, and cut at N places,
 *                                      and 64 times with a part of it filled
 */
#include "base/error.h"
#include "base/input.h"
#include "format/writer.h"
#include "record/dead.h"
#include "record/tape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int failures;

static void fail(const char *what, uint64_t thread, uint64_t index)
{
    fprintf(stderr, "thread %llu, event %llu: %s\n", (unsigned long long)thread, (unsigned long long)index, what);
    failures++;
}

static const char *name_of(const profi_dead *dead, const prof_inline_cell *cell)
{
    return dead->record.sites[profi_event_site(cell->what)].name;
}

/* What a lasting thread, or one that came and went, may have recorded as its event of this index. */
static int is_expected(const char *name, const char *before, uint64_t *phase, uint64_t index)
{
    static const char *const lasting[] = { "inner", "inner", "outer" };
    if (strcmp(name, "main") == 0 || strcmp(name, "quiet") == 0)
        return 1;
    if (strcmp(name, "short") == 0)
        return before == NULL || strcmp(before, "brief") == 0;
    if (strcmp(name, "brief") == 0 || strcmp(name, "value") == 0)
        return before == NULL || strcmp(before, name) != 0;
    if (strncmp(name, "new ", 4) == 0 || strncmp(name, "waiting", 7) == 0) {
        *phase += 1; /* one more event, between two rounds */
        return 1;
    }
    return strcmp(name, lasting[(index - *phase) % 3]) == 0;
}

/* The first events of a run may be anywhere in the order: it is found by trying. */
static void check_order(const profi_dead *dead, const profi_segment *segment, uint64_t *phase, int is_first)
{
    const prof_inline_cell *cells = dead->rings.cells + segment->first_cell;
    uint64_t last = 0, best = 0;
    for (uint64_t shift = 0; is_first && shift < 3; shift++) {
        uint64_t trial = shift, good = 0;
        while (good < segment->cell_count && is_expected(name_of(dead, &cells[good]), good ? name_of(dead, &cells[good - 1]) : NULL,
                                                         &trial, segment->first_index + good + 6))
            good++;
        if (good > best) {
            best = good;
            *phase = shift;
        }
    }
    for (uint64_t i = 0; i < segment->cell_count; i++) {
        if (!is_expected(name_of(dead, &cells[i]), i ? name_of(dead, &cells[i - 1]) : NULL, phase, segment->first_index + i + 6))
            fail("is not what the thread recorded there", segment->thread, segment->first_index + i);
        if (cells[i].end < last)
            fail("ended before the one before it", segment->thread, segment->first_index + i);
        last = cells[i].end;
    }
    *phase %= 3;
}

/* A thread's events are what it issued last, without a gap; those of a stream may have gaps. */
static void check_events(const profi_dead *dead, int is_stream)
{
    const profi_rings_view *view = &dead->rings;
    uint64_t phase = 0;
    for (size_t i = 0; i < view->segment_count; i++) {
        const profi_segment *segment = &view->segments[i], *next = i + 1 < view->segment_count ? segment + 1 : NULL;
        uint64_t end = segment->first_index + segment->cell_count;
        if (segment->who.tid <= 0 || strcmp(segment->who.name, "crash_main") != 0)
            fail("is of nobody knows whom", segment->thread, segment->first_index);
        check_order(dead, segment, &phase, is_stream || i == 0 || segment[-1].thread != segment->thread);
        if (is_stream)
            continue;
        if (next != NULL && next->thread == segment->thread) {
            if (next->first_index != end)
                fail("is followed by a gap", segment->thread, end);
            continue;
        }
        for (uint64_t r = 0; r < view->ring_count; r++)
            if (view->rings[r].thread == segment->thread && view->rings[r].issued != end)
                fail("is the last that is there, and the thread has issued more", segment->thread, end);
    }
}

static void tell(const profi_dead *dead)
{
    printf("{\"damage\": %llu, \"issued\": %llu, \"lost\": %llu, \"opens\": %llu, \"functions\": {",
           (unsigned long long)dead->damage_count, (unsigned long long)dead->record.stats.event_count,
           (unsigned long long)dead->record.stats.event_lost_count, (unsigned long long)dead->open_count);
    for (size_t s = 0; s < dead->record.site_count; s++) {
        uint64_t ended = 0, open = 0, items = 0, held = 0;
        for (size_t n = 0; n < dead->record.node_count; n++)
            if (dead->record.nodes[n].site == s) {
                ended += dead->record.nodes[n].calls;
                open += dead->record.nodes[n].is_open;
                items += dead->record.nodes[n].items;
            }
        for (uint64_t c = 0; c < dead->rings.cell_count; c++)
            held += profi_event_kind(dead->rings.cells[c].what) == PROFI_EVENT_SCOPE && profi_event_site(dead->rings.cells[c].what) == s;
        printf("%s\"%s\": [%llu, %llu, %llu, %llu]", s ? ", " : "", dead->record.sites[s].name, (unsigned long long)ended,
               (unsigned long long)open, (unsigned long long)items, (unsigned long long)held);
    }
    printf("}, \"spans\": {");
    for (size_t s = 0; s < dead->record.site_count; s++) {
        uint64_t ended = 0, total = 0, in_histogram = 0;
        for (size_t n = 0; n < dead->record.span_count; n++)
            if (dead->record.spans[n].site == s) {
                ended += dead->record.spans[n].count;
                total += dead->record.spans[n].total;
            }
        for (size_t b = 0; b < dead->record.bucket_count; b++)
            if (dead->record.buckets[b].site == s && dead->record.buckets[b].is_of_spans)
                in_histogram += dead->record.buckets[b].count;
        printf("%s\"%s\": [%llu, %llu, %llu]", s ? ", " : "", dead->record.sites[s].name, (unsigned long long)ended,
               (unsigned long long)total, (unsigned long long)in_histogram);
    }
    printf("}}\n");
}

static int ignore(void *unused, const void *data, size_t bytes)
{
    (void)unused;
    (void)data;
    (void)bytes;
    return 0;
}

/* Either kind of file. */
static prof_status read_any(const char *data, size_t bytes, const char *what, profi_dead *dead, prof_error *err)
{
    if (!profi_tape_is(data, bytes))
        return profi_dead_read(data, bytes, what, dead, err);
    profi_stream stream;
    profi_stream_of_memory(&stream, data, bytes);
    return profi_tape_read(&stream, UINT64_MAX, what, dead, err);
}

/* Reads and writes it in every way; whatever comes out. */
static void use(const char *data, size_t bytes)
{
    profi_dead dead;
    prof_snapshot *snapshot = NULL;
    profi_events *events = NULL;
    if (read_any(data, bytes, "it", &dead, NULL) != PROF_OK)
        return;
    if (profi_snapshot_of_dead(&dead, &snapshot, NULL) == PROF_OK) {
        profi_writer_run(profi_writer_find("json", 4), snapshot, NULL, ignore, NULL, NULL);
        profi_writer_run(profi_writer_find("txt", 3), snapshot, NULL, ignore, NULL, NULL);
    }
    if (profi_events_of_dead(&dead, &events, NULL) == PROF_OK)
        profi_writer_run_events(profi_writer_find("pftrace", 7), events, ignore, NULL, NULL);
    prof_snapshot_close(snapshot);
    profi_events_close(events);
    profi_dead_fini(&dead);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

/* Words take random values, those of other places, and addresses in the file: where trees and lists then lead is anybody's guess. */
static void damage(const char *data, size_t bytes, unsigned long times)
{
    uint64_t state = 0x9e3779b97f4a7c15u, base;
    char *copy = malloc(bytes);
    memcpy(&base, data, sizeof(base));
    for (unsigned long i = 0; copy != NULL && i < times; i++) {
        memcpy(copy, data, bytes);
        unsigned edits = 1 + (unsigned)(next_random(&state) % 64);
        for (unsigned e = 0; e < edits; e++) {
            uint64_t reach = next_random(&state) % 4 ? bytes : 8192;
            uint64_t at = next_random(&state) % (reach / 8) * 8, kind = next_random(&state) % 4, value = next_random(&state);
            if (at < 64 && next_random(&state) % 16)
                continue; /* mostly the head stands, or little is read at all */
            value = kind == 0 ? base + value % bytes / 64 * 64 : kind == 1 ? value % 256 : value;
            if (kind == 3)
                memcpy(&value, data + value % (bytes / 8) * 8, sizeof(value));
            memcpy(copy + at, &value, sizeof(value));
        }
        use(copy, bytes);
        size_t cut = next_random(&state) % bytes;
        char *part = malloc(cut + 1); /* of its own, so that AddressSanitizer sees a read behind its end, and at an odd place */
        if (part != NULL) {
            memcpy(part + 1, data, cut);
            use(part + 1, cut);
        }
        free(part);
    }
    free(copy);
}

/* Part by part, all that is zero is something: what is never used, too. */
static void fill(const char *data, size_t bytes)
{
    enum { PARTS = 64 };
    char *copy = malloc(bytes);
    for (size_t part = 0; copy != NULL && part < PARTS; part++) {
        memcpy(copy, data, bytes);
        for (size_t at = bytes / PARTS / 8 * 8 * part, end = at + bytes / PARTS / 8 * 8; at < end; at += 8)
            copy[at] = (char)(copy[at] != 0 ? copy[at] : 1);
        use(copy, bytes);
    }
    free(copy);
}

int main(int argc, char **argv)
{
    char *data;
    size_t bytes;
    profi_dead dead;
    prof_error err = PROF_ERROR_INIT;
    if (argc < 2 || profi_input_read(argv[1], SIZE_MAX / 2, &data, &bytes, &err) != PROF_OK) {
        fprintf(stderr, "%s\n", argc < 2 ? "which file?" : err.message);
        return 2;
    }
    if (argc > 3) {
        damage(data, bytes, strtoul(argv[3], NULL, 10));
        fill(data, bytes);
        free(data);
        return 0;
    }
    if (read_any(data, bytes, argv[1], &dead, &err) != PROF_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 2;
    }
    check_events(&dead, profi_tape_is(data, bytes));
    tell(&dead);
    profi_dead_fini(&dead);
    free(data);
    return failures != 0;
}
