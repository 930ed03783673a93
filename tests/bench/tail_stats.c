/* SPDX-License-Identifier: Apache-2.0 */
/* Quantiles and their bootstrap: see tail_stats.h. */
#include "tail_stats.h"

#include <math.h>
#include <stdlib.h>

static int by_latency(const void *a, const void *b)
{
    const uint64_t x = ((const tail_sample *)a)->ns, y = ((const tail_sample *)b)->ns;
    return x < y ? -1 : x > y;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

void tail_sort(tail_arm *arm)
{
    qsort(arm->samples, arm->count, sizeof(*arm->samples), by_latency);
}

/* splitmix64 */
uint64_t tail_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Of `total` requests, the one that `share` of them do not exceed, from 1. */
static uint64_t rank_of(double share, uint64_t total)
{
    const uint64_t rank = (uint64_t)ceil(share * (double)total - 1e-9);
    return rank < 1 ? 1 : rank > total ? total : rank;
}

uint64_t tail_quantile(const tail_arm *arm, double share)
{
    return arm->count == 0 ? 0 : arm->samples[rank_of(share, arm->count) - 1].ns;
}

/* The quantile where each round counts as often as it was drawn; from the top, which is near for a tail. */
static uint64_t drawn_quantile(const tail_arm *arm, double share, const uint32_t *drawn)
{
    uint64_t total = 0, above = 0;
    for (size_t i = 0; i < arm->count; i++)
        total += drawn[arm->samples[i].round];
    const uint64_t rank = total > 0 ? rank_of(share, total) : 0;
    for (size_t i = arm->count; i-- > 0;) {
        above += drawn[arm->samples[i].round];
        if (above > total - rank)
            return arm->samples[i].ns;
    }
    return 0;
}

int tail_compare(const tail_arm *a, const tail_arm *b, double share, uint32_t rounds, unsigned draws, uint64_t seed,
                 tail_interval *made)
{
    double *const differences = malloc(draws * sizeof(*differences));
    uint32_t *const drawn = malloc(rounds * sizeof(*drawn));
    const int is_possible = differences != NULL && drawn != NULL && draws > 0 && rounds > 0;
    for (unsigned draw = 0; is_possible && draw < draws; draw++) {
        for (uint32_t i = 0; i < rounds; i++)
            drawn[i] = 0;
        for (uint32_t i = 0; i < rounds; i++)
            drawn[tail_random(&seed) % rounds]++;
        differences[draw] = (double)drawn_quantile(a, share, drawn) - (double)drawn_quantile(b, share, drawn);
    }
    if (is_possible) {
        qsort(differences, draws, sizeof(*differences), by_size);
        made->difference_ns = (double)tail_quantile(a, share) - (double)tail_quantile(b, share);
        made->low_ns = differences[(size_t)(0.025 * (draws - 1))];
        made->high_ns = differences[(size_t)ceil(0.975 * (draws - 1))];
    }
    free(differences);
    free(drawn);
    return is_possible ? 0 : -1;
}
