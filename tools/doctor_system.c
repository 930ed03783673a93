/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor on the system: memory and limits, what /proc lets be read, where files can go. */
#include "doctor.h"

#include "folder.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

static const double mib = 1048576.0;

/* ---- memory and limits ---- */

static void check_machine(doctor_list *list)
{
    struct utsname name;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (uname(&name) != 0)
        return;
    int is_supported = strcmp(name.machine, "x86_64") == 0 || strcmp(name.machine, "aarch64") == 0;
    doctor_add(list, is_supported ? DOCTOR_OK : DOCTOR_WARN, "machine",
               "x86-64 and arm64 are supported; elsewhere each scope reads the system's clock", "%s %s, %s, %ld processor%s",
               name.sysname, name.release, name.machine, processors, processors == 1 ? "" : "s");
}

/* The limit of this process's cgroup, of version 2 or 1; 0 when there is none. */
static int cgroup_file(const char *v2, const char *v1, char *path, size_t room)
{
    char groups[4096];
    if (!doctor_read("/proc/self/cgroup", groups, sizeof(groups)))
        return 0;
    const char *unified = strncmp(groups, "0::", 3) == 0 ? groups + 3 : strstr(groups, "\n0::");
    if (unified != NULL) {
        unified += unified[0] == '\n' ? 4 : 0;
        snprintf(path, room, "/sys/fs/cgroup%.*s/%s", (int)strcspn(unified, "\n"), unified, v2);
        if (access(path, R_OK) == 0)
            return 1;
        snprintf(path, room, "/sys/fs/cgroup/%s", v2); /* inside a container */
        if (access(path, R_OK) == 0)
            return 1;
    }
    snprintf(path, room, "/sys/fs/cgroup/%s", v1);
    return access(path, R_OK) == 0;
}

static void check_memory(doctor_list *list)
{
    char overcommit[16] = "unknown", path[PATH_MAX], limit[64];
    struct rlimit space;
    doctor_read("/proc/sys/vm/overcommit_memory", overcommit, sizeof(overcommit));
    if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY)
        doctor_add(list, DOCTOR_WARN, "address space", "the cap (PROFCORE_MEMORY) must fit in it beside the program",
                   "limited to %.0f MiB (ulimit -v); vm.overcommit_memory is %s", (double)space.rlim_cur / mib, overcommit);
    else
        doctor_add(list, DOCTOR_OK, "address space", NULL, "not limited; vm.overcommit_memory is %s", overcommit);
    if (!cgroup_file("memory.max", "memory/memory.limit_in_bytes", path, sizeof(path)) ||
        !doctor_read(path, limit, sizeof(limit)))
        doctor_add(list, DOCTOR_OK, "memory limit", NULL, "no cgroup limits this process's memory, as far as can be read");
    else if (strtod(limit, NULL) > 1e18 || limit[0] == 'm')
        doctor_add(list, DOCTOR_OK, "memory limit", NULL, "none in %s", path);
    else
        doctor_add(list, strtod(limit, NULL) < 128 * mib ? DOCTOR_WARN : DOCTOR_OK, "memory limit",
                   "lower PROFCORE_MEMORY (64MiB by default), which counts against it as it is used", "%.0f MiB in %s",
                   strtod(limit, NULL) / mib, path);
}

static void check_limit(doctor_list *list, int resource, const char *name, rlim_t small, double unit, const char *unit_name,
                        const char *remedy)
{
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)resource, &limit) != 0)
        return;
    if (limit.rlim_cur == RLIM_INFINITY)
        doctor_add(list, DOCTOR_OK, name, NULL, "not limited");
    else
        doctor_add(list, limit.rlim_cur < small ? DOCTOR_WARN : DOCTOR_OK, name, remedy, "%.0f%s",
                   (double)limit.rlim_cur / unit, unit_name);
}

/* ---- what can be read ---- */

static void check_file(doctor_list *list, const char *name, const char *path, const char *what, const char *remedy)
{
    char text[256];
    errno = 0;
    if (doctor_read(path, text, sizeof(text)))
        doctor_add(list, DOCTOR_OK, name, NULL, "%s: %s", path, what);
    else
        doctor_add(list, DOCTOR_NO, name, remedy, "%s: %s; %s: unavailable", path, errno ? strerror(errno) : "empty", what);
}

