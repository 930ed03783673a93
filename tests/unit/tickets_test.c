/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets: base/tickets.h. */
#include "harness.h"

#include "base/tickets.h"

#include <pthread.h>

enum { THREADS = 4, ROUNDS = 20000 };

static profi_tickets tickets;

static uint32_t take(uint64_t value)
{
    return profi_ticket_take(&tickets, (const uint64_t[2]){ value, ~value });
}

static int give(uint32_t ticket, uint64_t value)
{
    uint64_t values[2];
    return profi_ticket_give(&tickets, ticket, values) && values[0] == value && values[1] == ~value;
}

TEST(a_ticket_gives_its_values_back_once)
{
    uint32_t first = take(1), second = take(2);
    CHECK(first != 0 && second != 0 && first != second);
    CHECK(give(second, 2));
    CHECK(give(first, 1));
    CHECK(!give(first, 1));
}

TEST(what_is_no_ticket_is_known)
{
    uint64_t values[2];
    for (uint32_t made_up = 0; made_up < 100000; made_up++)
        CHECK(!profi_ticket_give(&tickets, made_up * 977, values));
    uint32_t ticket = take(3);
    CHECK(!profi_ticket_give(&tickets, ticket + PROFI_TICKETS, values));
    CHECK(give(ticket, 3));
}

TEST(those_that_are_too_many_are_refused_and_others_stay)
{
    static uint32_t out[PROFI_TICKETS];
    for (uint64_t i = 0; i < PROFI_TICKETS; i++) {
        out[i] = take(i);
        CHECK(out[i] != 0);
    }
    CHECK_I64(take(0), 0);
    for (uint64_t i = 0; i < PROFI_TICKETS; i++)
        CHECK(give(out[i], i));
    uint32_t again = take(7);
    CHECK(give(again, 7));
}

TEST(the_number_of_a_ticket_does_not_come_again_soon)
{
    uint32_t first = take(1);
    CHECK(give(first, 1));
    for (uint32_t i = 0; i < 10u * PROFI_TICKETS; i++) {
        uint32_t ticket = take(i);
        CHECK(ticket != first);
        CHECK(give(ticket, i));
    }
}

static void *take_and_give(void *seed)
{
    uintptr_t wrong = 0;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        uint64_t value = (uintptr_t)seed * ROUNDS + i;
        wrong += !give(take(value), value);
    }
    return (void *)wrong;
}

TEST(threads_that_take_and_give_at_once_get_their_own)
{
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK_I64(pthread_create(&threads[i], NULL, take_and_give, (void *)i), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        CHECK_I64((intptr_t)wrong, 0);
    }
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
