/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See cupti.h.  Records are read by the places that the first fields have had
 * since CUDA 11.0 (CUpti_ActivityKernel5 to 10, Memcpy to Memcpy6, Memset to
 * Memset4: compared in cupti_activity.h and cupti_activity_deprecated.h);
 * later versions append.
 */
#include "cupti.h"

#include "../base/clock.h"
#include "cupti_memory.h"
#include "library.h"
#include "work.h"

#include <cupti.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the libraries ---- */

enum { VERSION_LEAST = 13 /* of CUDA 11.0 */ };

static struct cupti {
    __typeof__(&cuptiGetVersion) get_version;
    __typeof__(&cuptiGetResultString) get_result_string;
    __typeof__(&cuptiSubscribe) subscribe;
    __typeof__(&cuptiUnsubscribe) unsubscribe;
    __typeof__(&cuptiEnableCallback) enable_callback;
    __typeof__(&cuptiGetCallbackName) get_callback_name;
    __typeof__(&cuptiActivityRegisterCallbacks) register_buffers;
    __typeof__(&cuptiActivityRegisterTimestampCallback) register_clock;
    __typeof__(&cuptiActivityEnable) enable;
    __typeof__(&cuptiActivityDisable) disable;
    __typeof__(&cuptiActivityFlushAll) flush_all;
    __typeof__(&cuptiActivityGetNextRecord) next_record;
    __typeof__(&cuptiActivityGetNumDroppedRecords) dropped_records;
    __typeof__(&cuptiGetTimestamp) timestamp;
} cupti;

#define OF_CUPTI(function, member) { #function, offsetof(struct cupti, member), 0 }
static const profi_library_symbol cupti_symbols[] = {
    OF_CUPTI(cuptiGetVersion, get_version), OF_CUPTI(cuptiGetResultString, get_result_string),
    OF_CUPTI(cuptiSubscribe, subscribe), OF_CUPTI(cuptiUnsubscribe, unsubscribe),
    OF_CUPTI(cuptiEnableCallback, enable_callback), OF_CUPTI(cuptiGetCallbackName, get_callback_name),
    OF_CUPTI(cuptiActivityRegisterCallbacks, register_buffers), OF_CUPTI(cuptiActivityEnable, enable),
    OF_CUPTI(cuptiActivityDisable, disable), OF_CUPTI(cuptiActivityFlushAll, flush_all),
    OF_CUPTI(cuptiActivityGetNextRecord, next_record), OF_CUPTI(cuptiActivityGetNumDroppedRecords, dropped_records),
    OF_CUPTI(cuptiGetTimestamp, timestamp),
    { "cuptiActivityRegisterTimestampCallback", offsetof(struct cupti, register_clock), 1 /* since CUDA 11.6 */ },
};

static const char *const cupti_names[] = { "libcupti.so.13", "libcupti.so.12", "libcupti.so.11.8", "libcupti.so.11.7",
                                           "libcupti.so.11.6", "libcupti.so.11.5", "libcupti.so.11.4", "libcupti.so.11.3",
                                           "libcupti.so.11.2", "libcupti.so.11.1", "libcupti.so.11.0", NULL };
static profi_library cupti_library = { .what = "CUPTI", .sonames = cupti_names };

/* ---- times ---- */

static int64_t behind_ns; /* what is to be added to CUPTI's times; 0 where it asks our clock */

static uint64_t CUPTIAPI our_clock(void) { return profi_clock_monotonic_ns(); }

static uint64_t time_of(uint64_t cuptis) { return (uint64_t)((int64_t)cuptis + behind_ns); }

/* ---- whether it is still ours ---- */

/*
 * Another tool may register buffers of its own, and CUPTI hands over nothing
 * to us any more, without a word.  So calls are counted that return only when
 * the GPU has done something, of which there is a record then: a flush after
 * that many hands over something, unless a kernel that runs on and on has its
 * record in the same buffer.  That one is asked for all the same after a
 * while, once: then a tool that has the buffers gets one kernel half.
 */
enum { UNANSWERED_MOST = 16 };
static const uint64_t patience_for_answers_ns = 3000000000u;
static uint32_t unanswered;            /* such calls since the last sign of CUPTI's; relaxed, as those below */
static uint64_t unanswered_since_ns;   /* the first of them */
static uint64_t launches_at_last_sign;

