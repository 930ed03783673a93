/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uses the whole API once, for alloc_sweep: what libc and other libraries
 * allocate fails here too.  Prints how many calls failed, and last
 * the number of allocations.
 */
#include "../faults/api_uses.h"

#include <dlfcn.h>
#include <stdio.h>

int main(void)
{
    int problems = api_uses_run();
    const long *seen = (const long *)dlsym(RTLD_DEFAULT, "fail_alloc_seen");
    char line[64];
    int length = snprintf(line, sizeof(line), "%d calls failed, of allocations: %ld\n", api_uses_failed, seen ? *seen : -1L);
    fflush(stdout);
    fwrite(line, 1, (size_t)length, stdout);
    return problems != 0 || seen == NULL;
}
