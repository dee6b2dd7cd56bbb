"""Names, row types and encodings of the corpus files."""

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
from contextsvc.records.documents import Document

TEXTS = "texts.utf8"
DOCUMENT_LINES = "documents.jsonl"
DOCUMENTS = "documents.npy"
SECTIONS = "sections.json"
CHUNKS = "chunks.npy"
SENTENCES = "sentences.npy"
SENTENCE_VECTORS = "sentence_vectors.npy"
SENTENCE_KEYS = "sentence_keys.npy"
CHUNK_VECTORS = "chunk_vectors.npy"

# Little-endian and fixed, so that a generation can be carried to another machine.
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
SENTENCE = np.dtype([("start", "<i8"), ("end", "<i8"), ("row", "<i8"), ("context_norm", "<f4")])


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A document without its text: its line of documents.jsonl and its row of documents.npy.

    Attributes:
        doc_id: Id of the document; `title`, `source`, `format` and `metadata` are its fields, too.
        content_hash: As `Document.content_hash`.
        first_byte: First byte of the text in texts.utf8. All ends are exclusive.
        first_chunk: Number of the first chunk.
        first_sentence: Number of the first sentence.
        title_row: Row of the title's vector in sentence_vectors.npy; -1 for a document without a title.
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
    """Documents of a corpus by number; a line is read when its document is needed, not on opening."""

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
        """Return the line of a document in documents.jsonl: the fields of `Entry` up to `content_hash`."""
        row = self._table[number]
        found: dict[str, Any] = json.loads(decode(self._lines[row["first_line"] : row["end_line"]]))
        return found


_BOUNDS = DOCUMENT.names[2:] if DOCUMENT.names else ()


def sentence_key(text: str) -> bytes:
    """Return a digest of 16 bytes; sentences with equal keys share one vector.

    The last byte is never zero, because numpy drops trailing zeros of byte strings.
    """
    return hashlib.blake2b(encode(text), digest_size=15).digest() + b"\x01"


def encode(text: str) -> bytes:
    """Return UTF-8 that keeps lone surrogates: some texts have them, and spans must still fit."""
    return text.encode("utf-8", "surrogatepass")


def decode(data: bytes) -> str:
    """Return the text that `encode` wrote."""
    return data.decode("utf-8", "surrogatepass")


def byte_offsets(text: str, edges: Iterable[int]) -> dict[int, int]:
    """Return the number of bytes before each character position, in one pass over the text."""
    offsets = {}
    position = num_bytes = 0
    for edge in sorted(set(edges)):
        num_bytes += len(encode(text[position:edge]))
        position = edge
        offsets[edge] = num_bytes
    return offsets


def document_line(document: Document) -> bytes:
    """Return the line of a document in documents.jsonl.

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
    """Return JSON and a line end; a ShapeError names the document `of` which it cannot be written."""
    # Not ASCII: two escaped lone surrogates side by side would be read back as one character.
    try:
        return encode(json.dumps(content, ensure_ascii=False) + "\n")
    except (TypeError, ValueError) as error:
        raise ShapeError(f"the metadata of {of!r} cannot be written as JSON: {error}") from error


class RowFile:
    """A .npy file that grows; `close` writes the header again, with the final shape."""

    def __init__(self, path: Path, dtype: DTypeLike, width: int | None = None) -> None:
        self.num_rows = 0
        self._dtype, self._width = np.dtype(dtype), width
        self._file = path.open("w+b")
        self._header_bytes = self._file.write(self._header())

    def append(self, rows: NDArray[Any]) -> int:
        """Append (n,) or (n, width) rows, cast to the type of the file; return the number of the first."""
        first = self.num_rows
        # The bytes of the array itself: an update writes all vectors of an index without a copy.
        self._file.write(np.ascontiguousarray(rows, dtype=self._dtype).reshape(-1).view(np.uint8).data)
        self.num_rows += len(rows)
        return first

    def append_bytes(self, data: bytes, num_rows: int) -> None:
        """Append rows that are encoded already."""
        self._file.write(data)
        self.num_rows += num_rows

    def read(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        """Return rows that were written before, by number, in that order: (n,) or (n, width)."""
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
            # numpy pads headers so that the first axis may grow in place. Without that, rows would be lost.
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
