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
PROF_API void prof_memory_allocated(prof_memory *memory, const void *block, uint64_t bytes);

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
 * by prof_memory_check() and in reports.  After a warm-up.  Any thread; since
 * 0.1.
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

#ifdef __cplusplus
}
#endif

#endif /* PROFCORE_MEMORY_H */
