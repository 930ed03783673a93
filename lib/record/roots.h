/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where all that was recorded is found from: usually static memory, in
 * crash-safe mode the beginning of the file that the region lies in, with
 * what a reader needs when the process is no more (dead.c).
 *
 *     file   | region head, roots | threads, nodes, histograms, chunks, site records … |
 *
 * Its rule for a process that may be killed at any instruction: what a reader
 * can reach is whole, since each link is stored after what it leads to; and
 * the one thing that moves figures from place to place, the end of a thread,
 * keeps a note of how far it is.
 */
#ifndef PROFI_ROOTS_H
#define PROFI_ROOTS_H

#include "../base/region.h"
#include "pool.h"
#include "record.h"

#define PROFI_ROOTS_MARK "profcore.crash/1"

/* A site's text; in files, since sites themselves lie elsewhere.  Never freed. */
typedef struct profi_site_record profi_site_record;
struct profi_site_record {
    const profi_site_record *older;
    uint32_t id, line, flags, name_bytes, file_bytes, has_file;
    const char *unit; /* of unit_bytes; NULL: none */
    uint64_t unit_bytes;
    char text[]; /* the name, then the file; no NUL */
};

/* One moment on both clocks. */
typedef struct profi_roots_time {
    uint64_t ticks, ns;
} profi_roots_time;

/* The younger of the two moments that a scale is made of. */
static inline profi_roots_time profi_roots_time_of(const profi_clock_scale *scale)
{
    return (profi_roots_time){ scale->first_ticks + scale->ticks, scale->first_ns + scale->ns };
}

/* How far the end of a thread is. */
enum {
    PROFI_FOLD_NONE,
    PROFI_FOLD_WHOLE,    /* its tree is as it was */
    PROFI_FOLD_TREE,     /* its nodes, on the list that begins with `first`, go one by one to those of exited threads */
    PROFI_FOLD_SPANS,    /* all have; now its spans, on the list that begins with `span`, likewise */
    PROFI_FOLD_COUNTERS, /* all have; now what it counted besides */
    PROFI_FOLD_DONE
};

typedef struct profi_fold {
    profi_thread *thread;
    profi_node *first;
    uint32_t state;
    /* While a node's figures are added to another's: those had these. */
    profi_node *into; /* NULL: none are being added */
    profi_node *from; /* its key is PROFI_KEY_FOLDED when they have been */
    uint64_t calls, total, min, max, items;
    /* The spans that have not gone yet, and what follows the first, whose own link may lead to the exited threads' by now. */
    profi_span_total *span, *span_next;
    /* Likewise: span_from's figures are being added to these, or have been where it is not the first any more. */
    profi_span_total *span_into, *span_from;
} profi_fold;

typedef struct profi_roots {
    profi_region_head region;
    char mark[24]; /* PROFI_ROOTS_MARK; stored last */
    uint32_t layout; /* profi_roots_layout() of who wrote it */
    uint32_t is_ticks, is_steady;
    uint32_t newest_time; /* index in times; stored after the entry */
    profi_roots_time first_time, times[2];
    int64_t pid;
    profi_clock_moment begun;
    uint64_t start_tick;
    double scope_cost_ticks;
    uint64_t rss_start_bytes;
    char clock_source[16];
    char name[256], host[128];
    const profi_site_record *sites; /* newest first; stored with release */
    /* Above what only files need. */
    profi_thread *registry; /* newest first, `exited` last */
    uint64_t thread_total;  /* also the number of the youngest */
    uint64_t own_thread_total; /* of them: the library's own */
    uint64_t unattached_lost, unattached_repaired, unattached_unmatched, unattached_values; /* on threads that could not be attached */
    profi_thread exited;    /* what exited threads left */
    profi_pool pool;
    profi_fold fold;        /* under the registry's lock */
} profi_roots;

extern profi_roots *profi_the_roots;

/* Tells apart builds that lay these structs out otherwise. */
uint32_t profi_roots_layout(void);

/* Whether they lie in a file. */
static inline int profi_roots_in_file(void) { return profi_the_roots->layout != 0; }

/*
 * Before the first thread: opens the region in a file and puts the roots
 * there.  The clock has been chosen.
 */
prof_status profi_roots_open_file(int fd, uint64_t bytes, prof_error *err);

/* In a forked child: the file is the parent's; 1 when there are new, empty roots, 0 when there was no file. */
int profi_roots_renew(void);

/* Records a site's text in the file; 0 when memory is spent.  Under the lock of the sites. */
int profi_roots_add_site(const profi_site *site, size_t name_bytes, size_t file_bytes);
void profi_roots_set_unit(const profi_site *site);

/* Takes another moment on both clocks, now and then, under the pool's lock. */
void profi_roots_note_time(void);

#endif
