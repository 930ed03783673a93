/* SPDX-License-Identifier: Apache-2.0 */
/* See usage.h. */
#include "usage.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static profi_usage rows[PROFI_USAGES];
static unsigned row_count;
static profi_usage_state state;

void profi_usage_lock(void) { pthread_mutex_lock(&lock); }
void profi_usage_unlock(void) { pthread_mutex_unlock(&lock); }

profi_usage *profi_usage_add(const char *of, const char *unit, const char *name_format, ...)
{
    char name[sizeof(rows->name)];
    va_list arguments;
    va_start(arguments, name_format);
    vsnprintf(name, sizeof(name), name_format, arguments);
    va_end(arguments);
    profi_usage_lock();
    unsigned i = 0;
    while (i < row_count && (strcmp(rows[i].name, name) != 0 || strcmp(rows[i].of, of) != 0))
        i++;
    profi_usage *row = i < PROFI_USAGES ? &rows[i] : NULL;
    if (i == row_count && row != NULL) {
        memset(row, 0, sizeof(*row));
        row->unit = unit;
        strcpy(row->name, name);
        snprintf(row->of, sizeof(row->of), "%s", of);
        row_count++;
    }
    profi_usage_unlock();
    return row;
}

static void set_value(profi_usage *row, double value)
{
    row->last = value;
    row->is_fresh = 1;
}

static void add_value(profi_usage *row)
{
    row->sum += row->last;
    row->max = row->count == 0 || row->last > row->max ? row->last : row->max;
    row->count++;
}

void profi_usage_value(profi_usage *row, double value)
{
    if (row == NULL)
        return;
    profi_usage_lock();
    set_value(row, value);
    profi_usage_unlock();
}

void profi_usage_limit(profi_usage *row, double limit)
{
    if (row == NULL)
        return;
    profi_usage_lock();
    row->limit = limit;
    profi_usage_unlock();
}

static void set_reason(profi_usage *row, int has_failed, const char *format, va_list arguments)
{
    if (row == NULL)
        return;
    profi_usage_lock();
    vsnprintf(row->reason, sizeof(row->reason), format, arguments);
    row->has_failed |= has_failed;
    profi_usage_unlock();
}

void profi_usage_failed(profi_usage *row, const char *reason, ...)
{
    va_list arguments;
    va_start(arguments, reason);
    set_reason(row, 1, reason, arguments);
    va_end(arguments);
}

void profi_usage_unavailable(profi_usage *row, const char *reason, ...)
{
    va_list arguments;
    va_start(arguments, reason);
    set_reason(row, 0, reason, arguments);
    va_end(arguments);
}

void profi_usage_set(profi_usage *row, uint64_t bits, uint64_t counted, const char *const *names)
{
    if (row == NULL)
        return;
    uint64_t before = row->count, known = row->bits | bits; /* this thread alone changes them */
    for (unsigned bit = 0; names[bit] != NULL; bit++) {
        if (!(known >> bit & 1))
            continue;
        profi_usage *of_bit = profi_usage_add(row->of, row->unit, "%s: %s", row->name, names[bit]);
        profi_usage_lock();
        if (of_bit != NULL) {
            of_bit->count = before; /* also of a bit that is new: it was not there before */
            of_bit->limit = 100;
            set_value(of_bit, bits >> bit & 1 ? 100 : 0);
        }
        profi_usage_unlock();
    }
    profi_usage_lock();
    row->bits = known;
    row->limit = 100;
    set_value(row, bits & counted ? 100 : 0);
    profi_usage_unlock();
}

void profi_usage_began(uint64_t every_ms, uint64_t now_ns)
{
    profi_usage_lock();
    for (unsigned i = 0; i < row_count; i++)
        rows[i].is_fresh = rows[i].has_failed = 0;
    state.every_ms = every_ms;
    state.began_ns = now_ns;
    profi_usage_unlock();
}

void profi_usage_ended(uint64_t took_ns, uint64_t missed_count)
{
    profi_usage_lock();
    for (unsigned i = 0; i < row_count; i++)
        if (rows[i].is_fresh)
            add_value(&rows[i]);
        else
            rows[i].failed_count += (uint64_t)rows[i].has_failed;
    state.count++;
    state.took_ns += took_ns;
    state.missed_count += missed_count;
    state.began_ns = 0;
    profi_usage_unlock();
}

int profi_usage_fresh(unsigned row, double *value)
{
    profi_usage_lock();
    int is_fresh = row < row_count && rows[row].is_fresh;
    if (is_fresh)
        *value = rows[row].last;
    profi_usage_unlock();
    return is_fresh;
}

unsigned profi_usage_count(void)
{
    profi_usage_lock();
    unsigned count = row_count;
    profi_usage_unlock();
    return count;
}

void profi_usage_copy(unsigned row, profi_usage *into)
{
    profi_usage_lock();
    *into = rows[row];
    profi_usage_unlock();
}

profi_usage_state profi_usage_state_now(void)
{
    profi_usage_lock();
    profi_usage_state now = state;
    profi_usage_unlock();
    return now;
}

void profi_usage_forget(void)
{
    row_count = 0;
    state = (profi_usage_state){ 0 };
}
