/* SPDX-License-Identifier: Apache-2.0 */
/* Folders with exported models: see model_folder.h. */
#include "model_folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vocab.h"

#define CONFIG_LIMIT_BYTES ((size_t)1 << 20)

prof_status model_folder_file(const model_folder *folder, const char *name, char path[PATH_MAX], prof_error *err)
{
    if ((size_t)snprintf(path, PATH_MAX, "%s/%s", folder->path, name) >= PATH_MAX)
        return vocab_fail(err, PROF_E_LIMIT, "%.200s/%s: the path is too long", folder->path, name);
    return PROF_OK;
}

static prof_status read_config(model_folder *folder, const char *path, prof_error *err)
{
    char *text = NULL;
    size_t bytes = 0;
    const prof_status status = vocab_read_file(path, CONFIG_LIMIT_BYTES, &text, &bytes, err);
    if (status != PROF_OK)
        return status;
    json_error_t wrong;
    folder->config = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &wrong);
    free(text);
    if (folder->config == NULL)
        return vocab_fail(err, PROF_E_FORMAT, "%s, line %d: %s", path, wrong.line, wrong.text);
    if (!json_is_object(folder->config))
        return vocab_fail(err, PROF_E_FORMAT, "%s: not a configuration: it is no object", path);
    return PROF_OK;
}

/* A folder as it is downloaded is the likeliest mistake. */
static prof_status check_exported(const model_folder *folder, prof_error *err)
{
    char model[PATH_MAX];
    struct stat found;
    prof_status status = model_folder_file(folder, "model.pt", model, err);
    if (status != PROF_OK)
        return status;
    if (stat(folder->path, &found) != 0)
        return vocab_fail(err, errno == ENOENT ? PROF_E_NOT_FOUND : PROF_E_IO,
                          "%s: %s (examples/models/export.py makes the models' folders)", folder->path,
                          strerror(errno));
    if (!S_ISDIR(found.st_mode))
        return vocab_fail(err, PROF_E_INVALID, "%s: is not a folder", folder->path);
    if (access(model, F_OK) != 0 && errno == ENOENT)
        return vocab_fail(err, PROF_E_NOT_FOUND,
                          "%s: there is no exported model in it (export.py --generator FOLDER exports a trained one)",
                          model);
    return PROF_OK;
}

prof_status model_folder_open(const char *path, model_folder *folder, prof_error *err)
{
    char config[PATH_MAX];
    *folder = (model_folder){ .config = NULL };
    if ((size_t)snprintf(folder->path, sizeof folder->path, "%s", path) >= sizeof folder->path)
        return vocab_fail(err, PROF_E_LIMIT, "%.200s: the path is too long", path);
    prof_status status = check_exported(folder, err);
    if (status == PROF_OK)
        status = model_folder_file(folder, "config.json", config, err);
    if (status == PROF_OK)
        status = read_config(folder, config, err);
    if (status != PROF_OK)
        model_folder_close(folder);
    return status;
}

void model_folder_close(model_folder *folder)
{
    json_decref(folder->config);
    folder->config = NULL;
}

prof_status model_folder_number(const model_folder *folder, const char *key, uint32_t lowest, uint32_t highest,
                                uint32_t *number, prof_error *err)
{
    const json_t *const value = json_object_get(folder->config, key);
    const json_int_t found = json_integer_value(value);
    if (!json_is_integer(value) || found < (json_int_t)lowest || found > (json_int_t)highest)
        return vocab_fail(err, PROF_E_FORMAT, "%s/config.json: \"%s\" is not a whole number from %u to %u",
                          folder->path, key, lowest, highest);
    *number = (uint32_t)found;
    return PROF_OK;
}

const char *model_folder_text(const model_folder *folder, const char *key)
{
    const char *const text = json_string_value(json_object_get(folder->config, key));
    return text != NULL ? text : "";
}

prof_status model_folder_load(const model_folder *folder, const char *device, prof_torch_model **model, prof_error *err)
{
    PROF_FUNCTION();
    char path[PATH_MAX];
    const prof_torch_options options = { .size = sizeof options, .device = device };
    const prof_status status = model_folder_file(folder, "model.pt", path, err);
    return status == PROF_OK ? prof_torch_model_open(path, &options, model, err) : status;
}
