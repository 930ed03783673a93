/* SPDX-License-Identifier: Apache-2.0 */
/* The block of a table about what was sampled of processors and GPUs. */
#ifndef PROFI_TEXT_UTILIZATION_H
#define PROFI_TEXT_UTILIZATION_H

#include "../base/output.h"
#include "../model/snapshot.h"

/* Nothing where nobody asked for it. */
void profi_text_utilization(profi_output *out, const prof_snapshot *snapshot);

#endif
