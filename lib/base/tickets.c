/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See tickets.h.  A ticket is the slot it is of and how often that was taken;
 * a slot's state is the same count and whether it is free, out, or being
 * changed by somebody.
 */
#include "tickets.h"

enum { FREE, CHANGING, OUT, STATES = 4, TRIED = 64, COUNTS = 1 << 20 };

uint32_t profi_ticket_take(profi_tickets *tickets, const uint64_t values[2])
{
    uint32_t first = __atomic_fetch_add(&tickets->next, 1u, __ATOMIC_RELAXED);
    for (uint32_t i = first; i != first + TRIED; i++) {
        profi_ticket_slot *slot = &tickets->slots[i % PROFI_TICKETS];
        uint32_t state = PROFI_GET(slot->state), count = (state / STATES + 1) % COUNTS;
        count += count == 0; /* no ticket is 0 */
        if (state % STATES != FREE ||
            !__atomic_compare_exchange_n(&slot->state, &state, count * STATES + CHANGING, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            continue;
        slot->values[0] = values[0];
        slot->values[1] = values[1];
        PROFI_RELEASE(slot->state, count * STATES + OUT);
        return count * PROFI_TICKETS + i % PROFI_TICKETS;
    }
    return 0;
}

int profi_ticket_give(profi_tickets *tickets, uint32_t ticket, uint64_t values[2])
{
    profi_ticket_slot *slot = &tickets->slots[ticket % PROFI_TICKETS];
    uint32_t count = ticket / PROFI_TICKETS, state = count * STATES + OUT;
    if (!__atomic_compare_exchange_n(&slot->state, &state, count * STATES + CHANGING, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return 0;
    values[0] = slot->values[0];
    values[1] = slot->values[1];
    PROFI_RELEASE(slot->state, count * STATES + FREE);
    return 1;
}
