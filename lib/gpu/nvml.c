/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See nvml.h.  Names, units and meanings are those of NVIDIA's "NVML API
 * Reference Guide"; those of the reasons for slow clocks are nvidia-smi's.
 *
 * Each value may be missing on its own: a symbol of an older library, a value
 * that a device does not have, a call that fails now and then.  The others go
 * on.  A device that is lost is told once and not asked again.
 */
#include "nvml.h"

#include "../base/error.h"
#include "../base/text.h"
#include "../base/usage.h"

#if PROFI_HAS_NVML
#include "library.h"
#include "visible.h"

#include <nvml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const sonames[] = { "libnvidia-ml.so.1", NULL };
static profi_library library = { .what = "NVML", .sonames = sonames };

static struct functions {
    nvmlReturn_t (*init)(void);
    nvmlReturn_t (*device_count)(unsigned *count);
    nvmlReturn_t (*device)(unsigned index, nvmlDevice_t *device);
    nvmlReturn_t (*name)(nvmlDevice_t device, char *name, unsigned room);
    nvmlReturn_t (*uuid)(nvmlDevice_t device, char *uuid, unsigned room);
    const char *(*error_text)(nvmlReturn_t error);
    nvmlReturn_t (*mig_mode)(nvmlDevice_t device, unsigned *now, unsigned *then);
    nvmlReturn_t (*rates)(nvmlDevice_t device, nvmlUtilization_t *rates);
    nvmlReturn_t (*memory)(nvmlDevice_t device, nvmlMemory_t *memory);
    nvmlReturn_t (*power)(nvmlDevice_t device, unsigned *milliwatts);
    nvmlReturn_t (*clock)(nvmlDevice_t device, nvmlClockType_t type, unsigned *mhz);
    nvmlReturn_t (*temperature)(nvmlDevice_t device, nvmlTemperatureSensors_t sensor, unsigned *degrees);
    nvmlReturn_t (*event_reasons)(nvmlDevice_t device, unsigned long long *reasons);
    nvmlReturn_t (*throttle_reasons)(nvmlDevice_t device, unsigned long long *reasons);
} nvml;

#define SYMBOL(field, name, is_optional) { name, offsetof(struct functions, field), is_optional }
static const profi_library_symbol symbols[] = {
    SYMBOL(init, "nvmlInit_v2", 0),
    SYMBOL(device_count, "nvmlDeviceGetCount_v2", 0),
    SYMBOL(device, "nvmlDeviceGetHandleByIndex_v2", 0),
    SYMBOL(name, "nvmlDeviceGetName", 0),
    SYMBOL(uuid, "nvmlDeviceGetUUID", 0),
    SYMBOL(error_text, "nvmlErrorString", 0),
    SYMBOL(mig_mode, "nvmlDeviceGetMigMode", 1),
    SYMBOL(rates, "nvmlDeviceGetUtilizationRates", 1),
    SYMBOL(memory, "nvmlDeviceGetMemoryInfo", 1),
    SYMBOL(power, "nvmlDeviceGetPowerUsage", 1),
    SYMBOL(clock, "nvmlDeviceGetClockInfo", 1),
    SYMBOL(temperature, "nvmlDeviceGetTemperature", 1),
    SYMBOL(event_reasons, "nvmlDeviceGetCurrentClocksEventReasons", 1), /* since 535 */
    SYMBOL(throttle_reasons, "nvmlDeviceGetCurrentClocksThrottleReasons", 1), /* its older name */
};

/* ---- what is read: groups of values that one call gives ---- */

enum { BUSY, MEMORY_BUSY, MEMORY_USED, POWER, SM_CLOCK, MEMORY_CLOCK, TEMPERATURE, THROTTLED, VALUES };

