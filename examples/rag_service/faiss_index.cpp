// SPDX-License-Identifier: Apache-2.0
// FAISS behind C functions: see faiss_index.h.  The one file of the service that is C++, since FAISS has no C library.
#include "faiss_index.h"

#include <faiss/IndexFlat.h>

struct faiss_index {
    faiss::IndexFlatIP flat;
};

faiss_index *faiss_index_open(const float *vectors, size_t count, size_t dimensions)
try {
    auto *made = new faiss_index{faiss::IndexFlatIP(static_cast<int64_t>(dimensions))};
    try {
        made->flat.add(static_cast<int64_t>(count), vectors);
    } catch (...) {
        delete made;
        throw;
    }
    return made;
} catch (...) {
    return nullptr;
}

void faiss_index_close(faiss_index *closed)
{
    delete closed;
}

int faiss_index_search(const faiss_index *searched, const float *vector, size_t top, int64_t *numbers, float *scores)
try {
    searched->flat.search(1, vector, static_cast<int64_t>(top), scores, numbers);
    return 0;
} catch (...) {
    return -1;
}
