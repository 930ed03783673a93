/* SPDX-License-Identifier: Apache-2.0 */
/* What a program says through NVTX, as scopes, spans and instants; knows nothing of NVTX's types. */
#ifndef PROFI_CAPTURE_RANGES_H
#define PROFI_CAPTURE_RANGES_H

#include "../base/base.h"
#include <profcore/events.h>
#include <stddef.h>

typedef struct profi_captured_domain profi_captured_domain;

/* A text in one of NVTX's forms; all NULL: none. */
typedef struct profi_captured_text {
    const char *utf8;
    const wchar_t *wide;
    prof_site *site; /* from profi_captured_site() */
} profi_captured_text;

typedef struct profi_captured {
    profi_captured_text text;
    int has_payload;
    uint32_t payload_type; /* PROF_ARG_… */
    prof_arg_value payload;
} profi_captured;

/* Before any other; 0: no memory. */
int profi_capture_ranges_open(void);

/* A domain by its name; NULL, the default one, where memory is spent, or there are 1,024 already. */
const profi_captured_domain *profi_captured_domain_of(profi_captured_text name);

/* A site of a domain; where memory is spent, one that stands for all such. */
prof_site *profi_captured_site(const profi_captured_domain *domain, profi_captured_text text);

/*
 * Ranges of the calling thread, nested for each domain apart: how many are around it; negative: there was none to end.
 * Those that find 16,384 open on the thread are counted as not received, with their pops; those for whose name there is no
 * memory are lost scopes, whose pops end them.
 */
int profi_captured_push(const profi_captured_domain *domain, profi_captured range);
int profi_captured_pop(const profi_captured_domain *domain);

/* Ranges that may end on any thread, by a number; 0: too many are open. */
uint64_t profi_captured_start(const profi_captured_domain *domain, profi_captured range);
void profi_captured_end(uint64_t number);

void profi_captured_mark(const profi_captured_domain *domain, profi_captured mark);

#endif
