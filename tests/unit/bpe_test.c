/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Byte-level BPE on the 256 bytes and a dozen merges, and on files that do
 * not fit.  That real text gives the reference's ids is
 * tests/examples/tokenizer_check.py's part.
 */
#include "bpe.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

static char vocab_path[64], merges_path[64];

static void write_file(char *path, const void *bytes, size_t count)
{
    strcpy(path, "/tmp/bpe_test_XXXXXX");
    const int file = mkstemp(path);
    if (file < 0 || write(file, bytes, count) != (ssize_t)count)
        printf("# cannot write %s\n", path);
    close(file);
}

/* The character that stands for a byte in GPT-2's files. */
static unsigned letter_of(int byte)
{
    unsigned next = 256;
    for (int b = 0; b < 256; b++) {
        const int is_visible = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
        if (b == byte)
            return is_visible ? (unsigned)b : next;
        next += !is_visible;
    }
    return 0;
}

/* All bytes but `missing`, each under its own number, and then `more`. */
static const char *vocab_json(int missing, const char *more)
{
    static char text[8192];
    size_t at = (size_t)sprintf(text, "{");
    for (int byte = 0; byte < 256; byte++)
        if (byte != missing)
            at += (size_t)sprintf(text + at, "\"\\u%04x\": %d, ", letter_of(byte), byte);
    sprintf(text + at, "%s}", more);
    return text;
}

#define TOKENS                                                                                            \
    "\"ab\": 256, \"bc\": 257, \"abc\": 258, \"aa\": 259, \"aaaa\": 260, \"\\u0120t\": 261, "             \
    "\"\\u0120th\": 262, \"\\u0120the\": 263, \"\\u00c3\\u00a9\": 264, \"<|endoftext|>\": 265, \"cd\": 266"
#define MERGES "#version: 0.2\na b\nb c\nab c\na a\naa aa\n\u0120 t\n\u0120t h\n\u0120th e\n\u00c3 \u00a9\nc d\n"

static prof_error refusal;

static bpe *open_files(const char *vocab, size_t vocab_bytes, const char *merges, size_t merges_bytes)
{
    bpe *made = NULL;
    refusal = (prof_error)PROF_ERROR_INIT;
    write_file(vocab_path, vocab, vocab_bytes);
    write_file(merges_path, merges, merges_bytes);
    const prof_status status = bpe_open(vocab_path, merges_path, &made, &refusal);
    CHECK_I64(status, refusal.status);
    CHECK((status == PROF_OK) == (made != NULL));
    unlink(vocab_path);
    unlink(merges_path);
    return made;
}

static bpe *open_texts(const char *vocab, const char *merges)
{
    return open_files(vocab, strlen(vocab), merges, strlen(merges));
}

static bpe *open_tokens(void)
{
    bpe *const made = open_texts(vocab_json(-1, TOKENS), MERGES);
    if (made == NULL)
        printf("# %s\n", refusal.message);
    return made;
}

/* The message of an open that must fail, and name the file. */
static const char *refused(const char *path, const char *vocab, const char *merges)
{
    bpe *const made = open_texts(vocab, merges);
    CHECK_I64(refusal.status, PROF_E_FORMAT);
    CHECK_HAS(refusal.message, path);
    bpe_close(made);
    return refusal.message;
}

static const char *vocab_refused(const char *vocab)
{
    return refused(vocab_path, vocab, MERGES);
}

static const char *merges_refused(const char *merges)
{
    return refused(merges_path, vocab_json(-1, TOKENS), merges);
}

/* The tokens, a bar between: "ab|c". */
static const char *split_bytes(const bpe *tokens, const char *text, size_t bytes)
{
    static char shown[4096];
    int64_t ids[512];
    size_t count = 0, at = 0;
    CHECK_I64(bpe_encode(tokens, text, bytes, ids, 512, &count, NULL), PROF_OK);
    shown[0] = '\0';
    for (size_t i = 0; i < count && i < 512; i++) {
        if (i > 0)
            shown[at++] = '|';
        at += bpe_decode(tokens, ids + i, 1, shown + at, sizeof shown - at);
    }
    return shown;
}

static const char *split(const bpe *tokens, const char *text)
{
    return split_bytes(tokens, text, strlen(text));
}

