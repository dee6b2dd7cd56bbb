"""The sentences of some chunks, each with its neighbours in the document: found by number, all at once."""

from dataclasses import dataclass

import numpy as np

from contextsvc.corpus.view import Corpus
from contextsvc.errors import ShapeError
from contextsvc.records import Float32Array, Int64Array


@dataclass(frozen=True, slots=True)
class Windows:
    """The sentences of some chunks.

    Attributes:
        rows: (num sentences, 2 * reach + 1), rows in `sentence_vectors`: of the sentences from `reach` places
            before to `reach` places after; past an edge of the document that of its first or last sentence.
        norms: (num sentences,) what the index holds as `context_norm`.
        firsts: (num chunks,) where in these each chunk's sentences begin, ascending.
    """

    rows: Int64Array
    norms: Float32Array
    firsts: Int64Array


def windows_of(corpus: Corpus, numbers: Int64Array, reach: int) -> Windows:
    """Sentences of the chunks of these numbers, in that order; neighbours may lie in other chunks.

    Raises:
        ShapeError: there is no such chunk.
    """
    if len(numbers) and not 0 <= int(numbers.min()) <= int(numbers.max()) < corpus.num_chunks:
        raise ShapeError(
            f"chunks {numbers.min()} to {numbers.max()} were asked for; there are {corpus.num_chunks}, from 0"
        )
    chunks = corpus.chunk_table[numbers]
    documents = corpus.document_table[chunks["doc"]]
    sizes = chunks["end_sentence"] - chunks["first_sentence"]
    firsts = np.cumsum(sizes) - sizes
    sentences = np.arange(int(sizes.sum())) + np.repeat(chunks["first_sentence"] - firsts, sizes)
    lowest = np.repeat(documents["first_sentence"], sizes)
    highest = np.repeat(documents["end_sentence"] - 1, sizes)
    around = sentences[:, None] + np.arange(-reach, reach + 1)
    around = np.clip(around, lowest[:, None], highest[:, None])
    return Windows(
        corpus.sentence_table["row"][around], corpus.sentence_table["context_norm"][sentences], firsts
    )
