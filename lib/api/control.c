/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: who may speak, and how much.
 *
 * One thread serves all clients by poll(), none of which it waits for: a
 * request is a line of at most 255 bytes, an answer is made as a whole and
 * sent as the client reads.  Who neither asks nor reads for ten seconds is
 * dropped, and so is who is not the same user.  The socket lies in a folder
 * that only its user may enter, and is 0600 itself.
 *
 * A host may close descriptors that it does not know, and use their numbers
 * for files of its own: each is looked at before it is used.
 */
#include "control.h"

#include "../base/clock.h"
#include "../base/error.h"
#include "../base/publish.h"
#include "../base/system.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 8, LINE_BYTES = 256, PATIENCE_MS = 10000, IDLE_MS = 1000, MOST_ANSWER_BYTES = 256 << 20 };

typedef struct endpoint {
    int fd; /* -1: none */
    profi_identity identity;
} endpoint;

typedef struct client {
    endpoint socket;
    char line[LINE_BYTES];
    size_t line_used;
    char *answer;
    size_t answer_bytes, sent;
    uint64_t patient_until_ns;
} client;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static endpoint listener = { .fd = -1 };
static profi_identity bound; /* what lies at `address` */
static struct sockaddr_un address;
static client clients[CLIENTS];

/* ---- descriptors ---- */

static int is_same(const endpoint *e)
{
    struct stat status;
    return e->fd >= 0 && fstat(e->fd, &status) == 0 && S_ISSOCK(status.st_mode) && status.st_dev == e->identity.device &&
           status.st_ino == e->identity.inode;
}

static endpoint endpoint_of(int fd)
{
    struct stat status;
    endpoint e = { .fd = fd };
    if (fd >= 0 && fstat(fd, &status) == 0)
        e.identity = profi_identity_of_stat(&status);
    return e;
}

static void drop_endpoint(endpoint *e)
{
    if (is_same(e))
        close(e->fd);
    e->fd = -1;
}

/* ---- where it lies ---- */

prof_status profi_control_check(const char *value, prof_error *err)
{
    if (strcmp(value, "0") == 0 || strcmp(value, "1") == 0)
        return PROF_OK;
    if (value[0] != '/')
        return profi_fail(err, PROF_E_INVALID, "neither 0, 1 nor a path from the root on");
    if (strlen(value) >= sizeof(address.sun_path))
        return profi_fail(err, PROF_E_INVALID, "a socket's path has at most %zu bytes", sizeof(address.sun_path) - 1);
    return PROF_OK;
}

/* A folder that only this user may enter, and nobody else has made. */
static prof_status private_folder(const char *path, prof_error *err)
{
    struct stat status;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return profi_fail_errno(err, errno, "cannot make the folder \"%s\"", path);
    if (lstat(path, &status) != 0)
        return profi_fail_errno(err, errno, "cannot look at the folder \"%s\"", path);
    if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid() || (status.st_mode & 077) != 0)
        return profi_fail(err, PROF_E_IO, "\"%s\" is not a folder that only user %ld may enter", path, (long)geteuid());
    return PROF_OK;
}

static prof_status choose_address(const char *value, prof_error *err)
{
    const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
    char folder[80];
    int length;
    address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (value[0] == '/') {
        memcpy(address.sun_path, value, strlen(value) + 1);
        return PROF_OK;
    }
    if (runtime != NULL && runtime[0] == '/' && strlen(runtime) < 64)
        length = snprintf(folder, sizeof(folder), "%s/profcore", runtime);
    else
        length = snprintf(folder, sizeof(folder), "/tmp/profcore-%ld", (long)geteuid());
    prof_status status = private_folder(folder, err);
    if (status == PROF_OK)
        snprintf(address.sun_path, sizeof(address.sun_path), "%.*s/%ld.sock", length, folder, (long)getpid());
    return status;
}

/* Whether what lies there is a socket of ours that nobody listens to any more. */
static int is_stale(void)
{
    struct stat status;
    if (lstat(address.sun_path, &status) != 0 || !S_ISSOCK(status.st_mode) || status.st_uid != geteuid())
        return 0;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int is_refused = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 && errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    return is_refused;
}

