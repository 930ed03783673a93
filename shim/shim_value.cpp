/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values: what a model returned, walked from C.
 *
 * A handle is made for an element when its container is first walked, so
 * that a result nobody looks into costs one.  What a handle shows never
 * changes; its lock is held only to make what is made on demand.
 */
#include "shim_value.hpp"

#include <ATen/core/function_schema.h>
#include <ATen/core/jit_type.h>
#include <c10/core/InferenceMode.h>
#include <torch/cuda.h>

#include <string>

using profi_torch::fail;
using profi_torch::guarded;
using profi_torch::kind_name;
using profi_torch::task;

namespace {

int32_t kind_of(const c10::IValue &value)
{
    if (value.isTensor())
        return value.toTensor().defined() ? PROF_TORCH_TENSOR : PROF_TORCH_NONE;
    if (value.isNone())
        return PROF_TORCH_NONE;
    if (value.isTuple())
        return PROF_TORCH_TUPLE;
    if (value.isList())
        return PROF_TORCH_LIST;
    if (value.isGenericDict())
        return PROF_TORCH_DICTIONARY;
    if (value.isInt())
        return PROF_TORCH_INT;
    if (value.isDouble())
        return PROF_TORCH_DOUBLE;
    if (value.isBool())
        return PROF_TORCH_TRUTH;
    if (value.isString())
        return PROF_TORCH_STRING;
    return PROF_TORCH_OTHER;
}

/* Handles that are not yet anybody's. */
class element_list {
public:
    ~element_list()
    {
        for (prof_torch_value::element &one : list)
            prof_torch_value_close(one.value);
    }

    void add(c10::IValue key, c10::IValue value)
    {
        list.push_back({ std::move(key), nullptr });
        list.back().value = new prof_torch_value(std::move(value));
    }

    std::vector<prof_torch_value::element> list;
};

void list_tuple(const c10::IValue &tuple, element_list *to)
{
    const auto &elements = tuple.toTupleRef().elements();
    const auto type = tuple.toTupleRef().type();
    const auto &schema = type->schema(); /* only a named tuple has one */
    for (size_t i = 0; i < elements.size(); i++) {
        const bool is_named = schema != nullptr && i < schema->arguments().size();
        to->add(is_named ? c10::IValue(schema->arguments()[i].name()) : c10::IValue(), elements[i]);
    }
}

/* Makes the handles of a container's elements; the caller holds no lock. */
void expand(prof_torch_value *value)
{
    const std::lock_guard<std::mutex> guard(value->lock);
    if (value->is_expanded)
        return;
    element_list made;
    if (value->kind == PROF_TORCH_TUPLE) {
        list_tuple(value->ivalue, &made);
    } else if (value->kind == PROF_TORCH_LIST) {
        for (const c10::IValue &one : value->ivalue.toListRef())
            made.add(c10::IValue(), one);
    } else {
        for (const auto &one : value->ivalue.toGenericDict())
            made.add(one.key(), one.value());
    }
    value->elements.swap(made.list);
    value->is_expanded = true;
}

bool is_container(const prof_torch_value *value)
{
    return value->kind == PROF_TORCH_TUPLE || value->kind == PROF_TORCH_LIST || value->kind == PROF_TORCH_DICTIONARY;
}

prof_status fail_null(prof_error *err, const task &doing, const char *argument)
{
    return fail(err, PROF_E_INVALID, doing, "%s is NULL", argument);
}

/* Checks that a value is of the kind that a reader wants. */
prof_status kind_check(const prof_torch_value *value, int32_t kind, const void *out, const task &doing,
                       prof_error *err)
{
    if (value == nullptr)
        return fail_null(err, doing, "value");
    if (prof_status status = profi_torch::handle_check(value, doing, err))
        return status;
    if (out == nullptr)
        return fail_null(err, doing, "the result's place");
    if (value->kind != kind)
        return fail(err, PROF_E_INVALID, doing, "the value is %s, not %s", kind_name(value->kind), kind_name(kind));
    return PROF_OK;
}

/* Expands a container and finds the element at a place. */
prof_status element_at(prof_torch_value *value, size_t index, prof_torch_value::element **element, const task &doing,
                       prof_error *err)
{
    if (value == nullptr)
        return fail_null(err, doing, "value");
    if (prof_status status = profi_torch::handle_check(value, doing, err))
        return status;
    if (!is_container(value))
        return fail(err, PROF_E_INVALID, doing, "the value is %s and has no elements", kind_name(value->kind));
    expand(value);
    if (index >= value->elements.size())
        return fail(err, PROF_E_NOT_FOUND, doing, "there is no element %zu: the value is %s of %zu", index,
                    kind_name(value->kind), value->elements.size());
    *element = &value->elements[index];
    return PROF_OK;
}

/* The keys of a container, as a message lists them. */
std::string key_list(const prof_torch_value *value)
{
    std::string list;
    for (const prof_torch_value::element &one : value->elements) {
        if (!one.key.isString())
            continue;
        list += list.empty() ? "'" : ", '";
        list += one.key.toStringRef() + "'";
    }
    return list.empty() ? "none" : list;
}

at::Tensor readable_tensor(prof_torch_value *value)
{
    const std::lock_guard<std::mutex> guard(value->lock);
    if (!value->readable.defined()) {
        const c10::InferenceMode inference;
        const at::Tensor &tensor = value->ivalue.toTensor();
        value->readable = tensor.resolve_neg().to(at::kCPU).contiguous();
    }
    return value->readable;
}

} // namespace

