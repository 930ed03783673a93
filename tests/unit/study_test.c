/* SPDX-License-Identifier: Apache-2.0 */
/* The example's report, on a simulated clock: each rule speaks where the figures bear it out, with the right figure. */
#include "harness.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "bottlenecks.h"
#include "figures.h"
#include "report.h"

#define MS UINT64_C(1000000)

static uint64_t now_ns = 1000;

static void pass(uint64_t ns)
{
    now_ns += ns;
    profi_clock_simulate(now_ns);
}

static prof_scope enter(const char *name)
{
    prof_site *found = NULL;
    CHECK_I64(prof_site_get(name, SIZE_MAX, "study_test.c", 1, 0, &found, NULL), PROF_OK);
    return prof_begin(found);
}

/* A scope without callees. */
static void leaf(const char *name, uint64_t ns, uint64_t items)
{
    const prof_scope scope = enter(name);
    pass(ns);
    if (items > 0)
        prof_items(items, "tokens");
    prof_end(scope);
}

/* A run of the service in small: 10 s in all. */
static void run_service(void)
{
    const prof_scope root = enter("main"), index = enter("build_index");
    leaf("tokenize", 10 * MS, 900);
    leaf("encode", 5990 * MS, 1000);
    prof_end(index);
    for (int i = 0; i < 4; i++) {
        const prof_scope query = enter("embed_query");
        leaf("tokenize", 1 * MS, 10);
        leaf("encode", i == 0 ? 399 * MS : 99 * MS, 10);
        prof_end(query);
        leaf("search", 10 * MS, 0);
        const prof_scope response = enter("get_response");
        leaf("prefill", 100 * MS, 100);
        leaf("decode", 600 * MS, 15);
        prof_end(response);
    }
    leaf("wait_for_question", 90000 * MS, 0); /* the user's time is not the service's */
    pass(460 * MS);
    prof_end(root);
}

static study taken = { .index = { .origin = PASSAGE_INDEX_BUILT, .is_saved = 1, .count = 5000, .dimensions = 384,
                                  .bytes = 7680000, .build_ns = 5980000000 },
                       .known = 4, .known_found = 3, .top = 5 };
static finding found[FINDING_LIMIT];

static size_t study_of_run(void)
{
    static int is_done;
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    if (!is_done) {
        is_done = 1;
        pass(0);
        CHECK_I64(prof_start(&options, NULL), PROF_OK);
        run_service();
        CHECK_I64(prof_stop(NULL), PROF_OK);
        CHECK_I64(study_take(&taken, NULL), PROF_OK);
    }
    return bottlenecks_find(&taken, found);
}

static const char *finding_with(const char *part)
{
    const size_t count = study_of_run();
    for (size_t i = 0; i < count; i++)
        if (strstr(found[i].text, part) != NULL)
            return found[i].text;
    return NULL;
}

TEST(a_stage_has_its_exact_time_and_waiting_for_the_user_is_left_out)
{
    study_of_run();
    CHECK_U64(taken.run_ns, 10000 * MS);
    CHECK_U64(taken.stages[INDEX_STAGE].row.cumulative_ns, 6000 * MS);
    CHECK_U64(taken.stages[EMBED_STAGE].row.calls, 4);
    CHECK_U64(taken.stages[RESPOND].row.cumulative_ns, 2800 * MS);
    CHECK_U64(taken.stages[LOAD].row.calls, 0);
}

TEST(an_index_that_was_built_is_the_dearest_finding)
{
    study_of_run();
    CHECK_STR(found[0].text,
              "the index was built at this start: 6.00 s, 60 % of the run; it is kept, and the next start finds it");
    CHECK_U64(found[0].cost_ns, 6000 * MS);
}

TEST(an_index_that_was_found_is_no_finding)
{
    study_of_run();
    taken.index.origin = PASSAGE_INDEX_FOUND;
    CHECK(finding_with("built at this start") == NULL);
    taken.index.origin = PASSAGE_INDEX_BUILT;
}

