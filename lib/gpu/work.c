/* SPDX-License-Identifier: Apache-2.0 */
/* See work.h. */
#include "work.h"

#include "../base/clock.h"
#include "../base/text.h"
#include "../record/record.h"
#include "../record/work.h"
#include "busy.h"
#include "work_rows.h"

#include <dlfcn.h>
#include <profcore/events.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- launches ---- */

enum { LAUNCHES = 1 << 15 };

static profi_gpu_launch *launches; /* the latest, each where its id leads; stored with release */
static uint64_t launch_ticks, launch_count; /* that noting them has taken, on all threads; and those that started work */
static char *(*demangler)(const char *, char *, size_t *, int *); /* set before the first launch is told of */

/*
 * A flow of a program's is its own number; ours have the highest bit, and 31
 * of the process: timelines of several are merged, and correlation ids count
 * from 1 in each.
 */
static uint64_t flow_mark;
static uint64_t flow_of(uint32_t correlation) { return PROFI_GET(flow_mark) | correlation; }
static uint64_t mark_of_process(void) { return (profi_mix64(profi_hash_seed() ^ (uint64_t)getpid()) | (uint64_t)1 << 63) & ~(uint64_t)UINT32_MAX; }

void profi_gpu_work_launched(uint32_t correlation, int starts_work)
{
    profi_gpu_launch *table = PROFI_ACQUIRE(launches);
    profi_work_scope scopes[PROFI_GPU_SCOPES_MOST];
    if (table == NULL)
        return;
    uint64_t now = profi_clock_now();
    int is_cut;
    uint32_t path;
    unsigned count = profi_work_scopes(scopes, PROFI_GPU_SCOPES_MOST, &is_cut, &path);
    profi_gpu_launch *at = &table[correlation % LAUNCHES];
    PROFI_PUT(at->id, (uint64_t)0);
    PROFI_RELEASE(at->tick, now); /* released, as what follows: behind the 0 */
    PROFI_RELEASE(at->count, count);
    PROFI_RELEASE(at->path, path);
    PROFI_RELEASE(at->is_cut, (uint16_t)is_cut);
    PROFI_RELEASE(at->is_seen, (uint16_t)0);
    for (unsigned i = 0; i < count; i++) {
        PROFI_RELEASE(at->sites[i], scopes[i].site);
        PROFI_RELEASE(at->starts[i], scopes[i].start);
    }
    PROFI_RELEASE(at->id, (uint64_t)correlation + 1);
    if (count != 0 && starts_work)
        prof_flow(flow_of(correlation));
    __atomic_fetch_add(&launch_count, (uint64_t)(starts_work != 0), __ATOMIC_RELAXED);
    __atomic_fetch_add(&launch_ticks, profi_clock_now() - now, __ATOMIC_RELAXED);
}

uint64_t profi_gpu_work_launches(void) { return PROFI_GET(launch_count); }

/* Copies the launch with this id; 0 where it is not known, or was overwritten. */
static int find_launch(uint32_t correlation, profi_gpu_launch *into, int *is_first)
{
    profi_gpu_launch *at = &launches[correlation % LAUNCHES];
    into->id = PROFI_ACQUIRE(at->id);
    if (into->id != (uint64_t)correlation + 1)
        return 0;
    into->tick = PROFI_ACQUIRE(at->tick); /* acquired, as what follows: before the id is looked at again */
    into->count = (uint32_t)profi_min_u64(PROFI_ACQUIRE(at->count), PROFI_GPU_SCOPES_MOST);
    into->path = PROFI_ACQUIRE(at->path);
    into->is_cut = PROFI_ACQUIRE(at->is_cut);
    *is_first = PROFI_ACQUIRE(at->is_seen) == 0;
    for (unsigned i = 0; i < into->count; i++) {
        into->sites[i] = PROFI_ACQUIRE(at->sites[i]);
        into->starts[i] = PROFI_ACQUIRE(at->starts[i]);
    }
    if (PROFI_GET(at->id) != into->id)
        return 0;
    PROFI_PUT(at->is_seen, (uint16_t)1);
    return 1;
}

/* ---- figures ---- */

