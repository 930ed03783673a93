/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doctor on what is optional and found at run time: the torch shim,
 * NVIDIA's libraries, NVTX, viewers.  None of it is essential.
 *
 * Libraries are loaded in a child process each: a broken driver may crash or
 * hang in its constructors, and this process must live to say so.
 */
#include "doctor.h"

#include <profcore/gpu.h>

#include <dlfcn.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_BYTES = 1024, LIMIT_MS = 20000 };

/* ---- loading in a child ---- */

/* Says something about a library that was loaded. */
typedef void (*describe)(void *library, char *text);

static void load(const char *name, describe describe_it, char *text)
{
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    text[0] = library != NULL ? '+' : '-';
    if (library == NULL)
        snprintf(text + 1, TEXT_BYTES - 1, "%s", dlerror());
    else if (describe_it != NULL)
        describe_it(library, text + 1);
}

/* Reads what the child says until it ends; 0 when it took too long. */
static int read_all(int fd, char *text)
{
    size_t used = 0;
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (;;) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        int left = LIMIT_MS - (int)((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000);
        struct pollfd wait = { .fd = fd, .events = POLLIN };
        if (left <= 0 || poll(&wait, 1, left) == 0)
            return 0;
        ssize_t got = read(fd, text + used, TEXT_BYTES - 1 - used);
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    text[used] = '\0';
    return 1;
}

/* Loads a library; text receives "+description", "+!description" of what does not work, "-why not", or is empty after a crash; 0 when it hung. */
static int try_library(const char *name, describe describe_it, char *text)
{
    int ends[2], status;
    text[0] = '\0';
    if (pipe(ends) != 0)
        return 1;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        char said[TEXT_BYTES] = "";
        load(name, describe_it, said);
        _exit(write(ends[1], said, strlen(said)) < 0);
    }
    close(ends[1]);
    int is_done = child < 0 || read_all(ends[0], text);
    close(ends[0]);
    if (!is_done)
        kill(child, SIGKILL);
    if (child > 0)
        waitpid(child, &status, 0);
    return is_done;
}

static void check_loaded(doctor_list *list, const char *name, const char *const *libraries, describe describe_it,
                         const char *remedy)
{
    char text[TEXT_BYTES], why[TEXT_BYTES] = "";
    for (; *libraries != NULL; libraries++) {
        if (!try_library(*libraries, describe_it, text)) {
            doctor_add(list, DOCTOR_WARN, name, remedy, "%s: loading it hangs", *libraries);
            return;
        }
        if (text[0] == '+') {
            int is_broken = text[1] == '!';
            doctor_add(list, is_broken ? DOCTOR_WARN : DOCTOR_OK, name, remedy, "%s%s%s", *libraries, text[1] ? ": " : "",
                       text + 1 + is_broken);
            return;
        }
        if (text[0] == '\0') {
            doctor_add(list, DOCTOR_WARN, name, remedy, "%s: loading it crashes", *libraries);
            return;
        }
        if (why[0] == '\0') /* the first name is the usual one */
            memcpy(why, text + 1, sizeof(why) - 1);
    }
    doctor_add(list, DOCTOR_NO, name, remedy, "%s", why);
}

/* ---- NVIDIA ---- */

static void describe_cuda(void *library, char *text)
{
    int (*init)(unsigned flags), (*version)(int *), (*count)(int *);
    int driver = 0, devices = 0, error;
    *(void **)&init = dlsym(library, "cuInit");
    *(void **)&version = dlsym(library, "cuDriverGetVersion");
    *(void **)&count = dlsym(library, "cuDeviceGetCount");
    if (init == NULL || version == NULL || count == NULL || version(&driver) != 0)
        snprintf(text, TEXT_BYTES - 1, "!it is there, but says no version");
    else if ((error = init(0)) != 0)
        snprintf(text, TEXT_BYTES - 1, "!CUDA %d.%d, but cuInit() fails with %d", driver / 1000, driver % 1000 / 10, error);
    else if (count(&devices) == 0)
        snprintf(text, TEXT_BYTES - 1, "CUDA %d.%d, %d device%s", driver / 1000, driver % 1000 / 10, devices,
                 devices == 1 ? "" : "s");
}

static void describe_cupti(void *library, char *text)
{
    int (*version)(uint32_t *);
    uint32_t number = 0;
    *(void **)&version = dlsym(library, "cuptiGetVersion");
    if (version != NULL && version(&number) == 0)
        snprintf(text, TEXT_BYTES - 1, "API version %u", (unsigned)number);
}

static void describe_nvml(void *library, char *text)
{
    int (*init)(void), (*version)(char *, unsigned), (*count)(unsigned *), error;
    const char *(*error_text)(int);
    char driver[96] = "";
    unsigned gpus = 0;
    *(void **)&init = dlsym(library, "nvmlInit_v2");
    *(void **)&version = dlsym(library, "nvmlSystemGetDriverVersion");
    *(void **)&count = dlsym(library, "nvmlDeviceGetCount_v2");
    *(void **)&error_text = dlsym(library, "nvmlErrorString");
    if (init == NULL || version == NULL || count == NULL || error_text == NULL)
        snprintf(text, TEXT_BYTES - 1, "!it lacks functions: utilization of GPUs is unavailable");
    else if ((error = init()) != 0)
        snprintf(text, TEXT_BYTES - 1, "!it is there, but nvmlInit_v2() fails with %d (%s)", error, error_text(error));
    else if (version(driver, sizeof(driver)) == 0 && count(&gpus) == 0)
        snprintf(text, TEXT_BYTES - 1, "driver %s, %u GPU%s", driver, gpus, gpus == 1 ? "" : "s");
}

