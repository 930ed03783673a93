/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WordPiece on a vocabulary of 30 pieces, and on files that are none.  That
 * real text gives the reference's ids is tests/examples/tokenizer_check.py's
 * part.
 */
#include "wordpiece.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

#define CONTROLS "[PAD]\n[UNK]\n[CLS]\n[SEP]\n"
#define PIECES                                                                \
    CONTROLS                                                                  \
    "hello\nwor\n##ld\nworld\n##s\n,\n!\n[\n]\ncls\n"     /* from 4 on */  \
    "cafe\n中\n文\na\n##a\nβ\nстар\n##ии\n$\n##2\n"       /* from 14 on */ \
    "σ\ni\nを\n##を\n#\n##\n"                                /* from 24 on */

static char path[64];

static void write_file(const void *bytes, size_t count)
{
    strcpy(path, "/tmp/wordpiece_test_XXXXXX");
    const int file = mkstemp(path);
    if (file < 0 || write(file, bytes, count) != (ssize_t)count)
        printf("# cannot write %s\n", path);
    close(file);
}

static wordpiece *open_pieces(void)
{
    wordpiece *made = NULL;
    prof_error err = PROF_ERROR_INIT;
    write_file(PIECES, strlen(PIECES));
    if (wordpiece_open(path, &made, &err) != PROF_OK)
        printf("# %s\n", err.message);
    unlink(path);
    return made;
}

/* The ids as text, "2 4 3". */
static const char *encoded_within(const wordpiece *pieces, const char *text, size_t bytes, size_t capacity,
                                  uint32_t flags)
{
    static char shown[4096];
    int64_t ids[512];
    size_t at = 0;
    const size_t count = wordpiece_encode(pieces, text, bytes, ids, capacity, flags);
    shown[0] = '\0';
    for (size_t i = 0; i < count; i++)
        at += (size_t)snprintf(shown + at, sizeof shown - at, i > 0 ? " %d" : "%d", (int)ids[i]);
    return shown;
}

static const char *encoded(const wordpiece *pieces, const char *text)
{
    return encoded_within(pieces, text, strlen(text), 256, 0);
}

/* The message of an open that must fail. */
static const char *refused_bytes(const void *bytes, size_t count)
{
    static prof_error err;
    wordpiece *made = NULL;
    err = (prof_error)PROF_ERROR_INIT;
    write_file(bytes, count);
    CHECK_I64(wordpiece_open(path, &made, &err), PROF_E_FORMAT);
    unlink(path);
    CHECK(made == NULL);
    CHECK_I64(err.status, PROF_E_FORMAT);
    CHECK_HAS(err.message, path);
    wordpiece_close(made);
    return err.message;
}

static const char *refused(const char *text)
{
    return refused_bytes(text, strlen(text));
}

TEST(a_text_becomes_pieces_between_cls_and_sep)
{
    wordpiece *const pieces = open_pieces();
    REQUIRE(pieces != NULL);
    CHECK_STR(encoded(pieces, "hello world"), "2 4 7 3");
    CHECK_STR(encoded(pieces, "  hello\t\r\nworld  "), "2 4 7 3");
    CHECK_STR(encoded(pieces, ""), "2 3");
    CHECK_STR(encoded_within(pieces, NULL, 0, 256, 0), "2 3");
    CHECK_STR(encoded_within(pieces, "hello", 5, 256, WORDPIECE_BARE), "4");
    CHECK_U64(wordpiece_count(pieces), 30);
    CHECK_I64(wordpiece_pad(pieces), 0);
    wordpiece_close(pieces);
}

TEST(the_longest_piece_wins_and_continuations_follow)
{
    wordpiece *const pieces = open_pieces();
    REQUIRE(pieces != NULL);
    CHECK_STR(encoded(pieces, "worlds worldss"), "2 7 8 7 8 8 3");
    CHECK_STR(encoded(pieces, "aaa a2"), "2 17 18 18 17 23 3");
    CHECK_STR(encoded(pieces, "ををを"), "2 26 27 27 3");
    wordpiece_close(pieces);
}

TEST(a_word_that_has_no_pieces_to_its_end_is_one_unknown)
{
    wordpiece *const pieces = open_pieces();
    REQUIRE(pieces != NULL);
    CHECK_STR(encoded(pieces, "hellox hello x"), "2 1 4 1 3");
    CHECK_STR(encoded(pieces, "s ld ##ld"), "2 1 1 28 28 1 3"); /* a continuation begins no word */
    CHECK_STR(encoded(pieces, "🙂"), "2 1 3");
    wordpiece_close(pieces);
}

