/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a crash leaves: PROFCORE_ON_CRASH.
 *
 * The handler itself writes the text with what every thread was in the middle
 * of.  It allocates nothing, asks the C library for system calls only, and
 * waits for no lock; what it needs is made when it is installed.  Then the
 * watch's thread, which has not crashed, has two seconds for the timeline.
 * Then the signal goes on to the host's handler, or does what it would have
 * done: the status of the process, and its core, are what they would have
 * been.
 *
 * Once in the life of a process.  Threads that record have a stack for
 * signals from their first scope on, so that one that has used up its own
 * can be seen too.
 */
#include "watch.h"

#include "dump.h"
#include "file_set.h"

#include "../base/error.h"
#include "../base/publish.h"
#include "../base/system.h"
#include "../base/text.h"
#include "../format/open_stacks_write.h"
#include "../record/open.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum { THREADS = 1024, SCOPES = 16384, HELP_MS = 2000, STACK_BYTES = 64 << 10 };

static const struct { int number; const char *name; } crashes[] = {
    { SIGSEGV, "SIGSEGV" }, { SIGBUS, "SIGBUS" }, { SIGFPE, "SIGFPE" }, { SIGILL, "SIGILL" }, { SIGABRT, "SIGABRT" },
};
enum { CRASHES = PROFI_COUNT_OF(crashes) };

static int is_installed;
static struct sigaction old_actions[CRASHES];
static int32_t crashed_tid; /* 0: none so far */
static uint32_t is_over;    /* the first crash has been dealt with */

/* Made when the handler is installed. */
static char base[4096 + 256]; /* path and name, up to the time */
static char suffix[32];
static profi_open_stacks stacks;

/* Of the crash. */
static char path[4096 + 512], reason[256];
static profi_mark mark;

/* ---- text, without the C library ---- */

typedef struct line {
    char *text;
    size_t used, room;
} line;

static void put(line *l, const char *text)
{
    while (*text != '\0' && l->used + 1 < l->room)
        l->text[l->used++] = *text++;
    l->text[l->used] = '\0';
}

static void put_number(line *l, uint64_t number, unsigned radix)
{
    char digits[24];
    unsigned first = sizeof(digits) - 1;
    digits[first] = '\0';
    do
        digits[--first] = "0123456789abcdef"[number % radix];
    while ((number /= radix) != 0);
    put(l, digits + first);
}

static void say(const char *what, const char *more)
{
    char text[sizeof(path) + 128];
    line l = { text, 0, sizeof(text) - 1 };
    put(&l, "profcore: ");
    put(&l, what);
    put(&l, more);
    text[l.used++] = '\n';
    if (!profi_notice_is_quiet())
        profi_write_all(STDERR_FILENO, text, l.used);
}

/* ---- in the handler ---- */

static int write_to(void *fd, const void *data, size_t bytes)
{
    return profi_write_all(*(int *)fd, data, bytes);
}

/* A new file under a name that nobody has; -1 where there is none to be had. */
static int open_file(uint64_t unix_s)
{
    int fd = -1;
    for (unsigned number = 1; number < 100 && fd < 0; number++) {
        line l = { path, 0, sizeof(path) };
        put(&l, base);
        put_number(&l, unix_s, 10);
        put(&l, suffix);
        if (number > 1) {
            put(&l, "-");
            put_number(&l, number, 10);
        }
        put(&l, ".txt");
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 && errno != EEXIST && errno != EINTR)
            break;
    }
    return fd;
}

static void describe(const char *name, const siginfo_t *info, int32_t tid)
{
    line l = { reason, 0, sizeof(reason) };
    put(&l, name);
    put(&l, " on thread ");
    put_number(&l, (uint64_t)tid, 10);
    if (info->si_code > 0) {
        put(&l, ", at address 0x");
        put_number(&l, (uintptr_t)info->si_addr, 16);
    }
    mark = (profi_mark){ .trigger = "crash", .reason = reason, .ns = profi_clock_monotonic_ns() };
}

static void write_text(void)
{
    static profi_output out;
    profi_open_stacks_take_crashed(&stacks);
    stacks.marks = &mark;
    stacks.mark_count = 1;
    int fd = open_file(stacks.taken.unix_ns / 1000000000);
    say(reason, "");
    if (fd < 0) {
        say("the open scopes cannot be written to ", path);
        return;
    }
    profi_output_init(&out, write_to, &fd);
    profi_write_stacks_txt(&stacks, &out);
    say(profi_output_finish(&out) == 0 ? "the open scopes are in " : "the open scopes could not be written whole to ", path);
    close(fd);
}

static void wait_a_little(void)
{
    const struct timespec pause = { 0, 5000000 };
    nanosleep(&pause, NULL);
}

static void get_help(int32_t tid)
{
    if (!profi_watch_can_help(tid))
        return;
    profi_watch_crashed();
    for (int waited = 0; waited < HELP_MS && !profi_watch_has_answered(); waited += 5)
        wait_a_little();
    if (!profi_watch_has_answered())
        say("the timeline could not be written in time", "");
}

