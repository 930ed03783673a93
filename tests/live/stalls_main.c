/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a dump does to the scopes of a thread that records meanwhile.
 *
 *     stalls_main SECONDS    in an empty folder, which takes the dumps
 *
 * One thread begins and ends scopes without a pause and times each pair.
 * Another takes turns, a tenth of a second each: it dumps all that the rings
 * hold, again and again; it does nothing; it copies as much memory and brings
 * as much to disk as a dump does, without the library, which is what any other
 * thread of the program might do.  A pair during which the kernel gave the
 * processor to somebody else is counted apart, and one in which the thread
 * waited for something, of which there should be none: the thread's own counts
 * of context switches tell, read whenever a pair took long and every thousand
 * pairs, so that a switch is blamed on the right one.
 */
#include <profcore/prof.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DUMPING, IDLE, COPYING, ARMS, EDGES = 7, TURN_MS = 100, CHECK_EVERY = 1000 };

static const char *const arm_names[ARMS] = { "dumping", "idle", "copying" };
static const uint64_t edges_ns[EDGES] = { 2000, 5000, 10000, 20000, 50000, 100000, 1000000 };

/* One arm's pairs, and those of them that took longer than each edge. */
typedef struct arm_counts {
    uint64_t pairs, longer[EDGES], longest_ns, switched_count, switched_longest_ns, waits;
} arm_counts;

static arm_counts arms[ARMS];
static unsigned now_arm = IDLE, is_over; /* atomic */

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Of the calling thread, so far: how often it was switched out, and of these how often it waited. */
typedef struct switches {
    long all, waits;
} switches;

static switches count_switches(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return (switches){ usage.ru_nvcsw + usage.ru_nivcsw, usage.ru_nvcsw };
}

static void count(arm_counts *into, uint64_t ns, int was_switched)
{
    if (was_switched) {
        into->switched_count++;
        into->switched_longest_ns = ns > into->switched_longest_ns ? ns : into->switched_longest_ns;
        return;
    }
    for (unsigned i = 0; i < EDGES; i++)
        into->longer[i] += ns > edges_ns[i];
    into->longest_ns = ns > into->longest_ns ? ns : into->longest_ns;
}

static void *record(void *unused)
{
    switches known = count_switches();
    uint64_t before = now_ns();
    for (uint64_t n = 1; !__atomic_load_n(&is_over, __ATOMIC_RELAXED); n++) {
        arm_counts *into = &arms[__atomic_load_n(&now_arm, __ATOMIC_RELAXED)];
        PROF_SCOPE("recorded") {
        }
        uint64_t after = now_ns();
        into->pairs++;
        if (after - before > edges_ns[0]) {
            switches seen = count_switches();
            count(into, after - before, seen.all != known.all);
            into->waits += (uint64_t)(seen.waits - known.waits);
            known = seen;
            after = now_ns();
        } else if (n % CHECK_EVERY == 0) {
            known = count_switches();
            after = now_ns();
        }
        before = after;
    }
    return unused;
}

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

/* Dumps, and takes the files away; the bytes of both. */
static size_t dump(void)
{
    char stem[4096], path[sizeof(stem) + 16];
    prof_error err = PROF_ERROR_INIT;
    prof_dump_options options = PROF_DUMP_OPTIONS_INIT;
    struct stat status;
    size_t bytes = 0;
    options.seconds = PROF_DUMP_ALL;
    options.path = stem;
    options.path_bytes = sizeof(stem);
    if (prof_dump(&options, &err) != PROF_OK)
        fail("prof_dump", err.message);
    for (unsigned i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s%s", stem, i ? ".pftrace" : ".txt");
        if (stat(path, &status) != 0 || unlink(path) != 0)
            fail(path, strerror(errno));
        bytes += (size_t)status.st_size;
    }
    return bytes;
}

static void copy(size_t bytes)
{
    char *from = calloc(bytes, 1), *into = malloc(bytes);
    int fd = open("copied", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (from == NULL || into == NULL || fd < 0)
        fail("copied", strerror(errno));
    memset(from, 1, bytes);
    memcpy(into, from, bytes);
    for (size_t at = 0; at < bytes; at += 65536)
        if (write(fd, into + at, bytes - at < 65536 ? bytes - at : 65536) < 0)
            fail("copied", strerror(errno));
    if (fsync(fd) != 0)
        fail("copied", strerror(errno));
    close(fd);
    unlink("copied");
    free(from);
    free(into);
}

static void print(const arm_counts *of, const char *name)
{
    printf("%-8s %12llu pairs; longer than", name, (unsigned long long)of->pairs);
    for (unsigned i = 0; i < EDGES; i++)
        printf(" %g us: %llu%s", (double)edges_ns[i] / 1e3, (unsigned long long)of->longer[i], i + 1 < EDGES ? "," : "");
    printf("; longest %.1f us; switched out %llu times, longest %.1f us; waited %llu times\n", (double)of->longest_ns / 1e3,
           (unsigned long long)of->switched_count, (double)of->switched_longest_ns / 1e3, (unsigned long long)of->waits);
}

int main(int argc, char **argv)
{
    pthread_t recorder;
    uint64_t dumps = 0;
    size_t bytes = 0;
    prof_error err = PROF_ERROR_INIT;
    unsigned long seconds = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    if (seconds == 0)
        fail(argv[0], "for how many seconds?");
    if (prof_start(NULL, &err) != PROF_OK)
        fail("prof_start", err.message);
    if (pthread_create(&recorder, NULL, record, NULL) != 0)
        fail("pthread_create", strerror(errno));
    sleep(2); /* until the rings are full */
    for (uint64_t end = now_ns() + seconds * 1000000000u, turn = 0; now_ns() < end; turn++) {
        unsigned arm = turn % ARMS;
        __atomic_store_n(&now_arm, arm, __ATOMIC_RELAXED);
        for (uint64_t until = now_ns() + TURN_MS * 1000000u; now_ns() < until;) {
            if (arm == DUMPING) {
                bytes = dump();
                dumps++;
            } else if (arm == COPYING) {
                copy(bytes);
            } else {
                nanosleep(&(struct timespec){ .tv_nsec = TURN_MS * 1000000 }, NULL);
            }
        }
    }
    __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
    pthread_join(recorder, NULL);
    printf("%llu dumps of %zu bytes\n", (unsigned long long)dumps, bytes);
    for (unsigned i = 0; i < ARMS; i++)
        print(&arms[i], arm_names[i]);
    return 0;
}
