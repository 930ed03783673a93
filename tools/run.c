/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profcore run: starts a program with recording on, as `python -m cProfile`
 * does for a script.
 *
 * The program is a child, not this process turned into it by exec: only who
 * is still there afterwards can say why nothing was written, which is what a
 * first user needs most.  So this process must not be seen: signals that
 * somebody sends to it go on to the program, the terminal reaches both in
 * any case, it ends as the program ended, by the same signal if it was one,
 * and the program does not outlive it.  Where the process id itself counts
 * (process 1 of a container), --exec becomes the program.
 */
#include "cli.h"
#include "folder.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOT_FOUND = 127, NOT_EXECUTABLE = 126 };

enum { OUTPUT_DIR, NAME, FORMATS, SORT, MEMORY, CLOCK, SAVE_EVERY, SIGNALS, QUIET, SET, TORCH, EXEC };

static const cli_option options[] = {
    { "output-dir", 'o', "DIR", "where the files go (profiling_results)" },
    { "name", 'n', "NAME", "the run's name, in its files' names (the program's)" },
    { "formats", 'f', "LIST", "of " CLI_FORMATS ";\nnone writes no files" },
    { "sort", 's', "KEY[,KEY]", "order of the table: a key of pstats (cumulative)" },
    { "memory", 'm', "SIZE", "cap on all that recording keeps, such as 256MiB (64MiB)" },
    { "clock", 0, "CLOCK", "auto, tsc or vdso (auto)" },
    { "save-every", 0, "SECONDS", "also save while the program runs" },
    { "signals", 0, "LIST", "signals at which to save before they act (TERM,INT);\nnone leaves all signals alone" },
    { "quiet", 'q', NULL, "no notices on stderr" },
    { "set", 0, "NAME=VALUE", "any other variable: --set CLOCK=vdso sets PROFCORE_CLOCK" },
    { "torch", 0, NULL, "libtorch's operators too, also in a program that knows nothing\n"
                        "of libprofcore, such as python; --set TORCH=shapes with shapes" },
    { "exec", 0, NULL, "become the program instead of waiting for it: the process\n"
                       "id stays; nobody says afterwards that nothing was written" },
    { NULL, 0, NULL, NULL },
};

/* The variable that an option sets, in the order of the options. */
static const char *const variables[] = { "PROFCORE_DIR", "PROFCORE_NAME", "PROFCORE_FORMATS", "PROFCORE_SORT",
                                         "PROFCORE_MEMORY", "PROFCORE_CLOCK", "PROFCORE_SAVE_EVERY", "PROFCORE_SIGNALS" };

/* ---- the environment ---- */

static void set_variable(const char *name, const char *value)
{
    if (setenv(name, value, 1) != 0)
        cli_wrong(&command_run, "cannot set %s: %s", name, strerror(errno));
}

static void set_other(const char *assignment)
{
    char name[128];
    size_t bytes = strcspn(assignment, "=");
    int has_prefix = strncmp(assignment, "PROFCORE_", 9) == 0;
    if (assignment[bytes] == '\0' || bytes == 0 || bytes > 80)
        cli_wrong(&command_run, "--set takes NAME=VALUE, not %s", assignment);
    snprintf(name, sizeof(name), "%s%.*s", has_prefix ? "" : "PROFCORE_", (int)bytes, assignment);
    set_variable(name, assignment + bytes + 1);
}

/* The folder from the root on, so that a program that goes elsewhere still writes where its user stands. */
static void set_folder(void)
{
    const char *given = getenv("PROFCORE_DIR");
    char path[PATH_MAX], here[PATH_MAX];
    if (given == NULL || given[0] == '\0')
        given = "profiling_results";
    if (given[0] == '/' || getcwd(here, sizeof(here)) == NULL)
        snprintf(path, sizeof(path), "%s", given);
    else if (snprintf(path, sizeof(path), "%s/%s", strcmp(here, "/") == 0 ? "" : here, given) >= (int)sizeof(path))
        cli_wrong(&command_run, "the path of the folder %s is too long", given);
    set_variable("PROFCORE_DIR", path);
}

