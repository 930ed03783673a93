/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that makes dumps when something happens: a scope exceeds its
 * limit, a signal arrives, the process crashes.  There is none, and no signal
 * handler, unless one of these was asked for.
 */
#ifndef PROFI_WATCH_H
#define PROFI_WATCH_H

#include "config.h"

/* Starts what the configuration asks for; again: its new limits.  Under the recorder's lock. */
prof_status profi_watch_start(const profi_config *config, prof_error *err);

/* In a forked child: the thread is the parent's, and so are its limits; signals get their old actions back. */
void profi_watch_forget(void);

/* Whether there is the thread, and it is another one than this. */
int profi_watch_can_help(int32_t tid);

/* From the handler of a crash: wakes the thread for the timeline, and whether it has answered by now. */
void profi_watch_crashed(void);
int profi_watch_has_answered(void);

/* Takes the signals of a crash; once.  In a forked child they get their old actions back. */
prof_status profi_crash_start(const profi_config *config, prof_error *err);
void profi_crash_forget(void);

/* On the watch's thread: the timeline that belongs to the text which the handler has written. */
void profi_crash_write_timeline(void);

#endif
