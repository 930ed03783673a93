/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generator: see generator.h.
 *
 * The cache never leaves libtorch: each step passes the handle that the step
 * before returned, and closes it when it has a new one.
 *
 *     prefill   ids of the whole prompt, no past  ->  logits, past
 *     decode    the last token, past              ->  logits, past     a step a token
 */
#include "generator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <profcore/torch.h>

#include "bpe.h"
#include "model_folder.h"
#include "vocab.h"

struct generator {
    model_folder folder;
    const wordpiece *pieces; /* borrowed; NULL with trained weights */
    bpe *tokens;             /* with trained weights, else NULL */
    prof_torch_model *model;
    uint32_t layers, heads, head_size, vocabulary, max_length;
};

/* One text in the making. */
typedef struct sequence {
    prof_torch_value *past; /* NULL before the first step */
    int64_t *ids;           /* what was generated */
    size_t count;
    int64_t next; /* the likeliest token */
} sequence;

/* ------------------------------------------------------------------------
 * A step
 */

static prof_status not_generator(const generator *g, const char *what, prof_error *err)
{
    return vocab_fail(err, PROF_E_FORMAT, "%s/model.pt: not the generator that its config.json describes: %s",
                      g->folder.path, what);
}

static prof_status pick_likeliest(const generator *g, prof_torch_value *logits, int64_t *next, prof_error *err)
{
    PROF_FUNCTION();
    prof_torch_tensor tensor = PROF_TORCH_TENSOR_INIT;
    const prof_status status = prof_torch_value_tensor(logits, 0, &tensor, err);
    if (status != PROF_OK)
        return status;
    if (tensor.dtype != PROF_TORCH_FLOAT32 || tensor.rank != 2 || tensor.shape[0] != 1 ||
        tensor.shape[1] != (int64_t)g->vocabulary)
        return not_generator(g, "it does not return a float for each token of the vocabulary", err);
    const float *const score = tensor.data;
    uint32_t best = 0;
    for (uint32_t id = 1; id < g->vocabulary; id++)
        if (score[id] > score[best])
            best = id;
    *next = best;
    return PROF_OK;
}

/* Takes the logits and the new cache out of a step's result. */
static prof_status take_result(const generator *g, prof_torch_value *result, sequence *s, prof_error *err)
{
    prof_torch_value *logits, *past;
    if (prof_torch_value_kind(result) != PROF_TORCH_TUPLE || prof_torch_value_count(result) != 2)
        return not_generator(g, "it does not return logits and a cache", err);
    prof_status status = prof_torch_value_at(result, 0, &logits, err);
    if (status == PROF_OK)
        status = prof_torch_value_at(result, 1, &past, err);
    if (status == PROF_OK)
        status = pick_likeliest(g, logits, &s->next, err);
    if (status == PROF_OK) {
        prof_torch_value_close(s->past);
        s->past = prof_torch_value_retain(past);
    }
    return status;
}

static prof_status run_generator(generator *g, int64_t *ids, size_t count, sequence *s, prof_error *err)
{
    PROF_FUNCTION();
    const int64_t ids_shape[2] = { 1, (int64_t)count };
    const int64_t no_past_shape[6] = { g->layers, 2, 1, g->heads, 0, g->head_size };
    const prof_torch_tensor ids_tensor = PROF_TORCH_TENSOR_OF(PROF_TORCH_INT64, 2, ids_shape, ids);
    const prof_torch_tensor no_past = PROF_TORCH_TENSOR_OF(PROF_TORCH_FLOAT32, 6, no_past_shape, NULL);
    prof_torch_input inputs[2] = { PROF_TORCH_INPUT_TENSOR(&ids_tensor), PROF_TORCH_INPUT_TENSOR(&no_past) };
    if (s->past != NULL)
        inputs[1] = (prof_torch_input)PROF_TORCH_INPUT_VALUE(s->past);
    prof_torch_value *result = NULL;
    prof_status status = prof_torch_run(g->model, NULL, inputs, 2, &result, err);
    if (status == PROF_OK)
        status = take_result(g, result, s, err);
    prof_torch_value_close(result);
    return status;
}