/* What Python imports when it starts comes from a folder beside the library that is preloaded. */
static void preload_python(const char *library)
{
    const char *others = getenv("PYTHONPATH"), *end = strrchr(library, '/');
    const int has_others = others != NULL && others[0] != '\0';
    char *list = NULL, *file = NULL;
    if (asprintf(&file, "%.*s/profcore_python/sitecustomize.py", (int)(end - library), library) < 0 ||
        asprintf(&list, "%.*s/profcore_python%s%s", (int)(end - library), library, has_others ? ":" : "", has_others ? others : "") < 0)
        cli_wrong(&command_run, "--torch: no memory");
    if (access(file, R_OK) == 0)
        set_variable("PYTHONPATH", list);
    free(file);
    free(list);
}

/*
 * Whatever the program is, libprofcore_torch comes into it when libtorch does.
 * What is loaded here only tells where it lies: it does nothing while
 * PROFCORE_TORCH is not set.
 */
static void preload_torch(void)
{
    const char *others = getenv("LD_PRELOAD"), *wish = getenv("PROFCORE_TORCH");
    const int has_wish = wish != NULL && wish[0] != '\0' && strcmp(wish, "0") != 0, has_others = others != NULL && others[0] != '\0';
    char path[PATH_MAX], *list = NULL, *kept = has_wish ? strdup(wish) : NULL;
    struct link_map *map = NULL;
    unsetenv("PROFCORE_TORCH");
    void *library = dlopen("libprofcore_torch_preload.so", RTLD_LAZY | RTLD_LOCAL);
    if (library == NULL)
        cli_wrong(&command_run, "--torch needs libprofcore_torch_preload.so, of a libprofcore that was built with libtorch: %s", dlerror());
    if (dlinfo(library, RTLD_DI_LINKMAP, &map) != 0 || realpath(map->l_name, path) == NULL)
        cli_wrong(&command_run, "--torch: cannot tell where libprofcore_torch_preload.so lies");
    if (strpbrk(path, ": ") != NULL)
        cli_wrong(&command_run, "--torch: a library cannot be loaded first from a path with spaces or colons: %s", path);
    /* Behind the others: a sanitizer's library wants to be the first. */
    if (asprintf(&list, "%s%s%s", has_others ? others : "", has_others ? ":" : "", path) < 0 || (has_wish && kept == NULL))
        cli_wrong(&command_run, "--torch: no memory");
    set_variable("LD_PRELOAD", list);
    set_variable("PROFCORE_TORCH", kept != NULL ? kept : "1");
    preload_python(path);
    free(list);
    free(kept);
}

static void refuse_bad(void *unused, const char *name, const char *value, const char *problem)
{
    (void)unused;
    if (problem != NULL)
        cli_wrong(&command_run, "%s=%s: %s", name, value, problem);
}

/* ---- the program ---- */

/* The path that execvp() would take, or the name. */
static const char *find_program(const char *name, char path[PATH_MAX])
{
    const char *at = getenv("PATH");
    if (strchr(name, '/') != NULL || at == NULL)
        return name;
    for (size_t bytes; *at != '\0'; at += bytes + (at[bytes] == ':')) {
        bytes = strcspn(at, ":");
        snprintf(path, PATH_MAX, "%.*s%s%s", (int)bytes, at, bytes ? "/" : "./", name);
        if (access(path, X_OK) == 0)
            return path;
    }
    return name;
}

static int say_not_started(const char *program, int error)
{
    cli_say(&command_run, "cannot start %s: %s", program, strerror(error));
    return error == ENOENT ? NOT_FOUND : NOT_EXECUTABLE;
}

/* In the child: only ever returns by _exit().  An error goes through the pipe, which a successful exec closes. */
static void __attribute__((noreturn)) become(char **argv, const sigset_t *mask, const struct sigaction *on_child,
                                             pid_t parent, int report)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a killed `profcore run` takes its program along, as if it were the program */
    if (getppid() != parent)
        _exit(CLI_FAILED);
    sigaction(SIGCHLD, on_child, NULL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(argv[0], argv);
    int error = errno;
    if (write(report, &error, sizeof(error)) < 0)
        _exit(NOT_EXECUTABLE);
    _exit(error == ENOENT ? NOT_FOUND : NOT_EXECUTABLE);
}

