/* SPDX-License-Identifier: Apache-2.0 */
/* The probes that come with the library: each adds its rows to the probe table.  Once, before the first scope. */
#ifndef PROFI_PROBES_H
#define PROFI_PROBES_H

#include <stdint.h>

void profi_rss_install(void);

/* Resident memory now; 0 when it cannot be read. */
struct profi_reading;
int profi_rss_read(struct profi_reading *reading);

/* Reads it and remembers it for the scopes that are open; the bytes, or 0.  One caller at a time. */
uint64_t profi_rss_sample(void);

void profi_thread_install(void);
void profi_cgroup_install(void);

/* In a forked child, whose one thread has counts of its own. */
void profi_thread_forget(void);

#endif
