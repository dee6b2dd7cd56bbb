"""The corpus: typed view of one generation's files, and the writer that makes them.

    texts.utf8             the documents' texts one after another (lone surrogates pass, see `files.encode`)
    documents.jsonl        one line a document: its fields and content hash
    documents.npy          one row a document (`files.DOCUMENT`): where its line, text, chunks, sentences lie
    sections.json          the distinct heading paths
    chunks.npy             one row a chunk (`files.CHUNK`): document, span, bytes, sentences, tokens, section
    sentences.npy          one row a sentence (`files.SENTENCE`): span in its document, row of its vector,
                           norm of its vector in context (`storage.corpus.smoothing`)
    sentence_vectors.npy   (num_vectors, dim) float16, unit rows; equal sentences may share one
    sentence_keys.npy      (num_vectors,) a digest of each sentence that has a vector
    chunk_vectors.npy      (num_chunks, dim) float16, unit rows
    aliases.jsonl          one line a document that another stands for; absent where there is none

Rows are numbered from 0 in the order in which they were added; a document's chunks and sentences
follow each other. Chunk number is the id in every ranking.
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
