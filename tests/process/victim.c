/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small service for process_check.py to start, disturb and end.
 *
 *     victim MODE     work once and, depending on the mode, do one thing more
 */
#include <profcore/snapshot.h>

#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void work(void)
{
    PROF_FUNCTION_SAVE();
    PROF_SCOPE("step") { usleep(1000); }
}

/* Each fourth one is slow. */
static void request(int number)
{
    PROF_FUNCTION();
    PROF_SCOPE("step") { usleep(number % 4 == 0 ? 50000 : 100); }
}

static void ruled_request(void)
{
    PROF_FUNCTION_SAVE_IF(0, 2);
    PROF_SCOPE("step") { usleep(1000); }
}

__attribute__((constructor)) static void early(void) { PROF_FUNCTION(); }
__attribute__((destructor)) static void late(void) { PROF_FUNCTION(); }
static void at_exit(void) { PROF_FUNCTION(); }

static volatile sig_atomic_t handled;
static void on_signal(int number)
{
    (void)number;
    handled++;
}

/* For the first time only: the next one ends the program. */
static void on_first_signal(int number)
{
    signal(number, SIG_DFL);
    on_signal(number);
}

/* Calls what stood in its place before. */
static volatile sig_atomic_t chained;
static void (*before_chain)(int);
static void chain(int number)
{
    chained++;
    before_chain(number);
}

static int has_handler(int number, void (*handler)(int))
{
    struct sigaction now;
    return sigaction(number, NULL, &now) == 0 && now.sa_handler == handler;
}

static void say(const char *line)
{
    printf("%s\n", line);
    fflush(stdout);
}

/* As a service that is in read() or accept() when it is told to end. */
static void read_until_handled(void)
{
    int ends[2];
    char byte;
    if (pipe(ends) != 0)
        return;
    while (handled == 0)
        if (read(ends[0], &byte, 1) < 0 && errno == EINTR)
            say("interrupted");
}

static void *save_for_ever(void *unused)
{
    for (;; pthread_testcancel())
        prof_save(NULL);
    return unused;
}

static void write_snapshot(const char *path)
{
    prof_snapshot *snapshot = NULL;
    prof_error err = PROF_ERROR_INIT;
    if (prof_snapshot_take(&snapshot, &err) != PROF_OK || prof_snapshot_write_file(snapshot, "json", path, &err) != PROF_OK)
        printf("%s\n", err.message);
    prof_snapshot_close(snapshot);
}

static void wait_for_ever(void)
{
    for (;;)
        work();
}

