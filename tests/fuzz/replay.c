/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over kept inputs, as a test: one case a folder, each of
 * its files one input.
 *
 *     NAME_replay FOLDER...
 */
#include "fuzz.h"

#include <dirent.h>
#include <sys/stat.h>

/* Its own allocation of the very size, so that AddressSanitizer sees a read behind the end. */
static int run_file(const char *path)
{
    struct stat about;
    FILE *file = fopen(path, "rb");
    if (file == NULL || fstat(fileno(file), &about) != 0)
        return 0;
    uint8_t *data = malloc((size_t)about.st_size + (about.st_size == 0));
    int ok = data != NULL && fread(data, 1, (size_t)about.st_size, file) == (size_t)about.st_size;
    if (ok)
        LLVMFuzzerTestOneInput(data, (size_t)about.st_size);
    free(data);
    fclose(file);
    return ok;
}

static int run_folder(const char *folder)
{
    DIR *entries = opendir(folder);
    int count = 0;
    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '.')
            continue;
        if (!run_file(path)) {
            printf("# cannot read %s\n", path);
            count = -1;
            break;
        }
        count++;
    }
    if (entries != NULL)
        closedir(entries);
    return count;
}

int main(int argc, char **argv)
{
    int failures = 0;
    for (int i = 1; i < argc; i++) {
        const char *slash = strrchr(argv[i], '/');
        int count = run_folder(argv[i]);
        failures += count <= 0;
        printf("# %d inputs\n%s %d every_input_of_%s_is_read_or_refused\n", count, count > 0 ? "ok" : "not ok", i,
               slash != NULL ? slash + 1 : argv[i]);
    }
    printf("1..%d\n", argc - 1);
    return failures != 0 || argc < 2;
}
