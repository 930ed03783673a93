/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operator sources: runtimes whose operators become scopes.
 *
 * What runs a model knows its operators by names that it has in memory
 * already, and runs hundreds of them in a millisecond.  A source is how such
 * a runtime (libtorch, ONNX Runtime, ggml) hands them over: from its own
 * callbacks, on whatever thread they come, inside whatever scope is open there.
 *
 *     static prof_operators *source;
 *     prof_operators_open("ggml", &source, NULL);             once
 *
 *     prof_scope scope = prof_operator_begin(source, "mul_mat");
 *     …
 *     prof_end(scope);
 *
 * Operators are scopes like all others: in the tables, the call tree, the
 * timeline and the .prof, where ggml:0(mul_mat) is their function.  What a
 * scope spent in none of them is its own time.  docs/operators.md leads
 * through a whole source.
 */
#ifndef PROFCORE_OPERATORS_H
#define PROFCORE_OPERATORS_H

#include <profcore/prof.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A runtime's operators. */
typedef struct prof_operators prof_operators;

/*
 * Finds or makes the source of a runtime.
 *
 *   runtime    Its name, such as "torch": the file under which its operators
 *              stand.  UTF-8, 63 bytes at most.
 *   operators  Receives the source, owned by the library.
 *   returns    PROF_OK; PROF_E_INVALID: a bad name; PROF_E_NO_MEMORY when the
 *              cap is reached.
 *   threads    Any.
 *   memory     64 KiB of the recorder's region, for good; reserves it before
 *              the first start.
 *   since      0.1
 */
PROF_API prof_status prof_operators_open(const char *runtime, prof_operators **operators, prof_error *err);

/*
 * Begins an operator as a scope; prof_end() ends it, on the same thread.
 *
 * A name that lies where it lay at the last call, as those of registered
 * operators do, is found without a lock and without being read twice.  A name
 * may also be made anew for each call: finding it takes a lock then.
 *
 *   operators  NULL is ignored.
 *   name       The operator's, UTF-8, NUL-terminated.  NULL is ignored.
 *   returns    The scope; PROF_SCOPE_NONE while recording is stopped, and for NULL.
 *   threads    Any.  Not in a signal handler.
 *   memory     Of a new name, a site in the recorder's region.
 *   since      0.1
 */
PROF_API prof_scope prof_operator_begin(prof_operators *operators, const char *name);

/* One input of an operator. */
typedef struct prof_operator_input {
    uint32_t size;        /* sizeof(prof_operator_input); that of the first holds for all, and a wrong one shows no shapes */
    uint32_t rank;        /* dimensions; 0 for a single number */
    const int64_t *shape; /* rank lengths; NULL: it is no tensor */
} prof_operator_input;

/*
 * Begins an operator that is told apart by the shapes of its inputs: its name
 * becomes mul_mat([9, 384], [384]).  Takes a lock, and more time: for whoever
 * asks for shapes.
 *
 *   inputs       input_count of them; may be NULL when input_count is 0.
 *   input_count  Those that are no tensors are left out; so is what does not
 *                fit into a name of 1,000 bytes, of which the operator's own
 *                takes 900 at most; it then ends with "...".
 *   else         As prof_operator_begin().
 *   since        0.1
 */
PROF_API prof_scope prof_operator_begin_shaped(prof_operators *operators, const char *name, const prof_operator_input *inputs,
                                               uint32_t input_count);

/*
 * Loads the library of an operator source into a program that knows nothing
 * of it: at once if the program has the runtime, else as soon as it has.
 * That library's constructor is then what begins to hand operators over.
 * `profcore run --torch` is made of this.
 *
 *   runtime_library  The runtime's name as the loader knows it (DT_SONAME):
 *                    "libtorch_cpu.so".  127 bytes at most.
 *   source_library   What dlopen() takes: a path, or a name that the loader
 *                    finds.  It stays loaded.
 *   returns          PROF_OK: it is loaded, or will be, and a failure then is
 *                    a notice on stderr; PROF_E_UNAVAILABLE when it cannot be
 *                    loaded, with the loader's reason; PROF_E_UNSUPPORTED when
 *                    the program has the runtime in another version (of the
 *                    same name up to ".so"); PROF_E_LIMIT beyond 8 that waited;
 *                    PROF_E_INVALID; PROF_E_NO_MEMORY.
 *   threads          Any.  While one waits, a thread looks every 10 ms, in a
 *                    forked child too.
 *   since            0.1
 */
PROF_API prof_status prof_operators_load_with(const char *runtime_library, const char *source_library, prof_error *err);

#ifdef __cplusplus
}
#endif

#endif /* PROFCORE_OPERATORS_H */
