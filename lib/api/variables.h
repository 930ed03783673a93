/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PROFCORE_ variables that there are: each is one row, and a function
 * that reads its value.  environment.c looks which of them are set.
 */
#ifndef PROFI_VARIABLES_H
#define PROFI_VARIABLES_H

#include "config.h"

/* How what a variable sets is shown: as it would be written. */
typedef enum profi_shown {
    PROFI_SHOWN_NOT, /* there is nothing to show where it is not set */
    PROFI_SHOWN_TEXT, PROFI_SHOWN_NUMBER, PROFI_SHOWN_LONG_NUMBER, PROFI_SHOWN_SIZE, PROFI_SHOWN_SWITCH,
    PROFI_SHOWN_FORMATS, PROFI_SHOWN_MODE, PROFI_SHOWN_WHEN_FULL, PROFI_SHOWN_CLOCK,
} profi_shown;

typedef struct profi_variable {
    const char *name;
    /* Changes nothing where it fails; why says what is wrong with the value, without naming the variable. */
    prof_status (*set)(profi_config *config, const char *value, prof_error *why);
    profi_shown shown;
    size_t offset; /* of it, in profi_config */
    int is_complained_of; /* of a bad value somebody else has told by then: who looks when the library is loaded */
} profi_variable;

extern const profi_variable profi_variables[];
extern const size_t profi_variable_count;

/* Reads all that are set into the configuration.  A bad one is ignored, as is an unknown name; `reports`: and reported. */
void profi_environment_load(profi_config *config, int reports);

#endif
