/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream mode: a thread brings full chunks to a file, <name>_<time>.stream,
 * with PROFCORE_MODE=stream, or to a pipe, a socket or a FIFO, with
 * PROFCORE_STREAM, so that nothing is lost while they are taken.  Nobody who
 * records waits for it: where it falls behind, the rings lose their oldest
 * chunks, counted, as they do without it.
 *
 * What is next to be written lies in a buffer, under a lock that nobody holds
 * while there is no room at the other end.  So who ends the process may go on
 * where the thread is, and does not wait for a reader that does not read.
 */
#ifndef PROFI_STREAMER_H
#define PROFI_STREAMER_H

#include "config.h"

/* How long profi_streamer_flush() waits for a reader at most. */
enum { PROFI_STREAMER_PATIENCE_MS = 2000 };

/* Opens where events go and starts the thread; again: does nothing. */
prof_status profi_streamer_start(const profi_config *config, prof_error *err);

/*
 * All events of the run: those in the rings, and those of the stream, where it is a file.  What went elsewhere counts
 * as lost.
 */
prof_status profi_streamer_events(const char *run_name, profi_events **events, prof_error *err);

/*
 * For a dump: see profi_events_open_dump().  Of the stream only the count is
 * there, which is exact unless the streamer writes one chunk for longer than a
 * dump can wait.
 */
prof_status profi_streamer_dump_events(const profi_open_stacks *stacks, uint64_t window_ns, profi_events **events,
                                       prof_error *err);

/*
 * Brings what the rings hold, and what each thread has issued, to who reads a
 * pipe.  Waits for it PROFI_STREAMER_PATIENCE_MS at most, with none of the
 * library's locks held.
 */
void profi_streamer_flush(void);

/* The same at the end of the process, with the end; also to a file, unless all has been saved and it goes. */
void profi_streamer_finish(int is_saved);

/* Behind that, under all locks of the recorder: nothing is written any more. */
void profi_streamer_end(int is_saved);

/* Around fork(), innermost but for those of the record; in the child all of this is the parent's. */
void profi_streamer_lock(void);
void profi_streamer_unlock(void);
void profi_streamer_forget(void);

#endif
