"""Ours as a side: a passage a span."""

from dataclasses import replace

from benchmarks.peers.ours import parts_of
from contextsvc.records.documents import Chunk


def test_a_trimmed_chunk_has_a_part_a_span() -> None:
    whole = Chunk(doc_id="d", start=0, end=9, text="one two x", num_tokens=3)
    assert parts_of(whole) == ["one two x"]
    assert parts_of(replace(whole, text="one\n…\nx", spans=((0, 3), (8, 9)))) == ["one", "x"]
