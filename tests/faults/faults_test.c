/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For every n, the n-th allocation, the n-th piece of the region and the
 * n-th system call fails, once and for good, while the whole API is used.
 *
 *     faults_test VERSION_SCRIPT [--all | --each | NAME_OF_A_SWEEP]
 *
 * Each n has a process and a folder of its own.  The process must end as if
 * nothing had happened: no crash, no hang, no leak (where LeakSanitizer
 * looks), no descriptor left open, every failure with its message, every
 * scope counted as recorded or lost, only whole files under final names, and
 * saving works again once the fault is over.  Without --all not every error
 * is tried.  Without any argument only each fourth n of what fails for good
 * is, and of both kinds a quarter of that under AddressSanitizer, where a
 * process takes four times as long; --each tries them all.
 */
#include "api_uses.h"
#include "faults.h"

#include "base/spool.h"

#include <profcore/snapshot.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child, and what it tells the parent: some run side by side, for they wait for the clock more than they compute. */
enum { WORKERS = 4 };
typedef struct worker {
    pid_t pid; /* 0: none */
    long n, seen;
    char first[64];
} worker;
static worker *workers;

static char scratch[64];
static int may_lack_threads; /* the region may have no piece for one: then a dump has none to show */

#ifdef __SANITIZE_ADDRESS__
enum { STEP = 4 };
#else
enum { STEP = 1 };
#endif

/* ---- in the child ---- */

static int problem(const char *what, const char *which)
{
    printf("# %s: %s\n", what, which);
    return 1;
}

static int count_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* For good: a thread of the library's has one open for a moment when it looks once a second whether it is alone. */
static int are_more_open_than(int most)
{
    for (int i = 0; i < 500; i++, usleep(10000))
        if (count_descriptors() <= most)
            return 0;
    return 1;
}

/* A protobuf message is fields to its last byte: a tag, and a number, or a length and so many bytes. */
static int is_fields(const unsigned char *data, size_t bytes)
{
    size_t at = 0;
    while (at < bytes) {
        unsigned char tag = data[at++];
        uint64_t value = 0;
        unsigned shift = 0;
        while (at < bytes && data[at] >= 0x80 && shift < 63) {
            value |= (uint64_t)(data[at++] & 0x7f) << shift;
            shift += 7;
        }
        if (at == bytes || (tag & 7 & ~2) != 0)
            return 0;
        value |= (uint64_t)(data[at++] & 0x7f) << shift;
        if ((tag & 7) == 2 && value > bytes - at)
            return 0;
        at += (tag & 7) == 2 ? value : 0;
    }
    return bytes != 0;
}

