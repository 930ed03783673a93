/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libprofcore: a profiler that a service leaves switched on.
 *
 * A function or a block wrapped in one macro is a scope.  While recording,
 * each thread keeps a call tree of its scopes; the result is a table like
 * cProfile's, a .prof file that pstats and snakeviz open, a JSON summary, and
 * a timeline of the latest scopes that Perfetto opens.
 *
 *     #include <profcore/prof.h>
 *
 *     float *embed_query(service *s, const char *query)
 *     {
 *         PROF_FUNCTION_SAVE();            // closes itself on every return
 *         token_list ids;
 *         PROF_SCOPE("tokenize") { ids = tokenize(s, query); }
 *         PROF_ITEMS(ids.count);           // the table adds items per second
 *         return run_model(s->encoder, ids);
 *     }
 *
 *     $ PROFCORE=1 ./service               // records, writes at exit
 *
 * Part 1 is the macros, which is all that most programs need; part 2 is what
 * a program calls to start, stop and save; part 3 is the functions that the
 * macros stand on, for other languages and for special cases.  Results are
 * walked and written with <profcore/snapshot.h>.
 *
 * No function here ends the process, throws, or installs a signal handler
 * unasked.  All may be called from any thread.  A scope that a C++ exception,
 * longjmp or the end of its thread leaves open is closed, and counted as
 * repaired where the macro did not close it itself.  After fork() the child
 * records afresh and writes files of its own, <name>_<time>_pid<N>.
 *
 * Signal handlers may record: the macros and prof_begin(), prof_end(),
 * prof_end_current(), prof_phase(), prof_items() and prof_counter() are
 * async-signal-safe, at first uses too, and keep errno.  A handler closes what
 * it opens.  Where it interrupted this library in the middle of something,
 * its scopes count as lost.  Some things are not for a handler: to leave by
 * siglongjmp() what it interrupted in here; a thread's first scope where more
 * than 31 thread-specific keys were made before this library was loaded, or
 * in a forked child; sites whose probes are the program's own or read the
 * control group; the process's first call of a site with a rule of its own
 * (PROF_SITE_SAVE_IF), which starts a thread where no rule by name has done so
 * at the start; every other function here; and fork().
 *
 * No function here is a cancellation point.  A thread may be cancelled inside
 * any of them, asynchronously too: locks and files stay in order; a scope
 * that was being begun or ended may be missing.
 */
#ifndef PROFCORE_PROF_H
#define PROFCORE_PROF_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header, 0xMMmmpp; prof_version() is the library's. */
#define PROF_VERSION 0x000100u

#if defined(__GNUC__)
#define PROF_API __attribute__((visibility("default")))
#else
#define PROF_API
#endif

/* The hot functions are called through the GOT, past the PLT, where the compiler can. */
#if defined(__GNUC__) && !defined(__clang__)
#define PROF_API_HOT PROF_API __attribute__((noplt))
#else
#define PROF_API_HOT PROF_API
#endif

/* ------------------------------------------------------------------------
 * The types
 */

/*
 * An open scope: an opaque place, one word.  Zero is PROF_SCOPE_NONE, which
 * every function accepts and ignores.
 */
typedef struct prof_scope {
    uintptr_t place;
} prof_scope;

#if defined(__cplusplus)
#define PROF_SCOPE_NONE (prof_scope{0})
#else
#define PROF_SCOPE_NONE ((prof_scope){0})
#endif

/*
 * A place in the program that opens scopes, made by PROF_SITE_INIT and
 * usually static.  It must be writable and outlive its use; its text is
 * copied at first use, so a library that owns sites may be closed with
 * dlclose().  Sites with equal name, file and line are one function in every
 * report.
 */
typedef struct prof_site {
    uint32_t size;         /* sizeof(prof_site) */
    uint32_t flags;        /* PROF_SITE_… */
    const char *name;      /* as reports show it, UTF-8 */
    const char *file;      /* as given, or NULL: shown as {name}, like a built-in */
    uint32_t line;
    uint32_t sample_every; /* with PROF_SITE_SAMPLED: one call in so many is timed; 0: one in 128 */
    void *intern;          /* NULL; the library's own, by atomic access only */
    uint64_t reserved2[2]; /* 0; with PROF_SITE_SAVE_IF its rule, set by PROF_FUNCTION_SAVE_IF */
} prof_site;

/*
 * Site flags.  Those that measure more than time take some system calls at
 * both ends of a call: about 1 us in all for FAULTS or SWITCHES, 2 us for CPU
 * or WAIT (5 us more where the thread was switched out meanwhile), 5 us for
 * RSS, 20 us for CGROUP.  It falls to the caller's time, and every report
 * states the sum.
 */
