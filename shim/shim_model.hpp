/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a model handle holds, for the files that open, run, copy, move and
 * describe one.
 *
 * Its invariant: while a call uses a model (profi_torch::use), nothing in it
 * is replaced; what replaces something has the model for itself.
 */
#ifndef SHIM_MODEL_HPP
#define SHIM_MODEL_HPP

#include "shim_lifetime.hpp"
#include "shim_package.hpp"
#include "shim_value.hpp"

#include <torch/csrc/jit/api/module.h>

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

namespace profi_torch {

/* What a method is called with, as texts that prof_torch_method and prof_torch_argument point to. */
struct signature {
    struct argument {
        std::string name, type, default_text;
        bool has_default;
        uint32_t flags;
    };

    std::string name, result;
    std::vector<argument> arguments;
    uint32_t flags = 0;
};

} // namespace profi_torch

struct prof_torch_model {
    prof_torch_model(std::string path_, c10::Device device_, torch::jit::Module module_)
        : path(std::move(path_)), device(device_), module(std::move(module_))
    {
        profi_torch::handle_opened(this, "the model");
    }
    ~prof_torch_model() { profi_torch::handle_closed(this); }
    PROFI_HANDLE_MEMORY

    const std::string path;
    c10::Device device;
    torch::jit::Module module;                      /* of TorchScript; empty when there is a package */
    std::shared_ptr<profi_torch::package> package; /* of AOTInductor, or NULL; clones share it */
    c10::IValue extra_files; /* a dictionary; clones share it */
    std::atomic<int32_t> use_count{ 0 }; /* calls that use it now; -1 while one replaces what is in it */

    std::mutex lock; /* guards what follows, which is made when first asked for and then stays */
    bool is_described = false;
    std::vector<profi_torch::signature> methods;
};

namespace profi_torch {

/* How messages call a model, which may be NULL or closed. */
inline const char *name_of(const prof_torch_model *model)
{
    return model != nullptr && handle_is_open(model) ? model->path.c_str() : nullptr;
}

/* One call's use of a model, shared with other calls or alone; it holds when `held`. */
class use {
public:
    use(prof_torch_model *model, bool is_alone) : model_(model), is_alone_(is_alone)
    {
        int32_t count = model->use_count.load(std::memory_order_relaxed);
        do {
            if (count < 0 || (is_alone && count != 0))
                return;
        } while (!model->use_count.compare_exchange_weak(count, is_alone ? -1 : count + 1, std::memory_order_acquire,
                                                         std::memory_order_relaxed));
        held = true;
    }

    ~use()
    {
        if (held)
            model_->use_count.fetch_add(is_alone_ ? 1 : -1, std::memory_order_release);
    }

    use(const use &) = delete;
    use &operator=(const use &) = delete;

    bool held = false;

private:
    prof_torch_model *model_;
    bool is_alone_;
};

/* "cpu", "cuda", "cuda:1"; NULL is the CPU. */
prof_status device_parse(const char *text, c10::Device *device, const task &doing, prof_error *err);

/* The methods of a model as a message lists them. */
std::string method_list(const prof_torch_model &model);

} // namespace profi_torch

#endif
