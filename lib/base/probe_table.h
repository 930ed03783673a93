/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table through which scopes reach what measures them besides the
 * clock.  record/ reads it without knowing what is read; probe/ and the
 * program fill it without knowing what a scope is.
 *
 *     row: one named value         source: one function that reads some rows
 *     cpu.time   ns   counter  \
 *     cpu.user   ns   counter   |- thread.c, one getrusage() for all of it
 *     wait.cpu   ns   counter  /
 *     rss        bytes  gauge   -- rss.c
 *     memory.…   bytes  counters and maxima -- memory.c
 *     (own)                     -- one row for each prof_probe of the program
 *
 * A *counter* only rises: a call has its end - begin, and there is a largest
 * call.  A *gauge* rises and falls: a call has its growth and its peak.  A
 * *maximum* is what a call rose to above its begin, exactly, however scopes
 * nest; as calls are summed and there is a largest, it is shown as a counter.
 *
 * Rows are added, never removed or changed.  The row of a program's probe
 * belongs to its site flag and has its place before it is added, so that a
 * site may ask for it first.
 */
#ifndef PROFI_PROBE_TABLE_H
#define PROFI_PROBE_TABLE_H

#include "base.h"
#include <profcore/prof.h>

/* Rows below PROFI_PROBE_OWN come from sources; those from there on are the program's, one for a bit from 16 to 31. */
enum { PROFI_PROBE_OWN = 40, PROFI_PROBE_OWN_COUNT = 16, PROFI_PROBE_MAX = PROFI_PROBE_OWN + PROFI_PROBE_OWN_COUNT };

typedef struct profi_probe {
    const char *name, *unit;
    const char *of;        /* "thread", "process", "cgroup", "machine": whose value it is */
    uint32_t site_flags;   /* any of them asks for it */
    uint32_t is_gauge;
    uint64_t (*highest_since)(uint64_t mark); /* of a gauge that is also sampled: see profi_reading; or NULL */
    const char *reason;    /* why the last read that failed did, static text; or NULL; relaxed */
    int error;             /* the same as an errno value, or 0; relaxed */
    /* It is read from memory of the process: no system call, no cancellation point, nothing worth timing. */
    uint32_t is_plain;
    /*
     * Of a maximum, else NULL.  A call begins a running maximum at the present
     * value and is given what ends it: the highest value since, by which the
     * call around has also risen.
     */
    uint64_t (*peak_begin)(unsigned row);
    uint64_t (*peak_end)(unsigned row, uint64_t mark);
} profi_probe;

/* What a probe read. */
typedef struct profi_reading {
    uint64_t value;
    uint64_t high_water; /* of a gauge: highest since the process began, or 0 where that is not known */
    uint64_t mark;       /* of a gauge that is sampled in between: where its samples stood, for highest_since() */
} profi_reading;

/*
 * Reads those of a source's rows whose bit is set in `wanted` (bit 0: its
 * first row) and returns the bits of those that could be read; for the
 * others it has set the row's reason.  Runs on the caller's thread, in a
 * scope's begin or end; errno and cancellation are taken care of.
 */
typedef uint64_t (*profi_probe_read)(uint64_t wanted, profi_reading *readings);

/*
 * Adds a source; the rows stay the caller's and live as long as the process.
 * Before the first scope.  Returns the number of the first, or PROFI_PROBE_OWN
 * when there is no room.  A row without a name is not there yet: it is when
 * its name is, stored with release, which its site flags follow.
 */
unsigned profi_probe_source_add(profi_probe *rows, unsigned count, profi_probe_read read);

/* The rows that a site with these flags asks for, as bits; also those of the program that are not there yet. */
uint64_t profi_probes_for(uint32_t site_flags);

/* A row by its number; NULL when there is none. */
profi_probe *profi_probe_row(unsigned number);

/* Adds the program's own: see prof_probe_add().  One caller at a time. */
prof_status profi_probe_own_add(const prof_probe *probe, uint32_t *site_flag, prof_error *err);

/* Those that are plain, and those that are maxima: see profi_probe. */
typedef struct profi_probe_rows {
    uint64_t plain, maxima;
} profi_probe_rows;
extern profi_probe_rows profi_probes_by_kind; /* changed by profi_probe_source_add() only */

/* All that one scope's begin or end read, at one moment. */
typedef struct profi_readings {
    uint64_t wanted, valid; /* rows, as bits; one that is not wanted was not asked */
    profi_reading of[PROFI_PROBE_MAX];
} profi_readings;

/*
 * Reads rows.  Inside a probe that opens scopes of its own nothing is wanted:
 * a probe is not measured, or it would never end.
 */
void profi_probes_read(uint64_t wanted, profi_readings *readings);

/*
 * What one probe measured in one node.  One writer, the thread that owns the
 * node; a snapshot reads it by relaxed access and may see one call's figures
 * half added, which the next snapshot mends.
 */
typedef struct profi_measure {
    union {
        struct { /* of the open call; not for other threads */
            uint64_t begin_value, begin_high_water, begin_mark;
        };
        struct { /* of a level (record/levels.h), in a snapshot: what it was in the call with the highest peak, and */
            uint64_t top_begin, top_end;
            uint64_t rise; /* the most that a call's peak was above its begin */
        };
    };
    uint32_t begin_state; /* PROFI_BEGIN_… */
    uint32_t is_bound;    /* the true peak of a gauge may be higher */
    /* of all calls */
    uint64_t call_count;   /* measured at both ends */
    uint64_t failed_count; /* not measured, since a read failed */
    int64_t sum;           /* of end - begin */
    uint64_t top;          /* the highest value known in any call of a gauge; the largest end - begin of a counter */
} profi_measure;

enum { PROFI_BEGIN_NOT_READ, PROFI_BEGIN_READ, PROFI_BEGIN_FAILED };

/* How many measures rows need, and the place of a row's among them. */
static inline unsigned profi_measure_count(uint64_t rows) { return (unsigned)__builtin_popcountll(rows); }
static inline unsigned profi_measure_place(uint64_t rows, unsigned row)
{
    return profi_measure_count(rows & (((uint64_t)1 << row) - 1));
}

/* A scope begins, and ends: `measures` has one for each of `rows`. */
void profi_measures_begin(profi_measure *measures, uint64_t rows, const profi_readings *readings);
void profi_measures_end(profi_measure *measures, uint64_t rows, const profi_readings *readings);

/* Adds what `from` measured to `into`: two nodes become one. */
void profi_measure_merge(profi_measure *into, const profi_measure *from);

/*
 * What an operator asks for besides what sites ask: flags for the functions
 * whose name fits a pattern with * and ?; an empty one: those that save.
 * Before the first site.
 */
typedef struct profi_probe_wish {
    uint32_t site_flags;
    char pattern[124];
} profi_probe_wish;
enum { PROFI_PROBE_WISHES = 32 };
void profi_probe_wish_add(profi_probe_wish wish);

/*
 * The same for all sites that are made from now on, but sampled ones, whose
 * calls are to cost next to nothing; and, where it is said so, operators.
 */
void profi_probe_wish_all(uint32_t site_flags, int also_operators);

uint32_t profi_probe_wished(const char *name, uint32_t site_flags, int is_operator);

#endif
