"""Implement `ports.LexicalIndex` by BM25 with stored weights (eager sparse scoring, as in bm25s).

When the index is built, a sparse matrix is computed with a row per chunk and a column per term. The score of
a chunk is the sum of its entries in the columns of the query's terms. An entry is idf(t) * tf / (tf + k1 (1 -
b + b |chunk| / mean |chunk|)), with idf(t) = ln(1 + (n - df + 0.5) / (df + 0.5)).

Source: Kamphuis, de Vries, Boytsov, Lin, ECIR 2020, the "Lucene (accurate)" row.
https://doi.org/10.1007/978-3-030-45442-5_4 ; Lu, 2024 (eager sparse scoring).
https://arxiv.org/abs/2407.03618
"""

import json
import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contextsvc.adapters.search.postings import (
    Postings,
    count_terms,
    find_terms,
    idf,
    renumbered,
    stems,
    weigh,
    words,
)
from contextsvc.errors import CorruptIndex, ShapeError
from contextsvc.ports.search import SHORT_FORM, SHORT_FORM_LETTERS
from contextsvc.records.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from contextsvc.records.packs import Occurrences, Ranking

DECIMALS = 6
ANALYSER = "lower-case words, 179 English stop words out, Snowball English stems"
TERMS = "lexical_terms.json"
WEIGHTS = "lexical_weights.npy"
CHUNKS = "lexical_chunks.npy"
OFFSETS = "lexical_offsets.npy"
COUNTS = "lexical_counts.npy"

_LAST = chr(sys.maxunicode)


