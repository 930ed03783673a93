/* SPDX-License-Identifier: Apache-2.0 */
/* `.prof` files from anybody.  The first byte is given, or most inputs would be no marshal file. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *input = malloc(bytes + 1);
    MUST(input != NULL);
    if (bytes != 0)
        memcpy(input, data, bytes);
    if (bytes != 0 && (input[0] & 0x7f) != '{')
        input[0] = '{';
    fuzz_profile((const uint8_t *)input, bytes);
    free(input);
    return 0;
}
