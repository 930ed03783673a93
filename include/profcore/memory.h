/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that allocators hand out, by scope.
 *
 * Resident memory says what the process takes from the system.  What a scope
 * asks an allocator for, how high that rises, and what of it is still there
 * afterwards, only the allocator knows: a framework's for tensors, a pool, an
 * arena.  It tells here what it hands out and takes back.
 *
 *     static prof_memory *memory;
 *     prof_memory_open("pool", &memory, NULL);                once, before the first scope
 *
 *     void *block = pool_get(bytes);
 *     prof_memory_allocated(memory, block, bytes);
 *     …
 *     prof_memory_freed(memory, block);                       before it can be handed out anew
 *     pool_put(block);
 *
 * From then on each scope has what was allocated and freed inside it by its
 * thread, in bytes and blocks, the largest block, and the peak: how far what
 * the thread holds rose above what it was when the call began.  Peaks nest
 * exactly.  A block that another thread frees is in what that one freed: so a
 * scope's allocated less freed is what its own thread left, and the sum over
 * all threads is what there is.
 *
 * Besides, what is still allocated is known by the place that allocated it,
 * whoever frees it: the scopes that were open there.  prof_memory_check()
 * names those that grow.  docs/memory.md has an example.
 */
#ifndef PROFCORE_MEMORY_H
#define PROFCORE_MEMORY_H

#include <profcore/prof.h>

#if !defined(PROF_MEMORY_NOT_READ) && defined(__has_attribute)
#if __has_attribute(access)
#define PROF_MEMORY_NOT_READ __attribute__((access(none, 2))) /* a new block has nothing in it, which a compiler warns of */
#endif
#endif
#ifndef PROF_MEMORY_NOT_READ
#define PROF_MEMORY_NOT_READ
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* A kind of memory, of one or several allocators. */
typedef struct prof_memory prof_memory;

/*
 * Finds or makes a kind of memory.
 *
 * All sites but sampled ones that are first used from now on measure it, for
 * some 60 ns a call; those used before do not.
 *
 *   name     Such as "torch.cpu": UTF-8, 31 bytes at most.
 *   memory   Receives it, owned by the library.
 *   returns  PROF_OK; PROF_E_INVALID: a bad name; PROF_E_LIMIT for a fifth
 *            kind; PROF_E_NO_MEMORY.
 *   threads  Any.
 *   memory   In the recorder's region, 432 bytes for each call path; reserves
 *            it before the first start.
 *   since    0.1
 */
PROF_API prof_status prof_memory_open(const char *name, prof_memory **memory, prof_error *err);

/*
 * Says that the calling thread was given a block, in the scopes that it has
 * open.
 *
 *   memory   NULL is ignored.
 *   block    Its address, which identifies it.  NULL is ignored.  Where one is
 *            given that was not said to be freed, that counts as freed now.
 *   bytes    Its size; below 2^56.
 *   threads  Any, at once.  Not in a signal handler, and not from within
 *            malloc() itself.
 *   memory   On the heap, some 50 bytes for each block that is allocated, and
 *            300 for each place; at most 524,288 blocks and 4,096 places.  A
 *            block for which there is no room is counted as lost, and is in no
 *            figure.  Also while recording is stopped.
 *   since    0.1
 */
PROF_API void prof_memory_allocated(prof_memory *memory, const void *block, uint64_t bytes) PROF_MEMORY_NOT_READ;

/*
 * Says that the calling thread gives a block back.
 *
 *   block    As for prof_memory_allocated(); one that is not known, allocated
 *            before the first call or lost, is counted as such and is in no
 *            figure.  NULL is ignored.
 *   returns  Its size, or 0 where it is not known.
 *   else     As prof_memory_allocated().
 *   since    0.1
 */
PROF_API uint64_t prof_memory_freed(prof_memory *memory, const void *block);

/*
 * Notes what is allocated at each place now: growth is measured from here,
 * by prof_memory_check() and in reports; and what pools hold.  After loading,
 * or a warm-up.  Any thread; since 0.1.
 */
PROF_API void prof_memory_mark(void);

/*
 * Looks for leaks: what has grown since the mark by a block or more in each
 * of several iterations of the same work.
 *
 *   iterations  Since prof_memory_mark(), at least 1.
 *   returns  PROF_OK: nothing did; PROF_E_LIMIT: something did, and the message
 *            names what grew most, by its operator and scope, such as "100
 *            iterations left 100 blocks (25.0 KiB) of torch.cpu by aten::clone
 *            under get_response: …"; prof_snapshot_place() tells of all;
 *            PROF_E_INVALID: 0, or nobody has called prof_memory_mark();
 *            PROF_E_NO_MEMORY.
 *   threads  Any.
 *   since    0.1
 */
PROF_API prof_status prof_memory_check(uint64_t iterations, prof_error *err);

