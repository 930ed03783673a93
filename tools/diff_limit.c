/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits on what a comparison lists, read as `report` reads its own, whose
 * rules are those of prof_print_options.limits: "12" is a number, ".5" and
 * "1e-3" are shares, everything else is a pattern.
 */
#include "diff.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

static void cut(diff_list *list, size_t most)
{
    for (; list->count > most; list->count--)
        free(list->pairs[list->count - 1].title);
}

/* Matches go to the front, in their order, by changing places with what is cut off then.  Returns regexec()'s error, or 0. */
static int keep_matches(diff_list *list, const regex_t *compiled)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        diff_pair pair = list->pairs[i];
        int found = regexec(compiled, pair.title, 0, NULL, 0);
        if (found != 0 && found != REG_NOMATCH)
            return found;
        if (found != 0)
            continue;
        list->pairs[i] = list->pairs[kept];
        list->pairs[kept++] = pair;
    }
    cut(list, kept);
    return 0;
}

static int apply_pattern(const cli_command *command, diff_list *list, const char *pattern)
{
    enum { LONGEST = 512 }; /* glibc's compiler recurses on brackets */
    regex_t compiled;
    char why[128];
    if (strlen(pattern) > LONGEST)
        cli_wrong(command, "the pattern \"%.40s…\" is longer than %d bytes", pattern, LONGEST);
    int error = regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB);
    if (error != 0 && error != REG_ESPACE) {
        regerror(error, &compiled, why, sizeof(why));
        cli_wrong(command, "\"%.80s\" is not a regular expression: %s", pattern, why);
    }
    if (error == 0) {
        error = keep_matches(list, &compiled);
        regfree(&compiled);
    }
    if (error != 0)
        cli_say(command, "no memory to look for \"%.80s\"", pattern);
    return error == 0;
}

int diff_limit(const cli_command *command, diff_list *list, const char *limit)
{
    size_t digits = strspn(limit, "0123456789"), length = strlen(limit);
    int is_number = length != 0 && strspn(limit, "0123456789.eE+-") == length && (digits != 0 || limit[0] == '.');
    char *end;
    double share = strtod(limit, &end);
    if (is_number && digits == length) {
        unsigned long long number = strtoull(limit, NULL, 10); /* beyond 64 bits: the largest, which is no limit either */
        cut(list, number < list->count ? (size_t)number : list->count);
        return 1;
    }
    if (!is_number || *end != '\0')
        return apply_pattern(command, list, limit);
    if (!(share >= 0.0 && share <= 1.0))
        cli_wrong(command, "%.40s is neither a whole number of lines nor a share from 0 to 1", limit);
    cut(list, (size_t)((double)list->count * share + 0.5));
    return 1;
}
