/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pools that are to come: what owns their memory is initialised by the
 * program, some time or never.  Who knows how to open them is asked again and
 * again, on a thread of the library's (api/companions.c), until it says that
 * they are there, or cannot be; until then reports say why not.
 */
#ifndef PROFI_AWAITED_H
#define PROFI_AWAITED_H

#include "../base/error.h"

enum { PROFI_AWAITED_MOST = 8, PROFI_AWAITED_NAME_ROOM = 32, PROFI_AWAITED_REASON = 192 };

typedef prof_status (*profi_await_look)(void *user, prof_error *err);

/* 1: it is asked from now on, or was already; 0: there is no room. */
int profi_awaited_add(const char *name, profi_await_look look, void *user);

/* Whether there is one to be asked; and asks each of them: PROF_E_BUSY means not yet.  One thread at a time. */
int profi_awaited_any(void);
void profi_awaited_look(void);

/* One that is not there, and why; 0: it is, or there is no such number. */
typedef struct profi_awaited_view {
    char name[PROFI_AWAITED_NAME_ROOM];
    char reason[PROFI_AWAITED_REASON];
} profi_awaited_view;
int profi_awaited_at(unsigned number, profi_awaited_view *view);

/* Around a fork. */
void profi_awaited_lock(void);
void profi_awaited_unlock(void);

#endif
