/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest profiled program: PROFCORE=1 ./hello */
#include <profcore/prof.h>
#include <stdio.h>

static unsigned long fibonacci(unsigned n)
{
    PROF_FUNCTION();
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

int main(void)
{
    PROF_FUNCTION();
    PROF_SCOPE("warm up") { fibonacci(5); }
    for (unsigned i = 0; i < 3; i++) {
        PROF_BLOCK("round");
        printf("fibonacci(20) is %lu\n", fibonacci(20));
        PROF_ITEMS_UNIT(1, "numbers");
    }
    return 0;
}
