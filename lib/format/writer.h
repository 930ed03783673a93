/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of formats.  A format is one file and one row: what it is
 * called, and a function that writes one of model/'s two views, the snapshot
 * or the event stream, to a stream of bytes.
 */
#ifndef PROFI_WRITER_H
#define PROFI_WRITER_H

#include "../base/output.h"
#include "../model/events.h"
#include "../model/snapshot.h"

typedef struct profi_writer {
    const char *name;
    /* Bytes by which a file of ours is known: at its beginning, or, where they begin with a newline, at some line's. */
    const char *mark;
    size_t mark_bytes;
    /*
     * One of the two is there, and is the view that the format reads.  Failures of the stream stay in it; what is
     * returned is the writer's own, such as PROF_E_NO_MEMORY.
     */
    prof_status (*write)(const prof_snapshot *snapshot, const char *sort, profi_output *out, prof_error *err);
    prof_status (*write_events)(const profi_events *events, profi_output *out, prof_error *err);
    const char *extension; /* of its files; NULL: the name */
    int shows_slowest;     /* it writes snapshots, with the slowest request where a snapshot was given it: model/slowest.h */
} profi_writer;

extern const profi_writer profi_writers[];
extern const unsigned profi_writer_count;

/* "txt, prof, …": for messages. */
enum { PROFI_WRITER_NAMES_ROOM = 128 };
const char *profi_writer_names(char text[PROFI_WRITER_NAMES_ROOM]);

/* The row of a format, or NULL. */
const profi_writer *profi_writer_find(const char *name, size_t name_bytes);

/* What its files end in, behind the dot. */
const char *profi_writer_extension(const profi_writer *writer);

/* The row whose files end as this name does, and how long the name is without that; NULL where there is none. */
const profi_writer *profi_writer_of_file(const char *name, size_t *stem_bytes);

/* Writes through a callback: flushes, and turns a failure of the callback into PROF_E_IO. */
prof_status profi_writer_run(const profi_writer *writer, const prof_snapshot *snapshot, const char *sort,
                             profi_output_callback write, void *user, prof_error *err);

/* The same for a format that reads events. */
prof_status profi_writer_run_events(const profi_writer *writer, const profi_events *events, profi_output_callback write,
                                    void *user, prof_error *err);

/* The same for a table as options ask for it, read already. */
prof_status profi_print_run(const prof_snapshot *snapshot, const prof_print_options *options, profi_output_callback write,
                            void *user, prof_error *err);

prof_status profi_print(const prof_snapshot *snapshot, const prof_print_options *options, profi_output *out, prof_error *err);
prof_status profi_write_txt(const prof_snapshot *snapshot, const char *sort, profi_output *out, prof_error *err);
prof_status profi_write_prof(const prof_snapshot *snapshot, const char *sort, profi_output *out, prof_error *err);
prof_status profi_write_json(const prof_snapshot *snapshot, const char *sort, profi_output *out, prof_error *err);
prof_status profi_write_html(const prof_snapshot *snapshot, const char *sort, profi_output *out, prof_error *err);

/*
 * The first packet of a .pftrace: begins the sequence of the process (packet
 * sequence 1, its state cleared), and interns a category that says whose file
 * it is and in which version.
 */
#define PROFI_PFTRACE_START "\n\x1f" "P\1" "h\1" "b\x19" "\n\x17" "\x08\1" "\x12\x13" "profcore.timeline/1"
prof_status profi_write_pftrace(const profi_events *events, profi_output *out, prof_error *err);

/* The first members of a .trace.json. */
#define PROFI_CHROME_START "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"producer\":\"profcore.trace/1\""
prof_status profi_write_chrome(const profi_events *events, profi_output *out, prof_error *err);

#define PROFI_NVTXT_START "# profcore.nvtxt/1\n"
prof_status profi_write_nvtxt(const profi_events *events, profi_output *out, prof_error *err);

/* The first strings of a .pprof: the empty one, and whose file it is. */
#define PROFI_PPROF_START "2\0" "2\x10" "profcore.pprof/1"
prof_status profi_write_pprof(const prof_snapshot *snapshot, const char *sort, profi_output *out, prof_error *err);

/* A line that readers take for a stack without time, for want of comments. */
#define PROFI_COLLAPSED_START "# profcore.collapsed/1"
prof_status profi_write_collapsed(const prof_snapshot *snapshot, const char *sort, profi_output *out, prof_error *err);

#define PROFI_CALLGRIND_START "# callgrind format\nversion: 1\ncreator: profcore\n"
prof_status profi_write_callgrind(const prof_snapshot *snapshot, const char *sort, profi_output *out, prof_error *err);

#endif