TEST(case_and_accents_are_dropped)
{
    wordpiece *const pieces = open_pieces();
    REQUIRE(pieces != NULL);
    CHECK_STR(encoded(pieces, "HeLLo CAFÉ cafe\xcc\x81"), "2 4 14 14 3");
    CHECK_STR(encoded(pieces, "СТАРИЙ старий"), "2 20 21 20 21 3");
    CHECK_STR(encoded(pieces, "İ Β Σ ς"), "2 25 19 24 1 3"); /* Σ alone gives σ, ς stays itself */
    wordpiece_close(pieces);
}

TEST(punctuation_and_ideographs_are_words_of_their_own)
{
    wordpiece *const pieces = open_pieces();
    REQUIRE(pieces != NULL);
    CHECK_STR(encoded(pieces, "hello,world!!"), "2 4 9 7 10 10 3");
    CHECK_STR(encoded(pieces, "a$a"), "2 17 22 17 3");
    CHECK_STR(encoded(pieces, "a中文a"), "2 17 15 16 17 3");
    CHECK_STR(encoded(pieces, "a。a"), "2 17 1 17 3");
    wordpiece_close(pieces);
}

TEST(control_and_format_characters_vanish_and_other_blanks_separate)
{
    wordpiece *const pieces = open_pieces();
    REQUIRE(pieces != NULL);
    CHECK_STR(encoded_within(pieces, "hel\0lo", 6, 256, 0), "2 4 3");
    CHECK_STR(encoded(pieces, "he\x01l\x0bl\x7fo"), "2 4 3");
    CHECK_STR(encoded(pieces, "hel\u200blo hel\u00adlo \ufeffhello hel\ufffdlo"), "2 4 4 4 4 3");
    CHECK_STR(encoded(pieces, "hello\u00a0world\u3000a\u2028a"), "2 4 7 17 17 3");
    wordpiece_close(pieces);
}

TEST(bytes_that_are_not_utf8_are_dropped)
{
    wordpiece *const pieces = open_pieces();
    REQUIRE(pieces != NULL);
    CHECK_STR(encoded(pieces, "he\xffllo \xc3"), "2 4 3");
    CHECK_STR(encoded(pieces, "\xed\xa0\x80hello\xf4\x90\x80\x80"), "2 4 3");
    CHECK_STR(encoded_within(pieces, "hello \xe4\xb8\xad", 8, 256, 0), "2 4 3"); /* cut inside a character */
    wordpiece_close(pieces);
}

TEST(a_literal_control_piece_is_only_text)
{
    wordpiece *const pieces = open_pieces();
    REQUIRE(pieces != NULL);
    CHECK_STR(encoded(pieces, "[CLS]"), "2 11 13 12 3");
    wordpiece_close(pieces);
}

TEST(a_word_of_100_characters_has_pieces_and_one_of_101_has_none)
{
    wordpiece *const pieces = open_pieces();
    char text[402], accented[303];
    int64_t ids[256];
    REQUIRE(pieces != NULL);
    memset(text, 'a', sizeof text);
    CHECK_U64(wordpiece_encode(pieces, text, 100, ids, 256, 0), 102);
    CHECK_I64(ids[1], 17);
    CHECK_I64(ids[100], 18);
    CHECK_STR(encoded_within(pieces, text, 101, 256, 0), "2 1 3");
    CHECK_STR(encoded_within(pieces, text, sizeof text, 256, 0), "2 1 3");
    for (int i = 0; i < 101; i++) /* dropped marks do not count */
        memcpy(accented + 3 * i, "a\xcc\x81", 3);
    CHECK_U64(wordpiece_encode(pieces, accented, 300, ids, 256, 0), 102);
    CHECK_U64(wordpiece_encode(pieces, accented, 303, ids, 256, 0), 3);
    wordpiece_close(pieces);
}

TEST(a_word_of_characters_of_four_bytes_stays_in_its_buffer)
{
    wordpiece *const pieces = open_pieces();
    char text[4 * 300];
    REQUIRE(pieces != NULL);
    for (int i = 0; i < 300; i++)
        memcpy(text + 4 * i, "\xf0\x90\x8d\x88", 4);
    CHECK_STR(encoded_within(pieces, text, 4 * 100, 256, 0), "2 1 3");
    CHECK_STR(encoded_within(pieces, text, sizeof text, 256, 0), "2 1 3");
    wordpiece_close(pieces);
}

