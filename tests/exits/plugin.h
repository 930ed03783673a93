/* SPDX-License-Identifier: Apache-2.0 */
/* What unload_main.c finds in the libraries that it opens. */
#ifndef PLUGIN_H
#define PLUGIN_H

typedef struct plugin_functions {
    void (*work)(int calls);
    void (*leave_open)(void);
} plugin_functions;

extern const plugin_functions plugin;

#endif