static void note_sign(void)
{
    PROFI_PUT(unanswered, 0u);
    PROFI_PUT(launches_at_last_sign, profi_gpu_work_launches());
}

static void note_unanswered(void)
{
    if (__atomic_fetch_add(&unanswered, 1u, __ATOMIC_RELAXED) == 0)
        PROFI_PUT(unanswered_since_ns, profi_clock_monotonic_ns());
}

/* ---- buffers ---- */

enum { BUFFER_BYTES = 1 << 20, BUFFERS_MOST = 32 };

static pthread_mutex_t buffer_lock = PTHREAD_MUTEX_INITIALIZER;
static uint8_t *free_buffers[BUFFERS_MOST];
static unsigned free_count, buffer_count; /* of all that there are */

/* Without one CUPTI throws records away, and counts them. */
static void CUPTIAPI give_buffer(uint8_t **buffer, size_t *bytes, size_t *records_most)
{
    uint8_t *given = NULL;
    note_sign();
    pthread_mutex_lock(&buffer_lock);
    if (free_count != 0)
        given = free_buffers[--free_count];
    else if (buffer_count < BUFFERS_MOST && (given = malloc(BUFFER_BYTES)) != NULL) /* aligned to 8 bytes, as it must be */
        buffer_count++;
    pthread_mutex_unlock(&buffer_lock);
    *buffer = given;
    *bytes = given != NULL ? BUFFER_BYTES : 0;
    *records_most = 0; /* as many as there is room for */
}

static void take_back(uint8_t *buffer)
{
    pthread_mutex_lock(&buffer_lock);
    int is_ours = free_count < buffer_count;
    if (is_ours)
        free_buffers[free_count++] = buffer;
    pthread_mutex_unlock(&buffer_lock);
    if (!is_ours) /* it was given up for lost */
        free(buffer);
}

static void give_up_buffers(void)
{
    pthread_mutex_lock(&buffer_lock);
    buffer_count = free_count;
    pthread_mutex_unlock(&buffer_lock);
}

/* ---- records ---- */

static uint64_t complete_tick; /* what allocated and freed before has come; relaxed */

static profi_gpu_way way_of(unsigned copy_kind)
{
    switch (copy_kind) {
    case CUPTI_ACTIVITY_MEMCPY_KIND_HTOD:
    case CUPTI_ACTIVITY_MEMCPY_KIND_HTOA: return PROFI_GPU_TO_DEVICE;
    case CUPTI_ACTIVITY_MEMCPY_KIND_DTOH:
    case CUPTI_ACTIVITY_MEMCPY_KIND_ATOH: return PROFI_GPU_TO_HOST;
    case CUPTI_ACTIVITY_MEMCPY_KIND_DTOD:
    case CUPTI_ACTIVITY_MEMCPY_KIND_ATOA:
    case CUPTI_ACTIVITY_MEMCPY_KIND_ATOD:
    case CUPTI_ACTIVITY_MEMCPY_KIND_DTOA:
    case CUPTI_ACTIVITY_MEMCPY_KIND_PTOP: return PROFI_GPU_ON_DEVICE;
    default: return PROFI_GPU_OTHER_WAY;
    }
}

/* Without both times it had not ended when its buffer was asked for, or CUPTI had none. */
static void take_work(profi_gpu_record work, uint64_t start, uint64_t end)
{
    if (start == 0 || end == 0) {
        profi_gpu_work_dropped(work.kind != PROFI_GPU_WAIT);
        return;
    }
    work.start_ns = time_of(start);
    work.end_ns = time_of(end);
    profi_gpu_work_add(&work);
}

static void take_kernel(const CUpti_ActivityKernel10 *from)
{
    take_work((profi_gpu_record){ .kind = PROFI_GPU_KERNEL, .device = from->deviceId, .stream = from->streamId,
                                  .correlation = from->correlationId, .graph_node = from->graphNodeId, .name = from->name },
              from->start, from->end);
}

static void take_copy(const CUpti_ActivityMemcpy6 *from)
{
    take_work((profi_gpu_record){ .kind = PROFI_GPU_COPY, .way = way_of(from->copyKind), .device = from->deviceId,
                                  .stream = from->streamId, .correlation = from->correlationId, .bytes = from->bytes },
              from->start, from->end);
}

static void take_copy_between(const CUpti_ActivityMemcpyPtoP4 *from)
{
    take_work((profi_gpu_record){ .kind = PROFI_GPU_COPY, .way = PROFI_GPU_ON_DEVICE, .device = from->deviceId,
                                  .stream = from->streamId, .correlation = from->correlationId, .bytes = from->bytes },
              from->start, from->end);
}

