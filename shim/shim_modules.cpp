/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The methods of TorchScript's modules as scopes: "forward" in "nn.Module:
 * Encoder", as torch's profiler names modules that are not scripts.
 *
 * libtorch tells of a method that C++ calls twice: as a method, and as the
 * function that its interpreter then runs.  The second is left out.
 */
#include "shim_operators.hpp"

#include <ATen/core/class_type.h>
#include <ATen/core/ivalue.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace {

/*
 * A method that runs.  Where it waits for what it forked, it may end on
 * another thread than the one that has it in its list: it says that it is over.
 */
struct running {
    const void *self;
    std::string name;
    std::atomic<bool> is_over{ false };
};

thread_local std::vector<std::shared_ptr<running>> methods; /* the calling thread's, innermost last */

struct open_method final : at::ObserverContext {
    prof_scope module = PROF_SCOPE_NONE, method = PROF_SCOPE_NONE;
    std::shared_ptr<running> run;
    ~open_method() override
    {
        if (run)
            run->is_over.store(true, std::memory_order_release);
    }
};

/* The module whose method this is; NULL for functions. */
const c10::ivalue::Object *module_of(const at::RecordFunction &function)
{
    const auto inputs = function.inputs();
    if (inputs.empty() || !inputs[0].isObject())
        return nullptr;
    const c10::ivalue::Object &object = inputs[0].toObjectRef();
    return object.type()->is_module() ? &object : nullptr;
}

bool is_told_twice(const void *self, const char *name)
{
    while (!methods.empty() && methods.back()->is_over.load(std::memory_order_acquire))
        methods.pop_back();
    return !methods.empty() && methods.back()->self == self && methods.back()->name == name;
}

prof_scope begin_module(const c10::ivalue::Object &module)
{
    char name[200];
    const auto full = module.type()->name();
    std::snprintf(name, sizeof(name), "nn.Module: %.180s", full ? full->name().c_str() : "?");
    return prof_operator_begin(profi_torch::operators_source, name);
}

template <bool is_shaped> std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction &function)
{
    const char *name = function.name();
    const c10::ivalue::Object *module = module_of(function);
    if (module != nullptr && is_told_twice(module, name))
        return nullptr;
    auto open = std::make_unique<open_method>();
    if (module != nullptr) {
        open->run = std::make_shared<running>();
        open->run->self = module;
        open->run->name = name;
        methods.push_back(open->run);
        if (std::strcmp(name, "forward") == 0)
            open->module = begin_module(*module);
    }
    open->method = is_shaped ? profi_torch::operator_begin_shaped(function) : prof_operator_begin(profi_torch::operators_source, name);
    return open;
}

void end(const at::RecordFunction &, at::ObserverContext *context)
{
    if (context == nullptr)
        return;
    const auto *open = static_cast<open_method *>(context);
    prof_end(open->method);
    prof_end(open->module);
}

} // namespace

at::RecordFunctionCallback profi_torch::method_callback(bool is_shaped)
{
    return at::RecordFunctionCallback(is_shaped ? begin<true> : begin<false>, end)
        .needsInputs(true)
        .scopes({ at::RecordScope::TORCHSCRIPT_FUNCTION });
}
