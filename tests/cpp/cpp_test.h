/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of profcore.hpp share: a recorder that writes no files, and whether scopes are compiled in. */
#ifndef TEST_CPP_TEST_H
#define TEST_CPP_TEST_H

#include "harness.h"

#include <profcore/profcore.hpp>

#if defined(PROF_DISABLE)
enum { LIVE = 0 };
#else
enum { LIVE = 1 };
#endif

/* Each case uses names of its own: the process has one recorder. */
inline profcore::options quiet()
{
    profcore::options how;
    how.flags = PROF_NO_FILES;
    return how;
}

/* Records what `body` does; returns what became of repaired and unmatched meanwhile. */
template <typename Body> inline profcore::stats record(Body body)
{
    profcore::error why;
    const profcore::stats before = profcore::read_stats();
    profcore::recorder recording(quiet(), why);
    CHECK(recording);
    body();
    profcore::stats after = profcore::read_stats();
    CHECK_I64(recording.stop(why), PROF_OK);
    after.repaired_count -= before.repaired_count;
    after.unmatched_count -= before.unmatched_count;
    return after;
}

inline void check_clean(const profcore::stats &counts)
{
    CHECK_U64(counts.repaired_count, 0);
    CHECK_U64(counts.unmatched_count, 0);
}

#endif
