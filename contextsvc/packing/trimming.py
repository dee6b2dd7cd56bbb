"""Which sentences of a chunk bear on the query: the others are left out, and a mark says where.

A chunk is found as a whole, but a pack pays for every sentence in it. Chunks are trimmed where the first of
them do not fit the budget whole, and only as hard as it takes until they do. A sentence stays if it scores
at least a share of the best sentence of the request; so does what makes it readable: the heading it stands
under, the line that announces it. Between two kept ones nothing is left out that costs no more than the mark.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import BoolArray, Float64Array
from contextsvc.records.documents import Chunk
from contextsvc.records.packs import Candidate
from contextsvc.records.rendering import render
from contextsvc.records.spans import OMISSION, Span

TERMS_WEIGHT = 0.3
"""Of the query's words in a sentence's score; the rest is its similarity. This and what follows was chosen on
the halves of questions that are there to tune on (docs/decisions/0011-trimming.md)."""

ROOM_FOR = 4
"""Chunks that room is made for, if the request takes so many."""

SHARES = tuple(number / 40 for number in range(39))
"""Of the best sentence's score: what a sentence needs to stay, from 0, where all do, to the hardest."""

RULE = f"trimmed to fit:{TERMS_WEIGHT}:{ROOM_FOR}:{len(SHARES)}:{SHARES[-1]}:{OMISSION}"
"""Changes when the same candidates may be trimmed otherwise, so far as numbers say it."""

_WORD = re.compile(r"\w+")
_ATX = re.compile(r"#{1,6}[ \t]+[^\n]*")
_UNDERLINE = re.compile(r"[ \t]*([=\-*^~\"#])\1+[ \t]*")

Count = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate and the sentences of its chunk, which is whole.

    Attributes:
        spans: Of each sentence in the document, in order, inside the chunk; at least one.
        scores: (num sentences,) in [0, 1], higher is better.
    """

    candidate: Candidate
    spans: Sequence[Span]
    scores: Float64Array

    def __post_init__(self) -> None:
        if not self.spans or self.scores.shape != (len(self.spans),):
            raise ShapeError(f"{len(self.spans)} sentences with scores of shape {self.scores.shape}")

    def text(self, start: int, end: int) -> str:
        """A span of the document inside the chunk."""
        chunk = self.candidate.chunk
        return chunk.text[start - chunk.start : end - chunk.start]


def with_terms(query: str, found: Sequence[Scored]) -> list[Scored]:
    """The same sentences, in whose scores the words of the query count, too."""
    texts = [one.text(*span) for one in found for span in one.spans]
    shares = term_shares(query, texts)
    edges = np.cumsum([len(one.spans) for one in found])[:-1]
    own = np.split(shares, edges) if found else []
    return [
        replace(one, scores=(1 - TERMS_WEIGHT) * one.scores + TERMS_WEIGHT * terms)
        for one, terms in zip(found, own, strict=True)
    ]


def term_shares(query: str, texts: Sequence[str]) -> Float64Array:
    """Share of the query's words that each text holds, in [0, 1].

    A word that df of n texts hold weighs log((n + 1) / (df + 1/2)), so that one in nearly all of them, as an
    article is, weighs next to nothing in any language; one that none holds does not count. Case is ignored.

    >>> term_shares("Red apples", ["red apples", "Red.", "the red", "red pears"]).round(2).tolist()
    [1.0, 0.08, 0.08, 0.08]
    """
    wanted = set(_WORD.findall(query.lower()))
    held = [wanted.intersection(_WORD.findall(text.lower())) for text in texts]
    holding = Counter(word for words in held for word in words)
    # Sorted: a sum must not depend on the order of a set, which differs from process to process.
    weights = {word: float(np.log((len(texts) + 1) / (holding[word] + 0.5))) for word in sorted(holding)}
    total = sum(weights.values())
    return np.array(
        [sum(weights[word] for word in sorted(words)) / total if words else 0.0 for words in held]
    )


def trim_to_fit(
    found: Sequence[Scored], wanted: Sequence[Candidate], budget_tokens: int, count: Count
) -> list[Candidate]:
    """Trim only as hard as it takes for the wanted candidates to fit the budget together.

    Where they fit whole, nothing is left out of any candidate. How many tokens sentences take is estimated by
    their characters; whoever packs will count. Where not one candidate fits by itself, all are trimmed as
    hard as it goes: a budget is not refused for want of trimming.

    Args:
        found: Candidates whose chunks are whole.
        wanted: Those that room is made for, of the same.
        budget_tokens: At least 1.
        count: Tokens of each text.

    Returns:
        As `trim`.
    """
    share = _share_that_fits(found, wanted, budget_tokens, count)
    made = trim(found, share, count)
    if share == SHARES[-1] or any(count([render([c.chunk])])[0] <= budget_tokens for c in made):
        return made
    return trim(found, SHARES[-1], count)


def _share_that_fits(found: Sequence[Scored], wanted: Sequence[Candidate], room: int, count: Count) -> float:
    best = max((float(one.scores.max()) for one in found), default=0.0)
    text = render([candidate.chunk for candidate in wanted])
    (size,) = count([text])
    numbers = {candidate.number for candidate in wanted}
    lengths = [
        (one, np.array([end - start for start, end in one.spans]))
        for one in found
        if one.candidate.number in numbers
    ]
    for share in SHARES:
        gone = sum(int(chars[one.scores < _least(one, share * best)].sum()) for one, chars in lengths)
        if size * (len(text) - gone) <= room * len(text):
            return share
    return SHARES[-1]


def trim(found: Sequence[Scored], share: float, count: Count) -> list[Candidate]:
    """Leave out the sentences that score less than `share` of the best one of all candidates.

    Kept besides: the best sentence of each chunk; the last heading above a kept sentence, unless it begins
    the chunk and does not stand directly above, for then the chunk's label says it; a sentence that ends in
    a colon, directly above a kept one; whatever lies between two kept ones and has no more tokens than
    `OMISSION`. A code fence or table is one sentence, which stays or goes whole.

    Args:
        found: Candidates whose chunks are whole.
        share: From 0, which leaves nothing out, to 1.
        count: Tokens of each text.

    Returns:
        The candidates in the same order, equal but for their chunks; one from which nothing was left out
        has the chunk it had.
    """
    best = max((float(one.scores.max()) for one in found), default=0.0)
    kept = [_readable(one, one.scores >= _least(one, share * best)) for one in found]
    gaps = [(one, keep, *gap) for one, keep in zip(found, kept, strict=True) for gap in _gaps(keep)]
    texts = [one.text(one.spans[before][1], one.spans[after][0]) for one, _, before, after in gaps]
    mark, *sizes = count([OMISSION, *texts])
    for (_, keep, before, after), size in zip(gaps, sizes, strict=True):
        if size <= mark:
            keep[before:after] = True
    return _cut(found, kept, count)


def _least(one: Scored, bar: float) -> float:
    """What a sentence of a chunk needs: the bar, or to be the chunk's best."""
    return min(bar, float(one.scores.max()))


