/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NVIDIA's libraries, found and opened at run time: one binary runs with and
 * without a GPU, and absence is a normal answer with a reason.
 *
 * Looked for in this order: what the process has loaded already, beside a
 * loaded libcudart or libtorch, by the system's own rules, in the toolkit's
 * folder.
 */
#ifndef PROFI_GPU_LIBRARY_H
#define PROFI_GPU_LIBRARY_H

#include "../base/base.h"

typedef struct profi_library {
    const char *what;           /* "CUPTI": for reasons */
    const char *const *sonames; /* the newest first, up to NULL */
    void *handle;               /* NULL until it is open; never closed */
    char reason[256];           /* why it cannot be had; "" where it can */
} profi_library;

/* Opens it unless it is open; 0 with its reason where it cannot be had.  One caller at a time. */
int profi_library_open(profi_library *library);

/* The same where the process has loaded it already; nothing is loaded. */
int profi_library_open_loaded(profi_library *library);

/* One function of a library, and where in a table of pointers it belongs. */
typedef struct profi_library_symbol {
    const char *name;
    size_t offset;
    int is_optional; /* without it the pointer is NULL, and that is no failure */
} profi_library_symbol;

/* Fills the pointers; 0, and the reason names the function, where one that is not optional is missing. */
int profi_library_resolve(profi_library *library, void *table, const profi_library_symbol *symbols, size_t count);

#endif
