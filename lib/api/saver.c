/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that saves while the service runs: every so many seconds, when
 * a signal arrives that the user named, and the calls that rules kept.  There
 * is no such thread, and no signal handler, unless one was asked for.
 *
 * Kept calls are looked for five times a second: nobody who records makes a
 * system call to wake this thread.
 *
 * The handler only wakes the thread.  The thread saves, puts the signal's
 * old action back and sends the signal to the process again, so that it
 * interrupts one of the program's threads with the program's own flags, as it
 * would have without us.  If the process is still there after that, and the
 * action is still the old one, the thread takes the signal again: a handler
 * that is for the first time only, as many for Ctrl-C are, stays so.
 */
#include "recorder.h"
#include "streamer.h"

#include "../base/error.h"
#include "../base/system.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { SIGNAL_LIMIT = 65 };

static sem_t wake;
static uint32_t arrived[SIGNAL_LIMIT]; /* set by the handler, taken by the thread: an arrival */
static struct sigaction old_actions[SIGNAL_LIMIT];
static uint32_t interval_s; /* 0: never */
static uint32_t has_kept;   /* kept calls are to be written */
static int is_started;      /* the thread is there, or is being made */

enum { KEPT_PERIOD_NS = 200000000, RETRY_S = 5 };

/* How a signal came to our handler: from the kernel, or called by the handler that has taken its place. */
typedef enum arrival { NOT_ARRIVED, BY_KERNEL, BY_HANDLER } arrival;

static void on_signal(int number)
{
    int saved = errno;
    struct sigaction now;
    int is_ours = sigaction(number, NULL, &now) != 0 || now.sa_handler == on_signal;
    __atomic_store_n(&arrived[number], is_ours ? BY_KERNEL : BY_HANDLER, __ATOMIC_RELEASE);
    sem_post(&wake);
    errno = saved;
}

/*
 * Puts an action in the place of another one, if it is still there; what the
 * program has set meanwhile stays.  `replaced` receives what stood there.
 */
static int replace_action(int number, void (*expected)(int), const struct sigaction *action, struct sigaction *replaced)
{
    if (sigaction(number, NULL, replaced) != 0 || replaced->sa_handler != expected ||
        sigaction(number, action, replaced) != 0)
        return 0;
    if (replaced->sa_handler == expected)
        return 1;
    sigaction(number, replaced, NULL); /* the program was faster */
    return 0;
}

static int take_signal(int number)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    sigfillset(&action.sa_mask);
    return sigaction(number, &action, NULL);
}

static void save(profi_save_occasion occasion)
{
    prof_error why = PROF_ERROR_INIT;
    if (profi_recorder_save(occasion, &why) != PROF_OK)
        profi_notice("could not save: %s", why.message);
}

/*
 * Waits until one of the program's threads has taken a signal that was sent
 * to the process; 0 where none does for a second, since all have it blocked.
 */
static int await_delivery(int number)
{
    const struct timespec pause = { 0, 5000000 };
    sigset_t pending; /* what is blocked here, which is all, and waits for the process */
    for (int i = 0; i < 200; i++) {
        sigemptyset(&pending);
        sigpending(&pending);
        if (!sigismember(&pending, number))
            return 1;
        nanosleep(&pause, NULL);
    }
    return 0;
}

/*
 * Lets the signal act: as the program has it now, or, where our handler still
 * stands there or was called by the one that does, as it had it before us.
 */
static void let_act(int number, arrival how)
{
    struct sigaction now, unused;
    void (*old)(int) = old_actions[number].sa_handler;
    int is_before_us = sigaction(number, NULL, &now) == 0 && (now.sa_handler == on_signal || how == BY_HANDLER) &&
                       replace_action(number, now.sa_handler, &old_actions[number], &now);
    if (kill(getpid(), number) == 0 && await_delivery(number) && is_before_us)
        replace_action(number, old, &now, &unused);
}

/* Whether the signal will end the process. */
static int is_last(int number, arrival how)
{
    struct sigaction now;
    int is_programs = how == BY_KERNEL && sigaction(number, NULL, &now) == 0 && now.sa_handler != on_signal;
    return (is_programs ? now.sa_handler : old_actions[number].sa_handler) == SIG_DFL;
}

static void answer_signals(void)
{
    for (int number = 1; number < SIGNAL_LIMIT; number++) {
        arrival how = (arrival)__atomic_exchange_n(&arrived[number], NOT_ARRIVED, __ATOMIC_ACQUIRE);
        if (how == NOT_ARRIVED)
            continue;
        save(is_last(number, how) ? PROFI_SAVE_LAST : PROFI_SAVE_STOP);
        profi_streamer_flush(); /* the signal may end the process without a further word */
        let_act(number, how);
    }
}

