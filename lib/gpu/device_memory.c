/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See device_memory.h.  By the driver's interface of CUDA 7.0, of which
 * nothing but numbers and addresses is passed, so no header is needed.
 * Between the look whether a context is active and its use the program may
 * take it down: then it is made for the moment until it is given back.
 */
#include "device_memory.h"

#include "../base/usage.h"
#include "library.h"

#include <stddef.h>

enum { SUCCESS = 0, DEVICES_MOST = 16, CAPTURE_RELAXED = 2 };

static const char *const sonames[] = { "libcuda.so.1", NULL };
static profi_library library = { .what = "CUDA driver", .sonames = sonames };

static struct functions {
    int (*device_count)(int *count);
    int (*device)(int *device, int number);
    int (*state)(int device, unsigned *flags, int *is_active);
    int (*retain)(void **context, int device);
    int (*release)(int device);
    int (*push)(void *context);
    int (*pop)(void **context);
    int (*memory)(size_t *free, size_t *total);
    int (*capture_mode)(int *mode);
} driver;

#define SYMBOL(field, name, is_optional) { name, offsetof(struct functions, field), is_optional }
static const profi_library_symbol symbols[] = {
    SYMBOL(device_count, "cuDeviceGetCount", 0),
    SYMBOL(device, "cuDeviceGet", 0),
    SYMBOL(state, "cuDevicePrimaryCtxGetState", 0),
    SYMBOL(retain, "cuDevicePrimaryCtxRetain", 0),
    SYMBOL(release, "cuDevicePrimaryCtxRelease_v2", 1), /* since CUDA 11.0 */
    SYMBOL(push, "cuCtxPushCurrent_v2", 0),
    SYMBOL(pop, "cuCtxPopCurrent_v2", 0),
    SYMBOL(memory, "cuMemGetInfo_v2", 0),
    SYMBOL(capture_mode, "cuThreadExchangeStreamCaptureMode", 1), /* since CUDA 10.1 */
};

/* Of the primary context, which is current meanwhile. */
static int read_memory(int device, size_t *free_bytes, size_t *total_bytes)
{
    void *context = NULL;
    int error = driver.retain(&context, device);
    if (error != SUCCESS)
        return error;
    error = driver.push(context);
    if (error == SUCCESS) {
        error = driver.memory(free_bytes, total_bytes);
        driver.pop(&context);
    }
    driver.release(device);
    return error;
}

static void sample(int number)
{
    size_t free_bytes = 0, total_bytes = 0;
    unsigned flags = 0;
    int device = 0, is_active = 0;
    if (driver.device(&device, number) != SUCCESS || driver.state(device, &flags, &is_active) != SUCCESS || !is_active)
        return;
    profi_usage *row = profi_usage_add("device-wide, by cuMemGetInfo()", "bytes", "GPU %d device memory used", number);
    int error = read_memory(device, &free_bytes, &total_bytes);
    if (error == SUCCESS) {
        profi_usage_limit(row, (double)total_bytes);
        profi_usage_value(row, (double)(total_bytes - free_bytes));
    } else {
        profi_usage_failed(row, "cuMemGetInfo(): error %d of the CUDA driver", error);
    }
}

void profi_device_memory_sample(void)
{
    static int is_tried;
    int count = 0, mode = CAPTURE_RELAXED;
    if (!profi_library_open_loaded(&library))
        return;
    if (!is_tried)
        profi_library_resolve(&library, &driver, symbols, PROFI_COUNT_OF(symbols));
    is_tried = 1;
    if (driver.release == NULL || driver.memory == NULL || driver.device_count(&count) != SUCCESS)
        return;
    if (driver.capture_mode != NULL)
        driver.capture_mode(&mode); /* of this thread: what it asks breaks no capture of a graph elsewhere */
    for (int i = 0; i < count && i < DEVICES_MOST; i++)
        sample(i);
    if (driver.capture_mode != NULL)
        driver.capture_mode(&mode);
}
