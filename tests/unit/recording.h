/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests that record share: sites by name, a start that writes no files,
 * a stop, the counts.  The process has one recorder, so each case uses names
 * of its own, or runs in a child (child.h).
 *
 * A test may say before it includes this where its sites are: SITES_AT, a
 * file and a line.
 */
#ifndef TEST_RECORDING_H
#define TEST_RECORDING_H

#include "harness.h"

#include <profcore/prof.h>

#include <sys/wait.h>
#include <unistd.h>

#ifndef SITES_AT
#define SITES_AT NULL, 0
#endif

static inline prof_site *site_with(const char *name, uint32_t flags)
{
    prof_site *found = NULL;
    CHECK_I64(prof_site_get(name, SIZE_MAX, SITES_AT, flags, &found, NULL), PROF_OK);
    return found;
}

static inline prof_site *site(const char *name)
{
    return site_with(name, 0);
}

static inline void start(void)
{
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    CHECK_I64(prof_start(&options, NULL), PROF_OK);
}

static inline void stop(void)
{
    CHECK_I64(prof_stop(NULL), PROF_OK);
}

static inline prof_stats stats(void)
{
    prof_stats read = PROF_STATS_INIT;
    CHECK_I64(prof_stats_get(&read, NULL), PROF_OK);
    return read;
}

/* The memory in use in a child just after a fork. */
static inline uint64_t used_in_child(void)
{
    int ends[2];
    uint64_t used = 0;
    CHECK_I64(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        prof_stats now = PROF_STATS_INIT;
        prof_stats_get(&now, NULL);
        _exit(write(ends[1], &now.memory_used_bytes, sizeof(uint64_t)) != sizeof(uint64_t));
    }
    waitpid(child, NULL, 0);
    CHECK_I64(read(ends[0], &used, sizeof(used)), sizeof(used));
    close(ends[0]);
    close(ends[1]);
    return used;
}

#endif
