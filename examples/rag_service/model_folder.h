/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder with an exported model: model.pt, config.json, and a tokeniser's
 * files.
 *
 * Owns how the folder is found and its configuration read, with checks that
 * name the file.  Knows nothing of what the models do.
 */
#ifndef RAG_SERVICE_MODEL_FOLDER_H
#define RAG_SERVICE_MODEL_FOLDER_H

#include <limits.h>
#include <stdint.h>

#include <jansson.h>
#include <profcore/prof.h>
#include <profcore/torch.h>

typedef struct model_folder {
    char path[PATH_MAX];
    json_t *config;
} model_folder;

/*
 * Reads a folder's config.json.
 *
 *   folder   Receives it; model_folder_close() ends it.
 *   returns  PROF_OK; PROF_E_NOT_FOUND: no folder, or nothing exported in it,
 *            and the message says how to export; PROF_E_IO; PROF_E_FORMAT.
 */
prof_status model_folder_open(const char *path, model_folder *folder, prof_error *err);

/* Accepts a zeroed one. */
void model_folder_close(model_folder *folder);

/* The path of a file in it; PROF_E_LIMIT when it is too long. */
prof_status model_folder_file(const model_folder *folder, const char *name, char path[PATH_MAX], prof_error *err);

/* Reads a number from the configuration; PROF_E_FORMAT unless it is whole and within the limits. */
prof_status model_folder_number(const model_folder *folder, const char *key, uint32_t lowest, uint32_t highest,
                                uint32_t *number, prof_error *err);

/* Reads a text from the configuration: "" where there is none. */
const char *model_folder_text(const model_folder *folder, const char *key);

/* Opens its model.pt on a device, "cpu", "cuda" or "cuda:1"; where that is not there, the message says so. */
prof_status model_folder_load(const model_folder *folder, const char *device, prof_torch_model **model, prof_error *err);

#endif
