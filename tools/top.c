/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profcore top: what a running program spends its time on, as top shows
 * processes.
 *
 * Two summaries, an interval apart, give rates, and percentiles of just the
 * calls between them: histograms are differences of counts like all else.  On
 * a terminal this is drawn again each interval, in the alternate screen, which
 * is left whatever ends the program.
 */
#include "cli.h"
#include "remote.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { INTERVAL, ONCE, SORT, LIMIT };

static const cli_option options[] = {
    { "interval", 'i', "SECONDS", "from one look to the next (1)" },
    { "once", 0, NULL, "one table and no more, as where stdout is no terminal" },
    { "sort", 's', "KEY", "self (the default), cumulative or calls" },
    { "limit", 'l', "N", "functions to show (what fits; 30 with --once)" },
    { NULL, 0, NULL, NULL },
};

typedef struct settings {
    pid_t pid;
    double interval_s;
    int is_once;
    enum { BY_SELF, BY_CUMULATIVE, BY_CALLS } sort;
    unsigned limit;
} settings;

/* What one function did between two looks. */
typedef struct row {
    prof_function now;
    uint64_t calls, self_ns, cumulative_ns;
    uint64_t counts[PROF_BUCKET_COUNT];
    uint64_t ended;
    int has_counts;
} row;

/* ---- rows ---- */

static int is_same_function(const prof_function *a, const prof_function *b)
{
    return a->line == b->line && strcmp(a->name, b->name) == 0 &&
           (a->file == NULL || b->file == NULL ? a->file == b->file : strcmp(a->file, b->file) == 0);
}

static uint64_t growth(uint64_t now, uint64_t before) { return now > before ? now - before : 0; }

/* A function keeps its id while the program lives, so the same one is usually the same function. */
static int find_before(const prof_snapshot *before, const prof_function *now, prof_function *found)
{
    return before != NULL && prof_snapshot_function(before, now->id, found, NULL) == PROF_OK && is_same_function(now, found);
}

static void fill_row(row *r, const prof_snapshot *now, const prof_snapshot *before, uint32_t id)
{
    static uint64_t old_counts[PROF_BUCKET_COUNT];
    prof_function old = PROF_FUNCTION_INIT;
    *r = (row){ .now = PROF_FUNCTION_INIT };
    prof_snapshot_function(now, id, &r->now, NULL);
    int is_known = find_before(before, &r->now, &old);
    r->calls = growth(r->now.calls, is_known ? old.calls : 0);
    r->self_ns = growth(r->now.self_ns, is_known ? old.self_ns : 0);
    r->cumulative_ns = growth(r->now.cumulative_ns, is_known ? old.cumulative_ns : 0);
    r->has_counts = prof_snapshot_histogram(now, id, r->counts, NULL) == PROF_OK;
    if (is_known && prof_snapshot_histogram(before, old.id, old_counts, NULL) == PROF_OK)
        for (unsigned i = 0; i < PROF_BUCKET_COUNT; i++)
            r->counts[i] = growth(r->counts[i], old_counts[i]);
    for (unsigned i = 0; i < PROF_BUCKET_COUNT && r->has_counts; i++)
        r->ended += r->counts[i];
}

/* The upper edge of the bucket in which the call of that rank lies; 0 where fewer than ten calls lie above it. */
static uint64_t percentile(const row *r, double share)
{
    uint64_t seen = 0;
    if (!r->has_counts || (double)r->ended * (1.0 - share) < 10.0)
        return 0;
    for (unsigned i = 0; i < PROF_BUCKET_COUNT; i++) {
        seen += r->counts[i];
        if ((double)seen >= share * (double)r->ended)
            return prof_bucket_upper_ns(i);
    }
    return 0;
}

static int sort_by;

static uint64_t sort_value(const row *r)
{
    return sort_by == BY_SELF ? r->self_ns : sort_by == BY_CUMULATIVE ? r->cumulative_ns : r->calls;
}

static int compare_rows(const void *one, const void *other)
{
    uint64_t a = sort_value(one), b = sort_value(other);
    return a > b ? -1 : a < b;
}

/* ---- the table ---- */

static void put_ns(uint64_t ns, const char *unknown)
{
    if (ns == 0)
        printf("%11s", unknown);
    else if (ns < 1000)
        printf("%8llu ns", (unsigned long long)ns);
    else if (ns < 1000000)
        printf("%8.2f us", (double)ns / 1e3);
    else if (ns < 1000000000)
        printf("%8.2f ms", (double)ns / 1e6);
    else
        printf("%8.2f s ", (double)ns / 1e9);
}

