// SPDX-License-Identifier: Apache-2.0
// The case of scope_bench for microprofile, a frame profiler: a peer measured in the same run.
#include "scope_bench.h"

#include <microprofile.h>

extern "C" void bench_microprofile(void)
{
    static MicroProfileToken token = MicroProfileGetToken("bench", "flat", 0xff00ff00, MicroProfileTokenTypeCpu, 0);
    static bool is_on = false;
    if (!is_on) {
        is_on = true;
        MicroProfileOnThreadCreate("bench");
        MicroProfileSetEnableAllGroups(true);
        MicroProfileFlip(nullptr);
    }
    for (int i = 0; i < BATCH; i++) {
        MicroProfileEnter(token);
        MicroProfileLeave();
        if (i % 5000 == 4999) // a frame: its buffer of a thread holds some ten thousand events
            MicroProfileFlip(nullptr);
    }
}
