/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BERT's WordPiece tokeniser, uncased: see wordpiece.h.
 *
 * A text runs through in one pass, a character at a time, and no memory is
 * taken for it:
 *
 *     bytes -> character -> cleaned -> NFD, marks dropped, lower case
 *           -> the word being gathered -> pieces, longest match first -> ids
 *
 * Its one invariant: a word is at most WORD_LIMIT characters, longer ones are
 * [UNK] whatever they hold, so that no text can make matching slow.
 */
#include "wordpiece.h"

#include <stdlib.h>
#include <string.h>

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/utf16.h>
#include <unicode/utf8.h>

#include "vocab.h"

#define FILE_LIMIT_BYTES ((size_t)64 << 20)
#define PIECE_LIMIT_BYTES 1000
#define WORD_LIMIT 100 /* characters, as BERT has it */
#define NFD_LIMIT 32   /* UTF-16 units; Unicode's longest has 4 */

struct wordpiece {
    vocab pieces;
    const UNormalizer2 *nfd; /* ICU's own, constant */
    uint32_t pad, unknown, first, last;
};

/* ------------------------------------------------------------------------
 * The vocabulary
 */

static int is_utf8(const char *text, uint32_t bytes)
{
    for (uint32_t at = 0; at < bytes;) {
        UChar32 c;
        U8_NEXT(text, at, bytes, c);
        if (c < 0)
            return 0;
    }
    return 1;
}

static prof_status add_line(vocab *pieces, uint32_t id, uint32_t start, uint32_t bytes, const char *path,
                            prof_error *err)
{
    const char *const line = pieces->text + start;
    const char *wrong = NULL;
    if (bytes > 0 && line[bytes - 1] == '\r')
        bytes--;
    if (bytes == 0)
        wrong = "is empty";
    else if (bytes > PIECE_LIMIT_BYTES)
        wrong = "is too long for a piece";
    else if (memchr(line, '\0', bytes) != NULL)
        wrong = "holds a NUL byte";
    else if (!is_utf8(line, bytes))
        wrong = "is not UTF-8";
    if (wrong == NULL) {
        const prof_status status = vocab_add(pieces, id, start, bytes);
        if (status == PROF_E_INVALID)
            wrong = "repeats an earlier line";
        else if (status != PROF_OK)
            wrong = "is one of many that were made to collide";
    }
    if (wrong != NULL)
        return vocab_fail(err, PROF_E_FORMAT, "%s: line %u %s", path, id + 1, wrong);
    return PROF_OK;
}

static prof_status add_lines(vocab *pieces, size_t text_bytes, const char *path, prof_error *err)
{
    const char *const text = pieces->text;
    size_t start = 0;
    for (uint32_t id = 0; id < pieces->count; id++) {
        const char *const newline = memchr(text + start, '\n', text_bytes - start);
        const size_t end = newline != NULL ? (size_t)(newline - text) : text_bytes;
        const prof_status status = add_line(pieces, id, (uint32_t)start, (uint32_t)(end - start), path, err);
        if (status != PROF_OK)
            return status;
        start = end + 1;
    }
    return PROF_OK;
}

static size_t line_count(const char *text, size_t text_bytes)
{
    size_t count = text[text_bytes - 1] != '\n';
    for (size_t i = 0; i < text_bytes; i++)
        count += text[i] == '\n';
    return count;
}

static prof_status find_control(const vocab *pieces, const char *name, uint32_t *id, const char *path,
                                prof_error *err)
{
    *id = vocab_find(pieces, name, strlen(name));
    if (*id == VOCAB_NONE)
        return vocab_fail(err, PROF_E_FORMAT, "%s: not a WordPiece vocabulary: it has no line %s", path, name);
    return PROF_OK;
}

static prof_status fill(wordpiece *made, const char *path, prof_error *err)
{
    UErrorCode icu = U_ZERO_ERROR;
    char *text = NULL;
    size_t text_bytes = 0;
    prof_status status;

    made->nfd = unorm2_getNFDInstance(&icu);
    if (U_FAILURE(icu))
        return vocab_fail(err, PROF_E_UNSUPPORTED, "ICU has no data for NFD: %s", u_errorName(icu));
    if ((status = vocab_read_file(path, FILE_LIMIT_BYTES, &text, &text_bytes, err)) != PROF_OK)
        return status;
    const size_t count = line_count(text, text_bytes);
    if (count > VOCAB_LIMIT) {
        free(text);
        return vocab_fail(err, PROF_E_FORMAT, "%s: has %zu lines, more than a vocabulary may have (%u)", path, count,
                          VOCAB_LIMIT);
    }
    if ((status = vocab_init(&made->pieces, text, (uint32_t)count)) != PROF_OK)
        return vocab_fail(err, status, "%s: no memory for its %zu pieces", path, count);
    if ((status = add_lines(&made->pieces, text_bytes, path, err)) != PROF_OK)
        return status;
    if ((status = find_control(&made->pieces, "[PAD]", &made->pad, path, err)) != PROF_OK ||
        (status = find_control(&made->pieces, "[UNK]", &made->unknown, path, err)) != PROF_OK ||
        (status = find_control(&made->pieces, "[CLS]", &made->first, path, err)) != PROF_OK ||
        (status = find_control(&made->pieces, "[SEP]", &made->last, path, err)) != PROF_OK)
        return status;
    return PROF_OK;
}

