/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See remote.h.  Where the socket lies follows from the variables that the
 * process was started with; that the process itself listens there, and not
 * somebody who has put a socket in its place, from what the kernel says of
 * the peer.
 */
#include "remote.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_S = 120, MOST_BYTES = 256 << 20 };

pid_t remote_pid(const cli_command *command, const char *text)
{
    char *end;
    if (text == NULL)
        cli_wrong(command, "which process? Its id, as ps and pgrep show it");
    long pid = strtol(text, &end, 10);
    if (*end != '\0' || end == text || pid <= 0 || pid > INT_MAX)
        cli_wrong(command, "not a process id: %s", text);
    return (pid_t)pid;
}

/* A variable that the process was started with; NULL when it had none, or it cannot be seen. */
static char *variable_of(pid_t pid, const char *name)
{
    enum { MOST = 4 << 20 };
    char path[64], *found = NULL;
    snprintf(path, sizeof(path), "/proc/%ld/environ", (long)pid);
    FILE *file = fopen(path, "re");
    char *text = malloc(MOST);
    size_t bytes = file != NULL && text != NULL ? fread(text, 1, MOST - 1, file) : 0, name_bytes = strlen(name);
    for (size_t at = 0; at < bytes && found == NULL; at += strlen(text + at) + 1) {
        text[bytes] = '\0';
        if (strncmp(text + at, name, name_bytes) == 0 && text[at + name_bytes] == '=')
            found = strdup(text + at + name_bytes + 1);
    }
    if (file != NULL)
        fclose(file);
    free(text);
    return found;
}

static void choose_address(pid_t pid, struct sockaddr_un *address)
{
    char *control = variable_of(pid, "PROFCORE_CONTROL"), *runtime = variable_of(pid, "XDG_RUNTIME_DIR");
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (control != NULL && control[0] == '/')
        snprintf(address->sun_path, sizeof(address->sun_path), "%s", control);
    else if (runtime != NULL && runtime[0] == '/' && strlen(runtime) < 64)
        snprintf(address->sun_path, sizeof(address->sun_path), "%s/profcore/%ld.sock", runtime, (long)pid);
    else
        snprintf(address->sun_path, sizeof(address->sun_path), "/tmp/profcore-%ld/%ld.sock", (long)geteuid(), (long)pid);
    free(control);
    free(runtime);
}

/* Why nobody listens. */
static void say_why(const cli_command *command, pid_t pid, const char *path, int error)
{
    char folder[64];
    struct stat status;
    snprintf(folder, sizeof(folder), "/proc/%ld", (long)pid);
    if (kill(pid, 0) != 0 && errno == ESRCH)
        cli_say(command, "there is no process %ld", (long)pid);
    else if (stat(folder, &status) == 0 && status.st_uid != geteuid())
        cli_say(command, "process %ld is another user's: only user %ld can ask it", (long)pid, (long)status.st_uid);
    else if (error == ENOENT)
        cli_say(command, "process %ld does not listen (there is no %s): it must link libprofcore and be started with "
                "PROFCORE_CONTROL=1", (long)pid, path);
    else
        cli_say(command, "cannot ask process %ld at %s: %s", (long)pid, path, strerror(error));
}

static int connect_to(const cli_command *command, pid_t pid, int silent)
{
    const struct timeval patience = { .tv_sec = ANSWER_S };
    struct sockaddr_un address;
    struct ucred peer = { 0 };
    socklen_t bytes = sizeof(peer);
    choose_address(pid, &address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) {
        if (!silent)
            say_why(command, pid, address.sun_path, errno);
    } else if (peer.uid != geteuid() || peer.pid != pid) {
        cli_say(command, "it is process %ld of user %ld that listens at %s", (long)peer.pid, (long)peer.uid, address.sun_path);
    } else {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

static char *read_body(FILE *from, size_t bytes)
{
    char *body = bytes <= MOST_BYTES ? malloc(bytes + 1) : NULL;
    if (body == NULL || fread(body, 1, bytes, from) != bytes) {
        free(body);
        return NULL;
    }
    body[bytes] = '\0';
    return body;
}

char *remote_ask(const cli_command *command, pid_t pid, const char *line, size_t *bytes, int silent)
{
    char head[1024] = "", request[256], *body = NULL;
    int fd = connect_to(command, pid, silent);
    int length = snprintf(request, sizeof(request), "%s\n", line);
    if (fd < 0)
        return NULL;
    FILE *from = fdopen(fd, "r");
    if (from == NULL) {
        close(fd);
        return NULL;
    }
    if (send(fd, request, (size_t)length, MSG_NOSIGNAL) == length && fgets(head, sizeof(head), from) != NULL) {
        head[strcspn(head, "\n")] = '\0';
        if (sscanf(head, "profcore/1 ok %zu", bytes) == 1)
            body = read_body(from, *bytes);
    }
    if (body == NULL && !silent)
        cli_say(command, "process %ld: %s", (long)pid,
                strncmp(head, "profcore/1 error ", 17) == 0 ? head + 17 : head[0] != '\0' ? head : "it did not answer");
    fclose(from);
    return body;
}
