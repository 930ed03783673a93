/* SPDX-License-Identifier: Apache-2.0 */
/* Runtimes whose operators become scopes; what they call stands in <profcore/operators.h>. */
#ifndef PROFI_OPERATORS_H
#define PROFI_OPERATORS_H

#include "../base/base.h"
#include <profcore/operators.h>

enum { PROFI_RUNTIME_ROOM = 64 }; /* a runtime's name, with its NUL */

/* Finds or makes a runtime's source; NULL when memory is spent.  After profi_record_open(). */
prof_operators *profi_operators_of(const char *runtime);

/* Whether that is the name of a runtime: a site with this file is an operator's. */
int profi_operators_are_of(const char *file);

#endif
