/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the machine's GPUs CUDA shows to this process, as its variables say. */
#ifndef PROFI_GPU_VISIBLE_H
#define PROFI_GPU_VISIBLE_H

enum { PROFI_GPUS = 16 };

/* A GPU; an array of them is in the order of NVML, which is that of the PCI bus. */
typedef struct profi_gpu_identity {
    char name[96], uuid[96];
} profi_gpu_identity;

typedef struct profi_gpus_visible {
    unsigned index[PROFI_GPUS]; /* of each, NVML's number; in the order of CUDA's where `is_ordered` */
    unsigned count;
    int is_ordered;    /* the position in `index` is the number that CUDA gives the device */
    char reason[160];  /* why not, or why there is none; "": there is nothing to say */
} profi_gpus_visible;

/*
 * `devices` is the value of CUDA_VISIBLE_DEVICES, and `order` that of
 * CUDA_DEVICE_ORDER; NULL where they are not set.
 *
 * As in the CUDA C++ Programming Guide, "CUDA Environment Variables": a list
 * of numbers or UUIDs, of which the beginning is enough, that counts up to the
 * first that is invalid.  Numbers are CUDA's, fastest first unless the order
 * is PCI_BUS_ID; so they can be told from here only where it is, or where all
 * are of one kind.
 */
void profi_gpus_find_visible(const char *devices, const char *order, const profi_gpu_identity *gpus, unsigned count,
                             profi_gpus_visible *visible);

#endif
