"""The corpus: typed view of one generation's files, and the writer that makes them.

    texts.utf8             the documents' texts one after another (lone surrogates pass, see `files.encode`)
    documents.jsonl        one line a document: its fields, content hash, where its text and chunks lie
    sections.json          the distinct heading paths
    chunks.npy             one row a chunk (`files.CHUNK`): document, span, bytes, sentences, tokens, section
    sentences.npy          one row a sentence (`files.SENTENCE`): span in its document, row of its vector
    sentence_vectors.npy   (num_vectors, dim) float16, unit rows; equal sentences may share one
    chunk_vectors.npy      (num_chunks, dim) float16, unit rows

Rows are numbered from 0 in the order in which they were added; a document's chunks and sentences
follow each other. Chunk number is the id in every ranking.
"""

from contextsvc.corpus.invariants import broken_invariants
from contextsvc.corpus.view import Corpus
from contextsvc.corpus.writing import CorpusWriter

__all__ = ["Corpus", "CorpusWriter", "broken_invariants"]