static int64_t end_of_text(const generator *g)
{
    return g->tokens != NULL ? bpe_end(g->tokens) : -1;
}

/* The prompt at once, then a step for each token. */
static prof_status generate(generator *g, int64_t *prompt, size_t prompt_tokens, size_t max_tokens, sequence *s,
                            prof_error *err)
{
    PROF_BEGIN(phase, "prefill");
    PROF_ITEMS_UNIT(prompt_tokens, "tokens");
    prof_status status = run_generator(g, prompt, prompt_tokens, s, err);
    PROF_PHASE(phase, "decode");
    while (status == PROF_OK && s->next != end_of_text(g)) {
        s->ids[s->count++] = s->next;
        if (s->count == max_tokens)
            break;
        status = run_generator(g, &s->ids[s->count - 1], 1, s, err);
    }
    PROF_ITEMS_UNIT(s->count > 0 ? s->count - 1 : 0, "tokens"); /* the first one came with the prefill */
    PROF_END(phase);
    return status;
}

/* ------------------------------------------------------------------------
 * Text
 */

/* Returns the prompt's ids, in memory of their own. */
static prof_status encode_prompt(const generator *g, const char *prompt, size_t prompt_bytes, int64_t **ids,
                                 size_t *count, prof_error *err)
{
    PROF_FUNCTION();
    const size_t room = 6 * prompt_bytes + 1; /* a character gives six pieces at most */
    int64_t *const found = malloc(room * sizeof *found);
    if (found == NULL)
        return vocab_fail(err, PROF_E_NO_MEMORY, "no memory for a prompt of %zu bytes", prompt_bytes);
    prof_status status = PROF_OK;
    if (g->tokens != NULL)
        status = bpe_encode(g->tokens, prompt, prompt_bytes, found, room, count, err);
    else
        *count = wordpiece_encode(g->pieces, prompt, prompt_bytes, found, room, WORDPIECE_BARE);
    if (status == PROF_OK && *count == 0)
        status = vocab_fail(err, PROF_E_INVALID, "the prompt has no tokens");
    if (status != PROF_OK) {
        free(found);
        return status;
    }
    PROF_ITEMS_UNIT(*count, "tokens");
    *ids = found;
    return PROF_OK;
}

static prof_status decode_text(const generator *g, const sequence *s, generation *made, prof_error *err)
{
    if (g->tokens == NULL)
        return PROF_OK;
    PROF_FUNCTION();
    const size_t bytes = bpe_decode(g->tokens, s->ids, s->count, NULL, 0);
    made->text = malloc(bytes + 1);
    if (made->text == NULL)
        return vocab_fail(err, PROF_E_NO_MEMORY, "no memory for an answer of %zu bytes", bytes);
    bpe_decode(g->tokens, s->ids, s->count, made->text, bytes + 1);
    return PROF_OK;
}

prof_status generator_continue(generator *used, const char *prompt, size_t prompt_bytes, size_t max_tokens,
                               generation *made, prof_error *err)
{
    int64_t *ids = NULL;
    size_t count = 0;
    sequence s = { .ids = malloc(max_tokens * sizeof *s.ids) };
    prof_status status = PROF_OK;
    *made = (generation){ 0 };
    if (s.ids == NULL)
        status = vocab_fail(err, PROF_E_NO_MEMORY, "no memory for %zu tokens", max_tokens);
    if (status == PROF_OK)
        status = encode_prompt(used, prompt, prompt_bytes, &ids, &count, err);
    if (status == PROF_OK) {
        const size_t room = used->max_length - max_tokens, kept = count < room ? count : room;
        status = generate(used, ids + count - kept, kept, max_tokens, &s, err);
        made->prompt_tokens = kept;
        made->new_tokens = s.count;
    }
    if (status == PROF_OK)
        status = decode_text(used, &s, made, err);
    prof_torch_value_close(s.past);
    free(s.ids);
    free(ids);
    return status;
}

