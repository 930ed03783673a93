/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that hear of libtorch's operators share: shim_operators.cpp has them, shim_modules.cpp the modules' methods. */
#ifndef SHIM_OPERATORS_HPP
#define SHIM_OPERATORS_HPP

#include <profcore/operators.h>

#include <ATen/record_function.h>

namespace profi_torch {

/* The source of libtorch's operators; set before the first callback, for good. */
extern prof_operators *operators_source;

/* Begins an operator's scope, told apart by the shapes of its inputs. */
prof_scope operator_begin_shaped(const at::RecordFunction &function);

/* The callbacks of what RecordScope::TORCHSCRIPT_FUNCTION stands for. */
at::RecordFunctionCallback method_callback(bool is_shaped);

} // namespace profi_torch

#endif
