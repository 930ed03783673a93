/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream mode, PROFCORE_MODE=stream: a thread brings full chunks to a file,
 * <name>_<time>.stream, so that nothing is lost while the disk keeps up.
 * Nobody who records waits for it: where it falls behind, the rings lose
 * their oldest chunks, counted, as they do without it.
 */
#ifndef PROFI_STREAMER_H
#define PROFI_STREAMER_H

#include "config.h"

/* Makes the file and starts the thread; again: does nothing. */
prof_status profi_streamer_start(const profi_config *config, prof_error *err);

/* All events of the run: those of the stream, where there is one, and those in the rings. */
prof_status profi_streamer_events(const char *run_name, profi_events **events, prof_error *err);

/*
 * For a dump: see profi_events_open_dump().  Of the stream only the count is
 * there, which is exact unless the streamer writes one chunk for longer than a
 * dump can wait.
 */
prof_status profi_streamer_dump_events(const profi_open_stacks *stacks, uint64_t window_ns, profi_events **events,
                                       prof_error *err);

/* At the end of the process: the thread writes nothing any more; the file goes where all has been saved. */
void profi_streamer_end(int is_saved);

/* In a forked child: file and thread are the parent's. */
void profi_streamer_forget(void);

#endif
