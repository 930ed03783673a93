/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cuda_saxpy [ELEMENTS [LAUNCHES]]: y = a x + y on a GPU, again and again,
 * with the plain CUDA runtime.
 *
 * Copies in, launches and copies out are scopes.  What each asked the GPU for
 * is printed as a line of JSON, with the time that CUDA's own events took, to
 * be held against the profile.  Exit codes: 0; 1: something failed, or the
 * result is wrong; 2: wrong arguments; 77: there is no GPU that CUDA can use.
 */
#include "saxpy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <profcore/gpu.h>
#include <profcore/prof.h>

enum { EXIT_USAGE = 2, EXIT_NO_GPU = 77, SCRATCH_BYTES = 3 << 20 };
#define MOST_ELEMENTS ((size_t)1 << 30)

/* What a scope asked for, and what CUDA's events say that it took. */
typedef struct account {
    const char *scope;
    unsigned long long kernels, copied_bytes, peak_bytes;
    float event_ms;
} account;

typedef struct work {
    size_t count, bytes; /* elements of a vector, and its bytes */
    unsigned launches;
    float *host_x, *host_y, *x, *y; /* host memory is pinned, so that a copy is one copy */
    cudaStream_t stream;
    cudaEvent_t begin, end;
    account accounts[3];
} work;

