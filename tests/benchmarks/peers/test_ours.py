"""Ours as a side: a passage a span."""

from dataclasses import replace

from benchmarks.peers.ours import parts_of
from contextsvc.records.documents import Chunk


def test_a_trimmed_chunk_has_a_part_a_span() -> None:
    whole = Chunk("d", 0, 9, "one two x", 3)
    assert parts_of(whole) == ["one two x"]
    assert parts_of(replace(whole, text="one\n…\nx", spans=((0, 3), (8, 9)))) == ["one", "x"]
