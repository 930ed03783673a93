/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many threads the libraries underneath use, and how those wait.
 *
 * OpenMP and BLAS read their settings from the environment while they are
 * loaded, which is before main(): settings that are missing are put there
 * and the program starts itself anew, once.
 */
#ifndef RAG_SERVICE_THREADS_H
#define RAG_SERVICE_THREADS_H

#include <profcore/prof.h>

/*
 * Call it first in main().  Sets OMP_WAIT_POLICY=passive unless it is set:
 * threads that wait actively, on cores that others need, make a run 10 to 20
 * times slower.  Sets OMP_NUM_THREADS and OPENBLAS_NUM_THREADS to `threads`,
 * or to 1 where they are not set.
 *
 *   threads  From the command line; 0 when it does not say.
 *   argv     To start again with.
 *   returns  When the environment is as it shall be, or the program could not
 *            be started anew, which costs speed only.
 */
void threads_prepare(unsigned threads, char **argv);

/* Tells libtorch; call it before the first model runs. */
prof_status threads_apply(unsigned threads, prof_error *err);

#endif