/* The signals that somebody may send to us and mean the program: not those of our own faults, nor those that stop. */
static sigset_t forwarded_signals(void)
{
    static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGTSTP, SIGTTIN, SIGTTOU,
                               SIGCONT, SIGPIPE };
    sigset_t set;
    sigfillset(&set);
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        sigdelset(&set, own[i]);
    return set;
}

/*
 * Waits for the program and passes signals on.  What the terminal or the
 * kernel sent (a positive si_code) the program has got itself.
 */
static int wait_for(pid_t child, const sigset_t *set)
{
    for (;;) {
        int status;
        siginfo_t info;
        pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child)
            return status;
        if (ended < 0 && errno != EINTR)
            return CLI_FAILED << 8;
        if (sigwaitinfo(set, &info) > 0 && info.si_signo != SIGCHLD && info.si_code <= 0)
            kill(child, info.si_signo);
    }
}

/* Ends as the program did: a shell, a service manager and subprocess.run() see no difference. */
static int end_alike(int status)
{
    if (!WIFSIGNALED(status))
        return WEXITSTATUS(status);
    const struct rlimit no_core = { 0, 0 };
    sigset_t one;
    fflush(NULL);
    setrlimit(RLIMIT_CORE, &no_core); /* the program's core is the one that tells something */
    signal(WTERMSIG(status), SIG_DFL);
    sigemptyset(&one);
    sigaddset(&one, WTERMSIG(status));
    raise(WTERMSIG(status));
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    return 128 + WTERMSIG(status);
}

static int start(char **argv, int *status)
{
    sigset_t set = forwarded_signals(), mask;
    struct sigaction default_action = { .sa_handler = SIG_DFL }, on_child;
    int report[2], error = 0;
    pid_t parent = getpid();
    if (pipe2(report, O_CLOEXEC) != 0)
        return errno;
    sigaction(SIGCHLD, &default_action, &on_child);
    sigprocmask(SIG_BLOCK, &set, &mask);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        become(argv, &mask, &on_child, parent, report[1]);
    error = child < 0 ? errno : 0;
    close(report[1]);
    ssize_t got = error == 0 ? read(report[0], &error, sizeof(error)) : 0;
    close(report[0]);
    if (child > 0)
        *status = wait_for(child, &set);
    return got == (ssize_t)sizeof(error) || child < 0 ? error : 0;
}

/* ---- afterwards ---- */

typedef enum program_kind { PROGRAM_OTHER, PROGRAM_LINKED, PROGRAM_UNLINKED, PROGRAM_SCRIPT, PROGRAM_SETUID } program_kind;

/* Looks into the file for what every program that links the library holds. */
static program_kind kind_of(const char *path)
{
    struct stat status;
    program_kind kind = PROGRAM_OTHER;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size < 4)
        goto done;
    size_t bytes = (size_t)status.st_size;
    const char *file = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (file == MAP_FAILED || file == NULL)
        goto done;
    if (status.st_mode & (S_ISUID | S_ISGID))
        kind = PROGRAM_SETUID;
    else if (memcmp(file, "#!", 2) == 0)
        kind = PROGRAM_SCRIPT;
    else if (memcmp(file, "\177ELF", 4) == 0)
        kind = memmem(file, bytes, "libprofcore", 11) != NULL || memmem(file, bytes, "PROFCORE_SAVE_EVERY", 19) != NULL
                   ? PROGRAM_LINKED : PROGRAM_UNLINKED;
    munmap((void *)file, bytes);
done:
    if (fd >= 0)
        close(fd);
    return kind;
}

/* The signals that --signals takes: not those of a program's own faults, nor KILL. */
static int can_be_saved_at(int number)
{
    static const int taken[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGXCPU };
    int is_taken = 0;
    for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
        is_taken |= number == taken[i];
    return is_taken;
}

