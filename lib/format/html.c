/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page for a browser, `.html`: one file that fetches nothing.
 *
 * The page is the same for every profile (page/); what differs stands in one
 * block of JSON that no browser runs, and that no text can leave: it is ASCII,
 * without <, > and &.  It holds the summary (summary_json.c), to which the
 * percentiles are added, so that no rule for them stands in two places:
 *
 *     {"version", "summary": {...}, "percentiles": [[p50, p90, p99, p99.9], ...],
 *      "span_percentiles": likewise, "slowest": {...} or null}
 *
 * with a row for each function and each span, in nanoseconds; null where there
 * are too few calls or none that are known.  The slowest request is in it where
 * the events of the run were at hand (html_slowest.c).
 */
#include "html.h"

#include "summary_json.h"
#include "writer.h"

#include "../base/error.h"

#include <inttypes.h>
#include <stdlib.h>

static void put_lines(profi_output *out, const char *const *line)
{
    for (; *line != NULL; line++)
        profi_output_text(out, *line);
}

/* What could end or open an element occurs in texts only, where JSON has another form for it. */
static int put_escaped(void *to, const void *data, size_t bytes)
{
    profi_output *out = to;
    const char *at = data, *end = at + bytes, *plain = at;
    for (; at < end; at++) {
        if (*at != '<' && *at != '>' && *at != '&')
            continue;
        profi_output_bytes(out, plain, (size_t)(at - plain));
        profi_output_printf(out, "\\u%04x", (unsigned)*at);
        plain = at + 1;
    }
    profi_output_bytes(out, plain, (size_t)(end - plain));
    return out->error;
}

static void put_percentiles(profi_output *out, const profi_function *function)
{
    static const double shares[] = { 0.5, 0.9, 0.99, 0.999 };
    for (size_t i = 0; i < PROFI_COUNT_OF(shares); i++) {
        uint64_t ns = 0;
        profi_output_text(out, i == 0 ? "[" : ",");
        if (profi_function_percentile(function, shares[i], &ns, NULL) != PROF_OK)
            profi_output_text(out, "null");
        else if (ns <= (uint64_t)1 << 53)
            profi_output_printf(out, "%" PRIu64, ns);
        else
            profi_output_printf(out, "\"%" PRIu64 "\"", ns);
    }
    profi_output_text(out, "]");
}

static void put_all_percentiles(profi_output *out, const char *key, const profi_function *rows, uint32_t count)
{
    profi_output_printf(out, ",\n\"%s\": [", key);
    for (uint32_t i = 0; i < count; i++) {
        profi_output_text(out, i == 0 ? "\n " : ",\n ");
        put_percentiles(out, &rows[i]);
    }
    profi_output_text(out, "]");
}

static prof_status put_data(const prof_snapshot *snapshot, profi_output *out, prof_error *err)
{
    profi_output_printf(out, "{\"version\": \"%u.%u.%u\",\n\"summary\": ", PROF_VERSION >> 16, PROF_VERSION >> 8 & 0xff,
                        PROF_VERSION & 0xff);
    prof_status status = profi_put_summary(snapshot, 1, out, err);
    put_all_percentiles(out, "percentiles", snapshot->functions, snapshot->function_count);
    put_all_percentiles(out, "span_percentiles", snapshot->spans, snapshot->span_count);
    profi_output_text(out, ",\n\"slowest\": ");
    if (snapshot->slowest == NULL)
        profi_output_text(out, "null");
    else if (!profi_put_slowest(snapshot->slowest, out) && status == PROF_OK)
        status = profi_fail(err, PROF_E_NO_MEMORY, "no memory for a page");
    profi_output_text(out, "}");
    return status;
}

prof_status profi_write_html(const prof_snapshot *snapshot, const char *sort, profi_output *out, prof_error *err)
{
    profi_output *escaped = malloc(sizeof(*escaped));
    (void)sort; /* the reader's choice */
    if (escaped == NULL)
        return profi_fail(err, PROF_E_NO_MEMORY, "no memory for a page");
    put_lines(out, profi_page_head);
    profi_output_init(escaped, put_escaped, out);
    prof_status status = put_data(snapshot, escaped, err);
    int error = profi_output_finish(escaped);
    free(escaped);
    if (status == PROF_OK && error != 0 && out->error == 0)
        status = profi_fail_errno(err, error, "cannot write the data of a page");
    put_lines(out, profi_page_tail);
    return status;
}
