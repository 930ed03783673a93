/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a file with 256 MiB of address space and a stack of 256 KiB, and
 * says what came of it.
 *
 *     bomb_main FILE
 */
#include <profcore/snapshot.h>

#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>

static const char *path;

static void *read_it(void *unused)
{
    prof_error err = PROF_ERROR_INIT;
    prof_snapshot *snapshot = NULL;
    prof_status status = prof_snapshot_read_file(path, &snapshot, &err);
    printf("%s %s\n", prof_status_name(status), status == PROF_OK ? "" : err.message);
    prof_snapshot_close(snapshot);
    return unused;
}

int main(int argc, char **argv)
{
    const struct rlimit space = { (rlim_t)256 << 20, (rlim_t)256 << 20 };
    pthread_attr_t attributes;
    pthread_t thread;
    if (argc != 2)
        return 2;
    path = argv[1];
    pthread_attr_init(&attributes);
    if (setrlimit(RLIMIT_AS, &space) != 0 || pthread_attr_setstacksize(&attributes, (size_t)256 << 10) != 0 ||
        pthread_create(&thread, &attributes, read_it, NULL) != 0)
        return 77;
    pthread_join(thread, NULL);
    return 0;
}
