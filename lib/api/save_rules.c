/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the text of rules, of both kinds: see save_rules.h.  Pure functions. */
#include "save_rules.h"

#include "../base/error.h"

#include <string.h>

enum { NAME_MOST = 4095 };

/* What follows a name: signs that begin a condition, and what a number without a unit means. */
typedef struct grammar {
    const char *signs;
    uint64_t plain_unit_ns; /* 0: a unit must be there */
    const char *no_sign, *no_duration;
} grammar;

static const grammar saving = {
    .signs = ">/",
    .no_sign = "neither >DURATION, such as >50ms, nor /NUMBER, such as /1000, follows the name",
    .no_duration = "not a duration above 0 such as 50ms, 1.5s, 200us",
};
static const grammar slowness = {
    .signs = "=",
    .plain_unit_ns = 1000000,
    .no_sign = "no =LIMIT, such as =250, follows the name",
    .no_duration = "not a limit above 0 such as 250 (milliseconds), 1.5s, 200us",
};

typedef struct rule {
    const char *text, *name;
    size_t text_bytes, name_bytes;
    uint64_t slower_than_ns, every_nth;
} rule;

static prof_status refuse(const rule *r, const char *why, prof_error *err)
{
    return profi_fail(err, PROF_E_INVALID, "rule \"%.*s\": %s", (int)(r->text_bytes < 80 ? r->text_bytes : 80), r->text,
                      why);
}

/* Digits, and after a point up to nine more, times `unit`; 0 when there are none or the result has no room. */
static int read_scaled(const char *at, const char *end, uint64_t unit, uint64_t *value)
{
    uint64_t result = 0;
    const char *first = at;
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(result, 10u, &result) || __builtin_add_overflow(result, (uint64_t)(*at - '0'), &result))
            return 0;
    if (at == first || __builtin_mul_overflow(result, unit, &result))
        return 0;
    if (at < end && *at == '.' && unit > 1) {
        for (at++; at < end && *at >= '0' && *at <= '9'; at++) {
            unit /= 10;
            if (__builtin_add_overflow(result, (uint64_t)(*at - '0') * unit, &result))
                return 0;
        }
    }
    *value = result;
    return at == end && at[-1] != '.';
}

static int read_duration(const char *at, const char *end, uint64_t plain_unit_ns, uint64_t *ns)
{
    static const struct { const char *name; uint64_t ns; } units[] = {
        { "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 } };
    for (size_t i = 0; i < PROFI_COUNT_OF(units); i++) {
        size_t bytes = strlen(units[i].name);
        if ((size_t)(end - at) > bytes && memcmp(end - bytes, units[i].name, bytes) == 0)
            return read_scaled(at, end - bytes, units[i].ns, ns) && *ns != 0;
    }
    return plain_unit_ns != 0 && read_scaled(at, end, plain_unit_ns, ns) && *ns != 0;
}

/* A rule's text is known; finds where its name ends and what follows. */
static prof_status read_rule(const grammar *g, rule *r, prof_error *err)
{
    const char *end = r->text + r->text_bytes, *sign = end;
    int is_quoted = r->text[0] == '"';
    while (sign > r->text && strchr(g->signs, *--sign) == NULL)
        ;
    if (r->text_bytes == 0 || strchr(g->signs, *sign) == NULL)
        return refuse(r, g->no_sign, err);
    r->name = r->text + is_quoted;
    r->name_bytes = (size_t)(sign - r->name);
    if (is_quoted && (sign < r->text + 2 || sign[-1] != '"'))
        return refuse(r, "the quote is not closed before the condition", err);
    r->name_bytes -= (size_t)is_quoted;
    if (r->name_bytes == 0 || r->name_bytes > NAME_MOST)
        return refuse(r, r->name_bytes == 0 ? "there is no name before the condition" : "the name is too long", err);
    if (*sign != '/' && !read_duration(sign + 1, end, g->plain_unit_ns, &r->slower_than_ns))
        return refuse(r, g->no_duration, err);
    if (*sign == '/' && !(read_scaled(sign + 1, end, 1, &r->every_nth) && r->every_nth != 0))
        return refuse(r, "not a whole number above 0 behind the /", err);
    return PROF_OK;
}

/* The end of the rule that begins here: the next comma, but not one inside quotes. */
static const char *end_of_rule(const grammar *g, const char *at)
{
    if (*at == '"')
        for (const char *closing = at; (closing = strchr(closing + 1, '"')) != NULL;)
            if (closing[1] != '\0' && strchr(g->signs, closing[1]) != NULL)
                return closing + strcspn(closing, ",");
    return at + strcspn(at, ",");
}

static prof_status read_rules(const grammar *g, const char *text, profi_save_rule_callback take, prof_error *err)
{
    for (const char *at = text; *at != '\0';) {
        at += strspn(at, " ");
        const char *end = end_of_rule(g, at);
        rule r = { .text = at, .text_bytes = (size_t)(end - at) };
        prof_status status = read_rule(g, &r, err);
        if (status == PROF_OK && take != NULL)
            status = take(r.name, r.name_bytes, r.slower_than_ns, r.every_nth, err);
        if (status != PROF_OK)
            return status;
        if (*end == ',' && end[1] == '\0')
            return profi_fail(err, PROF_E_INVALID, "nothing follows the last comma");
        at = end + (*end == ',');
    }
    return PROF_OK;
}

prof_status profi_save_rules_read(const char *text, profi_save_rule_callback take, prof_error *err)
{
    return read_rules(&saving, text, take, err);
}

prof_status profi_slow_rules_read(const char *text, profi_save_rule_callback take, prof_error *err)
{
    return read_rules(&slowness, text, take, err);
}
