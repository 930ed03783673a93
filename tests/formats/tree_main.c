/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Executes a call tree on the simulated clock and writes it in all formats,
 * for a checker to compare.  Commands on stdin, one a line:
 *
 *     b NAME   begin a scope      p NAME   phase: end it and begin NAME
 *     e        end it             + NS     let time pass
 *     i COUNT  items              t        the next lines run on a new thread
 *     j        … up to here
 *
 * NAME is a number, the function's line in "tree.py", or, behind '@', a name
 * without a file, or FILE|LINE|NAME.
 *
 *     tree_main FOLDER [MEMORY_BYTES [VIEW FLAGS SORT LIMIT...]]
 *
 * With a view it also writes profile.print.txt, through prof_snapshot_print().
 */
#include "base/clock.h"
#include <profcore/events.h>
#include <profcore/snapshot.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH = 100000 };

static uint64_t now_ns = 1;

static prof_site *site_of(const char *name)
{
    prof_site *site = NULL;
    prof_error err = PROF_ERROR_INIT;
    char text[256];
    const char *file = "tree.py", *function = text, *line = name;
    snprintf(text, sizeof(text), "f%s", name);
    char *bar = name[0] != '@' ? strchr(text, '|') : NULL;
    if (name[0] == '@') {
        file = NULL;
        function = name + 1;
        line = "0";
    } else if (bar != NULL) {
        *bar = '\0';
        file = text + 1;
        line = bar + 1;
        function = strchr(line, '|') + 1;
    }
    if (prof_site_get(function, SIZE_MAX, file, (uint32_t)atoi(line), 0, &site, &err) != PROF_OK &&
        err.status != PROF_E_NO_MEMORY) {
        fprintf(stderr, "tree_main: %s\n", err.message);
        exit(1);
    }
    /* With the cap reached there is no site: a fresh one is lost like any other. */
    static prof_site lost = PROF_SITE_INIT("lost", "tree.py", 0, 0);
    return site != NULL ? site : &lost;
}

static void *run(void *unused)
{
    prof_scope *scopes = calloc(DEPTH, sizeof(*scopes));
    size_t depth = 0;
    char line[8192];
    (void)unused;
    while (scopes != NULL && fgets(line, sizeof(line), stdin) != NULL && line[0] != 'j') {
        line[strcspn(line, "\n")] = '\0';
        pthread_t thread;
        switch (line[0]) {
        case 'b':
            scopes[depth++] = prof_begin(site_of(line + 2));
            break;
        case 'e':
            prof_end(scopes[--depth]);
            break;
        case 'p':
            scopes[depth - 1] = prof_phase(scopes[depth - 1], site_of(line + 2));
            break;
        case 'i':
            prof_items(strtoull(line + 2, NULL, 10), "rows");
            break;
        case '+':
            now_ns += strtoull(line + 2, NULL, 10);
            profi_clock_simulate(now_ns);
            break;
        case 't':
            if (pthread_create(&thread, NULL, run, NULL) == 0)
                pthread_join(thread, NULL);
            break;
        default:
            fprintf(stderr, "tree_main: unknown command \"%s\"\n", line);
            exit(1);
        }
    }
    free(scopes);
    return NULL;
}

static int write_bytes(void *file, const void *data, size_t bytes)
{
    return fwrite(data, 1, bytes, file) == bytes ? 0 : 5;
}

static prof_status print(const prof_snapshot *snapshot, const char *folder, int count, char **arguments, prof_error *err)
{
    prof_print_options options = PROF_PRINT_OPTIONS_INIT;
    char path[4096];
    snprintf(path, sizeof(path), "%s/profile.print.txt", folder);
    options.view = (uint32_t)atoi(arguments[0]);
    options.flags = (uint32_t)atoi(arguments[1]);
    options.sort = arguments[2];
    options.limits = (const char *const *)(arguments + 3);
    options.limit_count = (uint32_t)count - 3;
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return PROF_E_IO;
    prof_status status = prof_snapshot_print(snapshot, &options, write_bytes, file, err);
    return fclose(file) == 0 ? status : PROF_E_IO;
}

/* Where there are events; 0 on failure. */
static int write_timelines(const char *folder, prof_error *err)
{
    static const char *const formats[][2] = { { "pftrace", "pftrace" }, { "chrome", "trace.json" }, { "nvtxt", "nvtxt" } };
    prof_stats stats = PROF_STATS_INIT;
    char path[4096];
    prof_stats_get(&stats, NULL);
    for (size_t i = 0; stats.event_count != 0 && i < sizeof(formats) / sizeof(formats[0]); i++) {
        snprintf(path, sizeof(path), "%s/profile.%s", folder, formats[i][1]);
        FILE *file = fopen(path, "wb");
        if (file == NULL || prof_events_write(formats[i][0], write_bytes, file, err) != PROF_OK || fclose(file) != 0)
            return 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    static const char *const keys[] = { "calls", "cumtime", "cumulative", "file", "filename", "line", "module", "name",
                                        "ncalls", "nfl", "pcalls", "stdname", "time", "tottime" };
    prof_options options = PROF_OPTIONS_INIT;
    prof_error err = PROF_ERROR_INIT;
    prof_snapshot *snapshot = NULL;
    char path[4096];
    if (argc < 2)
        return 2;
    options.flags = PROF_NO_FILES;
    options.name = "tree";
    options.memory_bytes = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    profi_clock_simulate(now_ns);
    if (prof_start(&options, &err) != PROF_OK)
        goto fail;
    run(NULL);
    if (prof_stop(&err) != PROF_OK || prof_snapshot_take(&snapshot, &err) != PROF_OK)
        goto fail;
    static const char *const formats[] = { "prof", "json", "txt", "pprof", "collapsed", "callgrind" };
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        snprintf(path, sizeof(path), "%s/profile.%s", argv[1], formats[i]);
        if (prof_snapshot_write_file(snapshot, formats[i], path, &err) != PROF_OK)
            goto fail;
    }
    if (!write_timelines(argv[1], &err))
        goto fail;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        snprintf(path, sizeof(path), "%s/profile.%s.txt", argv[1], keys[i]);
        FILE *file = fopen(path, "wb");
        if (file == NULL || prof_snapshot_write(snapshot, "txt", keys[i], write_bytes, file, &err) != PROF_OK ||
            fclose(file) != 0)
            goto fail;
    }
    if (argc > 5 && print(snapshot, argv[1], argc - 3, argv + 3, &err) != PROF_OK)
        goto fail;
    prof_snapshot_close(snapshot);
    return 0;
fail:
    fprintf(stderr, "tree_main: %s\n", err.message);
    prof_snapshot_close(snapshot);
    return 1;
}
