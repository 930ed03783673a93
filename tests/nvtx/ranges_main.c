/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What programs do with scopes, well or badly, for ranges_check.py, which
 * listens.  Also built with PROF_INLINE and with PROF_DISABLE.
 *
 *     ranges_main CASE
 */
#include <profcore/events.h>
#include <profcore/operators.h>
#include <profcore/prof.h>

#include <nvtx3/nvToolsExt.h>

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 10, DEEP = 200, THREADS = 4, MANY = 5000, LEVELS = 12 };

static void in_thread(void *(*run)(void *))
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, NULL) != 0)
        abort();
    pthread_join(thread, NULL);
}

static void nested(void)
{
    for (int i = 0; i < ROUNDS; i++)
        PROF_SCOPE("outer") {
            PROF_SCOPE("inner")
                PROF_ITEMS_UNIT(i + 1, "tokens");
            PROF_SCOPE("sibling")
                PROF_ITEMS(3);
        }
}

static void recurse(int depth)
{
    PROF_SCOPE("recurse")
        if (depth > 1)
            recurse(depth - 1);
}

static void recursion(void)
{
    recurse(DEEP);
}

static void phases(void)
{
    for (int i = 0; i < ROUNDS; i++)
        PROF_SCOPE("request") {
            PROF_BEGIN(phase, "tokenize");
            PROF_PHASE(phase, "embed");
            PROF_PHASE(phase, "search");
            PROF_END(phase);
        }
}

static jmp_buf back;

static void jump(void)
{
    PROF_BEGIN(far, "far");
    PROF_BEGIN(farther, "farther");
    (void)far, (void)farther;
    longjmp(back, 1);
}

static void jumps(void)
{
    for (volatile int i = 0; i < ROUNDS; i++)
        PROF_SCOPE("around")
            if (setjmp(back) == 0)
                jump();
}

static void *leave_open(void *unused)
{
    PROF_BEGIN(a, "left open");
    PROF_BEGIN(b, "left open inside");
    (void)a, (void)b;
    return unused;
}

static void names_its_thread(void)
{
    nvtxNameOsThreadA((uint32_t)syscall(SYS_gettid), "the program's name");
    nested();
}

static void thread_exits(void)
{
    for (int i = 0; i < ROUNDS; i++)
        in_thread(leave_open);
}

/* A cancellation leaves the marks of its frames on the stack, which clang's AddressSanitizer then takes for an overflow. */
#define LEAVES_NO_MARKS __attribute__((no_sanitize("address")))

LEAVES_NO_MARKS static void *be_cancelled(void *unused)
{
    PROF_BEGIN(scope, "cancelled");
    (void)scope;
    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, NULL);
    pthread_cancel(pthread_self());
    for (int i = 0; i < ROUNDS; i++) /* none of which is where it ends */
        PROF_SCOPE("pending")
            PROF_ITEMS(1);
    pthread_testcancel();
    return unused;
}

static void cancelled(void)
{
    for (int i = 0; i < ROUNDS; i++)
        in_thread(be_cancelled);
}

LEAVES_NO_MARKS static void *spin(void *unused)
{
    for (;;)
        PROF_SCOPE("spin")
            PROF_SCOPE("spin inside")
                pthread_testcancel();
    return unused;
}

static void cancelled_anywhere(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, spin, NULL) != 0)
            abort();
    usleep(20000);
    for (int i = 0; i < THREADS; i++)
        pthread_cancel(threads[i]);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void stopped(void)
{
    prof_options options = PROF_OPTIONS_INIT;
    PROF_SCOPE("before") {}
    if (prof_start(&options, NULL) != PROF_OK)
        abort();
    PROF_BEGIN(open, "open at the stop");
    prof_span span = PROF_SPAN_BEGIN("span at the stop");
    prof_stop(NULL);
    PROF_SCOPE("while stopped") {}
    PROF_SPAN_END(span);
    PROF_END(open);
    prof_start(&options, NULL);
    PROF_SCOPE("again") {}
    prof_stop(NULL);
}

