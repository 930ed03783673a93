/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantiles of the latencies of two or more arms, and what their difference
 * is worth: a bootstrap over rounds.
 *
 * A round holds one block of each arm, under the same arrivals and the same
 * questions, next to each other in time; whatever else the machine did then
 * is in all of them.  So rounds are what is drawn again, whole: requests of a
 * block queue behind each other and are not independent.
 */
#ifndef TAIL_STATS_H
#define TAIL_STATS_H

#include <stddef.h>
#include <stdint.h>

typedef struct tail_sample {
    uint64_t ns;
    uint32_t round;
} tail_sample;

/* The latencies of one arm; sorted by tail_sort(). */
typedef struct tail_arm {
    tail_sample *samples;
    size_t count;
} tail_arm;

typedef struct tail_interval {
    double difference_ns; /* of the two arms as they were measured */
    double low_ns, high_ns;
} tail_interval;

void tail_sort(tail_arm *arm);

/* The smallest latency that at least `share` of the requests did not exceed. */
uint64_t tail_quantile(const tail_arm *arm, double share);

/*
 * The difference of a quantile, a - b, with the interval in which 95 % of
 * `draws` bootstrap samples lie.
 *
 *   rounds   How many there are; samples have numbers below.
 *   seed     The same seed draws the same rounds.
 *   returns  0, or -1 without memory.
 */
int tail_compare(const tail_arm *a, const tail_arm *b, double share, uint32_t rounds, unsigned draws, uint64_t seed,
                 tail_interval *made);

/* The next of a sequence of numbers that look random; the state may be anything. */
uint64_t tail_random(uint64_t *state);

#endif