prof_status wordpiece_open(const char *vocab_path, wordpiece **tokenizer, prof_error *err)
{
    if (vocab_path == NULL || tokenizer == NULL)
        return vocab_fail(err, PROF_E_INVALID, "wordpiece_open: an argument is NULL");
    wordpiece *const made = calloc(1, sizeof *made);
    if (made == NULL)
        return vocab_fail(err, PROF_E_NO_MEMORY, "wordpiece_open: no memory");
    const prof_status status = fill(made, vocab_path, err);
    if (status != PROF_OK) {
        wordpiece_close(made);
        return status;
    }
    *tokenizer = made;
    return PROF_OK;
}

void wordpiece_close(wordpiece *tokenizer)
{
    if (tokenizer == NULL)
        return;
    vocab_fini(&tokenizer->pieces);
    free(tokenizer);
}

/* ------------------------------------------------------------------------
 * Characters: what BERT makes of them
 */

/*
 * Line breaks and tabs are blanks; the other control and format characters
 * vanish, and so does broken UTF-8, which arrives as a negative number.
 */
static int is_dropped(UChar32 c)
{
    if (c < 0x80)
        return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
    return c == 0xfffd || (U_MASK(u_charType(c)) & (U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK | U_GC_CS_MASK)) != 0;
}

static int is_blank(UChar32 c)
{
    if (c < 0x80)
        return c == ' ' || c == '\t' || c == '\n' || c == '\r';
    return u_isUWhiteSpace(c);
}

/* All of ASCII's symbols count, "$" and "+" too, and beyond ASCII Unicode's punctuation only. */
static int is_punctuation(UChar32 c)
{
    if (c < 0x80)
        return c > 0x20 && c < 0x7f && !(c >= '0' && c <= '9') && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    return (U_MASK(u_charType(c)) & U_GC_P_MASK) != 0;
}

/* The blocks whose characters are words of their own, as BERT lists them.  Kana and Hangul are not among them. */
static int is_ideograph(UChar32 c)
{
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0xf900 && c <= 0xfaff) ||
           (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b73f) || (c >= 0x2b740 && c <= 0x2b81f) ||
           (c >= 0x2b820 && c <= 0x2ceaf) || (c >= 0x2f800 && c <= 0x2fa1f);
}

/* ------------------------------------------------------------------------
 * Words into pieces
 */

typedef struct encoder {
    const wordpiece *tokenizer;
    int64_t *ids;
    size_t count, capacity;
    uint32_t word_chars; /* counts on beyond what word[] holds */
    uint32_t word_end;
    char word[2 + WORD_LIMIT * U8_MAX_LENGTH]; /* begins at 2: room for a "##" before it */
} encoder;

static void put(encoder *e, uint32_t id)
{
    if (e->count < e->capacity)
        e->ids[e->count++] = id;
}

/* The longest piece that word[from … word_end) begins with; *next receives where it ends. */
static uint32_t longest_piece(const encoder *e, uint32_t from, uint32_t text_start, uint32_t *next)
{
    const vocab *const pieces = &e->tokenizer->pieces;
    uint64_t hash = VOCAB_HASH_START;
    uint32_t best = VOCAB_NONE;
    for (uint32_t at = from; at < e->word_end && at - from < pieces->longest; at++) {
        hash = vocab_hash(hash, (unsigned char)e->word[at]);
        /* A bare "##" is no continuation, and no piece ends within a character. */
        if (at < text_start || (at + 1 < e->word_end && U8_IS_TRAIL(e->word[at + 1])))
            continue;
        const uint32_t id = vocab_find_hashed(pieces, e->word + from, at + 1 - from, hash);
        if (id != VOCAB_NONE) {
            best = id;
            *next = at + 1;
        }
    }
    return best;
}