static prof_status open_listener(prof_error *err)
{
    struct stat status;
    int fd = profi_fd_above_standard(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    int error = fd >= 0 && fchmod(fd, 0600) == 0 ? 0 : errno; /* before it has a name */
    for (int tries = 0; error == 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0; tries++) {
        error = errno;
        if (error == EADDRINUSE && tries == 0 && is_stale() && unlink(address.sun_path) == 0)
            error = 0;
    }
    if (error == 0 && (lstat(address.sun_path, &status) != 0 || listen(fd, CLIENTS) != 0))
        error = errno;
    if (error != 0) {
        if (fd >= 0)
            close(fd);
        return profi_fail_errno(err, error, "cannot listen at \"%s\"", address.sun_path);
    }
    bound = profi_identity_of_stat(&status);
    listener = endpoint_of(fd);
    return PROF_OK;
}

/* ---- answers ---- */

typedef struct buffer {
    char *data;
    size_t used, room;
} buffer;

static int append(void *user, const void *data, size_t bytes)
{
    buffer *b = user;
    if (bytes > MOST_ANSWER_BYTES - b->used)
        return EFBIG;
    if (b->used + bytes > b->room) {
        size_t room = (b->used + bytes) * 2;
        char *larger = realloc(b->data, room);
        if (larger == NULL)
            return ENOMEM;
        b->data = larger;
        b->room = room;
    }
    memcpy(b->data + b->used, data, bytes);
    b->used += bytes;
    return 0;
}

/* "profcore/1 ok BYTES" and so many bytes; or "profcore/1 error" and why. */
static void answer(client *c, const char *line)
{
    static profi_output out;
    buffer body = { 0 }, whole = { 0 };
    char head[640];
    prof_error why = PROF_ERROR_INIT;
    profi_output_init(&out, append, &body);
    prof_status status = profi_control_answer(line, &out, &why);
    int error = profi_output_finish(&out);
    if (status == PROF_OK && error != 0)
        status = profi_fail_errno(&why, error, "no room for the answer");
    int length = status == PROF_OK ? snprintf(head, sizeof(head), "profcore/1 ok %zu\n", body.used)
                                   : snprintf(head, sizeof(head), "profcore/1 error %s: %s\n", prof_status_name(status), why.message);
    if (append(&whole, head, (size_t)length) == 0 && (status != PROF_OK || append(&whole, body.data, body.used) == 0)) {
        c->answer = whole.data;
        c->answer_bytes = whole.used;
        c->sent = 0;
    } else {
        free(whole.data); /* no word is better than half of one: the client is dropped when it has no patience any more */
    }
    free(body.data);
}

/* ---- clients ---- */

static void drop(client *c)
{
    drop_endpoint(&c->socket);
    free(c->answer);
    *c = (client){ .socket = { .fd = -1 } };
}

static void be_patient(client *c)
{
    c->patient_until_ns = profi_clock_monotonic_ns() + (uint64_t)PATIENCE_MS * 1000000;
}

static int is_same_user(int fd)
{
    struct ucred peer = { 0 };
    socklen_t bytes = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 && peer.uid == geteuid();
}

static void say_and_close(int fd, const char *text)
{
    if (send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        errno = 0; /* it does not want to know */
    close(fd);
}

static void take_client(void)
{
    static const struct timespec pause = { 0, 50000000 };
    int fd = accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    unsigned i = 0;
    if (fd < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            nanosleep(&pause, NULL); /* no descriptors: not to be tried without end */
        return;
    }
    while (i < CLIENTS && clients[i].socket.fd >= 0)
        i++;
    if (!is_same_user(fd)) {
        say_and_close(fd, "profcore/1 error PROF_E_INVALID: another user's process\n");
    } else if (i == CLIENTS) {
        say_and_close(fd, "profcore/1 error PROF_E_BUSY: too many clients\n");
    } else {
        clients[i].socket = endpoint_of(fd);
        be_patient(&clients[i]);
    }
}

/* Sends what the client takes; 0 when it is gone. */
static int send_some(client *c)
{
    ssize_t sent = send(c->socket.fd, c->answer + c->sent, c->answer_bytes - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR;
    if (sent > 0)
        be_patient(c);
    c->sent += (size_t)sent;
    if (c->sent == c->answer_bytes) {
        free(c->answer);
        c->answer = NULL;
        c->answer_bytes = c->sent = 0;
    }
    return 1;
}

/* Answers the first line that is whole; what follows it waits. */
static void answer_line(client *c)
{
    char *end = memchr(c->line, '\n', c->line_used);
    if (end == NULL || c->answer != NULL)
        return;
    size_t bytes = (size_t)(end - c->line) + 1;
    *end = '\0'; /* a NUL before it just ends the command earlier */
    answer(c, c->line);
    memmove(c->line, c->line + bytes, c->line_used - bytes);
    c->line_used -= bytes;
    be_patient(c);
}

/* Reads what is there; 0 when the client is gone, or says too much. */
static int read_some(client *c)
{
    if (c->line_used == sizeof(c->line))
        return 0;
    ssize_t got = recv(c->socket.fd, c->line + c->line_used, sizeof(c->line) - c->line_used, MSG_DONTWAIT);
    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    c->line_used += (size_t)got;
    return 1;
}

static void serve(client *c, short events)
{
    int is_there = is_same(&c->socket) && !(events & POLLNVAL);
    if (is_there && events & POLLOUT && c->answer != NULL)
        is_there = send_some(c);
    if (is_there && events & (POLLIN | POLLHUP | POLLERR) && c->answer == NULL)
        is_there = read_some(c);
    if (is_there)
        answer_line(c);
    if (!is_there || profi_clock_monotonic_ns() > c->patient_until_ns)
        drop(c);
}

static void *control_main(void *unused)
{
    (void)unused;
    while (!profi_threads_are_alone()) {
        struct pollfd all[CLIENTS + 1] = { { .fd = listener.fd, .events = POLLIN } };
        int is_waiting = 0;
        for (unsigned i = 0; i < CLIENTS; i++) {
            all[i + 1] = (struct pollfd){ .fd = clients[i].socket.fd, .events = clients[i].answer != NULL ? POLLOUT : POLLIN };
            is_waiting |= clients[i].socket.fd >= 0;
        }
        if (poll(all, CLIENTS + 1, is_waiting ? PATIENCE_MS / 10 : IDLE_MS) < 0 && errno != EINTR)
            break;
        if (!is_same(&listener))
            break;
        for (unsigned i = 0; i < CLIENTS; i++)
            if (clients[i].socket.fd >= 0)
                serve(&clients[i], all[i + 1].revents);
        if (all[0].revents & POLLIN)
            take_client();
    }
    for (unsigned i = 0; i < CLIENTS; i++)
        drop(&clients[i]);
    return NULL;
}

/* ---- starting ---- */

prof_status profi_control_start(prof_error *err)
{
    static int is_tried;
    const char *value = secure_getenv("PROFCORE_CONTROL");
    if (value == NULL || value[0] == '\0' || strcmp(value, "0") == 0 || profi_control_check(value, NULL) != PROF_OK)
        return PROF_OK; /* what is wrong with it is said by whoever reads the configuration */
    pthread_mutex_lock(&lock);
    prof_status status = PROF_OK;
    if (listener.fd < 0 && is_tried != getpid()) {
        is_tried = getpid(); /* once in a process */
        for (unsigned i = 0; i < CLIENTS; i++)
            clients[i].socket.fd = -1;
        status = choose_address(value, err);
        if (status == PROF_OK)
            status = open_listener(err);
        int error = status == PROF_OK ? profi_thread_spawn(control_main, "profcore-ctl") : 0;
        if (error != 0) {
            unlink(address.sun_path);
            drop_endpoint(&listener);
            status = profi_fail_errno(err, error, "cannot start the thread that listens");
        }
    }
    pthread_mutex_unlock(&lock);
    return status;
}

void profi_control_stop(void)
{
    struct stat status;
    pthread_mutex_lock(&lock);
    if (listener.fd >= 0 && lstat(address.sun_path, &status) == 0 && status.st_dev == bound.device && status.st_ino == bound.inode)
        unlink(address.sun_path);
    pthread_mutex_unlock(&lock);
}

void profi_control_forget(void)
{
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER; /* a thread that the child does not have may have held it */
    for (unsigned i = 0; i < CLIENTS && listener.fd >= 0; i++) {
        drop_endpoint(&clients[i].socket); /* answers may be half made: their memory stays */
        clients[i] = (client){ .socket = { .fd = -1 } };
    }
    drop_endpoint(&listener);
}
