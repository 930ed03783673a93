/* SPDX-License-Identifier: Apache-2.0 */
/* Summaries, profcore.summary/1, from anybody. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    return fuzz_profile(data, bytes);
}
