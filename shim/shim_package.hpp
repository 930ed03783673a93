/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packages that AOTInductor compiled (.pt2): a zip archive with a shared
 * library in it, which opening one unpacks, loads and runs.
 *
 * Only shim_package.cpp knows libtorch's loader, which came with 2.6.
 */
#ifndef SHIM_PACKAGE_HPP
#define SHIM_PACKAGE_HPP

#include "shim_archive.hpp"

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

namespace profi_torch {

class package {
public:
    package() = default;
    virtual ~package() = default;
    package(const package &) = delete;
    package &operator=(const package &) = delete;

    /* Any thread, at once. */
    virtual std::vector<at::Tensor> run(const std::vector<at::Tensor> &inputs) = 0;
};

/* Whether an archive has a compiled model in it. */
bool is_package(const archive &contents);

/*
 * Opens a package.  `device` is what the caller asked for, `is_asked` whether
 * he did; it receives what the package was compiled for.
 */
prof_status package_open(const char *path, const archive &contents, bool is_asked, c10::Device *device,
                         std::shared_ptr<package> *opened, const task &doing, prof_error *err);

} // namespace profi_torch

#endif
