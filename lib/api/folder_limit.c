/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting and removing our own files: see folder_limit.h.
 *
 * The one place of the library that removes a finished file, so the rule is
 * strict.  A file counts as ours if its name is one that file_set.c could
 * have given, <stem>_<unix seconds>[_pid<N>][-<N>].<format>, and it is a regular
 * file of this user with one link and mode 0600, as ours are made.  A set is
 * removed only if that holds for each file of its stem, each shows the mark of
 * its format (format/writer.c) when it is opened, without following links, and
 * none has changed between these looks.  A file that somebody else put there,
 * edited, linked, or gave another mode keeps its whole set.
 *
 * Other processes may add and remove meanwhile: what has vanished is not
 * missed, and one look at the folder is all that a save takes.
 */
#include "folder_limit.h"

#include "../base/array.h"
#include "../base/error.h"
#include "../base/publish.h"
#include "../record/kept.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct found_file {
    char *name;
    size_t stem_bytes;
    const profi_writer *format;
    profi_identity identity;
    uint64_t bytes;
    int is_ours; /* as far as its name and its owner tell */
} found_file;

/* Files of one stem: neighbours in the listing. */
typedef struct found_set {
    found_file *first;
    size_t count;
    uint64_t files, bytes; /* ours among them */
    profi_identity newest;
    int is_removable;
} found_set;

typedef struct listing {
    found_file *files;
    size_t file_count, file_room;
    found_set *sets;
    size_t set_count;
    uint64_t total_files, total_bytes, fixed_files, fixed_bytes; /* fixed: not removable */
} listing;

/* ---- names ---- */

/* Steps back over digits; NULL when there are none. */
static const char *before_digits(const char *first, const char *end)
{
    const char *at = end;
    while (at > first && at[-1] >= '0' && at[-1] <= '9')
        at--;
    return at < end ? at : NULL;
}

/* Whether text of this length is a stem as file_set.c makes them. */
static int is_stem(const char *stem, size_t bytes)
{
    const char *end = stem + bytes, *at = before_digits(stem, end);
    for (size_t i = 0; i < bytes; i++)
        if (!((stem[i] >= 'A' && stem[i] <= 'Z') || (stem[i] >= 'a' && stem[i] <= 'z') ||
              (stem[i] >= '0' && stem[i] <= '9') || stem[i] == '_' || stem[i] == '-' || (stem[i] == '.' && i != 0)))
            return 0;
    if (at != NULL && at > stem && at[-1] == '-') { /* -2 */
        end = at - 1;
        at = before_digits(stem, end);
    }
    if (at != NULL && at - stem > 4 && memcmp(at - 4, "_pid", 4) == 0) {
        end = at - 4;
        at = before_digits(stem, end);
    }
    /* Unix seconds since 2001 have ten digits, for 260 years. */
    return at != NULL && end - at == 10 && at - stem > 1 && at[-1] == '_';
}

static int read_name(const char *name, found_file *file)
{
    file->format = profi_writer_of_file(name, &file->stem_bytes);
    return file->format != NULL && is_stem(name, file->stem_bytes);
}

/* ---- the listing ---- */

static void free_listing(listing *l)
{
    for (size_t i = 0; i < l->file_count; i++)
        free(l->files[i].name);
    free(l->files);
    free(l->sets);
}

static int has_stem(const found_file *file, const char *stem)
{
    return strlen(stem) == file->stem_bytes && memcmp(stem, file->name, file->stem_bytes) == 0;
}

