"""Orderings of the chunks in a pack."""

from collections.abc import Callable, Mapping, Sequence

from contextsvc.errors import UnknownChoice
from contextsvc.records.packs import Candidate

Ordering = Callable[[Sequence[Candidate]], list[Candidate]]


def by_relevance(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Best first."""
    return sorted(candidates, key=lambda candidate: candidate.rank)


def by_document(candidates: Sequence[Candidate]) -> list[Candidate]:
    """By document id, then position: packs with the same chunks have the same text, whatever the ranks."""
    return sorted(candidates, key=lambda c: (c.chunk.doc_id, c.chunk.start, c.chunk.end))


def by_edges(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Best chunks first and last, weakest in the middle: ranks 1, 3, 5, ... 6, 4, 2.

    Models read the edges of a long context better than its middle (Liu et al., TACL 2024,
    https://arxiv.org/abs/2307.03172).
    """
    ranked = by_relevance(candidates)
    return ranked[0::2] + ranked[1::2][::-1]


ORDERINGS: Mapping[str, Ordering] = {
    "relevance": by_relevance,
    "document": by_document,
    "edges": by_edges,
}


def ordering_named(name: str) -> Ordering:
    """The ordering of that name.

    Raises:
        UnknownChoice: there is no such ordering; the message lists all.
    """
    try:
        return ORDERINGS[name]
    except KeyError:
        raise UnknownChoice("ordering", name, ORDERINGS) from None
