/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A retrieval service, profiled end to end: it loads a sentence encoder and
 * a text generator, indexes documents, answers questions, and reports where
 * time and memory went.
 *
 *     main
 *       load_models            encoder_open, generator_open
 *       transform_documents    the source's text to passages
 *       build_index            tokenize, encode, add_to_index; or find_kept
 *       answer_question        embed_query, search, get_response
 *
 * This file owns the process: start, the order of things, the end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <profcore/prof.h>

#include "answer.h"
#include "conversation.h"
#include "documents.h"
#include "options.h"
#include "pipes.h"
#include "report.h"
#include "threads.h"
#include "vocab.h"

enum { EXIT_USAGE = 2 };

/* What lives from the start to the end. */
typedef struct process {
    options options;
    documents documents;
    service service;
    tally counted;
} process;

static int is_interactive(const options *o)
{
    return o->mode == MODE_ANSWER && o->queries.count == 0 && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

/* ------------------------------------------------------------------------
 * The stages
 */

static prof_status load_models(process *p, prof_error *err)
{
    PROF_FUNCTION_WITH(PROF_SITE_RSS);
    char folder[PATH_MAX + 8];
    service *const s = &p->service;
    snprintf(folder, sizeof folder, "%s/minilm", p->options.models);
    prof_status status = threads_apply(p->options.threads, err);
    if (status == PROF_OK)
        status = encoder_open(folder, p->options.device, &s->encoder, err);
    if (status == PROF_OK && p->options.mode == MODE_ANSWER)
        status = generator_open(p->options.generator, p->options.device, encoder_tokenizer(s->encoder), &s->generator, err);
    if (status == PROF_OK && s->generator != NULL && s->max_tokens >= generator_max_length(s->generator))
        status = vocab_fail(err, PROF_E_INVALID, "--max-tokens %zu: this generator holds %u tokens, prompt and answer",
                            s->max_tokens, generator_max_length(s->generator));
    return status;
}

static prof_status transform_documents(process *p, prof_error *err)
{
    PROF_FUNCTION_WITH(PROF_SITE_RSS);
    const char *const source = p->options.documents;
    documents *const read = &p->documents;
    const prof_status status = source != NULL ? documents_read(source, read, err)
                                              : documents_read_wordnet(NULL, WORDNET_DOCUMENT_COUNT, read, err);
    p->service.passages = &p->documents.passages;
    PROF_ITEMS_UNIT(p->documents.passages.count, "documents");
    return status;
}

static prof_status answer_questions(process *p, prof_error *err)
{
    const options *const o = &p->options;
    if (o->queries.count > 0)
        return conversation_of_list(&p->service, &o->queries, err);
    if (is_interactive(o))
        return conversation_on_terminal(&p->service, err);
    return conversation_of_source(&p->service, &p->documents, &p->counted, err);
}

static prof_status work(process *p, prof_error *err)
{
    PROF_BLOCK("main"); /* not the function's: it opens when recording has started */
    const options *const o = &p->options;
    prof_status status = load_models(p, err);
    if (status == PROF_OK && o->mode == MODE_EMBED)
        return pipes_embed(p->service.encoder, o->batch, err);
    if (status == PROF_OK)
        status = transform_documents(p, err);
    if (status == PROF_OK)
        status = passage_index_open(p->service.encoder, &p->documents.passages, o->index, o->batch, &p->service.index,
                                    err);
    if (status != PROF_OK)
        return status;
    return o->mode == MODE_SEARCH ? pipes_search(&p->service, &o->queries, err) : answer_questions(p, err);
}

/* ------------------------------------------------------------------------
 * The process
 */

static void report(const process *p)
{
    prof_error why = PROF_ERROR_INIT;
    study s = { .index = passage_index_describe(p->service.index), .known = p->counted.known,
                .known_found = p->counted.found, .top = p->options.top };
    if (study_take(&s, &why) == PROF_OK)
        report_print(&s);
    else
        fprintf(stderr, "rag_service: no report: %s\n", why.message);
    study_fini(&s);
}

static void close_all(process *p)
{
    passage_index_close(p->service.index);
    generator_close(p->service.generator);
    encoder_close(p->service.encoder);
    documents_fini(&p->documents);
    options_fini(&p->options);
}

static int check_options(const options *o)
{
    const char *missing = NULL;
    if (o->mode == MODE_SEARCH && o->queries.count == 0)
        missing = "--search-only needs a --query";
    else if (o->mode == MODE_ANSWER && o->documents != NULL && o->queries.count == 0 && !is_interactive(o))
        missing = "there is no question: give one with --query, or start on a terminal";
    if (missing != NULL)
        fprintf(stderr, "rag_service: %s\n", missing);
    return missing == NULL;
}

/*
 * The report needs a recording, so one is started where the environment has
 * not done so; files are written only where it asks for them.
 */
static int run(process *p)
{
    const prof_options quiet = { .size = sizeof quiet, .flags = PROF_NO_FILES };
    prof_error err = PROF_ERROR_INIT;
    const int is_recording = prof_start(&quiet, &err) == PROF_OK;
    if (!is_recording)
        fprintf(stderr, "rag_service: not profiled: %s\n", err.message);
    const prof_status status = work(p, &err);
    if (status != PROF_OK)
        fprintf(stderr, "rag_service: %s\n", err.message);
    else if (p->options.mode == MODE_ANSWER && is_recording)
        report(p);
    const int is_shown = fflush(stdout) == 0 && !ferror(stdout);
    if (!is_shown)
        fputs("rag_service: standard output could not be written\n", stderr);
    if (is_recording && prof_stop(&err) != PROF_OK)
        fprintf(stderr, "rag_service: %s\n", err.message);
    return status == PROF_OK && is_shown ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static process p;
    int code = EXIT_USAGE;
    if (options_read(argc, argv, &p.options) == 0 && check_options(&p.options)) {
        p.service.top = p.options.top;
        p.service.max_tokens = p.options.max_tokens;
        code = EXIT_SUCCESS;
        if (p.options.mode == MODE_HELP) {
            options_help();
        } else {
            threads_prepare(p.options.threads, argv);
            code = run(&p);
        }
    }
    close_all(&p);
    return code;
}
