/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watch: see watch.h.
 *
 * It looks at all open scopes as often as a tenth of the smallest limit, but
 * not more often than each millisecond, nor less than each ten, nor so often
 * that looking takes more than a twentieth of its time.  A call that has
 * exceeded its limit makes a dump while it still runs, once; all that have by
 * then are marked in it.  One that finds the last dump too young waits, and
 * makes one later if it still runs; if it does not, it counts as skipped.
 * Calls that exceed their limit between two looks and end are not seen: rules
 * that keep calls (PROFCORE_SAVE_IF) are for those.
 */
#include "watch.h"

#include "dump.h"
#include "recorder.h"
#include "save_rules.h"
#include "slow.h"

#include "../base/array.h"
#include "../base/error.h"
#include "../base/system.h"
#include "../record/kept.h"
#include "../record/open.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PERIOD_LEAST_NS ((uint64_t)1000000)
#define PERIOD_MOST_NS ((uint64_t)10000000)
enum { LOOKS_A_LIMIT = 10, REST_A_LOOK = 20, MARKS_MOST = 32 };

/* A call that has exceeded its limit and still runs. */
typedef struct slow_call {
    uintptr_t place;
    uint64_t start, thread, age_ns, limit_ns;
    uint32_t site;
    uint32_t is_dumped;
} slow_call;

typedef struct call_list {
    slow_call *calls;
    size_t room, count;
} call_list;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of starting */
static sem_t wake;
static int is_started, watched_signal;
static char signal_name[16];
static int32_t watch_tid; /* 0: it has not begun */
static struct sigaction old_action;
static uint32_t has_signal, has_crash, has_answered; /* set by handlers, taken by the thread; and by it */
static uint32_t every_s; /* dumps that nobody asked for are so far apart at least */

/* The thread's own. */
static profi_opens opens;
static call_list slow, before;
static uint64_t dumped_ns, skipped; /* the last dump; triggers without one since then */

/* ---- dumps ---- */

static int is_too_soon(void)
{
    return dumped_ns != 0 && profi_clock_monotonic_ns() - dumped_ns < PROFI_GET(every_s) * (uint64_t)1000000000;
}

static void skip(uint64_t count)
{
    skipped += count;
    profi_kept_note(PROFI_DUMP_SKIPPED, count);
}

static void dump(const profi_mark *marks, size_t count)
{
    static char path[PATH_MAX];
    prof_error why = PROF_ERROR_INIT;
    path[0] = '\0';
    prof_status status = profi_dump_write(&(profi_dump){ .marks = marks, .mark_count = count, .skipped = skipped }, path, &why);
    const char *name = marks[0].name != NULL ? marks[0].name : marks[0].reason;
    if (status == PROF_OK)
        profi_notice("%s %.200s: wrote %s .txt .pftrace; %llu triggers before it made no dump", marks[0].trigger,
                     name, path, (unsigned long long)skipped);
    else
        profi_notice("%s %.200s: could not write a dump: %s", marks[0].trigger, name, why.message);
    dumped_ns = profi_clock_monotonic_ns();
    skipped = 0;
}

static void answer_signal(void)
{
    if (!__atomic_exchange_n(&has_signal, 0u, __ATOMIC_ACQUIRE))
        return;
    if (is_too_soon()) {
        skip(1);
        return;
    }
    dump(&(profi_mark){ .trigger = "signal", .reason = signal_name, .ns = profi_clock_monotonic_ns() }, 1);
}

/* ---- slow calls ---- */

static slow_call *find(const call_list *list, uintptr_t place, uint64_t start, size_t *hint)
{
    for (size_t i = 0; i < list->count; i++) {
        slow_call *call = &list->calls[(*hint + i) % list->count]; /* in the order of the last look, mostly */
        if (call->place == place && call->start == start) {
            *hint = (*hint + i + 1) % list->count;
            return call;
        }
    }
    return NULL;
}

