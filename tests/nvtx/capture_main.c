/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that knows NVTX and nothing of libprofcore, for capture_check.py:
 * ranges in all forms, well or badly nested, and what it is answered.
 */
#include <nvtx3/nvToolsExt.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = 10, DEEP = 5000, OPEN = 6000, TOO_DEEP = 20000, DOMAINS = 3000, POPS = 200000, NAMES = 20000 };

static nvtxEventAttributes_t event(void)
{
    nvtxEventAttributes_t event = { .version = NVTX_VERSION, .size = NVTX_EVENT_ATTRIB_STRUCT_SIZE };
    return event;
}

static nvtxEventAttributes_t named(const char *name)
{
    nvtxEventAttributes_t attributes = event();
    attributes.messageType = NVTX_MESSAGE_TYPE_ASCII;
    attributes.message.ascii = name;
    return attributes;
}

static void in_all_forms(nvtxDomainHandle_t domain)
{
    nvtxEventAttributes_t ascii = named("ascii"), wide = event(), registered = event(), nameless = event();
    nvtxStringHandle_t string = nvtxDomainRegisterStringA(domain, "registered");
    wide.messageType = NVTX_MESSAGE_TYPE_UNICODE;
    wide.message.unicode = L"wide \u00e9 \u20ac \U0001f600";
    registered.messageType = NVTX_MESSAGE_TYPE_REGISTERED;
    registered.message.registered = string;
    ascii.payloadType = NVTX_PAYLOAD_TYPE_INT32;
    ascii.payload.iValue = -7;
    for (int i = 0; i < ROUNDS; i++) {
        nvtxDomainRangePushEx(domain, &ascii);
        nvtxDomainRangePushEx(domain, &wide);
        nvtxDomainRangePushEx(domain, &registered);
        nvtxDomainRangePushEx(domain, &nameless);
        for (int depth = 0; depth < 4; depth++)
            nvtxDomainRangePop(domain);
    }
    nvtxDomainMarkEx(domain, &registered);
}

static void without_a_domain(void)
{
    nvtxEventAttributes_t attributes = named("push ex");
    nvtxRangePushA("push");
    nvtxRangePushW(L"push wide");
    nvtxRangePushEx(&attributes);
    printf("levels %d", nvtxRangePop());
    printf(" %d", nvtxRangePop());
    printf(" %d", nvtxRangePop());
    printf(" %s\n", nvtxRangePop() < 0 ? "none" : "some");
    nvtxMarkA("mark");
    nvtxMarkW(L"mark wide");
    nvtxMarkEx(&attributes);
}

static void across_domains(nvtxDomainHandle_t a, nvtxDomainHandle_t b)
{
    nvtxEventAttributes_t outer = named("outer of a"), inner = named("inner of b"), first = named("first of b");
    nvtxDomainRangePushEx(b, &first);
    nvtxDomainRangePushEx(a, &outer);
    nvtxDomainRangePushEx(b, &inner);
    nvtxDomainRangePop(a); /* before the one inside it */
    nvtxDomainRangePop(b);
    nvtxRangePushA("inside first of b");
    nvtxRangePop();
    nvtxDomainRangePop(b);
    nvtxDomainRangePop(b); /* one too many */
    nvtxDomainRangePop(a);
}

static void *end_range(void *id)
{
    nvtxRangeEnd(*(nvtxRangeId_t *)id);
    return NULL;
}

static void started(void)
{
    pthread_t thread;
    nvtxRangeId_t first = nvtxRangeStartA("overlapping"), second = nvtxRangeStartW(L"overlapping wide");
    if (pthread_create(&thread, NULL, end_range, &first) == 0)
        pthread_join(thread, NULL);
    nvtxRangeEnd(second);
    nvtxRangeEnd(second);
    nvtxRangeEnd(0);
    nvtxRangeEnd(UINT64_MAX);
    for (int i = 0; i < OPEN; i++)
        nvtxRangeStartA("never ends");
}

static void *leave_open(void *unused)
{
    nvtxRangePushA("left open");
    return unused;
}

static void deep(void)
{
    pthread_t thread;
    for (int i = 0; i < DEEP; i++)
        nvtxRangePushA("deep");
    for (int i = 0; i < DEEP; i++)
        nvtxRangePop();
    if (pthread_create(&thread, NULL, leave_open, NULL) == 0)
        pthread_join(thread, NULL);
}