static const struct value { const char *name, *unit; } values[VALUES] = {
    [BUSY] = { "utilization", "%" },          [MEMORY_BUSY] = { "memory utilization", "%" },
    [MEMORY_USED] = { "device memory used", "bytes" }, [POWER] = { "power", "W" },
    [SM_CLOCK] = { "SM clock", "MHz" },       [MEMORY_CLOCK] = { "memory clock", "MHz" },
    [TEMPERATURE] = { "temperature", "C" },   [THROTTLED] = { "throttled", "%" },
};

/* By the number of their bit: nvmlClocksEventReason… */
static const char *const reason_names[] = {
    "idle", "applications clocks setting", "SW power cap", "HW slowdown", "sync boost", "SW thermal slowdown",
    "HW thermal slowdown", "HW power brake slowdown", "display clock setting", NULL,
};

/* An idle GPU is not slowed down, nor is one whose clocks somebody has set. */
static const uint64_t not_throttled = nvmlClocksEventReasonGpuIdle | nvmlClocksEventReasonApplicationsClocksSetting;

typedef struct device {
    nvmlDevice_t handle;
    char label[24];
    profi_usage *rows[VALUES];
    unsigned refused; /* groups that it will never answer, as bits */
    int is_lost, is_mig;
} device;

static nvmlReturn_t read_rates(device *of)
{
    nvmlUtilization_t rates = { 0, 0 };
    nvmlReturn_t error = nvml.rates(of->handle, &rates);
    if (error == NVML_SUCCESS) {
        profi_usage_value(of->rows[BUSY], rates.gpu);
        profi_usage_value(of->rows[MEMORY_BUSY], rates.memory);
    }
    return error;
}

static nvmlReturn_t read_memory(device *of)
{
    nvmlMemory_t memory = { 0 };
    nvmlReturn_t error = nvml.memory(of->handle, &memory);
    if (error == NVML_SUCCESS) {
        profi_usage_limit(of->rows[MEMORY_USED], (double)memory.total);
        profi_usage_value(of->rows[MEMORY_USED], (double)memory.used);
    }
    return error;
}

static nvmlReturn_t read_power(device *of)
{
    unsigned milliwatts = 0;
    nvmlReturn_t error = nvml.power(of->handle, &milliwatts);
    if (error == NVML_SUCCESS)
        profi_usage_value(of->rows[POWER], milliwatts / 1e3);
    return error;
}

static nvmlReturn_t read_clock(device *of, nvmlClockType_t type, unsigned value)
{
    unsigned mhz = 0;
    nvmlReturn_t error = nvml.clock(of->handle, type, &mhz);
    if (error == NVML_SUCCESS)
        profi_usage_value(of->rows[value], mhz);
    return error;
}

static nvmlReturn_t read_sm_clock(device *of) { return read_clock(of, NVML_CLOCK_SM, SM_CLOCK); }
static nvmlReturn_t read_memory_clock(device *of) { return read_clock(of, NVML_CLOCK_MEM, MEMORY_CLOCK); }

static nvmlReturn_t read_temperature(device *of)
{
    unsigned degrees = 0;
    nvmlReturn_t error = nvml.temperature(of->handle, NVML_TEMPERATURE_GPU, &degrees);
    if (error == NVML_SUCCESS)
        profi_usage_value(of->rows[TEMPERATURE], degrees);
    return error;
}

static nvmlReturn_t read_throttled(device *of)
{
    unsigned long long reasons = 0;
    nvmlReturn_t error = nvml.event_reasons(of->handle, &reasons);
    if (error == NVML_SUCCESS)
        profi_usage_set(of->rows[THROTTLED], reasons, ~not_throttled, reason_names);
    return error;
}