#define PROF_SITE_RSS 0x1u       /* resident memory of the process: growth and peak */
#define PROF_SITE_SAVE 0x2u      /* the function gets files of its own, beside the run's */
#define PROF_SITE_CPU 0x4u       /* of the calling thread: time on a CPU, and how it divides into user and system */
#define PROF_SITE_FAULTS 0x8u    /* of it: page faults, minor and major */
#define PROF_SITE_SWITCHES 0x10u /* of it: context switches, voluntary and involuntary */
#define PROF_SITE_WAIT 0x20u     /* of it: time spent waiting for a CPU, and on one: what is left was blocked */
#define PROF_SITE_CGROUP 0x40u   /* throttling of the control group; pressure on CPU, memory and disks */
#define PROF_SITE_SAMPLED 0x80u  /* count every call, time one in sample_every; for what runs millions of times a second */
#define PROF_SITE_SAVE_IF 0x100u /* files for single calls, by a rule: prof_site_save_if() */
#define PROF_SITE_MEMORY 0x200u  /* what allocators tell of: see memory.h, by which all sites but sampled ones ask for it */
#define PROF_SITE_POOLS 0x400u   /* memory that all threads share, such as a GPU's: see memory.h, by which all sites but sampled ones and operators ask for it */
#define PROF_SITE_GPU_SYNC 0x800u /* a call waits for the GPU before it ends, in a process that uses CUDA: see gpu.h */
#define PROF_SITE_OWN(n) (0x10000u << (n)) /* n from 0 to 15: the program's own, see prof_probe_add() */

/* name and file: string literals, or other constants. */
#define PROF_SITE_INIT(name, file, line, flags) PROF_SITE_INIT_SAVE_IF(name, file, line, flags, 0u, 0u)

/* The same with the rule of PROF_SITE_SAVE_IF: see prof_site_save_if(). */
#define PROF_SITE_INIT_SAVE_IF(name, file, line, flags, slower_than_ns, every_nth) \
    { (uint32_t)sizeof(prof_site), (flags), (name), (file), (line), 0u, NULL, { (slower_than_ns), (every_nth) } }

/* What a cold function returns: 0, or one of the negative values. */
typedef int32_t prof_status;

#define PROF_OK 0
#define PROF_E_INVALID (-1)     /* an argument is wrong; the message says which */
#define PROF_E_NO_MEMORY (-2)
#define PROF_E_IO (-3)          /* the system refused; the message has its reason */
#define PROF_E_FORMAT (-4)      /* a file is not what it should be */
#define PROF_E_UNSUPPORTED (-5) /* not on this system, or not in this build */
#define PROF_E_UNAVAILABLE (-6) /* could not be measured */
#define PROF_E_BUSY (-7)
#define PROF_E_LIMIT (-8)
#define PROF_E_NOT_FOUND (-9)

/*
 * Why a cold function failed.  Untouched on success.  NULL is accepted
 * wherever a function takes one.
 */
typedef struct prof_error {
    uint32_t size; /* sizeof(prof_error) */
    int32_t status;
    char message[504]; /* what and where, UTF-8, no newline */
} prof_error;

#define PROF_ERROR_INIT { (uint32_t)sizeof(prof_error), 0, { 0 } }

/* ------------------------------------------------------------------------
 * Part 1: the macros
 *
 * They need GNU C (gcc or clang), C99 or C++11.  With PROF_INLINE defined
 * before this header is included they inline the usual case (see inline.h).  A
 * stopped recorder costs each of them one load and one branch; with PROF_DISABLE defined they leave
 * the program's own code and nothing else (the functions of parts 2 and 3
 * stay what they are).
 *
 * Names are string constants.  Text that is known only at run time becomes
 * a site with prof_site_get().  One macro to a line; in a switch, inside
 * braces of its own.  The line in reports is the macro's.
 *
 * More macros stand in <profcore/events.h>: what happens beside scopes, such
 * as the wait in a queue, and which request all that belongs to.
 */

/*
 * PROF_FUNCTION();          The rest of this function is a scope, named after it.
 * PROF_FUNCTION_SAVE();     The same; it also measures resident memory, and the
 *                           function gets files of its own (<name>_<time>.txt …).
 *                           For calls that take a millisecond or more.
 * PROF_FUNCTION_SAVE_IF(slower_than_ms, every_nth);
 *                           The same, with files for single calls: each one that
 *                           took longer than so many milliseconds (0: no limit),
 *                           and each n-th (0: none).  Constants.  See
 *                           prof_site_save_if().
 * PROF_FUNCTION_WITH(flags); with PROF_SITE_… flags of your choice.
 *
 * PROF_FUNCTION_SAMPLED();  For a function called millions of times a second:
 *                           every call is counted, one in 128 is timed, at random
 *                           (of each call path the first 32 all are), and the rest
 *                           cost less than reading the clock.  Reports mark its
 *                           times as estimates, with their interval.
 *
 * The name is what __func__ holds, in C++ without the class: there,
 * PROF_BLOCK("encoder::encode") tells more.
 */
