/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libprofcore_torch: libtorch from C.
 *
 * Opens a model file, runs it on buffers that the caller owns, and
 * reads what it returns without copying.  Tensors can be kept between calls,
 * so that a key/value cache goes from one step into the next untouched.
 *
 *     #include <profcore/torch.h>
 *
 *     prof_error err = PROF_ERROR_INIT;
 *     prof_torch_model *model = NULL;
 *     prof_torch_value *result = NULL;
 *     int64_t ids[6] = { 101, 7592, 1010, 2088, 999, 102 }, shape[2] = { 1, 6 };
 *     prof_torch_tensor in = PROF_TORCH_TENSOR_OF(PROF_TORCH_INT64, 2, shape, ids);
 *     prof_torch_tensor out = PROF_TORCH_TENSOR_INIT;
 *     prof_torch_input inputs[1] = { PROF_TORCH_INPUT_TENSOR(&in) };
 *
 *     if (prof_torch_model_open("encoder.pt", NULL, &model, &err) == PROF_OK &&
 *         prof_torch_run(model, NULL, inputs, 1, &result, &err) == PROF_OK &&
 *         prof_torch_value_tensor(result, 0, &out, &err) == PROF_OK)
 *         use((const float *)out.data, out.shape, out.rank);
 *     else
 *         fprintf(stderr, "%s\n", err.message);
 *     prof_torch_value_close(result);
 *     prof_torch_model_close(model);
 *
 * A handle must not be used after it was closed, and not be closed while a
 * call uses it.  Builds for debugging and with sanitizers check that, and say
 * so: as PROF_E_INVALID, or on stderr where a function returns no status, and
 * then do nothing.  All others do not, and what happens is undefined.
 *
 * No C++ type crosses this header and no exception leaves the library: every
 * failure is a status and a text.  Outputs are written only on success.  The
 * library needs libtorch and libprofcore.
 */
#ifndef PROFCORE_TORCH_H
#define PROFCORE_TORCH_H

#include <profcore/prof.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------
 * The types
 */

/* A loaded model. */
typedef struct prof_torch_model prof_torch_model;

/*
 * What a model returned: a tensor, a number, a text, or a tuple, list or
 * dictionary of such.  Counted references:
 *
 *   - prof_torch_run() gives its result with one reference, the caller's;
 *   - an element that prof_torch_value_at() or _find() gives is borrowed: it
 *     lives as long as the value that it was taken from;
 *   - prof_torch_value_retain() adds a reference to any of them, which then
 *     outlives the value it was taken from, and the model too;
 *   - prof_torch_value_close() takes one reference back.
 *
 * A value never changes what it is, and may be read by several threads.
 */
typedef struct prof_torch_value prof_torch_value;

/* Element types.  0 is none, so that a field that was forgotten is noticed. */
#define PROF_TORCH_BOOL 1 /* one byte, 0 or 1 */
#define PROF_TORCH_UINT8 2
#define PROF_TORCH_INT8 3
#define PROF_TORCH_INT16 4
#define PROF_TORCH_INT32 5
#define PROF_TORCH_INT64 6
#define PROF_TORCH_HALF 7     /* IEEE binary16 */
#define PROF_TORCH_BFLOAT16 8 /* the upper half of a float */
#define PROF_TORCH_FLOAT32 9
#define PROF_TORCH_FLOAT64 10

/* Where a buffer lies. */
#define PROF_TORCH_CPU 0
#define PROF_TORCH_CUDA 1

/*
 * An array in memory: of the caller, on the way in; inside a value, on the
 * way out.  Whoever fills it keeps shape, strides and data alive and in
 * place: on the way in until the call returns, on the way out as long as the
 * value lives.
 */
