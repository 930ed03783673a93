/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See nvtx.h.  NVTX is nothing but headers: they look for a tool when they are
 * first called, in NVTX_INJECTION64_PATH, load it, and call it through
 * pointers.  The pointers are this library's own; the program's are others.
 */
#include "nvtx.h"

#include "capture.h"

#include "../base/error.h"
#include "../base/number_map.h"
#include "../base/system.h"
#include "../base/text.h"
#include "../base/tickets.h"

#include <stdlib.h>
#include <string.h>

int profi_nvtx_has_tool(void)
{
    const char *path = secure_getenv("NVTX_INJECTION64_PATH"); /* NVTX itself asks getenv(), and loads what it says */
    return path != NULL && path[0] != '\0' && !profi_capture_is_on();
}

#if PROFI_HAS_NVTX
#include <nvtx3/nvToolsExt.h>

static nvtxDomainHandle_t domain;

/* A category for each source file, numbered as they come.  Both under the lock of sites. */
static profi_number_map categories;
static uint32_t category_count;

static uint32_t category_of(const char *file)
{
    uint64_t hash = profi_text_hash(file, strlen(file), 0);
    uint32_t known = profi_number_map_find(&categories, 0, hash);
    if (known != UINT32_MAX)
        return known;
    uint32_t category = category_count + 1;
    if (!profi_number_map_put(&categories, 0, hash, category))
        return 0;
    category_count = category;
    nvtxDomainNameCategoryA(domain, category, file);
    return category;
}

static void learn(profi_listened *site, const char *name, const char *file)
{
    site->message = nvtxDomainRegisterStringA(domain, name);
    site->category = file != NULL ? category_of(file) : 0;
}

static nvtxEventAttributes_t attributes_of(const profi_listened *site)
{
    nvtxEventAttributes_t event = { .version = NVTX_VERSION, .size = NVTX_EVENT_ATTRIB_STRUCT_SIZE, .category = site->category,
                                    .messageType = NVTX_MESSAGE_TYPE_REGISTERED };
    event.message.registered = (nvtxStringHandle_t)(uintptr_t)site->message;
    return event;
}

static void begin(const profi_listened *site)
{
    nvtxEventAttributes_t event = attributes_of(site);
    nvtxDomainRangePushEx(domain, &event);
}

static void end(void)
{
    nvtxDomainRangePop(domain);
}

/* A range tells its payload when it begins, and items are known later: so they are a mark in it. */
static void items(const profi_listened *site, uint64_t count, const char *unit)
{
    nvtxEventAttributes_t event = attributes_of(site);
    event.messageType = NVTX_MESSAGE_TYPE_ASCII;
    event.message.ascii = unit != NULL ? unit : "items";
    event.payloadType = NVTX_PAYLOAD_TYPE_UNSIGNED_INT64;
    event.payload.ullValue = count;
    nvtxDomainMarkEx(domain, &event);
}

static void instant(const profi_listened *site)
{
    nvtxEventAttributes_t event = attributes_of(site);
    nvtxDomainMarkEx(domain, &event);
}

static profi_tickets spans; /* for the numbers of ranges, which the tool gives */

static uint32_t span_begin(const profi_listened *site)
{
    nvtxEventAttributes_t event = attributes_of(site);
    uint64_t range[2] = { nvtxDomainRangeStartEx(domain, &event), 0 };
    uint32_t number = profi_ticket_take(&spans, range);
    if (number == 0)
        nvtxDomainRangeEnd(domain, range[0]);
    return number;
}

static void span_end(uint32_t number)
{
    uint64_t range[2];
    if (profi_ticket_give(&spans, number, range))
        nvtxDomainRangeEnd(domain, range[0]);
}

/*
 * A thread has one name for a whole tool, which the program may have given it
 * already; so the program's threads get theirs in our domain only.
 */
static void thread(int32_t tid, const char *name)
{
    nvtxResourceAttributes_t resource = { .version = NVTX_VERSION, .size = NVTX_RESOURCE_ATTRIB_STRUCT_SIZE,
                                          .identifierType = NVTX_RESOURCE_TYPE_GENERIC_THREAD_NATIVE,
                                          .messageType = NVTX_MESSAGE_TYPE_ASCII };
    resource.identifier.ullValue = (uint64_t)tid;
    resource.message.ascii = name;
    if (name[0] == '\0')
        return;
    if (profi_thread_is_ours())
        nvtxNameOsThreadA((uint32_t)tid, name);
    else
        nvtxDomainResourceCreate(domain, &resource);
}

static const profi_listener listener = { learn, begin, end, items, instant, span_begin, span_end, thread };

const profi_listener *profi_nvtx_open(void)
{
    if (domain == NULL)
        domain = nvtxDomainCreateA("profcore");
    return domain != NULL ? &listener : NULL;
}

#else

const profi_listener *profi_nvtx_open(void)
{
    profi_notice("scopes are no ranges for the tool of NVTX_INJECTION64_PATH: built without the headers of NVTX");
    return NULL;
}

#endif
