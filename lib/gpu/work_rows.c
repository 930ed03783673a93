/* SPDX-License-Identifier: Apache-2.0 */
/* See work_rows.h. */
#include "work_rows.h"

#include "../base/array.h"
#include "../base/number_map.h"
#include "../record/work.h"
#include "busy.h"

#include <stdlib.h>

/* A call that work comes back for. */
typedef struct call {
    uint64_t begin_tick, last_end_ns; /* begin 0: free */
} call;

enum { CALL_SETS = 8, CALLS_IN_SET = 8, CALLS_KEPT = CALL_SETS * CALLS_IN_SET, ROWS_MOST = 1 << 14, LEVELS_MOST = 256 };

/* Of several threads; of a set, the one that nothing came for for longest is finished when there is no room. */
typedef struct calls {
    call kept[CALLS_KEPT];
} calls;

typedef struct row {
    profi_gpu_figures figures; /* but for done and busy */
    profi_busy busy, self_busy;
    uint32_t window;           /* in which busy last grew */
    uint64_t busy_before;      /* what it was when that window began */
} row;

typedef struct row_list {
    row *rows;
    size_t count, room;
    profi_number_map row_of; /* a site, or a path */
} row_list;

static row_list sites, paths;
static calls *calls_of_sites; /* one for each row of a site */
static size_t calls_room;
static uint32_t window = 1;
static const profi_clock_scale *scale; /* the caller's, during a call */

/* The row of a site or a path, made if need be; NULL where there is no memory for one more. */
static row *row_of(row_list *list, uint32_t of)
{
    uint32_t found = profi_number_map_find(&list->row_of, 0, of);
    if (found != UINT32_MAX)
        return &list->rows[found];
    if (list->count == ROWS_MOST || !profi_array_grow(&list->rows, &list->room, list->count, sizeof(*list->rows)) ||
        (list == &sites && !profi_array_grow(&calls_of_sites, &calls_room, list->count, sizeof(*calls_of_sites))) ||
        !profi_number_map_put(&list->row_of, 0, of, (uint32_t)list->count))
        return NULL;
    if (list == &sites)
        calls_of_sites[list->count] = (calls){ .kept = { { 0, 0 } } };
    list->rows[list->count] = (row){ .figures.of = of };
    return &list->rows[list->count++];
}

static void finish_call(profi_gpu_figures *figures, const call *over)
{
    uint64_t begin_ns = profi_clock_at(scale, over->begin_tick);
    uint64_t done_ns = over->last_end_ns > begin_ns ? over->last_end_ns - begin_ns : 0;
    figures->call_count++;
    figures->done_ns += done_ns;
    figures->done_max_ns = profi_max_u64(figures->done_max_ns, done_ns);
}

static void note_end(row *site, uint64_t begin_tick, uint64_t end_ns)
{
    call *kept = calls_of_sites[site - sites.rows].kept;
    call *set = &kept[profi_mix64(begin_tick) % CALL_SETS * CALLS_IN_SET], *into = set;
    for (call *at = set; at < set + CALLS_IN_SET; at++) {
        if (at->begin_tick == begin_tick) {
            at->last_end_ns = profi_max_u64(at->last_end_ns, end_ns);
            return;
        }
        if (at->last_end_ns < into->last_end_ns)
            into = at;
    }
    if (into->begin_tick != 0)
        finish_call(&site->figures, into);
    *into = (call){ begin_tick, end_ns };
}

static double square(double value) { return value * value; }

/* What came in the window before this one is one sample of what comes in a window. */
static void enter_window(row *into)
{
    if (into->window == window)
        return;
    into->figures.busy_squares += square((double)(into->busy.sum - into->busy_before));
    into->busy_before = into->busy.sum;
    into->window = window;
}

static void add_queued(profi_gpu_figures *f, const profi_gpu_record *record, const profi_gpu_launch *from)
{
    uint64_t launched_ns = profi_clock_at(scale, from->tick);
    uint64_t queued_ns = record->start_ns > launched_ns ? record->start_ns - launched_ns : 0;
    f->launches++;
    f->queue_ns += queued_ns;
    f->queue_max_ns = profi_max_u64(f->queue_max_ns, queued_ns);
}

