/* SPDX-License-Identifier: Apache-2.0 */
/* The example's search: FAISS finds what going through all vectors finds. */
#include "harness.h"

#include <math.h>
#include <stdlib.h>

#include "faiss_index.h"

enum { COUNT = 500, DIMENSIONS = 48, TOP = 10, QUESTIONS = 50 };

static uint64_t state = 1;

static float random_number(void)
{
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (float)(state >> 40) / (float)(1 << 24) - 0.5f;
}

static void random_vector(float *vector)
{
    double square = 0.0;
    for (int i = 0; i < DIMENSIONS; i++) {
        vector[i] = random_number();
        square += (double)vector[i] * (double)vector[i];
    }
    for (int i = 0; i < DIMENSIONS; i++)
        vector[i] /= (float)sqrt(square);
}

static double product(const float *a, const float *b)
{
    double sum = 0.0;
    for (int i = 0; i < DIMENSIONS; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* How many vectors are nearer than the one at `number`. */
static int rank_of(const float *vectors, const float *question, int64_t number)
{
    const double score = product(vectors + number * DIMENSIONS, question);
    int nearer = 0;
    for (int i = 0; i < COUNT; i++)
        nearer += product(vectors + i * DIMENSIONS, question) > score;
    return nearer;
}

TEST(search_equals_brute_force)
{
    static float vectors[COUNT * DIMENSIONS];
    for (int i = 0; i < COUNT; i++)
        random_vector(vectors + i * DIMENSIONS);
    faiss_index *const index = faiss_index_open(vectors, COUNT, DIMENSIONS);
    REQUIRE(index != NULL);
    for (int question = 0; question < QUESTIONS; question++) {
        float asked[DIMENSIONS], scores[TOP];
        int64_t numbers[TOP];
        random_vector(asked);
        CHECK_I64(faiss_index_search(index, asked, TOP, numbers, scores), 0);
        for (int place = 0; place < TOP; place++) {
            REQUIRE(numbers[place] >= 0 && numbers[place] < COUNT);
            CHECK_I64(rank_of(vectors, asked, numbers[place]), place);
            CHECK(fabs(product(vectors + numbers[place] * DIMENSIONS, asked) - (double)scores[place]) < 1e-5);
        }
    }
    faiss_index_close(index);
}

TEST(places_beyond_the_last_vector_are_marked)
{
    float vectors[2 * DIMENSIONS], scores[4];
    int64_t numbers[4];
    random_vector(vectors);
    random_vector(vectors + DIMENSIONS);
    faiss_index *const index = faiss_index_open(vectors, 2, DIMENSIONS);
    REQUIRE(index != NULL);
    CHECK_I64(faiss_index_search(index, vectors, 4, numbers, scores), 0);
    CHECK_I64(numbers[0], 0);
    CHECK_I64(numbers[1], 1);
    CHECK_I64(numbers[2], -1);
    CHECK_I64(numbers[3], -1);
    faiss_index_close(index);
    faiss_index_close(NULL);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
