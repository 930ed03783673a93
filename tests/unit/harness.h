/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame of every C test program: cases named as sentences, checks that
 * print what they saw, and one line per case in TAP, which meson reads.
 *
 *     TEST(a_scope_counts_its_calls) { CHECK_U64(calls, 3); }
 *     int main(int argc, char **argv) { return test_main(argc, argv); }
 *
 * Arguments of the program select cases by name.  A case that cannot run
 * here calls SKIP("why"), which the report shows.
 */
#ifndef TEST_HARNESS_H
#define TEST_HARNESS_H

/* As gcc says it. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#if __has_feature(thread_sanitizer) && !defined(__SANITIZE_THREAD__)
#define __SANITIZE_THREAD__ 1
#endif
#endif

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct test_case {
    const char *name;
    void (*run)(void);
    struct test_case *next;
} test_case;

static test_case *test_first, **test_last = &test_first;
static int test_failed;
static const char *test_skipped;

#define TEST(case_name)                                                    \
    static void case_name(void);                                           \
    __attribute__((constructor)) static void case_name##_register(void)    \
    {                                                                      \
        static test_case self = { #case_name, case_name, NULL };           \
        *test_last = &self;                                                \
        test_last = &self.next;                                            \
    }                                                                      \
    static void case_name(void)

#define SKIP(why)           \
    do {                    \
        test_skipped = why; \
        return;             \
    } while (0)

#define CHECK(condition)                                                            \
    do {                                                                            \
        if (!(condition)) {                                                         \
            test_failed = 1;                                                        \
            printf("# %s:%d: not true: %s\n", __FILE__, __LINE__, #condition);      \
        }                                                                           \
    } while (0)

/* For what the rest of the case cannot do without. */
#define REQUIRE(condition)                                                          \
    do {                                                                            \
        if (!(condition)) {                                                         \
            test_failed = 1;                                                        \
            printf("# %s:%d: not true: %s\n", __FILE__, __LINE__, #condition);      \
            return;                                                                 \
        }                                                                           \
    } while (0)

#define CHECK_U64(actual, expected)                                                                       \
    do {                                                                                                  \
        uint64_t actual_ = (uint64_t)(actual), expected_ = (uint64_t)(expected);                          \
        if (actual_ != expected_) {                                                                       \
            test_failed = 1;                                                                              \
            printf("# %s:%d: %s is %" PRIu64 ", not %" PRIu64 "\n", __FILE__, __LINE__, #actual, actual_, \
                   expected_);                                                                            \
        }                                                                                                 \
    } while (0)

#define CHECK_I64(actual, expected)                                                                       \
    do {                                                                                                  \
        int64_t actual_ = (int64_t)(actual), expected_ = (int64_t)(expected);                             \
        if (actual_ != expected_) {                                                                       \
            test_failed = 1;                                                                              \
            printf("# %s:%d: %s is %" PRId64 ", not %" PRId64 "\n", __FILE__, __LINE__, #actual, actual_, \
                   expected_);                                                                            \
        }                                                                                                 \
    } while (0)

#define CHECK_STR(actual, expected)                                                                     \
    do {                                                                                                \
        const char *actual_ = (actual), *expected_ = (expected);                                        \
        if (actual_ == NULL || strcmp(actual_, expected_) != 0) {                                       \
            test_failed = 1;                                                                            \
            printf("# %s:%d: %s is \"%s\", not \"%s\"\n", __FILE__, __LINE__, #actual,                  \
                   actual_ ? actual_ : "(null)", expected_);                                            \
        }                                                                                               \
    } while (0)

/* For text of which only a part is fixed, such as an error message. */
#define CHECK_HAS(actual, part)                                                                         \
    do {                                                                                                \
        const char *actual_ = (actual), *part_ = (part);                                                \
        if (actual_ == NULL || strstr(actual_, part_) == NULL) {                                        \
            test_failed = 1;                                                                            \
            printf("# %s:%d: %s is \"%s\", without \"%s\"\n", __FILE__, __LINE__, #actual,              \
                   actual_ ? actual_ : "(null)", part_);                                                \
        }                                                                                               \
    } while (0)

static int test_is_selected(const char *name, int argc, char **argv)
{
    if (argc < 2)
        return 1;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return 1;
    return 0;
}

static int test_main(int argc, char **argv)
{
    int number = 0, failures = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (test_case *c = test_first; c != NULL; c = c->next) {
        if (!test_is_selected(c->name, argc, argv))
            continue;
        test_failed = 0;
        test_skipped = NULL;
        c->run();
        failures += test_failed;
        printf("%s %d %s", test_failed ? "not ok" : "ok", ++number, c->name);
        printf(test_skipped ? " # SKIP %s\n" : "\n", test_skipped);
    }
    printf("1..%d\n", number);
    return failures != 0;
}

#endif
