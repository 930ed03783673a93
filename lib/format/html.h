/* SPDX-License-Identifier: Apache-2.0 */
/* The page around the data of a `.html`: lines, up to NULL, made of page/ when building (page/embed.py). */
#ifndef PROFI_HTML_H
#define PROFI_HTML_H

#include <stddef.h>

extern const char *const profi_page_head[];
extern const char *const profi_page_tail[];

#endif
