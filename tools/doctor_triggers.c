/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doctor on what brings something to disk before a run is over, and on
 * what asks for it: dumps, signals, crashes, streams, crash-safe recording,
 * the control socket.  What can be tried is tried, and removed.
 */
#include "doctor.h"

#include "folder.h"

#include <profcore/prof.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static const double mib = 1048576.0;

/* ---- dumps ---- */

static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;)
        unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder != NULL)
        closedir(folder);
    rmdir(path);
}

/* A call that lasts until its dump is written, or for some seconds. */
static prof_status be_slow(prof_stats *stats, prof_error *err)
{
    static prof_site site = PROF_SITE_INIT("profcore doctor is slow", NULL, 0, 0);
    enum { MOST_MS = 5000 };
    prof_status status = prof_slow_set("profcore doctor is slow", 1000000, err);
    prof_scope scope = prof_begin(&site);
    for (int ms = 0; status == PROF_OK && ms < MOST_MS; ms++) {
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
        status = prof_stats_get(stats, err);
        if (stats->dump_count + stats->dump_failed_count != 0)
            break;
    }
    prof_end(scope);
    if (status == PROF_OK)
        status = prof_slow_set("profcore doctor is slow", 0, err);
    return status;
}

void doctor_check_dumps(doctor_list *list, const char *scratch)
{
    static const char remedy[] = "a thread of the library's own makes them: look at ulimit -u and the cgroup's pids.max";
    prof_options quiet = PROF_OPTIONS_INIT;
    prof_stats stats = PROF_STATS_INIT;
    prof_error err = PROF_ERROR_INIT;
    if (scratch == NULL) {
        doctor_add(list, DOCTOR_WARN, "dumps", "set TMPDIR to a folder that can be written", "not tried: no folder to try it in");
        return;
    }
    quiet.flags = PROF_NO_FILES;
    prof_status status = prof_start(&quiet, &err);
    if (status == PROF_OK) {
        status = be_slow(&stats, &err);
        prof_stop(NULL);
    }
    if (status != PROF_OK)
        doctor_add(list, DOCTOR_NO, "dumps", remedy, "%s", err.message);
    else if (stats.dump_count == 0)
        doctor_add(list, DOCTOR_NO, "dumps", remedy, "a call beyond its limit made none%s",
                   stats.dump_failed_count != 0 ? ": it could not be written" : "");
    else
        doctor_add(list, DOCTOR_OK, "dumps", NULL, "a call beyond its limit made one: PROFCORE_SLOW, PROF_SLOW(), prof_dump()");
    remove_folder(scratch);
}

/* ---- signals and crashes ---- */

/* What whoever started this has done to signals, a program that is started from here inherits. */
static void check_signals(doctor_list *list)
{
    static const struct { int number; const char *name; } useful[] = {
        { SIGTERM, "TERM" }, { SIGINT, "INT" }, { SIGHUP, "HUP" }, { SIGQUIT, "QUIT" },
        { SIGUSR1, "USR1" }, { SIGUSR2, "USR2" },
    };
    char ignored[64] = "", blocked[64] = "";
    sigset_t mask;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    for (size_t i = 0; i < sizeof(useful) / sizeof(useful[0]); i++) {
        struct sigaction action;
        char *into = sigismember(&mask, useful[i].number) ? blocked : NULL;
        if (into == NULL && sigaction(useful[i].number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            into = ignored;
        if (into != NULL)
            snprintf(into + strlen(into), 64 - strlen(into), " %s", useful[i].name);
    }
    if (ignored[0] == '\0' && blocked[0] == '\0')
        doctor_add(list, DOCTOR_OK, "signals", NULL,
                   "none is ignored or blocked: PROFCORE_SIGNALS=TERM,INT saves at them, PROFCORE_DUMP_SIGNAL=USR2 makes a dump");
    else
        doctor_add(list, DOCTOR_WARN, "signals",
                   "a program that is started from here inherits that, and neither saves nor makes a dump at them: "
                   "look at nohup, shells' trap '' and what else starts it",
                   "%s%s%s%s%s", ignored[0] ? "ignored:" : "", ignored, ignored[0] && blocked[0] ? "; " : "",
                   blocked[0] ? "blocked:" : "", blocked);
}

static void check_crash(doctor_list *list)
{
    char pattern[256] = "unknown", size[32] = "not limited";
    struct rlimit core;
    doctor_read("/proc/sys/kernel/core_pattern", pattern, sizeof(pattern));
    if (getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur != RLIM_INFINITY)
        snprintf(size, sizeof(size), "%.0f MiB", (double)core.rlim_cur / mib);
    doctor_add(list, DOCTOR_OK, "crash", NULL,
               "PROFCORE_ON_CRASH=1 makes a dump; the core comes all the same: size %s (ulimit -c), to \"%.100s\"", size, pattern);
}

/* ---- files that are written while a program runs ---- */

static const char *results_folder(void)
{
    const char *results = getenv("PROFCORE_DIR");
    return results != NULL && results[0] != '\0' ? results : "profiling_results";
}

static void check_stream(doctor_list *list)
{
    char part[PATH_MAX];
    struct statvfs system;
    int error = folder_try(results_folder(), part);
    if (error == 0 && statvfs(part, &system) != 0)
        error = errno;
    if (error != 0)
        doctor_add(list, DOCTOR_NO, "stream", "the timeline is what the rings hold then; PROFCORE_DIR names another folder",
                   "PROFCORE_MODE=stream: %s takes no file: %s", results_folder(), strerror(error));
    else
        doctor_add(list, (double)system.f_bavail * (double)system.f_frsize < 1024 * mib ? DOCTOR_WARN : DOCTOR_OK, "stream",
                   "24 bytes an event: make room, or name another folder by PROFCORE_DIR", "PROFCORE_MODE=stream: %s, %.0f MiB free",
                   results_folder(), (double)system.f_bavail * (double)system.f_frsize / mib);
}

/* As crash-safe recording does at its start: reserves and maps.  0 or an errno value; *is_slow: reserved by writing it. */
static int try_to_reserve(int fd, uint64_t bytes, int *is_slow)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < bytes)
        return EFBIG; /* trying would be a signal */
    int error = fallocate(fd, 0, 0, (off_t)bytes) == 0 ? 0 : errno;
    *is_slow = error == EOPNOTSUPP;
    if (*is_slow)
        error = ftruncate(fd, (off_t)bytes) == 0 ? 0 : errno;
    void *space = error == 0 ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (error == 0 && space == MAP_FAILED)
        error = errno;
    if (space != MAP_FAILED)
        munmap(space, bytes);
    return error;
}

