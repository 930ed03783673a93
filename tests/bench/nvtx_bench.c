/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What NVTX adds to a scope: this program again, as it is, with PROFCORE_NVTX=0,
 * and with a tool that does nothing, in turn.  Whether a tool is there is known
 * once in a process, so each of them is a process.
 */
#include "scope_bench.h"

#include <stdlib.h>
#include <string.h>

/* What `flat` takes in such a process, and as a ratio to its own two reads; 0 where it cannot be told. */
static int measure(const char *program, const char *environment, struct bench_pair *into)
{
    char command[1024], line[128] = "";
    snprintf(command, sizeof(command), "%s '%s' --measure flat", environment, program);
    FILE *child = popen(command, "r");
    if (child == NULL)
        return 0;
    char *read = fgets(line, sizeof(line), child);
    return pclose(child) == 0 && read != NULL && sscanf(line, "%lf %lf", &into->ns, &into->ratio) == 2;
}

int bench_nvtx(const char *program, double *added_ns, double *ratios, double *tool_ns, double *tool_ratios, int count)
{
    const char *injection = getenv("BENCH_NVTX_TOOL");
    char with_tool[600];
    struct bench_pair off, none, tool;
    if (injection == NULL || strlen(injection) > sizeof(with_tool) / 2)
        return 0;
    snprintf(with_tool, sizeof(with_tool), "NVTX_INJECTION64_PATH='%s'", injection);
    for (int i = 0; i < count; i++) {
        if (!measure(program, "PROFCORE_NVTX=0", &off) || !measure(program, "PROFCORE_NVTX=1", &none) ||
            !measure(program, with_tool, &tool))
            return 0;
        added_ns[i] = none.ns - off.ns;
        ratios[i] = none.ratio / off.ratio;
        tool_ns[i] = tool.ns;
        tool_ratios[i] = tool.ratio;
    }
    return 1;
}
