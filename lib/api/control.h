/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The view from outside: a Unix socket, opt-in, on which the same user asks
 * this process what it is doing.  docs/control.md has the protocol.
 */
#ifndef PROFI_CONTROL_H
#define PROFI_CONTROL_H

#include "../base/output.h"
#include <profcore/prof.h>

/* Opens the socket that PROFCORE_CONTROL asks for, and starts its thread; nothing where it does not, or has done so. */
prof_status profi_control_start(prof_error *err);

/* At the end of the process: nobody finds it any more. */
void profi_control_stop(void);

/* In a forked child: socket and thread are the parent's. */
void profi_control_forget(void);

/* Answers one line; what there is to say goes to `out`, or why not into err. */
prof_status profi_control_answer(const char *line, profi_output *out, prof_error *err);

/* Whether a value of PROFCORE_CONTROL is one. */
prof_status profi_control_check(const char *value, prof_error *err);

#endif
