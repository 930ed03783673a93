/* SPDX-License-Identifier: Apache-2.0 */
/* What the control socket answers: one function for each command.  docs/control.md describes them. */
#include "control.h"

#include "dump.h"
#include "recorder.h"

#include "../base/error.h"
#include "../format/open_stacks_write.h"
#include "../format/writer.h"
#include <profcore/gpu.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int pass_on(void *out, const void *data, size_t bytes)
{
    profi_output_bytes(out, data, bytes);
    return 0;
}

/* Facts for what is shown of a run, if there is one. */
static prof_status facts_of_run(profi_run_facts *facts, prof_error *err)
{
    return profi_recorder_facts(facts) ? PROF_OK : profi_fail(err, PROF_E_INVALID, "nothing was recorded so far: ask it to start");
}

static prof_status answer_top(const char *argument, profi_output *out, prof_error *err)
{
    static const char format[] = "json";
    prof_snapshot *snapshot;
    profi_run_facts facts;
    (void)argument;
    prof_status status = facts_of_run(&facts, err);
    profi_gpu_settle(0);
    if (status == PROF_OK)
        status = profi_snapshot_take(&facts, &snapshot, err);
    if (status != PROF_OK)
        return status;
    status = profi_writer_run(profi_writer_find(format, strlen(format)), snapshot, NULL, pass_on, out, err);
    prof_snapshot_close(snapshot);
    return status;
}

static prof_status answer_stacks(const char *argument, profi_output *out, prof_error *err)
{
    profi_run_facts facts;
    profi_open_stacks stacks;
    if (argument[0] == '\0')
        argument = "txt";
    if (strcmp(argument, "txt") != 0 && strcmp(argument, "json") != 0)
        return profi_fail(err, PROF_E_INVALID, "stacks are txt or json, not \"%.40s\"", argument);
    prof_status status = facts_of_run(&facts, err);
    if (status == PROF_OK)
        status = profi_open_stacks_take(&stacks, facts.name, err);
    if (status != PROF_OK)
        return status;
    status = profi_open_stacks_run(&stacks, argument, pass_on, out, err);
    profi_open_stacks_fini(&stacks);
    return status;
}

/* The answer is the path, from the root on, without its extension. */
static prof_status answer_dump(const char *argument, profi_output *out, prof_error *err)
{
    char path[PATH_MAX] = "", whole[PATH_MAX];
    char *end = NULL;
    unsigned long seconds = argument[0] != '\0' ? strtoul(argument, &end, 10) : 0;
    if (argument[0] != '\0' && (argument[0] < '0' || argument[0] > '9' || *end != '\0' || seconds >= UINT32_MAX))
        return profi_fail(err, PROF_E_INVALID, "not a whole number of seconds: \"%.40s\"", argument);
    uint32_t window_s = argument[0] == '\0' ? 0 : seconds == 0 ? PROFI_DUMP_ALL : (uint32_t)seconds;
    const profi_mark mark = { .trigger = "asked", .reason = "by the control socket", .ns = profi_clock_monotonic_ns() };
    prof_status status = profi_dump_write(&(profi_dump){ .marks = &mark, .mark_count = 1, .window_s = window_s }, path, err);
    if (status != PROF_OK)
        return status;
    if (path[0] != '/' && getcwd(whole, sizeof(whole)) != NULL) {
        profi_output_text(out, whole);
        profi_output_text(out, "/");
    }
    profi_output_text(out, path);
    profi_output_text(out, "\n");
    return PROF_OK;
}

static prof_status answer_switch(int on, profi_output *out, prof_error *err)
{
    const char *what = NULL;
    prof_status status = profi_recorder_switch(on, &what, err);
    if (status == PROF_OK)
        profi_output_text(out, what);
    return status;
}

static prof_status answer_start(const char *argument, profi_output *out, prof_error *err)
{
    (void)argument;
    return answer_switch(1, out, err);
}

static prof_status answer_stop(const char *argument, profi_output *out, prof_error *err)
{
    (void)argument;
    return answer_switch(0, out, err);
}

/* CUPTI is given free for another profiler, or taken again. */
static prof_status answer_gpu(const char *argument, profi_output *out, prof_error *err)
{
    int is_stop = strcmp(argument, "stop") == 0;
    if (!is_stop && strcmp(argument, "start") != 0)
        return profi_fail(err, PROF_E_INVALID, "gpu start or gpu stop, not \"%.40s\"", argument);
    prof_status status = is_stop ? prof_gpu_stop(err) : prof_gpu_start(err);
    if (status == PROF_OK)
        profi_output_text(out, is_stop ? "GPU work is not traced, and CUPTI is free for others\n" : "GPU work is traced\n");
    return status;
}

static prof_status answer_info(const char *argument, profi_output *out, prof_error *err)
{
    (void)argument;
    (void)err;
    profi_output_text(out, "{\"schema\": \"profcore.control/1\", \"version\": ");
    profi_output_number(out, PROF_VERSION, 0);
    profi_output_text(out, ", \"pid\": ");
    profi_output_number(out, (uint64_t)getpid(), 0);
    profi_output_text(out, ", \"is_recording\": ");
    profi_output_text(out, PROFI_GET(prof_active) ? "true" : "false");
    profi_output_text(out, "}\n");
    return PROF_OK;
}

static const struct {
    const char *name;
    prof_status (*run)(const char *argument, profi_output *out, prof_error *err);
    int is_locked; /* it makes what a fork must not find half made; the others take the lock themselves */
} commands[] = {
    { "info", answer_info, 0 }, { "top", answer_top, 1 },     { "stacks", answer_stacks, 1 },
    { "dump", answer_dump, 0 }, { "start", answer_start, 0 }, { "stop", answer_stop, 0 },
    { "gpu", answer_gpu, 0 },
};

prof_status profi_control_answer(const char *line, profi_output *out, prof_error *err)
{
    size_t bytes = strcspn(line, " ");
    const char *argument = line + bytes + strspn(line + bytes, " ");
    for (size_t i = 0; i < PROFI_COUNT_OF(commands); i++) {
        if (strlen(commands[i].name) != bytes || memcmp(commands[i].name, line, bytes) != 0)
            continue;
        if (commands[i].is_locked)
            profi_dump_lock();
        prof_status status = commands[i].run(argument, out, err);
        if (commands[i].is_locked)
            profi_dump_unlock();
        return status;
    }
    return profi_fail(err, PROF_E_INVALID, "there are: info, top, stacks [txt|json], dump [seconds], start, stop, gpu start|stop");
}
