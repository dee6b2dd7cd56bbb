"""Windows: the neighbours of some chunks, and of their sentences, as numbers in arrays."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import Float32Array, Int64Array
from contextsvc.storage.corpus.view import Corpus


@dataclass(frozen=True, slots=True)
class Windows:
    """Sentences of some chunks, each with its neighbours in the document.

    Attributes:
        rows: (num sentences, 2 * reach + 1): rows in `sentence_vectors` of the sentences from `reach` before
            to `reach` after each sentence. Past an edge of the document its first or last sentence is
            repeated.
        norms: (num sentences,): stored norm of each sentence in context.
        titles: (num sentences,): row of the vector of the document's title; -1 for no title.
        firsts: (num chunks,): position of each chunk's first sentence in these arrays, ascending.
    """

    rows: Int64Array
    norms: Float32Array
    titles: Int64Array
    firsts: Int64Array


def chunks_around(corpus: Corpus, numbers: Int64Array, reach: int) -> Int64Array:
    """Return the numbers of the chunks from `reach` before to `reach` after each chunk.

    Past an edge of the document its first or last chunk is repeated.

    Returns:
        (num chunks, 2 * reach + 1).

    Raises:
        ShapeError: there is no such chunk.
    """
    documents = corpus.document_table[_chunk_rows(corpus, numbers)["doc"]]
    around = numbers[:, None] + np.arange(-reach, reach + 1)
    low, high = documents["first_chunk"][:, None], documents["end_chunk"][:, None] - 1
    inside: Int64Array = np.clip(around, low, high)
    return inside


def windows_of(corpus: Corpus, numbers: Int64Array, reach: int) -> Windows:
    """Return the sentences of some chunks, in the order of the numbers; neighbours may be in other chunks.

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
        rows=corpus.sentence_table["row"][around],
        norms=corpus.sentence_table["context_norm"][sentences],
        titles=np.repeat(documents["title_row"], sizes),
        firsts=firsts,
    )


def _chunk_rows(corpus: Corpus, numbers: Int64Array) -> NDArray[Any]:
    if len(numbers) and not 0 <= int(numbers.min()) <= int(numbers.max()) < corpus.num_chunks:
        raise ShapeError(
            f"chunks {numbers.min()} to {numbers.max()} do not exist; there are {corpus.num_chunks}, from 0"
        )
    return corpus.chunk_table[numbers]
