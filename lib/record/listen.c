/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See listen.h.  A listener is code of somebody else's: the thread is away
 * while it runs, is not cancelled in it, and finds errno as it was.
 */
#include "listen.h"

#include "../base/error.h"
#include "../base/system.h"
#include "cold.h"
#include "record.h"

const profi_listener *profi_the_listener;

void profi_record_listen(const profi_listener *listener)
{
    profi_the_listener = listener;
}

/* Around each call of the listener's. */
#define AWAY \
    PROFI_KEEP_ERRNO; \
    PROFI_NO_CANCELLATION; \
    profi_thread *away __attribute__((cleanup(come_back), unused)) = profi_step_away()

static void come_back(profi_thread **self) { profi_come_back(*self); }

/* What the listener knows a site by.  It learns of it under the lock of sites, which a fork holds. */
static const profi_listened *learned(profi_site *site)
{
    if (PROFI_LIKELY(PROFI_ACQUIRE(site->listened.is_known)))
        return &site->listened;
    profi_site_lock();
    if (!site->listened.is_known) {
        profi_the_listener->learn(&site->listened, site->name, site->file);
        PROFI_RELEASE(site->listened.is_known, 1u);
    }
    profi_site_unlock();
    return &site->listened;
}

uint64_t profi_tell_begin(profi_node *node, uint64_t now)
{
    AWAY;
    const profi_listened *site = learned(node->site);
    uint64_t begin = now != 0 ? now : profi_clock_now();
    profi_the_listener->begin(site);
    node->is_told = 1;
    return begin;
}

void profi_tell_end(profi_node *node)
{
    AWAY;
    node->is_told = 0;
    profi_the_listener->end();
}

void profi_tell_items(const profi_node *node, uint64_t count, const char *unit)
{
    AWAY;
    profi_the_listener->items(learned(node->site), count, unit);
}

void profi_tell_instant(profi_site *site)
{
    AWAY;
    profi_the_listener->instant(learned(site));
}

uint32_t profi_tell_span_begin(profi_site *site)
{
    AWAY;
    return profi_the_listener->span_begin(learned(site));
}

void profi_tell_span_end(uint32_t number)
{
    AWAY;
    profi_the_listener->span_end(number);
}

void profi_tell_thread(int32_t tid)
{
    char name[16];
    AWAY;
    profi_record_thread_name(tid, name);
    profi_the_listener->thread(tid, name);
}