/* Ends the word being gathered.  All of it has pieces, or it is one [UNK]. */
static void end_word(encoder *e)
{
    uint32_t found[WORD_LIMIT], found_count = 0;
    const uint32_t chars = e->word_chars;
    if (chars == 0)
        return;
    e->word_chars = 0;
    for (uint32_t at = 2; chars <= WORD_LIMIT && at < e->word_end; found_count++) {
        uint32_t from = at;
        if (at > 2) { /* what lies before has its pieces already */
            from = at - 2;
            memcpy(e->word + from, "##", 2);
        }
        found[found_count] = longest_piece(e, from, at, &at);
        if (found[found_count] == VOCAB_NONE) {
            found_count = 0;
            break;
        }
    }
    if (found_count == 0)
        put(e, e->tokenizer->unknown);
    for (uint32_t i = 0; i < found_count; i++)
        put(e, found[i]);
}

static void add_char(encoder *e, UChar32 c)
{
    if (e->word_chars == 0)
        e->word_end = 2;
    if (e->word_chars++ < WORD_LIMIT)
        U8_APPEND_UNSAFE(e->word, e->word_end, c);
}

/* A character after NFD. */
static void take_decomposed(encoder *e, UChar32 c)
{
    if (c >= 0x80) {
        if (u_charType(c) == U_NON_SPACING_MARK)
            return;
        c = u_tolower(c);
    } else if (c >= 'A' && c <= 'Z') {
        c |= 0x20;
    }
    if (is_blank(c)) {
        end_word(e);
    } else if (is_punctuation(c)) {
        end_word(e);
        add_char(e, c);
        end_word(e);
    } else {
        add_char(e, c);
    }
}

/* A character of the text.  NFD's reordering of marks is left out: the marks it moves are dropped next. */
static void take(encoder *e, UChar32 c)
{
    if (is_dropped(c))
        return;
    UChar parts[NFD_LIMIT];
    UErrorCode icu = U_ZERO_ERROR;
    const int is_own_word = is_ideograph(c);
    const int32_t part_count = c < 0xc0 ? -1 : unorm2_getDecomposition(e->tokenizer->nfd, c, parts, NFD_LIMIT, &icu);
    if (is_own_word)
        end_word(e);
    if (part_count < 0 || U_FAILURE(icu)) {
        take_decomposed(e, c);
    } else {
        for (int32_t at = 0; at < part_count;) {
            UChar32 part;
            U16_NEXT(parts, at, part_count, part);
            take_decomposed(e, part);
        }
    }
    if (is_own_word)
        end_word(e);
}

size_t wordpiece_encode(const wordpiece *tokenizer, const char *text, size_t text_bytes, int64_t *ids,
                        size_t capacity, uint32_t flags)
{
    const size_t frame = (flags & WORDPIECE_BARE) != 0 ? 0 : 2;
    if (tokenizer == NULL || ids == NULL || capacity < frame || (text == NULL && text_bytes > 0))
        return 0;
    encoder e;
    e.tokenizer = tokenizer;
    e.ids = ids;
    e.count = 0;
    e.capacity = capacity - frame / 2;
    e.word_chars = 0;
    if (frame > 0)
        put(&e, tokenizer->first);
    const int64_t end = text_bytes > INT64_MAX ? INT64_MAX : (int64_t)text_bytes;
    for (int64_t at = 0; at < end && e.count < e.capacity;) {
        UChar32 c;
        U8_NEXT(text, at, end, c);
        take(&e, c);
    }
    end_word(&e);
    if (frame > 0)
        ids[e.count++] = tokenizer->last;
    return e.count;
}

/* ------------------------------------------------------------------------
 * And back
 */

size_t wordpiece_decode(const wordpiece *tokenizer, const int64_t *ids, size_t count, char *text, size_t capacity)
{
    vocab_sink sink = { text, text != NULL ? capacity : 0, 0, 0 };
    vocab_put(&sink, "", 0);
    if (tokenizer == NULL || ids == NULL)
        return 0;
    const vocab *const pieces = &tokenizer->pieces;
    for (size_t i = 0; i < count; i++) {
        const uint32_t id = ids[i] >= 0 && ids[i] < pieces->count ? (uint32_t)ids[i] : tokenizer->unknown;
        if (id == tokenizer->pad || id == tokenizer->first || id == tokenizer->last)
            continue;
        const vocab_entry entry = pieces->entries[id];
        const char *const piece = pieces->text + entry.start;
        const int continues = entry.bytes > 2 && memcmp(piece, "##", 2) == 0;
        const int begins = !continues && sink.length > 0;
        const size_t bytes = entry.bytes - (continues ? 2 : 0);
        char joined[1 + PIECE_LIMIT_BYTES];
        joined[0] = ' ';
        memcpy(joined + begins, piece + (continues ? 2 : 0), bytes);
        vocab_put(&sink, joined, begins + bytes);
    }
    return sink.length;
}

size_t wordpiece_count(const wordpiece *tokenizer)
{
    return tokenizer->pieces.count;
}

int64_t wordpiece_pad(const wordpiece *tokenizer)
{
    return tokenizer->pad;
}
