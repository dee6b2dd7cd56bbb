"""Records that break their contract are refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import SpanError
from contextsvc.records.documents import Chunk, Document
from contextsvc.records.fingerprints import digest
from contextsvc.records.packs import Candidate, Drop

DOCUMENT = Document("d", "héllo wörld", title="T", source="s")


def test_a_chunk_is_cut_by_characters() -> None:
    chunk = Chunk.cut(DOCUMENT, 6, 11, 6)
    assert (chunk.text, chunk.num_tokens, chunk.title) == ("wörld", 6, "T")


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (3, 3), (4, 2), (0, 12)])
def test_a_span_outside_its_text_is_refused(start: int, end: int) -> None:
    with pytest.raises(SpanError, match="of document 'd'"):
        Chunk.cut(DOCUMENT, start, end, 1)


def test_a_text_of_another_length_than_its_span_is_refused() -> None:
    with pytest.raises(SpanError):
        Chunk(doc_id="d", start=0, end=3, text="four", num_tokens=1)


def test_a_trimmed_chunk_has_spans_the_id_of_the_whole_and_offsets() -> None:
    whole = Chunk.cut(DOCUMENT, 0, 11, 2)
    left = replace(whole, start=1, text="él\n…\nld", end=11, spans=((1, 3), (9, 11)))
    assert (whole.spans, whole.whole, left.whole) == (((0, 11),), (0, 11), (0, 11))
    assert left.chunk_id == whole.chunk_id
    assert [left.offset(at) for at in (1, 2, 9, 10)] == [0, 1, 5, 6]
    for at in (0, 3, 11):
        with pytest.raises(SpanError):
            left.offset(at)
    drop = Drop.of(Candidate(0, left, 0.5, 1), "over_budget")
    assert (drop.chunk_id, drop.start, drop.end) == (whole.chunk_id, 0, 11)


@pytest.mark.parametrize(
    "changed",
    [
        {"text": "él ld"},  # no mark
        {"text": "él\n…\nld."},  # longer than its spans
        {"text": "él\n...\nld"},  # another mark
        {"spans": ((9, 11), (1, 3))},  # not in order
        {"spans": ((1, 3), (3, 5)), "end": 5},  # nothing was left out
        {"start": 0},  # not where the first span begins
        {"end": 12},  # not where the last one ends
        {"whole": (2, 11)},  # outside the chunk it was
        {"whole": (1, 10)},
    ],
)
def test_a_text_that_does_not_match_its_spans_is_refused(changed: dict[str, object]) -> None:
    left = Chunk(
        doc_id="d", start=1, end=11, text="él\n…\nld", num_tokens=2, spans=((1, 3), (9, 11)), whole=(0, 11)
    )
    with pytest.raises(SpanError):
        replace(left, **changed)  # type: ignore[arg-type]


def test_an_id_is_derived() -> None:
    one, same = (Chunk.cut(DOCUMENT, 0, 5, 1) for _ in range(2))
    other = Chunk.cut(Document("d", "héllo there", title="T", source="s"), 0, 5, 1)
    assert one.chunk_id == same.chunk_id != other.chunk_id


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_digests_of_different_lists_differ(one: list[str], other: list[str]) -> None:
    assert (digest(*one) == digest(*other)) == (one == other)


def test_a_content_hash_sees_every_field() -> None:
    base = Document("d", "text", title="title", source="source", format="plain", metadata={"a": 1})
    others = [
        Document("e", "text", title="title", source="source", format="plain", metadata={"a": 1}),
        Document("d", "text!", title="title", source="source", format="plain", metadata={"a": 1}),
        Document("d", "text", title="title", source="source", format="markdown", metadata={"a": 1}),
        Document("d", "text", title="title", source="source", format="plain", metadata={"a": 2}),
    ]
    assert len({document.content_hash for document in (base, *others)}) == 5