/* Whether a file under a final name is what its format demands from end to end. */
static int is_whole(const char *path, const char *extension)
{
    static char text[1 << 20];
    FILE *file = fopen(path, "rb");
    size_t bytes = file != NULL ? fread(text, 1, sizeof(text) - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    text[bytes] = '\0';
    if (strcmp(extension, ".prof") == 0) /* a marshalled dictionary and its end */
        return bytes > 2 && text[0] == '{' && text[bytes - 1] == '0';
    if (strcmp(extension, ".txt") == 0 && strncmp(text, "Open scopes of ", 15) == 0)
        return strstr(text, "\n-- profcore ") != NULL &&
               (may_lack_threads || strstr(text, "\nThread ") != NULL) && text[bytes - 1] == '\n';
    if (strcmp(extension, ".txt") == 0)
        return strstr(text, "function call") != NULL && strstr(text, "Losses:") != NULL && text[bytes - 1] == '\n';
    if (strcmp(extension, ".pftrace") == 0 || strcmp(extension, ".pprof") == 0)
        return is_fields((const unsigned char *)text, bytes);
    if (strcmp(extension, ".collapsed") == 0)
        return strstr(text, " 0\n") != NULL && text[bytes - 1] == '\n';
    if (strcmp(extension, ".callgrind") == 0)
        return strstr(text, "\ntotals: ") != NULL && text[bytes - 1] == '\n';
    if (strcmp(extension, ".crash") == 0)
        return memcmp(text + 24, "profcore.crash/", 15) == 0;
    if (strcmp(extension, ".html") == 0)
        return strstr(text, "\"percentiles\": [") != NULL && strcmp(text + bytes - 8, "</html>\n") == 0;
    json_t *parsed = json_loads(text, 0, NULL);
    json_decref(parsed);
    return parsed != NULL;
}

/* Every file in a folder and its profiling_results is whole, and has a final name, unless removing fails too. */
static int check_files(const char *folder, int may_have_drafts)
{
    int wrong = 0;
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char name[200], path[512];
        snprintf(name, sizeof(name), "%s", entries[i]->d_name);
        snprintf(path, sizeof(path), "%.200s/%s", folder, name);
        free(entries[i]);
        const char *extension = strrchr(name, '.');
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (strcmp(name, "profiling_results") == 0)
            wrong += check_files(path, may_have_drafts);
        else if (extension == NULL || strcmp(extension, ".tmp") == 0)
            wrong += may_have_drafts ? 0 : problem("a draft was left", path);
        else
            wrong += is_whole(path, extension) ? 0 : problem("half a file", path);
    }
    free(entries);
    return wrong;
}

static int check_counts(void)
{
    prof_snapshot *snapshot;
    prof_stats stats = PROF_STATS_INIT;
    prof_error err = PROF_ERROR_INIT;
    uint64_t counted;
    if (prof_snapshot_take(&snapshot, &err) != PROF_OK)
        return problem("no snapshot after the fault", err.message);
    prof_snapshot_stats(snapshot, &stats, NULL);
    counted = stats.lost_count;
    for (uint32_t i = 0; i < prof_snapshot_function_count(snapshot); i++) {
        prof_function row = PROF_FUNCTION_INIT;
        prof_snapshot_function(snapshot, i, &row, NULL);
        counted += row.calls;
    }
    prof_snapshot_close(snapshot);
    return counted == api_uses_issued ? 0 : problem("recorded and lost are not what was issued", "prof_snapshot_take");
}

/* Once the fault is over everything works. */
static int check_recovery(void)
{
    prof_error err = PROF_ERROR_INIT;
    prof_status status = prof_start(NULL, &err);
    int wrong = status == PROF_OK ? check_counts() : 0;
    if (status == PROF_OK)
        status = prof_save(&err);
    if (status == PROF_OK)
        status = prof_stop(&err);
    return wrong + (status == PROF_OK ? 0 : problem("after the fault", err.message));
}

static void child(worker *told, fault_kind kind, int error, int for_good)
{
    enum { KEPT = 5 }; /* by the probes: statm, the control group's figures, three of pressure */
    int descriptors = count_descriptors();
    alarm(120);
    may_lack_threads = kind == FAULT_REGION && for_good;
    faults_arm(kind, told->n, error, for_good);
    int wrong = api_uses_run();
    told->seen = faults_disarm();
    snprintf(told->first, sizeof(told->first), "%s", faults_first() ? faults_first() : "");
    /* Where fstat fails a descriptor may be the host's by now, for all that can be told: a folder and drafts are left. */
    int in_doubt = strstr(told->first, "fstat") != NULL || (kind == FAULT_SYSTEM && for_good) ? 5 : 0;
    if (are_more_open_than(descriptors + KEPT + in_doubt))
        wrong += problem("descriptors were left open", told->first);
    wrong += check_files(".", kind == FAULT_SYSTEM && for_good);
    if (for_good && kind != FAULT_REGION)
        faults_arm(kind, 1, error, 1); /* the exit of the process too */
    else
        wrong += check_recovery();
    fflush(stdout);
    exit(wrong != 0);
}

/* ---- in the parent ---- */

