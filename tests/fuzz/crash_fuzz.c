/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of crash-safe mode, and streams, from anybody.  Few inputs would be
 * one, since a file fits one build only; so what a process recorded, this
 * one, is what an input damages: each 12 bytes of it say where, how and what
 * with, in the file and in the stream.  An input is read as a stream, too.
 */
#include "fuzz.h"

#include "format/reader.h"
#include "format/writer.h"
#include "record/dead.h"
#include "record/roots.h"
#include "record/tape.h"

#include <profcore/events.h>

#include <sys/mman.h>
#include <unistd.h>

enum { REGION_BYTES = 1 << 20, EDIT_BYTES = 12 };

/* What was recorded, as it lies in a file. */
typedef struct image {
    char *data;
    size_t bytes;
} image;
static image region, tape;

static void record_some(void)
{
    for (int i = 0; i < 500; i++) {
        PROF_SCOPE("outer")
        {
            PROF_ARGS(PROF_TEXT("text", "of an argument that is long"), PROF_INT("number", i));
            PROF_SCOPE("inner") { PROF_COUNTER("value", i); }
            PROF_ITEMS(2);
        }
        prof_span wait = PROF_SPAN_BEGIN("wait");
        PROF_SPAN_END(wait);
    }
}

static int append(void *unused, const void *data, size_t bytes)
{
    (void)unused;
    tape.data = realloc(tape.data, tape.bytes + bytes);
    MUST(tape.data != NULL);
    memcpy(tape.data + tape.bytes, data, bytes);
    tape.bytes += bytes;
    return 0;
}

/* Full chunks, totals with what is in none yet, more of them, and the end. */
static void make_tape(void)
{
    profi_tape writer;
    MUST(profi_tape_begin(&writer, append, NULL, "fuzz") == 0);
    for (int is_last = 0; is_last <= 1; is_last++) {
        int any = 1;
        record_some();
        MUST(profi_tape_rest(&writer, is_last) == 0);
        while (any)
            MUST(profi_tape_step(&writer, &any) == 0);
    }
}

static void make_images(void)
{
    int fd = memfd_create("region", MFD_CLOEXEC);
    MUST(fd >= 0);
    MUST(profi_record_open_file(fd, REGION_BYTES, PROFI_CLOCK_AUTO, "fuzz", NULL) == PROF_OK);
    MUST(profi_record_open(REGION_BYTES, 1, PROFI_CLOCK_AUTO, NULL) == PROF_OK);
    profi_record_enable(1);
    record_some();
    PROF_BEGIN(open, "still open");
    region.data = malloc(REGION_BYTES);
    MUST(region.data != NULL && pread(fd, region.data, REGION_BYTES, 0) == REGION_BYTES);
    PROF_END(open);
    make_tape();
    profi_record_enable(0);
    close(fd);
    region.bytes = (size_t)((const profi_region_head *)(const void *)region.data)->next;
}

static int take_nothing(void *unused, const void *data, size_t bytes)
{
    (void)unused;
    (void)data;
    (void)bytes;
    return 0;
}

static void use_events(profi_events *events)
{
    MUST(events->held + events->lost == events->issued);
    MUST(profi_writer_run_events(profi_writer_find("pftrace", 7), events, take_nothing, NULL, NULL) == PROF_OK);
    profi_events_close(events);
}

static void use_region(const char *data, size_t bytes)
{
    static const char *const formats[] = { "txt", "json", "prof", "html" };
    profi_dead dead;
    prof_snapshot *snapshot = NULL;
    profi_events *events = NULL;
    prof_error err = PROF_ERROR_INIT;
    if (profi_dead_read(data, bytes, "input", &dead, &err) != PROF_OK) {
        MUST(err.status < 0 && err.message[0] != '\0');
        return;
    }
    MUST(profi_snapshot_of_dead(&dead, &snapshot, &err) == PROF_OK);
    fuzz_walk(snapshot);
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        MUST(prof_snapshot_write(snapshot, formats[i], NULL, take_nothing, NULL, &err) == PROF_OK);
    MUST(profi_events_of_dead(&dead, &events, &err) == PROF_OK);
    use_events(events);
    prof_snapshot_close(snapshot);
    profi_dead_fini(&dead);
}

/* As from a pipe: what is at hand is never all. */
typedef struct pipe_end {
    const char *data;
    size_t bytes;
} pipe_end;

static int64_t read_some(void *user, void *into, size_t room)
{
    enum { AT_ONCE = 4096 };
    pipe_end *from = user;
    size_t count = from->bytes < AT_ONCE ? from->bytes : AT_ONCE;
    count = count < room ? count : room;
    memcpy(into, from->data, count);
    from->data += count;
    from->bytes -= count;
    return (int64_t)count;
}

static void use_tape(const char *data, size_t bytes)
{
    profi_events *events = NULL;
    prof_error err = PROF_ERROR_INIT;
    profi_stream stream;
    pipe_end from = { data, bytes };
    profi_stream_of_callback(&stream, read_some, &from);
    prof_status status = profi_event_reader_run(&stream, "input", &events, &err);
    profi_stream_fini(&stream);
    MUST(status == PROF_OK ? events != NULL : err.status == status && err.message[0] != '\0');
    if (status == PROF_OK)
        use_events(events);
}

/* What is not damaged is all there. */
static void check_tape(void)
{
    profi_events *events;
    profi_stream stream;
    profi_stream_of_memory(&stream, tape.data, tape.bytes);
    MUST(profi_event_reader_run(&stream, "tape", &events, NULL) == PROF_OK);
    MUST(events->lost == 0 && events->held > 3000 && events->notes.torn_bytes == 0 && events->notes.not_understood == 0);
    profi_events_close(events);
}

/* Puts an edit's word where it says, mostly among the first `head` bytes; returns how many bytes there are after it. */
static size_t apply(const image *of, size_t head, char *data, size_t bytes, const uint8_t *edit)
{
    uint32_t where;
    uint64_t value, base;
    memcpy(&where, edit, sizeof(where));
    memcpy(&value, edit + sizeof(where), sizeof(value));
    memcpy(&base, of->data, sizeof(base));
    unsigned how = where & 3;
    size_t reach = where & 4 ? head : of->bytes, at = (where >> 3) % (reach / 8) * 8;
    if (how == 0 && (value & 15) == 0)
        return value % (of->bytes + 1); /* cut */
    if (how == 1)
        value = base + value % of->bytes / 16 * 16; /* an address in the file */
    if (how == 2)
        memcpy(&value, data + value % (of->bytes / 8) * 8, sizeof(value)); /* what stands elsewhere */
    memcpy(data + at, &value, sizeof(value));
    return bytes;
}

static void damage(const image *of, size_t head, const uint8_t *edits, size_t bytes, void (*use)(const char *, size_t))
{
    char *copy = malloc(of->bytes);
    MUST(copy != NULL);
    memcpy(copy, of->data, of->bytes);
    size_t left = of->bytes;
    for (size_t at = 0; at + EDIT_BYTES <= bytes; at += EDIT_BYTES)
        left = apply(of, head, copy, left, edits + at);
    char *part = malloc(left + 1); /* of its own, so that AddressSanitizer sees a read behind its end */
    MUST(part != NULL);
    memcpy(part, copy, left);
    use(part, left);
    free(part);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    enum { TAPE_HEAD = 1024 }; /* its first records */
    if (region.data == NULL) {
        make_images();
        check_tape();
    }
    damage(&region, sizeof(profi_roots), data, bytes, use_region);
    damage(&tape, TAPE_HEAD, data, bytes, use_tape);
    use_tape((const char *)data, bytes);
    return 0;
}
