/* SPDX-License-Identifier: Apache-2.0 */
/* The life of the file of crash-safe mode: see crash_safe.h. */
#include "crash_safe.h"

#include "private_file.h"

#include "../base/error.h"
#include "../record/record.h"

#include <unistd.h>

static profi_private_file file;

void profi_crash_safe_open(const profi_config *config)
{
    prof_error why = PROF_ERROR_INIT;
    int fd;
    prof_status status = profi_private_file_make(&file, config, "crash", &fd, &why);
    if (status == PROF_OK) {
        status = profi_record_open_file(fd, config->memory_bytes, config->clock, config->name, &why);
        if (status != PROF_OK)
            profi_private_file_remove(&file);
        close(fd); /* the mapping stays */
    }
    if (status != PROF_OK)
        profi_notice("PROFCORE_CRASH_SAFE: not crash-safe: %s", why.message);
}

void profi_crash_safe_remove(void)
{
    profi_private_file_remove(&file);
}

void profi_crash_safe_keep(void)
{
    profi_private_file_keep(&file);
}

void profi_crash_safe_forget(void)
{
    file.path[0] = '\0';
}
