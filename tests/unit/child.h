/* SPDX-License-Identifier: Apache-2.0 */
/* Cases in a child process, since a process has one recorder. */
#ifndef TEST_CHILD_H
#define TEST_CHILD_H

#include "harness.h"

#include <sys/wait.h>
#include <unistd.h>

/* A case that runs in a child by in_child(), which may be the test's own. */
#define CASE(name)                        \
    static void name##_body(void);        \
    TEST(name) { in_child(name##_body); } \
    static void name##_body(void)

enum { CHILD_SKIPPED = 77 };

/* Begins a child whose checks are its status; `seconds` later, if that is not 0, it is taken to hang and killed. */
static inline pid_t begin_child(void (*body)(void), unsigned seconds)
{
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        alarm(seconds);
        body();
        fflush(stdout);
        _exit(test_skipped != NULL && !test_failed ? CHILD_SKIPPED : test_failed);
    }
    return child;
}

/* Waits for it; its failure, or that it skipped, is the case's. */
static inline void end_child(pid_t child)
{
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && child > 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_SKIPPED)
        SKIP("not allowed here");
    CHECK(!WIFSIGNALED(status) || WTERMSIG(status) != SIGALRM); /* it hung */
    CHECK_I64(status, 0);
}

static inline void in_child_within(void (*body)(void), unsigned seconds)
{
    end_child(begin_child(body, seconds));
}

#ifndef OWN_IN_CHILD
static inline void in_child(void (*body)(void))
{
    in_child_within(body, 0);
}
#endif

#endif
