/* SPDX-License-Identifier: Apache-2.0 */
/* From JSON text to its values: the parser of json_input.h.  It knows the grammar and no field. */
#include "json_input.h"

#include "../base/error.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_DEPTH = 64, MOST_VALUES = 1 << 25 };

typedef struct parser {
    profi_json *json;
    const unsigned char *text;
    uint32_t bytes, at;
    uint32_t open[MOST_DEPTH]; /* arrays and objects that have not ended */
    unsigned depth;
    const char *problem; /* what is wrong at `at` */
    int is_out_of_memory, has_too_many;
} parser;

static void skip_blanks(parser *p)
{
    while (p->at < p->bytes && (p->text[p->at] == ' ' || p->text[p->at] == '\n' || p->text[p->at] == '\r' ||
                                p->text[p->at] == '\t'))
        p->at++;
}

/* The character that comes next; 0 at the end, where none can stand. */
static int next_character(parser *p)
{
    skip_blanks(p);
    return p->at < p->bytes ? p->text[p->at] : 0;
}

static int wrong(parser *p, const char *problem)
{
    p->problem = p->at < p->bytes ? problem : "the text ends too early";
    return 0;
}

static profi_json_value *add(parser *p, profi_json_kind kind)
{
    profi_json *json = p->json;
    if (json->value_count == json->value_room) {
        uint32_t room = json->value_room ? json->value_room * 2 : 256;
        p->has_too_many = room > MOST_VALUES;
        profi_json_value *values = p->has_too_many ? NULL : reallocarray(json->values, room, sizeof(*values));
        p->is_out_of_memory = values == NULL && !p->has_too_many;
        if (values == NULL)
            return NULL;
        json->values = values;
        json->value_room = room;
    }
    profi_json_value *value = &json->values[json->value_count++];
    *value = (profi_json_value){ .kind = (uint32_t)kind, .begin = p->at, .next = 1 };
    return value;
}

static int is_hex(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* The part of an escape behind the backslash. */
static int skip_escape(parser *p)
{
    int c = p->at < p->bytes ? p->text[p->at] : 0;
    if (c == 0 || strchr("\"\\/bfnrtu", c) == NULL)
        return wrong(p, "not an escape of JSON");
    p->at++;
    for (int i = 0; c == 'u' && i < 4; i++, p->at++)
        if (p->at >= p->bytes || !is_hex(p->text[p->at]))
            return wrong(p, "\\u wants four hexadecimal digits");
    return 1;
}

static int parse_text(parser *p)
{
    p->at++;
    profi_json_value *value = add(p, PROFI_JSON_TEXT);
    if (value == NULL)
        return 0;
    while (p->at < p->bytes && p->text[p->at] != '"') {
        if (p->text[p->at] < 0x20)
            return wrong(p, "a control character in text");
        if (p->text[p->at++] == '\\' && !skip_escape(p))
            return 0;
    }
    if (p->at == p->bytes)
        return wrong(p, "");
    value->end = p->at++;
    return 1;
}

static int skip_digits(parser *p)
{
    uint32_t from = p->at;
    while (p->at < p->bytes && p->text[p->at] >= '0' && p->text[p->at] <= '9')
        p->at++;
    return p->at > from ? 1 : wrong(p, "not a number");
}

static int is_next(const parser *p, const char *any)
{
    return p->at < p->bytes && p->text[p->at] != '\0' && strchr(any, p->text[p->at]) != NULL;
}

static int parse_number(parser *p)
{
    profi_json_value *value = add(p, PROFI_JSON_NUMBER);
    if (value == NULL)
        return 0;
    p->at += is_next(p, "-");
    int is_zero = is_next(p, "0");
    if (!skip_digits(p))
        return 0;
    if (is_zero && p->text[p->at - 1] != '0')
        return wrong(p, "a number that begins with 0");
    if (is_next(p, ".") && (p->at++, !skip_digits(p)))
        return 0;
    if (is_next(p, "eE")) {
        p->at++;
        p->at += is_next(p, "+-");
        if (!skip_digits(p))
            return 0;
    }
    value->end = p->at;
    return 1;
}

static int parse_word(parser *p, const char *word, profi_json_kind kind)
{
    size_t length = strlen(word);
    if (p->bytes - p->at < length || memcmp(p->text + p->at, word, length) != 0)
        return wrong(p, "not a value of JSON");
    profi_json_value *value = add(p, kind);
    if (value == NULL)
        return 0;
    p->at += (uint32_t)length;
    value->end = p->at;
    return 1;
}

/* Begins an array or object; what it holds comes next, and `next` is set when it ends. */
static int open_container(parser *p, profi_json_kind kind)
{
    if (p->depth == MOST_DEPTH)
        return wrong(p, "nested more than 64 deep");
    profi_json_value *value = add(p, kind);
    if (value == NULL)
        return 0;
    p->open[p->depth++] = (uint32_t)(value - p->json->values);
    p->at++;
    return 1;
}

static int parse_value(parser *p)
{
    switch (next_character(p)) {
    case '{': return open_container(p, PROFI_JSON_OBJECT);
    case '[': return open_container(p, PROFI_JSON_ARRAY);
    case '"': return parse_text(p);
    case 't': return parse_word(p, "true", PROFI_JSON_BOOL);
    case 'f': return parse_word(p, "false", PROFI_JSON_BOOL);
    case 'n': return parse_word(p, "null", PROFI_JSON_NULL);
    case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
        return parse_number(p);
    default: return wrong(p, "not a value of JSON");
    }
}

static int parse_key(parser *p)
{
    if (next_character(p) != '"')
        return wrong(p, "a key must be text");
    if (!parse_text(p))
        return 0;
    if (next_character(p) != ':')
        return wrong(p, "a key must be followed by a colon");
    p->at++;
    return 1;
}

/* Between the values of the innermost array or object: ends those that end here, and takes what leads to a next value. */
static int parse_between(parser *p)
{
    while (p->depth > 0) {
        uint32_t index = p->open[p->depth - 1];
        profi_json_value *container = &p->json->values[index];
        int is_object = container->kind == PROFI_JSON_OBJECT, c = next_character(p);
        int is_empty = container->end == 0;
        if (c == (is_object ? '}' : ']')) {
            p->at++;
            p->depth--;
            container->next = p->json->value_count - index;
            continue;
        }
        if (!is_empty && c != ',')
            return wrong(p, is_object ? "a comma or } must follow" : "a comma or ] must follow");
        p->at += !is_empty;
        container->end++;
        return !is_object || parse_key(p);
    }
    return 1;
}

static int parse(parser *p)
{
    do {
        if (!parse_value(p) || !parse_between(p))
            return 0;
    } while (p->depth > 0);
    skip_blanks(p);
    return p->at == p->bytes || wrong(p, "more follows the end");
}

prof_status profi_json_init(profi_json *json, const profi_input *input, profi_builder *builder, prof_error *err)
{
    *json = (profi_json){ .input = input, .builder = builder, .err = err };
    parser p = { .json = json, .text = input->data, .bytes = (uint32_t)input->bytes };
    if (parse(&p))
        return PROF_OK;
    if (p.has_too_many)
        return profi_fail(err, PROF_E_LIMIT, "%.300s: more than %d values", input->what, (int)MOST_VALUES);
    if (p.is_out_of_memory)
        return profi_fail(err, PROF_E_NO_MEMORY, "%.300s: no memory to read it", input->what);
    return profi_fail(err, PROF_E_FORMAT, "%.300s: at byte %u: %s", input->what, (unsigned)p.at, p.problem);
}

void profi_json_fini(profi_json *json)
{
    free(json->values);
    json->values = NULL;
}
