"""The corpus: a typed view of the files of one generation, and the writer that makes them.

    texts.utf8             texts of the documents, one after another, with lone surrogates (`files.encode`)
    documents.jsonl        one line for each document: its fields and content hash
    documents.npy          one row for each document (`files.DOCUMENT`): bounds of its line, text, chunks and
                           sentences
    sections.json          the distinct heading paths
    chunks.npy             one row for each chunk (`files.CHUNK`): document, span, bytes, sentences, tokens,
                           section
    sentences.npy          one row for each sentence (`files.SENTENCE`): span in its document, row of its
                           vector, norm of its vector in context (`storage.corpus.smoothing`)
    sentence_vectors.npy   (num_vectors, dim) float16, unit rows; equal sentences may share one
    sentence_keys.npy      (num_vectors,) digest of each sentence that has a vector
    chunk_vectors.npy      (num_chunks, dim) float16, unit rows
    aliases.jsonl          one line for each document that deduplication left out; absent if there is none

Rows are numbered from 0 in the order in which they were added. The chunks and the sentences of a document are
consecutive. The number of a chunk is its id in every ranking.
"""

from contextsvc.storage.corpus.files import sentence_key
from contextsvc.storage.corpus.invariants import broken_invariants
from contextsvc.storage.corpus.merging import Merger, Place
from contextsvc.storage.corpus.vector_dedup import NOWHERE, KnownSentences, Vectors
from contextsvc.storage.corpus.view import Corpus
from contextsvc.storage.corpus.windows import Windows, chunks_around, windows_of
from contextsvc.storage.corpus.writing import CorpusWriter

__all__ = [
    "NOWHERE",
    "Corpus",
    "CorpusWriter",
    "KnownSentences",
    "Merger",
    "Place",
    "Vectors",
    "Windows",
    "broken_invariants",
    "chunks_around",
    "sentence_key",
    "windows_of",
]
