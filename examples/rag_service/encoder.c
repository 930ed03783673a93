/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The encoder: see encoder.h.
 *
 * Texts are taken in windows; in each they are tokenised, put in order of
 * length, and cut into batches, so that rows of a batch are about equally
 * long and little is computed for padding.
 *
 *     texts of a window   [ 9 | 31 | 4 | 12 ]    lengths in tokens
 *     order               [ 4, 9 | 12, 31 ]      batches of 2
 *     a batch             [[ids… 0 0 0][ids…]]   rows padded to the longest
 */
#include "encoder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <profcore/torch.h>

#include "model_folder.h"
#include "vocab.h"

enum { WINDOW = 4096 };
#define UNIT_TOLERANCE 1e-3

struct encoder {
    model_folder folder;
    wordpiece *tokenizer;
    prof_torch_model *model;
    uint32_t dimensions;
    uint32_t max_length; /* of a text, in tokens */
};

/* The tokens of a text, packed in a window's ids. */
typedef struct row {
    size_t start, text; /* text: its number in the window */
    uint32_t length;
} row;

typedef struct window {
    int64_t *ids;
    row *rows;
    int64_t *matrix; /* a batch: its ids, then its mask */
} window;

static void window_fini(window *w)
{
    free(w->ids);
    free(w->rows);
    free(w->matrix);
}

static prof_status window_init(window *w, const encoder *e, size_t texts, size_t batch, prof_error *err)
{
    const size_t rows = texts < batch ? texts : batch;
    w->ids = malloc(texts * e->max_length * sizeof *w->ids);
    w->rows = malloc(texts * sizeof *w->rows);
    w->matrix = malloc(2 * rows * e->max_length * sizeof *w->matrix);
    if (w->ids != NULL && w->rows != NULL && w->matrix != NULL)
        return PROF_OK;
    window_fini(w);
    return vocab_fail(err, PROF_E_NO_MEMORY, "no memory for the tokens of %zu texts", texts);
}

static void tokenize(const encoder *e, const text_span *texts, size_t count, window *w)
{
    PROF_FUNCTION();
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t length =
            wordpiece_encode(e->tokenizer, texts[i].text, texts[i].bytes, w->ids + used, e->max_length, 0);
        w->rows[i] = (row){ used, i, (uint32_t)length };
        used += length;
    }
    PROF_ITEMS_UNIT(used, "tokens");
}

static int by_length(const void *a, const void *b)
{
    const row *const first = a, *const second = b;
    if (first->length != second->length)
        return first->length < second->length ? -1 : 1;
    return first->text < second->text ? -1 : first->text > second->text;
}

/* Lays a batch out as the model takes it; returns how long its rows are. */
static size_t fill_matrix(const encoder *e, const window *w, const row *rows, size_t count)
{
    const size_t length = rows[count - 1].length; /* the longest */
    const int64_t pad = wordpiece_pad(e->tokenizer);
    int64_t *ids = w->matrix, *mask = w->matrix + count * length;
    for (size_t i = 0; i < count; i++)
        for (size_t at = 0; at < length; at++) {
            const int is_token = at < rows[i].length;
            *ids++ = is_token ? w->ids[rows[i].start + at] : pad;
            *mask++ = is_token;
        }
    return length;
}

/* Runs the model; padding counts as tokens here, since it costs as much. */
static prof_status encode(const encoder *e, int64_t *matrix, size_t count, size_t length, prof_torch_value **result,
                          prof_error *err)
{
    PROF_FUNCTION();
    const int64_t shape[2] = { (int64_t)count, (int64_t)length };
    const prof_torch_tensor ids = PROF_TORCH_TENSOR_OF(PROF_TORCH_INT64, 2, shape, matrix);
    const prof_torch_tensor mask = PROF_TORCH_TENSOR_OF(PROF_TORCH_INT64, 2, shape, matrix + count * length);
    const prof_torch_input inputs[2] = { PROF_TORCH_INPUT_TENSOR(&ids), PROF_TORCH_INPUT_TENSOR(&mask) };
    PROF_ITEMS_UNIT(count * length, "tokens");
    return prof_torch_run(e->model, NULL, inputs, 2, result, err);
}

static prof_status not_vectors(const encoder *e, const char *what, prof_error *err)
{
    return vocab_fail(err, PROF_E_FORMAT, "%s/model.pt: not the encoder that its config.json describes: %s",
                      e->folder.path, what);
}

/* Copies what the model returned to the places of its texts. */
static prof_status take_vectors(const encoder *e, prof_torch_value *result, const row *rows, size_t count,
                                float *vectors, prof_error *err)
{
    PROF_FUNCTION();
    prof_torch_tensor tensor = PROF_TORCH_TENSOR_INIT;
    if (prof_torch_value_kind(result) != PROF_TORCH_TENSOR)
        return not_vectors(e, "it does not return a tensor", err);
    const prof_status status = prof_torch_value_tensor(result, 0, &tensor, err);
    if (status != PROF_OK)
        return status;
    const size_t dimensions = e->dimensions;
    if (tensor.dtype != PROF_TORCH_FLOAT32 || tensor.rank != 2 || tensor.shape[0] != (int64_t)count ||
        tensor.shape[1] != (int64_t)dimensions)
        return not_vectors(e, "it does not return a float for each text and dimension", err);
    const float *from = tensor.data;
    for (size_t i = 0; i < count; i++, from += dimensions) {
        double square = 0.0;
        for (size_t at = 0; at < dimensions; at++)
            square += (double)from[at] * (double)from[at];
        if (!(fabs(square - 1.0) <= UNIT_TOLERANCE)) /* NaN too */
            return not_vectors(e, "it returns vectors that are not of unit length", err);
        memcpy(vectors + rows[i].text * dimensions, from, dimensions * sizeof *from);
    }
    return PROF_OK;
}

