"""Writing of the corpus files, one document at a time. The largest document determines the memory needed."""

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contextsvc.errors import ShapeError, SpanError
from contextsvc.records.arrays import Float32Array, Int64Array
from contextsvc.records.documents import Chunk, Document, Sentence
from contextsvc.records.spans import Frame
from contextsvc.storage.corpus.files import (
    CHUNK,
    CHUNK_VECTORS,
    CHUNKS,
    DOCUMENT,
    DOCUMENT_LINES,
    DOCUMENTS,
    KEY,
    KINDS,
    NO_KEY,
    SECTIONS,
    SENTENCE,
    SENTENCE_KEYS,
    SENTENCE_VECTORS,
    SENTENCES,
    TEXTS,
    VECTOR,
    RowFile,
    byte_offsets,
    document_line,
    encode_text,
    json_line,
)
from contextsvc.storage.corpus.view import Corpus
from contextsvc.storage.generation import disk_writes

Vectors = NDArray[np.floating[Any]]
Keys = Sequence[bytes] | NDArray[np.bytes_]

_BLOCK_ROWS = 8192


class CorpusWriter:
    """Writer of the corpus files in a folder. Only the distinct heading paths are held in memory.

    Use the writer in a `with` block. The files are complete when the block ends without an error. Every
    method raises a WriteError if the operating system refuses to write.

    Args:
        folder: Folder of the files.
        dim: Number of components of a vector.
    """

    @disk_writes()
    def __init__(self, folder: Path, dim: int) -> None:
        self.dim = dim
        self._folder = folder
        self._sections: dict[tuple[str, ...], int] = {}
        self._num_text_bytes = self._num_line_bytes = 0
        self._highest_row = -1
        self._closed = False
        with ExitStack() as opened:
            self._texts = opened.enter_context((folder / TEXTS).open("wb"))
            self._lines = opened.enter_context((folder / DOCUMENT_LINES).open("wb"))
            self._documents = RowFile(folder / DOCUMENTS, DOCUMENT)
            opened.callback(self._documents.close)
            self._chunks = RowFile(folder / CHUNKS, CHUNK)
            opened.callback(self._chunks.close)
            self._sentences = RowFile(folder / SENTENCES, SENTENCE)
            opened.callback(self._sentences.close)
            self._sentence_vectors = RowFile(folder / SENTENCE_VECTORS, VECTOR, dim)
            opened.callback(self._sentence_vectors.close)
            self._keys = RowFile(folder / SENTENCE_KEYS, KEY)
            opened.callback(self._keys.close)
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
            # The files are abandoned: a full disk on closing must not hide the first error.
            with suppress(OSError):
                self._files.close()

    @property
    def num_documents(self) -> int:
        """Number of documents added so far."""
        return self._documents.num_rows

    @property
    def num_chunks(self) -> int:
        """Number of chunks added so far."""
        return self._chunks.num_rows

    @property
    def num_sentences(self) -> int:
        """Number of sentences added so far."""
        return self._sentences.num_rows

    @property
    def num_vectors(self) -> int:
        """Number of sentence vectors added so far."""
        return self._sentence_vectors.num_rows

    @disk_writes()
    def add_vectors(self, vectors: Vectors, keys: Keys | None = None) -> int:
        """Append vectors of distinct sentences, stored as float16, and return the row of the first one.

        Args:
            vectors: Vectors of length 1, one per row: (n, dim).
            keys: Key of each sentence (`files.sentence_key`). None if the sentences are not known.

        Raises:
            ShapeError: the vectors have another shape, or the number of keys is not n.
        """
        named = np.array([NO_KEY] * len(vectors) if keys is None else keys, dtype=KEY)
        if len(named) != len(vectors):
            raise ShapeError(f"{len(vectors)} vectors with {len(named)} keys")
        first = self._sentence_vectors.append(self._fitting(vectors, len(vectors)))
        self._keys.append(named)
        return first

    @disk_writes()
    def vectors(self, rows: Int64Array) -> Float32Array:
        """Return sentence vectors that were added before, with their stored values (rounded to float16).

        Args:
            rows: Rows of the vectors, in any order: (n,).

        Returns:
            The vectors in the order of `rows`: (n, dim) float32.

        Raises:
            ShapeError: a row is out of range.
        """
        return self._sentence_vectors.read(rows).astype(np.float32)

    @disk_writes()
    def add_document(
        self,
        document: Document,
        sentences: Sequence[Sentence],
        vector_rows: Sequence[int] | Int64Array,
        context_norms: Float32Array,
        chunks: Sequence[Chunk],
        chunk_bounds: Sequence[tuple[int, int]],
        chunk_vectors: Float32Array,
        title_row: int = -1,
    ) -> int:
        """Append a document with its sentences and chunks, and return the number of the document.

        Args:
            document: The document. Its metadata must consist of JSON values.
            sentences: Sentences of the document, in the order of the text.
            vector_rows: Row of each sentence's vector. The vector itself may be added later.
            context_norms: Norm of each sentence's vector in context (`storage.corpus.smoothing`).
            chunks: Chunks of the document.
            chunk_bounds: For each chunk, the number of its first sentence and the number after its last
                sentence, counted within the document.
            chunk_vectors: Vectors of length 1, one per chunk: (number of chunks, dim).
            title_row: Row of the title's vector; -1 if the document has no title.

        Raises:
            ShapeError: the lengths differ, a number or row is out of range, or the metadata is not JSON.
            SpanError: the text of a chunk is not the document's text at the chunk's character offsets, with
                the repeated lines of its first and its last sentence around it.
        """
        agree = len(vector_rows) == len(context_norms) == len(sentences) and len(chunk_bounds) == len(chunks)
        if not agree:
            raise ShapeError(
                f"{len(sentences)} sentences with {len(vector_rows)} rows and {len(context_norms)} norms, "
                f"{len(chunks)} chunks with {len(chunk_bounds)} bounds"
            )
        vectors = self._fitting(chunk_vectors, len(chunks))
        data = encode_text(document.text)
        line = document_line(document)
        chunk_rows = self._chunk_rows(document, chunks, chunk_bounds, sentences)
        told = zip(sentences, vector_rows, context_norms, strict=True)
        sentence_rows = [_sentence_row(sentence, row, norm) for sentence, row, norm in told]
        lowest, highest = min(vector_rows, default=0), max(vector_rows, default=0)
        if lowest < 0 or title_row < -1:
            raise ShapeError(f"document {document.doc_id!r} names vector row {min(lowest, title_row)}")
        self._highest_row = max(self._highest_row, int(highest) if sentences else -1, title_row)
        lengths = (len(line), len(data), len(chunks), len(sentences))
        self._add_rows([lengths], [title_row])
        self._texts.write(data)
        self._lines.write(line)
        self._chunks.append(np.array(chunk_rows, dtype=CHUNK))
        self._sentences.append(np.array(sentence_rows, dtype=SENTENCE))
        self._chunk_vectors.append(vectors)
        self._num_text_bytes += len(data)
        self._num_line_bytes += len(line)
        return self.num_documents - 1

    @disk_writes()
    def add_run(self, corpus: Corpus, first: int, end: int, rows: Int64Array, sections: Int64Array) -> None:
        """Copy consecutive documents from another corpus, without parsing or embedding.

        The chunk vectors are copied in blocks. All other rows of the documents are copied in memory.

        Args:
            corpus: The other corpus.
            first: Number of the first document.
            end: Number after the last document.
            rows: For each vector of the other corpus, its row in the new corpus. Only the rows of vectors
                that these documents use are read.
            sections: For each heading path of the other corpus, its number in the new corpus, or -1. This
                array is updated: each heading path that the documents use gets its new number.
        """
        table = corpus.document_table[first:end]
        low, high = table[0], table[-1]
        chunks = np.array(corpus.chunk_table[low["first_chunk"] : high["end_chunk"]])
        chunks["doc"] += self.num_documents - first
        for field in ("byte_start", "byte_end"):
            chunks[field] += self._num_text_bytes - int(low["first_byte"])
        for field in ("first_sentence", "end_sentence"):
            chunks[field] += self.num_sentences - int(low["first_sentence"])
        for section in np.unique(chunks["section"]):
            path = corpus.sections[section]
            sections[section] = self._sections.setdefault(path, len(self._sections))
        chunks["section"] = sections[chunks["section"]]
        sentences = np.array(corpus.sentence_table[low["first_sentence"] : high["end_sentence"]])
        sentences["row"] = rows[sentences["row"]]
        kinds = ("line", "byte", "chunk", "sentence")
        lengths = np.stack([table[f"end_{kind}"] - table[f"first_{kind}"] for kind in kinds], axis=1)
        titles = np.array(table["title_row"])
        titles[titles >= 0] = rows[titles[titles >= 0]]
        self._add_rows(lengths, titles)
        self._lines.write(corpus.lines[low["first_line"] : high["end_line"]])
        self._texts.write(corpus.texts[low["first_byte"] : high["end_byte"]])
        self._num_line_bytes += int(high["end_line"] - low["first_line"])
        self._num_text_bytes += int(high["end_byte"] - low["first_byte"])
        self._chunks.append(chunks)
        self._sentences.append(sentences)
        for start in range(int(low["first_chunk"]), int(high["end_chunk"]), _BLOCK_ROWS):
            self._chunk_vectors.append(
                corpus.chunk_vectors[start : min(start + _BLOCK_ROWS, int(high["end_chunk"]))]
            )
        self._highest_row = max(
            self._highest_row, int(sentences["row"].max(initial=-1)), int(titles.max(initial=-1))
        )

    @disk_writes()
    def close(self) -> None:
        """Write the heading paths and the final headers, and close the files. A second call does nothing.

        Raises:
            ShapeError: a sentence names a vector that was never added.
        """
        if self._closed:
            return
        self._closed = True
        with self._files:
            if self._highest_row >= self.num_vectors:
                raise ShapeError(f"a sentence names vector {self._highest_row} of {self.num_vectors}")
            (self._folder / SECTIONS).write_bytes(json_line(list(self._sections), "sections"))

    def _chunk_rows(
        self,
        document: Document,
        chunks: Sequence[Chunk],
        bounds: Sequence[tuple[int, int]],
        sentences: Sequence[Sentence],
    ) -> list[tuple[int, ...]]:
        content_hash = document.content_hash
        at = byte_offsets(document.text, (edge for chunk in chunks for edge in (chunk.start, chunk.end)))
        rows: list[tuple[int, ...]] = []
        for chunk, (first, end) in zip(chunks, bounds, strict=True):
            if not 0 <= first < end <= len(sentences):
                raise ShapeError(
                    f"a chunk of {document.doc_id!r} holds sentences {first}-{end} of {len(sentences)}"
                )
            if chunk.doc_id != document.doc_id or chunk.content_hash != content_hash:
                raise ShapeError(f"a chunk of {chunk.doc_id!r} was given with document {document.doc_id!r}")
            frame = Frame.cut(document.text, sentences[first].opening, sentences[end - 1].closing)
            if frame.opening + document.text[chunk.start : chunk.end] + frame.closing != chunk.text:
                raise SpanError(document.doc_id, chunk.start, chunk.end, len(document.text))
            section = self._sections.setdefault(chunk.section, len(self._sections))
            span = (
                chunk.start,
                chunk.end,
                self._num_text_bytes + at[chunk.start],
                self._num_text_bytes + at[chunk.end],
            )
            within = (self.num_sentences + first, self.num_sentences + end)
            rows.append((self.num_documents, *span, *within, chunk.num_tokens, section))
        return rows

    def _add_rows(
        self, lengths: Sequence[tuple[int, ...]] | Int64Array, titles: Sequence[int] | Int64Array
    ) -> None:
        """Append rows of documents.npy.

        Args:
            lengths: For each document, the numbers of line bytes, text bytes, chunks and sentences.
            titles: For each document, the row of the title's vector; -1 if it has no title.
        """
        before = (self._num_line_bytes, self._num_text_bytes, self.num_chunks, self.num_sentences)
        ends = np.cumsum(np.asarray(lengths, dtype=np.int64), axis=0) + np.array(before)
        starts = np.concatenate([[before], ends[:-1]])
        both = np.stack([starts, ends], axis=2).reshape(len(ends), -1)
        rows = np.concatenate([both, np.asarray(titles, dtype=np.int64)[:, None]], axis=1)
        self._documents.append_bytes(rows.astype("<i8").tobytes(), len(ends))

    def _fitting(self, vectors: Vectors, num_rows: int) -> Vectors:
        if vectors.shape != (num_rows, self.dim):
            raise ShapeError(f"vectors have shape {vectors.shape}, expected ({num_rows}, {self.dim})")
        return vectors


def _sentence_row(sentence: Sentence, row: int, norm: float) -> tuple[float, ...]:
    kind = KINDS.index(sentence.kind)
    about = (sentence.num_tokens, sentence.unit, kind, *sentence.opening, *sentence.closing)
    return (sentence.start, sentence.end, row, norm, *about)
