"""Counts of terms in chunks, and the BM25 weights computed from the counts.

A posting is one term in one chunk, with its count. The package bm25s computes the same weights, but reads the
words of every chunk to do so. An update of one document in 10,000 would read all documents again. Here the
counts are stored, and a few array operations compute the weights of a changed index from them. A test
compares stop words and weights with those of bm25s.
"""

import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import Stemmer
from numpy.typing import ArrayLike, NDArray

from contextsvc.records.arrays import Float32Array, Float64Array, Int64Array

Int32Array = NDArray[np.int32]

_WORD = re.compile(r"\w+")
_IN_WORD = re.compile(r"\w")
_STOP_WORDS = frozenset(
    """
    a about above after again against ain all am an and any are aren aren't as at be because been before
    being below between both but by can couldn couldn't d did didn didn't do does doesn doesn't doing
    don don't down during each few for from further had hadn hadn't has hasn hasn't have haven haven't
    having he her here hers herself him himself his how i if in into is isn isn't it it's its itself
    just ll m ma me mightn mightn't more most mustn mustn't my myself needn needn't no nor not now o of
    off on once only or other our ours ourselves out over own re s same shan shan't she she's should
    should've shouldn shouldn't so some such t than that that'll the their theirs them themselves then
    there these they this those through to too under until up ve very was wasn wasn't we were weren
    weren't what when where which while who whom why will with won won't wouldn wouldn't y you you'd
    you'll you're you've your yours yourself yourselves
    """.split()  # noqa: SIM905 one word per line would be 179 lines
)
"""179 English words that no index holds.

The list is STOPWORDS_EN_PLUS of bm25s 0.3 (Xing Han Lù, MIT licence, github.com/xhluca/bm25s). A change of
this list changes every index, so name the change in `bm25.ANALYSER`.
"""


@dataclass(frozen=True, slots=True)
class Postings:
    """Columns of all terms, one after another.

    The column of term t is rows offsets[t] to offsets[t + 1] of `chunks` and `counts`. Within a column the
    chunk numbers ascend.

    Attributes:
        terms: The terms; each occurs at least once in a chunk.
        offsets: First row of each term, and the number of rows at the end: (num_terms + 1,).
        chunks: Number of a chunk that holds the term: (num_rows,).
        counts: Number of times that the chunk holds the term: (num_rows,).
        num_chunks: Number of all chunks, including those without terms.
    """

    terms: Sequence[str]
    offsets: Int64Array
    chunks: Int32Array
    counts: Int32Array
    num_chunks: int


def stems(text: str) -> list[str]:
    """Return the stems of the words of a text, in order; see `words`."""
    # Each text gets a new stemmer (half a microsecond), because threads must not share a stemmer's cache.
    stemmed: list[str] = Stemmer.Stemmer("english").stemWords(words(text))
    return stemmed


def words(text: str) -> list[str]:
    """Return the words of a text in lower case and in order, without stop words.

    A word is a run of letters, digits and underscores.
    """
    return [word for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS]


def find_terms(terms: Sequence[str], texts: Sequence[str]) -> list[tuple[int, int, int]]:
    """Find words of some texts whose stems are among the terms.

    Only words that begin like a term are stemmed, because stemming all words takes five times as long. So a
    few irregular words, such as "dying" with the stem "die", are not found.

    Args:
        terms: Different stems.
        texts: The texts.

    Returns:
        (number of the text, offset of the word's first character, number of the term) for each word, in
        order.
    """
    if not terms:
        return []
    # A stem may end in another vowel than its words: "happi" of "happy", "hope" of "hoping".
    beginnings = {term[:-1] if len(term) > 2 and term[-1] in "ei" else term for term in terms}
    # The pattern begins with letters, not with a word boundary, because `re` then skips to them quickly.
    pattern = re.compile(rf"(?:{'|'.join(map(re.escape, sorted(beginnings)))})\w*")
    found = [
        (number, match.start(), match[0])
        for number, text in enumerate(map(_lower_in_place, texts))
        for match in pattern.finditer(text)
        if not (match.start() and _IN_WORD.match(text, match.start() - 1))
    ]
    distinct = list({word for _, _, word in found} - _STOP_WORDS)
    numbers = {term: number for number, term in enumerate(terms)}
    number_of = {
        word: numbers[stem]
        for word, stem in zip(distinct, Stemmer.Stemmer("english").stemWords(distinct), strict=True)
        if stem in numbers
    }
    return [(text, at, number_of[word]) for text, at, word in found if word in number_of]


def _lower_in_place(text: str) -> str:
    """Return the text in lower case, with every character at its offset."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(low if len(low := char.lower()) == 1 else char for char in text)


def count_terms(texts: Iterable[str]) -> Postings:
    """Return the postings of texts, which are read once and numbered from 0."""
    numbers: dict[str, int] = {}
    num_chunks, columns = _count(enumerate(texts), numbers)
    return _sorted(list(numbers), *columns, num_chunks)


def renumbered(previous: Postings, chunks: Int64Array, text: Callable[[int], str]) -> Postings:
    """Return the postings of a new set of chunks, some of which were in a previous set.

    Args:
        previous: Postings of the previous chunks.
        chunks: For each new chunk, its number in `previous`, or -1 if it was not there. No number occurs
            twice.
        text: Function that returns the text of a chunk that was not there, given its new number.
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
    """Compute the BM25 weight of every posting, in the order of the postings.

    The weight is idf(t) * tf / (tf + k1 (1 - b + b |chunk| / mean |chunk|)).
    """
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
    """Compute the inverse document frequency of terms.

    Args:
        num_chunks: Number of all chunks.
        frequency: For each term, the number of chunks that hold it.

    Returns:
        An array of the shape of `frequency`.
    """
    holding = np.asarray(frequency, dtype=np.float64)
    worth: Float64Array = np.log1p((num_chunks - holding + 0.5) / (holding + 0.5))
    return worth


def _count(
    texts: Iterable[tuple[int, str]], numbers: dict[str, int]
) -> tuple[int, tuple[Int64Array, Int64Array, Int64Array]]:
    """Count the terms of texts, and add new terms with their numbers to `numbers`.

    Args:
        texts: (chunk number, text) of each chunk.
        numbers: Number of each known term; new terms are added.

    Returns:
        (number of texts, (terms, chunks, counts)). The three arrays have one entry per posting, ordered by
        chunk.
    """
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
    # A stable sort by a single key is fast on runs that are already in order, such as the postings of a
    # previous index.
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
