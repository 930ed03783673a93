/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of what is written: each case in a child process with an empty
 * working folder of its own, since a process has one recorder.
 */
#ifndef TEST_FOLDER_H
#define TEST_FOLDER_H

#define OWN_IN_CHILD
#include "child.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

/* The files in the folder, hidden ones too, in alphabetical order, one a line. */
static inline const char *list(const char *path)
{
    static char text[65536];
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    text[0] = '\0';
    for (int i = 0; i < count; i++) {
        if (strcmp(entries[i]->d_name, ".") != 0 && strcmp(entries[i]->d_name, "..") != 0)
            strcat(strcat(text, entries[i]->d_name), "\n");
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return text;
}

static inline unsigned count_lines(const char *text)
{
    unsigned lines = 0;
    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

static char folder_of_case[sizeof("/tmp/profcore-test-XXXXXX")];
static void (*body_of_case)(void);

static inline void run_in_folder(void)
{
    REQUIRE(chdir(folder_of_case) == 0);
    body_of_case();
}

/* Runs a body in a child, in a new empty working folder; its checks decide. */
static inline void in_child(void (*body)(void))
{
    char command[64];
    strcpy(folder_of_case, "/tmp/profcore-test-XXXXXX");
    REQUIRE(mkdtemp(folder_of_case) != NULL);
    body_of_case = body;
    in_child_within(run_in_folder, 0);
    snprintf(command, sizeof(command), "rm -rf %s", folder_of_case);
    CHECK_I64(system(command), 0);
}

#endif
