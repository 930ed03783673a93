/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What NVIDIA's management library tells of the GPUs that this process may
 * use, as rows of base/usage.h: utilisation, memory, power, clocks,
 * temperature, and what slows them down.  All of it is of the whole device,
 * whoever uses it.
 */
#ifndef PROFI_GPU_NVML_H
#define PROFI_GPU_NVML_H

/* One sample; the first opens the library, which may take a second.  On one thread. */
void profi_nvml_sample(void);

/* Whether it tells how much memory of a device is used: else the driver is asked (device_memory.h). */
int profi_nvml_tells_memory(void);

/* In a forked child: it opens the library anew. */
void profi_nvml_forget(void);

#endif
