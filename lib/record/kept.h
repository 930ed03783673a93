/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that a condition keeps: the rules, and the queue of kept calls as the
 * layers above see them.  How they come about is kept.c's.
 */
#ifndef PROFI_KEPT_H
#define PROFI_KEPT_H

#include "record.h"

/*
 * A rule for every site of this name, now and later; what a second rule for a
 * name leaves at 0 stays as it was.  After profi_record_open().
 */
prof_status profi_kept_rule_by_name(const char *name, size_t name_bytes, uint64_t slower_than_ns, uint64_t every_nth,
                                    prof_error *err);

/* Calls back with the name of each such rule that has met no site. */
void profi_kept_unmet_rules(void (*tell)(const char *name));

/* A rule for one site; one by name goes before it.  0 when memory for the site is spent. */
int profi_kept_rule_of_site(prof_site *site, uint64_t slower_than_ns, uint64_t every_nth);

/* Whether calls are kept at all: somebody may write them, in a format that can show one. */
void profi_kept_enable(int on);

/*
 * What to call when a saver may be needed; NULL: nothing.  It runs on a
 * recording thread, in a begin that is slow anyway: with 1 when a site with a
 * rule begins, with 0 when a thread records its first scope.
 */
void profi_saver_wish(void (*need)(int has_rule));

/* One kept call, in the region. */
typedef struct profi_kept_call profi_kept_call;

typedef struct profi_kept_facts {
    int32_t tid;
    uint32_t is_slow;      /* it took longer than the limit */
    uint64_t end, duration; /* ticks */
    uint64_t number;       /* which outermost call of its function it was, from 1 */
    uint64_t limit_ns, every_nth; /* the rule, as it stood */
    uint64_t lost;         /* scopes below it that memory had no room for */
} profi_kept_facts;

/* Takes all that are waiting, oldest first.  One caller at a time. */
profi_kept_call *profi_kept_take(void);
int profi_kept_is_waiting(void);
profi_kept_call *profi_kept_next(const profi_kept_call *call);
void profi_kept_append(profi_kept_call *last, profi_kept_call *calls);
const profi_kept_facts *profi_kept_facts_of(const profi_kept_call *call);
void profi_kept_free(profi_kept_call *call);

/* Its paths as a copy of a record with one thread; the root is node 0.  Close it with profi_record_copy_fini(). */
prof_status profi_kept_copy(const profi_kept_call *call, profi_record_copy *copy, prof_error *err);

/* What became of calls, files and dumps: for the counts that reports state. */
typedef enum profi_kept_fate {
    PROFI_KEPT_SAVED,
    PROFI_KEPT_UNSAVED,
    PROFI_KEPT_FILE_REMOVED,
    PROFI_DUMP_WRITTEN,
    PROFI_DUMP_SKIPPED, /* too soon after another */
    PROFI_DUMP_FAILED,
    PROFI_KEPT_FATES
} profi_kept_fate;
void profi_kept_note(profi_kept_fate fate, uint64_t count);

/* Fills those counts in. */
void profi_kept_stats(prof_stats *stats);

/* Ticks spent on this on recording threads. */
uint64_t profi_kept_ticks(void);

/* In a forked child, once what was taken is freed: all of it was the parent's. */
void profi_kept_forget(void);

/* Before that, where the memory of those calls went with the fork: freeing them does nothing then. */
void profi_kept_abandon(void);

#endif
