/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The open scopes of each thread: see open.h.
 *
 * A node whose start is not 0 is open, and all open nodes of a thread lie on
 * one path.  So the way up from where the thread stands finds them, in as
 * many steps as there are; nodes are not freed while the thread is
 * registered, so no step leads astray, however old it is.  Starts only grow:
 * a node that has the same one when all have been read and when they are read
 * once more was open in between, and so were all around it.  What differs is
 * left out, with what lies inside it, and the thread is looked at again, for
 * it is quick; a scope that lasts is seen at the first look.
 *
 * While a thread closes a scope it stands at its busy node, from which no way
 * leads up: usually for some nanoseconds, but it may have been switched out
 * just then.  After a few looks the open nodes are found from the root down.
 */
#include "open.h"

#include "cold.h"

#include <stdlib.h>
#include <time.h>

enum { LOOKS = 8 };

static uint64_t start_of(const profi_node *node)
{
    return __atomic_load_n(&node->start, __ATOMIC_ACQUIRE); /* so that the second reading comes after the first */
}

/* Where the thread stands, and how many lost scopes are inside; NULL while that cannot be seen. */
static const profi_node *stand_of(const profi_thread *thread, uint64_t *lost)
{
    const profi_node *node = __atomic_load_n(&thread->current, __ATOMIC_ACQUIRE);
    *lost = 0;
    if (node == &thread->overflow) {
        *lost = PROFI_GET(thread->overflow_depth);
        node = PROFI_GET(thread->overflow.parent);
    }
    return node != &thread->busy_node ? node : NULL;
}

/* The same without asking the thread: down the path of open nodes. */
static const profi_node *innermost_open(const profi_thread *thread)
{
    const profi_node *stand = &thread->root, *child = __atomic_load_n(&stand->first_child, __ATOMIC_ACQUIRE);
    while (child != NULL)
        if (start_of(child) == 0) {
            child = child->next_sibling;
        } else {
            stand = child;
            child = __atomic_load_n(&stand->first_child, __ATOMIC_ACQUIRE);
        }
    return stand;
}

static void add_scope(profi_opens *opens, const profi_node *node, uint64_t start)
{
    if (opens->scope_count < opens->scope_room)
        opens->scopes[opens->scope_count] =
            (profi_open_scope){ .place = (uintptr_t)node, .start = start, .site = node->site->id,
                                .level = profi_event_level(node->event) };
    opens->scope_count++;
}

/* Scopes were read innermost first. */
static void turn_around(profi_open_scope *scopes, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        profi_open_scope other = scopes[i];
        scopes[i] = scopes[count - 1 - i];
        scopes[count - 1 - i] = other;
    }
}

/* Reads the path to a node; returns how many scopes of it are still what they were when all had been read. */
static size_t read_path(const profi_thread *thread, const profi_node *node, profi_opens *opens)
{
    size_t first = opens->scope_count;
    for (; node != NULL && node != &thread->root; node = PROFI_GET(node->parent)) {
        uint64_t start = start_of(node);
        if (start != 0) /* else it begins or ends just now */
            add_scope(opens, node, start);
    }
    size_t count = opens->scope_count - first, steady = 0;
    if (first >= opens->scope_room)
        return count;
    profi_open_scope *scopes = opens->scopes + first;
    turn_around(scopes, profi_min_u64(count, opens->scope_room - first));
    if (opens->scope_count > opens->scope_room)
        return count; /* the caller comes again with more room, or does with the innermost */
    while (steady < count && start_of((const profi_node *)scopes[steady].place) == scopes[steady].start)
        steady++;
    return steady;
}

static void read_thread(const profi_thread *thread, profi_opens *opens)
{
    profi_open_thread read = { .number = thread->number, .tid = thread->tid, .first = opens->scope_count };
    for (int look = 0; look < LOOKS; look++) {
        opens->scope_count = read.first;
        const profi_node *node = stand_of(thread, &read.lost);
        read.is_moving = node == NULL;
        if (node == NULL && look < LOOKS - 1)
            continue;
        read.count = read_path(thread, node != NULL ? node : innermost_open(thread), opens);
        read.is_moving |= read.first + read.count != opens->scope_count;
        opens->scope_count = read.first + read.count;
        if (!read.is_moving)
            break;
    }
    for (size_t i = read.first; i < profi_min_u64(opens->scope_count, opens->scope_room); i++)
        if (opens->scopes[i].start == PROFI_UNTIMED)
            opens->scopes[i].start = 0;
    if (opens->thread_count < opens->thread_room)
        opens->threads[opens->thread_count] = read;
    opens->thread_count++;
}

static void read_threads(profi_opens *opens, const profi_thread *thread)
{
    for (; thread != NULL; thread = thread->next)
        if (!thread->exited)
            read_thread(thread, opens);
}

static void begin_reading(profi_opens *opens)
{
    opens->now = profi_clock_now();
    opens->thread_count = opens->scope_count = 0;
}

void profi_opens_read(profi_opens *opens)
{
    begin_reading(opens);
    read_threads(opens, profi_registry_lock());
    profi_registry_unlock();
}

int profi_opens_read_crashed(profi_opens *opens)
{
    enum { TRIES = 50 };
    const struct timespec pause = { 0, 2000000 };
    begin_reading(opens);
    for (int i = 0; i < TRIES; i++) {
        const profi_thread *thread;
        if (profi_registry_trylock(&thread)) {
            read_threads(opens, thread);
            profi_registry_unlock();
            return 1;
        }
        nanosleep(&pause, NULL);
    }
    if (profi_self != &profi_detached && profi_self != &profi_away)
        read_thread(profi_self, opens);
    return 0;
}

/* Makes room for `count`, and some more; what was in the array is not needed any more. */
static int make_room(void **array, size_t *room, size_t count, size_t bytes)
{
    if (count <= *room)
        return 1;
    free(*array);
    *room = count + count / 4 + 16;
    *array = reallocarray(NULL, *room, bytes);
    *room = *array != NULL ? *room : 0;
    return *array != NULL;
}

int profi_opens_reserve(profi_opens *opens, size_t thread_count, size_t scope_count)
{
    void *threads = opens->threads, *scopes = opens->scopes;
    int ok = make_room(&threads, &opens->thread_room, thread_count, sizeof(*opens->threads)) &&
             make_room(&scopes, &opens->scope_room, scope_count, sizeof(*opens->scopes));
    opens->threads = threads;
    opens->scopes = scopes;
    return ok;
}

int profi_opens_take(profi_opens *opens)
{
    do {
        if (!profi_opens_reserve(opens, opens->thread_count, opens->scope_count))
            return 0;
        profi_opens_read(opens);
    } while (opens->thread_count > opens->thread_room || opens->scope_count > opens->scope_room);
    return 1;
}

void profi_opens_fini(profi_opens *opens)
{
    free(opens->threads);
    free(opens->scopes);
    *opens = (profi_opens){ 0 };
}