static void put_row(const row *r, double seconds, unsigned columns)
{
    char line[1024];
    printf("%12.1f %7.1f %7.1f ", (double)r->calls / seconds, (double)r->self_ns / seconds / 1e7,
           (double)r->cumulative_ns / seconds / 1e7);
    put_ns(percentile(r, 0.5), "-");
    put_ns(percentile(r, 0.99), "-");
    printf("%6llu  ", (unsigned long long)r->now.open_calls);
    const char *slash = r->now.file != NULL ? strrchr(r->now.file, '/') : NULL;
    if (r->now.file != NULL)
        snprintf(line, sizeof(line), "%s  %s:%u", r->now.name, slash ? slash + 1 : r->now.file, (unsigned)r->now.line);
    else
        snprintf(line, sizeof(line), "%s", r->now.name);
    if (columns > 60 && strlen(line) > columns - 59)
        line[columns - 59] = '\0';
    cli_put_clean(stdout, line);
    putchar('\n');
}

static void put_table(const settings *s, const prof_snapshot *now, const prof_snapshot *before, unsigned limit, unsigned columns)
{
    prof_about about = PROF_ABOUT_INIT, earlier = PROF_ABOUT_INIT;
    prof_stats stats = PROF_STATS_INIT;
    uint32_t count = prof_snapshot_function_count(now);
    row *rows = calloc((size_t)count + 1, sizeof(*rows));
    prof_snapshot_about(now, &about, NULL);
    prof_snapshot_stats(now, &stats, NULL);
    if (before != NULL)
        prof_snapshot_about(before, &earlier, NULL);
    double seconds = (double)growth(about.recorded_ns, earlier.recorded_ns) / 1e9;
    seconds = seconds > 0.0 ? seconds : s->interval_s;
    for (uint32_t i = 0; rows != NULL && i < count; i++)
        fill_row(&rows[i], now, before, i);
    sort_by = (int)s->sort;
    if (rows != NULL)
        qsort(rows, count, sizeof(*rows), compare_rows);
    cli_put_clean(stdout, about.name != NULL ? about.name : "");
    printf(", process %ld: %u of %llu threads live, %.1f MiB resident, %llu scopes lost; the last %.1f s\n\n", (long)s->pid,
           (unsigned)stats.live_thread_count, (unsigned long long)stats.thread_count, (double)about.rss_bytes / 1048576.0,
           (unsigned long long)stats.lost_count, seconds);
    printf("     calls/s  self %%  cumu %%         p50        p99  open  function\n");
    for (uint32_t i = 0; rows != NULL && i < count && i < limit; i++)
        put_row(&rows[i], seconds, columns);
    free(rows);
}

/* ---- looking ---- */

static prof_snapshot *look(const cli_command *command, const settings *s)
{
    size_t bytes;
    prof_snapshot *snapshot = NULL;
    prof_error err = PROF_ERROR_INIT;
    char *text = remote_ask(command, s->pid, "top", &bytes, 0);
    if (text != NULL && prof_snapshot_read(text, bytes, "the answer", &snapshot, &err) != PROF_OK)
        cli_say(command, "%s", err.message);
    free(text);
    return snapshot;
}

static volatile sig_atomic_t is_over, is_resized;

static void on_signal(int number)
{
    if (number == SIGWINCH)
        is_resized = 1;
    else
        is_over = number;
}

/* Waits for the interval, a key or a signal; 0 when it is to end. */
static int wait_interval(double seconds, int keyboard)
{
    struct pollfd key = { .fd = keyboard, .events = POLLIN };
    char pressed = 0;
    int got = poll(&key, 1, (int)(seconds * 1000));
    if (got > 0 && (read(keyboard, &pressed, 1) <= 0 || pressed == 'q' || pressed == 'Q'))
        return 0;
    return !is_over;
}

static int run_once(const cli_command *command, const settings *s)
{
    prof_snapshot *before = look(command, s), *now = NULL;
    if (before != NULL && wait_interval(s->interval_s, -1))
        now = look(command, s);
    if (now != NULL)
        put_table(s, now, before, s->limit != 0 ? s->limit : 30, 0);
    int result = now != NULL ? CLI_OK : CLI_FAILED;
    prof_snapshot_close(before);
    prof_snapshot_close(now);
    return result;
}

/* ---- the terminal ---- */

