"""The corpus: the documents, chunks, sentences and vectors of one generation (published version) of an index.

This package reads and writes these files:

    texts.utf8             texts of all documents, one after another; half a surrogate pair is kept
                           (`files.encode_text`)
    documents.jsonl        one line per document: its fields and its content hash
    documents.npy          one row per document (`files.DOCUMENT`): where its line, text, chunks and sentences
                           begin and end
    sections.json          the distinct heading paths
    chunks.npy             one row per chunk (`files.CHUNK`): document, character offsets, byte offsets,
                           sentences, tokens, heading path
    sentences.npy          one row per sentence (`files.SENTENCE`): character offsets in the document, row of
                           the sentence's vector, norm of its vector in context (`storage.corpus.smoothing`),
                           tokens, unit, kind of block (`files.KINDS`), character offsets of repeated lines
    sentence_vectors.npy   unit vectors, (num_vectors, dim) float16; equal sentences may share one vector
    sentence_keys.npy      for each of these vectors, a digest of its sentence: (num_vectors,)
    chunk_vectors.npy      unit vectors of the chunks, (num_chunks, dim) float16
    aliases.jsonl          one line per document that deduplication left out; without such documents there is
                           no file

Rows are numbered from 0 in the order in which they were added. The chunks and the sentences of a document are
consecutive. The number of a chunk is its id in every ranking. The end of a range is always excluded.
"""

from contextsvc.storage.corpus.files import KINDS, SENTENCE, sentence_key, sentence_passage
from contextsvc.storage.corpus.invariants import broken_invariants
from contextsvc.storage.corpus.merging import Merger, Place
from contextsvc.storage.corpus.vector_dedup import NOWHERE, KnownSentences, Vectors
from contextsvc.storage.corpus.view import Corpus
from contextsvc.storage.corpus.windows import Windows, chunks_around, windows_of
from contextsvc.storage.corpus.writing import CorpusWriter

__all__ = [
    "KINDS",
    "NOWHERE",
    "SENTENCE",
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
    "sentence_passage",
    "windows_of",
]
