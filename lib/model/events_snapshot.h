/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROFI_EVENTS_SNAPSHOT_H
#define PROFI_EVENTS_SNAPSHOT_H

#include "events.h"
#include "snapshot.h"

/*
 * The snapshot of an event stream: calls, times, callers, paths, extremes and
 * histograms of its scopes, and its counters.  Of a recording of which no
 * event was lost, and whose scopes were all timed, it says what the run's own
 * says.  A scope that had not ended counts as a call with its time up to the
 * last event.  What is lost counts as lost.
 * `what` names the source in a
 * message.
 */
prof_status profi_snapshot_of_events(const profi_events *events, const char *what, prof_snapshot **snapshot, prof_error *err);

#endif
