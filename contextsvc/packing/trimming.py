"""Trimming: replace the sentences of a chunk that are not relevant to the query by a mark.

Search finds whole chunks, but a pack pays for every sentence in them. Chunks are trimmed only if the best of
them do not fit the budget whole, and only as much as is needed to make them fit. A sentence stays if its
score is at least a given share of the best sentence's score. The heading above a kept sentence stays, too. So
does a sentence that ends in a colon directly above a kept sentence. The text between two kept sentences stays
if it has no more tokens than the mark.
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
"""Weight of the query's words in a sentence's score. The rest is the weight of the sentence's similarity to
the query. This weight and the numbers below were chosen on the tune halves of the question sets
(docs/decisions/0011-trimming.md)."""

MAX_FITTED_CHUNKS = 4
"""Number of best chunks that trimming makes fit together. If `max_chunks` of the request is less, that
counts."""

SHARES = tuple(number / 40 for number in range(39))
"""Shares of the best sentence's score that a sentence may need to stay, ascending. With share 0 all stay."""

RULE = f"trimmed to fit:{TERMS_WEIGHT}:{MAX_FITTED_CHUNKS}:{len(SHARES)}:{SHARES[-1]}:{OMISSION}"
"""Fingerprint of the trimming rule, which changes when one of its numbers changes. It is part of the ids of
packs."""

_WORD = re.compile(r"\w+")
_ATX = re.compile(r"#{1,6}[ \t]+[^\n]*")
_UNDERLINE = re.compile(r"[ \t]*([=\-*^~\"#])\1+[ \t]*")

Count = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True, slots=True)
class ScoredSentences:
    """A candidate with its whole chunk, and the scores of the chunk's sentences.

    Attributes:
        candidate: The candidate.
        spans: (start, end) character offsets of each sentence in the document, in order. There is at least
            one sentence, and all lie in the chunk.
        scores: (num_sentences,) in [0, 1], higher is better.

    Raises:
        ShapeError: there is no sentence, or numbers of spans and scores differ.
    """

    candidate: Candidate
    spans: Sequence[Span]
    scores: Float64Array

    def __post_init__(self) -> None:
        if not self.spans or self.scores.shape != (len(self.spans),):
            raise ShapeError(f"{len(self.spans)} sentences with scores of shape {self.scores.shape}")

    def text(self, start: int, end: int) -> str:
        """Return the part of the chunk's text between two character offsets of the document.

        Args:
            start: Offset of the first character in the document. It must lie in the chunk.
            end: Offset after the last character in the document. It must not lie behind the end of the chunk.
        """
        chunk = self.candidate.chunk
        at = chunk.offset(start) if start < chunk.end else len(chunk.text)
        return chunk.text[at : at + end - start]


def add_term_scores(query: str, found: Sequence[ScoredSentences]) -> list[ScoredSentences]:
    """Return the sentences with new scores, in which the query's words have the weight `TERMS_WEIGHT`."""
    texts = [one.text(*span) for one in found for span in one.spans]
    shares = term_shares(query, texts)
    edges = np.cumsum([len(one.spans) for one in found])[:-1]
    own = np.split(shares, edges) if found else []
    return [
        replace(one, scores=(1 - TERMS_WEIGHT) * one.scores + TERMS_WEIGHT * terms)
        for one, terms in zip(found, own, strict=True)
    ]


def term_shares(query: str, texts: Sequence[str]) -> Float64Array:
    """Compute the weighted share of the query's words that each text holds, in [0, 1].

    If df of n texts hold a word, the weight of the word is log((n + 1) / (df + 1/2)). So a word in nearly all
    texts, such as an article, has almost no weight, in any language. A word in no text does not count. Upper
    and lower case do not matter.

    >>> term_shares("Red apples", ["red apples", "Red.", "the red", "red pears"]).round(2).tolist()
    [1.0, 0.08, 0.08, 0.08]
    """
    query_words = set(_WORD.findall(query.lower()))
    held = [query_words.intersection(_WORD.findall(text.lower())) for text in texts]
    holding = Counter(word for words in held for word in words)
    # The words are sorted, because the order of a set differs between processes and could change a sum.
    weights = {word: float(np.log((len(texts) + 1) / (holding[word] + 0.5))) for word in sorted(holding)}
    total = sum(weights.values())
    return np.array(
        [sum(weights[word] for word in sorted(words)) / total if words else 0.0 for words in held]
    )


def trim_to_fit(
    found: Sequence[ScoredSentences], preferred: Sequence[Candidate], budget_tokens: int, count: Count
) -> list[Candidate]:
    """Trim candidates as little as possible so that the preferred candidates together fit the budget.

    If the preferred candidates fit untrimmed, nothing is left out. The tokens of sentences are estimated from
    their numbers of characters, and the packer counts the tokens exactly later. The estimate may be too low.
    If then no candidate fits the budget even alone, all candidates are trimmed by the largest share. So a
    budget is refused only if no trimming helps.

    Args:
        found: Candidates with their whole chunks and the scores of their sentences.
        preferred: The candidates among `found` that must fit together.
        budget_tokens: Largest number of tokens of the pack, at least 1.
        count: Function that counts the tokens of each text.

    Returns:
        All candidates of `found` in the same order, with trimmed chunks (see `trim`).
    """
    share = _smallest_share_that_fits(found, preferred, budget_tokens, count)
    trimmed = trim(found, share, count)
    if share == SHARES[-1] or any(count([render([c.chunk])])[0] <= budget_tokens for c in trimmed):
        return trimmed
    return trim(found, SHARES[-1], count)


