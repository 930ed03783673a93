/* SPDX-License-Identifier: Apache-2.0 */
/* Threads of the libraries underneath: see threads.h. */
#include "threads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <profcore/torch.h>

/* Returns 1 if that changed something; a value that is there stays, unless it is overruled. */
static int set(const char *name, const char *value, int overrules)
{
    const char *const old = getenv(name);
    if (old != NULL && (!overrules || strcmp(old, value) == 0))
        return 0;
    return setenv(name, value, 1) == 0;
}

void threads_prepare(unsigned threads, char **argv)
{
    char count[16];
    snprintf(count, sizeof count, "%u", threads > 0 ? threads : 1);
    int changed = set("OMP_WAIT_POLICY", "passive", 0);
    changed |= set("OMP_NUM_THREADS", count, threads > 0);
    changed |= set("OPENBLAS_NUM_THREADS", count, threads > 0);
    if (changed)
        execv("/proc/self/exe", argv); /* comes back only where it fails */
}

prof_status threads_apply(unsigned threads, prof_error *err)
{
    const char *const set_before = getenv("OMP_NUM_THREADS");
    const long count = threads > 0 ? (long)threads : set_before != NULL ? strtol(set_before, NULL, 10) : 1;
    return prof_torch_intra_threads_set(count >= 1 && count <= 4096 ? (int32_t)count : 1, err);
}
