/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A libnvidia-ml.so.1 that does what a script says, for tests on machines
 * without a GPU: found through LD_LIBRARY_PATH by the same dlopen().
 *
 * FAKE_NVML names the script, lines of text:
 *
 *     init 18                         what nvmlInit_v2() answers; 0 by default
 *     gpu NVIDIA H200|GPU-aaaa        one more device: name and UUID
 *     mig                             the device above is in MIG mode
 *     rates 10/5 20/7 !15             what its calls answer, one after the other; the last for good
 *     memory 1024/4096 | power 70000 | sm 1980 | mem 2619 | temperature 41 | reasons 0 4 1
 *
 * "!N" is an answer that is the error N, and "~S" sleeps for S seconds first.
 * What a device's script does not name is not supported.  FAKE_NVML_LOG names
 * a file that receives the name of each call, a line each.
 *
 * Built with -DFAKE_NVML_OLD it lacks functions that an old driver lacks, with
 * -DFAKE_NVML_BROKEN one that nothing works without.
 */
#include <nvml.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GPUS = 20, ANSWERS = 64 };
enum { RATES, MEMORY, POWER, SM, MEM, TEMPERATURE, REASONS, CALLS };

static const char *const call_names[CALLS] = { "rates", "memory", "power", "sm", "mem", "temperature", "reasons" };

typedef struct answer {
    unsigned long long first, second;
    int error;
    unsigned sleep_s;
} answer;

struct nvmlDevice_st {
    char name[96], uuid[96];
    int is_mig;
    answer answers[CALLS][ANSWERS];
    unsigned count[CALLS], asked[CALLS];
};

static struct nvmlDevice_st gpus[GPUS];
static unsigned gpu_count;
static int init_error;

static void note(const char *call)
{
    const char *path = getenv("FAKE_NVML_LOG");
    FILE *log = path != NULL ? fopen(path, "a") : NULL;
    if (log == NULL)
        return;
    fprintf(log, "%s\n", call);
    fclose(log);
}

static answer parse_answer(const char *text)
{
    answer made = { 0, 0, 0, 0 };
    char *rest;
    if (text[0] == '~')
        made.sleep_s = (unsigned)strtoul(text + 1, NULL, 10);
    else if (text[0] == '!')
        made.error = atoi(text + 1);
    made.first = strtoull(text, &rest, 0);
    made.second = *rest == '/' ? strtoull(rest + 1, NULL, 0) : 0;
    return made;
}

static void parse_answers(struct nvmlDevice_st *gpu, unsigned call)
{
    for (const char *word = strtok(NULL, " "); word != NULL && gpu->count[call] < ANSWERS; word = strtok(NULL, " "))
        gpu->answers[call][gpu->count[call]++] = parse_answer(word);
}

static void parse_line(char *line)
{
    struct nvmlDevice_st *gpu = gpu_count != 0 ? &gpus[gpu_count - 1] : NULL;
    line[strcspn(line, "\n")] = '\0';
    if (sscanf(line, "gpu %95[^|]|%95s", gpus[gpu_count].name, gpus[gpu_count].uuid) == 2) {
        gpu_count++;
        return;
    }
    const char *word = strtok(line, " ");
    if (word == NULL)
        return;
    if (strcmp(word, "init") == 0)
        init_error = atoi(strtok(NULL, " "));
    else if (gpu != NULL && strcmp(word, "mig") == 0)
        gpu->is_mig = 1;
    for (unsigned call = 0; gpu != NULL && call < CALLS; call++)
        if (strcmp(word, call_names[call]) == 0)
            parse_answers(gpu, call);
}

nvmlReturn_t nvmlInit_v2(void)
{
    char line[512];
    const char *path = getenv("FAKE_NVML");
    FILE *script = path != NULL ? fopen(path, "r") : NULL;
    note("init");
    gpu_count = 0;
    memset(gpus, 0, sizeof(gpus));
    while (script != NULL && gpu_count < GPUS && fgets(line, sizeof(line), script) != NULL)
        parse_line(line);
    if (script != NULL)
        fclose(script);
    return (nvmlReturn_t)init_error;
}

