/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What held the whole process back: throttling by the CPU limit of its
 * control group, and the time in which something waited for a CPU, for
 * memory or for a disk (pressure).
 *
 * The figures are of the group, or, for pressure where the group has none,
 * of the machine; each row says whose.  Scopes in parallel each see them.
 * The files are found once; a process that is moved to another group later
 * goes on reading the first one's.
 */
#include "probes.h"

#include "../base/kept_file.h"
#include "../base/probe_table.h"
#include "../base/system.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THROTTLED, THROTTLES, PRESSURE_CPU, PRESSURE_MEMORY, PRESSURE_IO, ROWS, PRESSURES = 3, PATH_BYTES = 4352 };

static profi_probe rows[ROWS] = {
    [THROTTLED] = { .name = "cgroup.throttled", .unit = "ns", .of = "cgroup", .site_flags = PROF_SITE_CGROUP },
    [THROTTLES] = { .name = "cgroup.throttles", .unit = "periods", .of = "cgroup", .site_flags = PROF_SITE_CGROUP },
    [PRESSURE_CPU] = { .name = "pressure.cpu", .unit = "ns", .of = "machine", .site_flags = PROF_SITE_CGROUP },
    [PRESSURE_MEMORY] = { .name = "pressure.memory", .unit = "ns", .of = "machine", .site_flags = PROF_SITE_CGROUP },
    [PRESSURE_IO] = { .name = "pressure.io", .unit = "ns", .of = "machine", .site_flags = PROF_SITE_CGROUP },
};

typedef struct counted_file {
    profi_kept_file file;
    char path[PATH_BYTES]; /* empty: there is none */
} counted_file;

static counted_file stat_file = { .file = PROFI_KEPT_FILE_INIT };
static counted_file pressure_files[PRESSURES] = { { .file = PROFI_KEPT_FILE_INIT }, { .file = PROFI_KEPT_FILE_INIT },
                                                  { .file = PROFI_KEPT_FILE_INIT } };

/* The number behind a word at the start of a line or after a blank; 0 when it is missing. */
static int number_after(const char *text, const char *word, uint64_t *value)
{
    size_t bytes = strlen(word);
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word))
        if (at == text || at[-1] == '\n' || at[-1] == ' ') {
            *value = strtoull(at + bytes, NULL, 10);
            return at[bytes] >= '0' && at[bytes] <= '9';
        }
    return 0;
}

/* ---- where the files are ---- */

/* The path behind "N:controllers:" that names this controller; "" is version 2's. */
static int group_of(const char *groups, const char *controller, char path[4096])
{
    for (const char *line = groups; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *names = line + strcspn(line, ":\n");
        names += *names == ':';
        size_t bytes = strcspn(names, ":\n");
        if (names[bytes] != ':')
            continue;
        char list[256];
        snprintf(list, sizeof(list), ",%.*s,", (int)bytes, names);
        char wanted[64];
        snprintf(wanted, sizeof(wanted), ",%s,", controller);
        if (strstr(list, wanted) == NULL)
            continue;
        const char *start = names + bytes + 1;
        snprintf(path, 4096, "%.*s", (int)strcspn(start, "\n"), start);
        return 1;
    }
    return 0;
}

/* The file in the group's folder, or the nearest group around it that has one with `word` in it; 0 when none has. */
static int find_file(counted_file *file, const char *mount, const char *group, const char *name, const char *word)
{
    static char at[4096], text[2048]; /* see find_files() */
    snprintf(at, sizeof(at), "%s", group);
    for (;;) {
        size_t bytes = strlen(at);
        while (bytes > 0 && at[bytes - 1] == '/')
            at[--bytes] = '\0';
        snprintf(file->path, sizeof(file->path), "%s%s/%s", mount, at, name);
        if (profi_read_text(file->path, text, sizeof(text)) && strstr(text, word) != NULL)
            return 1;
        char *slash = strrchr(at, '/');
        if (slash == NULL)
            break;
        *slash = '\0'; /* also inside a container that sees its group's name, but not the groups around it */
    }
    file->path[0] = '\0';
    return 0;
}