typedef struct prof_torch_tensor {
    uint32_t size;          /* sizeof(prof_torch_tensor) */
    int32_t dtype;          /* PROF_TORCH_BOOL … */
    int32_t device;         /* PROF_TORCH_CPU or PROF_TORCH_CUDA */
    int32_t device_index;   /* which GPU; 0 for the CPU */
    uint32_t rank;          /* dimensions; 0 is a single number; 64 at most */
    uint32_t flags;         /* out: PROF_TORCH_COPIED; in: 0 */
    const int64_t *shape;   /* rank lengths, 0 allowed; may be NULL when rank is 0 */
    const int64_t *strides; /* rank steps in elements, not negative; in: NULL is row-major */
    void *data;             /* the first element; may be NULL when there is none */
    uint64_t data_bytes;    /* up to the last element; in: 0 is not checked */
} prof_torch_tensor;

/* For prof_torch_value_tensor() to fill. */
#define PROF_TORCH_TENSOR_INIT { (uint32_t)sizeof(prof_torch_tensor), 0, 0, 0, 0u, 0u, NULL, NULL, NULL, 0u }

/* A row-major buffer in main memory: rank lengths at shape, the first element at data. */
#define PROF_TORCH_TENSOR_OF(dtype, rank, shape, data)                                                             \
    { (uint32_t)sizeof(prof_torch_tensor), (dtype), PROF_TORCH_CPU, 0, (uint32_t)(rank), 0u, (shape), NULL, (data), \
      0u }

/* Tensor flags. */
#define PROF_TORCH_COPIED 0x1u /* data is a copy that reading needed: the tensor itself lies differently */

/*
 * One argument of a model: a buffer or a value, never both.  The elements of
 * an array of inputs all have the same size field.
 */
typedef struct prof_torch_input {
    uint32_t size;                   /* sizeof(prof_torch_input) */
    uint32_t flags;                  /* 0 */
    const char *name;                /* the parameter's, or NULL: by position, before all named ones */
    const prof_torch_tensor *tensor; /* a buffer to borrow, or NULL */
    prof_torch_value *value;         /* of an earlier call, of any kind, or NULL; no reference is taken */
} prof_torch_input;

#define PROF_TORCH_INPUT_TENSOR(tensor) { (uint32_t)sizeof(prof_torch_input), 0u, NULL, (tensor), NULL }
#define PROF_TORCH_INPUT_VALUE(value) { (uint32_t)sizeof(prof_torch_input), 0u, NULL, NULL, (value) }

/* How to open a model.  Zero and NULL mean the default. */
typedef struct prof_torch_options {
    uint32_t size;      /* sizeof(prof_torch_options) */
    uint32_t flags;     /* 0 */
    const char *device; /* where it runs: "cpu" (the default), "cuda", "cuda:1" */
    uint64_t reserved;  /* 0 */
} prof_torch_options;

#define PROF_TORCH_OPTIONS_INIT { (uint32_t)sizeof(prof_torch_options), 0u, NULL, 0u }

/* A method of a model; its texts live as long as the model. */
typedef struct prof_torch_method {
    uint32_t size;           /* sizeof(prof_torch_method) */
    uint32_t flags;          /* PROF_TORCH_UNDECLARED */
    const char *name;        /* for prof_torch_run() */
    const char *result;      /* the type of what it returns, as Python writes it: "Tuple[Tensor, int]" */
    uint64_t argument_count; /* without self */
} prof_torch_method;

#define PROF_TORCH_METHOD_INIT { (uint32_t)sizeof(prof_torch_method), 0u, NULL, NULL, 0u }

/* An argument of a method; its texts live as long as the model. */
typedef struct prof_torch_argument {
    uint32_t size;            /* sizeof(prof_torch_argument) */
    uint32_t flags;           /* PROF_TORCH_NAME_ONLY */
    const char *name;         /* as prof_torch_input has it */
    const char *type;         /* "Tensor", "Dict[str, Tensor]", "Optional[int]" */
    const char *default_text; /* what it is when it is not given, "1." or "None"; NULL: it must be given */
} prof_torch_argument;

#define PROF_TORCH_ARGUMENT_INIT { (uint32_t)sizeof(prof_torch_argument), 0u, NULL, NULL, NULL }

/* Flags of methods and arguments. */
#define PROF_TORCH_UNDECLARED 0x1u /* the file does not say what arguments there are */
#define PROF_TORCH_NAME_ONLY 0x2u  /* cannot be given by position */

/* ------------------------------------------------------------------------
 * Models
 */