/* The error text of the real library, of what the tests use. */
const char *nvmlErrorString(nvmlReturn_t error)
{
    switch (error) {
    case NVML_ERROR_NOT_SUPPORTED: return "Not Supported";
    case NVML_ERROR_NO_PERMISSION: return "Insufficient Permissions";
    case NVML_ERROR_GPU_IS_LOST: return "GPU is lost";
    case NVML_ERROR_LIB_RM_VERSION_MISMATCH: return "Driver/library version mismatch";
    case NVML_ERROR_DRIVER_NOT_LOADED: return "Driver Not Loaded";
    default: return "Unknown Error";
    }
}

#ifndef FAKE_NVML_BROKEN
nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *count)
{
    *count = gpu_count;
    return NVML_SUCCESS;
}
#endif

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *device)
{
    *device = &gpus[index];
    return index < gpu_count ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
}

nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned room)
{
    snprintf(name, room, "%s", device->name);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned room)
{
    snprintf(uuid, room, "%s", device->uuid);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned room)
{
    snprintf(version, room, "999.00 (fake)");
    return NVML_SUCCESS;
}

#ifndef FAKE_NVML_OLD
nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned *now, unsigned *then)
{
    *now = *then = (unsigned)device->is_mig;
    return NVML_SUCCESS;
}
#endif

/* The answer whose turn it is. */
static answer next(nvmlDevice_t device, unsigned call)
{
    answer none = { 0, 0, NVML_ERROR_NOT_SUPPORTED, 0 };
    note(call_names[call]);
    if (device->count[call] == 0)
        return none;
    unsigned turn = device->asked[call]++;
    answer given = device->answers[call][turn < device->count[call] ? turn : device->count[call] - 1];
    sleep(given.sleep_s);
    return given;
}

nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *rates)
{
    answer given = next(device, RATES);
    *rates = (nvmlUtilization_t){ (unsigned)given.first, (unsigned)given.second };
    return (nvmlReturn_t)given.error;
}

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory)
{
    answer given = next(device, MEMORY);
    *memory = (nvmlMemory_t){ .total = given.second, .free = given.second - given.first, .used = given.first };
    return (nvmlReturn_t)given.error;
}

#ifndef FAKE_NVML_OLD
nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned *milliwatts)
{
    answer given = next(device, POWER);
    *milliwatts = (unsigned)given.first;
    return (nvmlReturn_t)given.error;
}
#endif

nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t device, nvmlClockType_t type, unsigned *mhz)
{
    answer given = next(device, type == NVML_CLOCK_SM ? SM : MEM);
    *mhz = (unsigned)given.first;
    return (nvmlReturn_t)given.error;
}

/* By its own name: the header calls the function deprecated. */
nvmlReturn_t fake_temperature(nvmlDevice_t device, nvmlTemperatureSensors_t sensor, unsigned *degrees) __asm__("nvmlDeviceGetTemperature");
nvmlReturn_t fake_temperature(nvmlDevice_t device, nvmlTemperatureSensors_t sensor, unsigned *degrees)
{
    answer given = next(device, TEMPERATURE);
    (void)sensor;
    *degrees = (unsigned)given.first;
    return (nvmlReturn_t)given.error;
}

/* Under the name of before version 535, or of since then. */
#ifdef FAKE_NVML_OLD
#define REASONS_NAME "nvmlDeviceGetCurrentClocksThrottleReasons"
#else
#define REASONS_NAME "nvmlDeviceGetCurrentClocksEventReasons"
#endif
nvmlReturn_t fake_reasons(nvmlDevice_t device, unsigned long long *reasons) __asm__(REASONS_NAME);
nvmlReturn_t fake_reasons(nvmlDevice_t device, unsigned long long *reasons)
{
    answer given = next(device, REASONS);
    *reasons = given.first;
    return (nvmlReturn_t)given.error;
}
