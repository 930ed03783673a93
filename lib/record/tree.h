/* SPDX-License-Identifier: Apache-2.0 */
/* A thread's tree, for the files that attach a thread and let it go: cold.h has what the others need. */
#ifndef PROFI_TREE_H
#define PROFI_TREE_H

#include "cold.h"

/* The node of a path, or NULL. */
profi_node *profi_tree_find(const profi_thread *thread, const profi_node *parent, const profi_site *site);

/* Puts a finished node where readers find it. */
void profi_tree_link(profi_thread *thread, profi_node *parent, profi_node *node);

/* What the thread keeps for a site, or NULL; and to let readers find it. */
profi_thread_site *profi_tree_site(const profi_thread *thread, const profi_site *site);
void profi_tree_add_site(profi_thread *thread, profi_thread_site *kept);

/*
 * Strings all nodes of a tree that nobody records into on one list, linked
 * by `follower`, parents before children.  Returns the first.
 */
profi_node *profi_tree_list(profi_thread *thread);

/* Gives back what belongs to one of them. */
void profi_tree_free_node(profi_node *node);
void profi_tree_free_site(profi_thread_site *kept);

/*
 * Hands what a thread recorded over to `exited`, and frees it.  Its end has
 * begun before its ring is retired and the registry loses it, so that who
 * finds the process killed in between knows: see roots.h.
 */
void profi_thread_fold_begin(profi_thread *thread);
void profi_thread_fold(profi_thread *thread);

#endif
