/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays on the heap that grow by one element at a time. */
#ifndef PROFI_ARRAY_H
#define PROFI_ARRAY_H

#include "base.h"

/*
 * Makes room for one element more than `count`, doubling where there is none.
 * `array_at` is the address of the pointer to the array (NULL: none yet) and
 * `*room` the number of elements that it has room for.  0 when memory is
 * spent: the array is then as it was.
 */
int profi_array_grow(void *array_at, size_t *room, size_t count, size_t element_bytes);

#endif
