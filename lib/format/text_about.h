/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a table says of the run, behind the first block: which it was, and how
 * recording went.
 */
#ifndef PROFI_TEXT_ABOUT_H
#define PROFI_TEXT_ABOUT_H

#include "listing.h"

/* The line "-- profcore" and those that belong to it. */
void profi_text_heading(const profi_listing *t);

/* Threads, losses, the clock, what recording cost. */
void profi_text_account(const profi_listing *t);

#endif