static const struct group {
    nvmlReturn_t (*read)(device *of);
    const char *symbol;
    size_t function; /* its place in `nvml` */
    unsigned first, end; /* values */
} groups[] = {
    { read_rates, "nvmlDeviceGetUtilizationRates", offsetof(struct functions, rates), BUSY, MEMORY_USED },
    { read_memory, "nvmlDeviceGetMemoryInfo", offsetof(struct functions, memory), MEMORY_USED, POWER },
    { read_power, "nvmlDeviceGetPowerUsage", offsetof(struct functions, power), POWER, SM_CLOCK },
    { read_sm_clock, "nvmlDeviceGetClockInfo", offsetof(struct functions, clock), SM_CLOCK, MEMORY_CLOCK },
    { read_memory_clock, "nvmlDeviceGetClockInfo", offsetof(struct functions, clock), MEMORY_CLOCK, TEMPERATURE },
    { read_temperature, "nvmlDeviceGetTemperature", offsetof(struct functions, temperature), TEMPERATURE, THROTTLED },
    { read_throttled, "nvmlDeviceGetCurrentClocksEventReasons", offsetof(struct functions, event_reasons), THROTTLED, VALUES },
};

/* ---- devices ---- */

static device devices[PROFI_GPUS];
static unsigned device_count;
static int is_tried;

static int has_function(const struct group *group)
{
    void *function;
    memcpy(&function, (const char *)&nvml + group->function, sizeof(function));
    return function != NULL;
}

static void refuse(device *of, size_t group, const char *why, const char *what)
{
    of->refused |= 1u << group;
    for (unsigned i = groups[group].first; i < groups[group].end; i++)
        profi_usage_unavailable(of->rows[i], "%s%s", why, what);
}

static void fail_all(device *of, const char *why)
{
    for (unsigned i = 0; i < VALUES; i++)
        profi_usage_failed(of->rows[i], "%s", why);
}

static void sample_group(device *of, size_t number)
{
    const struct group *group = &groups[number];
    nvmlReturn_t error = group->read(of);
    if (error == NVML_SUCCESS)
        return;
    if (error == NVML_ERROR_NOT_SUPPORTED || error == NVML_ERROR_FUNCTION_NOT_FOUND || error == NVML_ERROR_NO_PERMISSION) {
        refuse(of, number, nvml.error_text(error), of->is_mig ? ": the GPU is in MIG mode" : "");
    } else if (error == NVML_ERROR_GPU_IS_LOST) {
        of->is_lost = 1;
        profi_notice("%s is lost, as NVML says: its utilization is not sampled any more", of->label);
    } else {
        for (unsigned i = group->first; i < group->end; i++)
            profi_usage_failed(of->rows[i], "%s: %s", group->symbol, nvml.error_text(error));
    }
}

static void sample_device(device *of)
{
    for (size_t i = 0; i < PROFI_COUNT_OF(groups) && !of->is_lost; i++)
        if (!(of->refused >> i & 1))
            sample_group(of, i);
    if (of->is_lost)
        fail_all(of, nvml.error_text(NVML_ERROR_GPU_IS_LOST));
}

static void open_device(device *of, nvmlDevice_t handle, unsigned number, const char *whose, const profi_gpu_identity *gpu, unsigned index)
{
    char described[160], missing[] = "this NVML has no ";
    unsigned now = 0, then = 0;
    *of = (device){ .handle = handle };
    of->is_mig = nvml.mig_mode != NULL && nvml.mig_mode(handle, &now, &then) == NVML_SUCCESS && now != 0;
    snprintf(of->label, sizeof(of->label), "%s %u", whose, number);
    snprintf(described, sizeof(described), "%.60s, %.60s, NVML's %u", gpu->name, gpu->uuid, index);
    for (unsigned i = 0; i < VALUES; i++)
        of->rows[i] = profi_usage_add(described, values[i].unit, "%s %s", of->label, values[i].name);
    for (size_t i = 0; i < PROFI_COUNT_OF(groups); i++)
        if (!has_function(&groups[i]))
            refuse(of, i, missing, groups[i].symbol);
}

