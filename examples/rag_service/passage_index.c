/* SPDX-License-Identifier: Apache-2.0 */
/* The index over the passages: see passage_index.h. */
#include "passage_index.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <profcore/torch.h>

#include "faiss_index.h"
#include "index_file.h"
#include "vocab.h"

struct passage_index {
    faiss_index *vectors;
    passage_index_facts facts;
};

/* What is being made ready, and from what. */
typedef struct preparation {
    encoder *used;
    const text_list *passages;
    size_t batch;
    char path[PATH_MAX];
    stored_index stored;
} preparation;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The index matters, but the service can do without a kept one. */
static void warn(const prof_error *why, const char *consequence)
{
    fprintf(stderr, "rag_service: %s; %s\n", why->message, consequence);
}

static prof_status find_key(preparation *p, prof_error *err)
{
    PROF_FUNCTION();
    content_hasher hasher;
    content_hasher_init(&hasher);
    const char *const version = prof_torch_version(); /* another one rounds differently */
    content_hasher_add(&hasher, version, strlen(version));
    const prof_status status = encoder_hash(p->used, &hasher, err);
    if (status != PROF_OK)
        return status;
    const text_list *const passages = p->passages;
    content_hasher_add(&hasher, passages->starts, (passages->count + 1) * sizeof *passages->starts);
    content_hasher_add(&hasher, passages->text, passages->starts[passages->count]);
    p->stored.key = content_hasher_result(&hasher);
    return PROF_OK;
}

static int make_folder(const char *folder, prof_error *why)
{
    if (mkdir(folder, 0777) == 0 || errno == EEXIST)
        return 1;
    vocab_fail(why, PROF_E_IO, "%s: cannot be made: %s", folder, strerror(errno));
    return 0;
}

/* Leaves the path empty when there is no place to keep an index. */
static void find_place(preparation *p, const char *folder)
{
    prof_error why = PROF_ERROR_INIT;
    const content_hash key = p->stored.key;
    const int fits = (size_t)snprintf(p->path, sizeof p->path, "%s/%016" PRIx64 "%016" PRIx64 ".index", folder,
                                          key.word[0], key.word[1]) < sizeof p->path;
    if (!fits)
        vocab_fail(&why, PROF_E_LIMIT, "%.200s: the path is too long", folder);
    if (fits && make_folder(folder, &why))
        return;
    p->path[0] = '\0';
    warn(&why, "the index will not be kept");
}

/* Returns 1 when the index of an earlier start serves. */
static int find_kept(preparation *p)
{
    PROF_FUNCTION();
    prof_error why = PROF_ERROR_INIT;
    if (p->path[0] == '\0')
        return 0;
    const prof_status status = index_file_read(p->path, &p->stored, &why);
    if (status != PROF_OK && status != PROF_E_NOT_FOUND)
        warn(&why, "it is built anew");
    return status == PROF_OK;
}

static prof_status embed_passages(preparation *p, prof_error *err)
{
    PROF_FUNCTION();
    const size_t count = p->passages->count;
    text_span *const texts = malloc(count * sizeof *texts);
    p->stored.vectors = malloc(count * p->stored.dimensions * sizeof *p->stored.vectors);
    prof_status status = PROF_E_NO_MEMORY;
    if (texts != NULL && p->stored.vectors != NULL) {
        for (size_t i = 0; i < count; i++)
            texts[i] = text_list_at(p->passages, i);
        progress bar = progress_start("embedding", count);
        status = encoder_embed(p->used, texts, count, p->batch, &bar, p->stored.vectors, err);
        progress_end(&bar);
    } else {
        vocab_fail(err, status, "no memory for the vectors of %zu passages", count);
    }
    free(texts);
    PROF_ITEMS_UNIT(count, "documents");
    return status;
}

