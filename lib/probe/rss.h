/* SPDX-License-Identifier: Apache-2.0 */
/* The probe of resident memory: its row in the probe table. */
#ifndef PROFI_RSS_H
#define PROFI_RSS_H

/* Fills the row PROFI_PROBE_RSS. */
void profi_rss_install(void);

#endif
