/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kills a program at an instruction of its choice.
 *
 *     crash_step_main STEPS PROGRAM ARGUMENT...
 *
 * The program is traced.  When one of its threads raises SIGUSR2, that thread
 * alone goes on, instruction by instruction, for so many of them; then the
 * whole process is killed.  Where the thread ends before, says after how many
 * instructions, and exits with 3.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t process;

static int end(int status)
{
    kill(process, SIGKILL);
    while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
        ;
    return status;
}

/* Runs the process until a thread raises SIGUSR2; its number, or -1. */
static pid_t wait_for_mark(void)
{
    int status;
    for (;;) {
        pid_t thread = waitpid(-1, &status, __WALL);
        if (thread < 0)
            return -1;
        if (!WIFSTOPPED(status))
            continue;
        int number = WSTOPSIG(status);
        if (number == SIGUSR2)
            return thread;
        int is_ours = number == SIGTRAP || number == SIGSTOP; /* a clone, an exec, a new thread */
        ptrace(PTRACE_CONT, thread, NULL, is_ours ? 0 : number);
    }
}

/* How many instructions the thread has done; fewer than wanted where it ended. */
static unsigned long step(pid_t thread, unsigned long wanted)
{
    int status;
    for (unsigned long done = 0; done < wanted; done++) {
        if (ptrace(PTRACE_SINGLESTEP, thread, NULL, 0) != 0 || waitpid(thread, &status, __WALL) != thread || !WIFSTOPPED(status))
            return done;
    }
    return wanted;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    unsigned long wanted = strtoul(argv[1], NULL, 10);
    process = fork();
    if (process == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        execv(argv[2], argv + 2);
        _exit(127);
    }
    int status;
    if (process < 0 || waitpid(process, &status, 0) != process || !WIFSTOPPED(status))
        return 2;
    if (ptrace(PTRACE_SETOPTIONS, process, NULL, PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL) != 0)
        return end(2);
    ptrace(PTRACE_CONT, process, NULL, 0);
    pid_t thread = wait_for_mark();
    if (thread < 0)
        return end(2);
    unsigned long done = step(thread, wanted);
    printf("%lu\n", done);
    return end(done == wanted ? 0 : 3);
}
