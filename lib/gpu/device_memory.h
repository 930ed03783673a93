/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of each GPU's memory is in use, by whichever process, as the driver
 * tells: for where NVML does not.
 *
 * Only of devices whose primary context the process has made active; none is
 * made, and neither is the driver loaded or initialised.
 */
#ifndef PROFI_DEVICE_MEMORY_H
#define PROFI_DEVICE_MEMORY_H

/* One value into base/usage.h's rows for each such device; on the sampling thread. */
void profi_device_memory_sample(void);

#endif
