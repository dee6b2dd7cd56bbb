"""Records keep their promises at birth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import SpanError
from contextsvc.records import Chunk, Document, digest

DOCUMENT = Document("d", "héllo wörld", "T", "s")


def test_a_chunk_is_cut_by_characters() -> None:
    chunk = Chunk.cut(DOCUMENT, 6, 11, 6)
    assert (chunk.text, chunk.num_tokens, chunk.title) == ("wörld", 6, "T")


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (3, 3), (4, 2), (0, 12)])
def test_a_span_outside_its_text_is_refused(start: int, end: int) -> None:
    with pytest.raises(SpanError, match="of document 'd'"):
        Chunk.cut(DOCUMENT, start, end, 1)


def test_a_text_that_is_not_the_spans_length_is_refused() -> None:
    with pytest.raises(SpanError):
        Chunk("d", 0, 3, "four", 1)


def test_an_id_is_derived() -> None:
    one, same = (Chunk.cut(DOCUMENT, 0, 5, 1) for _ in range(2))
    other = Chunk.cut(Document("d", "héllo there", "T", "s"), 0, 5, 1)
    assert one.chunk_id == same.chunk_id != other.chunk_id


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_digests_of_different_lists_differ(one: list[str], other: list[str]) -> None:
    assert (digest(*one) == digest(*other)) == (one == other)


def test_a_content_hash_sees_every_field() -> None:
    base = Document("d", "text", "title", "source", "plain", {"a": 1})
    others = [
        Document("e", "text", "title", "source", "plain", {"a": 1}),
        Document("d", "text!", "title", "source", "plain", {"a": 1}),
        Document("d", "text", "title", "source", "markdown", {"a": 1}),
        Document("d", "text", "title", "source", "plain", {"a": 2}),
    ]
    assert len({document.content_hash for document in (base, *others)}) == 5