TEST(the_callee_that_holds_most_of_a_stage_is_named_with_its_share)
{
    CHECK_STR(finding_with("of build_index"), "encode is 99.8 % of build_index: 5.99 s of 6.00 s");
    CHECK_STR(finding_with("of embed_query"), "encode is 99.4 % of embed_query: 696 ms of 700 ms");
}

TEST(rates_of_prefill_and_decode_are_compared)
{
    CHECK_STR(finding_with("prefill reads"),
              "prefill reads 1,000 tokens/s, decode makes 25.0: a generated token costs 40 × one of the prompt");
}

TEST(padding_is_stated_as_a_share_of_what_is_encoded)
{
    CHECK_STR(finding_with("padding"), "padding is 10 % of what encode computes: 100 of 1,000 tokens");
}

TEST(questions_alone_are_compared_with_batches)
{
    CHECK_STR(finding_with("a question alone"),
              "a question alone is encoded at 57.5 tokens/s, documents in batches at 166.9: 2.9 ×");
}

TEST(calls_that_differ_are_stated_with_their_extremes)
{
    CHECK_STR(finding_with("slowest"), "the slowest embed_query took 400 ms, the fastest 100 ms: 4.0 ×");
    CHECK(finding_with("slowest search") == NULL);
}

TEST(findings_come_dearest_first)
{
    const size_t count = study_of_run();
    CHECK(count >= 6);
    for (size_t i = 1; i < count; i++)
        CHECK(found[i - 1].cost_ns >= found[i].cost_ns);
}

/* Looks at what is printed by way of a file in place of standard output. */
TEST(the_report_prints_each_stage_that_happened)
{
    char text[8192] = "";
    FILE *const file = tmpfile();
    const int kept = dup(STDOUT_FILENO);
    study_of_run();
    REQUIRE(file != NULL && kept >= 0);
    fflush(stdout);
    dup2(fileno(file), STDOUT_FILENO);
    report_print(&taken);
    fflush(stdout);
    dup2(kept, STDOUT_FILENO);
    close(kept);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    CHECK_HAS(text, "Profiling study: 5,000 documents, 4 questions, 10.0 s\n");
    CHECK_HAS(text, "  tokenise + embed + index       1     6.00 s     6.00 s     60 %");
    CHECK_HAS(text, "    encode and pool              4     696 ms     174 ms    7.0 %");
    CHECK_HAS(text, "  decode                                   60     2.40 s           25.0\n");
    CHECK_HAS(text, "built in 5.98 s,\n         and kept: the next start saves that\n");
    CHECK_HAS(text, "among the 5 best for 3 of 4 questions\n");
    CHECK(strstr(text, "load models") == NULL);
}

static const char *show(const char *text)
{
    return text;
}

TEST(figures_read_well)
{
    figure f;
    CHECK_STR(show(figure_count(&f, 0)), "0");
    CHECK_STR(show(figure_count(&f, 999)), "999");
    CHECK_STR(show(figure_count(&f, 1000)), "1,000");
    CHECK_STR(show(figure_count(&f, UINT64_MAX)), "18,446,744,073,709,551,615");
    CHECK_STR(show(figure_time(&f, 999)), "1.00 us");
    CHECK_STR(show(figure_time(&f, 12345678)), "12.3 ms");
    CHECK_STR(show(figure_time(&f, 61 * 1000 * MS)), "61.0 s");
    CHECK_STR(show(figure_bytes(&f, 1572864)), "1.5 MiB");
    CHECK_STR(show(figure_bytes(&f, -(int64_t)(64 << 20))), "-64 MiB");
    CHECK_STR(show(figure_share(&f, 1, 3)), "33 %");
    CHECK_STR(show(figure_share(&f, 5, 0)), "0.0 %");
    CHECK_STR(show(figure_rate(&f, 5, 0)), "-");
    CHECK_STR(show(figure_rate(&f, 5, 1000 * MS)), "5.0");
}

int main(int argc, char **argv)
{
    const int failed = test_main(argc, argv);
    study_fini(&taken);
    return failed;
}
