/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions that tell about the library itself: counts, version, the names of statuses. */
#include "../base/error.h"
#include "../base/system.h"
#include "../record/record.h"

prof_status prof_stats_get(prof_stats *stats, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    enum { STATS_SIZE_0 = 56 }; /* as of version 0.1 */
    prof_stats now;
    profi_record_stats(&now);
    return profi_struct_write(stats, &now, sizeof(now), STATS_SIZE_0, "prof_stats", err);
}

uint32_t prof_version(void)
{
    return PROF_VERSION;
}

const char *prof_status_name(prof_status status)
{
    static const char *const names[] = { "PROF_OK", "PROF_E_INVALID", "PROF_E_NO_MEMORY", "PROF_E_IO", "PROF_E_FORMAT",
                                         "PROF_E_UNSUPPORTED", "PROF_E_UNAVAILABLE", "PROF_E_BUSY", "PROF_E_LIMIT",
                                         "PROF_E_NOT_FOUND" };
    return status <= 0 && -(int64_t)status < (int64_t)PROFI_COUNT_OF(names) ? names[-status] : "unknown status";
}
