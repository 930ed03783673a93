/* SPDX-License-Identifier: Apache-2.0 */
/* The example's documents: files, folders and WordNet, good and bad. */
#include "harness.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "documents.h"

static char folder[] = "/tmp/documents_test_XXXXXX";

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static const char *put_bytes(const char *name, const char *data, size_t bytes)
{
    const char *const path = path_of(name);
    FILE *const file = fopen(path, "wb");
    CHECK(file != NULL && fwrite(data, 1, bytes, file) == bytes);
    if (file != NULL)
        fclose(file);
    return path;
}

static const char *put(const char *name, const char *text)
{
    return put_bytes(name, text, strlen(text));
}

static const char *passage(const documents *d, size_t number)
{
    return number < d->passages.count ? text_list_at(&d->passages, number).text : "(none)";
}

/* Reads what must be refused; returns the message. */
static const char *refusal(const char *path, prof_status status)
{
    static prof_error err;
    documents d = { 0 };
    err = (prof_error)PROF_ERROR_INIT;
    CHECK_I64(documents_read(path, &d, &err), status);
    CHECK_U64(d.passages.count, 0);
    CHECK(d.passages.text == NULL);
    return err.message;
}

TEST(each_line_of_a_file_is_a_document_and_empty_ones_are_skipped)
{
    documents d = { 0 };
    CHECK_I64(documents_read(put("lines", "first\n\n \t\r\nsecond one\nlast"), &d, NULL), PROF_OK);
    CHECK_U64(d.passages.count, 3);
    CHECK_STR(passage(&d, 0), "first");
    CHECK_STR(passage(&d, 1), "second one");
    CHECK_STR(passage(&d, 2), "last");
    CHECK_U64(text_list_at(&d.passages, 1).bytes, 10);
    CHECK_U64(d.questions.count, 0);
    documents_fini(&d);
}

TEST(white_space_and_control_characters_become_one_blank)
{
    documents d = { 0 };
    const char *const path = put("blanks", "\xef\xbb\xbf  a\t\t b\x1b[1m \x7f" "c\r\nzw\xc3\xb6lf\r\n");
    CHECK_I64(documents_read(path, &d, NULL), PROF_OK);
    CHECK_STR(passage(&d, 0), "a b [1m c");
    CHECK_STR(passage(&d, 1), "zw\xc3\xb6lf");
    documents_fini(&d);
}

TEST(a_nul_is_refused_with_its_line_and_byte)
{
    CHECK_HAS(refusal(put_bytes("nul", "good\nba\0d\n", 10), PROF_E_FORMAT), "nul, line 2: a NUL at byte 3");
}

TEST(bytes_that_are_not_utf_8_are_refused_with_their_place)
{
    CHECK_HAS(refusal(put("latin1", "a\nb\nna\xefve\n"), PROF_E_FORMAT), "latin1, line 3: not UTF-8 at byte 3 (0xef)");
    CHECK_HAS(refusal(put("surrogate", "\xed\xa0\x80\n"), PROF_E_FORMAT), "line 1: not UTF-8 at byte 1");
    CHECK_HAS(refusal(put("cut", "ok \xe2\x82"), PROF_E_FORMAT), "not UTF-8 at byte 4");
}

TEST(a_line_above_the_limit_is_refused)
{
    const size_t bytes = TEXT_LIMIT_BYTES + 1;
    char *const line = malloc(bytes);
    REQUIRE(line != NULL);
    memset(line, 'x', bytes);
    CHECK_HAS(refusal(put_bytes("long", line, bytes), PROF_E_LIMIT), "line 1: a text of 1048577 bytes");
    documents d = { 0 };
    CHECK_I64(documents_read(put_bytes("long", line, bytes - 1), &d, NULL), PROF_OK);
    CHECK_U64(text_list_at(&d.passages, 0).bytes, TEXT_LIMIT_BYTES);
    documents_fini(&d);
    free(line);
}

TEST(what_holds_no_document_is_refused)
{
    CHECK_HAS(refusal(put("empty", ""), PROF_E_FORMAT), "empty: is empty");
    CHECK_HAS(refusal(put("blank", "\n \n\t\n"), PROF_E_FORMAT), "there is no document in it");
    CHECK_HAS(refusal(path_of("missing"), PROF_E_NOT_FOUND), "missing: No such file or directory");
    mkdir(path_of("bare"), 0777);
    CHECK_HAS(refusal(path_of("bare"), PROF_E_FORMAT), "there is no document in it");
}

TEST(a_pipe_is_refused_and_does_not_hang)
{
    REQUIRE(mkfifo(path_of("fifo"), 0666) == 0);
    CHECK_HAS(refusal(path_of("fifo"), PROF_E_IO), "not a regular file");
}

TEST(a_folder_gives_a_document_a_paragraph_in_the_order_of_names)
{
    documents d = { 0 };
    mkdir(path_of("texts"), 0777);
    mkdir(path_of("texts/inner"), 0777);
    REQUIRE(mkfifo(path_of("texts/a_pipe"), 0666) == 0);
    put("texts/inner/left_out", "not read\n");
    put("texts/.hidden", "not read\n");
    put("texts/b.txt", "third\n");
    put("texts/a.txt", "first,\nstill first\n \n\nsecond");
    put("texts/c.txt", "");
    CHECK_I64(documents_read(path_of("texts"), &d, NULL), PROF_OK);
    CHECK_U64(d.passages.count, 3);
    CHECK_STR(passage(&d, 0), "first, still first");
    CHECK_STR(passage(&d, 1), "second");
    CHECK_STR(passage(&d, 2), "third");
    documents_fini(&d);
}

