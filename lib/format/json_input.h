/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads JSON that anybody may have written.
 *
 * The text becomes one array of values, each with its place in the text and
 * the place of the value behind it: 16 bytes a value, no recursion, and
 * nothing is decoded that is not asked for.  Fields are checked one by one and
 * the first failure is remembered, so that readers ask once at the end.
 *
 * jansson, with which summaries are written, does not do here: it recurses,
 * takes up to 45 bytes for one of text, and drops characters when memory is
 * spent.
 */
#ifndef PROFI_JSON_INPUT_H
#define PROFI_JSON_INPUT_H

#include "reader.h"

typedef enum profi_json_kind {
    PROFI_JSON_NULL,
    PROFI_JSON_BOOL,
    PROFI_JSON_NUMBER,
    PROFI_JSON_TEXT,
    PROFI_JSON_ARRAY,
    PROFI_JSON_OBJECT
} profi_json_kind;

/* What an array or object holds stands behind it, an object's members as a key and a value in turn. */
typedef struct profi_json_value {
    uint32_t kind;
    uint32_t begin, end; /* in the text; of text, without the quotes; of arrays and objects, the number of values in it */
    uint32_t next;       /* values from here to the one behind it and all in it */
} profi_json_value;

/* Where reading stands.  After the first failure every function here finds nothing. */
typedef struct profi_json {
    const profi_input *input;
    profi_builder *builder;
    prof_error *err;
    prof_status status;
    profi_json_value *values; /* the first is the whole */
    uint32_t value_count, value_room;
    char where[48];                  /* what stands before a key in messages: "functions[3]." */
    uint32_t histogram_count; /* that were read */
    const profi_json_value *reasons; /* of the object that is being read, under "unavailable" */
} profi_json;

/* Parses the whole input into `values`; drop them with profi_json_fini(), also after a failure. */
prof_status profi_json_init(profi_json *json, const profi_input *input, profi_builder *builder, prof_error *err);
void profi_json_fini(profi_json *json);

/* Remembers a failure: "FILE: functions[3].calls is negative". */
void profi_json_fail(profi_json *json, const char *key, const char *problem);

/* Whether neither the file nor memory has failed so far. */
int profi_json_is_ok(const profi_json *json);

/*
 * The elements of an array in turn: begin with NULL; NULL at the end, of no
 * array, and after a failure.  profi_json_next_object() wants objects, and
 * sets `where` to the one it gives.
 */
const profi_json_value *profi_json_next(profi_json *json, const profi_json_value *array, const profi_json_value *last);
const profi_json_value *profi_json_next_object(profi_json *json, const char *key, const profi_json_value *array,
                                               const profi_json_value *last, uint32_t *index);

/* How many elements an array has; 0 for NULL. */
uint32_t profi_json_size(const profi_json_value *array);

/*
 * Fields of an object.  A field that is missing or null, or whose object is
 * NULL, gives 0 or NULL and leaves the result alone; so does one of the wrong
 * kind, which is a failure.
 */

/* A count up to `most`: a whole number, or its digits as text. */
int profi_json_count(profi_json *json, const profi_json_value *object, const char *key, uint64_t most, uint64_t *count);

/* The same of any size, which must be there. */
void profi_json_need_count(profi_json *json, const profi_json_value *object, const char *key, uint64_t *count);

/* The same of a value that is no field; `key` is for messages. */
int profi_json_to_count(profi_json *json, const char *key, const profi_json_value *value, uint64_t most, uint64_t *count);

int profi_json_signed(profi_json *json, const profi_json_value *object, const char *key, int64_t *number);
int profi_json_real(profi_json *json, const profi_json_value *object, const char *key, double *number);
int profi_json_bool(profi_json *json, const profi_json_value *object, const char *key, int *yes);

/* Text, cleaned, of the snapshot's own. */
const char *profi_json_text(profi_json *json, const profi_json_value *object, const char *key);

/* Whether a field is just this text. */
int profi_json_is_text(profi_json *json, const profi_json_value *object, const char *key, const char *text);

/* Why a field is null, by the object's own account. */
const char *profi_json_reason(profi_json *json, const char *key);

const profi_json_value *profi_json_object(profi_json *json, const profi_json_value *object, const char *key);
const profi_json_value *profi_json_array(profi_json *json, const profi_json_value *object, const char *key);

#endif
