/* SPDX-License-Identifier: Apache-2.0 */
/* Names at the door: what comes in, what every report will show. */
#include "harness.h"

#include "base/text.h"

#include <stdlib.h>

static char out[PROFI_TEXT_MAX];

static const char *clean(const char *text, size_t bytes)
{
    size_t length = profi_text_clean(out, text, bytes);
    CHECK_U64(length, strlen(out));
    return out;
}

TEST(plain_names_in_any_script_stay_as_they_are)
{
    CHECK_STR(clean("get_response", 12), "get_response");
    CHECK_STR(clean("std::vector<int>::at", 20), "std::vector<int>::at");
    CHECK_STR(clean("\xe6\x96\x87\xe6\x9c\xac \xf0\x9f\x98\x80", 11), "\xe6\x96\x87\xe6\x9c\xac \xf0\x9f\x98\x80");
}

TEST(control_characters_and_line_separators_become_escapes)
{
    CHECK_STR(clean("a\nb\tc\x1b[0m", 9), "a\\nb\\tc\\x1b[0m");
    CHECK_STR(clean("\xe2\x80\xa8\xe2\x80\xa9", 6), "\\u2028\\u2029");
    /* Right to left from here, a space of no width, a byte order mark, a tag; not the letters beside them. */
    CHECK_STR(clean("a\xe2\x80\xae" "b\xe2\x80\x8b" "c\xef\xbb\xbf" "d\xf3\xa0\x80\xa0", 17), "a\\u202eb\\u200bc\\ufeffd\\U000e0020");
    CHECK_STR(clean("\xd7\xa9\xe2\x80\x9c\xe2\x80\xaf", 8), "\xd7\xa9\xe2\x80\x9c\xe2\x80\xaf");
    CHECK_STR(clean("\x7f", 1), "\\x7f");
    CHECK_STR(clean("\xc2\x85", 2), "\\x85");
}

TEST(bytes_that_are_not_utf8_become_escapes)
{
    CHECK_STR(clean("\xff", 1), "\\xff");
    CHECK_STR(clean("\xc0\xaf", 2), "\\xc0\\xaf");             /* overlong */
    CHECK_STR(clean("\xe0\x80\x80", 3), "\\xe0\\x80\\x80");    /* overlong */
    CHECK_STR(clean("\xed\xa0\x80", 3), "\\xed\\xa0\\x80");    /* surrogate */
    CHECK_STR(clean("\xf4\x90\x80\x80", 4), "\\xf4\\x90\\x80\\x80"); /* above U+10FFFF */
    CHECK_STR(clean("a\xe2\x82", 3), "a\\xe2\\x82");           /* cut short */
}

TEST(a_name_cannot_leave_a_script_element)
{
    CHECK_STR(clean("</script><!--", 13), "\xe2\x80\xb9/script>\xe2\x80\xb9!--");
    CHECK_STR(clean("a < b", 5), "a < b");
}

TEST(a_long_name_is_cut_and_two_long_names_stay_two)
{
    enum { BYTES = 65536 };
    char *a = malloc(BYTES), first[PROFI_TEXT_MAX];
    REQUIRE(a != NULL);
    memset(a, 'x', BYTES);
    memcpy(first, clean(a, BYTES), sizeof(first));
    CHECK(strlen(first) < PROFI_TEXT_MAX && strlen(first) > PROFI_TEXT_MAX - 32);
    CHECK(strchr(first, '~') != NULL);
    a[BYTES - 1] = 'y';
    CHECK(strcmp(first, clean(a, BYTES)) != 0);
    /* Just short enough, and just too long. */
    CHECK(strchr(clean(a, PROFI_TEXT_MAX - 1), '~') == NULL);
    CHECK(strchr(clean(a, PROFI_TEXT_MAX), '~') != NULL);
    /* A character of several bytes across the cut. */
    for (size_t i = 0; i + 3 <= BYTES; i += 3)
        memcpy(a + i, "\xe6\x96\x87", 3);
    size_t length = profi_text_clean(out, a, BYTES);
    CHECK(length < PROFI_TEXT_MAX && (length - 17) % 3 == 0);
    free(a);
}