/*
 * Opens a model file and makes it ready to run: TorchScript (.pt), as
 * torch.jit.save() writes it, or a package that AOTInductor compiled (.pt2),
 * as torch._inductor.aoti_compile_and_package() does.  A script is put in
 * evaluation mode.
 *
 * A model is a program.  A package holds a shared library: opening one
 * unpacks it to a folder under /tmp, which is removed when it is open, or for a
 * GPU when it is closed, and runs its code with the rights of the process.  A script is confined to libtorch's operators, which can read and
 * write files.  Open what you would also run.  Damaged files, and the known
 * ways to trouble whoever opens one, are refused before libtorch sees the
 * file: its directory, its tensors and how much comes of what is compressed are
 * held against the file, and the length and nesting of its expressions, blocks,
 * types and definitions are bounded, for a stack of 8 MiB.  libtorch then reads
 * the file again: nobody may replace or change it meanwhile.
 *
 * A package needs libtorch 2.6 or later and runs on the kind of device, and
 * of processor, that it was compiled for.  It has one method, "forward", whose
 * inputs are tensors by position; it returns a tensor, or a tuple of several.
 * Its code checks shapes and types only where AOTI_RUNTIME_CHECK_INPUTS is in
 * the environment; opening one sets it to 1 unless it is there, so open the
 * first before threads start that read the environment.
 *
 *   path     The file.  What is in it decides, not its name.
 *   options  NULL for the defaults.
 *   model    Receives the handle, for prof_torch_model_close().
 *   returns  PROF_OK; PROF_E_NOT_FOUND: there is no such file; PROF_E_IO: it
 *            cannot be read, and the message has the system's reason;
 *            PROF_E_FORMAT: it is empty, damaged, or not such a model;
 *            PROF_E_UNSUPPORTED: the device is not there, libtorch was built
 *            without it, or the file is a package for another device or needs
 *            a newer libtorch; PROF_E_INVALID; PROF_E_NO_MEMORY.
 *   threads  Any, at once.
 *   memory   The weights, until the model is closed.  Loading needs up to the
 *            size of the file besides.
 *            The code of a package stays mapped after it is closed (its
 *            compiler marks it so), with each opening anew: open it once.
 *   since    0.1
 */
PROF_API prof_status prof_torch_model_open(const char *path, const prof_torch_options *options,
                                           prof_torch_model **model, prof_error *err);

/*
 * Makes a second handle of a model, for a thread of its own.
 *
 * The two share code, what the first runs compiled, and the weights, by which
 * are meant the parameters: a clone costs some kilobytes.  Buffers and all
 * other attributes are copied, so that what a run stores in one shows in no
 * other; what lies in the same memory as another attribute does so in the copy,
 * too, and a parameter that shares memory with a buffer is copied with it.
 * Tensors that are not strided, quantized ones and conjugated views are copied
 * each for itself.  Each is closed for itself, in any order.  Several threads
 * may also run one handle: clones are for models that keep state between calls.  Clones
 * of a package share everything; up to 16 runs of one package go on at once.
 *
 *   model    Any, a clone too.
 *   clone    Receives the handle, for prof_torch_model_close().
 *   returns  PROF_OK; PROF_E_INVALID: an argument is NULL, or an attribute
 *            cannot be copied (the message has libtorch's reason);
 *            PROF_E_BUSY: prof_torch_model_to() is at work on it;
 *            PROF_E_NO_MEMORY.
 *   threads  Any, at once; while a run changes the model's attributes, not.
 *   memory   The copied attributes, until the clone is closed.  The weights,
 *            until the last of all these handles is.
 *   since    0.1
 */
PROF_API prof_status prof_torch_model_clone(prof_torch_model *model, prof_torch_model **clone, prof_error *err);

