/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of scope_bench that inline the hot path. */
#define PROF_INLINE
#include "scope_bench.h"

static prof_site flat_site = PROF_SITE_INIT("inline flat", "inline_bench.c", 1, 0);

void bench_inline_flat(void)
{
    for (int i = 0; i < BATCH; i++)
        prof_inline_end(prof_inline_begin(&flat_site));
}

void bench_inline_nested(void)
{
    for (int i = 0; i < BATCH / 4; i++) {
        prof_scope a = prof_inline_begin(&bench_nest_sites[0]), b = prof_inline_begin(&bench_nest_sites[1]);
        prof_scope c = prof_inline_begin(&bench_nest_sites[2]), d = prof_inline_begin(&bench_nest_sites[3]);
        prof_inline_end(d);
        prof_inline_end(c);
        prof_inline_end(b);
        prof_inline_end(a);
    }
}
