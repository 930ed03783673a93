/* SPDX-License-Identifier: Apache-2.0 */
/* Progress bars: see progress.h. */
#include "progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "figures.h"

enum { WIDTH = 24 };
#define REDRAW_NS UINT64_C(100000000)

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

progress progress_start(const char *label, size_t total)
{
    return (progress){ .label = label, .total = total > 0 ? total : 1, .start_ns = now_ns(),
                       .is_live = isatty(STDERR_FILENO) };
}

static void draw(const progress *bar, uint64_t elapsed_ns)
{
    const size_t filled = WIDTH * bar->done / bar->total;
    figure done, total, left;
    fprintf(stderr, "\r\033[K%s  [", bar->label);
    for (size_t i = 0; i < WIDTH; i++)
        fputc(i < filled ? '#' : '.', stderr);
    figure_count(&done, bar->done);
    figure_count(&total, bar->total);
    fprintf(stderr, "]  %s of %s", done.text, total.text);
    if (bar->done > 0) {
        figure_time(&left, (uint64_t)((double)elapsed_ns * (double)(bar->total - bar->done) / (double)bar->done));
        fprintf(stderr, "   %s left", left.text);
    }
    fflush(stderr);
}

void progress_add(progress *bar, size_t done)
{
    if (bar == NULL)
        return;
    bar->done = bar->total - bar->done > done ? bar->done + done : bar->total;
    if (!bar->is_live)
        return;
    const uint64_t now = now_ns();
    if (now - bar->drawn_ns < REDRAW_NS)
        return;
    bar->drawn_ns = now;
    draw(bar, now - bar->start_ns);
}

void progress_end(progress *bar)
{
    if (bar != NULL && bar->is_live)
        fputs("\r\033[K", stderr);
}
