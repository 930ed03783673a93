/* SPDX-License-Identifier: Apache-2.0 */
/* Who listens to scopes: a tool that receives NVTX, where there is one and PROFCORE_NVTX does not say no. */
#include "recorder.h"

#include "../gpu/nvtx.h"
#include "../record/record.h"

#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int is_found;

static void look(void)
{
    const profi_listener *listener = profi_config_tells_nvtx() && profi_nvtx_has_tool() ? profi_nvtx_open() : NULL;
    profi_record_listen(listener);
    is_found = listener != NULL;
}

int profi_listener_find(void)
{
    pthread_once(&once, look);
    return is_found;
}
