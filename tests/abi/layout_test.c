/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layouts that the ABI fixes, by static assertion: every field of every
 * visible struct, which layout_check.py sees to.  A number here never
 * changes; a struct that grows gets lines behind its last, and a new SIZE.
 */
#include <profcore/events.h>
#include <profcore/inline.h>
#include <profcore/memory.h>
#include <profcore/operators.h>
#include <profcore/snapshot.h>
#include <profcore/timeline.h>
#include <profcore/torch.h>

#include <stdio.h>

#define AT(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #type "." #field)
#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), "sizeof " #type)

SIZE(prof_scope, 8);
AT(prof_scope, place, 0);
SIZE(prof_site, 56);
AT(prof_site, size, 0);
AT(prof_site, flags, 4);
AT(prof_site, name, 8);
AT(prof_site, file, 16);
AT(prof_site, line, 24);
AT(prof_site, sample_every, 28);
AT(prof_site, intern, 32);
AT(prof_site, reserved2, 40);
SIZE(prof_error, 512);
AT(prof_error, size, 0);
AT(prof_error, status, 4);
AT(prof_error, message, 8);
SIZE(prof_options, 88);
AT(prof_options, size, 0);
AT(prof_options, flags, 4);
AT(prof_options, name, 8);
AT(prof_options, directory, 16);
AT(prof_options, formats, 24);
AT(prof_options, sort, 32);
AT(prof_options, memory_bytes, 40);
AT(prof_options, save_every_s, 48);
AT(prof_options, rss_every_ms, 52);
AT(prof_options, save_if, 56);
AT(prof_options, max_bytes, 64);
AT(prof_options, max_files, 72);
AT(prof_options, when_full, 76);
AT(prof_options, stream, 80);
SIZE(prof_stats, 144);
AT(prof_stats, size, 0);
AT(prof_stats, live_thread_count, 4);
AT(prof_stats, thread_count, 8);
AT(prof_stats, lost_count, 16);
AT(prof_stats, repaired_count, 24);
AT(prof_stats, unmatched_count, 32);
AT(prof_stats, memory_used_bytes, 40);
AT(prof_stats, memory_limit_bytes, 48);
AT(prof_stats, event_count, 56);
AT(prof_stats, event_lost_count, 64);
AT(prof_stats, kept_count, 72);
AT(prof_stats, kept_saved_count, 80);
AT(prof_stats, kept_lost_count, 88);
AT(prof_stats, kept_unsaved_count, 96);
AT(prof_stats, removed_file_count, 104);
AT(prof_stats, event_filtered_count, 112);
AT(prof_stats, dump_count, 120);
AT(prof_stats, dump_skipped_count, 128);
AT(prof_stats, dump_failed_count, 136);
SIZE(prof_dump_options, 32);
AT(prof_dump_options, size, 0);
AT(prof_dump_options, seconds, 4);
AT(prof_dump_options, reason, 8);
AT(prof_dump_options, path, 16);
AT(prof_dump_options, path_bytes, 24);
SIZE(prof_operator_input, 16);
AT(prof_operator_input, size, 0);
AT(prof_operator_input, rank, 4);
AT(prof_operator_input, shape, 8);

