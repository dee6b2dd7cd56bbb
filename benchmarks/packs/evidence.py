"""Share of a question's evidence that a pack holds."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.chunking.metrics import Place, Span, common, scores, union
from benchmarks.packs.collections import Excerpt, PackQuestion

BOTH, ALL, SHARE = "both supporting paragraphs", "all supporting sentences", "share of supporting sentences"
RECALL, PRECISION = "recall, %", "precision, %"
ANSWERED, FACTS = "answered: all facts inside", "share of the facts inside"
TOKENS = "tokens of the pack"
ENOUGH = 0.8
"""Share of the evidence that counts as enough."""

_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Pack:
    """A side's pack.

    Attributes:
        places: Places of its passages; they may overlap.
        num_tokens: Tokens of its text.
        num_lost: Characters, spaces aside, that are in no document.
    """

    places: tuple[Place, ...]
    num_tokens: int
    num_lost: int = 0


def supporting(question: PackQuestion, pack: Pack) -> Mapping[str, float]:
    """Figures of supporting sentences.

    A sentence is inside if the pack holds all its characters, spaces aside. A paragraph is inside if the pack
    holds a whole word of one of its supporting sentences.
    """
    inside = {doc_id: _inside(pack, doc_id) for doc_id in {e.doc_id for e in question.evidence}}
    touched = {e.doc_id for e in question.evidence if _touched(e, inside[e.doc_id])}
    held = [_held(e, inside[e.doc_id]) for e in question.evidence]
    return {
        BOTH: float(touched == inside.keys()),
        ALL: float(all(held)),
        SHARE: sum(held) / len(held),
        TOKENS: pack.num_tokens,
    }


def retrieved(question: PackQuestion, pack: Pack) -> Mapping[str, float]:
    """Recall and precision of the published chunking evaluation (`chunking.metrics`), percent.

    The excerpts of a question are in one corpus. Text that is in no corpus lowers precision.
    """
    found = [*pack.places, *([Place("", 0, pack.num_lost)] if pack.num_lost else [])]
    spans = [(excerpt.start, excerpt.end) for excerpt in question.evidence]
    got = scores(question.evidence[0].doc_id, spans, found)
    return {RECALL: 100 * got.recall, PRECISION: 100 * got.precision, TOKENS: pack.num_tokens}


def answered(question: PackQuestion, pack: Pack) -> Mapping[str, float]:
    """Whether the pack states every fact of the question, and the share of the facts that it states."""
    doc_ids = {place.doc_id for place in pack.places}
    inside = {doc_id: _inside(pack, doc_id) for doc_id in doc_ids}
    held = [
        any(place.doc_id in doc_ids and _held(place, inside[place.doc_id]) for place in fact)
        for fact in question.facts
    ]
    return {ANSWERED: float(all(held)), FACTS: sum(held) / len(held), TOKENS: pack.num_tokens}


def smallest_enough(shares: Mapping[int, float]) -> int | None:
    """The smallest budget whose share of the evidence is at least `ENOUGH`; None if there is none.

    >>> smallest_enough({64: 0.5, 128: 1.0, 256: 0.5}), smallest_enough({64: 0.5, 4096: 0.75})
    (128, None)
    """
    return min((budget for budget, share in shares.items() if share >= ENOUGH - 1e-9), default=None)


def _inside(pack: Pack, doc_id: str) -> list[Span]:
    return union((place.start, place.end) for place in pack.places if place.doc_id == doc_id)


def _touched(excerpt: Excerpt, inside: Sequence[Span]) -> bool:
    words = ((excerpt.start + m.start(), excerpt.start + m.end()) for m in _WORD.finditer(excerpt.text))
    return any(first <= start and end <= last for start, end in words for first, last in inside)


def _held(excerpt: Excerpt, inside: Sequence[Span]) -> bool:
    at, missing = excerpt.start, ""
    for start, end in [*common([(excerpt.start, excerpt.end)], inside), (excerpt.end, excerpt.end)]:
        missing += excerpt.text[at - excerpt.start : start - excerpt.start]
        at = end
    return not missing.strip()
