/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `profcore run --torch` puts into a program that knows nothing of it:
 * loads libprofcore_torch as soon as the program has its libtorch.
 *
 * Nothing depends on this library, so it is initialised last: what libtorch
 * does when it is loaded has been done by then.
 */
#include <profcore/operators.h>

#include <dlfcn.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void load_with_torch(void);

/* For a Python that has just imported torch: see profcore_python/sitecustomize.py. */
__attribute__((visibility("default"))) void profcore_torch_load_now(void);

/* libprofcore_torch lies beside this library. */
static void name_source(char source[PATH_MAX])
{
    static const char name[] = "libprofcore_torch.so.0";
    Dl_info here = { 0 };
    const char *end = dladdr((void *)(uintptr_t)load_with_torch, &here) != 0 ? strrchr(here.dli_fname, '/') : NULL;
    snprintf(source, PATH_MAX, "%.*s%s", end != NULL ? (int)(end - here.dli_fname) + 1 : 0, end != NULL ? here.dli_fname : "", name);
}

__attribute__((constructor)) static void load_with_torch(void)
{
    prof_error err = PROF_ERROR_INIT;
    char source[PATH_MAX];
    const char *wish = secure_getenv("PROFCORE_TORCH"), *quiet = secure_getenv("PROFCORE_QUIET");
    if (wish == NULL || wish[0] == '\0' || strcmp(wish, "0") == 0)
        return;
    name_source(source);
    if (prof_operators_load_with(TORCH_LIBRARY, source, &err) != PROF_OK && (quiet == NULL || strcmp(quiet, "1") != 0))
        fprintf(stderr, "profcore: %s\n", err.message);
}

/* Waits for what is loaded, so that no operator is missed; whoever looks for torch besides says why it cannot be. */
void profcore_torch_load_now(void)
{
    char source[PATH_MAX];
    name_source(source);
    prof_operators_load_with(TORCH_LIBRARY, source, NULL);
}
