/* SPDX-License-Identifier: Apache-2.0 */
/* See text_units.h. */
#include "text_units.h"

#include <inttypes.h>
#include <stdio.h>

void profi_format_ns(char text[24], uint64_t ns)
{
    if (ns < 1000)
        snprintf(text, 24, "%" PRIu64 " ns", ns);
    else if (ns < 1000000)
        snprintf(text, 24, "%.2f us", (double)ns / 1e3);
    else if (ns < 1000000000)
        snprintf(text, 24, "%.2f ms", (double)ns / 1e6);
    else
        snprintf(text, 24, "%.2f s", (double)ns / 1e9);
}

void profi_format_bytes(char text[24], double bytes, const char *sign)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    const double most_digits = 1e12; /* a file may have any */
    unsigned unit = 0;
    for (; bytes >= 1024.0 && unit + 1 < PROFI_COUNT_OF(units); unit++)
        bytes /= 1024.0;
    snprintf(text, 24, unit == 0 ? "%s%.0f %s" : bytes < most_digits ? "%s%.1f %s" : "%s%.3g %s", sign, bytes, units[unit]);
}
