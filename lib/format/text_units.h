/* SPDX-License-Identifier: Apache-2.0 */
/* Figures as people read them. */
#ifndef PROFI_TEXT_UNITS_H
#define PROFI_TEXT_UNITS_H

#include "../base/base.h"

/* A duration in three significant digits or more, at most 9 columns wide. */
void profi_format_ns(char text[24], uint64_t ns);

/* Bytes in a binary unit, behind a sign such as "+". */
void profi_format_bytes(char text[24], double bytes, const char *sign);

#endif
