/* SPDX-License-Identifier: Apache-2.0 */
/* Storage in memory and on disk: what was written stays while it grows, and refusals leave it as it was. */
#include "harness.h"

#include "base/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static profi_spool spool;

/* Fills it with words that say where they are, from the `from`-th byte on. */
static void fill(size_t from, size_t to)
{
    for (size_t at = from / 8; at < to / 8; at++)
        ((uint64_t *)spool.data)[at] = at * 3;
}

static void check(size_t bytes)
{
    for (size_t at = 0; at < bytes / 8; at++)
        REQUIRE(((const uint64_t *)spool.data)[at] == at * 3);
}

TEST(what_was_written_stays_while_it_grows_from_memory_to_a_file)
{
    size_t filled = 0;
    for (size_t bytes = 1000; bytes < (size_t)300 << 20; bytes *= 3) {
        CHECK_I64(profi_spool_reserve(&spool, bytes), 0);
        REQUIRE(spool.room >= bytes);
        check(filled);
        fill(filled, bytes / 8 * 8);
        filled = bytes / 8 * 8;
    }
    CHECK(spool.file != 0);
    check(filled);
    profi_spool_fini(&spool);
    CHECK(spool.data == NULL && spool.room == 0 && spool.file == 0);
}

TEST(a_large_one_leaves_no_name_and_no_descriptor)
{
    int before = dup(0), after;
    close(before);
    CHECK_I64(profi_spool_reserve(&spool, (size_t)65 << 20), 0);
    struct stat status;
    CHECK_I64(fstat(spool.file - 1, &status), 0);
    CHECK_U64(status.st_nlink, 0);
    CHECK(fcntl(spool.file - 1, F_GETFD) & FD_CLOEXEC);
    profi_spool_fini(&spool);
    after = dup(0);
    close(after);
    CHECK_I64(after, before);
}

TEST(a_refusal_is_an_error_and_leaves_it_as_it_was)
{
    const char *before = getenv("TMPDIR");
    char *kept = before != NULL ? strdup(before) : NULL;
    CHECK_I64(profi_spool_reserve(&spool, 8000), 0);
    fill(0, 8000);
    CHECK_I64(profi_spool_reserve(&spool, SIZE_MAX), ENOMEM);
    setenv("TMPDIR", "/nowhere at all", 1);
    CHECK_I64(profi_spool_reserve(&spool, (size_t)100 << 20), ENOENT);
    check(8000);
    if (kept != NULL)
        setenv("TMPDIR", kept, 1);
    else
        unsetenv("TMPDIR");
    struct rlimit limit, low;
    getrlimit(RLIMIT_FSIZE, &limit);
    low = (struct rlimit){ 1 << 20, limit.rlim_max };
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &low);
    CHECK_I64(profi_spool_reserve(&spool, (size_t)100 << 20), EFBIG);
    setrlimit(RLIMIT_FSIZE, &limit);
    check(8000);
    profi_spool_fini(&spool);
    free(kept);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
