# SPDX-License-Identifier: Apache-2.0
"""Timelines of other producers: encoded by the official schema's own classes, with the features that Perfetto's SDK and
Chrome use and our writer does not."""

import random

from perfetto.trace_builder.proto_builder import TraceProtoBuilder

CLEARED, NEEDS = 1, 2  # TracePacket.SequenceFlags
BEGIN, END, INSTANT, COUNTER = 1, 2, 3, 4  # TrackEvent.Type
MONOTONIC, BOOTTIME, REALTIME, OWN_CLOCK = 3, 6, 1, 64  # ids of ClockSnapshot's clocks; OWN_CLOCK is a sequence's own
START_NS = 5_000_000_000
NAMES = ["embed_query", "tokenize", "encode", "search", "get_response", "decode \u00e9\u2713"]


class Sequence:
    """One thread's packets as the SDK writes them: names interned, times as differences, what repeats said once."""

    def __init__(self, builder, number, tid):
        self.builder, self.number, self.tid = builder, number, tid
        self.now = self.written = START_NS + number * 1000
        self.begin_state()

    def packet(self, flags=NEEDS):
        packet = self.builder.add_packet()
        packet.trusted_packet_sequence_id = self.number
        packet.sequence_flags = flags
        return packet

    def begin_state(self):
        self.names = {}
        packet = self.packet(CLEARED)
        packet.trace_packet_defaults.timestamp_clock_id = OWN_CLOCK
        packet.trace_packet_defaults.track_event_defaults.track_uuid = 100 + self.number
        packet.trace_packet_defaults.track_event_defaults.extra_counter_track_uuids.append(200 + self.number)
        for clock, at in ((MONOTONIC, self.now), (BOOTTIME, self.now + 7_000_000_000), (REALTIME, self.now + 10**18)):
            one = packet.clock_snapshot.clocks.add()
            one.clock_id, one.timestamp = clock, at
        own = packet.clock_snapshot.clocks.add()
        own.clock_id, own.timestamp, own.is_incremental, own.unit_multiplier_ns = OWN_CLOCK, self.now // 1000, True, 1000
        self.written = self.now // 1000
        packet.clock_snapshot.primary_trace_clock = BOOTTIME

        thread = self.packet()
        thread.track_descriptor.uuid, thread.track_descriptor.parent_uuid = 100 + self.number, 99
        thread.track_descriptor.thread.pid, thread.track_descriptor.thread.tid = 4242, self.tid
        thread.track_descriptor.thread.thread_name = f"worker {self.number}"
        time = self.packet()
        time.track_descriptor.uuid, time.track_descriptor.parent_uuid = 200 + self.number, 100 + self.number
        time.track_descriptor.counter.type = 1  # COUNTER_THREAD_TIME_NS
        time.track_descriptor.counter.is_incremental = True

    def event(self, kind, name=None, us=0):
        self.now += us * 1000
        packet = self.packet()
        packet.timestamp = self.now // 1000 - self.written
        self.written = self.now // 1000
        packet.track_event.type = kind
        packet.track_event.extra_counter_values.append(us)
        if name is not None:
            if name not in self.names:
                self.names[name] = 1 + len(self.names)
                entry = packet.interned_data.event_names.add()
                entry.iid, entry.name = self.names[name], name
                category = packet.interned_data.event_categories.add()
                category.iid, category.name = self.names[name], "service"
            packet.track_event.name_iid = self.names[name]
            packet.track_event.category_iids.append(self.names[name])
        return packet


