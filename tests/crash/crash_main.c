/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program for crash_check.py to kill: threads that record scopes for ever,
 * in a known order, and threads that come and go.
 *
 *     crash_main COUNTS [WAY]   COUNTS is a file, mapped, which survives as well:
 *                               of each function the calls begun, and ended
 *
 * It ends by itself where WAY is "exit"; with "quiet", one thread does little; with "fork", children record and exit; "step" is for crash_step_main.
 *
 * Each lasting thread records inner, inner, outer, again and again, and after
 * every 64 rounds another function by its number, so that new nodes come.
 */
#include <profcore/events.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 3, MORE = 40 };

typedef struct counts {
    uint64_t begun, ended;
} counts;

enum { OUTER, INNER, SHORT, BRIEF, NEW, WAITING, KINDS };
static counts *of;

static void begin(int kind) { __atomic_fetch_add(&of[kind].begun, 1, __ATOMIC_SEQ_CST); }
static void end(int kind) { __atomic_fetch_add(&of[kind].ended, 1, __ATOMIC_SEQ_CST); }

static void inner(void)
{
    begin(INNER);
    PROF_SCOPE("inner") { PROF_ITEMS(1); }
    end(INNER);
}

static void wait_for(const char *what)
{
    prof_site *site;
    if (prof_site_get(what, SIZE_MAX, "crash_main.c", 2, 0, &site, NULL) != PROF_OK)
        return;
    begin(WAITING);
    prof_span span = prof_span_begin(site);
    PROF_SPAN_END(span);
    end(WAITING);
}

static void record_new(int number)
{
    prof_site *site;
    char name[32];
    snprintf(name, sizeof(name), "new %d", number);
    if (prof_site_get(name, SIZE_MAX, "crash_main.c", 1, 0, &site, NULL) != PROF_OK)
        return;
    begin(NEW);
    prof_scope scope = prof_begin(site);
    prof_end(scope);
    end(NEW);
    wait_for("waiting");
}

static void *last_for_ever(void *argument)
{
    int number = *(int *)argument;
    for (uint64_t round = 1;; round++) {
        begin(OUTER);
        PROF_SCOPE("outer")
        {
            inner();
            inner();
        }
        end(OUTER);
        if (round % 64 == 0 && round / 64 < MORE)
            record_new((int)(round / 64) * THREADS + number);
    }
    return NULL;
}

static void record_short(int has_value)
{
    begin(SHORT);
    PROF_SCOPE("short")
    {
        begin(BRIEF);
        PROF_SCOPE("brief")
        {
            if (has_value)
                PROF_COUNTER("value", 1);
        }
        end(BRIEF);
    }
    end(SHORT);
    wait_for("waiting");
}

static void *come_and_go(void *unused)
{
    for (int i = 0; i < 20; i++)
        record_short(0);
    return unused;
}

/* What crash_step_main follows: a thread with paths that exited threads have, and one that they have not, and its end. */
static void *be_stepped(void *unused)
{
    raise(SIGUSR2);
    for (int i = 0; i < 3; i++)
        record_short(1);
    wait_for("waiting here");
    wait_for("waiting on");
    record_new(1);
    return unused;
}

/* 50 scopes a second, beside the threads that last for ever. */
__attribute__((noreturn)) static void run_quiet(void)
{
    puts("ready");
    fflush(stdout);
    for (;;) {
        PROF_SCOPE("quiet") {}
        usleep(20000);
    }
}

static int run_stepped(void)
{
    pthread_t thread;
    for (int i = 0; i < 2; i++) {
        if (pthread_create(&thread, NULL, i == 0 ? come_and_go : be_stepped, NULL) != 0)
            return 2;
        pthread_join(thread, NULL);
    }
    return 0;
}

static void in_child(void)
{
    PROF_FUNCTION();
    PROF_SCOPE("inner") {}
}

/* A child's own calls are not the parent's: they are not counted. */
static void fork_child(void)
{
    pid_t child = fork();
    if (child == 0) {
        alarm(20); /* gcc's AddressSanitizer leaves its own locks to the child as they were: its leak check may hang */
        for (int i = 0; i < 100; i++)
            in_child();
        exit(0);
    }
    if (child > 0)
        waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
    static int numbers[THREADS] = { 0, 1, 2 };
    int fd = argc > 1 ? open(argv[1], O_RDWR) : -1;
    of = fd >= 0 ? mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    pthread_t thread;
    if (of == MAP_FAILED)
        return 2;
    if (argc > 2 && strcmp(argv[2], "step") == 0)
        return run_stepped();
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&thread, NULL, last_for_ever, &numbers[i]) != 0)
            return 2;
    const char *way = argc > 2 ? argv[2] : "";
    if (strcmp(way, "quiet") == 0)
        run_quiet();
    puts("ready");
    fflush(stdout);
    for (int round = 0; strcmp(way, "exit") != 0 || round < 20; round++) {
        if (strcmp(way, "fork") == 0)
            fork_child();
        PROF_SCOPE("main")
        {
            if (pthread_create(&thread, NULL, come_and_go, NULL) != 0)
                return 2;
            pthread_join(thread, NULL);
        }
    }
    return 0;
}
