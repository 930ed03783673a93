/* SPDX-License-Identifier: Apache-2.0 */
/* A library whose constructor calls a function of the test's, whose address is in the environment: with the loader's lock. */
#include <stdint.h>
#include <stdlib.h>

__attribute__((constructor)) static void call_test(void)
{
    const char *address = getenv("PLUGIN_CALLS");
    if (address != NULL)
        ((void (*)(void))(uintptr_t)strtoull(address, NULL, 16))();
}
