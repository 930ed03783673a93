/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profcore doctor: a list of rows, one for each thing that was looked at.
 * doctor.c prints it; the doctor_*.c files fill it, each for one subject.
 */
#ifndef DOCTOR_H
#define DOCTOR_H

#include <stddef.h>

typedef enum doctor_state { DOCTOR_OK, DOCTOR_WARN, DOCTOR_NO } doctor_state;

typedef struct doctor_list doctor_list;

/*
 * Adds a row.  `remedy` is what to do about it, or NULL.  `finding` is what
 * was seen, and for what does not work, why.
 */
__attribute__((format(printf, 5, 6)))
void doctor_add(doctor_list *list, doctor_state state, const char *name, const char *remedy, const char *finding, ...);

/* The same for what recording cannot do without: DOCTOR_NO makes the exit status 1. */
__attribute__((format(printf, 5, 6)))
void doctor_add_essential(doctor_list *list, doctor_state state, const char *name, const char *remedy, const char *finding,
                          ...);

/* Reads a small file as text without its last newline; 0 when it cannot be had or is empty. */
int doctor_read(const char *path, char *text, size_t room);

void doctor_check_library(doctor_list *list); /* the library, the clock, what a scope costs, the variables */
void doctor_check_system(doctor_list *list);  /* memory, limits, /proc, folders, perf */
/* Dumps, in a recorder that may be started, into the folder `scratch`, which is removed; NULL: there is none. */
void doctor_check_dumps(doctor_list *list, const char *scratch);
void doctor_check_triggers(doctor_list *list); /* signals, crashes, files while a program runs, the control socket */
void doctor_check_extras(doctor_list *list);  /* torch, CUDA, NVTX, viewers: found at run time, or not */

#endif
