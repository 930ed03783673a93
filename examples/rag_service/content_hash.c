/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hash of content_hash.h: four lanes take 8 bytes each in turn, so that
 * four multiplications are under way at once; the ends are mixed well.
 */
#include "content_hash.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vocab.h"

enum { LANES = 4, BLOCK_BYTES = LANES * 8 };

/* Odd numbers without pattern: the fractions of square roots of 2, 3, 5, 7. */
static const uint64_t multiplier[LANES] = { UINT64_C(0x6a09e667f3bcc909), UINT64_C(0xbb67ae8584caa73b),
                                            UINT64_C(0x3c6ef372fe94f82b), UINT64_C(0xa54ff53a5f1d36f1) };

static uint64_t mix(uint64_t word)
{
    for (int i = 0; i < 2; i++) {
        word ^= word >> 32;
        word *= multiplier[i];
    }
    return word ^ word >> 29;
}

static void add_block(uint64_t lane[LANES], const unsigned char *block)
{
    for (int i = 0; i < LANES; i++) {
        uint64_t word;
        memcpy(&word, block + 8 * i, sizeof word);
        word ^= lane[i];
        word *= multiplier[i];
        lane[i] = word ^ word >> 31;
    }
}

void content_hasher_init(content_hasher *hasher)
{
    memcpy(hasher->lane, multiplier, sizeof multiplier);
}

void content_hasher_add(content_hasher *hasher, const void *data, size_t bytes)
{
    uint64_t lane[LANES];
    const unsigned char *const text = data;
    unsigned char last[BLOCK_BYTES] = { 0 };
    size_t done = 0;
    memcpy(lane, hasher->lane, sizeof lane);
    for (; bytes - done >= BLOCK_BYTES; done += BLOCK_BYTES)
        add_block(lane, text + done);
    if (done < bytes)
        memcpy(last, text + done, bytes - done);
    add_block(lane, last);
    for (int i = 0; i < LANES; i++) /* the length ends each piece */
        hasher->lane[i] = mix(lane[i] + bytes * multiplier[i]);
}

content_hash content_hasher_result(const content_hasher *hasher)
{
    const uint64_t *const lane = hasher->lane;
    const uint64_t first = mix(lane[0] ^ mix(lane[1] + multiplier[2]));
    const uint64_t second = mix(lane[2] ^ mix(lane[3] + multiplier[3]));
    return (content_hash){ { mix(first + second * multiplier[0]), mix(second + first * multiplier[1]) } };
}

/* Reads whole pieces only: how the system cuts them must not change the hash. */
static prof_status read_piece(int file, const char *path, unsigned char *piece, size_t bytes, prof_error *err)
{
    for (size_t done = 0; done < bytes;) {
        const ssize_t got = read(file, piece + done, bytes - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return vocab_fail(err, PROF_E_IO, "%s: cannot be read: %s", path, strerror(errno));
        if (got == 0)
            return vocab_fail(err, PROF_E_IO, "%s: became shorter while it was read", path);
        done += (size_t)got;
    }
    return PROF_OK;
}

static prof_status add_open(content_hasher *hasher, int file, const char *path, prof_error *err)
{
    struct stat found;
    if (fstat(file, &found) != 0)
        return vocab_fail(err, PROF_E_IO, "%s: cannot be read: %s", path, strerror(errno));
    if (!S_ISREG(found.st_mode) || found.st_size == 0)
        return vocab_fail(err, PROF_E_FORMAT, "%s: is empty, or not a regular file", path);
    for (uint64_t left = (uint64_t)found.st_size; left > 0;) {
        unsigned char piece[1 << 17];
        const size_t wanted = left < sizeof piece ? (size_t)left : sizeof piece;
        const prof_status status = read_piece(file, path, piece, wanted, err);
        if (status != PROF_OK)
            return status;
        content_hasher_add(hasher, piece, wanted);
        left -= wanted;
    }
    return PROF_OK;
}

prof_status content_hasher_add_file(content_hasher *hasher, const char *path, prof_error *err)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return vocab_fail(err, PROF_E_IO, "%s: cannot be opened: %s", path, strerror(errno));
    const prof_status status = add_open(hasher, file, path, err);
    close(file);
    return status;
}