static void add_if_slow(const profi_clock_scale *scale, const profi_open_scope *scope, uint64_t number, uint64_t limit_ns,
                        size_t *hint)
{
    uint64_t age_ns = opens.now > scope->start ? profi_clock_to_ns(scale, opens.now - scope->start) : 0;
    if (limit_ns == 0 || scope->start == 0 || age_ns <= limit_ns ||
        !profi_array_grow(&slow.calls, &slow.room, slow.count, sizeof(*slow.calls)))
        return;
    slow_call *known = find(&before, scope->place, scope->start, hint);
    slow.calls[slow.count] = (slow_call){ .place = scope->place, .start = scope->start, .thread = number, .age_ns = age_ns,
                                          .limit_ns = limit_ns, .site = scope->site,
                                          .is_dumped = known != NULL ? known->is_dumped : 0 };
    slow.count++;
    if (known != NULL)
        known->place = 0; /* it was taken over */
}

/* Lists the calls that are slow now, and counts those that have ended while they waited for their dump. */
static void list_slow(void)
{
    call_list taken = before;
    uint32_t site_count;
    size_t hint = 0;
    const uint64_t *limits = profi_slow_limits(&site_count);
    if (limits == NULL || !profi_opens_take(&opens))
        return;
    before = slow;
    slow = taken;
    slow.count = 0;
    profi_clock_scale scale = profi_clock_scale_so_far();
    for (size_t i = 0; i < opens.thread_count; i++)
        for (size_t k = 0; k < opens.threads[i].count; k++) {
            const profi_open_scope *scope = &opens.scopes[opens.threads[i].first + k];
            if (scope->site < site_count) /* else it is new, and so is the scope */
                add_if_slow(&scale, scope, opens.threads[i].number, limits[scope->site], &hint);
        }
    for (size_t i = 0; i < before.count; i++)
        if (before.calls[i].place != 0 && !before.calls[i].is_dumped)
            skip(1);
}

static void answer_slow(void)
{
    static profi_mark marks[MARKS_MOST];
    size_t count = 0;
    list_slow();
    uint64_t now_ns = profi_clock_monotonic_ns();
    for (size_t i = 0; i < slow.count; i++) {
        slow_call *call = &slow.calls[i];
        if (call->is_dumped || is_too_soon())
            continue;
        profi_site_view site = profi_record_site_view(call->site);
        if (count < MARKS_MOST)
            marks[count++] = (profi_mark){ .trigger = "slow", .name = site.name, .file = site.file, .line = site.line,
                                           .limit_ns = call->limit_ns, .age_ns = call->age_ns, .thread = call->thread,
                                           .ns = now_ns };
        call->is_dumped = 1;
    }
    if (count != 0)
        dump(marks, count);
}

/* ---- the thread ---- */

static profi_wake wait_for(uint64_t ns)
{
    return profi_thread_sleep_until(&wake, ns != 0 ? profi_clock_monotonic_ns() + ns : 0);
}

static void *watch_main(void *unused)
{
    uint64_t took_ns = 0;
    (void)unused;
    PROFI_PUT(watch_tid, (int32_t)syscall(SYS_gettid));
    for (;;) {
        uint64_t smallest = profi_slow_smallest_ns(), period = profi_max_u64(smallest / LOOKS_A_LIMIT, PERIOD_LEAST_NS);
        if (wait_for(smallest != 0 ? profi_max_u64(profi_min_u64(period, PERIOD_MOST_NS), took_ns * REST_A_LOOK) : 0) ==
            PROFI_WAKE_ALONE)
            return NULL;
        if (__atomic_exchange_n(&has_crash, 0u, __ATOMIC_ACQUIRE)) {
            profi_crash_write_timeline();
            __atomic_store_n(&has_answered, 1u, __ATOMIC_RELEASE);
        }
        answer_signal();
        if (smallest == 0)
            continue;
        uint64_t begin_ns = profi_clock_monotonic_ns();
        answer_slow();
        took_ns = dumped_ns > begin_ns ? 0 : profi_clock_monotonic_ns() - begin_ns;
    }
}

int profi_watch_can_help(int32_t tid)
{
    return PROFI_GET(is_started) && PROFI_GET(watch_tid) != tid;
}