TEST(pairs_merge_by_rank_and_from_the_left)
{
    bpe *const tokens = open_tokens();
    REQUIRE(tokens != NULL);
    CHECK_STR(split(tokens, "abc"), "abc");
    CHECK_STR(split(tokens, "bcd"), "bc|d"); /* b c ranks before c d */
    CHECK_STR(split(tokens, "abcd"), "abc|d");
    CHECK_STR(split(tokens, "aaaaaaa"), "aaaa|aa|a");
    CHECK_STR(split(tokens, "aab"), "a|ab");
    CHECK_STR(split(tokens, "x the"), "x| the");
    CHECK_STR(split(tokens, "é"), "é");
    CHECK_STR(split(tokens, ""), "");
    CHECK_U64(bpe_count(tokens), 267);
    CHECK_I64(bpe_end(tokens), 265);
    bpe_close(tokens);
}

TEST(no_merge_crosses_the_border_of_two_words)
{
    /* Any two of these bytes merge, unless they are of two words. */
    static const char bytes[] = "a1.'s t\n";
    static char more[4096], merges[4096];
    size_t more_at = 0, merges_at = 0;
    unsigned id = 256;
    for (size_t i = 0; i < 8; i++)
        for (size_t j = 0; j < 8; j++) {
            char left[8], right[8];
            const unsigned l = letter_of(bytes[i]), r = letter_of(bytes[j]);
            sprintf(left, l < 128 ? "%c" : "\xc4%c", l < 128 ? (int)l : (int)(0x80 + (l & 0x3f)));
            sprintf(right, r < 128 ? "%c" : "\xc4%c", r < 128 ? (int)r : (int)(0x80 + (r & 0x3f)));
            more_at += (size_t)sprintf(more + more_at, id > 256 ? ", \"%s%s\": %u" : "\"%s%s\": %u", left, right, id);
            id++;
            merges_at += (size_t)sprintf(merges + merges_at, "%s %s\n", left, right);
        }
    bpe *const tokens = open_texts(vocab_json(-1, more), merges);
    REQUIRE(tokens != NULL);
    CHECK_STR(split(tokens, "aa11..aa"), "aa|11|..|aa");
    CHECK_STR(split(tokens, "a1.a"), "a|1|.|a");
    CHECK_STR(split(tokens, " a 1 ."), " a| 1| .");
    CHECK_STR(split(tokens, "a's a't"), "a|'s| a|'t");
    CHECK_STR(split(tokens, "a 's"), "a| '|s"); /* the blank takes the apostrophe */
    CHECK_STR(split(tokens, "'a"), "'|a");
    CHECK_STR(split(tokens, ".'s"), ".'|s");
    CHECK_STR(split(tokens, "a  a"), "a| | a"); /* the last blank belongs to the word */
    CHECK_STR(split(tokens, "a\n\na"), "a|\n|\n|a");
    CHECK_STR(split(tokens, "a\n a"), "a|\n| a");
    CHECK_STR(split(tokens, "a  "), "a|  ");
    CHECK_STR(split(tokens, " "), " ");
    bpe_close(tokens);
}

TEST(every_byte_survives_the_way_to_ids_and_back)
{
    bpe *const tokens = open_tokens();
    uint64_t random = 7;
    REQUIRE(tokens != NULL);
    for (int round = 0; round < 20000; round++) {
        static const char likely[16] = "abcd 'ts\nh\xc3\xa9\xf0\x9f\x99\x82";
        char text[300], back[301];
        int64_t ids[300];
        size_t count = 0;
        for (size_t i = 0; i < sizeof text; i++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
            text[i] = round % 2 != 0 ? (char)(random >> 56) : likely[random >> 60];
        }
        const size_t bytes = (random >> 32) % (sizeof text + 1);
        REQUIRE(bpe_encode(tokens, text, bytes, ids, 300, &count, NULL) == PROF_OK);
        REQUIRE(count <= bytes);
        REQUIRE(bpe_decode(tokens, ids, count, back, sizeof back) == bytes);
        REQUIRE(memcmp(back, text, bytes) == 0);
    }
    bpe_close(tokens);
}

TEST(ids_beyond_the_capacity_are_counted_and_not_written)
{
    bpe *const tokens = open_tokens();
    int64_t ids[3] = { -7, -7, -7 };
    size_t count = 0;
    REQUIRE(tokens != NULL);
    CHECK_I64(bpe_encode(tokens, "abc d e", 7, ids, 2, &count, NULL), PROF_OK);
    CHECK_U64(count, 5);
    CHECK_I64(ids[0], 258);
    CHECK_I64(ids[1], ' ');
    CHECK_I64(ids[2], -7);
    CHECK_I64(bpe_encode(tokens, "abc d e", 7, NULL, 0, &count, NULL), PROF_OK);
    CHECK_U64(count, 5);
    bpe_close(tokens);
}

