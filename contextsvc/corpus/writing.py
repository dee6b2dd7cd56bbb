"""Writing the corpus files, one document at a time, in memory bounded by the largest document."""

import json
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

import numpy as np

from contextsvc.corpus.files import (
    CHUNK,
    CHUNK_VECTORS,
    CHUNKS,
    DOCUMENTS,
    SECTIONS,
    SENTENCE,
    SENTENCE_VECTORS,
    SENTENCES,
    TEXTS,
    VECTOR,
    Entry,
    RowFile,
    encode,
)
from contextsvc.errors import ShapeError, SpanError
from contextsvc.records import Chunk, Document, Float32Array, Int64Array, Sentence


class CorpusWriter:
    """Streams documents into a folder; of what was added it holds the distinct heading paths alone.

    Use it in a `with` block: the files are whole once it has ended without an error.
    """

    def __init__(self, folder: Path, dim: int) -> None:
        self.dim = dim
        self.num_documents = 0
        self._folder = folder
        self._sections: dict[tuple[str, ...], int] = {}
        self._num_text_bytes = 0
        self._highest_row = -1
        self._closed = False
        with ExitStack() as opened:
            self._texts = opened.enter_context((folder / TEXTS).open("wb"))
            self._documents = opened.enter_context((folder / DOCUMENTS).open("wb"))
            self._chunks = RowFile(folder / CHUNKS, CHUNK)
            opened.callback(self._chunks.close)
            self._sentences = RowFile(folder / SENTENCES, SENTENCE)
            opened.callback(self._sentences.close)
            self._sentence_vectors = RowFile(folder / SENTENCE_VECTORS, VECTOR, dim)
            opened.callback(self._sentence_vectors.close)
            self._chunk_vectors = RowFile(folder / CHUNK_VECTORS, VECTOR, dim)
            opened.callback(self._chunk_vectors.close)
            self._files = opened.pop_all()

    def __enter__(self) -> "CorpusWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._files.close()

    @property
    def num_chunks(self) -> int:
        """Chunks added so far."""
        return self._chunks.num_rows

    @property
    def num_sentences(self) -> int:
        """Sentences added so far."""
        return self._sentences.num_rows

    @property
    def num_vectors(self) -> int:
        """Sentence vectors added so far."""
        return self._sentence_vectors.num_rows

    def add_vectors(self, vectors: Float32Array) -> int:
        """Append sentence vectors, (n, dim) unit rows, stored as float16; the row of the first.

        Raises:
            ShapeError: another shape.
        """
        return self._sentence_vectors.append(self._fitting(vectors, len(vectors)))

    def vectors(self, rows: Int64Array) -> Float32Array:
        """Sentence vectors added before, as stored, by row: (n, dim).

        Raises:
            ShapeError: a row is out of range.
        """
        return self._sentence_vectors.read(rows).astype(np.float32)

    def add_document(
        self,
        document: Document,
        sentences: Sequence[Sentence],
        vector_rows: Sequence[int] | Int64Array,
        chunks: Sequence[Chunk],
        chunk_bounds: Sequence[tuple[int, int]],
        chunk_vectors: Float32Array,
    ) -> int:
        """Append a document with its sentences and chunks; its number.

        Args:
            document: Its metadata must be JSON.
            sentences: In order.
            vector_rows: One a sentence: the row of its vector, which may be added later.
            chunks: Cut from this document.
            chunk_bounds: One a chunk: its sentences, counted within the document, end exclusive.
            chunk_vectors: (number of chunks, dim), unit rows.

        Raises:
            ShapeError: the lengths disagree, a bound or row is out of range, or metadata is not JSON.
            SpanError: a chunk's text is not what its span holds.
        """
        if len(vector_rows) != len(sentences) or len(chunk_bounds) != len(chunks):
            raise ShapeError(
                f"{len(sentences)} sentences with {len(vector_rows)} rows, "
                f"{len(chunks)} chunks with {len(chunk_bounds)} bounds"
            )
        vectors = self._fitting(chunk_vectors, len(chunks))
        data = encode(document.text)
        entry = Entry(
            document.doc_id, document.title, document.source, document.format, dict(document.metadata),
            document.content_hash, self._num_text_bytes, self._num_text_bytes + len(data),
            self.num_chunks, self.num_chunks + len(chunks),
            self.num_sentences, self.num_sentences + len(sentences),
        )  # fmt: skip
        line = _json_line(asdict(entry), document.doc_id)
        chunk_rows = self._chunk_rows(document, entry, chunks, chunk_bounds)
        spans = [(s.start, s.end, row) for s, row in zip(sentences, vector_rows, strict=True)]
        lowest, highest = min(vector_rows, default=0), max(vector_rows, default=0)
        if lowest < 0:
            raise ShapeError(f"document {document.doc_id!r} names vector row {lowest}")
        self._highest_row = max(self._highest_row, int(highest)) if sentences else self._highest_row
        self._texts.write(data)
        self._documents.write(line)
        self._chunks.append(np.array(chunk_rows, dtype=CHUNK))
        self._sentences.append(np.array(spans, dtype=SENTENCE))
        self._chunk_vectors.append(vectors)
        self._num_text_bytes += len(data)
        self.num_documents += 1
        return self.num_documents - 1

    def close(self) -> None:
        """Write what is written last and close the files; calling it again does nothing.

        Raises:
            ShapeError: a sentence names a vector that was never added.
        """
        if self._closed:
            return
        self._closed = True
        with self._files:
            if self._highest_row >= self.num_vectors:
                raise ShapeError(f"a sentence names vector {self._highest_row} of {self.num_vectors}")
            (self._folder / SECTIONS).write_bytes(_json_line(list(self._sections), "sections"))

    def _chunk_rows(
        self,
        document: Document,
        entry: Entry,
        chunks: Sequence[Chunk],
        bounds: Sequence[tuple[int, int]],
    ) -> list[tuple[int, ...]]:
        num_sentences = entry.end_sentence - entry.first_sentence
        at = _byte_offsets(document.text, (edge for chunk in chunks for edge in (chunk.start, chunk.end)))
        rows: list[tuple[int, ...]] = []
        for chunk, (first, end) in zip(chunks, bounds, strict=True):
            if not 0 <= first < end <= num_sentences:
                raise ShapeError(
                    f"a chunk of {document.doc_id!r} holds sentences {first}-{end} of {num_sentences}"
                )
            if chunk.doc_id != document.doc_id or chunk.content_hash != entry.content_hash:
                raise ShapeError(f"a chunk of {chunk.doc_id!r} was given with document {document.doc_id!r}")
            if document.text[chunk.start : chunk.end] != chunk.text:
                raise SpanError(document.doc_id, chunk.start, chunk.end, len(document.text))
            section = self._sections.setdefault(chunk.section, len(self._sections))
            span = (
                chunk.start,
                chunk.end,
                entry.byte_start + at[chunk.start],
                entry.byte_start + at[chunk.end],
            )
            within = (entry.first_sentence + first, entry.first_sentence + end)
            rows.append((self.num_documents, *span, *within, chunk.num_tokens, section))
        return rows

    def _fitting(self, vectors: Float32Array, num_rows: int) -> Float32Array:
        if vectors.shape != (num_rows, self.dim):
            raise ShapeError(f"vectors have shape {vectors.shape}, expected ({num_rows}, {self.dim})")
        return vectors


def _byte_offsets(text: str, edges: Iterable[int]) -> dict[int, int]:
    """Bytes before each character position, in one pass: cutting at every edge anew would be quadratic."""
    offsets = {}
    position = num_bytes = 0
    for edge in sorted(set(edges)):
        num_bytes += len(encode(text[position:edge]))
        position = edge
        offsets[edge] = num_bytes
    return offsets


def _json_line(content: object, of: str) -> bytes:
    # Not ASCII: escaped, two lone surrogates side by side would be read back as one character.
    try:
        return encode(json.dumps(content, ensure_ascii=False) + "\n")
    except (TypeError, ValueError) as error:
        raise ShapeError(f"the metadata of {of!r} cannot be kept as JSON: {error}") from error