SIZE(prof_probe, 40);
AT(prof_probe, size, 0);
AT(prof_probe, flags, 4);
AT(prof_probe, name, 8);
AT(prof_probe, unit, 16);
AT(prof_probe, read, 24);
AT(prof_probe, user, 32);
SIZE(prof_function, 136);
AT(prof_function, size, 0);
AT(prof_function, id, 4);
AT(prof_function, name, 8);
AT(prof_function, file, 16);
AT(prof_function, line, 24);
AT(prof_function, has, 28);
AT(prof_function, calls, 32);
AT(prof_function, primitive_calls, 40);
AT(prof_function, open_calls, 48);
AT(prof_function, self_ns, 56);
AT(prof_function, cumulative_ns, 64);
AT(prof_function, min_ns, 72);
AT(prof_function, max_ns, 80);
AT(prof_function, items, 88);
AT(prof_function, items_unit, 96);
AT(prof_function, rss_growth_bytes, 104);
AT(prof_function, rss_peak_bytes, 112);
AT(prof_function, timed_calls, 120);
AT(prof_function, interval_ns, 128);
SIZE(prof_probe_info, 32);
AT(prof_probe_info, size, 0);
AT(prof_probe_info, is_gauge, 4);
AT(prof_probe_info, name, 8);
AT(prof_probe_info, unit, 16);
AT(prof_probe_info, of, 24);
SIZE(prof_measure, 48);
AT(prof_measure, size, 0);
AT(prof_measure, is_bound, 4);
AT(prof_measure, calls, 8);
AT(prof_measure, failed_calls, 16);
AT(prof_measure, sum, 24);
AT(prof_measure, largest, 32);
AT(prof_measure, peak, 40);
SIZE(prof_memory_info, 72);
AT(prof_memory_info, size, 0);
AT(prof_memory_info, reserved, 4);
AT(prof_memory_info, name, 8);
AT(prof_memory_info, allocated_bytes, 16);
AT(prof_memory_info, allocated_count, 24);
AT(prof_memory_info, live_bytes, 32);
AT(prof_memory_info, live_count, 40);
AT(prof_memory_info, peak_bytes, 48);
AT(prof_memory_info, lost_count, 56);
AT(prof_memory_info, unknown_count, 64);
SIZE(prof_place, 80);
AT(prof_place, size, 0);
AT(prof_place, memory, 4);
AT(prof_place, path, 8);
AT(prof_place, scope, 16);
AT(prof_place, called, 24);
AT(prof_place, live_bytes, 32);
AT(prof_place, live_count, 40);
AT(prof_place, new_count, 48);
AT(prof_place, grown_bytes, 56);
AT(prof_place, grown_count, 64);
AT(prof_place, is_marked, 72);
AT(prof_place, reserved, 76);
SIZE(prof_counter_row, 72);
AT(prof_counter_row, size, 0);
AT(prof_counter_row, line, 4);
AT(prof_counter_row, name, 8);
AT(prof_counter_row, file, 16);
AT(prof_counter_row, count, 24);
AT(prof_counter_row, not_finite_count, 32);
AT(prof_counter_row, last, 40);
AT(prof_counter_row, sum, 48);
AT(prof_counter_row, min, 56);
AT(prof_counter_row, max, 64);
SIZE(prof_recovery, 64);
AT(prof_recovery, size, 0);
AT(prof_recovery, thread_count, 4);
AT(prof_recovery, open_count, 8);
AT(prof_recovery, call_count, 16);
AT(prof_recovery, event_count, 24);
AT(prof_recovery, event_lost_count, 32);
AT(prof_recovery, damage_count, 40);
AT(prof_recovery, last_unix_s, 48);
AT(prof_recovery, pid, 56);
SIZE(prof_about, 128);
AT(prof_about, size, 0);
AT(prof_about, has, 4);
AT(prof_about, name, 8);
AT(prof_about, root, 16);
AT(prof_about, host, 24);
AT(prof_about, clock_source, 32);
AT(prof_about, pid, 40);
AT(prof_about, process_count, 48);
AT(prof_about, taken_unix_s, 56);
AT(prof_about, recorded_ns, 64);
AT(prof_about, clock_hz, 72);
AT(prof_about, scope_cost_ps, 80);
AT(prof_about, probe_ns, 88);
AT(prof_about, lost_count, 96);
AT(prof_about, rss_bytes, 104);
AT(prof_about, rss_peak_bytes, 112);
AT(prof_about, rss_start_bytes, 120);
SIZE(prof_print_options, 32);
AT(prof_print_options, size, 0);
AT(prof_print_options, flags, 4);
AT(prof_print_options, sort, 8);
AT(prof_print_options, limits, 16);
AT(prof_print_options, limit_count, 24);
AT(prof_print_options, view, 28);

SIZE(prof_timeline_source, 24);
AT(prof_timeline_source, read, 0);
AT(prof_timeline_source, user, 8);
AT(prof_timeline_source, what, 16);

SIZE(prof_timeline_about, 136);
AT(prof_timeline_about, size, 0);
AT(prof_timeline_about, process_count, 4);
AT(prof_timeline_about, producer, 8);
AT(prof_timeline_about, track_count, 16);
AT(prof_timeline_about, event_count, 24);
AT(prof_timeline_about, lost_count, 32);
AT(prof_timeline_about, first_ns, 40);
AT(prof_timeline_about, last_ns, 48);
AT(prof_timeline_about, last_unix_ns, 56);
AT(prof_timeline_about, unfinished, 64);
AT(prof_timeline_about, stray_ends, 72);
AT(prof_timeline_about, disordered, 80);
AT(prof_timeline_about, without_clock, 88);
AT(prof_timeline_about, without_names, 96);
AT(prof_timeline_about, not_understood, 104);
AT(prof_timeline_about, other_packets, 112);
AT(prof_timeline_about, torn_bytes, 120);
AT(prof_timeline_about, has_no_end, 128);

SIZE(prof_timeline_process, 24);
AT(prof_timeline_process, size, 0);
AT(prof_timeline_process, reserved, 4);
AT(prof_timeline_process, pid, 8);
AT(prof_timeline_process, name, 16);

