"""Orderings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import UnknownChoice
from contextsvc.packing.ordering import ORDERINGS, by_document, by_edges, by_relevance, ordering_named
from contextsvc.records.documents import Chunk
from contextsvc.records.packs import Candidate


def candidate(rank: int, doc_id: str, start: int) -> Candidate:
    return Candidate(
        rank, Chunk(doc_id=doc_id, start=start, end=start + 1, text="x", num_tokens=1), 1 / rank, rank
    )


FIVE = [
    candidate(1, "b", 9),
    candidate(2, "a", 5),
    candidate(3, "b", 2),
    candidate(4, "a", 1),
    candidate(5, "c", 0),
]


def test_each_ordering_by_hand() -> None:
    assert [c.rank for c in by_relevance(FIVE[::-1])] == [1, 2, 3, 4, 5]
    assert [c.rank for c in by_document(FIVE)] == [4, 2, 3, 1, 5]
    assert [c.rank for c in by_edges(FIVE)] == [1, 3, 5, 4, 2]


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UnknownChoice, match="'random'; choose from document, edges, relevance"):
        ordering_named("random")


@given(st.permutations(FIVE), st.sampled_from(sorted(ORDERINGS)))
def test_an_ordering_does_not_depend_on_the_order_it_is_given(shuffled: list[Candidate], name: str) -> None:
    assert ordering_named(name)(shuffled) == ordering_named(name)(FIVE)
