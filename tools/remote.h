/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a running program, on the socket that PROFCORE_CONTROL opens there. */
#ifndef REMOTE_H
#define REMOTE_H

#include "cli.h"

#include <sys/types.h>

/* The process that a command's operand names; ends the program with status 2 for what is none. */
pid_t remote_pid(const cli_command *command, const char *text);

/*
 * Asks one line (without its end).  Returns the answer, to be freed, with a
 * NUL behind it; NULL when there is none: why has been said, unless `silent`.
 */
char *remote_ask(const cli_command *command, pid_t pid, const char *line, size_t *bytes, int silent);

#endif