static prof_status embed_batch(const encoder *e, const window *w, const row *rows, size_t count, float *vectors,
                               prof_error *err)
{
    prof_torch_value *result = NULL;
    const size_t length = fill_matrix(e, w, rows, count);
    prof_status status = encode(e, w->matrix, count, length, &result, err);
    if (status == PROF_OK)
        status = take_vectors(e, result, rows, count, vectors, err);
    prof_torch_value_close(result);
    return status;
}

static prof_status embed_window(const encoder *e, const text_span *texts, size_t count, size_t batch, window *w,
                                progress *bar, float *vectors, prof_error *err)
{
    tokenize(e, texts, count, w);
    qsort(w->rows, count, sizeof *w->rows, by_length);
    for (size_t at = 0; at < count; at += batch) {
        const size_t rows = count - at < batch ? count - at : batch;
        const prof_status status = embed_batch(e, w, w->rows + at, rows, vectors, err);
        if (status != PROF_OK)
            return status;
        progress_add(bar, rows);
    }
    return PROF_OK;
}

prof_status encoder_embed(encoder *used, const text_span *texts, size_t count, size_t batch, progress *bar,
                          float *vectors, prof_error *err)
{
    window w;
    if (count == 0)
        return PROF_OK;
    prof_status status = window_init(&w, used, count < WINDOW ? count : WINDOW, batch, err);
    if (status != PROF_OK)
        return status;
    for (size_t at = 0; at < count && status == PROF_OK; at += WINDOW) {
        const size_t some = count - at < WINDOW ? count - at : WINDOW;
        status = embed_window(used, texts + at, some, batch, &w, bar, vectors + at * used->dimensions, err);
    }
    window_fini(&w);
    return status;
}

/* ------------------------------------------------------------------------
 * Opening
 */

/* Text of a usual question's length; the first two runs of a model compile it. */
static prof_status warm_up(encoder *e, prof_error *err)
{
    PROF_FUNCTION();
    static const char text[] = "which of these passages answers the question that was asked?";
    const text_span span = { text, sizeof text - 1 };
    float *const vector = malloc(e->dimensions * sizeof *vector);
    if (vector == NULL)
        return vocab_fail(err, PROF_E_NO_MEMORY, "no memory for a vector");
    prof_status status = PROF_OK;
    for (int i = 0; i < 2 && status == PROF_OK; i++)
        status = encoder_embed(e, &span, 1, 1, NULL, vector, err);
    free(vector);
    if (status == PROF_E_INVALID) { /* the model's own words, without its name */
        prof_error why = err != NULL ? *err : (prof_error)PROF_ERROR_INIT;
        return not_vectors(e, why.message, err);
    }
    return status;
}

static prof_status open_parts(encoder *e, const char *folder, const char *device, prof_error *err)
{
    char vocabulary[PATH_MAX];
    prof_status status = model_folder_open(folder, &e->folder, err);
    if (status == PROF_OK)
        status = model_folder_number(&e->folder, "hidden_size", 1, 1u << 16, &e->dimensions, err);
    if (status == PROF_OK)
        status = model_folder_number(&e->folder, "max_length", 3, 1u << 14, &e->max_length, err);
    if (status == PROF_OK)
        status = model_folder_file(&e->folder, "vocab.txt", vocabulary, err);
    if (status == PROF_OK)
        status = wordpiece_open(vocabulary, &e->tokenizer, err);
    if (status == PROF_OK)
        status = model_folder_load(&e->folder, device, &e->model, err);
    return status == PROF_OK ? warm_up(e, err) : status;
}

prof_status encoder_open(const char *folder, const char *device, encoder **made, prof_error *err)
{
    PROF_FUNCTION_WITH(PROF_SITE_RSS);
    encoder *const e = calloc(1, sizeof *e);
    if (e == NULL)
        return vocab_fail(err, PROF_E_NO_MEMORY, "no memory for the encoder");
    const prof_status status = open_parts(e, folder, device, err);
    if (status == PROF_OK)
        *made = e;
    else
        encoder_close(e);
    return status;
}

void encoder_close(encoder *closed)
{
    if (closed == NULL)
        return;
    wordpiece_close(closed->tokenizer);
    prof_torch_model_close(closed->model);
    model_folder_close(&closed->folder);
    free(closed);
}

uint32_t encoder_dimensions(const encoder *asked)
{
    return asked->dimensions;
}

const wordpiece *encoder_tokenizer(const encoder *asked)
{
    return asked->tokenizer;
}

prof_status encoder_hash(const encoder *asked, content_hasher *hasher, prof_error *err)
{
    static const char *const files[] = { "model.pt", "vocab.txt" };
    const uint32_t numbers[2] = { asked->dimensions, asked->max_length };
    content_hasher_add(hasher, numbers, sizeof numbers);
    prof_status status = PROF_OK;
    for (int i = 0; i < 2 && status == PROF_OK; i++) {
        char path[PATH_MAX];
        status = model_folder_file(&asked->folder, files[i], path, err);
        if (status == PROF_OK)
            status = content_hasher_add_file(hasher, path, err);
    }
    return status;
}
