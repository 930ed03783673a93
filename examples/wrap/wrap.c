/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions profiled without touching their source: PROFCORE=1 ./wrap
 *
 * roman_write() is another file's, qsort() the C library's.  The profile
 * shows both under their own names.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <profcore/prof.h>

#include "roman.h"

enum { COUNT = 3999 };

typedef int (*comparison)(const void *a, const void *b);

PROF_WRAP_STATIC(size_t, roman_write_profiled, roman_write, (unsigned number, char *into, size_t room),
                 (number, into, room))
PROF_WRAP_VOID_STATIC(qsort_profiled, qsort, (void *base, size_t count, size_t size, comparison compare),
                      (base, count, size, compare))

static int as_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

int main(void)
{
    PROF_FUNCTION();
    static char numerals[COUNT][16];
    for (unsigned number = 1; number <= COUNT; number++)
        roman_write_profiled(number, numerals[number - 1], sizeof numerals[0]);
    qsort_profiled(numerals, COUNT, sizeof numerals[0], as_text);
    printf("in the order of the alphabet, Roman numerals run from %s to %s\n", numerals[0], numerals[COUNT - 1]);
    return 0;
}
