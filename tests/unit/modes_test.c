/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host's floating-point modes: files do not depend on them, and they are
 * afterwards what they were.  On the simulated clock, so that two files of
 * one run are equal to the byte.
 */
#include "harness.h"

#include "base/clock.h"
#include <profcore/snapshot.h>

#include <fenv.h>
#include <stdlib.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

typedef struct text {
    size_t bytes;
    char data[1 << 16];
} text;

static int append(void *user, const void *data, size_t bytes)
{
    text *into = user;
    if (bytes > sizeof(into->data) - into->bytes)
        return 1;
    memcpy(into->data + into->bytes, data, bytes);
    into->bytes += bytes;
    return 0;
}

/* Rounding that is not the default, and denormals as zero where there is such a mode. */
static void set_strange_modes(void)
{
    fesetround(FE_UPWARD);
#if defined(__SSE__)
    _mm_setcsr(_mm_getcsr() | 0x8040u); /* flush to zero, denormals are zero */
#endif
}

static void record(void)
{
    uint64_t now = 1000;
    profi_clock_simulate(now);
    for (int i = 0; i < 100; i++) {
        PROF_BLOCK("outer");
        profi_clock_simulate(now += 1234567);
        PROF_SCOPE("inner")
        {
            profi_clock_simulate(now += 7654321 + (uint64_t)i * 333);
        }
        PROF_ITEMS_UNIT(7, "tokens");
    }
}

TEST(files_do_not_depend_on_the_callers_rounding_and_its_modes_come_back)
{
    static const char *const formats[] = { "txt", "prof", "json" };
    static text plain, strange;
    fenv_t host, after;
    prof_snapshot *snapshot;
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    REQUIRE(prof_start(&options, NULL) == PROF_OK);
    record();
    REQUIRE(prof_snapshot_take(&snapshot, NULL) == PROF_OK);
    for (int i = 0; i < 3; i++) {
        plain.bytes = strange.bytes = 0;
        CHECK_I64(prof_snapshot_write(snapshot, formats[i], NULL, append, &plain, NULL), PROF_OK);
        set_strange_modes();
        fegetenv(&host);
        int status = prof_snapshot_write(snapshot, formats[i], NULL, append, &strange, NULL);
        fegetenv(&after);
        fesetenv(FE_DFL_ENV);
        CHECK_I64(status, PROF_OK);
        CHECK(memcmp(&host, &after, sizeof(host)) == 0);
        CHECK_U64(strange.bytes, plain.bytes);
        CHECK(memcmp(strange.data, plain.data, plain.bytes) == 0);
    }
    prof_snapshot_close(snapshot);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