enum { PENDING_MOST = 1 << 16, NAMES = 1024, TRACKS = 64 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* over all that follows */
static profi_gpu_record *pending;
static size_t pending_count, pending_room;
static profi_gpu_totals totals;
static profi_busy busy;
static uint64_t settle_ns, overhead_ns;
static profi_clock_scale scale; /* as of the settling at hand */

int profi_gpu_work_open(void)
{
    profi_gpu_launch *table = PROFI_GET(launches);
    void *found = dlsym(RTLD_DEFAULT, "__cxa_demangle"); /* without the lock: who loads a library may wait for that */
    PROFI_PUT(flow_mark, mark_of_process());
    pthread_mutex_lock(&lock);
    memcpy(&demangler, &found, sizeof(found));
    pthread_mutex_unlock(&lock);
    if (table == NULL)
        PROFI_RELEASE(launches, table = calloc(LAUNCHES, sizeof(*table)));
    return table != NULL;
}

/* Adds it to all that it is work of. */
static void attribute(const profi_gpu_record *record)
{
    profi_gpu_launch from;
    int is_first;
    int is_known = find_launch(record->correlation, &from, &is_first) && from.count != 0;
    totals.counts[record->kind]++;
    if (record->kind != PROFI_GPU_WAIT) {
        profi_busy_add(&busy, record->start_ns, record->end_ns);
        *(is_known ? &totals.attributed : &totals.unattributed) += 1;
        totals.cut += is_known && is_first && from.is_cut;
    }
    unsigned missing = is_known ? profi_gpu_rows_add(record, &from, is_first, &scale) : 0;
    totals.dropped += (missing & PROFI_GPU_HAS_NO_SITE) != 0;
    totals.unplaced += (missing & PROFI_GPU_HAS_NO_PATH) != 0;
}

/* ---- spans ---- */

/* C++ names are readable where the process has a C++ library anyhow, when tracing begins. */
static char *demangle(const char *name)
{
    int status = 0;
    return demangler != NULL && strncmp(name, "_Z", 2) == 0 ? demangler(name, NULL, NULL, &status) : NULL;
}

/* The site of a kernel, by its name. */
static prof_site *site_of_kernel(const char *name)
{
    static struct { uint64_t hash; prof_site *site; } names[NAMES];
    uint64_t hash = profi_text_hash(name, strlen(name), 0);
    unsigned at = (unsigned)(hash % NAMES);
    if (names[at].site != NULL && names[at].hash == hash)
        return names[at].site;
    char *readable = demangle(name);
    const char *shown = readable != NULL ? readable : name;
    prof_site *site = profi_record_site(shown, strlen(shown), "gpu", 0, 0);
    free(readable);
    if (site != NULL) {
        names[at].hash = hash;
        names[at].site = site;
    }
    return site;
}

static prof_site *site_named(const char *name) { return profi_record_site(name, strlen(name), "gpu", 0, 0); }

static prof_site *site_of(const profi_gpu_record *record)
{
    static const char *const names[] = { "copy host to device", "copy device to host", "copy device to device", "copy", "set" };
    static prof_site *sites[PROFI_COUNT_OF(names)];
    if (record->kind == PROFI_GPU_KERNEL)
        return site_of_kernel(record->name != NULL ? record->name : "(unnamed kernel)");
    unsigned which = record->kind == PROFI_GPU_COPY ? record->way : PROFI_GPU_WAYS;
    if (sites[which] == NULL)
        sites[which] = site_named(names[which]);
    return sites[which];
}

static prof_site *track_of(const profi_gpu_record *record)
{
    static struct { uint32_t device, stream; prof_site *site; } tracks[TRACKS];
    unsigned at = (record->device * 31 + record->stream) % TRACKS;
    if (tracks[at].site == NULL || tracks[at].device != record->device || tracks[at].stream != record->stream) {
        char name[64];
        snprintf(name, sizeof(name), "GPU %u stream %u", (unsigned)record->device, (unsigned)record->stream);
        tracks[at].site = site_named(name);
        tracks[at].device = record->device;
        tracks[at].stream = record->stream;
    }
    return tracks[at].site;
}

/* The name of an argument. */
static prof_site *site_of_node(void)
{
    static prof_site *site;
    if (site == NULL)
        site = site_named("graph node");
    return site;
}

static void make_span(const profi_gpu_record *record)
{
    prof_site *what = site_of(record), *track = track_of(record); /* NULL: the span counts as lost */
    profi_work_record(&(profi_work){ what, track, profi_clock_tick_of(&scale, record->start_ns),
                                     profi_clock_tick_of(&scale, record->end_ns),
                                     flow_of(record->correlation), record->graph_node != 0 ? site_of_node() : NULL, record->graph_node });
}

/* ---- records ---- */

static int by_start(const void *one, const void *other)
{
    const profi_gpu_record *a = one, *b = other;
    return a->start_ns != b->start_ns ? (a->start_ns < b->start_ns ? -1 : 1) : a->end_ns < b->end_ns ? -1 : a->end_ns > b->end_ns;
}

static void settle(void)
{
    uint64_t begin = profi_clock_monotonic_ns();
    scale = profi_clock_scale_so_far();
    if (pending_count != 0)
        qsort(pending, pending_count, sizeof(*pending), by_start);
    for (size_t i = 0; i < pending_count; i++) {
        attribute(&pending[i]);
        if (pending[i].kind != PROFI_GPU_WAIT)
            make_span(&pending[i]);
    }
    pending_count = 0;
    settle_ns += profi_clock_monotonic_ns() - begin;
}

static int has_room(void)
{
    if (pending_count < pending_room)
        return 1;
    if (pending_room == PENDING_MOST) {
        settle();
        return 1;
    }
    size_t room = pending_room ? pending_room * 2 : 1024;
    profi_gpu_record *larger = realloc(pending, room * sizeof(*pending));
    if (larger == NULL)
        return 0;
    pending = larger;
    pending_room = room;
    return 1;
}

void profi_gpu_work_add(const profi_gpu_record *record)
{
    pthread_mutex_lock(&lock);
    if (!has_room()) {
        totals.dropped++;
    } else {
        pending[pending_count] = *record;
        if (record->end_ns < record->start_ns)
            pending[pending_count].end_ns = record->start_ns;
        pending_count++;
    }
    pthread_mutex_unlock(&lock);
}

void profi_gpu_work_settle(void)
{
    pthread_mutex_lock(&lock);
    settle();
    pthread_mutex_unlock(&lock);
}

void profi_gpu_work_window(void)
{
    pthread_mutex_lock(&lock);
    settle();
    profi_gpu_rows_window();
    pthread_mutex_unlock(&lock);
}

void profi_gpu_work_overhead(uint64_t ns)
{
    pthread_mutex_lock(&lock);
    overhead_ns += ns;
    pthread_mutex_unlock(&lock);
}

uint64_t profi_gpu_work_cost_ns(void)
{
    profi_clock_scale now = profi_clock_scale_so_far();
    pthread_mutex_lock(&lock);
    uint64_t cost_ns = settle_ns + overhead_ns + profi_clock_to_ns(&now, PROFI_GET(launch_ticks));
    pthread_mutex_unlock(&lock);
    return cost_ns;
}

void profi_gpu_work_dropped(uint64_t count)
{
    pthread_mutex_lock(&lock);
    totals.dropped += count;
    pthread_mutex_unlock(&lock);
}

int profi_gpu_work_copy(profi_gpu_copy *copy)
{
    pthread_mutex_lock(&lock);
    profi_gpu_rows_copy(copy, &scale);
    copy->totals = totals;
    copy->totals.busy_ns = busy.sum;
    copy->totals.is_bound = busy.is_bound;
    pthread_mutex_unlock(&lock);
    int ok = copy->sites != NULL && copy->paths != NULL;
    if (!ok)
        profi_gpu_copy_fini(copy);
    return ok;
}

void profi_gpu_copy_fini(profi_gpu_copy *copy)
{
    free(copy->sites);
    free(copy->paths);
    *copy = (profi_gpu_copy){ .sites = NULL };
}

void profi_gpu_work_lock(void) { pthread_mutex_lock(&lock); }
void profi_gpu_work_unlock(void) { pthread_mutex_unlock(&lock); }

void profi_gpu_work_forget(void)
{
    pending_count = 0;
    profi_gpu_rows_forget();
    totals = (profi_gpu_totals){ 0 };
    launch_ticks = settle_ns = overhead_ns = 0;
    busy = (profi_busy){ 0 };
    free(launches); /* no other thread is there to use it */
    launches = NULL;
}