/*
 * Moves a model's parameters and buffers to a device, or to another
 * floating-point type, or both.
 *
 * Only this handle: clones stay as they are and keep the weights that they
 * shared.  Integers keep their type.  Tensors that are no attributes but
 * constants in the code stay what they are, so a frozen model cannot be moved
 * usefully.  After a failure the model is as it was.
 *
 *   device   "cpu", "cuda", "cuda:1"; NULL: where it is.
 *   dtype    PROF_TORCH_HALF, _BFLOAT16, _FLOAT32 or _FLOAT64; 0: as it is.
 *            Inputs are not converted: give what the model then takes.
 *   returns  PROF_OK; PROF_E_BUSY: another call is using the model;
 *            PROF_E_UNSUPPORTED: as prof_torch_model_open(), or a package; PROF_E_INVALID;
 *            PROF_E_NO_MEMORY.
 *   threads  Any; calls on the model from other threads fail meanwhile, with
 *            PROF_E_BUSY.
 *   memory   Old and new weights together, while it works.
 *   since    0.1
 */
PROF_API prof_status prof_torch_model_to(prof_torch_model *model, const char *device, int32_t dtype,
                                         prof_error *err);

/*
 * Closes a model.  Values that it returned stay valid, and so do its clones:
 * calls on those may be running.
 *
 *   model    NULL is ignored.  No call on this very handle may be running, on
 *            no thread: wait for them first.  A build that checks says so on
 *            stderr and leaves the model open.
 *   threads  Any.
 *   since    0.1
 */
PROF_API void prof_torch_model_close(prof_torch_model *model);

/*
 * Runs a method of a model, without gradients.
 *
 * Buffers are read where they lie, in place; one that lies on another device
 * than the model's is copied there first.  A result never points into a
 * caller's buffer: where a model returns an input, a part of it, or keeps it,
 * that buffer is copied after the run.  What a model forks it must wait for.
 * The first two runs with new shapes compile, and are slow.
 *
 *   method   Its name; NULL for "forward".
 *   inputs   input_count of them, by position, then by name; may be NULL when
 *            input_count is 0.
 *   result   Receives what the method returned, with one reference, for
 *            prof_torch_value_close().
 *   returns  PROF_OK; PROF_E_INVALID: an input is malformed (the message says
 *            which, and what), or the model refused the inputs or raised an
 *            exception (the message has its text); PROF_E_NOT_FOUND: there is
 *            no such method; PROF_E_NO_MEMORY; PROF_E_UNSUPPORTED: libtorch
 *            has no such operation for the device or type; PROF_E_BUSY:
 *            prof_torch_model_to() is at work on the model.  The model can be
 *            run again after each of them.
 *   threads  Any, at once on one model.  A buffer or value that a model writes
 *            to must not be in use by another thread.
 *   memory   The result, until its last reference is closed.
 *   since    0.1
 */
PROF_API prof_status prof_torch_run(prof_torch_model *model, const char *method, const prof_torch_input *inputs,
                                    size_t input_count, prof_torch_value **result, prof_error *err);

/*
 * Runs a method several times and drops what it returns: the first two runs
 * with new shapes profile and compile, and take up to a hundred times as
 * long.  A clone of a warm model is warm.
 *
 *   method, inputs, input_count  As prof_torch_run().  A method that changes
 *            its inputs or the model does so each time.
 *   times    How often; 2 suffices for one set of shapes.
 *   returns  As prof_torch_run(), of the first run that failed.
 *   threads  As prof_torch_run().
 *   since    0.1
 */
PROF_API prof_status prof_torch_warm_up(prof_torch_model *model, const char *method, const prof_torch_input *inputs,
                                        size_t input_count, uint32_t times, prof_error *err);

/*
 * How many methods a model has.
 *
 *   model    NULL has none.
 *   returns  The count, at least 1 for a model that can be run; 0 also when
 *            memory is spent, or while prof_torch_model_to() is at work.
 *   threads  Any, at once.
 *   memory   Texts about all methods, at the first of these calls, kept with
 *            the model.
 *   since    0.1
 */
PROF_API size_t prof_torch_model_method_count(prof_torch_model *model);

