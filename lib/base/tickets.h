/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pairs of numbers that wait for whoever comes back for them, each once: what
 * is to be known of something at its end that its caller keeps 32 bits of.
 *
 * A fixed number of them, without locks or allocation, for any thread.  A
 * ticket that was given back, or made up, is known as such, and its number
 * does not come again before 2^20 others of its slot have.
 */
#ifndef PROFI_TICKETS_H
#define PROFI_TICKETS_H

#include "base.h"

enum { PROFI_TICKETS = 4096 };

typedef struct profi_ticket_slot {
    uint32_t state; /* how often it was taken, and what it is now */
    uint64_t values[2];
} profi_ticket_slot;

/* All zero has none out. */
typedef struct profi_tickets {
    profi_ticket_slot slots[PROFI_TICKETS];
    uint32_t next;
} profi_tickets;

/* A ticket for two values; 0: too many are out. */
uint32_t profi_ticket_take(profi_tickets *tickets, const uint64_t values[2]);

/* Gives it back for the values; 0: it is none that is out. */
int profi_ticket_give(profi_tickets *tickets, uint32_t ticket, uint64_t values[2]);

#endif