static int is_before(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* Sleeps until the interval since `since` is over, kept calls may have come, or somebody wakes it; 0: it is to end. */
static int wait_for_work(const struct timespec *since)
{
    uint32_t seconds = PROFI_GET(interval_s), kept = PROFI_GET(has_kept);
    struct timespec due = { since->tv_sec + (time_t)seconds, since->tv_nsec }, look;
    clock_gettime(CLOCK_MONOTONIC, &look);
    look.tv_nsec += KEPT_PERIOD_NS;
    if (look.tv_nsec >= 1000000000)
        look = (struct timespec){ look.tv_sec + 1, look.tv_nsec - 1000000000 };
    if (kept && (seconds == 0 || is_before(&look, &due)))
        due = look;
    return profi_thread_sleep(&wake, kept || seconds ? &due : NULL) != PROFI_WAKE_ALONE;
}

/* A folder that refuses is reported once, and tried again from time to time: the calls wait. */
static void save_kept(void)
{
    static time_t retry_s;
    static int is_reported;
    struct timespec now;
    prof_error why = PROF_ERROR_INIT;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!PROFI_GET(has_kept) || now.tv_sec < retry_s)
        return;
    int failed = profi_recorder_save_kept(&why) != PROF_OK;
    if (failed && !is_reported)
        profi_notice("could not save kept calls, which wait: %s", why.message);
    is_reported = failed;
    retry_s = failed ? now.tv_sec + RETRY_S : 0;
}

static void *saver_main(void *unused)
{
    struct timespec since, now;
    (void)unused;
    clock_gettime(CLOCK_MONOTONIC, &since);
    while (wait_for_work(&since)) {
        answer_signals();
        save_kept();
        uint32_t seconds = PROFI_GET(interval_s);
        clock_gettime(CLOCK_MONOTONIC, &now);
        now.tv_sec -= (time_t)seconds;
        if (seconds == 0 || is_before(&now, &since))
            continue;
        if (profi_recorder_is_unsaved())
            save(PROFI_SAVE_ASKED);
        clock_gettime(CLOCK_MONOTONIC, &since);
    }
    return NULL;
}

/* A signal that is ignored stays ignored: nohup and shells rely on it. */
static prof_status take_signals(const profi_config *config, prof_error *err)
{
    for (int number = 1; number < SIGNAL_LIMIT; number++) {
        if (!sigismember(&config->signals, number))
            continue;
        if (sigaction(number, NULL, &old_actions[number]) != 0 ||
            (old_actions[number].sa_handler != SIG_IGN && take_signal(number) != 0))
            return profi_fail_errno(err, errno, "cannot handle signal %d", number);
    }
    return PROF_OK;
}

static int wants_signals(const profi_config *config, unsigned duties)
{
    return config->has_signals && (duties & PROFI_SAVER_SIGNALS);
}

int profi_saver_prepare(const profi_config *config, unsigned duties)
{
    uint32_t kept = (duties & PROFI_SAVER_KEPT) != 0;
    if (config->save_every_s == 0 && !wants_signals(config, duties) && !kept)
        return 0;
    if (PROFI_GET(interval_s) != config->save_every_s || kept > PROFI_GET(has_kept)) {
        PROFI_PUT(interval_s, config->save_every_s);
        PROFI_PUT(has_kept, kept | PROFI_GET(has_kept));
        if (PROFI_GET(is_started))
            sem_post(&wake);
    }
    return __atomic_exchange_n(&is_started, 1, __ATOMIC_RELAXED) == 0;
}

prof_status profi_saver_make(prof_error *err)
{
    prof_status status = profi_thread_spawn_waiting(&wake, saver_main, "profcore-saver", "saves", err);
    if (status != PROF_OK)
        PROFI_PUT(is_started, 0);
    return status;
}

prof_status profi_saver_start(const profi_config *config, unsigned duties, prof_error *err)
{
    if (!profi_saver_prepare(config, duties))
        return PROF_OK;
    prof_status status = profi_saver_make(err);
    return status == PROF_OK && wants_signals(config, duties) ? take_signals(config, err) : status;
}

void profi_saver_forget(void)
{
    for (int number = 1; is_started && number < SIGNAL_LIMIT; number++) {
        struct sigaction now;
        arrived[number] = 0;
        if (sigaction(number, NULL, &now) == 0 && now.sa_handler == on_signal)
            sigaction(number, &old_actions[number], NULL);
    }
    is_started = 0;
    interval_s = has_kept = 0;
}
