/* SPDX-License-Identifier: Apache-2.0 */
/* What a probe measured in a function, as tests ask for it. */
#ifndef TEST_MEASURES_H
#define TEST_MEASURES_H

#include "harness.h"

#include <profcore/snapshot.h>

/* In a snapshot of now; *status says whether it was, and `of`, unless it is NULL, whose value it is. */
static inline prof_measure measure_owned(const char *function, const char *probe, prof_status *status, prof_error *err,
                                         char of[16])
{
    prof_snapshot *snapshot = NULL;
    prof_measure found = PROF_MEASURE_INIT;
    uint32_t id = 0;
    *status = PROF_E_NOT_FOUND;
    CHECK_I64(prof_snapshot_take(&snapshot, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_find(snapshot, function, &id, NULL), PROF_OK);
    for (uint32_t i = 0; i < prof_snapshot_probe_count(snapshot); i++) {
        prof_probe_info info = PROF_PROBE_INFO_INIT;
        CHECK_I64(prof_snapshot_probe(snapshot, i, &info, NULL), PROF_OK);
        if (strcmp(info.name, probe) != 0)
            continue;
        *status = prof_snapshot_measure(snapshot, id, i, &found, err);
        if (of != NULL)
            snprintf(of, 16, "%s", info.of);
    }
    prof_snapshot_close(snapshot);
    return found;
}

static inline prof_measure measure_of(const char *function, const char *probe, prof_status *status, prof_error *err)
{
    return measure_owned(function, probe, status, err, NULL);
}

#endif
