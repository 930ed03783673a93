/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libprofcore for C++11 and later: scopes that are objects, and results that
 * own themselves.  Header only, over the C functions of the headers beside it.
 *
 *     #include <profcore/profcore.hpp>
 *
 *     answer service::handle(const request &asked)
 *     {
 *         PROF_METHOD();                              // named "service::handle"
 *         profcore::scope step(PROF_SITE("parse"));
 *         query parsed = parse(asked);
 *         step.phase(PROF_SITE("search"));            // ends one, begins the next
 *         hits found = index_.search(parsed);
 *         step.end();
 *         return render(found);
 *     }
 *
 * The macros of prof.h work in C++ too and are the shortest form where a
 * scope is a block: PROF_FUNCTION, PROF_BLOCK, PROF_SCOPE.  A profcore::scope
 * is for what a block cannot say: it ends early, is a member, moves, has
 * phases, or its name is known at run time only.
 *
 * Failure: every cold call is there twice, as in <filesystem>.  One throws
 * profcore::error; the other takes an error & last, returns the prof_status
 * and throws nothing.  Compiled with -fno-exceptions, only the second is
 * there.  No destructor throws, and nothing about a scope does.
 *
 * Threads: a scope ends on the thread that began it.  Moving it to another
 * thread moves the object, not the scope: its end is ignored there and
 * counted (prof_stats.unmatched_count), and the scope lasts until the one
 * around it ends.  A coroutine may go on elsewhere, and others run on its
 * thread meanwhile: end a scope before co_await, and begin another after it.
 *
 * With PROF_DISABLE defined a scope is an empty shell and PROF_SITE nothing;
 * files with and without it can be linked together.
 *
 * Each part can be included alone:
 *   scope.hpp      error, site, scope, PROF_SITE
 *   method.hpp     PROF_METHOD
 *   recorder.hpp   options, stats, start, stop, save, recorder
 *   events.hpp     span, request, instant, annotate, flow, counter
 *   memory.hpp     memory, memory_mark, memory_check
 *   snapshot.hpp   snapshot: its functions, spans, counters and memory; read, merged, written
 *   timeline.hpp   timeline: a file of single events
 */
#ifndef PROFCORE_PROFCORE_HPP
#define PROFCORE_PROFCORE_HPP

#include <profcore/events.hpp>
#include <profcore/memory.hpp>
#include <profcore/method.hpp>
#include <profcore/recorder.hpp>
#include <profcore/scope.hpp>
#include <profcore/snapshot.hpp>
#include <profcore/timeline.hpp>

#endif
