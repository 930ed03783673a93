/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libtorch's operators as scopes: one global pair of callbacks of
 * RecordFunction, which hands each operator to libprofcore as a runtime's.
 * RecordFunction calls the second one also where an operator throws.
 */
#include "shim_error.hpp"
#include "shim_operators.hpp"

#include <profcore/torch.h>

#include <ATen/ATen.h>
#include <ATen/record_function.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <unordered_set>

using profi_torch::fail;
using profi_torch::guarded;
using profi_torch::task;

prof_operators *profi_torch::operators_source;
std::atomic<bool> profi_torch::records_operators{ false };

namespace {

prof_operators *&source = profi_torch::operators_source;

/*
 * An operator that is open.  There are hundreds in a forward, so their memory
 * is used again: by the thread that ended them, which is mostly the one that
 * began them; no thread keeps more than `unused_most`.
 */
const unsigned unused_most = 256;

struct open_operator final : at::ObserverContext {
    prof_scope scope = PROF_SCOPE_NONE;
    open_operator *next = nullptr;
    static void *operator new(size_t bytes);
    static void operator delete(void *block);
};

/* Without a constructor or destructor, which each use would have to ask for, and where no call is needed to find it. */
struct unused_operators {
    open_operator *first;
    unsigned room; /* for so many more; none before the thread's first operator, and after its end */
    bool has_end;
};
__attribute__((tls_model("initial-exec"))) thread_local unused_operators unused;

struct end_of_thread {
    ~end_of_thread()
    {
        unused.room = 0;
        while (unused.first != nullptr) {
            open_operator *next = unused.first->next;
            ::operator delete(static_cast<void *>(unused.first));
            unused.first = next;
        }
    }
};

/* Rare: there is no room, or none yet. */
void delete_or_begin(void *block)
{
    if (!unused.has_end) {
        thread_local end_of_thread at_end;
        (void)at_end;
        unused.has_end = true;
        unused.room = unused_most;
    }
    ::operator delete(block);
}

void *open_operator::operator new(size_t bytes)
{
    open_operator *again = unused.first;
    if (again == nullptr)
        return ::operator new(bytes);
    unused.first = again->next;
    unused.room++;
    return again;
}

void open_operator::operator delete(void *block)
{
    if (unused.room == 0) {
        delete_or_begin(block);
        return;
    }
    auto *old = static_cast<open_operator *>(block);
    old->next = unused.first;
    unused.first = old;
    unused.room--;
}

std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction &function)
{
    auto open = std::make_unique<open_operator>();
    open->scope = prof_operator_begin(source, function.name());
    return open;
}

const uint32_t inputs_most = 32;

/* The shapes of an operator's inputs; those of lists of tensors stand beside the others. */
struct shapes {
    prof_operator_input inputs[inputs_most];
    uint32_t count = 0;

    void add(const at::Tensor &tensor)
    {
        if (!tensor.defined() || count == inputs_most || tensor.is_nested())
            return;
        const auto sizes = tensor.sizes();
        inputs[count++] = { sizeof(prof_operator_input), static_cast<uint32_t>(sizes.size()), sizes.data() };
    }

    void add(const c10::IValue &value)
    {
        if (value.isTensor()) {
            add(value.toTensor());
        } else if (value.isTensorList()) {
            for (const at::Tensor &tensor : value.toTensorList())
                add(tensor);
        }
    }
};

std::unique_ptr<at::ObserverContext> begin_shaped(const at::RecordFunction &function)
{
    auto open = std::make_unique<open_operator>();
    open->scope = profi_torch::operator_begin_shaped(function);
    return open;
}

void end(const at::RecordFunction &, at::ObserverContext *context)
{
    if (context != nullptr)
        prof_end(static_cast<open_operator *>(context)->scope);
}

std::mutex lock;
at::CallbackHandle installed[] = { at::INVALID_CALLBACK_HANDLE, at::INVALID_CALLBACK_HANDLE }; /* under the lock */

void remove_installed()
{
    for (at::CallbackHandle &one : installed) {
        if (one != at::INVALID_CALLBACK_HANDLE)
            at::removeCallback(one);
        one = at::INVALID_CALLBACK_HANDLE;
    }
    profi_torch::records_operators.store(false, std::memory_order_release);
}

