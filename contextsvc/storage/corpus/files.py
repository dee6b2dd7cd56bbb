"""Names, row types and encodings of the files of a corpus."""

import hashlib
import io
import json
import mmap
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from contextsvc.errors import ShapeError
from contextsvc.records.documents import BlockKind, Document, passage

TEXTS = "texts.utf8"
DOCUMENT_LINES = "documents.jsonl"
DOCUMENTS = "documents.npy"
SECTIONS = "sections.json"
CHUNKS = "chunks.npy"
SENTENCES = "sentences.npy"
SENTENCE_VECTORS = "sentence_vectors.npy"
SENTENCE_KEYS = "sentence_keys.npy"
CHUNK_VECTORS = "chunk_vectors.npy"

# All types are little-endian and of fixed size, so that an index can be copied to any other machine.
VECTOR = np.dtype("<f2")
CHUNK = np.dtype(
    [(field, "<i8") for field in ("doc", "start", "end", "byte_start", "byte_end")]
    + [(field, "<i8") for field in ("first_sentence", "end_sentence")]
    + [("num_tokens", "<i4"), ("section", "<i4")]
)
DOCUMENT = np.dtype(
    [
        (f"{field}_{kind}", "<i8")
        for kind in ("line", "byte", "chunk", "sentence")
        for field in ("first", "end")
    ]
    + [("title_row", "<i8")]
)
KEY = np.dtype("S16")
NO_KEY = b""
KINDS: tuple[BlockKind, ...] = ("heading", "paragraph", "list_item", "code", "table")
"""Kinds of blocks by the number that stands for them in sentences.npy."""

