/* SPDX-License-Identifier: Apache-2.0 */
/* The sources of operators: checks, then delegates. */
#include "recorder.h"

#include "../base/error.h"
#include "../base/region.h"
#include "../base/system.h"
#include "../base/text.h"
#include "../record/operators.h"

#include <string.h>

prof_status prof_operators_open(const char *runtime, prof_operators **operators, prof_error *err)
{
    PROFI_KEEP_ERRNO;
    PROFI_NO_CANCELLATION;
    char clean[PROFI_TEXT_MAX];
    if (operators == NULL || runtime == NULL || runtime[0] == '\0')
        return profi_fail(err, PROF_E_INVALID, "prof_operators_open: %s", operators ? "the runtime has no name" : "operators is NULL");
    if (profi_text_clean(clean, runtime, strlen(runtime)) >= PROFI_RUNTIME_ROOM)
        return profi_fail(err, PROF_E_INVALID, "prof_operators_open: a runtime's name of more than %d bytes: \"%.80s\"",
                          PROFI_RUNTIME_ROOM - 1, runtime);
    prof_status status = profi_recorder_open(err);
    if (status != PROF_OK)
        return status;
    prof_operators *found = profi_operators_of(clean);
    if (found == NULL)
        return profi_fail(err, PROF_E_NO_MEMORY, "prof_operators_open: the cap of %llu bytes leaves no room for \"%s\"",
                          (unsigned long long)profi_region_limit(), clean);
    *operators = found;
    return PROF_OK;
}