/*
 * Says what a method is called, what it takes and what it returns.
 *
 *   index    From 0, below prof_torch_model_method_count(), in the file's order.
 *   method   Its size field set (PROF_TORCH_METHOD_INIT); receives the rest.
 *   returns  PROF_OK; PROF_E_NOT_FOUND: index is beyond the last;
 *            PROF_E_INVALID; PROF_E_BUSY: prof_torch_model_to() is at work on
 *            the model; PROF_E_NO_MEMORY.
 *   threads, memory  As prof_torch_model_method_count().
 *   since    0.1
 */
PROF_API prof_status prof_torch_model_method(prof_torch_model *model, size_t index, prof_torch_method *method,
                                             prof_error *err);

/*
 * Says what one argument of a method is.
 *
 *   method   Its name; NULL for "forward".
 *   index    From 0, without self.
 *   argument  Its size field set (PROF_TORCH_ARGUMENT_INIT); receives the rest.
 *   returns  As prof_torch_model_method(); PROF_E_NOT_FOUND also when there is
 *            no such method: the message lists those that are.
 *   threads, memory  As prof_torch_model_method_count().
 *   since    0.1
 */
PROF_API prof_status prof_torch_model_argument(prof_torch_model *model, const char *method, size_t index,
                                               prof_torch_argument *argument, prof_error *err);

/*
 * Gives the files that were saved in the model's file beside it
 * (torch.jit.save(…, _extra_files={…})): vocabularies, configurations.
 *
 *   files    Receives a dictionary, names as keys, contents as strings, which
 *            may have any bytes; sorted by name, empty where there are none.
 *            For prof_torch_value_close(); it outlives the model.
 *   returns  PROF_OK; PROF_E_INVALID; PROF_E_NO_MEMORY.
 *   threads  Any, at once.
 *   memory   They are read when the model is opened, and kept with it.
 *   since    0.1
 */
PROF_API prof_status prof_torch_model_extra_files(prof_torch_model *model, prof_torch_value **files, prof_error *err);

/* ------------------------------------------------------------------------
 * Values
 */

/* Kinds of value. */
#define PROF_TORCH_NONE 0 /* Python's None */
#define PROF_TORCH_TENSOR 1
#define PROF_TORCH_TUPLE 2 /* a named tuple too: prof_torch_value_find() knows its fields */
#define PROF_TORCH_LIST 3
#define PROF_TORCH_DICTIONARY 4
#define PROF_TORCH_INT 5
#define PROF_TORCH_DOUBLE 6
#define PROF_TORCH_TRUTH 7 /* Python's bool */
#define PROF_TORCH_STRING 8
#define PROF_TORCH_OTHER 9 /* cannot be read here, but passed on as an input */

/*
 * Adds a reference.
 *
 *   value    NULL is passed through.
 *   returns  value.
 *   threads  Any, at once.
 *   since    0.1
 */
PROF_API prof_torch_value *prof_torch_value_retain(prof_torch_value *value);

/*
 * Takes one reference back; with the last one the value is freed.
 *
 *   value    NULL is ignored.  A borrowed element is not closed, unless it was
 *            retained.
 *   threads  Any, at once.
 *   since    0.1
 */
PROF_API void prof_torch_value_close(prof_torch_value *value);

/*
 * What a value is.
 *
 *   returns  PROF_TORCH_NONE, PROF_TORCH_TENSOR …; more may come.
 *            PROF_TORCH_NONE for NULL.
 *   threads  Any, at once.
 *   since    0.1
 */
PROF_API int32_t prof_torch_value_kind(const prof_torch_value *value);

/*
 * How many elements a tuple, list or dictionary has.
 *
 *   returns  The count; 0 for every other kind, and for NULL.
 *   threads  Any, at once.
 *   since    0.1
 */
PROF_API size_t prof_torch_value_count(const prof_torch_value *value);

/*
 * Takes an element out by its place.
 *
 *   value    A tuple, a list, or a dictionary, whose values come in the order
 *            in which the model put them in.
 *   index    From 0.
 *   element  Receives it, borrowed from value.
 *   returns  PROF_OK; PROF_E_INVALID: value has no elements by its kind;
 *            PROF_E_NOT_FOUND: index is beyond the last; PROF_E_NO_MEMORY.
 *   threads  Any, at once.
 *   memory   A handle for each element, at the first call, kept with value.
 *   since    0.1
 */
