/* SPDX-License-Identifier: Apache-2.0 */
/* What a `.html` is made of. */
#ifndef PROFI_HTML_H
#define PROFI_HTML_H

#include "../base/output.h"
#include "../model/slowest.h"

/* The slowest request, a value of JSON in ASCII; 0 when memory is spent. */
int profi_put_slowest(const profi_slowest *slowest, profi_output *out);

/* The page around the data: lines, up to NULL, made of page/ when building (page/embed.py). */
extern const char *const profi_page_head[];
extern const char *const profi_page_tail[];

#endif
