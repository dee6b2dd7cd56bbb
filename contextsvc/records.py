"""What flows through the package: frozen records whose promises are checked at birth.

Spans count characters (Python string indices), end exclusive. Ids are derived, never random.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from contextsvc.answerability import NOT_ASKED, Answerability
from contextsvc.errors import ShapeError, SpanError
from contextsvc.spans import Span, explain, offset_in

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

Format = Literal["markdown", "plain"]
BlockKind = Literal["heading", "paragraph", "list_item", "code", "table"]
DropReason = Literal["low_score", "near_duplicate", "over_budget", "no_gain", "max_chunks", "not_answerable"]
CacheState = Literal["hit", "miss", "off"]


def digest(*parts: str) -> str:
    """SHA-256 over the parts, each with its length in front, so that no two lists collide."""
    state = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        state.update(len(data).to_bytes(8, "big"))
        state.update(data)
    return state.hexdigest()


@dataclass(frozen=True, slots=True)
class Document:
    """One text with where it came from.

    Attributes:
        doc_id: Unique in an index.
        text: What spans refer to; for HTML the extracted Markdown.
        title: May be empty.
        source: Path, URL or name a person can follow.
        format: How structure is read from the text.
        metadata: Flat; what filters see. Values are str, int, float, bool or a list of those.
    """

    doc_id: str
    text: str
    title: str = ""
    source: str = ""
    format: Format = "plain"
    metadata: Mapping[str, object] = field(default_factory=dict)

    @property
    def content_hash(self) -> str:
        """Changes whenever anything that an index stores of this document changes."""
        meta = repr(sorted(self.metadata.items()))
        return digest(self.doc_id, self.title, self.source, self.format, meta, self.text)


@dataclass(frozen=True, slots=True)
class Block:
    """A structural unit of a document: `level` is 1 to 6 for a heading, 0 otherwise."""

    kind: BlockKind
    start: int
    end: int
    level: int = 0


@dataclass(frozen=True, slots=True)
class Sentence:
    """The smallest unit that is embedded: a sentence, a list item, a code fence, a table or a part of one.

    Attributes:
        start: First character in the document.
        end: One past the last.
        num_tokens: Tokens of the text from `start` to the start of the next sentence.
        section: Headings above it, outermost first; empty at the top.
        starts_section: A heading; a chunk is not continued across it where that can be avoided.
    """

    start: int
    end: int
    num_tokens: int
    section: tuple[str, ...] = ()
    starts_section: bool = False


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of whole sentences of one document, or what trimming has left of one.

    Always: `text == spans.OMISSION.join(document.text[a:b] for a, b in spans)`.

    Attributes:
        start: Where the first span begins.
        end: Where the last one ends.
        num_tokens: Of the text: as the index counts; of a trimmed one, as the pack it was trimmed for.
        also_in: Ids of documents that say the same and were left out.
        spans: The parts of the document that the text holds, in order; one unless trimmed, which is default.
        whole: Span of the index's chunk that this is, or is what is left of; default: the former.
    """

    doc_id: str
    start: int
    end: int
    text: str
    num_tokens: int
    title: str = ""
    source: str = ""
    section: tuple[str, ...] = ()
    content_hash: str = ""
    also_in: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    whole: Span = (0, 0)

    def __post_init__(self) -> None:
        if not self.spans:
            object.__setattr__(self, "spans", ((self.start, self.end),))
        if self.whole == (0, 0):
            object.__setattr__(self, "whole", (self.start, self.end))
        if not explain(self.spans, self.text, (self.start, self.end), self.whole):
            raise SpanError(self.doc_id, self.start, self.end, self.start + len(self.text))

    @property
    def chunk_id(self) -> str:
        """Derived from document, content and whole span: the same chunk has the same id in any run.

        Trimmed for one query or another it keeps its id: `spans` say what is left of it.
        """
        return digest(self.doc_id, self.content_hash, str(self.whole[0]), str(self.whole[1]))[:16]

    def offset(self, at: int) -> int:
        """Where in `text` a character of the document stands.

        Raises:
            SpanError: it is not in the text.
        """
        offset = offset_in(self.spans, at)
        if offset is None:
            raise SpanError(self.doc_id, at, at + 1, self.end)
        return offset

    @classmethod
    def cut(
        cls,
        document: Document,
        start: int,
        end: int,
        num_tokens: int,
        section: tuple[str, ...] = (),
        content_hash: str = "",
    ) -> "Chunk":
        """Cut by characters; tokens are counted on the text, never the other way round, which drifts.

        `content_hash` saves hashing the document again for each of its chunks.

        Raises:
            SpanError: the span is empty or not inside the document.
        """
        if not 0 <= start < end <= len(document.text):
            raise SpanError(document.doc_id, start, end, len(document.text))
        text = document.text[start:end]
        content_hash = content_hash or document.content_hash
        return cls(
            document.doc_id, start, end, text, num_tokens, document.title, document.source, section,
            content_hash,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ranking:
    """What a search found for one query: best first, ties by id, ids unique and never -1."""

    ids: Int64Array
    scores: Float32Array

    def __post_init__(self) -> None:
        if self.ids.shape != self.scores.shape or self.ids.ndim != 1:
            raise ShapeError(f"ids {self.ids.shape} and scores {self.scores.shape} do not agree")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chunk that retrieval put forward.

    Attributes:
        number: Row of the chunk in its generation.
        score: In [0, 1], higher is better.
        rank: From 1.
        signals: The scores it was made of, by name.
    """

    number: int
    chunk: Chunk
    score: float
    rank: int
    signals: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Drop:
    """A receipt for a candidate that was left out; `detail` is for a person.

    Not the candidate itself: with fifty texts that nobody asked for a kept pack is ten times as large.
    """

    chunk_id: str
    doc_id: str
    start: int
    end: int
    score: float
    rank: int
    reason: DropReason
    detail: str = ""

    @classmethod
    def of(cls, candidate: Candidate, reason: DropReason, detail: str = "") -> "Drop":
        """The receipt for a candidate."""
        # What was left out is the chunk, whatever of it would have gone in.
        c, (start, end) = candidate.chunk, candidate.chunk.whole
        return cls(c.chunk_id, c.doc_id, start, end, candidate.score, candidate.rank, reason, detail)


@dataclass(frozen=True, slots=True)
class PackedChunk:
    """A chunk as it lies in a pack.

    Attributes:
        candidate: The chunk with its score and retrieval rank.
        num_tokens: Tokens its part of the rendered text takes, heading line and separator
            included. Over a pack they add up to the pack's `num_tokens`.
    """

    candidate: Candidate
    num_tokens: int


@dataclass(frozen=True, slots=True)
class ContextPack:
    """A rendered context that fits its budget. Chunks lie in the order of the text.

    Attributes:
        exact: The query was compared with every vector: no approximate index stood between.
        trim: Its chunks may be trimmed (`steps.trimming`).
        answer: Whether anything in the index answers the query, by all candidates, whatever the budget.
    """

    query: str
    index: str
    generation: str
    configuration: str
    chunks: tuple[PackedChunk, ...]
    drops: tuple[Drop, ...]
    text: str
    num_tokens: int
    budget_tokens: int
    tokenizer: str
    ordering: str
    exact: bool = False
    trim: bool = False
    answer: Answerability = NOT_ASKED

    def __post_init__(self) -> None:
        if self.num_tokens > self.budget_tokens:
            raise ShapeError(f"{self.num_tokens} tokens in a budget of {self.budget_tokens}")
        if sum(chunk.num_tokens for chunk in self.chunks) != self.num_tokens:
            raise ShapeError("the chunks' tokens do not add up to the pack's")

    @property
    def pack_id(self) -> str:
        """A hash of everything that made the pack: the same request has the same id."""
        return digest(
            self.index, self.generation, self.configuration, self.query,
            str(self.budget_tokens), self.tokenizer, self.ordering, str(self.exact), self.text,
            str(self.answer.score),
            *(packed.candidate.chunk.chunk_id for packed in self.chunks),
        )[:32]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cost:
    """What a measurement took: forward passes or calls of the reader, tokens it read and wrote, time."""

    reader_calls: int = 0
    reader_tokens: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.reader_calls + other.reader_calls,
            self.reader_tokens + other.reader_tokens,
            self.seconds + other.seconds,
        )