def _smallest_share_that_fits(
    found: Sequence[ScoredSentences], preferred: Sequence[Candidate], budget_tokens: int, count: Count
) -> float:
    best = max((float(one.scores.max()) for one in found), default=0.0)
    text = render([candidate.chunk for candidate in preferred])
    (size,) = count([text])
    numbers = {candidate.number for candidate in preferred}
    lengths = [
        (one, np.array([end - start for start, end in one.spans]))
        for one in found
        if one.candidate.number in numbers
    ]
    for share in SHARES:
        left_out = sum(int(chars[one.scores < _threshold(one, share * best)].sum()) for one, chars in lengths)
        if size * (len(text) - left_out) <= budget_tokens * len(text):
            return share
    return SHARES[-1]


def trim(found: Sequence[ScoredSentences], share: float, count: Count) -> list[Candidate]:
    """Leave out the sentences that score less than `share` of the best sentence of all candidates.

    These parts stay in any case:

    - the best sentence of each chunk;
    - the last heading above a kept sentence. A heading that begins the chunk stays only if it is directly
      above the kept sentence, because otherwise the label of the chunk holds it;
    - a sentence that ends in a colon, directly above a kept sentence;
    - text between two kept sentences that has no more tokens than `OMISSION`, the mark for left-out text.

    A code fence or a table counts as one sentence, so it stays or goes as a whole.

    Args:
        found: Candidates with their whole chunks and the scores of their sentences.
        share: Share of the best score, from 0 (nothing is left out) to 1.
        count: Function that counts the tokens of each text.

    Returns:
        The candidates in the same order, with trimmed chunks. A candidate whose sentences all stay is
        returned unchanged, as the same object.
    """
    best = max((float(one.scores.max()) for one in found), default=0.0)
    kept = [_with_context(one, one.scores >= _threshold(one, share * best)) for one in found]
    gaps = [(one, keep, *gap) for one, keep in zip(found, kept, strict=True) for gap in _gaps(keep)]
    texts = [one.text(one.spans[before][1], one.spans[after][0]) for one, _, before, after in gaps]
    mark, *sizes = count([OMISSION, *texts])
    for (_, keep, before, after), size in zip(gaps, sizes, strict=True):
        if size <= mark:
            keep[before:after] = True
    return _cut(found, kept, count)


def _threshold(one: ScoredSentences, threshold: float) -> float:
    """Return the least score with which a sentence of this chunk stays.

    It is `threshold`, or the best score in this chunk if that is lower.
    """
    return min(threshold, float(one.scores.max()))


def _with_context(one: ScoredSentences, keep: BoolArray) -> BoolArray:
    """Return the kept sentences and the headings and announcements that make them understandable.

    Args:
        one: The sentences.
        keep: (num_sentences,), which sentences are kept by their scores.

    Returns:
        (num_sentences,), which sentences are kept.
    """
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
    """Return whether a sentence looks like a heading. An index does not store the kinds of blocks."""
    if text.startswith("#"):
        return bool(_ATX.fullmatch(text))
    *above, last = text.split("\n")
    titled = len(above) == 1 or (len(above) == 2 and _UNDERLINE.fullmatch(above[0]))
    return bool(titled and _UNDERLINE.fullmatch(last) and any(char.isalnum() for char in above[-1]))


def _gaps(keep: BoolArray) -> list[tuple[int, int]]:
    """Return the pairs of kept sentences, as numbers, between which other sentences are left out."""
    pairs = pairwise(np.flatnonzero(keep).tolist())
    return [(before, after) for before, after in pairs if after - before > 1]


def _cut(found: Sequence[ScoredSentences], kept: Sequence[BoolArray], count: Count) -> list[Candidate]:
    numbered = enumerate(zip(found, kept, strict=True))
    chunks = {number: _trimmed(one, keep) for number, (one, keep) in numbered if not keep.all()}
    sizes = count([chunk.text for chunk in chunks.values()]) if chunks else []
    candidates = [one.candidate for one in found]
    for (number, chunk), size in zip(chunks.items(), sizes, strict=True):
        candidates[number] = replace(candidates[number], chunk=replace(chunk, num_tokens=size))
    return candidates


def _trimmed(one: ScoredSentences, keep: BoolArray) -> Chunk:
    """Return the chunk with only its kept sentences. Its `num_tokens` is not yet counted anew."""
    numbers = np.flatnonzero(keep).tolist()
    gaps = _gaps(keep)
    firsts, lasts = [numbers[0], *(b for _, b in gaps)], [*(a for a, _ in gaps), numbers[-1]]
    runs = zip(firsts, lasts, strict=True)
    spans = tuple((one.spans[first][0], one.spans[last][1]) for first, last in runs)
    text = OMISSION.join(one.text(*span) for span in spans)
    start, end = spans[0][0], spans[-1][1]
    # A trimmed chunk has no repeated lines: where a fence or table was cut, its part stands alone.
    return replace(one.candidate.chunk, start=start, end=end, text=text, spans=spans, frames=())
