/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tool that receives NVTX, as nsys does: what is called, it writes down.
 *
 *     NVTX_INJECTION64_PATH=…/libnvtx_injection.so INJECTION_LOG=FILE program
 *
 * Lines of what, process, thread, domain, text, category and payload, with
 * tabs between them.  Without INJECTION_LOG it does nothing, at the least
 * cost.  INJECTION_REFUSES=1: it is loaded, and does not want to be one.
 * INJECTION_RAISES=1: SIGALRM comes inside each push.
 */
#include <nvtx3/nvToolsExt.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((visibility("default"))) int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t table_of);

static int log_fd = -1;
static int raises;
/* Of the thread's ranges, over all domains; of the model that ThreadSanitizer bears in a library that is loaded late. */
static __thread int depth __attribute__((tls_model("initial-exec")));
static uint64_t range_count;

/* One write each: lines of several threads and processes do not mix. */
static void note(const char *what, nvtxDomainHandle_t domain, const char *text, uint32_t category, uint64_t payload)
{
    char line[1200];
    if (log_fd < 0)
        return;
    int bytes = snprintf(line, sizeof(line), "%s\t%d\t%ld\t%.99s\t%.900s\t%u\t%llu\n", what, (int)getpid(), syscall(SYS_gettid),
                         domain != NULL ? (const char *)domain : "", text, category, (unsigned long long)payload);
    if (write(log_fd, line, (size_t)bytes) != bytes)
        abort();
}

static const char *text_of(const nvtxEventAttributes_t *event)
{
    if (event->version != NVTX_VERSION || event->size != NVTX_EVENT_ATTRIB_STRUCT_SIZE)
        abort();
    if (event->messageType == NVTX_MESSAGE_TYPE_REGISTERED)
        return (const char *)event->message.registered;
    return event->messageType == NVTX_MESSAGE_TYPE_ASCII ? event->message.ascii : "";
}

static void note_event(const char *what, nvtxDomainHandle_t domain, const nvtxEventAttributes_t *event)
{
    note(what, domain, text_of(event), event->category, event->payloadType != NVTX_PAYLOAD_UNKNOWN ? event->payload.ullValue : 0);
}

static int NVTX_API on_push(nvtxDomainHandle_t domain, const nvtxEventAttributes_t *event)
{
    note_event("push", domain, event);
    if (raises)
        raise(SIGALRM);
    return depth++;
}

static int NVTX_API on_pop(nvtxDomainHandle_t domain)
{
    note("pop", domain, "", 0, 0);
    return --depth;
}

static void NVTX_API on_mark(nvtxDomainHandle_t domain, const nvtxEventAttributes_t *event)
{
    note_event("mark", domain, event);
}

static nvtxRangeId_t NVTX_API on_start(nvtxDomainHandle_t domain, const nvtxEventAttributes_t *event)
{
    uint64_t id = __atomic_add_fetch(&range_count, 1u, __ATOMIC_RELAXED) << 40 | 7; /* no small number */
    note("start", domain, text_of(event), event->category, id);
    return id;
}

static void NVTX_API on_end(nvtxDomainHandle_t domain, nvtxRangeId_t id)
{
    note("end", domain, "", 0, id);
}

/* Texts that the program's handles point to, for good; linked, so that leak checkers find them. */
typedef struct kept {
    struct kept *next;
    char text[];
} kept;
static kept *texts;

static void *keep(const char *text)
{
    size_t bytes = strlen(text) + 1;
    kept *copy = malloc(sizeof(*copy) + bytes);
    if (copy == NULL)
        abort();
    memcpy(copy->text, text, bytes);
    copy->next = __atomic_load_n(&texts, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&texts, &copy->next, copy, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        ;
    return copy->text;
}

static nvtxStringHandle_t NVTX_API on_register(nvtxDomainHandle_t domain, const char *text)
{
    note("string", domain, text, 0, 0);
    return (nvtxStringHandle_t)keep(text);
}

static nvtxDomainHandle_t NVTX_API on_domain(const char *name)
{
    note("domain", NULL, name, 0, 0);
    return (nvtxDomainHandle_t)keep(name);
}

static void NVTX_API on_category(nvtxDomainHandle_t domain, uint32_t category, const char *name)
{
    note("category", domain, name, category, 0);
}

static void NVTX_API on_thread(uint32_t tid, const char *name)
{
    note("thread", NULL, name, 0, tid);
}

static nvtxResourceHandle_t NVTX_API on_resource(nvtxDomainHandle_t domain, nvtxResourceAttributes_t *resource)
{
    if (resource->identifierType == NVTX_RESOURCE_TYPE_GENERIC_THREAD_NATIVE && resource->messageType == NVTX_MESSAGE_TYPE_ASCII)
        note("domain thread", domain, resource->message.ascii, 0, resource->identifier.ullValue);
    return NULL;
}

/* The program's own, without a domain. */
static int NVTX_API on_own_push(const char *text)
{
    note("push", NULL, text, 0, 0);
    return depth++;
}

static int NVTX_API on_own_pop(void)
{
    return on_pop(NULL);
}

typedef struct entry {
    unsigned index;
    NvtxFunctionPointer function;
} entry;

static int receive(const NvtxExportTableCallbacks *callbacks, NvtxCallbackModule module, const entry *entries, size_t count)
{
    NvtxFunctionTable table = NULL;
    unsigned size = 0;
    if (!callbacks->GetModuleFunctionTable(module, &table, &size))
        return 0;
    for (size_t i = 0; i < count; i++)
        if (entries[i].index < size)
            *table[entries[i].index] = entries[i].function;
    return 1;
}

#define FUNCTION(function) ((NvtxFunctionPointer)(function))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t table_of)
{
    const entry core[] = {
        { NVTX_CBID_CORE_RangePushA, FUNCTION(on_own_push) },
        { NVTX_CBID_CORE_RangePop, FUNCTION(on_own_pop) },
        { NVTX_CBID_CORE_NameOsThreadA, FUNCTION(on_thread) },
    };
    const entry domains[] = {
        { NVTX_CBID_CORE2_DomainMarkEx, FUNCTION(on_mark) },       { NVTX_CBID_CORE2_DomainRangeStartEx, FUNCTION(on_start) },
        { NVTX_CBID_CORE2_DomainRangeEnd, FUNCTION(on_end) },      { NVTX_CBID_CORE2_DomainRangePushEx, FUNCTION(on_push) },
        { NVTX_CBID_CORE2_DomainRangePop, FUNCTION(on_pop) },      { NVTX_CBID_CORE2_DomainNameCategoryA, FUNCTION(on_category) },
        { NVTX_CBID_CORE2_DomainRegisterStringA, FUNCTION(on_register) },
        { NVTX_CBID_CORE2_DomainCreateA, FUNCTION(on_domain) }, { NVTX_CBID_CORE2_DomainResourceCreate, FUNCTION(on_resource) },
    };
    const char *path = getenv("INJECTION_LOG");
    const NvtxExportTableCallbacks *callbacks = table_of(NVTX_ETID_CALLBACKS);
    if (path != NULL && log_fd < 0)
        log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    raises = getenv("INJECTION_RAISES") != NULL;
    note("loaded", NULL, "", 0, 0);
    return getenv("INJECTION_REFUSES") == NULL && callbacks != NULL &&
           receive(callbacks, NVTX_CB_MODULE_CORE, core, COUNT_OF(core)) &&
           receive(callbacks, NVTX_CB_MODULE_CORE2, domains, COUNT_OF(domains));
}