static void forks(void)
{
    PROF_SCOPE("around the fork") {
        pid_t child = fork();
        if (child == 0) {
            PROF_SCOPE("in the child") {}
        } else {
            waitpid(child, NULL, 0);
            PROF_SCOPE("in the parent") {}
        }
    }
}

static void spans(void)
{
    prof_span first = PROF_SPAN_BEGIN("wait"), second = PROF_SPAN_BEGIN("wait");
    PROF_SPAN_PHASE(first, "work");
    PROF_SPAN_END(second);
    PROF_SPAN_END(first);
    PROF_SPAN_END(first); /* which has ended */
    for (int i = 0; i < MANY; i++)
        (void)PROF_SPAN_BEGIN("never ends");
}

static void instants(void)
{
    for (int i = 0; i < ROUNDS; i++)
        PROF_INSTANT("cache miss");
}

static void operators(void)
{
    prof_operators *runtime = NULL;
    prof_operators_open("rt", &runtime, NULL);
    char name[] = "aten::add";
    for (int i = 0; i < ROUNDS; i++)
        prof_end(prof_operator_begin(runtime, name));
    memcpy(name, "aten::mul", sizeof(name));
    prof_end(prof_operator_begin(runtime, name));
}

static void sampled(void)
{
    for (int i = 0; i < DEEP; i++)
        PROF_SCOPE_WITH("sampled", PROF_SITE_SAMPLED) {}
}

static void measured(void)
{
    for (int i = 0; i < ROUNDS; i++)
        PROF_SCOPE_WITH("measured", PROF_SITE_RSS | PROF_SITE_FAULTS)
            PROF_SCOPE_WITH("kept", PROF_SITE_SAVE_IF) {}
}

/* More paths than PROFCORE_MEMORY=1MiB has room for: those without are lost. */
static void grow(int depth, unsigned path)
{
    static prof_site sites[] = { PROF_SITE_INIT("left", "t", 1, 0), PROF_SITE_INIT("right", "t", 2, 0) };
    prof_scope scope = prof_begin(&sites[path & 1]);
    if (depth > 1)
        grow(depth - 1, path >> 1);
    prof_end(scope);
}

static void lost(void)
{
    for (unsigned path = 0; path < 1u << LEVELS; path++)
        grow(LEVELS, path);
}

static prof_site handlers = PROF_SITE_INIT("handler", "t", 3, 0);

static void on_alarm(int number)
{
    (void)number;
    prof_end(prof_begin(&handlers));
}

static void handle_alarms(void)
{
    struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
    prof_end(prof_begin(&handlers));
    sigaction(SIGALRM, &action, NULL);
}

/* By the tool itself, in the middle of what it is told. */
static void reentered(void)
{
    signal(SIGALRM, SIG_IGN);
    handle_alarms();
    nested();
}

static void interrupted(void)
{
    handle_alarms();
    ualarm(200, 200);
    for (int i = 0; i < MANY / 10; i++)
        nested();
    ualarm(0, 0);
}

/* Its own ranges, around and between ours. */
static void own(void)
{
    nvtxRangePushA("mine");
    PROF_SCOPE("ours") {
        nvtxRangePushA("mine inside");
        nvtxRangePop();
    }
    nvtxRangePop();
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    { "nested", nested },       { "recursion", recursion },     { "phases", phases },     { "jumps", jumps },
    { "cancelled", cancelled }, { "anywhere", cancelled_anywhere }, { "stopped", stopped }, { "forks", forks },
    { "spans", spans },         { "instants", instants },       { "operators", operators }, { "sampled", sampled },
    { "measured", measured },   { "lost", lost },               { "interrupted", interrupted }, { "own", own },
    { "names_its_thread", names_its_thread },
    { "thread_exits", thread_exits }, { "reentered", reentered },
};

int main(int count, char **arguments)
{
    for (size_t i = 0; count == 2 && i < sizeof(cases) / sizeof(cases[0]); i++)
        if (strcmp(cases[i].name, arguments[1]) == 0) {
            cases[i].run();
            return 0;
        }
    fprintf(stderr, "usage: ranges_main CASE\n");
    return 2;
}
