/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a model says about itself: its methods, their arguments, and the
 * files that were saved with it.
 *
 * The texts are made for all methods together when first asked for, and stay
 * as they are for the model's life, so that C may keep pointers to them.
 */
#include "shim_model.hpp"

#include <ATen/core/function_schema.h>
#include <ATen/core/jit_type.h>

#include <sstream>

using profi_torch::fail;
using profi_torch::guarded;
using profi_torch::signature;
using profi_torch::task;
using profi_torch::use;

namespace {

signature::argument describe_argument(const c10::Argument &given)
{
    std::ostringstream text;
    if (given.default_value() && given.default_value()->isString())
        text << "'" << given.default_value()->toStringRef() << "'";
    else if (given.default_value())
        text << *given.default_value();
    return { given.name(), given.type()->annotation_str(), text.str(), given.default_value().has_value(),
             given.kwarg_only() ? PROF_TORCH_NAME_ONLY : 0u };
}

signature describe_method(const torch::jit::Method &method)
{
    const c10::FunctionSchema &schema = method.function().getSchema();
    signature made;
    made.name = method.name();
    made.result = schema.returns().empty() ? "None" : schema.returns()[0].type()->annotation_str();
    for (size_t i = 1; i < schema.arguments().size(); i++) /* the first is self */
        made.arguments.push_back(describe_argument(schema.arguments()[i]));
    return made;
}

/* The texts about a model's methods, made at the first call. */
prof_status describe(prof_torch_model *model, const std::vector<signature> **methods, const task &doing,
                     prof_error *err)
{
    const use used(model, false);
    if (!used.held)
        return fail(err, PROF_E_BUSY, doing, "it is being moved by another thread");
    const std::lock_guard<std::mutex> guard(model->lock);
    if (!model->is_described) {
        std::vector<signature> made;
        if (model->package) {
            made.push_back({ "forward", "Any", {}, PROF_TORCH_UNDECLARED });
        } else {
            for (const torch::jit::Method &method : model->module.get_methods())
                made.push_back(describe_method(method));
        }
        model->methods.swap(made);
        model->is_described = true;
    }
    *methods = &model->methods;
    return PROF_OK;
}

std::string name_list(const std::vector<signature> &methods)
{
    std::string list;
    for (const signature &one : methods)
        list += (list.empty() ? "'" : ", '") + one.name + "'";
    return list.empty() ? "none" : list;
}

task reading(const prof_torch_model *model, const char *method)
{
    return task{ "describe model", profi_torch::name_of(model), method };
}

} // namespace

size_t prof_torch_model_method_count(prof_torch_model *model)
{
    const task doing = reading(model, nullptr);
    size_t count = 0;
    if (model == nullptr || !profi_torch::handle_check_aloud(model, "prof_torch_model_method_count"))
        return 0;
    guarded(nullptr, PROF_E_INVALID, doing, [&] {
        const std::vector<signature> *methods = nullptr;
        const prof_status status = describe(model, &methods, doing, nullptr);
        count = status == PROF_OK ? methods->size() : 0;
        return status;
    });
    return count;
}

prof_status prof_torch_model_method(prof_torch_model *model, size_t index, prof_torch_method *method, prof_error *err)
{
    const task doing = reading(model, nullptr);
    if (model == nullptr || method == nullptr)
        return fail(err, PROF_E_INVALID, doing, "%s is NULL", model == nullptr ? "model" : "method");
    if (prof_status status = profi_torch::handle_check(model, doing, err))
        return status;
    return guarded(err, PROF_E_INVALID, doing, [&]() -> prof_status {
        const std::vector<signature> *methods = nullptr;
        if (prof_status status = describe(model, &methods, doing, err))
            return status;
        if (index >= methods->size())
            return fail(err, PROF_E_NOT_FOUND, doing, "there is no method %zu: it has %zu", index, methods->size());
        const signature &found = (*methods)[index];
        prof_torch_method out = PROF_TORCH_METHOD_INIT;
        out.flags = found.flags;
        out.name = found.name.c_str();
        out.result = found.result.c_str();
        out.argument_count = found.arguments.size();
        return profi_torch::struct_write(method, out, sizeof(out), "method", doing, err);
    });
}

prof_status prof_torch_model_argument(prof_torch_model *model, const char *method, size_t index,
                                      prof_torch_argument *argument, prof_error *err)
{
    const task doing = reading(model, method);
    if (model == nullptr || argument == nullptr)
        return fail(err, PROF_E_INVALID, doing, "%s is NULL", model == nullptr ? "model" : "argument");
    if (prof_status status = profi_torch::handle_check(model, doing, err))
        return status;
    return guarded(err, PROF_E_INVALID, doing, [&]() -> prof_status {
        const char *name = method != nullptr ? method : "forward";
        const std::vector<signature> *methods = nullptr;
        if (prof_status status = describe(model, &methods, doing, err))
            return status;
        for (const signature &one : *methods) {
            if (one.name != name)
                continue;
            if (index >= one.arguments.size())
                return fail(err, PROF_E_NOT_FOUND, doing, "there is no argument %zu: it takes %zu", index,
                            one.arguments.size());
            const signature::argument &found = one.arguments[index];
            prof_torch_argument out = PROF_TORCH_ARGUMENT_INIT;
            out.flags = found.flags;
            out.name = found.name.c_str();
            out.type = found.type.c_str();
            out.default_text = found.has_default ? found.default_text.c_str() : nullptr;
            return profi_torch::struct_write(argument, out, sizeof(out), "argument", doing, err);
        }
        return fail(err, PROF_E_NOT_FOUND, doing, "it has no method '%.80s'; it has: %s", name,
                    name_list(*methods).c_str());
    });
}

prof_status prof_torch_model_extra_files(prof_torch_model *model, prof_torch_value **files, prof_error *err)
{
    const task doing = reading(model, nullptr);
    if (model == nullptr || files == nullptr)
        return fail(err, PROF_E_INVALID, doing, "%s is NULL", model == nullptr ? "model" : "files");
    if (prof_status status = profi_torch::handle_check(model, doing, err))
        return status;
    return guarded(err, PROF_E_INVALID, doing, [&] {
        *files = new prof_torch_value(model->extra_files);
        return PROF_OK;
    });
}