static struct termios terminal_before;
static int has_terminal;

static void leave_terminal(void)
{
    static const char leave[] = "\033[?25h\033[?1049l";
    if (!has_terminal)
        return;
    has_terminal = 0;
    fflush(stdout);
    if (write(STDOUT_FILENO, leave, sizeof(leave) - 1) < 0)
        errno = 0; /* it is gone */
    tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before);
}

static int enter_terminal(void)
{
    struct sigaction action = { .sa_handler = on_signal };
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH };
    struct termios raw;
    if (tcgetattr(STDIN_FILENO, &terminal_before) != 0)
        return 0;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaction(signals[i], &action, NULL);
    raw = terminal_before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    has_terminal = 1;
    atexit(leave_terminal);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    fputs("\033[?1049h\033[?25l", stdout);
    return 1;
}

static int run_live(const cli_command *command, const settings *s)
{
    prof_snapshot *before = NULL, *now = look(command, s);
    int result = now != NULL ? CLI_OK : CLI_FAILED;
    if (now == NULL || !enter_terminal()) {
        prof_snapshot_close(now);
        return result;
    }
    while (now != NULL) {
        struct winsize size;
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0)
            size = (struct winsize){ .ws_row = 25, .ws_col = 80 };
        unsigned fits = size.ws_row > 6 ? size.ws_row - 6u : 1;
        fputs("\033[H\033[J", stdout);
        put_table(s, now, before, s->limit != 0 && s->limit < fits ? s->limit : fits, size.ws_col);
        printf("\nq quits\n");
        fflush(stdout);
        if (!wait_interval(s->interval_s, STDIN_FILENO))
            break;
        if (is_resized) {
            is_resized = 0;
            continue;
        }
        prof_snapshot_close(before);
        before = now;
        now = look(command, s);
        result = now != NULL ? CLI_OK : CLI_FAILED;
    }
    leave_terminal();
    prof_snapshot_close(before);
    prof_snapshot_close(now);
    if (is_over) { /* as if it had not been taken */
        signal(is_over, SIG_DFL);
        raise(is_over);
    }
    return result;
}

/* ---- the command ---- */

static double read_seconds(const cli_command *command, const char *text)
{
    char *end;
    double seconds = strtod(text, &end);
    if (*end != '\0' || end == text || !(seconds >= 0.1 && seconds <= 3600.0))
        cli_wrong(command, "--interval takes 0.1 to 3600 seconds, not %s", text);
    return seconds;
}

static void read_option(const cli_command *command, settings *s, int option, const char *value)
{
    char *end = NULL;
    if (option == INTERVAL) {
        s->interval_s = read_seconds(command, value);
    } else if (option == ONCE) {
        s->is_once = 1;
    } else if (option == LIMIT) {
        s->limit = (unsigned)strtoul(value, &end, 10);
        if (*end != '\0' || s->limit == 0 || s->limit > 1000000)
            cli_wrong(command, "--limit takes a number of functions, not %s", value);
    } else if (strcmp(value, "self") == 0 || strcmp(value, "cumulative") == 0 || strcmp(value, "calls") == 0) {
        s->sort = value[0] == 's' ? BY_SELF : value[1] == 'u' ? BY_CUMULATIVE : BY_CALLS;
    } else {
        cli_wrong(command, "--sort is self, cumulative or calls, not %s", value);
    }
}

static int run(const cli_command *command, int argc, char **argv)
{
    cli_reader reader = { .command = command, .argc = argc, .argv = argv, .at = 1 };
    settings s = { .interval_s = 1.0 };
    const char *value, *operand = NULL;
    int option;
    while ((option = cli_next(&reader, &value)) != CLI_END) {
        if (option == CLI_OPERAND && operand != NULL)
            cli_wrong(command, "one process at a time");
        if (option == CLI_OPERAND)
            operand = value;
        else
            read_option(command, &s, option, value);
    }
    s.pid = remote_pid(command, operand);
    if (s.is_once || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO))
        return run_once(command, &s);
    return run_live(command, &s);
}

const cli_command command_top = {
    "top", "show what a running program spends its time on", "[OPTION]... PID",
    "Calls a second, self and cumulative time as a share of one core (several threads may\n"
    "pass 100 %), percentiles of the calls that ended since the last look, and calls that\n"
    "are open.  On a terminal it is drawn again and again; q quits.\n"
    "The program must have been started with PROFCORE_CONTROL=1, by the same user.\n",
    options, 0, run,
};
