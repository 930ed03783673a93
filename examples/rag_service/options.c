/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: see options.h. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUERY_LIMIT_BYTES ((size_t)1 << 16)

static const char help[] =
    "Usage: rag_service [OPTION]...\n"
    "Answers questions from documents, and reports where time and memory went.\n"
    "\n"
    "  --documents FILE|FOLDER  a file with one document a line, or a folder of text\n"
    "                           files with one document a paragraph; without it,\n"
    "                           5,000 senses of WordNet\n"
    "  --query TEXT             a question; may be given several times.  Without it,\n"
    "                           questions are asked for on a terminal; elsewhere\n"
    "                           example sentences of WordNet are looked up\n"
    "  --top K                  passages to find for a question, 1 to 100 (5)\n"
    "  --max-tokens N           tokens to generate for an answer, 1 to 4096 (32)\n"
    "  --threads N              threads for an operator, 1 to 256 (OMP_NUM_THREADS, or 1)\n"
    "  --device DEVICE          where the models run: cpu, cuda or cuda:N (cpu)\n"
    "  --batch N                texts to embed together, 1 to 1024 (32)\n"
    "\n"
    "  --models FOLDER          exported models (../models beside the program's folder,\n"
    "                           or build/models)\n"
    "  --generator FOLDER       the exported generator (generator, in --models)\n"
    "  --index FOLDER           where indexes are kept (index, in --models)\n"
    "\n"
    "  --search-only            prints for each question one line of JSON with the\n"
    "                           passages found; generates and reports nothing\n"
    "  --embed                  prints for each line of standard input its vector as a\n"
    "                           line of JSON, and nothing else\n"
    "  --help                   prints this\n"
    "\n"
    "PROFCORE=1 writes profiles to profiling_results/; PROFCORE_SIGNALS=INT,TERM does so\n"
    "too when the service is ended by a signal.\n"
    "Exit codes: 0 done, 1 failed, 2 wrong arguments.\n";

enum { DOCUMENTS = 256, QUERY, TOP, MAX_TOKENS, THREADS, DEVICE, BATCH, MODELS, GENERATOR, INDEX, SEARCH_ONLY, EMBED, HELP };

static const struct option known[] = {
    { "documents", required_argument, NULL, DOCUMENTS }, { "query", required_argument, NULL, QUERY },
    { "top", required_argument, NULL, TOP },             { "max-tokens", required_argument, NULL, MAX_TOKENS },
    { "threads", required_argument, NULL, THREADS },     { "batch", required_argument, NULL, BATCH },
    { "models", required_argument, NULL, MODELS },       { "generator", required_argument, NULL, GENERATOR },
    { "index", required_argument, NULL, INDEX },         { "search-only", no_argument, NULL, SEARCH_ONLY },
    { "embed", no_argument, NULL, EMBED },               { "device", required_argument, NULL, DEVICE },
    { "help", no_argument, NULL, HELP },                 { NULL, 0, NULL, 0 },
};

static int refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int refuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("rag_service: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs("\nrag_service: --help lists the options\n", stderr);
    va_end(arguments);
    return -1;
}

static int read_number(const char *name, const char *text, unsigned highest, unsigned *number)
{
    char *end;
    errno = 0;
    const unsigned long value = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] < '0' || text[0] > '9' || value < 1 || value > highest)
        return refuse("--%s %s: not a whole number from 1 to %u", name, text, highest);
    *number = (unsigned)value;
    return 0;
}

static int read_path(const char *name, const char *text, char path[PATH_MAX])
{
    if (text[0] == '\0')
        return refuse("--%s: the path is empty", name);
    if ((size_t)snprintf(path, PATH_MAX, "%s", text) >= PATH_MAX)
        return refuse("--%s: the path is too long", name);
    return 0;
}

