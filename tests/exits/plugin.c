/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library to be opened and closed.  It is built twice, with names of equal
 * length: the two have their sites at the same places.
 */
#include "plugin.h"

#include <profcore/prof.h>

static void work(int calls)
{
    for (int i = 0; i < calls; i++) {
        PROF_BLOCK(PLUGIN "_outer");
        PROF_ITEMS_UNIT(1, PLUGIN "s");
        PROF_SCOPE(PLUGIN "_inner") { PROF_COUNTER(PLUGIN "_counter", i); }
    }
}

/* The library is closed under it: the scope around it ends it. */
static void leave_open(void)
{
    PROF_BEGIN(open, PLUGIN "_left_open");
    (void)open;
}

const plugin_functions plugin = { work, leave_open };