static void check_files(doctor_list *list)
{
    char path[PATH_MAX];
    check_file(list, "resident memory", "/proc/self/statm", "memory of scopes", "mount /proc");
    check_file(list, "memory peak", "/proc/self/status", "highest resident memory", "mount /proc");
    check_file(list, "run queue", "/proc/self/schedstat", "time spent waiting for a processor",
               "the kernel needs CONFIG_SCHED_INFO");
    check_file(list, "pressure", "/proc/pressure/cpu", "stalls of the whole machine",
               "the kernel needs CONFIG_PSI, and psi=1 where it is off at boot");
    if (cgroup_file("cpu.stat", "cpu/cpu.stat", path, sizeof(path)))
        doctor_add(list, DOCTOR_OK, "throttling", NULL, "%s: whether the cgroup's processors were taken away", path);
    else
        doctor_add(list, DOCTOR_NO, "throttling", "mount the cgroup file system, or run where there is one",
                   "no cgroup's cpu.stat can be read: throttling is unavailable");
}

static void check_perf(doctor_list *list)
{
    char text[16];
    if (!doctor_read("/proc/sys/kernel/perf_event_paranoid", text, sizeof(text)))
        doctor_add(list, DOCTOR_NO, "perf events", "profcore does not need them; perf beside it does",
                   "the kernel has none");
    else
        doctor_add(list, atoi(text) <= 2 || geteuid() == 0 ? DOCTOR_OK : DOCTOR_WARN, "perf events",
                   "profcore does not need them; for perf beside it: sysctl kernel.perf_event_paranoid=1",
                   "kernel.perf_event_paranoid is %s", text);
}

/* ---- where files can go ---- */

static const char *file_system_name(unsigned long type, char text[32])
{
    static const struct { unsigned long type; const char *name; } known[] = {
        { 0xef53, "ext4" }, { 0x58465342, "xfs" }, { 0x9123683e, "btrfs" }, { 0x01021994, "tmpfs" }, { 0x794c7630, "overlay" },
        { 0x6969, "nfs" }, { 0xff534d42, "cifs" }, { 0xfe534d42, "smb2" }, { 0x65735546, "fuse" }, { 0x01021997, "9p" },
        { 0x2fc12fc1, "zfs" }, { 0x858458f6, "ramfs" }, { 0x0bd00bd0, "lustre" }, { 0x4d44, "vfat" }, { 0x9fa0, "proc" },
        { 0x6a656a63, "virtiofs" },
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (known[i].type == type)
            return known[i].name;
    snprintf(text, 32, "file system %lx", type);
    return text;
}

static void check_folder(doctor_list *list, const char *name, const char *path, const char *remedy, int is_essential)
{
    char part[PATH_MAX], unknown[32];
    struct statfs system;
    int error = folder_try(path, part), is_there = strcmp(part, path) == 0;
    if (error != 0 || statfs(part, &system) != 0) {
        error = error ? error : errno;
        if (is_essential)
            doctor_add_essential(list, DOCTOR_NO, name, remedy, "%s: %s", path, strerror(error));
        else
            doctor_add(list, DOCTOR_WARN, name, remedy, "%s: %s", path, strerror(error));
        return;
    }
    double free_mib = (double)system.f_bavail * (double)system.f_bsize / mib;
    doctor_add(list, free_mib < 16 ? DOCTOR_WARN : DOCTOR_OK, name, "make room, or name another folder", "%s: %s, %s, %.0f MiB free",
               path, is_there ? "writable" : "will be made", file_system_name((unsigned long)system.f_type, unknown), free_mib);
}

static void check_folders(doctor_list *list)
{
    const char *results = getenv("PROFCORE_DIR"), *temporary = getenv("TMPDIR");
    check_folder(list, "results", results != NULL && results[0] != '\0' ? results : "profiling_results",
                 "at exit the files go to a new folder under $TMPDIR; PROFCORE_DIR names another", 0);
    check_folder(list, "TMPDIR", temporary != NULL && temporary[0] != '\0' ? temporary : "/tmp",
                 "it takes the files where the folder of the results refuses: set TMPDIR to one that can be written", 0);
}

void doctor_check_system(doctor_list *list)
{
    check_machine(list);
    check_memory(list);
    check_limit(list, RLIMIT_FSIZE, "file size", 64u << 20, mib, " MiB (ulimit -f)", "a file that grows beyond it is not written");
    check_limit(list, RLIMIT_NOFILE, "open files", 64, 1.0, " (ulimit -n)", "saving needs a few descriptors");
    if (getauxval(AT_SECURE) != 0)
        doctor_add(list, DOCTOR_WARN, "set-user-id", "programs that run with other rights than their user's ignore them",
                   "this process runs so: PROFCORE_ variables are ignored");
    check_files(list);
    check_perf(list);
    check_folders(list);
}
