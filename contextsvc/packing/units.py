"""Units: the smallest parts of documents that a pack takes, in the order in which it takes them.

A unit is a sentence, a list item, a code fence, a table, or several of these that must not be parted, such as
a line that ends in a colon and the command below it. The chunker decides which sentences form a unit. The
order of the units is fixed before the budget is known. Therefore a larger budget keeps all that a smaller one
kept (`packing.passages`). Each time the unit of the greatest gain is taken next:

    evidence = SIMILARITY_WEIGHT * similarity + TERMS_WEIGHT * new terms
    gain = CHUNK_WEIGHT * score of its chunk / best score + evidence - COUNTED * best evidence in its chunk

- The score of a chunk has counted the evidence of its sentences before. Therefore a share of it is deducted.
  So a chunk that was found by its rare terms keeps its place although no sentence of it is similar.
- `similarity` is that of the unit's best sentence in context to the query.
- `new terms` is the share of the query's terms that the unit holds, weighted by their rarity. A term that a
  unit taken before holds counts `REPEATED` of its weight. So the second fact of a question is not behind a
  repetition of the first.
- A unit directly below headings has the gain of the best of them, because a heading is often the question
  that the unit answers. Such headings are part of the unit. All other headings are units of gain 0. They come
  last, and only those above text that was taken.
- A unit directly beside a unit of greater gain is lifted by `COHERENCE` of the difference, because an answer
  often goes on in the next sentence, and because text without a gap needs no mark.

The order ends where the gain is below `LEAST_SHARE` of the first gain, whatever room is left.
docs/decisions/0019-passages.md says how the numbers were chosen.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import BoolArray, Float64Array, Int64Array
from contextsvc.records.packs import Candidate

CHUNK_WEIGHT, SIMILARITY_WEIGHT, TERMS_WEIGHT, COUNTED = 2.0, 1.0, 0.8, 0.5
REPEATED, COHERENCE, LEAST_SHARE = 0.5, 0.2, 0.5

DECIMALS = 6

RULE = (
    f"units:{CHUNK_WEIGHT}:{SIMILARITY_WEIGHT}:{TERMS_WEIGHT}:{COUNTED}:{REPEATED}:{COHERENCE}:{LEAST_SHARE}"
)
"""Fingerprint of the order of units, which changes when one of its numbers changes. It is part of the ids of
packs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentences:
    """The sentences of some chunks, one chunk after another, with their signals.

    Attributes:
        chunks: Number of each chunk in the corpus: (num_chunks,). No chunk is empty.
        firsts: Place of each chunk's first sentence in the arrays below: (num_chunks,), ascending from 0.
        numbers: Number of each sentence in the corpus: (n,). In a chunk they ascend without gaps.
        units: Number of the unit of each sentence in its document: (n,).
        headings: Whether each sentence is a heading: (n,).
        num_tokens: Number of tokens of each sentence with the gap after it: (n,).
        rows: Row of each sentence's vector: (n,). Sentences with equal texts have equal rows.
        similarity: Similarity of each sentence in context to the query, in [0, 1]: (n,).
        terms: Which terms of the query each sentence holds: (n, num_terms).
        weights: Weight of each term of the query, with sum 1: (num_terms,).

    Raises:
        ShapeError: the lengths differ.
    """

    chunks: Int64Array
    firsts: Int64Array
    numbers: Int64Array
    units: Int64Array
    headings: BoolArray
    num_tokens: Int64Array
    rows: Int64Array
    similarity: Float64Array
    terms: BoolArray
    weights: Float64Array

    def __post_init__(self) -> None:
        each = (self.units, self.headings, self.num_tokens, self.rows, self.similarity, self.terms)
        sizes = [len(self.numbers), *map(len, each)]
        if len(set(sizes)) > 1 or self.terms.shape[1:] != self.weights.shape:
            raise ShapeError(f"{sizes} values of sentences, terms {self.terms.shape}")
        if len(self.chunks) != len(self.firsts):
            raise ShapeError(f"{len(self.chunks)} chunks, {len(self.firsts)} first sentences")

    @property
    def ends(self) -> Int64Array:
        """Place one past each chunk's last sentence: (num_chunks,)."""
        return np.append(self.firsts[1:], len(self.numbers)) if len(self.firsts) else self.firsts


