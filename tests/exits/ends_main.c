/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scopes wherever a program can still run, and every way to end it.
 *
 *     ends_main MODE     start, once, stopped, detached, main_exits, quick_exit, _exit, abort, save_and_abort
 *
 * The start of the process calls before_all() before any constructor, and
 * what that registers runs after every destructor.
 */
#include <profcore/snapshot.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY_ROUNDS = 3 };

static pthread_key_t key;

/* All that a program may call when it is all over. */
static void after_all(int status, void *unused)
{
    (void)status;
    (void)unused;
    prof_snapshot *snapshot = NULL;
    prof_site *site = NULL;
    prof_error err = PROF_ERROR_INIT;
    PROF_SCOPE("after_all") { PROF_COUNTER("after_all", 1); }
    if (prof_site_get("made after all", SIZE_MAX, NULL, 0, 0, &site, &err) == PROF_OK)
        prof_end(prof_begin(site));
    prof_save(&err);
    prof_start(NULL, &err);
    prof_stop(&err);
    if (prof_snapshot_take(&snapshot, &err) == PROF_OK)
        prof_snapshot_close(snapshot);
    static const char end[] = "after all\n";
    if (write(STDOUT_FILENO, end, sizeof(end) - 1) < 0)
        _exit(1);
}

/* `start` as a program's only start, before the library's own constructor. */
static void before_all(int argc, char **argv, char **environment)
{
    /* The C library has not seen its environment and its name yet. */
    prof_options options = PROF_OPTIONS_INIT;
    options.name = "early";
    options.formats = "txt,prof,json";
    (void)environment;
    PROF_SCOPE("before_all") { }
    if (argc > 1 && strcmp(argv[1], "start") == 0)
        prof_start(&options, NULL);
    PROF_SCOPE("before_all_started") { }
    on_exit(after_all, NULL); /* atexit() would bind it to the program's own destructors */
}
__attribute__((section(".preinit_array"), used)) static void (*const preinit)(int, char **, char **) = before_all;

__attribute__((constructor(101))) static void constructor(void) { PROF_FUNCTION(); }
__attribute__((destructor(101))) static void destructor(void) { PROF_FUNCTION(); }
static void at_exit(void) { PROF_FUNCTION(); }
static void at_quick(void) { PROF_FUNCTION(); }

/* Comes back for more, as destructors of other libraries do. */
static void key_destructor(void *value)
{
    PROF_FUNCTION();
    intptr_t round = (intptr_t)value;
    if (round < KEY_ROUNDS)
        pthread_setspecific(key, (void *)(round + 1));
}

static void *thread_main(void *delay_us)
{
    PROF_FUNCTION();
    pthread_setspecific(key, (void *)1);
    usleep((useconds_t)(uintptr_t)delay_us);
    return NULL;
}

/* Its first scope is opened by the destructor. */
static void *thread_without_scopes(void *unused)
{
    pthread_setspecific(key, (void *)1);
    return unused;
}

static void *record_for_ever(void *unused)
{
    for (;;)
        PROF_SCOPE("for_ever") { }
    return unused;
}

static pthread_t start_thread(void *(*run)(void *), uintptr_t delay_us)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, (void *)delay_us) != 0)
        _exit(2);
    return thread;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "once";
    pthread_key_create(&key, key_destructor);
    atexit(at_exit);
    at_quick_exit(at_quick);
    PROF_SCOPE("in_main") { }
    pthread_join(start_thread(thread_main, 0), NULL);
    pthread_join(start_thread(thread_without_scopes, 0), NULL);
    if (strcmp(mode, "stopped") == 0) {
        prof_start(NULL, NULL);
        PROF_SCOPE("while_started") { }
        PROF_BEGIN(open, "open_at_stop");
        prof_stop(NULL);
        PROF_SCOPE("while_stopped") { }
        PROF_END(open);
        pthread_join(start_thread(thread_main, 0), NULL);
    } else if (strcmp(mode, "detached") == 0) {
        for (int i = 0; i < 4; i++)
            pthread_detach(start_thread(record_for_ever, 0));
        usleep(20000);
    } else if (strcmp(mode, "main_exits") == 0) {
        pthread_detach(start_thread(thread_main, 200000));
        pthread_exit(NULL);
    } else if (strcmp(mode, "quick_exit") == 0) {
        quick_exit(7);
    } else if (strcmp(mode, "_exit") == 0) {
        _exit(7);
    } else if (strcmp(mode, "abort") == 0) {
        abort();
    } else if (strcmp(mode, "save_and_abort") == 0) {
        prof_save(NULL);
        PROF_SCOPE("after_save") { }
        abort();
    }
    return 7;
}