TEST(a_long_text_is_cut_to_the_capacity_and_sep_stays_last)
{
    wordpiece *const pieces = open_pieces();
    REQUIRE(pieces != NULL);
    CHECK_STR(encoded_within(pieces, "aaaa hello", 10, 5, 0), "2 17 18 18 3");
    CHECK_STR(encoded_within(pieces, "aaaa hello", 10, 2, 0), "2 3");
    CHECK_STR(encoded_within(pieces, "aaaa hello", 10, 1, 0), "");
    CHECK_STR(encoded_within(pieces, "aaaa hello", 10, 0, 0), "");
    CHECK_STR(encoded_within(pieces, "aaaa hello", 10, 2, WORDPIECE_BARE), "17 18");
    CHECK_STR(encoded_within(pieces, "aaaa hello", 10, 0, WORDPIECE_BARE), "");
    wordpiece_close(pieces);
}

TEST(ids_become_readable_text_again)
{
    wordpiece *const pieces = open_pieces();
    const int64_t ids[] = { 2, 4, 7, 8, 9, 1, -5, 1000, 3, 0 };
    char text[64];
    REQUIRE(pieces != NULL);
    CHECK_U64(wordpiece_decode(pieces, ids, 10, text, sizeof text), 32);
    CHECK_STR(text, "hello worlds , [UNK] [UNK] [UNK]");
    CHECK_U64(wordpiece_decode(pieces, ids, 10, text, 12), 32);
    CHECK_STR(text, "hello world");
    CHECK_U64(wordpiece_decode(pieces, ids, 10, text, 11), 32);
    CHECK_STR(text, "hello");
    CHECK_U64(wordpiece_decode(pieces, ids, 10, NULL, 0), 32);
    CHECK_U64(wordpiece_decode(pieces, ids, 0, text, sizeof text), 0);
    CHECK_STR(text, "");
    wordpiece_close(pieces);
}

TEST(arguments_that_are_null_are_refused)
{
    wordpiece *made = NULL;
    int64_t ids[4];
    prof_error err = PROF_ERROR_INIT;
    CHECK_I64(wordpiece_open(NULL, &made, &err), PROF_E_INVALID);
    CHECK_HAS(err.message, "NULL");
    CHECK_I64(wordpiece_open("vocab.txt", NULL, NULL), PROF_E_INVALID);
    CHECK_U64(wordpiece_encode(NULL, "a", 1, ids, 4, 0), 0);
    wordpiece_close(NULL);
}

TEST(a_file_that_cannot_be_read_is_named_with_the_reason)
{
    wordpiece *made = NULL;
    prof_error err = PROF_ERROR_INIT;
    CHECK_I64(wordpiece_open("/nowhere/vocab.txt", &made, &err), PROF_E_IO);
    CHECK_HAS(err.message, "/nowhere/vocab.txt: cannot be opened: No such file");
    CHECK_I64(wordpiece_open("/tmp", &made, &err), PROF_E_IO);
    CHECK_HAS(err.message, "not a regular file");
    strcpy(path, "/tmp/wordpiece_fifo_XXXXXX");
    close(mkstemp(path));
    unlink(path);
    REQUIRE(mkfifo(path, 0600) == 0);
    CHECK_I64(wordpiece_open(path, &made, &err), PROF_E_IO); /* and does not wait for a writer */
    unlink(path);
    CHECK(made == NULL);
    CHECK_I64(wordpiece_open("/nowhere/vocab.txt", &made, NULL), PROF_E_IO);
}

TEST(a_message_holds_no_newline_whatever_the_path_is)
{
    wordpiece *made = NULL;
    prof_error err = PROF_ERROR_INIT;
    CHECK_I64(wordpiece_open("/nowhere/a\nb\x1b[31m%n%s", &made, &err), PROF_E_IO);
    CHECK_HAS(err.message, "/nowhere/a?b?[31m%n%s");
}

TEST(a_file_that_is_no_vocabulary_is_refused_with_its_line)
{
    CHECK_HAS(refused(""), "is empty");
    CHECK_HAS(refused("\n\n"), "line 1 is empty");
    CHECK_HAS(refused(CONTROLS "a\n\nb\n"), "line 6 is empty");
    CHECK_HAS(refused(CONTROLS "a\nb\na\n"), "line 7 repeats an earlier line");
    CHECK_HAS(refused(CONTROLS "a\n\xff\n"), "line 6 is not UTF-8");
    CHECK_HAS(refused_bytes(CONTROLS "a\0b\n", strlen(CONTROLS) + 4), "line 5 holds a NUL byte");
    CHECK_HAS(refused("[PAD]\n[UNK]\n[CLS]\n"), "no line [SEP]");
    CHECK_HAS(refused("[PAD]\n[UNK]\n[SEP]\n"), "no line [CLS]");
    CHECK_HAS(refused("[PAD]\n[CLS]\n[SEP]\n"), "no line [UNK]");
    CHECK_HAS(refused("[UNK]\n[CLS]\n[SEP]\n"), "no line [PAD]");
}