namespace profi_torch {

const char *kind_name(int32_t kind)
{
    static const char *const names[] = { "None",     "a tensor", "a tuple", "a list",   "a dictionary",
                                         "an int",   "a double", "a bool",  "a string", "of a kind that C cannot read" };
    return names[kind];
}

} // namespace profi_torch

prof_torch_value::prof_torch_value(c10::IValue given) : ivalue(std::move(given)), kind(kind_of(ivalue))
{
    profi_torch::handle_opened(this, "the value");
}

prof_torch_value::~prof_torch_value()
{
    profi_torch::handle_closed(this);
    for (element &one : elements)
        prof_torch_value_close(one.value);
}

prof_torch_value *prof_torch_value_retain(prof_torch_value *value)
{
    if (!profi_torch::handle_check_aloud(value, "prof_torch_value_retain"))
        return nullptr;
    if (value != nullptr)
        value->reference_count.fetch_add(1, std::memory_order_relaxed);
    return value;
}

void prof_torch_value_close(prof_torch_value *value)
{
    if (!profi_torch::handle_check_aloud(value, "prof_torch_value_close"))
        return;
    /* Release: what other threads did with the value comes before its end; acquire: the end comes after it. */
    if (value != nullptr && value->reference_count.fetch_sub(1, std::memory_order_acq_rel) == 1)
        delete value;
}

int32_t prof_torch_value_kind(const prof_torch_value *value)
{
    return value == nullptr || !profi_torch::handle_check_aloud(value, "prof_torch_value_kind") ? PROF_TORCH_NONE : value->kind;
}

size_t prof_torch_value_count(const prof_torch_value *value)
{
    if (value == nullptr || !profi_torch::handle_check_aloud(value, "prof_torch_value_count"))
        return 0;
    switch (value->kind) {
    case PROF_TORCH_TUPLE:
        return value->ivalue.toTupleRef().elements().size();
    case PROF_TORCH_LIST:
        return value->ivalue.toListRef().size();
    case PROF_TORCH_DICTIONARY:
        return value->ivalue.toGenericDict().size();
    default:
        return 0;
    }
}

prof_status prof_torch_value_at(prof_torch_value *value, size_t index, prof_torch_value **element, prof_error *err)
{
    const task doing{ "take an element" };
    if (element == nullptr)
        return fail_null(err, doing, "element");
    return guarded(err, PROF_E_INVALID, doing, [&] {
        prof_torch_value::element *found;
        if (prof_status status = element_at(value, index, &found, doing, err))
            return status;
        *element = found->value;
        return PROF_OK;
    });
}

prof_status prof_torch_value_find(prof_torch_value *value, const char *key, prof_torch_value **element,
                                  prof_error *err)
{
    const task doing{ "find element", key };
    if (value == nullptr || key == nullptr || element == nullptr)
        return fail_null(err, doing, value == nullptr ? "value" : key == nullptr ? "key" : "element");
    if (prof_status status = profi_torch::handle_check(value, doing, err))
        return status;
    if (value->kind != PROF_TORCH_DICTIONARY && value->kind != PROF_TORCH_TUPLE)
        return fail(err, PROF_E_INVALID, doing, "the value is %s and has no keys", kind_name(value->kind));
    return guarded(err, PROF_E_INVALID, doing, [&]() -> prof_status {
        expand(value);
        for (const prof_torch_value::element &one : value->elements) {
            if (one.key.isString() && one.key.toStringRef() == key) {
                *element = one.value;
                return PROF_OK;
            }
        }
        return fail(err, PROF_E_NOT_FOUND, doing, "there is no such key; there are: %s", key_list(value).c_str());
    });
}

