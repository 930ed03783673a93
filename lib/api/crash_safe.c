/* SPDX-License-Identifier: Apache-2.0 */
/* The life of the file of crash-safe mode: see crash_safe.h. */
#include "crash_safe.h"

#include "../base/error.h"
#include "../base/publish.h"
#include "../base/text.h"
#include "../record/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char path[4096 + 256]; /* "": there is none */
static dev_t device;
static ino_t inode;

/* A name that nobody has, <name>_<unix seconds>.crash, or with -2, -3, …; -1 and errno where the folder refuses. */
static int make_file(int folder, const char *run_name, char name[192])
{
    enum { MOST = 10000 };
    char stem[101];
    long long now = (long long)time(NULL);
    profi_text_to_stem(stem, run_name);
    for (int number = 1; number <= MOST; number++) {
        char suffix[16] = "";
        if (number > 1)
            snprintf(suffix, sizeof(suffix), "-%d", number);
        snprintf(name, 192, "%s_%lld%s.crash", stem, now, suffix);
        int fd = openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

/* Where it is, whatever the process's folder will be; and which file. */
static int remember(int fd, const char *directory, const char *name)
{
    struct stat about;
    char *real = realpath(directory, NULL);
    int ok = real != NULL && fstat(fd, &about) == 0 &&
             (size_t)snprintf(path, sizeof(path), "%s/%s", real, name) < sizeof(path);
    free(real);
    if (!ok) {
        path[0] = '\0';
        return 0;
    }
    device = about.st_dev;
    inode = about.st_ino;
    return 1;
}

static prof_status open_in(int folder, const profi_config *config, prof_error *err)
{
    char name[192];
    int fd = make_file(folder, config->name, name);
    if (fd < 0)
        return profi_fail_errno(err, errno, "cannot make a file in \"%.300s\"", config->directory);
    prof_status status = remember(fd, config->directory, name)
                             ? profi_record_open_file(fd, config->memory_bytes, config->clock, config->name, err)
                             : profi_fail_errno(err, errno, "cannot find \"%.300s\"", config->directory);
    if (status != PROF_OK) {
        unlinkat(folder, name, 0);
        path[0] = '\0';
    }
    close(fd);
    return status;
}

void profi_crash_safe_open(const profi_config *config)
{
    prof_error why = PROF_ERROR_INIT;
    int folder;
    prof_status status = profi_folder_open(config->directory, &folder, &why);
    if (status == PROF_OK) {
        status = open_in(folder, config, &why);
        profi_folder_close(folder);
    }
    if (status != PROF_OK)
        profi_notice("PROFCORE_CRASH_SAFE: not crash-safe: %s", why.message);
}

/* Whether the file is still there and ours. */
static int is_there(void)
{
    struct stat about;
    return path[0] != '\0' && fstatat(AT_FDCWD, path, &about, AT_SYMLINK_NOFOLLOW) == 0 && about.st_dev == device && about.st_ino == inode;
}

void profi_crash_safe_remove(void)
{
    if (is_there())
        unlinkat(AT_FDCWD, path, 0);
    path[0] = '\0';
}

void profi_crash_safe_keep(void)
{
    if (is_there())
        profi_notice("what was recorded is in %.3000s: profcore recover reads it", path);
    path[0] = '\0';
}

void profi_crash_safe_forget(void)
{
    path[0] = '\0';
}