@dataclass(frozen=True, slots=True)
class Unit:
    """A run of sentences that a pack takes whole or not at all.

    Attributes:
        candidate: The candidate whose chunk holds the unit.
        sentences: Numbers of the sentences in the corpus, ascending without gaps.
        gain: What the unit is expected to add to the pack; a higher gain is taken first.
        lift: The part of the gain that the unit has because it stands beside a better one.
        num_tokens: Approximate number of tokens of the unit's text.
    """

    candidate: Candidate
    sentences: tuple[int, ...]
    gain: float
    lift: float
    num_tokens: int

    @property
    def passage(self) -> tuple[str, tuple[str, ...]]:
        """Document and section: units of which both are equal are in the same passage of a pack."""
        return passage_of(self.candidate)


def passage_of(candidate: Candidate) -> tuple[str, tuple[str, ...]]:
    """Return the document and the section of a candidate, which name its passage in a pack."""
    return candidate.chunk.doc_id, candidate.chunk.section


@dataclass(slots=True)
class _Offers:
    """The units that a pack may take, by the rank of their chunks and their place in the text.

    Attributes:
        chunks: Place of each unit's chunk among the ranked candidates: (n,).
        passages: A number for each unit's passage: (n,).
        bounds: Number of each unit's first sentence, and the number one past its last: (n, 2).
        rows: Rows of the vectors of each unit's sentences.
        below: For a heading that comes last, the number of the unit below it; otherwise -1: (n,).
        gains: Gain of each unit if every term is new: (n,). It is 0 for a heading that comes last.
        lifts: The part of the gain that a unit has from its neighbours: (n,).
        num_tokens: Number of tokens: (n,).
        terms: Which terms of the query each unit holds: (n, num_terms).
    """

    chunks: Int64Array
    passages: Int64Array
    bounds: Int64Array
    rows: list[tuple[int, ...]]
    below: Int64Array
    gains: Float64Array
    lifts: Float64Array
    num_tokens: Int64Array
    terms: BoolArray


def ordered_units(
    candidates: Sequence[Candidate],
    sentences: Sentences,
    max_passages: int,
    enough_tokens: float = float("inf"),
) -> list[Unit]:
    """Return the units of the candidates' chunks in the order in which a pack takes them.

    Of equal gains, the unit of the better candidate is first, then the one that stands first in its document.
    Of units with equal texts, only the one of the greatest gain is returned.

    Args:
        candidates: The candidates.
        sentences: The sentences of the candidates' chunks, and of others.
        max_passages: Number of passages after which units of other passages are left out.
        enough_tokens: Number of tokens after which no more units are returned. It does not change the order.
    """
    ranked = sorted(candidates, key=lambda candidate: candidate.rank)
    if not ranked:
        return []
    offers = _offers(ranked, sentences)
    taken, gains = _taken(offers, sentences.weights, max_passages, enough_tokens)
    return [
        Unit(
            candidate=ranked[int(offers.chunks[number])],
            sentences=tuple(range(*offers.bounds[number].tolist())),
            gain=gain,
            lift=round(float(offers.lifts[number]), DECIMALS),
            num_tokens=int(offers.num_tokens[number]),
        )
        for number, gain in zip(taken, gains, strict=True)
    ]


def whole_chunks(candidates: Sequence[Candidate], sentences: Sentences, max_passages: int) -> list[Unit]:
    """Return one unit for each candidate, in order. A pack of such units holds whole chunks only.

    Args:
        candidates: The candidates, best first.
        sentences: The sentences of the candidates' chunks, and of others.
        max_passages: Number of passages after which chunks of other passages are left out.
    """
    admitted = set(list(dict.fromkeys(map(passage_of, candidates)))[:max_passages])
    places = {number: place for place, number in enumerate(sentences.chunks.tolist())}
    bounds = list(zip(sentences.firsts.tolist(), sentences.ends.tolist(), strict=True))
    units = []
    for candidate in candidates:
        if passage_of(candidate) in admitted:
            own = slice(*bounds[places[candidate.number]])
            numbers, size = tuple(sentences.numbers[own].tolist()), int(sentences.num_tokens[own].sum())
            units.append(Unit(candidate, numbers, candidate.score, 0.0, size))
    return units