void profi_watch_crashed(void)
{
    __atomic_store_n(&has_crash, 1u, __ATOMIC_RELEASE);
    sem_post(&wake);
}

int profi_watch_has_answered(void)
{
    return __atomic_load_n(&has_answered, __ATOMIC_ACQUIRE) != 0;
}

/* ---- the signal ---- */

static void on_signal(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    __atomic_store_n(&has_signal, 1u, __ATOMIC_RELEASE);
    sem_post(&wake);
    errno = saved;
    if (old_action.sa_flags & SA_SIGINFO)
        old_action.sa_sigaction(number, info, context);
    else if (old_action.sa_handler != SIG_DFL && old_action.sa_handler != SIG_IGN)
        old_action.sa_handler(number);
}

/* The host's handler runs after each signal as it would have; where there is none, nothing more happens. */
static prof_status take_signal(const profi_config *config, prof_error *err)
{
    int number = config->dump_signal;
    memcpy(signal_name, config->dump_signal_name, sizeof(signal_name));
    struct sigaction action = { .sa_flags = SA_RESTART };
    if (sigaction(number, NULL, &old_action) == 0) {
        if (old_action.sa_flags & SA_SIGINFO || (old_action.sa_handler != SIG_DFL && old_action.sa_handler != SIG_IGN))
            action = old_action;
        action.sa_flags = (action.sa_flags & ~(int)SA_RESETHAND) | SA_SIGINFO;
        action.sa_sigaction = on_signal;
        watched_signal = number;
        if (sigaction(number, &action, NULL) == 0)
            return PROF_OK;
    }
    watched_signal = 0;
    return profi_fail_errno(err, errno, "cannot handle signal %d", number);
}

/* ---- starting ---- */

/* Under the lock. */
static prof_status start_thread(prof_error *err)
{
    if (is_started) {
        sem_post(&wake);
        return PROF_OK;
    }
    prof_status status = profi_thread_spawn_waiting(&wake, watch_main, "profcore-watch", "watches", err);
    PROFI_PUT(is_started, status == PROF_OK);
    return status;
}

static prof_status take_rule(const char *name, size_t name_bytes, uint64_t limit_ns, uint64_t unused, prof_error *err)
{
    (void)unused;
    return profi_slow_set(name, name_bytes, limit_ns, 1, err);
}

prof_status profi_watch_start(const profi_config *config, prof_error *err)
{
    pthread_mutex_lock(&lock);
    prof_status status = profi_slow_rules_read(config->slow, take_rule, err);
    PROFI_PUT(every_s, config->dump_every_s);
    if (status == PROF_OK && (profi_slow_smallest_ns() != 0 || config->dump_signal != 0 || config->dumps_on_crash))
        status = start_thread(err);
    if (status == PROF_OK && config->dump_signal != 0 && watched_signal == 0)
        status = take_signal(config, err);
    if (status == PROF_OK && config->dumps_on_crash)
        status = profi_crash_start(config, err);
    pthread_mutex_unlock(&lock);
    return status;
}

void profi_watch_forget(void)
{
    struct sigaction now;
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER; /* a thread that the child does not have may have held it */
    if (watched_signal != 0 && sigaction(watched_signal, NULL, &now) == 0 && now.sa_flags & SA_SIGINFO &&
        now.sa_sigaction == on_signal)
        sigaction(watched_signal, &old_action, NULL);
    profi_crash_forget();
    profi_slow_forget();
    is_started = watched_signal = 0;
    watch_tid = 0;
    has_signal = has_crash = has_answered = 0;
    slow.count = before.count = 0;
    dumped_ns = skipped = 0;
}

prof_status prof_slow_set(const char *pattern, uint64_t limit_ns, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    if (pattern == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_slow_set: pattern is NULL");
    prof_status status = profi_slow_set(pattern, strlen(pattern), limit_ns, 0, err);
    if (status != PROF_OK || !profi_recorder_is_started())
        return status; /* the start will see to it */
    pthread_mutex_lock(&lock);
    if (profi_slow_smallest_ns() != 0)
        status = start_thread(err);
    pthread_mutex_unlock(&lock);
    return status;
}