static void take_set(const CUpti_ActivityMemset4 *from)
{
    take_work((profi_gpu_record){ .kind = PROFI_GPU_SET, .device = from->deviceId, .stream = from->streamId,
                                  .correlation = from->correlationId, .bytes = from->bytes },
              from->start, from->end);
}

/* Of a thread; a stream's for an event is none. */
static void take_wait(const CUpti_ActivitySynchronization2 *from)
{
    if (from->type == CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_STREAM_WAIT_EVENT)
        return;
    take_work((profi_gpu_record){ .kind = PROFI_GPU_WAIT, .stream = from->streamId, .correlation = from->correlationId },
              from->start, from->end);
}

static void take_overhead(const CUpti_ActivityOverhead3 *from)
{
    if (from->end > from->start)
        profi_gpu_work_overhead(from->end - from->start);
}

static void take_memory(const CUpti_ActivityMemory4 *from, const profi_clock_scale *scale)
{
    profi_cupti_memory_add(&(profi_cupti_memory){
        .tick = profi_clock_tick_of(scale, time_of(from->timestamp)), .address = from->address, .bytes = from->bytes,
        .kind = (uint32_t)from->memoryKind, .operation = (uint32_t)from->memoryOperationType, .device = from->deviceId,
        .has_pool = from->memoryPoolConfig.memoryPoolType == CUPTI_ACTIVITY_MEMORY_POOL_TYPE_LOCAL,
        .pool_address = from->memoryPoolConfig.address, .pool_bytes = from->memoryPoolConfig.pool.size });
}

static void take_memory_pool(const CUpti_ActivityMemoryPool3 *from, const profi_clock_scale *scale)
{
    profi_cupti_memory_add(&(profi_cupti_memory){
        .tick = profi_clock_tick_of(scale, time_of(from->timestamp)), .address = from->address, .is_pool = 1,
        .operation = (uint32_t)from->memoryPoolOperationType, .device = from->deviceId,
        .has_pool = from->memoryPoolType == CUPTI_ACTIVITY_MEMORY_POOL_TYPE_LOCAL, .pool_address = from->address,
        .pool_bytes = from->size });
}

static void take_record(const CUpti_Activity *record, const profi_clock_scale *scale)
{
    switch (record->kind) {
    case CUPTI_ACTIVITY_KIND_KERNEL:
    case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL: take_kernel((const void *)record); break;
    case CUPTI_ACTIVITY_KIND_MEMCPY: take_copy((const void *)record); break;
    case CUPTI_ACTIVITY_KIND_MEMCPY2: take_copy_between((const void *)record); break;
    case CUPTI_ACTIVITY_KIND_MEMSET: take_set((const void *)record); break;
    case CUPTI_ACTIVITY_KIND_SYNCHRONIZATION: take_wait((const void *)record); break;
    case CUPTI_ACTIVITY_KIND_MEMORY2: take_memory((const void *)record, scale); break;
    case CUPTI_ACTIVITY_KIND_MEMORY_POOL: take_memory_pool((const void *)record, scale); break;
    case CUPTI_ACTIVITY_KIND_OVERHEAD: take_overhead((const void *)record); break;
    default: break; /* of another kind that somebody in this process enabled */
    }
}

static void CUPTIAPI take_buffer(CUcontext context, uint32_t stream, uint8_t *buffer, size_t room, size_t bytes)
{
    CUpti_Activity *record = NULL;
    size_t dropped = 0;
    const profi_clock_scale scale = profi_clock_scale_so_far();
    (void)room;
    note_sign();
    while (buffer != NULL && bytes != 0 && cupti.next_record(buffer, bytes, &record) == CUPTI_SUCCESS)
        take_record(record, &scale);
    if (cupti.dropped_records(context, stream, &dropped) == CUPTI_SUCCESS && dropped != 0) {
        profi_gpu_work_dropped(dropped);
        profi_cupti_memory_dropped(PROFI_GET(complete_tick));
    }
    if (buffer != NULL)
        take_back(buffer);
}

/* ---- launches ---- */

