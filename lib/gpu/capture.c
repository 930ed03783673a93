/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See capture.h.  Here: being found by NVTX, and which of its functions lead
 * where; what the program says is read, and handed to capture_ranges.c.
 *
 * A domain is the file of its sites, "nvtx:NAME", and a registered string is
 * a site: both are there for good, and asked for again are the same.
 */
#include "capture.h"

#include "capture_ranges.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

static const char variable[] = "NVTX_INJECTION64_PATH";
static int is_on;

int profi_capture_is_on(void) { return PROFI_GET(is_on); }

/* The library's own absolute path, from the heap: the program may go elsewhere before NVTX looks.  NULL: it has none. */
static char *own_path(void)
{
    Dl_info own;
    char *path = dladdr(variable, &own) != 0 && own.dli_fname != NULL ? realpath(own.dli_fname, NULL) : NULL;
    void *library = path != NULL ? dlopen(path, RTLD_LAZY | RTLD_NOLOAD) : NULL;
    if (library == NULL || dlsym(library, "InitializeInjectionNvtx2") == NULL) {
        free(path); /* of the program, which links the static library */
        path = NULL;
    }
    if (library != NULL)
        dlclose(library);
    return path;
}

prof_status profi_capture_start(prof_error *err)
{
    if (!PROFI_HAS_NVTX)
        return profi_fail(err, PROF_E_UNSUPPORTED, "libprofcore was built without the headers of NVTX");
    const char *tool = secure_getenv(variable);
    char *own = own_path();
    prof_status status = PROF_OK;
    if (own == NULL)
        status = profi_fail(err, PROF_E_UNSUPPORTED, "NVTX can load libprofcore.so only, not what is linked statically");
    else if (tool != NULL && tool[0] != '\0' && strcmp(tool, own) != 0)
        status = profi_fail(err, PROF_E_BUSY, "a tool receives them already: %s=%.120s", variable, tool);
    else if (!profi_capture_ranges_open() || setenv(variable, own, 1) != 0)
        status = profi_fail(err, PROF_E_NO_MEMORY, "no memory to receive them with");
    free(own);
    if (status == PROF_OK)
        PROFI_PUT(is_on, 1);
    return status;
}

#if PROFI_HAS_NVTX
#include <nvtx3/nvToolsExt.h>

static profi_captured_text text_of(nvtxMessageType_t type, const nvtxMessageValue_t *message)
{
    switch (type) {
    case NVTX_MESSAGE_TYPE_ASCII: return (profi_captured_text){ .utf8 = message->ascii };
    case NVTX_MESSAGE_TYPE_UNICODE: return (profi_captured_text){ .wide = message->unicode };
    case NVTX_MESSAGE_TYPE_REGISTERED: return (profi_captured_text){ .site = (prof_site *)(void *)message->registered };
    default: return (profi_captured_text){ .utf8 = NULL };
    }
}

/* 0: it has none. */
static int read_payload(const nvtxEventAttributes_t *event, profi_captured *into)
{
    switch (event->payloadType) {
    case NVTX_PAYLOAD_TYPE_UNSIGNED_INT64:
    case NVTX_PAYLOAD_TYPE_INT64: into->payload.integer = event->payload.llValue; break;
    case NVTX_PAYLOAD_TYPE_UNSIGNED_INT32: into->payload.integer = event->payload.uiValue; break;
    case NVTX_PAYLOAD_TYPE_INT32: into->payload.integer = event->payload.iValue; break;
    case NVTX_PAYLOAD_TYPE_DOUBLE: into->payload.number = event->payload.dValue; break;
    case NVTX_PAYLOAD_TYPE_FLOAT: into->payload.number = (double)event->payload.fValue; break;
    default: return 0;
    }
    int is_number = event->payloadType == NVTX_PAYLOAD_TYPE_DOUBLE || event->payloadType == NVTX_PAYLOAD_TYPE_FLOAT;
    into->payload_type = is_number ? PROF_ARG_DOUBLE : PROF_ARG_INT;
    return 1;
}

/* What an event says, as far as its struct goes. */
static profi_captured captured(const nvtxEventAttributes_t *event)
{
    profi_captured read = { .has_payload = 0 };
    if (event == NULL || event->size < sizeof(*event))
        return read;
    read.text = text_of((nvtxMessageType_t)event->messageType, &event->message);
    read.has_payload = read_payload(event, &read);
    return read;
}

static profi_captured said(const char *text) { return (profi_captured){ .text.utf8 = text }; }
static profi_captured said_wide(const wchar_t *text) { return (profi_captured){ .text.wide = text }; }

static const profi_captured_domain *domain_of(nvtxDomainHandle_t handle) { return (const profi_captured_domain *)(void *)handle; }

static int NVTX_API domain_push(nvtxDomainHandle_t domain, const nvtxEventAttributes_t *event) { return profi_captured_push(domain_of(domain), captured(event)); }
static int NVTX_API domain_pop(nvtxDomainHandle_t domain) { return profi_captured_pop(domain_of(domain)); }
static nvtxRangeId_t NVTX_API domain_start(nvtxDomainHandle_t domain, const nvtxEventAttributes_t *event) { return profi_captured_start(domain_of(domain), captured(event)); }
static void NVTX_API domain_end(nvtxDomainHandle_t domain, nvtxRangeId_t id) { (void)domain; profi_captured_end(id); }
static void NVTX_API domain_mark(nvtxDomainHandle_t domain, const nvtxEventAttributes_t *event) { profi_captured_mark(domain_of(domain), captured(event)); }