SIZE(prof_timeline_track, 40);
AT(prof_timeline_track, size, 0);
AT(prof_timeline_track, process, 4);
AT(prof_timeline_track, tid, 8);
AT(prof_timeline_track, name, 16);
AT(prof_timeline_track, slice_count, 24);
AT(prof_timeline_track, lost_count, 32);

SIZE(prof_timeline_slice, 80);
AT(prof_timeline_slice, size, 0);
AT(prof_timeline_slice, kind, 4);
AT(prof_timeline_slice, name, 8);
AT(prof_timeline_slice, file, 16);
AT(prof_timeline_slice, line, 24);
AT(prof_timeline_slice, depth, 28);
AT(prof_timeline_slice, start_ns, 32);
AT(prof_timeline_slice, end_ns, 40);
AT(prof_timeline_slice, value, 48);
AT(prof_timeline_slice, argument_count, 56);
AT(prof_timeline_slice, request, 64);

SIZE(prof_timeline_argument, 40);
AT(prof_timeline_argument, size, 0);
AT(prof_timeline_argument, type, 4);
AT(prof_timeline_argument, name, 8);
AT(prof_timeline_argument, integer, 16);
AT(prof_timeline_argument, number, 24);
AT(prof_timeline_argument, text, 32);
SIZE(prof_torch_tensor, 56);
AT(prof_torch_tensor, size, 0);
AT(prof_torch_tensor, dtype, 4);
AT(prof_torch_tensor, device, 8);
AT(prof_torch_tensor, device_index, 12);
AT(prof_torch_tensor, rank, 16);
AT(prof_torch_tensor, flags, 20);
AT(prof_torch_tensor, shape, 24);
AT(prof_torch_tensor, strides, 32);
AT(prof_torch_tensor, data, 40);
AT(prof_torch_tensor, data_bytes, 48);
SIZE(prof_torch_input, 32);
AT(prof_torch_input, size, 0);
AT(prof_torch_input, flags, 4);
AT(prof_torch_input, name, 8);
AT(prof_torch_input, tensor, 16);
AT(prof_torch_input, value, 24);
SIZE(prof_torch_options, 24);
AT(prof_torch_options, size, 0);
AT(prof_torch_options, flags, 4);
AT(prof_torch_options, device, 8);
AT(prof_torch_options, reserved, 16);
SIZE(prof_torch_method, 32);
AT(prof_torch_method, size, 0);
AT(prof_torch_method, flags, 4);
AT(prof_torch_method, name, 8);
AT(prof_torch_method, result, 16);
AT(prof_torch_method, argument_count, 24);
SIZE(prof_torch_argument, 32);
AT(prof_torch_argument, size, 0);
AT(prof_torch_argument, flags, 4);
AT(prof_torch_argument, name, 8);
AT(prof_torch_argument, type, 16);
AT(prof_torch_argument, default_text, 24);

/* Layout 1 of inline.h: with a number here, the ends of its symbols' names change. */
SIZE(prof_inline_node, 96);
AT(prof_inline_node, key, 0);
AT(prof_inline_node, parent, 8);
AT(prof_inline_node, last, 16);
AT(prof_inline_node, follower, 24);
AT(prof_inline_node, start, 32);
AT(prof_inline_node, calls, 40);
AT(prof_inline_node, total, 48);
AT(prof_inline_node, histogram, 56);
AT(prof_inline_node, min, 64);
AT(prof_inline_node, max, 72);
AT(prof_inline_node, pending, 80);
AT(prof_inline_node, event, 88);
SIZE(prof_inline_cell, 24);
AT(prof_inline_cell, what, 0);
AT(prof_inline_cell, start, 8);
AT(prof_inline_cell, end, 16);
SIZE(prof_inline_thread, 48);
AT(prof_inline_thread, current, 0);
AT(prof_inline_thread, busy, 8);
AT(prof_inline_thread, cell, 16);
AT(prof_inline_thread, cell_end, 24);
AT(prof_inline_thread, event_min, 32);
AT(prof_inline_thread, filtered, 40);
SIZE(prof_arg, 24);
AT(prof_arg, name, 0);
AT(prof_arg, type, 8);
AT(prof_arg, reserved, 12);
AT(prof_arg, value, 16);
SIZE(prof_span, 16);
AT(prof_span, what, 0);
AT(prof_span, start, 8);
SIZE(prof_request, 16);
AT(prof_request, low, 0);
AT(prof_request, high, 8);

int main(void)
{
    int is_same = prof_version() == PROF_VERSION;
    printf("%s 1 header_and_library_are_of_one_version\n1..1\n", is_same ? "ok" : "not ok");
    return !is_same;
}
