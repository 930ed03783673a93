/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that does what it is told, for hostile_check.py: reads commands,
 * one a line, and answers each with one line.
 *
 *     start            prof_start()           write FORMAT PATH  a snapshot to a file
 *     work             some scopes            sites COUNT        that many names, of 60 bytes
 *     save, stop       with their status      name HEX           a scope of that name that saves
 *     fill PATH        until the disk is full  remove PATH
 *     limit BYTES      of a file, -1: none    deny NUMBER…       system calls that give EPERM from here on
 */
#include <profcore/snapshot.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static prof_error err;

static void work(void)
{
    PROF_FUNCTION_SAVE();
    for (int i = 0; i < 30; i++)
        PROF_SCOPE("step") { }
}

static prof_status use_name(const char *hex)
{
    static char name[1 << 17];
    size_t bytes = 0;
    unsigned byte;
    prof_site *site;
    for (; sscanf(hex + 2 * bytes, "%2x", &byte) == 1 && bytes < sizeof(name); bytes++)
        name[bytes] = (char)byte;
    prof_status status = prof_site_get(name, bytes, NULL, 0, PROF_SITE_SAVE, &site, &err);
    if (status == PROF_OK)
        prof_end(prof_begin(site));
    return status;
}

static prof_status make_sites(int count)
{
    for (int i = 0; i < count; i++) {
        char name[80];
        prof_site *site;
        snprintf(name, sizeof(name), "a name that is long enough to fill a small disk soon %08d", i);
        prof_status status = prof_site_get(name, SIZE_MAX, NULL, 0, 0, &site, &err);
        if (status != PROF_OK)
            return status;
        prof_end(prof_begin(site));
    }
    return PROF_OK;
}

static prof_status write_file(const char *arguments)
{
    char format[16], path[4096];
    prof_snapshot *snapshot;
    if (sscanf(arguments, "%15s %4095s", format, path) != 2)
        return PROF_E_INVALID;
    prof_status status = prof_snapshot_take(&snapshot, &err);
    if (status != PROF_OK)
        return status;
    status = prof_snapshot_write_file(snapshot, format, path, &err);
    prof_snapshot_close(snapshot);
    return status;
}

static prof_status fill(const char *path)
{
    static char block[4096];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    while (fd >= 0 && (write(fd, block, sizeof(block)) > 0 || write(fd, block, 1) > 0))
        ;
    return fd >= 0 && close(fd) == 0 ? PROF_OK : PROF_E_IO;
}

static prof_status limit(const char *bytes)
{
    struct rlimit old, now;
    getrlimit(RLIMIT_FSIZE, &old);
    now = (struct rlimit){ bytes[0] == '-' ? old.rlim_max : strtoull(bytes, NULL, 10), old.rlim_max };
    return setrlimit(RLIMIT_FSIZE, &now) == 0 ? PROF_OK : PROF_E_IO;
}

static prof_status deny(const char *numbers)
{
    struct sock_filter filter[64] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)) };
    unsigned short used = 1;
    char *end;
    for (long number = strtol(numbers, &end, 10); end != numbers && used < 60; number = strtol(numbers, &end, 10)) {
        filter[used++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1);
        filter[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
        numbers = end;
    }
    filter[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = { used, filter };
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0
               ? PROF_OK : PROF_E_UNSUPPORTED;
}

static prof_status obey(const char *command, const char *rest)
{
    if (strcmp(command, "start") == 0)
        return prof_start(NULL, &err);
    if (strcmp(command, "save") == 0)
        return prof_save(&err);
    if (strcmp(command, "stop") == 0)
        return prof_stop(&err);
    if (strcmp(command, "name") == 0)
        return use_name(rest);
    if (strcmp(command, "sites") == 0)
        return make_sites(atoi(rest));
    if (strcmp(command, "write") == 0)
        return write_file(rest);
    if (strcmp(command, "fill") == 0)
        return fill(rest);
    if (strcmp(command, "remove") == 0)
        return unlink(rest) == 0 ? PROF_OK : PROF_E_IO;
    if (strcmp(command, "limit") == 0)
        return limit(rest);
    if (strcmp(command, "deny") == 0)
        return deny(rest);
    if (strcmp(command, "work") != 0)
        return PROF_E_INVALID;
    work();
    return PROF_OK;
}

int main(void)
{
    static char line[1 << 18];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *rest = line + strcspn(line, " ");
        if (*rest != '\0')
            *rest++ = '\0';
        err = (prof_error)PROF_ERROR_INIT;
        prof_status status = obey(line, rest);
        printf("%s %s\n", prof_status_name(status), err.message);
        fflush(stdout);
    }
    return 0;
}