static prof_status build(preparation *p, passage_index *made, prof_error *err)
{
    const uint64_t start = now_ns();
    const prof_status status = embed_passages(p, err);
    if (status != PROF_OK)
        return status;
    p->stored.build_ns = now_ns() - start;
    if (p->path[0] != '\0') {
        prof_error why = PROF_ERROR_INIT;
        made->facts.is_saved = index_file_write(p->path, &p->stored, &why) == PROF_OK;
        if (!made->facts.is_saved)
            warn(&why, "the next start builds the index again");
    }
    return PROF_OK;
}

static prof_status fill(const preparation *p, passage_index *made, prof_error *err)
{
    PROF_BLOCK("add_to_index");
    const stored_index *const stored = &p->stored;
    made->vectors = faiss_index_open(stored->vectors, stored->count, stored->dimensions);
    PROF_ITEMS_UNIT(stored->count, "documents");
    if (made->vectors == NULL)
        return vocab_fail(err, PROF_E_NO_MEMORY, "no memory for an index of %" PRIu64 " passages", stored->count);
    made->facts.count = stored->count;
    made->facts.dimensions = stored->dimensions;
    made->facts.bytes = stored->count * stored->dimensions * sizeof *stored->vectors;
    made->facts.build_ns = stored->build_ns;
    return PROF_OK;
}

static prof_status prepare(preparation *p, const char *folder, passage_index *made, prof_error *err)
{
    prof_status status = find_key(p, err);
    if (status != PROF_OK)
        return status;
    find_place(p, folder);
    made->facts.is_saved = find_kept(p);
    made->facts.origin = made->facts.is_saved ? PASSAGE_INDEX_FOUND : PASSAGE_INDEX_BUILT;
    if (made->facts.origin == PASSAGE_INDEX_BUILT)
        status = build(p, made, err);
    if (status == PROF_OK)
        status = fill(p, made, err);
    return status;
}

prof_status passage_index_open(encoder *used, const text_list *passages, const char *folder, size_t batch,
                               passage_index **made, prof_error *err)
{
    PROF_BLOCK_WITH("build_index", PROF_SITE_RSS);
    preparation *const p = calloc(1, sizeof *p);
    passage_index *const index = calloc(1, sizeof *index);
    prof_status status = PROF_E_NO_MEMORY;
    if (p != NULL && index != NULL) {
        *p = (preparation){ .used = used, .passages = passages, .batch = batch };
        p->stored.dimensions = encoder_dimensions(used);
        p->stored.count = passages->count;
        status = prepare(p, folder, index, err);
        free(p->stored.vectors);
    } else {
        vocab_fail(err, status, "no memory for the index");
    }
    free(p);
    if (status == PROF_OK)
        *made = index;
    else
        passage_index_close(index);
    return status;
}

void passage_index_close(passage_index *closed)
{
    if (closed == NULL)
        return;
    faiss_index_close(closed->vectors);
    free(closed);
}

prof_status passage_index_search(const passage_index *searched, const float *vector, passage_hit *hits,
                                 size_t *count, prof_error *err)
{
    PROF_BLOCK_WITH("search", PROF_SITE_RSS | PROF_SITE_CPU | PROF_SITE_FAULTS);
    const size_t top = *count < searched->facts.count ? *count : searched->facts.count;
    int64_t *const numbers = malloc(top * sizeof *numbers);
    float *const scores = malloc(top * sizeof *scores);
    const int failed = numbers == NULL || scores == NULL ||
                       faiss_index_search(searched->vectors, vector, top, numbers, scores) != 0;
    for (size_t i = 0; i < top && !failed; i++)
        hits[i] = (passage_hit){ (size_t)numbers[i], scores[i] };
    free(numbers);
    free(scores);
    PROF_ITEMS_UNIT(searched->facts.count, "documents");
    if (failed)
        return vocab_fail(err, PROF_E_NO_MEMORY, "no memory to search for %zu passages", top);
    *count = top;
    return PROF_OK;
}

passage_index_facts passage_index_describe(const passage_index *asked)
{
    return asked->facts;
}