/* "cuda" is the first GPU; whether there is one is seen when a model is opened. */
static int read_device(const char *text, options *read)
{
    const int is_numbered = strncmp(text, "cuda:", 5) == 0 && text[5] != '\0' && strspn(text + 5, "0123456789") == strlen(text + 5);
    if (strcmp(text, "cpu") != 0 && strcmp(text, "cuda") != 0 && !is_numbered)
        return refuse("--device %s: neither cpu, cuda nor cuda:N", text);
    read->device = text;
    return 0;
}

static int add_query(options *read, const char *text)
{
    prof_error why = PROF_ERROR_INIT;
    int added = 0;
    if (strlen(text) > QUERY_LIMIT_BYTES)
        return refuse("--query: the question has %zu bytes; at most %zu are allowed", strlen(text), QUERY_LIMIT_BYTES);
    if (text_list_add(&read->queries, text, strlen(text), "--query", &added, &why) != PROF_OK)
        return refuse("%s", why.message);
    return added ? 0 : refuse("--query: the question is empty");
}

static int take(options *read, int option, const char *value)
{
    char unused[PATH_MAX];
    switch (option) {
    case DOCUMENTS:
        read->documents = value;
        return read_path("documents", value, unused);
    case QUERY:
        return add_query(read, value);
    case TOP:
        return read_number("top", value, 100, &read->top);
    case MAX_TOKENS:
        return read_number("max-tokens", value, 4096, &read->max_tokens);
    case THREADS:
        return read_number("threads", value, 256, &read->threads);
    case DEVICE:
        return read_device(value, read);
    case BATCH:
        return read_number("batch", value, 1024, &read->batch);
    case MODELS:
        return read_path("models", value, read->models);
    case GENERATOR:
        return read_path("generator", value, read->generator);
    case INDEX:
        return read_path("index", value, read->index);
    case SEARCH_ONLY:
    case EMBED:
        if (read->mode != MODE_ANSWER && read->mode != (option == EMBED ? MODE_EMBED : MODE_SEARCH))
            return refuse("--embed and --search-only exclude each other");
        read->mode = option == EMBED ? MODE_EMBED : MODE_SEARCH;
        return 0;
    default:
        read->mode = MODE_HELP;
        return 0;
    }
}

/* Where the build puts the models: ../models, seen from the program. */
static void find_models(char path[PATH_MAX])
{
    char program[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    for (int level = 0; level < 2 && length > 0; level++) {
        program[level == 0 ? length : (ssize_t)strlen(program)] = '\0';
        char *const slash = strrchr(program, '/');
        if (slash != NULL)
            *slash = '\0';
    }
    if (length > 0 && (size_t)snprintf(path, PATH_MAX, "%s/models", program) < PATH_MAX && access(path, F_OK) == 0)
        return;
    snprintf(path, PATH_MAX, "build/models");
}

static int fill_defaults(options *read)
{
    if (read->models[0] == '\0')
        find_models(read->models);
    if (strlen(read->models) + sizeof "/generator" > PATH_MAX)
        return refuse("--models: the path is too long");
    char *const places[] = { read->generator, read->index };
    static const char *const names[] = { "generator", "index" };
    for (int i = 0; i < 2; i++)
        if (places[i][0] == '\0')
            sprintf(places[i], "%s/%s", read->models, names[i]);
    return 0;
}

int options_read(int argc, char **argv, options *read)
{
    int option;
    read->top = 5;
    read->max_tokens = 32;
    read->batch = 32;
    read->device = "cpu";
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", known, NULL)) != -1) {
        if (option == ':')
            return refuse("%s needs a value", argv[optind - 1]);
        if (option == '?')
            return refuse("there is no option %s", argv[optind - 1]);
        if (take(read, option, optarg) != 0)
            return -1;
        if (read->mode == MODE_HELP)
            return 0;
    }
    if (optind < argc)
        return refuse("\"%s\" is no option; a question is given with --query", argv[optind]);
    return fill_defaults(read);
}

void options_fini(options *read)
{
    text_list_fini(&read->queries);
}

void options_help(void)
{
    fputs(help, stdout);
}
