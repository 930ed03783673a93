/* SPDX-License-Identifier: Apache-2.0 */
/* The case of scope_bench for LTTng-UST, two trace points a scope: a peer measured in the same run. */
#define LTTNG_UST_TRACEPOINT_DEFINE
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#include "peer_lttng.h"

#include "scope_bench.h"

void bench_lttng(void)
{
    for (int i = 0; i < BATCH; i++) {
        lttng_ust_tracepoint(profcore_bench, begin, 1);
        lttng_ust_tracepoint(profcore_bench, end, 1);
    }
}
