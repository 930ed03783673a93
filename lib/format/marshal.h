/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scans Python's marshal format, as far as profiles use it, one object at a
 * time: the caller knows which object must come next, so nothing recurses
 * and nothing is built that was not asked for.
 *
 * Versions 2 to 5 of the format: Python 2.5 and later, 3 included.  A
 * reference is followed by scanning its object again where it first stood;
 * each object that can be named has a place where the caller may keep what it
 * made of it.
 * Source of the format: Python's documentation and source of marshal.
 */
#ifndef PROFI_MARSHAL_H
#define PROFI_MARSHAL_H

#include "../base/base.h"
#include <profcore/prof.h>

typedef enum profi_marshal_kind {
    PROFI_MARSHAL_END,     /* of a dict's entries */
    PROFI_MARSHAL_INTEGER,
    PROFI_MARSHAL_FLOAT,
    PROFI_MARSHAL_TEXT,
    PROFI_MARSHAL_TUPLE,
    PROFI_MARSHAL_DICT,
    PROFI_MARSHAL_OTHER    /* what no profile holds */
} profi_marshal_kind;

typedef struct profi_marshal_object {
    profi_marshal_kind kind;
    size_t offset;      /* in the file, for messages */
    uint64_t integer;   /* magnitude; UINT64_MAX when it is that or more */
    int is_negative;
    double number;
    const char *text;   /* not terminated */
    uint32_t count;     /* bytes of text, elements of a tuple */
    uint32_t named;     /* number of what is kept for it, plus 1; 0: no reference can name it */
    size_t resume;      /* where scanning goes on behind a tuple or dict that a reference named; 0: it was in place */
} profi_marshal_object;

/* An object that references may name. */
typedef struct profi_marshal_named {
    size_t offset;
    uintptr_t kept; /* by the caller; 0: nothing yet */
} profi_marshal_named;

typedef struct profi_marshal_list {
    uint32_t *numbers; /* in `named` */
    size_t count, room;
} profi_marshal_list;

typedef struct profi_marshal {
    const unsigned char *data;
    size_t bytes, at;
    const char *what;
    unsigned replaying; /* inside an object that was scanned before: what it names is known */
    profi_marshal_named *named;
    size_t named_count, named_room;
    profi_marshal_list flagged;  /* what 'r' counts: since version 3, objects with a flag */
    profi_marshal_list interned; /* what 'R' counts: in version 2, interned texts */
} profi_marshal;

/* Whether the bytes begin as a dict of at least one tuple, or of none. */
int profi_marshal_begins_with_dict(const unsigned char *data, size_t bytes);

void profi_marshal_init(profi_marshal *marshal, const unsigned char *data, size_t bytes, const char *what);
void profi_marshal_fini(profi_marshal *marshal);

/*
 * Scans the next object: the whole of a scalar, the head of a tuple or dict,
 * whose elements come next; behind these the caller must leave it.
 */
prof_status profi_marshal_next(profi_marshal *marshal, profi_marshal_object *object, prof_error *err);

/* Goes on behind a tuple or dict whose elements were all scanned. */
void profi_marshal_leave(profi_marshal *marshal, const profi_marshal_object *object);

/* What the caller keeps for an object that references may name; NULL when none can. */
uintptr_t *profi_marshal_kept(profi_marshal *marshal, const profi_marshal_object *object);

#endif
