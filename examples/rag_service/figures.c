/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as people read them: see figures.h. */
#include "figures.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *figure_count(figure *into, uint64_t count)
{
    char digits[24];
    const size_t length = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, count);
    size_t put = 0;
    for (size_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            into->text[put++] = ',';
        into->text[put++] = digits[i];
    }
    into->text[put] = '\0';
    return into->text;
}

static const char *with_unit(figure *into, double value, const char *unit)
{
    const int decimals = value < 10.0 ? 2 : value < 100.0 ? 1 : 0;
    snprintf(into->text, sizeof into->text, "%.*f %s", decimals, value, unit);
    return into->text;
}

const char *figure_time(figure *into, uint64_t ns)
{
    const double value = (double)ns;
    if (ns >= UINT64_C(1000000000))
        return with_unit(into, value / 1e9, "s");
    return ns >= 1000000 ? with_unit(into, value / 1e6, "ms") : with_unit(into, value / 1e3, "us");
}

const char *figure_bytes(figure *into, int64_t bytes)
{
    const double mib = (double)bytes / 1048576.0;
    snprintf(into->text, sizeof into->text, mib > -10.0 && mib < 10.0 ? "%.1f MiB" : "%.0f MiB", mib);
    return into->text;
}

const char *figure_share(figure *into, uint64_t part, uint64_t whole)
{
    const double share = whole > 0 ? 100.0 * (double)part / (double)whole : 0.0;
    const int is_fine = share < 10.0 || (share > 99.0 && part < whole);
    snprintf(into->text, sizeof into->text, "%.*f %%", is_fine ? 1 : 0, share);
    return into->text;
}

const char *figure_rate(figure *into, uint64_t items, uint64_t ns)
{
    if (ns == 0)
        return strcpy(into->text, "-");
    const double rate = 1e9 * (double)items / (double)ns;
    if (rate >= 1000.0)
        return figure_count(into, (uint64_t)(rate + 0.5));
    snprintf(into->text, sizeof into->text, "%.1f", rate);
    return into->text;
}

const char *figure_times(figure *into, double factor)
{
    snprintf(into->text, sizeof into->text, factor < 10.0 ? "%.1f ×" : "%.0f ×", factor);
    return into->text;
}