static void show(const char *path)
{
    char text[8192];
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(text, sizeof(text), file) != NULL)
        printf("# %s", text);
    if (file != NULL)
        fclose(file);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static void remove_folder(const char *path)
{
    if (nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS) != 0)
        printf("# %s is left\n", path);
}

static void name_files(const worker *of, char folder[96], char output[96])
{
    snprintf(folder, 96, "%s/%d", scratch, (int)(of - workers));
    snprintf(output, 96, "%s/%d.output", scratch, (int)(of - workers));
}

static void begin(worker *free_one, fault_kind kind, long n, int error, int for_good)
{
    char folder[96], output[96];
    name_files(free_one, folder, output);
    *free_one = (worker){ .n = n, .seen = -1 };
    fflush(stdout);
    pid_t pid = mkdir(folder, 0700) == 0 ? fork() : -1;
    if (pid == 0) {
        int fd = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0 || close(fd) != 0 || chdir(folder) != 0)
            _exit(99);
        child(free_one, kind, error, for_good);
    }
    free_one->pid = pid;
}

/* Waits for a child; whether it ended as if nothing had happened. */
static int end(worker *one, fault_kind kind, int error, int for_good)
{
    int status = -1;
    char folder[96], output[96];
    name_files(one, folder, output);
    if (one->pid > 0)
        waitpid(one->pid, &status, 0);
    one->pid = 0;
    if (status != 0) {
        printf("# %s: call %ld (%s) failing %s with %s: status %#x\n", kind == FAULT_HEAP ? "heap" : kind == FAULT_REGION ?
               "region" : "system", one->n, one->first, for_good ? "for good" : "once", error == FAULT_SHORT ? "a short write" :
               strerror(error), (unsigned)status);
        show(output);
    }
    remove_folder(folder);
    return status == 0;
}

/* Every n, or each so many, until there is no n-th call; how many ended badly. */
static int sweep(fault_kind kind, int error, int for_good, long step)
{
    int failures = 0, running = 0;
    long n = 1, seen = 0, last = LONG_MAX;
    unsigned next = 0;
    while (running != 0 || (n <= last && failures < 3)) {
        worker *one = &workers[next++ % WORKERS];
        if (one->pid == 0) {
            if (n > last || failures >= 3)
                continue;
            begin(one, kind, n, error, for_good);
            n += step;
            running++;
            continue;
        }
        failures += !end(one, kind, error, for_good);
        running--;
        seen = one->seen;
        if (one->n > seen)
            last = 0; /* this one had nothing left to fail */
    }
    printf("# %ld calls failed %s\n", seen < n ? seen : n, for_good ? "for good" : "once");
    return failures;
}