/*
 * A pool of memory of which all threads share one, such as a GPU's.
 *
 * What a call does to it cannot be told from what its own thread allocates:
 * whether a batch fits depends on what all threads hold at the same time.  So
 * a pool has two levels, the bytes that are allocated and those that its
 * allocator has reserved for that, and each call has their values at its
 * begin, at its end, and the highest in between, whoever allocated: exactly,
 * in the order in which the allocator tells, however calls nest and overlap.
 *
 *     prof_pool_change(pool, +bytes, 0);      under the allocator's lock, where the order of blocks is to be exact
 *
 * docs/memory.md has an example.
 */
typedef struct prof_pool prof_pool;

/*
 * Finds or makes a pool, which holds nothing.
 *
 * All sites but sampled ones and operators that are first used from now on
 * measure it, and any with PROF_SITE_POOLS.
 *
 *   name     Such as "kv cache": UTF-8, 31 bytes at most; not "cuda:0" to
 *            "cuda:7", "cuda.managed" and "cuda.pinned", which are of what the
 *            driver hands out.
 *   pool     Receives it, owned by the library.
 *   returns  PROF_OK; PROF_E_INVALID: a bad name; PROF_E_LIMIT: there are 24
 *            already; PROF_E_NO_MEMORY.
 *   threads  Any.
 *   memory   For boundaries of calls up to a sixteenth of the recorder's
 *            region; on the heap 24 bytes for each change that is not yet put
 *            in order, 65,536 at most, and some 100 for each call path and
 *            pool.  What there is no room for is counted, and the calls that
 *            this concerns read unavailable.
 *   since    0.1
 */
PROF_API prof_status prof_pool_open(const char *name, prof_pool **pool, prof_error *err);

/*
 * Says that pools will be opened later, once the program has initialised what
 * owns their memory, which a profiler must not do for it.
 *
 * Sites that are first used from now on measure pools, as after
 * prof_pool_open().  `look` is called a hundred times a second, from now until
 * it says that the pools are open, or never will be; also in forked children.
 * Until then reports have the name with the reason.
 *
 *   name     Of all of them, such as "torch.cuda": UTF-8, 31 bytes at most.
 *   look     Returns PROF_OK: they are open; PROF_E_BUSY: not yet; else: never.
 *            err->message says why.  On a thread of the library's, which holds no
 *            lock.  It stays callable as long as the process lives.
 *   user     Passed on.
 *   returns  PROF_OK, also where the same are awaited already; PROF_E_INVALID: a
 *            bad name; PROF_E_LIMIT for a ninth; PROF_E_NO_MEMORY.
 *   threads  Any.
 *   memory   A thread, which sleeps once nothing is awaited.
 *   since    0.1
 */
PROF_API prof_status prof_pool_await(const char *name, prof_status (*look)(void *user, prof_error *err), void *user, prof_error *err);

/*
 * Says what a pool holds from now on, where that is not what it was told: an
 * allocator that was there before.  Calls that are open now have no figures of
 * it.
 *
 *   pool     NULL is ignored.
 *   threads  Any, at once; also under an allocator's lock.  Not in a signal
 *            handler.
 *   since    0.1
 */
PROF_API void prof_pool_set(prof_pool *pool, uint64_t allocated_bytes, uint64_t reserved_bytes);

/*
 * Says that what is allocated and what is reserved has just changed by so many
 * bytes; also while recording is stopped.  Otherwise as prof_pool_set().
 */
PROF_API void prof_pool_change(prof_pool *pool, int64_t allocated_bytes, int64_t reserved_bytes);

/*
 * Says that a pool changes just now, by what the next prof_pool_change() of it
 * will say: where an allocator calls before it has decided.  Until then no
 * call that ends has figures, so tell how it is closed: prof_pool_settle_by().
 * Otherwise as prof_pool_set().
 */
PROF_API void prof_pool_open_change(prof_pool *pool);

/*
 * Says what closes an open change, by prof_pool_change(): it is called at the
 * next begin or end of a scope of the thread that opened it, and before figures
 * are read, on any thread.  It may take the allocator's lock.
 *
 *   settle   NULL: nothing.  It stays callable as long as the process lives.
 *   user     Passed on.
 *   since    0.1
 */
PROF_API void prof_pool_settle_by(prof_pool *pool, void (*settle)(void *user), void *user);

/* Adds to how often a pool's allocator had to give back its cache and try again.  Any thread; since 0.1. */
PROF_API void prof_pool_retry(prof_pool *pool, uint64_t times);

/* Says that a pool could not give so many bytes: reports name the scope of the calling thread.  Any thread; since 0.1. */
PROF_API void prof_pool_exhausted(prof_pool *pool, uint64_t bytes);

#ifdef __cplusplus
}
#endif

#endif /* PROFCORE_MEMORY_H */
