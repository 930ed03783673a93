/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of texts, kept one behind the other in one piece of memory.
 *
 * Documents, questions and the lines of standard input are such lists.  It
 * owns the rule for what a text may be (UTF-8, no NUL, a bounded length) and
 * how it is cleaned.  Knows nothing of files.
 *
 *     text    "first\0second\0third\0"
 *     starts  [ 0 | 6 | 13 | 19 ]        count + 1 of them
 */
#ifndef RAG_SERVICE_TEXT_LIST_H
#define RAG_SERVICE_TEXT_LIST_H

#include <stddef.h>
#include <stdint.h>

#include <profcore/prof.h>

#define TEXT_LIMIT_BYTES ((size_t)1 << 20)       /* one text */
#define TEXT_LIST_LIMIT_BYTES ((size_t)1 << 30)  /* all of a list */
#define TEXT_LIST_LIMIT_COUNT ((size_t)10000000)

/* A text somewhere; a NUL follows its bytes. */
typedef struct text_span {
    const char *text;
    size_t bytes;
} text_span;

/* Zeroed, it is an empty list. */
typedef struct text_list {
    char *text;
    size_t *starts;
    size_t count, room, text_room;
} text_list;

/* Accepts a zeroed list. */
void text_list_fini(text_list *list);

/*
 * Checks and cleans a text, and appends it: runs of white space and control
 * characters become one blank, those at both ends go.
 *
 *   where    What the text is, for messages: "notes.txt, line 7".
 *   added    Receives 1, or 0 when nothing was left of the text; may be NULL.
 *   returns  PROF_OK; PROF_E_FORMAT: a NUL, or not UTF-8, and the message says
 *            at which byte; PROF_E_LIMIT; PROF_E_NO_MEMORY.
 */
prof_status text_list_add(text_list *list, const char *text, size_t bytes, const char *where, int *added,
                          prof_error *err);

/* Returns a text, which lives until the list changes. */
text_span text_list_at(const text_list *list, size_t number);

#endif
