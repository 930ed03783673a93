/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where bytes go that somebody else reads, or does not: a pipe or a socket
 * that the program was given, or a FIFO.  Nothing here waits for who reads,
 * but for profi_outlet_wait(), and no signal reaches the program.
 *
 * The descriptor is one of its own.  What was given is left as it is, its
 * flags too, since others may share it; and it is not closed.
 */
#ifndef PROFI_OUTLET_H
#define PROFI_OUTLET_H

#include "base.h"
#include <profcore/prof.h>

typedef struct profi_outlet {
    char path[4096];        /* of a FIFO, from the root; "": it was given open */
    int fd;                 /* -1: a FIFO that nobody reads yet, or closed */
    int is_socket;
    int may_wait;           /* a write of more than a page would */
    uint64_t device, inode; /* the host may close what it does not know, and use the number again */
} profi_outlet;

/* Whether `to` is spelt as one: "fd:3", or a path. */
prof_status profi_outlet_check(const char *to, prof_error *err);

/* A descriptor is opened anew, or copied; a FIFO only has to be there, and is opened when somebody reads it. */
prof_status profi_outlet_open(profi_outlet *outlet, const char *to, prof_error *err);

/*
 * Writes what there is room for; *written receives how much.  EAGAIN where
 * that is nothing, another errno value where there is nothing more to hope
 * for, EPIPE where the reader has gone.
 */
int profi_outlet_write(profi_outlet *outlet, const void *data, size_t bytes, size_t *written);

/* Waits at most so long until the descriptor, a copy of outlet.fd, has room; with -1 just as long. */
void profi_outlet_wait(int fd, int most_ms);

void profi_outlet_close(profi_outlet *outlet);

#endif
