/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How this run records and saves: the options of the program, overruled by
 * the PROFCORE_ variables of the environment.
 */
#ifndef PROFI_CONFIG_H
#define PROFI_CONFIG_H

#include "../base/clock.h"
#include "../base/probe_table.h"
#include "../format/writer.h"
#include <profcore/prof.h>
#include <signal.h>

enum { PROFI_FORMATS_MAX = 16 };

/* Whether GPU work is traced: where the machine may have a GPU, or wherever the process comes to use CUDA. */
typedef enum profi_gpu_choice { PROFI_GPU_AUTO, PROFI_GPU_ALWAYS, PROFI_GPU_NEVER } profi_gpu_choice;

typedef struct profi_config {
    int is_forced_off;    /* PROFCORE=0 */
    int writes_files;     /* not PROF_NO_FILES, and at least one format */
    char name[256];       /* of the run */
    char directory[4096];
    const profi_writer *formats[PROFI_FORMATS_MAX];
    unsigned format_count;
    int has_chosen_formats; /* they are not the default: what one lacks is said */
    char sort[128];
    uint64_t memory_bytes;
    int keeps_events;     /* in rings: PROFCORE_MODE */
    int is_crash_safe;    /* recorded in a file */
    int is_streamed;      /* events go to a file, or */
    char stream[4096];    /* where this says, checked: outlet.h; "": to a file */
    uint64_t event_min_ns; /* shorter scopes stay out of the rings */
    uint32_t save_every_s;
    uint32_t rss_every_ms, utilization_every_ms;
    profi_gpu_choice gpu; /* PROFCORE_GPU */
    double gpu_share;     /* of one processor, that tracing GPU work may take: PROFCORE_GPU_BUDGET; 1: without a bound */
    char save_if[4096];   /* rules for single calls, checked: save_rules.h */
    uint64_t max_files, max_bytes; /* of ours in the folder; 0: no limit */
    int stops_when_full;  /* else the oldest go */
    uint32_t dump_s;      /* how far back a dump's timeline goes; PROFI_DUMP_ALL */
    uint32_t dump_every_s; /* dumps that nobody asked for by a call are so far apart */
    char slow[4096];      /* limits by name, checked: save_rules.h */
    int dump_signal;      /* 0: none */
    char dump_signal_name[16];
    int dumps_on_crash;
    sigset_t signals;     /* that the saver thread answers */
    int has_signals;
    profi_clock_choice clock;
    profi_probe_wish probes[PROFI_PROBE_WISHES]; /* that the environment asks for */
    unsigned probe_count;
} profi_config;

/* PROFCORE_PROBES. */
prof_status profi_config_set_probes(profi_config *config, const char *value, prof_error *err);

/* What the variable PROFCORE says. */
typedef enum profi_start_wish { PROFI_START_UNSAID, PROFI_START_NOW, PROFI_START_NEVER, PROFI_START_UNKNOWN } profi_start_wish;
profi_start_wish profi_config_start_wish(void);

/* Whether scopes are NVTX ranges where a tool receives them: PROFCORE_NVTX. */
int profi_config_tells_nvtx(void);

/* Whether the program's own NVTX ranges are to be scopes: PROFCORE_NVTX_CAPTURE. */
int profi_config_captures_nvtx(void);

/* Whether notices go to stderr: PROFCORE_QUIET. */
void profi_config_load_quiet(void);

/*
 * Reads options (NULL: defaults), then the environment.  A bad option is an
 * error; a bad variable, or an unknown PROFCORE_ name, is ignored and, if
 * `reports` is set, reported on stderr.
 */
prof_status profi_config_load(profi_config *config, const prof_options *options, int reports, prof_error *err);

/* Whether any of the formats shows a snapshot: functions and single calls have no timeline of their own. */
int profi_config_has_tables(const profi_config *config);

#endif