def like_the_sdk():
    """Two threads and a track that both write to; one loses what it had said, and says it anew by other numbers."""
    chance = random.Random(5)
    builder = TraceProtoBuilder()
    process = builder.add_packet()
    process.track_descriptor.uuid = 99
    process.track_descriptor.process.pid, process.track_descriptor.process.process_name = 4242, "other"
    shared = builder.add_packet()
    shared.track_descriptor.uuid, shared.track_descriptor.parent_uuid, shared.track_descriptor.name = 300, 99, "requests"
    sequences = [Sequence(builder, number, 5000 + number) for number in (1, 2)]
    depth = {1: 0, 2: 0}
    for step in range(600):
        of = chance.choice(sequences)
        if step in (200, 400):
            of.begin_state()
        if depth[of.number] < 6 and (depth[of.number] == 0 or chance.random() < 0.5):
            packet = of.event(BEGIN, chance.choice(NAMES), chance.randrange(1, 50))
            note = packet.track_event.debug_annotations.add()
            note.name, note.uint_value = "step", step
            depth[of.number] += 1
        else:
            of.event(END, us=chance.randrange(1, 50))
            depth[of.number] -= 1
    for of in sequences:
        while depth[of.number]:
            of.event(END, us=3)
            depth[of.number] -= 1
    # Requests begin on one thread and end on the other, whose packets stand elsewhere in the file.
    begun, ended = sequences
    begun.now = ended.now = max(begun.now, ended.now) + 1_000_000
    for sequence in sequences:
        sequence.begin_state()
    starts = []
    for number in range(5):
        begun.event(BEGIN, "request", 100).track_event.track_uuid = 300
        starts.append(begun.now)
    for start in reversed(starts):
        ended.now = max(ended.now, start) + 700_000
        ended.event(END).track_event.track_uuid = 300
    return builder.serialize()


def out_of_order():
    """A track that two sequences write to; in the file the ends of one stand before the beginnings of the other."""
    builder = TraceProtoBuilder()
    track = builder.add_packet()
    track.track_descriptor.uuid, track.track_descriptor.name = 7, "handed over"
    for sequence, kind, first in ((2, END, 1500), (1, BEGIN, 1000)):
        for number in range(20):
            packet = builder.add_packet()
            packet.trusted_packet_sequence_id = sequence
            packet.timestamp = START_NS + number * 1000 + first
            packet.track_event.type, packet.track_event.track_uuid = kind, 7
            if kind == BEGIN:
                packet.track_event.name = NAMES[number % len(NAMES)]
    return builder.serialize()


def like_chrome():
    """Events of before there were tracks: letters for their types, numbers for their threads, whole ones with a duration."""
    builder = TraceProtoBuilder()
    clocks = builder.add_packet()
    clocks.trusted_packet_sequence_id = 9
    for clock in (BOOTTIME, MONOTONIC):
        one = clocks.clock_snapshot.clocks.add()
        one.clock_id, one.timestamp = clock, START_NS
    for number in (1, 2):
        packet = builder.add_packet()
        packet.trusted_packet_sequence_id, packet.sequence_flags, packet.incremental_state_cleared = number, CLEARED, True
        packet.thread_descriptor.pid, packet.thread_descriptor.tid = 77, 70 + number
        packet.thread_descriptor.thread_name = f"CrThread{number}"
        packet.thread_descriptor.reference_timestamp_us = START_NS // 1000

        def event(letter, name=None, us=0, duration_us=None):
            packet = builder.add_packet()
            packet.trusted_packet_sequence_id, packet.sequence_flags = number, NEEDS
            packet.track_event.timestamp_delta_us = us
            packet.track_event.categories.append("toplevel")
            packet.track_event.legacy_event.phase = ord(letter)
            if name is not None:
                entry = packet.interned_data.event_names.add()
                entry.iid, entry.name = 1 + NAMES.index(name), name
                packet.track_event.legacy_event.name_iid = entry.iid
            if duration_us is not None:
                packet.track_event.legacy_event.duration_us = duration_us

        for turn in range(40):
            event("B", "embed_query", 10)
            event("X", "tokenize", 5, 20 + turn)
            event("B", "encode", 100)
            event("X", "search", 1, 7)
            event("I", "decode \u00e9\u2713", 1)
            event("E", us=50)
            event("E", us=4)
    return builder.serialize()


def compressed(compress):
    builder = TraceProtoBuilder()
    builder.add_packet().compressed_packets = compress(like_the_sdk())
    return builder.serialize()


ALL = {"like_the_sdk": like_the_sdk, "out_of_order": out_of_order, "like_chrome": like_chrome}
