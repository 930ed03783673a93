/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that does what it is told, for the checks of this folder: reads
 * commands, one a line, and answers each with "STATUS NANOSECONDS", the time
 * on CLOCK_MONOTONIC when it was done.
 *
 *     start, stop, save, dump       as the functions
 *     slow PATTERN MS               prof_slow_set()
 *     hang NAME                     a thread that opens NAME and in it "waits", until told otherwise
 *     open NAME, close              on this thread
 *     release                       all threads that hang go on, and end
 *     busy COUNT                    threads that record all the time
 *     handle SIGNAL                 a handler of its own, of the newer kind where the number is negative
 *     crash KIND, crash_thread KIND segv, abort, fpe, ill, overflow
 *     fork                          goes on in a child; the parent waits for it, and ends as it did
 */
#include <profcore/snapshot.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static prof_error err;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static unsigned hanging, releases;

static prof_scope begin(const char *name)
{
    prof_site *site = NULL;
    prof_site_get(name, SIZE_MAX, "live.c", 7, 0, &site, NULL);
    return prof_begin(site);
}

static void *hang(void *name)
{
    prctl(PR_SET_NAME, "hanging");
    prof_scope outer = begin(name);
    pthread_mutex_lock(&gate);
    PROF_SCOPE("waits") {
        hanging++;
        pthread_cond_broadcast(&opened);
        for (unsigned seen = releases; seen == releases;)
            pthread_cond_wait(&opened, &gate);
        hanging--;
        pthread_cond_broadcast(&opened);
    }
    pthread_mutex_unlock(&gate);
    prof_end(outer);
    free(name);
    return NULL;
}

static void start_hanging(const char *name)
{
    pthread_t thread;
    pthread_mutex_lock(&gate);
    unsigned wanted = hanging + 1;
    pthread_create(&thread, NULL, hang, strdup(name));
    pthread_detach(thread);
    while (hanging < wanted)
        pthread_cond_wait(&opened, &gate);
    pthread_mutex_unlock(&gate);
}

static void release(void)
{
    pthread_mutex_lock(&gate);
    releases++;
    pthread_cond_broadcast(&opened);
    while (hanging != 0)
        pthread_cond_wait(&opened, &gate);
    pthread_mutex_unlock(&gate);
}

static void *busy(void *unused)
{
    for (;;) {
        PROF_BLOCK("busy");
        for (int i = 0; i < 100; i++)
            PROF_SCOPE("step") { PROF_BLOCK("part"); }
    }
    return unused;
}

static void start_busy(int count)
{
    pthread_t thread;
    for (int i = 0; i < count; i++)
        if (pthread_create(&thread, NULL, busy, NULL) == 0)
            pthread_detach(thread);
}

/* ---- signals ---- */

static void tell(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        _exit(3);
}

static void on_signal(int number)
{
    tell("the host's handler\n");
    if (number == SIGSEGV || number == SIGFPE || number == SIGILL)
        _exit(42);
}

static void on_signal_with_more(int number, siginfo_t *info, void *context)
{
    tell(info != NULL && info->si_signo == number && context != NULL ? "the host's newer handler\n" : "the host's bad handler\n");
    if (number == SIGSEGV)
        _exit(43);
}

static void handle(int number)
{
    struct sigaction action = { .sa_flags = SA_RESTART | (number < 0 ? SA_SIGINFO : 0) };
    if (number < 0)
        action.sa_sigaction = on_signal_with_more;
    else
        action.sa_handler = on_signal;
    sigaction(abs(number), &action, NULL);
}

/* ---- crashes ---- */

static volatile int zero;

static int overflow(volatile char *above)
{
    volatile char here[4096];
    if (zero != 0) /* never */
        return 0;
    here[0] = above[0];
    return here[0] + overflow(here) + above[1];
}

static void *crash(void *kind)
{
    PROF_BLOCK("about to crash");
    if (strcmp(kind, "segv") == 0)
        *(volatile int *)(uintptr_t)zero = 7;
    else if (strcmp(kind, "fpe") == 0)
        zero = 7 / zero;
    else if (strcmp(kind, "ill") == 0)
        __builtin_trap();
    else if (strcmp(kind, "overflow") == 0)
        zero = overflow((char[2]){ 0 });
    abort();
}

static void crash_on_thread(char *kind)
{
    pthread_t thread;
    pthread_create(&thread, NULL, crash, kind);
    pthread_join(thread, NULL);
}

/* ---- commands ---- */

static void go_on_in_child(void)
{
    pid_t child = fork();
    int status = 0;
    if (child == 0)
        return;
    waitpid(child, &status, 0);
    fflush(stdout);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static prof_status set_slow(char *rest)
{
    char *ms = strrchr(rest, ' ');
    if (ms == NULL)
        return PROF_E_INVALID;
    *ms = '\0';
    return prof_slow_set(rest, strtoull(ms + 1, NULL, 10) * 1000000, &err);
}

static prof_status obey(const char *command, char *rest)
{
    static prof_scope scopes[16];
    static unsigned depth;
    if (strcmp(command, "start") == 0)
        return prof_start(NULL, &err);
    if (strcmp(command, "stop") == 0)
        return prof_stop(&err);
    if (strcmp(command, "save") == 0)
        return prof_save(&err);
    if (strcmp(command, "dump") == 0)
        return prof_dump(NULL, &err);
    if (strcmp(command, "slow") == 0)
        return set_slow(rest);
    if (strcmp(command, "hang") == 0)
        start_hanging(rest);
    else if (strcmp(command, "open") == 0 && depth < 16)
        scopes[depth++] = begin(rest);
    else if (strcmp(command, "close") == 0 && depth > 0)
        prof_end(scopes[--depth]);
    else if (strcmp(command, "release") == 0)
        release();
    else if (strcmp(command, "busy") == 0)
        start_busy(atoi(rest));
    else if (strcmp(command, "handle") == 0)
        handle(atoi(rest));
    else if (strcmp(command, "crash") == 0)
        crash(rest);
    else if (strcmp(command, "crash_thread") == 0)
        crash_on_thread(rest);
    else if (strcmp(command, "fork") == 0)
        go_on_in_child();
    else
        return PROF_E_INVALID;
    return PROF_OK;
}

int main(void)
{
    static char line[4096];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *rest = line + strcspn(line, " ");
        struct timespec now;
        if (*rest != '\0')
            *rest++ = '\0';
        err = (prof_error)PROF_ERROR_INIT;
        prof_status status = obey(line, rest);
        clock_gettime(CLOCK_MONOTONIC, &now);
        printf("%s %lld %s\n", prof_status_name(status), (long long)now.tv_sec * 1000000000 + now.tv_nsec, err.message);
        fflush(stdout);
    }
    return 0;
}