/* ------------------------------------------------------------------------
 * Opening
 */

static prof_status open_tokens(generator *g, prof_error *err)
{
    char vocabulary[PATH_MAX], merges[PATH_MAX];
    prof_status status = model_folder_file(&g->folder, "vocab.json", vocabulary, err);
    if (status == PROF_OK)
        status = model_folder_file(&g->folder, "merges.txt", merges, err);
    return status == PROF_OK ? bpe_open(vocabulary, merges, &g->tokens, err) : status;
}

/* An id beyond the vocabulary would be read from beyond the model's table. */
static prof_status open_tokenizer(generator *g, const wordpiece *pieces, prof_error *err)
{
    prof_status status = PROF_OK;
    if (strcmp(model_folder_text(&g->folder, "weights"), "trained") == 0)
        status = open_tokens(g, err);
    else
        g->pieces = pieces;
    if (status != PROF_OK)
        return status;
    const size_t count = g->tokens != NULL ? bpe_count(g->tokens) : wordpiece_count(pieces);
    if (count > g->vocabulary)
        return vocab_fail(err, PROF_E_FORMAT, "%s: its tokeniser has %zu tokens, the model knows %u", g->folder.path,
                          count, g->vocabulary);
    return PROF_OK;
}

static prof_status read_shape(generator *g, prof_error *err)
{
    const struct {
        const char *key;
        uint32_t lowest, highest, *number;
    } wanted[] = { { "layers", 1, 1u << 10, &g->layers },
                   { "heads", 1, 1u << 20, &g->heads },
                   { "head_size", 1, 1u << 20, &g->head_size },
                   { "vocabulary_size", 1, 1u << 20, &g->vocabulary },
                   { "max_length", 2, 1u << 20, &g->max_length } };
    prof_status status = PROF_OK;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted && status == PROF_OK; i++)
        status = model_folder_number(&g->folder, wanted[i].key, wanted[i].lowest, wanted[i].highest, wanted[i].number,
                                     err);
    return status;
}

/* Two texts of a few tokens; the first runs of a model compile it. */
static prof_status warm_up(generator *g, prof_error *err)
{
    PROF_FUNCTION();
    prof_status status = PROF_OK;
    for (int i = 0; i < 2 && status == PROF_OK; i++) {
        int64_t prompt[4] = { 0 }, made[4];
        sequence s = { .ids = made };
        const size_t room = g->max_length / 2 < 4 ? g->max_length / 2 : 4;
        status = generate(g, prompt, room, room, &s, err);
        prof_torch_value_close(s.past);
    }
    if (status == PROF_E_INVALID) { /* the model's own words, without its name */
        prof_error why = err != NULL ? *err : (prof_error)PROF_ERROR_INIT;
        return not_generator(g, why.message, err);
    }
    return status;
}

prof_status generator_open(const char *folder, const char *device, const wordpiece *pieces, generator **made, prof_error *err)
{
    PROF_FUNCTION_WITH(PROF_SITE_RSS);
    generator *const g = calloc(1, sizeof *g);
    if (g == NULL)
        return vocab_fail(err, PROF_E_NO_MEMORY, "no memory for the generator");
    prof_status status = model_folder_open(folder, &g->folder, err);
    if (status == PROF_OK)
        status = read_shape(g, err);
    if (status == PROF_OK)
        status = open_tokenizer(g, pieces, err);
    if (status == PROF_OK)
        status = model_folder_load(&g->folder, device, &g->model, err);
    if (status == PROF_OK)
        status = warm_up(g, err);
    if (status == PROF_OK)
        *made = g;
    else
        generator_close(g);
    return status;
}

void generator_close(generator *closed)
{
    if (closed == NULL)
        return;
    bpe_close(closed->tokens);
    prof_torch_model_close(closed->model);
    model_folder_close(&closed->folder);
    free(closed);
}

int generator_is_trained(const generator *asked)
{
    return asked->tokens != NULL;
}

uint32_t generator_max_length(const generator *asked)
{
    return asked->max_length;
}
