/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills the caller's prof_error, and prints the few things that nobody
 * called for.  Every cold function of the library fails through here.
 */
#ifndef PROFI_ERROR_H
#define PROFI_ERROR_H

#include "base.h"
#include <errno.h>
#include <profcore/prof.h>

/* Writes status and message into err (NULL is fine) and returns the status. */
PROFI_PRINTF(3, 4) prof_status profi_fail(prof_error *err, prof_status status, const char *format, ...);

/*
 * The same for a failed system call: PROF_E_NO_MEMORY for ENOMEM and
 * PROF_E_IO for the rest; the message is the text, ": ", and the reason that
 * `error_number` (an errno) names.
 */
PROFI_PRINTF(3, 4) prof_status profi_fail_errno(prof_error *err, int error_number, const char *format, ...);

/*
 * Reads a size-prefixed struct of a caller that was built against another
 * version: min(theirs, ours) bytes are read and the rest is zero; a larger
 * one is refused only if what we do not know is not zero.
 */
prof_status profi_struct_read(void *ours, size_t our_size, const void *theirs, size_t smallest, const char *name,
                              prof_error *err);

/* Writes ours into the caller's struct, as much as it has room for, and keeps its size field. */
prof_status profi_struct_write(void *theirs, const void *ours, size_t our_size, size_t smallest, const char *name,
                               prof_error *err);

/* One line on stderr, "profcore: …", unless PROFCORE_QUIET is set; errno is kept. */
PROFI_PRINTF(1, 2) void profi_notice(const char *format, ...);
void profi_notice_quiet(int quiet);
int profi_notice_is_quiet(void);

/*
 * As a declaration at the top of a function: errno is on return what it was
 * on entry, whatever the calls in between did to it.
 */
#define PROFI_KEEP_ERRNO const int kept_errno __attribute__((cleanup(profi_errno_restore), unused)) = errno
static inline void profi_errno_restore(const int *kept) { errno = *kept; }

#endif