static void identify(nvmlDevice_t handle, profi_gpu_identity *gpu)
{
    char clean[PROFI_TEXT_MAX], text[96];
    if (nvml.name(handle, text, sizeof(text)) != NVML_SUCCESS)
        strcpy(text, "GPU without a name");
    profi_text_clean(clean, text, strnlen(text, sizeof(text) - 1));
    profi_text_cut(gpu->name, sizeof(gpu->name), clean);
    if (nvml.uuid(handle, text, sizeof(text)) != NVML_SUCCESS)
        strcpy(text, "no UUID");
    profi_text_clean(clean, text, strnlen(text, sizeof(text) - 1));
    profi_text_cut(gpu->uuid, sizeof(gpu->uuid), clean);
}

static void open_devices(profi_usage *none, unsigned count)
{
    profi_gpu_identity gpus[PROFI_GPUS];
    nvmlDevice_t handles[PROFI_GPUS];
    profi_gpus_visible visible;
    unsigned found = 0;
    for (unsigned i = 0; i < count && i < PROFI_GPUS; i++) { /* one that is gone keeps its number, and has no handle */
        nvmlReturn_t error = nvml.device(i, &handles[i]);
        gpus[i] = (profi_gpu_identity){ "", "" };
        if (error != NVML_SUCCESS)
            handles[i] = NULL;
        else
            identify(handles[i], &gpus[i]);
        found = i + 1;
    }
    profi_gpus_find_visible(secure_getenv("CUDA_VISIBLE_DEVICES"), secure_getenv("CUDA_DEVICE_ORDER"), gpus, found, &visible);
    for (unsigned i = 0; i < visible.count; i++) {
        unsigned index = visible.index[i];
        if (handles[index] != NULL)
            open_device(&devices[device_count++], handles[index], visible.is_ordered ? i : index,
                        visible.is_ordered ? "GPU" : "NVML GPU", &gpus[index], index);
    }
    if (visible.reason[0] != '\0')
        profi_usage_unavailable(none, "%s", visible.reason);
    else if (device_count == 0)
        profi_usage_unavailable(none, "NVML finds no GPU");
    else if (count > PROFI_GPUS)
        profi_usage_unavailable(none, "of %u GPUs %u are shown", count, (unsigned)PROFI_GPUS);
}

/* What is to be said of all of them has a row of its own, which is there only if something is. */
static void open_library(void)
{
    unsigned count = 0;
    nvmlReturn_t error = NVML_ERROR_UNINITIALIZED;
    profi_usage *all = profi_usage_add("machine", "", "GPUs");
    int is_open = profi_library_open(&library) &&
                  profi_library_resolve(&library, &nvml, symbols, PROFI_COUNT_OF(symbols));
    if (!is_open) {
        profi_usage_unavailable(all, "%.150s", library.reason);
        return;
    }
    if (nvml.event_reasons == NULL)
        nvml.event_reasons = nvml.throttle_reasons;
    error = nvml.init();
    if (error == NVML_SUCCESS)
        error = nvml.device_count(&count);
    if (error == NVML_SUCCESS)
        open_devices(all, count);
    else
        profi_usage_unavailable(all, "NVML: %.100s (error %d)", nvml.error_text(error), (int)error);
}

void profi_nvml_sample(void)
{
    if (!is_tried)
        open_library();
    is_tried = 1;
    for (unsigned i = 0; i < device_count; i++)
        sample_device(&devices[i]);
}

int profi_nvml_tells_memory(void)
{
    int tells = 0;
    for (unsigned i = 0; i < device_count; i++)
        for (size_t j = 0; j < PROFI_COUNT_OF(groups); j++)
            tells |= groups[j].first == MEMORY_USED && !devices[i].is_lost && !(devices[i].refused >> j & 1);
    return tells;
}

void profi_nvml_forget(void)
{
    is_tried = 0;
    device_count = 0;
}

#else

void profi_nvml_sample(void)
{
    profi_usage_unavailable(profi_usage_add("machine", "", "GPUs"), "built without the headers of NVML");
}

int profi_nvml_tells_memory(void) { return 0; }
void profi_nvml_forget(void) { }

#endif