def _readable(one: Scored, keep: BoolArray) -> BoolArray:
    """What is kept, and what it cannot be read without."""
    keep = keep.copy()
    texts = [one.text(*span) for span in one.spans]
    headings = [number for number, text in enumerate(texts) if _is_heading(text)]
    for number in reversed(range(1, len(texts))):
        if not keep[number]:
            continue
        above = [heading for heading in headings if heading < number]
        if number not in headings and above and above[-1] > 0:
            keep[above[-1]] = True
        if number - 1 in headings or texts[number - 1].endswith(":"):
            keep[number - 1] = True
    return keep


def _is_heading(text: str) -> bool:
    """By its look, for an index does not keep what kind of block a sentence was."""
    if text.startswith("#"):
        return bool(_ATX.fullmatch(text))
    *above, last = text.split("\n")
    titled = len(above) == 1 or (len(above) == 2 and _UNDERLINE.fullmatch(above[0]))
    return bool(titled and _UNDERLINE.fullmatch(last) and any(char.isalnum() for char in above[-1]))


def _gaps(keep: BoolArray) -> list[tuple[int, int]]:
    """Kept sentences between which others are left out: the one before and the one after."""
    pairs = pairwise(np.flatnonzero(keep).tolist())
    return [(before, after) for before, after in pairs if after - before > 1]


def _cut(found: Sequence[Scored], kept: Sequence[BoolArray], count: Count) -> list[Candidate]:
    chunks = {n: _trimmed(one, keep) for n, (one, keep) in enumerate(zip(found, kept, strict=True))
              if not keep.all()}  # fmt: skip
    sizes = count([chunk.text for chunk in chunks.values()]) if chunks else []
    candidates = [one.candidate for one in found]
    for (number, chunk), size in zip(chunks.items(), sizes, strict=True):
        candidates[number] = replace(candidates[number], chunk=replace(chunk, num_tokens=size))
    return candidates


def _trimmed(one: Scored, keep: BoolArray) -> Chunk:
    """The chunk with what is kept; its tokens are not yet counted."""
    numbers = np.flatnonzero(keep).tolist()
    gaps = _gaps(keep)
    firsts, lasts = [numbers[0], *(b for _, b in gaps)], [*(a for a, _ in gaps), numbers[-1]]
    runs = zip(firsts, lasts, strict=True)
    spans = tuple((one.spans[first][0], one.spans[last][1]) for first, last in runs)
    text = OMISSION.join(one.text(*span) for span in spans)
    start, end = spans[0][0], spans[-1][1]
    return replace(one.candidate.chunk, start=start, end=end, text=text, spans=spans)
