/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads profiles, merges them where there are several, and writes the result
 * to stdout, for a checker to compare.
 *
 *     convert_main FORMAT FILE...
 *
 * FORMAT "less" stands for "json" with our own cost subtracted.
 */
#include <profcore/snapshot.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int write_bytes(void *file, const void *data, size_t bytes)
{
    return fwrite(data, 1, bytes, file) == bytes ? 0 : 5;
}

int main(int argc, char **argv)
{
    prof_error err = PROF_ERROR_INIT;
    int is_less = argc > 1 && strcmp(argv[1], "less") == 0;
    size_t count = argc > 2 ? (size_t)argc - 2 : 0;
    prof_snapshot **snapshots = calloc(count + 1, sizeof(prof_snapshot *)), *merged = NULL;
    int failed = snapshots == NULL || count == 0;
    for (size_t i = 0; i < count && !failed; i++)
        failed = prof_snapshot_read_file(argv[i + 2], &snapshots[i], &err) != PROF_OK;
    if (!failed && is_less)
        failed = prof_snapshot_subtract_cost(snapshots[0], &merged, &err) != PROF_OK;
    else if (!failed && count > 1)
        failed = prof_snapshot_merge((const prof_snapshot *const *)snapshots, count, &merged, &err) != PROF_OK;
    if (!failed)
        failed = prof_snapshot_write(merged != NULL ? merged : snapshots[0], is_less ? "json" : argv[1], NULL,
                                     write_bytes, stdout, &err) != PROF_OK;
    if (failed)
        fprintf(stderr, "%s: %s\n", prof_status_name(err.status), err.message);
    prof_snapshot_close(merged);
    for (size_t i = 0; i < count; i++)
        prof_snapshot_close(snapshots[i]);
    free(snapshots);
    return failed || fflush(stdout) != 0;
}