PROF_API prof_status prof_torch_value_at(prof_torch_value *value, size_t index, prof_torch_value **element,
                                         prof_error *err);

/*
 * Takes an element out by its name.
 *
 *   value    A dictionary with texts as keys, or a named tuple.
 *   key      The key or the field's name.
 *   element  Receives it, borrowed from value.
 *   returns  PROF_OK; PROF_E_NOT_FOUND: there is no such key, the message
 *            lists those that are; PROF_E_INVALID: value has no names by its
 *            kind; PROF_E_NO_MEMORY.
 *   threads  Any, at once.
 *   memory   As prof_torch_value_at().
 *   since    0.1
 */
PROF_API prof_status prof_torch_value_find(prof_torch_value *value, const char *key, prof_torch_value **element,
                                           prof_error *err);

/*
 * Reads the name of an element: prof_torch_value_at() with the same index
 * gives what belongs to it.
 *
 *   value    A dictionary with texts as keys, or a named tuple.
 *   index    From 0.
 *   key      Receives the name, NUL-terminated, as long as value lives.
 *   key_bytes  Receives its length; NULL when not wanted.
 *   returns  PROF_OK; PROF_E_NOT_FOUND: index is beyond the last;
 *            PROF_E_INVALID: value has no names by its kind;
 *            PROF_E_UNSUPPORTED: this key is no text; PROF_E_NO_MEMORY.
 *   threads  Any, at once.
 *   memory   As prof_torch_value_at().
 *   since    0.1
 */
PROF_API prof_status prof_torch_value_key(prof_torch_value *value, size_t index, const char **key,
                                          size_t *key_bytes, prof_error *err);

/*
 * Reads a tensor.
 *
 * Without flags it comes row-major in main memory.  Where it does not lie so
 * already it is copied at the first call, the copy is kept with the value,
 * and tensor->flags says PROF_TORCH_COPIED.
 *
 *   value    A tensor.
 *   flags    0, or PROF_TORCH_AS_IS: with the strides and on the device that
 *            it has; never copies.
 *   tensor   Its size field set (PROF_TORCH_TENSOR_INIT); receives the rest,
 *            valid as long as value lives.  shape and strides are never NULL.
 *   returns  PROF_OK; PROF_E_INVALID: not a tensor, or wrong flags;
 *            PROF_E_UNSUPPORTED: a tensor of an element type or layout without
 *            a place here, such as complex or sparse; PROF_E_NO_MEMORY.
 *   threads  Any, at once.
 *   since    0.1
 */
PROF_API prof_status prof_torch_value_tensor(prof_torch_value *value, uint32_t flags, prof_torch_tensor *tensor,
                                             prof_error *err);

#define PROF_TORCH_AS_IS 0x1u

/* As the DLPack standard defines it (dlpack.h, before its version 1.0); only pointers to it cross this header. */
struct DLManagedTensor;

/*
 * Makes a value of an array of somebody else's, without copying: the way for
 * arrays that shall live longer than a call.
 *
 *   managed  Any rank to 64, steps from 0, in main memory (pinned too) or on
 *            a GPU, of an element type that is listed above.  Consumed on
 *            success: its deleter is called, once, by the thread that lets go
 *            of the last value, result or model that refers to the array;
 *            NULL as deleter is fine.  After a failure it is the caller's.
 *   value    Receives a tensor with one reference, for prof_torch_value_close().
 *            What is written to the array shows in it.
 *   returns  PROF_OK; PROF_E_INVALID: malformed, or with negative steps, and
 *            the message says what; PROF_E_UNSUPPORTED: an element type or a
 *            device without a place here; PROF_E_NO_MEMORY.
 *   threads  Any, at once.
 *   memory   Some hundred bytes.
 *   since    0.1
 */
PROF_API prof_status prof_torch_value_from_dlpack(struct DLManagedTensor *managed, prof_torch_value **value,
                                                  prof_error *err);

