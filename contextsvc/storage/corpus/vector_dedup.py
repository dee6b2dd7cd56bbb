"""Deduplication of vectors: a sentence that occurs several times is embedded once.

A source is a list of distinct sentences with their vectors, such as the corpus of a previous generation
(published version) of the index. A location is a source number and a row of that source, packed into one
integer (`place_of`, `source_of`, `row_of`).

The lookup takes 16 bytes of memory per distinct sentence. Keys and vectors stay in the files of the sources.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contextsvc.records.arrays import Float32Array, Int64Array
from contextsvc.storage.corpus.files import KEY

_ROW_BITS = 40
_ROWS = (1 << _ROW_BITS) - 1
NOWHERE = -1


@dataclass(slots=True)
class Vectors:
    """A source: keys (n,) and vectors (n, dim) of distinct sentences, in memory or memory-mapped."""

    keys: NDArray[np.bytes_]
    vectors: NDArray[Any]


class KnownSentences:
    """Lookup of vectors by the key of their sentence (`files.sentence_key`), in several sources.

    If several sources hold a sentence, the lookup returns the location in the source that was added first.
    """

    def __init__(self) -> None:
        self.sources: list[Vectors] = []
        # Sorted runs of key prefixes. Runs of about the same size are merged, so that there are few runs.
        self._runs: list[tuple[NDArray[np.uint64], Int64Array]] = []

    def add(self, found: Vectors) -> int:
        """Add a source and return its number. A sentence that is already known keeps its location."""
        number = len(self.sources)
        self.sources.append(found)
        fresh = np.flatnonzero(self.places(found.keys) == NOWHERE) if number else np.arange(len(found.keys))
        prefixes = _prefixes(found.keys[fresh])
        places = place_of(number) | fresh.astype(np.int64)
        order = np.argsort(prefixes, kind="stable")
        self._runs.append((prefixes[order], places[order]))
        while len(self._runs) > 1 and len(self._runs[-2][0]) < 2 * len(self._runs[-1][0]):
            self._runs.append(_merged(self._runs.pop(), self._runs.pop()))
        return number

    def places(self, keys: NDArray[np.bytes_]) -> Int64Array:
        """Return the location of each key, or `NOWHERE` for a key that is not known: (n,)."""
        found = np.full(len(keys), NOWHERE, dtype=np.int64)
        prefixes = _prefixes(keys)
        for run, places in self._runs:
            if not len(run):
                continue
            at = np.minimum(np.searchsorted(run, prefixes), len(run) - 1)
            hits = np.flatnonzero((run[at] == prefixes) & (found == NOWHERE))
            # Another sentence may have the same key prefix. Then the wanted sentence counts as not known,
            # which costs one more embedding and nothing else.
            true = self._keys_at(places[at[hits]]) == keys[hits]
            found[hits[true]] = places[at[hits[true]]]
        return found

    def vectors_at(self, places: Int64Array, dim: int) -> Float32Array:
        """Return the vectors at some locations, in the same order: (n, dim) float32."""
        vectors = np.empty((len(places), dim), dtype=np.float32)
        for number, rows, positions in self._by_source(places):
            vectors[positions] = self.sources[number].vectors[rows]
        return vectors

    def _keys_at(self, places: Int64Array) -> NDArray[np.bytes_]:
        keys = np.empty(len(places), dtype=KEY)
        for number, rows, positions in self._by_source(places):
            keys[positions] = self.sources[number].keys[rows]
        return keys

    def _by_source(self, places: Int64Array) -> Sequence[tuple[int, Int64Array, Int64Array]]:
        numbers = source_of(places)
        return [
            (int(number), row_of(places[numbers == number]), np.flatnonzero(numbers == number))
            for number in np.unique(numbers)
        ]


def place_of(number: int) -> int:
    """Return the location of row 0 of a source, given the source's number."""
    return number << _ROW_BITS


def source_of(places: Int64Array) -> Int64Array:
    """Return the number of the source of each location: (n,)."""
    return places >> _ROW_BITS


def row_of(places: Int64Array) -> Int64Array:
    """Return the row of each location within its source: (n,)."""
    return places & _ROWS


def _prefixes(keys: NDArray[np.bytes_]) -> NDArray[np.uint64]:
    return np.ascontiguousarray(keys).view("<u8")[::2].astype(np.uint64)


def _merged(
    one: tuple[NDArray[np.uint64], Int64Array], other: tuple[NDArray[np.uint64], Int64Array]
) -> tuple[NDArray[np.uint64], Int64Array]:
    prefixes = np.concatenate([one[0], other[0]])
    order = np.argsort(prefixes, kind="stable")
    return prefixes[order], np.concatenate([one[1], other[1]])[order]