SENTENCE = np.dtype(
    [(field, "<i8") for field in ("start", "end", "row")]
    + [("context_norm", "<f4"), ("num_tokens", "<i4"), ("unit", "<i4"), ("kind", "u1")]
    + [(field, "<i8") for field in ("opening_start", "opening_end", "closing_start", "closing_end")]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The stored data of a document, except the text: a line of documents.jsonl and a row of documents.npy.

    Attributes:
        doc_id: Id of the document.
        title: Title of the document.
        source: Path, URL or name of the document.
        format: Markup of the document's text.
        metadata: Metadata of the document.
        content_hash: Content hash of the document (`Document.content_hash`).
        first_byte: Offset of the text's first byte in texts.utf8.
        end_byte: Offset after the text's last byte.
        first_chunk: Number of the first chunk.
        end_chunk: Number after the last chunk.
        first_sentence: Number of the first sentence.
        end_sentence: Number after the last sentence.
        title_row: Row of the title's vector in sentence_vectors.npy; -1 if the document has no title.
    """

    doc_id: str
    title: str
    source: str
    format: Any
    metadata: dict[str, object]
    content_hash: str
    first_byte: int
    end_byte: int
    first_chunk: int
    end_chunk: int
    first_sentence: int
    end_sentence: int
    title_row: int


class Entries(Sequence[Entry]):
    """The stored data of all documents of a corpus, by document number.

    A line of documents.jsonl is parsed only when its document is needed.

    Args:
        lines: Content of documents.jsonl.
        table: Rows of documents.npy.
    """

    def __init__(self, lines: bytes | mmap.mmap, table: NDArray[Any]) -> None:
        self._lines, self._table = lines, table

    def __len__(self) -> int:
        return len(self._table)

    @overload
    def __getitem__(self, number: int) -> Entry: ...
    @overload
    def __getitem__(self, number: slice) -> list[Entry]: ...
    def __getitem__(self, number: int | slice) -> Entry | list[Entry]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        bounds = zip(_BOUNDS, self._table[number].item()[2:], strict=True)
        return Entry(**self.line(number), **dict(bounds))

    def line(self, number: int) -> dict[str, Any]:
        """Return a document's parsed line of documents.jsonl: the fields of `Entry` up to `content_hash`."""
        row = self._table[number]
        found: dict[str, Any] = json.loads(decode_text(self._lines[row["first_line"] : row["end_line"]]))
        return found


_BOUNDS = DOCUMENT.names[2:] if DOCUMENT.names else ()


def sentence_key(text: str) -> bytes:
    """Return the key of a sentence: a digest of 16 bytes. Sentences with equal keys share one vector.

    The last byte is never zero, because numpy drops zeros at the end of byte strings.
    """
    return hashlib.blake2b(encode_text(text), digest_size=15).digest() + b"\x01"


def sentence_passage(text: str, row: Any) -> str:
    """Return the text that the embedder read for a sentence; see `records.documents.passage`.

    Args:
        text: Text of the document.
        row: Row of the sentence in sentences.npy.
    """
    span, opening = (int(row["start"]), int(row["end"])), (int(row["opening_start"]), int(row["opening_end"]))
    return passage(text, span, KINDS[row["kind"]], opening)


def encode_text(text: str) -> bytes:
    """Return a text as UTF-8 bytes in which half of a surrogate pair is kept.

    Some texts hold such characters. If they were dropped, character offsets would no longer fit the text.
    """
    return text.encode("utf-8", "surrogatepass")


def decode_text(data: bytes) -> str:
    """Return the text whose bytes `encode_text` returned."""
    return data.decode("utf-8", "surrogatepass")


def byte_offsets(text: str, edges: Iterable[int]) -> dict[int, int]:
    """Return how many bytes precede each of some character offsets, in one pass over the text.

    Args:
        text: The text.
        edges: Character offsets in the text, in any order.

    Returns:
        By character offset, the number of bytes of the text before it, as `encode_text` writes them.
    """
    offsets = {}
    position = num_bytes = 0
    for edge in sorted(set(edges)):
        num_bytes += len(encode_text(text[position:edge]))
        position = edge
        offsets[edge] = num_bytes
    return offsets


def document_line(document: Document) -> bytes:
    """Return the line that describes a document in documents.jsonl, with its line end.

    Raises:
        ShapeError: the metadata cannot be written as JSON.
    """
    fields = ("doc_id", "title", "source", "format")
    content = {
        **{field: getattr(document, field) for field in fields},
        "metadata": dict(document.metadata),
        "content_hash": document.content_hash,
    }
    return json_line(content, document.doc_id)


def json_line(content: object, of: str) -> bytes:
    """Return a value as one line of JSON, encoded, with a line end.

    Args:
        content: The value.
        of: Name that the error message gives to the value, such as a document id.

    Raises:
        ShapeError: the value cannot be written as JSON.
    """
    # ASCII was rejected: two escaped halves of surrogate pairs side by side would be read as one character.
    try:
        return encode_text(json.dumps(content, ensure_ascii=False) + "\n")
    except (TypeError, ValueError) as error:
        raise ShapeError(f"the metadata of {of!r} cannot be written as JSON: {error}") from error


class RowFile:
    """A .npy file to which rows can be appended. `close` writes the header with the final number of rows.

    Args:
        path: The file, which is overwritten.
        dtype: Type of a row's elements.
        width: Number of elements in a row; None for a one-dimensional array.

    Attributes:
        num_rows: Number of rows so far.
    """

    def __init__(self, path: Path, dtype: DTypeLike, width: int | None = None) -> None:
        self.num_rows = 0
        self._dtype, self._width = np.dtype(dtype), width
        self._file = path.open("w+b")
        self._header_bytes = self._file.write(self._header())

    def append(self, rows: NDArray[Any]) -> int:
        """Append rows and return the number of the first one.

        Args:
            rows: (n,) or (n, width). They are cast to the type of the file.
        """
        first = self.num_rows
        # The bytes of the array itself are written, so that an update copies no vectors in memory.
        self._file.write(np.ascontiguousarray(rows, dtype=self._dtype).reshape(-1).view(np.uint8).data)
        self.num_rows += len(rows)
        return first

    def append_bytes(self, data: bytes, num_rows: int) -> None:
        """Append rows that are already encoded as bytes of the file's type."""
        self._file.write(data)
        self.num_rows += num_rows

    def read(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        """Read rows that were appended before.

        Args:
            numbers: Numbers of the rows, in any order: (n,).

        Returns:
            The rows in the order of `numbers`: (n,) or (n, width).

        Raises:
            ShapeError: there is no row with one of the numbers.
        """
        if len(numbers) and not 0 <= int(numbers.min()) <= int(numbers.max()) < self.num_rows:
            raise ShapeError(
                f"rows {numbers.min()} to {numbers.max()} do not exist; there are {self.num_rows}, from 0"
            )
        self._file.flush()
        num_bytes = self._dtype.itemsize * (self._width or 1)
        starts = (self._header_bytes + num_bytes * numbers).tolist()
        data = b"".join(os.pread(self._file.fileno(), num_bytes, start) for start in starts)
        rows = np.frombuffer(data, dtype=self._dtype)
        return rows if self._width is None else rows.reshape(-1, self._width)

    def close(self) -> None:
        """Write the final header and close the file. A second call does nothing."""
        if self._file.closed:
            return
        with self._file:
            header = self._header()
            # numpy pads headers so that the number of rows may grow in place. Without it, rows would be lost.
            if len(header) != self._header_bytes:
                raise ShapeError(f"the .npy header grew from {self._header_bytes} to {len(header)} bytes")
            self._file.seek(0)
            self._file.write(header)

    def _header(self) -> bytes:
        shape = (self.num_rows,) if self._width is None else (self.num_rows, self._width)
        buffer = io.BytesIO()
        descr = np.lib.format.dtype_to_descr(self._dtype)
        header = {"descr": descr, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(buffer, header)
        return buffer.getvalue()
