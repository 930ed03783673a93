/* SPDX-License-Identifier: Apache-2.0 */
/* A libcupti.so.13 whose GPU is the test: see fake_gpu.h. */
#include "fake_gpu.h"

#include <cupti.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what it answers ---- */

static const char *refused_now;
static void refuse(const char *function) { __atomic_store_n(&refused_now, function, __ATOMIC_RELEASE); }

static CUptiResult refuses(const char *function)
{
    const char *refused = __atomic_load_n(&refused_now, __ATOMIC_ACQUIRE);
    if (refused == NULL)
        refused = getenv("FAKE_CUPTI_REFUSES");
    return refused != NULL && strcmp(refused, function) == 0 ? CUPTI_ERROR_UNKNOWN : CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiGetVersion(uint32_t *version)
{
    const char *told = getenv("FAKE_CUPTI_VERSION");
    *version = told != NULL ? (uint32_t)atoi(told) : 130001;
    return refuses(__func__);
}

CUptiResult CUPTIAPI cuptiGetResultString(CUptiResult result, const char **text)
{
    *text = result == CUPTI_SUCCESS ? "CUPTI_SUCCESS" : "CUPTI_ERROR_UNKNOWN";
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiGetTimestamp(uint64_t *timestamp)
{
    *timestamp = 0;
    return CUPTI_SUCCESS;
}

/* ---- callbacks ---- */

/* By their numbers from 1 on; among them two that start nothing. */
static const char *const functions[] = { "cudaDriverGetVersion_v3020", "cudaGetDevice_v3020", "cudaLaunchKernel_v7000",
                                         "cudaMemcpyAsync_v3020", "cudaMemset_v3020", "cudaGraphLaunch_v10000",
                                         "cudaStreamSynchronize_v3020" };
enum { FUNCTIONS = sizeof(functions) / sizeof(*functions) };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned subscribers, is_enabled[FUNCTIONS];
static CUpti_CallbackFunc callback;
static void *callback_data;
static uint32_t last_correlation;

CUptiResult CUPTIAPI cuptiSubscribe(CUpti_SubscriberHandle *subscriber, CUpti_CallbackFunc function, void *data)
{
    const char *taken = getenv("FAKE_CUPTI_TAKEN");
    if (subscribers != 0 || (taken != NULL && taken[0] == '1'))
        return CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED;
    if (refuses(__func__) != CUPTI_SUCCESS)
        return CUPTI_ERROR_UNKNOWN;
    subscribers = 1;
    __atomic_store_n(&callback_data, data, __ATOMIC_RELAXED);
    __atomic_store_n(&callback, function, __ATOMIC_RELEASE);
    *subscriber = (CUpti_SubscriberHandle)(void *)&callback;
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiUnsubscribe(CUpti_SubscriberHandle subscriber)
{
    (void)subscriber;
    subscribers = 0;
    __atomic_store_n(&callback, (CUpti_CallbackFunc)NULL, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < FUNCTIONS; i++)
        __atomic_store_n(&is_enabled[i], 0u, __ATOMIC_RELAXED);
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiGetCallbackName(CUpti_CallbackDomain domain, uint32_t number, const char **name)
{
    if (domain != CUPTI_CB_DOMAIN_RUNTIME_API || number < 1 || number > FUNCTIONS)
        return CUPTI_ERROR_INVALID_PARAMETER;
    *name = functions[number - 1];
    return refuses(__func__);
}

CUptiResult CUPTIAPI cuptiEnableCallback(uint32_t enable, CUpti_SubscriberHandle subscriber, CUpti_CallbackDomain domain, CUpti_CallbackId number)
{
    (void)subscriber;
    if (domain != CUPTI_CB_DOMAIN_RUNTIME_API || number < 1 || number > FUNCTIONS)
        return CUPTI_ERROR_INVALID_PARAMETER;
    __atomic_store_n(&is_enabled[number - 1], enable, __ATOMIC_RELAXED);
    return refuses(__func__);
}

static void call_back(unsigned number, CUpti_ApiCallbackSite site, uint32_t correlation)
{
    CUpti_CallbackData data;
    memset(&data, 0, sizeof(data));
    data.callbackSite = site;
    data.functionName = functions[number];
    data.correlationId = correlation;
    CUpti_CallbackFunc listener = __atomic_load_n(&callback, __ATOMIC_ACQUIRE); /* one that unsubscribes now may still be told */
    if (listener != NULL)
        listener(__atomic_load_n(&callback_data, __ATOMIC_RELAXED), CUPTI_CB_DOMAIN_RUNTIME_API, number + 1, &data);
}

static uint32_t call(const char *function)
{
    uint32_t correlation = __atomic_add_fetch(&last_correlation, 1u, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < FUNCTIONS; i++)
        if (strncmp(functions[i], function, strlen(function)) == 0 && __atomic_load_n(&is_enabled[i], __ATOMIC_RELAXED)) {
            call_back(i, CUPTI_API_ENTER, correlation);
            call_back(i, CUPTI_API_EXIT, correlation);
        }
    return correlation;
}

/* ---- activity ---- */

typedef union record {
    CUpti_Activity any;
    CUpti_ActivityKernel10 kernel;
    CUpti_ActivityMemcpy6 copy;
    CUpti_ActivityMemset4 set;
    CUpti_ActivitySynchronization2 wait;
    CUpti_ActivityMemory4 memory;
} record;

static record *waiting; /* under the lock */
static unsigned waiting_count, waiting_room, dropped, buffers_out;
static int delivers_on_flush = 1, is_rivals, holds_flushes;
static unsigned flushes_held;
static uint8_t enabled[CUPTI_ACTIVITY_KIND_COUNT];
static CUpti_BuffersCallbackRequestFunc request;
static CUpti_BuffersCallbackCompleteFunc complete;
static CUpti_TimestampCallbackFunc clock_of_library;

CUptiResult CUPTIAPI cuptiActivityRegisterCallbacks(CUpti_BuffersCallbackRequestFunc ask, CUpti_BuffersCallbackCompleteFunc done)
{
    request = ask;
    complete = done;
    __atomic_store_n(&is_rivals, 0, __ATOMIC_RELEASE);
    return refuses(__func__);
}

CUptiResult CUPTIAPI cuptiActivityRegisterTimestampCallback(CUpti_TimestampCallbackFunc function)
{
    clock_of_library = function;
    return refuses(__func__);
}

CUptiResult CUPTIAPI cuptiActivityEnable(CUpti_ActivityKind kind)
{
    __atomic_store_n(&enabled[kind], 1, __ATOMIC_RELAXED);
    return refuses(__func__);
}

CUptiResult CUPTIAPI cuptiActivityDisable(CUpti_ActivityKind kind)
{
    __atomic_store_n(&enabled[kind], 0, __ATOMIC_RELAXED);
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiActivityGetNumDroppedRecords(CUcontext context, uint32_t stream, size_t *count)
{
    (void)context;
    (void)stream;
    *count = __atomic_exchange_n(&dropped, 0u, __ATOMIC_RELAXED);
    return CUPTI_SUCCESS;
}

/* Records have the size of the union, so that each is as long as the longest. */
CUptiResult CUPTIAPI cuptiActivityGetNextRecord(uint8_t *buffer, size_t bytes, CUpti_Activity **at)
{
    uint8_t *next = *at == NULL ? buffer : (uint8_t *)*at + sizeof(record);
    if (next + sizeof(record) > buffer + bytes)
        return CUPTI_ERROR_MAX_LIMIT_REACHED;
    *at = (CUpti_Activity *)(void *)next;
    return CUPTI_SUCCESS;
}

static void add(const record *made)
{
    pthread_mutex_lock(&lock);
    if (waiting_count == waiting_room) {
        waiting_room = waiting_room != 0 ? 2 * waiting_room : 64;
        waiting = realloc(waiting, waiting_room * sizeof(*waiting));
    }
    if (__atomic_load_n(&enabled[made->any.kind], __ATOMIC_RELAXED) && waiting != NULL)
        waiting[waiting_count++] = *made;
    pthread_mutex_unlock(&lock);
}

static record record_of(CUpti_ActivityKind kind)
{
    record made;
    memset(&made, 0, sizeof(made));
    made.any.kind = kind;
    return made;
}

static void kernel(uint32_t correlation, uint32_t device, uint32_t stream, uint64_t start, uint64_t end, const char *name, uint64_t graph_node)
{
    record made = record_of(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL);
    made.kernel.correlationId = correlation;
    made.kernel.deviceId = device;
    made.kernel.streamId = stream;
    made.kernel.start = start;
    made.kernel.end = end;
    made.kernel.name = name;
    made.kernel.graphNodeId = graph_node;
    add(&made);
}

static void copy(uint32_t correlation, unsigned way, uint64_t bytes, uint64_t start, uint64_t end)
{
    record made = record_of(CUPTI_ACTIVITY_KIND_MEMCPY);
    made.copy.copyKind = (uint8_t)way;
    made.copy.correlationId = correlation;
    made.copy.bytes = bytes;
    made.copy.start = start;
    made.copy.end = end;
    add(&made);
}

static void set(uint32_t correlation, uint64_t bytes, uint64_t start, uint64_t end)
{
    record made = record_of(CUPTI_ACTIVITY_KIND_MEMSET);
    made.set.correlationId = correlation;
    made.set.bytes = bytes;
    made.set.start = start;
    made.set.end = end;
    add(&made);
}

static void memory(int is_free, uint64_t address, uint64_t bytes, uint64_t timestamp)
{
    record made = record_of(CUPTI_ACTIVITY_KIND_MEMORY2);
    made.memory.memoryOperationType =
        is_free ? CUPTI_ACTIVITY_MEMORY_OPERATION_TYPE_RELEASE : CUPTI_ACTIVITY_MEMORY_OPERATION_TYPE_ALLOCATION;
    made.memory.memoryKind = CUPTI_ACTIVITY_MEMORY_KIND_DEVICE;
    made.memory.address = address;
    made.memory.bytes = bytes;
    made.memory.timestamp = timestamp;
    add(&made);
}

static void wait_for(uint32_t correlation, uint64_t start, uint64_t end)
{
    record made = record_of(CUPTI_ACTIVITY_KIND_SYNCHRONIZATION);
    made.wait.correlationId = correlation;
    made.wait.start = start;
    made.wait.end = end;
    add(&made);
}

/*
 * As a driver does it: buffers are asked for as records come, and handed over
 * when all of them have.  Without the lock: the library may call in here.
 */
static void hand_over(const record *records, unsigned count, unsigned most)
{
    struct { uint8_t *data; size_t bytes; unsigned records; } filled[4096];
    unsigned buffers = 0, done = 0;
    while (done < count && buffers < sizeof(filled) / sizeof(*filled)) {
        uint8_t *buffer = NULL;
        size_t bytes = 0, records_most = 0;
        request(&buffer, &bytes, &records_most);
        unsigned fit = (unsigned)(bytes / sizeof(record));
        fit = most != 0 && fit > most ? most : fit;
        fit = fit > count - done ? count - done : fit;
        if (buffer == NULL || fit == 0)
            break;
        memcpy(buffer, records + done, fit * sizeof(record));
        filled[buffers].data = buffer;
        filled[buffers].bytes = bytes;
        filled[buffers++].records = fit;
        done += fit;
    }
    __atomic_fetch_add(&buffers_out, buffers, __ATOMIC_RELAXED);
    __atomic_fetch_add(&dropped, count - done, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < buffers; i++) {
        complete(NULL, 0, filled[i].data, filled[i].bytes, filled[i].records * sizeof(record));
        __atomic_fetch_sub(&buffers_out, 1u, __ATOMIC_RELAXED);
    }
}

static void deliver(unsigned records_most, int backwards)
{
    pthread_mutex_lock(&lock);
    record *taken = waiting;
    unsigned count = waiting_count;
    waiting = NULL;
    waiting_count = waiting_room = 0;
    pthread_mutex_unlock(&lock);
    for (unsigned i = 0; backwards && i < count / 2; i++) {
        record other = taken[i];
        taken[i] = taken[count - 1 - i];
        taken[count - 1 - i] = other;
    }
    if (count != 0 && !__atomic_load_n(&is_rivals, __ATOMIC_ACQUIRE))
        hand_over(taken, count, records_most);
    free(taken);
}

CUptiResult CUPTIAPI cuptiActivityFlushAll(uint32_t flag)
{
    __atomic_fetch_add(&flushes_held, 1u, __ATOMIC_RELAXED);
    while (__atomic_load_n(&holds_flushes, __ATOMIC_RELAXED))
        usleep(1000);
    __atomic_fetch_sub(&flushes_held, 1u, __ATOMIC_RELAXED);
    if (__atomic_load_n(&delivers_on_flush, __ATOMIC_RELAXED) || flag == CUPTI_ACTIVITY_FLAG_FLUSH_FORCED)
        deliver(0, 0);
    return refuses(__func__);
}

static void deliver_on_flush(int yes) { __atomic_store_n(&delivers_on_flush, yes, __ATOMIC_RELAXED); }
static void hold_flushes(int yes) { __atomic_store_n(&holds_flushes, yes, __ATOMIC_RELAXED); }
static unsigned flushes_now_held(void) { return __atomic_load_n(&flushes_held, __ATOMIC_RELAXED); }
static void give_buffers_to_rival(void) { __atomic_store_n(&is_rivals, 1, __ATOMIC_RELEASE); }
static unsigned subscriber_count(void) { return subscribers; }
static unsigned buffers_at_fake(void) { return __atomic_load_n(&buffers_out, __ATOMIC_RELAXED); }
static uint64_t clock_now(void) { return clock_of_library != NULL ? clock_of_library() : 0; }

static unsigned count_of_kinds(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < CUPTI_ACTIVITY_KIND_COUNT; i++)
        count += __atomic_load_n(&enabled[i], __ATOMIC_RELAXED);
    return count;
}

static unsigned count_of_functions(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < FUNCTIONS; i++)
        count += __atomic_load_n(&is_enabled[i], __ATOMIC_RELAXED);
    return count;
}

const fake_gpu *fake_gpu_get_1(void);
const fake_gpu *fake_gpu_get_1(void)
{
    static const fake_gpu functions_of_fake = { call, kernel, copy, set, memory, wait_for, deliver, deliver_on_flush, refuse, give_buffers_to_rival,
                                                hold_flushes, flushes_now_held, subscriber_count, count_of_kinds, count_of_functions, buffers_at_fake, clock_now };
    return &functions_of_fake;
}
