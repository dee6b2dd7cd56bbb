"""Orderings of the chunks in a pack."""

from collections.abc import Callable, Mapping, Sequence

from contextsvc.errors import UnknownChoice
from contextsvc.records.packs import Candidate

Ordering = Callable[[Sequence[Candidate]], list[Candidate]]


def by_relevance(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Sort candidates by rank, best first."""
    return sorted(candidates, key=lambda candidate: candidate.rank)


def by_document(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Sort candidates by document id, then by position in the document.

    Packs with the same chunks then have the same text, whatever the ranks of the chunks.
    """
    return sorted(candidates, key=lambda c: (c.chunk.doc_id, c.chunk.start, c.chunk.end))


def by_edges(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Put the best chunks first and last and the weakest in the middle: ranks 1, 3, 5, ... 6, 4, 2.

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
    """Return the ordering of that name.

    Raises:
        UnknownChoice: there is no such ordering. The message lists all names.
    """
    try:
        return ORDERINGS[name]
    except KeyError:
        raise UnknownChoice("ordering", name, ORDERINGS) from None
