/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes for nsys profile: long enough for their times to be compared. */
#include <profcore/prof.h>

#include <unistd.h>

int main(void)
{
    for (int i = 0; i < 50; i++)
        PROF_SCOPE("outer") {
            for (int j = 0; j < 4; j++)
                PROF_SCOPE("inner")
                    usleep(500);
            PROF_ITEMS_UNIT(4, "naps");
        }
    return 0;
}
