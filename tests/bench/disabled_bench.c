/* SPDX-License-Identifier: Apache-2.0 */
/* The case of scope_bench in which the macros are nothing. */
#define PROF_DISABLE
#include "scope_bench.h"

void bench_disabled(void)
{
    for (int i = 0; i < BATCH; i++) {
        PROF_BLOCK("disabled");
        KEEP(i);
    }
}
