/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is under the library, made to fail: the linker puts faults.c in front
 * of the functions that it wraps (--wrap), for this program's objects and
 * the library's, under a sanitizer too.
 */
#ifndef FAULTS_H
#define FAULTS_H

/* Which functions count, and fail. */
typedef enum fault_kind { FAULT_HEAP, FAULT_REGION, FAULT_SYSTEM } fault_kind;

/* As `error`: a write takes only half of what it is given. */
#define FAULT_SHORT (-1)

/* From here on the n-th call of this kind fails with `error`, or it and all after it; 0: none, they are only counted. */
void faults_arm(fault_kind kind, long n, int error, int for_good);

/* How many calls of the kind there were since; and the name of the first that failed, or NULL. */
long faults_disarm(void);
const char *faults_first(void);

#endif