def _taken(
    offers: _Offers, weights: Float64Array, max_passages: int, enough_tokens: float
) -> tuple[list[int], list[float]]:
    """Return the numbers of the offers in the order in which a pack takes them, and their gains then."""
    lost, waiting = np.zeros(len(weights)), offers.gains > 0
    numbers: list[int] = []
    gains: list[float] = []
    passages: set[int] = set()
    num_tokens = 0
    while waiting.any() and num_tokens <= enough_tokens:
        # Offers are in the order that decides between equal gains, and `argmax` takes the first.
        now = np.where(waiting, offers.gains - TERMS_WEIGHT * (offers.terms @ lost), -np.inf).round(DECIMALS)
        number = int(now.argmax())
        if gains and now[number] < LEAST_SHARE * gains[0]:
            break
        waiting[number] = False
        passage = int(offers.passages[number])
        if passage not in passages and len(passages) == max_passages:
            continue
        passages.add(passage)
        lost = np.where(offers.terms[number], (1 - REPEATED) * weights, lost)
        num_tokens += int(offers.num_tokens[number])
        numbers.append(number)
        gains.append(float(now[number]))
    if num_tokens <= enough_tokens:
        last = np.flatnonzero((offers.below >= 0) & np.isin(offers.below, numbers)).tolist()
        numbers, gains = numbers + last, gains + [0.0] * len(last)
    return numbers, gains


def _offers(ranked: Sequence[Candidate], sentences: Sentences) -> _Offers:
    """Return the units of the chunks of some candidates, best first, at least one."""
    places = {number: place for place, number in enumerate(sentences.chunks.tolist())}
    mine = np.array([places[candidate.number] for candidate in ranked])
    firsts, sizes = sentences.firsts[mine], (sentences.ends - sentences.firsts)[mine]
    chunks = np.repeat(np.arange(len(ranked)), sizes)
    # The places of the candidates' sentences in the arrays, chunk by chunk.
    at = np.arange(len(chunks)) + np.repeat(firsts - (np.cumsum(sizes) - sizes), sizes)
    units = sentences.units[at]
    starts = np.flatnonzero((np.diff(chunks, prepend=-1) != 0) | (np.diff(units, prepend=-1) != 0))
    ends = np.append(starts[1:], len(at))
    terms = np.logical_or.reduceat(sentences.terms[at], starts, axis=0)
    evidence = SIMILARITY_WEIGHT * np.maximum.reduceat(sentences.similarity[at], starts)
    evidence += TERMS_WEIGHT * (terms @ sentences.weights)
    best = ranked[0].score
    shares = np.array([candidate.score / best if best > 0 else 0.0 for candidate in ranked])
    counted = COUNTED * np.maximum.reduceat(evidence, np.searchsorted(chunks[starts], np.arange(len(ranked))))
    codes = {passage_of(candidate): code for code, candidate in enumerate(ranked)}
    rows = sentences.rows[at].tolist()
    offers = _Offers(
        chunks=chunks[starts],
        passages=np.array([codes[passage_of(candidate)] for candidate in ranked])[chunks[starts]],
        bounds=np.stack([sentences.numbers[at[starts]], sentences.numbers[at[ends - 1]] + 1], axis=1),
        rows=[tuple(rows[start:end]) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)],
        below=np.full(len(starts), -1),
        gains=evidence + (CHUNK_WEIGHT * shares - counted)[chunks[starts]],
        lifts=np.zeros(len(starts)),
        num_tokens=np.add.reduceat(sentences.num_tokens[at], starts),
        terms=terms,
    )
    joined, headed = _join_headings(offers, np.logical_and.reduceat(sentences.headings[at], starts))
    _lift(offers, ~joined & (offers.gains > 0), headed)
    return _kept(offers, ~joined)