#define TRY(call)                                                                                  \
    do {                                                                                           \
        const cudaError_t error = (call);                                                          \
        if (error != cudaSuccess)                                                                  \
            return fprintf(stderr, "cuda_saxpy: %s: %s\n", #call, cudaGetErrorString(error)), -1;   \
    } while (0)

/* ------------------------------------------------------------------------
 * The three scopes
 */

static int copy_in(work *w)
{
    TRY(cudaMalloc((void **)&w->x, w->bytes));
    TRY(cudaMalloc((void **)&w->y, w->bytes));
    TRY(cudaEventRecord(w->begin, w->stream));
    TRY(cudaMemcpyAsync(w->x, w->host_x, w->bytes, cudaMemcpyHostToDevice, w->stream));
    TRY(cudaMemcpyAsync(w->y, w->host_y, w->bytes, cudaMemcpyHostToDevice, w->stream));
    TRY(cudaEventRecord(w->end, w->stream));
    TRY(cudaStreamSynchronize(w->stream));
    w->accounts[0] = (account){ "copy in", 0, 2ull * w->bytes, 2ull * w->bytes, 0 };
    return 0;
}

/* The scratch memory is there for the peak: it is gone when the scope ends. */
static int launch(work *w)
{
    void *scratch = NULL;
    TRY(cudaMalloc(&scratch, SCRATCH_BYTES));
    TRY(cudaFree(scratch));
    TRY(cudaEventRecord(w->begin, w->stream));
    for (unsigned i = 0; i < w->launches; i++)
        TRY(saxpy_launch(w->count, 2.0f, w->x, w->y, w->stream));
    TRY(cudaEventRecord(w->end, w->stream));
    TRY(cudaStreamSynchronize(w->stream));
    w->accounts[1] = (account){ "saxpy", w->launches, 0, 2ull * w->bytes + SCRATCH_BYTES, 0 };
    return 0;
}

static int copy_out(work *w)
{
    TRY(cudaEventRecord(w->begin, w->stream));
    TRY(cudaMemcpyAsync(w->host_y, w->y, w->bytes, cudaMemcpyDeviceToHost, w->stream));
    TRY(cudaEventRecord(w->end, w->stream));
    TRY(cudaStreamSynchronize(w->stream));
    w->accounts[2] = (account){ "copy out", 0, w->bytes, 2ull * w->bytes, 0 };
    return 0;
}

static int note_time(work *w, unsigned step)
{
    TRY(cudaEventElapsedTime(&w->accounts[step].event_ms, w->begin, w->end));
    return 0;
}

static int run(work *w)
{
    int failed = 0;
    PROF_SCOPE("copy in") { failed = copy_in(w); }
    failed = failed != 0 || note_time(w, 0) != 0;
    if (!failed)
        PROF_SCOPE("saxpy") { failed = launch(w); }
    failed = failed != 0 || note_time(w, 1) != 0;
    if (!failed)
        PROF_SCOPE("copy out") { failed = copy_out(w); }
    return failed != 0 || note_time(w, 2) != 0;
}

/* ------------------------------------------------------------------------
 * Before and after
 */

/* Else tracing begins by itself a moment later, and the first scope would lack its copies. */
static void trace_from_the_start(void)
{
    prof_error why = PROF_ERROR_INIT;
    if (prof_active && prof_gpu_start(&why) != PROF_OK)
        fprintf(stderr, "cuda_saxpy: no GPU time: %s\n", why.message);
}

static int prepare(work *w)
{
    TRY(cudaStreamCreate(&w->stream));
    TRY(cudaEventCreate(&w->begin));
    TRY(cudaEventCreate(&w->end));
    TRY(cudaMallocHost((void **)&w->host_x, w->bytes));
    TRY(cudaMallocHost((void **)&w->host_y, w->bytes));
    for (size_t i = 0; i < w->count; i++) {
        w->host_x[i] = (float)(i % 7);
        w->host_y[i] = 1.0f;
    }
    return 0;
}

/* Small whole numbers: exact as floats, whatever the order of rounding. */
static int check_result(const work *w)
{
    for (size_t i = 0; i < w->count; i++) {
        const float expected = 1.0f + 2.0f * (float)w->launches * (float)(i % 7);
        if (w->host_y[i] != expected)
            return fprintf(stderr, "cuda_saxpy: element %zu is %g, not %g\n", i, (double)w->host_y[i], (double)expected), -1;
    }
    return 0;
}

static void print_accounts(const work *w)
{
    const char *separator = "";
    printf("{\"elements\": %zu, \"launches\": %u, \"scopes\": {", w->count, w->launches);
    for (int i = 0; i < 3; i++, separator = ", ") {
        const account *a = &w->accounts[i];
        printf("%s\"%s\": {\"kernels\": %llu, \"copied_bytes\": %llu, \"peak_bytes\": %llu, \"event_ns\": %.0f}", separator,
               a->scope, a->kernels, a->copied_bytes, a->peak_bytes, (double)a->event_ms * 1e6);
    }
    printf("}}\n");
}

static void release(work *w)
{
    cudaFree(w->x);
    cudaFree(w->y);
    cudaFreeHost(w->host_x);
    cudaFreeHost(w->host_y);
    cudaEventDestroy(w->begin);
    cudaEventDestroy(w->end);
    cudaStreamDestroy(w->stream);
}

/* 0 with the value; -1 where it is no whole number from 1 to `most`. */
static int read_count(const char *text, size_t most, size_t *value)
{
    char *end;
    const unsigned long long read = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || read < 1 || read > most)
        return fprintf(stderr, "cuda_saxpy: %s: not a whole number from 1 to %zu\n", text, most), -1;
    *value = (size_t)read;
    return 0;
}

int main(int argc, char **argv)
{
    work w = { .count = (size_t)1 << 20 };
    size_t launches = 10;
    int devices = 0;
    if (argc > 3 || (argc > 1 && read_count(argv[1], MOST_ELEMENTS, &w.count) != 0) ||
        (argc > 2 && read_count(argv[2], 100000, &launches) != 0)) {
        fputs("usage: cuda_saxpy [ELEMENTS [LAUNCHES]]\n", stderr);
        return EXIT_USAGE;
    }
    const cudaError_t error = cudaGetDeviceCount(&devices);
    if (error != cudaSuccess || devices == 0) {
        fprintf(stderr, "cuda_saxpy: no GPU: %s\n", error != cudaSuccess ? cudaGetErrorString(error) : "CUDA finds none");
        return EXIT_NO_GPU;
    }
    w.bytes = w.count * sizeof(float);
    w.launches = (unsigned)launches;
    int failed = prepare(&w) != 0;
    trace_from_the_start();
    if (!failed)
        failed = run(&w) != 0 || check_result(&w) != 0;
    if (!failed)
        print_accounts(&w);
    release(&w);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
