/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records scopes whose names and file names try to break what shows them.
 * Each name begins with a word of its own, which run_viewers looks for.  The
 * run's files are written by PROFCORE=1, as for any program.
 */
#include <profcore/prof.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUN "window.profcore_escaped=1"

static const char *const names[] = {
    "closing_script</script><script>" RUN "</script>",
    "closing_upper</SCRIPT ><script>" RUN ";alert(1)</SCRIPT >",
    "comment<!--<script>",
    "cdata]]><![CDATA[",
    "image<img src=x onerror=" RUN ">",
    "entity&lt;&#60;img src=x onerror=" RUN "&#62;",
    "quotes\"'`\\\"+(" RUN ")+\"",
    "backslash\\",
    "template${" RUN "}{{" RUN "}}<%= " RUN " %>{% raw x %}",
    "newline\nfirst\r\nsecond",
    "separator\xe2\x80\xa8\xe2\x80\xa9",
    "control\x01\x1b[31m\x7f\xc2\x85",
    "not_utf8\xff\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80",
    "braces){}[]:(",
    "proto__proto__",
    "percent%s%n%d{0}",
    "path../../../../etc/passwd",
    "bidi\xe2\x80\xae""txt.exe",
    "emoji\xf0\x9f\x94\xa5\xe4\xb8\xad\xe6\x96\x87",
    "spaces   \t  ",
};
/* Without a file a name is put between angle brackets: what begins with a slash would then close an element. */
static const char *const whole_names[] = { "/script><script>" RUN "</script>", "!--<script>", "__proto__", "constructor", "toString", "<", "</", "0", "-1", "NaN" };
static const char *const files[] = { "</script><script>" RUN "</script>", "dir\\with\"quotes'/<!--/x.c", "line\nbreak.c", "a:1(b)", "/" };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LONG_BYTES (64u * 1024u)

static void in_scope(const char *name, size_t bytes, const char *file)
{
    prof_error err = PROF_ERROR_INIT;
    prof_site *site;
    if (prof_site_get(name, bytes, file, 7, 0, &site, &err) != PROF_OK) {
        fprintf(stderr, "hostile_names: %.20s: %s\n", name, err.message);
        exit(1);
    }
    prof_scope outer = prof_begin(site);
    for (volatile unsigned spin = 0; spin < 100000;) /* wide enough for a shape in a diagram */
        spin = spin + 1;
    PROF_SCOPE("inside") { (void)name; }
    prof_end(outer);
}

int main(void)
{
    static char text[LONG_BYTES + 1];
    PROF_FUNCTION();
    for (size_t i = 0; i < COUNT(names); i++)
        in_scope(names[i], SIZE_MAX, i % 2 ? "hostile.c" : NULL);
    for (size_t i = 0; i < COUNT(whole_names); i++)
        in_scope(whole_names[i], SIZE_MAX, NULL);
    for (size_t i = 0; i < COUNT(files); i++) {
        snprintf(text, sizeof(text), "file_number_%zu", i);
        in_scope(text, SIZE_MAX, files[i]);
    }
    memset(text, 'x', LONG_BYTES);
    memcpy(text, "long_name", 9);
    in_scope(text, LONG_BYTES, "long.c");
    text[LONG_BYTES - 1] = 'y'; /* another function, though it differs at the end only */
    in_scope(text, LONG_BYTES, "long.c");
    return 0;
}
