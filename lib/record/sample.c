/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sampled sites: all calls are counted, and all stand in the tree while they
 * run, but only some are timed, so that the others cost less than the clock.
 *
 * The first calls of a node are all timed, so rare ones stay exact; of the
 * rest one in `every` is, after a gap drawn evenly from 1 to 2 every - 1, so
 * that no rhythm of the program can fall in with it.  A call that is not timed
 * is begun and ended in hot.c.
 */
#include "cold.h"
#include "record.h"

/* xorshift64*: good enough to be out of step with anything. */
static uint64_t draw(profi_thread *self)
{
    uint64_t x = self->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    self->random = x;
    return x * 0x2545f4914f6cdd1du;
}

static uint64_t draw_gap(profi_thread *self, const profi_site *site)
{
    return 1 + draw(self) % (2 * (uint64_t)site->sample_every - 1);
}

int profi_sample_wants(profi_thread *self, profi_node *node)
{
    if (profi_sample_skips(node))
        return 0;
    if (node->countdown != 0)
        node->countdown = draw_gap(self, node->site);
    return 1;
}

void profi_sample_add(profi_thread *self, profi_node *node, uint64_t duration)
{
    profi_sample *sample = node->sample;
    double squares = sample->squares + (double)duration * (double)duration;
    if (sample->first < PROFI_SAMPLE_WARM) {
        PROFI_RELEASE(sample->first, PROFI_GET(sample->first) + 1);
        if (sample->first == PROFI_SAMPLE_WARM)
            node->countdown = draw_gap(self, node->site);
        return;
    }
    PROFI_RELEASE(sample->timed, PROFI_GET(sample->timed) + 1);
    PROFI_RELEASE(sample->total, PROFI_GET(sample->total) + duration);
    __atomic_store(&sample->squares, &squares, __ATOMIC_RELEASE);
}