/* All but TorchScript's methods, which have callbacks of their own. */
std::unordered_set<at::RecordScope> operator_scopes()
{
    std::unordered_set<at::RecordScope> scopes;
    for (unsigned i = 0; i < static_cast<unsigned>(at::RecordScope::NUM_SCOPES); i++)
        scopes.insert(static_cast<at::RecordScope>(i));
    scopes.erase(at::RecordScope::TORCHSCRIPT_FUNCTION);
    return scopes;
}

prof_status start(uint32_t flags, prof_error *err)
{
    const task doing{ "record operators" };
    if ((flags & ~PROF_TORCH_SHAPES) != 0)
        return fail(err, PROF_E_INVALID, doing, "flags 0x%x are not known", static_cast<unsigned>(flags & ~PROF_TORCH_SHAPES));
    return guarded(err, PROF_E_UNAVAILABLE, doing, [&] {
        const std::lock_guard<std::mutex> locked(lock);
        if (prof_status status = profi_torch::check_version(doing, err))
            return status;
        if (prof_status status = source == nullptr ? prof_operators_open("torch", &source, err) : PROF_OK)
            return status;
        remove_installed();
        const bool is_shaped = (flags & PROF_TORCH_SHAPES) != 0;
        installed[0] = at::addGlobalCallback(
            at::RecordFunctionCallback(is_shaped ? begin_shaped : begin, end).needsInputs(is_shaped).scopes(operator_scopes()));
        installed[1] = at::addGlobalCallback(profi_torch::method_callback(is_shaped));
        profi_torch::runners_record();
        profi_torch::records_operators.store(true, std::memory_order_release);
        return static_cast<prof_status>(PROF_OK);
    });
}

bool is_quiet()
{
    const char *quiet = secure_getenv("PROFCORE_QUIET");
    return quiet != nullptr && std::strcmp(quiet, "1") == 0;
}

void tell(const prof_error &err)
{
    if (err.status != PROF_OK && !is_quiet())
        std::fprintf(stderr, "profcore: %s\n", err.message);
}

/* PROFCORE_TORCH: 0, or a list of 1, shapes and memory. */
__attribute__((constructor)) void start_by_environment()
{
    const char *wish = secure_getenv("PROFCORE_TORCH");
    bool has_operators = false, has_shapes = false, has_memory = false;
    if (wish == nullptr || wish[0] == '\0' || std::strcmp(wish, "0") == 0)
        return;
    for (const char *at = wish; *at != '\0';) {
        const std::size_t bytes = std::strcspn(at, ",");
        const auto is = [&](const char *word) { return std::strlen(word) == bytes && std::strncmp(at, word, bytes) == 0; };
        if (!is("1") && !is("shapes") && !is("memory")) {
            prof_error err = PROF_ERROR_INIT;
            fail(&err, PROF_E_INVALID, task{ "record operators" }, "PROFCORE_TORCH=\"%.80s\" is neither 0 nor a list of 1, shapes "
                 "and memory", wish);
            tell(err);
            return;
        }
        has_shapes |= is("shapes");
        has_memory |= is("memory");
        has_operators |= !is("memory");
        at += bytes + (at[bytes] == ',');
    }
    prof_error memory_err = PROF_ERROR_INIT, err = PROF_ERROR_INIT;
    if (has_memory) /* first, so that operators measure it */
        prof_torch_memory_start(&memory_err);
    if (has_operators)
        start(has_shapes ? PROF_TORCH_SHAPES : 0u, &err);
    tell(memory_err);
    tell(err);
}

} // namespace

prof_scope profi_torch::operator_begin_shaped(const at::RecordFunction &function)
{
    shapes found;
    try {
        /* A script hands over its whole stack, of which the last are the operator's; what has no schema says no number. */
        const auto all = function.inputs();
        const size_t own = function.num_inputs(), below = own != 0 && all.size() > own ? all.size() - own : 0;
        for (const c10::IValue &input : all.slice(below))
            found.add(input);
    } catch (...) { /* a tensor that has no sizes of its own: those before it are shown */
    }
    return prof_operator_begin_shaped(source, function.name(), found.inputs, found.count);
}

prof_status prof_torch_operators_start(uint32_t flags, prof_error *err)
{
    return start(flags, err);
}

void prof_torch_operators_stop(void)
{
    const std::lock_guard<std::mutex> locked(lock);
    guarded(nullptr, PROF_E_UNAVAILABLE, task{ "stop recording operators" }, [] {
        remove_installed();
        return static_cast<prof_status>(PROF_OK);
    });
}