/* The signal does what it would have done without us. */
static void pass_on(int number, const struct sigaction *old, siginfo_t *info, void *context)
{
    int is_handled = old->sa_flags & SA_SIGINFO || (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN);
    if (is_handled) {
        sigset_t mask = ((const ucontext_t *)context)->uc_sigmask;
        sigorset(&mask, &mask, &old->sa_mask);
        sigaddset(&mask, number);
        pthread_sigmask(SIG_SETMASK, &mask, NULL);
        if (old->sa_flags & SA_SIGINFO)
            old->sa_sigaction(number, info, context);
        else
            old->sa_handler(number);
        return;
    }
    /* An instruction that failed fails again; what was sent is sent again, and waits until this handler is left. */
    sigaction(number, old, NULL);
    if (info->si_code <= 0)
        raise(number);
}

static void on_crash(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    int32_t tid = (int32_t)syscall(SYS_gettid), nobody = 0;
    unsigned row = 0;
    while (row < CRASHES - 1 && crashes[row].number != number)
        row++;
    if (info->si_code <= 0 && old_actions[row].sa_handler == SIG_IGN)
        return; /* sent, and ignored: no crash */
    if (__atomic_compare_exchange_n(&crashed_tid, &nobody, tid, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        describe(crashes[row].name, info, tid);
        write_text();
        get_help(tid);
        __atomic_store_n(&is_over, 1u, __ATOMIC_RELEASE);
    } else if (nobody != tid) {
        /* Another thread's crash is being written down, which this one's end would cut off. */
        for (int waited = 0; waited < HELP_MS && !PROFI_GET(is_over); waited += 5)
            wait_a_little();
    }
    errno = saved;
    pass_on(number, &old_actions[row], info, context);
}

void profi_crash_write_timeline(void)
{
    prof_error why = PROF_ERROR_INIT;
    path[strlen(path) - strlen(".txt")] = '\0';
    if (profi_dump_write_timeline(path, &mark, &why) == PROF_OK)
        profi_notice("the timeline is in %s.pftrace", path);
    else
        profi_notice("the timeline could not be written: %s", why.message);
}

/* ---- stacks for signals ---- */

static __thread void *own_stack __attribute__((tls_model("initial-exec")));

static void on_thread(int is_beginning)
{
    stack_t now, ours = { .ss_size = STACK_BYTES };
    if (sigaltstack(NULL, &now) != 0)
        return;
    if (is_beginning && now.ss_flags & SS_DISABLE && own_stack == NULL) {
        ours.ss_sp = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        if (ours.ss_sp == MAP_FAILED)
            return;
        if (sigaltstack(&ours, NULL) == 0)
            own_stack = ours.ss_sp;
        else
            munmap(ours.ss_sp, STACK_BYTES);
    } else if (!is_beginning && own_stack != NULL) {
        ours.ss_flags = SS_DISABLE;
        if (now.ss_sp == own_stack && sigaltstack(&ours, NULL) != 0)
            return; /* in use */
        munmap(own_stack, STACK_BYTES);
        own_stack = NULL;
    }
}

/* ---- installing ---- */

static prof_status prepare(const profi_config *config, prof_error *err)
{
    int folder;
    char name[101];
    prof_status status = profi_folder_open(config->directory, &folder, err); /* so that it is there */
    if (status != PROF_OK)
        return status;
    profi_folder_close(folder);
    profi_text_to_stem(name, config->name);
    snprintf(base, sizeof(base), "%s/%s_crash_", config->directory, name);
    suffix[0] = '\0';
    if (profi_file_sets_are_childs())
        snprintf(suffix, sizeof(suffix), "_pid%ld", (long)getpid());
    return stacks.opens != NULL ? PROF_OK : profi_open_stacks_reserve(&stacks, config->name, THREADS, SCOPES, err);
}

prof_status profi_crash_start(const profi_config *config, prof_error *err)
{
    struct sigaction action = { .sa_flags = SA_SIGINFO | SA_ONSTACK };
    if (is_installed)
        return PROF_OK;
    prof_status status = prepare(config, err);
    if (status != PROF_OK)
        return status;
    profi_record_thread_hook(on_thread);
    on_thread(1);
    action.sa_sigaction = on_crash;
    sigfillset(&action.sa_mask);
    for (unsigned i = 0; i < CRASHES; i++)
        if (sigaction(crashes[i].number, NULL, &old_actions[i]) != 0 || sigaction(crashes[i].number, &action, NULL) != 0)
            return profi_fail_errno(err, errno, "cannot handle %s", crashes[i].name);
    is_installed = 1;
    return PROF_OK;
}

void profi_crash_forget(void)
{
    for (unsigned i = 0; is_installed && i < CRASHES; i++) {
        struct sigaction now;
        if (sigaction(crashes[i].number, NULL, &now) == 0 && now.sa_flags & SA_SIGINFO && now.sa_sigaction == on_crash)
            sigaction(crashes[i].number, &old_actions[i], NULL);
    }
    profi_record_thread_hook(NULL);
    is_installed = 0;
    crashed_tid = 0;
    is_over = 0;
}