/* In a process that uses CUDA, as this one does by then: whether kernels, copies and sets can be had by scope. */
static void describe_gpu_work(void *library, char *text)
{
    int (*init)(unsigned flags);
    prof_options options = PROF_OPTIONS_INIT;
    prof_gpu_info info = PROF_GPU_INFO_INIT;
    prof_error err = PROF_ERROR_INIT;
    options.flags = PROF_NO_FILES;
    *(void **)&init = dlsym(library, "cuInit");
    if (init == NULL || init(0) != 0)
        snprintf(text, TEXT_BYTES - 1, "!not traced: the driver does not work");
    else if (prof_start(&options, &err) != PROF_OK || prof_gpu_start(&err) != PROF_OK)
        snprintf(text, TEXT_BYTES - 1, "!%s", err.message);
    else if (prof_gpu_status(&info, &err) == PROF_OK)
        snprintf(text, TEXT_BYTES - 1, "kernels, copies and sets by scope, from CUPTI's version %u", (unsigned)info.cupti_version);
}

static void check_nvidia(doctor_list *list)
{
    static const char *const cuda[] = { "libcuda.so.1", NULL }, *const nvml[] = { "libnvidia-ml.so.1", NULL };
    static const char *const cupti[] = { "libcupti.so", "libcupti.so.13", "libcupti.so.12", "libcupti.so.11.8",
                                         "/usr/local/cuda/extras/CUPTI/lib64/libcupti.so", NULL };
    static const char *const injections[] = { "NVTX_INJECTION64_PATH", "CUDA_INJECTION64_PATH" };
    check_loaded(list, "CUDA driver", cuda, describe_cuda, "for a GPU: install NVIDIA's driver; in a container, start it with "
                                                           "the GPU (docker run --gpus all)");
    check_loaded(list, "CUPTI", cupti, describe_cupti, "it comes with the CUDA toolkit and with torch's CUDA wheels: put its "
                                                       "folder into LD_LIBRARY_PATH");
    check_loaded(list, "GPU work", cuda, describe_gpu_work, "docs/gpu.md says what it needs");
    check_loaded(list, "NVML", nvml, describe_nvml, "it comes with NVIDIA's driver");
    for (size_t i = 0; i < sizeof(injections) / sizeof(injections[0]); i++) {
        const char *path = getenv(injections[i]);
        if (path == NULL || path[0] == '\0')
            continue;
        int is_there = access(path, R_OK) == 0;
        doctor_add(list, is_there ? DOCTOR_OK : DOCTOR_WARN, "injection", "the tool that it names is not there: unset it",
                   "%s=%s", injections[i], path);
    }
}

/* ---- torch and viewers ---- */

static void describe_shim(void *library, char *text)
{
    const char *(*version)(void);
    prof_status (*start)(prof_error *err); /* it may initialise CUDA, in a process of its own */
    prof_error err = PROF_ERROR_INIT;
    *(void **)&version = dlsym(library, "prof_torch_version");
    *(void **)&start = dlsym(library, "prof_torch_cuda_memory_start");
    if (version != NULL && start != NULL)
        snprintf(text, TEXT_BYTES - 1, "libtorch %s; %s", version(),
                 start(&err) == PROF_OK ? "it tells what it allocates on GPUs" : err.message);
}

/* The shim lies beside the library, or where the loader finds it. */
static void check_torch(doctor_list *list)
{
    static const char name[] = "libprofcore_torch.so.0";
    char beside[PATH_MAX], built[PATH_MAX];
    Dl_info where = { 0 };
    const char *folder_end = dladdr((void *)(uintptr_t)prof_version, &where) != 0 ? strrchr(where.dli_fname, '/') : NULL;
    int bytes = folder_end != NULL ? (int)(folder_end - where.dli_fname) : 0;
    snprintf(beside, sizeof(beside), "%.*s/%s", bytes, folder_end ? where.dli_fname : "", name);
    snprintf(built, sizeof(built), "%.*s/../shim/%s", bytes, folder_end ? where.dli_fname : "", name);
    const char *const libraries[] = { name, beside, built, NULL };
    check_loaded(list, "libtorch shim", libraries, describe_shim,
                 "for models from C: build where libtorch is found (meson -Dtorch=enabled), see README.md");
}

/* The first folder of a list such as PATH that holds a program; 0 when none does. */
static int find_in(const char *folders, const char *program, char *path)
{
    while (folders != NULL && *folders != '\0') {
        size_t bytes = strcspn(folders, ":");
        snprintf(path, PATH_MAX, "%.*s/%s", (int)bytes, folders, program);
        if (access(path, X_OK) == 0)
            return 1;
        folders += bytes + (folders[bytes] == ':');
    }
    return 0;
}

static void check_viewers(doctor_list *list)
{
    char path[PATH_MAX];
    if (find_in(getenv("PATH"), "snakeviz", path) || find_in(".venv/bin", "snakeviz", path))
        doctor_add(list, DOCTOR_OK, "snakeviz", NULL, "%s", path);
    else
        doctor_add(list, DOCTOR_NO, "snakeviz", "to look at a .prof in a browser: pip install snakeviz",
                   "neither on the PATH nor in .venv/");
    if (find_in(getenv("PATH"), "nsys", path))
        doctor_add(list, DOCTOR_OK, "Nsight Systems", NULL, "%s", path);
    else
        doctor_add(list, DOCTOR_NO, "Nsight Systems", "only for `nsys profile`: from NVIDIA, or Debian's package nsight-systems",
                   "nsys is not on the PATH");
}

void doctor_check_extras(doctor_list *list)
{
    check_torch(list);
    check_nvidia(list);
    check_viewers(list);
}