/*
 * Hands a tensor on to whoever takes DLPack, without copying: as it lies, on
 * the device and with the steps that it has.
 *
 *   value    A tensor, of any element type that DLPack has: complex ones too.
 *   managed  Receives it.  The consumer calls its deleter, once, on any
 *            thread; until then it keeps the tensor's memory, whatever is
 *            closed meanwhile.
 *   returns  PROF_OK; PROF_E_INVALID: not a tensor; PROF_E_UNSUPPORTED: sparse,
 *            lazily negated or conjugated, or of a type that DLPack has not;
 *            PROF_E_NO_MEMORY.
 *   threads  Any, at once.  The memory is shared: who writes to it must be
 *            alone with it.
 *   memory   Some hundred bytes, until the deleter is called.
 *   since    0.1
 */
PROF_API prof_status prof_torch_value_to_dlpack(prof_torch_value *value, struct DLManagedTensor **managed,
                                                prof_error *err);

/*
 * Read a value of the kind that the name says; _truth gives 0 or 1.
 *
 *   value    PROF_TORCH_INT, PROF_TORCH_DOUBLE, PROF_TORCH_TRUTH.
 *   returns  PROF_OK; PROF_E_INVALID: another kind, which the message names.
 *   threads  Any, at once.
 *   since    0.1
 */
PROF_API prof_status prof_torch_value_int(const prof_torch_value *value, int64_t *number, prof_error *err);
PROF_API prof_status prof_torch_value_double(const prof_torch_value *value, double *number, prof_error *err);
PROF_API prof_status prof_torch_value_truth(const prof_torch_value *value, int32_t *truth, prof_error *err);

/*
 * Reads a text.
 *
 *   value    PROF_TORCH_STRING.
 *   text     Receives it, NUL-terminated, as long as value lives.
 *   text_bytes  Receives its length; NULL when not wanted.
 *   returns  PROF_OK; PROF_E_INVALID: another kind, which the message names.
 *   threads  Any, at once.
 *   since    0.1
 */
PROF_API prof_status prof_torch_value_string(const prof_torch_value *value, const char **text, size_t *text_bytes,
                                             prof_error *err);

/* ------------------------------------------------------------------------
 * Operators
 */

/*
 * Makes every operator that libtorch runs in this process a scope, on every
 * thread, in whatever scope is open there: those of the models that are run
 * here and all others.  They carry the names that torch.profiler gives them
 * (aten::linear), and stand in tables, timeline and .prof under the file
 * "torch".  Around the forward of a TorchScript module stands a scope with its
 * class ("nn.Module: Encoder"), around a run of a compiled package one with the
 * model's name there ("AOTInductor: model").  PROFCORE_TORCH=1 does the same
 * when the library is loaded, PROFCORE_TORCH=shapes with PROF_TORCH_SHAPES.
 * torch's own profiler may run beside it.
 *
 * An operator costs some 740 instructions then, of which 525 are libtorch's
 * 2.13: 1 to 1.8 % of a small model's forward beside the 0.9 to 3 % that
 * libtorch's part takes there (docs/performance.md).  While the recorder is
 * stopped, it costs libtorch's part.  Called again, it goes on with the new flags.
 *
 *   flags    0, or PROF_TORCH_SHAPES: operators are told apart by the shapes
 *            of their inputs, aten::linear([9, 384], [384, 384], [384]).
 *   returns  PROF_OK; PROF_E_INVALID for other flags; PROF_E_UNSUPPORTED where the
 *            libtorch that is loaded is not the version that this library was
 *            built with; PROF_E_NO_MEMORY.
 *   threads  Any.  Operators that run meanwhile are recorded or not.
 *   since    0.1
 */
PROF_API prof_status prof_torch_operators_start(uint32_t flags, prof_error *err);

#define PROF_TORCH_SHAPES 0x1u

/* Ends that: operators that run end as scopes; later ones cost nothing; any thread; since 0.1. */
PROF_API void prof_torch_operators_stop(void);