#define PROF_FUNCTION() PROF_BLOCK_WITH(__func__, 0u)
#define PROF_FUNCTION_SAVE() PROF_BLOCK_WITH(__func__, PROF_SITE_SAVE | PROF_SITE_RSS)
#define PROF_FUNCTION_SAMPLED() PROF_BLOCK_WITH(__func__, PROF_SITE_SAMPLED)
#define PROF_FUNCTION_SAVE_IF(slower_than_ms, every_nth) PROF_BLOCK_SAVE_IF(__func__, slower_than_ms, every_nth)
#define PROF_FUNCTION_WITH(flags) PROF_BLOCK_WITH(__func__, flags)

/*
 * PROF_BLOCK("name");       A declaration: a scope from here to the end of the
 *                           enclosing block.  The form for loop bodies.
 * PROF_BLOCK_WITH("name", flags);
 * PROF_BLOCK_SAVE_IF("name", slower_than_ms, every_nth);
 */
#define PROF_BLOCK(name) PROF_BLOCK_WITH(name, 0u)
#define PROF_BLOCK_WITH(name, flags) \
    const prof_scope PROF_ID_(prof_block_) __attribute__((cleanup(prof_leave_), unused)) = PROF_ENTER_(name, flags)

#define PROF_BLOCK_SAVE_IF(name, slower_than_ms, every_nth)                             \
    const prof_scope PROF_ID_(prof_block_) __attribute__((cleanup(prof_leave_), unused)) = \
        PROF_ENTER_SITE_(PROF_SITE_SAVE_IF_(name, slower_than_ms, every_nth))

/*
 * PROF_SCOPE("name") { … }  The braces are a scope.  return, break, continue and
 *                           goto leave it properly; break and continue leave this
 *                           scope, not a loop around it.  To the compiler it is a
 *                           loop: a function's last return stands outside.
 * PROF_SCOPE_WITH("name", flags) { … }
 */
#define PROF_SCOPE(name) PROF_SCOPE_WITH(name, 0u)
#define PROF_SCOPE_WITH(name, flags)                                                                       \
    for (prof_scope PROF_ID_(prof_scope_) __attribute__((cleanup(prof_leave_))) = PROF_ENTER_(name, flags), \
                                          *PROF_ID_(prof_once_) = &PROF_ID_(prof_scope_);                   \
         PROF_ID_(prof_once_) != NULL; PROF_ID_(prof_once_) = NULL)

/*
 * PROF_BEGIN(scope, "name"); … PROF_END(scope);
 *                           Declares the variable `scope`; for regions that no
 *                           block encloses.  Every path must reach the end; one
 *                           that is missed is repaired by the end of a scope around
 *                           it, and counted; where there is none around it, all that
 *                           follows on the thread lies below it.
 * PROF_PHASE(scope, "next"); Ends `scope` and begins its successor in its place,
 *                           on one clock read: half the cost, and no gap.
 */
#define PROF_BEGIN(scope, name) prof_scope scope = PROF_ENTER_(name, 0u)
#define PROF_PHASE(scope, name) PROF_IF_LIVE_((scope) = prof_phase_((scope), PROF_SITE_(name, 0u)), (void)(scope))
#define PROF_END(scope) prof_leave_(&(scope))

/*
 * PROF_ITEMS(count);        The calling thread's innermost scope processed `count`
 *                           things more: tokens, rows, bytes.  Reports show the
 *                           sum, and the rate for the time spent in the function.
 * PROF_ITEMS_UNIT(count, "tokens");  says what they are.  `count` is evaluated
 *                           once, also while stopped and with PROF_DISABLE.
 */
#define PROF_ITEMS(count) PROF_ITEMS_UNIT(count, NULL)
#define PROF_ITEMS_UNIT(count, unit) prof_items_((uint64_t)(count), (unit))

/*
 * PROF_COUNTER("queue depth", value);  A number that goes up and down over time:
 *                           a queue's length, a batch's size.  The same name is
 *                           the same counter, wherever it stands.  Reports show for
 *                           each how often it was given, the last, the mean,
 *                           the smallest and the largest.  `value` is evaluated
 *                           once, also while stopped and with PROF_DISABLE.
 */
#define PROF_COUNTER(name, value) prof_counter_(PROF_IF_LIVE_(PROF_SITE_NAMED_(name), NULL), (double)(value))

/*
 * PROF_SLOW("get_response", limit_ms);  Scopes of this name that run longer than
 *                           so many milliseconds make a dump while they still
 *                           run: see prof_slow_set().  For the start of a program.
 */
#define PROF_SLOW(name, limit_ms) \
    PROF_IF_LIVE_((void)prof_slow_set((name), (uint64_t)((limit_ms) * 1e6), NULL), ((void)(name), (void)(limit_ms)))

/*
 * PROF_WRAP(return_type, new_name, target, (parameters), (arguments))
 *                           Defines the function new_name, which calls target
 *                           inside a scope of target's name: a profiled function
 *                           without touching its source.  No semicolon after it.
 * PROF_WRAP_VOID(new_name, target, (parameters), (arguments))
 *                           for targets that return nothing;
 * PROF_WRAP_STATIC, PROF_WRAP_VOID_STATIC  define a static function.
 */
