"""Which sentences have a vector already, and where: a sentence that occurs twice is embedded once.

In memory 16 bytes a distinct sentence; keys and vectors stay in the files of the corpora they came from.
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
    """Keys (n,) and vectors (n, dim) of distinct sentences, in memory or mapped."""

    keys: NDArray[np.bytes_]
    vectors: NDArray[Any]


class KnownSentences:
    """Vectors by the key of their sentence, over several sources, the first of which wins.

    A place is a source's number and a row in it, in one integer (`source_of`, `row_of`).
    """

    def __init__(self) -> None:
        self.sources: list[Vectors] = []
        # Sorted runs of key prefixes; two of about one size are merged, so that there are few.
        self._runs: list[tuple[NDArray[np.uint64], Int64Array]] = []

    def add(self, found: Vectors) -> int:
        """Take a source in; its number. Of sentences that are known already the former place stays."""
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
        """The place of each key, `NOWHERE` where it is not known: (n,)."""
        found = np.full(len(keys), NOWHERE, dtype=np.int64)
        prefixes = _prefixes(keys)
        for run, places in self._runs:
            if not len(run):
                continue
            at = np.minimum(np.searchsorted(run, prefixes), len(run) - 1)
            hits = np.flatnonzero((run[at] == prefixes) & (found == NOWHERE))
            # The prefix may be another sentence's; then this one counts as not known, which costs its
            # embedding and nothing else.
            true = self._keys_at(places[at[hits]]) == keys[hits]
            found[hits[true]] = places[at[hits[true]]]
        return found

    def vectors_at(self, places: Int64Array, dim: int) -> Float32Array:
        """The vectors at some places: (n, dim)."""
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
    """The place of a source's row 0."""
    return number << _ROW_BITS


def source_of(places: Int64Array) -> Int64Array:
    """The numbers of the sources."""
    return places >> _ROW_BITS


def row_of(places: Int64Array) -> Int64Array:
    """The rows in them."""
    return places & _ROWS


def _prefixes(keys: NDArray[np.bytes_]) -> NDArray[np.uint64]:
    return np.ascontiguousarray(keys).view("<u8")[::2].astype(np.uint64)


def _merged(
    one: tuple[NDArray[np.uint64], Int64Array], other: tuple[NDArray[np.uint64], Int64Array]
) -> tuple[NDArray[np.uint64], Int64Array]:
    prefixes = np.concatenate([one[0], other[0]])
    order = np.argsort(prefixes, kind="stable")
    return prefixes[order], np.concatenate([one[1], other[1]])[order]