prof_status prof_torch_value_key(prof_torch_value *value, size_t index, const char **key, size_t *key_bytes,
                                 prof_error *err)
{
    const task doing{ "read a key" };
    if (key == nullptr)
        return fail_null(err, doing, "key");
    return guarded(err, PROF_E_INVALID, doing, [&]() -> prof_status {
        prof_torch_value::element *found;
        if (prof_status status = element_at(value, index, &found, doing, err))
            return status;
        if (found->key.isNone())
            return fail(err, PROF_E_INVALID, doing, "the value is %s without keys", kind_name(value->kind));
        if (!found->key.isString())
            return fail(err, PROF_E_UNSUPPORTED, doing, "the key of element %zu is %s, not a text", index,
                        kind_name(kind_of(found->key)));
        const std::string &text = found->key.toStringRef();
        *key = text.c_str();
        if (key_bytes != nullptr)
            *key_bytes = text.size();
        return PROF_OK;
    });
}

prof_status prof_torch_value_tensor(prof_torch_value *value, uint32_t flags, prof_torch_tensor *tensor,
                                    prof_error *err)
{
    const task doing{ "read a tensor" };
    if (prof_status status = kind_check(value, PROF_TORCH_TENSOR, tensor, doing, err))
        return status;
    if ((flags & ~PROF_TORCH_AS_IS) != 0)
        return fail(err, PROF_E_INVALID, doing, "flags 0x%x are not known", (unsigned)flags);
    return guarded(err, PROF_E_INVALID, doing, [&]() -> prof_status {
        const at::Tensor &tensor_here = value->ivalue.toTensor();
        if (tensor_here.layout() != c10::kStrided)
            return fail(err, PROF_E_UNSUPPORTED, doing, "it is sparse, or of another special layout");
        if ((flags & PROF_TORCH_AS_IS) != 0 && tensor_here.is_neg())
            return fail(err, PROF_E_UNSUPPORTED, doing, "its negative lies in memory; read it without PROF_TORCH_AS_IS");
        at::Tensor shown = tensor_here;
        if ((flags & PROF_TORCH_AS_IS) == 0)
            shown = readable_tensor(value);
        else if (shown.is_cuda())
            torch::cuda::synchronize(shown.device().index());

        const bool is_copy = !shown.is_same(tensor_here) && shown.data_ptr() != tensor_here.data_ptr();
        prof_torch_tensor described;
        if (prof_status status =
                profi_torch::tensor_describe(shown, is_copy ? PROF_TORCH_COPIED : 0u, &described, doing, err))
            return status;
        return profi_torch::struct_write(tensor, described, sizeof(described), "tensor", doing, err);
    });
}

prof_status prof_torch_value_int(const prof_torch_value *value, int64_t *number, prof_error *err)
{
    if (prof_status status = kind_check(value, PROF_TORCH_INT, number, task{ "read an int" }, err))
        return status;
    *number = value->ivalue.toInt();
    return PROF_OK;
}

prof_status prof_torch_value_double(const prof_torch_value *value, double *number, prof_error *err)
{
    if (prof_status status = kind_check(value, PROF_TORCH_DOUBLE, number, task{ "read a double" }, err))
        return status;
    *number = value->ivalue.toDouble();
    return PROF_OK;
}

prof_status prof_torch_value_truth(const prof_torch_value *value, int32_t *truth, prof_error *err)
{
    if (prof_status status = kind_check(value, PROF_TORCH_TRUTH, truth, task{ "read a bool" }, err))
        return status;
    *truth = value->ivalue.toBool() ? 1 : 0;
    return PROF_OK;
}

prof_status prof_torch_value_string(const prof_torch_value *value, const char **text, size_t *text_bytes,
                                    prof_error *err)
{
    if (prof_status status = kind_check(value, PROF_TORCH_STRING, text, task{ "read a string" }, err))
        return status;
    const std::string &string = value->ivalue.toStringRef();
    *text = string.c_str();
    if (text_bytes != nullptr)
        *text_bytes = string.size();
    return PROF_OK;
}