/*
 * Counts what libtorch allocates in main memory, as the kind "torch.cpu" of
 * <profcore/memory.h>: by scope and operator, on every thread, in bytes and
 * blocks, with peaks; and what stays allocated, by where.  PROFCORE_TORCH=memory
 * does the same when the library is loaded, PROFCORE_TORCH=1,memory with
 * operators.
 *
 * It also awaits CUDA: once the program has initialised libtorch's, what is
 * allocated on GPUs is told as by prof_torch_cuda_memory_start(), a hundredth of
 * a second later.  Nothing is initialised for that, no GPU asked for; reports
 * have "torch.cuda" with the reason until then.  What was allocated before is in
 * the figures; the calls that are open at that moment have none.
 *
 * Call it before a model is loaded: of what was allocated before nothing is
 * counted.  And before the first scope and prof_torch_operators_start(): scopes and
 * operators that ran before go without.  It lasts as long as the process.
 *
 *   returns  PROF_OK, also when called again; PROF_E_UNSUPPORTED: the program
 *            has an allocator of its own that cannot be counted, or has loaded
 *            another version of libtorch than this library was built with;
 *            PROF_E_LIMIT, PROF_E_NO_MEMORY: see prof_memory_open().
 *   threads  Any; while no other uses libtorch.
 *   since    0.1
 */
PROF_API prof_status prof_torch_memory_start(prof_error *err);

/*
 * Tells the memory that libtorch allocates on GPUs from now on, whether or not
 * the program uses one yet (prof_torch_memory_start() waits for that): each as a pool
 * of its own, "torch.cuda:0" (prof_pool_open() in <profcore/memory.h>): each
 * call of a scope has what was allocated and reserved at its begin, at its end
 * and the highest in between, in the bytes of torch.cuda.memory_allocated() and
 * memory_reserved().  torch's own peaks are neither read nor reset.
 *
 * Before the first scope: those that ran before go without.  It asks how many
 * GPUs there are, which initialises the driver but makes no context: a process
 * that forks does so first.  It lasts as long as the process.
 *
 *   returns  PROF_OK, also when called again; PROF_E_UNAVAILABLE: this libtorch
 *            is built without CUDA, or finds no GPU; PROF_E_UNSUPPORTED: its
 *            allocator has no trace (cudaMallocAsync, or before 2.2), this
 *            library was built without CUDA's headers, or with another version
 *            of libtorch than is loaded; PROF_E_LIMIT, PROF_E_NO_MEMORY: see
 *            prof_pool_open().
 *   threads  Any; while no other uses libtorch.
 *   since    0.1
 */
PROF_API prof_status prof_torch_cuda_memory_start(prof_error *err);

/* ------------------------------------------------------------------------
 * The process
 */

/*
 * Sets how many threads work on one operator together.
 *
 * Set it before the first run: a thread that has run a model keeps what held
 * then, unless it calls this itself.
 *
 *   count    At least 1; 4096 at most.
 *   returns  PROF_OK; PROF_E_INVALID.
 *   threads  Any; not while a model runs.
 *   since    0.1
 */
PROF_API prof_status prof_torch_intra_threads_set(int32_t count, prof_error *err);

/*
 * Sets how many threads run operators side by side, where a model asks for it
 * (torch.jit.fork).  libtorch allows it once, before the first such run.
 *
 *   count    At least 1; 4096 at most.
 *   returns  PROF_OK; PROF_E_INVALID; PROF_E_BUSY: it is too late.
 *   threads  Any.
 *   since    0.1
 */
PROF_API prof_status prof_torch_inter_threads_set(int32_t count, prof_error *err);

/*
 * Read the counts: on the calling thread, for the first.
 *
 *   count    Receives it.
 *   returns  PROF_OK; PROF_E_INVALID.
 *   threads  Any, at once.
 *   since    0.1
 */
PROF_API prof_status prof_torch_intra_threads_get(int32_t *count, prof_error *err);
PROF_API prof_status prof_torch_inter_threads_get(int32_t *count, prof_error *err);

/* The version of libtorch that the library was built against, such as "2.13.0"; never NULL; since 0.1. */
PROF_API const char *prof_torch_version(void);

/* 1 when libtorch can use a GPU here, else 0; the first call may take a second; since 0.1. */
PROF_API int32_t prof_torch_has_cuda(void);

#ifdef __cplusplus
}
#endif

#endif /* PROFCORE_TORCH_H */
