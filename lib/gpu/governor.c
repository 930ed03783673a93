/* SPDX-License-Identifier: Apache-2.0 */
/* See governor.h. */
#include "governor.h"

enum { CREDIT_NS = 100000000 };

static void change(profi_governor *governor, uint64_t now_ns, uint32_t is_paused)
{
    *(governor->is_paused ? &governor->paused_ns : &governor->traced_ns) += now_ns - governor->changed_ns;
    governor->windows += governor->is_paused && !is_paused;
    governor->is_paused = is_paused;
    governor->changed_ns = now_ns;
}

void profi_governor_stop(profi_governor *governor, uint64_t now_ns)
{
    if (governor->begun_ns == 0 || governor->stopped_ns != 0)
        return;
    change(governor, now_ns, governor->is_paused);
    governor->stopped_ns = now_ns;
}

void profi_governor_begin(profi_governor *governor, uint64_t now_ns)
{
    if (governor->begun_ns == 0)
        governor->begun_ns = now_ns;
    else if (governor->stopped_ns != 0)
        governor->begun_ns += now_ns - governor->stopped_ns;
    governor->changed_ns = now_ns;
    governor->stopped_ns = 0;
    governor->is_paused = 0;
    governor->windows++;
}

uint64_t profi_governor_decide(profi_governor *governor, uint64_t now_ns, uint64_t cost_ns, uint64_t every_ns)
{
    double allowed = CREDIT_NS + governor->share * (double)(now_ns - governor->begun_ns);
    double debt = governor->share < 1 ? (double)cost_ns - allowed : 0;
    if (debt > 0 || governor->is_paused)
        change(governor, now_ns, debt > 0);
    double wait = debt > 0 ? debt / governor->share : (double)every_ns;
    return now_ns + (wait < (double)every_ns ? (uint64_t)wait + 1 : every_ns);
}

uint64_t profi_governor_traced_ns(const profi_governor *governor, uint64_t now_ns)
{
    int is_tracing = governor->begun_ns != 0 && governor->stopped_ns == 0 && !governor->is_paused;
    return governor->traced_ns + (is_tracing ? now_ns - governor->changed_ns : 0);
}

uint64_t profi_governor_elapsed_ns(const profi_governor *governor, uint64_t now_ns)
{
    uint64_t end_ns = governor->stopped_ns != 0 ? governor->stopped_ns : now_ns;
    return governor->begun_ns != 0 ? end_ns - governor->begun_ns : 0;
}
