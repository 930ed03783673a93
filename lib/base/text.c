/* SPDX-License-Identifier: Apache-2.0 */
/* Cleaning and hashing of names: see text.h. */
#include "text.h"

#include <string.h>
#include <sys/auxv.h>

size_t profi_utf8_length(const unsigned char *text, size_t bytes, uint32_t *code_point)
{
    unsigned char first = text[0];
    size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (length == 0 || length > bytes)
        return 0;
    uint32_t value = length == 1 ? first : first & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (text[i] & 0x3f);
    }
    static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
    if (value < smallest[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
        return 0;
    *code_point = value;
    return length;
}

/*
 * What is drawn as nothing, or turns the direction of what follows: with it
 * one name looks like another, or rearranges the line that shows it.
 */
static int is_invisible(uint32_t c)
{
    return c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f);
}

/* As %0<digits>llx; by hand, since a signal handler's first scope comes through here, on its own small stack. */
static size_t put_hex(char *out, uint64_t value, unsigned digits)
{
    for (unsigned i = 0; i < digits; i++)
        out[i] = "0123456789abcdef"[value >> 4 * (digits - 1 - i) & 15];
    return digits;
}

static size_t put_escape(char piece[16], char kind, uint32_t code_point)
{
    piece[0] = '\\';
    piece[1] = kind;
    return 2 + (kind == 'x' ? put_hex(piece + 2, code_point, 2)
                : kind == 'u' ? put_hex(piece + 2, code_point, 4)
                : kind == 'U' ? put_hex(piece + 2, code_point, 8) : 0);
}

/* Writes what stands for one character into piece and returns its length. */
static size_t clean_character(char piece[16], const unsigned char *text, size_t bytes, size_t *taken)
{
    uint32_t code_point = 0;
    size_t length = profi_utf8_length(text, bytes, &code_point);
    *taken = length ? length : 1;
    if (length == 0)
        return put_escape(piece, 'x', text[0]);
    if (code_point == '\n' || code_point == '\t')
        return put_escape(piece, code_point == '\n' ? 'n' : 't', 0);
    if (code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0))
        return put_escape(piece, 'x', code_point);
    if (is_invisible(code_point))
        return put_escape(piece, code_point > 0xffff ? 'U' : 'u', code_point);
    int is_markup = code_point == '<' && bytes > 1 && (text[1] == '/' || text[1] == '!');
    if (is_markup)
        length = 3;
    memcpy(piece, is_markup ? "\xe2\x80\xb9" : (const char *)text, length);
    return length;
}

size_t profi_text_clean(char *out, const char *text, size_t bytes)
{
    enum { TAIL = 18 }; /* "~", 16 digits, NUL */
    size_t used = 0, cut_at = 0;
    for (size_t i = 0, taken; i < bytes; i += taken) {
        char piece[16];
        size_t length = clean_character(piece, (const unsigned char *)text + i, bytes - i, &taken);
        if (used + length + 1 > PROFI_TEXT_MAX) {
            out[cut_at] = '~';
            out[cut_at + 1 + put_hex(out + cut_at + 1, profi_text_hash(text, bytes, 0), 16)] = '\0';
            return cut_at + TAIL - 1;
        }
        memcpy(out + used, piece, length);
        used += length;
        if (used + TAIL <= PROFI_TEXT_MAX)
            cut_at = used;
    }
    out[used] = '\0';
    return used;
}

void profi_text_cut(char *out, size_t room, const char *text)
{
    size_t bytes = strnlen(text, room);
    if (bytes == room)
        for (bytes--; bytes > 0 && ((unsigned char)text[bytes] & 0xc0) == 0x80;)
            bytes--;
    memcpy(out, text, bytes);
    out[bytes] = '\0';
}

static const char *next_character(const char *text)
{
    for (text++; ((unsigned char)*text & 0xc0) == 0x80;)
        text++;
    return text;
}

int profi_text_fits(const char *text, const char *pattern)
{
    const char *star = NULL, *taken = NULL; /* the last star, and the end of what it stands for so far */
    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            taken = text;
        } else if (*pattern == '?') {
            pattern++;
            text = next_character(text);
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = taken = next_character(taken);
        } else {
            return 0;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

int profi_text_to_stem(char *out, const char *text)
{
    enum { LONGEST = 100 };
    int changed = 0;
    size_t used = 0;
    for (; *text != '\0' && used < LONGEST; text++) {
        char c = *text;
        int plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
                    (c == '.' && used > 0);
        out[used++] = plain ? c : '_';
        changed |= !plain;
    }
    if (used == 0)
        out[used++] = '_';
    out[used] = '\0';
    return changed || *text != '\0';
}

static uint64_t rotate(uint64_t x, unsigned bits) { return x << bits | x >> (64 - bits); }

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32) + v[3];
    v[2] += v[1];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

uint64_t profi_text_hash(const void *data, size_t bytes, uint64_t seed)
{
    const unsigned char *at = data;
    uint64_t v[4] = { seed ^ 0x736f6d6570736575u, 0x646f72616e646f6du, seed ^ 0x6c7967656e657261u, 0x7465646279746573u };
    uint64_t last = (uint64_t)bytes << 56, word = 0;
    for (; bytes >= 8; bytes -= 8, at += 8) {
        memcpy(&word, at, 8);
        sip_word(v, word);
    }
    for (size_t i = 0; i < bytes; i++)
        last |= (uint64_t)at[i] << 8 * i;
    sip_word(v, last);
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t profi_hash_seed(void)
{
    static uint64_t seed;
    uint64_t known = PROFI_GET(seed);
    if (known != 0)
        return known;
    /* The kernel gives each process 16 random bytes; libc guards its stacks with the same, so they leave only hashed. */
    const void *random = (const void *)(uintptr_t)getauxval(AT_RANDOM);
    known = random != NULL ? profi_text_hash(random, 16, 0) | 1 : (uintptr_t)&known | 1;
    PROFI_PUT(seed, known);
    return known;
}
