/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uses the whole API once, for alloc_sweep: any call may fail, none may do
 * harm, and what fails says why.  Prints the number of allocations last.
 */
#include <profcore/snapshot.h>

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static int problems;

/* A failure is fine, silence about it is not. */
static int succeeded(prof_status status, const prof_error *err)
{
    if (status != PROF_OK && (err->status != status || err->message[0] == '\0')) {
        printf("a failure without a message: %s\n", prof_status_name(status));
        problems++;
    }
    return status == PROF_OK;
}

static int read_ticks(void *ticks, uint64_t *value)
{
    *value = ++*(uint64_t *)ticks;
    return 0;
}

static void add_probe(void)
{
    static uint64_t ticks;
    prof_error err = PROF_ERROR_INIT;
    prof_probe probe = PROF_PROBE_INIT;
    uint32_t flag = PROF_SITE_OWN(0);
    probe.name = "ticks";
    probe.unit = "ticks";
    probe.read = read_ticks;
    probe.user = &ticks;
    succeeded(prof_probe_add(&probe, &flag, &err), &err);
}

static void *work(void *unused)
{
    PROF_FUNCTION_WITH(PROF_SITE_SAVE | PROF_SITE_RSS | PROF_SITE_WAIT | PROF_SITE_OWN(0));
    PROF_COUNTER("rounds to do", 30);
    for (int i = 0; i < 30; i++) {
        PROF_BLOCK("loop");
        PROF_ITEMS_UNIT(1, "rounds");
    }
    return unused;
}

/* A file in memory that is not allocated. */
typedef struct kept_file {
    size_t bytes;
    char data[1 << 16];
} kept_file;

static int take_bytes(void *user, const void *data, size_t bytes)
{
    kept_file *file = user;
    if (bytes > sizeof(file->data) - file->bytes)
        return EFBIG;
    memcpy(file->data + file->bytes, data, bytes);
    file->bytes += bytes;
    return 0;
}

/* Written, read back, merged with itself, and less our own cost. */
static void use_files(const prof_snapshot *snapshot)
{
    static const char *const formats[] = { "txt", "prof", "json" };
    prof_error err = PROF_ERROR_INIT;
    for (int i = 0; i < 3; i++) {
        static kept_file file;
        prof_snapshot *again, *made;
        file.bytes = 0;
        if (!succeeded(prof_snapshot_write(snapshot, formats[i], NULL, take_bytes, &file, &err), &err) || i == 0)
            continue;
        if (!succeeded(prof_snapshot_read(file.data, file.bytes, formats[i], &again, &err), &err)) {
            /* The file is not to blame. */
            problems += err.status != PROF_E_NO_MEMORY;
            printf("%s", err.status != PROF_E_NO_MEMORY ? err.message : "");
            continue;
        }
        const prof_snapshot *both[] = { again, snapshot };
        if (succeeded(prof_snapshot_merge(both, 2, &made, &err), &err))
            prof_snapshot_close(made);
        if (i == 2 && succeeded(prof_snapshot_subtract_cost(again, &made, &err), &err))
            prof_snapshot_close(made);
        prof_snapshot_close(again);
    }
}

int main(void)
{
    prof_error err = PROF_ERROR_INIT;
    prof_snapshot *snapshot, *subtree;
    pthread_t thread;
    prof_site *site;
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES; /* prof_save() writes them, and no other thread, so that the count is the same each time */
    options.save_if = "late>1ns";
    options.max_files = 20;
    add_probe();
    if (!succeeded(prof_start(&options, &err), &err))
        goto out;
    work(NULL);
    if (pthread_create(&thread, NULL, work, NULL) == 0)
        pthread_join(thread, NULL);
    if (succeeded(prof_site_get("late", SIZE_MAX, NULL, 0, 0, &site, &err), &err))
        prof_end(prof_begin(site));
    if (succeeded(prof_site_get("ruled in code", SIZE_MAX, NULL, 0, PROF_SITE_SAVE_IF, &site, &err), &err) &&
        succeeded(prof_site_save_if(site, 0, 1, &err), &err))
        prof_end(prof_begin(site));
    if (succeeded(prof_snapshot_take(&snapshot, &err), &err)) {
        use_files(snapshot);
        if (succeeded(prof_snapshot_subtree(snapshot, 0, &subtree, &err), &err))
            prof_snapshot_close(subtree);
        prof_snapshot_close(snapshot);
    }
    if (!succeeded(prof_save(&err), &err))
        fprintf(stderr, "cannot save: %s\n", err.message);
    if (!succeeded(prof_stop(&err), &err))
        fprintf(stderr, "cannot stop: %s\n", err.message);
out:;
    long *seen = (long *)dlsym(RTLD_DEFAULT, "fail_alloc_seen");
    char line[32];
    int length = snprintf(line, sizeof(line), "%ld\n", seen ? *seen : -1L);
    fflush(stdout);
    fwrite(line, 1, (size_t)length, stdout);
    return problems != 0 || seen == NULL;
}