static int NVTX_API push(const nvtxEventAttributes_t *event) { return profi_captured_push(NULL, captured(event)); }
static int NVTX_API push_text(const char *text) { return profi_captured_push(NULL, said(text)); }
static int NVTX_API push_wide(const wchar_t *text) { return profi_captured_push(NULL, said_wide(text)); }
static int NVTX_API pop(void) { return profi_captured_pop(NULL); }
static nvtxRangeId_t NVTX_API start(const nvtxEventAttributes_t *event) { return profi_captured_start(NULL, captured(event)); }
static nvtxRangeId_t NVTX_API start_text(const char *text) { return profi_captured_start(NULL, said(text)); }
static nvtxRangeId_t NVTX_API start_wide(const wchar_t *text) { return profi_captured_start(NULL, said_wide(text)); }
static void NVTX_API end(nvtxRangeId_t id) { profi_captured_end(id); }
static void NVTX_API mark(const nvtxEventAttributes_t *event) { profi_captured_mark(NULL, captured(event)); }
static void NVTX_API mark_text(const char *text) { profi_captured_mark(NULL, said(text)); }
static void NVTX_API mark_wide(const wchar_t *text) { profi_captured_mark(NULL, said_wide(text)); }

static nvtxDomainHandle_t NVTX_API make_domain(const char *name) { return (nvtxDomainHandle_t)(uintptr_t)profi_captured_domain_of(said(name).text); }
static nvtxDomainHandle_t NVTX_API make_domain_wide(const wchar_t *name) { return (nvtxDomainHandle_t)(uintptr_t)profi_captured_domain_of(said_wide(name).text); }
static nvtxStringHandle_t NVTX_API make_string(nvtxDomainHandle_t domain, const char *text) { return (nvtxStringHandle_t)(void *)profi_captured_site(domain_of(domain), said(text).text); }
static nvtxStringHandle_t NVTX_API make_string_wide(nvtxDomainHandle_t domain, const wchar_t *text) { return (nvtxStringHandle_t)(void *)profi_captured_site(domain_of(domain), said_wide(text).text); }

#define TO(function) ((NvtxFunctionPointer)(function))

static const NvtxFunctionPointer core[] = {
    [NVTX_CBID_CORE_MarkEx] = TO(mark),             [NVTX_CBID_CORE_MarkA] = TO(mark_text),
    [NVTX_CBID_CORE_MarkW] = TO(mark_wide),         [NVTX_CBID_CORE_RangeStartEx] = TO(start),
    [NVTX_CBID_CORE_RangeStartA] = TO(start_text),  [NVTX_CBID_CORE_RangeStartW] = TO(start_wide),
    [NVTX_CBID_CORE_RangeEnd] = TO(end),            [NVTX_CBID_CORE_RangePushEx] = TO(push),
    [NVTX_CBID_CORE_RangePushA] = TO(push_text),    [NVTX_CBID_CORE_RangePushW] = TO(push_wide),
    [NVTX_CBID_CORE_RangePop] = TO(pop),
};
static const NvtxFunctionPointer core2[] = {
    [NVTX_CBID_CORE2_DomainMarkEx] = TO(domain_mark),        [NVTX_CBID_CORE2_DomainRangeStartEx] = TO(domain_start),
    [NVTX_CBID_CORE2_DomainRangeEnd] = TO(domain_end),       [NVTX_CBID_CORE2_DomainRangePushEx] = TO(domain_push),
    [NVTX_CBID_CORE2_DomainRangePop] = TO(domain_pop),       [NVTX_CBID_CORE2_DomainRegisterStringA] = TO(make_string),
    [NVTX_CBID_CORE2_DomainRegisterStringW] = TO(make_string_wide), [NVTX_CBID_CORE2_DomainCreateA] = TO(make_domain),
    [NVTX_CBID_CORE2_DomainCreateW] = TO(make_domain_wide),
};

/* Puts ours into a table of NVTX's, as far as it goes: an older one is shorter. */
static int receive(const NvtxExportTableCallbacks *callbacks, NvtxCallbackModule module, const NvtxFunctionPointer *ours, size_t count)
{
    NvtxFunctionTable table = NULL;
    unsigned size = 0;
    if (!callbacks->GetModuleFunctionTable(module, &table, &size))
        return 0;
    for (size_t i = 0; i < count && i < size; i++)
        if (ours[i] != NULL)
            *table[i] = ours[i];
    return 1;
}

int profi_capture_initialize(const void *(*table_of)(uint32_t id))
{
    const NvtxExportTableCallbacks *callbacks = profi_capture_is_on() ? table_of(NVTX_ETID_CALLBACKS) : NULL;
    return callbacks != NULL && callbacks->struct_size >= sizeof(*callbacks) &&
           receive(callbacks, NVTX_CB_MODULE_CORE, core, PROFI_COUNT_OF(core)) &&
           receive(callbacks, NVTX_CB_MODULE_CORE2, core2, PROFI_COUNT_OF(core2));
}

#else

int profi_capture_initialize(const void *(*table_of)(uint32_t id))
{
    (void)table_of;
    return 0;
}

#endif
