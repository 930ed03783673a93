/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A limit on what a table lists: a number of rows, a share of them, or a
 * pattern that their titles match.  pstats calls it a restriction.
 *
 * Patterns are POSIX extended regular expressions on bytes, searched for
 * anywhere in "file:line(name)".
 */
#include "listing.h"

#include "../base/error.h"
#include "../base/text.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum limit_kind { LIMIT_COUNT, LIMIT_SHARE, LIMIT_PATTERN } limit_kind;

typedef struct parsed_limit {
    limit_kind kind;
    uint64_t count;
    double share;
} parsed_limit;

/* "12" is a number, ".5" and "1e-3" are shares, everything else is a pattern. */
static parsed_limit parse(const char *text)
{
    parsed_limit limit = { LIMIT_PATTERN, 0, 0.0 };
    size_t digits = strspn(text, "0123456789"), length = strlen(text);
    char *end;
    if (length == 0 || strspn(text, "0123456789.eE+-") != length || (digits == 0 && text[0] != '.'))
        return limit;
    if (digits == length) {
        limit.kind = LIMIT_COUNT;
        limit.count = strtoull(text, NULL, 10); /* beyond 64 bits: the largest, which is no limit either */
        return limit;
    }
    limit.share = strtod(text, &end);
    if (*end == '\0')
        limit.kind = LIMIT_SHARE;
    return limit;
}

static prof_status keep_matches(const profi_pstats *stats, const char *pattern, uint32_t *order, uint32_t *count,
                                prof_error *err)
{
    enum { LONGEST = 512 }; /* glibc's compiler recurses on brackets */
    regex_t compiled;
    char why[128];
    uint32_t kept = 0;
    if (strlen(pattern) > LONGEST)
        return profi_fail(err, PROF_E_INVALID, "the pattern \"%.40s…\" is longer than %d bytes", pattern, LONGEST);
    int error = regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB);
    if (error != 0) {
        regerror(error, &compiled, why, sizeof(why));
        return profi_fail(err, error == REG_ESPACE ? PROF_E_NO_MEMORY : PROF_E_INVALID,
                          "\"%.80s\" is not a regular expression: %s", pattern, why);
    }
    for (uint32_t i = 0; i < *count && error == 0; i++) {
        int found = regexec(&compiled, stats->rows[order[i]].title, 0, NULL, 0);
        if (found == 0)
            order[kept++] = order[i];
        else if (found != REG_NOMATCH)
            error = found;
    }
    regfree(&compiled);
    if (error != 0)
        return profi_fail(err, PROF_E_NO_MEMORY, "no memory to look for \"%.80s\"", pattern);
    *count = kept;
    return PROF_OK;
}

prof_status profi_limit_apply(const profi_pstats *stats, const char *limit, uint32_t *order, uint32_t *count, prof_error *err)
{
    parsed_limit parsed = parse(limit);
    if (parsed.kind == LIMIT_PATTERN)
        return keep_matches(stats, limit, order, count, err);
    if (parsed.kind == LIMIT_SHARE && !(parsed.share >= 0.0 && parsed.share <= 1.0))
        return profi_fail(err, PROF_E_INVALID, "%.40s is neither a whole number of lines nor a share from 0 to 1", limit);
    if (parsed.kind == LIMIT_SHARE)
        parsed.count = (uint64_t)((double)*count * parsed.share + 0.5);
    *count = (uint32_t)profi_min_u64(*count, parsed.count);
    return PROF_OK;
}

/* The shortest digits that are this number again. */
static void put_share(profi_output *out, double share)
{
    char text[32];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, share);
        if (strtod(text, NULL) == share)
            break;
    }
    profi_output_printf(out, strpbrk(text, ".e") != NULL ? "%s" : "%s.0", text);
}

/*
 * A string as Python's repr() writes it: no control character gets out.  A
 * byte that is not UTF-8 stands as Python has it from a command line.
 */
static void put_string(profi_output *out, const char *text)
{
    char quote = strchr(text, '\'') != NULL && strchr(text, '"') == NULL ? '"' : '\'';
    profi_output_printf(out, "%c", quote);
    for (const char *at = text; *at != '\0';) {
        uint32_t code = 0;
        size_t length = profi_utf8_length((const unsigned char *)at, strlen(at), &code);
        unsigned char byte = (unsigned char)*at;
        if (length == 0)
            profi_output_printf(out, "\\udc%02x", byte);
        else if (byte == quote || byte == '\\')
            profi_output_printf(out, "\\%c", byte);
        else if (byte == '\n' || byte == '\t' || byte == '\r')
            profi_output_text(out, byte == '\n' ? "\\n" : byte == '\t' ? "\\t" : "\\r");
        else if (code < 0x20 || (code >= 0x7f && code <= 0xa0) || code == 0xad)
            profi_output_printf(out, "\\x%02x", (unsigned)code);
        else if (code == 0x2028 || code == 0x2029)
            profi_output_printf(out, "\\u%04x", (unsigned)code);
        else
            profi_output_bytes(out, at, length);
        at += length ? length : 1;
    }
    profi_output_printf(out, "%c", quote);
}

void profi_put_limit(profi_output *out, const char *limit)
{
    parsed_limit parsed = parse(limit);
    if (parsed.kind == LIMIT_COUNT)
        profi_output_printf(out, "%llu", (unsigned long long)parsed.count);
    else if (parsed.kind == LIMIT_SHARE)
        put_share(out, parsed.share);
    else
        put_string(out, limit);
}
