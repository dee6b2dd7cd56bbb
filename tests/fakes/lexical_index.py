"""BM25 in plain Python, computed from the formula at query time."""

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import BoolArray, Float64Array, Int64Array
from contextsvc.records.packs import Ranking

_STOP_WORDS = frozenset(["a", "an", "and", "is", "it", "of", "on", "the", "to"])


def _terms(text: str) -> list[str]:
    """Words without a plural s, which is all the stemming that tests need."""
    words = [word for word in re.findall(r"\w+", text.lower()) if word not in _STOP_WORDS]
    return [word.removesuffix("s") if len(word) > 3 else word for word in words]


class PlainLexicalIndex:
    """The Lucene variant, term by term, with k1 = 1.5 and b = 0.75."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._counts = [Counter(_terms(text)) for text in texts]
        self._lengths = [counts.total() for counts in self._counts]
        self._found_in = Counter(term for counts in self._counts for term in counts)

    def search(self, queries: Sequence[str], k: int, allowed: BoolArray | None = None) -> list[Ranking]:
        """As `LexicalIndex.search` says."""
        if k < 1 or (allowed is not None and allowed.shape != (len(self._counts),)):
            raise ShapeError(f"k is {k}, {len(self._counts)} texts")
        return [self._search_one(_terms(query), k, allowed) for query in queries]

    def scores(self, query: str, ids: Int64Array) -> Float64Array:
        """As `LexicalIndex.scores` says."""
        if any(not 0 <= number < len(self._counts) for number in ids.tolist()):
            raise ShapeError(f"{ids.tolist()} of {len(self._counts)} texts")
        terms = _terms(query)
        found = [sum(self._weight(term, number) for term in terms) for number in ids.tolist()]
        return np.array([round(score, 6) for score in found], dtype=np.float64)

    def coverage(self, query: str, ids: Int64Array) -> Float64Array:
        """As `LexicalIndex.coverage` says."""
        if any(not 0 <= number < len(self._counts) for number in ids.tolist()):
            raise ShapeError(f"{ids.tolist()} of {len(self._counts)} texts")
        worth = {term: self._idf(term) for term in sorted(set(_terms(query)))}
        whole = sum(worth.values()) or 1.0
        held = [sum(w * self._held(term, n) for term, w in worth.items()) for n in ids.tolist()]
        return np.array([round(one / whole, 6) for one in held], dtype=np.float64)

    def num_terms(self, query: str) -> int:
        """As `LexicalIndex.num_terms` says."""
        return len(set(_terms(query)))

    def rare_words(self, text: str, k: int) -> list[str]:
        """As `LexicalIndex.rare_words` says."""
        first: dict[str, str] = {}
        for word in re.findall(r"\w+", text.lower()):
            if len(word) > 1 and re.search(r"[^\W\d_]", word):
                for term in _terms(word):
                    first.setdefault(term, word)
        found = sorted((self._found_in[term], word) for term, word in first.items())
        return [word for _, word in found[:k]]

    def _held(self, term: str, number: int) -> float:
        if self._counts[number][term]:
            return 1.0
        pairs = [sorted((term, other), key=len) for other in self._counts[number]]
        forms = [a for a, b in pairs if len(a) >= 3 and b.startswith(a) and (a + b).isalpha()]
        return 0.5 if forms else 0.0

    def _search_one(self, terms: Sequence[str], k: int, allowed: BoolArray | None) -> Ranking:
        found = []
        for number in range(len(self._counts)):
            score = round(sum(self._weight(term, number) for term in terms), 6)
            if score > 0 and (allowed is None or allowed[number]):
                found.append((-score, number))
        best = sorted(found)[:k]
        ids = np.array([number for _, number in best], dtype=np.int64)
        return Ranking(ids, np.array([-score for score, _ in best], dtype=np.float32))

    def _weight(self, term: str, number: int) -> float:
        tf = self._counts[number][term]
        if tf == 0:
            return 0.0
        share = self._lengths[number] * len(self._lengths) / sum(self._lengths)
        return self._idf(term) * tf / (tf + 1.5 * (1 - 0.75 + 0.75 * share))

    def _idf(self, term: str) -> float:
        df = self._found_in[term]
        return math.log(1 + (len(self._counts) - df + 0.5) / (df + 0.5))
