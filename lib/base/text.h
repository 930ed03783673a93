/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names become safe here, once, at the door: what comes out is valid UTF-8
 * without control characters, and inert in every report that shows it.
 */
#ifndef PROFI_TEXT_H
#define PROFI_TEXT_H

#include "base.h"

/* Longest cleaned name in bytes, the NUL included. */
#define PROFI_TEXT_MAX 4096u

/*
 * Cleans `bytes` bytes at `text` into `out` (PROFI_TEXT_MAX bytes) and returns
 * the length.
 *
 * Control characters and what is invisible or turns the direction of text
 * become escapes (\n, \x1b, \u202e), bytes that are not UTF-8 become \xNN,
 * and `<` before `/` or `!` becomes U+2039, so that a name cannot leave a
 * script element.  A longer name is cut and ends
 * in `~` and a hash of the whole, so that two long names stay two.
 */
size_t profi_text_clean(char *out, const char *text, size_t bytes);

/* Copies as many whole characters of clean text as fit into `room` bytes, the NUL included. */
void profi_text_cut(char *out, size_t room, const char *text);

/* The length of the valid UTF-8 sequence at `text`, and its character; 0 where there is none. */
size_t profi_utf8_length(const unsigned char *text, size_t bytes, uint32_t *code_point);

/*
 * Whether a whole text fits a pattern, in which `*` stands for any characters
 * and `?` for one; both are UTF-8.  It allocates nothing and takes next to no
 * stack, as the C library's fnmatch() may: it runs in signal handlers.
 */
int profi_text_fits(const char *text, const char *pattern);

/*
 * Turns any text into a file name's stem: bytes outside [A-Za-z0-9._-] and a
 * leading dot become `_`; at most 100 bytes.  `out` has room for 101.
 * Returns 1 when something was changed or cut, else 0.
 */
int profi_text_to_stem(char *out, const char *text);

/*
 * A 64-bit hash of bytes, SipHash-1-3 with the seed as its key: who does not
 * know the seed cannot choose texts that collide.
 */
uint64_t profi_text_hash(const void *data, size_t bytes, uint64_t seed);

/*
 * A secret of this process for the hashes of its tables, never 0.  What
 * leaves the process, in a name or a file, is hashed without it.
 */
uint64_t profi_hash_seed(void);

#endif
