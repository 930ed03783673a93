/* SPDX-License-Identifier: Apache-2.0 */
/* A library that knows nothing of profiling: the one that wrap.c profiles. */
#ifndef WRAP_ROMAN_H
#define WRAP_ROMAN_H

#include <stddef.h>

/* Writes 1 … 3999 in Roman digits, "MCMXC"; returns their count, 0 when they do not fit or there are none. */
size_t roman_write(unsigned number, char *into, size_t room);

#endif
