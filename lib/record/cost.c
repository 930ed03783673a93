/* SPDX-License-Identifier: Apache-2.0 */
/* What a scope costs here: measured on a tree that nobody reads. */
#include "cold.h"
#include "record.h"

#include "../base/clock.h"

#include <signal.h>

uint64_t profi_record_scope_cost(uint32_t *calls)
{
    enum { ROUNDS = 16, PAIRS = 256 };
    static profi_thread thread;
    static profi_node node;
    static uint64_t histogram[PROFI_BUCKET_COUNT];
    static prof_inline_cell cells[PAIRS + 1]; /* one more: a round never turns */
    static profi_site measured = { .name = "profcore" };
    static prof_site site = PROF_SITE_INIT("profcore", NULL, 0, 0);

    profi_thread_init(&thread);
    site.intern = &measured;
    node = (profi_node){ .key = profi_clock_is_ticks ? (uintptr_t)&measured : PROFI_KEY_NONE, .parent = &thread.root,
                         .last = &profi_nobody, .follower = &node, .histogram = histogram, .pending = histogram,
                         .site = &measured };
    thread.root.last = &node;
    thread.cell_end = cells + PAIRS + 1;

    /* A signal handler that records would do so into this thread's stand-in. */
    sigset_t all, callers;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &callers);
    profi_thread *caller = profi_self;
    uint64_t best = UINT64_MAX;
    profi_become(&thread);
    for (int round = 0; round < ROUNDS; round++) {
        thread.cell = cells;
        uint64_t begin = profi_clock_now();
        for (int i = 0; i < PAIRS; i++)
            prof_end(prof_begin(&site));
        best = profi_min_u64(best, profi_clock_now() - begin);
    }
    profi_become(caller);
    pthread_sigmask(SIG_SETMASK, &callers, NULL);
    *calls = PAIRS;
    return best;
}
