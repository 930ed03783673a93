/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of what is written: each case in a child process with an empty
 * working folder of its own, since a process has one recorder.
 */
#ifndef TEST_FOLDER_H
#define TEST_FOLDER_H

#include "harness.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/wait.h>
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

/* Runs a body in a child, in a new empty working folder; its checks decide. */
static inline void in_child(void (*body)(void))
{
    char folder[] = "/tmp/profcore-test-XXXXXX";
    REQUIRE(mkdtemp(folder) != NULL);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (chdir(folder) != 0)
            _exit(2);
        body();
        fflush(stdout);
        _exit(test_failed);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    CHECK_I64(system(command), 0);
}

#endif
