/* SPDX-License-Identifier: Apache-2.0 */
/* See visible.h. */
#include "visible.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int are_of_one_kind(const profi_gpu_identity *gpus, unsigned count)
{
    for (unsigned i = 1; i < count; i++)
        if (strcmp(gpus[i].name, gpus[0].name) != 0)
            return 0;
    return 1;
}

/* The one GPU whose UUID begins so; `count` where there is none, or more than one. */
static unsigned find_uuid(const char *text, size_t bytes, const profi_gpu_identity *gpus, unsigned count)
{
    unsigned found = count;
    for (unsigned i = 0; i < count; i++) {
        if (strncmp(gpus[i].uuid, text, bytes) != 0)
            continue;
        if (found != count)
            return count;
        found = i;
    }
    return found;
}

/* A number with nothing behind it; `count` where it is none, or there is no such GPU. */
static unsigned find_number(const char *text, size_t bytes, unsigned count)
{
    char *end;
    unsigned long number = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : count;
    return number < count && end == text + bytes ? (unsigned)number : count;
}

static int is_listed(const profi_gpus_visible *visible, unsigned index)
{
    for (unsigned i = 0; i < visible->count; i++)
        if (visible->index[i] == index)
            return 1;
    return 0;
}

static void show_all(profi_gpus_visible *visible, unsigned count)
{
    for (visible->count = 0; visible->count < count; visible->count++)
        visible->index[visible->count] = visible->count;
}

/* The entries up to the first that is invalid. */
static void read_list(const char *list, const profi_gpu_identity *gpus, unsigned count, profi_gpus_visible *visible)
{
    for (const char *at = list; visible->count < count; at++) {
        at += strspn(at, " ");
        size_t bytes = strcspn(at, ", ");
        int is_uuid = strncmp(at, "GPU-", 4) == 0;
        unsigned index = is_uuid ? find_uuid(at, bytes, gpus, count) : find_number(at, bytes, count);
        if (index != count && !is_uuid && !visible->is_ordered) {
            show_all(visible, count);
            return;
        }
        if (strncmp(at, "MIG-", 4) == 0)
            snprintf(visible->reason, sizeof(visible->reason), "CUDA_VISIBLE_DEVICES names a MIG instance, of which NVML's "
                     "figures are not read");
        if (index == count || is_listed(visible, index))
            break;
        visible->index[visible->count++] = index;
        at += bytes;
        at += strspn(at, " ");
        if (*at != ',')
            break;
    }
    visible->is_ordered = 1; /* what is listed has the numbers of its place */
    if (visible->count == 0 && visible->reason[0] == '\0')
        snprintf(visible->reason, sizeof(visible->reason), "CUDA_VISIBLE_DEVICES=%.60s leaves no GPU", list);
}

void profi_gpus_find_visible(const char *devices, const char *order, const profi_gpu_identity *gpus, unsigned count,
                             profi_gpus_visible *visible)
{
    int is_pci = order != NULL && strcmp(order, "PCI_BUS_ID") == 0;
    *visible = (profi_gpus_visible){ .is_ordered = is_pci || are_of_one_kind(gpus, count) };
    count = count < PROFI_GPUS ? count : PROFI_GPUS;
    if (devices == NULL)
        show_all(visible, count);
    else
        read_list(devices, gpus, count, visible);
    if (!visible->is_ordered)
        snprintf(visible->reason, sizeof(visible->reason), "CUDA numbers different GPUs by their speed, which NVML does not tell: "
                 "all are shown, by nvidia-smi's numbers; CUDA_DEVICE_ORDER=PCI_BUS_ID would make them one");
}