def _join_headings(offers: _Offers, are_headings: BoolArray) -> tuple[BoolArray, BoolArray]:
    """Join headings to the units directly below them, or set their gains to 0.

    Args:
        offers: The units, which are changed.
        are_headings: Whether each unit is a heading: (n,).

    Returns:
        Whether each unit became part of the unit below it, and whether each unit begins with such headings:
        (n,) and (n,).
    """
    joined, headed = np.zeros((2, len(are_headings)), dtype=np.bool_)
    for above, below in _headed(offers.chunks, are_headings):
        best = float(offers.gains[above].max())
        if below is None or best <= offers.gains[below]:
            offers.gains[above] = 0.0
            offers.below[above] = -1 if below is None else below
            continue
        joined[above] = headed[below] = True
        offers.gains[below] = best
        offers.bounds[below, 0] = offers.bounds[above[0], 0]
        offers.num_tokens[below] += offers.num_tokens[above].sum()
        offers.terms[below] |= offers.terms[above].any(axis=0)
        offers.rows[below] = sum((offers.rows[number] for number in above), ()) + offers.rows[below]
    return joined, headed


def _headed(chunks: Int64Array, are_headings: BoolArray) -> Iterator[tuple[list[int], int | None]]:
    """Yield the numbers of headings that follow each other, and the number of the unit below them.

    The number is None if the chunk ends with the headings. A chunk of nothing but headings is left out.
    """
    with_text = np.unique(chunks[~are_headings])
    above: list[int] = []
    for number in np.flatnonzero(are_headings & np.isin(chunks, with_text)).tolist():
        above.append(number)
        last = number + 1 == len(chunks) or chunks[number + 1] != chunks[number]
        if last or not are_headings[number + 1]:
            yield above, None if last else number + 1
            above = []


def _lift(offers: _Offers, members: BoolArray, headed: BoolArray) -> None:
    """Lift the gains of units that stand directly beside a better one.

    Args:
        offers: The units, which are changed.
        members: Which units take part: (n,).
        headed: Which units begin with headings, so that they do not stand beside the unit above: (n,).
    """
    order = np.flatnonzero(members)
    order = order[np.argsort(offers.bounds[order, 0], kind="stable")]
    gains, bounds, passages = offers.gains[order], offers.bounds[order], offers.passages[order]
    meet = (bounds[:-1, 1] == bounds[1:, 0]) & (passages[:-1] == passages[1:]) & ~headed[order[1:]]
    before = np.concatenate([[0.0], np.where(meet, gains[:-1], 0.0)])
    after = np.concatenate([np.where(meet, gains[1:], 0.0), [0.0]])
    lifts = COHERENCE * np.maximum(np.maximum(before, after) - gains, 0.0)
    offers.lifts[order], offers.gains[order] = lifts, gains + lifts


def _kept(offers: _Offers, members: BoolArray) -> _Offers:
    """Return the members; of members with equal sentences, only the one of the greatest gain."""
    best: dict[tuple[int, ...], int] = {}
    for number in np.flatnonzero(members).tolist():
        other = best.setdefault(offers.rows[number], number)
        if offers.gains[number] > offers.gains[other]:
            best[offers.rows[number]] = number
    kept = np.array(sorted(best.values()))
    places = np.full(len(members) + 1, -1)
    places[kept] = np.arange(len(kept))  # the last place stands for -1
    return _Offers(
        chunks=offers.chunks[kept],
        passages=offers.passages[kept],
        bounds=offers.bounds[kept],
        rows=[offers.rows[number] for number in kept.tolist()],
        below=places[offers.below[kept]],
        gains=offers.gains[kept],
        lifts=offers.lifts[kept],
        num_tokens=offers.num_tokens[kept],
        terms=offers.terms[kept],
    )
