/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resident memory of the process and its high-water mark, in about a
 * microsecond.
 *
 * The value comes from /proc/self/statm on a descriptor that is kept, since
 * to open it costs far more than to read it.  Before each use the descriptor
 * is checked to be the file that was opened, by this process: a host may
 * close it and reuse the number, and a forked child would read its parent's.
 *
 * The mark comes from getrusage(), which has one trap: it is carried over
 * exec(), so a program started by a larger one would show its parent's.
 * Whether that happened is seen once, by comparing with VmHWM; such a
 * process reads both figures from /proc/self/status.
 */
#include "rss.h"

#include "../base/probe_table.h"
#include "../base/system.h"
#include <profcore/prof.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int mark_is_inherited = 1; /* until profi_rss_install() knows better */

/* The kibibytes of a line such as "VmRSS:     1234 kB", in bytes; 0 when it is missing. */
static uint64_t field_bytes(const char *status, const char *field)
{
    const char *line = strstr(status, field);
    return line != NULL ? strtoull(line + strlen(field), NULL, 10) * 1024 : 0;
}

static uint64_t resource_mark(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0;
}

static int read_status(profi_reading *reading)
{
    char status[4096];
    if (!profi_read_text("/proc/self/status", status, sizeof(status)))
        return 0;
    reading->value = field_bytes(status, "\nVmRSS:");
    reading->high_water = field_bytes(status, "\nVmHWM:");
    return reading->value != 0;
}

/* The descriptor of /proc/self/statm, and how to tell that it still is that.  Changed under `kept_lock` only. */
static struct {
    int fd;
    pid_t owner;
    uint64_t device, inode;
} kept = { .fd = -1 };
static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;

static int is_kept_file(int fd)
{
    struct stat status;
    return fd >= 0 && fstat(fd, &status) == 0 && status.st_dev == PROFI_GET(kept.device) &&
           status.st_ino == PROFI_GET(kept.inode);
}

static void reopen(void)
{
    struct stat status;
    int old = kept.fd, fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (is_kept_file(old)) /* inherited over a fork: ours to close */
        close(old);
    if (fd >= 0 && fstat(fd, &status) == 0) {
        PROFI_PUT(kept.device, (uint64_t)status.st_dev);
        PROFI_PUT(kept.inode, (uint64_t)status.st_ino);
        PROFI_PUT(kept.owner, getpid());
    }
    PROFI_PUT(kept.fd, fd);
}

/* The descriptor to read, or -1.  A lock that a fork left held only makes each reading open the file. */
static int statm_fd(void)
{
    int fd = PROFI_GET(kept.fd);
    if (PROFI_LIKELY(PROFI_GET(kept.owner) == getpid() && is_kept_file(fd)))
        return fd;
    if (pthread_mutex_trylock(&kept_lock) != 0)
        return -1;
    if (kept.owner != getpid() || !is_kept_file(kept.fd))
        reopen();
    fd = kept.fd;
    pthread_mutex_unlock(&kept_lock);
    return fd;
}

static int read_statm(profi_reading *reading)
{
    char statm[128];
    int fd = statm_fd();
    ssize_t bytes = fd >= 0 ? pread(fd, statm, sizeof(statm) - 1, 0) : -1;
    if (bytes > 0)
        statm[bytes] = '\0';
    else if (!profi_read_text("/proc/self/statm", statm, sizeof(statm)))
        return 0;
    const char *resident = strchr(statm, ' '); /* the second number, in pages */
    if (resident == NULL)
        return 0;
    reading->value = strtoull(resident, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
    reading->high_water = resource_mark();
    return reading->value != 0;
}

static int read_rss(profi_reading *reading)
{
    int saved = errno;
    int is_read = PROFI_GET(mark_is_inherited) ? read_status(reading) : read_statm(reading);
    errno = saved;
    return is_read;
}

void profi_rss_install(void)
{
    profi_reading reading = { 0, 0 };
    int saved = errno;
    if (read_status(&reading) && reading.high_water != 0 && resource_mark() <= reading.high_water)
        PROFI_PUT(mark_is_inherited, 0);
    errno = saved;
    profi_probe_table[PROFI_PROBE_RSS] = (profi_probe){ .site_flag = PROF_SITE_RSS, .read = read_rss };
}
