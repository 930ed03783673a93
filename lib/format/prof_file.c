/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cProfile's file, `.prof`: a Python marshal dump of
 *
 *     {(file, line, name): (primitive calls, calls, self s, cumulative s,
 *         {caller's key: (calls, primitive calls, self s, cumulative s)})}
 *
 * with the two counts in opposite orders outside and inside.  Only type
 * codes that every Python from 2.7 on reads are used, and no references.
 * Source of the format: Python's documentation and source of marshal and
 * Lib/cProfile.py.
 */
#include "pstats.h"
#include "writer.h"

#include <string.h>

static void put_u32(profi_output *out, uint32_t value)
{
    unsigned char bytes[4] = { (unsigned char)value, (unsigned char)(value >> 8), (unsigned char)(value >> 16),
                               (unsigned char)(value >> 24) };
    profi_output_bytes(out, bytes, sizeof(bytes));
}

static void put_code(profi_output *out, char code)
{
    profi_output_bytes(out, &code, 1);
}

/* An integer: 32 bits signed, or a count of 15-bit digits and the digits, the lowest first. */
static void put_integer(profi_output *out, uint64_t value)
{
    if (value <= INT32_MAX) {
        put_code(out, 'i');
        put_u32(out, (uint32_t)value);
        return;
    }
    unsigned digits = 0;
    for (uint64_t rest = value; rest != 0; rest >>= 15)
        digits++;
    put_code(out, 'l');
    put_u32(out, digits);
    for (; value != 0; value >>= 15) {
        unsigned char digit[2] = { (unsigned char)value, (unsigned char)(value >> 8 & 0x7f) };
        profi_output_bytes(out, digit, sizeof(digit));
    }
}

static void put_seconds(profi_output *out, double seconds)
{
    uint64_t bits;
    memcpy(&bits, &seconds, sizeof(bits));
    put_code(out, 'g');
    put_u32(out, (uint32_t)bits);
    put_u32(out, (uint32_t)(bits >> 32));
}

static void put_string(profi_output *out, const char *text)
{
    put_code(out, 'u');
    put_u32(out, (uint32_t)strlen(text));
    profi_output_text(out, text);
}

static void put_tuple(profi_output *out, uint32_t count)
{
    put_code(out, '(');
    put_u32(out, count);
}

static void put_key(profi_output *out, const profi_pstats_row *row)
{
    put_tuple(out, 3);
    put_string(out, row->file);
    put_integer(out, row->line);
    put_string(out, row->name);
}

static void put_callers(profi_output *out, const profi_pstats *stats, const profi_pstats_row *row)
{
    put_code(out, '{');
    for (uint32_t i = 0; i < row->call_count; i++) {
        const profi_pstats_call *call = &stats->calls[row->first_call + i];
        put_key(out, &stats->rows[call->caller]);
        put_tuple(out, 4);
        put_integer(out, call->calls);
        put_integer(out, call->primitive_calls);
        put_seconds(out, call->self_s);
        put_seconds(out, call->cumulative_s);
    }
    put_code(out, '0');
}

prof_status profi_write_prof(const prof_snapshot *snapshot, const char *sort, profi_output *out, prof_error *err)
{
    (void)sort; /* a dictionary has no order that readers keep */
    profi_pstats stats;
    prof_status status = profi_pstats_init(&stats, snapshot, err);
    if (status != PROF_OK)
        return status;
    put_code(out, '{');
    for (uint32_t i = 0; i < stats.row_count; i++) {
        const profi_pstats_row *row = &stats.rows[i];
        put_key(out, row);
        put_tuple(out, 5);
        put_integer(out, row->primitive_calls);
        put_integer(out, row->calls);
        put_seconds(out, row->self_s);
        put_seconds(out, row->cumulative_s);
        put_callers(out, &stats, row);
    }
    put_code(out, '0');
    profi_pstats_fini(&stats);
    return PROF_OK;
}
