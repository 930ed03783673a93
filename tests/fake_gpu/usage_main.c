/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage_main HOW: records until so many samples of utilization have been
 * taken, and leaves the files that the environment asks for.
 *
 *     samples N    until the first row of a GPU, or where there is none of the CPU, has N samples or failures
 *     fork N       the same, and then again in a child, which starts anew
 *     pause        stopped for a while in between
 *     busy N       keeps one CPU busy meanwhile
 *     wait S       for so many seconds
 *     off, until N without asking for samples, and until there are N all the same
 */
#include <profcore/prof.h>
#include <profcore/snapshot.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The most samples that any row has been asked for. */
static uint64_t sample_count(void)
{
    prof_snapshot *snapshot = NULL;
    uint64_t most = 0;
    if (prof_snapshot_take(&snapshot, NULL) != PROF_OK)
        exit(3);
    for (uint32_t i = 0; i < prof_snapshot_utilization_count(snapshot); i++) {
        prof_utilization row = PROF_UTILIZATION_INIT;
        if (prof_snapshot_utilization(snapshot, i, &row, NULL) != PROF_OK)
            exit(3);
        uint64_t tried = row.sample_count + row.failed_count;
        most = tried > most ? tried : most;
    }
    prof_snapshot_close(snapshot);
    return most;
}

/* Gives up after a minute, and says so. */
static void wait_for_samples(uint64_t wanted, int is_busy)
{
    time_t end = time(NULL) + 60;
    while (sample_count() < wanted) {
        if (time(NULL) > end) {
            fprintf(stderr, "no %u samples within a minute\n", (unsigned)wanted);
            exit(4);
        }
        if (!is_busy)
            usleep(2000);
    }
}

static void record(uint64_t wanted, int is_busy, unsigned every_ms)
{
    prof_options options = PROF_OPTIONS_INIT;
    prof_error err = PROF_ERROR_INIT;
    options.utilization_every_ms = every_ms;
    if (prof_start(&options, &err) != PROF_OK) {
        fprintf(stderr, "%s\n", err.message);
        exit(3);
    }
    PROF_SCOPE("work") { wait_for_samples(wanted, is_busy); }
    prof_stop(NULL);
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "samples";
    uint64_t wanted = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    int is_asking = strcmp(how, "off") != 0 && strcmp(how, "until") != 0;
    if (strcmp(how, "wait") == 0) {
        prof_options options = PROF_OPTIONS_INIT;
        options.utilization_every_ms = 10;
        prof_start(&options, NULL);
        sleep((unsigned)wanted);
        prof_stop(NULL);
        return 0;
    }
    record(wanted, strcmp(how, "busy") == 0, is_asking ? 10 : 0);
    if (strcmp(how, "pause") == 0) {
        sleep(1);
        record(wanted * 2, 0, 10);
    }
    if (strcmp(how, "fork") == 0) {
        pid_t child = fork();
        int status = 0;
        if (child == 0) {
            record(wanted, 0, 10);
            exit(0);
        }
        return child > 0 && waitpid(child, &status, 0) == child && status == 0 ? 0 : 1;
    }
    return 0;
}
