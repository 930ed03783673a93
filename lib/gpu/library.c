/* SPDX-License-Identifier: Apache-2.0 */
/* See library.h. */
#include "library.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FOLDERS_MOST = 8 };

/* Folders of what is loaded that others of NVIDIA's libraries tend to lie beside. */
typedef struct neighbours {
    char folders[FOLDERS_MOST][PATH_MAX];
    unsigned count;
} neighbours;

static int note_neighbour(struct dl_phdr_info *library, size_t size, void *user)
{
    static const char *const known[] = { "libcudart.so", "libtorch_cuda.so", "libtorch_cpu.so" };
    neighbours *found = user;
    const char *path = library->dlpi_name, *slash = path != NULL ? strrchr(path, '/') : NULL;
    (void)size;
    for (size_t i = 0; slash != NULL && i < sizeof(known) / sizeof(*known); i++)
        if (strncmp(slash + 1, known[i], strlen(known[i])) == 0 && found->count < FOLDERS_MOST &&
            (size_t)(slash - path) < PATH_MAX)
            snprintf(found->folders[found->count++], PATH_MAX, "%.*s", (int)(slash - path), path);
    return 0;
}

static void *open_in(const char *folder, const char *below, const char *soname)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof(path), "%s/%s%s", folder, below, soname);
    return length > 0 && (size_t)length < sizeof(path) ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
}

static void *open_beside(const neighbours *around, const char *soname)
{
    /* A pip installation has its libraries in folders of their own. */
    static const char *const below[] = { "", "../../nvidia/cu13/lib/", "../../nvidia/cuda_cupti/lib/",
                                         "../../nvidia/cuda_runtime/lib/", "../../cuda_cupti/lib/" };
    void *handle = NULL;
    for (unsigned i = 0; i < around->count && handle == NULL; i++)
        for (size_t j = 0; j < sizeof(below) / sizeof(*below) && handle == NULL; j++)
            handle = open_in(around->folders[i], below[j], soname);
    return handle;
}

static void *open_of_toolkit(const char *soname)
{
    static const char *const below[] = { "lib64/", "extras/CUPTI/lib64/" };
    const char *named = secure_getenv("CUDA_HOME"), *folders[] = { named != NULL ? named : "", "/usr/local/cuda" };
    void *handle = NULL;
    for (size_t i = 0; i < 2 && handle == NULL; i++)
        for (size_t j = 0; folders[i][0] == '/' && j < 2 && handle == NULL; j++)
            handle = open_in(folders[i], below[j], soname);
    return handle;
}

static void *find_loaded(const char *const *sonames)
{
    void *handle = NULL;
    for (const char *const *name = sonames; *name != NULL && handle == NULL; name++)
        handle = dlopen(*name, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
    return handle;
}

/* Every soname of one step before the next step: what is loaded wins, whatever its version. */
static void *search(const char *const *sonames, char *reason, size_t room)
{
    neighbours around = { .count = 0 };
    void *handle = find_loaded(sonames);
    if (handle == NULL)
        dl_iterate_phdr(note_neighbour, &around);
    for (const char *const *name = sonames; *name != NULL && handle == NULL; name++)
        handle = open_beside(&around, *name);
    for (const char *const *name = sonames; *name != NULL && handle == NULL; name++) {
        handle = dlopen(*name, RTLD_NOW | RTLD_LOCAL);
        const char *why = handle == NULL && name == sonames ? dlerror() : NULL;
        if (why != NULL)
            snprintf(reason, room, "%s", why);
    }
    for (const char *const *name = sonames; *name != NULL && handle == NULL; name++)
        handle = open_of_toolkit(*name);
    return handle;
}

int profi_library_open(profi_library *library)
{
    char why[192] = "";
    if (library->handle != NULL)
        return 1;
    library->handle = search(library->sonames, why, sizeof(why));
    library->reason[0] = '\0';
    if (library->handle == NULL)
        snprintf(library->reason, sizeof(library->reason), "no %s: %s", library->what, why);
    return library->handle != NULL;
}

int profi_library_open_loaded(profi_library *library)
{
    if (library->handle == NULL)
        library->handle = find_loaded(library->sonames);
    return library->handle != NULL;
}

int profi_library_resolve(profi_library *library, void *table, const profi_library_symbol *symbols, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        void *function = dlsym(library->handle, symbols[i].name);
        if (function == NULL && !symbols[i].is_optional) {
            snprintf(library->reason, sizeof(library->reason), "this %s has no %s", library->what, symbols[i].name);
            return 0;
        }
        memcpy((char *)table + symbols[i].offset, &function, sizeof(function));
    }
    return 1;
}