static void check_crash_safe(doctor_list *list)
{
    static const char remedy[] = "the program records in memory then, and is not crash-safe: make room, lower PROFCORE_MEMORY, or "
                                 "name a folder on another file system by PROFCORE_DIR";
    char part[PATH_MAX], file[PATH_MAX];
    prof_stats stats = PROF_STATS_INIT;
    prof_stats_get(&stats, NULL);
    uint64_t bytes = stats.memory_limit_bytes != 0 ? stats.memory_limit_bytes : (uint64_t)64 << 20;
    int error = folder_try(results_folder(), part), is_slow = 0;
    int fd = error == 0 && snprintf(file, sizeof(file), "%s/.profcore-try-XXXXXX", part) < (int)sizeof(file) ? mkstemp(file) : -1;
    if (fd >= 0) {
        unlink(file);
        error = try_to_reserve(fd, bytes, &is_slow);
        close(fd);
    } else if (error == 0) {
        error = errno;
    }
    if (error != 0)
        doctor_add(list, DOCTOR_NO, "crash-safe", remedy, "PROFCORE_CRASH_SAFE=1: %s takes no file of %.0f MiB: %s", results_folder(),
                   (double)bytes / mib, strerror(error));
    else
        doctor_add(list, is_slow ? DOCTOR_WARN : DOCTOR_OK, "crash-safe", "its start takes as long as writing so much takes",
                   "PROFCORE_CRASH_SAFE=1: %s takes a file of %.0f MiB%s", results_folder(), (double)bytes / mib,
                   is_slow ? ", which this file system reserves only by writing it" : ", reserved and mapped at once");
}

/* ---- the control socket ---- */

/* Listens where a program would, under a name that no program has.  0 or an errno value. */
static int try_to_listen(const char *folder)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof(address.sun_path), "%.80s/doctor-%ld", folder, (long)getpid());
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), error = fd < 0 ? errno : 0;
    if (error == 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
        error = errno;
    else if (error == 0) {
        error = listen(fd, 1) == 0 ? 0 : errno;
        unlink(address.sun_path);
    }
    if (fd >= 0)
        close(fd);
    return error;
}

static void check_control(doctor_list *list)
{
    static const char remedy[] = "PROFCORE_CONTROL takes a path, in a folder that only you may enter; or set XDG_RUNTIME_DIR";
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char folder[96];
    struct stat status;
    if (runtime != NULL && runtime[0] == '/' && strlen(runtime) < 64)
        snprintf(folder, sizeof(folder), "%s/profcore", runtime);
    else
        snprintf(folder, sizeof(folder), "/tmp/profcore-%ld", (long)geteuid());
    int is_made = mkdir(folder, 0700) == 0;
    int error = is_made || errno == EEXIST ? 0 : errno;
    if (error == 0 && lstat(folder, &status) != 0)
        error = errno;
    int is_private = error == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() && (status.st_mode & 077) == 0;
    if (is_private)
        error = try_to_listen(folder);
    if (is_made)
        rmdir(folder);
    if (error != 0)
        doctor_add(list, DOCTOR_NO, "control socket", remedy, "PROFCORE_CONTROL=1: %s: %s", folder, strerror(error));
    else if (!is_private)
        doctor_add(list, DOCTOR_NO, "control socket", remedy, "PROFCORE_CONTROL=1: %s is not a folder that only user %ld may enter",
                   folder, (long)geteuid());
    else
        doctor_add(list, DOCTOR_OK, "control socket", NULL, "PROFCORE_CONTROL=1 listens in %s, for profcore top, stacks and dump",
                   folder);
}

void doctor_check_triggers(doctor_list *list)
{
    check_signals(list);
    check_crash(list);
    check_stream(list);
    check_crash_safe(list);
    check_control(list);
}