class Bm25sLexicalIndex:
    """A `ports.LexicalIndex` by BM25. The id of a chunk is its position among the texts that were indexed.

    The columns of all terms are stored one after another. The chunks that hold term t, and the term's weights
    in them, are rows offsets[t] to offsets[t + 1] of `chunks` and `weights`.
    """

    def __init__(
        self,
        terms: Sequence[str],
        weights: Float32Array,
        chunks: np.ndarray[Any, np.dtype[np.int32]],
        offsets: Int64Array,
        counts: np.ndarray[Any, np.dtype[np.int32]],
        num_chunks: int,
        parameters: Mapping[str, float],
    ) -> None:
        self.num_chunks = num_chunks
        self._terms, self._numbers = terms, {term: number for number, term in enumerate(terms)}
        self._weights, self._chunks, self._offsets, self._counts = weights, chunks, offsets, counts
        self._parameters = dict(parameters)

    @classmethod
    def build(cls, texts: Iterable[str], k1: float = 1.5, b: float = 0.75) -> "Bm25sLexicalIndex":
        """Index the texts, which are read once and not kept.

        The build needs memory for the terms and 12 bytes per posting (a term in a chunk).

        Args:
            texts: Text of each chunk.
            k1: Parameter of BM25 for the saturation of term counts.
            b: Parameter of BM25 for the influence of a chunk's length, 0 to 1.
        """
        return cls._of(count_terms(texts), {"k1": k1, "b": b})

    @classmethod
    def rebuild(cls, folder: Path, chunks: Int64Array, text: Callable[[int], str]) -> "Bm25sLexicalIndex":
        """Build the index that `build` would give, from a saved index. Only the texts of new chunks are read.

        Args:
            folder: Folder of the saved index, whose files were verified.
            chunks: For each chunk, its number in the saved index, or -1 for a new chunk.
            text: Function that returns the text of a new chunk, given its number in the new index.

        Raises:
            CorruptIndex: the saved index cannot be read.
        """
        previous = cls.load(folder)
        postings = Postings(
            previous._terms, previous._offsets, previous._chunks, previous._counts, previous.num_chunks
        )
        return cls._of(renumbered(postings, chunks, text), previous._parameters)

    @classmethod
    def _of(cls, postings: Postings, parameters: Mapping[str, float]) -> "Bm25sLexicalIndex":
        weights = weigh(postings, **parameters)
        return cls(
            terms=postings.terms,
            weights=weights,
            chunks=postings.chunks,
            offsets=postings.offsets,
            counts=postings.counts,
            num_chunks=postings.num_chunks,
            parameters=parameters,
        )

    def save(self, folder: Path) -> None:
        """Write the index into a folder, as five files. The same texts give the same bytes."""
        about = {
            "analyser": ANALYSER,
            "num_chunks": self.num_chunks,
            "parameters": self._parameters,
            "terms": self._terms,
        }
        (folder / TERMS).write_text(json.dumps(about), encoding="utf-8")
        np.save(folder / WEIGHTS, self._weights.astype("<f4"), allow_pickle=False)
        np.save(folder / CHUNKS, self._chunks.astype("<i4"), allow_pickle=False)
        np.save(folder / OFFSETS, self._offsets.astype("<i8"), allow_pickle=False)
        np.save(folder / COUNTS, self._counts.astype("<i4"), allow_pickle=False)

    @classmethod
    def load(cls, folder: Path, name: str = "lexical") -> "Bm25sLexicalIndex":
        """Open a saved index with memory-mapped arrays.

        Args:
            folder: Folder that `save` wrote.
            name: Name of the index, used in the error.

        Raises:
            CorruptIndex: a file is missing or malformed, or another analyser (rules for words and stems)
                wrote the index.
        """
        try:
            about = json.loads((folder / TERMS).read_bytes())
            # Viewed as plain arrays, because every slice of numpy's memmap class is slow.
            weights, chunks, offsets, counts = (
                np.load(folder / file, mmap_mode="r", allow_pickle=False).view(np.ndarray)
                for file in (WEIGHTS, CHUNKS, OFFSETS, COUNTS)
            )
            sound = (
                about["analyser"] == ANALYSER
                and (weights.dtype, chunks.dtype, offsets.dtype) == ("<f4", "<i4", "<i8")
                and weights.shape == chunks.shape == counts.shape == (int(offsets[-1]),)
                and offsets.shape == (len(about["terms"]) + 1,)
            )
            if not sound:
                raise ValueError("its files do not match each other or this version's analyser")
            return cls(
                terms=about["terms"],
                weights=weights,
                chunks=chunks,
                offsets=offsets,
                counts=counts,
                num_chunks=about["num_chunks"],
                parameters=about["parameters"],
            )
        except (OSError, EOFError, ValueError, KeyError, TypeError, IndexError) as error:
            raise CorruptIndex(name, [f"the lexical index cannot be read: {error}"]) from error

    def search(self, queries: Sequence[str], k: int, allowed: BoolArray | None = None) -> list[Ranking]:
        """Return the best chunks of each query; see `ports.LexicalIndex.search`.

        A term that a query repeats counts as often as the query holds it.
        """
        if k < 1:
            raise ShapeError(f"k is {k}, expected at least 1")
        if allowed is not None and allowed.shape != (self.num_chunks,):
            raise ShapeError(f"allowed has shape {allowed.shape}, expected ({self.num_chunks},)")
        return [self._search_one(query, k, allowed) for query in queries]

    def scores(self, query: str, ids: Int64Array) -> Float64Array:
        """Return the scores of the given chunks; see `ports.LexicalIndex.scores`.

        The chunks are found by binary search in each term's column.
        """
        self._require(ids)
        found = np.zeros(len(ids))
        for term, count in self._known_terms(query):
            column = slice(int(self._offsets[term]), int(self._offsets[term + 1]))
            at, held = _places(self._chunks[column], ids)
            found += np.where(held, count * self._weights[column][at].astype(np.float64), 0.0)
        return np.round(found, DECIMALS)

    def coverage(self, query: str, ids: Int64Array) -> Float64Array:
        """Return the share of the query's terms that each given chunk holds, weighted by idf.

        See `ports.LexicalIndex.coverage`.
        """
        self._require(ids)
        terms, weights = self._weighted(query)
        found = np.zeros(len(ids))
        for term, weight in zip(terms, weights.tolist(), strict=True):
            held = _places(self._column(term), ids)[1].astype(np.float64)
            forms = self._forms(term)
            if forms:
                other = np.zeros(self.num_chunks, dtype=np.bool_)
                other[np.concatenate([self._column(form) for form in forms])] = True
                held = np.where(held, 1.0, SHORT_FORM * other[ids])
            found += weight * held
        return np.round(found, DECIMALS)

    def occurrences(self, query: str, texts: Sequence[str]) -> Occurrences:
        """Find the terms of a query in some texts; see `ports.LexicalIndex.occurrences`."""
        terms, weights = self._weighted(query)
        found = find_terms(terms, texts)
        return Occurrences(weights, *np.array(found, dtype=np.int64).reshape(-1, 3).T)

    def _weighted(self, query: str) -> tuple[list[str], Float64Array]:
        """Return the distinct terms of a query in ascending order, and their weights by idf, with sum 1."""
        terms = sorted(set(stems(query)))
        weights = idf(self.num_chunks, [len(self._column(term)) for term in terms])
        return terms, weights / weights.sum() if terms else weights

    def num_terms(self, query: str) -> int:
        """Return the number of distinct terms of a query; see `ports.LexicalIndex.num_terms`."""
        return len(set(stems(query)))

    def rare_words(self, text: str, k: int) -> list[str]:
        """Return the rarest words of a text; see `ports.LexicalIndex.rare_words`."""
        first: dict[str, str] = {}
        for word, stem in zip(words(text), stems(text), strict=True):
            if len(word) > 1 and any(map(str.isalpha, word)):
                first.setdefault(stem, word)
        rarest = sorted((len(self._column(stem)), word) for stem, word in first.items())
        return [word for _, word in rarest[:k]]

    def _column(self, term: str) -> NDArray[np.int32]:
        """Return the chunks that hold a term, in ascending order."""
        number = self._numbers.get(term)
        if number is None:
            return self._chunks[:0]
        return self._chunks[int(self._offsets[number]) : int(self._offsets[number + 1])]

    def _forms(self, term: str) -> list[str]:
        """Return the terms of the index that begin with a term or that it begins with, but not the term."""
        if len(term) < SHORT_FORM_LETTERS or not term.isalpha():
            return []
        shorter = [term[:end] for end in range(SHORT_FORM_LETTERS, len(term)) if term[:end] in self._numbers]
        terms = self._sorted_terms
        longer = terms[bisect_right(terms, term) : bisect_right(terms, term + _LAST)]
        return [*shorter, *filter(str.isalpha, longer)]

    @cached_property
    def _sorted_terms(self) -> list[str]:
        return sorted(self._terms)

    def _require(self, ids: Int64Array) -> None:
        if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < self.num_chunks:
            raise ShapeError(f"chunk ids are {ids.min()} to {ids.max()}, expected 0 to {self.num_chunks - 1}")

    def _search_one(self, query: str, k: int, allowed: BoolArray | None) -> Ranking:
        scores = self._scores(query)
        if allowed is not None:
            scores[~allowed] = 0.0
        # The comparison makes booleans first, because `flatnonzero` is slower on floats.
        ids = np.flatnonzero(scores > 0)
        found = scores[ids]
        step = least = 10.0**-DECIMALS
        if len(found) > k:
            # Keep every chunk that ties with the k-th after rounding. The sort below decides between them.
            kth = np.partition(found, len(found) - k)[len(found) - k]
            least = max(least, float(np.round(kth, DECIMALS)))
        # Round only the few scores that remain, because rounding is slow.
        near = found > least - step
        ids, found = ids[near], np.round(found[near], DECIMALS)
        ids, found = ids[found >= least], found[found >= least]
        best = np.lexsort((ids, -found))[:k]
        return Ranking(ids[best].astype(np.int64), found[best].astype(np.float32))

    def _scores(self, query: str) -> Float64Array:
        """Return the score of every chunk, not rounded: (num_chunks,)."""
        columns = [
            (count, slice(int(self._offsets[term]), int(self._offsets[term + 1])))
            for term, count in self._known_terms(query)
        ]
        if not columns:
            return np.zeros(self.num_chunks)
        chunks = np.concatenate([self._chunks[column] for _, column in columns])
        weights = np.concatenate(
            [count * self._weights[column].astype(np.float64) for count, column in columns]
        )
        # `bincount` adds in this order, term by term, so the sums are reproducible.
        return np.bincount(chunks, weights, self.num_chunks)  # type: ignore[return-value]  # weighted: float64

    def _known_terms(self, query: str) -> list[tuple[int, int]]:
        """Return (number, count) of each query term that the index knows, sorted by term.

        Because of this order, sums depend neither on the order of the query's words nor on the numbers of
        terms.
        """
        counts = Counter(stem for stem in stems(query) if stem in self._numbers)
        return [(self._numbers[stem], counts[stem]) for stem in sorted(counts)]


def _places(column: np.ndarray[Any, np.dtype[np.int32]], ids: Int64Array) -> tuple[Int64Array, BoolArray]:
    """Return the position of each id in a term's ascending column, and whether the column holds the id."""
    if not len(column):
        return np.zeros(len(ids), dtype=np.int64), np.zeros(len(ids), dtype=np.bool_)
    at = np.minimum(np.searchsorted(column, ids), len(column) - 1)
    return at, column[at] == ids
