/* SPDX-License-Identifier: Apache-2.0 */
/* A thread's tree: its nodes by their path, and what it keeps for each site. */
#include "tree.h"

#include "../base/clock.h"
#include "../base/region.h"
#include "../base/system.h"
#include "../base/text.h"
#include "listen.h"

static uint64_t path_hash(const profi_node *parent, const profi_site *site)
{
    return profi_mix64(profi_mix64((uintptr_t)parent ^ profi_hash_seed()) + (uintptr_t)site);
}

profi_node *profi_tree_find(const profi_thread *thread, const profi_node *parent, const profi_site *site)
{
    profi_entry *e = profi_table_first(&thread->paths, path_hash(parent, site));
    for (; e != NULL; e = profi_table_next(e)) {
        profi_node *node = PROFI_OBJECT_OF(e, profi_node, by_path);
        if (node->site == site && node->parent == parent)
            return node;
    }
    return NULL;
}

void profi_tree_link(profi_thread *thread, profi_node *parent, profi_node *node)
{
    PROFI_PUT(node->parent, parent);
    node->next_sibling = parent->first_child;
    profi_table_add(&thread->paths, &node->by_path, path_hash(parent, node->site));
    __atomic_store_n(&parent->first_child, node, __ATOMIC_RELEASE);
}

profi_thread_site *profi_tree_site(const profi_thread *thread, const profi_site *site)
{
    profi_entry *e = profi_table_first(&thread->sites, site->id);
    return e != NULL ? PROFI_OBJECT_OF(e, profi_thread_site, by_site) : NULL;
}

void profi_tree_add_site(profi_thread *thread, profi_thread_site *kept)
{
    kept->next = thread->first_site;
    profi_table_add(&thread->sites, &kept->by_site, kept->site->id);
    __atomic_store_n(&thread->first_site, kept, __ATOMIC_RELEASE);
}

static uint64_t *histogram_for(profi_thread *thread, profi_site *site)
{
    profi_thread_site *kept = profi_tree_site(thread, site);
    if (kept != NULL)
        return kept->histogram;
    uint64_t *histogram = profi_region_alloc(PROFI_BUCKET_COUNT * sizeof(*histogram), PROFI_REGION_HISTOGRAM);
    kept = histogram ? profi_region_alloc(sizeof(*kept), PROFI_REGION_TREE) : NULL;
    if (kept == NULL) {
        profi_region_free(histogram, PROFI_BUCKET_COUNT * sizeof(*histogram), PROFI_REGION_HISTOGRAM);
        return NULL;
    }
    kept->site = site;
    kept->histogram = histogram;
    profi_tree_add_site(thread, kept);
    return histogram;
}

/* The bytes of a node's measures. */
static size_t measure_bytes(const profi_site *site)
{
    return profi_measure_count(site->probes) * sizeof(profi_measure);
}

void profi_tree_free_node(profi_node *node)
{
    profi_watch_free(node->watch);
    profi_region_free(node->measures, measure_bytes(node->site), PROFI_REGION_TREE);
    profi_region_free(node->sample, sizeof(*node->sample), PROFI_REGION_TREE);
    profi_region_free(node, sizeof(*node), PROFI_REGION_TREE);
}

static profi_node *make_node(profi_thread *thread, profi_node *parent, profi_site *site)
{
    PROFI_NO_CANCELLATION;
    profi_node *node = profi_region_alloc(sizeof(*node), PROFI_REGION_TREE);
    if (node == NULL)
        return NULL;
    node->site = site;
    if (site->probes != 0) {
        node->measures = profi_region_alloc(measure_bytes(site), PROFI_REGION_TREE);
        if (node->measures == NULL) {
            profi_tree_free_node(node);
            return NULL;
        }
    }
    if (PROFI_GET(site->rule_origin) != PROFI_RULE_NONE || (site->flags & PROF_SITE_SAVE_IF)) {
        node->watch = profi_watch_new(node);
        if (node->watch == NULL) {
            profi_tree_free_node(node);
            return NULL;
        }
    }
    node->last = &profi_nobody;
    node->follower = node;
    node->sampled_key = PROFI_KEY_NONE;
    node->min = UINT64_MAX;
    node->event = profi_event_what(PROFI_EVENT_SCOPE, profi_event_level(parent->event) + 1, site->id); /* a root's event is 0 */
    node->pending = node->histogram = histogram_for(thread, site);
    int is_plain = node->measures == NULL && node->watch == NULL && !profi_is_listened_to() && !site->asks_levels &&
                   !(site->flags & PROF_SITE_GPU_SYNC);
    if (site->flags & PROF_SITE_SAMPLED && is_plain) {
        node->sample = profi_region_alloc(sizeof(*node->sample), PROFI_REGION_TREE); /* without it all calls are timed */
        node->sampled_key = node->sample != NULL ? (uintptr_t)site : PROFI_KEY_NONE;
    }
    int is_fast = profi_clock_is_ticks && is_plain && node->histogram != NULL && node->sample == NULL;
    node->key = is_fast ? (uintptr_t)site : PROFI_KEY_NONE;
    profi_tree_link(thread, parent, node);
    return node;
}

profi_node *profi_node_child(profi_thread *thread, profi_node *parent, profi_site *site)
{
    profi_node *node = profi_tree_find(thread, parent, site);
    return node != NULL ? node : make_node(thread, parent, site);
}

void profi_thread_init(profi_thread *thread)
{
    *thread = (profi_thread){ 0 };
    thread->root = (profi_node){ .key = PROFI_KEY_NONE, .sampled_key = PROFI_KEY_NONE, .last = &profi_nobody, .follower = &profi_nobody };
    thread->busy_node = thread->overflow = thread->root;
    thread->busy = &thread->busy_node;
    thread->current = &thread->root;
}

void profi_tree_free_site(profi_thread_site *kept)
{
    profi_region_free(kept->histogram, PROFI_BUCKET_COUNT * sizeof(*kept->histogram), PROFI_REGION_HISTOGRAM);
    profi_region_free(kept, sizeof(*kept), PROFI_REGION_TREE);
}

profi_node *profi_tree_list(profi_thread *thread)
{
    profi_node *first = NULL, **end = &first;
    for (profi_node *node = thread->root.first_child, *next; node != NULL; node = next) {
        node->follower = NULL;
        *end = node;
        end = &node->follower;
        next = node->first_child;
        for (profi_node *up = node; next == NULL && up != &thread->root; up = up->parent)
            next = up->next_sibling;
    }
    return first;
}