static int add_file(listing *l, int folder, const char *name, const char *replaced)
{
    struct stat status;
    found_file file = { 0 };
    if (!read_name(name, &file) || fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return 1;
    if (!profi_array_grow(&l->files, &l->file_room, l->file_count, sizeof(*l->files)))
        return 0;
    file.name = strdup(name);
    if (file.name == NULL)
        return 0;
    file.identity = profi_identity_of_stat(&status);
    file.bytes = (uint64_t)status.st_size;
    file.is_ours = S_ISREG(status.st_mode) && (status.st_mode & 07777) == 0600 && status.st_nlink == 1 &&
                   status.st_uid == geteuid();
    if (has_stem(&file, replaced))
        free(file.name);
    else
        l->files[l->file_count++] = file;
    return 1;
}

static prof_status list_files(listing *l, int folder, const char *replaced, prof_error *err)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
    if (entries == NULL) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        return profi_fail_errno(err, error, "cannot list the folder to keep it within its limits");
    }
    int ok = 1;
    for (const struct dirent *entry; ok && (entry = readdir(entries)) != NULL;)
        ok = add_file(l, folder, entry->d_name, replaced);
    closedir(entries);
    return ok ? PROF_OK : profi_fail(err, PROF_E_NO_MEMORY, "no memory to list the folder's %zu files", l->file_count);
}

static int compare_stems(const void *a, const void *b)
{
    const found_file *x = a, *y = b;
    size_t shorter = x->stem_bytes < y->stem_bytes ? x->stem_bytes : y->stem_bytes;
    int order = memcmp(x->name, y->name, shorter);
    return order != 0 ? order : (x->stem_bytes > y->stem_bytes) - (x->stem_bytes < y->stem_bytes);
}

static void copy_stem(char stem[256], const found_file *file)
{
    memcpy(stem, file->name, file->stem_bytes); /* a name has 255 bytes at most */
}

static int is_older(const profi_identity *a, const profi_identity *b)
{
    return a->modified_s != b->modified_s ? a->modified_s < b->modified_s : a->modified_ns < b->modified_ns;
}

/* A file system's clock may be too coarse to tell: of sets of one time the lower number is the older. */
static int compare_ages(const void *a, const void *b)
{
    const found_set *x = a, *y = b;
    char one[256] = "", other[256] = "";
    int order = is_older(&y->newest, &x->newest) - is_older(&x->newest, &y->newest);
    if (order != 0)
        return order;
    copy_stem(one, x->first);
    copy_stem(other, y->first);
    return strverscmp(one, other);
}

static void add_to_set(found_set *set, const found_file *file)
{
    set->count++;
    set->is_removable &= file->is_ours;
    if (is_older(&set->newest, &file->identity))
        set->newest = file->identity;
    set->files += (uint64_t)file->is_ours;
    set->bytes += file->is_ours ? file->bytes : 0;
}

/* Groups the files by stem, oldest set first, and sums up. */
static prof_status make_sets(listing *l, int (*is_current)(const char *stem), prof_error *err)
{
    l->sets = calloc(l->file_count + 1, sizeof(*l->sets));
    if (l->sets == NULL)
        return profi_fail(err, PROF_E_NO_MEMORY, "no memory to list the folder's %zu files", l->file_count);
    if (l->file_count != 0)
        qsort(l->files, l->file_count, sizeof(*l->files), compare_stems);
    for (size_t i = 0; i < l->file_count; i++) {
        if (i == 0 || compare_stems(&l->files[i - 1], &l->files[i]) != 0) {
            char stem[256] = "";
            copy_stem(stem, &l->files[i]);
            l->sets[l->set_count++] = (found_set){ .first = &l->files[i], .is_removable = !is_current(stem) };
        }
        add_to_set(&l->sets[l->set_count - 1], &l->files[i]);
    }
    qsort(l->sets, l->set_count, sizeof(*l->sets), compare_ages);
    for (size_t i = 0; i < l->set_count; i++) {
        const found_set *set = &l->sets[i];
        l->total_files += set->files;
        l->total_bytes += set->bytes;
        l->fixed_files += set->is_removable ? 0 : set->files;
        l->fixed_bytes += set->is_removable ? 0 : set->bytes;
    }
    return PROF_OK;
}

/* ---- removing ---- */

