"""Windows: the numbers of the neighbours of chunks and of their sentences, as arrays."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import Float32Array, Int64Array
from contextsvc.storage.corpus.view import Corpus


@dataclass(frozen=True, slots=True)
class Windows:
    """The sentences of some chunks, each with its neighbours in the document.

    Attributes:
        rows: For each sentence, the rows in `sentence_vectors` of the sentences from `reach` before to
            `reach` after it: (num sentences, 2 * reach + 1). Beyond the beginning or the end of the document,
            its first or last sentence is repeated.
        norms: For each sentence, the stored norm of its vector in context: (num sentences,).
        titles: For each sentence, the row of the vector of its document's title: (num sentences,). It is -1
            if the document has no title.
        firsts: For each chunk, the position of its first sentence in the other arrays: (num chunks,),
            ascending.
    """

    rows: Int64Array
    norms: Float32Array
    titles: Int64Array
    firsts: Int64Array


def chunks_around(corpus: Corpus, numbers: Int64Array, reach: int) -> Int64Array:
    """Return the numbers of each chunk's neighbours, from `reach` before the chunk to `reach` after it.

    Beyond the beginning or the end of the document, its first or last chunk is repeated.

    Args:
        corpus: The corpus.
        numbers: Numbers of the chunks: (num chunks,).
        reach: Largest distance of a neighbour, in chunks.

    Returns:
        (num chunks, 2 * reach + 1) chunk numbers.

    Raises:
        ShapeError: there is no chunk with one of the numbers.
    """
    documents = corpus.document_table[_chunk_rows(corpus, numbers)["doc"]]
    around = numbers[:, None] + np.arange(-reach, reach + 1)
    low, high = documents["first_chunk"][:, None], documents["end_chunk"][:, None] - 1
    inside: Int64Array = np.clip(around, low, high)
    return inside


def windows_of(corpus: Corpus, numbers: Int64Array, reach: int) -> Windows:
    """Return the sentences of some chunks with their neighbours, which may belong to other chunks.

    Args:
        corpus: The corpus.
        numbers: Numbers of the chunks: (num chunks,). The sentences follow in this order.
        reach: Largest distance of a neighbour, in sentences.

    Raises:
        ShapeError: there is no chunk with one of the numbers.
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
