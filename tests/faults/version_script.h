/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a test that claims to cover the whole API does: what the library
 * exports stands in its version script, what the test covers in its table.
 */
#ifndef TEST_VERSION_SCRIPT_H
#define TEST_VERSION_SCRIPT_H

#include <stdio.h>
#include <string.h>

/* Names that `covers` does not know, printed as lacking a row in `table`; their number, -1 without a script to read. */
static int version_script_lacking(const char *path, int (*covers)(const char *name), const char *table)
{
    char line[256], name[128];
    int lacking = 0, listed = 0;
    FILE *script = fopen(path, "r");
    if (script == NULL)
        return -1;
    while (fgets(line, sizeof(line), script) != NULL) {
        if (sscanf(line, " %127[a-z0-9_];", name) != 1 || strncmp(name, "prof_", 5) != 0)
            continue;
        listed++;
        if (covers(name))
            continue;
        printf("# %s has no row in %s: give it one\n", name, table);
        lacking++;
    }
    fclose(script);
    return listed != 0 ? lacking : -1;
}

#endif
