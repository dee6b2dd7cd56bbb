"""Term counts of chunks, and their BM25 weights.

Stop words are those of bm25s, stems those of Snowball.
Rejected: computing weights by bm25s, which reads the words of every chunk again when one document changes.
Here the counts are stored, and the weights of a changed index follow from them by a few array operations. A
test compares the weights with those of bm25s.
"""

import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import Stemmer
from bm25s.stopwords import STOPWORDS_EN_PLUS
from numpy.typing import ArrayLike, NDArray

from contextsvc.records.arrays import Float32Array, Float64Array, Int64Array

Int32Array = NDArray[np.int32]

_WORD = re.compile(r"\w+")
_STOP_WORDS = frozenset(STOPWORDS_EN_PLUS)


@dataclass(frozen=True, slots=True)
class Postings:
    """Columns of all terms, one after another: term t has rows offsets[t] to offsets[t + 1], in ascending
    chunks.

    Attributes:
        terms: Terms; each occurs at least once.
        offsets: (num_terms + 1,) first row of each term.
        chunks: (num_rows,) number of a chunk that holds the term.
        counts: (num_rows,) how often that chunk holds it.
        num_chunks: Number of all chunks.
    """

    terms: Sequence[str]
    offsets: Int64Array
    chunks: Int32Array
    counts: Int32Array
    num_chunks: int


def stems(text: str) -> list[str]:
    """Stems of the words of a text; see `words`."""
    # A new stemmer for each text (half a microsecond), because threads must not share its cache.
    stemmed: list[str] = Stemmer.Stemmer("english").stemWords(words(text))
    return stemmed


def words(text: str) -> list[str]:
    """Lower-case runs of letters, digits and underscores, without stop words, in order."""
    return [word for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS]


def count_terms(texts: Iterable[str]) -> Postings:
    """Postings of texts, which are numbered from 0 and read once."""
    numbers: dict[str, int] = {}
    num_chunks, columns = _count(enumerate(texts), numbers)
    return _sorted(list(numbers), *columns, num_chunks)


def renumbered(previous: Postings, chunks: Int64Array, text: Callable[[int], str]) -> Postings:
    """Postings of another set of chunks.

    Args:
        previous: Postings of the previous chunks.
        chunks: Number of each chunk in `previous`, -1 for a new one; no number twice.
        text: Returns the text of a new chunk, given its new number.
    """
    place = np.full(previous.num_chunks, -1, dtype=np.int64)
    old = np.flatnonzero(chunks >= 0)
    place[chunks[old]] = old
    terms = np.repeat(np.arange(len(previous.terms), dtype=np.int64), np.diff(previous.offsets))
    moved = place[previous.chunks]
    kept = moved >= 0
    numbers = {term: number for number, term in enumerate(previous.terms)}
    new = np.flatnonzero(chunks < 0).tolist()
    _, fresh = _count(((number, text(number)) for number in new), numbers)
    return _sorted(
        list(numbers),
        np.concatenate([terms[kept], fresh[0]]),
        np.concatenate([moved[kept], fresh[1]]),
        np.concatenate([previous.counts[kept], fresh[2]]),
        len(chunks),
    )


def weigh(postings: Postings, k1: float, b: float) -> Float32Array:
    """BM25 weight of every posting: idf(t) * tf / (tf + k1 (1 - b + b |chunk| / mean |chunk|))."""
    if not len(postings.chunks):
        return np.zeros(0, dtype=np.float32)
    counts = postings.counts.astype(np.float64)
    lengths = np.bincount(postings.chunks, weights=counts, minlength=postings.num_chunks)
    frequency = np.diff(postings.offsets)
    worth = idf(postings.num_chunks, frequency)
    saturation = k1 * (1 - b + b * lengths / lengths.mean())
    weights: Float32Array = (
        np.repeat(worth, frequency) * counts / (counts + saturation[postings.chunks])
    ).astype(np.float32)
    return weights


def idf(num_chunks: int, frequency: ArrayLike) -> Float64Array:
    """Inverse document frequency of terms that `frequency` of `num_chunks` chunks hold, same shape."""
    holding = np.asarray(frequency, dtype=np.float64)
    worth: Float64Array = np.log1p((num_chunks - holding + 0.5) / (holding + 0.5))
    return worth


def _count(
    texts: Iterable[tuple[int, str]], numbers: dict[str, int]
) -> tuple[int, tuple[Int64Array, Int64Array, Int64Array]]:
    """(number of texts, (terms, chunks, counts) of the postings by chunk); extends `numbers` by new terms."""
    terms, chunks, counts = array("i"), array("i"), array("i")
    num_texts = 0
    stem = Stemmer.Stemmer("english").stemWord
    # Each distinct word is stemmed and looked up once.
    known: dict[str, int] = {}
    for chunk, text in texts:
        num_texts += 1
        found: dict[int, int] = {}
        for word, count in Counter(words(text)).items():
            number = known.get(word)
            if number is None:
                number = known[word] = numbers.setdefault(stem(word), len(numbers))
            found[number] = found.get(number, 0) + count
        terms.extend(found)
        counts.extend(found.values())
        chunks.extend([chunk] * len(found))
    return num_texts, (_array(terms), _array(chunks), _array(counts))


def _array(values: "array[int]") -> Int64Array:
    return np.frombuffer(values, dtype=np.int32).astype(np.int64) if values else np.zeros(0, dtype=np.int64)


def _sorted(
    terms: list[str], numbers: Int64Array, chunks: Int64Array, counts: Int64Array, num_chunks: int
) -> Postings:
    # One key and a stable sort, which is fast on runs that are already in order, as those of a previous index
    # are.
    order = np.argsort(numbers * max(1, num_chunks) + chunks, kind="stable")
    frequency = np.bincount(numbers, minlength=len(terms))
    used = np.flatnonzero(frequency)
    offsets = np.concatenate([[0], np.cumsum(frequency[used])]).astype(np.int64)
    return Postings(
        [terms[number] for number in used],
        offsets,
        chunks[order].astype(np.int32),
        counts[order].astype(np.int32),
        num_chunks,
    )
