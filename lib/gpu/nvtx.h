/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scopes as NVTX ranges, for Nsight Systems and whatever else listens: all in
 * the domain `profcore`, so that the program's own ranges stay as they are.
 */
#ifndef PROFI_NVTX_H
#define PROFI_NVTX_H

#include "../base/listener.h"

/* Whether the environment names a tool that receives NVTX: nsys sets NVTX_INJECTION64_PATH.  Never in a set-user-id program. */
int profi_nvtx_has_tool(void);

/* Loads that tool and returns what tells it of scopes; NULL: it is not there, or wants none.  One caller at a time. */
const profi_listener *profi_nvtx_open(void);

#endif
