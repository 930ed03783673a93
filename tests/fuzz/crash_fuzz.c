/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of crash-safe mode from anybody.  Few inputs would be one, since a
 * file fits one build only; so what a process recorded, this one, is what an
 * input damages: each 12 bytes of it say where, how and what with.
 */
#include "fuzz.h"

#include "format/writer.h"
#include "record/dead.h"
#include "record/roots.h"

#include <profcore/events.h>

#include <sys/mman.h>
#include <unistd.h>

enum { REGION_BYTES = 1 << 20, EDIT_BYTES = 12 };

static char *image; /* what was recorded */
static size_t image_bytes;

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

static void make_image(void)
{
    int fd = memfd_create("region", MFD_CLOEXEC);
    MUST(fd >= 0);
    MUST(profi_record_open_file(fd, REGION_BYTES, PROFI_CLOCK_AUTO, "fuzz", NULL) == PROF_OK);
    MUST(profi_record_open(REGION_BYTES, 1, PROFI_CLOCK_AUTO, NULL) == PROF_OK);
    profi_record_enable(1);
    record_some();
    PROF_BEGIN(open, "still open");
    image = malloc(REGION_BYTES);
    MUST(image != NULL && pread(fd, image, REGION_BYTES, 0) == REGION_BYTES);
    PROF_END(open);
    profi_record_enable(0);
    close(fd);
    image_bytes = (size_t)((const profi_region_head *)(const void *)image)->next;
}

static int take_nothing(void *unused, const void *data, size_t bytes)
{
    (void)unused;
    (void)data;
    (void)bytes;
    return 0;
}

static void use(const char *data, size_t bytes)
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
    MUST(events->held + events->lost == events->issued);
    MUST(profi_writer_run_events(profi_writer_find("pftrace", 7), events, take_nothing, NULL, &err) == PROF_OK);
    prof_snapshot_close(snapshot);
    profi_events_close(events);
    profi_dead_fini(&dead);
}

/* Puts an edit's word where it says; returns how many bytes there are after it. */
static size_t apply(char *data, size_t bytes, const uint8_t *edit)
{
    uint32_t where;
    uint64_t value, base;
    memcpy(&where, edit, sizeof(where));
    memcpy(&value, edit + sizeof(where), sizeof(value));
    memcpy(&base, image, sizeof(base));
    unsigned how = where & 3;
    size_t reach = where & 4 ? sizeof(profi_roots) : image_bytes, at = (where >> 3) % (reach / 8) * 8;
    if (how == 0 && (value & 15) == 0)
        return value % (image_bytes + 1); /* cut */
    if (how == 1)
        value = base + value % image_bytes / 16 * 16; /* an address in the file */
    if (how == 2)
        memcpy(&value, data + value % (image_bytes / 8) * 8, sizeof(value)); /* what stands elsewhere */
    memcpy(data + at, &value, sizeof(value));
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (image == NULL)
        make_image();
    char *copy = malloc(image_bytes);
    MUST(copy != NULL);
    memcpy(copy, image, image_bytes);
    size_t left = image_bytes;
    for (size_t at = 0; at + EDIT_BYTES <= bytes; at += EDIT_BYTES)
        left = apply(copy, left, data + at);
    char *part = malloc(left + 1); /* of its own, so that AddressSanitizer sees a read behind its end */
    MUST(part != NULL);
    memcpy(part, copy, left);
    use(part, left);
    free(part);
    free(copy);
    return 0;
}
