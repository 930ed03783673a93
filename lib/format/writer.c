/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of the table of formats: see writer.h. */
#include "writer.h"

#include "../base/error.h"

#include <fenv.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK(text) text, sizeof(text) - 1

const profi_writer profi_writers[] = {
    { "txt", MARK("\n-- profcore "), profi_write_txt, NULL, NULL, 0 },
    { "prof", MARK("{(\3\0\0\0u"), profi_write_prof, NULL, NULL, 0 }, /* no cProfile has written it so since Python 3.4 */
    { "json", MARK("{\n\"schema\": \"profcore."), profi_write_json, NULL, NULL, 0 },
    { "html", MARK("<!doctype html>\n<!-- profcore."), profi_write_html, NULL, NULL, 1 },
    { "pftrace", MARK(PROFI_PFTRACE_START), NULL, profi_write_pftrace, NULL, 0 },
    { "chrome", MARK(PROFI_CHROME_START), NULL, profi_write_chrome, "trace.json", 0 },
    { "nvtxt", MARK(PROFI_NVTXT_START), NULL, profi_write_nvtxt, NULL, 0 },
    { "pprof", MARK(PROFI_PPROF_START), profi_write_pprof, NULL, NULL, 0 },
    { "collapsed", MARK(PROFI_COLLAPSED_START), profi_write_collapsed, NULL, NULL, 0 },
    { "callgrind", MARK(PROFI_CALLGRIND_START), profi_write_callgrind, NULL, NULL, 0 },
};
const unsigned profi_writer_count = PROFI_COUNT_OF(profi_writers);

const profi_writer *profi_writer_find(const char *name, size_t name_bytes)
{
    for (unsigned i = 0; i < profi_writer_count; i++)
        if (strlen(profi_writers[i].name) == name_bytes && memcmp(profi_writers[i].name, name, name_bytes) == 0)
            return &profi_writers[i];
    return NULL;
}

const char *profi_writer_names(char text[PROFI_WRITER_NAMES_ROOM])
{
    size_t used = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < profi_writer_count && used < PROFI_WRITER_NAMES_ROOM; i++)
        used += (size_t)snprintf(text + used, PROFI_WRITER_NAMES_ROOM - used, "%s%s", i ? ", " : "", profi_writers[i].name);
    return text;
}

const char *profi_writer_extension(const profi_writer *writer)
{
    return writer->extension != NULL ? writer->extension : writer->name;
}

const profi_writer *profi_writer_of_file(const char *name, size_t *stem_bytes)
{
    const profi_writer *found = NULL;
    size_t bytes = strlen(name), longest = 0;
    for (unsigned i = 0; i < profi_writer_count; i++) {
        const char *extension = profi_writer_extension(&profi_writers[i]);
        size_t length = strlen(extension);
        if (length <= longest || bytes < length + 1 || name[bytes - length - 1] != '.' || strcmp(name + bytes - length, extension) != 0)
            continue;
        longest = length;
        found = &profi_writers[i];
        *stem_bytes = bytes - length - 1;
    }
    return found;
}

/* What is written: a format of one of the two views, or, without one, a table as options ask for it. */
typedef struct job {
    const profi_writer *writer;
    const prof_snapshot *snapshot;
    const profi_events *events;
    const char *sort;
    const prof_print_options *options;
} job;

static prof_status run(const job *j, profi_output_callback write, void *user, prof_error *err)
{
    const char *name = j->writer != NULL ? j->writer->name : "txt";
    profi_output *out = malloc(sizeof(*out));
    if (out == NULL)
        return profi_fail(err, PROF_E_NO_MEMORY, "no memory to write \"%s\"", name);
    profi_output_init(out, write, user);
    /* The host's locale may write 0,5 and its thread may round upwards; every format here needs 0.5, and to the nearest. */
    fenv_t callers_modes;
    locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0) {
        free(out);
        return profi_fail(err, PROF_E_NO_MEMORY, "no memory to write \"%s\"", name);
    }
    locale_t callers = uselocale(plain);
    fegetenv(&callers_modes);
    fesetenv(FE_DFL_ENV);
    prof_status status = j->writer == NULL         ? profi_print(j->snapshot, j->options, out, err)
                         : j->writer->write != NULL ? j->writer->write(j->snapshot, j->sort, out, err)
                                                    : j->writer->write_events(j->events, out, err);
    fesetenv(&callers_modes);
    uselocale(callers);
    freelocale(plain);
    int error = profi_output_finish(out);
    free(out);
    if (status == PROF_OK && error != 0)
        status = profi_fail_errno(err, error, "cannot write \"%s\"", name);
    return status;
}

prof_status profi_writer_run(const profi_writer *writer, const prof_snapshot *snapshot, const char *sort,
                             profi_output_callback write, void *user, prof_error *err)
{
    if (writer->write == NULL)
        return profi_fail(err, PROF_E_UNSUPPORTED, "a snapshot has no events for \"%s\"", writer->name);
    return run(&(job){ .writer = writer, .snapshot = snapshot, .sort = sort }, write, user, err);
}

prof_status profi_writer_run_events(const profi_writer *writer, const profi_events *events, profi_output_callback write,
                                    void *user, prof_error *err)
{
    return run(&(job){ .writer = writer, .events = events }, write, user, err);
}

prof_status profi_print_run(const prof_snapshot *snapshot, const prof_print_options *options, profi_output_callback write,
                            void *user, prof_error *err)
{
    return run(&(job){ .snapshot = snapshot, .options = options }, write, user, err);
}
