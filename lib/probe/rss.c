/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resident memory of the process: VmRSS and its high-water mark VmHWM, both
 * from one read of /proc/self/status.
 *
 * The file is opened anew each time, which costs about as much as the read:
 * a descriptor that is kept would, in a forked child, go on showing the
 * parent, and a host that closes descriptors could give its number away.
 */
#include "rss.h"

#include "../base/probe_table.h"
#include <profcore/prof.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The kibibytes of a line such as "VmRSS:     1234 kB", in bytes; 0 when it is missing. */
static uint64_t field_bytes(const char *status, const char *field)
{
    const char *line = strstr(status, field);
    return line != NULL ? strtoull(line + strlen(field), NULL, 10) * 1024 : 0;
}

static int read_rss(profi_reading *reading)
{
    char status[4096];
    int saved = errno, fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd >= 0 ? read(fd, status, sizeof(status) - 1) : -1;
    if (fd >= 0)
        close(fd);
    errno = saved;
    if (bytes <= 0)
        return 0;
    status[bytes] = '\0';
    reading->value = field_bytes(status, "\nVmRSS:");
    reading->high_water = field_bytes(status, "\nVmHWM:");
    return reading->value != 0;
}

void profi_rss_install(void)
{
    profi_probe_table[PROFI_PROBE_RSS] = (profi_probe){ .site_flag = PROF_SITE_RSS, .read = read_rss };
}
