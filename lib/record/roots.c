/* SPDX-License-Identifier: Apache-2.0 */
/* The roots, and their place in a file: see roots.h. */
#include "roots.h"

#include "../base/clock.h"
#include "../base/error.h"
#include "../base/text.h"

#include <string.h>
#include <unistd.h>

static profi_roots in_memory;
profi_roots *profi_the_roots = &in_memory;

uint32_t profi_roots_layout(void)
{
    static const uint64_t sizes[] = {
        1, /* what these numbers do not show: raised with each change of meaning */
        PROF_VERSION, sizeof(profi_roots), sizeof(profi_thread), sizeof(profi_node), sizeof(profi_chunk), sizeof(profi_ring),
        sizeof(profi_counter), sizeof(profi_span_total), sizeof(profi_thread_site), sizeof(profi_sample), sizeof(profi_site_record),
        offsetof(profi_roots, exited), offsetof(profi_roots, pool), offsetof(profi_thread, root), offsetof(profi_thread, ring),
        offsetof(profi_node, site), offsetof(profi_node, items), PROFI_BUCKET_COUNT, PROFI_DETAIL_REQUEST,
    };
    return (uint32_t)profi_text_hash(sizes, sizeof(sizes), 0) | 1;
}

static void describe_process(profi_roots *roots)
{
    profi_clock_scale scale = profi_clock_scale_now(); /* two moments some way apart, for the first ticks */
    roots->layout = profi_roots_layout();
    roots->is_ticks = profi_clock_is_ticks != 0;
    roots->is_steady = scale.steady != 0;
    roots->first_time = (profi_roots_time){ scale.first_ticks, scale.first_ns };
    roots->times[0] = profi_roots_time_of(&scale);
    strncpy(roots->clock_source, scale.source, sizeof(roots->clock_source) - 1);
    roots->pid = getpid();
    roots->begun = profi_clock_moment_now();
    if (gethostname(roots->host, sizeof(roots->host) - 1) != 0)
        roots->host[0] = '\0';
}

prof_status profi_roots_open_file(int fd, uint64_t bytes, prof_error *err)
{
    prof_status status = profi_region_open_file(fd, bytes, sizeof(profi_roots), err);
    if (status != PROF_OK)
        return status;
    profi_roots *roots = profi_region_file_head();
    const profi_roots before = in_memory; /* what could not be attached yet */
    roots->unattached_lost = before.unattached_lost;
    roots->unattached_repaired = before.unattached_repaired;
    roots->unattached_unmatched = before.unattached_unmatched;
    roots->unattached_values = before.unattached_values;
    describe_process(roots);
    profi_the_roots = roots;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    memcpy(roots->mark, PROFI_ROOTS_MARK, sizeof(PROFI_ROOTS_MARK));
    return PROF_OK;
}

int profi_roots_renew(void)
{
    if (!profi_roots_in_file())
        return 0;
    in_memory = (profi_roots){ .pool.shortest = profi_the_roots->pool.shortest };
    profi_the_roots = &in_memory;
    profi_region_renew(); /* where that fails, nothing can be attached any more, and all counts as lost */
    return 1;
}

int profi_roots_add_site(const profi_site *site, size_t name_bytes, size_t file_bytes)
{
    if (!profi_roots_in_file())
        return 1;
    profi_site_record *record = profi_region_alloc(sizeof(*record) + name_bytes + file_bytes, PROFI_REGION_TREE);
    if (record == NULL)
        return 0;
    *record = (profi_site_record){ .older = profi_the_roots->sites, .id = site->id, .line = site->line, .flags = site->flags,
                                   .name_bytes = (uint32_t)name_bytes, .file_bytes = (uint32_t)file_bytes,
                                   .has_file = site->file != NULL };
    memcpy(record->text, site->name, name_bytes);
    if (file_bytes != 0)
        memcpy(record->text + name_bytes, site->file, file_bytes);
    __atomic_store_n(&profi_the_roots->sites, record, __ATOMIC_RELEASE);
    return 1;
}

void profi_roots_set_unit(const profi_site *site)
{
    if (!profi_roots_in_file())
        return;
    const profi_site_record *record = profi_the_roots->sites;
    while (record != NULL && record->id != site->id)
        record = record->older;
    size_t bytes = strlen(site->unit);
    char *text = record != NULL ? profi_region_alloc(bytes + 1, PROFI_REGION_TREE) : NULL;
    if (text == NULL)
        return;
    memcpy(text, site->unit, bytes);
    ((profi_site_record *)record)->unit_bytes = bytes;
    __atomic_store_n(&((profi_site_record *)record)->unit, text, __ATOMIC_RELEASE);
}

void profi_roots_note_time(void)
{
    profi_roots *roots = profi_the_roots;
    if (!profi_roots_in_file())
        return;
    profi_clock_scale scale = profi_clock_scale_so_far();
    uint32_t other = 1 - roots->newest_time;
    roots->times[other] = profi_roots_time_of(&scale);
    __atomic_store_n(&roots->newest_time, other, __ATOMIC_RELEASE);
}