/* Which functions of the runtime and the driver start work, or wait for it; by name, as each version numbers more of them. */
static int is_of_interest(const char *name)
{
    static const char *const beginnings[] = { "cudaLaunch", "cudaMemcpy", "cudaMemset", "cudaGraphLaunch", "cudaMemPrefetch",
                                              "cuLaunch", "cuMemcpy", "cuMemset", "cuGraphLaunch", "cuMemPrefetch",
                                              "cudaDeviceSynchronize", "cudaStreamSynchronize", "cudaEventSynchronize",
                                              "cuCtxSynchronize", "cuStreamSynchronize", "cuEventSynchronize" };
    name += strspn(name, "_"); /* __cudaLaunchKernel, since CUDA 13 */
    for (size_t i = 0; i < PROFI_COUNT_OF(beginnings); i++)
        if (strncmp(name, beginnings[i], strlen(beginnings[i])) == 0)
            return 1;
    return 0;
}

static CUpti_SubscriberHandle subscriber;

enum { FUNCTIONS_MOST = 4096, LISTENED_MOST = 1024 };
static struct { CUpti_CallbackDomain domain; CUpti_CallbackId function; } listened[LISTENED_MOST];
static unsigned listened_count;
/*
 * Of the driver's functions, and the runtime's: it starts nothing; it returns
 * when the GPU has done it.  Relaxed: found anew at each start, when a call
 * that was told of before the last stop may still be under way.
 */
static uint8_t is_wait[2][FUNCTIONS_MOST], is_blocking[2][FUNCTIONS_MOST];

static void CUPTIAPI on_call(void *unused, CUpti_CallbackDomain domain, CUpti_CallbackId function, const void *data)
{
    const CUpti_CallbackData *call = data;
    (void)unused;
    int is_runtime = domain == CUPTI_CB_DOMAIN_RUNTIME_API;
    if (function >= FUNCTIONS_MOST)
        return;
    if (call->callbackSite == CUPTI_API_ENTER)
        profi_gpu_work_launched(call->correlationId, !PROFI_GET(is_wait[is_runtime][function]));
    else if (PROFI_GET(is_blocking[is_runtime][function]))
        note_unanswered();
}

static void find_functions(CUpti_CallbackDomain domain)
{
    for (uint32_t function = 1; function < FUNCTIONS_MOST && listened_count < LISTENED_MOST; function++) {
        const char *name = NULL;
        if (cupti.get_callback_name(domain, function, &name) != CUPTI_SUCCESS || name == NULL)
            break;
        if (is_of_interest(name)) {
            int is_runtime = domain == CUPTI_CB_DOMAIN_RUNTIME_API;
            int waits = strstr(name, "Synchronize") != NULL;
            int blocks = waits || (strstr(name, "Memcpy") != NULL && strstr(name, "Async") == NULL);
            PROFI_PUT(is_wait[is_runtime][function], (uint8_t)waits);
            PROFI_PUT(is_blocking[is_runtime][function], (uint8_t)blocks);
            listened[listened_count].domain = domain;
            listened[listened_count++].function = function;
        }
    }
}

/* How many are told of. */
static unsigned listen(uint32_t yes)
{
    unsigned enabled = 0;
    for (unsigned i = 0; i < listened_count; i++)
        enabled += cupti.enable_callback(yes, subscriber, listened[i].domain, listened[i].function) == CUPTI_SUCCESS;
    return enabled;
}

/* ---- starting and ending ---- */

static const CUpti_ActivityKind kinds[] = { CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, CUPTI_ACTIVITY_KIND_MEMCPY,
                                            CUPTI_ACTIVITY_KIND_MEMCPY2, CUPTI_ACTIVITY_KIND_MEMSET,
                                            CUPTI_ACTIVITY_KIND_SYNCHRONIZATION, CUPTI_ACTIVITY_KIND_OVERHEAD };
enum { KINDS_NEEDED = 4 }; /* the first; without the others less is known */
/* Throughout, also while the rest pauses: what is allocated must have been seen from the first to the last. */
static const CUpti_ActivityKind memory_kinds[] = { CUPTI_ACTIVITY_KIND_MEMORY2, CUPTI_ACTIVITY_KIND_MEMORY_POOL };
static uint32_t is_running, version; /* relaxed */

