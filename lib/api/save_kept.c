/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the queue of kept calls to files.
 *
 * Calls that were taken from the queue wait here, oldest first, until they
 * are written: a disk that is full or gone for a while costs nothing until
 * the queue's share of memory is used up, and then calls are lost where they
 * end, and counted.
 */
#include "save.h"

#include "file_set.h"

#include "../base/clock.h"
#include "../base/error.h"
#include "../base/publish.h"
#include "../record/kept.h"


static profi_kept_call *waiting; /* written under the save lock */

static void take_from_queue(void)
{
    profi_kept_call *taken = profi_kept_take(), *last = waiting;
    if (taken == NULL)
        return;
    while (last != NULL && profi_kept_next(last) != NULL)
        last = profi_kept_next(last);
    if (last != NULL)
        profi_kept_append(last, taken);
    else
        PROFI_PUT(waiting, taken);
}

static void drop_first(profi_kept_fate fate)
{
    profi_kept_call *first = waiting;
    PROFI_PUT(waiting, profi_kept_next(first));
    profi_kept_free(first);
    profi_kept_note(fate, 1);
}

static prof_status save_call(int folder, const profi_config *config, const profi_run_facts *facts, prof_error *err)
{
    prof_snapshot *snapshot;
    prof_status status = profi_snapshot_of_call(facts, waiting, &snapshot, err);
    if (status != PROF_OK)
        return status;
    const profi_function *function = &snapshot->functions[snapshot->paths[snapshot->first_root].function];
    profi_file_set *run = profi_file_set_of(config->name, NULL); /* the first, so that it keeps its plain name */
    profi_file_set *set = run != NULL ? profi_file_set_of(config->name, function) : NULL;
    if (set != NULL)
        status = profi_file_set_write(set, folder, config, snapshot, PROFI_SET_CALL, err);
    else
        status = profi_fail(err, PROF_E_NO_MEMORY, "no memory to save a call of \"%.80s\"", function->name);
    prof_snapshot_close(snapshot);
    return status;
}

prof_status profi_save_kept(const profi_config *config, const profi_run_facts *facts, uint64_t until_ns,
                            const uint32_t *hurry, prof_error *err)
{
    int folder;
    take_from_queue();
    if (waiting == NULL)
        return PROF_OK;
    prof_status status = profi_folder_open(config->directory, &folder, err);
    if (status != PROF_OK)
        return status;
    while (waiting != NULL && profi_clock_monotonic_ns() < until_ns && (hurry == NULL || PROFI_GET(*hurry) == 0)) {
        status = save_call(folder, config, facts, err);
        if (status != PROF_OK && status != PROF_E_LIMIT)
            break;
        drop_first(status == PROF_OK ? PROFI_KEPT_SAVED : PROFI_KEPT_UNSAVED);
        status = PROF_OK;
    }
    profi_folder_close(folder);
    return status;
}

int profi_save_kept_is_waiting(void)
{
    return PROFI_GET(waiting) != NULL || profi_kept_is_waiting();
}

void profi_save_kept_give_up(void)
{
    take_from_queue();
    while (waiting != NULL)
        drop_first(PROFI_KEPT_UNSAVED);
}

void profi_save_kept_forget(void)
{
    while (waiting != NULL)
        drop_first(PROFI_KEPT_UNSAVED);
    profi_kept_forget();
}
