/* SPDX-License-Identifier: Apache-2.0 */
/* Growing arrays: see array.h. */
#include "array.h"

#include <stdlib.h>
#include <string.h>

int profi_array_grow(void *array_at, size_t *room, size_t count, size_t element_bytes)
{
    enum { FEWEST = 64 };
    void *array;
    if (count < *room)
        return 1;
    memcpy(&array, array_at, sizeof(array));
    size_t wanted = *room ? *room * 2 : FEWEST;
    void *larger = reallocarray(array, wanted, element_bytes);
    if (larger == NULL)
        return 0;
    memcpy(array_at, &larger, sizeof(larger));
    *room = wanted;
    return 1;
}