TEST(windows_line_ends_and_a_missing_last_one_are_accepted)
{
    wordpiece *made = NULL;
    prof_error err = PROF_ERROR_INIT;
    write_file("[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\na", 29);
    CHECK_I64(wordpiece_open(path, &made, &err), PROF_OK);
    unlink(path);
    REQUIRE(made != NULL);
    CHECK_STR(encoded(made, "a"), "2 4 3");
    CHECK_I64(err.status, 0);
    wordpiece_close(made);
}

TEST(a_file_that_is_absurdly_large_is_refused)
{
    static char lines[2 * ((1 << 20) + 1)], line[2000];
    wordpiece *made = NULL;
    prof_error err = PROF_ERROR_INIT;
    for (size_t i = 0; i < sizeof lines; i += 2)
        memcpy(lines + i, "a\n", 2);
    CHECK_HAS(refused_bytes(lines, sizeof lines), "has 1048577 lines");
    memset(line, 'a', sizeof line);
    CHECK_HAS(refused_bytes(line, sizeof line), "line 1 is too long");
    write_file("", 0);
    REQUIRE(truncate(path, (off_t)10 << 30) == 0); /* sparse */
    CHECK_I64(wordpiece_open(path, &made, &err), PROF_E_FORMAT);
    unlink(path);
    CHECK_HAS(err.message, "has 10737418240 bytes");
}

/* The table has 8,192 slots for these lines; all of them want the same one. */
TEST(a_file_made_of_colliding_pieces_is_refused_at_once)
{
    static char text[3000 * 16] = CONTROLS;
    size_t at = strlen(text);
    for (unsigned number = 0, lines = 4; lines < 2100; number++) {
        char line[16];
        const int bytes = snprintf(line, sizeof line, "%u", number);
        uint64_t hash = UINT64_C(0xcbf29ce484222325);
        for (int i = 0; i < bytes; i++)
            hash = (hash ^ (unsigned char)line[i]) * UINT64_C(0x100000001b3);
        if (((uint32_t)(hash ^ hash >> 32) & 8191) != 1)
            continue;
        at += (size_t)sprintf(text + at, "%s\n", line);
        lines++;
    }
    CHECK_HAS(refused_bytes(text, at), "made to collide");
}

static void *encode_often(void *pieces)
{
    for (int i = 0; i < 2000; i++) {
        int64_t ids[8];
        if (wordpiece_encode(pieces, "Worlds, café", 13, ids, 8, 0) != 6 || ids[1] != 7 || ids[4] != 14)
            return pieces;
    }
    return NULL;
}

TEST(one_tokenizer_serves_several_threads)
{
    wordpiece *const pieces = open_pieces();
    pthread_t threads[4];
    REQUIRE(pieces != NULL);
    for (int i = 0; i < 4; i++)
        REQUIRE(pthread_create(&threads[i], NULL, encode_often, pieces) == 0);
    for (int i = 0; i < 4; i++) {
        void *wrong = pieces;
        pthread_join(threads[i], &wrong);
        CHECK(wrong == NULL);
    }
    wordpiece_close(pieces);
}

TEST(any_bytes_give_valid_ids_within_the_capacity)
{
    static const char likely[16] = "a2#[] .\xcc\x81\xe4\xb8\xad\xea\xb0\x80";
    wordpiece *const pieces = open_pieces();
    uint64_t random = 1;
    REQUIRE(pieces != NULL);
    for (int round = 0; round < 20000; round++) {
        char text[300];
        int64_t ids[21];
        for (size_t i = 0; i < sizeof text; i++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
            text[i] = round % 2 != 0 ? (char)(random >> 56) : likely[random >> 60];
        }
        const size_t capacity = random >> 40 & 15;
        ids[capacity] = -7;
        const size_t count = wordpiece_encode(pieces, text, random >> 32 & 255, ids, capacity, 0);
        REQUIRE(count <= capacity && ids[capacity] == -7);
        for (size_t i = 0; i < count; i++)
            REQUIRE(ids[i] >= 0 && ids[i] < 30);
    }
    wordpiece_close(pieces);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