TEST(a_stem_never_becomes_a_path)
{
    char stem[101];
    CHECK_I64(profi_text_to_stem(stem, "embed_query-2.5"), 0);
    CHECK_STR(stem, "embed_query-2.5");
    CHECK_I64(profi_text_to_stem(stem, "../../etc/passwd"), 1);
    CHECK_STR(stem, "_._.._etc_passwd");
    CHECK_I64(profi_text_to_stem(stem, ".hidden"), 1);
    CHECK_STR(stem, "_hidden");
    CHECK_I64(profi_text_to_stem(stem, "100%n \xc3\xa9"), 1);
    CHECK_STR(stem, "100_n___");
    CHECK_I64(profi_text_to_stem(stem, ""), 0);
    CHECK_STR(stem, "_");
    char longest[300];
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    CHECK_I64(profi_text_to_stem(stem, longest), 1);
    CHECK_U64(strlen(stem), 100);
}

TEST(a_pattern_fits_the_whole_text)
{
    static const struct { const char *text, *pattern; int fits; } rows[] = {
        { "encode", "encode", 1 },  { "encode", "encod", 0 },   { "encode", "encoder", 0 },  { "encode", "", 0 },
        { "", "", 1 },              { "", "*", 1 },             { "", "?", 0 },              { "encode", "*", 1 },
        { "encode", "en*", 1 },     { "encode", "*de", 1 },     { "encode", "*co*", 1 },     { "encode", "e*c*e", 1 },
        { "encode", "e*x*e", 0 },   { "encode", "e?code", 1 },  { "encode", "?ncod?", 1 },   { "encode", "??????", 1 },
        { "encode", "?????", 0 },   { "encode", "*??????", 1 }, { "encode", "*???????", 0 }, { "a.b.c.d", "*.?", 1 },
        { "aaab", "*ab", 1 },       { "aaab", "*aab*b", 0 },    { "abab", "*ab", 1 },        { "f(a*)", "f(a*)", 1 },
        { "\xc3\xa9t\xc3\xa9", "?t?", 1 }, { "\xc3\xa9", "??", 0 }, { "\xc3\xa9x", "*??x", 0 }, { "[a]", "[a]", 1 }, { "a", "[a]", 0 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (profi_text_fits(rows[i].text, rows[i].pattern) != rows[i].fits) {
            printf("# \"%s\" and \"%s\"\n", rows[i].text, rows[i].pattern);
            CHECK(!"as the table says");
        }
}

TEST(a_pattern_of_many_stars_takes_no_longer_than_their_product)
{
    static char text[4096], pattern[124];
    memset(text, 'a', sizeof(text) - 1);
    for (size_t i = 0; i + 2 < sizeof(pattern); i += 2)
        memcpy(pattern + i, "a*", 2);
    pattern[120] = 'b';
    CHECK_I64(profi_text_fits(text, pattern), 0); /* where each star tried again, it would not end */
}

TEST(hashes_depend_on_every_byte_and_on_the_length)
{
    unsigned char data[40] = { 0 };
    uint64_t zero = profi_text_hash(data, 40, 0);
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = 1;
        CHECK(profi_text_hash(data, 40, 0) != zero);
        data[i] = 0;
    }
    CHECK(profi_text_hash(data, 39, 0) != zero);
    CHECK(profi_text_hash(data, 40, 1) != zero);
    /* What CPython says, whose hash of bytes is SipHash-1-3: PYTHONHASHSEED=0 python3 -c 'print(hash(b"…"))' */
    CHECK_U64(profi_text_hash("profcore names collide", 22, 0), 0xb260200c16a5186bu);
    CHECK_U64(profi_text_hash("abcdefgh", 8, 0), 0x3f7b849c0b8e35eau);
}

TEST(names_that_share_a_bucket_under_one_seed_do_not_under_another)
{
    enum { NAMES = 256, BUCKETS = 1024 };
    uint64_t number = 0;
    unsigned together = 0;
    for (unsigned found = 0; found < NAMES; number++) {
        if (profi_text_hash(&number, sizeof(number), 7) % BUCKETS != 0)
            continue;
        found++;
        together += profi_text_hash(&number, sizeof(number), 8) % BUCKETS == 0;
    }
    CHECK(together < 8); /* a quarter of one is to be expected */
    CHECK(profi_hash_seed() != 0);
    CHECK_U64(profi_hash_seed(), profi_hash_seed());
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
