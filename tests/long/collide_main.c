/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COUNT names as an attacker would choose them who knows the hash but not
 * the seed of this process: all would lie in one of 1,024 buckets' chains if
 * the seed were 0, and each would be compared with hundreds.  They must cost
 * what any other names cost, which is a hundredth of that.
 *
 *     collide_main COUNT
 */
#include "base/text.h"

#include <profcore/prof.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SHARED_BITS = 1023, NAME_BYTES = 16 };

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now); /* what else runs here does not count */
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* A name of its own for each number. */
static void spell(char name[NAME_BYTES], char first, uint64_t number)
{
    name[0] = first;
    for (int i = 1; i < NAME_BYTES - 1; i++, number >>= 4)
        name[i] = "0123456789abcdef"[number & 15];
    name[NAME_BYTES - 1] = '\0';
}

/* The seconds that it takes to make sites of all names. */
static double make_sites(char (*names)[NAME_BYTES], uint64_t count)
{
    double begin = now_s();
    prof_site *site;
    for (uint64_t i = 0; i < count; i++)
        if (prof_site_get(names[i], SIZE_MAX, NULL, 0, 0, &site, NULL) != PROF_OK)
            exit(1);
    return now_s() - begin;
}

int main(int argc, char **argv)
{
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    options.memory_bytes = (uint64_t)1 << 30;
    uint64_t count = argc == 2 ? strtoull(argv[1], NULL, 10) : 0, number = 0;
    char(*names)[NAME_BYTES] = calloc(count + 1, sizeof(*names));
    if (count == 0 || names == NULL || prof_start(&options, NULL) != PROF_OK)
        return 2;
    for (uint64_t i = 0; i < count; i++)
        spell(names[i], 'o', i);
    double ordinary = make_sites(names, count);
    for (uint64_t found = 0; found < count; number++) {
        spell(names[found], 'c', number);
        found += (profi_text_hash(names[found], NAME_BYTES - 1, 0) & SHARED_BITS) == 0;
    }
    double chosen = make_sites(names, count);
    printf("%llu names: %.0f ns each; as many more whose hashes collide without the seed: %.0f ns each\n",
           (unsigned long long)count, ordinary * 1e9 / (double)count, chosen * 1e9 / (double)count);
    return chosen > 10 * ordinary;
}
