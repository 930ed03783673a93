/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The documents that the service answers from: read, checked, and brought
 * into the form in which they are embedded.
 *
 * Knows three sources: a file (one document a line), a folder of text files
 * (one document a paragraph), and WordNet as Debian installs it.  Knows
 * nothing of models.
 */
#ifndef RAG_SERVICE_DOCUMENTS_H
#define RAG_SERVICE_DOCUMENTS_H

#include <profcore/prof.h>

#include "text_list.h"

#define WORDNET_DOCUMENT_COUNT 5000

/* Zeroed, it is empty. */
typedef struct documents {
    text_list passages;
    /* Where the source has questions with known answers (WordNet): */
    text_list questions;
    size_t *answers; /* the passage of each question */
} documents;

/*
 * Reads a file or a folder.
 *
 * A file: one document a line.  A folder: its regular files in the order of
 * their names, those that begin with a dot and folders left out; a document
 * ends at an empty line, or with its file.  Empty documents are skipped.
 *
 *   read     Zeroed; receives the documents, at least one.
 *   returns  PROF_OK; PROF_E_NOT_FOUND; PROF_E_IO; PROF_E_FORMAT: no document
 *            in it, or a NUL or bytes that are not UTF-8, and the message says
 *            where; PROF_E_LIMIT; PROF_E_NO_MEMORY.
 */
prof_status documents_read(const char *path, documents *read, prof_error *err);

/*
 * Reads WordNet's senses, "word, other word: its definition", and as
 * questions the first example sentence of each sense that has one.
 *
 * Of the N senses of data.noun, .verb, .adj and .adv, counted through in
 * this order, document k of n is sense floor(k N / n): the same choice every
 * time, spread evenly over the parts of speech and over each file.
 *
 *   folder   NULL: WNSEARCHDIR, else /usr/share/wordnet.
 *   count    How many; all when there are fewer.
 *   read     Zeroed; receives the documents.
 *   returns  As documents_read().
 */
prof_status documents_read_wordnet(const char *folder, size_t count, documents *read, prof_error *err);

/* Accepts a zeroed one. */
void documents_fini(documents *read);

#endif