/* Whether the format's mark stands where it should. */
static int has_mark(int fd, const profi_writer *format)
{
    enum { MOST_BYTES = 64 << 20 };
    unsigned char data[16384];
    size_t carried = 0;
    for (off_t at = 0; at < MOST_BYTES;) {
        ssize_t got = pread(fd, data + carried, sizeof(data) - carried, at);
        if (got <= 0)
            return 0;
        size_t held = carried + (size_t)got;
        if (format->mark[0] != '\n')
            return held >= format->mark_bytes && memcmp(data, format->mark, format->mark_bytes) == 0;
        if (memmem(data, held, format->mark, format->mark_bytes) != NULL)
            return 1;
        carried = held < format->mark_bytes ? held : format->mark_bytes - 1;
        memmove(data, data + held - carried, carried);
        at += got;
    }
    return 0;
}

/* Whether the file is still the one that was listed, and shows that it is ours; `is_gone` where there is none any more. */
static int is_proven(int folder, const found_file *file, int *is_gone)
{
    struct stat status;
    int fd = openat(folder, file->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    *is_gone = fd < 0 && errno == ENOENT;
    if (fd < 0)
        return 0;
    int is_same = 0;
    if (fstat(fd, &status) == 0) {
        profi_identity now = profi_identity_of_stat(&status);
        is_same = profi_identity_equal(&now, &file->identity) && S_ISREG(status.st_mode) && status.st_nlink == 1;
    }
    int proven = is_same && file->format->mark != NULL && has_mark(fd, file->format);
    close(fd);
    return proven;
}

/* Removes a set, or leaves it where one of its files is in doubt.  What is gone counts as removed, but not by us. */
static void remove_set(listing *l, int folder, const found_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        int is_gone = 0;
        if (!is_proven(folder, &set->first[i], &is_gone) && !is_gone)
            return;
    }
    for (size_t i = 0; i < set->count; i++) {
        const found_file *file = &set->first[i];
        profi_identity now;
        int error = profi_identity_of(folder, file->name, &now);
        if (error == 0 && !profi_identity_equal(&now, &file->identity))
            continue;
        if (error == 0)
            error = unlinkat(folder, file->name, 0) == 0 ? 0 : errno;
        if (error == 0)
            profi_kept_note(PROFI_KEPT_FILE_REMOVED, 1);
        if (error == 0 || error == ENOENT) {
            l->total_files--;
            l->total_bytes -= file->bytes;
        }
    }
}

static int has_room(const profi_config *config, const profi_folder_need *need, uint64_t files, uint64_t bytes)
{
    return (config->max_files == 0 || files + need->files <= config->max_files) &&
           (config->max_bytes == 0 || bytes + need->bytes <= config->max_bytes);
}

prof_status profi_folder_make_room(int folder, const profi_config *config, const profi_folder_need *need,
                                   int (*is_current)(const char *stem), prof_error *err)
{
    listing l = { 0 };
    if (config->max_files == 0 && config->max_bytes == 0)
        return PROF_OK;
    prof_status status = list_files(&l, folder, need->replaced, err);
    if (status == PROF_OK)
        status = make_sets(&l, is_current, err);
    if (status == PROF_OK) {
        /* Nothing is removed for a set that would not fit all the same. */
        int may_remove = !config->stops_when_full &&
                         (need->is_must || has_room(config, need, l.fixed_files, l.fixed_bytes));
        for (size_t i = 0; may_remove && i < l.set_count && !has_room(config, need, l.total_files, l.total_bytes); i++)
            if (l.sets[i].is_removable)
                remove_set(&l, folder, &l.sets[i]);
        if (!has_room(config, need, l.total_files, l.total_bytes))
            status = profi_fail(err, PROF_E_LIMIT, "the folder \"%.300s\" is full: %llu files, %llu bytes",
                                config->directory, (unsigned long long)l.total_files, (unsigned long long)l.total_bytes);
    }
    free_listing(&l);
    return need->is_must ? PROF_OK : status;
}
