"""Merging: documents of several corpora are copied into one corpus, without parsing or embedding."""

from collections.abc import Sequence

import numpy as np

from contextsvc.records.arrays import Int64Array
from contextsvc.storage.corpus.vector_dedup import KnownSentences, place_of, row_of, source_of
from contextsvc.storage.corpus.view import Corpus
from contextsvc.storage.corpus.writing import CorpusWriter

Place = tuple[int, int]
"""Location of a document: the number of its corpus, and the document's number in that corpus."""

_RUN_DOCUMENTS = 256


class Merger:
    """Copier of documents from several corpora into one new corpus. Equal sentences share one vector.

    Args:
        writer: Writer of the new corpus.
        corpora: The corpora to copy from.
        known: Lookup of the vectors of these corpora. Source i of the lookup must be corpus i.
    """

    def __init__(self, writer: CorpusWriter, corpora: Sequence[Corpus], known: KnownSentences) -> None:
        self._writer, self._corpora, self._known = writer, corpora, known
        self._rows = [np.full(len(corpus.sentence_vectors), -1, dtype=np.int64) for corpus in corpora]
        self._origins: list[tuple[int, int, int]] = []
        self._sections = [np.full(len(corpus.sections), -1, dtype=np.int64) for corpus in corpora]
        self._places: dict[int, Int64Array] = {}

    def add(self, places: Sequence[Place]) -> None:
        """Append the documents at these locations to the new corpus, in this order."""
        start = 0
        for end in range(1, len(places) + 1):
            follows = end < len(places) and places[end] == (places[end - 1][0], places[end - 1][1] + 1)
            if not follows or end - start == _RUN_DOCUMENTS:
                self._add_run(places[start][0], places[start][1], places[end - 1][1] + 1)
                start = end

    def chunks_from(self, number: int) -> Int64Array:
        """Return, for each chunk of the new corpus, the number that the chunk had in one of the old corpora.

        Args:
            number: Number of the old corpus.

        Returns:
            (num_chunks,) numbers; -1 for a chunk that came from another corpus.
        """
        found = [
            np.arange(first, first + length) if corpus == number else np.full(length, -1)
            for corpus, first, length in self._origins
        ]
        return np.concatenate([np.zeros(0, dtype=np.int64), *found])

    def _add_run(self, number: int, first: int, end: int) -> None:
        corpus = self._corpora[number]
        low, high = corpus.document_table[first], corpus.document_table[end - 1]
        titles = corpus.document_table["title_row"][first:end]
        used = corpus.sentence_table["row"][low["first_sentence"] : high["end_sentence"]]
        self._take_vectors(number, np.concatenate([used, titles[titles >= 0]]))
        self._writer.add_run(corpus, first, end, self._rows[number], self._sections[number])
        num_chunks = int(high["end_chunk"] - low["first_chunk"])
        self._origins.append((number, int(low["first_chunk"]), num_chunks))

    def _take_vectors(self, number: int, used: Int64Array) -> None:
        """Give each used vector of a corpus a row in the new corpus, and write vectors that are new there.

        Args:
            number: Number of the old corpus.
            used: Rows of the vectors in the old corpus, with repetitions. New rows follow the order in which
                vectors first occur here.
        """
        rows = self._rows[number]
        wanted = used[rows[used] < 0]
        _, at = np.unique(wanted, return_index=True)
        wanted = wanted[np.sort(at)]
        canonical = self._canonical(number)[wanted]
        # The canonical vector may be in another corpus, and it may already have a row in the new corpus.
        sources = [
            (int(source), source_of(canonical) == source) for source in np.unique(source_of(canonical))
        ]
        taken = np.empty(len(canonical), dtype=np.int64)
        for source, here in sources:
            taken[here] = self._rows[source][row_of(canonical[here])]
        fresh = taken < 0
        corpus = self._corpora[number]
        if fresh.any():
            new = wanted[fresh]
            chosen = _as_slice(new)
            first = self._writer.add_vectors(corpus.sentence_vectors[chosen], corpus.sentence_keys[chosen])
            taken[fresh] = np.arange(first, first + len(new))
        rows[wanted] = taken
        for source, here in sources:
            self._rows[source][row_of(canonical[here])] = taken[here]

    def _canonical(self, number: int) -> Int64Array:
        """Return the canonical location of each vector of a corpus: (num_vectors,).

        Vectors of equal sentences have the same canonical location, which may be in another corpus.
        """
        if number not in self._places:
            corpus = self._corpora[number]
            own = place_of(number) | np.arange(len(corpus.sentence_vectors), dtype=np.int64)
            found = self._known.places(corpus.sentence_keys) if number else own
            self._places[number] = np.where(found >= 0, found, own)
        return self._places[number]


def _as_slice(rows: Int64Array) -> Int64Array | slice:
    """Return consecutive rows as a slice, so that indexing copies nothing. Return other rows unchanged."""
    if (np.diff(rows) == 1).all():
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows
