"""Writing the corpus files, one document at a time, in memory bounded by the largest document."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contextsvc.errors import ShapeError, SpanError
from contextsvc.records.arrays import Float32Array, Int64Array
from contextsvc.records.documents import Chunk, Document, Sentence
from contextsvc.storage.corpus.files import (
    CHUNK,
    CHUNK_VECTORS,
    CHUNKS,
    DOCUMENT,
    DOCUMENT_LINES,
    DOCUMENTS,
    KEY,
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
    encode,
    json_line,
)
from contextsvc.storage.corpus.view import Corpus

Vectors = NDArray[np.floating[Any]]
Keys = Sequence[bytes] | NDArray[np.bytes_]

_BLOCK_ROWS = 8192


class CorpusWriter:
    """Streams documents into a folder; of what was added it holds the distinct heading paths alone.

    Use it in a `with` block: the files are whole once it has ended without an error.
    """

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
            self._files.close()

    @property
    def num_documents(self) -> int:
        """Documents added so far."""
        return self._documents.num_rows

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

    def add_vectors(self, vectors: Vectors, keys: Keys | None = None) -> int:
        """Append sentence vectors, (n, dim) unit rows, stored as float16; the row of the first.

        Args:
            vectors: Of distinct sentences.
            keys: `files.sentence_key` of each; None where the sentences are not known.

        Raises:
            ShapeError: another shape, or another number of keys.
        """
        named = np.array([NO_KEY] * len(vectors) if keys is None else keys, dtype=KEY)
        if len(named) != len(vectors):
            raise ShapeError(f"{len(vectors)} vectors with {len(named)} keys")
        first = self._sentence_vectors.append(self._fitting(vectors, len(vectors)))
        self._keys.append(named)
        return first

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
        context_norms: Float32Array,
        chunks: Sequence[Chunk],
        chunk_bounds: Sequence[tuple[int, int]],
        chunk_vectors: Float32Array,
        title_row: int = -1,
    ) -> int:
        """Append a document with its sentences and chunks; its number.

        Args:
            document: Its metadata must be JSON.
            sentences: In order.
            vector_rows: One a sentence: the row of its vector, which may be added later.
            context_norms: One a sentence, of `storage.corpus.smoothing`: what a query divides by.
            chunks: Cut from this document.
            chunk_bounds: One a chunk: its sentences, counted within the document, end exclusive.
            chunk_vectors: (number of chunks, dim), unit rows.
            title_row: The row of the title's vector; -1 for no title.

        Raises:
            ShapeError: the lengths disagree, a bound or row is out of range, or metadata is not JSON.
            SpanError: a chunk's text is not what its span holds.
        """
        agree = len(vector_rows) == len(context_norms) == len(sentences) and len(chunk_bounds) == len(chunks)
        if not agree:
            raise ShapeError(
                f"{len(sentences)} sentences with {len(vector_rows)} rows and {len(context_norms)} norms, "
                f"{len(chunks)} chunks with {len(chunk_bounds)} bounds"
            )
        vectors = self._fitting(chunk_vectors, len(chunks))
        data = encode(document.text)
        line = document_line(document)
        chunk_rows = self._chunk_rows(document, chunks, chunk_bounds, len(sentences))
        told = zip(sentences, vector_rows, context_norms, strict=True)
        sentence_rows = [(sentence.start, sentence.end, row, norm) for sentence, row, norm in told]
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

    def add_run(self, corpus: Corpus, first: int, end: int, rows: Int64Array, sections: Int64Array) -> None:
        """Append documents `first` to `end` of another corpus as they are; nothing is parsed or embedded.

        Args:
            corpus: Where they are.
            first: Number of the first.
            end: One past the last; a run is copied in memory, its vectors in blocks.
            rows: For each vector of that corpus its row here, at least for those that the run names.
            sections: For each section of that corpus its number here, -1 where it has none yet: it gets one.
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
            (self._folder / SECTIONS).write_bytes(json_line(list(self._sections), "sections"))

    def _chunk_rows(
        self,
        document: Document,
        chunks: Sequence[Chunk],
        bounds: Sequence[tuple[int, int]],
        num_sentences: int,
    ) -> list[tuple[int, ...]]:
        content_hash = document.content_hash
        at = byte_offsets(document.text, (edge for chunk in chunks for edge in (chunk.start, chunk.end)))
        rows: list[tuple[int, ...]] = []
        for chunk, (first, end) in zip(chunks, bounds, strict=True):
            if not 0 <= first < end <= num_sentences:
                raise ShapeError(
                    f"a chunk of {document.doc_id!r} holds sentences {first}-{end} of {num_sentences}"
                )
            if chunk.doc_id != document.doc_id or chunk.content_hash != content_hash:
                raise ShapeError(f"a chunk of {chunk.doc_id!r} was given with document {document.doc_id!r}")
            if document.text[chunk.start : chunk.end] != chunk.text:
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
        """Rows of documents.npy from each document's number of line bytes, text bytes, chunks, sentences."""
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