#define PROF_WRAP(return_type, new_name, target, parameters, arguments) \
    return_type new_name parameters                                     \
    {                                                                   \
        PROF_BLOCK(#target);                                            \
        return target arguments;                                        \
    }
#define PROF_WRAP_VOID(new_name, target, parameters, arguments) \
    void new_name parameters                                    \
    {                                                           \
        PROF_BLOCK(#target);                                    \
        target arguments;                                       \
    }
#define PROF_WRAP_STATIC(return_type, new_name, target, parameters, arguments) \
    static PROF_WRAP(return_type, new_name, target, parameters, arguments)
#define PROF_WRAP_VOID_STATIC(new_name, target, parameters, arguments) \
    static PROF_WRAP_VOID(new_name, target, parameters, arguments)

/* ------------------------------------------------------------------------
 * Part 2: start, stop, save
 *
 * The environment alone is enough: PROFCORE=1 starts the recorder when the
 * library is loaded and saves when the process exits: by exit(), a return
 * from main, or quick_exit().  _exit(), abort() and a fatal signal save
 * nothing; what was saved before stays whole.  A service that ends by a
 * signal, where exit handlers do not run, adds PROFCORE_SIGNALS=TERM,INT
 * or PROFCORE_SAVE_EVERY=60.  PROFCORE=0 keeps the recorder off even where
 * the program calls prof_start(), which succeeds all the same.  All variables
 * are listed in README.md.
 *
 * PROFCORE=1 counts as one prof_start(): the program's own prof_stop() then
 * neither stops nor saves, the exit of the process does.
 */

/*
 * How to record and where to save.  Zero and NULL mean the default.  A
 * PROFCORE_ variable that is set wins over the field, so that an operator
 * can redirect a service without a rebuild.
 *
 * What a program says elsewhere has no field here: limits on open calls
 * (prof_slow_set()), dumps (prof_dump()), rules of one site
 * (prof_site_save_if()), what is measured (site flags).  The rest of the
 * variables, such as PROFCORE_MODE, _EVENT_MIN_NS, _CRASH_SAFE, _CONTROL,
 * _SIGNALS, _ON_CRASH and _DUMP_EVERY, is the operator's alone: what a signal
 * does, who may listen, what stays on the disk.  A program that wants one of
 * them by default sets it with setenv(name, value, 0) before its first call of
 * this library.
 */
typedef struct prof_options {
    uint32_t size;         /* sizeof(prof_options) */
    uint32_t flags;        /* PROF_NO_FILES */
    const char *name;      /* the run's name; the program's short name by default (_NAME) */
    const char *directory; /* "profiling_results" (_DIR); made when missing */
    const char *formats;   /* "txt,prof,json,pftrace"; also "html", "chrome", "nvtxt", "pprof", "collapsed", "callgrind" (_FORMATS) */
    const char *sort;      /* a key of pstats, "cumulative" (_SORT) */
    uint64_t memory_bytes; /* cap on all that recording keeps, 64 MiB; event rings take half (_MEMORY) */
    uint32_t save_every_s; /* also save each so many seconds, 0: only at the end (_SAVE_EVERY) */
    uint32_t rss_every_ms; /* sample resident memory each so many milliseconds, 0: not (_RSS_EVERY) */
    const char *save_if;   /* rules by name, such as "embed_query>50ms,get_response/1000" (_SAVE_IF) */
    uint64_t max_bytes;    /* of our files in the folder, 0: no limit (_MAX_BYTES) */
    uint32_t max_files;    /* the same for their number (_MAX_FILES) */
    uint32_t when_full;    /* PROF_REMOVE_OLDEST or PROF_STOP_SAVING (_WHEN_FULL) */
    const char *stream;    /* where events are streamed: "fd:3", a pipe or socket, or a FIFO's path; NULL: not (_STREAM) */
    uint32_t utilization_every_ms; /* sample CPUs and GPUs each so many milliseconds, from 10; 0: not (_UTILIZATION_EVERY) */
    uint32_t reserved;     /* 0 */
} prof_options;

#define PROF_OPTIONS_INIT \
    { (uint32_t)sizeof(prof_options), 0u, NULL, NULL, NULL, NULL, 0u, 0u, 0u, NULL, 0u, 0u, 0u, NULL, 0u, 0u }

/* What gives way when the folder's limit is reached.  The run's own files are always written. */
#define PROF_REMOVE_OLDEST 0u /* the oldest files that this library wrote there, in this run or before */
#define PROF_STOP_SAVING 1u   /* nothing: files of functions and of single calls are not written any more */

#define PROF_NO_FILES 0x1u /* save only what prof_save() asks for; PROFCORE=1 saves all the same */

/*
 * Starts recording, or, when something else in the process has started it
 * already, counts one more user of the one recorder.
 *
 * A scope that is open at that moment is not recorded; its children are.
 *
 *   options  NULL for the defaults.  Checked at each start; those of the first
 *            start that the program makes are used.  memory_bytes has no
 *            effect where PROFCORE=1 or prof_site_get() came before.
 *   returns  PROF_OK; PROF_E_INVALID for an option out of range;
 *            PROF_E_NO_MEMORY.  On failure nothing has started.
 *   threads  Any.
 *   memory   Reserves memory_bytes of address space once; pages are used as
 *            recording needs them, and kept until the process ends.
 *   since    0.1
 */
PROF_API prof_status prof_start(const prof_options *options, prof_error *err);

/*
 * Takes back one prof_start().  The last one stops recording and saves the
 * run and every PROF_FUNCTION_SAVE function (none with PROF_NO_FILES).
 *
 * A scope that is open when recording stops is recorded to its real end.
 * What was recorded is kept: a later start goes on where this one stopped,
 * and a later save replaces this run's own files.
 * Where events are streamed to a pipe, the rest of them goes there first: that
 * waits at most 2 seconds for who reads.  So does the end of the process.
 *
 *   returns  PROF_OK; PROF_E_INVALID without a prof_start() to take back;
 *            PROF_E_IO when a file could not be written, which the message
 *            names: recording has stopped all the same, the data is kept, and
 *            prof_save() or the exit of the process tries again.
 *   threads  Any.
 *   since    0.1
 */
PROF_API prof_status prof_stop(prof_error *err);

/*
 * Saves what was recorded so far, while threads go on recording: for the run
 * and for each PROF_FUNCTION_SAVE function one file per format,
 * <directory>/<name>_<unix seconds>.<format>, readable by its owner only.
 *
 * The first save takes a name that is free (…-2, -3, …) and never replaces a
 * file; a later save of the same run replaces the files of the earlier one.
 * Where nothing was recorded, or no format is wanted ("none"), nothing is
 * written.
 *
 *   returns  PROF_OK; PROF_E_INVALID before the first prof_start();
 *            PROF_E_NO_MEMORY; PROF_E_IO: the message names the file and the
 *            reason, and the data is kept.
 *   threads  Any; saves wait for each other, recording threads do not wait.
 *   since    0.1
 */
PROF_API prof_status prof_save(prof_error *err);

/* What a dump has in it. */
typedef struct prof_dump_options {
    uint32_t size;      /* sizeof(prof_dump_options) */
    uint32_t seconds;   /* of the timeline, back from now; 0: as PROFCORE_DUMP_SECONDS says, 10; PROF_DUMP_ALL: all that is held */
    const char *reason; /* one line that both files show, or NULL */
    char *path;         /* receives the files' path without an extension, cut to path_bytes; NULL: not wanted */
    size_t path_bytes;
} prof_dump_options;

#define PROF_DUMP_OPTIONS_INIT { (uint32_t)sizeof(prof_dump_options), 0u, NULL, NULL, 0u }
#define PROF_DUMP_ALL UINT32_MAX

/*
 * Writes down what the process is in the middle of, and what led up to it,
 * while threads go on recording:
 *
 *   <name>_asked_<unix seconds>.txt      every thread's open scopes, with ages
 *   <name>_asked_<unix seconds>.pftrace  the timeline of the last seconds, in
 *                                        which what is open has not ended
 *
 * The first has its name before the second is begun.  Both count for the
 * folder's limits.
 *
 *   options  NULL for the defaults.
 *   returns  PROF_OK; PROF_E_INVALID for a bad option, or before the first
 *            prof_start(); PROF_E_UNAVAILABLE where PROFCORE=0 keeps the
 *            recorder off; PROF_E_LIMIT: the folder is full; PROF_E_BUSY: the
 *            process is ending; PROF_E_NO_MEMORY; PROF_E_IO, which names the
 *            folder.
 *   threads  Any; dumps wait for each other, recording threads do not wait.
 *   memory   For the time of the call two to four times what the rings hold.
 *   since    0.1
 */
PROF_API prof_status prof_dump(const prof_dump_options *options, prof_error *err);

/*
 * Gives scopes a time within which they are to be over: a call that exceeds
 * it makes a dump while it still runs, as prof_dump() would, named
 * <name>_slow_<scope>_<unix seconds>, in which it is marked.
 *
 * A thread of the library's own looks at all open scopes as often as a tenth
 * of the smallest limit, each 1 to 10 milliseconds, and so is at most that
 * late.  A call makes one dump at most; all that are slow by then are marked
 * in it.  Dumps of this kind are PROFCORE_DUMP_EVERY seconds apart, 10 by
 * default: a call that would make one too soon makes it later if it still
 * runs by then, else it is counted as skipped.  Calls that are not timed
 * (PROF_SITE_SAMPLED), and those that end before they are looked at, make
 * none: see prof_site_save_if().  A forked child has no limits until it sets
 * some, or calls prof_start(), which reads PROFCORE_SLOW again.
 *
 *   pattern   A name as reports show it, in which * and ? stand for anything;
 *             at most 255 bytes.  PROFCORE_SLOW goes before it.
 *   limit_ns  0: none, for those that match.
 *   returns   PROF_OK; PROF_E_INVALID for a bad pattern; PROF_E_LIMIT for a
 *             65th; PROF_E_NO_MEMORY, PROF_E_IO: there is no thread to be had.
 *   threads   Any, before or after prof_start().
 *   since     0.1
 */
PROF_API prof_status prof_slow_set(const char *pattern, uint64_t limit_ns, prof_error *err);

/* What the recorder holds and what it lost. */
typedef struct prof_stats {
    uint32_t size;               /* sizeof(prof_stats) */
    uint32_t live_thread_count;  /* threads with a call tree now */
    uint64_t thread_count;       /* threads that ever had one */
    uint64_t lost_count;         /* scopes not recorded because memory was spent */
    uint64_t repaired_count;     /* scopes closed for a missing prof_end() */
    uint64_t unmatched_count;    /* prof_end() without an open scope to end, prof_span_end() of no span; ignored */
    uint64_t memory_used_bytes;  /* of the region */
    uint64_t memory_limit_bytes; /* 0 before the first start */
    uint64_t event_count;        /* scopes, instants, values and spans that went into the event rings */
    uint64_t event_lost_count;   /* of these, how many the rings do not hold any more */
    /* Calls that a rule kept (PROF_FUNCTION_SAVE_IF); those not in the three below wait to be written. */
    uint64_t kept_count;         /* that met their rule */
    uint64_t kept_saved_count;   /* of them: their files are written */
    uint64_t kept_lost_count;    /* of them: memory or its share for them was spent */
    uint64_t kept_unsaved_count; /* of them: the folder was full, or refused until the end */
    uint64_t removed_file_count; /* older files removed, so that the folder stays in its limits */
    uint64_t event_filtered_count; /* scopes too short for the event rings (_EVENT_MIN_NS); not in event_count */
    uint64_t dump_count;         /* dumps written, whoever asked */
    uint64_t dump_skipped_count; /* triggers that made none, for they came too soon after another dump */
    uint64_t dump_failed_count;  /* dumps that could not be written, or only in part */
} prof_stats;

#define PROF_STATS_INIT { (uint32_t)sizeof(prof_stats), 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u }

/*
 * Reads the recorder's counts.
 *
 *   stats    Its size field set (PROF_STATS_INIT).
 *   returns  PROF_OK; PROF_E_INVALID for a size no version had.
 *   threads  Any; the counts of threads that record are some moments old.
 *   since    0.1
 */
PROF_API prof_status prof_stats_get(prof_stats *stats, prof_error *err);

/*
 * Tells what the library makes of the PROFCORE_ variables of this process:
 * each one that is set and not empty, with the reason where it is ignored.
 *
 *   found    Called for each; problem is NULL for a good one.
 *   returns  PROF_OK; PROF_E_INVALID without a callback.
 *   threads  Any, while no other changes the environment.
 *   since    0.1
 */
typedef void (*prof_variable_callback)(void *user, const char *name, const char *value, const char *problem);
PROF_API prof_status prof_environment_check(prof_variable_callback found, void *user, prof_error *err);

/* The version of the library that was loaded, as PROF_VERSION; since 0.1. */
PROF_API uint32_t prof_version(void);

/* The name of a status, such as "PROF_E_IO"; never NULL; since 0.1. */
PROF_API const char *prof_status_name(prof_status status);

/* ------------------------------------------------------------------------
 * Part 3: the functions under the macros
 */

/*
 * Not 0 while recording.  Written by the library only; read it with
 * __atomic_load_n(&prof_active, __ATOMIC_RELAXED).  Since 0.1.
 */
PROF_API extern uint32_t prof_active;

/*
 * Opens a scope on the calling thread.
 *
 * Close it with prof_end() on the same thread; scopes nest.  While the
 * recorder is stopped nothing is recorded.
 *
 *   site     Writable, longer-lived than its use; its text is copied at first
 *            use.  NULL records nothing.
 *   returns  A token for prof_end().  PROF_SCOPE_NONE only while stopped,
 *            and where the scope is lost because it is in a signal handler
 *            that interrupted this library, or in a destructor after the
 *            thread's last; it is safe to pass on.  When memory is spent, a
 *            token that stands for a scope which counts in
 *            prof_stats.lost_count.
 *   threads  Any, at once, without locks.
 *   memory   May allocate on a thread's or a site's first scope, or for a new
 *            tree node.
 *   since    0.1
 */
PROF_API_HOT prof_scope prof_begin(prof_site *site);

/*
 * Ends a scope.
 *
 * Scopes opened inside it and still open are ended at the same instant and
 * counted as repaired.  A token of another thread, of a scope that has ended
 * already, or made up is ignored and counted as unmatched.
 *
 *   scope    From prof_begin() or prof_phase() on this thread.
 *   threads  Any, at once, without locks.
 *   since    0.1
 */
PROF_API_HOT void prof_end(prof_scope scope);

/*
 * Ends the calling thread's innermost scope: for callers that cannot carry a
 * token.  Without an open scope it is ignored and counted as unmatched.
 *
 *   threads  Any, at once, without locks.
 *   since    0.1
 */
PROF_API void prof_end_current(void);

/*
 * Ends a scope and begins its successor in its place, on one clock read.
 *
 *   scope    The scope to end, as for prof_end(); PROF_SCOPE_NONE to begin only.
 *   site     The successor's, as for prof_begin().
 *   returns  The successor's token, as from prof_begin().
 *   threads  Any, at once, without locks.
 *   since    0.1
 */
PROF_API_HOT prof_scope prof_phase(prof_scope scope, prof_site *site);

/*
 * Adds to the count of things that the calling thread's innermost scope
 * processed.  Ignored where no scope is open.
 *
 *   count    How many more.
 *   unit     Their plural, such as "tokens"; NULL: unchanged, or "items".  The
 *            text is copied; a function keeps the first unit it was given.
 *   threads  Any, at once, without locks but for a function's first unit.
 *   since    0.1
 */
PROF_API void prof_items(uint64_t count, const char *unit);

/*
 * Records one value of a counter: see PROF_COUNTER.  Ignored while stopped.
 *
 *   site     As for prof_begin(); equal name, file and line are one counter.
 *            Its flags mean nothing here.
 *   value    NaN and the infinities are counted apart from the rest.
 *   threads  Any, at once, without locks but for a site's first use.
 *   memory   May allocate on a thread's first value of a site.  When memory is
 *            spent the value is lost, and counted.
 *   since    0.1
 */
PROF_API void prof_counter(prof_site *site, double value);

/*
 * A probe of the program's own: something to read at both ends of a call,
 * such as bytes sent, rows fetched, memory of an own pool.
 */
typedef struct prof_probe {
    uint32_t size;    /* sizeof(prof_probe) */
    uint32_t flags;   /* PROF_PROBE_… */
    const char *name; /* such as "pool.bytes", at most 63 bytes; copied and cleaned, as a site's is */
    const char *unit; /* "ns" and "bytes" are shown as times and sizes, others as they are; at most 31 bytes */
    /*
     * Stores the value and returns 0, or an errno value that says why it
     * cannot be had: then the call counts as not measured, and the report
     * shows the reason.
     */
    int (*read)(void *user, uint64_t *value);
    void *user; /* passed to read */
} prof_probe;

#define PROF_PROBE_INIT { (uint32_t)sizeof(prof_probe), 0u, NULL, NULL, NULL, NULL }

#define PROF_PROBE_GAUGE 0x1u   /* rises and falls: growth and peak.  Else it only rises: sum and largest call */
#define PROF_PROBE_PROCESS 0x2u /* the whole process's value: calls in parallel each see it.  Else the thread's */

/*
 * Adds a probe for the sites that ask for it by its flag.
 *
 * `read` is called on the thread of the scope, at both ends of each call,
 * with cancellation off; on several threads at once.  It may be called in a
 * signal handler that opens such a scope.  It must return (no longjmp, no
 * exception) and should not take longer than a microsecond or two.  Scopes
 * that it opens itself are recorded, but without probes.
 *
 *   probe      Copied, but for what `user` points to.
 *   site_flag  On entry one of PROF_SITE_OWN(0) to PROF_SITE_OWN(15), or 0 for
 *              any that is free; receives it.  A site may ask for a flag
 *              before its probe is there: calls begun by then are not measured.
 *   returns    PROF_OK; PROF_E_INVALID for a bad argument; PROF_E_BUSY when the
 *              flag or the name is taken; PROF_E_LIMIT for a 17th.
 *   threads    Any, before or after prof_start().  A probe is never removed, so
 *              the library that holds `read` must stay loaded.
 *   since      0.1
 */
PROF_API prof_status prof_probe_add(const prof_probe *probe, uint32_t *site_flag, prof_error *err);

/*
 * Finds or makes the site of a name that is known only at run time.
 *
 * The same name, file and line give the same site for the life of the
 * process, so a caller may keep it or ask again.
 *
 *   name     UTF-8.  What is not, and control characters, are shown escaped.
 *   name_bytes  Its length; SIZE_MAX when a NUL ends it.
 *   file     NULL when there is none.
 *   line     0 when there is none.
 *   flags    PROF_SITE_…; those of the first call for this site stay.
 *   site     Receives the site, owned by the library.
 *   returns  PROF_OK; PROF_E_INVALID: no name, an empty one, or one that holds
 *            a NUL (the message says where); PROF_E_NO_MEMORY when the cap is
 *            reached.
 *   threads  Any.
 *   memory   In the recorder's region; reserves it before the first start.
 *   since    0.1
 */
PROF_API prof_status prof_site_get(const char *name, size_t name_bytes, const char *file, uint32_t line,
                                   uint32_t flags, prof_site **site, prof_error *err);

/*
 * Gives a site its rule: which single calls get files of their own.
 *
 * A call is kept when it took longer than the limit, or is the n-th, 2n-th …
 * outermost call of the site in this process; not when it lies below another
 * call of the same site.  What is kept is that one call with all that ran
 * below it on the calling thread: calls, times and items, without memory and
 * percentiles.  A thread of the library's own writes
 * <directory>/<name>_<unix seconds of its end>.<format> soon after; the
 * caller waits for no disk.  Where its queue (an eighth of memory_bytes) is
 * full, the call is lost and counted.  A rule takes the place of the files
 * that PROF_SITE_SAVE would write at the end.
 *
 * Each call of such a site costs a walk over the paths that ran below it, so
 * a rule is for calls of a millisecond or more.
 *
 *   site     From prof_site_get() or PROF_SITE_INIT; with a rule in
 *            PROFCORE_SAVE_IF or prof_options.save_if, which stays.
 *   slower_than_ns  0: no limit.
 *   every_nth  0: no n-th call.  Both 0: keeps none from now on.
 *   returns  PROF_OK; PROF_E_INVALID without a site; PROF_E_NO_MEMORY.
 *   threads  Any.  Paths on which a site without PROF_SITE_SAVE_IF has run
 *            before its first rule keep nothing.
 *   since    0.1
 */
PROF_API prof_status prof_site_save_if(prof_site *site, uint64_t slower_than_ns, uint64_t every_nth, prof_error *err);

/* ------------------------------------------------------------------------
 * What the macros expand to; not for use by name.
 */
#if defined(__GNUC__)

/* The one macro that PROF_DISABLE changes: the first text is live code, the second what remains of it. */
#if defined(PROF_DISABLE)
#define PROF_IF_LIVE_(live, disabled) disabled
#else
#define PROF_IF_LIVE_(live, disabled) live
#endif

#define PROF_PASTE2_(a, b) a##b
#define PROF_PASTE_(a, b) PROF_PASTE2_(a, b)
#define PROF_ID_(prefix) PROF_PASTE_(prefix, __LINE__)

#define PROF_SITE_(name, flags)                                                       \
    __extension__({                                                                   \
        static prof_site prof_site_ = PROF_SITE_INIT(name, __FILE__, __LINE__, flags); \
        &prof_site_;                                                                  \
    })
#define PROF_SITE_NAMED_(name)                                          \
    __extension__({                                                     \
        static prof_site prof_site_ = PROF_SITE_INIT(name, NULL, 0u, 0u); \
        &prof_site_;                                                    \
    })
#define PROF_SITE_SAVE_IF_(name, slower_than_ms, every_nth)                                                 \
    __extension__({                                                                                         \
        static prof_site prof_site_ = PROF_SITE_INIT_SAVE_IF(name, __FILE__, __LINE__, PROF_SITE_SAVE_IF,   \
                                                             (uint64_t)((slower_than_ms) * 1e6), (every_nth)); \
        &prof_site_;                                                                                        \
    })
#define PROF_ENTER_SITE_(site) PROF_IF_LIVE_(prof_enter_(site), PROF_SCOPE_NONE)
#define PROF_ENTER_(name, flags) PROF_ENTER_SITE_(PROF_SITE_(name, flags))

static inline int prof_is_active_(void)
{
    return PROF_IF_LIVE_(__atomic_load_n(&prof_active, __ATOMIC_RELAXED) != 0, 0);
}

#if defined(PROF_INLINE) && !defined(PROF_DISABLE)
#include <profcore/inline.h>
#define PROF_CALL_(name) prof_inline_##name
#else
#define PROF_CALL_(name) prof_##name
#endif

static inline prof_scope prof_enter_(prof_site *site)
{
    (void)site;
    return PROF_IF_LIVE_(prof_is_active_() ? PROF_CALL_(begin)(site) : PROF_SCOPE_NONE, PROF_SCOPE_NONE);
}

static inline prof_scope prof_phase_(prof_scope scope, prof_site *site)
{
    (void)site;
    return PROF_IF_LIVE_(scope.place != 0 || prof_is_active_() ? PROF_CALL_(phase)(scope, site) : scope, scope);
}

static inline void prof_items_(uint64_t count, const char *unit)
{
    (void)count;
    (void)unit;
    PROF_IF_LIVE_(if (prof_is_active_()) prof_items(count, unit), (void)0);
}

static inline void prof_counter_(prof_site *site, double value)
{
    (void)site;
    (void)value;
    PROF_IF_LIVE_(if (prof_is_active_()) prof_counter(site, value), (void)0);
}

static inline void prof_leave_(const prof_scope *scope)
{
    PROF_IF_LIVE_(if (scope->place != 0) PROF_CALL_(end)(*scope), (void)scope);
}

#endif /* __GNUC__ */

#ifdef __cplusplus
}
#endif

#endif /* PROFCORE_PROF_H */
