"""Which sentences of a chunk bear on the query: the others are left out, and a mark says where.

A chunk is found as a whole, but a pack pays for every sentence in it. A sentence stays if it scores at least
a share of the best sentence of the request; so does what makes it readable: the heading it stands under, the
line that announces it. Between two kept ones nothing is left out that costs no more than the mark would.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from contextsvc.errors import ShapeError
from contextsvc.records import BoolArray, Candidate, Chunk, Float64Array
from contextsvc.spans import OMISSION, Span

TRIM_SHARE = 0.8
"""Of the best sentence's score: what a sentence needs to stay where a request asks for trimming."""

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
    kept = [_readable(one, one.scores >= min(share * best, float(one.scores.max()))) for one in found]
    gaps = [(one, keep, *gap) for one, keep in zip(found, kept, strict=True) for gap in _gaps(keep)]
    texts = [one.text(one.spans[before][1], one.spans[after][0]) for one, _, before, after in gaps]
    mark, *sizes = count([OMISSION, *texts])
    for (_, keep, before, after), size in zip(gaps, sizes, strict=True):
        if size <= mark:
            keep[before:after] = True
    return _cut(found, kept, count)


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