static const struct {
    const char *name;
    fault_kind kind;
    int error, for_good, is_quick, with_saver;
} sweeps[] = {
    { "any_allocation_may_fail_once", FAULT_HEAP, ENOMEM, 0, 1, 0 },
    { "any_allocation_may_be_the_last", FAULT_HEAP, ENOMEM, 1, 1, 0 },
    { "any_piece_of_the_region_may_be_refused_once", FAULT_REGION, ENOMEM, 0, 1, 0 },
    { "any_piece_of_the_region_may_be_the_last", FAULT_REGION, ENOMEM, 1, 1, 0 },
    { "any_system_call_may_fail_once_with_EIO", FAULT_SYSTEM, EIO, 0, 1, 0 },
    { "any_system_call_may_fail_once_beside_the_thread_that_saves", FAULT_SYSTEM, EIO, 0, 1, 1 },
    { "any_system_call_may_fail_for_good_beside_the_thread_that_saves", FAULT_SYSTEM, EIO, 1, 0, 1 },
    { "any_allocation_may_fail_once_beside_the_thread_that_saves", FAULT_HEAP, ENOMEM, 0, 0, 1 },
    { "any_system_call_may_fail_for_good_with_EIO", FAULT_SYSTEM, EIO, 1, 0, 0 },
    { "any_system_call_may_fail_once_with_ENOSPC", FAULT_SYSTEM, ENOSPC, 0, 0, 0 },
    { "any_system_call_may_fail_for_good_with_ENOSPC", FAULT_SYSTEM, ENOSPC, 1, 0, 0 },
    { "any_system_call_may_fail_once_with_EMFILE", FAULT_SYSTEM, EMFILE, 0, 0, 0 },
    { "any_system_call_may_fail_for_good_with_EMFILE", FAULT_SYSTEM, EMFILE, 1, 0, 0 },
    { "any_system_call_may_fail_once_with_ENOMEM", FAULT_SYSTEM, ENOMEM, 0, 0, 0 },
    { "any_system_call_may_fail_for_good_with_ENOMEM", FAULT_SYSTEM, ENOMEM, 1, 0, 0 },
    { "any_system_call_may_fail_once_with_ENOSYS", FAULT_SYSTEM, ENOSYS, 0, 0, 0 },
    { "any_system_call_may_fail_for_good_with_EPERM", FAULT_SYSTEM, EPERM, 1, 0, 0 },
    { "any_system_call_may_fail_for_good_with_ENOSYS", FAULT_SYSTEM, ENOSYS, 1, 0, 0 },
    { "any_system_call_may_be_interrupted", FAULT_SYSTEM, EINTR, 0, 0, 0 },
    { "any_write_may_be_short_once", FAULT_SYSTEM, FAULT_SHORT, 0, 0, 0 },
    { "every_write_may_be_short", FAULT_SYSTEM, FAULT_SHORT, 1, 0, 0 },
};

static int is_wanted(const char *which, size_t sweep_number)
{
    if (which[0] == '\0' || strcmp(which, "--each") == 0)
        return sweeps[sweep_number].is_quick;
    return strcmp(which, "--all") == 0 || strcmp(which, sweeps[sweep_number].name) == 0;
}

int main(int argc, char **argv)
{
    int number = 0, failures = 0;
    const char *which = argc > 2 ? argv[2] : "";
    setvbuf(stdout, NULL, _IOLBF, 0);
    profi_spool_most_in_memory = 0; /* event streams lie in files */
    /* In memory where that can be had: thousands of files are synced. */
    snprintf(scratch, sizeof(scratch), "%s/profcore-faults-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    char temporary[96]; /* event streams, and what is saved where the folder refuses */
    workers = mmap(NULL, WORKERS * sizeof(*workers), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (argc < 2 || workers == MAP_FAILED || mkdtemp(scratch) == NULL)
        return 2;
    snprintf(temporary, sizeof(temporary), "%s/temporary", scratch);
    if (mkdir(temporary, 0700) != 0 || setenv("TMPDIR", temporary, 1) != 0)
        return 2;
    int missing = api_uses_missing(argv[1]);
    failures += missing != 0;
    printf("%s %d every_public_function_is_used\n", missing ? "not ok" : "ok", ++number);
    begin(&workers[0], FAULT_HEAP, 0, 0, 0);
    int well = end(&workers[0], FAULT_HEAP, 0, 0);
    failures += !well;
    printf("%s %d without_a_fault_everything_works_and_leaves_errno_and_floating_point_alone\n", well ? "ok" : "not ok", ++number);
    for (size_t i = 0; i < sizeof(sweeps) / sizeof(sweeps[0]); i++) {
        if (!is_wanted(which, i))
            continue;
        api_uses_with_saver = sweeps[i].with_saver;
        const long step = which[0] != '\0' ? 1 : sweeps[i].for_good ? 4 * STEP : STEP;
        int wrong = sweep(sweeps[i].kind, sweeps[i].error, sweeps[i].for_good, step);
        failures += wrong != 0;
        printf("%s %d %s\n", wrong ? "not ok" : "ok", ++number, sweeps[i].name);
    }
    remove_folder(scratch);
    printf("1..%d\n", number);
    return failures != 0;
}