static void explain(const char *program, int status, int has_torch)
{
    const char *folder = getenv("PROFCORE_DIR"), *temporary = getenv("TMPDIR");
    char path[PATH_MAX];
    program_kind kind = kind_of(find_program(program, path));
    int refusal = folder_try(folder, path);
    cli_say(&command_run, "%s has written nothing to %s", program, folder);
    if (refusal != 0)
        cli_say(&command_run, "no file can be made there: %s; what a program saves when it ends goes to a new folder under %s "
                              "then, which its notice names", strerror(refusal), temporary && temporary[0] ? temporary : "/tmp");
    else if (kind == PROGRAM_SETUID)
        cli_say(&command_run, "it runs with other rights than its user's, and then ignores the environment: run a copy "
                              "without the set-user-id bit");
    else if (has_torch && (kind == PROGRAM_UNLINKED || kind == PROGRAM_SCRIPT))
        cli_say(&command_run, "it reached no scope and ran no operator of libtorch, or ended by _exit(), where nothing can be saved");
    else if (kind == PROGRAM_UNLINKED)
        cli_say(&command_run, "it does not link libprofcore: wrap functions in the macros of <profcore/prof.h>, and link "
                              "with $(pkg-config --cflags --libs profcore)");
    else if (kind == PROGRAM_SCRIPT)
        cli_say(&command_run, "it is a script: only programs that link libprofcore, and that it starts, are recorded");
    else if (WIFSIGNALED(status) && !can_be_saved_at(WTERMSIG(status)))
        cli_say(&command_run, "it was ended by the signal %s: --set CRASH_SAFE=1 keeps what was recorded up to then, --save-every 10 "
                              "saves while it runs", sigabbrev_np(WTERMSIG(status)));
    else if (WIFSIGNALED(status))
        cli_say(&command_run, "it was ended by the signal %s: --signals %s saves first, --save-every 10 saves while it runs",
                sigabbrev_np(WTERMSIG(status)), sigabbrev_np(WTERMSIG(status)));
    else
        cli_say(&command_run, "it reached no scope, was built with -DPROF_DISABLE, or ended by _exit(), where nothing can "
                              "be saved: --save-every 10 saves while it runs");
}

/* What the options ask for beside variables. */
typedef struct wishes {
    int is_exec, has_torch;
} wishes;

static void read_option(int option, const char *value, wishes *asked)
{
    if (option == SIGNALS && strcmp(value, "none") == 0)
        value = "";
    if (option == EXEC)
        asked->is_exec = 1;
    else if (option == TORCH)
        asked->has_torch = 1;
    else if (option == QUIET)
        set_variable("PROFCORE_QUIET", "1");
    else if (option == SET)
        set_other(value);
    else
        set_variable(variables[option], value);
}

static int run(const cli_command *command, int argc, char **argv)
{
    cli_reader reader = { .command = command, .argc = argc, .argv = argv, .at = 1 };
    const char *value;
    wishes asked = { 0, 0 };
    int option, status = 0;
    while ((option = cli_next(&reader, &value)) >= 0)
        read_option(option, value, &asked);
    if (option == CLI_END)
        cli_wrong(command, "which program?");
    char **program = argv + reader.at - 1;
    set_folder();
    if (getenv("PROFCORE_SIGNALS") == NULL)
        set_variable("PROFCORE_SIGNALS", "TERM,INT");
    set_variable("PROFCORE", "1");
    if (asked.has_torch)
        preload_torch();
    prof_environment_check(refuse_bad, NULL, NULL);
    if (asked.is_exec) {
        fflush(NULL);
        execvp(program[0], program);
        return say_not_started(program[0], errno);
    }
    folder_state before = folder_look(getenv("PROFCORE_DIR"));
    int error = start(program, &status);
    if (error != 0) {
        folder_forget(&before);
        return say_not_started(program[0], error);
    }
    const char *formats = getenv("PROFCORE_FORMATS"), *quiet = getenv("PROFCORE_QUIET");
    int is_silent = (formats != NULL && strcmp(formats, "none") == 0) || (quiet != NULL && strcmp(quiet, "1") == 0);
    if (!is_silent && !folder_has_news(getenv("PROFCORE_DIR"), &before))
        explain(program[0], status, asked.has_torch);
    folder_forget(&before);
    return end_alike(status);
}

const cli_command command_run = {
    "run", "run a program with recording on", "[OPTION]... [--] PROGRAM [ARGUMENT]...",
    "Starts PROGRAM with PROFCORE=1 and the variables for the options given; those of\n"
    "the environment stay as they are otherwise.  The exit status is the program's, and\n"
    "a signal that ends the program ends this one too; signals sent to this one go on to\n"
    "the program.  Where nothing was written, stderr says why.  127: there is no such\n"
    "program; 126: it cannot be started.\n",
    options, 1, run,
};