static void add_to_row(row *into, const profi_gpu_record *record, const profi_gpu_launch *from, int is_own, int is_first)
{
    profi_gpu_figures *f = &into->figures;
    f->counts[record->kind]++;
    f->ns[record->kind] += record->end_ns - record->start_ns;
    if (record->kind == PROFI_GPU_COPY)
        f->bytes[record->way] += record->bytes;
    if (record->kind == PROFI_GPU_WAIT)
        return;
    enter_window(into);
    profi_busy_add(&into->busy, record->start_ns, record->end_ns);
    if (is_own)
        profi_busy_add(&into->self_busy, record->start_ns, record->end_ns);
    if (is_first)
        add_queued(f, record, from);
}

/* 0 where there is no room for its row. */
static int add_to_site(const profi_gpu_record *record, const profi_gpu_launch *from, unsigned scope, int is_first)
{
    const uint64_t untimed = 1;
    row *site = row_of(&sites, from->sites[scope]);
    if (site == NULL)
        return 0;
    add_to_row(site, record, from, scope == 0, is_first);
    if (record->kind != PROFI_GPU_WAIT && from->starts[scope] > untimed)
        note_end(site, from->starts[scope], record->end_ns);
    return 1;
}

/* To the path of the launch and to all that lead there; a recursion is as many paths as it is deep.  0 where one is missing. */
static int add_to_paths(const profi_gpu_record *record, const profi_gpu_launch *from, int is_first)
{
    unsigned levels = 0;
    uint32_t at = from->path;
    for (; at != PROFI_WORK_NO_PATH && levels < LEVELS_MOST; at = profi_work_path_of(at).around, levels++) {
        row *path = row_of(&paths, at);
        if (path == NULL)
            break;
        add_to_row(path, record, from, levels == 0, is_first);
    }
    return levels != 0 && at == PROFI_WORK_NO_PATH;
}

unsigned profi_gpu_rows_add(const profi_gpu_record *record, const profi_gpu_launch *from, int is_first, const profi_clock_scale *as_of)
{
    unsigned missing = 0;
    scale = as_of;
    for (unsigned i = 0; i < from->count; i++)
        if (!add_to_site(record, from, i, is_first) && i == 0)
            missing |= PROFI_GPU_HAS_NO_SITE;
    if (!add_to_paths(record, from, is_first) && record->kind != PROFI_GPU_WAIT)
        missing |= PROFI_GPU_HAS_NO_PATH;
    return missing;
}

void profi_gpu_rows_window(void) { window++; }

static profi_gpu_figures *copy_rows(const row_list *list)
{
    profi_gpu_figures *copies = calloc(list->count + 1, sizeof(*copies));
    for (size_t i = 0; copies != NULL && i < list->count; i++) {
        const row *from = &list->rows[i];
        copies[i] = from->figures;
        copies[i].busy_ns = from->busy.sum;
        copies[i].self_busy_ns = from->self_busy.sum;
        copies[i].busy_squares += square((double)(from->busy.sum - from->busy_before));
        copies[i].is_bound = from->busy.is_bound | from->self_busy.is_bound;
    }
    return copies;
}

void profi_gpu_rows_copy(profi_gpu_copy *copy, const profi_clock_scale *as_of)
{
    scale = as_of;
    *copy = (profi_gpu_copy){ .sites = copy_rows(&sites), .paths = copy_rows(&paths), .site_count = sites.count, .path_count = paths.count };
    for (size_t i = 0; copy->sites != NULL && i < sites.count; i++)
        for (unsigned j = 0; j < CALLS_KEPT; j++) /* those that more may come for count as they stand */
            if (calls_of_sites[i].kept[j].begin_tick != 0)
                finish_call(&copy->sites[i], &calls_of_sites[i].kept[j]);
}

void profi_gpu_rows_forget(void)
{
    sites.count = paths.count = 0;
    profi_number_map_fini(&sites.row_of);
    profi_number_map_fini(&paths.row_of);
    window = 1;
}
