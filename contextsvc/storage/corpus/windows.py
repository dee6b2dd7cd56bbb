"""Some chunks, and their sentences, each with its neighbours in the document: by number, all at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import Float32Array, Int64Array
from contextsvc.storage.corpus.view import Corpus


@dataclass(frozen=True, slots=True)
class Windows:
    """The sentences of some chunks.

    Attributes:
        rows: (num sentences, 2 * reach + 1), rows in `sentence_vectors`: of the sentences from `reach` places
            before to `reach` places after; past an edge of the document that of its first or last sentence.
        norms: (num sentences,) what the index holds as `context_norm`.
        titles: (num sentences,) row of the vector of the document's title, -1 where it has none.
        firsts: (num chunks,) where in these each chunk's sentences begin, ascending.
    """

    rows: Int64Array
    norms: Float32Array
    titles: Int64Array
    firsts: Int64Array


def chunks_around(corpus: Corpus, numbers: Int64Array, reach: int) -> Int64Array:
    """(num chunks, 2 * reach + 1): numbers from `reach` before to `reach` after each chunk in its document.

    Past an edge of the document that of its first or last chunk.

    Raises:
        ShapeError: there is no such chunk.
    """
    documents = corpus.document_table[_chunk_rows(corpus, numbers)["doc"]]
    around = numbers[:, None] + np.arange(-reach, reach + 1)
    low, high = documents["first_chunk"][:, None], documents["end_chunk"][:, None] - 1
    inside: Int64Array = np.clip(around, low, high)
    return inside


def windows_of(corpus: Corpus, numbers: Int64Array, reach: int) -> Windows:
    """Sentences of the chunks of these numbers, in that order; neighbours may lie in other chunks.

    Raises:
        ShapeError: there is no such chunk.
    """
    chunks = _chunk_rows(corpus, numbers)
    documents = corpus.document_table[chunks["doc"]]
    sizes = chunks["end_sentence"] - chunks["first_sentence"]
    firsts = np.cumsum(sizes) - sizes
    sentences = np.arange(int(sizes.sum())) + np.repeat(chunks["first_sentence"] - firsts, sizes)
    lowest = np.repeat(documents["first_sentence"], sizes)
    highest = np.repeat(documents["end_sentence"] - 1, sizes)
    around = sentences[:, None] + np.arange(-reach, reach + 1)
    around = np.clip(around, lowest[:, None], highest[:, None])
    return Windows(
        corpus.sentence_table["row"][around], corpus.sentence_table["context_norm"][sentences],
        np.repeat(documents["title_row"], sizes), firsts,
    )  # fmt: skip


def _chunk_rows(corpus: Corpus, numbers: Int64Array) -> NDArray[Any]:
    if len(numbers) and not 0 <= int(numbers.min()) <= int(numbers.max()) < corpus.num_chunks:
        raise ShapeError(
            f"chunks {numbers.min()} to {numbers.max()} were asked for; there are {corpus.num_chunks}, from 0"
        )
    return corpus.chunk_table[numbers]