TEST(an_error_in_a_folder_names_the_file_and_the_line)
{
    mkdir(path_of("bad"), 0777);
    put("bad/1.txt", "fine\n");
    put("bad/2.txt", "one\n\ntwo\n\nthree \xff\n");
    CHECK_HAS(refusal(path_of("bad"), PROF_E_FORMAT), "bad/2.txt, line 5: not UTF-8 at byte 7");
}

/* ------------------------------------------------------------------------
 * WordNet
 */

static const char licence[] = "  1 This software and database is being provided to you\n  2 as is\n";

static const char *small_wordnet(void)
{
    static char place[256];
    char text[1024];
    snprintf(place, sizeof place, "%s", path_of("wordnet"));
    mkdir(place, 0777);
    snprintf(text, sizeof text,
             "%s00000001 03 n 02 dog 0 domestic_dog 0 001 @ 00000002 n 0000 | a pet; \"the dog barked\"; \"two\"  \n"
             "00000002 03 n 01 cat 0 000 | a \"smaller\" pet  \n",
             licence);
    put("wordnet/data.noun", text);
    put("wordnet/data.verb", "00000003 29 v 01 run 0 000 01 + 02 00 | move fast; \"he runs\"  \n");
    put("wordnet/data.adj", "00000004 00 s 02 handy 0 ready_to_hand(p) 0 000 | easy to reach; \"a handy spot  \n");
    put("wordnet/data.adv", "00000005 02 r 0a a 0 b 0 c 0 d 0 e 0 f 0 g 0 h 0 i 0 j 0 000 | ten words  \n");
    return place;
}

TEST(senses_become_words_and_definition_and_examples_become_questions)
{
    documents d = { 0 };
    CHECK_I64(documents_read_wordnet(small_wordnet(), 100, &d, NULL), PROF_OK);
    REQUIRE(d.passages.count == 5 && d.questions.count == 3);
    CHECK_STR(passage(&d, 0), "dog, domestic dog: a pet");
    CHECK_STR(passage(&d, 1), "cat: a \"smaller\" pet");
    CHECK_STR(passage(&d, 2), "run: move fast");
    CHECK_STR(passage(&d, 3), "handy, ready to hand: easy to reach");
    CHECK_STR(passage(&d, 4), "a, b, c, d, e, f, g, h, i, j: ten words");
    CHECK_STR(text_list_at(&d.questions, 0).text, "the dog barked");
    CHECK_STR(text_list_at(&d.questions, 2).text, "a handy spot");
    CHECK_U64(d.answers[0], 0);
    CHECK_U64(d.answers[1], 2);
    CHECK_U64(d.answers[2], 3);
    documents_fini(&d);
}

TEST(fewer_senses_are_spread_evenly)
{
    documents d = { 0 };
    CHECK_I64(documents_read_wordnet(small_wordnet(), 2, &d, NULL), PROF_OK);
    REQUIRE(d.passages.count == 2);
    CHECK_STR(passage(&d, 0), "dog, domestic dog: a pet"); /* floor(0 * 5 / 2) = 0 */
    CHECK_STR(passage(&d, 1), "run: move fast");           /* floor(1 * 5 / 2) = 2 */
    documents_fini(&d);
}

static void check_malformed(const char *line, const char *part)
{
    documents d = { 0 };
    prof_error err = PROF_ERROR_INIT;
    const char *const place = small_wordnet();
    put("wordnet/data.verb", line);
    CHECK_I64(documents_read_wordnet(place, 100, &d, &err), PROF_E_FORMAT);
    CHECK_HAS(err.message, "data.verb, line 1: not a line of WordNet");
    CHECK_HAS(err.message, part);
    CHECK(d.passages.text == NULL && d.answers == NULL);
}

TEST(a_malformed_line_of_wordnet_is_refused_with_its_place)
{
    check_malformed("00000003 29 v 01 run 0 000\n", "no definition");
    check_malformed("00000003 29 v ff run 0 | move\n", "do not match");
    check_malformed("00000003 | move\n", "do not match");
    check_malformed("x | \n", "do not match");
    check_malformed("00000003 29 v 00 000 | nothing\n", "do not match");
    char long_line[70000];
    memset(long_line, 'x', sizeof long_line - 1);
    long_line[sizeof long_line - 1] = '\0';
    check_malformed(long_line, "too long");
}

TEST(where_wordnet_is_missing_the_message_says_what_to_install)
{
    documents d = { 0 };
    prof_error err = PROF_ERROR_INIT;
    CHECK_I64(documents_read_wordnet(path_of("no_wordnet"), 10, &d, &err), PROF_E_IO);
    CHECK_HAS(err.message, "data.noun");
    CHECK_HAS(err.message, "package wordnet-base");
}

TEST(the_installed_wordnet_gives_five_thousand_documents)
{
    documents d = { 0 };
    if (access("/usr/share/wordnet/data.noun", R_OK) != 0)
        SKIP("WordNet is not installed");
    CHECK_I64(documents_read_wordnet("/usr/share/wordnet", WORDNET_DOCUMENT_COUNT, &d, NULL), PROF_OK);
    CHECK_U64(d.passages.count, 5000);
    CHECK(d.questions.count > 1000);
    size_t without_colon = 0;
    for (size_t i = 0; i < d.passages.count; i++)
        without_colon += strstr(passage(&d, i), ": ") == NULL;
    CHECK_U64(without_colon, 0);
    CHECK_STR(passage(&d, 0), "entity: that which is perceived or known or inferred to have its own distinct "
                              "existence (living or nonliving)");
    documents_fini(&d);
}

int main(int argc, char **argv)
{
    if (mkdtemp(folder) == NULL)
        return 99;
    const int failed = test_main(argc, argv);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) != 0 || failed;
}
