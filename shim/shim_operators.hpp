/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that hear of libtorch's operators share: shim_operators.cpp has them, shim_modules.cpp the modules' methods, shim_runners.cpp compiled packages. */
#ifndef SHIM_OPERATORS_HPP
#define SHIM_OPERATORS_HPP

#include <profcore/operators.h>

#include <ATen/record_function.h>

#include <atomic>

namespace profi_torch {

/* The source of libtorch's operators; set before the first callback, for good. */
extern prof_operators *operators_source;

/* Whether operators are recorded at the moment. */
extern std::atomic<bool> records_operators;

/* A scope of this name among the operators, where they are recorded. */
class operator_scope {
public:
    explicit operator_scope(const char *name)
    {
        if (records_operators.load(std::memory_order_acquire))
            scope_ = prof_operator_begin(operators_source, name);
    }
    ~operator_scope() { prof_end(scope_); }
    operator_scope(const operator_scope &) = delete;
    operator_scope &operator=(const operator_scope &) = delete;

private:
    prof_scope scope_ = PROF_SCOPE_NONE;
};

/* From now on the packages of AOTInductor that are opened, by whomever, run in such a scope.  More than once does no harm. */
void runners_record();

/* Begins an operator's scope, told apart by the shapes of its inputs. */
prof_scope operator_begin_shaped(const at::RecordFunction &function);

/* The callbacks of what RecordScope::TORCHSCRIPT_FUNCTION stands for. */
at::RecordFunctionCallback method_callback(bool is_shaped);

} // namespace profi_torch

#endif
