"""Reading of a corpus: arrays and texts are memory-mapped, so that opening a large index takes no memory."""

import json
import mmap
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contextsvc.errors import CorruptIndex, ShapeError
from contextsvc.records.arrays import Int64Array
from contextsvc.records.documents import Chunk, Document
from contextsvc.records.spans import NO_FRAME, Frame
from contextsvc.storage.corpus.aliases import ALIASES, Alias, parse_aliases
from contextsvc.storage.corpus.columns import Columns
from contextsvc.storage.corpus.files import (
    CHUNK,
    CHUNK_VECTORS,
    CHUNKS,
    DOCUMENT,
    DOCUMENT_LINES,
    DOCUMENTS,
    KEY,
    SECTIONS,
    SENTENCE,
    SENTENCE_KEYS,
    SENTENCE_VECTORS,
    SENTENCES,
    TEXTS,
    VECTOR,
    Entries,
    Entry,
    decode_text,
)
from contextsvc.storage.generation import Manifest

Float16Array = NDArray[np.float16]


class Corpus:
    """Documents, chunks, sentences and vectors of a generation (a published version of an index), by number.

    Every lookup takes constant time. Several threads may read the same corpus. A corpus stays readable after
    a later publish removed its folder. Only the heading paths are kept in memory; everything else is mapped.
    """

    def __init__(
        self,
        texts: bytes | mmap.mmap,
        lines: bytes | mmap.mmap,
        sections: list[tuple[str, ...]],
        arrays: Mapping[str, NDArray[Any]],
        alias_lines: bytes | mmap.mmap = b"",
    ) -> None:
        self.texts, self._alias_lines = texts, alias_lines
        self.lines, self.document_table = lines, arrays[DOCUMENTS]
        self.entries = Entries(lines, self.document_table)
        self.sections = sections
        self.chunk_table = arrays[CHUNKS]
        self.sentence_table = arrays[SENTENCES]
        self.chunk_vectors: Float16Array = arrays[CHUNK_VECTORS]
        self.sentence_vectors: Float16Array = arrays[SENTENCE_VECTORS]
        self.sentence_keys: NDArray[np.bytes_] = arrays[SENTENCE_KEYS]

    @classmethod
    def open(cls, folder: Path, manifest: Manifest | None = None) -> "Corpus":
        """Open the corpus in a folder whose files were verified (`generation.open_manifest`).

        Args:
            folder: Folder of a generation or of a part (a finished piece of an interrupted build).
            manifest: Description of the generation. None for a part, which has no manifest.

        Raises:
            CorruptIndex: a file is missing or has another form, or the counts differ from the manifest.
        """
        name = manifest.name if manifest else folder.name
        try:
            arrays = {file: _open_array(folder / file, dtype) for file, dtype in _TYPES.items()}
            lines = _map(folder / DOCUMENT_LINES)
            if (int(arrays[DOCUMENTS]["end_line"][-1]) if len(arrays[DOCUMENTS]) else 0) != len(lines):
                raise ValueError(f"{DOCUMENT_LINES}: {len(lines)} bytes, which {DOCUMENTS} does not say")
            sections = [tuple(path) for path in json.loads(decode_text((folder / SECTIONS).read_bytes()))]
            # If there is a manifest, it decides, because a publish may be removing files from the folder.
            has_aliases = ALIASES in manifest.files if manifest else (folder / ALIASES).exists()
            alias_lines = _map(folder / ALIASES) if has_aliases else b""
            corpus = cls(_map(folder / TEXTS), lines, sections, arrays, alias_lines)
        except (OSError, EOFError, ValueError, TypeError) as error:
            raise CorruptIndex(name, [str(error)]) from error
        differing = corpus.differences(manifest) if manifest else []
        if differing:
            raise CorruptIndex(name, differing)
        return corpus

    @property
    def num_documents(self) -> int:
        """Number of documents, including those without a chunk."""
        return len(self.entries)

    @property
    def num_chunks(self) -> int:
        """Number of chunks of all documents."""
        return len(self.chunk_table)

    def chunk(self, number: int) -> Chunk:
        """Return a chunk as it was added, with the lines that are repeated around it.

        Only the bytes of the chunk and of its document's line are read. For a part of a fence or table, the
        bytes between the part and the repeated lines are read, too.

        Raises:
            ShapeError: there is no such chunk.
        """
        # The whole row is read at once and no `Entry` is made, because a request makes fifty chunks.
        row = self._chunk_row(number)
        doc, start, end, byte_start, byte_end, _, _, num_tokens, section = row.item()
        line = self.entries.line(doc)
        frame = self._frame(row)
        return Chunk(
            doc_id=line["doc_id"],
            start=start,
            end=end,
            text=frame.opening + decode_text(self.texts[byte_start:byte_end]) + frame.closing,
            num_tokens=num_tokens,
            title=line["title"],
            source=line["source"],
            section=self.sections[section],
            content_hash=line["content_hash"],
            also_in=self._also_in.get(line["doc_id"], ()),
            frames=() if frame == NO_FRAME else (frame,),
        )

    def sentences(self, number: int) -> NDArray[Any]:
        """Return a copy of the rows of a chunk's sentences, in order: (num sentences,) of `files.SENTENCE`.

        Raises:
            ShapeError: there is no such chunk.
        """
        row = self._chunk_row(number)
        return self.sentence_table[row["first_sentence"] : row["end_sentence"]].copy()

    def sentence_rows(self, number: int) -> Int64Array:
        """Return the row in `sentence_vectors` of each sentence of a chunk, in order: (num sentences,)."""
        row = self._chunk_row(number)
        rows = self.sentence_table["row"][row["first_sentence"] : row["end_sentence"]]
        return np.array(rows, dtype=np.int64)

    def sentence_spans(self, number: int) -> list[tuple[int, int]]:
        """Return the (start, end) character offsets in the document of each sentence of a chunk, in order."""
        row = self._chunk_row(number)
        table = self.sentence_table[row["first_sentence"] : row["end_sentence"]]
        return list(zip(table["start"].tolist(), table["end"].tolist(), strict=True))

    def document_of(self, numbers: Int64Array) -> Int64Array:
        """Return the number of the document of each chunk, in the shape of `numbers`."""
        return np.asarray(self.chunk_table["doc"][numbers], dtype=np.int64)

    @property
    def documents_of_chunks(self) -> Int64Array:
        """Number of the document of every chunk: (num_chunks,)."""
        return self.document_of(np.arange(self.num_chunks))

    @property
    def chunk_tokens(self) -> Int64Array:
        """Number of tokens of every chunk: (num_chunks,)."""
        return self.chunk_table["num_tokens"].astype(np.int64)

    def chunks_of(self, doc: int) -> range:
        """Return the numbers of a document's chunks, in the order of the text."""
        row = self._document_row(doc)
        return range(int(row["first_chunk"]), int(row["end_chunk"]))

    def metadata(self, doc: int) -> Mapping[str, object]:
        """Return the metadata of a document."""
        return self._entry(doc).metadata

    def document_fields(self) -> Iterator[Mapping[str, object]]:
        """Yield the fields that filters compare of each document: metadata, `doc_id`, `title` and `source`.

        The last three fields replace metadata of the same name.
        """
        # No `Entry` is made for a line, because the first filter reads all lines.
        bounds = (self.document_table[end].tolist() for end in ("first_line", "end_line"))
        for first, end in zip(*bounds, strict=True):
            line = json.loads(decode_text(self.lines[first:end]))
            yield {**line["metadata"], **{field: line[field] for field in ("doc_id", "title", "source")}}

    @cached_property
    def columns(self) -> Columns:
        """Columns of the fields that filters compare. They are made at the first use.

        An alias (a document that deduplication left out) has a row of its own. A filter that matches an alias
        finds the document that represents the alias.
        """
        fields = [*self.document_fields(), *(alias.fields for alias in self.aliases)]
        numbers = {fields[number]["doc_id"]: number for number in range(self.num_documents)}
        owners = [*range(self.num_documents), *(numbers[alias.kept] for alias in self.aliases)]
        return Columns(fields, np.array(owners, dtype=np.int64))

    @cached_property
    def aliases(self) -> tuple[Alias, ...]:
        """Aliases: the documents that deduplication left out, in the order in which they were read."""
        return parse_aliases(bytes(self._alias_lines))

    @cached_property
    def _also_in(self) -> Mapping[str, tuple[str, ...]]:
        also: dict[str, tuple[str, ...]] = {}
        for alias in self.aliases:
            also[alias.kept] = (*also.get(alias.kept, ()), alias.doc_id)
        return also

    def document_text(self, doc: int) -> str:
        """Return the whole text of a document."""
        row = self._document_row(doc)
        return decode_text(self.texts[row["first_byte"] : row["end_byte"]])

    def document(self, doc: int) -> Document:
        """Return a document as it was added."""
        entry = self._entry(doc)
        return Document(
            entry.doc_id,
            self.document_text(doc),
            title=entry.title,
            source=entry.source,
            format=entry.format,
            metadata=entry.metadata,
        )

    def documents(self) -> Iterator[Document]:
        """Return an iterator over all documents, in order. It holds one document in memory at a time."""
        return map(self.document, range(self.num_documents))

    def differences(self, manifest: Manifest) -> list[str]:
        """Compare the counts of this corpus with a manifest, and return one sentence per difference."""
        found = {
            "num_documents": self.num_documents,
            "num_chunks": self.num_chunks,
            "num_sentences": len(self.sentence_table),
            "num_vectors": len(self.sentence_vectors),
            "dim": self.chunk_vectors.shape[-1],
        }
        return [
            f"{field} is {value}, the manifest says {getattr(manifest, field)}"
            for field, value in found.items()
            if value != getattr(manifest, field)
        ]

    def _frame(self, chunk: Any) -> Frame:
        """Return the frame of a chunk: lines of its first and its last sentence."""
        first = self.sentence_table[chunk["first_sentence"]]
        last = self.sentence_table[chunk["end_sentence"] - 1]
        opening = self._text_near(chunk, int(first["opening_start"]), int(first["opening_end"]))
        closing = self._text_near(chunk, int(last["closing_start"]), int(last["closing_end"]))
        return Frame.of(opening, closing)

    def text_near(self, number: int, start: int, end: int) -> str:
        """Return the text between two character offsets of the document that a chunk is part of.

        Characters are counted from the start of the chunk, so the part should not be far from it.

        Raises:
            ShapeError: there is no such chunk.
        """
        return self._text_near(self._chunk_row(number), start, end)

    def _text_near(self, chunk: Any, start: int, end: int) -> str:
        if start == end:
            return ""
        document = self.document_table[chunk["doc"]]
        origin, at = int(chunk["start"]), int(chunk["byte_start"])
        # A character has one to four bytes. One byte more shows where the character after the part begins.
        reach = 4 * max(abs(start - origin), abs(end - origin)) + 1
        if start >= origin:
            window = self.texts[at : min(at + reach, int(document["end_byte"]))]
        else:
            window = self.texts[max(at - reach, int(document["first_byte"])) : at]
        if window.isascii():  # fast path: a byte is a character
            number = 0 if start >= origin else len(window)
            return decode_text(window[number + start - origin : number + end - origin])
        is_first_byte = np.frombuffer(window, dtype=np.uint8) & 0xC0 != 0x80
        edges = [*np.flatnonzero(is_first_byte).tolist(), len(window)]
        number = 0 if start >= origin else len(edges) - 1
        return decode_text(window[edges[number + start - origin] : edges[number + end - origin]])

    def _chunk_row(self, number: int) -> Any:
        if not 0 <= number < self.num_chunks:
            raise ShapeError(f"chunk {number} does not exist; there are {self.num_chunks}, from 0")
        return self.chunk_table[number]

    def _entry(self, doc: int) -> Entry:
        self._document_row(doc)
        return self.entries[doc]

    def _document_row(self, doc: int) -> Any:
        if not 0 <= doc < self.num_documents:
            raise ShapeError(f"document {doc} does not exist; there are {self.num_documents}, from 0")
        return self.document_table[doc]


_TYPES = {
    DOCUMENTS: DOCUMENT,
    CHUNKS: CHUNK,
    SENTENCES: SENTENCE,
    CHUNK_VECTORS: VECTOR,
    SENTENCE_VECTORS: VECTOR,
    SENTENCE_KEYS: KEY,
}


def _open_array(path: Path, dtype: np.dtype[Any]) -> NDArray[Any]:
    array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.dtype != dtype or array.ndim != (2 if dtype == VECTOR else 1):
        raise ValueError(f"{path.name}: holds {array.dtype} of {array.ndim} dimensions, expected {dtype}")
    # A plain array is returned, because the memmap subclass does bookkeeping on every slice.
    return array.view(np.ndarray)


def _map(path: Path) -> bytes | mmap.mmap:
    with path.open("rb") as file:
        # An empty file cannot be mapped. Unlike reading by position, a map needs no open file descriptor.
        if file.seek(0, 2) == 0:
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
