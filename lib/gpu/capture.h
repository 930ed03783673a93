/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's own NVTX ranges as scopes of ours: PROFCORE_NVTX_CAPTURE=1.
 *
 * libprofcore.so is then the tool that NVTX looks for.  It knows the public
 * functions only, as any program does that records.
 */
#ifndef PROFI_CAPTURE_H
#define PROFI_CAPTURE_H

#include "../base/error.h"

/*
 * Makes NVTX find this library, from its first call on in any library of the
 * process: when the library is loaded, before that is.  Where a tool is there
 * already it stays: PROF_E_BUSY.
 */
prof_status profi_capture_start(prof_error *err);

/* Whether it has been started: who receives NVTX sends none. */
int profi_capture_is_on(void);

/*
 * What the shared library exports as InitializeInjectionNvtx2, which takes its visibility: NVTX calls it with a way to
 * its tables; 0: not wanted.
 */
__attribute__((visibility("default"))) int profi_capture_initialize(const void *(*table_of)(uint32_t id));

#endif
