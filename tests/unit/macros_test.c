/* SPDX-License-Identifier: Apache-2.0 */
#include "macros_body.h"

int main(void)
{
    return run_checks();
}
