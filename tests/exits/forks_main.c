/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forks while 8 threads record, others come and go, take snapshots and save,
 * and says how many scopes the parent opened.
 *
 *     forks_main FORKS
 *     forks_main cost     page faults of children that only end, beside 0 and 60,000 paths
 *
 * The children, by turns: end at once; record and end; execute a program;
 * fork again, and both record and end; vfork or posix_spawn or system().
 * One that hangs is ended by its alarm clock, and the run fails.
 */
#include <profcore/snapshot.h>

#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 8, CHILD_CALLS = 5, LIMIT_S = 120 };

extern char **environ;
static char true_name[] = "true";
static char *const true_arguments[] = { true_name, NULL };
static uint32_t is_over;
static uint64_t short_count, bad;

static void *record(void *count)
{
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
        for (int i = 0; i < 100; i++, ++*(uint64_t *)count) {
            PROF_BLOCK("in_parent");
            PROF_SCOPE("in_parent_inner") { }
        }
        usleep(200); /* two cores are for the children too */
    }
    return NULL;
}

static void *record_shortly(void *unused)
{
    PROF_SCOPE("short_thread") { __atomic_add_fetch(&short_count, 1, __ATOMIC_RELAXED); }
    return unused;
}

static void *attach_and_exit(void *unused)
{
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, record_shortly, NULL) == 0)
            pthread_join(thread, NULL);
    }
    return unused;
}

static void *snap_and_save(void *unused)
{
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
        prof_snapshot *snapshot = NULL;
        __atomic_add_fetch(&bad, prof_snapshot_take(&snapshot, NULL) != PROF_OK, __ATOMIC_RELAXED);
        prof_snapshot_close(snapshot);
        __atomic_add_fetch(&bad, prof_save(NULL) != PROF_OK, __ATOMIC_RELAXED);
        usleep(1000);
    }
    return unused;
}

static void *record_in_child(void *unused)
{
    PROF_SCOPE("in_child_thread") { }
    return unused;
}

static void work_in_child(void)
{
    pthread_t thread;
    alarm(LIMIT_S); /* not inherited over a fork */
    for (int i = 0; i < CHILD_CALLS; i++)
        PROF_SCOPE("in_child") { }
    if (pthread_create(&thread, NULL, record_in_child, NULL) == 0)
        pthread_join(thread, NULL);
}

static int ended_badly(pid_t child)
{
    int status = -1;
    if (child > 0 && waitpid(child, &status, 0) == child && status == 0)
        return 0;
    printf("child %d ended with status 0x%x\n", (int)child, (unsigned)status);
    return 1;
}

static int fork_and_record(int depth)
{
    pid_t child = fork();
    if (child != 0)
        return ended_badly(child);
    work_in_child();
    exit(depth > 0 ? fork_and_record(depth - 1) : 0);
}

static int fork_and(int executes)
{
    pid_t child = fork();
    if (child != 0)
        return ended_badly(child);
    alarm(LIMIT_S);
    PROF_SCOPE("never_saved") { }
    if (executes)
        execvp("true", true_arguments);
    _exit(executes);
}

static int spawn_in_turn(int turn)
{
    pid_t child = -1;
    if (turn % 3 == 0)
        return system("true") != 0;
    if (turn % 3 == 1)
        return posix_spawnp(&child, "true", NULL, NULL, true_arguments, environ) != 0 || ended_badly(child);
    child = vfork();
    if (child == 0) {
        execvp("true", true_arguments);
        _exit(1);
    }
    return ended_badly(child);
}

/* The fewest page faults of some children: each is a page that the child was given a copy of, or the like. */
static long faults_of_a_child(void)
{
    long fewest = -1;
    for (int i = 0; i < 5; i++) {
        struct rusage used;
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        if (wait4(child, NULL, 0, &used) == child && (fewest < 0 || used.ru_minflt < fewest))
            fewest = used.ru_minflt;
    }
    return fewest;
}

static int tell_cost(void)
{
    if (prof_start(NULL, NULL) != PROF_OK)
        return 1;
    long before = faults_of_a_child();
    for (int i = 0; i < 60000; i++) {
        prof_site *site = NULL;
        char name[32];
        snprintf(name, sizeof(name), "name %d", i);
        if (prof_site_get(name, SIZE_MAX, NULL, 0, 0, &site, NULL) == PROF_OK)
            prof_end(prof_begin(site));
    }
    printf("[%ld, %ld]\n", before, faults_of_a_child());
    fflush(stdout);
    _exit(0); /* nothing to save */
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "cost") == 0)
        return tell_cost();
    int forks = argc > 1 ? atoi(argv[1]) : 0;
    pthread_t threads[THREADS + 2];
    uint64_t counts[THREADS] = { 0 }, sum = 0;
    alarm(LIMIT_S + (unsigned)forks / 4);
    if (prof_start(NULL, NULL) != PROF_OK)
        return 1;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, record, &counts[i]);
    pthread_create(&threads[THREADS], NULL, attach_and_exit, NULL);
    pthread_create(&threads[THREADS + 1], NULL, snap_and_save, NULL);
    uint64_t failed = 0;
    for (int i = 0; i < forks; i++) {
        PROF_SCOPE("around_fork")
        {
            failed += (uint64_t)(i % 5 == 0   ? fork_and(0)
                                 : i % 5 == 1 ? fork_and_record(0)
                                 : i % 5 == 2 ? fork_and(1)
                                 : i % 5 == 3 ? fork_and_record(1)
                                              : spawn_in_turn(i / 5));
        }
    }
    __atomic_store_n(&is_over, 1u, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS + 2; i++) {
        pthread_join(threads[i], NULL);
        sum += i < THREADS ? counts[i] : 0;
    }
    printf("{\"in_parent\": %llu, \"in_parent_inner\": %llu, \"short_thread\": %llu, \"around_fork\": %d}\n",
           (unsigned long long)sum, (unsigned long long)sum, (unsigned long long)short_count, forks);
    return failed != 0 || bad != 0;
}