TEST(decoding_ignores_ids_that_no_token_has_and_cuts_at_a_whole_token)
{
    bpe *const tokens = open_texts(vocab_json(-1, "\"ab\": 300"), "a b\n");
    const int64_t ids[] = { 300, -1, 280, 301, INT64_MAX, 'c' };
    char text[8];
    REQUIRE(tokens != NULL);
    CHECK_U64(bpe_count(tokens), 301);
    CHECK_I64(bpe_end(tokens), -1);
    CHECK_U64(bpe_decode(tokens, ids, 6, text, sizeof text), 3);
    CHECK_STR(text, "abc");
    CHECK_U64(bpe_decode(tokens, ids, 6, text, 2), 3);
    CHECK_STR(text, "");
    CHECK_U64(bpe_decode(tokens, ids, 6, NULL, 0), 3);
    bpe_close(tokens);
}

TEST(a_literal_end_token_is_only_text)
{
    bpe *const tokens = open_tokens();
    REQUIRE(tokens != NULL);
    CHECK_STR(split(tokens, "<|endoftext|>"), "<|||e|n|d|o|f|t|e|x|t|||>");
    bpe_close(tokens);
}

/* 4 MiB in one word: quadratic merging would take days. */
TEST(a_word_of_megabytes_takes_seconds_at_most)
{
    bpe *const tokens = open_tokens();
    const size_t bytes = (size_t)4 << 20;
    char *const text = malloc(bytes);
    size_t count = 0;
    REQUIRE(tokens != NULL && text != NULL);
    const clock_t start = clock();
    memset(text, 'a', bytes);
    CHECK_I64(bpe_encode(tokens, text, bytes, NULL, 0, &count, NULL), PROF_OK);
    CHECK_U64(count, bytes / 4);
    memset(text, ' ', bytes);
    CHECK_I64(bpe_encode(tokens, text, bytes, NULL, 0, &count, NULL), PROF_OK);
    CHECK_U64(count, bytes);
    for (size_t i = 0; i < bytes; i++)
        text[i] = "abc"[i % 3];
    CHECK_I64(bpe_encode(tokens, text, bytes, NULL, 0, &count, NULL), PROF_OK);
    CHECK_U64(count, (bytes + 2) / 3);
    CHECK((double)(clock() - start) / CLOCKS_PER_SEC < 60);
    free(text);
    bpe_close(tokens);
}

TEST(arguments_that_are_null_or_too_large_are_refused)
{
    bpe *const tokens = open_tokens();
    bpe *made = NULL;
    int64_t ids[1];
    size_t count = 0;
    prof_error err = PROF_ERROR_INIT;
    REQUIRE(tokens != NULL);
    CHECK_I64(bpe_open(NULL, "m", &made, &err), PROF_E_INVALID);
    CHECK_I64(bpe_open("v", NULL, &made, &err), PROF_E_INVALID);
    CHECK_I64(bpe_open("v", "m", NULL, NULL), PROF_E_INVALID);
    CHECK_I64(bpe_encode(NULL, "a", 1, ids, 1, &count, &err), PROF_E_INVALID);
    CHECK_I64(bpe_encode(tokens, NULL, 1, ids, 1, &count, &err), PROF_E_INVALID);
    CHECK_I64(bpe_encode(tokens, "a", 1, NULL, 1, &count, &err), PROF_E_INVALID);
    CHECK_I64(bpe_encode(tokens, "a", 1, ids, 1, NULL, &err), PROF_E_INVALID);
    CHECK_I64(bpe_encode(tokens, "a", SIZE_MAX, ids, 1, &count, &err), PROF_E_INVALID);
    CHECK_HAS(err.message, "more than 1073741824 bytes");
    bpe_close(tokens);
    bpe_close(NULL);
}

TEST(a_file_that_cannot_be_read_is_named)
{
    bpe *made = NULL;
    prof_error err = PROF_ERROR_INIT;
    CHECK_I64(bpe_open("/nowhere/vocab.json", "/nowhere/merges.txt", &made, &err), PROF_E_IO);
    CHECK_HAS(err.message, "/nowhere/vocab.json: cannot be opened: No such file");
    write_file(vocab_path, vocab_json(-1, TOKENS), strlen(vocab_json(-1, TOKENS)));
    CHECK_I64(bpe_open(vocab_path, "/tmp", &made, &err), PROF_E_IO);
    CHECK_HAS(err.message, "/tmp: is not a regular file");
    unlink(vocab_path);
    CHECK(made == NULL);
}