static profi_gpu_found failed(char *reason, const char *what, CUptiResult result)
{
    const char *why = NULL;
    if (result == CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED || result == CUPTI_ERROR_MAX_LIMIT_REACHED)
        snprintf(reason, PROFI_GPU_REASON, "CUPTI is in use by another tool");
    else if (cupti.get_result_string(result, &why) == CUPTI_SUCCESS && why != NULL)
        snprintf(reason, PROFI_GPU_REASON, "%s: %.120s", what, why);
    else
        snprintf(reason, PROFI_GPU_REASON, "%s: error %d of CUPTI", what, (int)result);
    return PROFI_GPU_FAILED;
}

static profi_gpu_found load(char *reason)
{
    static int is_resolved; /* once: CUPTI's threads read the table */
    if (!is_resolved && (!profi_library_open(&cupti_library) ||
        !profi_library_resolve(&cupti_library, &cupti, cupti_symbols, PROFI_COUNT_OF(cupti_symbols)))) {
        snprintf(reason, PROFI_GPU_REASON, "%s", cupti_library.reason);
        return PROFI_GPU_FAILED;
    }
    is_resolved = 1;
    uint32_t found = 0;
    CUptiResult result = cupti.get_version(&found);
    PROFI_PUT(version, found);
    if (result != CUPTI_SUCCESS)
        return failed(reason, "CUPTI does not tell its version", result);
    if (found >= VERSION_LEAST)
        return PROFI_GPU_RUNS;
    snprintf(reason, PROFI_GPU_REASON, "CUPTI has version %u, and %d or later, of CUDA 11.0, is needed", (unsigned)found, VERSION_LEAST);
    return PROFI_GPU_FAILED;
}

static void set_clock(void)
{
    uint64_t cuptis = 0, before = profi_clock_monotonic_ns();
    behind_ns = 0;
    if (cupti.register_clock != NULL && cupti.register_clock(our_clock) == CUPTI_SUCCESS)
        return;
    if (cupti.timestamp(&cuptis) == CUPTI_SUCCESS)
        behind_ns = (int64_t)(before + (profi_clock_monotonic_ns() - before) / 2 - cuptis);
}

static profi_gpu_found go_on(char *reason)
{
    for (size_t i = 0; i < PROFI_COUNT_OF(kinds); i++) {
        CUptiResult result = cupti.enable(kinds[i]);
        if (result != CUPTI_SUCCESS && i < KINDS_NEEDED)
            return failed(reason, "CUPTI traces no GPU work", result);
    }
    if (listen(1) != 0)
        return PROFI_GPU_RUNS;
    snprintf(reason, PROFI_GPU_REASON, "CUPTI tells of no launches");
    return PROFI_GPU_FAILED;
}

/* A version without these kinds leaves the pools of devices unknown. */
static void watch_memory(void)
{
    CUptiResult result = CUPTI_SUCCESS;
    uint64_t now = profi_clock_now();
    for (size_t i = 0; i < PROFI_COUNT_OF(memory_kinds) && result == CUPTI_SUCCESS; i++)
        result = cupti.enable(memory_kinds[i]);
    PROFI_PUT(complete_tick, now);
    if (result == CUPTI_SUCCESS)
        profi_cupti_memory_start(profi_driver_device_count());
}

/* The clock before any kind, or records come with two. */
static profi_gpu_found enable(char *reason)
{
    set_clock();
    CUptiResult result = cupti.register_buffers(give_buffer, take_buffer);
    if (result != CUPTI_SUCCESS)
        return failed(reason, "CUPTI takes no buffers", result);
    note_sign();
    listened_count = 0;
    find_functions(CUPTI_CB_DOMAIN_RUNTIME_API);
    find_functions(CUPTI_CB_DOMAIN_DRIVER_API);
    profi_gpu_found state = go_on(reason);
    if (state == PROFI_GPU_RUNS)
        watch_memory();
    return state;
}

static void pause_all(void)
{
    listen(0);
    for (size_t i = 0; i < PROFI_COUNT_OF(kinds); i++)
        cupti.disable(kinds[i]);
}

/* What others do not have enabled. */
static void leave(void)
{
    for (size_t i = 0; i < PROFI_COUNT_OF(memory_kinds); i++)
        cupti.disable(memory_kinds[i]);
    cupti.unsubscribe(subscriber);
}

static void give_up(void)
{
    pause_all();
    leave();
}

/* Tools that start a process under themselves say so before CUPTI does. */
static int is_under_tool(char *reason)
{
    static const char *const marks[] = { "NSYS_PROFILING_SESSION_ID", "CUDA_INJECTION64_PATH" };
    for (size_t i = 0; i < PROFI_COUNT_OF(marks); i++) {
        const char *value = secure_getenv(marks[i]);
        if (value != NULL && value[0] != '\0') {
            snprintf(reason, PROFI_GPU_REASON, "CUPTI is in use by another tool: %s is set", marks[i]);
            return 1;
        }
    }
    return 0;
}