/* How often resident memory was sampled so far. */
static long sample_count(void)
{
    char text[65536];
    write_snapshot("samples.json");
    FILE *file = fopen("samples.json", "r");
    size_t bytes = file != NULL ? fread(text, 1, sizeof(text) - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    text[bytes] = '\0';
    const char *samples = strstr(text, "\"rss_samples\""), *count = samples ? strstr(samples, "\"count\":") : NULL;
    if (count == NULL || memchr(samples, '{', (size_t)(count - samples)) == NULL)
        return 0; /* null */
    return strtol(count + sizeof("\"count\":") - 1, NULL, 10);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "once";
    prof_error err = PROF_ERROR_INIT;
    if (strcmp(mode, "ignore") == 0)
        signal(SIGTERM, SIG_IGN);
    atexit(at_exit);
    errno = 77;
    work();
    if (errno != 77) {
        printf("errno was changed\n");
        return 1;
    }
    if (strcmp(mode, "options") == 0) {
        /* As a language binding would: sites first, then the program's options. */
        prof_options options = PROF_OPTIONS_INIT;
        prof_site *site = NULL;
        options.flags = PROF_NO_FILES;
        options.name = "chosen";
        int status = prof_site_get("made first", SIZE_MAX, NULL, 0, 0, &site, &err) != PROF_OK;
        status |= prof_start(&options, &err) != PROF_OK;
        work();
        options.sort = "nonsense";
        status |= prof_start(&options, NULL) != PROF_E_INVALID;
        status |= prof_stop(&err) != PROF_OK;
        printf("%d %s\n", status, err.message);
    } else if (strcmp(mode, "api") == 0) {
        int status = prof_start(NULL, &err) != PROF_OK;
        work();
        status |= prof_stop(&err) != PROF_OK;
        printf("%d %s\n", status, err.message);
    } else if (strcmp(mode, "loop") == 0) {
        printf("ready\n");
        fflush(stdout);
        wait_for_ever();
    } else if (strcmp(mode, "handler") == 0) {
        /* Its own handler, installed before recording starts: it runs after each save, and the service goes on. */
        signal(SIGUSR1, on_signal);
        prof_start(NULL, &err);
        work(); /* so that there is something to save */
        say("ready");
        while (handled < 1 || has_handler(SIGUSR1, on_signal)) /* taken again, a moment after it was handled */
            work();
        say("handled 1");
        while (handled < 2)
            work();
        say("handled 2");
    } else if (strcmp(mode, "blocked-read") == 0) {
        struct sigaction action = { .sa_handler = on_signal }; /* without SA_RESTART */
        sigaction(SIGTERM, &action, NULL);
        prof_start(NULL, &err);
        work();
        say("ready");
        read_until_handled();
    } else if (strcmp(mode, "graceful-once") == 0 || strcmp(mode, "reset-once") == 0) {
        struct sigaction action = { .sa_handler = on_first_signal };
        if (strcmp(mode, "reset-once") == 0)
            action = (struct sigaction){ .sa_handler = on_signal, .sa_flags = SA_RESETHAND };
        sigaction(SIGINT, &action, NULL);
        prof_start(NULL, &err);
        work();
        say("ready");
        while (handled < 1)
            usleep(1000);
        say("handled 1");
        wait_for_ever();
    } else if (strcmp(mode, "chain") == 0) {
        signal(SIGUSR1, on_signal);
        prof_start(NULL, &err);
        work();
        before_chain = signal(SIGUSR1, chain);
        say("ready");
        for (int i = 1; i <= 2; i++) {
            while (handled < i || !has_handler(SIGUSR1, chain))
                usleep(1000);
            usleep(300000); /* one that went round in a circle would come again */
            printf("handled %d, chained %d\n", (int)handled, (int)chained);
            fflush(stdout);
        }
    } else if (strcmp(mode, "snapshot") == 0) {
        prof_start(NULL, &err);
        work();
        write_snapshot("snapshot.json");
    } else if (strcmp(mode, "sampled") == 0) {
        /* Samples while it records, none while it does not; a child has none. */
        prof_options options = PROF_OPTIONS_INIT;
        options.rss_every_ms = 2;
        prof_start(&options, &err);
        while (sample_count() < 2)
            work();
        prof_stop(&err);
        write_snapshot("stopped.json");
        usleep(50000);
        write_snapshot("later.json");
        prof_start(NULL, &err);
        if (fork() == 0) {
            work();
            usleep(20000);
            return 0;
        }
        wait(NULL);
    } else if (strcmp(mode, "fork") == 0) {
        pid_t child = fork();
        if (child == 0)
            wait_for_ever();
        usleep(200000);
        kill(child, SIGTERM);
        int status = 0;
        waitpid(child, &status, 0);
        printf("the child ended by signal %d\n", WTERMSIG(status));
    } else if (strcmp(mode, "requests") == 0) {
        for (int i = 1; i <= 12; i++)
            request(i);
    } else if (strcmp(mode, "ruled") == 0) {
        prof_start(NULL, &err);
        for (int i = 0; i < 6; i++)
            ruled_request();
        printf("ready\n");
        fflush(stdout);
        for (int i = 0; argc > 2 || i < 20; i++)
            usleep(100000);
    } else if (strcmp(mode, "fork-loop") == 0) {
        ruled_request(); /* the parent has its saver */
        pid_t child = fork();
        for (int i = 0; child == 0 && i >= 0; i = (i + 1) % 1000) {
            request(i);
            ruled_request();
        }
        printf("ready\n%d\n", (int)child);
        fflush(stdout);
        pause();
    } else if (strcmp(mode, "cancel") == 0) {
        pthread_t thread;
        prof_start(NULL, &err);
        pthread_create(&thread, NULL, save_for_ever, NULL);
        usleep(100000);
        pthread_cancel(thread);
        pthread_join(thread, NULL);
        printf("joined\n");
    } else if (strcmp(mode, "limit") == 0) {
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 512, 512 });
        prof_start(NULL, &err);
        work();
        int status = prof_stop(&err);
        printf("%s: %s\n", prof_status_name(status), err.message);
    } else if (strcmp(mode, "interval") == 0) {
        prof_options options = PROF_OPTIONS_INIT;
        options.save_every_s = 1;
        prof_start(&options, &err);
        printf("ready\n");
        fflush(stdout);
        wait_for_ever();
    } else if (strcmp(mode, "locale") == 0) {
        printf("%s\n", setlocale(LC_ALL, "") ? setlocale(LC_NUMERIC, NULL) : "none");
        work();
    }
    return 0;
}