/* In a domain of its own, on its own thread: what is inside the last that is received is not, and nor are their pops. */
static void *be_too_deep(void *domain)
{
    nvtxEventAttributes_t attributes = named("too deep");
    for (int i = 0; i < TOO_DEEP; i++)
        nvtxDomainRangePushEx(domain, &attributes);
    for (int i = 0; i < POPS; i++) /* of one that has nothing open */
        nvtxRangePop();
    int levels = 0;
    for (int i = 0; i < TOO_DEEP; i++)
        levels += nvtxDomainRangePop(domain) == TOO_DEEP - 1 - i;
    printf("too deep %s\n", levels < TOO_DEEP && nvtxDomainRangePop(domain) < 0 ? "none" : "some");
    return NULL;
}

static void bounds(nvtxDomainHandle_t domain)
{
    pthread_t thread;
    char name[32];
    if (pthread_create(&thread, NULL, be_too_deep, domain) == 0)
        pthread_join(thread, NULL);
    nvtxEventAttributes_t attributes = named("in many domains");
    for (int i = 0; i < DOMAINS; i++) {
        snprintf(name, sizeof(name), "domain %d", i);
        nvtxDomainHandle_t one = nvtxDomainCreateA(name);
        nvtxDomainRangePushEx(one, &attributes);
        nvtxDomainRangePop(one);
    }
}

static void hostile(void)
{
    nvtxEventAttributes_t small = named("small");
    small.size = 4;
    nvtxRangePushEx(&small);
    nvtxRangePop();
    nvtxRangePushEx(NULL);
    nvtxRangePop();
    nvtxRangePushA(NULL);
    nvtxRangePop();
    char name[9000];
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    nvtxRangePushA(name);
    nvtxRangePop();
    nvtxDomainCreateA(name);
}

/* A name for each, until there is no memory for more; what is around, and what follows under a name that was there before, is whole. */
static void ranges_of_many_names(nvtxDomainHandle_t domain)
{
    char name[32];
    nvtxEventAttributes_t around = named("around"), known = named("known"), nameless = event(), late = event(), one = named(name);
    const nvtxEventAttributes_t *first[] = { &around, &known, &nameless };
    for (int i = 0; i < 3; i++) {
        nvtxDomainRangePushEx(domain, first[i]);
        nvtxDomainRangePop(domain);
    }
    nvtxDomainRangePushEx(domain, &around);
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "iteration %d", i);
        nvtxDomainRangePushEx(domain, &one);
        nvtxDomainRangePushEx(domain, &one);
        nvtxDomainRangePop(domain);
        nvtxDomainRangePop(domain);
    }
    nvtxDomainRangePop(domain);
    late.messageType = NVTX_MESSAGE_TYPE_REGISTERED;
    late.message.registered = nvtxDomainRegisterStringA(domain, "registered late");
    nvtxDomainRangePushEx(domain, &late); /* is lost, not nameless */
    nvtxDomainRangePop(domain);
    nvtxDomainRangePushEx(domain, &known);
    nvtxDomainRangePop(domain);
}

static void spans_of_many_names(void)
{
    char name[32];
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "iteration %d", i);
        nvtxRangeEnd(nvtxRangeStartA(name));
    }
}

static void marks_of_many_names(void)
{
    char name[32];
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "iteration %d", i);
        nvtxMarkA(name);
    }
}

static void of_many_names(const char *what)
{
    if (strcmp(what, "ranges") == 0)
        ranges_of_many_names(nvtxDomainCreateA("many"));
    else if (strcmp(what, "spans") == 0)
        spans_of_many_names();
    else
        marks_of_many_names();
}

/* capture_main [ranges|spans|marks]: of those only, with a name for each. */
int main(int argc, char **argv)
{
    if (chdir("/") != 0) /* NVTX looks when it is first called */
        return 1;
    if (argc > 1) {
        of_many_names(argv[1]);
        return 0;
    }
    nvtxDomainHandle_t a = nvtxDomainCreateA("a"), b = nvtxDomainCreateW(L"b");
    if (a != nvtxDomainCreateA("a"))
        puts("another domain of the same name");
    in_all_forms(a);
    without_a_domain();
    across_domains(a, b);
    started();
    deep();
    hostile();
    bounds(nvtxDomainCreateA("bounds"));
    return 0;
}