profi_gpu_found profi_cupti_start(char reason[PROFI_GPU_REASON])
{
    profi_gpu_found state;
    reason[0] = '\0';
    if (PROFI_GET(is_running))
        return PROFI_GPU_RUNS;
    if (is_under_tool(reason))
        return PROFI_GPU_FAILED;
    if (!profi_gpu_work_open()) {
        snprintf(reason, PROFI_GPU_REASON, "no memory for the table of launches");
        return PROFI_GPU_FAILED;
    }
    if ((state = load(reason)) != PROFI_GPU_RUNS)
        return state;
    CUptiResult result = cupti.subscribe(&subscriber, on_call, NULL);
    if (result != CUPTI_SUCCESS)
        return failed(reason, "CUPTI takes no subscriber", result);
    if ((state = enable(reason)) != PROFI_GPU_RUNS)
        give_up();
    PROFI_PUT(is_running, state == PROFI_GPU_RUNS);
    return state;
}

/*
 * A record may wait in one buffer with a kernel's that still runs.  So what is
 * complete is taken to be a little older, where more flushes will follow; and
 * where none will, such a buffer is asked for too, or all of it were lost.
 */
static void flush(uint64_t patience_ns, uint32_t flags)
{
    const profi_clock_scale scale = profi_clock_scale_so_far();
    uint64_t patience = profi_clock_to_ticks(&scale, patience_ns), now = profi_clock_now();
    cupti.flush_all(flags);
    if (now - PROFI_GET(complete_tick) > patience) {
        PROFI_PUT(complete_tick, now - patience);
        profi_cupti_memory_complete(now - patience);
    }
}

void profi_cupti_flush(profi_cupti_need need)
{
    enum { PATIENCE_NS = 200000000 };
    if (PROFI_GET(is_running))
        flush(need == PROFI_CUPTI_REGULAR ? PATIENCE_NS : 0, need == PROFI_CUPTI_LAST ? CUPTI_ACTIVITY_FLAG_FLUSH_FORCED : 0);
}

profi_gpu_found profi_cupti_pause(int yes, char reason[PROFI_GPU_REASON])
{
    if (!PROFI_GET(is_running))
        return PROFI_GPU_NOT_YET;
    if (!yes)
        return go_on(reason);
    profi_cupti_flush(PROFI_CUPTI_REGULAR);
    pause_all();
    return PROFI_GPU_RUNS;
}

void profi_cupti_stop(void)
{
    if (!PROFI_GET(is_running))
        return;
    profi_cupti_flush(PROFI_CUPTI_LAST);
    PROFI_PUT(is_running, 0u);
    give_up();
    profi_cupti_memory_end(PROFI_GET(complete_tick));
}

static int is_without_answer(void)
{
    return PROFI_GET(unanswered) >= UNANSWERED_MOST &&
           profi_clock_monotonic_ns() - PROFI_GET(unanswered_since_ns) >= patience_for_answers_ns;
}

int profi_cupti_is_taken(char reason[PROFI_GPU_REASON])
{
    if (!PROFI_GET(is_running) || !is_without_answer())
        return 0;
    profi_cupti_flush(PROFI_CUPTI_LAST);
    if (!is_without_answer())
        return 0;
    snprintf(reason, PROFI_GPU_REASON, "CUPTI hands over nothing any more: another tool has taken its buffers");
    return 1;
}

void profi_cupti_leave(void)
{
    if (!PROFI_GET(is_running))
        return;
    PROFI_PUT(is_running, 0u);
    listen(0);
    leave();
    give_up_buffers();
    profi_gpu_work_dropped(profi_gpu_work_launches() - PROFI_GET(launches_at_last_sign));
    profi_cupti_memory_dropped(PROFI_GET(complete_tick));
    profi_cupti_memory_end(PROFI_GET(complete_tick));
}

void profi_cupti_forget(void)
{
    buffer_lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER; /* a thread of CUPTI's may have held it */
    is_running = 0;
    buffer_count = free_count; /* those that CUPTI had are its parent's copies */
}

uint32_t profi_cupti_version(void) { return PROFI_GET(version); }
