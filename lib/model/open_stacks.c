/* SPDX-License-Identifier: Apache-2.0 */
/* Open scopes in nanoseconds, with their texts: see open_stacks.h. */
#include "open_stacks.h"

#include "../base/error.h"
#include "../base/text.h"
#include "../record/open.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int compare_numbers(const void *one, const void *other)
{
    const profi_open_thread *a = one, *b = other;
    return a->number < b->number ? -1 : a->number > b->number;
}

prof_status profi_open_stacks_take(profi_open_stacks *stacks, const char *run_name, prof_error *err)
{
    profi_opens *opens = calloc(1, sizeof(*opens));
    *stacks = (profi_open_stacks){ .pid = getpid(), .taken = profi_clock_moment_now(), .opens = opens };
    profi_text_cut(stacks->run_name, sizeof(stacks->run_name), run_name);
    if (opens == NULL || !profi_opens_take(opens)) {
        profi_open_stacks_fini(stacks);
        return profi_fail(err, PROF_E_NO_MEMORY, "no memory for the open scopes of all threads");
    }
    stacks->scale = profi_clock_scale_now();
    stacks->thread_count = opens->thread_count;
    if (opens->thread_count != 0)
        qsort(opens->threads, opens->thread_count, sizeof(*opens->threads), compare_numbers);
    return PROF_OK;
}

prof_status profi_open_stacks_reserve(profi_open_stacks *stacks, const char *run_name, size_t threads, size_t scopes, prof_error *err)
{
    *stacks = (profi_open_stacks){ .opens = calloc(1, sizeof(*stacks->opens)) };
    profi_text_cut(stacks->run_name, sizeof(stacks->run_name), run_name);
    if (stacks->opens == NULL || !profi_opens_reserve(stacks->opens, threads, scopes)) {
        profi_open_stacks_fini(stacks);
        return profi_fail(err, PROF_E_NO_MEMORY, "no memory for the open scopes of %zu threads", threads);
    }
    return PROF_OK;
}

void profi_open_stacks_take_crashed(profi_open_stacks *stacks)
{
    stacks->pid = getpid();
    stacks->taken = profi_clock_moment_now();
    stacks->is_partial = !profi_opens_read_crashed(stacks->opens);
    stacks->scale = profi_clock_scale_so_far();
    stacks->thread_count = profi_min_u64(stacks->opens->thread_count, stacks->opens->thread_room);
}

void profi_open_stacks_fini(profi_open_stacks *stacks)
{
    if (stacks->opens != NULL)
        profi_opens_fini(stacks->opens);
    free(stacks->opens);
    stacks->opens = NULL;
    stacks->thread_count = 0;
}

profi_stack_thread profi_open_stacks_thread(const profi_open_stacks *stacks, size_t index)
{
    const profi_opens *opens = stacks->opens;
    const profi_open_thread *of = &opens->threads[index];
    size_t room = opens->scope_room - profi_min_u64(of->first, opens->scope_room);
    profi_stack_thread thread = { .number = of->number, .tid = of->tid, .is_moving = (int)of->is_moving, .lost = of->lost,
                                  .first = of->first, .count = profi_min_u64(of->count, room) };
    char name[16], clean[PROFI_TEXT_MAX];
    profi_record_thread_name(of->tid, name);
    profi_text_clean(clean, name, strlen(name));
    profi_text_cut(thread.name, sizeof(thread.name), clean);
    return thread;
}

profi_stack_scope profi_open_stacks_scope(const profi_open_stacks *stacks, size_t index)
{
    const profi_open_scope *of = &stacks->opens->scopes[index];
    profi_site_view site = profi_record_site_view(of->site);
    profi_stack_scope scope = { .name = site.name, .file = site.file, .line = site.line, .is_timed = of->start != 0 };
    if (scope.is_timed) {
        uint64_t now = profi_clock_at(&stacks->scale, stacks->opens->now);
        scope.start_ns = profi_clock_at(&stacks->scale, of->start);
        scope.age_ns = now > scope.start_ns ? now - scope.start_ns : 0; /* 0: the clocks of two cores disagree */
    }
    return scope;
}

uint64_t profi_open_stacks_taken_tick(const profi_open_stacks *stacks)
{
    return stacks->opens->now;
}

profi_open_cell *profi_open_stacks_cells(const profi_open_stacks *stacks, size_t *count)
{
    const profi_opens *opens = stacks->opens;
    profi_open_cell *cells = malloc((opens->scope_count + 1) * sizeof(*cells));
    *count = 0;
    for (size_t t = 0; cells != NULL && t < stacks->thread_count; t++) {
        const profi_open_thread *of = &opens->threads[t];
        for (size_t i = of->count; i-- > 0;) {
            const profi_open_scope *scope = &opens->scopes[of->first + i];
            if (scope->start != 0)
                cells[(*count)++] = (profi_open_cell){ of->number, profi_event_what(PROFI_EVENT_SCOPE, scope->level, scope->site),
                                                       scope->start };
        }
    }
    return cells;
}
