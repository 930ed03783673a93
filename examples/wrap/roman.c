/* SPDX-License-Identifier: Apache-2.0 */
#include "roman.h"

#include <string.h>

size_t roman_write(unsigned number, char *into, size_t room)
{
    static const struct {
        unsigned value;
        const char *digits;
    } steps[] = { { 1000, "M" }, { 900, "CM" }, { 500, "D" }, { 400, "CD" }, { 100, "C" }, { 90, "XC" }, { 50, "L" },
                  { 40, "XL" },  { 10, "X" },   { 9, "IX" },  { 5, "V" },    { 4, "IV" },  { 1, "I" } };
    size_t length = 0;
    if (number == 0 || number > 3999)
        return 0;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        for (; number >= steps[i].value; number -= steps[i].value) {
            const size_t digits = strlen(steps[i].digits);
            if (length + digits >= room)
                return 0;
            memcpy(into + length, steps[i].digits, digits);
            length += digits;
        }
    into[length] = '\0';
    return length;
}