/* The same below the first of two places where systems mount it. */
static int find_below(counted_file *file, const char *const mounts[2], const char *group, const char *name, const char *word)
{
    return find_file(file, mounts[0], group, name, word) || find_file(file, mounts[1], group, name, word);
}

/* A group's own pressure, else the machine's. */
static void find_pressure(unsigned row, const char *const mounts[2], const char *group, const char *resource)
{
    char name[32];
    counted_file *file = &pressure_files[row - PRESSURE_CPU];
    snprintf(name, sizeof(name), "%s.pressure", resource);
    if (group != NULL && find_below(file, mounts, group, name, "total="))
        PROFI_PUT(rows[row].of, "cgroup");
    else
        snprintf(file->path, sizeof(file->path), "/proc/pressure/%s", resource);
}

static void find_files(void)
{
    static const char *const v2[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
    static const char *const v1[] = { "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct" };
    static char groups[8192], group[4096]; /* this runs once, on a recording thread, whose stack may be small */
    profi_read_text("/proc/self/cgroup", groups, sizeof(groups));
    int is_v2 = group_of(groups, "", group);
    int is_found = is_v2 && find_below(&stat_file, v2, group, "cpu.stat", "nr_throttled ");
    find_pressure(PRESSURE_CPU, v2, is_v2 ? group : NULL, "cpu");
    find_pressure(PRESSURE_MEMORY, v2, is_v2 ? group : NULL, "memory");
    find_pressure(PRESSURE_IO, v2, is_v2 ? group : NULL, "io");
    if (!is_found && group_of(groups, "cpu", group))
        find_below(&stat_file, v1, group, "cpu.stat", "nr_throttled ");
}

/* ---- reading ---- */

static int read_file(counted_file *file, char *text, size_t room)
{
    return file->path[0] != '\0' && profi_kept_file_read(&file->file, file->path, text, room);
}

/* Version 2 counts in microseconds, version 1 in nanoseconds. */
static int parse_throttling(const char *text, uint64_t *throttled_ns, uint64_t *throttles)
{
    if (!number_after(text, "nr_throttled ", throttles))
        return 0;
    if (number_after(text, "throttled_time ", throttled_ns))
        return 1;
    int is_found = number_after(text, "throttled_usec ", throttled_ns);
    *throttled_ns *= 1000;
    return is_found;
}

static uint64_t read_throttling(profi_reading *readings)
{
    char text[2048];
    if (read_file(&stat_file, text, sizeof(text)) &&
        parse_throttling(text, &readings[THROTTLED].value, &readings[THROTTLES].value))
        return 1u << THROTTLED | 1u << THROTTLES;
    PROFI_PUT(rows[THROTTLED].reason, "no control group with a CPU limit was found");
    PROFI_PUT(rows[THROTTLES].reason, "no control group with a CPU limit was found");
    return 0;
}

static uint64_t read_cgroup(uint64_t wanted, profi_reading *readings)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char text[512];
    uint64_t read = 0;
    pthread_once(&once, find_files);
    for (unsigned i = 0; i < ROWS; i++)
        readings[i].high_water = 0;
    if (wanted & (1u << THROTTLED | 1u << THROTTLES))
        read |= read_throttling(readings);
    for (unsigned i = PRESSURE_CPU; i < ROWS; i++) {
        /* The first line is that of "some": at least one task waited. */
        if (read_file(&pressure_files[i - PRESSURE_CPU], text, sizeof(text)) &&
            number_after(text, "total=", &readings[i].value)) {
            readings[i].value *= 1000;
            read |= 1u << i;
        } else {
            PROFI_PUT(rows[i].reason, "this kernel keeps no pressure figures");
        }
    }
    return read;
}

void profi_cgroup_install(void)
{
    profi_probe_source_add(rows, ROWS, read_cgroup);
}
