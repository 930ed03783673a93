/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A 128-bit hash of content, to recognise it again and to notice damage.
 *
 * Fast (several GB/s) and well mixed, but no cryptography: it tells documents
 * and models apart, it does not stop who wants two of them to collide.
 */
#ifndef RAG_SERVICE_CONTENT_HASH_H
#define RAG_SERVICE_CONTENT_HASH_H

#include <stddef.h>
#include <stdint.h>

#include <profcore/prof.h>

typedef struct content_hash {
    uint64_t word[2];
} content_hash;

/* While content arrives.  Pieces count: "ab" + "c" is not "a" + "bc". */
typedef struct content_hasher {
    uint64_t lane[4];
} content_hasher;

void content_hasher_init(content_hasher *hasher);
void content_hasher_add(content_hasher *hasher, const void *data, size_t bytes);
content_hash content_hasher_result(const content_hasher *hasher);

/* Adds a file's bytes, without its name. */
prof_status content_hasher_add_file(content_hasher *hasher, const char *path, prof_error *err);

static inline int content_hash_equal(content_hash a, content_hash b)
{
    return a.word[0] == b.word[0] && a.word[1] == b.word[1];
}

#endif