TEST(a_vocabulary_that_is_none_is_refused)
{
    static char deep[100001], long_token[1200];
    CHECK_HAS(vocab_refused(""), "is empty");
    CHECK_HAS(vocab_refused("{\"a\": 0"), "line 1, column");
    CHECK_HAS(vocab_refused("[]"), "not an object");
    CHECK_HAS(vocab_refused("{}"), "not an object");
    CHECK_HAS(vocab_refused("{\"a\": 0, \"a\": 1}"), "duplicate");
    CHECK_HAS(vocab_refused("{\"a\": \"0\"}"), "the id of \"a\" is not a number");
    CHECK_HAS(vocab_refused("{\"a\": -1}"), "the id of \"a\" is not a number");
    CHECK_HAS(vocab_refused("{\"a\": 1.5}"), "the id of \"a\" is not a number");
    CHECK_HAS(vocab_refused("{\"a\": 4294967296}"), "the id of \"a\" is not a number below 1048576");
    CHECK_HAS(vocab_refused("{\"a\": 99999999999999999999}"), "line 1, column");
    CHECK_HAS(vocab_refused("{\"\": 1}"), "empty or too long");
    CHECK_HAS(vocab_refused("{\"a\": 0, \"b\": 0}"), "two tokens have the id 0");
    CHECK_HAS(vocab_refused("{\"a b\": 0}"), "not in GPT-2's byte alphabet");
    CHECK_HAS(vocab_refused("{\"\\u4e2d\": 0}"), "not in GPT-2's byte alphabet");
    CHECK_HAS(vocab_refused("{\"a\": 0}"), "no token for the byte 0x00");
    CHECK_HAS(vocab_refused(vocab_json(0xe9, TOKENS)), "no token for the byte 0xe9");
    memset(deep, '[', sizeof deep - 1);
    CHECK_HAS(vocab_refused(deep), "line 1, column");
    snprintf(long_token, sizeof long_token, "{\"%01100d\": 1}", 0);
    CHECK_HAS(vocab_refused(long_token), "empty or too long");
}

TEST(a_nul_in_the_vocabulary_is_refused)
{
    static const char in_text[] = "{\"a\0b\": 0}";
    bpe *made = open_files(in_text, sizeof in_text - 1, MERGES, strlen(MERGES));
    CHECK_I64(refusal.status, PROF_E_FORMAT);
    bpe_close(made);
    CHECK_HAS(vocab_refused("{\"a\\u0000b\": 0}"), "line 1, column");
}

TEST(merges_that_do_not_fit_are_refused_with_their_line)
{
    static char many[2 * (1 << 20) + 3];
    CHECK_HAS(merges_refused(""), "is empty");
    CHECK_HAS(merges_refused("a b\n\nb c\n"), "line 2 is not two tokens");
    CHECK_HAS(merges_refused("ab\n"), "line 1 is not two tokens");
    CHECK_HAS(merges_refused("a b c\n"), "line 1 is not two tokens");
    CHECK_HAS(merges_refused(" b\n"), "line 1 is not two tokens");
    CHECK_HAS(merges_refused("a \n"), "line 1 is not two tokens");
    CHECK_HAS(merges_refused("a b\n#version: 0.2\n"), "line 2 does not belong");
    CHECK_HAS(merges_refused("x y\n"), "line 1 does not belong to the vocabulary");
    CHECK_HAS(merges_refused("xy z\n"), "line 1 does not belong to the vocabulary");
    CHECK_HAS(merges_refused("a b\na b\n"), "line 2 repeats an earlier line");
    CHECK_HAS(merges_refused("a \xff\n"), "line 1 is not in GPT-2's byte alphabet");
    CHECK_HAS(merges_refused("a 中\n"), "line 1 is not in GPT-2's byte alphabet");
    memset(many, '\n', sizeof many - 1);
    CHECK_HAS(merges_refused(many), "more than such a file may have");
}

TEST(the_first_comment_is_optional_and_windows_line_ends_are_accepted)
{
    bpe *tokens = open_texts(vocab_json(-1, TOKENS), "a b\r\nab c");
    REQUIRE(tokens != NULL);
    CHECK_STR(split(tokens, "abc"), "abc");
    bpe_close(tokens);
    tokens = open_texts(vocab_json(-1, TOKENS), "#version: 0.2\n");
    REQUIRE(tokens != NULL);
    CHECK_STR(split(tokens, "abc"), "a|b|c");
    bpe_close(tokens);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
